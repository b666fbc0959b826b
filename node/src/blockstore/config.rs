//! The bounds of the store, and where it is.
//!
//! The defaults suit a laptop: they hold some tens of megabytes at worst, beside about 50 bytes of
//! memory for each block that is stored.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the blockstore.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder of the store; made when it is not there. Default `.bifrost/node/blocks`.
    pub dir: PathBuf,
    /// Size at which a segment file is closed and the next one begun. Default 256 MiB. Less than
    /// 4 MiB counts as 4 MiB, more than 1 GiB as 1 GiB.
    #[schemars(with = "telemetry::config::SizeText")]
    pub segment_bytes: ByteSize,
    /// Threads that read and verify blocks. Default 4. Zero counts as one.
    pub read_threads: usize,
    /// Reads that may wait for a thread; further callers wait without a place in the queue.
    /// Default 256. Zero counts as one.
    pub read_queue_max: usize,
    /// Bytes of blocks that may wait to be written; further callers wait. Default 64 MiB. Less than
    /// 4 MiB counts as 4 MiB.
    #[schemars(with = "telemetry::config::SizeText")]
    pub write_queue: ByteSize,
    /// Bytes of blocks that are written and synced together. Default 16 MiB. With zero each put has
    /// a sync of its own.
    #[schemars(with = "telemetry::config::SizeText")]
    pub batch: ByteSize,
    /// Longest time between two checkpoints of the index while there are writes: what a restart
    /// after a crash has to read again. Default 5 s. Zero checkpoints after every batch.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub checkpoint_interval: Duration,
    /// Most changes of the index between two checkpoints. Default 16 384. Zero as above.
    pub checkpoint_changes_max: usize,
    /// Free space of the file system below which nothing is stored; reads go on. Default 256 MiB.
    /// With zero the store fills the disk.
    #[schemars(with = "telemetry::config::SizeText")]
    pub free_min: ByteSize,
    /// Most segment files that are held open. Default 512. Zero counts as one.
    pub open_segments_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dir: PathBuf::from(".bifrost/node/blocks"),
            segment_bytes: ByteSize::mib(256),
            read_threads: 4,
            read_queue_max: 256,
            write_queue: ByteSize::mib(64),
            batch: ByteSize::mib(16),
            checkpoint_interval: Duration::from_secs(5),
            checkpoint_changes_max: 16_384,
            free_min: ByteSize::mib(256),
            open_segments_max: 512,
        }
    }
}

impl Config {
    /// Where a segment ends, within what an offset of 32 bits can say.
    pub(super) fn segment_end(&self) -> u64 {
        self.segment_bytes.as_u64().clamp(4 * 1024 * 1024, 1024 * 1024 * 1024)
    }
}
