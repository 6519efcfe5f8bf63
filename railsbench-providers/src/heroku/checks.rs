//! Preflight: whether the account may do what the plan says, found out by looking alone.

use railsbench_core::provider::{Arch, Check, Outcome, Plan, Preflight, ProviderError};
use serde_json::Value;

use super::api::{Api, App, STACK};
use super::naming::{place, shape, size};
use super::settings::Settings;
use crate::orchestrator_url::reachable_check;
use crate::rest::RestError;

/// A provision takes a few dozen calls, and looking at it some more.
const CALLS_NEEDED: u32 = 200;

pub(super) async fn run(
    api: &Api,
    settings: &Settings,
    plan: &Plan,
) -> Result<Preflight, ProviderError> {
    let url = &plan.vars.orchestrator_url;
    let mut checks = vec![reachable_check(url, settings.is_emulated())];
    let account = match api.account().await {
        Ok(answer) => answer,
        Err(error) => {
            // All that follows would fail in the same way.
            let outcome = match ProviderError::from(error) {
                ProviderError::Credentials { problem, fix, .. } => Outcome::Failed { problem, fix },
                error => return Err(error),
            };
            checks.push(check("account", outcome));
            return Ok(Preflight { checks });
        }
    };
    checks.push(check("account", account_outcome(&account.body)));
    if let Some(left) = account.header("ratelimit-remaining").and_then(|left| left.parse().ok()) {
        checks.push(check("rate limit", calls_outcome(left)));
    }
    let Some(machine) = plan.machines.first() else { return Ok(Preflight { checks }) };
    let size = size(&machine.instance_type);
    let found = api.look_up("dyno size", ["dyno-sizes", &size]).await;
    checks.push(check("dyno size", outcome(found, |found| size_outcome(&size, found))?));
    let found = api.look_up("stack", ["stacks", STACK]).await;
    checks.push(check("stack", outcome(found, stack_outcome)?));
    if let Some(region) = &machine.region {
        let found = api.look_up("region", ["regions", region]).await;
        checks.push(check("region", outcome(found, |found| region_outcome(region, found))?));
    }
    if let Some(team) = &settings.team {
        let found = api.look_up("team", ["teams", team]).await;
        checks.push(check("team", outcome(found, |found| team_outcome(team, found))?));
    }
    if let Some(space) = &settings.space {
        let found = api.look_up("space", ["spaces", space]).await;
        checks.push(check("space", outcome(found, |found| space_outcome(space, &size, found))?));
    }
    for machine in &plan.machines {
        let number = machine.name.rsplit_once('.').and_then(|(_, number)| number.parse().ok());
        let app = place(&plan.run_id, &size, number.unwrap_or(1)).app;
        if checks.iter().all(|check| check.name != app) {
            checks.push(check(&app, name_outcome(api.app(&app).await)?));
        }
    }
    Ok(Preflight { checks })
}

/// What a look gives: a refusal to look is a finding too, a failure to look is not.
fn outcome(
    found: Result<Option<Value>, RestError>,
    judge: impl FnOnce(Option<&Value>) -> Outcome,
) -> Result<Outcome, ProviderError> {
    match found {
        Ok(found) => Ok(judge(found.as_ref())),
        Err(error) => match ProviderError::from(error) {
            ProviderError::Credentials { problem, fix, .. } => Ok(failed(problem, fix)),
            error => Err(error),
        },
    }
}

fn account_outcome(account: &Value) -> Outcome {
    let email = account["email"].as_str().unwrap_or("unknown");
    if account["suspended_at"].is_string() {
        failed(format!("the account {email} is suspended"), "ask Heroku's support")
    } else if account["delinquent_at"].is_string() {
        failed(
            format!("bills of the account {email} are unpaid"),
            "pay them: https://dashboard.heroku.com/account/billing",
        )
    } else if account["verified"] == Value::Bool(false) {
        failed(
            format!("the account {email} is not verified, so it can run no dynos"),
            "put a means of payment on it: https://heroku.com/verify",
        )
    } else {
        passed(email)
    }
}

fn calls_outcome(left: u32) -> Outcome {
    if left < CALLS_NEEDED {
        failed(
            format!("only {left} calls are left to the account, and a run takes {CALLS_NEEDED}"),
            "wait: Heroku gives 75 calls back each minute",
        )
    } else {
        passed(format!("{left} calls are left"))
    }
}

fn size_outcome(size: &str, found: Option<&Value>) -> Outcome {
    let Some(found) = found else {
        return failed(
            format!("Heroku has no dyno size {size} any more"),
            "`heroku ps:type` lists the sizes; take another",
        );
    };
    let told = found["architecture"].as_str().and_then(|name| match name {
        "amd64" | "x86_64" => Some(Arch::X86_64),
        "arm64" | "aarch64" => Some(Arch::Aarch64),
        _ => None,
    });
    let planned = shape(size).ok().map(|shape| shape.arch);
    match (told, planned) {
        (Some(told), Some(planned)) if told != planned => failed(
            format!("{size} is {told} and not {planned}, which the plan goes by"),
            "take another size, and tell the developers of railsbench",
        ),
        _ => passed(format!("{size} is there")),
    }
}

fn stack_outcome(found: Option<&Value>) -> Outcome {
    match found.and_then(|found| found["state"].as_str()) {
        Some("public") => passed(STACK),
        Some(state) => failed(format!("the stack {STACK} is {state}"), "use a newer railsbench"),
        None => failed(format!("there is no stack {STACK} any more"), "use a newer railsbench"),
    }
}

fn region_outcome(region: &str, found: Option<&Value>) -> Outcome {
    match found {
        None => {
            failed(format!("there is no region {region}"), "set regions.heroku to \"us\" or \"eu\"")
        }
        Some(found) if found["private_capable"] == true && !matches!(region, "us" | "eu") => {
            failed(
                format!("{region} is a region of private spaces"),
                "set regions.heroku to \"us\" or \"eu\"",
            )
        }
        Some(_) => passed(region),
    }
}

fn team_outcome(team: &str, found: Option<&Value>) -> Outcome {
    match found {
        None => failed(
            format!("there is no team {team}, or the account is not in it"),
            "set HEROKU_TEAM to one that `heroku teams` lists",
        ),
        Some(found) => match found["role"].as_str() {
            Some(role @ ("viewer" | "collaborator")) => failed(
                format!("the account is a {role} of the team {team} and may make no apps"),
                "have an admin of the team make it a member",
            ),
            _ => passed(team),
        },
    }
}

fn space_outcome(space: &str, size: &str, found: Option<&Value>) -> Outcome {
    let Some(found) = found else {
        return failed(
            format!("there is no private space {space}, or the account has no access to it"),
            "set HEROKU_SPACE to one that `heroku spaces` lists",
        );
    };
    let state = found["state"].as_str().unwrap_or_default();
    let shield = found["shield"] == true;
    if state != "allocated" {
        failed(format!("the space {space} is {state}"), "wait until it is allocated")
    } else if found["generation"]["name"] == "fir" {
        failed(format!("the space {space} is of the Fir generation"), "take one of Cedar's")
    } else if shield != size.starts_with("shield-") {
        let (kind, other) =
            if shield { ("shielded", "shield") } else { ("not shielded", "private") };
        failed(
            format!("the space {space} is {kind}, which is not for {size}"),
            format!("take a size that begins with {other}-"),
        )
    } else {
        passed(space)
    }
}

fn name_outcome(found: Result<Option<App>, RestError>) -> Result<Outcome, ProviderError> {
    match found {
        Ok(None) => Ok(passed("the name is free")),
        Ok(Some(_)) => Ok(passed("it is there already and would be used again")),
        // So Heroku answers about the apps of others.
        Err(error) if error.status() == Some(403) => Ok(failed(
            "the name is taken by an app of someone else",
            "give the run another id: names of apps are worldwide",
        )),
        Err(error) => Err(error.into()),
    }
}

fn check(name: &str, outcome: Outcome) -> Check {
    Check { name: name.to_owned(), outcome }
}

fn passed(detail: impl Into<String>) -> Outcome {
    Outcome::Passed { detail: detail.into() }
}

fn failed(problem: impl Into<String>, fix: impl Into<String>) -> Outcome {
    Outcome::Failed { problem: problem.into(), fix: fix.into() }
}
