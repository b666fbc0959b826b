//! Turns files and folders into UnixFS DAGs.
//!
//! Bytes are pushed in, blocks come out bottom-up: a block is given only after all that it links
//! to. The parameters of a profile decide every CID, so equal input has one CID per profile
//! (IPIP-499) on whatever machine it was imported.

use bytes::Bytes;

use crate::block::Block;
use crate::cid::{Cid, Codec, Multihash};
use crate::dag_pb::{self, Node};
use crate::unixfs::{Kind, Meta};

mod directory;
mod file;

pub use directory::{Collision, DirectoryImport, Entry};
pub use file::{Chunker, FileImport, Layout, Leaf};

/// Parameters that decide the CIDs of an import, by their names in IPIP-499.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// `unixfs-v1-2025`: CIDv1, raw leaves of 1 MiB, 1024 links a node.
    #[default]
    V1of2025,
    /// `unixfs-v0-2015`: CIDv0, dag-pb leaves of 256 KiB, 174 links a node.
    V0of2015,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Profile; 2] = [Profile::V1of2025, Profile::V0of2015];

    /// The profile's name.
    pub fn name(self) -> &'static str {
        match self {
            Profile::V1of2025 => "unixfs-v1-2025",
            Profile::V0of2015 => "unixfs-v0-2015",
        }
    }

    /// The profile of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Bytes of a file in one leaf.
    pub fn chunk_bytes(self) -> usize {
        match self {
            Profile::V1of2025 => 1024 * 1024,
            Profile::V0of2015 => 256 * 1024,
        }
    }

    /// Links in one node of a file.
    fn width(self) -> usize {
        match self {
            Profile::V1of2025 => 1024,
            Profile::V0of2015 => 174,
        }
    }

    /// A leaf of a file.
    fn leaf(self, chunk: Bytes) -> Built {
        match self {
            Profile::V1of2025 => {
                let size = chunk.len() as u64;
                let block = Block::of(Codec::Raw, chunk).expect("a chunk is below the limit");
                Built { cid: *block.cid(), block, tsize: size }
            }
            Profile::V0of2015 => {
                let filesize = Some(chunk.len() as u64);
                let meta = Meta { data: chunk, filesize, ..Meta::new(Kind::File) };
                self.node(&Node { links: Vec::new(), data: Some(meta.encode().into()) })
            }
        }
    }

    /// A dag-pb node.
    fn node(self, node: &Node) -> Built {
        let data = Bytes::from(dag_pb::encode(node));
        let tsize = node.links.iter().fold(data.len() as u64, |sum, link| sum + link.tsize);
        let block =
            Block::of(Codec::DagPb, data).expect("a node of bounded width is below the limit");
        let cid = match self {
            Profile::V1of2025 => *block.cid(),
            Profile::V0of2015 => {
                let hash: Multihash = *block.cid().multihash();
                Cid::v0(hash).expect("made with sha2-256")
            }
        };
        let block = block.under(cid).expect("the same multihash");
        Built { block, cid, tsize }
    }

    /// A symbolic link.
    pub fn symlink(self, target: &[u8]) -> Imported {
        let meta = Meta {
            data: Bytes::copy_from_slice(target),
            data_present: true,
            ..Meta::new(Kind::Symlink)
        };
        let built = self.node(&Node { links: Vec::new(), data: Some(meta.encode().into()) });
        Imported { cid: built.cid, tsize: built.tsize, blocks: vec![built.block] }
    }
}

/// A block just made, and what a link to it says.
#[derive(Debug, Clone)]
struct Built {
    block: Block,
    cid: Cid,
    tsize: u64,
}

/// The end of an import.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The root.
    pub cid: Cid,
    /// Bytes of the whole DAG, as a link to the root says it.
    pub tsize: u64,
    /// The last blocks, the root at the end.
    pub blocks: Vec<Block>,
}

#[cfg(test)]
mod tests;
