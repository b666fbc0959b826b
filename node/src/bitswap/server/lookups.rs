//! Whose wants are looked up next, and what comes of it.
//!
//! Deficit round robin by bytes: a turn adds credit, a lookup spends what it brought, and a peer whose
//! blocks turned out large waits until its credit has recovered. One lookup per peer is under way at a
//! time, and it may bring no more bytes than were set aside for it.

use std::sync::Arc;

use ipfs::Cid;
use ipfs::block::BLOCK_BYTES_MAX;
use libp2p_identity::PeerId;

use super::guest::State;
use super::{Inquiry, Server};
use crate::bitswap::action::{Action, Found, Lookup, LookupBounds, Ticket};
use crate::bitswap::wire::{Presence, WantType};

impl Server {
    /// A peer with something to look up, and room for it, gets its turns.
    pub(super) fn join_ring(&mut self, peer: &PeerId) {
        let eligible = self.is_eligible(peer);
        if let Some(guest) = self.guests.get_mut(peer)
            && eligible
            && !guest.in_ring
        {
            guest.in_ring = true;
            self.ring.push_back(*peer);
        }
    }

    fn is_eligible(&self, peer: &PeerId) -> bool {
        self.guests.get(peer).is_some_and(|guest| {
            guest.has_queue()
                && guest.looking.is_none()
                && guest.presences.len() < self.config.serve_wants_max
                && (guest.held() == 0 || guest.held() < self.config.serve_bytes_per_peer.as_u64())
        })
    }

    /// Begins as many lookups as the budget allows.
    pub(in crate::bitswap) fn look_up(&mut self) {
        let turn = i64::try_from(self.config.serve_turn.as_u64().max(1)).unwrap_or(i64::MAX);
        while self.held == 0 || self.held < self.config.serve_bytes_max.as_u64() {
            let Some(peer) = self.ring.pop_front() else {
                return;
            };
            let eligible = self.is_eligible(&peer);
            let Some(guest) = self.guests.get_mut(&peer) else {
                continue;
            };
            if !eligible {
                guest.in_ring = false;
                continue;
            }
            guest.credit = guest.credit.saturating_add(turn).min(turn);
            if guest.credit <= 0 && !self.ring.is_empty() {
                self.ring.push_back(peer);
                continue;
            }
            guest.in_ring = false;
            self.inquire(peer, turn.unsigned_abs());
        }
    }

    fn inquire(&mut self, peer: PeerId, bytes: u64) {
        let Some(guest) = self.guests.get_mut(&peer) else {
            return;
        };
        let room = self.config.serve_bytes_per_peer.as_u64().saturating_sub(guest.held());
        let max = self.config.lookup_batch_max.max(1);
        let bytes = bytes.min(room);
        let wants = guest.take_queue(max, bytes);
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        guest.looking = Some(ticket);
        // What it brings at most, whatever the peer's other blocks were like: one is always read.
        let reserved = bytes.max(BLOCK_BYTES_MAX as u64);
        self.held += reserved;
        for (cid, _) in &wants {
            self.index(&peer, cid);
        }
        let asked = wants.iter().map(|(cid, want_type)| (**cid, *want_type)).collect();
        self.inquiries.insert(ticket, Inquiry { peer, wants, reserved });
        let bounds = LookupBounds { bytes, have_bytes: self.config.have_block_bytes_max.as_u64() };
        self.out.push_back(Action::Lookup { ticket, peer, wants: asked, bounds });
    }

    /// Whether anybody still waits for a lookup.
    pub(in crate::bitswap) fn awaits(&self, ticket: Ticket) -> bool {
        self.inquiries.contains_key(&ticket)
    }

    /// Takes the answer of a lookup.
    pub(in crate::bitswap) fn looked_up(&mut self, ticket: Ticket, lookup: Lookup) {
        let Some(inquiry) = self.inquiries.remove(&ticket) else {
            return;
        };
        self.held = self.held.saturating_sub(inquiry.reserved);
        let Some(guest) = self.guests.get_mut(&inquiry.peer) else {
            return;
        };
        guest.looking = None;
        // An answer without any entry is a store that failed: to ask again at once would spin.
        let failed = lookup.found.is_empty();
        let mut found = lookup.found.into_iter();
        let mut bytes: i64 = 0;
        for (cid, asked) in inquiry.wants {
            let found = found.next().or(failed.then_some(Found::Missing));
            if let Some(Found::Block(block)) = &found {
                bytes = bytes.saturating_add(i64::try_from(block.data().len()).unwrap_or(i64::MAX));
            }
            self.answer(&inquiry.peer, &cid, asked, found);
        }
        if let Some(guest) = self.guests.get_mut(&inquiry.peer) {
            guest.credit = guest.credit.saturating_sub(bytes);
        }
        self.join_ring(&inquiry.peer);
        self.gauge();
    }

    /// Answers one want with what the lookup found, unless the want changed or went meanwhile.
    fn answer(&mut self, peer: &PeerId, cid: &Arc<Cid>, asked: WantType, found: Option<Found>) {
        let want = self.guests.get(peer).and_then(|guest| guest.get(cid)).cloned();
        let Some(want) = want else {
            return;
        };
        let State::Looking { arrived } = want.state else {
            return;
        };
        self.unindex(peer, &want.cid);
        let cid = &want.cid;
        match found {
            Some(Found::Block(block)) => match block.under(**cid) {
                Some(block) => self.found(peer, cid, block),
                None => self.missing(peer, cid, want.send_dont_have),
            },
            Some(Found::Have) if want.want_type == WantType::Have => {
                self.present(peer, cid, Presence::Have);
            }
            Some(Found::Missing) if !arrived => self.missing(peer, cid, want.send_dont_have),
            Some(Found::Have) if asked == WantType::Block && !arrived => {
                self.missing(peer, cid, want.send_dont_have);
            }
            Some(Found::Have | Found::Missing) | None => {
                if let Some(guest) = self.guests.get_mut(peer) {
                    guest.requeue(cid);
                }
            }
        }
    }

    /// The block is not here: say so if asked to, and keep the want while there is room.
    fn missing(&mut self, peer: &PeerId, cid: &Arc<Cid>, send_dont_have: bool) {
        let denied =
            self.guests.get(peer).and_then(|guest| guest.get(cid)).is_some_and(|w| w.denied);
        if send_dont_have && !denied {
            self.present(peer, cid, Presence::DontHave);
        }
        if self.kept >= self.config.waiting_wants_max {
            self.metrics.wants_refused.at(super::Refusal::Unkept).inc();
            self.drop_want(peer, cid);
            return;
        }
        if let Some(guest) = self.guests.get_mut(peer) {
            guest.wait(cid);
            self.kept += 1;
            self.index(peer, cid);
        }
    }
}
