//! `railsbench nuke`: removes what railsbench has made for whatever run, and proves it.

use jiff::{SignedDuration, Timestamp};
use railsbench::Sweep;
use railsbench::providers::Registry;

use super::named_provider;
use super::removal::{cleared_json, exit_of, exit_of_look, find, found_json, remove, within_reach};
use crate::args::NukeArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::render::removal as text;

pub async fn execute(args: &NukeArgs, output: &Output) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let sweep = match args.which.older_than {
        Some(age) => Sweep::made_before(before(now, age)?),
        None if args.which.expired => Sweep::expired(now),
        None => Sweep::all(),
    };
    let sweep = sweep.within(args.removal.reach());
    let all = Registry::standard(&args.removal.state.state_dir);
    let registry = if args.providers.is_empty() {
        within_reach(&all, &sweep, output).await
    } else {
        // Who is named is asked, set up or not.
        let mut named = Registry::empty();
        for name in &args.providers {
            named.register(named_provider(&all, name)?);
        }
        named
    };
    let findings = find(&sweep, &registry, &args.removal, output).await?;
    let Some(cleared) = remove(&findings, &args.removal, output).await? else {
        let bill = text::Bill::of(&findings, Timestamp::now());
        output.show(&found_json(&findings), || text::found(&findings, &bill))?;
        return Ok(exit_of_look(&findings));
    };
    output.show(&cleared_json(&findings, &cleared), || text::cleared(&cleared))?;
    Ok(exit_of(&findings, &cleared))
}

fn before(now: Timestamp, age: std::time::Duration) -> Result<Timestamp, Failure> {
    SignedDuration::try_from(age)
        .and_then(|age| now.checked_sub(age))
        .map_err(|_| Failure::usage("--older-than: no cloud is that old; write a shorter time"))
}
