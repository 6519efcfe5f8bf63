//! What exists at the emulated Heroku.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{Refused, refused};
use super::builds::Build;
use super::dynos;
use super::rules::check_size;
use crate::process::Process;

/// The token that is taken.
pub const OPERATOR: &str = "operators-token";

pub(super) const EPOCH: &str = "2026-11-24T10:00:00Z";

/// An app.
#[derive(Debug, Default)]
pub struct App {
    /// Its id.
    pub id: String,
    /// Where it runs, e.g. `us`.
    pub region: String,
    /// The team that owns it.
    pub team: Option<String>,
    /// The private space that it is in.
    pub space: Option<String>,
    /// Whether it is somebody else's.
    pub foreign: bool,
    /// Its config vars.
    pub vars: BTreeMap<String, String>,
    /// Its builds, oldest first.
    pub builds: Vec<Build>,
    /// Quantity and size of each process type.
    pub formation: BTreeMap<String, (u32, String)>,
    /// The command of each process type.
    pub commands: BTreeMap<String, String>,
    /// Its dynos by name, e.g. `standard-1x.1`.
    pub dynos: BTreeMap<String, Dyno>,
    /// Where its source is unpacked, if dynos are processes.
    pub source: Option<PathBuf>,
    /// How often its running dynos were started anew.
    pub restarts: usize,
    /// How many lists it is missing from yet.
    pub unlisted: usize,
}

/// A dyno.
#[derive(Debug)]
pub struct Dyno {
    /// Its id.
    pub id: String,
    /// `starting`, `up` or `crashed`.
    pub state: &'static str,
    /// Its size as it was asked for.
    pub size: String,
    /// What it has printed, if it is no process.
    pub log: String,
    /// The process that stands for it.
    pub process: Option<Process>,
}

/// Everything at the emulated Heroku.
#[derive(Debug)]
pub struct World {
    /// Apps by name.
    pub apps: BTreeMap<String, App>,
    /// Apps that are deleted and still listed so many times.
    pub ghosts: BTreeMap<String, (usize, Value)>,
    /// Uploaded sources by URL.
    pub uploads: BTreeMap<String, Vec<u8>>,
    /// Whether the account is verified.
    pub verified: bool,
    /// Calls that are left of this hour's.
    pub calls_left: u32,
    /// How often a new build is pending when looked at.
    pub build_looks: usize,
    /// What builds say, which then fail.
    pub build_output: Option<&'static str>,
    /// How many lists it takes until a change shows in them.
    pub lag: usize,
    /// Says of apps that they are deleted, and keeps them.
    pub keeps: bool,
    /// Most apps on a page.
    pub page: usize,
    /// How long each call takes more than it would.
    pub latency: Duration,
    /// Where the files of dynos are, if they are processes.
    pub folder: Option<PathBuf>,
    /// Where it is.
    pub base: String,
    /// The number in the id that was given last.
    pub(super) next: u64,
}

impl World {
    pub(super) fn uuid(&mut self) -> String {
        self.next += 1;
        format!("01234567-89ab-cdef-0123-{:012x}", self.next)
    }

    pub(super) fn app(&mut self, name: &str) -> Result<&mut App, Refused> {
        match self.apps.get_mut(name) {
            Some(app) if app.foreign => {
                Err(refused(403, "forbidden", "You do not have access to the app."))
            }
            Some(app) => Ok(app),
            None => Err(refused(404, "not_found", "Couldn't find that app.")),
        }
    }

    pub(super) fn create(&mut self, body: &Value) -> Result<Value, Refused> {
        let name = body["name"].as_str().expect("railsbench names its apps").to_owned();
        if self.apps.contains_key(&name) {
            return Err(refused(422, "invalid_params", &format!("Name {name} is already taken")));
        }
        if !self.verified {
            return Err(refused(402, "verification_required", "Please verify your account"));
        }
        let app = App {
            id: self.uuid(),
            region: body["region"].as_str().unwrap_or("us").to_owned(),
            team: body["team"].as_str().map(str::to_owned),
            space: body["space"].as_str().map(str::to_owned),
            unlisted: self.lag,
            ..App::default()
        };
        self.apps.insert(name.clone(), app);
        Ok(self.show(&name))
    }

    pub(super) fn show(&self, name: &str) -> Value {
        let app = &self.apps[name];
        let named = |name: &Option<String>| match name {
            Some(name) => json!({"id": "01234567-89ab-cdef-0123-456789abcdef", "name": name}),
            None => Value::Null,
        };
        json!({
            "id": app.id,
            "name": name,
            "region": {"id": "59accabd-516d-4f0e-83e6-6e3757701145", "name": app.region},
            "team": named(&app.team),
            "space": named(&app.space),
            "created_at": EPOCH,
        })
    }

    pub(super) fn list(&mut self, team: Option<&str>) -> Vec<Value> {
        let mut listed = Vec::new();
        let names: Vec<String> = self.apps.keys().cloned().collect();
        for name in names {
            let app = self.apps.get_mut(&name).unwrap();
            if app.foreign || team.is_some_and(|team| app.team.as_deref() != Some(team)) {
                continue;
            }
            if app.unlisted > 0 {
                app.unlisted -= 1;
                continue;
            }
            listed.push(self.show(&name));
        }
        for (left, shown) in self.ghosts.values_mut().filter(|(left, _)| *left > 0) {
            *left -= 1;
            listed.push(shown.clone());
        }
        listed
    }

    pub(super) fn delete(&mut self, name: &str) -> Result<Value, Refused> {
        self.app(name)?;
        let shown = self.show(name);
        if self.keeps {
            return Ok(shown);
        }
        self.ghosts.insert(name.to_owned(), (self.lag, shown.clone()));
        self.apps.remove(name);
        Ok(shown)
    }

    pub(super) fn set_vars(&mut self, name: &str, body: &Value) -> Result<Value, Refused> {
        let app = self.app(name)?;
        for (key, value) in body.as_object().unwrap() {
            match value.as_str() {
                Some(value) => app.vars.insert(key.clone(), value.to_owned()),
                None => app.vars.remove(key),
            };
        }
        if app.dynos.values().any(|dyno| dyno.state != "crashed") {
            app.restarts += 1;
        }
        Ok(json!(app.vars))
    }

    /// Scales an app, as a change of its formation does.
    ///
    /// # Errors
    /// Heroku's refusal.
    pub fn scale(&mut self, name: &str, body: &Value) -> Result<Value, Refused> {
        let ids: Vec<String> = (0..200).map(|_| self.uuid()).collect();
        let mut ids = ids.into_iter();
        let app = self.app(name)?;
        for update in body["updates"].as_array().unwrap() {
            let process_type = update["type"].as_str().unwrap();
            if !app.formation.contains_key(process_type) {
                return Err(refused(404, "not_found", "Couldn't find that process type."));
            }
            let size = update["dyno_size"]["name"].as_str().expect("railsbench names the size");
            let quantity = u32::try_from(update["quantity"].as_u64().unwrap()).unwrap();
            check_size(app, process_type, size, quantity)?;
            app.formation.insert(process_type.to_owned(), (quantity, size.to_owned()));
            let prefix = format!("{process_type}.");
            app.dynos.retain(|dyno, _| {
                dyno.strip_prefix(&prefix).is_none_or(|n| n.parse::<u32>().unwrap() <= quantity)
            });
            for number in 1..=quantity {
                let dyno = format!("{prefix}{number}");
                if app.dynos.contains_key(&dyno) {
                    continue;
                }
                let process = app.source.as_ref().map(|source| {
                    dynos::start(source, &app.commands[process_type], &dyno, &app.vars)
                });
                app.dynos.insert(
                    dyno,
                    Dyno {
                        id: ids.next().unwrap(),
                        state: "starting",
                        size: size.to_owned(),
                        log: String::new(),
                        process,
                    },
                );
            }
        }
        self.formation(name)
    }

    pub(super) fn formation(&mut self, name: &str) -> Result<Value, Refused> {
        let app = self.app(name)?;
        let id = app.id.clone();
        let types = app.formation.iter().map(|(process_type, (quantity, size))| {
            json!({
                "app": {"id": id, "name": name},
                "id": "01234567-89ab-cdef-0123-456789abcdef",
                "type": process_type,
                "quantity": quantity,
                "size": size,
                "command": app.commands[process_type],
                "created_at": EPOCH,
                "updated_at": EPOCH,
            })
        });
        Ok(types.collect())
    }

    /// The dynos as they are, and then lets those that start be up.
    pub(super) fn dynos(&mut self, name: &str) -> Result<Value, Refused> {
        let app = self.app(name)?;
        for dyno in app.dynos.values_mut() {
            if let Some(process) = &mut dyno.process
                && dyno.state == "up"
                && process.has_ended()
            {
                dyno.state = "crashed";
            }
        }
        let id = app.id.clone();
        let shown = app.dynos.iter().map(|(dyno, found)| {
            json!({
                "app": {"id": id, "name": name},
                "id": found.id,
                "name": dyno,
                "state": found.state,
                "size": found.size,
                "type": dyno.split('.').next(),
                "created_at": EPOCH,
                "updated_at": EPOCH,
            })
        });
        let shown = shown.collect();
        for dyno in app.dynos.values_mut().filter(|dyno| dyno.state == "starting") {
            dyno.state = "up";
        }
        Ok(shown)
    }

    pub(super) fn log(&mut self, name: &str, dyno: &str) -> Option<String> {
        let dyno = self.apps.get_mut(name)?.dynos.get_mut(dyno)?;
        Some(dyno.process.as_ref().map_or_else(|| dyno.log.clone(), Process::log))
    }
}
