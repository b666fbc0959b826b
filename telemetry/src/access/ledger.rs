//! The ledger of a log: what was put aside, with its hashes, and what was deleted, and why.
//!
//! It lies beside the log as `<path>.ledger`, one object of JSON a line. Each line names the hash of the
//! one before, so that one that is changed or missing shows. Whoever may write the folder can make all
//! of it anew: it shows accidents and careless hands, and to others only what they kept a copy of.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use memchr::{memchr, memchr_iter};
use serde::{Deserialize, Serialize};

/// Lines of a segment that share a hash, so that a change is found to this many lines.
pub const BLOCK_LINES: u64 = 1024;

/// What a segment holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Seal {
    /// Its name, without its folder.
    pub segment: String,
    /// Its size.
    pub bytes: u64,
    /// How many lines it has.
    pub lines: u64,
    /// The time of its first line; empty when that has none.
    pub from: String,
    /// The time of its last line; empty when that has none.
    pub to: String,
    /// The hash of the whole, as `b3sum` prints it.
    pub blake3: String,
    /// The hash of every [`BLOCK_LINES`] lines: the first eight bytes of BLAKE3.
    pub blocks: Vec<String>,
}

/// A segment that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Deleted {
    /// Its name, without its folder.
    pub segment: String,
    /// When.
    pub at: String,
    /// Why: `age`, `count`, or what a person did.
    pub why: String,
    /// Its size.
    pub bytes: u64,
    /// The time of its first line.
    pub from: String,
    /// The time of its last line.
    pub to: String,
    /// The hash of the whole; empty when it was never sealed.
    pub blake3: String,
}

/// One line of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Row {
    /// The hash of the line before; empty on the first.
    pub prev: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened to a segment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It was put aside.
    Sealed(Seal),
    /// It was deleted.
    Deleted(Deleted),
}

/// Where the ledger of a log is.
#[must_use]
pub fn path_of(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".ledger");
    PathBuf::from(name)
}

/// Adds a line to the ledger of a log; processes that do so at once wait for each other.
///
/// # Errors
/// What the system says.
pub fn append(log: &Path, event: Event) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path_of(log))?;
    file.lock()?;
    let prev = last_line(&mut file)?.map(|line| line_hash(&line)).unwrap_or_default();
    let mut line = serde_json::to_vec(&Row { prev, event }).map_err(io::Error::other)?;
    line.push(b'\n');
    file.write_all(&line)
}

/// The hash by which a line names the one before it, which has no line end.
#[must_use]
pub fn line_hash(line: &[u8]) -> String {
    hex::encode(&blake3::hash(line).as_bytes()[..16])
}

fn last_line(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let length = file.metadata()?.len();
    let mut take = 4096.min(length);
    loop {
        file.seek(SeekFrom::Start(length - take))?;
        let mut tail = Vec::new();
        Read::by_ref(file).take(take).read_to_end(&mut tail)?;
        let whole = tail.strip_suffix(b"\n").unwrap_or(&tail);
        match whole.iter().rposition(|byte| *byte == b'\n') {
            Some(place) => return Ok(Some(whole[place + 1..].to_vec())),
            None if take == length => {
                return Ok((!whole.is_empty()).then(|| whole.to_vec()));
            }
            None => take = (take * 4).min(length),
        }
    }
}

/// Hashes a segment as it is written.
#[derive(Clone)]
pub struct Tally {
    whole: blake3::Hasher,
    block: blake3::Hasher,
    bytes: u64,
    lines: u64,
    first: Vec<u8>,
    /// Whether the last line has no end yet.
    open: bool,
    blocks: Vec<String>,
}

/// Bytes of a line up to the end of its time.
const STAMP_END: usize = 31;

impl Default for Tally {
    fn default() -> Self {
        Self {
            whole: blake3::Hasher::new(),
            block: blake3::Hasher::new(),
            bytes: 0,
            lines: 0,
            first: Vec::new(),
            open: false,
            blocks: Vec::new(),
        }
    }
}

impl Tally {
    /// What a file holds.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(mut file: &File) -> io::Result<Self> {
        let mut tally = Self::default();
        let mut piece = vec![0; 256 * 1024];
        loop {
            let count = file.read(&mut piece)?;
            if count == 0 {
                return Ok(tally);
            }
            tally.add(&piece[..count]);
        }
    }

    /// Takes bytes in, of which lines may be cut anywhere.
    pub fn add(&mut self, bytes: &[u8]) {
        self.whole.update(bytes);
        self.bytes += bytes.len() as u64;
        if self.lines == 0 {
            let end = memchr(b'\n', bytes).unwrap_or(bytes.len());
            let missing = STAMP_END.saturating_sub(self.first.len());
            self.first.extend_from_slice(&bytes[..end.min(missing)]);
        }
        // Hashing is fast where it is given much at once: a whole block, not its lines.
        let mut from = 0;
        for end in memchr_iter(b'\n', bytes) {
            self.lines += 1;
            if self.lines.is_multiple_of(BLOCK_LINES) {
                self.block.update(&bytes[from..=end]);
                self.end_block();
                from = end + 1;
            }
        }
        self.block.update(&bytes[from..]);
        self.open = bytes.last().map_or(self.open, |last| *last != b'\n');
    }

    fn end_block(&mut self) {
        self.blocks.push(hex::encode(&self.block.finalize().as_bytes()[..8]));
        self.block.reset();
    }

    /// How many bytes were taken in.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The seal of what was taken in; `to` is when it was put aside, unless its lines say less.
    #[must_use]
    pub fn seal(mut self, segment: &str, to: &str) -> Seal {
        if !self.lines.is_multiple_of(BLOCK_LINES) || self.open {
            self.end_block();
        }
        Seal {
            segment: segment.to_owned(),
            bytes: self.bytes,
            lines: self.lines,
            from: stamp_of(&self.first),
            to: to.to_owned(),
            blake3: self.whole.finalize().to_hex().to_string(),
            blocks: self.blocks,
        }
    }
}

/// The time that a record begins with; empty when it does not.
fn stamp_of(line: &[u8]) -> String {
    let stamp = line.strip_prefix(b"{\"ts\":\"").and_then(|rest| rest.get(..24));
    stamp.map(|stamp| String::from_utf8_lossy(stamp).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64) -> Vec<u8> {
        format!("{{\"ts\":\"2026-11-21T10:00:{:02}.000Z\",\"n\":{number}}}\n", number % 60).into()
    }

    #[test]
    fn seal_is_the_same_however_the_bytes_came() {
        let text: Vec<u8> = (0..3000).flat_map(line).collect();
        let mut whole = Tally::default();
        whole.add(&text);
        let whole = whole.seal("a", "t");
        assert_eq!((whole.lines, whole.bytes), (3000, text.len() as u64));
        assert_eq!(whole.blocks.len(), 3);
        assert_eq!(whole.from, "2026-11-21T10:00:00.000Z");
        assert_eq!(whole.blake3, blake3::hash(&text).to_hex().as_str());
        for size in [1, 7, 1000] {
            let mut cut = Tally::default();
            text.chunks(size).for_each(|piece| cut.add(piece));
            assert_eq!(cut.seal("a", "t"), whole, "pieces of {size}");
        }
    }

    #[test]
    fn change_shows_in_its_block_alone() {
        let mut text: Vec<u8> = (0..3000).flat_map(line).collect();
        let seal = |text: &[u8]| {
            let mut tally = Tally::default();
            tally.add(text);
            tally.seal("a", "t")
        };
        let before = seal(&text);
        let place = text.iter().rposition(|byte| *byte == b'1').expect("a digit");
        text[place] = b'2';
        let after = seal(&text);
        assert_ne!(before.blake3, after.blake3);
        assert_eq!(before.blocks[..2], after.blocks[..2]);
        assert_ne!(before.blocks[2], after.blocks[2]);
    }

    #[test]
    fn every_row_names_the_one_before() {
        let folder = tempfile::tempdir().expect("folder");
        let log = folder.path().join("access.log");
        for number in 0..40 {
            let mut tally = Tally::default();
            (0..40).for_each(|_| tally.add(&line(number)));
            let seal = tally.seal(&format!("access.log.{number}"), "");
            append(&log, Event::Sealed(seal)).expect("appended");
        }
        let text = std::fs::read(path_of(&log)).expect("it is there");
        let mut prev = String::new();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let row: Row = serde_json::from_slice(line).expect("a row");
            assert_eq!(row.prev, prev);
            prev = line_hash(line);
        }
    }
}
