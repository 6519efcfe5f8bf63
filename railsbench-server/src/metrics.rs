//! Numbers for Prometheus: a small, honest set.
//!
//! Requests and expired leases are counted as they happen; runs and tasks are counted when the
//! numbers are asked for, from the store, so that they are right after a restart as well.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::http::{Method, StatusCode};
use railsbench_core::protocol::{RunStatus, TaskCounts, TaskStatus};

use crate::http::App;
use crate::store::{StoreError, StoredRun};

/// How many runs are read from the store at once.
const PAGE: u32 = 500;

/// A request's method, route and status.
type RequestKind = (&'static str, String, u16);

/// Counters since the start of the process.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<RequestKind, u64>>,
    expired_leases: AtomicU64,
}

impl Metrics {
    /// Counts an answered request.
    pub(crate) fn count_request(&self, method: &Method, route: &str, status: StatusCode) {
        // Clients may make up methods: without this list each would be kept for ever.
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
        let method = known.into_iter().find(|name| *name == method.as_str()).unwrap_or("other");
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((method, route.to_owned(), status.as_u16())).or_default() += 1;
    }

    /// Counts leases that ran out.
    pub(crate) fn count_expired(&self, leases: u32) {
        self.expired_leases.fetch_add(u64::from(leases), Ordering::Relaxed);
    }
}

/// All runs, newest first.
pub(crate) async fn all_runs(app: &App) -> Result<Vec<StoredRun>, StoreError> {
    let mut runs = Vec::new();
    let mut after = None;
    loop {
        let page = app.store.runs(after, PAGE).await?;
        let full = page.len() >= PAGE as usize;
        after = page.last().map(|run| (run.created_at, run.id.clone()));
        runs.extend(page);
        if !full {
            return Ok(runs);
        }
    }
}

/// The numbers in the text format of Prometheus.
pub(crate) async fn text(app: &App) -> Result<String, StoreError> {
    let mut runs: BTreeMap<RunStatus, u64> = [
        RunStatus::Pending,
        RunStatus::Running,
        RunStatus::Completed,
        RunStatus::Failed,
        RunStatus::Cancelled,
    ]
    .into_iter()
    .map(|status| (status, 0))
    .collect();
    let mut tasks: BTreeMap<TaskStatus, u64> =
        TaskStatus::ALL.into_iter().map(|status| (status, 0)).collect();
    for stored in all_runs(app).await? {
        *runs.entry(stored.run.status).or_default() += 1;
        let mut counts: TaskCounts = stored.run.counts;
        for (status, count) in &mut tasks {
            *count += u64::from(*counts.of(*status));
        }
    }
    let mut page = Page::default();
    page.family("railsbench_build_info", "gauge", "The version that runs.");
    page.sample("railsbench_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family("railsbench_runs", "gauge", "Runs by status.");
    for (status, count) in runs {
        page.sample("railsbench_runs", &[("status", status.as_str())], count);
    }
    page.family("railsbench_tasks", "gauge", "Tasks of all runs by status.");
    for (status, count) in tasks {
        page.sample("railsbench_tasks", &[("status", status.as_str())], count);
    }
    page.family(
        "railsbench_expired_leases_total",
        "counter",
        "Leases that the reaper ended because no heartbeat came in time.",
    );
    let expired = app.metrics.expired_leases.load(Ordering::Relaxed);
    page.sample("railsbench_expired_leases_total", &[], expired);
    page.family("railsbench_requests_in_flight", "gauge", "Requests that have no answer yet.");
    let in_flight = u64::try_from(app.in_flight.len()).unwrap_or(u64::MAX);
    page.sample("railsbench_requests_in_flight", &[], in_flight);
    page.family("railsbench_http_requests_total", "counter", "Answered requests.");
    let requests = app.metrics.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for ((method, route, status), count) in requests {
        let status = status.to_string();
        let labels = [("method", method), ("route", route.as_str()), ("status", status.as_str())];
        page.sample("railsbench_http_requests_total", &labels, count);
    }
    Ok(page.0)
}

/// Text that grows by families and samples.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| {
                let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
                format!("{label}=\"{value}\"")
            })
            .collect();
        if labels.is_empty() {
            self.line(format_args!("{name} {value}\n"));
        } else {
            self.line(format_args!("{name}{{{}}} {value}\n", labels.join(",")));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.0.write_fmt(line).expect("writing to a String does not fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_escape_what_a_label_may_not_hold() {
        let mut page = Page::default();
        page.sample("x", &[("a", "q\"b\\s\nn")], 2);
        assert_eq!(page.0, "x{a=\"q\\\"b\\\\s\\nn\"} 2\n");
    }

    #[test]
    fn made_up_methods_share_one_name() {
        let metrics = Metrics::default();
        for name in ["FOO", "BAR"] {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            metrics.count_request(&method, "/", StatusCode::OK);
        }
        let requests = metrics.requests.lock().unwrap();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[&("other", "/".to_owned(), 200)], 2);
    }
}
