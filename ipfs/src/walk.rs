//! Walks a DAG in order, asking for blocks and saying what each one contributes.
//!
//! One walk serves file bodies, CAR bodies and replication. It fetches nothing: it says which
//! blocks come next ([`Walk::wanted`]), its driver gets them however it likes, and gives the first
//! one back ([`Walk::feed`]). Depth first, parents before children, so that a reader can verify as
//! it goes. Everything below the root was written by a stranger: depth and width are bounded, and a
//! file whose sizes lie is cut at the child where the lie shows.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::block::Block;
use crate::cid::{Cid, Codec};
use crate::dag_pb::{self, DagPbError};
use crate::links::{self, LinksError};
use crate::trustless::{CarOptions, DagScope, EntityBytes, TrustlessError};
use crate::unixfs::hamt::{self, Slot};
use crate::unixfs::{Kind, Meta, UnixfsError};

/// Deepest DAG that is walked; a deeper one is refused, not cut.
pub const DEPTH_MAX: u16 = 1024;
/// Deepest file or directory: at two links a node, 64 levels hold more than can exist.
pub const UNIXFS_DEPTH_MAX: u16 = 64;
/// Most blocks that may be known and not yet visited: about 12 MiB of them.
pub const FRONTIER_BLOCKS_MAX: usize = 128 * 1024;
/// Most blocks that are remembered so as not to be sent twice: about 40 MiB of them.
pub const SEEN_BLOCKS_MAX: usize = 1024 * 1024;
/// How far ahead of the front a block may be expanded early.
const EXPAND_WITHIN: usize = 1024;

/// Why a walk cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The driver gave a block other than the one at the front.
    #[error("block {0} was not asked for")]
    NotAskedFor(Cid),
    /// A dag-pb block does not parse.
    #[error("{cid} is malformed: {source}")]
    DagPb {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: DagPbError,
    },
    /// A UnixFS block does not parse.
    #[error("{cid} is malformed: {source}")]
    Unixfs {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: UnixfsError,
    },
    /// The links of a block cannot be read.
    #[error("links of {cid} cannot be read: {source}")]
    Links {
        /// The block.
        cid: Cid,
        /// Why.
        source: LinksError,
    },
    /// A block of a file does not hold as many bytes as its parent says.
    #[error("{0} does not have the size that its parent claims")]
    SizeMismatch(Cid),
    /// A block below a file that cannot be part of one.
    #[error("{0} cannot be part of a file")]
    NotAFilePart(Cid),
    /// Deeper than [`DEPTH_MAX`], or [`UNIXFS_DEPTH_MAX`] inside a file or directory.
    #[error("DAG is too deep at {0}")]
    TooDeep(Cid),
    /// Wider than [`FRONTIER_BLOCKS_MAX`], or more blocks than [`SEEN_BLOCKS_MAX`] to remember.
    #[error("DAG is too wide at {0}")]
    TooWide(Cid),
    /// The wanted bytes are outside of the file.
    #[error(transparent)]
    Range(#[from] TrustlessError),
}

/// What one block contributes.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The block itself.
    pub block: Block,
    /// Whether it is to be sent: false when it was before and duplicates are not wanted.
    pub fresh: bool,
    /// Bytes of the file that is walked, within the wanted range; empty for any other block.
    pub content: Bytes,
}

/// How a block was met earlier in the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    Never,
    /// With only some of what is below it wanted.
    Partly,
    /// With all that is below it.
    Whole,
}

/// Why a block is on the way, and so what is below it.
#[derive(Debug, Clone)]
enum Role {
    /// The root, before its kind is known.
    Root,
    /// Anything, with everything below it.
    Subtree,
    /// Part of a file: where it begins in the file, and the length that its parent claims.
    File { at: u64, length: Option<u64> },
    /// A shard of a HAMT directory, of which the entries are not followed.
    Shard,
}

/// A block that is known and not yet visited. The CID is kept packed: there may be many of these.
#[derive(Debug)]
struct Pending {
    cid: SmallVec<[u8; 36]>,
    role: Role,
    depth: u16,
    /// Whether its children already stand behind it.
    expanded: bool,
}

impl Pending {
    fn new(cid: &Cid, role: Role, depth: u16) -> Self {
        Self { cid: SmallVec::from_vec(cid.to_bytes()), role, depth, expanded: false }
    }

    fn cid(&self) -> Cid {
        Cid::from_bytes(&self.cid).expect("packed from a CID")
    }
}

/// A walk in progress.
#[derive(Debug)]
pub struct Walk {
    scope: DagScope,
    wanted_bytes: Option<EntityBytes>,
    /// The wanted range once the file's size is known.
    range: Option<Range<u64>>,
    frontier: VecDeque<Pending>,
    /// Blocks that were sent, by the first half of their digests, and whether all that is below
    /// each was wanted then; `None` when duplicates are wanted.
    seen: Option<HashMap<u128, bool>>,
}

impl Walk {
    /// A walk of what a CAR with these options holds, from its terminal block.
    pub fn new(root: &Cid, options: &CarOptions) -> Self {
        Self {
            scope: options.scope,
            wanted_bytes: options.bytes,
            range: None,
            frontier: VecDeque::from([Pending::new(root, Role::Root, 0)]),
            seen: (!options.dups).then(HashMap::new),
        }
    }

    /// A walk of a file's content, or of the part of it in `bytes`.
    pub fn file(root: &Cid, bytes: Option<EntityBytes>) -> Self {
        let options =
            CarOptions { scope: DagScope::Entity, bytes, dups: true, ..CarOptions::default() };
        Self::new(root, &options)
    }

    /// The next blocks in order, at most `count`. The first is the one that [`Walk::feed`] takes;
    /// the others are worth fetching ahead. Empty when the walk is done.
    pub fn wanted(&self, count: usize) -> impl Iterator<Item = Cid> {
        self.frontier.iter().take(count).map(Pending::cid)
    }

    /// The block that the walk cannot go on without, or `None` when it is done.
    pub fn front(&self) -> Option<Cid> {
        self.frontier.front().map(Pending::cid)
    }

    /// Whether every block was visited.
    pub fn is_done(&self) -> bool {
        self.frontier.is_empty()
    }

    /// Puts the children of a block that arrived early behind it, so that [`Walk::wanted`] sees
    /// further. Does nothing for a block that is not close to the front, or has no children; its
    /// faults are told when it is fed.
    pub fn expand(&mut self, block: &Block) {
        if !matches!(block.cid().codec(), Codec::DagPb | Codec::DagCbor) {
            return;
        }
        let packed = block.cid().to_bytes();
        let found = self
            .frontier
            .iter()
            .take(EXPAND_WITHIN)
            .position(|pending| !pending.expanded && pending.cid[..] == packed[..]);
        let Some(index) = found.filter(|index| *index > 0) else { return };
        let pending = &self.frontier[index];
        let (role, depth) = (pending.role.clone(), pending.depth);
        if let Ok(opened) = self.open(block, &role, depth)
            && self.insert_behind(index, opened.children, block.cid()).is_ok()
        {
            self.frontier[index].expanded = true;
        }
    }

    /// Visits the block at the front.
    ///
    /// # Errors
    /// [`WalkError`]; the walk is of no use after one.
    pub fn feed(&mut self, block: Block) -> Result<Visit, WalkError> {
        let front = self.frontier.front().map(Pending::cid);
        if front.as_ref() != Some(block.cid()) {
            return Err(WalkError::NotAskedFor(*block.cid()));
        }
        let pending = self.frontier.front().expect("the front was just read");
        let (role, depth, expanded) = (pending.role.clone(), pending.depth, pending.expanded);
        let opened = self.open(&block, &role, depth)?;
        let met = self.remember(&block, !opened.partial)?;
        if !expanded && met != Met::Whole {
            self.insert_behind(0, opened.children, block.cid())?;
        }
        self.frontier.pop_front();
        Ok(Visit { block, fresh: met == Met::Never, content: opened.content })
    }

    /// Notes that a block is sent; says how it was met before.
    fn remember(&mut self, block: &Block, whole: bool) -> Result<Met, WalkError> {
        let Some(seen) = &mut self.seen else { return Ok(Met::Never) };
        if block.cid().identity_data().is_some() {
            return Ok(Met::Never);
        }
        if seen.len() >= SEEN_BLOCKS_MAX {
            return Err(WalkError::TooWide(*block.cid()));
        }
        let digest = block.cid().multihash().digest();
        let half = digest.first_chunk().expect("other than inline digests have 20 bytes or more");
        match seen.entry(u128::from_le_bytes(*half)) {
            Entry::Vacant(entry) => {
                entry.insert(whole);
                Ok(Met::Never)
            }
            Entry::Occupied(mut entry) => {
                let before = entry.insert(whole || *entry.get());
                Ok(if before { Met::Whole } else { Met::Partly })
            }
        }
    }

    fn insert_behind(
        &mut self,
        index: usize,
        children: Vec<Pending>,
        parent: &Cid,
    ) -> Result<(), WalkError> {
        if self.frontier.len() + children.len() > FRONTIER_BLOCKS_MAX {
            return Err(WalkError::TooWide(*parent));
        }
        // Only what stands before moves: it is short, and what stands behind may be very long.
        let before: Vec<Pending> = self.frontier.drain(..=index).collect();
        for pending in before.into_iter().chain(children).rev() {
            self.frontier.push_front(pending);
        }
        Ok(())
    }

    /// Reads what a block holds and leads to, by its role.
    fn open(&mut self, block: &Block, role: &Role, depth: u16) -> Result<Opened, WalkError> {
        match role {
            Role::Subtree => subtree(block, depth),
            Role::Root => match self.scope {
                DagScope::Block => Ok(Opened::default()),
                DagScope::All => subtree(block, depth),
                DagScope::Entity => self.entity(block),
            },
            Role::Shard => shard(block, depth),
            Role::File { at, length } => {
                let range = self.range.clone().unwrap_or(0..u64::MAX);
                part_of_file(block, *at, *length, depth, &range)
            }
        }
    }

    /// Reads the root of an entity: from here on it is a file, a directory or a lone block.
    fn entity(&mut self, block: &Block) -> Result<Opened, WalkError> {
        let size = match block.cid().codec() {
            Codec::Raw => block.data().len() as u64,
            Codec::DagPb => {
                let (_, meta) = decode(block)?;
                match meta.kind {
                    Kind::File | Kind::Raw => file_size(block, &meta)?,
                    Kind::HamtShard => return shard(block, 0),
                    Kind::Directory | Kind::Metadata | Kind::Symlink => {
                        return Ok(Opened::default());
                    }
                }
            }
            Codec::DagCbor
            | Codec::DagJson
            | Codec::Cbor
            | Codec::Json
            | Codec::Libp2pKey
            | Codec::Other(_) => return Ok(Opened::default()),
        };
        let range = match self.wanted_bytes {
            Some(bytes) => bytes.within(size)?,
            None => 0..size,
        };
        self.range = Some(range.clone());
        part_of_file(block, 0, Some(size), 0, &range)
    }
}

/// What a block holds and leads to.
#[derive(Debug, Default)]
struct Opened {
    content: Bytes,
    children: Vec<Pending>,
    /// Whether only part of what is below is wanted, so that meeting it again may lead to more.
    partial: bool,
}

/// Every link of a block, with everything below.
fn subtree(block: &Block, depth: u16) -> Result<Opened, WalkError> {
    let cid = *block.cid();
    let links = links::of(block).map_err(|source| WalkError::Links { cid, source })?;
    if links.is_empty() {
        return Ok(Opened::default());
    }
    if depth >= DEPTH_MAX {
        return Err(WalkError::TooDeep(cid));
    }
    let children = links.iter().map(|link| Pending::new(link, Role::Subtree, depth + 1)).collect();
    Ok(Opened { children, ..Opened::default() })
}

/// The shards below a shard; entries are told from shards by their longer names.
fn shard(block: &Block, depth: u16) -> Result<Opened, WalkError> {
    let cid = *block.cid();
    let (node, meta) = decode(block)?;
    if meta.kind != Kind::HamtShard {
        return Err(WalkError::NotAFilePart(cid));
    }
    let geometry =
        hamt::geometry(&node, &meta).map_err(|source| WalkError::Unixfs { cid, source })?;
    let mut children = Vec::new();
    for link in &node.links {
        let Slot::Shard(shard) = hamt::slot(link, geometry) else { continue };
        if depth >= UNIXFS_DEPTH_MAX {
            return Err(WalkError::TooDeep(cid));
        }
        children.push(Pending::new(shard, Role::Shard, depth + 1));
    }
    Ok(Opened { children, ..Opened::default() })
}

/// The bytes that a block adds to a file, and the children that hold wanted ones.
fn part_of_file(
    block: &Block,
    at: u64,
    length: Option<u64>,
    depth: u16,
    range: &Range<u64>,
) -> Result<Opened, WalkError> {
    let cid = *block.cid();
    let check = |actual: u64| match length {
        Some(length) if length != actual => Err(WalkError::SizeMismatch(cid)),
        _ => Ok(()),
    };
    match cid.codec() {
        Codec::Raw => {
            check(block.data().len() as u64)?;
            Ok(Opened { content: cut(block.data(), at, range), ..Opened::default() })
        }
        Codec::DagPb => {
            let (node, meta) = decode(block)?;
            if !matches!(meta.kind, Kind::File | Kind::Raw) {
                return Err(WalkError::NotAFilePart(cid));
            }
            check(file_size(block, &meta)?)?;
            if node.links.len() != meta.blocksizes.len() {
                return Err(WalkError::SizeMismatch(cid));
            }
            if !node.links.is_empty() && depth >= UNIXFS_DEPTH_MAX {
                return Err(WalkError::TooDeep(cid));
            }
            let mut children = Vec::new();
            let mut child_at = at + meta.data.len() as u64;
            for (link, size) in node.links.iter().zip(&meta.blocksizes) {
                let end = child_at + size;
                if child_at < range.end && end > range.start {
                    let role = Role::File { at: child_at, length: Some(*size) };
                    children.push(Pending::new(&link.cid, role, depth + 1));
                }
                child_at = end;
            }
            let partial = at < range.start || child_at > range.end;
            Ok(Opened { content: cut(&meta.data, at, range), children, partial })
        }
        Codec::DagCbor
        | Codec::DagJson
        | Codec::Cbor
        | Codec::Json
        | Codec::Libp2pKey
        | Codec::Other(_) => Err(WalkError::NotAFilePart(cid)),
    }
}

/// The size of a file by the sum of its parts, which must be what it declares.
fn file_size(block: &Block, meta: &Meta) -> Result<u64, WalkError> {
    let own = meta.data.len() as u64;
    let sum = meta.blocksizes.iter().try_fold(own, |sum, size| sum.checked_add(*size));
    match (sum, meta.filesize) {
        (Some(sum), Some(declared)) if sum == declared => Ok(sum),
        (Some(sum), None) => Ok(sum),
        _ => Err(WalkError::SizeMismatch(*block.cid())),
    }
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

fn decode(block: &Block) -> Result<(dag_pb::Node, Meta), WalkError> {
    let cid = *block.cid();
    let node = dag_pb::decode(block.data()).map_err(|source| WalkError::DagPb { cid, source })?;
    let data = node.data.clone().unwrap_or_default();
    let meta = Meta::decode(&data).map_err(|source| WalkError::Unixfs { cid, source })?;
    Ok((node, meta))
}

#[cfg(test)]
mod tests;
