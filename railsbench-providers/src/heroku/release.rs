//! The release of an app: the source that is uploaded, and the buildpacks that build it.
//!
//! The source holds no value of the run, so all machines of a run share one release. It is built
//! by the Builds API, for which nothing has to be installed on the operator's host. Two buildpacks
//! of Heroku do it:
//! * `heroku/ruby` installs the Ruby that is asked for, which dynos cannot do themselves: they
//!   have no root and no compiler. It wants a Gemfile; ours names the Ruby and no gem, because
//!   the suite runs without bundler, as it does everywhere else;
//! * `heroku/inline` then runs the source's own `bin/compile`, which installs the gems.
//!
//! A suite that needs no Ruby is built by the second alone. The runner is not in the source: each
//! dyno fetches it from the orchestrator and runs it only if its SHA-256 is that of the plan.

use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use railsbench_core::config::RubyVersion;
use railsbench_core::provider::{Arch, RenderError, RunnerFile, ScriptTemplates, UserDataVars};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::catalog::CATALOG;
use super::naming::Runtime;

/// Installs the gems that the suite loads, in the same versions as on machines of other clouds.
pub(super) const GEMS: &str = include_str!("../vm/templates/gems.sh.hbs");

/// Builds the release: the gems go into it, to where the start script looks for them.
const COMPILE: &str = "\
#!/bin/sh
# Runs in the build, with the folder of the release as argument.
set -eu
export GEM_HOME=\"$1/vendor/railsbench-gems\"
unset RUBYOPT RUBYLIB BUNDLE_GEMFILE BUNDLE_PATH BUNDLE_BIN BUNDLE_WITHOUT BUNDLE_DEPLOYMENT
sh \"$1/bin/gems.sh\"
";

/// The buildpack that installs Ruby.
const RUBY_BUILDPACK: &str = "https://github.com/heroku/heroku-buildpack-ruby";

/// The buildpack that runs the source's own scripts.
const INLINE_BUILDPACK: &str = "https://github.com/heroku/heroku-buildpack-inline";

/// The runner ends itself; only one that hangs is ended from outside, this much later.
const GRACE: Duration = Duration::from_mins(1);

/// What a runner that is told to end may take to do it. Heroku itself gives 30 seconds.
const KILL_AFTER: Duration = Duration::from_secs(15);

static START: LazyLock<ScriptTemplates> = LazyLock::new(|| {
    ScriptTemplates::new(&[("start", include_str!("start.sh.hbs"))])
        .expect("this text is compiled in, and a test renders it")
});

/// One file of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SourceFile {
    pub(super) path: &'static str,
    pub(super) content: String,
    pub(super) executable: bool,
}

/// What is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) files: Vec<SourceFile>,
    pub(super) buildpacks: Vec<&'static str>,
}

impl Release {
    /// The release for a run.
    ///
    /// # Errors
    /// [`RenderError`] if there is no runner for Cedar dynos.
    pub(super) fn new(vars: &UserDataVars) -> Result<Self, RenderError> {
        let runner = RunnerFile::for_arch(&vars.runners, Arch::X86_64)
            .ok_or(RenderError::Value { field: "runners", problem: "there is none for x86_64" })?;
        let start = START.render(
            "start",
            vars,
            json!({
                "path": runner.target.path(),
                "sha256": runner.sha256,
                "grace_seconds": GRACE.as_secs(),
                "kill_after_seconds": KILL_AFTER.as_secs(),
            }),
        )?;
        let mut files = vec![
            file("Procfile", procfile()),
            file("start.sh", start.expose().to_owned()),
            script("bin/detect", "#!/bin/sh\necho railsbench\n".to_owned()),
            script("bin/release", "#!/bin/sh\necho '--- {}'\n".to_owned()),
        ];
        let mut buildpacks = vec![INLINE_BUILDPACK];
        if let Some(version) = &vars.ruby_version {
            files.push(file("Gemfile", gemfile(version)));
            files.push(file("Gemfile.lock", gemfile_lock(version)));
            files.push(script("bin/gems.sh", format!("#!/bin/sh\n{GEMS}")));
            files.push(script("bin/compile", COMPILE.to_owned()));
            buildpacks.insert(0, RUBY_BUILDPACK);
        } else {
            files.push(script("bin/compile", "#!/bin/sh\n".to_owned()));
        }
        Ok(Self { files, buildpacks })
    }

    /// The version that is given to Heroku with the source: the same source has the same.
    pub(super) fn version(&self) -> String {
        let mut digest = Sha256::new();
        for part in &self.buildpacks {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        for file in &self.files {
            digest.update(file.path.as_bytes());
            digest.update([0, u8::from(file.executable)]);
            digest.update(file.content.as_bytes());
            digest.update([0]);
        }
        format!("railsbench-{}", &hex::encode(digest.finalize())[..16])
    }

    /// The source as Heroku takes it, a `.tar.gz`. The same source gives the same bytes.
    ///
    /// # Errors
    /// None is expected: it is written to memory.
    pub(super) fn archive(&self) -> io::Result<Vec<u8>> {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        for file in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_size(file.content.len() as u64);
            header.set_mode(if file.executable { 0o755 } else { 0o644 });
            header.set_mtime(0);
            archive.append_data(&mut header, file.path, file.content.as_bytes())?;
        }
        archive.into_inner()?.finish()
    }
}

/// A digest as Heroku writes it.
pub(super) fn checksum(bytes: &[u8]) -> String {
    format!("SHA256:{}", hex::encode(Sha256::digest(bytes)))
}

fn file(path: &'static str, content: String) -> SourceFile {
    SourceFile { path, content, executable: false }
}

fn script(path: &'static str, content: String) -> SourceFile {
    SourceFile { path, content, executable: true }
}

/// One process type for each dyno size, so that a run can use all of them with one release.
fn procfile() -> String {
    let names = CATALOG.types().iter().map(|known| known.name);
    let lines: Vec<String> = names
        .filter(|size| Runtime::of(size) != Runtime::Fir)
        .map(|size| format!("{size}: sh start.sh {size}\n"))
        .collect();
    lines.concat()
}

/// The Ruby that the buildpack installs; without a version, the buildpack's own choice.
fn gemfile(version: &RubyVersion) -> String {
    match gem_version(version) {
        Some(version) => format!("source \"https://rubygems.org\"\n\nruby \"{version}\"\n"),
        None => "source \"https://rubygems.org\"\n".to_owned(),
    }
}

/// What bundler would write for that Gemfile; the buildpack builds nothing without it.
fn gemfile_lock(version: &RubyVersion) -> String {
    let mut lock = "GEM\n  remote: https://rubygems.org/\n  specs:\n\nPLATFORMS\n  ruby\n  \
                    x86_64-linux\n\nDEPENDENCIES\n"
        .to_owned();
    if let Some(version) = gem_version(version) {
        lock.push_str("\nRUBY VERSION\n   ruby ");
        lock.push_str(&version);
        lock.push('\n');
    }
    lock.push_str("\nBUNDLED WITH\n   2.5.23\n");
    lock
}

/// The version as RubyGems writes it: `3.5.0.preview1`.
fn gem_version(version: &RubyVersion) -> Option<String> {
    match version {
        RubyVersion::System => None,
        RubyVersion::Version(version) => Some(version.replace('-', ".")),
    }
}
