//! Files that are there as a whole or as they were before, and what lies beside them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
