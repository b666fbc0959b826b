//! The wants of other peers: kept, looked up and answered, each within a bound.
//!
//! Memory is spent on blocks only between a lookup and the stream that takes them; a peer that reads
//! slowly stops its own lookups, and the budget of all is shared out in turns by bytes. Wants for
//! blocks that are not here are kept while there is room, and answered when the block arrives.

mod guest;
mod lookups;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ipfs::{Block, Cid};
use libp2p_identity::PeerId;

use self::guest::{Guest, State, Wanted};
use super::ByHash;
use super::action::{Action, Ticket};
use super::config::Config;
use super::metrics::{Metrics, Refusal, level};
use super::wire::{Presence, Received, WantEntry, WantType};

/// Largest sum of block bytes in one message, whatever the config says: with the largest wantlist
/// beside it, a message stays below what peers accept.
const MESSAGE_BLOCKS_MAX: u64 = 2 * 1024 * 1024;

/// What goes to a peer next.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) blocks: Vec<Block>,
    pub(super) presences: Vec<(Cid, Presence)>,
    /// Bytes of blocks that wait behind these.
    pub(super) pending_bytes: u64,
}

/// A lookup that is under way.
#[derive(Debug)]
struct Inquiry {
    peer: PeerId,
    wants: Vec<(Arc<Cid>, WantType)>,
    /// Bytes that it may bring.
    reserved: u64,
}

/// The serving side.
#[derive(Debug)]
pub(super) struct Server {
    config: Config,
    metrics: Metrics,
    guests: BTreeMap<PeerId, Guest>,
    inquiries: BTreeMap<Ticket, Inquiry>,
    /// Who waits for which block: wants that are being looked up or were not found.
    waiting: BTreeMap<ByHash, BTreeSet<(PeerId, Arc<Cid>)>>,
    /// Number of wants that were not found and are kept.
    kept: usize,
    /// Wants of all peers.
    queued: usize,
    /// Whose turn it is to look something up.
    ring: VecDeque<PeerId>,
    /// Bytes of blocks held or expected, for all peers.
    held: u64,
    next_ticket: u64,
    next_order: u64,
    out: VecDeque<Action>,
    /// Peers that have answers to take.
    talk: BTreeSet<PeerId>,
}

impl Server {
    pub(super) fn new(config: Config, metrics: Metrics) -> Self {
        Self {
            config,
            metrics,
            guests: BTreeMap::new(),
            inquiries: BTreeMap::new(),
            waiting: BTreeMap::new(),
            kept: 0,
            queued: 0,
            ring: VecDeque::new(),
            held: 0,
            next_ticket: 1,
            next_order: 1,
            out: VecDeque::new(),
            talk: BTreeSet::new(),
        }
    }

    pub(super) fn peer_connected(&mut self, peer: PeerId) {
        self.guests.insert(peer, Guest::default());
    }

    /// Frees everything that was held for a peer.
    pub(super) fn peer_disconnected(&mut self, peer: &PeerId) {
        let Some(guest) = self.guests.get(peer) else {
            return;
        };
        for cid in guest.cids() {
            self.drop_want(peer, &cid);
        }
        if let Some(guest) = self.guests.remove(peer) {
            if let Some(inquiry) = guest.looking.and_then(|t| self.inquiries.remove(&t)) {
                self.held = self.held.saturating_sub(inquiry.reserved);
            }
            self.held = self.held.saturating_sub(guest.in_stream.bytes);
        }
        self.ring.retain(|other| other != peer);
        self.talk.remove(peer);
        self.gauge();
    }

    /// Takes the wantlist of a message.
    pub(super) fn received(&mut self, peer: &PeerId, message: &Received) {
        if !self.guests.contains_key(peer) {
            return;
        }
        if message.full {
            self.replace(peer, &message.wants);
        }
        for entry in &message.wants {
            if entry.cancel {
                self.drop_want(peer, &entry.cid);
            } else {
                self.metrics.wants_received.at(entry.want_type).inc();
                self.take_want(peer, entry);
            }
        }
        self.join_ring(peer);
        self.gauge();
    }

    /// A full list: what it does not name is wanted no more.
    fn replace(&mut self, peer: &PeerId, wants: &[WantEntry]) {
        let named: BTreeSet<&Cid> = wants.iter().map(|entry| &entry.cid).collect();
        let stale: Vec<Arc<Cid>> = match self.guests.get(peer) {
            Some(guest) => guest.cids().into_iter().filter(|cid| !named.contains(&**cid)).collect(),
            None => Vec::new(),
        };
        for cid in stale {
            self.drop_want(peer, &cid);
        }
        if let Some(guest) = self.guests.get_mut(peer) {
            guest.in_stream.wants.retain(|cid, _| named.contains(&**cid));
        }
    }

    fn take_want(&mut self, peer: &PeerId, entry: &WantEntry) {
        if entry.cid.identity_data().is_some() {
            self.metrics.wants_refused.at(Refusal::Inline).inc();
            return;
        }
        let Some(guest) = self.guests.get_mut(peer) else {
            return;
        };
        if let Some(known) = guest.get(&entry.cid) {
            if known.state != State::Waiting {
                guest.upgrade(entry);
                return;
            }
            self.drop_want(peer, &entry.cid);
        }
        let Some(guest) = self.guests.get_mut(peer) else {
            return;
        };
        if guest.len() >= self.config.serve_wants_max {
            let Some(evicted) = guest.least_urgent(entry.priority) else {
                self.metrics.wants_refused.at(Refusal::Full).inc();
                return;
            };
            self.metrics.wants_refused.at(Refusal::Evicted).inc();
            self.drop_want(peer, &evicted);
        }
        let order = self.next_order;
        self.next_order += 1;
        if let Some(guest) = self.guests.get_mut(peer) {
            guest.enqueue(Wanted::new(entry, order));
            self.queued += 1;
        }
    }

    /// Forgets one want and frees what was held for it.
    fn drop_want(&mut self, peer: &PeerId, cid: &Cid) {
        let Some(guest) = self.guests.get_mut(peer) else {
            return;
        };
        guest.in_stream.wants.remove(cid);
        let Some((want, freed)) = guest.remove(cid) else {
            return;
        };
        self.queued -= 1;
        self.held = self.held.saturating_sub(freed);
        if matches!(want.state, State::Waiting | State::Looking { .. }) {
            self.unindex(peer, &want.cid);
        }
        if want.state == State::Waiting {
            self.kept -= 1;
        }
    }

    fn index(&mut self, peer: &PeerId, cid: &Arc<Cid>) {
        let key = ByHash(Arc::clone(cid));
        self.waiting.entry(key).or_default().insert((*peer, Arc::clone(cid)));
    }

    fn unindex(&mut self, peer: &PeerId, cid: &Arc<Cid>) {
        let Some(who) = self.waiting.get_mut(cid.multihash()) else {
            return;
        };
        who.remove(&(*peer, Arc::clone(cid)));
        if who.is_empty() {
            self.waiting.remove(cid.multihash());
        }
    }

    /// A block is here: whoever waits for it is answered.
    pub(super) fn have_locally(&mut self, block: &Block) {
        let Some(who) = self.waiting.get(block.cid().multihash()) else {
            return;
        };
        for (peer, cid) in who.clone() {
            let Some(guest) = self.guests.get_mut(&peer) else {
                continue;
            };
            match guest.get(&cid).map(|want| want.state) {
                Some(State::Looking { .. }) => guest.arrived(&cid),
                Some(State::Waiting) => self.answer_waiting(&peer, &cid, block),
                Some(State::Queued | State::Ready { .. }) | None => {}
            }
        }
        self.gauge();
    }

    /// Blocks came to the store, it is not known which: all that was not found is looked up again.
    pub(super) fn recheck(&mut self) {
        let peers: Vec<PeerId> = self.guests.keys().copied().collect();
        for peer in peers {
            let again = self.guests.get_mut(&peer).map(Guest::recheck).unwrap_or_default();
            self.kept -= again.len();
            for cid in &again {
                self.unindex(&peer, cid);
            }
            self.join_ring(&peer);
        }
    }

    fn answer_waiting(&mut self, peer: &PeerId, cid: &Arc<Cid>, block: &Block) {
        let room = self.held < self.config.serve_bytes_max.as_u64();
        self.kept -= 1;
        self.unindex(peer, cid);
        let Some(guest) = self.guests.get_mut(peer) else {
            return;
        };
        guest.awaken(cid);
        let room = room && guest.held() < self.config.serve_bytes_per_peer.as_u64();
        match block.under(**cid).filter(|_| room) {
            Some(block) => self.found(peer, cid, block),
            None => {
                guest.requeue(cid);
                self.join_ring(peer);
            }
        }
    }

    /// Answers a want with its block, or with HAVE when that is all it asks and the block is long.
    fn found(&mut self, peer: &PeerId, cid: &Arc<Cid>, block: Block) {
        let Some(guest) = self.guests.get_mut(peer) else {
            return;
        };
        let Some(want) = guest.get(cid) else {
            return;
        };
        let size = block.data().len() as u64;
        let small = size <= self.config.have_block_bytes_max.as_u64();
        if want.want_type == WantType::Have && !small {
            self.present(peer, cid, Presence::Have);
            return;
        }
        guest.ready(cid, block);
        self.held += size;
        self.talk.insert(*peer);
    }

    /// Answers a want with a word. HAVE ends the want; DONT_HAVE leaves its fate to the caller.
    fn present(&mut self, peer: &PeerId, cid: &Arc<Cid>, presence: Presence) {
        let Some(guest) = self.guests.get_mut(peer) else {
            return;
        };
        guest.presences.push_back((**cid, presence));
        self.talk.insert(*peer);
        if presence == Presence::Have {
            self.drop_want(peer, cid);
        }
    }

    /// What goes to a peer in its next message.
    pub(super) fn take(&mut self, peer: &PeerId) -> Answers {
        let Some(guest) = self.guests.get_mut(peer) else {
            return Answers::default();
        };
        let limit = self.config.message_bytes.as_u64().min(MESSAGE_BLOCKS_MAX);
        let (blocks, taken) = guest.take_blocks(limit);
        let presences: Vec<_> = guest.presences.drain(..).collect();
        guest.in_stream.presences.clone_from(&presences);
        let pending_bytes = guest.ready_bytes;
        self.queued = self.queued.saturating_sub(blocks.len());
        self.metrics.blocks_sent.inc_by(blocks.len() as u64);
        self.metrics.block_bytes_sent.inc_by(taken);
        for (_, presence) in &presences {
            self.metrics.presences_sent.at(*presence).inc();
        }
        self.join_ring(peer);
        Answers { blocks, presences, pending_bytes }
    }

    pub(super) fn has_answers(&self, peer: &PeerId) -> bool {
        self.guests.get(peer).is_some_and(Guest::has_answers)
    }

    /// The stream took what was in it.
    pub(super) fn took(&mut self, peer: &PeerId) {
        if let Some(guest) = self.guests.get_mut(peer) {
            let gone = std::mem::take(&mut guest.in_stream);
            self.held = self.held.saturating_sub(gone.bytes);
        }
        self.join_ring(peer);
        self.gauge();
    }

    /// The stream lost what was in it: the same is answered once more.
    pub(super) fn lost(&mut self, peer: &PeerId) {
        if let Some(guest) = self.guests.get_mut(peer) {
            let gone = std::mem::take(&mut guest.in_stream);
            self.held = self.held.saturating_sub(gone.bytes);
            self.queued += guest.restore(gone);
            self.talk.insert(*peer);
        }
        self.join_ring(peer);
        self.gauge();
    }

    pub(super) fn take_talk(&mut self) -> BTreeSet<PeerId> {
        std::mem::take(&mut self.talk)
    }

    pub(super) fn next_action(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    fn gauge(&self) {
        level(&self.metrics.serve_queue, self.queued);
        let held = usize::try_from(self.held).unwrap_or(usize::MAX);
        level(&self.metrics.serve_held_bytes, held);
    }
}
