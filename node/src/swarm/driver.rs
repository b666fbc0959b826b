//! The swarm's task: drives connections and the exchange until it is told to stop.
//!
//! Each turn takes one thing that happened and does all that follows from it. While more received
//! blocks wait for the store than may, nothing is read from the network.

mod exchange;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, identify};
use tokio::sync::{mpsc, oneshot};

use self::exchange::Exchange;
use super::SwarmError;
use super::config::Config;
use super::handle::{Command, PeerInfo, Shared};
use super::host::{Host, HostEvent};
use super::metrics::{Metrics, Opener, level};
use super::peering::Peering;
use super::store::Store;
use crate::bitswap::Engine;

/// Longest wait for connections to close when the host stops.
const STOP_WAIT: Duration = Duration::from_secs(2);
/// What is kept of what a peer says of its software.
const AGENT_CHARS: usize = 64;
/// Commands that are obeyed before what follows from them is done.
const COMMANDS_TOGETHER: usize = 256;

/// What the swarm's task is given by the rest of the node.
pub(super) struct Room<'a> {
    pub(super) metrics: Metrics,
    pub(super) store: Arc<dyn Store>,
    pub(super) tasks: &'a telemetry::Tasks,
    /// Listeners that have no address yet.
    pub(super) opening: HashSet<ListenerId>,
    pub(super) shared: Arc<Shared>,
}

/// The swarm's task.
pub(super) struct Driver {
    swarm: Swarm<Host>,
    exchange: Exchange,
    peering: Peering,
    metrics: Metrics,
    shared: Arc<Shared>,
    opening: HashSet<ListenerId>,
    peers: BTreeMap<PeerId, Known>,
    dials: HashMap<ConnectionId, Dial>,
}

/// A dial that somebody waits for.
struct Dial {
    address: Multiaddr,
    reply: oneshot::Sender<Result<PeerId, SwarmError>>,
}

/// A connected peer.
#[derive(Debug, Default)]
struct Known {
    connections: BTreeMap<ConnectionId, Multiaddr>,
    agent: Option<String>,
}

impl Driver {
    pub(super) fn new(
        swarm: Swarm<Host>,
        mut engine: Engine,
        config: &Config,
        room: Room<'_>,
        now: Instant,
    ) -> Result<Self, SwarmError> {
        let peers = config.others(swarm.local_peer_id())?;
        engine.prefer(peers.iter().map(|(peer, _)| *peer));
        Ok(Self {
            swarm,
            exchange: Exchange::new(engine, config, &room),
            peering: Peering::new(peers, config.redial_first, config.redial_max, now),
            metrics: room.metrics,
            shared: room.shared,
            opening: room.opening,
            peers: BTreeMap::new(),
            dials: HashMap::new(),
        })
    }

    /// Runs until told to stop, or until no handle is left.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let shared = self.shared.clone();
        shared.all_listen.send_replace(self.opening.is_empty());
        loop {
            self.redial();
            self.exchange.work(&mut self.swarm);
            let wake = self.exchange.wake_at().into_iter().chain(self.peering.wake_at()).min();
            let may_read = self.exchange.has_room();
            tokio::select! {
                command = commands.recv() => {
                    if let ControlFlow::Break(reply) = self.obey_all(command, &mut commands) {
                        self.stop().await;
                        // Nobody waiting any more is as good as being told.
                        reply.map(|reply| reply.send(()).ok());
                        return;
                    }
                },
                event = self.swarm.select_next_some(), if may_read => self.happened(event),
                done = self.exchange.done() => self.exchange.finish_all(done),
                () = shared.any_gone() => self.exchange.forget(shared.take_gone()),
                () = shared.any_added() => self.exchange.recheck(),
                () = until(wake) => self.exchange.tick(),
            }
        }
    }

    /// Lets connections end in order; peers see the close rather than a timeout.
    async fn stop(&mut self) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            self.swarm.disconnect_peer_id(peer).ok();
        }
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        tokio::time::timeout(STOP_WAIT, closed).await.ok();
    }

    /// Obeys a command and those that wait behind it: blocks that are wanted together are to be asked
    /// for together. Breaks at the end, with whoever waits for it.
    fn obey_all(
        &mut self,
        first: Option<Command>,
        commands: &mut mpsc::Receiver<Command>,
    ) -> ControlFlow<Option<oneshot::Sender<()>>> {
        let mut next = first;
        let mut obeyed = 0;
        loop {
            match next {
                Some(Command::Stop { reply }) => return ControlFlow::Break(Some(reply)),
                Some(command) => self.obey(command),
                None => return ControlFlow::Break(None),
            }
            obeyed += 1;
            if obeyed == COMMANDS_TOGETHER {
                return ControlFlow::Continue(());
            }
            match commands.try_recv() {
                Ok(command) => next = Some(command),
                Err(_) => return ControlFlow::Continue(()),
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Dial { address, reply } => self.dial(address, reply),
            Command::Peers { reply } => {
                reply.send(self.peer_list()).ok();
            }
            Command::Open { root, deferred, reply } => self.exchange.open(root, deferred, reply),
            Command::Providers { session, peers } => self.exchange.providers(session, &peers),
            Command::Want { session, cid, reply } => self.exchange.want(session, cid, reply),
            Command::Stop { reply } => drop(reply),
        }
    }

    fn peer_list(&self) -> Vec<PeerInfo> {
        let info = |(peer, known): (&PeerId, &Known)| PeerInfo {
            peer: *peer,
            addresses: known.connections.values().cloned().collect(),
            agent: known.agent.clone(),
            account: self.exchange.account(peer),
        };
        self.peers.iter().map(info).collect()
    }

    fn dial(&mut self, address: Multiaddr, reply: oneshot::Sender<Result<PeerId, SwarmError>>) {
        let options = match super::config::split_peer(&address) {
            (Some(peer), bare) => DialOpts::peer_id(peer)
                .condition(PeerCondition::Always)
                .addresses(vec![bare])
                .build(),
            (None, bare) => DialOpts::unknown_peer_id().address(bare).build(),
        };
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(connection, Dial { address, reply });
            }
            Err(error) => {
                let why = error.to_string();
                reply.send(Err(SwarmError::Dial { address, why })).ok();
            }
        }
    }

    /// Dials the peers of the peering list that are due.
    fn redial(&mut self) {
        let now = Instant::now();
        while let Some((peer, addresses)) = self.peering.next_due(now) {
            let options = DialOpts::peer_id(peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(addresses)
                .build();
            if let Err(error) = self.swarm.dial(options) {
                tracing::debug!(%peer, %error, "peering cannot be dialled");
                if !self.swarm.is_connected(&peer) {
                    self.peering.lost(&peer, now, rand::random());
                }
            }
        }
    }

    fn happened(&mut self, event: SwarmEvent<HostEvent>) {
        if let SwarmEvent::Behaviour(event) = event {
            self.behaved(event);
        } else if let SwarmEvent::ConnectionEstablished {
            peer_id, connection_id, endpoint, ..
        } = event
        {
            let opener = if endpoint.is_dialer() { Opener::Us } else { Opener::Peer };
            self.metrics.connections.at(opener).inc();
            let address = endpoint.get_remote_address().clone();
            self.peers.entry(peer_id).or_default().connections.insert(connection_id, address);
            level(&self.metrics.peers, self.peers.len() as u64);
            self.peering.connected(&peer_id, Instant::now());
            if let Some(dial) = self.dials.remove(&connection_id) {
                dial.reply.send(Ok(peer_id)).ok();
            }
        } else if let SwarmEvent::ConnectionClosed {
            peer_id,
            connection_id,
            num_established,
            cause,
            ..
        } = event
        {
            tracing::debug!(peer = %peer_id, ?cause, "connection closed");
            self.closed(peer_id, connection_id, num_established);
        } else if let SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } = event
        {
            self.not_reached(connection_id, peer_id, &error);
        } else if let SwarmEvent::IncomingConnectionError { error, .. } = event {
            tracing::debug!(%error, "incoming connection failed");
            self.metrics.connection_failures.at(Opener::Peer).inc();
        } else if let SwarmEvent::NewListenAddr { address, listener_id } = event {
            tracing::info!(%address, "listening for peers");
            self.shared.listening.lock().push(address);
            self.opened(listener_id);
        } else if let SwarmEvent::ExpiredListenAddr { address, .. } = event {
            self.shared.listening.lock().retain(|known| *known != address);
        } else if let SwarmEvent::ListenerClosed { addresses, reason, listener_id } = event {
            tracing::warn!(?addresses, ?reason, "listener closed");
            self.shared.listening.lock().retain(|known| !addresses.contains(known));
            self.opened(listener_id);
        }
    }

    /// Nobody has to wait for this listener any more.
    fn opened(&mut self, listener: ListenerId) {
        if self.opening.remove(&listener) {
            self.shared.all_listen.send_replace(self.opening.is_empty());
        }
    }

    fn closed(&mut self, peer: PeerId, connection: ConnectionId, left: u32) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.connections.remove(&connection);
        }
        if left == 0 {
            self.peers.remove(&peer);
            self.peering.lost(&peer, Instant::now(), rand::random());
        }
        level(&self.metrics.peers, self.peers.len() as u64);
    }

    fn not_reached(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        error: &libp2p::swarm::DialError,
    ) {
        tracing::debug!(?peer, %error, "peer not reached");
        self.metrics.connection_failures.at(Opener::Us).inc();
        if let Some(peer) = peer
            && self.peering.contains(&peer)
            && !self.swarm.is_connected(&peer)
        {
            self.peering.lost(&peer, Instant::now(), rand::random());
        }
        if let Some(Dial { address, reply }) = self.dials.remove(&connection) {
            let why = error.to_string();
            reply.send(Err(SwarmError::Dial { address, why })).ok();
        }
    }

    fn behaved(&mut self, event: HostEvent) {
        match event {
            HostEvent::Bitswap(event) => {
                self.exchange.event(event);
                let peers = self.exchange.peers();
                level(&self.metrics.bitswap_peers, peers as u64);
                self.shared.reachable.lock().bitswap = u32::try_from(peers).unwrap_or(u32::MAX);
            }
            HostEvent::Identify(event) => {
                if let identify::Event::Received { peer_id, info, .. } = event
                    && let Some(known) = self.peers.get_mut(&peer_id)
                {
                    known.agent = Some(info.agent_version.chars().take(AGENT_CHARS).collect());
                }
            }
            HostEvent::Ping(event) => {
                if let Err(error) = event.result {
                    tracing::debug!(peer = %event.peer, %error, "peer does not answer pings");
                    if !matches!(error, libp2p::ping::Failure::Unsupported) {
                        self.swarm.close_connection(event.connection);
                    }
                }
            }
            HostEvent::Limits(never) | HostEvent::Memory(never) => match never {},
        }
    }
}

/// Waits until a point in time, or for ever.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
