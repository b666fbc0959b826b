//! The whole exchange as one state machine: what happened and when goes in, actions come out.
//!
//! Each peer has one outbound stream, and nothing is put together for it before the stream has taken
//! the message before. That is the only batching there is: an idle stream sends at once, a busy one
//! gathers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ipfs::{Block, Cid};
use libp2p_identity::PeerId;

use super::action::{Action, DisconnectReason, Lookup, SessionId, Ticket};
use super::client::Client;
use super::config::Config;
use super::ledger::{Account, Ledger};
use super::metrics::{Drop, Metrics};
use super::server::Server;
use super::wire::{Message, ProtocolVersion, Received, WANTS_MAX};

/// Wait after a first failed send; doubles with each further one.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);
/// Longest wait after a failed send.
const FAILURE_PAUSE_MAX: Duration = Duration::from_secs(10);

/// Bitswap without sockets, tasks or clocks.
///
/// After every call that changes something, [`Engine::poll`] is called until it returns `None`, and
/// [`Engine::tick`] is called at [`Engine::wake_at`]. Points in time must not go backwards.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    metrics: Metrics,
    now: Option<Instant>,
    links: BTreeMap<PeerId, Link>,
    client: Client,
    server: Server,
    ledger: Ledger,
    /// Peers that may have something to be sent.
    unsent: BTreeSet<PeerId>,
    /// When a stream is too slow, or may be tried again.
    timers: BTreeSet<(Instant, PeerId)>,
    disconnects: Vec<Action>,
}

/// The outbound stream of one peer.
#[derive(Debug, Default)]
struct Link {
    sending: Option<Sending>,
    /// Failed sends since the last that went well.
    failures: u32,
    /// Broken streams since the peer last said anything.
    losses: u32,
    /// Nothing is sent before this, after a failure.
    paused: Option<Instant>,
    /// Nothing is sent until the peer reconnects.
    muted: bool,
}

/// A message that the stream has not taken yet.
#[derive(Debug, Clone, Copy)]
struct Sending {
    due: Instant,
    blocks: u64,
    bytes: u64,
}

impl Engine {
    /// An engine without peers.
    pub fn new(config: Config, metrics: Metrics) -> Self {
        Self {
            client: Client::new(config.clone(), metrics.clone()),
            server: Server::new(config.clone(), metrics.clone()),
            config,
            metrics,
            now: None,
            links: BTreeMap::new(),
            ledger: Ledger::default(),
            unsent: BTreeSet::new(),
            timers: BTreeSet::new(),
            disconnects: Vec::new(),
        }
    }

    /// Names the peers that sessions without candidates ask before any other, once connected.
    pub fn prefer(&mut self, friends: impl IntoIterator<Item = PeerId>) {
        self.client.prefer(friends.into_iter().collect());
    }

    /// A peer has its first connection.
    pub fn peer_connected(&mut self, peer: PeerId, now: Instant) {
        self.at(now);
        if self.links.contains_key(&peer) {
            return;
        }
        self.links.insert(peer, Link::default());
        self.ledger.open(peer);
        self.server.peer_connected(peer);
        self.client.peer_connected(peer, now);
    }

    /// A peer lost its last connection: all that is kept of it is freed, and what it owed is asked
    /// of others.
    pub fn peer_disconnected(&mut self, peer: &PeerId, now: Instant) {
        self.at(now);
        if let Some(link) = self.links.remove(peer) {
            self.forget_timers(peer, &link);
        }
        self.unsent.remove(peer);
        self.ledger.close(peer);
        self.server.peer_disconnected(peer);
        self.client.peer_disconnected(peer, now);
    }

    /// The version that was negotiated with a peer; until it is known, 1.2 is assumed.
    pub fn peer_version(&mut self, peer: &PeerId, version: ProtocolVersion) {
        if let Some(now) = self.now {
            self.client.peer_version(peer, version, now);
        }
    }

    /// A message came from a peer.
    pub fn received(&mut self, peer: &PeerId, message: Received, now: Instant) {
        self.at(now);
        let Some(link) = self.links.get_mut(peer) else {
            return;
        };
        link.losses = 0;
        let muted = link.muted;
        let bytes = message.blocks.iter().map(|block| block.data().len() as u64).sum();
        self.ledger.received(peer, message.blocks.len() as u64, bytes);
        self.metrics.dropped.at(Drop::UnknownHash).inc_by(message.dropped.unknown_hashes);
        self.metrics.dropped.at(Drop::OverBounds).inc_by(message.dropped.over_bounds);
        self.metrics.dropped.at(Drop::Malformed).inc_by(message.dropped.malformed);
        for block in &message.blocks {
            self.client.block(peer, block, now);
        }
        for (cid, presence) in &message.presences {
            self.client.presence(peer, cid, *presence, now);
        }
        if !muted {
            self.server.received(peer, &message);
        }
    }

    /// Opens a session: one fetch of the DAG below `root`, from these peers.
    ///
    /// Without candidates the session asks connected peers, those of [`Engine::prefer`] first and then
    /// those that have delivered before, and any that connect later. The first block that it wants (as a rule the root) is the one
    /// that its peers are probed with.
    pub fn open_session(&mut self, root: Cid, candidates: Vec<PeerId>, now: Instant) -> SessionId {
        self.at(now);
        tracing::debug!(%root, candidates = candidates.len(), "bitswap session opened");
        self.client.open_session(&candidates, now)
    }

    /// From here on, peers are asked for what a session wants with the least priority, and after what
    /// other sessions want. A block that another session wants too keeps the place that it has.
    pub fn defer(&mut self, id: SessionId) {
        self.client.defer(id);
    }

    /// Ends a session; what only it wanted is cancelled, and nothing more is delivered to it.
    pub fn close_session(&mut self, id: SessionId) {
        self.client.close_session(id);
    }

    /// Adds peers to a session, connected or not.
    pub fn add_candidates(&mut self, id: SessionId, peers: &[PeerId], now: Instant) {
        self.at(now);
        self.client.add_candidates(id, peers, now);
    }

    /// Wants a block. Ends in one [`Action::Deliver`] or [`Action::Failed`], unless it is cancelled.
    /// Wants made earlier are asked for first.
    pub fn want(&mut self, id: SessionId, cid: Cid, now: Instant) {
        self.at(now);
        self.client.want(id, cid, now);
    }

    /// Wants a block no more.
    pub fn cancel(&mut self, id: SessionId, cid: &Cid, now: Instant) {
        self.at(now);
        self.client.cancel(id, cid);
    }

    /// These blocks are in the store, however they came: peers that wait for them are answered, and
    /// sessions that want them get them.
    pub fn have_locally(&mut self, blocks: &[Block], now: Instant) {
        self.at(now);
        for block in blocks {
            self.client.local(block, now);
            self.server.have_locally(block);
        }
    }

    /// Blocks came to the store by other means, it is not known which: wants of peers that were not
    /// found are looked up again. Returns what sessions want, so that it can be looked up too.
    pub fn recheck(&mut self, now: Instant) -> Vec<Cid> {
        self.at(now);
        self.server.recheck();
        self.client.wanted()
    }

    /// Whether anybody still waits for the answer to an [`Action::Lookup`]; without, it need not be
    /// looked up.
    pub fn awaits(&self, ticket: Ticket) -> bool {
        self.server.awaits(ticket)
    }

    /// The answer to an [`Action::Lookup`].
    pub fn looked_up(&mut self, ticket: Ticket, found: Lookup, now: Instant) {
        self.at(now);
        self.server.looked_up(ticket, found);
    }

    /// The peer's stream took the last message.
    pub fn sent(&mut self, peer: &PeerId, now: Instant) {
        self.at(now);
        let Some(sending) = self.stream_free(peer) else {
            return;
        };
        self.server.took(peer);
        if let Some(link) = self.links.get_mut(peer) {
            link.failures = 0;
        }
        self.ledger.sent(peer, sending.blocks, sending.bytes);
        self.unsent.insert(*peer);
    }

    /// The last message could not be written; the stream has to be opened again. The answers in it
    /// are sent again.
    pub fn send_failed(&mut self, peer: &PeerId, now: Instant) {
        self.at(now);
        if self.stream_free(peer).is_none() {
            return;
        }
        self.server.lost(peer);
        if let Some(link) = self.links.get_mut(peer) {
            link.failures = link.failures.saturating_add(1);
        }
        self.failed(peer, now);
    }

    /// The stream broke after it took messages that the peer may never have read: our wants are said
    /// again, and the peer is left to repeat its own.
    pub fn stream_lost(&mut self, peer: &PeerId, now: Instant) {
        self.at(now);
        if let Some(link) = self.links.get_mut(peer) {
            link.losses = link.losses.saturating_add(1);
            self.failed(peer, now);
        }
    }

    /// Leaves a peer alone for a while after a failure, or for good after too many.
    fn failed(&mut self, peer: &PeerId, now: Instant) {
        let Some(link) = self.links.get_mut(peer) else {
            return;
        };
        let times = link.failures.max(link.losses).max(1);
        let muted = link.muted || times >= self.config.send_failures_max.max(1);
        let newly = muted && !std::mem::replace(&mut link.muted, muted);
        let pause = FAILURE_PAUSE * 2_u32.saturating_pow(times.min(10) - 1);
        let until = now + pause.min(FAILURE_PAUSE_MAX);
        if let Some(before) = link.paused.replace(until) {
            self.timers.remove(&(before, *peer));
        }
        self.timers.insert((until, *peer));
        self.give_up_on(peer, muted, now);
        if newly {
            self.disconnect(*peer, DisconnectReason::Broken);
        }
    }

    /// A peer that may have been muted for no fault of its own can come back with a new connection.
    fn disconnect(&mut self, peer: PeerId, why: DisconnectReason) {
        self.metrics.disconnects.at(why).inc();
        self.disconnects.push(Action::Disconnect { peer, why });
    }

    /// Does what is due; to be called at [`Engine::wake_at`].
    pub fn tick(&mut self, now: Instant) {
        self.at(now);
        self.client.tick(now);
        while let Some((at, peer)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.remove(&(at, peer));
            let Some(link) = self.links.get_mut(&peer) else {
                continue;
            };
            let stalled = link.sending.is_some_and(|sending| sending.due <= now);
            link.paused = link.paused.filter(|until| *until > now);
            self.unsent.insert(peer);
            if stalled {
                link.muted = true;
                self.give_up_on(&peer, true, now);
                self.disconnect(peer, DisconnectReason::Stalled);
            }
        }
    }

    /// When [`Engine::tick`] is due, if anything waits for time.
    pub fn wake_at(&self) -> Option<Instant> {
        let links = self.timers.first().map(|(at, _)| *at);
        self.client.wake_at().into_iter().chain(links).min()
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        if let Some(action) = self.next_action() {
            return Some(action);
        }
        if let Some(now) = self.now {
            self.client.dispatch(now);
        }
        self.server.look_up();
        if let Some(action) = self.next_action() {
            return Some(action);
        }
        self.unsent.append(&mut self.client.take_talk());
        self.unsent.append(&mut self.server.take_talk());
        while let Some(peer) = self.unsent.pop_first() {
            if let Some(message) = self.compose(&peer) {
                return Some(Action::Send { peer, message });
            }
        }
        None
    }

    /// What was exchanged with a connected peer.
    pub fn account(&self, peer: &PeerId) -> Option<Account> {
        self.ledger.account(peer)
    }

    fn at(&mut self, now: Instant) {
        self.now = Some(self.now.map_or(now, |before| before.max(now)));
    }

    fn next_action(&mut self) -> Option<Action> {
        self.client
            .next_action()
            .or_else(|| self.server.next_action())
            .or_else(|| self.disconnects.pop())
    }

    /// The next message for a peer whose stream is free.
    fn compose(&mut self, peer: &PeerId) -> Option<Message> {
        let now = self.now?;
        let link = self.links.get_mut(peer)?;
        if link.sending.is_some() || link.muted || link.paused.is_some() {
            return None;
        }
        if !self.client.has_entries(peer) && !self.server.has_answers(peer) {
            return None;
        }
        let (wants, full) = self.client.take_entries(peer, WANTS_MAX);
        let answers = self.server.take(peer);
        if wants.is_empty() && !full && answers.blocks.is_empty() && answers.presences.is_empty() {
            return None;
        }
        let sending = Sending {
            due: now + self.config.send_stall,
            blocks: answers.blocks.len() as u64,
            bytes: answers.blocks.iter().map(|block| block.data().len() as u64).sum(),
        };
        link.sending = Some(sending);
        self.timers.insert((sending.due, *peer));
        let pending_bytes = i32::try_from(answers.pending_bytes).unwrap_or(i32::MAX);
        let (blocks, presences) = (answers.blocks, answers.presences);
        Some(Message { wants, full, blocks, presences, pending_bytes })
    }

    /// The stream holds no message any more; returns the one that it held.
    fn stream_free(&mut self, peer: &PeerId) -> Option<Sending> {
        let sending = self.links.get_mut(peer)?.sending.take()?;
        self.timers.remove(&(sending.due, *peer));
        Some(sending)
    }

    /// What the peer owed is asked of others; a muted peer is not served either.
    fn give_up_on(&mut self, peer: &PeerId, muted: bool, now: Instant) {
        self.client.peer_failed(peer, muted, now);
        if muted {
            self.server.peer_disconnected(peer);
            self.server.peer_connected(*peer);
        }
    }

    fn forget_timers(&mut self, peer: &PeerId, link: &Link) {
        let due = link.sending.map(|sending| sending.due);
        for at in due.into_iter().chain(link.paused) {
            self.timers.remove(&(at, *peer));
        }
    }
}
