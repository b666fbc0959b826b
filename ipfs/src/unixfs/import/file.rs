//! Files: bytes to leaves, leaves to a balanced tree.
//!
//! The three steps are apart because they cost differently: cutting is free, hashing a leaf is all
//! the work and can be done on any thread, and the tree above is small. [`FileImport`] does them in
//! one place for callers that have one core to give.

use bytes::{Buf, Bytes, BytesMut};

use crate::block::Block;
use crate::dag_pb::{Link, Node};
use crate::unixfs::import::{Built, Imported, Profile};
use crate::unixfs::{Kind, Meta};

/// Cuts a file into leaves of the profile's size.
#[derive(Debug)]
pub struct Chunker {
    size: usize,
    held: BytesMut,
    cut_any: bool,
}

impl Chunker {
    /// A chunker before the first byte.
    pub fn new(profile: Profile) -> Self {
        Self { size: profile.chunk_bytes(), held: BytesMut::new(), cut_any: false }
    }

    /// Takes the next bytes of the file; gives whole chunks until it returns `None`.
    ///
    /// A chunk that lies within `bytes` is a slice of it; only what straddles two pushes is copied.
    pub fn push(&mut self, bytes: &mut Bytes) -> Option<Bytes> {
        if self.held.is_empty() && bytes.len() >= self.size {
            self.cut_any = true;
            return Some(bytes.split_to(self.size));
        }
        if bytes.is_empty() {
            return None;
        }
        self.held.reserve(self.size - self.held.len());
        let missing = (self.size - self.held.len()).min(bytes.len());
        self.held.extend_from_slice(&bytes[..missing]);
        bytes.advance(missing);
        if self.held.len() < self.size {
            return None;
        }
        self.cut_any = true;
        Some(self.held.split().freeze())
    }

    /// The last chunk, if one is left: an empty file has one, of no bytes.
    pub fn finish(self) -> Option<Bytes> {
        (!self.held.is_empty() || !self.cut_any).then(|| self.held.freeze())
    }
}

/// A hashed leaf.
#[derive(Debug, Clone)]
pub struct Leaf {
    built: Built,
    size: u64,
}

impl Leaf {
    /// Hashes a chunk: the costly step, independent of every other leaf.
    pub fn new(profile: Profile, chunk: Bytes) -> Self {
        let size = chunk.len() as u64;
        Self { built: profile.leaf(chunk), size }
    }

    /// The leaf's block.
    pub fn block(&self) -> &Block {
        &self.built.block
    }
}

/// A link to be, with the size of the file part below it.
#[derive(Debug)]
struct Child {
    link: Link,
    size: u64,
}

/// Builds the balanced tree above leaves given in order.
#[derive(Debug)]
pub struct Layout {
    profile: Profile,
    /// Children that wait for their parent, leaves first. Each level holds at most one node's
    /// worth, so memory grows with the logarithm of the file.
    levels: Vec<Vec<Child>>,
}

impl Layout {
    /// A tree without leaves.
    pub fn new(profile: Profile) -> Self {
        Self { profile, levels: vec![Vec::new()] }
    }

    /// Adds the next leaf; returns the blocks that this completes, the leaf's own first.
    pub fn push(&mut self, leaf: Leaf) -> Vec<Block> {
        let mut blocks = vec![leaf.built.block.clone()];
        let child = child(&leaf.built, leaf.size);
        self.add(0, child, &mut blocks);
        blocks
    }

    /// Closes the tree. One without leaves is that of an empty file.
    pub fn finish(mut self) -> Imported {
        let mut blocks = Vec::new();
        if self.levels.len() == 1 && self.levels[0].is_empty() {
            blocks = self.push(Leaf::new(self.profile, Bytes::new()));
        }
        for level in 0.. {
            let is_top = level + 1 == self.levels.len();
            if is_top && let [root] = &self.levels[level][..] {
                return Imported { cid: root.link.cid, tsize: root.link.tsize, blocks };
            }
            if !self.levels[level].is_empty() {
                let children = std::mem::take(&mut self.levels[level]);
                let (built, size) = self.parent(children);
                blocks.push(built.block.clone());
                self.add(level + 1, child(&built, size), &mut blocks);
            }
        }
        unreachable!("the loop ends at the root")
    }

    fn add(&mut self, level: usize, child: Child, blocks: &mut Vec<Block>) {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        if self.levels[level].len() == self.profile.width() {
            let full = std::mem::take(&mut self.levels[level]);
            let (built, size) = self.parent(full);
            blocks.push(built.block.clone());
            let parent = self::child(&built, size);
            self.add(level + 1, parent, blocks);
        }
        self.levels[level].push(child);
    }

    fn parent(&self, children: Vec<Child>) -> (Built, u64) {
        let size = children.iter().map(|child| child.size).sum();
        let meta = Meta {
            filesize: Some(size),
            blocksizes: children.iter().map(|child| child.size).collect(),
            ..Meta::new(Kind::File)
        };
        let links = children.into_iter().map(|child| child.link).collect();
        (self.profile.node(&Node { links, data: Some(meta.encode().into()) }), size)
    }
}

fn child(built: &Built, size: u64) -> Child {
    Child { link: Link { cid: built.cid, name: Bytes::new(), tsize: built.tsize }, size }
}

/// Imports one file on the caller's thread.
#[derive(Debug)]
pub struct FileImport {
    profile: Profile,
    chunker: Chunker,
    layout: Layout,
}

impl FileImport {
    /// An import before the first byte.
    pub fn new(profile: Profile) -> Self {
        Self { profile, chunker: Chunker::new(profile), layout: Layout::new(profile) }
    }

    /// Takes the next bytes of the file; returns the blocks that they complete.
    pub fn push(&mut self, mut bytes: Bytes) -> Vec<Block> {
        let mut blocks = Vec::new();
        while let Some(chunk) = self.chunker.push(&mut bytes) {
            blocks.append(&mut self.layout.push(Leaf::new(self.profile, chunk)));
        }
        blocks
    }

    /// Ends the file; the result holds the blocks that were not given yet.
    pub fn finish(mut self) -> Imported {
        let mut blocks = Vec::new();
        if let Some(chunk) = self.chunker.finish() {
            blocks = self.layout.push(Leaf::new(self.profile, chunk));
        }
        let mut imported = self.layout.finish();
        blocks.append(&mut imported.blocks);
        Imported { blocks, ..imported }
    }
}
