//! The exchange of blocks with other peers: bitswap 1.2, and 1.1 and 1.0 towards those who know no more.
//!
//! Nothing here owns a socket, a clock or a task. [`Engine`] takes what happened and when, and gives
//! back what is to be done; so every failure of a network can be played in a test, many engines on
//! one thread. The order of its answers depends on its inputs alone.
//!
//! - `wire`: messages as bytes, both ways, bounded before anything is kept;
//! - `client`: our wants, one owner each, spread over the peers of a session;
//! - `server`: the wants of others, looked up and answered within a budget of bytes;
//! - `engine`: joins the two to one outbound stream per peer.

mod action;
mod client;
mod config;
mod engine;
mod ledger;
mod metrics;
mod peer;
mod server;
mod session;
mod wantlist;
pub mod wire;

pub use action::{
    Action, DisconnectReason, Found, Lookup, LookupBounds, SessionId, Ticket, WantFailure,
};
pub use config::Config;
pub use engine::Engine;
pub use ledger::Account;
pub use metrics::{Arrival, Drop, Metrics, Refusal, Rewant, Said};
pub use wire::{Message, Presence, ProtocolVersion, Received, WantEntry, WantType, WireError};

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

use ipfs::cid::{Cid, Multihash};

/// A CID as a key by its multihash: the same block under any version and codec.
///
/// Shares the CID, because one want is a key in several tables and a CID inline is large.
#[derive(Debug, Clone)]
struct ByHash(Arc<Cid>);

impl PartialEq for ByHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.multihash() == other.0.multihash()
    }
}

impl Eq for ByHash {}

impl PartialOrd for ByHash {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByHash {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.multihash().cmp(other.0.multihash())
    }
}

impl Borrow<Multihash> for ByHash {
    fn borrow(&self) -> &Multihash {
        self.0.multihash()
    }
}
