//! The scopes that the documentation tells to ask for: they permit what is called, and no wider
//! ones are asked for.

use std::collections::BTreeSet;

use railsbench_core::provider::{Provider, Scope};
use railsbench_emulators::heroku::Emulator;

use crate::fixture::{plan, provider, provision, scope};

/// Heroku's scopes, and what each permits besides those that come before its own kind:
/// <https://devcenter.heroku.com/articles/oauth#scopes>. `global` is everything.
const IDENTITY: &str = "identity";
const READ: &str = "read";
const WRITE: &str = "write";
const READ_PROTECTED: &str = "read-protected";
const WRITE_PROTECTED: &str = "write-protected";

/// The narrowest scope that permits a call. Config vars are what is protected.
fn scope_of(call: &str) -> &'static str {
    let (method, path) = call.split_once(' ').unwrap();
    match (method, path.ends_with("/config-vars")) {
        ("GET", _) if path == "/account" => IDENTITY,
        ("GET", false) => READ,
        ("GET", true) => READ_PROTECTED,
        (_, false) => WRITE,
        (_, true) => WRITE_PROTECTED,
    }
}

/// The scopes that a scope makes needless.
fn within(scope: &str) -> &'static [&'static str] {
    match scope {
        READ_PROTECTED | WRITE => &[READ],
        WRITE_PROTECTED => &[READ, WRITE, READ_PROTECTED],
        _ => &[],
    }
}

/// The fewest and narrowest scopes for these calls.
fn needed<'a>(calls: impl Iterator<Item = &'a String>) -> BTreeSet<&'static str> {
    let scopes: BTreeSet<&str> = calls.map(|call| scope_of(call)).collect();
    let needless: BTreeSet<&str> = scopes.iter().flat_map(|scope| within(scope)).copied().collect();
    &scopes - &needless
}

#[tokio::test]
async fn the_scopes_permit_what_is_called_and_no_more() {
    let emulator = Emulator::start().await;
    let provider = provider(&emulator);
    let planned = plan(&provider, "r1", "standard-2x", 2);
    provider.preflight(&planned).await.unwrap();
    let deployment = provision(&provider, &planned).await.unwrap();
    provider.status(&deployment).await.unwrap();
    provider.console_log(&deployment.machines[0].id).await.unwrap();
    provider.list(&Scope::all()).await.unwrap();
    provider.teardown(&scope("r1")).await.unwrap();
    emulator.assert_no_mistakes();

    // What is stored and streamed elsewhere is reached by signed URLs, without the token.
    let called = emulator.calls();
    let elsewhere = [" /storage/", " /streams/"];
    let by_token = called.iter().filter(|call| !elsewhere.iter().any(|path| call.contains(path)));
    let page = include_str!("../../../docs/providers/heroku.md");
    let asked = page.split_once("--scope ").unwrap().1.split(' ').next().unwrap();
    assert_eq!(asked.split(',').collect::<BTreeSet<_>>(), needed(by_token));
}
