//! The ledger: which machines were started, on what terms, and when they ended. One JSON object a
//! line, on disk before the machine is made, so that also what a crash leaves is counted.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use railsbench_core::id::{InstanceType, ProviderName, RunId};
use railsbench_core::money::Usd;
use railsbench_core::provider::{Expectations, Plan};
use serde::{Deserialize, Serialize};

/// On what terms a machine was started: its price when it was planned, and how time is charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What it costs with all that belongs to it, per hour.
    pub per_hour: Usd,
    /// What it is expected to cost for what it sends.
    pub sent: Usd,
    /// What is charged besides, at a price that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unpriced: Vec<String>,
    /// When the oldest of the prices was read; absent if nothing is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Date>,
    /// Where the prices come from.
    pub source: String,
    /// The least time that is charged, in milliseconds.
    pub billing_minimum_ms: u64,
    /// Time is charged in steps of this, in milliseconds.
    pub billing_increment_ms: u64,
    /// It lives no longer than this, in milliseconds.
    pub max_lifetime_ms: u64,
    /// Whether it is charged until it is removed, also after it has ended.
    pub charged_when_ended: bool,
}

impl Terms {
    /// The terms of each of the machines of a plan.
    pub(crate) fn of(plan: &Plan, expectations: &Expectations) -> Self {
        let machines = u64::try_from(plan.machines.len()).unwrap_or(u64::MAX).max(1);
        let each = |amount: Usd| Usd::from_micros(amount.micros().div_ceil(machines));
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            per_hour: each(plan.cost.per_hour()),
            sent: each(plan.cost.sent()),
            unpriced: plan.cost.unpriced.clone(),
            as_of: plan.cost.as_of,
            source: plan.cost.source.clone(),
            billing_minimum_ms: ms(expectations.billing_minimum),
            billing_increment_ms: ms(expectations.billing_increment),
            max_lifetime_ms: ms(plan.max_lifetime),
            charged_when_ended: expectations.charged_when_ended,
        }
    }
}

/// What happened to a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum LedgerStep {
    /// It is about to be made.
    Started {
        /// Its type.
        instance_type: InstanceType,
        /// Where it is; absent where there are no regions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        region: Option<String>,
        /// What is charged for it.
        terms: Terms,
    },
    /// It is charged no more.
    Ended,
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// When.
    pub at: Timestamp,
    /// For which run.
    pub run_id: RunId,
    /// Where.
    pub provider: ProviderName,
    /// Its planned name.
    pub machine: String,
    /// What happened.
    #[serde(flatten)]
    pub step: LedgerStep,
}

/// The ledger could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}, which remembers what machines cost: {detail}", path = .path.display())]
pub struct LedgerError {
    /// `write` or `read`.
    pub action: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// What went wrong.
    pub detail: String,
}

/// The ledger of a state folder. It is made when the first machine is started.
#[derive(Debug, Clone)]
pub struct Ledger(PathBuf);

impl Ledger {
    /// The ledger of the state folder at this path, which need not exist.
    pub fn of_state_dir(state_dir: &Path) -> Self {
        Self(state_dir.join("costs.jsonl"))
    }

    /// Writes entries down. They are durable when this returns.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn record(&self, entries: &[LedgerEntry]) -> Result<(), LedgerError> {
        if entries.is_empty() {
            return Ok(());
        }
        let write = || -> io::Result<()> {
            // A writer that died may have left a part of a line: each begins on one of its own.
            let mut lines = vec![b'\n'];
            for entry in entries {
                serde_json::to_writer(&mut lines, entry)?;
                lines.push(b'\n');
            }
            let mut options = OpenOptions::new();
            let mut file = options.append(true).create(true).mode(0o600).open(&self.0)?;
            file.lock()?;
            let written = file.write_all(&lines).and_then(|()| file.sync_data());
            file.unlock()?;
            written
        };
        write().map_err(|error| self.failure("write", &error))
    }

    /// All entries, oldest first. What a writer that died has left of a line is left out.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn entries(&self) -> Result<Vec<LedgerEntry>, LedgerError> {
        let mut bytes = Vec::new();
        match File::open(&self.0).and_then(|mut file| file.read_to_end(&mut bytes)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(|error| self.failure("read", &error))?,
        };
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let entries = lines.filter_map(|line| match serde_json::from_slice(line) {
            Ok(entry) => Some(entry),
            Err(error) => {
                let path = self.0.display();
                tracing::warn!(%error, %path, "a line of what machines cost is damaged: left out");
                None
            }
        });
        Ok(entries.collect())
    }

    /// Writes down that what a run has at a provider is charged no more; only these machines, or
    /// all of them if none are named. Those that are known to have ended stay as they are.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn close(
        &self,
        run_id: &RunId,
        provider: &ProviderName,
        machines: Option<&[String]>,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let mut open: Vec<String> = Vec::new();
        for entry in self.entries()? {
            if entry.run_id != *run_id || entry.provider != *provider {
                continue;
            }
            open.retain(|machine| *machine != entry.machine);
            if matches!(entry.step, LedgerStep::Started { .. }) {
                open.push(entry.machine);
            }
        }
        open.retain(|machine| machines.is_none_or(|machines| machines.contains(machine)));
        let ended = open.into_iter().map(|machine| LedgerEntry {
            at,
            run_id: run_id.clone(),
            provider: provider.clone(),
            machine,
            step: LedgerStep::Ended,
        });
        self.record(&ended.collect::<Vec<_>>())
    }

    fn failure(&self, action: &'static str, error: &io::Error) -> LedgerError {
        LedgerError { action, path: self.0.clone(), detail: error.to_string() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn terms() -> Terms {
        Terms {
            per_hour: Usd::from_micros(3_600_000),
            sent: Usd::from_micros(500),
            unpriced: Vec::new(),
            as_of: Some(jiff::civil::date(2026, 7, 20)),
            source: "a list".to_owned(),
            billing_minimum_ms: 60_000,
            billing_increment_ms: 1_000,
            max_lifetime_ms: 3_600_000,
            charged_when_ended: false,
        }
    }

    pub(in super::super) fn entry(machine: &str, second: i64, step: LedgerStep) -> LedgerEntry {
        LedgerEntry {
            at: Timestamp::from_second(second).unwrap(),
            run_id: RunId::new("r1").unwrap(),
            provider: ProviderName::new("cloud").unwrap(),
            machine: machine.to_owned(),
            step,
        }
    }

    pub(in super::super) fn started() -> LedgerStep {
        let instance_type = InstanceType::new("c7g.medium").unwrap();
        LedgerStep::Started { instance_type, region: Some("here-1".to_owned()), terms: terms() }
    }

    #[test]
    fn only_what_is_open_is_closed_and_a_torn_line_costs_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::of_state_dir(folder.path());
        assert!(ledger.entries().unwrap().is_empty());
        let begun = [entry("a", 1, started()), entry("b", 2, started()), entry("c", 3, started())];
        ledger.record(&begun).unwrap();
        let mut file =
            OpenOptions::new().append(true).open(folder.path().join("costs.jsonl")).unwrap();
        file.write_all(b"{\"at\":\"2026-").unwrap();
        ledger.record(&[entry("a", 4, LedgerStep::Ended)]).unwrap();

        let close = |machines: Option<&[String]>| {
            let at = Timestamp::from_second(9).unwrap();
            ledger.close(&begun[0].run_id, &begun[0].provider, machines, at).unwrap();
            let closed = ledger.entries().unwrap().into_iter().skip(4);
            closed.map(|entry| (entry.machine, entry.step)).collect::<Vec<_>>()
        };
        assert_eq!(close(Some(&["b".to_owned()])), [("b".to_owned(), LedgerStep::Ended)]);
        let all = [("b".to_owned(), LedgerStep::Ended), ("c".to_owned(), LedgerStep::Ended)];
        assert_eq!(close(None), all);
        assert_eq!(close(None), all, "a second time there is nothing to close");
    }
}
