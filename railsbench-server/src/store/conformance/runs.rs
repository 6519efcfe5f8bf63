//! Making runs, finding them and their tasks.

use railsbench_core::config::RunConfig;
use railsbench_core::id::{InstanceType, ProviderName, TaskId};
use railsbench_core::lifecycle::{Command, Task};
use railsbench_core::protocol::{EventKind, Phase, RunStatus, RunnerFacts, TaskStatus, Telemetry};

use super::Subject;
use super::fixture::{
    ONE_TYPE, POLICY, Steps, at, caller, claim_of, claim_on, complete, new_run, run_id,
};
use crate::store::{NewRun, StoreError, TaskFilter};

/// Two tasks on each of three types.
const THREE_TYPES: &str = r#"{"ruby_version": "3.3.0", "runs_per_instance_type": 2,
    "aws": ["c7g.medium", {"instance_type": "c8g.medium", "alias": "graviton4"}],
    "local": ["host"]}"#;

pub(super) async fn a_new_run_has_its_tasks_in_order(subject: &dyn Subject) {
    let steps = Steps(subject);
    let created = steps.create(new_run("r", THREE_TYPES)).await;
    assert!(created.fresh, "a new run is fresh");
    assert_eq!(created.run, steps.run("r").await, "the answer is what is stored");
    assert_eq!(created.run.created_at, at(0));
    assert_eq!(created.run.policy, POLICY);
    assert_eq!(created.run.run.status, RunStatus::Pending);
    assert_eq!(created.run.run.counts.total, 6);
    assert_eq!(created.run.run.counts.pending, 6);
    let tasks = steps.tasks("r").await;
    let order: Vec<(&str, u32)> =
        tasks.iter().map(|task| (task.instance_type.as_str(), task.run_number)).collect();
    let wanted = [
        ("c7g.medium", 1),
        ("c8g.medium", 1),
        ("host", 1),
        ("c7g.medium", 2),
        ("c8g.medium", 2),
        ("host", 2),
    ];
    assert_eq!(order, wanted, "number 1 of every type comes before number 2");
    let alias = tasks[1].alias.as_ref().map(ToString::to_string);
    assert_eq!(alias.as_deref(), Some("graviton4"));
    assert!(tasks.iter().all(|task| task.updated_at == at(0)));
    let (run, task) = steps
        .store()
        .await
        .task(&tasks[3].id)
        .await
        .expect("tasks can be read")
        .expect("the task is there");
    assert_eq!((run, task), (created.run, tasks[3].clone()), "a task is found with its run");
    let events = steps.events("r").await;
    assert_eq!(events[0].event.kind, EventKind::RunCreated);
    assert_eq!(events.len(), 7, "one event for the run and one for each task");
    steps.check_replay("r").await;
}

pub(super) async fn making_a_run_twice_gives_the_same_run(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    let task = steps.take(claim_of("r", "a"), 1).await;
    let before = (steps.run("r").await, steps.tasks("r").await, steps.events("r").await);
    let other_spelling = r#"{"local": [{"instance_type": "host"}], "mock": true,
        "per_instance_type": {"tasks": 3, "instances": 1}, "ruby_version": "3.3.0"}"#;
    let again = NewRun { at: at(50), task_seed: 99, ..new_run("r", other_spelling) };
    let created = steps.create(again).await;
    assert!(!created.fresh, "a run that exists is not fresh");
    assert_eq!(created.run, before.0, "it is given as it is");
    let after = (steps.run("r").await, steps.tasks("r").await, steps.events("r").await);
    assert_eq!(before, after, "nothing changed");
    assert_eq!(steps.task(&task.id).await, task, "its runner keeps its task");
}

pub(super) async fn another_configuration_is_refused(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    let other = ONE_TYPE.replace("\"runs_per_instance_type\": 3", "\"runs_per_instance_type\": 4");
    let refused = steps.store().await.create_run(new_run("r", &other)).await;
    assert!(
        matches!(&refused, Err(StoreError::DifferentConfig(id)) if id == &run_id("r")),
        "another configuration under the same id got {refused:?}"
    );
    assert_eq!(steps.tasks("r").await.len(), 3, "the run is as it was");
    steps.check_replay("r").await;
}

pub(super) async fn one_of_many_that_make_the_same_run_makes_it(subject: &dyn Subject) {
    let steps = Steps(subject);
    let store = steps.store().await;
    let all = (0..8).map(|seed| {
        let new = NewRun { task_seed: seed, ..new_run("r", ONE_TYPE) };
        store.create_run(new)
    });
    let created = futures::future::join_all(all).await;
    drop(store);
    let fresh = created.iter().filter(|made| made.as_ref().is_ok_and(|made| made.fresh)).count();
    assert_eq!(fresh, 1, "exactly one of eight made it: {created:?}");
    assert!(created.iter().all(Result::is_ok), "and all got it: {created:?}");
    assert_eq!(steps.tasks("r").await.len(), 3);
    steps.check_replay("r").await;
}

pub(super) async fn a_run_that_cannot_be_made_leaves_nothing(subject: &dyn Subject) {
    let steps = Steps(subject);
    let taken = new_run("r", ONE_TYPE);
    let id = run_id("s");
    steps.create(taken.clone()).await;
    // The same seed at the same time: its tasks would have the ids of the other's.
    let twin = NewRun { id: id.clone(), ..taken };
    let store = steps.store().await;
    let (refused, made) =
        futures::join!(store.create_run(twin), store.create_run(new_run("t", ONE_TYPE)));
    drop(store);
    assert!(matches!(refused, Err(StoreError::Engine { .. })), "{refused:?}");
    assert!(made.is_ok_and(|made| made.fresh), "another run at the same moment is made");
    let store = steps.store().await;
    assert_eq!(store.run(&id).await.expect("runs can be read"), None, "no half of it is left");
    drop(store);
    for id in ["r", "t"] {
        assert_eq!(steps.tasks(id).await.len(), 3);
        steps.check_replay(id).await;
    }
}

pub(super) async fn runs_are_paged_newest_first(subject: &dyn Subject) {
    let steps = Steps(subject);
    for (id, second) in [("c", 5), ("a", 9), ("b", 5), ("d", 1), ("e", 9)] {
        steps.create(NewRun { at: at(second), ..new_run(id, ONE_TYPE) }).await;
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = steps.store().await.runs(after.clone(), 2).await.expect("runs can be listed");
        assert!(page.len() <= 2, "a page is no longer than asked");
        let Some(last) = page.last() else { break };
        after = Some((last.created_at, last.id.clone()));
        seen.extend(page.into_iter().map(|run| run.id.to_string()));
    }
    assert_eq!(seen, ["e", "a", "c", "b", "d"], "newest first, then by id");
}

pub(super) async fn tasks_are_paged_and_filtered(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", THREE_TYPES)).await;
    let held = steps.take(claim_on("r", "aws", "c8g.medium", "a"), 1).await;
    let all = steps.tasks("r").await;
    let aws = ProviderName::new("aws").expect("it is a provider");
    let host = InstanceType::new("host").expect("it is an instance type");
    let filters = [
        (TaskFilter::default(), 6),
        (TaskFilter { status: Some(TaskStatus::Pending), ..TaskFilter::default() }, 5),
        (TaskFilter { status: Some(TaskStatus::Claimed), ..TaskFilter::default() }, 1),
        (TaskFilter { status: Some(TaskStatus::Failed), ..TaskFilter::default() }, 0),
        (TaskFilter { provider: Some(aws.clone()), ..TaskFilter::default() }, 4),
        (TaskFilter { instance_type: Some(host.clone()), ..TaskFilter::default() }, 2),
        (TaskFilter { provider: Some(aws), instance_type: Some(host), status: None }, 0),
    ];
    for (filter, count) in filters {
        let wanted: Vec<&Task> = all.iter().filter(|task| filter.accepts(task)).collect();
        assert_eq!(wanted.len(), count, "{filter:?}");
        let mut seen: Vec<Task> = Vec::new();
        loop {
            let last = seen.last().map(|task| task.id.clone());
            let store = steps.store().await;
            let page = store.tasks(&run_id("r"), &filter, last.as_ref(), 2).await;
            let page = page.expect("tasks can be listed");
            assert!(page.len() <= 2, "a page is no longer than asked");
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert!(seen.iter().eq(wanted), "{filter:?} in creation order");
    }
    assert_eq!(steps.task(&held.id).await.status, TaskStatus::Claimed);
}

pub(super) async fn what_is_not_there_is_said_so(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.store().await.ping().await.expect("the store answers");
    let nobody = run_id("nobody");
    let nothing = TaskId::from_parts(1, 1);
    let store = steps.store().await;
    let unknown_run =
        |error: &StoreError| matches!(error, StoreError::UnknownRun(id) if id == &nobody);
    assert_eq!(store.run(&nobody).await.expect("runs can be read"), None);
    assert_eq!(store.runs(None, 10).await.expect("runs can be listed"), []);
    assert_eq!(store.task(&nothing).await.expect("tasks can be read"), None);
    let tasks = store.tasks(&nobody, &TaskFilter::default(), None, 1).await;
    assert!(tasks.as_ref().is_err_and(unknown_run), "tasks of no run: {tasks:?}");
    let events = store.events(&nobody, 0, 1).await;
    assert!(events.as_ref().is_err_and(unknown_run), "events of no run: {events:?}");
    let claimed = store.claim(claim_of("nobody", "a"), at(1)).await;
    assert!(claimed.as_ref().is_err_and(unknown_run), "a claim of no run: {claimed:?}");
    let stopped = store.stop(&nobody, at(1)).await;
    assert!(stopped.as_ref().is_err_and(unknown_run), "a stop of no run: {stopped:?}");
    let applied = store.apply(&nothing, Command::Expire, at(1)).await;
    assert!(
        matches!(&applied, Err(StoreError::UnknownTask(id)) if id == &nothing),
        "a command for no task: {applied:?}"
    );
    assert_eq!(store.expire(at(1), 10).await.expect("leases can be expired"), 0);
    drop(store);
    steps.create(new_run("r", ONE_TYPE)).await;
    let claimed = steps.claim(claim_on("r", "aws", "c7g.medium", "a"), 1).await;
    assert_eq!(claimed, crate::store::Claimed::Done, "no task is of that type");
}

pub(super) async fn providers_of_others_are_kept(subject: &dyn Subject) {
    let steps = Steps(subject);
    let text = r#"{"ruby_version": "system", "shed": ["left", "right"], "attic": ["box"]}"#;
    let config = RunConfig::parse_for(text, &["shed", "attic"]).expect("it is a configuration");
    let new = NewRun { config: config.clone(), ..new_run("r", ONE_TYPE) };
    steps.create(new.clone()).await;
    assert_eq!(steps.run("r").await.config, config);
    assert!(!steps.create(new).await.fresh, "it is the same configuration");
    let task = steps.take(claim_on("r", "attic", "box", "a"), 1).await;
    assert_eq!(task.provider.as_str(), "attic");
}

pub(super) async fn values_are_kept_exactly(subject: &dyn Subject) {
    let steps = Steps(subject);
    let odd_time = at(0) + jiff::SignedDuration::from_nanos(123_456_789);
    steps.create(NewRun { at: odd_time, ..new_run("r", ONE_TYPE) }).await;
    assert_eq!(steps.run("r").await.created_at, odd_time, "times are kept to the nanosecond");
    let facts = RunnerFacts {
        boot_seconds: Some(0.1 + 0.2),
        vcpus: Some(u32::MAX),
        memory_bytes: Some(u64::MAX),
        arch: Some("x86_64".to_owned()),
        image: Some("a \"quoted\" image, größer ✓ \u{1}\n".to_owned()),
        version: None,
    };
    let mut claim = claim_of("r", "a");
    claim.runner = Some(facts.clone());
    let task = steps.take(claim, 1).await;
    // Many times through the store: what loses the last bit once drifts in the end.
    for number in 1..20u32 {
        let progress = 100.0 / 3.0 + f64::from(number) * 0.1;
        let command = Command::Heartbeat {
            caller: caller("a", 1),
            phase: Phase::Running,
            current_benchmark: Some("json".to_owned()),
            progress_pct: Some(progress),
            message: Some("half-way ½".to_owned()),
            telemetry: Some(Telemetry { load1: Some(progress / 7.0), ..Telemetry::default() }),
        };
        let after = steps.apply(&task.id, command, 2).await;
        assert_eq!(after.progress_pct, Some(progress), "figures are kept to the last bit");
        assert_eq!(after.runner.as_ref(), Some(&facts), "facts are kept to the last bit");
    }
    steps.apply(&task.id, complete(caller("a", 1)), 3).await;
    steps.check_replay("r").await;
}
