//! Blocks to exchange, distinct and cheap to make.

use bytes::BytesMut;
use ipfs::{Block, Cid, Codec};

/// Distinct raw blocks of one size.
pub(crate) fn blocks(count: usize, size: usize) -> Vec<Block> {
    (0..count)
        .map(|index| {
            let mut data = BytesMut::zeroed(size.max(8));
            data[..8].copy_from_slice(&(index as u64 + 1).to_be_bytes());
            Block::of(Codec::Raw, data.freeze()).expect("a block within the limit")
        })
        .collect()
}

pub(crate) fn cids(blocks: &[Block]) -> Vec<Cid> {
    blocks.iter().map(|block| *block.cid()).collect()
}
