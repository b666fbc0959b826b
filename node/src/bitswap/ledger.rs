//! What was exchanged with each connected peer.
//!
//! Kept for as long as the connection: a peer costs memory only while it costs a socket.

use std::collections::BTreeMap;

use libp2p_identity::PeerId;
use serde::Serialize;

/// The exchange with one peer since it connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Blocks that the peer's stream took.
    pub sent_blocks: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Blocks that came from the peer, wanted or not.
    pub received_blocks: u64,
    /// Their bytes.
    pub received_bytes: u64,
}

/// The accounts of all connected peers.
#[derive(Debug, Default)]
pub(super) struct Ledger(BTreeMap<PeerId, Account>);

impl Ledger {
    pub(super) fn open(&mut self, peer: PeerId) {
        self.0.entry(peer).or_default();
    }

    pub(super) fn close(&mut self, peer: &PeerId) {
        self.0.remove(peer);
    }

    pub(super) fn received(&mut self, peer: &PeerId, blocks: u64, bytes: u64) {
        if let Some(account) = self.0.get_mut(peer) {
            account.received_blocks += blocks;
            account.received_bytes += bytes;
        }
    }

    pub(super) fn sent(&mut self, peer: &PeerId, blocks: u64, bytes: u64) {
        if let Some(account) = self.0.get_mut(peer) {
            account.sent_blocks += blocks;
            account.sent_bytes += bytes;
        }
    }

    pub(super) fn account(&self, peer: &PeerId) -> Option<Account> {
        self.0.get(peer).copied()
    }
}
