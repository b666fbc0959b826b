//! Our wants: each asked of one peer at a time, spread over the peers of its session.
//!
//! One owner per block is what keeps duplicates away; a want changes its owner only after a
//! DONT_HAVE, a loss of the peer, or an answer that is late by that peer's own measure while another
//! peer could be asked.

mod answers;
mod dispatch;
mod links;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipfs::{Block, Cid};
use libp2p_identity::PeerId;

use super::ByHash;
use super::action::{Action, SessionId, WantFailure};
use super::config::Config;
use super::metrics::{Metrics, level};
use super::peer::{Mark, Remote};
use super::session::Session;
use super::wantlist::WantId;
use super::wire::WantEntry;

/// Shortest time between two looks at one late want, so that a zero in the config cannot spin.
const RECHECK_MIN: Duration = Duration::from_millis(10);

/// A block that some session wants.
#[derive(Debug)]
struct Want {
    cid: Arc<Cid>,
    /// The session whose peers are asked.
    home: SessionId,
    /// Every session that waits for it, under which CID and since when.
    interest: Vec<(SessionId, Cid, Instant)>,
    asked: Option<Asked>,
    /// Peers that said DONT_HAVE.
    denied: BTreeSet<PeerId>,
    /// Peers that let it wait too long; asked again when nobody else is left.
    late: BTreeSet<PeerId>,
    /// Since when no peer could be asked.
    parked: Option<Instant>,
    check_at: Instant,
}

/// The peer that a want is owned by.
#[derive(Debug, Clone, Copy)]
struct Asked {
    peer: PeerId,
    mark: Mark,
    size: u64,
    /// When it was last said again.
    repeated: Option<Instant>,
}

/// What a point in time is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Want(WantId),
    Probe(PeerId, WantId),
}

/// Our side of the exchange.
#[derive(Debug)]
pub(super) struct Client {
    config: Config,
    metrics: Metrics,
    sessions: BTreeMap<SessionId, Session>,
    wants: BTreeMap<WantId, Want>,
    by_hash: BTreeMap<ByHash, WantId>,
    peers: BTreeMap<PeerId, Remote>,
    /// Peers that open sessions take before others.
    friends: BTreeSet<PeerId>,
    timers: BTreeSet<(Instant, Timer)>,
    /// Sessions with wants that wait for room, and the one served last.
    backlog: BTreeSet<SessionId>,
    turn: SessionId,
    /// Whether anything happened that may give a pending want its peer.
    stirred: bool,
    /// Peers whose wantlist changed.
    talk: BTreeSet<PeerId>,
    out: VecDeque<Action>,
    next_session: u64,
    next_want: u64,
}

impl Client {
    pub(super) fn new(config: Config, metrics: Metrics) -> Self {
        Self {
            config,
            metrics,
            sessions: BTreeMap::new(),
            wants: BTreeMap::new(),
            by_hash: BTreeMap::new(),
            peers: BTreeMap::new(),
            friends: BTreeSet::new(),
            timers: BTreeSet::new(),
            backlog: BTreeSet::new(),
            turn: SessionId(0),
            stirred: false,
            talk: BTreeSet::new(),
            out: VecDeque::new(),
            next_session: 1,
            next_want: 1,
        }
    }

    pub(super) fn prefer(&mut self, friends: BTreeSet<PeerId>) {
        self.friends = friends;
    }

    /// Opens a session; without candidates it takes the connected peers, the likeliest first.
    pub(super) fn open_session(&mut self, candidates: &[PeerId], now: Instant) -> SessionId {
        let id = SessionId(self.next_session);
        self.next_session += 1;
        self.sessions.insert(id, Session::new(candidates.is_empty(), now));
        level(&self.metrics.sessions, self.sessions.len());
        if candidates.is_empty() {
            self.refill(id);
            self.wake_session(id, now);
        } else {
            self.add_candidates(id, candidates, now);
        }
        id
    }

    /// Adds peers that may have the content of a session.
    pub(super) fn add_candidates(&mut self, id: SessionId, peers: &[PeerId], now: Instant) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let mut added = false;
        for peer in peers {
            added |= session.add(*peer, self.config.candidates_max);
        }
        if added {
            self.wake_session(id, now);
        }
    }

    /// Ends a session and every want that is its alone.
    pub(super) fn close_session(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        for want in session.wants.clone() {
            self.lose_interest(want, id);
        }
        self.sessions.remove(&id);
        self.backlog.remove(&id);
        level(&self.metrics.sessions, self.sessions.len());
    }

    /// From here on, what a session wants comes after what others want.
    pub(super) fn defer(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.deferred = true;
        }
    }

    /// Wants a block for a session.
    pub(super) fn want(&mut self, session_id: SessionId, cid: Cid, now: Instant) {
        let Some(session) = self.sessions.get_mut(&session_id) else {
            return;
        };
        if let Some(block) = Block::inline(cid) {
            self.out.push_back(Action::Deliver { session: session_id, block });
            return;
        }
        if let Some(&id) = self.by_hash.get(cid.multihash()) {
            session.wants.insert(id);
            if let Some(want) = self.wants.get_mut(&id)
                && !want.interest.iter().any(|(s, c, _)| (*s, *c) == (session_id, cid))
            {
                want.interest.push((session_id, cid, now));
                session.put_question(id, &want.cid);
            }
            self.wake_parked(id);
            self.probe(session_id, now);
            return;
        }
        if self.wants.len() >= self.config.wants_max {
            self.fail_one(session_id, cid, WantFailure::TooManyWants);
            return;
        }
        self.begin(session_id, cid, now);
    }

    fn begin(&mut self, session_id: SessionId, cid: Cid, now: Instant) {
        let Some(session) = self.sessions.get_mut(&session_id) else {
            return;
        };
        let id = WantId::new(self.next_want, session.deferred);
        self.next_want += 1;
        let shared = Arc::new(cid);
        session.put_question(id, &shared);
        session.wants.insert(id);
        session.pending.insert(id);
        self.backlog.insert(session_id);
        self.stirred = true;
        self.by_hash.insert(ByHash(Arc::clone(&shared)), id);
        let check_at = now + self.config.give_up;
        self.timers.insert((check_at, Timer::Want(id)));
        let want = Want {
            cid: shared,
            home: session_id,
            interest: vec![(session_id, cid, now)],
            asked: None,
            denied: BTreeSet::new(),
            late: BTreeSet::new(),
            parked: None,
            check_at,
        };
        self.wants.insert(id, want);
        level(&self.metrics.wants, self.wants.len());
    }

    /// A session wants a block no more.
    pub(super) fn cancel(&mut self, session_id: SessionId, cid: &Cid) {
        let Some(&id) = self.by_hash.get(cid.multihash()) else {
            return;
        };
        let Some(want) = self.wants.get_mut(&id) else {
            return;
        };
        want.interest.retain(|(session, wanted, _)| (*session, wanted) != (session_id, cid));
        if !want.interest.iter().any(|(session, _, _)| *session == session_id) {
            self.lose_interest(id, session_id);
        }
    }

    /// A session wants a block no more, under any CID.
    fn lose_interest(&mut self, id: WantId, session_id: SessionId) {
        let Some(want) = self.wants.get_mut(&id) else {
            return;
        };
        want.interest.retain(|(session, _, _)| *session != session_id);
        let heir = want.interest.first().map(|(session, _, _)| *session);
        let asked = want.asked.is_some();
        if let Some(session) = self.sessions.get_mut(&session_id) {
            session.forget(id);
        }
        let Some(heir) = heir else {
            self.retire(id);
            return;
        };
        if want.home == session_id {
            want.home = heir;
            want.parked = None;
            if !asked {
                self.make_pending(id, heir);
            }
        }
    }

    /// Ends a want: its owner gets a CANCEL, and every table forgets it.
    fn retire(&mut self, id: WantId) -> Option<Want> {
        self.release(id);
        let want = self.wants.remove(&id)?;
        self.by_hash.remove(want.cid.multihash());
        self.timers.remove(&(want.check_at, Timer::Want(id)));
        for (session, _, _) in &want.interest {
            if let Some(session) = self.sessions.get_mut(session) {
                session.forget(id);
            }
        }
        level(&self.metrics.wants, self.wants.len());
        self.stirred = true;
        Some(want)
    }

    /// Ends a want without its block.
    fn fail(&mut self, id: WantId, why: WantFailure) {
        let Some(want) = self.retire(id) else {
            return;
        };
        for (session, cid, _) in want.interest {
            self.fail_one(session, cid, why);
        }
    }

    fn fail_one(&mut self, session: SessionId, cid: Cid, why: WantFailure) {
        self.metrics.failures.at(why).inc();
        self.out.push_back(Action::Failed { session, cid, why });
    }

    /// Takes a want from its owner with a CANCEL; returns the owner.
    fn release(&mut self, id: WantId) -> Option<Asked> {
        let asked = self.wants.get_mut(&id)?.asked.take()?;
        if let Some(remote) = self.peers.get_mut(&asked.peer) {
            remote.asked.remove(&id);
            remote.in_flight = remote.in_flight.saturating_sub(asked.size);
            remote.wantlist.cancel(id);
            self.talk.insert(asked.peer);
        }
        Some(asked)
    }

    fn make_pending(&mut self, id: WantId, home: SessionId) {
        if let Some(session) = self.sessions.get_mut(&home) {
            session.pending.insert(id);
            self.backlog.insert(home);
            self.stirred = true;
        }
    }

    fn check(&mut self, id: WantId, at: Instant) {
        if let Some(want) = self.wants.get_mut(&id) {
            self.timers.remove(&(want.check_at, Timer::Want(id)));
            want.check_at = at;
            self.timers.insert((at, Timer::Want(id)));
        }
    }

    /// All that is wanted.
    pub(super) fn wanted(&self) -> Vec<Cid> {
        self.wants.values().map(|want| *want.cid).collect()
    }

    /// The peers whose wantlist has something to say.
    pub(super) fn take_talk(&mut self) -> BTreeSet<PeerId> {
        std::mem::take(&mut self.talk)
    }

    /// The next changes of our wantlist at a peer, and whether they are a full list.
    pub(super) fn take_entries(&mut self, peer: &PeerId, max: usize) -> (Vec<WantEntry>, bool) {
        let Some(remote) = self.peers.get_mut(peer) else {
            return (Vec::new(), false);
        };
        let (entries, full) = remote.wantlist.take(max);
        for entry in &entries {
            self.metrics.wants_sent.at(entry.into()).inc();
        }
        (entries, full)
    }

    pub(super) fn has_entries(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|remote| remote.wantlist.has_changes())
    }

    pub(super) fn next_action(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }
}
