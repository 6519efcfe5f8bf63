//! What runners say: kept once, in order, and only the end of it.

use railsbench_core::id::{Attempt, TaskId};
use railsbench_core::protocol::LogPart;

use super::Subject;
use super::fixture::{ONE_TYPE, Steps, new_run};
use crate::store::StoreError;
use crate::store::logs::{ATTEMPTS, KEPT};

fn part(attempt: u32, offset: u64, text: &str) -> LogPart {
    LogPart { attempt: Attempt(attempt), offset, text: text.to_owned() }
}

async fn append(steps: &Steps<'_>, task: &TaskId, part: LogPart) {
    steps.store().await.append_log(task, part).await.expect("logs can be kept");
}

async fn log(steps: &Steps<'_>, task: &TaskId, after: Option<(u32, u64)>) -> Vec<LogPart> {
    let after = after.map(|(attempt, place)| (Attempt(attempt), place));
    steps.store().await.log(task, after).await.expect("logs can be read")
}

/// A run, and its first two tasks.
async fn two_tasks(steps: &Steps<'_>) -> (TaskId, TaskId) {
    steps.create(new_run("r", ONE_TYPE)).await;
    let tasks = steps.tasks("r").await;
    (tasks[0].id.clone(), tasks[1].id.clone())
}

pub(super) async fn what_runners_say_is_kept_once_and_in_order(subject: &dyn Subject) {
    let steps = Steps(subject);
    let (task, other) = two_tasks(&steps).await;
    append(&steps, &task, part(1, 10, "one\n")).await;
    append(&steps, &task, part(1, 10, "one\ntwo\n")).await;
    append(&steps, &task, part(1, 12, "e\ntwo\n")).await;
    append(&steps, &task, part(1, 30, "after a gap")).await;
    append(&steps, &other, part(1, 0, "the other")).await;
    append(&steps, &task, part(2, 0, "äß")).await;
    let first = [part(1, 10, "one\n"), part(1, 14, "two\n"), part(1, 30, "after a gap")];
    let second = part(2, 0, "äß");
    let all: Vec<LogPart> = first.iter().chain([&second]).cloned().collect();
    assert_eq!(log(&steps, &task, None).await, all);
    assert_eq!(log(&steps, &task, Some((1, 14))).await, all[1..], "what ends there is known");
    assert_eq!(log(&steps, &task, Some((1, 41))).await, all[3..]);
    assert_eq!(log(&steps, &task, Some((2, 4))).await, []);
    assert_eq!(log(&steps, &task, Some((2, u64::MAX))).await, []);
    assert_eq!(log(&steps, &other, None).await, [part(1, 0, "the other")]);
    let unknown = TaskId::from_parts(1, 1);
    let store = steps.store().await;
    let appended = store.append_log(&unknown, part(1, 0, "x")).await;
    assert!(matches!(appended, Err(StoreError::UnknownTask(_))), "{appended:?}");
    let read = store.log(&unknown, None).await;
    assert!(matches!(read, Err(StoreError::UnknownTask(_))), "{read:?}");
}

pub(super) async fn only_the_end_of_a_log_is_kept(subject: &dyn Subject) {
    let steps = Steps(subject);
    let (task, _) = two_tasks(&steps).await;
    let line = "x".repeat(usize::try_from(KEPT / 4).expect("it is small"));
    let length = line.len() as u64;
    for number in 0..10 {
        append(&steps, &task, part(1, number * length, &line)).await;
    }
    let kept = log(&steps, &task, None).await;
    assert_eq!(kept.first().map(|part| part.offset), Some(6 * length));
    assert_eq!(kept.last().map(LogPart::end), Some(10 * length), "the end is there");
    for attempt in 2..=1 + ATTEMPTS {
        append(&steps, &task, part(attempt, 0, "again")).await;
    }
    let kept: Vec<u32> = log(&steps, &task, None).await.iter().map(|part| part.attempt.0).collect();
    assert_eq!(kept, (2..=1 + ATTEMPTS).collect::<Vec<_>>(), "the latest attempts");
}
