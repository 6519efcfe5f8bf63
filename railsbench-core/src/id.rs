//! The names of things: newtypes that are valid by construction.
//!
//! A [`RunId`] or [`InstanceType`] that exists has passed its grammar, so it can be used in a
//! path, a label or a script without another look. Parsing happens once, at the edge.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// Why a text is not a valid identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {value:?} is not valid: {rule}")]
pub struct InvalidId {
    /// What the text was meant to be, e.g. `run id`.
    pub kind: &'static str,
    /// The offending text, shortened to 80 characters.
    pub value: String,
    /// The rule it breaks, in words.
    pub rule: &'static str,
}

fn is_word(text: &str, max: usize, extra: &[char]) -> bool {
    text.len() <= max
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(&c))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $accept:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        pub struct $name(String);

        impl $name {
            /// Parses the identifier.
            ///
            /// # Errors
            /// [`InvalidId`] naming the rule that the text breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                let accept: fn(&str) -> bool = $accept;
                if accept(&text) {
                    Ok(Self(text))
                } else {
                    Err(InvalidId { kind: $kind, value: text.chars().take(80).collect(), rule: $rule })
                }
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id!(
    /// A run, named by the operator or generated: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
    RunId, "run id",
    "it must be 1 to 64 characters of A-Z a-z 0-9 . _ - and start with a letter or digit",
    |text| is_word(text, 64, &['.', '_', '-'])
);

text_id!(
    /// A task: a ULID, 26 characters of Crockford base32.
    TaskId, "task id", "it must be a ULID, 26 characters of Crockford base32",
    |text| text.len() == 26 && ulid::Ulid::from_string(text).is_ok()
);

text_id!(
    /// A provider, e.g. `aws` or `local`: `[a-z][a-z0-9-]{0,31}`.
    ProviderName, "provider",
    "it must be 1 to 32 characters of a-z 0-9 - and start with a letter",
    |text| text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
);

text_id!(
    /// An instance type in its cloud's own spelling, e.g. `c7g.medium`, `Standard_D2ps_v5`, `host`.
    InstanceType, "instance type",
    "it must be 1 to 64 characters of A-Z a-z 0-9 . _ - and start with a letter or digit",
    |text| is_word(text, 64, &['.', '_', '-'])
);

text_id!(
    /// A container image, e.g. `ruby:3.3.0-slim` or `registry.example.com/ruby@sha256:…`.
    ImageName, "container image",
    "it must be 1 to 256 characters of A-Z a-z 0-9 . _ : / @ - and start with a letter or digit",
    |text| is_word(text, 256, &['.', '_', ':', '/', '@', '-'])
);

text_id!(
    /// A name the operator gives to an instance type in one run; also a folder name in results.
    Alias, "alias",
    "it must be 1 to 64 characters of A-Z a-z 0-9 . _ - and start with a letter or digit",
    |text| is_word(text, 64, &['.', '_', '-'])
);

text_id!(
    /// One runner process, chosen by it or made by the server: `[A-Za-z0-9][A-Za-z0-9._:-]{0,127}`.
    RunnerId, "runner id",
    "it must be 1 to 128 characters of A-Z a-z 0-9 . _ : - and start with a letter or digit",
    |text| is_word(text, 128, &['.', '_', ':', '-'])
);

text_id!(
    /// A person or program that an orchestrator's token is for:
    /// `[A-Za-z0-9][A-Za-z0-9._@-]{0,63}`.
    TokenName, "token name",
    "it must be 1 to 64 characters of A-Z a-z 0-9 . _ @ - and start with a letter or digit",
    |text| is_word(text, 64, &['.', '_', '@', '-'])
);

text_id!(
    /// One machine in its provider's own naming, e.g. an EC2 instance id or a process group.
    MachineId, "machine id",
    "it must be 1 to 512 printable ASCII characters without spaces",
    |text| !text.is_empty() && text.len() <= 512 && text.chars().all(|c| c.is_ascii_graphic())
);

/// Crockford's base32 alphabet in lower case.
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl RunId {
    /// Makes a run id of 10 Crockford base32 characters from 50 of the given random bits.
    ///
    /// Ten characters, because `railsbencher-runner-<id>` is then exactly the 30 that Heroku
    /// allows in an app name.
    pub fn from_random(bits: u64) -> Self {
        let text = (0..10)
            .map(|i| char::from(CROCKFORD[usize::try_from((bits >> (5 * i)) & 31).unwrap_or(0)]))
            .collect();
        Self(text)
    }
}

impl TaskId {
    /// Makes a task id from a time in milliseconds since 1970 and random bits, so that ids
    /// made later sort later.
    pub fn from_parts(unix_milliseconds: u64, random: u128) -> Self {
        Self(ulid::Ulid::from_parts(unix_milliseconds, random).to_string())
    }
}

/// The fencing number of a task: 0 before the first claim, one more with each claim.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attempt(pub u32);

impl Attempt {
    /// The attempt after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_accept_what_the_protocol_says() {
        for good in ["1732470000", "a", "A.b_c-d", &"x".repeat(64)] {
            assert_eq!(RunId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", ".a", "a/b", "a b", "ä", &"x".repeat(65), "a\n"] {
            assert!(RunId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn generated_run_ids_are_ten_lower_case_characters() {
        for bits in [0, u64::MAX, 0x1234_5678_9abc_def0] {
            let id = RunId::from_random(bits);
            assert_eq!(id.as_str().len(), 10);
            assert!(RunId::new(id.as_str()).is_ok());
            assert_eq!(id.as_str(), id.as_str().to_lowercase());
        }
    }

    #[test]
    fn task_ids_sort_by_time() {
        let early = TaskId::from_parts(1, u128::MAX >> 48);
        let late = TaskId::from_parts(2, 0);
        assert!(early < late);
        assert!(TaskId::new(early.as_str()).is_ok());
        assert!(TaskId::new("not-a-ulid").is_err());
    }

    #[test]
    fn ids_are_checked_when_deserialized() {
        assert!(serde_json::from_str::<ProviderName>("\"aws\"").is_ok());
        let error = serde_json::from_str::<ProviderName>("\"AWS\"").unwrap_err();
        assert!(error.to_string().contains("provider"), "{error}");
    }
}
