//! What can go wrong at Heroku and on the way to it.

/// How a call goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// It is refused and has no effect.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// Heroku's word for it, e.g. `rate_limit`.
        id: &'static str,
        /// What it says.
        message: &'static str,
        /// Seconds to wait.
        retry_after: Option<u64>,
    },
    /// It has its effect, and its answer is lost.
    LoseAnswer,
    /// It has no effect, and is not answered.
    Swallow,
    /// The process that called is killed before the effect.
    KillBefore(u32),
    /// The process that called is killed after the effect.
    KillAfter(u32),
}

/// A fault that waits for its call.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Method and part of the path, e.g. `POST /apps`; empty for every call.
    pub call: &'static str,
    /// How many such calls go well before.
    pub after: usize,
    /// How many such calls go wrong then.
    pub times: usize,
    /// How.
    pub kind: Kind,
}

impl Fault {
    /// The next call of a kind is refused.
    pub fn refuse(
        call: &'static str,
        status: u16,
        id: &'static str,
        message: &'static str,
    ) -> Self {
        let kind = Kind::Refuse { status, id, message, retry_after: None };
        Self { call, after: 0, times: 1, kind }
    }

    /// The same for every such call.
    #[must_use]
    pub fn always(self) -> Self {
        Self { times: usize::MAX, ..self }
    }

    /// Whether this call is the one that goes wrong. Counts it.
    pub(super) fn strikes(&mut self, method: &str, path: &str) -> bool {
        let (wanted, part) = self.call.split_once(' ').unwrap_or((self.call, ""));
        let meant = (wanted.is_empty() || wanted == method)
            && part
                .strip_suffix('$')
                .map_or_else(|| path.contains(part), |end| path.ends_with(end));
        if !meant {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        if self.times == 0 {
            return false;
        }
        self.times -= 1;
        true
    }
}
