//! Directories: one block while it is small, a HAMT when it is not.
//!
//! Both profiles turn to a HAMT when a directory is over 256 KiB, and differ in what they measure:
//! the older one the bytes of names and CIDs, the newer one the block as it would be written.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::block::Block;
use crate::cid::Cid;
use crate::dag_pb::{self, Link, Node};
use crate::unixfs::hamt::{MURMUR3_X64_64, murmur3_x64_64};
use crate::unixfs::import::{Built, Imported, Profile};
use crate::unixfs::{Kind, Meta};

/// Over this many bytes a directory becomes a HAMT.
const PLAIN_BYTES_MAX: usize = 256 * 1024;
/// Slots of a shard.
const FANOUT: usize = 256;
/// Bits of the hash that choose one of them.
const FANOUT_BITS: u32 = FANOUT.trailing_zeros();

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub cid: Cid,
    /// Bytes of the whole DAG below it, as [`Imported::tsize`] says it.
    pub tsize: u64,
}

/// Two names that one directory cannot hold: it is so large that it has to be a HAMT, which tells
/// names apart by their hashes, and those are the same. A pair is only found by looking for one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("names {first:?} and {second:?} have the same hash")]
pub struct Collision {
    /// One name.
    pub first: String,
    /// The other.
    pub second: String,
}

/// Imports one directory whose entries are imported already.
#[derive(Debug)]
pub struct DirectoryImport {
    profile: Profile,
    entries: BTreeMap<String, (Cid, u64)>,
}

impl DirectoryImport {
    /// A directory without entries.
    pub fn new(profile: Profile) -> Self {
        Self { profile, entries: BTreeMap::new() }
    }

    /// Adds an entry, in any order; one of the same name is replaced.
    pub fn add(&mut self, entry: Entry) {
        self.entries.insert(entry.name, (entry.cid, entry.tsize));
    }

    /// Closes the directory.
    ///
    /// # Errors
    /// [`Collision`], only for a directory that has to be a HAMT.
    pub fn finish(self) -> Result<Imported, Collision> {
        let links: Vec<Link> = self
            .entries
            .into_iter()
            .map(|(name, (cid, tsize))| Link { cid, name: name.into(), tsize })
            .collect();
        let by_names: usize =
            links.iter().map(|link| link.name.len() + link.cid.encoded_len()).sum();
        // A block is longer than the names and CIDs in it, so most directories are built once.
        if by_names > PLAIN_BYTES_MAX {
            return hamt(self.profile, links);
        }
        let data = Some(Meta::new(Kind::Directory).encode().into());
        let node = Node { links, data };
        if self.profile == Profile::V1of2025 && dag_pb::encode(&node).len() > PLAIN_BYTES_MAX {
            return hamt(self.profile, node.links);
        }
        let built = self.profile.node(&node);
        Ok(Imported { cid: built.cid, tsize: built.tsize, blocks: vec![built.block] })
    }
}

fn hamt(profile: Profile, links: Vec<Link>) -> Result<Imported, Collision> {
    let hashed: Vec<(u64, Link)> =
        links.into_iter().map(|link| (murmur3_x64_64(&link.name), link)).collect();
    let mut blocks = Vec::new();
    let root = shard(profile, hashed, 0, &mut blocks)?;
    blocks.push(root.block);
    Ok(Imported { cid: root.cid, tsize: root.tsize, blocks })
}

/// Builds a shard of the entries whose hashes agree in the first `used` bits. Recursion ends with
/// the bits of the hash, at eight levels.
fn shard(
    profile: Profile,
    hashed: Vec<(u64, Link)>,
    used: u32,
    blocks: &mut Vec<Block>,
) -> Result<Built, Collision> {
    let mut slots: BTreeMap<usize, Vec<(u64, Link)>> = BTreeMap::new();
    for (hash, link) in hashed {
        let slot = (hash << used) >> (u64::BITS - FANOUT_BITS);
        let slot = usize::try_from(slot).expect("as many bits as the fanout has");
        slots.entry(slot).or_default().push((hash, link));
    }
    let mut bitfield = [0u8; FANOUT / 8];
    let mut links = Vec::with_capacity(slots.len());
    for (slot, mut entries) in slots {
        bitfield[FANOUT / 8 - 1 - slot / 8] |= 1 << (slot % 8);
        let mut name = format!("{slot:02X}").into_bytes();
        let link = if entries.len() == 1 {
            let (_, link) = entries.pop().expect("a slot has an entry");
            name.extend_from_slice(&link.name);
            Link { name: name.into(), ..link }
        } else if used + FANOUT_BITS == u64::BITS {
            let name = |at: usize| String::from_utf8_lossy(&entries[at].1.name).into_owned();
            return Err(Collision { first: name(0), second: name(1) });
        } else {
            let built = shard(profile, entries, used + FANOUT_BITS, blocks)?;
            blocks.push(built.block);
            Link { cid: built.cid, name: name.into(), tsize: built.tsize }
        };
        links.push(link);
    }
    let blank = bitfield.iter().take_while(|byte| **byte == 0).count();
    let meta = Meta {
        data: Bytes::copy_from_slice(&bitfield[blank..]),
        data_present: true,
        hash_type: Some(MURMUR3_X64_64),
        fanout: Some(FANOUT as u64),
        ..Meta::new(Kind::HamtShard)
    };
    Ok(profile.node(&Node { links, data: Some(meta.encode().into()) }))
}
