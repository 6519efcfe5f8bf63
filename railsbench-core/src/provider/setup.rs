//! What a provider finds of its own settings before it calls anyone.

use serde::{Deserialize, Serialize};

/// What is known of a setting without a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SettingState {
    /// It is there.
    Found {
        /// Where it was found, or its value if that is no secret.
        detail: String,
    },
    /// It may be there, but only a call tells.
    Unasked {
        /// Who would be asked.
        detail: String,
    },
    /// It is not there, and without it the provider cannot be used.
    Missing {
        /// What was looked for.
        problem: String,
        /// How to put it right.
        fix: String,
    },
}

/// One thing that a provider has to know before it can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// What, e.g. `credentials`.
    pub name: String,
    /// Whether it is there.
    #[serde(flatten)]
    pub state: SettingState,
}

impl Setting {
    /// One that is there: where, or its value if that is no secret.
    pub fn found(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state: SettingState::Found { detail: detail.into() } }
    }

    /// One that only a call can find: who would be asked.
    pub fn unasked(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state: SettingState::Unasked { detail: detail.into() } }
    }

    /// One that is not there.
    pub fn missing(name: &str, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        let state = SettingState::Missing { problem: problem.into(), fix: fix.into() };
        Self { name: name.to_owned(), state }
    }
}

/// What a provider finds of its settings on this host, in its environment and its files. It holds
/// no secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// In the order in which they matter; none if the provider needs none.
    pub settings: Vec<Setting>,
}

impl Setup {
    /// Whether all is there that can be found without a call.
    pub fn is_complete(&self) -> bool {
        !self.settings.iter().any(|setting| matches!(setting.state, SettingState::Missing { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_makes_a_setup_incomplete() {
        let mut setup = Setup::default();
        assert!(setup.is_complete());
        setup.settings.push(Setting::found("region", "AWS_REGION: eu-west-1"));
        setup.settings.push(Setting::unasked("credentials", "the role of this instance"));
        assert!(setup.is_complete());
        setup.settings.push(Setting::missing("project", "none is named", "name one"));
        assert!(!setup.is_complete());
    }
}
