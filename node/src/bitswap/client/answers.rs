//! What peers answer, and what their silence means.
//!
//! A block ends its want whoever sent it; anything else only moves the want to another peer. Words
//! about blocks that were not asked for change nothing.

use std::time::Instant;

use ipfs::{Block, Cid};
use libp2p_identity::PeerId;

use super::dispatch::Choice;
use super::{Action, Client, RECHECK_MIN, Timer, Want};
use crate::bitswap::action::{DisconnectReason, SessionId, WantFailure};
use crate::bitswap::metrics::{Arrival, Rewant};
use crate::bitswap::peer::Probe;
use crate::bitswap::wantlist::WantId;
use crate::bitswap::wire::Presence;

/// What a block that nobody asked for counts at least: an empty one costs as much as a short one.
const UNSOLICITED_BYTES_MIN: u64 = 1024;

impl Client {
    /// Takes a block from a peer.
    pub(in crate::bitswap) fn block(&mut self, from: &PeerId, block: &Block, now: Instant) {
        let bytes = block.data().len() as u64;
        let arrival = match self.by_hash.get(block.cid().multihash()) {
            Some(&id) => {
                self.settle_owner(id, from, bytes, now);
                self.deliver(id, Some(from), block, now);
                Arrival::Wanted
            }
            None => self.unwanted(from, block, bytes, now),
        };
        self.metrics.blocks_received.at(arrival).inc();
        self.metrics.block_bytes_received.at(arrival).inc_by(bytes);
    }

    /// A block that is here by other means ends its want.
    pub(in crate::bitswap) fn local(&mut self, block: &Block, now: Instant) {
        if let Some(&id) = self.by_hash.get(block.cid().multihash()) {
            self.deliver(id, None, block, now);
        }
    }

    /// Squares the accounts of the want's owner, when the block came from it.
    fn settle_owner(&mut self, id: WantId, from: &PeerId, bytes: u64, now: Instant) {
        let (Some(want), Some(remote)) = (self.wants.get_mut(&id), self.peers.get_mut(from)) else {
            return;
        };
        let owner = want.asked.filter(|asked| asked.peer == *from);
        if let Some(asked) = owner {
            want.asked = None;
            remote.asked.remove(&id);
            remote.in_flight = remote.in_flight.saturating_sub(asked.size);
            remote.pace.delivered(asked.mark, bytes, now);
            remote.wantlist.answered(id);
            remote.unsolicited = remote.unsolicited.saturating_sub(bytes);
        } else {
            remote.pace.progressed(bytes, now);
            remote.wantlist.excuse(block_hash(want));
            if let Some(probe) = remote.probes.remove(id) {
                self.timers.remove(&(probe.due, Timer::Probe(*from, id)));
                remote.wantlist.answered(id);
            }
        }
    }

    fn deliver(&mut self, id: WantId, from: Option<&PeerId>, block: &Block, now: Instant) {
        let Some(want) = self.retire(id) else {
            return;
        };
        for (session_id, cid, _) in want.interest {
            if let Some(session) = self.sessions.get_mut(&session_id) {
                session.received(block.data().len() as u64, now);
                let member = from.and_then(|peer| session.members.get_mut(peer));
                if let Some(member) = member {
                    member.delivered();
                }
            }
            if let Some(block) = block.under(cid) {
                self.out.push_back(Action::Deliver { session: session_id, block });
            }
        }
    }

    /// Tells a block that came twice from one that nobody asked for, and a small one that answers a
    /// probe from both.
    fn unwanted(&mut self, from: &PeerId, block: &Block, bytes: u64, now: Instant) -> Arrival {
        let hash = block.cid().multihash();
        let Some(remote) = self.peers.get_mut(from) else {
            return Arrival::Unsolicited;
        };
        if let Some(id) = remote.probes.find(hash) {
            self.probe_answered(from, id, Presence::Have, now);
            return Arrival::Duplicate;
        }
        if remote.wantlist.excuse(hash) {
            remote.pace.progressed(bytes, now);
            return Arrival::Duplicate;
        }
        let before = remote.unsolicited;
        remote.unsolicited += bytes.max(UNSOLICITED_BYTES_MIN);
        let limit = self.config.unsolicited_bytes_max.as_u64();
        if before <= limit && remote.unsolicited > limit {
            let why = DisconnectReason::Unsolicited;
            self.metrics.disconnects.at(why).inc();
            self.out.push_back(Action::Disconnect { peer: *from, why });
        }
        Arrival::Unsolicited
    }

    /// Takes a HAVE or DONT_HAVE from a peer.
    pub(in crate::bitswap) fn presence(
        &mut self,
        from: &PeerId,
        cid: &Cid,
        presence: Presence,
        now: Instant,
    ) {
        self.metrics.presences_received.at(presence).inc();
        let Some(remote) = self.peers.get_mut(from) else {
            return;
        };
        if let Some(id) = remote.probes.find(cid.multihash()) {
            self.probe_answered(from, id, presence, now);
        }
        // The same peer may have been asked for the block since it was probed, and the answer is then
        // to both: two answers to one want are not to be expected.
        let Some(&id) = self.by_hash.get(cid.multihash()) else {
            return;
        };
        let owned = self.wants.get(&id).and_then(|want| want.asked);
        if let Some(asked) = owned.filter(|asked| asked.peer == *from)
            && presence == Presence::DontHave
            && let Some(remote) = self.peers.get_mut(from)
        {
            remote.pace.answered(now.saturating_duration_since(asked.mark.at));
            self.denied(id, from, now);
        }
    }

    /// The owner of a want lacks the block.
    fn denied(&mut self, id: WantId, from: &PeerId, now: Instant) {
        self.release(id);
        let Some(want) = self.wants.get_mut(&id) else {
            return;
        };
        want.denied.insert(*from);
        let home = want.home;
        let sessions: Vec<SessionId> = want.interest.iter().map(|(s, _, _)| *s).collect();
        for session in sessions {
            let session = self.sessions.get_mut(&session);
            if let Some(member) = session.and_then(|s| s.members.get_mut(from)) {
                member.denied();
            }
        }
        self.metrics.rewants.at(Rewant::DontHave).inc();
        self.make_pending(id, home);
        self.check(id, now + self.config.give_up);
    }

    fn probe_answered(&mut self, from: &PeerId, id: WantId, presence: Presence, now: Instant) {
        let Some(probe) = self.end_probe(from, id, presence == Presence::DontHave) else {
            return;
        };
        if let Some(remote) = self.peers.get_mut(from) {
            remote.pace.answered(now.saturating_duration_since(probe.sent));
        }
        let session = self.sessions.get_mut(&probe.session);
        if let Some(member) = session.and_then(|session| session.members.get_mut(from)) {
            match presence {
                Presence::Have => member.has(),
                Presence::DontHave => member.lacks(),
            }
        }
        if presence == Presence::DontHave
            && let Some(want) = self.wants.get_mut(&id)
        {
            want.denied.insert(*from);
        }
        self.stirred = true;
        self.probe(probe.session, now);
    }

    /// Ends a probe, with a CANCEL when the peer may still keep it.
    pub(super) fn end_probe(&mut self, peer: &PeerId, id: WantId, cancel: bool) -> Option<Probe> {
        let remote = self.peers.get_mut(peer)?;
        let probe = remote.probes.remove(id)?;
        self.timers.remove(&(probe.due, Timer::Probe(*peer, id)));
        if remote.asked.contains(&id) {
            return Some(probe);
        }
        if cancel {
            remote.wantlist.cancel(id);
            self.talk.insert(*peer);
        } else {
            remote.wantlist.answered(id);
        }
        Some(probe)
    }

    /// Looks at everything whose time has come.
    pub(in crate::bitswap) fn tick(&mut self, now: Instant) {
        while let Some((at, timer)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.remove(&(at, timer));
            match timer {
                Timer::Want(id) => self.look_at(id, now),
                Timer::Probe(peer, id) => self.probe_expired(&peer, id, now),
            }
        }
    }

    fn probe_expired(&mut self, peer: &PeerId, id: WantId, now: Instant) {
        let Some(probe) = self.end_probe(peer, id, true) else {
            return;
        };
        if let Some(remote) = self.peers.get_mut(peer) {
            remote.pace.silent();
        }
        let session = self.sessions.get_mut(&probe.session);
        if let Some(member) = session.and_then(|session| session.members.get_mut(peer)) {
            member.silent();
        }
        self.probe(probe.session, now);
    }

    fn look_at(&mut self, id: WantId, now: Instant) {
        let Some(want) = self.wants.get(&id) else {
            return;
        };
        if now >= self.give_up_at(want) {
            self.fail(id, WantFailure::TimedOut);
        } else if let Some(asked) = want.asked {
            let due = self.peers.get(&asked.peer).map(|r| r.pace.due(asked.mark.at, &self.config));
            if due.is_some_and(|due| due <= now) {
                self.late(id, &asked.peer, now);
            } else {
                self.check_asked(id, now);
            }
        } else if want.parked.is_some() {
            self.check_parked(id, now);
        } else {
            let at = self.give_up_at(want);
            self.check(id, at);
        }
    }

    /// When a want fails unless a block comes to one of its sessions before.
    fn give_up_at(&self, want: &Want) -> Instant {
        let idle_since = want.interest.iter().map(|(session, _, since)| {
            self.sessions.get(session).map_or(*since, |s| s.progress.max(*since))
        });
        idle_since.max().map_or(want.check_at, |since| since + self.config.give_up)
    }

    /// Sets the next look at a want that a peer owes.
    pub(super) fn check_asked(&mut self, id: WantId, now: Instant) {
        let Some(want) = self.wants.get(&id) else {
            return;
        };
        let due = want.asked.and_then(|asked| {
            Some(self.peers.get(&asked.peer)?.pace.due(asked.mark.at, &self.config))
        });
        let at = self.give_up_at(want).min(due.unwrap_or(now)).max(now);
        self.check(id, at);
    }

    /// The owner is late. With another peer to ask the want moves; else it stays where it is.
    fn late(&mut self, id: WantId, owner: &PeerId, now: Instant) {
        let mut movable = self.has_alternative(id, owner);
        if !movable && self.is_silent(id, owner, now) {
            // Another peer was late too, but this one says nothing at all: take turns.
            if let Some(want) = self.wants.get_mut(&id) {
                want.late.clear();
            }
            movable = self.has_alternative(id, owner);
            self.discount(id, owner);
        }
        let Some(want) = self.wants.get(&id) else {
            return;
        };
        let (home, give_up_at) = (want.home, self.give_up_at(want));
        if movable {
            self.move_on(id, home, now);
            self.check(id, give_up_at);
        } else {
            self.repeat_when_quiet(id, owner, now);
            let again = now + self.config.answer_wait_first.max(RECHECK_MIN);
            self.check(id, again.min(give_up_at));
        }
    }

    /// Says a want again to its only peer, once that has been quiet for half of the patience: the want
    /// or its block was lost on the way, or the peer made room for others.
    fn repeat_when_quiet(&mut self, id: WantId, owner: &PeerId, now: Instant) {
        let want = self.wants.get_mut(&id);
        let (Some(want), Some(remote)) = (want, self.peers.get_mut(owner)) else {
            return;
        };
        let Some(asked) = want.asked.as_mut() else {
            return;
        };
        let since = remote.pace.quiet_since(asked.repeated.unwrap_or(asked.mark.at));
        if now >= since + self.config.give_up / 2 {
            asked.repeated = Some(now);
            remote.wantlist.repeat(id);
            self.talk.insert(*owner);
        }
    }

    fn has_alternative(&self, id: WantId, owner: &PeerId) -> bool {
        self.wants.get(&id).is_some_and(|want| {
            self.sessions
                .get(&want.home)
                .is_some_and(|home| self.choose(home, want, Some(owner)) != Choice::Nobody)
        })
    }

    fn is_silent(&self, id: WantId, owner: &PeerId, now: Instant) -> bool {
        let asked = self.wants.get(&id).and_then(|want| want.asked);
        asked
            .zip(self.peers.get(owner))
            .is_some_and(|(asked, remote)| remote.pace.is_silent(asked.mark, now, &self.config))
    }

    /// Takes a late want from its owner, which is trusted with less from then on.
    fn move_on(&mut self, id: WantId, home: SessionId, now: Instant) {
        let Some(asked) = self.release(id) else {
            return;
        };
        let owner = asked.peer;
        let fresh = self.peers.get_mut(&owner).is_some_and(|remote| {
            // The silence of a peer that cannot say DONT_HAVE tells nothing of its speed.
            remote.pace.overdue(asked.mark, now, remote.version.has_presences())
        });
        let session = self.sessions.get_mut(&home);
        if let Some(member) = session.and_then(|s| s.members.get_mut(&owner)).filter(|_| fresh) {
            member.stalled();
        }
        if let Some(want) = self.wants.get_mut(&id) {
            want.late.insert(owner);
        }
        self.metrics.rewants.at(Rewant::Late).inc();
        self.make_pending(id, home);
    }

    /// A want that a silent peer keeps stops to count against its window: a peer that cannot say
    /// DONT_HAVE must not be closed to the wants behind it.
    fn discount(&mut self, id: WantId, owner: &PeerId) {
        let want = self.wants.get_mut(&id);
        let (Some(want), Some(remote)) = (want, self.peers.get_mut(owner)) else {
            return;
        };
        if let Some(asked) = want.asked.as_mut() {
            remote.in_flight = remote.in_flight.saturating_sub(asked.size);
            asked.size = 0;
            self.stirred = true;
        }
    }

    /// Sets the next look at a want that nobody can serve, or ends it.
    pub(super) fn check_parked(&mut self, id: WantId, now: Instant) {
        let Some(want) = self.wants.get(&id) else {
            return;
        };
        let Some(since) = want.parked else {
            return;
        };
        let may_connect = self.sessions.get(&want.home).is_some_and(|session| {
            session.members.keys().any(|peer| !self.peers.contains_key(peer))
        });
        let wait = if may_connect { self.config.connect_wait } else { self.config.candidates_wait };
        let at = (since + wait).min(self.give_up_at(want));
        if now < at {
            self.check(id, at);
            return;
        }
        let why = match (want.denied.is_empty(), want.late.is_empty()) {
            (_, false) => WantFailure::TimedOut,
            (false, true) => WantFailure::AllDontHave,
            (true, true) => WantFailure::NoPeers,
        };
        self.fail(id, why);
    }
}

fn block_hash(want: &Want) -> &ipfs::Multihash {
    want.cid.multihash()
}
