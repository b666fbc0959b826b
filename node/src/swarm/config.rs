//! The bounds of the host: connections, streams, and who is dialled.
//!
//! The defaults dial nothing but this machine; reaching further is a decision of the operator.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SwarmError;

/// Window that every stream of a TCP connection has, by the protocol.
pub(super) const STREAM_WINDOW: u64 = 256 * 1024;
/// Least room for windows to grow: 16 MiB are 160 MB/s at 100 ms.
const WINDOW_GROWTH_MIN: u64 = 16 * 1024 * 1024;

/// How far connections of our own making go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Only this machine. No name is resolved.
    Loopback,
    /// Any address.
    Any,
}

/// Settings of the swarm room.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Addresses to listen on. Default TCP and QUIC on 127.0.0.1, port 4180. None listens nowhere.
    #[schemars(with = "Vec<String>")]
    pub listen: Vec<Multiaddr>,
    /// The file with this node's identity, where somebody else keeps it, such as a mounted secret: it is
    /// never made, and its group may read it. Default none: `identity.key` in `dir`, made on the first
    /// start.
    pub identity_file: Option<PathBuf>,
    /// Peers that this node stays connected to: addresses that end in `/p2p/…`; several addresses of
    /// one peer are tried together. They are exempt from the limits on the number of connections, but
    /// not from [`Config::memory_max`]. Its own are left out, so that nodes can share a list. Default
    /// none.
    #[schemars(with = "Vec<String>")]
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
    /// Memory of the process above which no connection is added, not even one of the peering list.
    /// Default 3 GiB. Zero allows none.
    #[schemars(with = "telemetry::config::SizeText")]
    pub memory_max: ByteSize,
    /// Most streams of one TCP connection; a peer that opens more loses the connection. Default 128:
    /// some peers open a stream per message. At least 1 is used.
    pub streams_max: usize,
    /// Most bytes that one TCP connection may have on the way to us unread. Default 64 MiB. Each stream
    /// keeps 256 KiB of it to itself; the window of a busy stream grows by what is left, so at least
    /// 16 MiB must be left, or a distant peer is slow.
    #[schemars(with = "telemetry::config::SizeText")]
    pub receive_window: ByteSize,
    /// Most bitswap streams of one connection that are read at a time; further ones are closed.
    /// Default 512. Zero reads none.
    pub inbound_streams_max: usize,
    /// Bytes of incoming messages that one connection may have half-read. Default 16 MiB. At least
    /// one message of 4 MiB always fits.
    #[schemars(with = "telemetry::config::SizeText")]
    pub inbound_bytes_max: ByteSize,
    /// Bytes of incoming messages that all connections together may have half-read; above it,
    /// messages wait for each other. Default 256 MiB. At least one message of 4 MiB always fits.
    #[schemars(with = "telemetry::config::SizeText")]
    pub inbound_bytes_total: ByteSize,
    /// Longest time that one incoming message may take. Default 2 min. Zero takes none.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub message_read_max: Duration,
    /// Longest silence between two messages of an incoming stream. Default 5 min. Zero closes each
    /// stream after one message.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub inbound_idle: Duration,
    /// Longest silence on our outgoing stream before it is closed; shorter than the peer's patience,
    /// so that no message meets a closing stream. Default 2 min. Zero closes after each message.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub outbound_idle: Duration,
    /// How long a connection without exchange is kept. Default 2 min. Zero closes at once.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub connection_idle: Duration,
    /// Wait before a lost peering is dialled again, doubled with each failure and shortened by up to
    /// half at random. Default 1 s. Zero counts as 10 ms.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub redial_first: Duration,
    /// Longest such wait. Default 1 min.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub redial_max: Duration,
    /// Longest time that a connection may take to be made. Default 10 s. Zero fails each.
    #[serde(with = "telemetry::config::duration")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub dial_timeout: Duration,
    /// Commands that may wait for the swarm; further callers wait. Default 256. Zero counts as one.
    pub commands_max: usize,
    /// Lookups in the blockstore at a time for the wants of peers. Default 8. Zero counts as one.
    pub lookups_max: usize,
    /// Bytes of received blocks that may wait to be stored; above it nothing is read from the
    /// network. Default 32 MiB. Zero counts as one block.
    #[schemars(with = "telemetry::config::SizeText")]
    pub storing_bytes_max: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        let listen = ["/ip4/127.0.0.1/tcp/4180", "/ip4/127.0.0.1/udp/4180/quic-v1"];
        Self {
            listen: listen.iter().map(|text| text.parse().expect("an address")).collect(),
            identity_file: None,
            peering: Vec::new(),
            reach: Reach::Loopback,
            inbound_max: 512,
            outbound_max: 512,
            per_peer_max: 4,
            handshakes_max: 64,
            memory_max: ByteSize::gib(3),
            streams_max: 128,
            receive_window: ByteSize::mib(64),
            inbound_streams_max: 512,
            inbound_bytes_max: ByteSize::mib(16),
            inbound_bytes_total: ByteSize::mib(256),
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
    /// [`SwarmError::PeeringWithoutPeer`], [`SwarmError::ReceiveWindow`].
    pub fn validate(&self) -> Result<(), SwarmError> {
        let least = self.receive_window_min();
        if self.receive_window < least {
            return Err(SwarmError::ReceiveWindow { window: self.receive_window, least });
        }
        self.peers().map(|_| ())
    }

    /// What the streams keep to themselves, and room for the windows of busy ones to grow.
    fn receive_window_min(&self) -> ByteSize {
        let streams = self.streams_max.max(1) as u64;
        ByteSize(streams.saturating_mul(STREAM_WINDOW).saturating_add(WINDOW_GROWTH_MIN))
    }

    /// The peering list, each address split from its peer.
    pub(super) fn peers(&self) -> Result<Vec<(PeerId, Multiaddr)>, SwarmError> {
        let split = |address: &Multiaddr| match split_peer(address) {
            (Some(peer), bare) => Ok((peer, bare)),
            (None, _) => Err(SwarmError::PeeringWithoutPeer(address.clone())),
        };
        self.peering.iter().map(split).collect()
    }

    /// The peers of the list but this node itself.
    pub(super) fn others(&self, own: &PeerId) -> Result<Vec<(PeerId, Multiaddr)>, SwarmError> {
        let mut peers = self.peers()?;
        peers.retain(|(peer, _)| peer != own);
        Ok(peers)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_leaves_room_for_windows_to_grow() {
        assert!(Config::default().validate().is_ok());
    }

    #[test]
    fn window_that_streams_use_up_is_refused() {
        for (streams_max, mib, allowed) in [(512, 128, false), (128, 47, false), (128, 48, true)] {
            let receive_window = ByteSize::mib(mib);
            let config = Config { streams_max, receive_window, ..Config::default() };
            assert_eq!(config.validate().is_ok(), allowed, "{streams_max} streams, {mib} MiB");
        }
    }

    #[test]
    fn list_that_nodes_share_leaves_each_out_of_its_own() {
        let [one, other] = [PeerId::random(), PeerId::random()];
        let address = |peer: PeerId| format!("/dns/a/tcp/4180/p2p/{peer}").parse().expect("one");
        let peering = vec![address(one), address(other)];
        let config = Config { peering, ..Config::default() };
        let others = config.others(&one).expect("they have peers");
        assert_eq!(others.into_iter().map(|(peer, _)| peer).collect::<Vec<_>>(), [other]);
    }
}
