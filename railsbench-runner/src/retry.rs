//! Patience: tries a call again for as long as that may help.
//!
//! An unreachable server is weather. The caller decides how long is too long by dropping the
//! future; here nothing ever gives up on an error that may get better.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use crate::client::ClientError;

/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// How long to pause between tries: doubling, capped, and up to twice as long by chance, so that
/// a thousand runners that lost the same server do not come back in step.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    longest_pause: Duration,
    /// A server that asks for more is asked again after this.
    longest_retry_after: Duration,
}

impl Patience {
    /// Between the tries of a claim, an upload or a last word: up to 15 s, 30 with chance.
    pub const LONG: Self = Self {
        longest_pause: Duration::from_secs(15),
        longest_retry_after: Duration::from_mins(5),
    };

    /// Between the tries of a heartbeat: none is longer than a share of the interval, so that
    /// several fit into a lease.
    pub fn within(interval: Duration) -> Self {
        let longest_pause = (interval / 4).max(FIRST_PAUSE);
        Self { longest_pause, longest_retry_after: interval.max(longest_pause) }
    }

    /// Makes a call until it succeeds or fails in a way that will not get better.
    ///
    /// # Errors
    /// The first error that is final.
    pub async fn persist<T, F>(&self, call: impl FnMut() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(self.longest_pause)
            .without_max_times()
            .with_jitter()
            .with_jitter_seed(rand::random());
        call.retry(pauses)
            .when(ClientError::may_get_better)
            .adjust(|error, pause| self.at_least_as_told(error, pause))
            .notify(|error, pause| {
                tracing::warn!("{error}; next try in {:.1} s", pause.as_secs_f64());
            })
            .await
    }

    /// The pause, or the longer one that the server wants, within bounds.
    fn at_least_as_told(&self, error: &ClientError, pause: Option<Duration>) -> Option<Duration> {
        error.retry_after().map(|wanted| wanted.min(self.longest_retry_after)).max(pause)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn error(status: u16) -> ClientError {
        ClientError::from_status("claim", status, String::new(), None)
    }

    #[tokio::test]
    async fn goes_on_until_it_succeeds() {
        let tries = Cell::new(0);
        let answer = Patience::within(Duration::ZERO)
            .persist(|| async {
                tries.set(tries.get() + 1);
                if tries.get() < 4 { Err(error(503)) } else { Ok(tries.get()) }
            })
            .await;
        assert_eq!(answer.unwrap(), 4);
    }

    #[test]
    fn a_server_is_given_the_time_that_it_asks_for_within_bounds() {
        let told = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            ClientError::from_status("claim", 429, String::new(), retry_after)
        };
        let pause = Some(Duration::from_secs(5));
        let patience = Patience::within(Duration::from_secs(30));
        assert_eq!(patience.at_least_as_told(&error(503), pause), pause);
        assert_eq!(patience.at_least_as_told(&told(1), pause), pause);
        assert_eq!(patience.at_least_as_told(&told(20), pause), Some(Duration::from_secs(20)));
        assert_eq!(patience.at_least_as_told(&told(900), pause), Some(Duration::from_secs(30)));
        let long = Patience::LONG.at_least_as_told(&told(900), pause);
        assert_eq!(long, Some(Duration::from_mins(5)));
    }

    #[tokio::test]
    async fn a_final_error_ends_it_at_once() {
        let tries = Cell::new(0);
        let answer = Patience::LONG
            .persist(|| async {
                tries.set(tries.get() + 1);
                Err::<(), _>(error(403))
            })
            .await;
        assert_eq!(answer.unwrap_err().rejected_status(), Some(403));
        assert_eq!(tries.get(), 1);
    }
}
