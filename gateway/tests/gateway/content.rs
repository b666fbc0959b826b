//! Content for the tests: small trees built as an importer builds them.

use bytes::Bytes;
use ipfs::unixfs::import::{DirectoryImport, Entry, FileImport, Profile};
use ipfs::{Block, Cid};

/// Blocks and the root that leads to them.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) root: Cid,
    pub(crate) tsize: u64,
    pub(crate) blocks: Vec<Block>,
}

/// A file of these bytes.
pub(crate) fn file(bytes: &[u8]) -> Tree {
    let mut import = FileImport::new(Profile::V1of2025);
    let mut blocks = import.push(Bytes::copy_from_slice(bytes));
    let imported = import.finish();
    blocks.extend(imported.blocks);
    Tree { root: imported.cid, tsize: imported.tsize, blocks }
}

/// A symbolic link.
pub(crate) fn symlink(target: &str) -> Tree {
    let imported = Profile::V1of2025.symlink(target.as_bytes());
    Tree { root: imported.cid, tsize: imported.tsize, blocks: imported.blocks }
}

/// A folder of these entries.
pub(crate) fn folder(entries: &[(&str, Tree)]) -> Tree {
    let mut import = DirectoryImport::new(Profile::V1of2025);
    let mut blocks = Vec::new();
    for (name, tree) in entries {
        import.add(Entry { name: (*name).to_owned(), cid: tree.root, tsize: tree.tsize });
        blocks.extend(tree.blocks.iter().cloned());
    }
    let imported = import.finish().expect("no two hashes are the same");
    blocks.extend(imported.blocks);
    Tree { root: imported.cid, tsize: imported.tsize, blocks }
}

/// Bytes that look random and are the same each time for a seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
