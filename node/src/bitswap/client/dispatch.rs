//! Gives pending wants their peers.
//!
//! A want goes to the peer of the best standing that would finish it first, counting what the peer
//! owes already. When that peer's window is full the want waits for it, rather than going to one that
//! would take longer; sessions take turns want by want.

use std::sync::Arc;
use std::time::Instant;

use libp2p_identity::PeerId;

use super::{Asked, Client, Timer, Want};
use crate::bitswap::action::SessionId;
use crate::bitswap::peer::Probe;
use crate::bitswap::session::{Member, Session, Standing};
use crate::bitswap::wantlist::WantId;
use crate::bitswap::wire::WantType;

/// Pending wants that are looked at when the first cannot be placed: one that many peers denied must
/// not hold up those behind it.
const SCAN_MAX: usize = 64;

/// Where a want can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// To this peer, at once.
    Ask(PeerId),
    /// To a peer whose window is full.
    Wait,
    /// No peer of the session is left to ask.
    Nobody,
}

impl Client {
    /// Places as many pending wants as the windows allow.
    pub(in crate::bitswap) fn dispatch(&mut self, now: Instant) {
        if !std::mem::take(&mut self.stirred) {
            return;
        }
        let turn = self.turn;
        let mut round: Vec<SessionId> = self.backlog.range(turn..).copied().collect();
        round.extend(self.backlog.range(..turn));
        while !round.is_empty() {
            round.retain(|id| self.place_one(*id, now));
        }
    }

    /// Places one want of a session; returns whether another try may succeed.
    fn place_one(&mut self, session_id: SessionId, now: Instant) -> bool {
        let Some(session) = self.sessions.get(&session_id) else {
            self.backlog.remove(&session_id);
            return false;
        };
        if session.pending.is_empty() {
            self.backlog.remove(&session_id);
            return false;
        }
        let Some((id, choice)) = self.next_placeable(session) else {
            return false;
        };
        match choice {
            Choice::Ask(peer) => {
                self.turn = SessionId(session_id.0 + 1);
                self.ask(id, session_id, peer, now);
            }
            Choice::Wait => return false,
            Choice::Nobody => self.place_nowhere(id, session_id, now),
        }
        true
    }

    /// The first pending want that needs not wait for a window.
    fn next_placeable(&self, session: &Session) -> Option<(WantId, Choice)> {
        for id in session.pending.iter().take(SCAN_MAX) {
            let want = self.wants.get(id)?;
            let choice = self.choose(session, want, None);
            if choice != Choice::Wait {
                return Some((*id, choice));
            }
            let ordinary = want.denied.is_empty() && want.late.is_empty();
            if ordinary {
                return None;
            }
        }
        None
    }

    /// The peer of a session that is to be asked for a want, leaving out `owner`.
    pub(super) fn choose(&self, session: &Session, want: &Want, owner: Option<&PeerId>) -> Choice {
        let size = session.block_bytes();
        let mut best: Option<(_, Choice)> = None;
        for (peer, member) in &session.members {
            let Some(remote) = self.peers.get(peer) else {
                continue;
            };
            let tried = want.denied.contains(peer) || want.late.contains(peer);
            if tried || remote.muted || owner == Some(peer) {
                continue;
            }
            let rank = (member.rank(), remote.pace.silences(), remote.finish(size), member.order);
            if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                let room = remote.has_room(size, &self.config);
                best = Some((rank, if room { Choice::Ask(*peer) } else { Choice::Wait }));
            }
        }
        best.map_or(Choice::Nobody, |(_, choice)| choice)
    }

    fn ask(&mut self, id: WantId, session_id: SessionId, peer: PeerId, now: Instant) {
        let Some((session, want, remote)) = self.parties(session_id, id, &peer) else {
            return;
        };
        let size = session.block_bytes();
        session.pending.remove(&id);
        let mark = remote.pace.mark(remote.in_flight, size, now);
        want.asked = Some(Asked { peer, mark, size, repeated: None });
        want.parked = None;
        remote.owes(id, size);
        remote.wantlist.want(id, Arc::clone(&want.cid), WantType::Block);
        let first = session.question.as_ref().is_some_and(|question| question.id == id);
        self.talk.insert(peer);
        self.check_asked(id, now);
        if first {
            self.probe(session_id, now);
        }
    }

    fn parties(
        &mut self,
        session: SessionId,
        want: WantId,
        peer: &PeerId,
    ) -> Option<(&mut Session, &mut Want, &mut crate::bitswap::peer::Remote)> {
        let session = self.sessions.get_mut(&session)?;
        let want = self.wants.get_mut(&want)?;
        let remote = self.peers.get_mut(peer)?;
        Some((session, want, remote))
    }

    /// Nobody is left in this session: try late peers again, then other sessions, then wait.
    fn place_nowhere(&mut self, id: WantId, session_id: SessionId, now: Instant) {
        let Some(want) = self.wants.get(&id) else {
            return;
        };
        let retry = want.late.iter().any(|peer| self.peers.get(peer).is_some_and(|r| !r.muted));
        let elsewhere = want.interest.iter().map(|(session, _, _)| *session).find(|other| {
            *other != session_id
                && self
                    .sessions
                    .get(other)
                    .is_some_and(|session| self.choose(session, want, None) != Choice::Nobody)
        });
        if let Some(other) = elsewhere {
            self.move_home(id, session_id, other);
        } else if retry {
            if let Some(want) = self.wants.get_mut(&id) {
                want.late.clear();
            }
            self.park_unless_placeable(id, session_id, now);
        } else if !self.refill(session_id) {
            self.park(id, session_id, now);
        }
    }

    /// Takes connected peers into an open session that it has not tried yet, friends first and then
    /// those that delivered before, while there is room or one of its members is of no use; returns
    /// whether any was taken.
    pub(super) fn refill(&mut self, session_id: SessionId) -> bool {
        let Some(session) = self.sessions.get_mut(&session_id).filter(|session| session.open)
        else {
            return false;
        };
        let mut untried: Vec<_> = self
            .peers
            .iter()
            .filter(|(peer, remote)| !remote.muted && !session.tried.contains(*peer))
            .map(|(peer, remote)| (!self.friends.contains(peer), !remote.pace.is_proven(), *peer))
            .collect();
        untried.sort_unstable();
        let mut added = false;
        for (_, _, peer) in untried {
            added |= session.add(peer, self.config.candidates_max);
        }
        added
    }

    /// Late peers of another session must not make a want spin in this one.
    fn park_unless_placeable(&mut self, id: WantId, session_id: SessionId, now: Instant) {
        let placeable = match (self.sessions.get(&session_id), self.wants.get(&id)) {
            (Some(session), Some(want)) => self.choose(session, want, None) != Choice::Nobody,
            (Some(_) | None, _) => false,
        };
        if !placeable {
            self.park(id, session_id, now);
        }
    }

    fn move_home(&mut self, id: WantId, from: SessionId, to: SessionId) {
        if let Some(session) = self.sessions.get_mut(&from) {
            session.pending.remove(&id);
        }
        if let Some(want) = self.wants.get_mut(&id) {
            want.home = to;
        }
        self.make_pending(id, to);
    }

    fn park(&mut self, id: WantId, session_id: SessionId, now: Instant) {
        if let Some(session) = self.sessions.get_mut(&session_id) {
            session.pending.remove(&id);
            session.parked.insert(id);
        }
        if let Some(want) = self.wants.get_mut(&id) {
            want.parked = Some(now);
        }
        self.check_parked(id, now);
    }

    /// Asks further members whether they have what the session is about, a few at a time.
    pub(super) fn probe(&mut self, session_id: SessionId, now: Instant) {
        while let Some(peer) = self.next_to_probe(session_id) {
            let Some(session) = self.sessions.get_mut(&session_id) else {
                return;
            };
            let (Some(question), Some(member), Some(remote)) = (
                session.question.clone(),
                session.members.get_mut(&peer),
                self.peers.get_mut(&peer),
            ) else {
                return;
            };
            member.probed = true;
            let due = remote.pace.due(now, &self.config);
            remote.wantlist.want(question.id, Arc::clone(&question.cid), WantType::Have);
            let probe = Probe { session: session_id, cid: question.cid, sent: now, due };
            remote.probes.insert(question.id, probe);
            self.timers.insert((due, Timer::Probe(peer, question.id)));
            self.talk.insert(peer);
        }
    }

    fn next_to_probe(&self, session_id: SessionId) -> Option<PeerId> {
        let session = self.sessions.get(&session_id)?;
        let question = session.question.as_ref()?;
        let want = self.wants.get(&question.id)?;
        let owner = want.asked.as_ref().map(|asked| asked.peer)?;
        let others = || session.members.iter().filter(|(peer, _)| **peer != owner);
        let counts = |member: &Member| {
            let open = member.probed && member.standing() == Standing::Unknown;
            open || member.standing() == Standing::Has
        };
        if others().filter(|(_, member)| counts(member)).count() >= self.config.probes_max {
            return None;
        }
        let ready = |peer: &PeerId, member: &Member| {
            let unasked = !member.probed && member.standing() == Standing::Unknown;
            let remote = self.peers.get(peer).filter(|remote| {
                !remote.muted
                    && remote.version.has_presences()
                    && !remote.probes.contains(question.id)
                    && !want.denied.contains(peer)
                    && !want.late.contains(peer)
            });
            remote.filter(|_| unasked).map(|remote| !remote.pace.is_proven())
        };
        others()
            .filter_map(|(peer, member)| Some((ready(peer, member)?, member.order, *peer)))
            .min()
            .map(|(_, _, peer)| peer)
    }
}
