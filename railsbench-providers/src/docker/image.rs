//! The runner image: what it is called, what it is made of, and making it.
//!
//! Its label says what it was made of, so that one that holds another runner than the one at hand
//! is noticed, and can be made again from the same base.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bollard::body_full;
use bollard::query_parameters::{BuildImageOptions, BuilderVersion};
use futures::StreamExt;
use railsbench_core::config::RubyVersion;
use railsbench_core::id::ImageName;
use railsbench_core::provider::{Arch, ProviderError, UserDataVars};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use super::daemon::{Daemon, failed, told};

/// The runner's executable, on the `PATH` of the image.
pub(super) const RUNNER: &str = "railsbench-runner";

/// What images of ours are called, before the colon.
const REPOSITORY: &str = "railsbench-runner";

/// The label that says what an image was made of, as JSON.
const MADE: &str = "railsbench-runner";

const DOCKERFILE: &str = include_str!("../../../railsbench-runner/image/Dockerfile");
const GEMFILE: &str = include_str!("../../../railsbench-runner/image/Gemfile");
const GEMS: &str = include_str!("../../../railsbench-runner/image/gems.sh");

/// How much of what a failed build has printed is told.
const LAST_LINES: usize = 15;

/// The image that the machines of a run are started from: the configured one, or ours with the
/// Ruby that is wanted.
pub(super) fn name(vars: &UserDataVars) -> String {
    vars.runner_image.as_ref().map_or_else(|| tag(vars.ruby_version.as_ref()), ToString::to_string)
}

/// What our image with a Ruby is called.
fn tag(ruby: Option<&RubyVersion>) -> String {
    match ruby {
        Some(RubyVersion::Version(version)) => format!("{REPOSITORY}:{version}"),
        Some(RubyVersion::System) | None => format!("{REPOSITORY}:latest"),
    }
}

/// A version of Rails, `7.1.5`, or the beginning of one: `7.1` is the newest of those.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RailsVersion(String);

impl<'de> Deserialize<'de> for RailsVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is no version of Rails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no version of Rails; write it like 7.1.5, or 7.1 for the newest of those")]
pub struct NotAVersion(String);

impl FromStr for RailsVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let good = text.len() <= 20 && text.split('.').all(number) && text.contains('.');
        good.then(|| Self(text.to_owned())).ok_or_else(|| NotAVersion(text.to_owned()))
    }
}

/// What an image is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// What it is called.
    pub tag: ImageName,
    /// The image that it is made from.
    pub base: ImageName,
    /// The Ruby that the base must have; any if absent.
    pub ruby: Option<String>,
    /// The Rails to install; the newest that the Ruby takes if absent.
    pub rails: Option<RailsVersion>,
}

impl Recipe {
    /// Our image with a Ruby: of the official image of that Ruby, unless another base is named.
    ///
    /// # Errors
    /// [`ProviderError`] if the version cannot be part of a name.
    pub fn new(ruby: Option<&RubyVersion>, base: Option<ImageName>) -> Result<Self, ProviderError> {
        let version = match ruby {
            Some(RubyVersion::Version(version)) => Some(version.clone()),
            Some(RubyVersion::System) | None => None,
        };
        let official = match &version {
            Some(version) => format!("ruby:{version}-slim"),
            None => "ruby:slim".to_owned(),
        };
        let named = |name: String| {
            ImageName::new(name).map_err(|error| failed("naming the image", error.to_string()))
        };
        Ok(Self {
            tag: named(tag(ruby))?,
            base: base.map_or_else(|| named(official), Ok)?,
            ruby: version,
            rails: None,
        })
    }

    /// The command that makes the image.
    pub(super) fn command(&self) -> String {
        let mut words = vec!["railsbench image build".to_owned()];
        words.extend(self.ruby.as_ref().map(|ruby| format!("--ruby {ruby}")));
        words.extend(self.rails.as_ref().map(|rails| format!("--rails {}", rails.0)));
        words.push(format!("--base {} --tag {}", self.base, self.tag));
        words.join(" ")
    }
}

/// What an image of ours was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    base: ImageName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ruby: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rails: Option<RailsVersion>,
    pub(super) runner_sha256: String,
}

impl Made {
    fn of(recipe: &Recipe, runner: &RunnerProgram) -> Self {
        Self {
            base: recipe.base.clone(),
            ruby: recipe.ruby.clone(),
            rails: recipe.rails.clone(),
            runner_sha256: runner.sha256.clone(),
        }
    }

    /// Reads the labels of an image; `None` if it is not one of ours.
    pub(super) fn read(labels: &HashMap<String, String>) -> Option<Self> {
        serde_json::from_str(labels.get(MADE)?).ok()
    }

    fn labels(&self) -> serde_json::Result<HashMap<String, String>> {
        Ok(HashMap::from([(MADE.to_owned(), serde_json::to_string(self)?)]))
    }

    /// How to make it again under a name.
    pub(super) fn recipe(self, tag: ImageName) -> Recipe {
        Recipe { tag, base: self.base, ruby: self.ruby, rails: self.rails }
    }
}

/// The runner that goes into an image.
pub(super) struct RunnerProgram {
    bytes: Vec<u8>,
    arch: Arch,
    pub(super) sha256: String,
}

impl RunnerProgram {
    /// Reads an executable.
    pub(super) async fn read(path: &Path) -> Result<Self, ProviderError> {
        let failed =
            |detail: String| failed(format!("reading the runner {}", path.display()), detail);
        let bytes = tokio::fs::read(path).await.map_err(|error| {
            failed(format!("{error}; build it (cargo build --release -p railsbench-runner) or name it with --runner"))
        })?;
        let arch = arch_of(&bytes)
            .ok_or_else(|| failed("it is no Linux executable for x86_64 or aarch64".to_owned()))?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        Ok(Self { bytes, arch, sha256 })
    }
}

/// The architecture of an executable by its ELF header (System V ABI, chapter 4): 64 bits, little
/// endian.
fn arch_of(bytes: &[u8]) -> Option<Arch> {
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    match bytes.get(18..20)? {
        [62, 0] => Some(Arch::X86_64),
        [183, 0] => Some(Arch::Aarch64),
        _ => None,
    }
}

/// Makes an image from a recipe and the runner's executable. What the build prints is told line
/// by line.
///
/// # Errors
/// [`ProviderError`] with the last lines of a build that failed.
pub async fn build(
    daemon: &Daemon,
    recipe: &Recipe,
    runner: PathBuf,
    mut told_line: impl FnMut(&str) + Send,
) -> Result<(), ProviderError> {
    let docker = daemon.connect().await?;
    let runner = RunnerProgram::read(&runner).await?;
    let facts = daemon.facts();
    if runner.arch != facts.arch {
        return Err(failed(
            format!("building the image {}", recipe.tag),
            format!(
                "the runner is for {} and the daemon for {}; build it (cargo build --release -p \
                 railsbench-runner --target {}-unknown-linux-musl) and name it with --runner",
                runner.arch, facts.arch, facts.arch
            ),
        ));
    }
    let action = format!("building the image {}", recipe.tag);
    let context = context(&runner)
        .map_err(|error| failed(action.as_str(), format!("no context: {error}")))?;
    let labels = Made::of(recipe, &runner)
        .labels()
        .map_err(|error| failed(action.as_str(), error.to_string()))?;
    let mut arguments = HashMap::from([
        ("BASE".to_owned(), recipe.base.to_string()),
        ("TARGETARCH".to_owned(), runner.arch.debian().to_owned()),
    ]);
    arguments.extend(recipe.ruby.clone().map(|ruby| ("RUBY".to_owned(), ruby)));
    arguments.extend(recipe.rails.clone().map(|rails| ("RAILS".to_owned(), rails.0)));
    let options = BuildImageOptions {
        dockerfile: "Dockerfile".to_owned(),
        t: Some(recipe.tag.to_string()),
        rm: true,
        forcerm: true,
        buildargs: Some(arguments),
        labels: Some(labels),
        // Every daemon has this one, and nothing here needs the other.
        version: BuilderVersion::BuilderV1,
        ..BuildImageOptions::default()
    };
    let mut lines: Vec<String> = Vec::new();
    let mut steps = Box::pin(docker.build_image(options, None, Some(body_full(context.into()))));
    while let Some(step) = steps.next().await {
        let step = step.map_err(|error| {
            let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
            failed(action.as_str(), format!("{}; it had printed:\n{last}", told(&error)))
        })?;
        for line in step.stream.iter().flat_map(|text| text.lines()).map(str::trim_end) {
            if !line.is_empty() {
                told_line(line);
                lines.push(line.to_owned());
            }
        }
    }
    Ok(())
}

/// The files of the build, as a tar archive. The same files give the same bytes.
fn context(runner: &RunnerProgram) -> io::Result<Vec<u8>> {
    let program = format!("runner/{}/{RUNNER}", runner.arch.debian());
    let files: [(&str, &[u8], u32); 4] = [
        ("Dockerfile", DOCKERFILE.as_bytes(), 0o644),
        ("Gemfile", GEMFILE.as_bytes(), 0o644),
        ("gems.sh", GEMS.as_bytes(), 0o644),
        (&program, &runner.bytes, 0o755),
    ];
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        archive.append_data(&mut header, path, bytes)?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::super::user_data::tests::vars;
    use super::*;

    fn program() -> RunnerProgram {
        RunnerProgram { bytes: vec![1, 2], arch: Arch::X86_64, sha256: "ab".to_owned() }
    }

    #[test]
    fn images_are_named_by_their_ruby() {
        let mut vars = vars("1c1g");
        assert_eq!(name(&vars), "railsbench-runner:3.4.1");
        vars.ruby_version = Some(RubyVersion::System);
        assert_eq!(name(&vars), "railsbench-runner:latest");
        vars.ruby_version = None;
        assert_eq!(name(&vars), "railsbench-runner:latest", "any Ruby will do for none");
        vars.runner_image = Some("registry.example.com/own:1".parse().unwrap());
        assert_eq!(name(&vars), "registry.example.com/own:1");
    }

    #[test]
    fn labels_say_what_an_image_was_made_of() {
        let version = RubyVersion::Version("3.4.1".to_owned());
        let recipe = Recipe::new(Some(&version), None).unwrap();
        assert_eq!(recipe.base.as_str(), "ruby:3.4.1-slim");
        let other = Recipe {
            rails: Some("7.1".parse().unwrap()),
            ..Recipe::new(None, Some("own:base".parse().unwrap())).unwrap()
        };
        assert_eq!(
            other.command(),
            "railsbench image build --rails 7.1 --base own:base --tag railsbench-runner:latest"
        );
        for recipe in [recipe, other] {
            let made = Made::of(&recipe, &program());
            assert_eq!(made.runner_sha256, "ab");
            assert_eq!(Made::read(&made.labels().unwrap()), Some(made.clone()));
            assert_eq!(made.recipe(recipe.tag.clone()), recipe);
        }
        for others in ["", "{}", r#"{"base":"x; y","runner_sha256":"ab"}"#] {
            let labels = HashMap::from([(MADE.to_owned(), others.to_owned())]);
            assert_eq!(Made::read(&labels), None, "{others}");
        }
        assert_eq!(Made::read(&HashMap::new()), None);
    }

    #[test]
    fn versions_of_rails_are_numbers() {
        for good in ["6.1", "7.1.5", "8.0.2.1"] {
            assert!(good.parse::<RailsVersion>().is_ok(), "{good}");
        }
        for wrong in ["", "8", "8.", ".8", "7.1\"; system", "~> 7.1", "7.1.5.rc1"] {
            assert!(wrong.parse::<RailsVersion>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn executables_say_their_architecture() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(arch_of(&own).unwrap().as_str(), std::env::consts::ARCH);
        assert_eq!(arch_of(b"#!/bin/sh\n"), None);
        for length in 0..20 {
            assert_eq!(arch_of(&own[..length]), None);
        }
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let bytes = context(&program()).unwrap();
        assert_eq!(bytes, context(&program()).unwrap());
        let mut archive = tar::Archive::new(bytes.as_slice());
        let names: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["Dockerfile", "Gemfile", "gems.sh", "runner/amd64/railsbench-runner"]);
    }
}
