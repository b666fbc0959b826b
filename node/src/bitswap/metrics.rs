//! What the exchange counts.
//!
//! Labels are closed and never name a peer or a block; one peer's figures are in its
//! [`Account`](super::Account).

use telemetry::metrics::{Counter, Family, Gauge, Label, Registry};

use super::action::{DisconnectReason, WantFailure};
use super::wire::{Presence, WantEntry, WantType};

/// The series of the bitswap room.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Sessions that are open.
    pub sessions: Gauge,
    /// Blocks that sessions wait for.
    pub wants: Gauge,
    /// Wantlist entries sent, by what they ask for.
    pub wants_sent: Family<Said, Counter>,
    /// Blocks received, by whether they were of use.
    pub blocks_received: Family<Arrival, Counter>,
    /// Bytes of blocks received, by whether they were of use.
    pub block_bytes_received: Family<Arrival, Counter>,
    /// HAVE and DONT_HAVE answers received.
    pub presences_received: Family<Presence, Counter>,
    /// Wants that moved to another peer, by why.
    pub rewants: Family<Rewant, Counter>,
    /// Wants that ended without their block, by why.
    pub failures: Family<WantFailure, Counter>,
    /// Wants received from peers, by what they ask for.
    pub wants_received: Family<WantType, Counter>,
    /// Wants of peers that were dropped, by which bound.
    pub wants_refused: Family<Refusal, Counter>,
    /// Blocks handed to the streams of peers.
    pub blocks_sent: Counter,
    /// Bytes of blocks handed to the streams of peers.
    pub block_bytes_sent: Counter,
    /// HAVE and DONT_HAVE answers handed to the streams of peers.
    pub presences_sent: Family<Presence, Counter>,
    /// Wants of peers that are kept.
    pub serve_queue: Gauge,
    /// Bytes of blocks held or being looked up for peers.
    pub serve_held_bytes: Gauge,
    /// Parts of received messages that were left out, by why.
    pub dropped: Family<Drop, Counter>,
    /// Peers that were disconnected, by why.
    pub disconnects: Family<DisconnectReason, Counter>,
}

impl Metrics {
    /// Registers the room's series, all at zero.
    pub fn new(registry: &Registry) -> Self {
        Self {
            sessions: registry.gauge("bifrost_node_bitswap_sessions", "Sessions that are open."),
            wants: registry.gauge("bifrost_node_bitswap_wants", "Blocks that sessions wait for."),
            wants_sent: registry.counter_family(
                "bifrost_node_bitswap_wants_sent_total",
                "Wantlist entries sent, by what they ask for.",
            ),
            blocks_received: registry.counter_family(
                "bifrost_node_bitswap_blocks_received_total",
                "Blocks received, by whether they were of use.",
            ),
            block_bytes_received: registry.counter_family(
                "bifrost_node_bitswap_block_received_bytes_total",
                "Bytes of blocks received, by whether they were of use.",
            ),
            presences_received: registry.counter_family(
                "bifrost_node_bitswap_presences_received_total",
                "HAVE and DONT_HAVE answers received.",
            ),
            rewants: registry.counter_family(
                "bifrost_node_bitswap_rewants_total",
                "Wants that moved to another peer, by why.",
            ),
            failures: registry.counter_family(
                "bifrost_node_bitswap_want_failures_total",
                "Wants that ended without their block, by why.",
            ),
            wants_received: registry.counter_family(
                "bifrost_node_bitswap_wants_received_total",
                "Wants received from peers, by what they ask for.",
            ),
            wants_refused: registry.counter_family(
                "bifrost_node_bitswap_wants_refused_total",
                "Wants of peers that were dropped, by which bound.",
            ),
            blocks_sent: registry.counter(
                "bifrost_node_bitswap_blocks_sent_total",
                "Blocks handed to the streams of peers.",
            ),
            block_bytes_sent: registry.counter(
                "bifrost_node_bitswap_block_sent_bytes_total",
                "Bytes of blocks handed to the streams of peers.",
            ),
            presences_sent: registry.counter_family(
                "bifrost_node_bitswap_presences_sent_total",
                "HAVE and DONT_HAVE answers handed to the streams of peers.",
            ),
            serve_queue: registry
                .gauge("bifrost_node_bitswap_serve_queue", "Wants of peers that are kept."),
            serve_held_bytes: registry.gauge(
                "bifrost_node_bitswap_serve_held_bytes",
                "Bytes of blocks held or being looked up for peers.",
            ),
            dropped: registry.counter_family(
                "bifrost_node_bitswap_dropped_total",
                "Parts of received messages that were left out, by why.",
            ),
            disconnects: registry.counter_family(
                "bifrost_node_bitswap_disconnects_total",
                "Peers that were disconnected, by why.",
            ),
        }
    }
}

/// Sets a gauge to a count.
pub(super) fn level(gauge: &Gauge, count: usize) {
    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
}

/// Declares a label over an enum that may live in another file of the room.
macro_rules! label {
    ($name:ident, $key:literal, [$($variant:ident => $text:literal),+ $(,)?]) => {
        impl Label for $name {
            const NAME: &'static str = $key;
            const ALL: &'static [Self] = &[$($name::$variant),+];

            fn text(self) -> &'static str {
                match self {
                    $($name::$variant => $text),+
                }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

/// What a wantlist entry of ours asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// A block.
    Block,
    /// Whether the peer has a block.
    Have,
    /// That an earlier want be forgotten.
    Cancel,
}

impl From<&WantEntry> for Said {
    fn from(entry: &WantEntry) -> Self {
        match (entry.cancel, entry.want_type) {
            (true, _) => Self::Cancel,
            (false, WantType::Block) => Self::Block,
            (false, WantType::Have) => Self::Have,
        }
    }
}

/// Of what use a received block was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// A session waited for it.
    Wanted,
    /// It was asked for, and came after another copy.
    Duplicate,
    /// Nobody asked this peer for it.
    Unsolicited,
}

/// Why a want moved to another peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewant {
    /// Its owner did not answer in time.
    Late,
    /// Its owner lacks the block.
    DontHave,
    /// Its owner disconnected.
    Disconnected,
    /// Its owner could not be written to.
    SendFailed,
}

/// Why a want of a peer was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The peer has its full number of wants, none less urgent.
    Full,
    /// It made room for a more urgent one.
    Evicted,
    /// The block is not here, and enough such wants are kept.
    Unkept,
    /// The CID carries the block in itself.
    Inline,
}

/// Why a part of a message was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drop {
    /// Its hash function is not accepted.
    UnknownHash,
    /// The message had too many of its kind.
    OverBounds,
    /// It does not parse or is too large.
    Malformed,
}

label!(Said, "type", [Block => "block", Have => "have", Cancel => "cancel"]);
label!(Arrival, "arrival", [
    Wanted => "wanted",
    Duplicate => "duplicate",
    Unsolicited => "unsolicited",
]);
label!(Rewant, "reason", [
    Late => "late",
    DontHave => "dont_have",
    Disconnected => "disconnected",
    SendFailed => "send_failed",
]);
label!(Refusal, "reason", [
    Full => "full",
    Evicted => "evicted",
    Unkept => "unkept",
    Inline => "inline",
]);
label!(Drop, "reason", [
    UnknownHash => "unknown_hash",
    OverBounds => "over_bounds",
    Malformed => "malformed",
]);
label!(WantType, "type", [Block => "block", Have => "have"]);
label!(Presence, "presence", [Have => "have", DontHave => "dont_have"]);
label!(WantFailure, "reason", [
    NoPeers => "no_peers",
    AllDontHave => "all_dont_have",
    TimedOut => "timed_out",
    TooManyWants => "too_many_wants",
]);
label!(DisconnectReason, "reason", [
    Stalled => "stalled",
    Unsolicited => "unsolicited",
    Broken => "broken",
]);
