//! Files and folders that are there as a whole or as they were before, and what lies beside them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

mod folder;

pub(crate) use folder::{FolderError, NewFolder};

/// A file or folder that the system refuses.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It cannot be read.
    #[error("could not read {}: {source}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("could not write {}: {source}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The text of a file.
///
/// # Errors
/// [`FileError::Read`].
pub(crate) fn read(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|source| FileError::Read { path: path.to_owned(), source })
}

/// Writes a file as a whole, in a folder that is made where it is missing.
///
/// # Errors
/// [`FileError::Write`].
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), FileError> {
    let folder = path.parent().expect("a file lies in a folder");
    fs::create_dir_all(folder)
        .and_then(|()| write_whole(path, content))
        .map_err(|source| FileError::Write { path: path.to_owned(), source })
}

/// Writes a file beside its place and moves it there when the disk has it.
///
/// # Errors
/// What the system says.
pub(crate) fn write_whole(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    let half = beside(path, ".half");
    let mut file = File::create(&half)?;
    file.write_all(content.as_ref())?;
    file.sync_all()?;
    fs::rename(&half, path)
}

/// The file beside another whose name goes on with a suffix.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
