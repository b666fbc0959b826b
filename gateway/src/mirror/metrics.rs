//! What the mirror counts.

use telemetry::metrics::{Counter, Family, Gauge, Histogram, Registry};

use super::words::{By, Class, Compared, Difference, Dropped, Failure, Lane};
use crate::outcome::Source;

/// Upper bounds for times to the first byte, in seconds.
const TIME_BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0, 5.0, 30.0];

/// What the mirror does.
#[derive(Clone)]
pub(crate) struct MirrorMetrics {
    /// Requests that were chosen to be copied.
    pub(crate) chosen: Counter,
    /// Those of them that are not compared, and why.
    pub(crate) dropped: Family<Dropped, Counter>,
    /// Pairs of answers, by what they came to.
    pub(crate) pairs: Family<(Lane, Compared), Counter>,
    /// What pairs differ in.
    pub(crate) differences: Family<(Lane, Class, Difference), Counter>,
    /// Answers of staging that are missing or not whole.
    pub(crate) failures: Family<Failure, Counter>,
    /// Bytes of staging's answers that were read.
    pub(crate) bytes: Counter,
    /// Time to the first byte of both answers, where their bytes came from the same place.
    pub(crate) first_byte: Family<(By, Source), Histogram>,
    /// Copies that wait.
    pub(crate) waiting: Gauge,
    /// Whether there is a staging.
    pub(crate) on: Gauge,
    /// Whether it is asked: it is there, and well.
    pub(crate) copying: Gauge,
    /// Lines that could not be written.
    pub(crate) unwritten: Counter,
}

impl MirrorMetrics {
    pub(crate) fn new(r: &Registry) -> Self {
        Self {
            chosen: r.counter(
                "bifrost_gateway_mirror_chosen_total",
                "Requests that were chosen to be copied to staging.",
            ),
            dropped: r.counter_family(
                "bifrost_gateway_mirror_dropped_total",
                "Requests that were chosen to be copied and are not compared.",
            ),
            pairs: r.counter_family(
                "bifrost_gateway_mirror_pairs_total",
                "Pairs of answers of production and staging, by what they came to.",
            ),
            differences: r.counter_family(
                "bifrost_gateway_mirror_differences_total",
                "What pairs of answers differ in.",
            ),
            failures: r.counter_family(
                "bifrost_gateway_mirror_failures_total",
                "Answers of staging that are missing or not whole.",
            ),
            bytes: r.counter(
                "bifrost_gateway_mirror_bytes_total",
                "Bytes of staging's answers that were read.",
            ),
            first_byte: r.histogram_family(
                "bifrost_gateway_mirror_first_byte_seconds",
                "Time to the first byte of mirrored answers whose bytes came from the same place.",
                &TIME_BUCKETS,
            ),
            waiting: r
                .gauge("bifrost_gateway_mirror_waiting", "Copies that wait to be sent to staging."),
            on: r.gauge("bifrost_gateway_mirror_on", "Whether there is a staging."),
            copying: r.gauge(
                "bifrost_gateway_mirror_copying",
                "Whether staging is asked: it is there, and is well.",
            ),
            unwritten: r.counter(
                "bifrost_gateway_mirror_unwritten_total",
                "Lines about pairs that could not be written.",
            ),
        }
    }
}
