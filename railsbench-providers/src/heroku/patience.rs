//! Waiting for what takes a while at Heroku.

use std::time::Duration;

use tokio::time::Instant;

/// How long and how often to look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Longest to wait.
    pub(super) longest: Duration,
    /// How long to wait between two looks.
    pub(super) every: Duration,
}

impl Patience {
    /// Begins to wait.
    pub(super) fn begin(self) -> Waiting {
        Waiting { until: Instant::now() + self.longest, every: self.every }
    }
}

/// A wait that has begun.
#[derive(Debug)]
pub(super) struct Waiting {
    until: Instant,
    every: Duration,
}

impl Waiting {
    /// Waits for the next look; `false` if there is to be none.
    pub(super) async fn next_look(&self) -> bool {
        let now = Instant::now();
        if now >= self.until {
            return false;
        }
        tokio::time::sleep_until(self.until.min(now + self.every)).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_is_a_last_look_at_the_end() {
        let patience =
            Patience { longest: Duration::from_millis(5), every: Duration::from_hours(1) };
        let waiting = patience.begin();
        assert!(waiting.next_look().await);
        assert!(!waiting.next_look().await);
    }
}
