//! What the store counts.

use telemetry::label;
use telemetry::metrics::{Counter, Family, Gauge, Histogram, Registry};

label! {
    /// How a read ended.
    pub enum Read: "outcome" {
        /// The block was there.
        Hit = "hit",
        /// It was not.
        Miss = "miss",
        /// It was there and its bytes were not what they should be; it is forgotten.
        Rotten = "rotten",
        /// The disk gave an error.
        Failed = "failed",
    }
}

label! {
    /// How a write ended.
    pub enum Write: "outcome" {
        /// The block was written.
        Stored = "stored",
        /// It was there already.
        Held = "held",
        /// There was no room.
        Full = "full",
        /// The disk gave an error.
        Failed = "failed",
    }
}

/// The series of the blockstore.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Blocks that are stored.
    pub blocks: Gauge,
    /// Bytes of blocks that are stored.
    pub bytes: Gauge,
    /// Bytes that the file system of the store has left for it.
    pub free_bytes: Gauge,
    /// Bytes that the store leaves free: it takes no blocks below.
    pub free_min_bytes: Gauge,
    /// Blocks that were read, by how that ended.
    pub reads: Family<Read, Counter>,
    /// Bytes of blocks that were read.
    pub read_bytes: Counter,
    /// Blocks that were to be written, by how that ended.
    pub writes: Family<Write, Counter>,
    /// Bytes of blocks that were written.
    pub written_bytes: Counter,
    /// Time that a batch of blocks took to be written, and synced where that was asked.
    pub put_seconds: Histogram,
    /// Checkpoints of the index that failed; they are tried again.
    pub checkpoint_failures: Counter,
    /// Bytes at the ends of segments that were cut off when the store was opened.
    pub cut_bytes: Counter,
}

impl Metrics {
    /// Registers the room's series, all at zero.
    pub fn new(registry: &Registry) -> Self {
        let buckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0];
        Self {
            blocks: registry.gauge("bifrost_node_blockstore_blocks", "Blocks that are stored."),
            bytes: registry
                .gauge("bifrost_node_blockstore_bytes", "Bytes of blocks that are stored."),
            free_bytes: registry.gauge(
                "bifrost_node_blockstore_free_bytes",
                "Bytes that the file system of the store has left, looked up every 10 s.",
            ),
            free_min_bytes: registry.gauge(
                "bifrost_node_blockstore_free_min_bytes",
                "Bytes of the file system that the store leaves free; below, it takes no blocks.",
            ),
            reads: registry.counter_family(
                "bifrost_node_blockstore_reads_total",
                "Blocks that were read, by how that ended.",
            ),
            read_bytes: registry.counter(
                "bifrost_node_blockstore_read_bytes_total",
                "Bytes of blocks that were read.",
            ),
            writes: registry.counter_family(
                "bifrost_node_blockstore_writes_total",
                "Blocks that were to be written, by how that ended.",
            ),
            written_bytes: registry.counter(
                "bifrost_node_blockstore_written_bytes_total",
                "Bytes of blocks that were written.",
            ),
            put_seconds: registry.histogram(
                "bifrost_node_blockstore_put_seconds",
                "Time from a put to its block being durable.",
                &buckets,
            ),
            checkpoint_failures: registry.counter(
                "bifrost_node_blockstore_checkpoint_failures_total",
                "Checkpoints of the index that failed; they are tried again.",
            ),
            cut_bytes: registry.counter(
                "bifrost_node_blockstore_cut_bytes_total",
                "Bytes at the ends of segments that were cut off when the store was opened.",
            ),
        }
    }
}
