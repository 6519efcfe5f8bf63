//! `output.json`: the times of every benchmark in every variant, in the shape of ruby-bench.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{OUTPUT_JSON, ResultError};

/// Largest `output.json` that is read, in bytes.
pub const MAX_OUTPUT_BYTES: usize = 256 << 20;
/// Most variants.
pub const MAX_VARIANTS: usize = 16;
/// Most benchmarks of a variant.
pub const MAX_BENCHMARKS: usize = 256;
/// Most warm-up and most measured times of a benchmark.
pub const MAX_TIMES: usize = 1_000_000;
/// Longest time, in seconds: about eleven days.
pub const MAX_SECONDS: f64 = 1e6;

/// Longest name of a variant or benchmark, and longest Ruby description, in bytes.
const MAX_NAME: usize = 64;
const MAX_DESCRIPTION: usize = 500;

/// The figures of one benchmark in one variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// Measured times, in seconds per iteration, in the order they were taken; never empty.
    pub bench: Vec<f64>,
    /// Times before measuring, in the same form.
    #[serde(default)]
    pub warmup: Vec<f64>,
    /// Peak resident size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss: Option<u64>,
    /// What that Ruby says of itself.
    #[serde(rename = "RUBY_DESCRIPTION", default)]
    pub ruby_description: String,
    /// How many iterations were timed together and averaged for one time; at least 1.
    #[serde(default = "one")]
    pub iterations_per_sample: u32,
    /// What else the benchmark reports.
    #[serde(default)]
    pub extra: Map<String, Value>,
}

fn one() -> u32 {
    1
}

/// Benchmark name to figures.
pub type Benchmarks = BTreeMap<String, Samples>;

/// A checked `output.json`. Unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// About all of it: `ruby_descriptions`, `rails_version`, `quick`.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// Variant (`interp`, `yjit`) to benchmark to figures; never empty.
    #[serde(deserialize_with = "without_duplicates")]
    pub raw_data: BTreeMap<String, Benchmarks>,
}

impl Output {
    /// Reads and checks an `output.json`.
    ///
    /// Times are read to 15 significant digits.
    ///
    /// # Errors
    /// [`ResultError`] naming the first wrong place and its fix.
    pub fn parse(bytes: &[u8]) -> Result<Self, ResultError> {
        if bytes.len() > MAX_OUTPUT_BYTES {
            return Err(ResultError::TooLarge {
                file: OUTPUT_JSON,
                size: bytes.len(),
                limit: MAX_OUTPUT_BYTES,
            });
        }
        let output: Self = serde_json::from_slice(bytes)
            .map_err(|error| ResultError::shape(OUTPUT_JSON, &error))?;
        output.check()?;
        Ok(output)
    }

    /// The times as `output.csv`: `variant,benchmark,phase,iteration,seconds`, one a line.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from("variant,benchmark,phase,iteration,seconds\n");
        for (variant, benchmarks) in &self.raw_data {
            for (benchmark, samples) in benchmarks {
                for (phase, times) in [("warmup", &samples.warmup), ("bench", &samples.bench)] {
                    for (index, seconds) in times.iter().enumerate() {
                        // Writing to a String cannot fail; names hold no comma or quote.
                        let _ =
                            writeln!(csv, "{variant},{benchmark},{phase},{},{seconds}", index + 1);
                    }
                }
            }
        }
        csv
    }

    fn check(&self) -> Result<(), ResultError> {
        count("raw_data", self.raw_data.len(), MAX_VARIANTS, "write 1 to 16 variants")?;
        for (variant, benchmarks) in &self.raw_data {
            name("raw_data", variant)?;
            let place = format!("raw_data.{variant}");
            count(&place, benchmarks.len(), MAX_BENCHMARKS, "write 1 to 256 benchmarks")?;
            for (benchmark, samples) in benchmarks {
                name(&place, benchmark)?;
                samples.check(&format!("{place}.{benchmark}"))?;
            }
        }
        Ok(())
    }
}

impl Samples {
    fn check(&self, place: &str) -> Result<(), ResultError> {
        let bench = format!("{place}.bench");
        let warmup = format!("{place}.warmup");
        count(&bench, self.bench.len(), MAX_TIMES, "write 1 to 1000000 times")?;
        if !self.warmup.is_empty() {
            count(&warmup, self.warmup.len(), MAX_TIMES, "write at most 1000000 times")?;
        }
        for (place, times) in [(bench, &self.bench), (warmup, &self.warmup)] {
            let bad = times.iter().position(|&time| !(time > 0.0 && time <= MAX_SECONDS));
            if let Some(index) = bad {
                return Err(wrong(
                    format!("{place}[{index}]"),
                    format!("{} is no time that an iteration can take", times[index]),
                    "write seconds above 0 and at most 1000000",
                ));
            }
        }
        if self.iterations_per_sample == 0 {
            return Err(wrong(
                format!("{place}.iterations_per_sample"),
                "it is 0".into(),
                "write how many iterations each time was averaged over, at least 1",
            ));
        }
        let description = &self.ruby_description;
        if description.len() > MAX_DESCRIPTION || description.chars().any(char::is_control) {
            return Err(wrong(
                format!("{place}.RUBY_DESCRIPTION"),
                "it is too long or holds a control character".into(),
                "write Ruby's own RUBY_DESCRIPTION, at most 500 bytes",
            ));
        }
        Ok(())
    }
}

fn count(place: &str, count: usize, limit: usize, fix: &'static str) -> Result<(), ResultError> {
    if (1..=limit).contains(&count) {
        return Ok(());
    }
    let problem = if count == 0 { "it is empty".into() } else { format!("it has {count} entries") };
    Err(wrong(place.to_owned(), problem, fix))
}

/// Letters, digits and `_ - . +`, starting with a letter or digit: safe in a path, a CSV field
/// and a page.
fn name(place: &str, name: &str) -> Result<(), ResultError> {
    let good = name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.+".contains(c));
    if good {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    Err(wrong(
        place.to_owned(),
        format!("{shown:?} is no name of a variant or benchmark"),
        "use 1 to 64 characters of A-Z a-z 0-9 _ - . + and start with a letter or digit",
    ))
}

fn wrong(place: String, problem: String, fix: &'static str) -> ResultError {
    ResultError::Value { file: OUTPUT_JSON, place, problem, fix }
}

/// Reads the two levels of names and refuses one that is there twice: which of the two figures
/// is meant cannot be known.
fn without_duplicates<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Benchmarks>, D::Error> {
    let variants: Unique<Unique<Samples>> = Unique::deserialize(deserializer)?;
    Ok(variants.0.into_iter().map(|(variant, benchmarks)| (variant, benchmarks.0)).collect())
}

struct Unique<T>(BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Unique<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = Unique<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut access: A,
            ) -> Result<Self::Value, A::Error> {
                let mut map = BTreeMap::new();
                while let Some((key, value)) = access.next_entry::<String, T>()? {
                    let shown: String = key.chars().take(MAX_NAME).collect();
                    if map.insert(key, value).is_some() {
                        return Err(serde::de::Error::custom(format!("{shown:?} is there twice")));
                    }
                }
                Ok(Unique(map))
            }
        }

        deserializer.deserialize_map(Visitor(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"{"metadata": {"quick": true, "rails_version": "6.1.7.10"},
        "raw_data": {"yjit": {"boot": {"bench": [0.25, 0.5], "warmup": [1], "rss": 91234304,
        "RUBY_DESCRIPTION": "ruby 3.1.2p20 +YJIT", "iterations_per_sample": 1, "extra": {"a": 1},
        "unknown": null}}}}"#;

    #[test]
    fn the_documented_shape_is_read() {
        let output = Output::parse(GOOD.as_bytes()).unwrap();
        let boot = &output.raw_data["yjit"]["boot"];
        assert_eq!(boot.bench, [0.25, 0.5]);
        assert_eq!(boot.warmup, [1.0]);
        assert_eq!(boot.rss, Some(91_234_304));
        assert_eq!(boot.ruby_description, "ruby 3.1.2p20 +YJIT");
        assert_eq!(output.metadata["quick"], true);
        assert_eq!(
            output.to_csv(),
            "variant,benchmark,phase,iteration,seconds\n\
             yjit,boot,warmup,1,1\nyjit,boot,bench,1,0.25\nyjit,boot,bench,2,0.5\n"
        );
    }

    #[test]
    fn what_ruby_bench_leaves_out_has_a_default() {
        let output = Output::parse(br#"{"raw_data": {"interp": {"b": {"bench": [1]}}}}"#).unwrap();
        assert_eq!(output.raw_data["interp"]["b"].iterations_per_sample, 1);
    }

    #[test]
    fn wrong_files_name_the_place_and_the_fix() {
        let cases = [
            ("", "output.json, line 1, column 0: EOF while parsing a value; write the shape"),
            (r#"{"raw_data": {}}"#, "output.json, raw_data: it is empty; write 1 to 16"),
            (r#"{"raw_data": {"v": {}}}"#, "output.json, raw_data.v: it is empty; write 1 to 256"),
            (r#"{"raw_data": {"v": {"b": {"bench": []}}}}"#, "raw_data.v.b.bench: it is empty"),
            (r#"{"raw_data": {"v": {"b": {"bench": [1, 0]}}}}"#, "raw_data.v.b.bench[1]: 0 is no"),
            (r#"{"raw_data": {"v": {"b": {"bench": [-1]}}}}"#, "bench[0]: -1 is no time"),
            (r#"{"raw_data": {"v": {"b": {"bench": [2e6]}}}}"#, "bench[0]: 2000000 is no time"),
            (r#"{"raw_data": {"v": {"b": {"bench": [1e999]}}}}"#, "number out of range"),
            (r#"{"raw_data": {"v": {"b": {"bench": [null]}}}}"#, "invalid type: null"),
            (r#"{"raw_data": {"v": {"b": {"bench": [NaN]}}}}"#, "expected value"),
            (r#"{"raw_data": {"v": {"b": {"bench": [1], "warmup": [0]}}}}"#, "b.warmup[0]: 0 is"),
            (r#"{"raw_data": {"v/..": {"b": {"bench": [1]}}}}"#, "raw_data: \"v/..\" is no name"),
            (r#"{"raw_data": {"v": {"<b>": {"bench": [1]}}}}"#, "raw_data.v: \"<b>\" is no name"),
            (
                r#"{"raw_data": {"v": {"b": {"bench": [1], "iterations_per_sample": 0}}}}"#,
                "at least 1",
            ),
            (
                r#"{"raw_data": {"v": {"b": {"bench": [1], "RUBY_DESCRIPTION": "\u0000"}}}}"#,
                "control",
            ),
            (r#"{"raw_data": {"v": {"b": {"bench": [1]}, "b": {"bench": [2]}}}}"#, "there twice"),
        ];
        for (text, expected) in cases {
            let message = Output::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}\n{message}\n{expected}");
            assert!(message.starts_with("output.json"), "{message}");
        }
    }

    /// Nanosecond clock readings, as a workload has them.
    fn times(least: usize) -> impl Strategy<Value = Vec<f64>> {
        vec((1u64..10_000_000_000).prop_map(|nanoseconds| nanoseconds as f64 / 1e9), least..8)
    }

    fn samples() -> impl Strategy<Value = Samples> {
        (
            times(1),
            times(0),
            proptest::option::of(any::<u64>()),
            "[ -~]{0,30}",
            1u32..,
            any::<i64>(),
        )
            .prop_map(
                |(bench, warmup, rss, ruby_description, iterations_per_sample, extra)| Samples {
                    bench,
                    warmup,
                    rss,
                    ruby_description,
                    iterations_per_sample,
                    extra: Map::from_iter([("count".to_owned(), extra.into())]),
                },
            )
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200)) {
            let _ = Output::parse(&bytes);
        }

        #[test]
        fn no_damage_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = GOOD.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = Output::parse(&bytes);
            let _ = Output::parse(&bytes[..at]);
        }

        #[test]
        fn what_is_written_is_read_back(
            raw_data in btree_map("[a-z][a-z_]{0,8}", btree_map("[a-z][a-z0-9_]{0,8}", samples(), 1..4), 1..3),
            quick in any::<bool>(),
        ) {
            let output = Output { metadata: Map::from_iter([("quick".to_owned(), quick.into())]), raw_data };
            let bytes = serde_json::to_vec(&output).unwrap();
            prop_assert_eq!(Output::parse(&bytes), Ok(output.clone()));
            let lines = output.to_csv().lines().count();
            let times: usize = output.raw_data.values().flat_map(BTreeMap::values)
                .map(|samples| samples.bench.len() + samples.warmup.len()).sum();
            prop_assert_eq!(lines, times + 1);
        }
    }
}
