//! The rules of making and removing, checked by doing it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use railsbench_core::id::RunId;
use railsbench_core::provider::{
    Deployment, Due, Journal, JournalEntry, JournalError, JournalStep, MachineState, Plan,
    Provider, ProviderError, Resource, Scope,
};
use secrecy::ExposeSecret;

use super::{Rule, Subject, Violation};
use crate::MemoryJournal;

/// How long to wait before looking again.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Makes machines, looks at them and removes them. It is the run's only user.
///
/// # Errors
/// The first [`Violation`]; what was made is removed also then.
pub async fn check_lifecycle(provider: &dyn Provider, subject: &Subject) -> Result<(), Violation> {
    let rule = Rule::of(provider, "what was planned can be provisioned");
    let plan = rule.value(provider.plan(&subject.request))?;
    let suite = Suite { provider, plan, patience: subject.patience };
    let outcome = suite.run().await;
    let removed = provider.teardown(&suite.scope()).await;
    outcome?;
    rule.value(removed)?;
    Ok(())
}

struct Suite<'a> {
    provider: &'a dyn Provider,
    plan: Plan,
    patience: Duration,
}

impl Suite<'_> {
    fn rule(&self, text: &'static str) -> Rule<'_> {
        Rule::of(self.provider, text)
    }

    fn scope(&self) -> Scope {
        Scope::run(self.plan.run_id.clone())
    }

    async fn run(&self) -> Result<(), Violation> {
        let rule = self.rule("a run without machines has nothing to remove");
        let removed = rule.value(self.provider.teardown(&self.scope()).await)?.removed;
        rule.holds(removed.is_empty(), || format!("removed {removed:?}"))?;
        self.refused_steps().await?;
        let deployment = self.provision().await?;
        self.runs(&deployment).await?;
        self.is_listed().await?;
        self.is_kept_while_needed(&deployment).await?;
        self.is_idempotent(&deployment).await?;
        self.shows_no_secret(&deployment).await?;
        self.is_removed(&deployment).await
    }

    /// A step that cannot be written down is not taken, or is taken back.
    async fn refused_steps(&self) -> Result<(), Violation> {
        let rule = self.rule("what the journal does not know does not stay");
        for refused in [Refused::Intents, Refused::Creations] {
            let journal = Arc::new(RefusingJournal { refused, kept: MemoryJournal::default() });
            let result = self.provider.provision(&self.plan, journal).await;
            rule.holds(result.is_err(), || format!("{refused:?} refused, and nobody minded"))?;
            let left = self.listed_until(rule, Vec::is_empty).await?;
            rule.holds(left.is_empty(), || format!("{refused:?} refused, and left: {left:?}"))?;
        }
        Ok(())
    }

    async fn provision(&self) -> Result<Deployment, Violation> {
        let journal = Arc::new(MemoryJournal::default());
        let rule = self.rule("what was planned can be provisioned");
        let provisioned = self.provider.provision(&self.plan, journal.clone()).await;
        let deployment = rule.value(provisioned)?;
        rule.holds(deployment.run_id == self.plan.run_id, || {
            format!("it is of run {}", deployment.run_id)
        })?;
        let planned: Vec<&str> = self.plan.machines.iter().map(|m| m.name.as_str()).collect();
        let made: Vec<&str> = deployment.machines.iter().map(|m| m.name.as_str()).collect();
        rule.holds(planned == made, || format!("{planned:?} planned, {made:?} made"))?;

        let rule = self.rule("an intent is in the journal before its effect");
        let entries = rule.value(journal.entries())?;
        let created =
            entries.iter().filter(|entry| matches!(entry.step, JournalStep::Created { .. }));
        rule.holds(created.count() >= made.len(), || {
            format!("{} machines, and the journal says {entries:?}", made.len())
        })?;
        for (index, entry) in entries.iter().enumerate() {
            rule.holds(entry.run_id == self.plan.run_id, || format!("another run: {entry:?}"))?;
            let announced = entries[..index]
                .iter()
                .any(|earlier| earlier.step == JournalStep::Intend && earlier.token == entry.token);
            rule.holds(entry.step == JournalStep::Intend || announced, || format!("{entry:?}"))?;
        }
        Ok(deployment)
    }

    async fn runs(&self, deployment: &Deployment) -> Result<(), Violation> {
        let rule = self.rule("a machine that was made runs");
        let deadline = tokio::time::Instant::now() + self.patience;
        loop {
            let statuses = rule.value(self.provider.status(deployment).await)?;
            let machines: Vec<_> = deployment.machines.iter().map(|machine| &machine.id).collect();
            let told: Vec<_> = statuses.iter().map(|status| &status.id).collect();
            rule.holds(machines == told, || format!("asked for {machines:?}, told of {told:?}"))?;
            if statuses.iter().all(|status| status.state == MachineState::Running) {
                return Ok(());
            }
            let hopeless = statuses.iter().find(|status| {
                !matches!(status.state, MachineState::Running | MachineState::Starting)
            });
            if let Some(status) = hopeless {
                let log = self.provider.console_log(&status.id).await.ok().flatten();
                return Err(rule.broken(format!("{status:?}; its log: {log:?}")));
            }
            rule.holds(tokio::time::Instant::now() < deadline, || {
                format!("after {:?}: {statuses:?}", self.patience)
            })?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn is_listed(&self) -> Result<(), Violation> {
        let rule = self.rule("what was made is found by its run, and by no other");
        let found = self.listed_until(rule, |found| !found.is_empty()).await?;
        rule.holds(!found.is_empty(), || "nothing is listed".to_owned())?;
        for resource in &found {
            let ours = resource.run_id.as_ref() == Some(&self.plan.run_id);
            rule.holds(ours && &resource.provider == self.provider.name(), || {
                format!("listed: {resource:?}")
            })?;
        }
        let all = rule.value(self.provider.list(&Scope::all()).await)?;
        let ours = |resource: &Resource| resource.run_id.as_ref() == Some(&self.plan.run_id);
        rule.holds(all.iter().any(ours), || format!("among all there is only {all:?}"))?;
        let mut name = self.plan.run_id.to_string();
        name.truncate(60);
        let other = rule.value(RunId::new(format!("{name}-not")))?;
        let others = rule.value(self.provider.list(&Scope::run(other)).await)?;
        rule.holds(others.is_empty(), || format!("another run has {others:?}"))
    }

    /// A sweep of what is over must not take what is at work.
    async fn is_kept_while_needed(&self, deployment: &Deployment) -> Result<(), Violation> {
        let rule = self.rule("what is neither expired nor old is left by who asks for such");
        for due in [Due::ExpiredBy(Timestamp::now()), Due::MadeBefore(Timestamp::UNIX_EPOCH)] {
            let scope = Scope { due, ..self.scope() };
            let listed = rule.value(self.provider.list(&scope).await)?;
            rule.holds(listed.is_empty(), || format!("{due:?} lists {listed:?}"))?;
            let removed = rule.value(self.provider.teardown(&scope).await)?.removed;
            rule.holds(removed.is_empty(), || format!("{due:?} removed {removed:?}"))?;
        }
        let left = rule.value(self.provider.list(&self.scope()).await)?;
        rule.holds(!left.is_empty(), || "it says that it removed nothing, and did".to_owned())?;
        let says_when = |resource: &Resource| resource.expires_at.is_some();
        rule.holds(left.iter().any(says_when), || format!("nothing of {left:?} expires"))?;
        self.runs(deployment).await
    }

    async fn is_idempotent(&self, deployment: &Deployment) -> Result<(), Violation> {
        let rule = self.rule("provisioning again gives the machines that are there");
        let journal = Arc::new(MemoryJournal::default());
        let again = rule.value(self.provider.provision(&self.plan, journal).await)?;
        rule.holds(again == *deployment, || format!("{deployment:?} and then {again:?}"))?;
        self.runs(deployment).await
    }

    async fn shows_no_secret(&self, deployment: &Deployment) -> Result<(), Violation> {
        let rule = self.rule("the run token is shown nowhere");
        let secret = self.plan.vars.api_key.expose_secret();
        for machine in &deployment.machines {
            let log = rule.value(self.provider.console_log(&machine.id).await)?.unwrap_or_default();
            rule.holds(!log.contains(secret), || format!("it is in the log of {}", machine.id))?;
        }
        let listed = rule.value(self.provider.list(&self.scope()).await)?;
        let shown = format!("{listed:?} {deployment:?}");
        rule.holds(!shown.contains(secret), || "it is in the list of what exists".to_owned())
    }

    async fn is_removed(&self, deployment: &Deployment) -> Result<(), Violation> {
        let rule = self.rule("a teardown leaves nothing");
        let removed = rule.value(self.provider.teardown(&self.scope()).await)?.removed;
        rule.holds(!removed.is_empty(), || "it says that nothing was there".to_owned())?;
        let left = rule.value(self.provider.list(&self.scope()).await)?;
        rule.holds(left.is_empty(), || format!("left: {left:?}"))?;
        for status in rule.value(self.provider.status(deployment).await)? {
            let over = matches!(status.state, MachineState::Gone | MachineState::Stopped { .. });
            rule.holds(over, || format!("{status:?}"))?;
        }
        let rule = self.rule("a teardown can be repeated");
        let removed = rule.value(self.provider.teardown(&self.scope()).await)?.removed;
        rule.holds(removed.is_empty(), || format!("the second one removed {removed:?}"))
    }

    /// Lists until the list is as wanted, or patience ends: a cloud's list may lag behind.
    async fn listed_until(
        &self,
        rule: Rule<'_>,
        wanted: impl Fn(&Vec<Resource>) -> bool,
    ) -> Result<Vec<Resource>, Violation> {
        let deadline = tokio::time::Instant::now() + self.patience;
        loop {
            let listed: Result<_, ProviderError> = self.provider.list(&self.scope()).await;
            let listed = rule.value(listed)?;
            if wanted(&listed) || tokio::time::Instant::now() >= deadline {
                return Ok(listed);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// What a journal refuses to write.
#[derive(Debug, Clone, Copy)]
enum Refused {
    Intents,
    Creations,
}

/// A journal whose disk is full at the wrong moment.
struct RefusingJournal {
    refused: Refused,
    kept: MemoryJournal,
}

impl Journal for RefusingJournal {
    fn record(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        match (self.refused, &entry.step) {
            (Refused::Intents, JournalStep::Intend)
            | (Refused::Creations, JournalStep::Created { .. }) => Err(JournalError {
                action: "write",
                path: "of the conformance suite".to_owned(),
                detail: "it refuses this step".to_owned(),
            }),
            _ => self.kept.record(entry),
        }
    }

    fn entries(&self) -> Result<Vec<JournalEntry>, JournalError> {
        self.kept.entries()
    }
}
