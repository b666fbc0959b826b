//! Whether staging is asked at all.
//!
//! Failures in a row turn it off for a pause; then one request tries it, and the pause is over when
//! that goes well. Who proves to be no staging is not asked again until somebody changes the settings.

use std::time::Instant;

use super::config::Config;

/// Whether staging is asked.
#[derive(Debug, Default)]
pub(super) struct Health {
    failures: u32,
    /// Until when it is left alone.
    until: Option<Instant>,
    /// Whether a request that tries it is under way.
    trying: bool,
    is_loop: bool,
}

impl Health {
    /// Whether a request may go there, and with it whether staging is tried.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        match self.until {
            _ if self.is_loop => false,
            None => true,
            Some(until) if now < until || self.trying => false,
            Some(_) => {
                self.trying = true;
                true
            }
        }
    }

    /// Whether it is asked.
    pub(super) fn is_well(&self) -> bool {
        self.until.is_none() && !self.is_loop
    }

    /// Notes that it answered.
    pub(super) fn answered(&mut self) {
        let is_loop = self.is_loop;
        *self = Self { is_loop, ..Self::default() };
    }

    /// Notes that it failed; true when it is left alone from here on.
    pub(super) fn failed(&mut self, config: &Config, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let was_well = self.until.is_none();
        let is_over = self.failures >= config.unhealthy_after.max(1);
        if is_over {
            self.until = Some(now + config.pause);
        }
        self.trying = false;
        was_well && is_over
    }

    /// Notes that a request that had leave never went there.
    pub(super) fn unused(&mut self) {
        self.trying = false;
    }

    /// Notes that it is no staging; true when that was not known.
    pub(super) fn looped(&mut self) -> bool {
        self.trying = false;
        !std::mem::replace(&mut self.is_loop, true)
    }

    /// Whether it is no staging.
    pub(super) fn is_loop(&self) -> bool {
        self.is_loop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staging_is_left_alone_after_failures_in_a_row_and_tried_by_one_request() {
        let config = Config { unhealthy_after: 3, ..Config::default() };
        let now = Instant::now();
        let mut health = Health::default();
        assert!(!health.failed(&config, now));
        health.answered();
        assert!(!health.failed(&config, now) && !health.failed(&config, now));
        assert!(health.admit(now));
        assert!(health.failed(&config, now), "the third in a row");
        assert!(!health.admit(now) && !health.is_well());
        let later = now + config.pause;
        assert!(health.admit(later));
        assert!(!health.admit(later), "one at a time");
        assert!(!health.failed(&config, later), "it was known");
        assert!(!health.admit(later));
        let later = later + config.pause;
        assert!(health.admit(later));
        health.answered();
        assert!(health.is_well() && health.admit(later) && health.admit(later));
    }

    #[test]
    fn a_trial_that_never_went_there_does_not_count() {
        let config = Config { unhealthy_after: 1, ..Config::default() };
        let now = Instant::now();
        let mut health = Health::default();
        assert!(health.failed(&config, now));
        let later = now + config.pause;
        assert!(health.admit(later));
        health.unused();
        assert!(health.admit(later));
    }

    #[test]
    fn who_is_no_staging_is_never_asked_again() {
        let config = Config::default();
        let mut health = Health::default();
        assert!(health.looped() && !health.looped());
        health.answered();
        assert!(!health.admit(Instant::now() + config.pause) && health.is_loop());
    }
}
