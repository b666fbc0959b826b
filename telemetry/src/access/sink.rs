//! Where records go: the standard output, a collector, or a file that is put aside by size and at
//! midnight UTC.
//!
//! Putting aside renames and never copies; the files are `<path>` and `<path>.<time>`, whose names
//! never change again and sort by age. What is put aside is sealed in the log's ledger, and so is what
//! is deleted by age and count. A file that was cut within a line by a failed write goes on with a
//! line of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::collector::{self, Collector};
use super::ledger::{self, Deleted, Event, Seal, Tally};
use super::{AccessError, Config, stamp};

/// Where lines go.
pub(super) enum Sink {
    Writer { to: Box<dyn Write + Send>, torn: bool },
    File(Box<Rotated>),
    Collector(Box<Collector>),
}

/// A file that is rotated.
pub(super) struct Rotated {
    path: PathBuf,
    file: File,
    /// What was written; none after a failed write, of which nobody knows how far it came.
    tally: Option<Tally>,
    /// Bytes since the file was begun, or since putting it aside was last tried.
    bytes: u64,
    /// The day of its first record, when it has one.
    day: Option<u64>,
    torn: bool,
    rotate_at: u64,
    keep: usize,
    keep_for: Duration,
    /// When it is looked for what is too old again.
    look_at: SystemTime,
    /// The earliest time that the next file put aside may be named by: names sort by age even where
    /// several fall into one millisecond and the first of them are deleted.
    name_from: SystemTime,
}

/// How often it is looked for what is too old.
const LOOK_EVERY: Duration = Duration::from_secs(60);

impl Sink {
    pub(super) fn stdout() -> Self {
        Self::Writer { to: Box::new(io::stdout()), torn: false }
    }

    /// Opens the file, going on after what it holds.
    pub(super) fn file(config: &Config) -> Result<Self, AccessError> {
        let failed = |source| AccessError::Open { path: config.path.clone(), source };
        let (file, tally) = open(&config.path).map_err(failed)?;
        let day = begun(&file, &tally).map_err(failed)?;
        Ok(Self::File(Box::new(Rotated {
            path: config.path.clone(),
            file,
            bytes: tally.bytes(),
            tally: Some(tally),
            day,
            torn: false,
            rotate_at: config.rotate_at.as_u64(),
            keep: config.keep,
            keep_for: config.keep_for,
            look_at: UNIX_EPOCH,
            name_from: UNIX_EPOCH,
        })))
    }

    /// How many lines it takes at once.
    pub(super) fn lines_max(&self) -> u64 {
        match self {
            Self::Writer { .. } | Self::File(_) => u64::MAX,
            Self::Collector(_) => collector::BATCH_MAX,
        }
    }

    /// Writes whole lines.
    pub(super) fn write(&mut self, lines: &[u8], now: SystemTime) -> io::Result<()> {
        match self {
            Self::Writer { to, torn } => {
                mend(to, torn)?;
                *torn = true;
                to.write_all(lines)?;
                to.flush()?;
                *torn = false;
                Ok(())
            }
            Self::File(rotated) => rotated.write(lines, now),
            Self::Collector(collector) => collector.send(lines),
        }
    }

    /// Opens the file anew under its path.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        match self {
            Self::Writer { .. } | Self::Collector(_) => Ok(()),
            Self::File(rotated) => rotated.reopen(),
        }
    }

    /// Puts the file aside when it is large or old enough, and deletes what has been kept for long
    /// enough.
    pub(super) fn tidy(&mut self, now: SystemTime) -> io::Result<()> {
        match self {
            Self::Writer { .. } | Self::Collector(_) => Ok(()),
            Self::File(rotated) => {
                rotated.rotate_if_due(now)?;
                if now < rotated.look_at {
                    return Ok(());
                }
                rotated.look_at = now + LOOK_EVERY;
                rotated.forget(now)
            }
        }
    }
}

impl Rotated {
    fn write(&mut self, lines: &[u8], now: SystemTime) -> io::Result<()> {
        // A day's records end with the day, whose key is gone.
        self.rotate_if_due(now)?;
        let (was_torn, tally) = (self.torn, self.tally.take());
        mend(&mut self.file, &mut self.torn)?;
        self.torn = true;
        self.file.write_all(lines)?;
        self.torn = false;
        self.day.get_or_insert(day_of(now));
        self.bytes += lines.len() as u64;
        if let (Some(mut tally), false) = (tally, was_torn) {
            tally.add(lines);
            self.tally = Some(tally);
        }
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        let same = std::fs::metadata(&self.path).and_then(|at_path| {
            let ours = self.file.metadata()?;
            Ok((at_path.dev(), at_path.ino()) == (ours.dev(), ours.ino()))
        });
        if same.unwrap_or(false) {
            return Ok(());
        }
        let (file, tally) = open(&self.path)?;
        self.day = begun(&file, &tally)?;
        self.bytes = tally.bytes();
        (self.file, self.tally, self.torn) = (file, Some(tally), false);
        Ok(())
    }

    fn rotate_if_due(&mut self, now: SystemTime) -> io::Result<()> {
        let full = self.rotate_at > 0 && self.bytes >= self.rotate_at;
        let over = self.day.is_some_and(|day| day < day_of(now));
        if !full && !over {
            return Ok(());
        }
        // Counted anew even when a rename fails, so that a folder that refuses it is asked once per
        // `rotate_at` bytes and not with every write.
        (self.bytes, self.day) = (0, None);
        if self.keep == 0 {
            std::fs::remove_file(&self.path)?;
            return self.reopen();
        }
        let (aside, name) = self.aside(now);
        std::fs::rename(&self.path, &aside)?;
        let tally = match self.tally.take() {
            Some(tally) => Ok(tally),
            None => File::open(&aside).and_then(|file| Tally::read(&file)),
        };
        self.reopen()?;
        let seal = tally?.seal(&name, &time_text(now));
        ledger::append(&self.path, Event::Sealed(seal))?;
        self.forget(now)
    }

    /// A name for what is put aside that nothing has.
    fn aside(&mut self, now: SystemTime) -> (PathBuf, String) {
        let mut time = now.max(self.name_from);
        loop {
            let mut path = self.path.as_os_str().to_owned();
            path.push(format!(".{}", time_text(time).replace(['-', ':', '.'], "")));
            let path = PathBuf::from(path);
            if !path.exists() {
                self.name_from = time + Duration::from_millis(1);
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return (path, name);
            }
            time += Duration::from_millis(1);
        }
    }

    /// Deletes what is too old, and the oldest of what is too much.
    fn forget(&self, now: SystemTime) -> io::Result<()> {
        let aside = put_aside(&self.path)?;
        let too_many = aside.len().saturating_sub(self.keep);
        for (place, path) in aside.iter().enumerate() {
            let age = now.duration_since(std::fs::metadata(path)?.modified()?).unwrap_or_default();
            let too_old = !self.keep_for.is_zero() && age > self.keep_for;
            if place < too_many || too_old {
                delete(&self.path, path, now, if too_old { "age" } else { "count" })?;
            }
        }
        Ok(())
    }
}

/// What was put aside of a log, the oldest first.
///
/// # Errors
/// What the system says of its folder.
pub fn put_aside(log: &Path) -> io::Result<Vec<PathBuf>> {
    let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let path = entry?.path();
        let text = path.file_name().unwrap_or_default().to_string_lossy();
        let time = text.strip_prefix(&name).and_then(|rest| rest.strip_prefix('.'));
        if time.is_some_and(is_time) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether this is a time as in the names of what was put aside: `20261121T143000123Z`.
fn is_time(text: &str) -> bool {
    text.len() == 19
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 => byte == b'T',
            18 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

/// Deletes what was put aside of a log, and notes it in the log's ledger first, so that nothing goes
/// unnoted.
///
/// # Errors
/// What the system says.
pub fn delete(log: &Path, segment: &Path, now: SystemTime, why: &str) -> io::Result<Deleted> {
    let name = segment.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let seal = sealed(log, &name).unwrap_or_else(|| Seal {
        bytes: std::fs::metadata(segment).map_or(0, |found| found.len()),
        ..Tally::default().seal(&name, "")
    });
    let blake3 = if seal.lines == 0 { String::new() } else { seal.blake3 };
    let (bytes, from, to) = (seal.bytes, seal.from, seal.to);
    let (at, why) = (time_text(now), why.to_owned());
    let deleted = Deleted { segment: name, at, why, bytes, from, to, blake3 };
    ledger::append(log, Event::Deleted(deleted.clone()))?;
    std::fs::remove_file(segment)?;
    Ok(deleted)
}

/// The seal of a segment, if the ledger has one.
fn sealed(log: &Path, name: &str) -> Option<Seal> {
    let text = std::fs::read_to_string(ledger::path_of(log)).ok()?;
    let rows = text.lines().filter_map(|line| serde_json::from_str::<ledger::Row>(line).ok());
    rows.filter_map(|row| match row.event {
        Event::Sealed(seal) if seal.segment == name => Some(seal),
        Event::Sealed(_) | Event::Deleted(_) => None,
    })
    .next_back()
}

fn time_text(now: SystemTime) -> String {
    let mut text = Vec::new();
    stamp::append(&mut text, now);
    String::from_utf8(text).expect("digits and signs")
}

fn day_of(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / stamp::DAY
}

/// The day of a file that holds something: that of its last change, which is before midnight if
/// nothing was written since.
fn begun(file: &File, tally: &Tally) -> io::Result<Option<u64>> {
    if tally.bytes() == 0 {
        return Ok(None);
    }
    Ok(Some(day_of(file.metadata()?.modified()?)))
}

fn open(path: &Path) -> io::Result<(File, Tally)> {
    let file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    // A device or a pipe has no past, and may have no end.
    let tally = if file.metadata()?.is_file() { Tally::read(&file)? } else { Tally::default() };
    Ok((file, tally))
}

/// Ends a line that a failed write may have cut.
fn mend(to: &mut impl Write, torn: &mut bool) -> io::Result<()> {
    if *torn {
        to.write_all(b"\n")?;
        *torn = false;
    }
    Ok(())
}
