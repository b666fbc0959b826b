//! The bounds of retrieval.
//!
//! How far it reads ahead decides both its speed over a long way and the memory of one request.

use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the retrieve room.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Most blocks that one reader of a DAG asks for or holds ahead: it is what bounds small blocks.
    /// Default 512. Zero counts as one.
    pub ahead_blocks_max: usize,
    /// Most bytes that it so asks for or holds, by the sizes of the blocks before. Default 32 MiB.
    /// With zero it reads block by block.
    #[schemars(with = "telemetry::config::SizeText")]
    pub ahead_bytes_max: ByteSize,
    /// Longest time that a block is searched for, whoever waits. Default 10 min. Zero searches not
    /// at all.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub flight_max: Duration,
    /// How long a session is kept after its last use. Default 30 s. Zero keeps it for its requests
    /// only.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub session_idle: Duration,
    /// Most sessions that are kept; one more closes the one that is longest unused. Default 1024.
    /// Zero counts as one.
    pub sessions_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ahead_blocks_max: 512,
            ahead_bytes_max: ByteSize::mib(32),
            flight_max: Duration::from_secs(600),
            session_idle: Duration::from_secs(30),
            sessions_max: 1024,
        }
    }
}
