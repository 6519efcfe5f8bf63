//! `railsbench report`: writes the report of results that are on disk, and shows its figures.

use std::path::{Path, PathBuf};

use railsbench::id::RunId;
use railsbench::report::{self, Inputs, Report};
use serde_json::json;

use crate::args::ReportArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::render;

pub fn execute(args: &ReportArgs, output: &Output) -> Result<Exit, Failure> {
    let folder = find(&args.run, &args.results.results_dir)?;
    let report = Report::build(&Inputs::load(&folder)?)?;
    let files = report::write(&report, &folder)?;
    let paths = json!({"report_html": files.html, "report_json": files.json});
    output.show(&paths, || {
        format!("{}\nreport   {}", render::summary(&report), files.html.display())
    })?;
    Ok(Exit::Ok)
}

/// The folder itself, or that of the run of this name.
fn find(run: &Path, results_dir: &Path) -> Result<PathBuf, Failure> {
    if run.is_dir() {
        return Ok(run.to_owned());
    }
    // Only a run's id is looked for below the results; other text must not become a path there.
    let folder = run
        .to_str()
        .and_then(|text| RunId::new(text).ok())
        .map(|run_id| results_dir.join(run_id.as_str()));
    match folder {
        Some(folder) if folder.is_dir() => Ok(folder),
        Some(folder) => Err(Failure::usage(format!(
            "there are no results in {}; fetch them with: railsbench results {}",
            folder.display(),
            run.display()
        ))),
        None => Err(Failure::usage(format!(
            "{} is neither a folder nor the id of a run; name one of the two",
            run.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_found_by_folder_or_by_run() {
        let results = tempfile::tempdir().unwrap();
        let folder = results.path().join("nightly-1");
        std::fs::create_dir(&folder).unwrap();
        let found = |run: &Path| find(run, results.path()).map_err(|failure| failure.exit());
        assert_eq!(found(&folder), Ok(folder.clone()));
        assert_eq!(found(Path::new("nightly-1")), Ok(folder.clone()));
        for wrong in ["nightly-2", "../nightly-1", "-", ""] {
            assert_eq!(found(Path::new(wrong)), Err(Exit::Usage), "{wrong:?}");
        }
    }
}
