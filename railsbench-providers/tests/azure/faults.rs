//! What goes wrong at Azure, and what becomes of it: a clear error, and nothing left behind.

use railsbench_core::provider::{MachineState, Provider, ProviderError, Scope};
use railsbench_emulators::azure::{Answer, Emulator, Fault, Trouble};

use crate::setup::{plan, provider, provision, run, teardown};

const MACHINES: &str = "virtualMachines/*";

/// Provisions with a fault, which must fail and leave nothing.
async fn fails(fault: Fault) -> ProviderError {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    emulator.fails(fault);
    let plan = plan(&provider, "r1", "Standard_D2ps_v5", 2);
    let error = provision(&provider, &plan).await.unwrap_err();
    assert!(emulator.is_empty(), "{error}: {:?}", emulator.world().resources.keys());
    error
}

/// Provisions with a fault, which must succeed all the same.
async fn succeeds(fault: Fault) -> Emulator {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    emulator.fails(fault);
    let plan = plan(&provider, "r1", "Standard_D2ps_v5", 2);
    let deployment = provision(&provider, &plan).await.unwrap();
    for status in provider.status(&deployment).await.unwrap() {
        assert_eq!(status.state, MachineState::Running);
    }
    assert_eq!(emulator.machines().len(), 2);
    emulator
}

#[tokio::test]
async fn refusals_say_what_to_do_and_leave_nothing() {
    let quota = "Operation could not be completed as it results in exceeding approved \
                 standardDPSv5Family Cores quota.";
    let always = |status, code, message: &str| {
        Fault::refuse("PUT", MACHINES, Answer::error(status, code, message)).times(99)
    };
    let error = fails(always(401, "ExpiredAuthenticationToken", "old")).await;
    assert!(matches!(error, ProviderError::Credentials { .. }), "{error}");
    let error = fails(always(403, "AuthorizationFailed", "no")).await;
    assert!(error.to_string().contains("azure-role.json"), "{error}");
    let error = fails(always(409, "OperationNotAllowed", quota)).await;
    assert!(matches!(error, ProviderError::Capacity { .. }), "{error}");
    assert!(error.to_string().contains("raise the quota"), "{error}");
    let error = fails(always(409, "Conflict", "something else")).await;
    assert!(matches!(error, ProviderError::Call { .. }), "{error}");
    let error = fails(always(500, "InternalServerError", "oops")).await;
    assert!(error.to_string().contains("oops"), "{error}");
    let slow = Answer::error(429, "TooManyRequests", "slow down").with("retry-after", "3600");
    let error = fails(Fault::refuse("PUT", MACHINES, slow)).await;
    assert!(error.to_string().contains("try again in 3600 s"), "{error}");
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    let slow = Answer::error(429, "TooManyRequests", "slow down").with("retry-after", "1");
    succeeds(Fault::refuse("PUT", MACHINES, slow)).await;
    for (status, code) in [
        (500, "InternalServerError"),
        (503, "ServerBusy"),
        (409, "AnotherOperationInProgress"),
        (429, "RetryableError"),
    ] {
        for path in ["resourceGroups/*", "virtualNetworks/*", "networkInterfaces/*", MACHINES] {
            succeeds(Fault::refuse("PUT", path, Answer::error(status, code, "wait")).times(2))
                .await;
        }
    }
    for path in ["operations/*", "skus"] {
        succeeds(Fault::refuse("GET", path, Answer::error(502, "BadGateway", "")).times(2)).await;
    }
}

/// A call has its effect, and no answer comes in time: the next attempt finds what is there.
#[tokio::test]
async fn lost_answers_make_nothing_twice() {
    let mut running = tokio::task::JoinSet::new();
    for path in ["eastus", "railsbench", "-nic", "-ip", MACHINES] {
        running.spawn(async move {
            let silence = Fault { method: "PUT", path, trouble: Trouble::Silence, times: 1 };
            let emulator = succeeds(silence.clone()).await;
            emulator.fails(Fault { method: "DELETE", path: "eastus", ..silence });
            teardown(&emulator, "r1").await;
        });
    }
    while let Some(finished) = running.join_next().await {
        finished.unwrap();
    }
}

#[tokio::test]
async fn a_full_zone_is_followed_by_the_next() {
    let full = || Answer::error(409, "ZonalAllocationFailed", "There is no room.");
    let emulator = succeeds(Fault::refuse("PUT", MACHINES, full()).times(2)).await;
    let zones: Vec<_> = emulator.machines().iter().map(|m| m["zones"].to_string()).collect();
    assert!(zones.iter().any(|zone| zone == "[\"1\"]"), "{zones:?}");
    // Said by the operation, after the call was accepted.
    let later = Trouble::FailLater("AllocationFailed", "There is no room.");
    let emulator =
        succeeds(Fault { method: "PUT", path: MACHINES, trouble: later, times: 1 }).await;
    assert!(emulator.machines().iter().any(|machine| machine["zones"] == serde_json::json!(["1"])));
    teardown(&emulator, "r1").await;
}

#[tokio::test]
async fn without_room_anywhere_it_is_a_lack_of_capacity() {
    for code in ["SkuNotAvailable", "AllocationFailed", "OverconstrainedZonalAllocationRequest"] {
        let full = Answer::error(409, code, "There is no room.");
        let error = fails(Fault::refuse("PUT", MACHINES, full).times(99)).await;
        assert!(matches!(error, ProviderError::Capacity { .. }), "{error}");
        assert!(error.to_string().contains("Standard_D2ps_v5"), "{error}");
    }
    let later = Trouble::FailLater("OSProvisioningTimedOut", "It did not start.");
    let error = fails(Fault { method: "PUT", path: MACHINES, trouble: later, times: 1 }).await;
    assert!(error.to_string().contains("It did not start. (OSProvisioningTimedOut)"), "{error}");
}

#[tokio::test]
async fn one_failure_takes_back_its_own_and_leaves_the_others() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let x86 = provision(&provider, &plan(&provider, "r1", "Standard_D4s_v5", 1)).await.unwrap();
    let refused = Answer::error(409, "Conflict", "no");
    emulator.fails(Fault::refuse("PUT", "v5-2", refused));
    let error = provision(&provider, &plan(&provider, "r1", "Standard_D2ps_v5", 3)).await;
    assert!(error.is_err());
    let left: Vec<_> = emulator.machines().iter().map(|m| m["name"].clone()).collect();
    assert_eq!(left, [x86.machines[0].name.as_str()]);
    assert_eq!(emulator.world().resources.len(), 6, "{:?}", emulator.world().resources.keys());
    teardown(&emulator, "r1").await;
}

/// Two provisions of one run at the same time, of which one fails.
#[tokio::test]
async fn a_failure_does_not_take_the_group_from_under_another() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let refused = Answer::error(409, "Conflict", "no");
    emulator.fails(Fault::refuse("PUT", "d2ps-v5-1", refused).times(9));
    let (arm_plan, x86_plan) =
        (plan(&provider, "r1", "Standard_D2ps_v5", 1), plan(&provider, "r1", "Standard_D4s_v5", 2));
    let (arm, x86) = tokio::join!(provision(&provider, &arm_plan), provision(&provider, &x86_plan));
    assert!(arm.is_err());
    assert_eq!(x86.unwrap().machines.len(), 2);
    assert_eq!(emulator.machines().len(), 2);
    teardown(&emulator, "r1").await;
}

#[tokio::test]
async fn what_cannot_be_removed_is_named() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    provision(&provider, &plan(&provider, "r1", "Standard_D2ps_v5", 1)).await.unwrap();
    let locked = Answer::error(409, "ScopeLocked", "There is a lock.");
    emulator.fails(Fault::refuse("DELETE", "eastus", locked).times(99));
    let provider = provider.with_patience(std::time::Duration::ZERO, std::time::Duration::ZERO);
    let error = provider.teardown(&Scope::run(run("r1"))).await.unwrap_err();
    assert!(error.to_string().contains("There is a lock."), "{error}");
    emulator.world().faults.clear();
    teardown(&emulator, "r1").await;
}

/// Azure keeps the interface of a machine that could not be made for three minutes.
#[tokio::test]
async fn an_interface_that_is_reserved_is_waited_for() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    provision(&provider, &plan(&provider, "r1", "Standard_D4s_v5", 1)).await.unwrap();
    emulator.fails(Fault::refuse("PUT", "v5-2", Answer::error(409, "Conflict", "no")));
    let reserved = Answer::error(400, "NicReservedForAnotherVm", "Retry after 180 seconds.");
    emulator.fails(Fault::refuse("DELETE", "-nic", reserved).times(3));
    let error =
        provision(&provider, &plan(&provider, "r1", "Standard_D2ps_v5", 2)).await.unwrap_err();
    assert!(error.to_string().ends_with("no (Conflict, status 409)"), "{error}");
    assert_eq!(emulator.machines().len(), 1);
    teardown(&emulator, "r1").await;
}

/// The reason is in the machine's view of itself when the operation's answer was lost.
#[tokio::test]
async fn a_lack_of_room_is_noticed_also_without_the_operation() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let later = Trouble::FailLater("ZonalAllocationFailed", "There is no room.");
    emulator.fails(Fault { method: "PUT", path: MACHINES, trouble: later, times: 1 });
    let plan = plan(&provider, "r1", "Standard_D2ps_v5", 1);
    let lost = Answer::error(404, "NotFound", "The operation is forgotten.");
    emulator.fails(Fault::refuse("GET", "operations/5", lost));
    provision(&provider, &plan).await.unwrap();
    teardown(&emulator, "r1").await;
}

/// What is tagged as ours and lies in a group of someone else goes, and the group stays.
#[tokio::test]
async fn strays_are_removed_on_their_own() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    provision(&provider, &plan(&provider, "r1", "Standard_D2ps_v5", 1)).await.unwrap();
    {
        let mut world = emulator.world();
        let group = world.groups.get_mut("railsbench-r1-eastus").unwrap();
        group["tags"] = serde_json::json!({});
    }
    let removed = provider.teardown(&Scope::run(run("r1"))).await.unwrap().removed;
    assert!(removed.iter().any(|resource| resource.kind == "virtual machine"), "{removed:?}");
    assert!(emulator.world().resources.is_empty(), "{:?}", emulator.world().resources.keys());
    assert_eq!(emulator.world().groups.len(), 1);
}
