//! Makes what a plan says, and takes it back if that fails.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use railsbench_core::id::{ImageName, MachineId, RunId};
use railsbench_core::provider::{JournalStep, Machine, Plan, PlannedMachine, ProviderError};

use super::api::Api;
use super::container::{self, Settings, longest_life};
use super::cpus::CpuSet;
use super::daemon::{Daemon, Facts, failed};
use super::image::{self, Made, Recipe, RunnerProgram};
use super::naming::{Size, network_name, provider_name};
use super::plan::NETWORK;
use crate::diary::Diary;
use crate::vm::Tags;

/// What a machine is called in lists and the journal.
pub(super) const CONTAINER: &str = "container";

/// How often to choose other CPUs when another process chooses the same ones at the same moment.
const CHOICES: u32 = 20;

/// Longest pause between two choices, in milliseconds.
const PAUSE: u64 = 250;

/// What is missing of an image, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ImageNeed {
    /// Nothing is.
    Ready(String),
    /// It can be made.
    Build { problem: String, recipe: Recipe },
    /// It is not one of ours, and not there.
    Missing { problem: String, fix: String },
}

/// Looks at the image of a plan.
pub(super) async fn image_need(api: &Api<'_>, plan: &Plan) -> Result<ImageNeed, ProviderError> {
    let vars = &plan.vars;
    let name = image::name(vars);
    let tag = ImageName::new(name.as_str())
        .map_err(|error| failed("looking at the image", error.to_string()))?;
    let Some(labels) = api.image(&name).await? else {
        return Ok(if vars.runner_image.is_some() {
            ImageNeed::Missing {
                problem: format!("the image {name} of runner_image is not at the daemon"),
                fix: format!(
                    "make it (railsbench image build --tag {name}), load it (docker load), or get \
                     it (docker pull {name})"
                ),
            }
        } else {
            let recipe = Recipe::new(vars.ruby_version.as_ref(), None)?;
            ImageNeed::Build { problem: format!("the image {name} is not there yet"), recipe }
        });
    };
    let Some(made) = Made::read(&labels) else {
        return Ok(ImageNeed::Ready(format!("{name}, with a runner of its own")));
    };
    // Where no runner is at hand, nothing can be compared, nor made.
    let own = match &vars.runner {
        Some(path) => RunnerProgram::read(&PathBuf::from(path)).await.ok(),
        None => None,
    };
    Ok(match own {
        Some(own) if own.sha256 != made.runner_sha256 => ImageNeed::Build {
            problem: format!("the image {name} holds another runner than this railsbench has"),
            recipe: made.recipe(tag),
        },
        _ => ImageNeed::Ready(name),
    })
}

/// One provision.
pub(super) struct Maker<'a> {
    pub(super) api: Api<'a>,
    pub(super) daemon: &'a Daemon,
    pub(super) plan: &'a Plan,
    pub(super) diary: Diary,
    /// What this provision has made, oldest first.
    pub(super) made: Vec<Thing>,
}

/// Something that can be taken back.
pub(super) enum Thing {
    Network { name: String, id: Option<String> },
    Container(String),
}

impl Maker<'_> {
    pub(super) async fn make(&mut self) -> Result<Vec<Machine>, ProviderError> {
        let facts = Facts::of(&self.api.info().await?);
        self.ensure_image().await?;
        let network = self.ensure_network().await?;
        let mut machines = Vec::new();
        for planned in &self.plan.machines {
            machines.push(self.ensure_machine(planned, &network, &facts).await?);
        }
        Ok(machines)
    }

    async fn ensure_image(&self) -> Result<(), ProviderError> {
        let (problem, recipe) = match image_need(&self.api, self.plan).await? {
            ImageNeed::Ready(_) => return Ok(()),
            ImageNeed::Build { problem, recipe } => (problem, recipe),
            ImageNeed::Missing { problem, fix } => {
                return Err(failed("starting containers", format!("{problem}; {fix}")));
            }
        };
        let runner = self.plan.vars.runner.as_ref().filter(|_| self.plan.vars.allow_install);
        let Some(runner) = runner else {
            let detail =
                format!("{problem}; run `{}`, or allow railsbench to (--yes)", recipe.command());
            return Err(failed("starting containers", detail));
        };
        image::build(self.daemon, &recipe, PathBuf::from(runner), |line| {
            tracing::info!(image = %recipe.tag, "{line}");
        })
        .await
    }

    fn tags(&self) -> Tags {
        let life = longest_life(self.plan.max_lifetime);
        Tags::new(&self.plan.run_id, Timestamp::now(), life)
    }

    /// Makes sure that the run has its network, and gives its id.
    async fn ensure_network(&mut self) -> Result<String, ProviderError> {
        let name = network_name(&self.plan.run_id);
        self.diary.write(NETWORK, &name, JournalStep::Intend).await?;
        let id = if let Some(id) = self.network().await? {
            id
        } else {
            self.made.push(Thing::Network { name: name.clone(), id: None });
            let id = self.api.create_network(container::network(&name, &self.tags())).await?;
            if let Some(Thing::Network { id: made, .. }) = self.made.last_mut() {
                *made = Some(id.clone());
            }
            id
        };
        self.diary.write(NETWORK, &name, JournalStep::Created { id: id.clone() }).await?;
        Ok(id)
    }

    /// The network of the run, if it has one. The daemon lets two have one name; the first by its
    /// id is then everybody's.
    async fn network(&self) -> Result<Option<String>, ProviderError> {
        let found = self.api.networks(Some(&self.plan.run_id)).await?;
        Ok(found.into_iter().map(|network| network.id).min())
    }

    /// Makes sure that a planned machine runs.
    async fn ensure_machine(
        &mut self,
        planned: &PlannedMachine,
        network: &str,
        facts: &Facts,
    ) -> Result<Machine, ProviderError> {
        let name = &planned.name;
        let id = MachineId::new(name.as_str())
            .map_err(|error| failed("making a machine", error.to_string()))?;
        self.diary.write(CONTAINER, name, JournalStep::Intend).await?;
        let there = self.api.container(name).await?;
        if let Some(there) = &there
            && there.tags.run_id.as_ref() != Some(&self.plan.run_id)
        {
            let detail = "the name is taken by a container of another run";
            return Err(failed(format!("making the container {name}"), detail));
        }
        let runs = there.as_ref().is_some_and(|there| there.is_live && !there.is_unstarted());
        if !runs {
            if there.is_some() {
                self.api.remove(name).await?;
            }
            self.made.push(Thing::Container(name.clone()));
            self.start(planned, network, facts).await?;
        }
        self.diary.write(CONTAINER, name, JournalStep::Created { id: name.clone() }).await?;
        Ok(Machine {
            id,
            name: name.clone(),
            instance_type: planned.instance_type.clone(),
            region: None,
        })
    }

    /// Makes and starts a container on CPUs that no other has. The daemon does not keep them
    /// apart: whoever finds after making its container that another one has a CPU of its own
    /// gives way before it is started, and chooses again.
    async fn start(
        &self,
        planned: &PlannedMachine,
        network: &str,
        facts: &Facts,
    ) -> Result<(), ProviderError> {
        let name = &planned.name;
        let size = Size::parse(planned.instance_type.as_str())
            .ok_or_else(|| failed("making a machine", "its instance type is no size"))?;
        let settings = Settings::of(&self.plan.vars, size);
        for _ in 0..CHOICES {
            let others = self.others(name).await?;
            let cpus = choose(size, &others, facts)?;
            let body = settings.body(&self.plan.vars, &cpus, network, &self.tags());
            self.api.create(name, body).await?;
            let clash = self.others(name).await?.iter().any(|other| other.cpus.overlaps(&cpus));
            if !clash {
                return self.api.start(name).await;
            }
            self.api.remove(name).await?;
            tokio::time::sleep(Duration::from_millis(rand::random_range(1..PAUSE))).await;
        }
        Err(failed(
            format!("making the container {name}"),
            "other processes start containers on the same CPUs all the time; try again",
        ))
    }

    /// What other machines of ours hold.
    async fn others(&self, name: &str) -> Result<Vec<Holding>, ProviderError> {
        let mut others = Vec::new();
        for listed in self.api.containers(None).await? {
            if listed.name == *name {
                continue;
            }
            let Some(other) = self.api.container(&listed.id).await? else { continue };
            if other.is_live {
                others.push(Holding {
                    name: listed.name,
                    run_id: other.tags.run_id,
                    cpus: other.cpus,
                    memory: other.memory,
                });
            }
        }
        Ok(others)
    }

    /// Takes back what was made before something failed, the newest first.
    pub(super) async fn take_back(&mut self, cause: ProviderError) -> ProviderError {
        let mut problem = None;
        while let Some(thing) = self.made.pop() {
            let (kind, name, removed) = match thing {
                Thing::Container(name) => (CONTAINER, name.clone(), self.api.remove(&name).await),
                Thing::Network { name, id } => (NETWORK, name, self.take_network_back(id).await),
            };
            match removed {
                Ok(()) => {
                    self.diary.removed(kind, &name).await;
                }
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        match problem {
            None => cause,
            Some(error) => failed("making machines", format!("{cause}; after that, {error}")),
        }
    }

    /// Removes the network that this provision has made; if the daemon's answer was lost, the one
    /// that is there, unless it is in use.
    async fn take_network_back(&self, id: Option<String>) -> Result<(), ProviderError> {
        let id = match id {
            Some(id) => Some(id),
            None => self.network().await?,
        };
        match id {
            Some(id) => self.api.remove_network(&id).await,
            None => Ok(()),
        }
    }
}

/// What a machine holds for itself.
#[derive(Debug)]
pub(super) struct Holding {
    name: String,
    run_id: Option<RunId>,
    cpus: CpuSet,
    memory: u64,
}

/// CPUs for a machine beside others.
fn choose(size: Size, others: &[Holding], facts: &Facts) -> Result<CpuSet, ProviderError> {
    let mut taken = CpuSet::default();
    for other in others {
        taken.add(&other.cpus);
    }
    let all = CpuSet::first(facts.cpus.unwrap_or_default());
    let free = all.without(&taken);
    let holders = || {
        let holders: Vec<String> = others
            .iter()
            .map(|other| match &other.run_id {
                Some(run_id) => format!("{} of run {run_id}", other.name),
                None => other.name.clone(),
            })
            .collect();
        format!(
            "the others belong to {}; wait for them, remove them (railsbench teardown RUN), or \
             measure this type in a run of its own",
            holders.join(", ")
        )
    };
    let full = |detail: String| ProviderError::Capacity {
        provider: provider_name(),
        what: size.name(),
        detail,
    };
    let cpus = free.take(size.cpus).ok_or_else(|| {
        full(format!("{} of {} CPUs are free; {}", free.len(), all.len(), holders()))
    })?;
    let held: u64 = others.iter().map(|other| other.memory).sum();
    let left = facts.memory_bytes.unwrap_or(u64::MAX).saturating_sub(held);
    if left < size.memory_bytes() {
        return Err(full(format!("{} MiB of memory are free; {}", left >> 20, holders())));
    }
    Ok(cpus)
}

#[cfg(test)]
mod tests {
    use railsbench_core::provider::Arch;

    use super::*;

    const FACTS: Facts = Facts { arch: Arch::X86_64, cpus: Some(4), memory_bytes: Some(8 << 30) };

    fn holding(cpus: &str, gib: u64) -> Holding {
        let run_id = Some(RunId::new("r1").unwrap());
        Holding {
            name: "railsbench-r1-1c1g-1".to_owned(),
            run_id,
            cpus: CpuSet::parse(cpus),
            memory: gib << 30,
        }
    }

    #[test]
    fn machines_share_neither_cpus_nor_memory() {
        let size = Size { cpus: 2, gib: 4 };
        assert_eq!(choose(size, &[], &FACTS).unwrap().to_string(), "2,3");
        assert_eq!(choose(size, &[holding("2,3", 4)], &FACTS).unwrap().to_string(), "0,1");
        let full = choose(size, &[holding("1,2,3", 1)], &FACTS).unwrap_err().to_string();
        assert!(full.contains("no capacity for 2c4g: 1 of 4 CPUs are free"), "{full}");
        assert!(full.contains("railsbench-r1-1c1g-1 of run r1"), "{full}");
        let full = choose(size, &[holding("3", 5)], &FACTS).unwrap_err().to_string();
        assert!(full.contains("3072 MiB of memory are free"), "{full}");
    }
}
