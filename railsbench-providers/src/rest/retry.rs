//! How often and how long a call is tried.

use std::time::Duration;

use jiff::Timestamp;

/// How often and how long a call is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Most attempts at one call, at least 1.
    pub attempts: u32,
    /// Wait after the first attempt; it doubles with each further one.
    pub first_wait: Duration,
    /// Longest wait of our own choice. The cloud may ask for more.
    pub longest_wait: Duration,
    /// Longest wait that is granted when the cloud asks for one; beyond it the call fails, and
    /// its error says for how long the cloud wants to be left alone.
    pub longest_asked: Duration,
    /// How long one attempt may take, the answer read to its end.
    pub attempt_timeout: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 7,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(20),
            longest_asked: Duration::from_mins(2),
            attempt_timeout: Duration::from_mins(1),
        }
    }
}

impl RetryPolicy {
    /// How long to wait after attempt number `attempt`, counted from 1; `None` to give up.
    /// `asked` is what the cloud wants, and `spread` a random number from 0 to 1 that keeps
    /// clients from coming back all at once.
    pub fn wait(&self, attempt: u32, asked: Option<Duration>, spread: f64) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let spread = spread.clamp(0.0, 1.0);
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1).min(16));
        let own = self.first_wait.saturating_mul(doubled).min(self.longest_wait);
        let own = own.mul_f64(0.5 + spread / 2.0);
        match asked {
            None => Some(own),
            Some(asked) if asked > self.longest_asked => None,
            // Never earlier than asked.
            Some(asked) => Some(asked.max(own)),
        }
    }
}

/// Reads a `Retry-After` field, which holds seconds or a date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let policy = RetryPolicy { attempts: 9, ..RetryPolicy::default() };
        let waits: Vec<u64> = (1..9)
            .map(|attempt| {
                let wait = policy.wait(attempt, None, 1.0).unwrap();
                u64::try_from(wait.as_millis()).unwrap()
            })
            .collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
        assert_eq!(policy.wait(9, None, 1.0), None);
        assert_eq!(policy.wait(1, None, 0.0), Some(Duration::from_millis(250)));
    }

    #[test]
    fn what_the_cloud_asks_for_is_granted_within_bounds() {
        let policy = RetryPolicy::default();
        let asked = |seconds| policy.wait(1, Some(Duration::from_secs(seconds)), 0.3);
        assert_eq!(asked(30), Some(Duration::from_secs(30)));
        assert!(asked(0).unwrap() > Duration::ZERO, "a cloud that says 0 is not hammered");
        assert_eq!(asked(3600), None);
    }

    #[test]
    fn both_forms_of_retry_after_are_read() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        assert_eq!(retry_after(" 17 ", now), Some(Duration::from_secs(17)));
        let date = "Tue, 24 Nov 2026 10:01:30 GMT";
        assert_eq!(retry_after(date, now), Some(Duration::from_secs(90)));
        let past = "Tue, 24 Nov 2026 09:00:00 GMT";
        assert_eq!(retry_after(past, now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
    }

    proptest::proptest! {
        #[test]
        fn no_wait_is_out_of_bounds(attempt in 0..u32::MAX, spread in -1.0..2.0_f64) {
            let policy = RetryPolicy { attempts: u32::MAX, ..RetryPolicy::default() };
            let wait = policy.wait(attempt, None, spread).unwrap();
            proptest::prop_assert!(wait >= Duration::from_millis(250));
            proptest::prop_assert!(wait <= policy.longest_wait);
        }
    }
}
