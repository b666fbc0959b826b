//! What one peer wants of us, and what is ready for it.
//!
//! Every want is in exactly one state, and the tables beside the wants are views of that state; only
//! this file changes them together.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ipfs::{Block, Cid};

use crate::bitswap::action::Ticket;
use crate::bitswap::wire::{Presence, WantEntry, WantType};

/// Size that the blocks of a peer's wants are expected to have before any was found.
const BLOCK_BYTES_GUESS: u64 = 256 * 1024;

/// How far a want has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It waits for its lookup.
    Queued,
    /// It is being looked up; `arrived` when the block came meanwhile.
    Looking {
        /// The lookup may have been too early to see the block.
        arrived: bool,
    },
    /// The block is not here.
    Waiting,
    /// The block waits for the stream.
    Ready {
        /// Its place in the queue.
        order: u64,
    },
}

/// One want of a peer.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) cid: Arc<Cid>,
    pub(super) priority: i32,
    pub(super) want_type: WantType,
    pub(super) send_dont_have: bool,
    pub(super) state: State,
    /// Whether the peer was told that the block is not here.
    pub(super) denied: bool,
    /// Order of arrival.
    order: u64,
}

impl Wanted {
    pub(super) fn new(entry: &WantEntry, order: u64) -> Self {
        Self {
            cid: Arc::new(entry.cid),
            priority: entry.priority,
            want_type: entry.want_type,
            send_dont_have: entry.send_dont_have,
            state: State::Queued,
            denied: false,
            order,
        }
    }

    fn turn(&self) -> (Reverse<i32>, u64) {
        (Reverse(self.priority), self.order)
    }
}

/// The answers in a message that may yet be lost.
#[derive(Debug, Default)]
pub(super) struct InStream {
    /// Bytes of its blocks.
    pub(super) bytes: u64,
    /// The wants that its blocks answer, unless they were cancelled since.
    pub(super) wants: BTreeMap<Arc<Cid>, Wanted>,
    pub(super) presences: Vec<(Cid, Presence)>,
}

/// A connected peer as one who wants.
#[derive(Debug)]
pub(super) struct Guest {
    wants: BTreeMap<Arc<Cid>, Wanted>,
    /// Wants in [`State::Queued`], most urgent first.
    queue: BTreeMap<(Reverse<i32>, u64), Arc<Cid>>,
    /// Wants in [`State::Waiting`], oldest first.
    waiting: BTreeMap<u64, Arc<Cid>>,
    /// Blocks of wants in [`State::Ready`].
    ready: BTreeMap<u64, (Arc<Cid>, Block)>,
    next_ready: u64,
    pub(super) ready_bytes: u64,
    pub(super) presences: VecDeque<(Cid, Presence)>,
    /// What the message has in it that the stream holds.
    pub(super) in_stream: InStream,
    pub(super) looking: Option<Ticket>,
    /// Bytes that it may still have looked up in its turn.
    pub(super) credit: i64,
    pub(super) in_ring: bool,
    block_bytes: u64,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            wants: BTreeMap::new(),
            queue: BTreeMap::new(),
            waiting: BTreeMap::new(),
            ready: BTreeMap::new(),
            next_ready: 0,
            ready_bytes: 0,
            presences: VecDeque::new(),
            in_stream: InStream::default(),
            looking: None,
            credit: 0,
            in_ring: false,
            block_bytes: BLOCK_BYTES_GUESS,
        }
    }
}

impl Guest {
    pub(super) fn len(&self) -> usize {
        self.wants.len()
    }

    pub(super) fn get(&self, cid: &Cid) -> Option<&Wanted> {
        self.wants.get(cid)
    }

    pub(super) fn cids(&self) -> Vec<Arc<Cid>> {
        self.wants.keys().cloned().collect()
    }

    /// Bytes of blocks held for it.
    pub(super) fn held(&self) -> u64 {
        self.ready_bytes + self.in_stream.bytes
    }

    pub(super) fn has_answers(&self) -> bool {
        !self.ready.is_empty() || !self.presences.is_empty()
    }

    pub(super) fn has_queue(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(super) fn enqueue(&mut self, want: Wanted) {
        self.queue.insert(want.turn(), Arc::clone(&want.cid));
        self.wants.insert(Arc::clone(&want.cid), want);
    }

    /// A want that is wanted again: a block is more than a HAVE, and never becomes less.
    pub(super) fn upgrade(&mut self, entry: &WantEntry) {
        if let Some(want) = self.wants.get_mut(&entry.cid) {
            want.want_type = want.want_type.min(entry.want_type);
            want.send_dont_have |= entry.send_dont_have;
        }
    }

    /// Removes a want from every table; returns it with the bytes that were held for it.
    pub(super) fn remove(&mut self, cid: &Cid) -> Option<(Wanted, u64)> {
        let want = self.wants.remove(cid)?;
        let mut freed = 0;
        match want.state {
            State::Queued => {
                self.queue.remove(&want.turn());
            }
            State::Waiting => {
                self.waiting.remove(&want.order);
            }
            State::Ready { order } => {
                freed = self.ready.remove(&order).map_or(0, |(_, b)| b.data().len() as u64);
                self.ready_bytes -= freed;
            }
            State::Looking { .. } => {}
        }
        Some((want, freed))
    }

    /// The want that makes room for one of this priority: the oldest that waits for a block that is
    /// not here, else the least urgent in the queue if it is less urgent.
    pub(super) fn least_urgent(&self, priority: i32) -> Option<Arc<Cid>> {
        if let Some(cid) = self.waiting.values().next() {
            return Some(Arc::clone(cid));
        }
        let ((Reverse(least), _), cid) = self.queue.last_key_value()?;
        (*least < priority).then(|| Arc::clone(cid))
    }

    /// Takes the most urgent wants for a lookup, about as many as will fit into so many bytes.
    pub(super) fn take_queue(&mut self, max: usize, bytes: u64) -> Vec<(Arc<Cid>, WantType)> {
        let (mut batch, mut expected) = (Vec::new(), 0);
        while batch.len() < max && (batch.is_empty() || expected < bytes) {
            let Some((_, cid)) = self.queue.pop_first() else {
                break;
            };
            if let Some(want) = self.wants.get_mut(&cid) {
                want.state = State::Looking { arrived: false };
                if want.want_type == WantType::Block {
                    expected += self.block_bytes;
                }
                batch.push((cid, want.want_type));
            }
        }
        batch
    }

    pub(super) fn arrived(&mut self, cid: &Cid) {
        if let Some(want) = self.wants.get_mut(cid) {
            want.state = State::Looking { arrived: true };
        }
    }

    /// A want that waited is about to be answered, as if it had been looked up.
    pub(super) fn awaken(&mut self, cid: &Cid) {
        if let Some(want) = self.wants.get_mut(cid) {
            self.waiting.remove(&want.order);
            want.state = State::Looking { arrived: false };
        }
    }

    /// Has every want looked up once more whose block was not here before; returns them.
    pub(super) fn recheck(&mut self) -> Vec<Arc<Cid>> {
        for want in self.wants.values_mut() {
            if let State::Looking { arrived } = &mut want.state {
                *arrived = true;
            }
        }
        let waiting: Vec<_> = std::mem::take(&mut self.waiting).into_values().collect();
        for cid in &waiting {
            self.requeue(cid);
        }
        waiting
    }

    /// Puts a want that was looked up back into the queue.
    pub(super) fn requeue(&mut self, cid: &Cid) {
        if let Some(want) = self.wants.get_mut(cid) {
            want.state = State::Queued;
            self.queue.insert(want.turn(), Arc::clone(&want.cid));
        }
    }

    /// Keeps a want whose block is not here.
    pub(super) fn wait(&mut self, cid: &Cid) {
        if let Some(want) = self.wants.get_mut(cid) {
            want.state = State::Waiting;
            want.denied = true;
            self.waiting.insert(want.order, Arc::clone(&want.cid));
        }
    }

    /// Queues the block of a want for the stream.
    pub(super) fn ready(&mut self, cid: &Cid, block: Block) {
        let Some(want) = self.wants.get_mut(cid) else {
            return;
        };
        let size = block.data().len() as u64;
        self.block_bytes = if size > self.block_bytes {
            size
        } else {
            self.block_bytes - (self.block_bytes - size) / 8
        };
        want.state = State::Ready { order: self.next_ready };
        self.ready_bytes += size;
        self.ready.insert(self.next_ready, (Arc::clone(&want.cid), block));
        self.next_ready += 1;
    }

    /// Puts back what was in a message that is lost; returns how many wants wait again.
    pub(super) fn restore(&mut self, lost: InStream) -> usize {
        let mut restored = 0;
        for (cid, want) in lost.wants {
            if !self.wants.contains_key(&cid) {
                self.enqueue(Wanted { state: State::Queued, ..want });
                restored += 1;
            }
        }
        for presence in lost.presences.into_iter().rev() {
            self.presences.push_front(presence);
        }
        restored
    }

    /// Takes blocks for one message: at least one, and no more bytes than `limit` beyond it.
    pub(super) fn take_blocks(&mut self, limit: u64) -> (Vec<Block>, u64) {
        let (mut blocks, mut taken) = (Vec::new(), 0);
        while let Some(entry) = self.ready.first_entry() {
            let size = entry.get().1.data().len() as u64;
            if !blocks.is_empty() && taken + size > limit {
                break;
            }
            let (cid, block) = entry.remove();
            if let Some(want) = self.wants.remove(&cid) {
                self.in_stream.wants.insert(cid, want);
            }
            self.ready_bytes -= size;
            taken += size;
            blocks.push(block);
        }
        self.in_stream.bytes = taken;
        (blocks, taken)
    }
}
