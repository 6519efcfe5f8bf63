//! What a real shell makes of the variables in a start-up script.

use std::process::{Command, Stdio};

use railsbench_core::provider::{UserData, UserDataVars};
use secrecy::ExposeSecret;

/// The five that every runner is told, in the spelling that is the same everywhere.
pub const VARIABLES: [&str; 5] =
    ["ORCHESTRATOR_URL", "API_KEY", "RUN_ID", "PROVIDER", "INSTANCE_TYPE"];

/// Values that break out of a script that quotes them carelessly. Each would leave a file called
/// `broken` if a part of it were run.
pub const HOSTILE: [&str; 16] = [
    r#""; touch broken; ""#,
    r"'; touch broken; '",
    "$(touch broken)",
    "`touch broken`",
    r"\$(touch broken)",
    r"\\`touch broken`\\",
    r#"\"; touch broken; \""#,
    "a\\",
    "$HOME ${HOME} $$ $1 $?",
    "{{api_key}} {{sh api_key}} &quot; &lt;",
    "!! * ? [a-z] ~ # not a comment",
    "& touch broken & | ; > broken",
    "%s %n %%",
    "- -n --help",
    "é \u{1f980} \u{2028}",
    "'\"'\"'$(touch broken)'\"'\"'",
];

/// What the variables must be.
pub(crate) fn values(vars: &UserDataVars) -> [&str; 5] {
    [
        &vars.orchestrator_url,
        vars.api_key.expose_secret(),
        vars.run_id.as_str(),
        vars.provider.as_str(),
        vars.instance_type.as_str(),
    ]
}

/// The lines of the script that set the five, each of which must be there once.
pub(super) fn assignments(script: &str) -> Result<Vec<&str>, String> {
    VARIABLES
        .iter()
        .map(|name| {
            let start = format!("{name}=");
            let mut lines =
                script.lines().map(str::trim_start).filter(|line| line.starts_with(&start));
            match (lines.next(), lines.next()) {
                (Some(line), None) if line[start.len()..].starts_with('"') => Ok(line),
                (Some(_), None) => Err(format!("{name} is not in double quotes")),
                (None, _) => Err(format!("no line sets {name}")),
                (Some(_), Some(_)) => Err(format!("several lines set {name}")),
            }
        })
        .collect()
}

/// Has `sh` run the assignments and say what the variables are; refuses if anything else was run.
pub(crate) fn read_back(data: &UserData) -> Result<Vec<String>, String> {
    let lines = assignments(data.expose())?.join("\n");
    let printed: Vec<String> = VARIABLES.iter().map(|name| format!("\"${name}\"")).collect();
    let script = format!("{lines}\nprintf '%s\\0' {}", printed.join(" "));
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let output = Command::new("sh")
        .arg("-c")
        .arg(script)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("sh cannot be run: {error}"))?;
    if folder.path().join("broken").exists() {
        return Err("a part of a value was run".to_owned());
    }
    if !output.status.success() {
        return Err(format!("sh says: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.split_terminator('\0').map(str::to_owned).collect())
}
