//! Where the access log goes: the standard output, or a file that is rotated by size.
//!
//! Rotation renames and never copies; the files are `<path>`, `<path>.1` (the youngest) and so on.
//! A file that was cut within a line by a failed write goes on with a line of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{AccessError, Config};

/// Where lines go.
pub(super) enum Sink {
    Writer { to: Box<dyn Write + Send>, torn: bool },
    File(Rotated),
}

/// A file that is rotated.
pub(super) struct Rotated {
    path: PathBuf,
    file: File,
    bytes: u64,
    torn: bool,
    rotate_at: u64,
    keep: usize,
}

impl Sink {
    pub(super) fn stdout() -> Self {
        Self::Writer { to: Box::new(io::stdout()), torn: false }
    }

    /// Opens the file, going on after what it holds.
    pub(super) fn file(config: &Config) -> Result<Self, AccessError> {
        let (file, bytes) = open(&config.path)
            .map_err(|source| AccessError::Open { path: config.path.clone(), source })?;
        Ok(Self::File(Rotated {
            path: config.path.clone(),
            file,
            bytes,
            torn: false,
            rotate_at: config.rotate_at.as_u64(),
            keep: config.keep,
        }))
    }

    /// Writes whole lines.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Writer { to, torn } => {
                mend(to, torn)?;
                *torn = true;
                to.write_all(lines)?;
                to.flush()?;
                *torn = false;
            }
            Self::File(rotated) => {
                mend(&mut rotated.file, &mut rotated.torn)?;
                rotated.torn = true;
                rotated.file.write_all(lines)?;
                rotated.torn = false;
                rotated.bytes += lines.len() as u64;
            }
        }
        Ok(())
    }

    /// Opens the file anew under its path.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        match self {
            Self::Writer { .. } => Ok(()),
            Self::File(rotated) => rotated.reopen(),
        }
    }

    /// Puts the file aside when it is large enough.
    pub(super) fn rotate_if_due(&mut self) -> io::Result<()> {
        match self {
            Self::Writer { .. } => Ok(()),
            Self::File(rotated) => rotated.rotate_if_due(),
        }
    }
}

impl Rotated {
    fn reopen(&mut self) -> io::Result<()> {
        let (file, bytes) = open(&self.path)?;
        self.file = file;
        self.bytes = bytes;
        self.torn = false;
        Ok(())
    }

    fn rotate_if_due(&mut self) -> io::Result<()> {
        if self.rotate_at == 0 || self.bytes < self.rotate_at {
            return Ok(());
        }
        // Counted from zero even when a rename fails, so that a folder that refuses it is asked
        // once per `rotate_at` bytes and not with every write.
        self.bytes = 0;
        if self.keep == 0 {
            std::fs::remove_file(&self.path)?;
        }
        for place in (0..self.keep).rev() {
            let from = aside(&self.path, place);
            match std::fs::rename(&from, aside(&self.path, place + 1)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        self.reopen()
    }
}

/// The file in this place: none is the one being written.
fn aside(path: &Path, place: usize) -> PathBuf {
    if place == 0 {
        return path.to_path_buf();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{place}"));
    PathBuf::from(name)
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

/// Ends a line that a failed write may have cut.
fn mend(to: &mut impl Write, torn: &mut bool) -> io::Result<()> {
    if *torn {
        to.write_all(b"\n")?;
        *torn = false;
    }
    Ok(())
}
