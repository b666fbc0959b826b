//! Proves archives: every block by its hash, and that no block of the DAG is missing.
//!
//! An archive is read whole before anything of it is believed; its length was bounded when it was
//! received, and each block is walked once.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use ipfs::car::{CarError, Reader, Section};
use ipfs::resolve::{Resolve, TerminalKind};
use ipfs::trustless::CarOptions;
use ipfs::walk::Walk;
use ipfs::{Block, Cid};

use super::outcome::{Fault, wrong};

/// Most blocks that a walk visits: one block can be many parts of a file.
const VISITS_MAX: usize = 64 * 1024;
/// Longest file that is put together.
const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The blocks of an archive, each proven, by multihash.
#[derive(Debug)]
pub(crate) struct Proven {
    blocks: HashMap<Vec<u8>, Block>,
    /// Bytes of blocks.
    pub(crate) bytes: u64,
}

/// What a path ends at.
#[derive(Debug)]
pub(crate) enum End {
    /// A file, and its bytes.
    File(Cid, Bytes),
    /// A folder.
    Folder,
}

impl Proven {
    /// Reads an archive and proves each block of it. Its header has to name `root`, if one is given:
    /// that of a path may name its beginning or its end.
    ///
    /// # Errors
    /// [`Fault::Mismatch`] for a block that is not what it claims to be, [`Fault::Wrong`] for what is
    /// no archive, is cut, or names another root.
    pub(crate) fn read(archive: &[u8], root: Option<&Cid>) -> Result<Self, Fault> {
        let mut reader = Reader::new();
        reader.push(archive);
        let mut proven = Self { blocks: HashMap::new(), bytes: 0 };
        while let Some(section) = reader.next().map_err(fault)? {
            match section {
                Section::Header(roots) => {
                    let is = |root: &Cid| {
                        roots.iter().any(|named| named.multihash() == root.multihash())
                    };
                    if let Some(root) = root.filter(|root| !is(root)) {
                        return wrong(format!("the CAR names other roots than {root}"));
                    }
                }
                Section::Block(unproven) => {
                    let block = unproven.prove().map_err(fault)?;
                    proven.bytes += block.data().len() as u64;
                    proven.blocks.insert(key(block.cid()), block);
                }
            }
        }
        reader.finish().map_err(fault)?;
        Ok(proven)
    }

    /// Whether all that is below a root is there.
    ///
    /// # Errors
    /// [`Fault::Wrong`], with the block that is missing.
    pub(crate) fn is_whole(&self, root: &Cid) -> Result<(), Fault> {
        self.walk(Walk::new(root, &CarOptions::default())).map(drop)
    }

    /// Follows names from a root, and reads the file that they lead to.
    ///
    /// # Errors
    /// [`Fault::Wrong`] when a block is missing or the path leads to no file or folder.
    pub(crate) fn follow(&self, root: Cid, names: Vec<String>) -> Result<End, Fault> {
        let mut resolve = Resolve::new(root, names);
        let terminal = loop {
            let block = self.block(&resolve.need())?;
            match resolve.feed(block) {
                Ok(Some(terminal)) => break terminal,
                Ok(None) => {}
                Err(error) => return wrong(error.to_string()),
            }
        };
        let cid = *terminal.block.cid();
        match terminal.kind {
            TerminalKind::File { .. } => {
                let bytes = self.walk(Walk::file(&cid, None))?;
                Ok(End::File(cid, bytes))
            }
            TerminalKind::Directory | TerminalKind::Hamt => Ok(End::Folder),
            TerminalKind::Symlink(_) | TerminalKind::Other(_) => {
                wrong(format!("{cid} is neither a file nor a folder"))
            }
        }
    }

    fn walk(&self, mut walk: Walk) -> Result<Bytes, Fault> {
        let mut content = BytesMut::new();
        for visits in 0.. {
            let Some(cid) = walk.front() else { break };
            if visits == VISITS_MAX || content.len() > FILE_BYTES_MAX {
                return wrong("there is more below the root than a probe reads");
            }
            let visit = walk.feed(self.block(&cid)?);
            let visit = visit.map_err(|error| Fault::Wrong(error.to_string()))?;
            content.extend_from_slice(&visit.content);
        }
        Ok(content.freeze())
    }

    fn block(&self, cid: &Cid) -> Result<Block, Fault> {
        let found = Block::inline(*cid).or_else(|| self.blocks.get(&key(cid))?.under(*cid));
        found
            .ok_or_else(|| Fault::Wrong(format!("the CAR ends well, and block {cid} is not in it")))
    }
}

fn key(cid: &Cid) -> Vec<u8> {
    cid.multihash().to_bytes()
}

fn fault(error: CarError) -> Fault {
    match error {
        CarError::Block { .. } => Fault::Mismatch(error.to_string()),
        CarError::Cut(_) | CarError::NotACar(_) | CarError::TooLong(_) | CarError::Cid { .. } => {
            Fault::Wrong(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::content::Content;

    #[test]
    fn a_whole_archive_is_proven_and_read() {
        let content = Content::fixed();
        let proven = Proven::read(&content.car(), Some(&content.root)).expect("it is right");
        proven.is_whole(&content.root).expect("none is missing");
        let end = proven.follow(content.root, content.names.clone()).expect("it leads there");
        let End::File(file, bytes) = end else { panic!("it is a file") };
        assert_eq!((file, bytes), (content.file, content.bytes.clone()));
        assert!(matches!(proven.follow(content.root, Vec::new()), Ok(End::Folder)));
    }

    #[test]
    fn each_fault_of_an_archive_is_found() {
        let content = Content::fixed();
        let archive = content.car();
        let read = |bytes: &[u8]| Proven::read(bytes, Some(&content.root));
        let mut lie = archive.to_vec();
        let last = lie.len() - 1;
        lie[last] ^= 1;
        assert!(matches!(read(&lie), Err(Fault::Mismatch(_))));
        assert!(matches!(read(&archive[..last]), Err(Fault::Wrong(_))));
        assert!(matches!(read(b"<html>"), Err(Fault::Wrong(_))));
        let other = Content::random(8);
        assert!(matches!(Proven::read(&archive, Some(&other.root)), Err(Fault::Wrong(_))));
        let of_a_path = Proven::read(&archive, None).expect("every block is right");
        assert!(of_a_path.follow(other.root, Vec::new()).is_err());
        let mut fewer = content.clone();
        fewer.blocks.remove(0);
        let proven = read(&fewer.car()).expect("what is there is right");
        assert!(proven.is_whole(&content.root).is_err());
    }
}
