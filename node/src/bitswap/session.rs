//! One fetch of one DAG: its peers, what they proved, and the wants that wait for one of them.
//!
//! A session asks only its own peers. A peer that has the first block is taken to have the DAG, until
//! it says otherwise often enough.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use ipfs::Cid;
use libp2p_identity::PeerId;

use super::wantlist::WantId;

/// DONT_HAVE answers in a row after which a peer counts as lacking the DAG.
const DENIALS_MAX: u32 = 16;
/// Late answers in a row after which a peer is asked only when no better one is left.
const STALLS_MAX: u32 = 2;
/// Size that blocks are expected to have before any came: the common leaf.
const BLOCK_BYTES_GUESS: u64 = 256 * 1024;

/// What a peer has shown in a session, best first: the order is the order of choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Said HAVE or delivered.
    Has,
    /// Not asked, or not answered yet.
    Unknown,
    /// Said that it lacks the content. To ask again costs a round trip.
    Lacks,
    /// Silent when it was asked. To ask again costs a wait.
    Silent,
}

/// A peer of a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    standing: Standing,
    /// Position among the candidates, which breaks ties.
    pub(super) order: u64,
    pub(super) probed: bool,
    denials: u32,
    stalls: u32,
}

impl Member {
    pub(super) fn standing(&self) -> Standing {
        if self.stalls >= STALLS_MAX {
            return Standing::Silent;
        }
        if self.standing == Standing::Has && self.denials >= DENIALS_MAX {
            return Standing::Lacks;
        }
        self.standing
    }

    /// Lower is asked first. Among silent peers, those that failed least often come first: one that
    /// delivers now and then must not queue behind others that never do.
    pub(super) fn rank(&self) -> (Standing, u32) {
        let standing = self.standing();
        (standing, if standing == Standing::Silent { self.stalls } else { 0 })
    }

    pub(super) fn delivered(&mut self) {
        self.standing = Standing::Has;
        self.denials = 0;
        self.stalls = 0;
    }

    /// Said HAVE. Does not redeem a peer that stalled: words are cheap.
    pub(super) fn has(&mut self) {
        self.standing = Standing::Has;
    }

    pub(super) fn lacks(&mut self) {
        self.standing = Standing::Lacks;
    }

    pub(super) fn denied(&mut self) {
        self.denials = self.denials.saturating_add(1);
        if self.standing != Standing::Has {
            self.standing = Standing::Lacks;
        }
    }

    pub(super) fn stalled(&mut self) {
        self.stalls = self.stalls.saturating_add(1);
    }

    pub(super) fn silent(&mut self) {
        if self.standing == Standing::Unknown {
            self.standing = Standing::Silent;
        }
    }
}

/// The block that members are probed with: the first that the session wanted, as a rule the root.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) id: WantId,
    pub(super) cid: Arc<Cid>,
}

/// One fetch.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) members: BTreeMap<PeerId, Member>,
    /// Peers that are or were members, while they are connected: each is tried once.
    pub(super) tried: BTreeSet<PeerId>,
    /// Whether it was opened without candidates and takes any peer that connects.
    pub(super) open: bool,
    /// Whether what it wants comes after what others want.
    pub(super) deferred: bool,
    pub(super) question: Option<Question>,
    questioned: bool,
    /// All its wants.
    pub(super) wants: BTreeSet<WantId>,
    /// Those that wait for room at a peer.
    pub(super) pending: BTreeSet<WantId>,
    /// Those that none of its peers can serve.
    pub(super) parked: BTreeSet<WantId>,
    /// When it last received a block, or began.
    pub(super) progress: Instant,
    next_order: u64,
    block_bytes: u64,
}

impl Session {
    pub(super) fn new(open: bool, now: Instant) -> Self {
        Self {
            members: BTreeMap::new(),
            tried: BTreeSet::new(),
            open,
            deferred: false,
            question: None,
            questioned: false,
            wants: BTreeSet::new(),
            pending: BTreeSet::new(),
            parked: BTreeSet::new(),
            progress: now,
            next_order: 0,
            block_bytes: BLOCK_BYTES_GUESS,
        }
    }

    /// Adds a candidate; over `max`, one that lacks the content or is silent makes room. Returns whether it is a
    /// member that was not one before.
    pub(super) fn add(&mut self, peer: PeerId, max: usize) -> bool {
        if self.members.contains_key(&peer) {
            return false;
        }
        if self.members.len() >= max {
            let worst = self.members.iter().max_by_key(|(_, member)| member.rank());
            let useless = worst.filter(|(_, member)| member.standing() >= Standing::Lacks);
            let Some(useless) = useless.map(|(peer, _)| *peer) else {
                return false;
            };
            self.members.remove(&useless);
        }
        let member = Member {
            standing: Standing::Unknown,
            order: self.next_order,
            probed: false,
            denials: 0,
            stalls: 0,
        };
        self.next_order += 1;
        self.members.insert(peer, member);
        self.tried.insert(peer);
        true
    }

    /// Makes the first want of the session the one that members are probed with.
    pub(super) fn put_question(&mut self, id: WantId, cid: &Arc<Cid>) {
        if !self.questioned {
            self.questioned = true;
            self.question = Some(Question { id, cid: Arc::clone(cid) });
        }
    }

    /// Forgets a want that ended.
    pub(super) fn forget(&mut self, id: WantId) {
        self.wants.remove(&id);
        self.pending.remove(&id);
        self.parked.remove(&id);
        if self.question.as_ref().is_some_and(|question| question.id == id) {
            self.question = None;
        }
    }

    /// Parked wants get another chance.
    pub(super) fn unpark(&mut self) {
        self.pending.append(&mut self.parked);
    }

    /// Bytes that the next block is expected to have.
    pub(super) fn block_bytes(&self) -> u64 {
        self.block_bytes
    }

    /// Learns from a block: larger ones count at once, smaller ones slowly, so that a window is
    /// rather too empty than overfull.
    pub(super) fn received(&mut self, bytes: u64, now: Instant) {
        self.progress = now;
        self.block_bytes = if bytes > self.block_bytes {
            bytes
        } else {
            self.block_bytes - (self.block_bytes - bytes) / 8
        };
    }
}
