//! What runners say: a log for each attempt at a task, of which heartbeats carry what is new.

use serde::{Deserialize, Serialize};

use crate::id::Attempt;

/// Most bytes of a log that one heartbeat carries.
pub const MAX_LOG_TEXT: usize = 16 << 10;

/// A part of what was said during an attempt.
///
/// Places in a log are counted in bytes of UTF-8 from where the runner began to count; it goes on
/// counting from one attempt to its next. What lies between two parts of one attempt is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogPart {
    /// The attempt.
    pub attempt: Attempt,
    /// Where the text begins.
    pub offset: u64,
    /// The text.
    pub text: String,
}

impl LogPart {
    /// Where the text ends.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.text.len() as u64)
    }

    /// The same without what lies before `place`; `None` if nothing lies after it.
    #[must_use]
    pub fn after(mut self, place: u64) -> Option<Self> {
        if self.end() <= place {
            return None;
        }
        let known = usize::try_from(place.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let known = self.text.ceil_char_boundary(known);
        self.offset += known as u64;
        self.text.drain(..known);
        Some(self)
    }
}

/// `GET /tasks/{id}/log`: the end of what was said during the latest attempts at a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskLog {
    /// By attempt and place.
    pub parts: Vec<LogPart>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(offset: u64, text: &str) -> LogPart {
        LogPart { attempt: Attempt(1), offset, text: text.to_owned() }
    }

    #[test]
    fn what_is_known_is_cut_off() {
        assert_eq!(part(10, "abc").after(13), None);
        assert_eq!(part(10, "abc").after(11), Some(part(11, "bc")));
        assert_eq!(part(10, "abc").after(3), Some(part(10, "abc")));
        assert_eq!(part(10, "äbc").after(11), Some(part(12, "bc")), "characters stay whole");
        assert_eq!(part(u64::MAX, "abc").after(0), Some(part(u64::MAX, "abc")));
    }
}
