//! What the access log counts.

use crate::metrics::{Counter, Registry};

/// What the access log counts.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) written: Counter,
    pub(super) dropped: Counter,
    pub(super) failures: Counter,
}

impl Metrics {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            written: registry.counter(
                "bifrost_telemetry_access_lines_total",
                "Access log lines that reached their sink.",
            ),
            dropped: registry.counter(
                "bifrost_telemetry_access_dropped_lines_total",
                "Access log lines that were dropped, because the queue was full or the sink failed.",
            ),
            failures: registry.counter(
                "bifrost_telemetry_access_write_failures_total",
                "Writes to the sink of the access log, and rotations of it, that failed.",
            ),
        }
    }
}
