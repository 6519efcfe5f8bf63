//! What goes wrong at Google, and what becomes of it.

use std::sync::Arc;

use railsbench_core::provider::{Journal, JournalStep, Provider, ProviderError, Scope};
use railsbench_emulators::gcp::{Emulator, Fault, TOKEN, Wrong};
use railsbench_providers::MemoryJournal;

use crate::fixture::{
    instances, nothing_is_left, plan, provider, provider_with, provision, settings, teardown,
};

#[tokio::test]
async fn wrong_credentials_make_nothing_and_name_the_fix() {
    let emulator = Emulator::start().await;
    let provider = provider_with(settings(emulator.url()), "expired");
    let journal = Arc::new(MemoryJournal::default());
    let error = provider.provision(&plan("r1", 1), journal.clone()).await.unwrap_err();
    assert!(matches!(error, ProviderError::Credentials { .. }), "{error}");
    assert!(error.to_string().contains("gcloud auth application-default login"), "{error}");
    assert!(!error.to_string().contains("expired"), "{error}");
    assert!(journal.entries().unwrap().is_empty());
    nothing_is_left(&emulator);
}

/// Each fault ends the provision with an error, and what was made is gone at once.
#[tokio::test]
async fn a_fault_for_good_leaves_nothing() {
    let insert = "instances.insert";
    for (fault, expected) in [
        (Fault::refused(insert, 9, 403, "forbidden"), "gcp-role.yaml"),
        (Fault::refused(insert, 9, 403, "quotaExceeded"), "raise the quota"),
        (Fault::refused("firewalls.insert", 9, 403, "quotaExceeded"), "raise the quota"),
        (Fault::refused(insert, 99, 500, "backendError"), "status 500"),
        (Fault::refused("firewalls.insert", 9, 403, "accessNotConfigured"), "services enable"),
        (Fault::refused(insert, 99, 429, "rateLimitExceeded"), "limits the rate"),
        (Fault::operation(insert, 9, "QUOTA_EXCEEDED"), "raise the quota"),
        (Fault::operation(insert, 9, "INTERNAL_ERROR"), "it says no (INTERNAL_ERROR)"),
        (Fault::operation(insert, 99, "ZONE_RESOURCE_POOL_EXHAUSTED"), "use another region"),
        (Fault::late(insert, 99), "no answer"),
        (Fault::late("zoneOperations.get", 99), "no answer"),
        (Fault::refused("zoneOperations.get", 99, 503, "backendError"), "status 503"),
        (Fault::refused("machineTypes.get", 99, 404, "notFound"), "no zone of us-central1 has"),
    ] {
        let emulator = Emulator::start().await;
        // Only one of the two machines is hit, where the fault is of one zone.
        let hits_one = matches!(fault.wrong, Wrong::LateAnswer(_));
        let fault = if hits_one { fault.in_path("us-central1-b") } else { fault };
        emulator.fault(fault.clone());
        let journal = Arc::new(MemoryJournal::default());
        let error = provider(&emulator).provision(&plan("r1", 2), journal.clone()).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{fault:?}: {error}");
        // Those whose operations cannot be looked at cannot be proved gone either.
        let unsure = fault.method == "zoneOperations.get";
        if unsure {
            assert!(error.contains("railsbench teardown r1"), "{error}");
            emulator.world().faults.clear();
            teardown(&emulator, "r1").await;
        }
        nothing_is_left(&emulator);
        let entries = journal.entries().unwrap();
        let known = |step: fn(&JournalStep) -> bool| {
            let mut tokens: Vec<_> = entries
                .iter()
                .filter(|entry| step(&entry.step))
                .map(|entry| &entry.token)
                .collect();
            tokens.sort();
            tokens.dedup();
            tokens.len()
        };
        let intents = known(|step| matches!(step, JournalStep::Intend));
        let removed = known(|step| matches!(step, JournalStep::Removed));
        assert!(unsure || intents == removed, "{fault:?}: {entries:?}");
    }
}

/// Each fault passes, and the provision is as if it had not been.
#[tokio::test]
async fn a_passing_fault_is_not_noticed() {
    let wrong = |status, reason, retry_after| Wrong::Refused {
        status,
        reason,
        message: "it says no",
        retry_after,
    };
    for (method, wrong) in [
        ("instances.insert", wrong(429, "rateLimitExceeded", Some(1))),
        ("instances.insert", wrong(403, "rateLimitExceeded", None)),
        ("firewalls.insert", wrong(500, "backendError", None)),
        ("zones.list", wrong(503, "backendError", None)),
        ("globalOperations.get", wrong(502, "", None)),
        ("instances.insert", Wrong::LateAnswer(std::time::Duration::from_secs(3))),
        ("firewalls.insert", Wrong::LateAnswer(std::time::Duration::from_secs(3))),
    ] {
        let emulator = Emulator::start().await;
        emulator.fault(Fault { method, path: "", times: 1, wrong: wrong.clone() });
        let deployment = provision(&emulator, &plan("r1", 2)).await.unwrap();
        assert_eq!(deployment.machines.len(), 2, "{method} {wrong:?}");
        assert_eq!(instances(&emulator).len(), 2, "{method} {wrong:?}");
        assert_eq!(teardown(&emulator, "r1").await, 5);
    }
}

#[tokio::test]
async fn the_next_zone_is_tried_where_one_is_full() {
    let emulator = Emulator::start().await;
    let full = Fault::operation("instances.insert", 99, "ZONE_RESOURCE_POOL_EXHAUSTED");
    emulator.fault(full.clone().in_path("us-central1-a"));
    emulator.fault(full.in_path("us-central1-b"));
    let deployment = provision(&emulator, &plan("r1", 2)).await.unwrap();
    assert!(instances(&emulator).iter().all(|id| id.starts_with("us-central1-c/")));
    // The second provision finds them where they are.
    assert_eq!(provision(&emulator, &plan("r1", 2)).await.unwrap(), deployment);
    assert_eq!(instances(&emulator).len(), 2);
    teardown(&emulator, "r1").await;
}

/// A provision that fails takes back its own machines and leaves those that were there, behind
/// their firewall rules.
#[tokio::test]
async fn what_was_there_before_stays() {
    let emulator = Emulator::start().await;
    let both = plan("r1", 2);
    let deployment = provision(&emulator, &both).await.unwrap();
    let lost = deployment.machines[1].id.to_string();
    emulator.world().instances.remove(&lost);
    emulator.world().disks.remove(&lost);
    emulator.fault(Fault::refused("instances.insert", 1, 403, "forbidden"));
    provision(&emulator, &both).await.unwrap_err();
    assert_eq!(instances(&emulator), [deployment.machines[0].id.to_string()]);
    assert_eq!(emulator.world().everything().len(), 5, "one instance, its disk, three rules");
    assert_eq!(provision(&emulator, &both).await.unwrap(), deployment);
    teardown(&emulator, "r1").await;
}

#[tokio::test]
async fn a_teardown_outlasts_faults_and_says_what_it_could_not_remove() {
    let emulator = Emulator::start().await;
    provision(&emulator, &plan("r1", 2)).await.unwrap();
    emulator.fault(Fault::refused("instances.delete", 1, 400, "resourceNotReady"));
    emulator.fault(Fault::refused("firewalls.delete", 1, 500, "backendError"));
    emulator.fault(Fault::operation("firewalls.delete", 1, "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE"));
    emulator.fault(Fault::late("instances.delete", 1));
    assert_eq!(teardown(&emulator, "r1").await, 5);

    provision(&emulator, &plan("r2", 1)).await.unwrap();
    emulator.fault(Fault::refused("firewalls.delete", 100_000, 400, "invalid"));
    let scope = Scope::run(plan("r2", 1).run_id);
    let provider = provider_with(settings(emulator.url()), TOKEN)
        .with_patience(std::time::Duration::from_millis(300), std::time::Duration::from_millis(10));
    let error = provider.teardown(&scope).await.unwrap_err();
    assert!(
        matches!(&error, ProviderError::LeftBehind { resources, .. } if resources.len() == 3),
        "{error}"
    );
    emulator.world().faults.clear();
    teardown(&emulator, "r2").await;
}
