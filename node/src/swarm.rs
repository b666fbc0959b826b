//! The libp2p host: who this node is, whom it is connected to, and the exchange of blocks with them.
//!
//! One task owns the swarm and the bitswap engine and never waits for a disk or a hash: messages are
//! read, proven and written in the tasks of their connections, blocks are looked up and stored in
//! tasks of their own, and what is on its way between them is bounded.

mod behaviour;
mod config;
mod driver;
mod gate;
mod handle;
mod handler;
mod host;
pub mod identity;
mod metrics;
mod mux;
mod peering;
mod store;

pub use config::{Config, Reach};
pub use handle::{Delivered, GetError, Handle, PeerInfo, Session};
pub use metrics::{Metrics, Opener, StreamEnd};
pub use store::{Store, StoreFault};

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use bytesize::ByteSize;
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, TransportError, noise};
use tokio::sync::mpsc;

use self::driver::{Driver, Room};
use crate::bitswap::{self, Engine};

/// Why the host could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SwarmError {
    /// A peering address names no peer.
    #[error("peering address {0} does not end in /p2p/ and a peer")]
    PeeringWithoutPeer(Multiaddr),
    /// The streams of a connection would use up its window.
    #[error("swarm.receive_window is {window}; with swarm.streams_max it must be at least {least}")]
    ReceiveWindow {
        /// What is configured.
        window: ByteSize,
        /// What is needed.
        least: ByteSize,
    },
    /// The encryption could not be set up.
    #[error("cannot set up noise")]
    Noise(#[source] noise::Error),
    /// The system's name resolution could not be read.
    #[error("cannot set up name resolution")]
    Dns(#[source] io::Error),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which address.
        address: Multiaddr,
        /// Why.
        source: TransportError<io::Error>,
    },
    /// An address could not be reached.
    #[error("cannot reach {address}: {why}")]
    Dial {
        /// Which address.
        address: Multiaddr,
        /// Why.
        why: String,
    },
    /// The host has stopped.
    #[error("the host has stopped")]
    Stopped,
}

/// Settings of the host and of the exchange on it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Of this room.
    pub swarm: Config,
    /// Of the exchange.
    pub bitswap: bitswap::Config,
}

/// Starts the host: listens, connects to the peering list, and serves what `store` has.
///
/// The returned handle stops it; so does dropping every handle and session.
///
/// # Errors
/// [`SwarmError`], when it cannot be set up or an address is in use.
pub fn start(
    key: &Keypair,
    settings: Settings,
    store: Arc<dyn Store>,
    registry: &telemetry::metrics::Registry,
    tasks: &telemetry::Tasks,
) -> Result<Handle, SwarmError> {
    let metrics = Metrics::new(registry);
    let engine = Engine::new(settings.bitswap, bitswap::Metrics::new(registry));
    let config = settings.swarm;
    config.validate()?;
    let mut swarm = host::build(key, &config, metrics.clone(), tasks)?;
    let mut opening = HashSet::new();
    for address in &config.listen {
        let listener = swarm
            .listen_on(address.clone())
            .map_err(|source| SwarmError::Listen { address: address.clone(), source })?;
        opening.insert(listener);
    }
    let (commands, received) = mpsc::channel(config.commands_max.max(1));
    let handle = Handle::new(*swarm.local_peer_id(), commands);
    let room = Room { metrics, store, tasks, opening, shared: handle.shared().clone() };
    let driver = Driver::new(swarm, engine, &config, room, Instant::now())?;
    drop(tasks.spawn("swarm", driver.run(received)));
    Ok(handle)
}
