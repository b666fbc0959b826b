//! Peers that come, go and fail.
//!
//! What a lost peer owed is asked of others at once; what was learnt of it as a member of a session
//! stays, so that it is of use when it returns.

use std::time::Instant;

use libp2p_identity::PeerId;

use super::{Client, Timer};
use crate::bitswap::action::SessionId;
use crate::bitswap::metrics::Rewant;
use crate::bitswap::peer::Remote;
use crate::bitswap::wantlist::WantId;
use crate::bitswap::wire::ProtocolVersion;

impl Client {
    pub(in crate::bitswap) fn peer_connected(&mut self, peer: PeerId, now: Instant) {
        self.peers.insert(peer, Remote::new(&self.config));
        let max = self.config.candidates_max;
        let mut concerned = Vec::new();
        for (id, session) in &mut self.sessions {
            if session.open {
                session.add(peer, max);
            }
            if session.members.contains_key(&peer) {
                concerned.push(*id);
            }
        }
        for id in concerned {
            self.wake_session(id, now);
        }
    }

    pub(in crate::bitswap) fn peer_disconnected(&mut self, peer: &PeerId, now: Instant) {
        let Some(remote) = self.peers.remove(peer) else {
            return;
        };
        self.talk.remove(peer);
        for session in self.sessions.values_mut() {
            session.tried.remove(peer);
        }
        self.reassign(peer, remote.asked.iter().copied(), Rewant::Disconnected, now);
        for (id, probe) in remote.probes.into_all() {
            self.timers.remove(&(probe.due, Timer::Probe(*peer, id)));
            let session = self.sessions.get_mut(&probe.session);
            if let Some(member) = session.and_then(|session| session.members.get_mut(peer)) {
                member.probed = false;
            }
            self.probe(probe.session, now);
        }
    }

    /// The peer's stream failed: what it was told is unknown, so nothing is owed any more.
    pub(in crate::bitswap) fn peer_failed(&mut self, peer: &PeerId, mute: bool, now: Instant) {
        let Some(remote) = self.peers.get_mut(peer) else {
            return;
        };
        remote.muted |= mute;
        remote.in_flight = 0;
        let asked = std::mem::take(&mut remote.asked);
        // Taken back rather than forgotten: what the peer read of it may still be answered.
        for id in &asked {
            remote.wantlist.cancel(*id);
        }
        remote.wantlist.reset();
        self.talk.insert(*peer);
        for id in &asked {
            if let Some(want) = self.wants.get_mut(id) {
                want.late.insert(*peer);
            }
        }
        self.reassign(peer, asked.into_iter(), Rewant::SendFailed, now);
    }

    pub(in crate::bitswap) fn peer_version(
        &mut self,
        peer: &PeerId,
        version: ProtocolVersion,
        now: Instant,
    ) {
        let Some(remote) = self.peers.get_mut(peer) else {
            return;
        };
        remote.version = version;
        if version.has_presences() {
            return;
        }
        for id in remote.probes.ids() {
            let Some(probe) = self.end_probe(peer, id, true) else {
                continue;
            };
            let session = self.sessions.get_mut(&probe.session);
            if let Some(member) = session.and_then(|session| session.members.get_mut(peer)) {
                member.probed = false;
            }
            self.probe(probe.session, now);
        }
    }

    fn reassign(
        &mut self,
        peer: &PeerId,
        wants: impl Iterator<Item = WantId>,
        why: Rewant,
        now: Instant,
    ) {
        for id in wants {
            let Some(want) = self.wants.get_mut(&id) else {
                continue;
            };
            if want.asked.take_if(|asked| asked.peer == *peer).is_some() {
                let home = want.home;
                self.metrics.rewants.at(why).inc();
                self.make_pending(id, home);
                self.check(id, now + self.config.give_up);
            }
        }
    }

    /// A session has a peer more: parked wants and open questions get another chance.
    pub(super) fn wake_session(&mut self, id: SessionId, now: Instant) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        for parked in &session.parked {
            if let Some(want) = self.wants.get_mut(parked) {
                want.parked = None;
            }
        }
        session.unpark();
        if !session.pending.is_empty() {
            self.backlog.insert(id);
        }
        self.stirred = true;
        self.probe(id, now);
    }

    /// Another session joined a want; its peers may be able to serve it.
    pub(super) fn wake_parked(&mut self, id: WantId) {
        let Some(want) = self.wants.get_mut(&id) else {
            return;
        };
        if want.parked.take().is_none() {
            return;
        }
        let home = want.home;
        if let Some(session) = self.sessions.get_mut(&home) {
            session.parked.remove(&id);
        }
        self.make_pending(id, home);
    }
}
