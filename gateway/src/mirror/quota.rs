//! How much may be copied: requests, bytes and searches of the network, by the second.
//!
//! Of the requests a fifth is divided among the places that bytes come from, so that a flood of hits
//! leaves room for the rare request that went to the network; the rest belongs to everybody. The lock is
//! the line's alone: what the lane notes is beside it, so that nobody waits for the lane.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;
use telemetry::metrics::Label;

use super::config::Config;
use super::words::Dropped;
use crate::outcome::Source;

/// The part of requests that is kept for places that bytes come from.
const KEPT: f64 = 0.2;

/// A bucket that fills by the second and holds what one second brings.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    rate: f64,
    level: f64,
}

impl Bucket {
    fn new(rate: f64) -> Self {
        // What comes less than once a second comes whole for all that.
        Self { rate, level: rate.max(1.0).min(rate * 1e9) }
    }

    fn fill(&mut self, seconds: f64) {
        self.level = (self.level + self.rate * seconds).min(self.rate.max(1.0));
    }

    fn take(&mut self) -> bool {
        let has = self.level >= 1.0;
        if has {
            self.level -= 1.0;
        }
        has
    }
}

/// What may be copied.
#[derive(Debug)]
pub(super) struct Quota {
    left: Mutex<Left>,
    /// Bytes that came since somebody last took room.
    spent: AtomicU64,
}

/// What is left of this second.
#[derive(Debug)]
struct Left {
    filled: Instant,
    common: Bucket,
    of_source: [Bucket; Source::ALL.len()],
    fetches: Bucket,
    /// Bytes are known only afterwards, so that this one may be overdrawn; nothing is given until it
    /// is filled again.
    bytes: Bucket,
}

impl Quota {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        Self { left: Mutex::new(Left::new(config, now)), spent: AtomicU64::new(0) }
    }

    /// Takes other rates, and has a whole second of them left.
    pub(super) fn set(&self, config: &Config, now: Instant) {
        *self.left.lock() = Left::new(config, now);
    }

    /// Takes the room for one request whose bytes came from there; or says what there is too much of.
    pub(super) fn take(&self, source: Source, now: Instant) -> Result<(), Dropped> {
        let mut left = self.left.lock();
        left.bytes.level -= self.spent.swap(0, Relaxed) as f64;
        left.take(source, now)
    }

    /// Notes bytes that came.
    pub(super) fn spent(&self, bytes: u64) {
        self.spent.fetch_add(bytes, Relaxed);
    }
}

impl Left {
    fn new(config: &Config, now: Instant) -> Self {
        let kept = config.requests_per_second * KEPT;
        let each = kept / Source::ALL.len() as f64;
        Self {
            filled: now,
            common: Bucket::new(config.requests_per_second - kept),
            of_source: [Bucket::new(each); Source::ALL.len()],
            fetches: Bucket::new(config.fetches_per_second),
            bytes: Bucket::new(config.bytes_per_second.as_u64() as f64),
        }
    }

    fn take(&mut self, source: Source, now: Instant) -> Result<(), Dropped> {
        let seconds = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        for bucket in &mut self.of_source {
            bucket.fill(seconds);
        }
        self.common.fill(seconds);
        self.fetches.fill(seconds);
        self.bytes.fill(seconds);
        if self.bytes.level <= 0.0 {
            return Err(Dropped::Bytes);
        }
        if source == Source::Network && !self.fetches.take() {
            return Err(Dropped::Fetches);
        }
        if self.of_source[Label::index(source)].take() || self.common.take() {
            return Ok(());
        }
        Err(Dropped::Requests)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytesize::ByteSize;

    use super::*;

    fn quota(now: Instant) -> Quota {
        let config = Config {
            requests_per_second: 200.0,
            fetches_per_second: 2.0,
            bytes_per_second: ByteSize::b(1000),
            ..Config::default()
        };
        Quota::new(&config, now)
    }

    fn taken(quota: &Quota, source: Source, now: Instant) -> usize {
        (0..1000).take_while(|_| quota.take(source, now).is_ok()).count()
    }

    #[test]
    fn a_flood_of_hits_leaves_room_for_what_is_rare() {
        let now = Instant::now();
        let quota = quota(now);
        assert_eq!(taken(&quota, Source::Hit, now), 170);
        assert_eq!(quota.take(Source::Hit, now), Err(Dropped::Requests));
        assert_eq!(taken(&quota, Source::Pool, now), 10);
        // A second later as much is there again, and no more after an hour.
        let later = now + Duration::from_secs(1);
        assert_eq!(taken(&quota, Source::Hit, later), 170);
        let later = now + Duration::from_secs(3600);
        assert_eq!(taken(&quota, Source::Hit, later), 170);
    }

    #[test]
    fn searches_of_the_network_are_bounded_apart() {
        let now = Instant::now();
        let quota = quota(now);
        assert_eq!(taken(&quota, Source::Network, now), 2);
        assert_eq!(quota.take(Source::Network, now), Err(Dropped::Fetches));
        assert_eq!(quota.take(Source::Pool, now), Ok(()));
    }

    #[test]
    fn bytes_are_paid_afterwards() {
        let now = Instant::now();
        let quota = quota(now);
        assert_eq!(quota.take(Source::Hit, now), Ok(()));
        quota.spent(3500);
        assert_eq!(quota.take(Source::Hit, now), Err(Dropped::Bytes));
        let soon = now + Duration::from_secs(2);
        assert_eq!(quota.take(Source::Hit, soon), Err(Dropped::Bytes));
        assert_eq!(quota.take(Source::Hit, soon + Duration::from_secs(1)), Ok(()));
    }

    #[test]
    fn a_rate_of_nothing_gives_nothing() {
        let now = Instant::now();
        let config = Config { requests_per_second: 0.0, ..Config::default() };
        let quota = Quota::new(&config, now);
        let hour = now + Duration::from_secs(3600);
        assert_eq!(quota.take(Source::Hit, hour), Err(Dropped::Requests));
    }
}
