//! HAMT directories: finding a name, and telling entries from shards.
//!
//! A shard's slots are named by a fixed-width hexadecimal prefix; a link whose name is just the
//! prefix leads to a deeper shard, a longer one is an entry. Fanout, bitfield and depth are checked
//! before they index anything.

use crate::cid::Cid;
use crate::dag_pb::View;
use crate::unixfs::meta::{Kind, Meta, UnixfsError};

mod murmur;

pub use murmur::murmur3_x64_64;

/// Largest fanout that the format allows.
pub const FANOUT_MAX: u64 = 1024;
/// The multicodec code of murmur3-x64-64, the only hash in use.
pub const MURMUR3_X64_64: u64 = 0x22;

/// Where a name leads from one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HamtStep {
    /// To the entry of that name.
    Found(Cid),
    /// To a deeper shard.
    Descend(Cid),
    /// Nowhere: there is no entry of that name.
    Missing,
}

/// The geometry of one shard, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// How many bits of the hash choose a slot.
    pub bits: u32,
    /// How many hexadecimal digits name a slot.
    pub prefix: usize,
}

/// Checks a shard against the rules of the format, below shards that have used so many bits of the
/// hash: none for the root.
///
/// # Errors
/// [`UnixfsError::Hamt`]; [`UnixfsError::TooDeep`] when the hash has no bits left for it, which
/// bounds the depth: eight levels at the usual fanout, 21 at the smallest.
pub fn geometry(node: &View, meta: &Meta, used: u32) -> Result<Geometry, UnixfsError> {
    if meta.kind != Kind::HamtShard {
        return Err(UnixfsError::Hamt("not a shard"));
    }
    if meta.hash_type != Some(MURMUR3_X64_64) {
        return Err(UnixfsError::Hamt("unknown hash"));
    }
    let fanout = meta.fanout.ok_or(UnixfsError::Hamt("no fanout"))?;
    if !fanout.is_power_of_two() || !(8..=FANOUT_MAX).contains(&fanout) {
        return Err(UnixfsError::Hamt("bad fanout"));
    }
    if meta.data.len() as u64 > fanout / 8 {
        return Err(UnixfsError::Hamt("bitfield longer than the fanout"));
    }
    let marked: usize = meta.data.iter().map(|byte| byte.count_ones() as usize).sum();
    if marked != node.link_count() {
        return Err(UnixfsError::Hamt("bitfield does not match the links"));
    }
    // Shards that lead to nothing can be shared so that there are more paths than can be walked.
    if marked == 0 && used > 0 {
        return Err(UnixfsError::Hamt("an empty shard below another"));
    }
    let prefix = format!("{:X}", fanout - 1).len();
    if node.links().any(|link| link.name.len() < prefix) {
        return Err(UnixfsError::Hamt("a link's name is shorter than its prefix"));
    }
    let bits = fanout.trailing_zeros();
    if used + bits > u64::BITS {
        return Err(UnixfsError::TooDeep);
    }
    Ok(Geometry { bits, prefix })
}

/// What a link of a shard leads to, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot<'a> {
    /// To a deeper shard.
    Shard,
    /// To an entry: its name without the prefix.
    Entry(&'a [u8]),
}

/// Tells what a link of that name leads to.
pub fn slot(name: &[u8], geometry: Geometry) -> Slot<'_> {
    match name.get(geometry.prefix..) {
        None | Some([]) => Slot::Shard,
        Some(name) => Slot::Entry(name),
    }
}

/// The search for one name.
#[derive(Debug, Clone)]
pub struct Lookup {
    name: Vec<u8>,
    hash: u64,
    /// Bits of the hash that are used up.
    used: u32,
}

impl Lookup {
    /// A search that starts at the root shard.
    pub fn new(name: &[u8]) -> Self {
        Self { name: name.to_vec(), hash: murmur3_x64_64(name), used: 0 }
    }

    /// Takes the next shard.
    ///
    /// # Errors
    /// [`UnixfsError::Hamt`] for a malformed shard, [`UnixfsError::TooDeep`] when the hash has no
    /// bits left for another level.
    pub fn step(&mut self, node: &View, meta: &Meta) -> Result<HamtStep, UnixfsError> {
        let geometry = geometry(node, meta, self.used)?;
        let index = (self.hash << self.used) >> (u64::BITS - geometry.bits);
        self.used += geometry.bits;
        let prefix = format!("{index:0width$X}", width = geometry.prefix);
        let found = node.links().find(|link| link.name.starts_with(prefix.as_bytes()));
        let Some(link) = found else { return Ok(HamtStep::Missing) };
        Ok(match slot(link.name, geometry) {
            Slot::Shard => HamtStep::Descend(link.cid()),
            Slot::Entry(name) if name == self.name => HamtStep::Found(link.cid()),
            Slot::Entry(_) => HamtStep::Missing,
        })
    }
}

#[cfg(test)]
mod tests;
