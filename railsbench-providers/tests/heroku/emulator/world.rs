//! What exists at the emulated Heroku.

use std::collections::BTreeMap;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::answer::{Refused, refused};
use super::machines::Machine;
use super::rules::{check_size, procfile, sha256};

/// The token that is taken.
pub const OPERATOR: &str = "operators-token";

const EPOCH: &str = "2026-11-24T10:00:00Z";

/// An app.
#[derive(Debug, Default)]
pub struct App {
    pub id: String,
    pub region: String,
    pub team: Option<String>,
    pub space: Option<String>,
    pub foreign: bool,
    pub vars: BTreeMap<String, String>,
    pub builds: Vec<Build>,
    /// Quantity and size of each process type.
    pub formation: BTreeMap<String, (u32, String)>,
    pub commands: BTreeMap<String, String>,
    pub dynos: BTreeMap<String, Dyno>,
    pub source: Option<PathBuf>,
    /// How often its running dynos were started anew.
    pub restarts: usize,
    /// How many lists it is missing from yet.
    pub unlisted: usize,
}

#[derive(Debug)]
pub struct Build {
    pub id: String,
    pub version: Option<String>,
    pub url: String,
    /// How often it is still pending when looked at.
    pub looks: usize,
    pub status: &'static str,
}

#[derive(Debug)]
pub struct Dyno {
    pub id: String,
    pub state: &'static str,
    pub size: String,
    pub log: String,
    pub machine: Option<Machine>,
}

/// Everything at the emulated Heroku.
#[derive(Debug)]
pub struct World {
    pub apps: BTreeMap<String, App>,
    /// Apps that are deleted and still listed so many times.
    pub ghosts: BTreeMap<String, (usize, Value)>,
    pub uploads: BTreeMap<String, Vec<u8>>,
    pub verified: bool,
    pub calls_left: u32,
    pub build_looks: usize,
    pub build_output: Option<&'static str>,
    pub lag: usize,
    /// Says of apps that they are deleted, and keeps them.
    pub keeps: bool,
    pub page: usize,
    pub folder: Option<PathBuf>,
    pub base: String,
    pub next: u64,
}

impl World {
    pub fn uuid(&mut self) -> String {
        self.next += 1;
        format!("01234567-89ab-cdef-0123-{:012x}", self.next)
    }

    pub fn app(&mut self, name: &str) -> Result<&mut App, Refused> {
        match self.apps.get_mut(name) {
            Some(app) if app.foreign => {
                Err(refused(403, "forbidden", "You do not have access to the app."))
            }
            Some(app) => Ok(app),
            None => Err(refused(404, "not_found", "Couldn't find that app.")),
        }
    }

    pub fn create(&mut self, body: &Value) -> Result<Value, Refused> {
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

    pub fn show(&self, name: &str) -> Value {
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

    pub fn list(&mut self, team: Option<&str>) -> Vec<Value> {
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

    pub fn delete(&mut self, name: &str) -> Result<Value, Refused> {
        self.app(name)?;
        let shown = self.show(name);
        if self.keeps {
            return Ok(shown);
        }
        self.ghosts.insert(name.to_owned(), (self.lag, shown.clone()));
        self.apps.remove(name);
        Ok(shown)
    }

    pub fn set_vars(&mut self, name: &str, body: &Value) -> Result<Value, Refused> {
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

    pub fn source(&mut self, name: &str) -> Result<Value, Refused> {
        self.app(name)?;
        let id = self.uuid();
        let url = format!("{}/storage/{id}?signature=secret", self.base);
        Ok(json!({"source_blob": {"put_url": url, "get_url": url}}))
    }

    pub fn start_build(&mut self, name: &str, body: &Value) -> Result<Value, Refused> {
        self.app(name)?;
        let blob = &body["source_blob"];
        let url = blob["url"].as_str().unwrap_or_default().to_owned();
        let Some(bytes) = self.uploads.get(&url) else {
            return Err(refused(422, "invalid_params", "The source cannot be fetched"));
        };
        let digest = sha256(bytes);
        if blob["checksum"] != format!("SHA256:{digest}") {
            return Err(refused(422, "invalid_params", "The checksum does not match"));
        }
        let known = body["buildpacks"].as_array().is_some_and(|list| {
            !list.is_empty()
                && list.iter().all(|buildpack| {
                    buildpack["url"]
                        .as_str()
                        .is_some_and(|url| url.starts_with("https://github.com/heroku/"))
                })
        });
        assert!(known, "buildpacks: {}", body["buildpacks"]);
        let id = self.uuid();
        let looks = self.build_looks;
        let version = blob["version"].as_str().map(str::to_owned);
        self.app(name)?.builds.push(Build {
            id: id.clone(),
            version,
            url,
            looks,
            status: "pending",
        });
        self.show_build(name, &id)
    }

    pub fn show_build(&mut self, name: &str, id: &str) -> Result<Value, Refused> {
        let base = self.base.clone();
        let failing = self.build_output.is_some();
        let app = self.app(name)?;
        let app_id = app.id.clone();
        let Some(build) = app.builds.iter_mut().find(|build| build.id == id) else {
            return Err(refused(404, "not_found", "Couldn't find that build."));
        };
        Ok(json!({
            "app": {"id": app_id},
            "id": build.id,
            "status": build.status,
            "source_blob": {"url": build.url, "version": build.version},
            "output_stream_url": format!("{base}/streams/build/{}", if failing { "failed" } else { "good" }),
            "created_at": EPOCH,
            "updated_at": EPOCH,
            "user": {"id": "01234567-89ab-cdef-0123-456789abcdef", "email": "me@example.com"},
        }))
    }

    /// Lets builds go on: each look brings a pending one nearer to its end.
    pub fn advance_builds(&mut self, name: &str) -> Result<(), Refused> {
        let failing = self.build_output.is_some();
        let folder = self.folder.clone();
        let uploads = std::mem::take(&mut self.uploads);
        let app = self.app(name)?;
        for build in app.builds.iter_mut().filter(|build| build.status == "pending") {
            if build.looks > 0 {
                build.looks -= 1;
                continue;
            }
            build.status = if failing { "failed" } else { "succeeded" };
            if failing {
                continue;
            }
            app.commands = procfile(&uploads[&build.url]);
            for process_type in app.commands.keys() {
                let size = "Standard-1X".to_owned();
                app.formation.entry(process_type.clone()).or_insert((0, size));
            }
            app.source = folder.as_ref().map(|folder| {
                let folder = folder.join(&build.id);
                tar::Archive::new(GzDecoder::new(uploads[&build.url].as_slice()))
                    .unpack(&folder)
                    .unwrap();
                folder
            });
        }
        self.uploads = uploads;
        Ok(())
    }

    pub fn scale(&mut self, name: &str, body: &Value) -> Result<Value, Refused> {
        let ids: Vec<String> = (0..200).map(|_| self.uuid()).collect();
        let mut ids = ids.into_iter();
        let token = self.base.clone();
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
                let machine = app.source.as_ref().map(|source| {
                    Machine::start(source, &app.commands[process_type], &dyno, &app.vars, &token)
                });
                app.dynos.insert(
                    dyno,
                    Dyno {
                        id: ids.next().unwrap(),
                        state: "starting",
                        size: size.to_owned(),
                        log: String::new(),
                        machine,
                    },
                );
            }
        }
        self.formation(name)
    }

    pub fn formation(&mut self, name: &str) -> Result<Value, Refused> {
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
    pub fn dynos(&mut self, name: &str) -> Result<Value, Refused> {
        let app = self.app(name)?;
        for dyno in app.dynos.values_mut() {
            if let Some(machine) = &mut dyno.machine
                && dyno.state == "up"
                && machine.has_ended()
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

    pub fn log(&mut self, name: &str, dyno: &str) -> Option<String> {
        let dyno = self.apps.get_mut(name)?.dynos.get_mut(dyno)?;
        Some(dyno.machine.as_ref().map_or_else(|| dyno.log.clone(), Machine::log))
    }
}
