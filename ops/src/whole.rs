//! Files and folders that are there as a whole or as they were before, and what lies beside them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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

/// A folder that is written beside its place and takes it when all of it is there. One that is dropped
/// before leaves nothing behind, and what was in its place stays.
#[derive(Debug)]
pub(crate) struct NewFolder {
    place: PathBuf,
    half: PathBuf,
}

/// Why a folder cannot be written anew.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// Somebody else's files are there.
    #[error("{} holds what this command did not write: name another folder with --out", .0.display())]
    NotOurs(PathBuf),
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn of(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_path_buf();
    move |source| FolderError::File { path, source }
}

impl NewFolder {
    /// Begins a folder whose place is empty, not there, or has the file `mark`, which it will have too.
    ///
    /// # Errors
    /// As the variants of [`FolderError`] say.
    pub(crate) fn begin(place: &Path, mark: &str, says: &str) -> Result<Self, FolderError> {
        let is_taken = match fs::read_dir(place) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(source) => return Err(of(place)(source)),
        };
        if is_taken && !place.join(mark).is_file() {
            return Err(FolderError::NotOurs(place.to_path_buf()));
        }
        let half = beside(place, ".half");
        remove(&half)?;
        let this = Self { place: place.to_path_buf(), half };
        this.write(mark, says)?;
        Ok(this)
    }

    /// Where it is written.
    pub(crate) fn path(&self) -> &Path {
        &self.half
    }

    /// Writes one file of it.
    ///
    /// # Errors
    /// [`FolderError::File`].
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<(), FolderError> {
        let path = self.half.join(path);
        let above = path.parent().expect("it lies in the folder");
        fs::create_dir_all(above).and_then(|()| fs::write(&path, content)).map_err(of(&path))
    }

    /// Puts it in its place, in one step where the file system can exchange two folders.
    ///
    /// # Errors
    /// [`FolderError::File`].
    pub(crate) fn finish(self) -> Result<(), FolderError> {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, &self.half, CWD, &self.place, RenameFlags::EXCHANGE).is_ok() {
            // What was there has the other name now, and goes when this is dropped.
            return Ok(());
        }
        remove(&self.place)?;
        fs::rename(&self.half, &self.place).map_err(of(&self.place))
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        // What cannot be removed is removed by the next one that begins.
        remove(&self.half).ok();
    }
}

fn remove(folder: &Path) -> Result<(), FolderError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(of(folder)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(place: &Path) -> String {
        fs::read_to_string(place.join("a/b")).unwrap_or_default()
    }

    #[test]
    fn a_folder_is_there_as_a_whole_or_as_it_was() {
        let above = tempfile::tempdir().expect("a folder can be made");
        let place = above.path().join("site");
        for text in ["one", "two"] {
            let new = NewFolder::begin(&place, ".mark", "ours").expect("it begins");
            new.write("a/b", text).expect("it is written");
            assert_ne!(read(&place), text, "not yet");
            new.finish().expect("it is put there");
            assert_eq!(read(&place), text);
        }
        let new = NewFolder::begin(&place, ".mark", "ours").expect("it begins");
        new.write("a/b", "three").expect("it is written");
        new.write("a/b/c", "no folder can be where a file is").expect_err("it cannot be written");
        drop(new);
        assert_eq!(read(&place), "two");
        assert_eq!(fs::read_dir(above.path()).expect("it is there").count(), 1, "nothing is left");
    }

    #[test]
    fn what_somebody_else_wrote_is_not_touched() {
        let place = tempfile::tempdir().expect("a folder can be made");
        fs::write(place.path().join("mine"), "mine").expect("it is written");
        let refused = NewFolder::begin(place.path(), ".mark", "ours");
        assert!(matches!(refused, Err(FolderError::NotOurs(_))), "{refused:?}");
    }
}
