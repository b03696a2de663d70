//! How long to wait before a request is repeated.

use std::time::{Duration, Instant};

use ring::rand::{SecureRandom as _, SystemRandom};

use super::failure::{CoderFailure, FailureCause};

/// The first pause; each one is twice as long as the one before.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(15);
/// Coder's rate limit is per minute, and its `Retry-After` is 60 seconds.
const RATE_LIMIT: Duration = Duration::from_secs(75);

/// The pauses of one request.
pub struct Pace {
    next: Duration,
    /// What may still be spent on pauses.
    left: Duration,
    /// No request is sent after it: each may itself take long.
    end: Instant,
    /// What may still be spent on waiting that the server asks for.
    for_rate_limit: Duration,
}

impl Pace {
    pub fn new(patience: Duration) -> Self {
        let end = Instant::now() + patience;
        Self { next: FIRST, left: patience, end, for_rate_limit: RATE_LIMIT.max(patience) }
    }

    /// The pause before the request is sent again. `None`: it is given up.
    pub fn pause(&mut self, failure: &CoderFailure) -> Option<Duration> {
        if let FailureCause::Refused(refusal) = &failure.cause
            && let Some(wanted) = refusal.retry_after
        {
            let wanted = wanted + part(Duration::from_secs(1));
            self.for_rate_limit = self.for_rate_limit.checked_sub(wanted)?;
            self.end += wanted;
            return Some(wanted);
        }
        let pause = self.next / 2 + part(self.next / 2);
        if Instant::now() + pause > self.end {
            return None;
        }
        self.left = self.left.checked_sub(pause)?;
        self.next = (self.next * 2).min(LONGEST);
        Some(pause)
    }
}

/// A random part of a duration: clients that failed together do not come back together.
fn part(whole: Duration) -> Duration {
    let mut byte = [0];
    let _ = SystemRandom::new().fill(&mut byte);
    whole * u32::from(byte.first().copied().unwrap_or_default()) / 256
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coder::failure::CoderRefusal;
    use serde_json::json;

    fn failure(retry_after: Option<u64>) -> CoderFailure {
        let retry_after = retry_after.map(Duration::from_secs);
        let refusal = CoderRefusal::of(429, &json!({"message": "rate limited"}), retry_after);
        CoderFailure { request: String::new(), cause: FailureCause::Refused(Box::new(refusal)) }
    }

    #[test]
    fn pauses_grow_and_end() {
        let mut pace = Pace::new(Duration::from_secs(15));
        let mut all = Vec::new();
        while let Some(pause) = pace.pause(&failure(None)) {
            all.push(pause);
        }
        let spent: Duration = all.iter().sum();
        assert!(spent <= Duration::from_secs(15) && all.len() >= 5, "{all:?}");
        // the requests between them take time too
        let mut over = Pace { end: Instant::now(), ..Pace::new(Duration::from_secs(15)) };
        assert_eq!(over.pause(&failure(None)), None);
        assert!(all.iter().zip(all.iter().skip(2)).all(|(earlier, later)| earlier < later));
    }

    #[test]
    fn what_the_server_asks_for_is_honoured_within_bounds() {
        let mut pace = Pace::new(Duration::from_secs(1));
        let first = pace.pause(&failure(Some(60))).unwrap();
        assert!(first >= Duration::from_secs(60) && first <= Duration::from_secs(61));
        assert_eq!(pace.pause(&failure(Some(60))), None);
        assert_eq!(Pace::new(Duration::from_secs(1)).pause(&failure(Some(3600))), None);
    }
}
