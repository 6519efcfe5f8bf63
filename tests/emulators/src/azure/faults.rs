//! What can go wrong, on demand.

use super::answer::{Answer, Request};

/// What goes wrong with a call.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// It is answered so, and has no effect.
    Refuse(Answer),
    /// It has its effect, and no answer comes.
    Silence,
    /// It is accepted, and what it begins fails with this code and message.
    FailLater(&'static str, &'static str),
}

/// Something that goes wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The method, in capitals.
    pub method: &'static str,
    /// Only calls whose path ends so or, with a trailing `*`, contains it.
    pub path: &'static str,
    /// What goes wrong.
    pub trouble: Trouble,
    /// How many calls it meets.
    pub times: u32,
}

impl Fault {
    /// A refusal of one call.
    pub fn refuse(method: &'static str, path: &'static str, answer: Answer) -> Self {
        Self { method, path, trouble: Trouble::Refuse(answer), times: 1 }
    }

    /// The same for so many calls.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    pub(super) fn meets(&self, request: &Request) -> bool {
        let here = match self.path.strip_suffix('*') {
            Some(part) => request.path.contains(part),
            None => request.path.ends_with(self.path),
        };
        self.times > 0 && self.method == request.method && here
    }
}
