//! The one place where bytes from a node become a block: they are hashed, whole, or refused.

use bytes::Bytes;
use ipfs::{Block, BlockError, Cid};

/// Proves that bytes from a node are the block that was asked for.
///
/// # Errors
/// [`BlockError`], when they are not.
pub(crate) fn prove(cid: Cid, bytes: Bytes) -> Result<Block, BlockError> {
    Block::verify(cid, bytes)
}
