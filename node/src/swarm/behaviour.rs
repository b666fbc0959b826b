//! Joins the bitswap handlers of all connections to one voice per peer.
//!
//! A peer is known to the exchange only once it has shown that it speaks bitswap, so others are never
//! bothered. However many connections a peer has, one of them carries what we send.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::handler::{FromHandler, Handler, Settings};
use crate::bitswap::{Message, ProtocolVersion, Received};

/// What the swarm learns of the exchange.
#[derive(Debug)]
pub(super) enum Event {
    /// A peer showed that it speaks bitswap, at best this version.
    Joined(PeerId, ProtocolVersion),
    /// A peer speaks a better version than it showed before.
    Version(PeerId, ProtocolVersion),
    /// A peer that had joined has no connection any more.
    Left(PeerId),
    /// A message came, its blocks proven.
    Received(PeerId, Box<Received>),
    /// The last message to a peer left.
    Sent(PeerId),
    /// The last message to a peer is lost.
    SendFailed(PeerId),
    /// Messages that a peer was sent may be lost.
    Lost(PeerId),
}

/// One peer that speaks bitswap.
#[derive(Debug)]
struct Peer {
    /// Connections on which it showed that, the oldest first; the first carries what we send.
    connections: Vec<ConnectionId>,
    version: ProtocolVersion,
    /// The connection that holds a message of ours.
    sending: Option<ConnectionId>,
}

/// Bitswap on all connections.
pub(super) struct Behaviour {
    settings: Arc<Settings>,
    /// Peers whose connections stay however idle they are.
    kept: Vec<PeerId>,
    peers: HashMap<PeerId, Peer>,
    out: VecDeque<ToSwarm<Event, Message>>,
    waker: Option<Waker>,
}

impl Behaviour {
    pub(super) fn new(settings: Arc<Settings>, kept: Vec<PeerId>) -> Self {
        Self { settings, kept, peers: HashMap::new(), out: VecDeque::new(), waker: None }
    }

    /// Hands a message to the stream of a peer; answered by one [`Event::Sent`] or
    /// [`Event::SendFailed`], unless the peer leaves.
    pub(super) fn send(&mut self, peer: PeerId, message: Message) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let Some(carrier) = known.connections.first().copied() else { return };
        known.sending = Some(carrier);
        let handler = NotifyHandler::One(carrier);
        self.put(ToSwarm::NotifyHandler { peer_id: peer, handler, event: message });
    }

    fn put(&mut self, out: ToSwarm<Event, Message>) {
        self.out.push_back(out);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn tell(&mut self, event: Event) {
        self.put(ToSwarm::GenerateEvent(event));
    }

    fn speaks(&mut self, peer: PeerId, connection: ConnectionId, version: ProtocolVersion) {
        let Some(known) = self.peers.get_mut(&peer) else {
            let joined = Peer { connections: vec![connection], version, sending: None };
            self.peers.insert(peer, joined);
            self.tell(Event::Joined(peer, version));
            return;
        };
        if !known.connections.contains(&connection) {
            known.connections.push(connection);
        }
        if version > known.version {
            known.version = version;
            self.tell(Event::Version(peer, version));
        }
    }

    fn closed(&mut self, peer: PeerId, connection: ConnectionId) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.connections.retain(|id| *id != connection);
        let lost = known.sending.take_if(|id| *id == connection).is_some();
        if known.connections.is_empty() {
            self.peers.remove(&peer);
            self.tell(Event::Left(peer));
        } else if lost {
            self.tell(Event::SendFailed(peer));
        }
    }

    /// Whether this answer is about a message that is still waited for.
    fn answered(&mut self, peer: &PeerId, connection: ConnectionId) -> bool {
        let known = self.peers.get_mut(peer);
        known.is_some_and(|known| known.sending.take_if(|id| *id == connection).is_some())
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::new(self.settings.clone(), self.kept.contains(&peer)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::new(self.settings.clone(), self.kept.contains(&peer)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) = event
        {
            self.closed(peer_id, connection_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            FromHandler::Speaks(version) => self.speaks(peer, connection, version),
            FromHandler::Received(message) => self.tell(Event::Received(peer, message)),
            FromHandler::Sent => {
                if self.answered(&peer, connection) {
                    self.tell(Event::Sent(peer));
                }
            }
            FromHandler::SendFailed => {
                if self.answered(&peer, connection) {
                    self.tell(Event::SendFailed(peer));
                }
            }
            FromHandler::Lost => self.tell(Event::Lost(peer)),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        match self.out.pop_front() {
            Some(out) => Poll::Ready(out),
            None => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
