//! What the host counts.
//!
//! Labels are closed; peers and addresses are in `GET /peers` and the log, never in a series.

use telemetry::metrics::{Counter, Family, Gauge, Label, Registry};

/// The series of the swarm room.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Peers with at least one connection.
    pub peers: Gauge,
    /// Connected peers that speak bitswap.
    pub bitswap_peers: Gauge,
    /// Connections that were opened, by who opened them.
    pub connections: Family<Opener, Counter>,
    /// Connections that were refused or failed, by who opened them.
    pub connection_failures: Family<Opener, Counter>,
    /// Incoming bitswap streams that ended, by why.
    pub inbound_ends: Family<StreamEnd, Counter>,
    /// Bytes of received blocks that wait to be stored.
    pub storing_bytes: Gauge,
    /// Blocks that could not be stored.
    pub store_failures: Counter,
    /// Lookups for the wants of peers that failed in the blockstore.
    pub lookup_failures: Counter,
}

impl Metrics {
    /// Registers the room's series, all at zero.
    pub fn new(registry: &Registry) -> Self {
        Self {
            peers: registry
                .gauge("bifrost_node_swarm_peers", "Peers with at least one connection."),
            bitswap_peers: registry
                .gauge("bifrost_node_swarm_bitswap_peers", "Connected peers that speak bitswap."),
            connections: registry.counter_family(
                "bifrost_node_swarm_connections_total",
                "Connections that were opened, by who opened them.",
            ),
            connection_failures: registry.counter_family(
                "bifrost_node_swarm_connection_failures_total",
                "Connections that were refused or failed, by who opened them.",
            ),
            inbound_ends: registry.counter_family(
                "bifrost_node_swarm_inbound_stream_ends_total",
                "Incoming bitswap streams that ended, by why.",
            ),
            storing_bytes: registry.gauge(
                "bifrost_node_swarm_storing_bytes",
                "Bytes of received blocks that wait to be stored.",
            ),
            store_failures: registry.counter(
                "bifrost_node_swarm_store_failures_total",
                "Blocks that could not be stored.",
            ),
            lookup_failures: registry.counter(
                "bifrost_node_swarm_lookup_failures_total",
                "Lookups for the wants of peers that failed in the blockstore.",
            ),
        }
    }
}

/// Sets a gauge to a count.
pub(super) fn level(gauge: &Gauge, count: u64) {
    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
}

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opener {
    /// The peer.
    Peer,
    /// This node.
    Us,
}

impl Label for Opener {
    const NAME: &'static str = "opener";
    const ALL: &'static [Self] = &[Self::Peer, Self::Us];

    fn text(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Us => "us",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// How an incoming stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// The peer ended it between two messages.
    Finished,
    /// No message came for too long.
    Idle,
    /// It broke, or ended within a message.
    Broken,
    /// A message took too long.
    Slow,
    /// A message was announced that is over the limit.
    TooLong,
    /// Its bytes were no message.
    Malformed,
    /// There were too many.
    TooMany,
}

impl Label for StreamEnd {
    const NAME: &'static str = "why";
    const ALL: &'static [Self] = &[
        Self::Finished,
        Self::Idle,
        Self::Broken,
        Self::Slow,
        Self::TooLong,
        Self::Malformed,
        Self::TooMany,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Idle => "idle",
            Self::Broken => "broken",
            Self::Slow => "slow",
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::TooMany => "too_many",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}
