//! A body that is hashed as it streams, and what is known of it at its end.
//!
//! Memory is that of a hash, and of a link or a CID that is being read. Bytes behind the limit are
//! counted and not looked at, so that the first part of a large file costs what a small one does.

use sha2::{Digest as _, Sha256};

use super::archive::{Archive, Blocks};
use super::links::Links;
use crate::cid::Cid;

/// Multihash code of SHA-256.
pub(super) const SHA2_256: u64 = 0x12;

/// What a body is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// Bytes.
    #[default]
    Bytes,
    /// A CAR.
    Archive,
    /// A page whose links are what matters.
    Page,
}

/// Hashes a body.
#[derive(Debug)]
pub struct Digest {
    hash: Sha256,
    bytes: u64,
    limit: u64,
    archive: Option<Archive>,
    links: Option<Links>,
}

impl Digest {
    /// A body of this shape, of which at most `limit` bytes are looked at. With `prove`, the blocks
    /// of an archive are hashed too.
    #[must_use]
    pub fn new(shape: Shape, prove: bool, limit: u64) -> Self {
        let archive = (shape == Shape::Archive).then(|| Archive::new(prove));
        let links = (shape == Shape::Page).then(Links::default);
        Self { hash: Sha256::new(), bytes: 0, limit, archive, links }
    }

    /// Takes bytes as they come.
    pub fn update(&mut self, bytes: &[u8]) {
        let left = self.limit.saturating_sub(self.bytes);
        let looked_at = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.bytes += bytes.len() as u64;
        let bytes = &bytes[..looked_at];
        self.hash.update(bytes);
        if let Some(archive) = &mut self.archive {
            archive.update(bytes);
        }
        if let Some(links) = &mut self.links {
            links.update(bytes);
        }
    }

    /// How many bytes came.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is known at the end; `whole` tells whether the body ended as it was announced.
    #[must_use]
    pub fn finish(self, whole: bool) -> Seen {
        let within = self.bytes <= self.limit;
        Seen {
            bytes: self.bytes,
            sha256: self.hash.finalize().into(),
            whole,
            within,
            blocks: self.archive.filter(|_| within).map(Archive::finish),
            links: self.links.filter(|_| within).and_then(|links| links.finish()),
        }
    }
}

/// What is known of a body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// How many bytes came.
    pub bytes: u64,
    /// The SHA-256 of as many of them as were looked at.
    pub sha256: [u8; 32],
    /// Whether it ended as it was announced.
    pub whole: bool,
    /// Whether all of it was looked at.
    pub within: bool,
    /// The blocks of an archive that was looked at whole.
    pub blocks: Option<Blocks>,
    /// A hash of what a page links to, unless those are very many.
    pub links: Option<u64>,
}

impl Seen {
    /// Whether the bytes that were looked at are the same, and as many.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let lengths = self.bytes == other.bytes || !(self.within && other.within);
        lengths && self.sha256 == other.sha256
    }

    /// Whether what came is proven not to be what it is named.
    pub(super) fn is_proven_wrong(&self, block: Option<&Cid>) -> bool {
        if self.blocks.is_some_and(|blocks| blocks.wrong > 0 || blocks.is_malformed) {
            return true;
        }
        let Some(block) = block.filter(|_| self.whole && self.within) else { return false };
        let hash = block.multihash();
        hash.code() == SHA2_256 && hash.digest() != self.sha256
    }
}
