//! Turns what the reader met into blocks, in the order of a CAR.
//!
//! Leaves arrive hashed; what is left to do here is small: the trees above them and the folders.
//! Memory grows with the widest open folder, not with the content.

use std::sync::mpsc::Receiver;

use ipfs::Cid;
use ipfs::unixfs::import::{DirectoryImport, Entry, Imported, Layout, Leaf, Profile};

use crate::add::feed::{Gone, Sink};
use crate::add::hash::Results;
use crate::add::source::Step;
use crate::add::{AddError, Added, Root};

/// Builds the DAGs of the steps and writes their blocks.
///
/// # Errors
/// What the reader met, or [`AddError::Stopped`] when the upload's other end has gone.
pub(crate) fn build(
    profile: Profile,
    steps: &Receiver<Result<Step, AddError>>,
    leaves: Results<Leaf>,
    sink: Sink,
) -> Result<Added, AddError> {
    let mut builder = Builder {
        profile,
        leaves,
        sink,
        file: Layout::new(profile),
        folders: Vec::new(),
        added: Added::default(),
    };
    builder.sink.header(&[]);
    while let Ok(step) = steps.recv() {
        builder.step(step?)?;
    }
    builder.sink.finish().map_err(|Gone| AddError::Stopped)?;
    Ok(builder.added)
}

struct Builder {
    profile: Profile,
    leaves: Results<Leaf>,
    sink: Sink,
    file: Layout,
    folders: Vec<DirectoryImport>,
    added: Added,
}

impl Builder {
    fn step(&mut self, step: Step) -> Result<(), AddError> {
        match step {
            Step::Leaf => {
                let leaf = self.leaves.take().ok_or(AddError::Stopped)?;
                for block in self.file.push(leaf) {
                    self.write(&block)?;
                }
                Ok(())
            }
            Step::File(name) => {
                let file = std::mem::replace(&mut self.file, Layout::new(self.profile));
                self.entry(name, &file.finish())
            }
            Step::Symlink(name, target) => self.entry(name, &self.profile.symlink(&target)),
            Step::Enter => {
                self.folders.push(DirectoryImport::new(self.profile));
                Ok(())
            }
            Step::Leave(name) => {
                let folder = self.folders.pop().expect("a folder that ends has begun");
                self.entry(name, &folder.finish()?)
            }
        }
    }

    fn entry(&mut self, name: String, imported: &Imported) -> Result<(), AddError> {
        for block in &imported.blocks {
            self.write(block)?;
        }
        let (cid, tsize) = (imported.cid, imported.tsize);
        match self.folders.last_mut() {
            Some(folder) => folder.add(Entry { name, cid, tsize }),
            None => self.added.roots.push(Root { name, cid }),
        }
        Ok(())
    }

    fn write(&mut self, block: &ipfs::Block) -> Result<(), AddError> {
        self.added.blocks += 1;
        self.added.bytes += block.data().len() as u64;
        self.sink.block(block).map_err(|Gone| AddError::Stopped)
    }
}

/// One root, for callers that name it.
pub(crate) fn root(name: &str, cid: Cid) -> Root {
    Root { name: name.to_owned(), cid }
}
