//! Reads a `.car` and passes on the blocks that are what they claim to be.
//!
//! What is sent is written anew as a CARv1, so that a node never sees an index, padding or bytes
//! that nobody proved. Hashing is shared by the threads of `add::hash`.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::Receiver;

use indicatif::ProgressBar;
use ipfs::car::{CarError, Reader, Section, Unproven};
use ipfs::{Block, Cid};

use crate::add::feed::{Gone, Sink};
use crate::add::hash::{Jobs, Results};
use crate::add::source::unreadable;
use crate::add::{AddError, Added, build};

/// Bytes that are read at a time.
const READ_BYTES: usize = 512 * 1024;

/// What the archive holds next.
#[derive(Debug)]
pub(crate) enum Step {
    /// The header, with the roots.
    Roots(Vec<Cid>),
    /// A block was given to be proven.
    Block,
}

/// Reads the archive at `path` and gives its blocks to be proven.
///
/// # Errors The file cannot be read, is no CAR, has no root or is cut short; [`AddError::Stopped`]
/// when nobody takes steps.
pub(crate) fn read(
    path: &Path,
    mut blocks: Jobs<Unproven>,
    give: &dyn Fn(Step) -> bool,
    bar: &ProgressBar,
) -> Result<(), AddError> {
    let bad = |source| AddError::Car { path: path.to_path_buf(), source };
    let mut file = File::open(path).map_err(|source| unreadable(path, source))?;
    let mut reader = Reader::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(|source| unreadable(path, source))?;
        if read == 0 {
            break;
        }
        bar.inc(read as u64);
        reader.push(&buffer[..read]);
        while let Some(section) = reader.next().map_err(bad)? {
            let step = match section {
                Section::Header(roots) if roots.is_empty() => {
                    return Err(AddError::NoRoots(path.to_path_buf()));
                }
                Section::Header(roots) => Step::Roots(roots),
                Section::Block(unproven) => {
                    if !blocks.give(unproven) {
                        return Err(AddError::Stopped);
                    }
                    Step::Block
                }
            };
            if !give(step) {
                return Err(AddError::Stopped);
            }
        }
    }
    reader.finish().map_err(bad)?;
    Ok(())
}

/// Writes the proven blocks.
///
/// # Errors
/// What the reader met, a block that is not what it claims to be, or [`AddError::Stopped`].
pub(crate) fn pass_on(
    path: &Path,
    steps: &Receiver<Result<Step, AddError>>,
    mut blocks: Results<Result<Block, CarError>>,
    mut sink: Sink,
) -> Result<Added, AddError> {
    let mut added = Added::default();
    while let Ok(step) = steps.recv() {
        match step? {
            Step::Roots(roots) => {
                sink.header(&roots);
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                added.roots = roots.into_iter().map(|cid| build::root(&name, cid)).collect();
            }
            Step::Block => {
                let block = blocks.take().ok_or(AddError::Stopped)?;
                let block =
                    block.map_err(|source| AddError::Car { path: path.to_path_buf(), source })?;
                added.blocks += 1;
                added.bytes += block.data().len() as u64;
                sink.block(&block).map_err(|Gone| AddError::Stopped)?;
            }
        }
    }
    sink.finish().map_err(|Gone| AddError::Stopped)?;
    Ok(added)
}
