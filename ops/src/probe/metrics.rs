//! What a probe counts. Every combination of labels is there from the start, at zero.

use std::time::SystemTime;

use telemetry::metrics::{Counter, Family, Gauge, Histogram, Registry, SECONDS};

use super::check::{Check, Lane, Verdict};
use super::outcome::Outcome;

/// The series.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Checks that ended, by verdict.
    pub(crate) checks: Family<(Check, Lane, Verdict), Counter>,
    /// Seconds to the first byte, of checks that passed.
    pub(crate) seconds: Family<(Check, Lane), Histogram>,
    /// Checks to which bytes came that are not what was asked for.
    pub(crate) mismatches: Counter,
    /// Bytes that were proven by hash.
    pub(crate) verified: Counter,
    /// When a check passed last, in seconds since 1970; 0 for never.
    pub(crate) last_pass: Family<(Check, Lane), Gauge>,
    /// Rounds that ended.
    pub(crate) rounds: Counter,
}

impl Metrics {
    /// Declares the series.
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            checks: registry
                .counter_family("bifrost_probe_checks_total", "Checks that ended, by verdict."),
            seconds: registry.histogram_family(
                "bifrost_probe_seconds",
                "Time to the first byte, or to the end where no byte comes, of checks that passed; \
                 in the lane new from the import on.",
                SECONDS,
            ),
            mismatches: registry.counter(
                "bifrost_probe_mismatches_total",
                "Checks to which bytes came that are not what was asked for.",
            ),
            verified: registry
                .counter("bifrost_probe_verified_bytes_total", "Bytes that were proven by hash."),
            last_pass: registry.gauge_family(
                "bifrost_probe_last_pass_timestamp_seconds",
                "When a check passed last on any target; 0 for never.",
            ),
            rounds: registry.counter("bifrost_probe_rounds_total", "Rounds of checks that ended."),
        }
    }

    /// Counts one check that ended at `now`.
    pub(crate) fn count(&self, outcome: &Outcome, now: SystemTime) {
        let at = (outcome.check, outcome.lane);
        self.checks.at((outcome.check, outcome.lane, outcome.verdict)).inc();
        self.verified.inc_by(outcome.verified);
        if outcome.mismatch {
            self.mismatches.inc();
        }
        if outcome.verdict == Verdict::Pass {
            let millis = outcome.ttfb_ms.unwrap_or(outcome.total_ms);
            self.seconds.at(at).observe_duration(std::time::Duration::from_millis(millis));
            let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            self.last_pass.at(at).set(i64::try_from(seconds).unwrap_or(i64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::probe::outcome::{Fault, Trace};

    #[test]
    fn every_series_is_there_before_the_first_check() {
        let registry = Registry::new();
        let _metrics = Metrics::new(&registry);
        let text = registry.text();
        for line in [
            "bifrost_probe_checks_total{check=\"http.path\",lane=\"cold\",verdict=\"fail\"} 0",
            "bifrost_probe_checks_total{check=\"bitswap.canary\",lane=\"warm\",verdict=\"pass\"} 0",
            "bifrost_probe_seconds_bucket{check=\"http.path\",lane=\"warm\",le=\"0.3\"} 0",
            "bifrost_probe_seconds_bucket{check=\"http.path\",lane=\"cold\",le=\"30\"} 0",
            "bifrost_probe_mismatches_total 0",
            "bifrost_probe_verified_bytes_total 0",
            "bifrost_probe_last_pass_timestamp_seconds{check=\"http.new\",lane=\"new\"} 0",
        ] {
            assert!(text.contains(line), "{line}");
        }
        assert!(text.len() < 1024 * 1024, "{}", text.len());
    }

    #[test]
    fn passes_are_timed_and_wrong_bytes_counted() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry);
        let at = (Check::HttpPath, Lane::Warm);
        let mut trace = Trace::begin();
        trace.verified = 7;
        let passed = Outcome::of(at, "g", trace, Ok(()));
        let lie = Err(Fault::Mismatch("x".into()));
        let failed = Outcome::of(at, "g", Trace::begin(), lie);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        metrics.count(&passed, now);
        metrics.count(&failed, now + Duration::from_secs(1));
        metrics.count(&Outcome::skipped(at, "g", "why"), now);
        assert_eq!((metrics.mismatches.get(), metrics.verified.get()), (1, 7));
        assert_eq!(metrics.seconds.at(at).count(), 1);
        assert_eq!(metrics.last_pass.at(at).get(), 1000);
        for verdict in [Verdict::Pass, Verdict::Fail, Verdict::Skipped] {
            assert_eq!(metrics.checks.at((at.0, at.1, verdict)).get(), 1);
        }
    }
}
