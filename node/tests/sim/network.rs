//! Many engines, one thread, virtual time: a network of ordered streams with latency and bandwidth.
//!
//! Time only moves to the next event, so an hour of waiting costs nothing and a run is the same each
//! time it is played with the same seed. Messages really travel as bytes unless a test measures the
//! engine alone.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use ipfs::cid::Multihash;
use ipfs::{Block, Cid};
use libp2p_identity::PeerId;
use node::bitswap::{
    Action, Config, DisconnectReason, Engine, Found, Lookup, LookupBounds, Message, Metrics,
    Presence, ProtocolVersion, Received, SessionId, Ticket, WantFailure, WantType, wire,
};
use telemetry::metrics::Registry;

use crate::chance::{countdown, one_in};

pub(crate) use crate::chance::Dice;
pub(crate) use crate::content::{blocks, cids};

/// How a node treats what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// As the engine does.
    Honest,
    /// Says HAVE to every probe and then nothing.
    HaveThenStall,
    /// Says HAVE to every probe and DONT_HAVE to every want of a block.
    LyingHave,
    /// Takes everything and never answers.
    Mute,
}

/// A path between two nodes, the same both ways.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path {
    pub(crate) latency: Duration,
    pub(crate) jitter: Duration,
    /// Bytes per second each way; zero has no limit.
    pub(crate) bandwidth: u64,
    /// Whether messages may overtake each other, as they do on a stream each.
    pub(crate) reorder: bool,
}

impl Path {
    /// A path of this round trip and without limit of bandwidth.
    pub(crate) fn rtt(ms: u64) -> Self {
        let latency = Duration::from_micros(ms * 500);
        Self { latency, jitter: Duration::ZERO, bandwidth: 0, reorder: false }
    }

    pub(crate) fn bandwidth(self, bandwidth: u64) -> Self {
        Self { bandwidth, ..self }
    }
}

/// One direction of a path.
#[derive(Debug, Clone, Copy)]
struct Wire {
    path: Path,
    free_at: Instant,
    last_arrival: Instant,
    connection: u64,
}

/// A node of the network.
pub(crate) struct Node {
    pub(crate) peer: PeerId,
    pub(crate) engine: Engine,
    pub(crate) metrics: Metrics,
    pub(crate) store: BTreeMap<Multihash, Block>,
    pub(crate) conduct: Conduct,
    pub(crate) version: ProtocolVersion,
    pub(crate) delivered: Vec<(Instant, SessionId, Cid)>,
    pub(crate) failed: Vec<(Instant, SessionId, Cid, WantFailure)>,
    pub(crate) disconnects: Vec<(PeerId, DisconnectReason)>,
    /// Wants still to be made, one for each block that comes.
    pub(crate) plan: VecDeque<(SessionId, Cid)>,
    /// Whether delivered blocks are stored, and so served.
    pub(crate) keeps: bool,
    /// Whether its streams take what is sent.
    pub(crate) takes: bool,
    /// How many of its next messages are lost after its stream took them.
    pub(crate) lose: u32,
    /// How many of its next messages its stream fails to take.
    pub(crate) fail: u32,
    /// Bytes that its largest lookup brought.
    pub(crate) lookup_bytes_max: u64,
    /// Messages sent, and their longest.
    pub(crate) messages: u64,
    pub(crate) message_bytes_max: usize,
}

/// Something that will happen.
enum Event {
    Arrive { from: usize, to: usize, connection: u64, content: Content },
    Sent { node: usize, to: usize, connection: u64 },
    Failed { node: usize, to: usize, connection: u64 },
    LookedUp { node: usize, ticket: Ticket, lookup: Lookup },
}

/// A message as bytes, or as it is when bytes are not the matter.
enum Content {
    Bytes(Bytes),
    Whole(Message),
}

/// The network.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) nodes: Vec<Node>,
    pub(crate) dice: Dice,
    /// Whether messages travel as bytes.
    pub(crate) coded: bool,
    pub(crate) lookup_time: Duration,
    /// Of how many messages one is lost, and one fails; with zero none is.
    pub(crate) lose_one_in: u64,
    pub(crate) fail_one_in: u64,
    wires: BTreeMap<(usize, usize), Wire>,
    events: BTreeMap<(Instant, u64), Event>,
    next_event: u64,
    next_connection: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let start = Instant::now();
        Self {
            now: start,
            start,
            nodes: Vec::new(),
            dice: Dice::new(seed),
            coded: true,
            lookup_time: Duration::from_micros(200),
            lose_one_in: 0,
            fail_one_in: 0,
            wires: BTreeMap::new(),
            events: BTreeMap::new(),
            next_event: 0,
            next_connection: 0,
        }
    }

    pub(crate) fn add(&mut self) -> usize {
        self.add_with(Config::default(), Conduct::Honest)
    }

    /// The peer of a node of its own.
    pub(crate) fn add_peer(&mut self) -> PeerId {
        let node = self.add();
        self.nodes[node].peer
    }

    pub(crate) fn add_conduct(&mut self, conduct: Conduct) -> usize {
        self.add_with(Config::default(), conduct)
    }

    pub(crate) fn add_with(&mut self, config: Config, conduct: Conduct) -> usize {
        let metrics = Metrics::new(&Registry::new());
        let index = self.nodes.len();
        self.nodes.push(Node {
            peer: peer_id(index),
            engine: Engine::new(config, metrics.clone()),
            metrics,
            store: BTreeMap::new(),
            conduct,
            version: ProtocolVersion::V1_2,
            delivered: Vec::new(),
            failed: Vec::new(),
            disconnects: Vec::new(),
            plan: VecDeque::new(),
            keeps: true,
            takes: true,
            lose: 0,
            fail: 0,
            lookup_bytes_max: 0,
            messages: 0,
            message_bytes_max: 0,
        });
        index
    }

    pub(crate) fn give(&mut self, node: usize, blocks: &[Block]) {
        for block in blocks {
            self.nodes[node].store.insert(*block.cid().multihash(), block.clone());
        }
    }

    /// Stores blocks at a node that others may wait for.
    pub(crate) fn bring(&mut self, node: usize, blocks: &[Block]) {
        self.give(node, blocks);
        self.nodes[node].engine.have_locally(blocks, self.now);
        self.drain(node);
    }

    pub(crate) fn connect(&mut self, a: usize, b: usize, path: Path) {
        self.next_connection += 1;
        let wire = Wire {
            path,
            free_at: self.now,
            last_arrival: self.now,
            connection: self.next_connection,
        };
        self.wires.insert((a, b), wire);
        self.wires.insert((b, a), wire);
        let version = self.nodes[a].version.min(self.nodes[b].version);
        for (node, other) in [(a, b), (b, a)] {
            let peer = self.nodes[other].peer;
            self.nodes[node].engine.peer_connected(peer, self.now);
            self.nodes[node].engine.peer_version(&peer, version);
            self.drain(node);
        }
    }

    pub(crate) fn disconnect(&mut self, a: usize, b: usize) {
        if self.wires.remove(&(a, b)).is_none() {
            return;
        }
        self.wires.remove(&(b, a));
        for (node, other) in [(a, b), (b, a)] {
            let peer = self.nodes[other].peer;
            self.nodes[node].engine.peer_disconnected(&peer, self.now);
            self.drain(node);
        }
    }

    pub(crate) fn connected(&self, a: usize, b: usize) -> bool {
        self.wires.contains_key(&(a, b))
    }

    /// Opens a session at a node towards others.
    pub(crate) fn session(&mut self, node: usize, root: &Block, others: &[usize]) -> SessionId {
        let peers = others.iter().map(|other| self.nodes[*other].peer).collect();
        let now = self.now;
        self.nodes[node].engine.open_session(*root.cid(), peers, now)
    }

    /// Wants blocks, at most `ahead` at a time.
    pub(crate) fn want(&mut self, node: usize, session: SessionId, cids: &[Cid], ahead: usize) {
        for (at, cid) in cids.iter().enumerate() {
            if at < ahead {
                self.nodes[node].engine.want(session, *cid, self.now);
            } else {
                self.nodes[node].plan.push_back((session, *cid));
            }
        }
        self.drain(node);
    }

    /// Plays until a condition holds; returns the virtual time that passed, or `None` when the
    /// condition did not hold within `limit`.
    pub(crate) fn run(
        &mut self,
        limit: Duration,
        mut until: impl FnMut(&Self) -> bool,
    ) -> Option<Duration> {
        let begin = self.now;
        loop {
            if until(self) {
                return Some(self.now - begin);
            }
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let ticks = self.nodes.iter().filter_map(|node| node.engine.wake_at());
            let next = ticks.chain(event).min()?;
            if next > begin + limit {
                self.now = begin + limit;
                return None;
            }
            self.now = self.now.max(next);
            self.step();
        }
    }

    /// Plays for a time.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.run(time, |_| false);
        self.now = end;
    }

    fn step(&mut self) {
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let event = entry.remove();
            self.happen(event);
        }
        for node in 0..self.nodes.len() {
            if self.nodes[node].engine.wake_at().is_some_and(|at| at <= self.now) {
                self.nodes[node].engine.tick(self.now);
                self.drain(node);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { from, to, connection, content } => {
                if self.wires.get(&(from, to)).is_some_and(|w| w.connection == connection) {
                    self.arrive(from, to, content);
                }
            }
            Event::Sent { node, to, connection } => {
                if self.wires.get(&(node, to)).is_some_and(|w| w.connection == connection) {
                    let peer = self.nodes[to].peer;
                    self.nodes[node].engine.sent(&peer, self.now);
                    self.drain(node);
                }
            }
            Event::Failed { node, to, connection } => {
                if self.wires.get(&(node, to)).is_some_and(|w| w.connection == connection) {
                    let peer = self.nodes[to].peer;
                    self.nodes[node].engine.send_failed(&peer, self.now);
                    self.drain(node);
                }
            }
            Event::LookedUp { node, ticket, lookup } => {
                self.nodes[node].engine.looked_up(ticket, lookup, self.now);
                self.drain(node);
            }
        }
    }

    fn arrive(&mut self, from: usize, to: usize, content: Content) {
        let message = match content {
            Content::Bytes(mut bytes) => {
                let (head, body) =
                    wire::frame_len(&bytes).expect("a frame").expect("a whole length");
                let body = bytes.split_off(head).slice(..body);
                wire::decode(body).expect("a message of ours")
            }
            Content::Whole(message) => Received {
                wants: message.wants,
                full: message.full,
                blocks: message.blocks,
                presences: message.presences,
                ..Received::default()
            },
        };
        match self.nodes[to].conduct {
            Conduct::Honest => {
                let peer = self.nodes[from].peer;
                self.nodes[to].engine.received(&peer, message, self.now);
                self.drain(to);
            }
            conduct @ (Conduct::HaveThenStall | Conduct::LyingHave | Conduct::Mute) => {
                self.misbehave(conduct, to, from, &message);
            }
        }
    }

    fn misbehave(&mut self, conduct: Conduct, node: usize, to: usize, message: &Received) {
        let mut presences = Vec::new();
        for want in message.wants.iter().filter(|want| !want.cancel) {
            match (conduct, want.want_type) {
                (Conduct::HaveThenStall | Conduct::LyingHave, WantType::Have) => {
                    presences.push((want.cid, Presence::Have));
                }
                (Conduct::LyingHave, WantType::Block) => {
                    presences.push((want.cid, Presence::DontHave));
                }
                (Conduct::HaveThenStall, WantType::Block)
                | (Conduct::Mute | Conduct::Honest, _) => {}
            }
        }
        if !presences.is_empty() {
            self.send(node, to, Message { presences, ..Message::default() });
        }
    }

    /// Puts a message on the wire.
    pub(crate) fn send(&mut self, from: usize, to: usize, message: Message) {
        let version = self.nodes[from].version.min(self.nodes[to].version);
        let (content, size) = if self.coded {
            let mut flat = BytesMut::new();
            for chunk in wire::encode(&message, version) {
                flat.extend_from_slice(&chunk);
            }
            let size = flat.len();
            (Content::Bytes(flat.freeze()), size)
        } else {
            let blocks: usize = message.blocks.iter().map(|block| block.data().len()).sum();
            let size = blocks + 48 * (message.wants.len() + message.presences.len());
            (Content::Whole(message), size)
        };
        let sender = &mut self.nodes[from];
        sender.messages += 1;
        sender.message_bytes_max = sender.message_bytes_max.max(size);
        let takes = sender.takes;
        let fails = countdown(&mut sender.fail) || one_in(&mut self.dice, self.fail_one_in);
        let lost = countdown(&mut sender.lose) || one_in(&mut self.dice, self.lose_one_in);
        let jitter = self.jitter(from, to);
        let Some(wire) = self.wires.get_mut(&(from, to)) else {
            return;
        };
        let depart = wire.free_at.max(self.now) + transfer_time(size, wire.path.bandwidth);
        wire.free_at = depart;
        let mut arrival = depart + wire.path.latency + jitter;
        if !wire.path.reorder {
            arrival = arrival.max(wire.last_arrival);
        }
        wire.last_arrival = arrival;
        let connection = wire.connection;
        if fails {
            self.at(depart, Event::Failed { node: from, to, connection });
        } else if takes {
            self.at(depart, Event::Sent { node: from, to, connection });
        }
        if takes && !fails && !lost {
            self.at(arrival, Event::Arrive { from, to, connection, content });
        }
    }

    fn jitter(&mut self, from: usize, to: usize) -> Duration {
        let most = self.wires.get(&(from, to)).map_or(Duration::ZERO, |wire| wire.path.jitter);
        let most = u64::try_from(most.as_micros()).unwrap_or(0);
        Duration::from_micros(self.dice.roll(most + 1))
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.next_event += 1;
        self.events.insert((at, self.next_event), event);
    }

    /// Does what a node's engine asks until it asks no more.
    pub(crate) fn drain(&mut self, node: usize) {
        while let Some(action) = self.nodes[node].engine.poll() {
            match action {
                Action::Send { peer, message } => {
                    let to = self.index_of(&peer);
                    self.send(node, to, message);
                }
                Action::Lookup { ticket, wants, bounds, .. } => {
                    self.look_up(node, ticket, &wants, bounds);
                }
                Action::Deliver { session, block } => self.deliver(node, session, block),
                Action::Failed { session, cid, why } => {
                    let now = self.now;
                    self.nodes[node].failed.push((now, session, cid, why));
                }
                Action::Disconnect { peer, why } => {
                    self.nodes[node].disconnects.push((peer, why));
                    let other = self.index_of(&peer);
                    self.disconnect(node, other);
                }
            }
        }
    }

    fn look_up(
        &mut self,
        node: usize,
        ticket: Ticket,
        wants: &[(Cid, WantType)],
        bounds: LookupBounds,
    ) {
        let store = &self.nodes[node].store;
        let size_of = |cid: &Cid| store.get(cid.multihash()).map(|block| block.data().len() as u64);
        let wants = &wants[..bounds.fitting(wants, size_of)];
        let find = |(cid, want_type): &(Cid, WantType)| match store.get(cid.multihash()) {
            None => Found::Missing,
            Some(block) if !bounds.is_sent(*want_type, block.data().len() as u64) => Found::Have,
            Some(block) => block.under(*cid).map_or(Found::Missing, Found::Block),
        };
        let lookup = Lookup { found: wants.iter().map(find).collect() };
        let bytes = |found: &Found| match found {
            Found::Block(block) => block.data().len() as u64,
            Found::Have | Found::Missing => 0,
        };
        let sum: u64 = lookup.found.iter().map(bytes).sum();
        let most = &mut self.nodes[node].lookup_bytes_max;
        *most = sum.max(*most);
        let at = self.now + self.lookup_time;
        self.at(at, Event::LookedUp { node, ticket, lookup });
    }

    fn deliver(&mut self, node: usize, session: SessionId, block: Block) {
        let now = self.now;
        let own = &mut self.nodes[node];
        own.delivered.push((now, session, *block.cid()));
        if let Some((session, cid)) = own.plan.pop_front() {
            own.engine.want(session, cid, now);
        }
        if own.keeps {
            own.store.insert(*block.cid().multihash(), block.clone());
            own.engine.have_locally(&[block], now);
        }
    }

    pub(crate) fn index_of(&self, peer: &PeerId) -> usize {
        self.nodes.iter().position(|node| node.peer == *peer).expect("a node of this world")
    }
}

/// How long a wire is busy with so many bytes.
fn transfer_time(size: usize, bandwidth: u64) -> Duration {
    if bandwidth == 0 {
        return Duration::ZERO;
    }
    Duration::from_nanos((size as u64).saturating_mul(1_000_000_000) / bandwidth)
}

/// The peer of a node; any 32 bytes make one.
fn peer_id(index: usize) -> PeerId {
    let mut bytes = [0; 34];
    bytes[0] = 0x12;
    bytes[1] = 32;
    bytes[2..10].copy_from_slice(&(index as u64 + 1).to_be_bytes());
    PeerId::from_bytes(&bytes).expect("a sha2-256 peer id")
}
