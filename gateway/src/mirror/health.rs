//! Whether staging is asked at all.
//!
//! Failures in a row turn it off for a pause, and so do wrong bytes; then one request in each pause tries it,
//! until that goes well: whoever asked for it may take an hour, or leave. Who proves to be no staging is not
//! asked again until somebody changes the settings.
//! There is no lock: the line would wait at it for the lane, which the system lets run last of all.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::config::Config;

/// Requests at once to a staging that fails.
const FEW: usize = 4;
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
}

impl Health {
    pub(super) fn new(began: Instant) -> Self {
        Self {
            began,
            failures: AtomicU32::new(0),
            wrong: AtomicU32::new(0),
            until: AtomicU64::new(WELL),
        }
    }

    /// Whether one more request may go there; after a pause, one may, and the next pause begins.
    pub(super) fn admit(&self, pause: Duration, now: Instant) -> bool {
        match self.until.load(Relaxed) {
            WELL => true,
            LOOP => false,
            until if self.nanoseconds(now) < until => false,
            until => {
                let next = self.after(pause, now);
                self.until.compare_exchange(until, next, Relaxed, Relaxed).is_ok()
            }
        }
    }

    /// Whether it is asked.
    pub(super) fn is_well(&self) -> bool {
        self.until.load(Relaxed) == WELL
    }

    /// How many requests may be there at once: few while it fails, so that one that has just fallen ill is not
    /// found out by a crowd, which the line would feel.
    pub(super) fn room(&self, config: &Config) -> usize {
        let is_failing = self.failures.load(Relaxed) > 0 || self.wrong.load(Relaxed) > 0;
        if is_failing { config.concurrency.min(FEW) } else { config.concurrency }
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
            self.until.store(self.after(config.pause, now), Relaxed);
        }
        was_well && is_over
    }

    /// Notes that it is no staging; true when that was not known.
    pub(super) fn looped(&self) -> bool {
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
    }

    /// The end of a pause that begins now.
    fn after(&self, pause: Duration, now: Instant) -> u64 {
        self.nanoseconds(now + pause).clamp(WELL + 1, LOOP - 1)
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
        let admits = |at| health.admit(config.pause, at);
        assert!(!health.failed(&config, now));
        health.answered();
        assert!(!health.failed(&config, now) && !health.failed(&config, now));
        assert!(admits(now));
        assert_eq!(health.room(&config), FEW, "while it fails");
        assert!(health.failed(&config, now), "the third in a row");
        assert!(!admits(now) && !health.is_well());
        let later = now + config.pause;
        assert!(admits(later) && !admits(later), "one at a time");
        assert!(!health.failed(&config, later), "it was known");
        assert!(!admits(later));
        let later = later + config.pause;
        assert!(admits(later));
        health.answered();
        assert!(health.is_well());
        assert_eq!(health.room(&config), config.concurrency);
        assert_eq!([admits(later), admits(later)], [true; 2]);
    }

    #[test]
    fn staging_is_left_alone_after_wrong_bytes_in_a_row_and_while_a_trial_has_them() {
        let config = Config { wrong_after: 2, ..Config::default() };
        let now = Instant::now();
        let health = Health::new(now);
        let admits = |at| health.admit(config.pause, at);
        assert!(!health.lied(&config, now));
        health.answered();
        assert!(!health.lied(&config, now) && health.is_well(), "not in a row");
        assert!(health.lied(&config, now) && !admits(now));
        let later = now + config.pause;
        assert!(admits(later));
        assert!(!health.lied(&config, later) && !admits(later), "it still does");
        let later = later + config.pause;
        assert!(admits(later));
        health.answered();
        assert!(health.is_well());
    }

    #[test]
    fn a_trial_that_never_ends_keeps_staging_off_for_one_more_pause() {
        let config = Config { unhealthy_after: 1, ..Config::default() };
        let now = Instant::now();
        let health = Health::new(now);
        let admits = |at| health.admit(config.pause, at);
        assert!(health.failed(&config, now));
        let later = now + config.pause;
        assert!(admits(later) && !admits(later + config.pause / 2));
        assert!(admits(later + config.pause));
    }

    #[test]
    fn who_is_no_staging_is_never_asked_again() {
        let (config, now) = (Config::default(), Instant::now());
        let health = Health::new(now);
        assert!(health.looped() && !health.looped());
        health.answered();
        assert!(!health.failed(&config, now));
        assert!(!health.admit(config.pause, now + config.pause) && health.is_loop());
        health.reset();
        assert!(health.admit(config.pause, now), "another is asked");
    }
}
