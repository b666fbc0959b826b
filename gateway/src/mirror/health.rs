//! Whether staging is asked at all.
//!
//! Failures in a row turn it off for a pause, and so do wrong bytes; then one request tries it, and the pause
//! is over when that goes well. Who proves to be no staging is not asked again until somebody changes the settings.
//! There is no lock: the line would wait at it for the lane, which the system lets run last of all.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use super::config::Config;

/// Staging is asked.
const WELL: u64 = 0;
/// It is no staging.
const LOOP: u64 = u64::MAX;

/// Whether staging is asked. The lane alone notes how it went; the line asks from many threads.
#[derive(Debug)]
pub(super) struct Health {
    began: Instant,
    failures: AtomicU32,
    /// Answers in a row with wrong bytes.
    wrong: AtomicU32,
    /// [`WELL`], [`LOOP`], or until when it is left alone, in nanoseconds since `began`.
    until: AtomicU64,
    /// Whether a request that tries it is under way.
    trying: AtomicBool,
}

impl Health {
    pub(super) fn new(began: Instant) -> Self {
        Self {
            began,
            failures: AtomicU32::new(0),
            wrong: AtomicU32::new(0),
            until: AtomicU64::new(WELL),
            trying: AtomicBool::new(false),
        }
    }

    /// Whether one more request may go there, and then whether it is the one that tries staging.
    pub(super) fn admit(&self, now: Instant) -> Option<bool> {
        match self.until.load(Relaxed) {
            WELL => Some(false),
            LOOP => None,
            until if self.nanoseconds(now) < until || self.trying.swap(true, Relaxed) => None,
            _ => Some(true),
        }
    }

    /// Whether it is asked.
    pub(super) fn is_well(&self) -> bool {
        self.until.load(Relaxed) == WELL
    }

    /// Notes that it answered.
    pub(super) fn answered(&self) {
        if !self.is_loop() {
            self.reset();
        }
    }

    /// Notes that it failed; true when it is left alone from here on.
    pub(super) fn failed(&self, config: &Config, now: Instant) -> bool {
        self.counted(&self.failures, config.unhealthy_after, config, now)
    }

    /// Notes that its bytes were wrong; true when it is left alone from here on.
    pub(super) fn lied(&self, config: &Config, now: Instant) -> bool {
        self.failures.store(0, Relaxed);
        self.counted(&self.wrong, config.wrong_after, config, now)
    }

    fn counted(&self, row: &AtomicU32, most: u32, config: &Config, now: Instant) -> bool {
        let count = row.load(Relaxed).saturating_add(1);
        row.store(count, Relaxed);
        let was_well = self.is_well();
        let is_over = count >= most.max(1) && !self.is_loop();
        if is_over {
            self.until
                .store(self.nanoseconds(now + config.pause).clamp(WELL + 1, LOOP - 1), Relaxed);
        }
        self.trying.store(false, Relaxed);
        was_well && is_over
    }

    /// Notes that the request that had leave to try it never went there.
    pub(super) fn unused(&self) {
        self.trying.store(false, Relaxed);
    }

    /// Notes that it is no staging; true when that was not known.
    pub(super) fn looped(&self) -> bool {
        self.trying.store(false, Relaxed);
        self.until.swap(LOOP, Relaxed) != LOOP
    }

    /// Whether it is no staging.
    pub(super) fn is_loop(&self) -> bool {
        self.until.load(Relaxed) == LOOP
    }

    /// Forgets everything: another staging is asked.
    pub(super) fn reset(&self) {
        self.failures.store(0, Relaxed);
        self.wrong.store(0, Relaxed);
        self.until.store(WELL, Relaxed);
        self.trying.store(false, Relaxed);
    }

    fn nanoseconds(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_nanos()).unwrap_or(LOOP - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staging_is_left_alone_after_failures_in_a_row_and_tried_by_one_request() {
        let config = Config { unhealthy_after: 3, ..Config::default() };
        let now = Instant::now();
        let health = Health::new(now);
        assert!(!health.failed(&config, now));
        health.answered();
        assert!(!health.failed(&config, now) && !health.failed(&config, now));
        assert_eq!(health.admit(now), Some(false));
        assert!(health.failed(&config, now), "the third in a row");
        assert!(health.admit(now).is_none() && !health.is_well());
        let later = now + config.pause;
        assert_eq!(health.admit(later), Some(true));
        assert!(health.admit(later).is_none(), "one at a time");
        assert!(!health.failed(&config, later), "it was known");
        assert!(health.admit(later).is_none());
        let later = later + config.pause;
        assert_eq!(health.admit(later), Some(true));
        health.answered();
        assert!(health.is_well());
        assert_eq!([health.admit(later), health.admit(later)], [Some(false); 2]);
    }

    #[test]
    fn staging_is_left_alone_after_wrong_bytes_in_a_row_and_while_a_trial_has_them() {
        let config = Config { wrong_after: 2, ..Config::default() };
        let now = Instant::now();
        let health = Health::new(now);
        assert!(!health.lied(&config, now));
        health.answered();
        assert!(!health.lied(&config, now) && health.is_well(), "not in a row");
        assert!(health.lied(&config, now) && health.admit(now).is_none());
        let later = now + config.pause;
        assert_eq!(health.admit(later), Some(true));
        assert!(!health.lied(&config, later) && health.admit(later).is_none(), "it still does");
        let later = later + config.pause;
        assert_eq!(health.admit(later), Some(true));
        health.answered();
        assert!(health.is_well());
    }

    #[test]
    fn a_trial_that_never_went_there_does_not_count() {
        let config = Config { unhealthy_after: 1, ..Config::default() };
        let now = Instant::now();
        let health = Health::new(now);
        assert!(health.failed(&config, now));
        let later = now + config.pause;
        assert_eq!(health.admit(later), Some(true));
        health.unused();
        assert_eq!(health.admit(later), Some(true));
    }

    #[test]
    fn who_is_no_staging_is_never_asked_again() {
        let (config, now) = (Config::default(), Instant::now());
        let health = Health::new(now);
        assert!(health.looped() && !health.looped());
        health.answered();
        assert!(!health.failed(&config, now));
        assert!(health.admit(now + config.pause).is_none() && health.is_loop());
        health.reset();
        assert_eq!(health.admit(now), Some(false), "another is asked");
    }
}
