//! Killing the process that provisions, at each step that it takes.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use railsbench_core::id::RunId;
use railsbench_core::provider::{
    Journal, JournalEntry, JournalError, JournalStep, Provider, Scope,
};
use railsbench_providers::{FileJournal, LocalProvider};

use crate::world::{STUBBORN, World, request, until};

/// Dies by `kill -9` at one step, before or after it is written.
struct DeadlyJournal {
    file: FileJournal,
    step: String,
}

impl DeadlyJournal {
    fn die(&self, moment: &str, entry: &JournalEntry) {
        let step = match entry.step {
            JournalStep::Intend => "intend",
            JournalStep::Created { .. } => "created",
            JournalStep::Removed => "removed",
        };
        if self.step == format!("{moment} {step}") {
            let own = std::process::id().to_string();
            Command::new("kill").args(["-KILL", &own]).status().unwrap();
        }
    }
}

impl Journal for DeadlyJournal {
    fn record(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        self.die("before", entry);
        self.file.record(entry)?;
        self.die("after", entry);
        Ok(())
    }

    fn entries(&self) -> Result<Vec<JournalEntry>, JournalError> {
        self.file.entries()
    }
}

/// Not a test: what the test below starts as a process of its own.
#[tokio::test]
#[ignore = "it is started by a_crash_at_any_step_leaves_nothing_that_a_teardown_misses"]
async fn provision_and_die() {
    let variable = |name| std::env::var(name).expect("it is set by the test that starts this");
    let state_dir = PathBuf::from(variable("TEST_STATE_DIR"));
    let run_id = RunId::new(variable("TEST_RUN_ID")).unwrap();
    let provider = LocalProvider::new(state_dir);
    let plan = provider.plan(&request(&run_id, &PathBuf::from(variable("TEST_RUNNER")))).unwrap();
    let file = FileJournal::open(&PathBuf::from(variable("TEST_JOURNAL"))).unwrap();
    let journal = DeadlyJournal { file, step: variable("TEST_STEP") };
    provider.provision(&plan, Arc::new(journal)).await.unwrap();
}

#[tokio::test]
async fn a_crash_at_any_step_leaves_nothing_that_a_teardown_misses() {
    for (step, written, started) in [
        ("before intend", 0, false),
        ("after intend", 1, false),
        ("before created", 1, true),
        ("after created", 2, true),
        ("never", 2, true),
    ] {
        let world = World::new();
        world.request(&format!("env >\"$NOTES/environment\"; note runner; {STUBBORN}"));
        let journal = world.path("journal.jsonl");
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crashes::provision_and_die", "--ignored"])
            .env("TEST_STATE_DIR", world.state_dir())
            .env("TEST_RUN_ID", world.run_id.as_str())
            .env("TEST_RUNNER", world.path("runner"))
            .env("TEST_JOURNAL", &journal)
            .env("TEST_STEP", step)
            .env("RAILSBENCH_API_KEY", "an operator's token")
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.signal(), (step != "never").then_some(9), "{step}");

        let entries = FileJournal::open(&journal).unwrap().entries().unwrap();
        assert_eq!(entries.len(), written, "{step}: {entries:?}");
        if started {
            assert_eq!(entries[0].step, JournalStep::Intend, "{step}");
            world.noted("runner").await;
            let environment = std::fs::read_to_string(world.path("notes/environment")).unwrap();
            assert!(!environment.contains("an operator's token"), "{environment}");
        }
        let scope = Scope::run(world.run_id.clone());
        let found = world.provider().list(&scope).await.unwrap();
        assert_eq!(!found.is_empty(), started, "{step}: {found:?}");
        world.teardown().await;

        // And a provision after the crash is as good as a first one.
        let journal = Arc::new(FileJournal::open(&journal).unwrap());
        let plan = world.plan(&format!("note again; {STUBBORN}"));
        world.provider().provision(&plan, journal).await.unwrap();
        until("the next machine", || world.path("notes/again").exists().then_some(())).await;
        world.teardown().await;
    }
}
