//! What was looked at, a line each, with the fix below what is not as it must be.

use std::fmt::Write;

use railsbench::provider::{Check, Outcome, Setting, SettingState};

/// How far lines are indented.
const INDENT: &str = "  ";

/// One thing that was looked at.
pub struct Finding {
    mark: char,
    name: String,
    text: String,
    fix: Option<String>,
}

impl From<&Check> for Finding {
    fn from(check: &Check) -> Self {
        let (mark, text, fix) = match &check.outcome {
            Outcome::Passed { detail } => ('✓', detail.clone(), None),
            Outcome::NeedsConsent { problem, command } => {
                ('!', problem.clone(), Some(format!("`railsbench run --yes` runs: {command}")))
            }
            Outcome::Failed { problem, fix } => ('✗', problem.clone(), Some(fix.clone())),
        };
        Self { mark, name: check.name.clone(), text, fix }
    }
}

impl From<&Setting> for Finding {
    fn from(setting: &Setting) -> Self {
        let (mark, text, fix) = match &setting.state {
            SettingState::Found { detail } => ('✓', detail.clone(), None),
            SettingState::Unasked { detail } => {
                ('?', format!("{detail}, which is asked at the first call"), None)
            }
            SettingState::Missing { problem, fix } => ('✗', problem.clone(), Some(fix.clone())),
        };
        Self { mark, name: setting.name.clone(), text, fix }
    }
}

/// The findings as lines, their texts below each other.
pub fn lines(findings: impl IntoIterator<Item = impl Into<Finding>>) -> String {
    let findings: Vec<Finding> = findings.into_iter().map(Into::into).collect();
    let width = findings.iter().map(|finding| finding.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { mark, name, text: found, fix } in findings {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{INDENT}{mark} {name:width$}  {found}");
        if let Some(fix) = fix {
            let _ = writeln!(text, "{INDENT}  {:width$}  → {fix}", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_below_each_other_and_fixes_below_their_texts() {
        let check = |name: &str, outcome| Check { name: name.to_owned(), outcome };
        let text = |text: &str| text.to_owned();
        let checks = [
            check("a", Outcome::Passed { detail: text("well") }),
            check("long", Outcome::Failed { problem: text("ill"), fix: text("heal it") }),
            check("c", Outcome::NeedsConsent { problem: text("absent"), command: text("get it") }),
        ];
        let expected = "  ✓ a     well\n  ✗ long  ill\n          → heal it\n  ! c     absent\n          \
                        → `railsbench run --yes` runs: get it\n";
        assert_eq!(lines(&checks), expected);
        let setting = Setting::unasked("credentials", "the role of this instance");
        let expected =
            "  ? credentials  the role of this instance, which is asked at the first call\n";
        assert_eq!(lines([&setting]), expected);
    }
}
