//! A folder that is written beside its place and takes it as a whole.
//!
//! Nothing is removed before the new folder stands and the disk has it: the two are exchanged, and where a file
//! system cannot do that, the old one is moved aside first and back when the new one cannot follow.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use crate::output::Exit;

/// Letters at the end of the name of a folder that is being written.
const RANDOM: usize = 6;
/// How often a lock is taken that another run has just put away.
const LOCK_TRIES: usize = 8;

/// A folder that is written beside its place and takes it when all of it is there. One that is dropped
/// before leaves nothing behind, and what was in its place stays.
#[derive(Debug)]
pub(crate) struct NewFolder {
    place: PathBuf,
    // What is left of it goes before another run may begin: fields are dropped in their order.
    half: TempDir,
    _lock: Lock,
}

/// Why a folder cannot be written anew.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// Somebody else's files are there.
    #[error("{} holds what this command did not write: name another folder with --out", .0.display())]
    NotOurs(PathBuf),
    /// It is where it is only seen from inside.
    #[error("{:?} does not end in the name of a folder: write it so, such as ../public", .0)]
    NoName(PathBuf),
    /// No folder can take the place of where a file system begins.
    #[error("{at} is where a file system is mounted, so that no folder can take its place: name one in it, such as {at}/site", at = .0.display())]
    Mounted(PathBuf),
    /// Another run writes it.
    #[error("another publish into {} is running: wait for it", .0.display())]
    Busy(PathBuf),
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FolderError {
    /// The exit code of a command that needs the folder.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            FolderError::NotOurs(_) | FolderError::NoName(_) => Exit::Usage,
            FolderError::Mounted(_) | FolderError::Busy(_) | FolderError::File { .. } => {
                Exit::Machine
            }
        }
    }
}

fn of(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_path_buf();
    move |source| FolderError::File { path, source }
}

impl NewFolder {
    /// Begins a folder whose place is empty, not there, or has the file `mark`, which it will have too.
    /// Until it is dropped, nobody else can begin one for the same place.
    ///
    /// # Errors
    /// As the variants of [`FolderError`] say.
    pub(crate) fn begin(place: &Path, mark: &str, says: &str) -> Result<Self, FolderError> {
        let (above, name) = real(place)?;
        let place = above.join(&name);
        if is_mounted(&above, &place) {
            return Err(FolderError::Mounted(place));
        }
        let lock = Lock::take(above.join(beside(&name, ".lock")), &place)?;
        tidy(&above, &name, mark);
        let is_taken = match fs::read_dir(&place) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(source) => return Err(of(&place)(source)),
        };
        if is_taken && !place.join(mark).is_file() {
            return Err(FolderError::NotOurs(place));
        }
        let half = tempfile::Builder::new()
            .prefix(&beside(&name, ".half."))
            .rand_bytes(RANDOM)
            // Who serves it may be somebody else: it is as open as any folder that is made here.
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in(&above)
            .map_err(of(&above))?;
        let this = Self { place, half, _lock: lock };
        this.write(mark, says)?;
        Ok(this)
    }

    /// Where it is written.
    pub(crate) fn path(&self) -> &Path {
        self.half.path()
    }

    /// Writes one file of it.
    ///
    /// # Errors
    /// [`FolderError::File`].
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<(), FolderError> {
        let path = self.path().join(path);
        let above = path.parent().expect("it lies in the folder");
        fs::create_dir_all(above).and_then(|()| fs::write(&path, content)).map_err(of(&path))
    }

    /// Puts it in its place, in one step where the file system can exchange two folders. The disk has the new
    /// folder before it is put there, and knows of that before the old one is removed.
    ///
    /// # Errors
    /// [`FolderError::Mounted`] and [`FolderError::File`]; what was there is there.
    pub(crate) fn finish(self) -> Result<(), FolderError> {
        sync_all(self.path()).map_err(of(self.path()))?;
        let (above, name) = (self.place.parent(), self.place.file_name());
        let (above, name) = (above.expect("it lies in one"), name.expect("it has one"));
        let exchange =
            || renameat_with(CWD, self.path(), CWD, &self.place, RenameFlags::EXCHANGE).is_ok();
        if exchange() {
            // What was there has the other name now, and goes when this is dropped.
            return sync(above).map_err(|source| {
                exchange();
                of(above)(source)
            });
        }
        let old = above.join(beside(name, ".old"));
        let mounted = [io::ErrorKind::ResourceBusy, io::ErrorKind::CrossesDevices];
        in_two_steps(self.path(), &self.place, &old).map_err(|source| {
            match mounted.contains(&source.kind()) {
                true => FolderError::Mounted(self.place.clone()),
                false => of(&self.place)(source),
            }
        })
    }
}

/// The folder in which a place lies, and the name that it has there: links are followed, and it makes no
/// difference how the place is written.
fn real(place: &Path) -> Result<(PathBuf, OsString), FolderError> {
    let nameless = || FolderError::NoName(place.to_path_buf());
    let name = place.file_name().ok_or_else(nameless)?;
    let whole = match fs::canonicalize(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = place.parent().filter(|above| !above.as_os_str().is_empty());
            let above = above.unwrap_or(Path::new("."));
            let made = fs::create_dir_all(above).and_then(|()| fs::canonicalize(above));
            made.map_err(of(above))?.join(name)
        }
        found => found.map_err(of(place))?,
    };
    // A link may lead to the root.
    let (above, name) = whole.parent().zip(whole.file_name()).ok_or_else(nameless)?;
    Ok((above.to_path_buf(), name.to_os_string()))
}

/// The name of what lies beside a folder, which lists do not show.
fn beside(name: &OsStr, suffix: &str) -> OsString {
    let mut whole = OsString::from(".");
    whole.push(name);
    whole.push(suffix);
    whole
}

fn is_mounted(above: &Path, place: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|known| known.dev()).ok();
    device(place).is_some_and(|device_of| device(above) != Some(device_of))
}

/// Removes what runs that were killed left there, and puts back what one of them had moved aside.
fn tidy(above: &Path, name: &OsStr, mark: &str) {
    let (place, old) = (above.join(name), above.join(beside(name, ".old")));
    if !place.exists() && old.join(mark).is_file() {
        // What cannot be put back is not removed either: the mark is its own.
        fs::rename(&old, &place).ok();
    } else {
        remove(&old, mark);
    }
    let half = beside(name, ".half.");
    // A folder that cannot be listed can be written to all the same.
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let other = entry.file_name();
        let rest = other.as_encoded_bytes().strip_prefix(half.as_encoded_bytes());
        if rest
            .is_some_and(|rest| rest.len() == RANDOM && rest.iter().all(u8::is_ascii_alphanumeric))
        {
            remove(&entry.path(), mark);
        }
    }
}

/// Removes a folder that is ours or empty. What cannot be removed is tried again by the next run.
fn remove(folder: &Path, mark: &str) {
    match folder.join(mark).is_file() {
        true => fs::remove_dir_all(folder).ok(),
        false => fs::remove_dir(folder).ok(),
    };
}

/// Moves what is in a place aside, and the new folder there; what was there comes back if that fails.
fn in_two_steps(half: &Path, place: &Path, old: &Path) -> io::Result<()> {
    let was_there = match fs::rename(place, old) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        moved => moved.map(|()| true)?,
    };
    let above = place.parent().expect("it lies in one");
    if let Err(error) = fs::rename(half, place).and_then(|()| sync(above)) {
        fs::rename(place, half).ok();
        if was_there {
            // The next run tries it again.
            fs::rename(old, place).ok();
        }
        return Err(error);
    }
    // The new one stands: what is left of the old one goes with the next run.
    fs::remove_dir_all(old).ok();
    Ok(())
}

/// Returns when the disk has a folder and all that is in it.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => sync_all(&entry.path())?,
            false => sync(&entry.path())?,
        }
    }
    sync(folder)
}

/// Returns when the disk has a file, or the names in a folder.
fn sync(path: &Path) -> io::Result<()> {
    match File::open(path) {
        // A folder that cannot be listed can be written to all the same.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        opened => opened?.sync_all(),
    }
}

/// A file that one run at a time holds; the system lets go of it however the run ends.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    fn take(path: PathBuf, place: &Path) -> Result<Self, FolderError> {
        for _ in 0..LOCK_TRIES {
            let opened = File::options().create(true).write(true).truncate(false).open(&path);
            let file = opened.map_err(of(&path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(source)) => return Err(of(&path)(source)),
            }
            // Whoever held it may have put it away meanwhile, and another have made one of the same name.
            if is_same(&file, &path) {
                return Ok(Self { path, _file: file });
            }
        }
        Err(FolderError::Busy(place.to_path_buf()))
    }
}

fn is_same(file: &File, path: &Path) -> bool {
    let own = file.metadata().map(|known| (known.dev(), known.ino()));
    let named = fs::metadata(path).map(|known| (known.dev(), known.ino()));
    own.ok().zip(named.ok()).is_some_and(|(own, named)| own == named)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // One that stays is nobody's, and serves the next run.
        fs::remove_file(&self.path).ok();
    }
}

#[cfg(test)]
mod tests;
