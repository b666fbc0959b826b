//! Reads what one block of a walk holds, and puts its children where they are to stand.
//!
//! Links are read one by one and no further than there is room for, since a block can have many
//! times its own size of them.

use std::ops::{ControlFlow, Range};

use bytes::Bytes;

use super::{DEPTH_MAX, Pending, Role, UNIXFS_DEPTH_MAX, WalkError};
use crate::block::Block;
use crate::cid::{Cid, Codec};
use crate::dag_pb::{self, View};
use crate::links;
use crate::unixfs::hamt::{self, Slot};
use crate::unixfs::{Kind, Meta, UnixfsError};

/// The children of one block, put where they are to stand, in their order.
pub(super) struct Children {
    parent: Cid,
    depth: u16,
    pub(super) pending: Vec<Pending>,
    /// Most blocks that `pending` may come to hold.
    limit: usize,
}

impl Children {
    pub(super) fn of(parent: &Block, depth: u16, pending: Vec<Pending>, limit: usize) -> Self {
        Self { parent: *parent.cid(), depth, pending, limit }
    }

    fn push(&mut self, child: &Cid, role: Role, depth_max: u16) -> Result<(), WalkError> {
        if self.depth >= depth_max {
            return Err(WalkError::TooDeep(self.parent));
        }
        if self.pending.len() >= self.limit {
            return Err(WalkError::TooWide(self.parent));
        }
        self.pending.push(Pending::new(child, role, self.depth + 1));
        Ok(())
    }
}

/// What a block holds.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub(super) content: Bytes,
    /// Whether only part of what is below is wanted, so that meeting it again may lead to more.
    pub(super) partial: bool,
}

/// Every link of a block, with everything below.
pub(super) fn subtree(block: &Block, children: &mut Children) -> Result<Opened, WalkError> {
    let cid = *block.cid();
    let mut pushed = Ok(());
    links::each(block, |link| {
        pushed = children.push(&link, Role::Subtree, DEPTH_MAX);
        if pushed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .map_err(|source| WalkError::Links { cid, source })?;
    pushed.map(|()| Opened::default())
}

/// The shards below a shard; entries are told from shards by their longer names.
pub(super) fn shard(
    block: &Block,
    used: u32,
    children: &mut Children,
) -> Result<Opened, WalkError> {
    let cid = *block.cid();
    let malformed = |source| WalkError::Unixfs { cid, source };
    if cid.codec() != Codec::DagPb {
        return Err(malformed(UnixfsError::NotADirectory(cid)));
    }
    let (node, meta) = decode(block)?;
    let geometry = hamt::geometry(&node, &meta, used).map_err(malformed)?;
    let role = Role::Shard { used: used + geometry.bits };
    for link in node.links() {
        if hamt::slot(link.name, geometry) == Slot::Shard {
            children.push(&link.cid(), role, DEPTH_MAX)?;
        }
    }
    Ok(Opened::default())
}

/// The bytes that a block adds to a file, and the children that hold wanted ones. A child without
/// bytes is none of them: with two links to the same one at each level, there would be more ways
/// to nothing than can be walked.
pub(super) fn part_of_file(
    block: &Block,
    at: u64,
    length: u64,
    range: &Range<u64>,
    children: &mut Children,
) -> Result<Opened, WalkError> {
    let cid = *block.cid();
    let check = |actual: u64| {
        if actual == length { Ok(()) } else { Err(WalkError::SizeMismatch(cid)) }
    };
    match cid.codec() {
        Codec::Raw => {
            check(block.data().len() as u64)?;
            Ok(Opened { content: cut(block.data(), at, range), partial: false })
        }
        Codec::DagPb => {
            let (node, meta) = decode(block)?;
            if !matches!(meta.kind, Kind::File | Kind::Raw) {
                return Err(WalkError::NotAFilePart(cid));
            }
            check(file_size(block, &node, &meta)?)?;
            let mut child_at = at + meta.data.len() as u64;
            for (link, size) in node.links().zip(&meta.blocksizes) {
                let end = child_at + size;
                if child_at < range.end && end > range.start && *size > 0 {
                    let role = Role::File { at: child_at, length: *size };
                    children.push(&link.cid(), role, UNIXFS_DEPTH_MAX)?;
                }
                child_at = end;
            }
            let partial = at < range.start || child_at > range.end;
            Ok(Opened { content: cut(&meta.data, at, range), partial })
        }
        Codec::DagCbor
        | Codec::DagJson
        | Codec::Cbor
        | Codec::Json
        | Codec::Libp2pKey
        | Codec::Other(_) => Err(WalkError::NotAFilePart(cid)),
    }
}

pub(super) fn file_size(block: &Block, node: &View, meta: &Meta) -> Result<u64, WalkError> {
    let size = meta.file_size(node.link_count());
    size.map_err(|source| WalkError::Unixfs { cid: *block.cid(), source })
}

/// The part of `data`, which begins at `at` in the file, that is in the range. No bytes are copied.
fn cut(data: &Bytes, at: u64, range: &Range<u64>) -> Bytes {
    let length = data.len() as u64;
    let from = range.start.saturating_sub(at).min(length);
    let to = range.end.saturating_sub(at).min(length);
    if from >= to {
        return Bytes::new();
    }
    let index = |at: u64| usize::try_from(at).expect("no more than the block holds");
    data.slice(index(from)..index(to))
}

pub(super) fn decode(block: &Block) -> Result<(View, Meta), WalkError> {
    let cid = *block.cid();
    let node = dag_pb::view(block.data()).map_err(|source| WalkError::DagPb { cid, source })?;
    let meta = Meta::decode(node.data().unwrap_or(&Bytes::new()));
    Ok((node, meta.map_err(|source| WalkError::Unixfs { cid, source })?))
}
