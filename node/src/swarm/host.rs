//! Puts the host together: transports, security, multiplexing and the behaviours.
//!
//! Built by hand rather than by libp2p's builder, so that the gate on dials sits below name
//! resolution and the multiplexer has bounds that fit many short streams.

use std::time::Duration;

use libp2p::core::Transport;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, Swarm};
use libp2p::{
    PeerId, connection_limits, dns, identify, memory_connection_limits, noise, ping, quic, tcp,
};

use super::SwarmError;
use super::behaviour::Behaviour;
use super::config::{Config, Reach};
use super::gate::Gate;
use super::handler::Settings;
use super::metrics::Metrics;
use super::mux::Mux;

/// What identify says this host speaks for.
const IDENTIFY_PROTOCOL: &str = "ipfs/0.1.0";
/// Messages of one connection that may wait for the swarm: each can hold 4 MiB.
const EVENTS_PER_CONNECTION: usize = 4;
/// Incoming streams of one connection that may be agreeing on a protocol.
const NEGOTIATING_MAX: usize = 1024;
/// How long a connection stays once no protocol uses it; bitswap's own patience comes before it.
const IDLE: Duration = Duration::from_secs(5);

/// Everything that runs on a connection.
#[derive(NetworkBehaviour)]
pub(super) struct Host {
    pub(super) limits: connection_limits::Behaviour,
    pub(super) memory: memory_connection_limits::Behaviour,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
    pub(super) bitswap: Behaviour,
}

/// The swarm, not listening yet. Connection tasks belong to `tasks`.
///
/// # Errors
/// [`SwarmError`], by what could not be set up.
pub(super) fn build(
    key: &Keypair,
    config: &Config,
    metrics: Metrics,
    tasks: &telemetry::Tasks,
) -> Result<Swarm<Host>, SwarmError> {
    let peer = key.public().to_peer_id();
    let friends: Vec<PeerId> = config.peers()?.into_iter().map(|(peer, _)| peer).collect();
    let mut limits = connection_limits::Behaviour::new(
        connection_limits::ConnectionLimits::default()
            .with_max_pending_incoming(Some(config.handshakes_max))
            .with_max_pending_outgoing(Some(config.handshakes_max))
            .with_max_established_incoming(Some(config.inbound_max))
            .with_max_established_outgoing(Some(config.outbound_max))
            .with_max_established_per_peer(Some(config.per_peer_max)),
    );
    for friend in &friends {
        limits.bypass_peer_id(friend);
    }
    let memory_max = usize::try_from(config.memory_max.as_u64()).unwrap_or(usize::MAX);
    let host = Host {
        limits,
        memory: memory_connection_limits::Behaviour::with_max_bytes(memory_max),
        identify: identify::Behaviour::new(
            identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public())
                .with_agent_version(format!("bifrost-node/{}", env!("CARGO_PKG_VERSION"))),
        ),
        ping: ping::Behaviour::new(ping::Config::new()),
        bitswap: Behaviour::new(Settings::new(config, metrics).into(), friends),
    };
    let tasks = tasks.clone();
    let swarm = libp2p::swarm::Config::with_executor(move |connection| {
        drop(tasks.spawn("swarm connection", connection));
    })
    .with_substream_upgrade_protocol_override(Version::V1Lazy)
    .with_per_connection_event_buffer_size(EVENTS_PER_CONNECTION)
    .with_max_negotiating_inbound_streams(NEGOTIATING_MAX)
    .with_idle_connection_timeout(IDLE);
    Ok(Swarm::new(transport(key, config)?, host, peer, swarm))
}

fn transport(
    key: &Keypair,
    config: &Config,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, SwarmError> {
    let noise = noise::Config::new(key).map_err(SwarmError::Noise)?;
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(Mux::new(config))
        .timeout(config.dial_timeout)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let mut quic = quic::Config::new(key);
    quic.handshake_timeout = config.dial_timeout;
    let quic = quic::tokio::Transport::new(quic)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let both = quic.or_transport(tcp).map(|either, _| either.into_inner()).boxed();
    let gated = Gate::new(both, config.reach);
    match config.reach {
        Reach::Loopback => Ok(gated.boxed()),
        Reach::Any => Ok(dns::tokio::Transport::system(gated).map_err(SwarmError::Dns)?.boxed()),
    }
}
