//! What the store of records counts.

use telemetry::label;
use telemetry::metrics::{Counter, Family, Gauge, Registry};

label! {
    /// How a read ended.
    pub enum Read: "outcome" {
        /// A valid record was there.
        Hit = "hit",
        /// There was none.
        Miss = "miss",
        /// There was one that is not valid any more.
        Expired = "expired",
        /// There was one that proves nothing, and so is none.
        Rotten = "rotten",
        /// The disk gave an error.
        Failed = "failed",
    }
}

label! {
    /// How a put ended.
    pub enum Write: "outcome" {
        /// The record was written.
        Stored = "stored",
        /// It was there already.
        Held = "held",
        /// It proves nothing, or has expired.
        Bad = "bad",
        /// One was there that it does not supersede.
        Superseded = "superseded",
        /// There were as many records as may be.
        Full = "full",
        /// The disk gave an error, or had no room.
        Failed = "failed",
    }
}

/// The series of the store of records.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Records that are stored, with those that have expired and were not dropped yet.
    pub stored: Gauge,
    /// Records that were asked for, by how that ended.
    pub reads: Family<Read, Counter>,
    /// Records that were to be stored, by how that ended.
    pub puts: Family<Write, Counter>,
    /// Records that were dropped because they had expired.
    pub dropped: Counter,
}

impl Metrics {
    /// Registers the room's series, all at zero.
    pub fn new(registry: &Registry) -> Self {
        Self {
            stored: registry.gauge(
                "bifrost_node_records_stored",
                "IPNS records that are stored, with those that have expired and were not dropped yet.",
            ),
            reads: registry.counter_family(
                "bifrost_node_records_reads_total",
                "IPNS records that were asked for, by how that ended.",
            ),
            puts: registry.counter_family(
                "bifrost_node_records_puts_total",
                "IPNS records that were to be stored, by how that ended.",
            ),
            dropped: registry.counter(
                "bifrost_node_records_dropped_total",
                "IPNS records that were dropped because they had expired.",
            ),
        }
    }
}
