//! What was found before anything is made.

use serde::{Deserialize, Serialize};

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It is as it must be.
    Passed {
        /// What was found.
        detail: String,
    },
    /// It can be put right by railsbench, if the operator agrees.
    NeedsConsent {
        /// What is missing.
        problem: String,
        /// What railsbench would run.
        command: String,
    },
    /// It must be put right by the operator.
    Failed {
        /// What is wrong.
        problem: String,
        /// How to put it right.
        fix: String,
    },
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// What was found.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Check {
    /// Whether all is as it must be.
    pub fn has_passed(&self) -> bool {
        matches!(self.outcome, Outcome::Passed { .. })
    }
}

/// Everything that was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preflight {
    /// In the order they were made.
    pub checks: Vec<Check>,
}

impl Preflight {
    /// The looks that the operator must act on.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Failed { .. }))
    }

    /// The looks that railsbench can put right with the operator's consent.
    pub fn consents(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| matches!(check.outcome, Outcome::NeedsConsent { .. }))
    }
}
