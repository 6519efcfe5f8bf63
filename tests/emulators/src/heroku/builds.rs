//! Sources and what is built of them.

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::answer::{Refused, refused};
use super::rules::{procfile, sha256};
use super::world::{EPOCH, World};

/// A build.
#[derive(Debug)]
pub struct Build {
    /// Its id.
    pub id: String,
    /// What the source's version was said to be.
    pub version: Option<String>,
    /// Where its source is.
    pub url: String,
    /// How often it is still pending when looked at.
    pub looks: usize,
    /// `pending`, `succeeded` or `failed`.
    pub status: &'static str,
}

impl World {
    pub(super) fn source(&mut self, name: &str) -> Result<Value, Refused> {
        self.app(name)?;
        let id = self.uuid();
        let url = format!("{}/storage/{id}?signature=secret", self.base);
        Ok(json!({"source_blob": {"put_url": url, "get_url": url}}))
    }

    pub(super) fn start_build(&mut self, name: &str, body: &Value) -> Result<Value, Refused> {
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

    pub(super) fn show_build(&mut self, name: &str, id: &str) -> Result<Value, Refused> {
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
    pub(super) fn advance_builds(&mut self, name: &str) -> Result<(), Refused> {
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
}
