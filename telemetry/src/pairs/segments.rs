//! Lines in files that are put aside by size and age, and deleted by age and count.
//!
//! The files are `<stem>.ndjson`, which is being written, and `<stem>.<time>.ndjson`, whose names never
//! change and sort by age. Only their owner may read them: some hold requests in clear text.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often it is looked for what is too old.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How the life of a line is divided: a file holds no more than this part of it, so that what is
/// deleted is no more than this much older than it may be.
pub const FILES_PER_LIFE: u32 = 8;

/// How long lines are kept, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a file that is put aside.
    pub file_bytes: u64,
    /// Files that are put aside; the oldest goes when there is one more.
    pub files: usize,
    /// How long a file that was put aside is kept.
    pub keep: Duration,
}

/// Lines of one kind.
#[derive(Debug)]
pub struct Segments {
    folder: PathBuf,
    stem: &'static str,
    bounds: Bounds,
    file: BufWriter<File>,
    bytes: u64,
    /// When the first line of the file was written.
    began: Option<SystemTime>,
    /// When it is looked for what is too old again.
    look_at: SystemTime,
}

impl Segments {
    /// Opens the file of a kind of lines in a folder, which is made if need be.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(
        folder: &Path,
        stem: &'static str,
        bounds: Bounds,
        now: SystemTime,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{stem}.ndjson"));
        let file = open(&path)?;
        let found = file.metadata()?;
        let bytes = found.len();
        let began = if bytes > 0 { Some(found.modified()?) } else { None };
        let file = BufWriter::new(file);
        let (folder, look_at) = (folder.to_owned(), UNIX_EPOCH);
        let mut this = Self { folder, stem, bounds, file, bytes, began, look_at };
        if bytes > 0 {
            // A process that was killed may have left half a line.
            this.file.write_all(b"\n")?;
        }
        this.tidy(now)?;
        Ok(this)
    }

    /// Takes other bounds; they hold from the next [`Segments::tidy`] on.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Writes a line, without its end. It is on disk after [`Segments::flush`].
    ///
    /// # Errors
    /// What the system says.
    pub fn append(&mut self, line: &[u8], now: SystemTime) -> io::Result<()> {
        if self.is_due(now) {
            self.put_aside(now)?;
        }
        self.began.get_or_insert(now);
        self.file.write_all(line)?;
        self.file.write_all(b"\n")?;
        self.bytes += line.len() as u64 + 1;
        Ok(())
    }

    /// Hands what was written to the system.
    ///
    /// # Errors
    /// What the system says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// Puts aside what is old or large enough, and deletes what was kept for long enough.
    ///
    /// # Errors
    /// What the system says.
    pub fn tidy(&mut self, now: SystemTime) -> io::Result<()> {
        self.flush()?;
        if self.is_due(now) {
            self.put_aside(now)?;
        }
        if now >= self.look_at { self.forget(now) } else { Ok(()) }
    }

    /// Deletes what is too old, and the oldest of what is too much.
    fn forget(&mut self, now: SystemTime) -> io::Result<()> {
        self.look_at = now + LOOK_EVERY;
        let aside = files(&self.folder, self.stem)?;
        let aside: Vec<_> = aside.into_iter().filter(|path| *path != self.path()).collect();
        let too_many = aside.len().saturating_sub(self.bounds.files);
        for (place, path) in aside.iter().enumerate() {
            let age = now.duration_since(fs::metadata(path)?.modified()?).unwrap_or_default();
            if place < too_many || age > self.bounds.keep {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn is_due(&self, now: SystemTime) -> bool {
        let life = self.bounds.keep / FILES_PER_LIFE;
        let age = self.began.and_then(|began| now.duration_since(began).ok());
        self.bytes >= self.bounds.file_bytes.max(1) || age.is_some_and(|age| age > life)
    }

    fn put_aside(&mut self, now: SystemTime) -> io::Result<()> {
        self.flush()?;
        let mut micros = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let aside = loop {
            let aside = self.folder.join(format!("{}.{micros:017}.ndjson", self.stem));
            if !aside.exists() {
                break aside;
            }
            micros += 1;
        };
        fs::rename(self.path(), aside)?;
        self.file = BufWriter::new(open(&self.path())?);
        (self.bytes, self.began) = (0, None);
        self.forget(now)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.ndjson", self.stem))
    }
}

/// The files of a kind of lines in a folder, the oldest first and the one that is being written last.
///
/// # Errors
/// What the system says of the folder.
fn files(folder: &Path, stem: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let rest = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(".ndjson"));
        let time = rest.and_then(|rest| rest.strip_prefix('.'));
        let is_time = time
            .is_some_and(|time| !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit()));
        if rest == Some("") || is_time {
            // One without a time sorts behind all that have one.
            found.push((rest == Some(""), path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { file_bytes: 10, files: 2, keep: Duration::from_secs(800) };

    /// Ages of files are those that the system gives them, so that time begins now.
    fn at(seconds: u64) -> SystemTime {
        SystemTime::now() + Duration::from_secs(seconds)
    }

    fn all(folder: &Path) -> Vec<String> {
        let files = files(folder, "pairs").expect("the folder is there");
        files.iter().map(|path| fs::read_to_string(path).expect("it can be read")).collect()
    }

    #[test]
    fn lines_are_put_aside_by_size_and_the_oldest_file_goes() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut lines = Segments::open(folder.path(), "pairs", BOUNDS, at(0)).expect("it opens");
        for line in ["first line", "second line", "third line", "fourth line"] {
            lines.append(line.as_bytes(), at(1)).expect("it is written");
        }
        lines.tidy(at(2)).expect("it tidies");
        assert_eq!(all(folder.path()), ["third line\n", "fourth line\n", ""]);
    }

    #[test]
    fn what_was_kept_for_long_enough_is_deleted() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut lines = Segments::open(folder.path(), "pairs", BOUNDS, at(0)).expect("it opens");
        lines.append(b"x", at(0)).expect("it is written");
        lines.tidy(at(99)).expect("it tidies");
        assert_eq!(all(folder.path()), ["x\n"]);
        lines.tidy(at(101)).expect("it tidies");
        assert_eq!(all(folder.path()), ["x\n", ""]);
        lines.tidy(at(801)).expect("it tidies");
        assert_eq!(all(folder.path()), [""]);
    }

    #[test]
    fn half_a_line_of_a_process_that_was_killed_spoils_no_other() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        fs::write(folder.path().join("pairs.ndjson"), "{\"v\":").expect("it is written");
        let bounds = Bounds { file_bytes: 1000, ..BOUNDS };
        let now = SystemTime::now();
        let mut lines = Segments::open(folder.path(), "pairs", bounds, now).expect("it opens");
        lines.append(b"whole", now).expect("it is written");
        lines.flush().expect("it is flushed");
        assert_eq!(all(folder.path()), ["{\"v\":\nwhole\n"]);
    }

    #[test]
    fn only_files_of_the_kind_are_found() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for name in ["pairs.ndjson", "pairs.12.ndjson", "pairs.old.ndjson", "pairs2.ndjson", "x"] {
            fs::write(folder.path().join(name), "").expect("it is written");
        }
        let found = files(folder.path(), "pairs").expect("the folder is there");
        let names: Vec<_> = found.iter().map(|path| path.file_name().expect("a name")).collect();
        assert_eq!(names, ["pairs.12.ndjson", "pairs.ndjson"]);
    }
}
