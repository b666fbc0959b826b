//! Walks a DAG in order, asking for blocks and saying what each one contributes.
//!
//! One walk serves file bodies, CAR bodies and replication. It fetches nothing: it says which
//! blocks come next ([`Walk::wanted`]), its driver gets them however it likes, and gives the first
//! one back ([`Walk::feed`]). Depth first, parents before children, so that a reader can verify as
//! it goes. Everything below the root was written by a stranger: depth and width are bounded, and a
//! file whose sizes lie is cut at the child where the lie shows.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::block::Block;
use crate::cid::{Cid, Codec};
use crate::dag_pb::DagPbError;
use crate::links::LinksError;
use crate::trustless::{CarOptions, DagScope, EntityBytes, TrustlessError};
use crate::unixfs::{Kind, UnixfsError};

mod open;

use open::{Children, Opened, decode, file_size, part_of_file, shard, subtree};

/// Deepest DAG that is walked; a deeper one is refused, not cut.
pub const DEPTH_MAX: u16 = 1024;
/// Deepest file: at two links a node, 64 levels hold more than can exist. The depth of a directory
/// is bounded by the bits of its hash.
pub const UNIXFS_DEPTH_MAX: u16 = 64;
/// Most blocks that may be known and not yet visited: about 10 MiB of them, and half of that more while they grow.
pub const FRONTIER_BLOCKS_MAX: usize = 128 * 1024;
/// Most blocks that are remembered so as not to be sent twice. An entry has 18 bytes and one for
/// the table, which has room for twice as many: about 40 MiB.
pub const SEEN_BLOCKS_MAX: usize = 1024 * 1024;
/// How far behind the front blocks are wanted and expanded early. Also the most blocks that have to
/// be moved for it.
const AHEAD_WITHIN: usize = 1024;
/// Most blocks that may be known when one is expanded early. What blocks stand behind it is kept
/// for those that are visited in order, so that a DAG is not refused for how its blocks arrive.
const EXPANDED_BLOCKS_MAX: usize = FRONTIER_BLOCKS_MAX / 4;

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
    /// Deeper than [`DEPTH_MAX`], or [`UNIXFS_DEPTH_MAX`] inside a file.
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
    /// Whether it is to be sent: false when it was before and duplicates are not wanted. Such a
    /// block is only visited when more of what is below it is wanted than was before.
    pub fresh: bool,
    /// Bytes of the file that is walked, within the wanted range; empty for any other block, and
    /// for one that is not fresh.
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

/// Which bytes of a file are wanted.
#[derive(Debug, Clone)]
enum Wanted {
    /// All of them.
    Whole,
    /// Those of a request, of which the size of the file is not known yet.
    Asked(EntityBytes),
    Exactly(Range<u64>),
}

/// Why a block is on the way, and so what is below it.
#[derive(Debug, Clone, Copy)]
enum Role {
    /// The root, before its kind is known.
    Root,
    /// Anything, with everything below it.
    Subtree,
    /// Part of a file: where it begins in the file, and the length that its parent claims.
    File { at: u64, length: u64 },
    /// A shard of a HAMT directory, of which the entries are not followed, and how many bits of
    /// the hash the shards above it use.
    Shard { used: u32 },
}

/// Whether a block was looked into before its turn. Once is enough, whatever comes of it: blocks
/// that are wanted again and again would be read as often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Early {
    No,
    /// In vain.
    Tried,
    /// Its children stand behind it.
    Expanded,
}

/// A block that is known and not yet visited. The CID is kept packed: there may be many of these.
#[derive(Debug)]
struct Pending {
    cid: SmallVec<[u8; 36]>,
    role: Role,
    depth: u16,
    early: Early,
}

impl Pending {
    fn new(cid: &Cid, role: Role, depth: u16) -> Self {
        Self { cid: SmallVec::from_vec(cid.to_bytes()), role, depth, early: Early::No }
    }

    fn cid(&self) -> Cid {
        Cid::from_bytes(&self.cid).expect("packed from a CID")
    }
}

/// A codec and the first half of a digest, which tell blocks apart: what is below a block depends
/// on how its bytes are read. The low byte of the code is enough for every codec that has a reader.
/// CIDv0 counts as a codec, so that whoever looks a block up by its CID finds it by each.
type SeenKey = [u8; 17];

/// A walk in progress.
#[derive(Debug)]
pub struct Walk {
    scope: DagScope,
    wanted_bytes: Wanted,
    /// The wanted range once the file's size is known.
    range: Range<u64>,
    /// What is known and not yet visited, the next one last.
    frontier: Vec<Pending>,
    /// Blocks that were sent, and whether all that is below each was wanted then; `None` when
    /// duplicates are wanted.
    seen: Option<HashMap<SeenKey, bool>>,
}

impl Walk {
    /// A walk of what a CAR with these options holds, from its terminal block.
    pub fn new(root: &Cid, options: &CarOptions) -> Self {
        Self {
            scope: options.scope,
            wanted_bytes: options.bytes.map_or(Wanted::Whole, Wanted::Asked),
            range: 0..u64::MAX,
            frontier: vec![Pending::new(root, Role::Root, 0)],
            seen: (!options.dups).then(HashMap::new),
        }
    }

    /// A walk of a file's content, or of the part of it in `bytes`, which is cut to the file.
    pub fn file(root: &Cid, bytes: Option<Range<u64>>) -> Self {
        let options = CarOptions { scope: DagScope::Entity, dups: true, ..CarOptions::default() };
        let wanted_bytes = bytes.map_or(Wanted::Whole, Wanted::Exactly);
        Self { wanted_bytes, ..Self::new(root, &options) }
    }

    /// The next blocks in order, at most `count`. The first is the one that [`Walk::feed`] takes;
    /// the others are worth fetching ahead. Empty when the walk is done.
    pub fn wanted(&self, count: usize) -> impl Iterator<Item = Cid> {
        let near = self.frontier.iter().rev().take(AHEAD_WITHIN).map(Pending::cid);
        near.filter(|cid| self.met(cid) != Met::Whole).take(count)
    }

    /// The block that the walk cannot go on without, or `None` when it is done.
    pub fn front(&self) -> Option<Cid> {
        self.frontier.last().map(Pending::cid)
    }

    /// Whether every block was visited.
    pub fn is_done(&self) -> bool {
        self.frontier.is_empty()
    }

    /// Puts the children of a block that arrived early behind it, so that [`Walk::wanted`] sees
    /// further. Does nothing for a block that is not close to the front, or has no children, or
    /// more than there is room for; its faults are told when it is fed.
    pub fn expand(&mut self, block: &Block) {
        if !matches!(block.cid().codec(), Codec::DagPb | Codec::DagCbor) {
            return;
        }
        let packed = block.cid().to_bytes();
        let mut near = self.frontier.iter().rev().take(AHEAD_WITHIN);
        let found = near
            .position(|pending| pending.early == Early::No && pending.cid[..] == packed[..])
            .filter(|behind| *behind > 0);
        let Some(behind) = found else { return };
        let index = self.frontier.len() - 1 - behind;
        let Pending { role, depth, .. } = self.frontier[index];
        self.frontier[index].early = Early::Tried;
        let room = EXPANDED_BLOCKS_MAX.saturating_sub(self.frontier.len());
        if room == 0 || self.met(block.cid()) == Met::Whole {
            return;
        }
        let mut children = Children::of(block, depth, Vec::new(), room);
        if self.open(block, role, &mut children).is_ok() {
            self.frontier[index].early = Early::Expanded;
            self.frontier.splice(index..index, children.pending.into_iter().rev());
        }
    }

    /// Visits the block at the front.
    ///
    /// # Errors
    /// [`WalkError`]; the walk is of no use after one.
    pub fn feed(&mut self, block: Block) -> Result<Visit, WalkError> {
        let is_front = |front: &mut Pending| front.cid() == *block.cid();
        let Some(pending) = self.frontier.pop_if(is_front) else {
            return Err(WalkError::NotAskedFor(*block.cid()));
        };
        let met = self.met(block.cid());
        let opened = if pending.early == Early::Expanded {
            let mut known = Children::of(&block, pending.depth, Vec::new(), FRONTIER_BLOCKS_MAX);
            self.open(&block, pending.role, &mut known)?
        } else {
            let frontier = std::mem::take(&mut self.frontier);
            let first = frontier.len();
            let mut children = Children::of(&block, pending.depth, frontier, FRONTIER_BLOCKS_MAX);
            let opened = self.open(&block, pending.role, &mut children);
            self.frontier = children.pending;
            self.frontier[first..].reverse();
            opened?
        };
        self.remember(block.cid(), !opened.partial)?;
        self.pass();
        let fresh = met == Met::Never;
        let content = if fresh { opened.content } else { Bytes::new() };
        Ok(Visit { block, fresh, content })
    }

    /// Passes blocks that have nothing left to give. None is fetched for it: a block may have as
    /// many links to the same one as it has room for.
    fn pass(&mut self) {
        while self.frontier.last().is_some_and(|front| self.met(&front.cid()) == Met::Whole) {
            self.frontier.pop();
        }
    }

    /// How a block was met before. Those that their CIDs hold are not remembered: they are never
    /// sent, and end with the bytes of the block that they are in.
    fn met(&self, cid: &Cid) -> Met {
        let Some(seen) = &self.seen else { return Met::Never };
        match seen_key(cid).and_then(|key| seen.get(&key)) {
            None => Met::Never,
            Some(false) => Met::Partly,
            Some(true) => Met::Whole,
        }
    }

    /// Notes that a block is sent, and whether all that is below it is wanted.
    fn remember(&mut self, cid: &Cid, whole: bool) -> Result<(), WalkError> {
        let (Some(seen), Some(key)) = (&mut self.seen, seen_key(cid)) else { return Ok(()) };
        let count = seen.len();
        match seen.entry(key) {
            Entry::Vacant(_) if count >= SEEN_BLOCKS_MAX => Err(WalkError::TooWide(*cid)),
            Entry::Vacant(entry) => {
                entry.insert(whole);
                Ok(())
            }
            Entry::Occupied(mut entry) => {
                *entry.get_mut() |= whole;
                Ok(())
            }
        }
    }

    /// Reads what a block holds and leads to, by its role.
    fn open(
        &mut self,
        block: &Block,
        role: Role,
        children: &mut Children,
    ) -> Result<Opened, WalkError> {
        match role {
            Role::Subtree => subtree(block, children),
            Role::Root => match self.scope {
                DagScope::Block => Ok(Opened::default()),
                DagScope::All => subtree(block, children),
                DagScope::Entity => self.entity(block, children),
            },
            Role::Shard { used } => shard(block, used, children),
            Role::File { at, length } => part_of_file(block, at, length, &self.range, children),
        }
    }

    /// Reads the root of an entity: from here on it is a file, a directory or a lone block.
    fn entity(&mut self, block: &Block, children: &mut Children) -> Result<Opened, WalkError> {
        let size = match block.cid().codec() {
            Codec::Raw => block.data().len() as u64,
            Codec::DagPb => {
                let (node, meta) = decode(block)?;
                match meta.kind {
                    Kind::File | Kind::Raw => file_size(block, &node, &meta)?,
                    Kind::HamtShard => return shard(block, 0, children),
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
        self.range = match &self.wanted_bytes {
            Wanted::Whole => 0..size,
            Wanted::Asked(bytes) => bytes.within(size)?,
            Wanted::Exactly(range) => within(range, size)?,
        };
        part_of_file(block, 0, size, &self.range, children)
    }
}

/// What tells a block from others, or `None` for one that its CID holds.
fn seen_key(cid: &Cid) -> Option<SeenKey> {
    if cid.identity_data().is_some() {
        return None;
    }
    let digest = cid.multihash().digest();
    let half: &[u8; 16] = digest.first_chunk().expect("other than inline digests have 20 bytes");
    let mut key = [0; 17];
    key[..16].copy_from_slice(half);
    key[16] = if cid.is_v0() { u8::MAX } else { cid.codec().code().to_le_bytes()[0] };
    Some(key)
}

/// The part of a range that is in a file of `size` bytes.
fn within(range: &Range<u64>, size: u64) -> Result<Range<u64>, WalkError> {
    if range.start >= range.end.min(size) && (range.start, size) != (0, 0) {
        return Err(TrustlessError::OutOfRange.into());
    }
    Ok(range.start..range.end.min(size))
}

#[cfg(test)]
mod tests;
