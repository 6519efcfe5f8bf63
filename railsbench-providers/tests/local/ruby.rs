//! How the start-up script finds the Ruby that is asked for, and installs what is missing: the
//! real script in a real shell, on a host that is made up of stand-ins.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use railsbench_core::config::RubyVersion;
use railsbench_core::provider::Provider;
use railsbench_providers::LocalProvider;
use tempfile::TempDir;

use crate::world::{TOKEN, request, write_script};

/// What the script needs of a host besides Ruby.
const TOOLS: [&str; 16] = [
    "awk", "cat", "df", "env", "getconf", "grep", "head", "id", "ls", "mkdir", "mv", "sed", "sh",
    "sleep", "timeout", "tr",
];

/// A host with nothing on PATH but the tools, and an empty home.
struct Host {
    folder: TempDir,
    variables: Vec<(String, PathBuf)>,
}

/// What preflight says of Ruby: outcome, what was found, what to do.
#[derive(Debug, PartialEq, Eq)]
struct Said(String, String, String);

impl Host {
    fn new() -> Self {
        let host = Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() };
        std::fs::create_dir_all(host.path("bin")).unwrap();
        std::fs::create_dir_all(host.path("machine")).unwrap();
        for tool in TOOLS {
            let real = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(tool));
            let real = real.iter().find(|path| path.exists()).expect(tool);
            std::os::unix::fs::symlink(real, host.path("bin").join(tool)).unwrap();
        }
        write_script(&host.path("runner"), "echo \"runs with $(command -v ruby)\"");
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a Ruby of this version into a folder. It says that the folder is `real`, as the
    /// placeholders of version managers do, and that these are its libraries.
    fn ruby(&self, folder: &str, version: &str, real: &str, libraries: &str) {
        let real = self.path(real);
        let body = format!(
            "case $* in\n\
             *RUBY_ENGINE*) printf '%s\\t%s\\n' '{version}' '{}' ;;\n\
             *Rails.version*) if [ -e \"$0.gems\" ]; then echo 'rails 8.0.1'; else echo '{libraries}'; fi ;;\n\
             '-S gem install --no-document rails sqlite3 puma') env >\"$0.gems\" ;;\n\
             *) echo \"unexpected: $*\" >&2; exit 1 ;;\n\
             esac",
            real.display()
        );
        write_script(&self.path(folder).join("ruby"), &body);
    }

    /// The same, complete and in its own folder.
    fn good_ruby(&self, folder: &str, version: &str) {
        self.ruby(folder, version, folder, "rails 7.1.0");
    }

    fn run(&self, ruby_version: &str, allow_install: bool, preflight: bool) -> Output {
        let run_id = "test-ruby".parse().unwrap();
        let mut request = request(&run_id, &self.path("runner"));
        request.vars.ruby_version = Some(ruby_version.parse::<RubyVersion>().unwrap());
        request.vars.allow_install = allow_install;
        let provider = LocalProvider::new(self.path("state"));
        let script = self.path("user-data.sh");
        std::fs::write(&script, provider.plan(&request).unwrap().user_data.expose()).unwrap();
        let mut command = Command::new("/bin/sh");
        command.arg(script).current_dir(self.path("machine")).stdin(Stdio::null()).env_clear();
        command.env("PATH", self.path("bin")).env("HOME", self.path("home"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if preflight {
            command.env("RAILSBENCH_PREFLIGHT", "1");
        }
        command.output().unwrap()
    }

    fn preflight(&self, ruby_version: &str) -> Said {
        let output = self.run(ruby_version, true, true);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
        let ruby: Vec<_> = lines.iter().filter(|line| line[1] == "ruby").collect();
        assert_eq!(ruby.len(), 1, "{text}");
        let [outcome, _, found, next] = ruby[0][..] else { panic!("{text}") };
        Said(outcome.to_owned(), found.to_owned(), next.to_owned())
    }

    /// What a passed check says of a Ruby in this folder.
    fn passed(&self, version: &str, folder: &str) -> Said {
        let place = self.path(folder).join("ruby");
        let found = format!("ruby {version} at {}, rails 7.1.0", place.display());
        Said("passed".to_owned(), found, String::new())
    }
}

#[test]
fn system_is_the_first_that_works_on_path() {
    let host = Host::new();
    write_script(&host.path("bin/ruby"), "echo 'no version is set' >&2; exit 1");
    host.good_ruby("usr/bin", "3.91.2");
    host.good_ruby("home/.rbenv/versions/3.99.0/bin", "3.99.0");
    let mut host = host;
    let path = format!("{}:{}", host.path("bin").display(), host.path("usr/bin").display());
    host.variables.push(("PATH".to_owned(), path.into()));
    assert_eq!(host.preflight("system"), host.passed("3.91.2", "usr/bin"));
    let run = host.run("system", false, false);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let expected = format!("runs with {}\n", host.path("usr/bin/ruby").display());
    assert!(run.status.success() && said.ends_with(&expected), "{said}");
}

#[test]
fn versions_are_found_where_version_managers_put_them() {
    for folder in [
        "home/.rbenv/versions/3.97.4/bin",
        "home/.asdf/installs/ruby/3.97.4/bin",
        "home/.local/share/mise/installs/ruby/3.97.4/bin",
        "home/.rubies/ruby-3.97.4/bin",
        "bin",
    ] {
        let host = Host::new();
        host.good_ruby(folder, "3.97.4");
        for wanted in ["3.97.4", "3.97", "ruby-3.97.4"] {
            assert_eq!(host.preflight(wanted), host.passed("3.97.4", folder), "{wanted}");
        }
        let run = host.run("3.97", false, false);
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        let expected = format!("runs with {}\n", host.path(folder).join("ruby").display());
        assert!(run.status.success() && said.ends_with(&expected), "{said}");
    }
}

#[test]
fn version_managers_may_keep_them_elsewhere() {
    for (variable, value, folder) in [
        ("RBENV_ROOT", "else", "else/versions/3.97.4/bin"),
        ("ASDF_DATA_DIR", "else", "else/installs/ruby/3.97.4/bin"),
        ("MISE_DATA_DIR", "else", "else/installs/ruby/3.97.4/bin"),
        ("XDG_DATA_HOME", "else", "else/mise/installs/ruby/3.97.4/bin"),
    ] {
        let mut host = Host::new();
        host.good_ruby(folder, "3.97.4");
        assert_eq!(host.preflight("3.97").0, "failed", "{variable} is not set yet");
        host.variables.push((variable.to_owned(), host.path(value)));
        assert_eq!(host.preflight("3.97"), host.passed("3.97.4", folder), "{variable}");
    }
}

#[test]
fn a_short_version_means_its_newest_release() {
    let host = Host::new();
    for version in ["3.97.9", "3.97.10", "3.97.11.preview1", "3.971.0", "4.97.12"] {
        host.good_ruby(&format!("home/.rbenv/versions/{version}/bin"), version);
    }
    let folder = |version| format!("home/.rbenv/versions/{version}/bin");
    for (wanted, found) in [
        ("3.97", "3.97.10"),
        ("3.97.9", "3.97.9"),
        ("3.97.11-preview1", "3.97.11.preview1"),
        ("3.971", "3.971.0"),
    ] {
        assert_eq!(host.preflight(wanted), host.passed(found, &folder(found)), "{wanted}");
    }
    let Said(outcome, problem, fix) = host.preflight("3.97.11");
    assert_eq!(
        (outcome.as_str(), problem.as_str()),
        ("failed", "Ruby 3.97.11 is not on this machine")
    );
    for version in ["3.97.9", "3.97.10", "3.97.11.preview1", "3.971.0", "4.97.12"] {
        let named = format!("{version} ({})", host.path(&folder(version)).display());
        assert!(fix.contains(&named), "{fix}");
    }
}

#[test]
fn a_placeholder_on_path_leads_to_the_ruby_that_it_stands_for() {
    let host = Host::new();
    host.ruby("bin", "3.97.4", "home/.rbenv/versions/3.97.4/bin", "unused");
    host.good_ruby("home/.rbenv/versions/3.97.4/bin", "3.97.4");
    let expected = host.passed("3.97.4", "home/.rbenv/versions/3.97.4/bin");
    assert_eq!(host.preflight("system"), expected);
    assert_eq!(host.preflight("3.97"), expected);
}

#[test]
fn an_old_ruby_is_refused() {
    for version in ["2.7.8", "3.0.6"] {
        let host = Host::new();
        host.good_ruby("bin", version);
        let Said(outcome, problem, _) = host.preflight("system");
        assert_eq!(outcome, "failed");
        assert!(problem.ends_with("is older than 3.1"), "{problem}");
    }
}

#[test]
fn missing_gems_are_installed_with_consent_only() {
    let host = Host::new();
    let folder = "home/.rubies/ruby-3.97.4/bin";
    host.ruby(folder, "3.97.4", folder, "lacks sqlite3, puma");
    let Said(outcome, problem, command) = host.preflight("3.97");
    assert_eq!(outcome, "needs_consent");
    let place = host.path(folder).join("ruby");
    assert_eq!(problem, format!("ruby 3.97.4 at {} lacks sqlite3, puma", place.display()));
    let gem = host.path(folder).join("gem");
    assert_eq!(command, format!("{} install --no-document rails sqlite3 puma", gem.display()));

    let installed = host.path(folder).join("ruby.gems");
    let refused = host.run("3.97", false, false);
    assert_eq!(refused.status.code(), Some(69));
    assert!(!installed.exists());

    let run = host.run("3.97", true, false);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success() && said.contains("rails 8.0.1"), "{said}");
    assert!(!std::fs::read_to_string(installed).unwrap().contains(TOKEN));
}

#[test]
fn without_ruby_and_without_debian_packages_it_says_what_to_install() {
    let host = Host::new();
    let Said(outcome, problem, fix) = host.preflight("system");
    assert_eq!((outcome.as_str(), problem.as_str()), ("failed", "no Ruby is on PATH"));
    assert!(fix.contains("gems rails sqlite3 puma"), "{fix}");
}

/// `apt-get` that fails at first, and then puts a Ruby on PATH.
fn with_packages(host: &Host, user: &str) {
    host.good_ruby("package", "3.91.2");
    let (log, bin) = (host.path("apt.log"), host.path("bin"));
    let body = format!(
        "echo \"$DEBIAN_FRONTEND apt-get $*\" >>'{log}'\n\
         env >>'{environment}'\n\
         case $* in *install*) ;; *) exit 0 ;; esac\n\
         if ! [ -e '{log}.failed' ]; then : >'{log}.failed'; exit 100; fi\n\
         sed 's,/package,/bin,' '{package}' >'{bin}/ruby'\n\
         mv '{package}' '{package}.old'; env chmod 755 '{bin}/ruby'",
        log = log.display(),
        environment = host.path("apt.environment").display(),
        package = host.path("package/ruby").display(),
        bin = bin.display(),
    );
    write_script(&bin.join("apt-get"), &body);
    write_script(&bin.join("dpkg"), "exit 0");
    for (tool, body) in [("sleep", "exit 0"), ("id", &*format!("echo {user}"))] {
        std::fs::remove_file(bin.join(tool)).unwrap();
        write_script(&bin.join(tool), body);
    }
    std::os::unix::fs::symlink("/bin/chmod", bin.join("chmod")).unwrap();
}

const INSTALL: &str =
    "apt-get install -y --no-install-recommends ruby ruby-rails ruby-sqlite3 puma";

#[test]
fn debian_packages_are_installed_with_consent_only() {
    let host = Host::new();
    with_packages(&host, "0");
    let Said(outcome, problem, command) = host.preflight("system");
    assert_eq!((outcome.as_str(), problem.as_str()), ("needs_consent", "no Ruby is on PATH"));
    assert_eq!(command, INSTALL);
    assert_eq!(host.run("system", false, false).status.code(), Some(69));
    assert!(!host.path("apt.log").exists(), "nothing was run without consent");

    let run = host.run("system", true, false);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let log = std::fs::read_to_string(host.path("apt.log")).unwrap();
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}{errors}{log}");
    assert!(said.ends_with(&format!("runs with {}\n", host.path("bin/ruby").display())), "{said}");
    let installs = log.lines().filter(|line| line.contains(" install ")).count();
    assert_eq!(installs, 2, "it is tried again: {log}");
    assert!(log.lines().all(|line| line.starts_with("noninteractive ")), "{log}");
    let environment = std::fs::read_to_string(host.path("apt.environment")).unwrap();
    assert!(!environment.contains(TOKEN));
}

#[test]
fn who_may_not_install_is_told_what_to_run() {
    let host = Host::new();
    with_packages(&host, "1000");
    let failed =
        Said("failed".to_owned(), "no Ruby is on PATH".to_owned(), format!("run: sudo {INSTALL}"));
    assert_eq!(host.preflight("system"), failed);
    // With sudo that asks nothing, consent is enough.
    write_script(&host.path("bin/sudo"), "[ \"$1\" = -n ] && shift && exec env -i \"$@\"");
    write_script(&host.path("bin/true"), "exit 0");
    let consent = Said(
        "needs_consent".to_owned(),
        "no Ruby is on PATH".to_owned(),
        format!("sudo {INSTALL}"),
    );
    assert_eq!(host.preflight("system"), consent);
}

#[test]
fn a_missing_tool_is_named() {
    let host = Host::new();
    std::fs::remove_file(host.path("bin/timeout")).unwrap();
    let output = host.run("system", false, true);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("failed\ttools\ttimeout is not on PATH\t"), "{said}");
    assert_eq!(said.lines().count(), 1);
    assert_eq!(host.run("system", false, false).status.code(), Some(69));
}

#[test]
fn what_steers_ruby_from_outside_does_not_reach_the_workload() {
    let mut host = Host::new();
    host.good_ruby("home/.rubies/ruby-3.97.4/bin", "3.97.4");
    write_script(&host.path("runner"), "env");
    for name in ["RUBYOPT", "BUNDLE_GEMFILE", "GEM_HOME"] {
        host.variables.push((name.to_owned(), "outside".into()));
    }
    let run = host.run("3.97", false, false);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success() && said.contains("RUN_ID="), "{said}");
    assert!(!said.contains("outside"), "{said}");
}
