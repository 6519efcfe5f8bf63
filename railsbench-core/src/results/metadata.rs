//! `metadata.json`: which task ran where, when, on what, and what may have disturbed it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{METADATA_JSON, ResultError};
use crate::id::{Alias, Attempt, InstanceType, MachineId, ProviderName, RunnerId, TaskId};
use crate::protocol::TaskStatus;

/// Largest `metadata.json` that is read, in bytes.
pub const MAX_METADATA_BYTES: usize = 1 << 20;

/// Most entries of [`Metadata::noise`], and most characters of any text.
const MAX_NOISE: usize = 100;
const MAX_TEXT: usize = 1000;

/// Provenance of one task's figures. Unknown fields are ignored, and what the machine did not
/// tell is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The task.
    pub task_id: TaskId,
    /// Its provider.
    pub provider: ProviderName,
    /// Its instance type.
    pub instance_type: InstanceType,
    /// The operator's name for the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Alias>,
    /// 1-based number among the tasks of this instance type.
    pub run: u32,
    /// `system` or a version, as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruby_version: Option<String>,
    /// When the workload was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// When it had ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Timestamp>,
    /// How it ended.
    pub status: TaskStatus,
    /// Who ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_id: Option<RunnerId>,
    /// Which attempt this was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// The machine: tasks that name the same one shared a kernel, whatever their runner. Where
    /// the system has one, it is the kernel's boot id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineId>,
    /// Architecture, e.g. `x86_64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// Virtual CPUs that the workload could use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<u32>,
    /// Memory in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// The processor in its maker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_model: Option<String>,
    /// Its microcode revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub microcode: Option<String>,
    /// Kernel release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// Operating system, e.g. `Debian GNU/Linux 13 (trixie)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Region, in the provider's spelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Zone, in the provider's spelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Machine or container image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Processor time that the hypervisor gave to others, in percent of all, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal_percent: Option<f64>,
    /// CPU frequency governor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governor: Option<String>,
    /// What could have spoiled the figures, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noise: Vec<String>,
    /// SHA-256 of `output.json`, 64 lower-case hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

impl Metadata {
    /// Reads and checks a `metadata.json`.
    ///
    /// # Errors
    /// [`ResultError`] naming the place and the fix.
    pub fn parse(bytes: &[u8]) -> Result<Self, ResultError> {
        if bytes.len() > MAX_METADATA_BYTES {
            return Err(ResultError::TooLarge {
                file: METADATA_JSON,
                size: bytes.len(),
                limit: MAX_METADATA_BYTES,
            });
        }
        let metadata: Self = serde_json::from_slice(bytes)
            .map_err(|error| ResultError::shape(METADATA_JSON, &error))?;
        metadata.check()?;
        Ok(metadata)
    }

    /// Alias or instance type: what the results are filed under.
    pub fn label(&self) -> &str {
        self.alias.as_ref().map_or(self.instance_type.as_str(), Alias::as_str)
    }

    fn check(&self) -> Result<(), ResultError> {
        if self.run == 0 {
            return Err(wrong("run", "it is 0".into(), "number the tasks of a type from 1"));
        }
        if let Some(steal) = self.steal_percent
            && !(0.0..=100.0).contains(&steal)
        {
            return Err(wrong(
                "steal_percent",
                format!("{steal} is no percentage"),
                "write a number from 0 to 100",
            ));
        }
        if let Some(checksum) = &self.checksum
            && !(checksum.len() == 64
                && checksum.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        {
            return Err(wrong(
                "checksum",
                "it is no SHA-256".into(),
                "write 64 lower-case hexadecimal digits",
            ));
        }
        if self.noise.len() > MAX_NOISE {
            return Err(wrong(
                "noise",
                format!("it has {} entries", self.noise.len()),
                "write at most 100",
            ));
        }
        let texts = [
            ("ruby_version", &self.ruby_version),
            ("arch", &self.arch),
            ("cpu_model", &self.cpu_model),
            ("microcode", &self.microcode),
            ("kernel", &self.kernel),
            ("os", &self.os),
            ("region", &self.region),
            ("zone", &self.zone),
            ("image", &self.image),
            ("governor", &self.governor),
        ];
        let texts = texts.into_iter().filter_map(|(place, text)| Some((place, text.as_ref()?)));
        let noise = self.noise.iter().map(|text| ("noise", text));
        for (place, text) in texts.chain(noise) {
            if text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
                return Err(wrong(
                    place,
                    "it is too long or holds a control character".into(),
                    "write one line of at most 1000 characters",
                ));
            }
        }
        Ok(())
    }
}

fn wrong(place: &str, problem: String, fix: &'static str) -> ResultError {
    ResultError::Value { file: METADATA_JSON, place: place.to_owned(), problem, fix }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Metadata {
        serde_json::from_value(serde_json::json!({
            "task_id": "01JD0000000000000000000000", "provider": "local",
            "instance_type": "host", "run": 1, "status": "completed"
        }))
        .unwrap()
    }

    #[test]
    fn absent_facts_are_left_out_and_unknown_ones_ignored() {
        let text = serde_json::to_string(&sample()).unwrap();
        assert!(!text.contains("null") && !text.contains("noise"), "{text}");
        let more = text.replacen('{', "{\"phase_of_moon\": \"full\",", 1);
        assert_eq!(Metadata::parse(more.as_bytes()).unwrap(), sample());
        assert_eq!(sample().label(), "host");
    }

    #[test]
    fn wrong_values_name_the_place_and_the_fix() {
        let cases: [(&str, Metadata); 5] = [
            ("run", Metadata { run: 0, ..sample() }),
            ("steal_percent", Metadata { steal_percent: Some(101.0), ..sample() }),
            ("checksum", Metadata { checksum: Some("A".repeat(64)), ..sample() }),
            ("os", Metadata { os: Some("a\nb".into()), ..sample() }),
            ("noise", Metadata { noise: vec![String::new(); 101], ..sample() }),
        ];
        for (place, bad) in cases {
            let error = Metadata::parse(&serde_json::to_vec(&bad).unwrap()).unwrap_err();
            let message = error.to_string();
            assert!(message.starts_with(&format!("metadata.json, {place}: ")), "{message}");
            assert!(message.contains("; "), "{message}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Metadata::parse(&bytes);
        }

        #[test]
        fn what_is_written_is_read_back(
            run in 1u32.., vcpus in proptest::option::of(any::<u32>()),
            model in proptest::option::of("[ -~]{0,40}"), steal in proptest::option::of(0u16..=1000),
            noise in proptest::collection::vec("[ -~]{0,20}", 0..4), second in 0i64..4_000_000_000,
        ) {
            let metadata = Metadata {
                run, vcpus, cpu_model: model, noise,
                steal_percent: steal.map(|tenths| f64::from(tenths) / 10.0),
                start_time: Timestamp::from_second(second).ok(),
                ..sample()
            };
            let bytes = serde_json::to_vec(&metadata).unwrap();
            prop_assert_eq!(Metadata::parse(&bytes), Ok(metadata));
        }
    }
}
