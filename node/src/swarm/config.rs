//! The bounds of the host: connections, streams, and who is dialled.
//!
//! The defaults dial nothing but this machine; reaching further is a decision of the operator.

use std::time::Duration;

use bytesize::ByteSize;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};

use super::SwarmError;

/// How far connections of our own making go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Only this machine. No name is resolved.
    Loopback,
    /// Any address.
    Any,
}

/// Settings of the swarm room.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Addresses to listen on. Default TCP and QUIC on 127.0.0.1, port 4180. None listens nowhere.
    pub listen: Vec<Multiaddr>,
    /// Peers that this node stays connected to: addresses that end in `/p2p/…`; several addresses of
    /// one peer are tried together. They are exempt from the limits on connections. Default none.
    pub peering: Vec<Multiaddr>,
    /// How far this node dials. Default `loopback`.
    pub reach: Reach,
    /// Most connections that others may open. Default 512. Zero takes none.
    pub inbound_max: u32,
    /// Most connections that this node opens. Default 512. Zero opens none.
    pub outbound_max: u32,
    /// Most connections with one peer. Default 4. Zero allows none.
    pub per_peer_max: u32,
    /// Most handshakes under way in each direction. Default 64. Zero allows none.
    pub handshakes_max: u32,
    /// Memory of the process above which no connection is added. Default 3 GiB. Zero allows none.
    pub memory_max: ByteSize,
    /// Most streams of one TCP connection; a peer that opens more loses the connection. Default 512:
    /// some peers open a stream per message. At least 1 is used.
    pub streams_max: usize,
    /// Most bytes that one TCP connection may have on the way to us unread. Default 128 MiB. At least
    /// 256 KiB per stream is used.
    pub receive_window: ByteSize,
    /// Most bitswap streams of one connection that are read at a time; further ones are closed.
    /// Default 512. Zero reads none.
    pub inbound_streams_max: usize,
    /// Bytes of incoming messages that one connection may have half-read. Default 16 MiB. At least
    /// one message of 4 MiB always fits.
    pub inbound_bytes_max: ByteSize,
    /// Longest time that one incoming message may take. Default 2 min. Zero takes none.
    #[serde(with = "telemetry::config::duration")]
    pub message_read_max: Duration,
    /// Longest silence between two messages of an incoming stream. Default 5 min. Zero closes each
    /// stream after one message.
    #[serde(with = "telemetry::config::duration")]
    pub inbound_idle: Duration,
    /// Longest silence on our outgoing stream before it is closed; shorter than the peer's patience,
    /// so that no message meets a closing stream. Default 2 min. Zero closes after each message.
    #[serde(with = "telemetry::config::duration")]
    pub outbound_idle: Duration,
    /// How long a connection without exchange is kept. Default 2 min. Zero closes at once.
    #[serde(with = "telemetry::config::duration")]
    pub connection_idle: Duration,
    /// Wait before a lost peering is dialled again, doubled with each failure and shortened by up to
    /// half at random. Default 1 s. Zero counts as 10 ms.
    #[serde(with = "telemetry::config::duration")]
    pub redial_first: Duration,
    /// Longest such wait. Default 1 min.
    #[serde(with = "telemetry::config::duration")]
    pub redial_max: Duration,
    /// Longest time that a connection may take to be made. Default 10 s. Zero fails each.
    #[serde(with = "telemetry::config::duration")]
    pub dial_timeout: Duration,
    /// Commands that may wait for the swarm; further callers wait. Default 256. Zero counts as one.
    pub commands_max: usize,
    /// Lookups in the blockstore at a time for the wants of peers. Default 8. Zero counts as one.
    pub lookups_max: usize,
    /// Bytes of received blocks that may wait to be stored; above it nothing is read from the
    /// network. Default 32 MiB. Zero counts as one block.
    pub storing_bytes_max: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        let listen = ["/ip4/127.0.0.1/tcp/4180", "/ip4/127.0.0.1/udp/4180/quic-v1"];
        Self {
            listen: listen.iter().map(|text| text.parse().expect("an address")).collect(),
            peering: Vec::new(),
            reach: Reach::Loopback,
            inbound_max: 512,
            outbound_max: 512,
            per_peer_max: 4,
            handshakes_max: 64,
            memory_max: ByteSize::gib(3),
            streams_max: 512,
            receive_window: ByteSize::mib(128),
            inbound_streams_max: 512,
            inbound_bytes_max: ByteSize::mib(16),
            message_read_max: Duration::from_secs(120),
            inbound_idle: Duration::from_secs(300),
            outbound_idle: Duration::from_secs(120),
            connection_idle: Duration::from_secs(120),
            redial_first: Duration::from_secs(1),
            redial_max: Duration::from_secs(60),
            dial_timeout: Duration::from_secs(10),
            commands_max: 256,
            lookups_max: 8,
            storing_bytes_max: ByteSize::mib(32),
        }
    }
}

impl Config {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`SwarmError::PeeringWithoutPeer`].
    pub fn validate(&self) -> Result<(), SwarmError> {
        self.peers().map(|_| ())
    }

    /// The peering list, each address split from its peer.
    pub(super) fn peers(&self) -> Result<Vec<(PeerId, Multiaddr)>, SwarmError> {
        let split = |address: &Multiaddr| match split_peer(address) {
            (Some(peer), bare) => Ok((peer, bare)),
            (None, _) => Err(SwarmError::PeeringWithoutPeer(address.clone())),
        };
        self.peering.iter().map(split).collect()
    }
}

/// An address without its last `/p2p/…`, and the peer in it.
pub(super) fn split_peer(address: &Multiaddr) -> (Option<PeerId>, Multiaddr) {
    let mut bare = address.clone();
    match bare.pop() {
        Some(Protocol::P2p(peer)) => (Some(peer), bare),
        _ => (None, address.clone()),
    }
}
