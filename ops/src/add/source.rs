//! Reads files and folders from disk, in one fixed order, and says what it met.
//!
//! Reads every file once and never seeks back; a file that changes meanwhile is an error, because
//! its CID would name content that never existed. Symlinks are kept as symlinks, except for a path
//! that the user named: there the user means what it leads to.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use indicatif::ProgressBar;
use ipfs::unixfs::import::Profile;

use crate::add::{AddError, hash};

/// Deepest folder below a given path.
const DEPTH_MAX: usize = 256;

/// What comes next. A name is the one in the folder around it.
#[derive(Debug)]
pub(crate) enum Step {
    /// The next leaf of the current file was given to be hashed.
    Leaf,
    /// The current file is whole.
    File(String),
    /// A symbolic link and its target.
    Symlink(String, Vec<u8>),
    /// A folder begins; what follows is in it.
    Enter,
    /// The innermost folder ends.
    Leave(String),
}

/// What there is to read, found before anything is sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// Files and symlinks.
    pub(crate) files: u64,
}

/// Which names are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    /// Whether names that begin with a dot are read inside folders.
    pub(crate) hidden: bool,
}

impl Choice {
    /// Counts what is below a path and finds what could not be imported.
    ///
    /// # Errors
    /// As the variants of [`AddError`] about paths say.
    pub(crate) fn survey(self, path: &Path) -> Result<Survey, AddError> {
        let mut survey = Survey::default();
        let mut folders = Vec::new();
        let meta = fs::metadata(path).map_err(|source| unreadable(path, source))?;
        count(path, &meta, &mut survey, &mut folders, 0)?;
        while let Some((folder, depth)) = folders.pop() {
            for (_, path) in self.entries(&folder)? {
                let meta = fs::symlink_metadata(&path).map_err(|e| unreadable(&path, e))?;
                count(&path, &meta, &mut survey, &mut folders, depth + 1)?;
            }
        }
        Ok(survey)
    }

    /// The entries of a folder by name.
    fn entries(self, folder: &Path) -> Result<Vec<(String, PathBuf)>, AddError> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(|source| unreadable(folder, source))? {
            let entry = entry.map_err(|source| unreadable(folder, source))?;
            let path = entry.path();
            let name = entry.file_name();
            if !self.hidden && name.as_bytes().starts_with(b".") {
                continue;
            }
            let name = name.into_string().map_err(|_| AddError::NameNotText(path.clone()))?;
            entries.push((name, path));
        }
        entries.sort();
        Ok(entries)
    }
}

fn count(
    path: &Path,
    meta: &Metadata,
    survey: &mut Survey,
    folders: &mut Vec<(PathBuf, usize)>,
    depth: usize,
) -> Result<(), AddError> {
    if meta.is_dir() {
        if depth >= DEPTH_MAX {
            return Err(AddError::TooDeep(path.to_path_buf()));
        }
        folders.push((path.to_path_buf(), depth));
    } else if meta.is_file() {
        // Opening is the only honest test of permission; root and ACLs make mode bits lie.
        File::open(path).map_err(|source| unreadable(path, source))?;
        survey.bytes += meta.len();
        survey.files += 1;
    } else if meta.is_symlink() {
        survey.files += 1;
    } else {
        return Err(AddError::Special(path.to_path_buf(), kind_of(meta)));
    }
    Ok(())
}

/// Reads paths and gives leaves and steps.
pub(crate) struct Reader<'a> {
    /// What decides the size of leaves.
    pub(crate) profile: Profile,
    /// Which names are read.
    pub(crate) choice: Choice,
    /// Where leaves are hashed.
    pub(crate) leaves: hash::Jobs<(Profile, Bytes)>,
    /// Where steps go; `false` when nobody takes them any more.
    pub(crate) give: &'a dyn Fn(Step) -> bool,
    /// Counts the bytes that were read.
    pub(crate) bar: &'a ProgressBar,
}

impl Reader<'_> {
    /// Reads a path that the user named and all below it.
    ///
    /// # Errors As the variants of [`AddError`] about paths say; [`AddError::Stopped`] when nobody
    /// takes steps.
    pub(crate) fn path(&mut self, path: &Path, name: String) -> Result<(), AddError> {
        let meta = fs::metadata(path).map_err(|source| unreadable(path, source))?;
        self.entry(path, name, &meta, 0)
    }

    /// Puts all that is read in between into one folder.
    pub(crate) fn enter(&mut self) -> Result<(), AddError> {
        self.step(Step::Enter)
    }

    /// Closes the folder of [`Reader::enter`].
    pub(crate) fn leave(&mut self, name: String) -> Result<(), AddError> {
        self.step(Step::Leave(name))
    }

    fn entry(
        &mut self,
        path: &Path,
        name: String,
        meta: &Metadata,
        depth: usize,
    ) -> Result<(), AddError> {
        if meta.is_dir() {
            return self.folder(path, name, depth);
        }
        if meta.is_symlink() {
            let target = fs::read_link(path).map_err(|source| unreadable(path, source))?;
            return self.step(Step::Symlink(name, target.as_os_str().as_bytes().to_vec()));
        }
        if meta.is_file() {
            return self.file(path, name);
        }
        Err(AddError::Special(path.to_path_buf(), kind_of(meta)))
    }

    fn folder(&mut self, path: &Path, name: String, depth: usize) -> Result<(), AddError> {
        if depth >= DEPTH_MAX {
            return Err(AddError::TooDeep(path.to_path_buf()));
        }
        self.step(Step::Enter)?;
        for (name, path) in self.choice.entries(path)? {
            let meta = fs::symlink_metadata(&path).map_err(|source| unreadable(&path, source))?;
            self.entry(&path, name, &meta, depth + 1)?;
        }
        self.step(Step::Leave(name))
    }

    fn file(&mut self, path: &Path, name: String) -> Result<(), AddError> {
        let failed = |source| unreadable(path, source);
        let mut file = File::open(path).map_err(failed)?;
        let before = file.metadata().map_err(failed)?;
        let chunk_bytes = self.profile.chunk_bytes();
        let mut read = 0;
        loop {
            let left = usize::try_from(before.len() - read).unwrap_or(usize::MAX);
            let mut chunk = Vec::with_capacity(chunk_bytes.min(left));
            let bytes = Read::by_ref(&mut file)
                .take(chunk_bytes as u64)
                .read_to_end(&mut chunk)
                .map_err(failed)?;
            read += bytes as u64;
            if read > before.len() {
                return Err(AddError::Changed(path.to_path_buf()));
            }
            // An empty file has one leaf of no bytes; any other has none behind its end.
            if bytes > 0 || read == 0 {
                self.bar.inc(bytes as u64);
                if !self.leaves.give((self.profile, chunk.into())) {
                    return Err(AddError::Stopped);
                }
                self.step(Step::Leaf)?;
            }
            if bytes < chunk_bytes {
                break;
            }
        }
        let after = file.metadata().map_err(failed)?;
        if read != before.len()
            || after.len() != before.len()
            || modified(&after) != modified(&before)
        {
            return Err(AddError::Changed(path.to_path_buf()));
        }
        self.step(Step::File(name))
    }

    fn step(&self, step: Step) -> Result<(), AddError> {
        if (self.give)(step) { Ok(()) } else { Err(AddError::Stopped) }
    }
}

fn modified(meta: &Metadata) -> Option<std::time::SystemTime> {
    meta.modified().ok()
}

/// The error of a path that could not be read.
pub(crate) fn unreadable(path: &Path, source: io::Error) -> AddError {
    let path = path.to_path_buf();
    if source.kind() == io::ErrorKind::NotFound {
        AddError::Missing(path)
    } else if source.kind() == io::ErrorKind::PermissionDenied {
        AddError::Denied(path)
    } else {
        AddError::Read { path, source }
    }
}

fn kind_of(meta: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = meta.file_type();
    if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}
