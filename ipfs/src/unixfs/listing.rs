//! The entries of a directory, as a stream.
//!
//! Entries come as the directory stores them: sorted by name in a plain one, by hash in a HAMT. A
//! HAMT is read shard by shard, so that a folder of millions needs no more memory than its depth.
//! Nothing below an entry is fetched: its size is what the link says.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::block::Block;
use crate::cid::{Cid, Codec};
use crate::dag_pb;
use crate::unixfs::hamt::{self, Slot};
use crate::unixfs::{Kind, Meta, UnixfsError};

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name; stored as bytes, and shown with replacement characters where they are not UTF-8.
    pub name: String,
    /// What it is.
    pub cid: Cid,
    /// Bytes of the whole DAG below it, by the word of whoever made the directory.
    pub tsize: u64,
}

/// A step of a HAMT that is still to come, in order.
#[derive(Debug)]
enum Ahead {
    Entry(Listed),
    /// A shard, and how many bits of the hash the shards above it have used.
    Shard(Cid, u32),
}

/// A directory being listed.
#[derive(Debug)]
pub struct Listing {
    ahead: VecDeque<Ahead>,
}

impl Listing {
    /// The listing of a directory from its root block.
    ///
    /// # Errors
    /// [`UnixfsError::NotADirectory`] for any other block, [`UnixfsError`] for a malformed one.
    pub fn new(root: &Block) -> Result<Self, UnixfsError> {
        if root.cid().codec() != Codec::DagPb {
            return Err(UnixfsError::NotADirectory(*root.cid()));
        }
        Ok(Self { ahead: open(root, 0)? })
    }

    /// The next entry that is already known; `None` at a shard that has to be fed, and at the end.
    pub fn next_entry(&mut self) -> Option<Listed> {
        match self.ahead.pop_front()? {
            Ahead::Entry(entry) => Some(entry),
            shard @ Ahead::Shard(..) => {
                self.ahead.push_front(shard);
                None
            }
        }
    }

    /// The next shards in order, at most `count`. The first is the one that [`Listing::feed`]
    /// takes once [`Listing::next_entry`] has nothing left before it.
    pub fn wanted(&self, count: usize) -> impl Iterator<Item = Cid> {
        let shards = self.ahead.iter().filter_map(|ahead| match ahead {
            Ahead::Shard(cid, _) => Some(*cid),
            Ahead::Entry(_) => None,
        });
        shards.take(count)
    }

    /// Whether every entry was given.
    pub fn is_done(&self) -> bool {
        self.ahead.is_empty()
    }

    /// Takes the next shard.
    ///
    /// # Errors
    /// [`UnixfsError::NotAskedFor`] for another block, [`UnixfsError`] for a malformed shard.
    pub fn feed(&mut self, block: &Block) -> Result<(), UnixfsError> {
        let Some(Ahead::Shard(cid, used)) = self.ahead.front() else {
            return Err(UnixfsError::NotAskedFor(*block.cid()));
        };
        let used = *used;
        if cid != block.cid() {
            return Err(UnixfsError::NotAskedFor(*block.cid()));
        }
        let opened = open(block, used)?;
        self.ahead.pop_front();
        for ahead in opened.into_iter().rev() {
            self.ahead.push_front(ahead);
        }
        Ok(())
    }
}

/// What one block of a directory holds. A shard that needs more bits than the hash has left is
/// refused, which bounds the depth: eight levels at the usual fanout.
fn open(block: &Block, used: u32) -> Result<VecDeque<Ahead>, UnixfsError> {
    let node = dag_pb::decode(block.data())?;
    let meta = Meta::decode(node.data.as_ref().unwrap_or(&Bytes::new()))?;
    match meta.kind {
        Kind::Directory if used == 0 => {
            let entry = |link: &dag_pb::Link| Ahead::Entry(listed(&link.name, link));
            Ok(node.links.iter().map(entry).collect())
        }
        Kind::HamtShard => {
            let geometry = hamt::geometry(&node, &meta)?;
            let used = used + geometry.bits;
            if used > u64::BITS {
                return Err(UnixfsError::TooDeep);
            }
            let ahead = |link| match hamt::slot(link, geometry) {
                Slot::Shard(cid) => Ahead::Shard(*cid, used),
                Slot::Entry(name, link) => Ahead::Entry(listed(name, link)),
            };
            Ok(node.links.iter().map(ahead).collect())
        }
        Kind::Directory | Kind::File | Kind::Raw | Kind::Metadata | Kind::Symlink => {
            Err(UnixfsError::NotADirectory(*block.cid()))
        }
    }
}

fn listed(name: &[u8], link: &dag_pb::Link) -> Listed {
    Listed { name: String::from_utf8_lossy(name).into_owned(), cid: link.cid, tsize: link.tsize }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::unixfs::import::{DirectoryImport, Entry, Profile};

    fn directory(count: usize) -> (Cid, BTreeMap<Cid, Block>) {
        let cid = *Block::of(Codec::Raw, Bytes::from_static(b"x")).expect("small").cid();
        let mut directory = DirectoryImport::new(Profile::V1of2025);
        for i in 0..count {
            directory.add(Entry { name: format!("entry-{i:06}"), cid, tsize: i as u64 });
        }
        let imported = directory.finish();
        (imported.cid, imported.blocks.into_iter().map(|block| (*block.cid(), block)).collect())
    }

    fn list(root: Cid, blocks: &BTreeMap<Cid, Block>) -> Result<Vec<Listed>, UnixfsError> {
        let mut listing = Listing::new(&blocks[&root])?;
        let mut entries = Vec::new();
        while !listing.is_done() {
            match listing.next_entry() {
                Some(entry) => entries.push(entry),
                None => {
                    let cid = listing.wanted(1).next().expect("not done");
                    listing.feed(&blocks[&cid])?;
                }
            }
        }
        Ok(entries)
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

    #[test]
    fn chain_of_shards_deeper_than_the_hash_is_refused() {
        let leaf = Block::of(Codec::Raw, Bytes::from_static(b"x")).expect("small");
        let shard = |child: &Cid| {
            let meta = Meta {
                data: Bytes::from_static(&[1]),
                hash_type: Some(hamt::MURMUR3_X64_64),
                fanout: Some(8),
                ..Meta::new(Kind::HamtShard)
            };
            let link = dag_pb::Link { cid: *child, name: Bytes::from_static(b"0"), tsize: 0 };
            let node = dag_pb::Node { links: vec![link], data: Some(meta.encode().into()) };
            Block::of(Codec::DagPb, dag_pb::encode(&node).into()).expect("small")
        };
        let mut chain = vec![shard(leaf.cid())];
        for _ in 0..64 {
            chain.push(shard(chain.last().expect("one at least").cid()));
        }
        let root = *chain.last().expect("one at least").cid();
        let blocks = chain.into_iter().map(|block| (*block.cid(), block)).collect();
        assert!(matches!(list(root, &blocks), Err(UnixfsError::TooDeep)));
    }
}
