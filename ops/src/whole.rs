//! Files that are there as a whole or as they were before.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file beside its place and moves it there when the disk has it.
///
/// # Errors
/// What the system says.
pub(crate) fn write_whole(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    let mut half = path.as_os_str().to_owned();
    half.push(".half");
    let mut file = File::create(&half)?;
    file.write_all(content.as_ref())?;
    file.sync_all()?;
    fs::rename(&half, path)
}
