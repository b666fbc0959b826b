//! What the exchange asks of a blockstore.
//!
//! The store is another room; the joint of the node gives it to the swarm in this shape, and a test
//! can give a store that is slow or failing.

use std::error::Error;

use futures::future::BoxFuture;
use ipfs::{Block, Cid};

use crate::bitswap::{Lookup, LookupBounds, WantType};

/// Why a store could not do what was asked; only counted and logged here.
pub type StoreFault = Box<dyn Error + Send + Sync>;

/// A store of blocks.
pub trait Store: Send + Sync + 'static {
    /// Looks up the wants of one peer: an entry per want, in their order, and only so many of them
    /// that `bounds` hold.
    fn look_up(
        &self,
        wants: Vec<(Cid, WantType)>,
        bounds: LookupBounds,
    ) -> BoxFuture<'static, Result<Lookup, StoreFault>>;

    /// Keeps blocks, so that later lookups find them. They need not be durable when this returns.
    fn keep(&self, blocks: Vec<Block>) -> BoxFuture<'static, Result<(), StoreFault>>;
}
