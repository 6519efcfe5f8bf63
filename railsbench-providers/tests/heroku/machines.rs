//! How apps and dynos are made, looked at, shared and removed.

use std::time::Duration;

use railsbench_core::id::MachineId;
use railsbench_core::money::Usd;
use railsbench_core::provider::{MachineState, Provider, Scope};
use railsbench_emulators::heroku::{App, Emulator};

use crate::fixture::{
    TOKEN, ids, plan, provider, provider_with, provision, request, scope, settings,
};

#[tokio::test]
async fn a_run_is_an_app_with_config_vars_a_release_and_dynos() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let deployment = provision(&provider, &plan(&provider, "r1", "standard-1x", 2)).await.unwrap();
    let machines: Vec<&str> = deployment.machines.iter().map(|m| m.id.as_str()).collect();
    assert_eq!(
        machines,
        ["railsbencher-runner-r1/standard-1x.1", "railsbencher-runner-r1/standard-1x.2"]
    );
    {
        let world = emulator.world();
        let app = &world.apps["railsbencher-runner-r1"];
        assert_eq!(app.region, "us");
        assert_eq!(app.formation["standard-1x"], (2, "standard-1x".to_owned()));
        let var = |name: &str| app.vars[name].as_str();
        assert_eq!(var("ORCHESTRATOR_URL"), "https://bench.example.com/");
        assert_eq!(var("API_KEY"), TOKEN);
        assert_eq!(var("RUN_ID"), "r1");
        assert_eq!(var("PROVIDER"), "heroku");
        assert_eq!(var("RAILSBENCH"), "true");
        assert_eq!(var("RAILSBENCH_RUN"), "r1");
        assert!(
            var("RAILSBENCH_EXPIRES").parse::<jiff::Timestamp>().unwrap() > jiff::Timestamp::now()
        );
        assert!(!app.vars.contains_key("INSTANCE_TYPE"), "the process type says it");
    }
    let listed = provider.list(&Scope::all()).await.unwrap();
    assert_eq!(ids(&listed), ["railsbencher-runner-r1"]);
    assert_eq!(listed[0].per_hour, Some(Usd::from_micros(2 * 34_722)));
    assert!(listed[0].expires_at.is_some());
    emulator.assert_no_mistakes();
}

/// The second size needs neither another release nor other config vars, so that the dynos of the
/// first are not started anew in the middle of a benchmark.
#[tokio::test]
async fn sizes_of_a_run_share_its_app_and_release_without_disturbing_each_other() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let (one, two) =
        (plan(&provider, "r1", "standard-1x", 1), plan(&provider, "r1", "performance-l", 2));
    let (one, two) = tokio::join!(provision(&provider, &one), provision(&provider, &two));
    assert_eq!(one.unwrap().machines.len() + two.unwrap().machines.len(), 3);
    {
        let world = emulator.world();
        let app = &world.apps["railsbencher-runner-r1"];
        assert_eq!((app.builds.len(), app.restarts), (1, 0));
        assert_eq!(app.dynos.len(), 3);
    }
    assert_eq!(provider.teardown(&scope("r1")).await.unwrap().removed.len(), 1);
    emulator.assert_no_mistakes();
}

#[tokio::test]
async fn a_replacement_adds_a_dyno() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    provision(&provider, &plan(&provider, "r1", "standard-1x", 1)).await.unwrap();
    let mut next = request("r1", "standard-1x", 1);
    next.first = 2;
    let deployment = provision(&provider, &provider.plan(&next).unwrap()).await.unwrap();
    assert_eq!(deployment.machines[0].id.as_str(), "railsbencher-runner-r1/standard-1x.2");
    assert_eq!(emulator.world().apps["railsbencher-runner-r1"].formation["standard-1x"].0, 2);
}

#[tokio::test]
async fn eco_machines_have_an_app_each_and_are_removed_with_the_rest() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let eco = provision(&provider, &plan(&provider, "r1", "eco", 2)).await.unwrap();
    provision(&provider, &plan(&provider, "r1", "standard-1x", 1)).await.unwrap();
    provision(&provider, &plan(&provider, "r2", "eco", 1)).await.unwrap();
    assert_eq!(eco.machines[0].name, "eco.1");
    assert_eq!(eco.machines[1].name, "eco.2");
    assert_eq!(emulator.world().apps.len(), 4);
    assert_eq!(provider.list(&scope("r1")).await.unwrap().len(), 3);
    assert_eq!(provider.teardown(&scope("r1")).await.unwrap().removed.len(), 3);
    assert_eq!(provider.list(&Scope::all()).await.unwrap().len(), 1);
    emulator.assert_no_mistakes();
}

/// Tasks are for instance types as the operator writes them.
#[tokio::test]
async fn the_operators_spelling_of_a_size_reaches_the_dyno() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    provision(&provider, &plan(&provider, "r1", "Standard-1X", 1)).await.unwrap();
    let world = emulator.world();
    let app = &world.apps["railsbencher-runner-r1"];
    assert_eq!(app.vars["RAILSBENCH_SPELLING_STANDARD_1X"], "Standard-1X");
    assert!(app.dynos.contains_key("standard-1x.1"));
}

#[tokio::test]
async fn an_ended_process_type_is_told_and_scaled_to_zero() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let deployment = provision(&provider, &plan(&provider, "r1", "standard-1x", 2)).await.unwrap();
    let states = async || -> Vec<MachineState> {
        let statuses = provider.status(&deployment).await.unwrap();
        statuses.into_iter().map(|status| status.state).collect()
    };
    assert_eq!(states().await, [MachineState::Starting, MachineState::Starting]);
    assert_eq!(states().await, [MachineState::Running, MachineState::Running]);

    let end = |dyno: &str| {
        let mut world = emulator.world();
        let app = world.apps.get_mut("railsbencher-runner-r1").unwrap();
        app.dynos.get_mut(dyno).unwrap().state = "crashed";
    };
    let quantity = || emulator.world().apps["railsbencher-runner-r1"].formation["standard-1x"].0;
    end("standard-1x.2");
    assert!(matches!(&states().await[..], [MachineState::Running, MachineState::Stopped { .. }]));
    assert_eq!(quantity(), 2, "one of them is at work");
    end("standard-1x.1");
    let over = |states: &[MachineState]| {
        states.len() == 2
            && states.iter().all(|state| matches!(state, MachineState::Stopped { .. }))
    };
    assert!(over(&states().await));
    assert_eq!(quantity(), 0, "nobody pays for what ended");
    assert!(over(&states().await));

    provider.teardown(&scope("r1")).await.unwrap();
    assert_eq!(states().await, [MachineState::Gone, MachineState::Gone]);
    emulator.assert_no_mistakes();
}

/// Heroku grants an account 75 calls a minute.
#[tokio::test]
async fn looking_often_makes_few_calls() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator).with_looks_good_for(Duration::from_hours(1));
    let deployment = provision(&provider, &plan(&provider, "r1", "standard-1x", 2)).await.unwrap();
    let before = emulator.calls().len();
    for _ in 0..10 {
        assert_eq!(provider.status(&deployment).await.unwrap().len(), 2);
    }
    assert_eq!(emulator.calls().len() - before, 2);
    // What the provider itself changes is seen at once.
    provider.teardown(&scope("r1")).await.unwrap();
    assert_eq!(provider.status(&deployment).await.unwrap()[0].state, MachineState::Gone);
}

#[tokio::test]
async fn the_log_is_shown_without_the_token() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let deployment = provision(&provider, &plan(&provider, "r1", "standard-1x", 1)).await.unwrap();
    {
        let mut world = emulator.world();
        let app = world.apps.get_mut("railsbencher-runner-r1").unwrap();
        app.dynos.get_mut("standard-1x.1").unwrap().log = format!("one\n{TOKEN}\nthree\n");
    }
    let id = &deployment.machines[0].id;
    assert_eq!(provider.console_log(id).await.unwrap().unwrap(), "one\n********\nthree\n");
    for other in ["railsbencher-runner-none/standard-1x.1", "../account", "other-app/web.1"] {
        let id = MachineId::new(other).unwrap();
        assert_eq!(provider.console_log(&id).await.unwrap(), None, "{other}");
    }
    emulator.assert_no_mistakes();
}

/// What others have is never listed and never deleted, however it is called.
#[tokio::test]
async fn apps_of_others_are_left_alone() {
    let emulator = Emulator::start().await;
    let strange = |vars: &[(&str, &str)]| App {
        id: "01234567-89ab-cdef-0123-456789abcdef".to_owned(),
        region: "us".to_owned(),
        vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..App::default()
    };
    {
        let mut world = emulator.world();
        let ours = [("RAILSBENCH", "true"), ("RAILSBENCH_RUN", "r1")];
        for (name, vars) in [
            ("my-shop", &[][..]),
            ("my-shop-2", &ours),
            ("railsbencher-runner-r1", &[("DATABASE_URL", "x")]),
            ("railsbencher-runner-r2", &[("RAILSBENCH", "false")]),
        ] {
            world.apps.insert(name.to_owned(), strange(vars));
        }
    }
    let provider = provider(&emulator);
    assert!(provider.list(&Scope::all()).await.unwrap().is_empty());
    assert!(provider.teardown(&Scope::all()).await.unwrap().removed.is_empty());
    let error = provision(&provider, &plan(&provider, "r1", "standard-1x", 1)).await.unwrap_err();
    assert!(error.to_string().contains("give the run another id"), "{error}");
    assert_eq!(emulator.world().apps.len(), 4);
    emulator.assert_no_mistakes();
}

#[tokio::test]
async fn long_lists_are_read_to_their_end() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    for run in ["r1", "r2", "r3"] {
        provision(&provider, &plan(&provider, run, "standard-1x", 1)).await.unwrap();
    }
    emulator.world().page = 2;
    assert_eq!(provider.list(&Scope::all()).await.unwrap().len(), 3);
    assert_eq!(provider.list(&scope("r3")).await.unwrap().len(), 1);
    let eu = Scope { regions: vec!["eu".to_owned()], ..Scope::all() };
    assert!(provider.list(&eu).await.unwrap().is_empty());
    emulator.assert_no_mistakes();
}

#[tokio::test]
async fn apps_of_a_team_and_its_space_are_made_there() {
    let emulator = Emulator::start().await;
    let mut settings = settings(&emulator.url());
    settings.team = Some("crew".to_owned());
    settings.space = Some("quiet".to_owned());
    let provider = provider_with(settings);
    provision(&provider, &plan(&provider, "r1", "private-s", 1)).await.unwrap();
    {
        let world = emulator.world();
        let app = &world.apps["railsbencher-runner-r1"];
        assert_eq!((app.team.as_deref(), app.space.as_deref()), (Some("crew"), Some("quiet")));
    }
    assert_eq!(provider.list(&scope("r1")).await.unwrap().len(), 1, "it is listed once");
    provider.teardown(&scope("r1")).await.unwrap();
    emulator.assert_no_mistakes();
}
