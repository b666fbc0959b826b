//! The entries of a directory, as a stream.
//!
//! Entries come as the directory stores them: sorted by name in a plain one, by hash in a HAMT. A
//! HAMT is read shard by shard, so that a folder of millions needs no more memory than its depth.
//! Nothing below an entry is fetched: its size is what the link says.

use bytes::Bytes;

use crate::block::Block;
use crate::cid::{Cid, Codec};
use crate::dag_pb::{self, LinkView, View};
use crate::unixfs::hamt::{self, Geometry, Slot};
use crate::unixfs::{Kind, Meta, UnixfsError};

/// Most bytes of a name that are shown; file systems have names of 255.
pub const NAME_BYTES_MAX: usize = 4096;

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name. Stored as bytes, and shown with replacement characters where they are not UTF-8:
    /// such a name cannot be asked for by what is shown, nor can one that is cut because it is longer
    /// than [`NAME_BYTES_MAX`].
    pub name: String,
    /// What it is.
    pub cid: Cid,
    /// Bytes of the whole DAG below it, by the word of whoever made the directory.
    pub tsize: u64,
}

/// A block whose links are being listed.
#[derive(Debug)]
struct Level {
    node: View,
    /// Where its links go on.
    at: usize,
    /// How a shard's names are read, and how many bits of the hash it and those above it use;
    /// `None` for a plain directory.
    shard: Option<(Geometry, u32)>,
}

/// A directory being listed. It keeps the blocks that it is in, a block for each level, and a place
/// in each.
#[derive(Debug)]
pub struct Listing {
    levels: Vec<Level>,
    /// The shard that comes next, and how many bits of the hash the shards above it use.
    need: Option<(Cid, u32)>,
}

impl Listing {
    /// The listing of a directory from its root block.
    ///
    /// # Errors
    /// [`UnixfsError::NotADirectory`] for any other block, [`UnixfsError`] for a malformed one.
    pub fn new(root: &Block) -> Result<Self, UnixfsError> {
        Ok(Self { levels: vec![open(root, 0)?], need: None })
    }

    /// The next entry that is already known; `None` at a shard that has to be fed, and at the end.
    pub fn next_entry(&mut self) -> Option<Listed> {
        while self.need.is_none() {
            let level = self.levels.last_mut()?;
            let mut links = level.node.links_from(level.at);
            let Some(link) = links.next() else {
                self.levels.pop();
                continue;
            };
            level.at = links.place();
            let Some((geometry, used)) = level.shard else {
                return Some(listed(link.name, link));
            };
            match hamt::slot(link.name, geometry) {
                Slot::Entry(name) => return Some(listed(name, link)),
                Slot::Shard => self.need = Some((link.cid(), used)),
            }
        }
        None
    }

    /// The shard that [`Listing::feed`] takes, once [`Listing::next_entry`] came to it.
    pub fn need(&self) -> Option<Cid> {
        self.need.map(|(cid, _)| cid)
    }

    /// Whether [`Listing::next_entry`] gave every entry and then `None`.
    pub fn is_done(&self) -> bool {
        self.levels.is_empty()
    }

    /// Takes the shard that is needed.
    ///
    /// # Errors
    /// [`UnixfsError::NotAskedFor`] for another block, [`UnixfsError`] for a malformed shard.
    pub fn feed(&mut self, block: &Block) -> Result<(), UnixfsError> {
        let used = match self.need {
            Some((cid, used)) if cid == *block.cid() => used,
            Some(_) | None => return Err(UnixfsError::NotAskedFor(*block.cid())),
        };
        self.levels.push(open(block, used)?);
        self.need = None;
        Ok(())
    }
}

/// Begins one block of a directory, below shards that use so many bits of the hash.
fn open(block: &Block, used: u32) -> Result<Level, UnixfsError> {
    if block.cid().codec() != Codec::DagPb {
        return Err(UnixfsError::NotADirectory(*block.cid()));
    }
    let node = dag_pb::view(block.data())?;
    let meta = Meta::decode(node.data().unwrap_or(&Bytes::new()))?;
    match meta.kind {
        Kind::Directory if used == 0 => Ok(Level { node, at: 0, shard: None }),
        Kind::HamtShard => {
            let geometry = hamt::geometry(&node, &meta, used)?;
            Ok(Level { node, at: 0, shard: Some((geometry, used + geometry.bits)) })
        }
        Kind::Directory | Kind::File | Kind::Raw | Kind::Metadata | Kind::Symlink => {
            Err(UnixfsError::NotADirectory(*block.cid()))
        }
    }
}

fn listed(name: &[u8], link: LinkView<'_>) -> Listed {
    let name = &name[..name.len().min(NAME_BYTES_MAX)];
    Listed { name: String::from_utf8_lossy(name).into_owned(), cid: link.cid(), tsize: link.tsize }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::dag_pb::Link;
    use crate::unixfs::import::{DirectoryImport, Entry, Profile};

    fn directory(count: usize) -> (Cid, BTreeMap<Cid, Block>) {
        let cid = *Block::of(Codec::Raw, Bytes::from_static(b"x")).expect("small").cid();
        let mut directory = DirectoryImport::new(Profile::V1of2025);
        for i in 0..count {
            directory.add(Entry { name: format!("entry-{i:06}"), cid, tsize: i as u64 });
        }
        let imported = directory.finish().expect("no two hashes are the same");
        (imported.cid, imported.blocks.into_iter().map(|block| (*block.cid(), block)).collect())
    }

    fn list(root: Cid, blocks: &BTreeMap<Cid, Block>) -> Result<Vec<Listed>, UnixfsError> {
        let mut listing = Listing::new(&blocks[&root])?;
        let mut entries = Vec::new();
        for _ in 0..10_000 {
            entries.extend(std::iter::from_fn(|| listing.next_entry()));
            let Some(cid) = listing.need() else { return Ok(entries) };
            listing.feed(&blocks[&cid])?;
        }
        panic!("no directory here has so many shards in it")
    }

    #[test]
    fn plain_directory_lists_in_its_order() {
        let (root, blocks) = directory(100);
        let entries = list(root, &blocks).expect("a sound directory");
        assert_eq!(entries.len(), 100);
        assert!(entries.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(entries[99].tsize, 99);
    }

    #[test]
    fn hamt_lists_every_entry_once() {
        let (root, blocks) = directory(20_000);
        assert!(blocks.len() > 100);
        let entries = list(root, &blocks).expect("a sound directory");
        let names: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!((entries.len(), names.len()), (20_000, 20_000));
    }

    #[test]
    fn file_is_not_listed() {
        let block = Block::of(Codec::Raw, Bytes::from_static(b"x")).expect("small");
        assert!(matches!(Listing::new(&block), Err(UnixfsError::NotADirectory(_))));
    }

    /// A shard of 8 slots whose first ones hold these shards.
    fn shard(children: &[Cid]) -> Block {
        let meta = Meta {
            data: Bytes::copy_from_slice(&[u8::MAX >> (8 - children.len())]),
            hash_type: Some(hamt::MURMUR3_X64_64),
            fanout: Some(8),
            ..Meta::new(Kind::HamtShard)
        };
        let link = |(slot, cid): (usize, &Cid)| Link {
            cid: *cid,
            name: slot.to_string().into(),
            tsize: 0,
        };
        let links = children.iter().enumerate().map(link).collect();
        let node = dag_pb::Node { links, data: Some(meta.encode().into()) };
        Block::of(Codec::DagPb, dag_pb::encode(&node).into()).expect("small")
    }

    fn shelf(blocks: Vec<Block>) -> BTreeMap<Cid, Block> {
        blocks.into_iter().map(|block| (*block.cid(), block)).collect()
    }

    #[test]
    fn chain_of_shards_deeper_than_the_hash_is_refused() {
        let leaf = Block::of(Codec::Raw, Bytes::from_static(b"x")).expect("small");
        let mut chain = vec![shard(&[*leaf.cid()])];
        for _ in 0..64 {
            chain.push(shard(&[*chain.last().expect("one at least").cid()]));
        }
        let root = *chain.last().expect("one at least").cid();
        assert!(matches!(list(root, &shelf(chain)), Err(UnixfsError::TooDeep)));
    }

    #[test]
    fn shards_that_lead_to_nothing_are_refused_at_once() {
        let nothing = Meta {
            hash_type: Some(hamt::MURMUR3_X64_64),
            fanout: Some(8),
            ..Meta::new(Kind::HamtShard)
        };
        let node = dag_pb::Node { links: Vec::new(), data: Some(nothing.encode().into()) };
        let empty = Block::of(Codec::DagPb, dag_pb::encode(&node).into()).expect("small");
        assert_eq!(list(*empty.cid(), &shelf(vec![empty.clone()])), Ok(Vec::new()));
        let mut blocks = vec![empty];
        for _ in 0..20 {
            blocks.push(shard(&[*blocks.last().expect("one at least").cid(); 8]));
        }
        let root = *blocks.last().expect("one at least").cid();
        assert!(matches!(list(root, &shelf(blocks)), Err(UnixfsError::Hamt(_))));
    }

    #[test]
    fn shard_of_another_codec_is_refused() {
        let inner = shard(&[*Block::of(Codec::Raw, Bytes::new()).expect("small").cid()]);
        let raw = Block::of(Codec::Raw, inner.into_data()).expect("small");
        let root = shard(&[*raw.cid()]);
        let cid = *root.cid();
        let refused = Err(UnixfsError::NotADirectory(*raw.cid()));
        assert_eq!(list(cid, &shelf(vec![raw, root])), refused);
    }
}
