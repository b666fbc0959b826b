//! The bounds of the exchange.
//!
//! Every queue, wait and window of this room has its number here; the defaults suit a laptop and a
//! member of a small pool alike.

use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the bitswap room.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Most peers that one session knows, connected or not. Default 16. Zero finds nothing.
    pub candidates_max: usize,
    /// Most WANT-HAVE probes of one session at a time, beside the peer that is asked for the block.
    /// Default 3. With zero, sessions stay with one peer until it fails.
    pub probes_max: usize,
    /// Most blocks that this node wants at once. Default 65 536. Zero refuses every want.
    pub wants_max: usize,
    /// Most blocks asked of one peer at once; peers commonly keep 1024 wants and drop the rest.
    /// Default 1024. Zero asks nobody.
    pub wants_per_peer_max: usize,
    /// Bytes that a peer may owe us before it has proven itself. Default 1 MiB. One block may always
    /// be asked.
    #[schemars(with = "telemetry::config::SizeText")]
    pub window_start: ByteSize,
    /// Bytes that a peer may owe us at most. Default 16 MiB, as [`Config::window_start`] for zero.
    #[schemars(with = "telemetry::config::SizeText")]
    pub window_max: ByteSize,
    /// Longest wait for the answers of a peer with no history. Default 1 s. Zero asks the next peer
    /// at once.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub answer_wait_first: Duration,
    /// Shortest wait for a peer's answer, however fast it was. Default 250 ms. Zero is allowed.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub answer_wait_min: Duration,
    /// Longest wait for a peer's answer when another peer could be asked. Default 5 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub answer_wait_max: Duration,
    /// How long a want that no connected peer can serve waits for another candidate before it
    /// fails. Default 1 s. With zero it fails at once.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub candidates_wait: Duration,
    /// The same wait while candidates are known that are not connected yet. Default 5 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub connect_wait: Duration,
    /// Longest time that a session waits without receiving any block before its wants fail. Default
    /// 30 s. Zero fails every want.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub give_up: Duration,
    /// Most wants kept for one peer, and most of its presence answers that wait to be sent. Default
    /// 1024. Zero serves nobody.
    pub serve_wants_max: usize,
    /// Most wants of all peers together that are kept for blocks this node lacks. Default 131 072.
    /// With zero they are answered and forgotten.
    pub waiting_wants_max: usize,
    /// Most wants in one lookup. Default 128. Zero counts as one.
    pub lookup_batch_max: usize,
    /// Block bytes in one message, more only when one block alone is larger. Default 512 KiB: a
    /// short message lets the reader begin early and our own wants pass between two. At most 2 MiB
    /// are used. Zero sends one block per message.
    #[schemars(with = "telemetry::config::SizeText")]
    pub message_bytes: ByteSize,
    /// Bytes of blocks held for one peer, in its stream and before it. Default 8 MiB. Zero holds one
    /// batch at a time.
    #[schemars(with = "telemetry::config::SizeText")]
    pub serve_bytes_per_peer: ByteSize,
    /// Bytes of blocks held for all peers together. Default 128 MiB. Zero holds one batch at a time.
    #[schemars(with = "telemetry::config::SizeText")]
    pub serve_bytes_max: ByteSize,
    /// Bytes that one peer may have looked up before it is the next peer's turn. Default 1 MiB.
    /// Zero counts as one byte.
    #[schemars(with = "telemetry::config::SizeText")]
    pub serve_turn: ByteSize,
    /// Largest block that is sent in place of a HAVE. Default 1 KiB. Zero always sends the HAVE.
    #[schemars(with = "telemetry::config::SizeText")]
    pub have_block_bytes_max: ByteSize,
    /// Longest time that a peer may take to accept one message; then it is disconnected. Default
    /// 60 s.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub send_stall: Duration,
    /// Failed sends in a row, or broken streams without a word from the peer between them, after
    /// which a peer is disconnected. Default 3. Zero counts as one.
    pub send_failures_max: u32,
    /// Bytes of blocks that nobody asked for which a connection may bring; then it is closed.
    /// Default 64 MiB. Zero tolerates none.
    #[schemars(with = "telemetry::config::SizeText")]
    pub unsolicited_bytes_max: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            candidates_max: 16,
            probes_max: 3,
            wants_max: 65_536,
            wants_per_peer_max: 1024,
            window_start: ByteSize::mib(1),
            window_max: ByteSize::mib(16),
            answer_wait_first: Duration::from_secs(1),
            answer_wait_min: Duration::from_millis(250),
            answer_wait_max: Duration::from_secs(5),
            candidates_wait: Duration::from_secs(1),
            connect_wait: Duration::from_secs(5),
            give_up: Duration::from_secs(30),
            serve_wants_max: 1024,
            waiting_wants_max: 131_072,
            lookup_batch_max: 128,
            message_bytes: ByteSize::kib(512),
            serve_bytes_per_peer: ByteSize::mib(8),
            serve_bytes_max: ByteSize::mib(128),
            serve_turn: ByteSize::mib(1),
            have_block_bytes_max: ByteSize::kib(1),
            send_stall: Duration::from_secs(60),
            send_failures_max: 3,
            unsolicited_bytes_max: ByteSize::mib(64),
        }
    }
}
