//! The key of the hashes: one a day (UTC), in memory, and overwritten when the day is over.
//!
//! With no file the key is drawn at random, so that nobody can make it again, and no two processes
//! share it. With a file several processes share one: the file holds a state from which the key of its
//! day follows, and that of later days, but not of earlier ones. Every process moves the file on when
//! its day is over, so that who takes it reads the future until it is replaced, and never the past.
//! Where it cannot be written (a mounted secret) the state stays and with it the past since: the price
//! of not writing, and told in the log.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::RwLock;

use super::{AccessError, stamp};

/// First word of the file.
const MAGIC: &str = "bifrost-access-key-1";
/// Most days that a state is moved on by: more is a clock or a file that is wrong.
const DAYS_MAX: u64 = 36_500;

type Key = [u8; 32];

/// The keys of one process.
pub(super) struct Keys {
    file: Option<PathBuf>,
    now: RwLock<Today>,
}

struct Today {
    day: u64,
    state: Key,
    /// Of the hashes in records.
    key: Key,
    /// Of the choice of samples.
    sample: Key,
}

/// The keys of a moment.
pub(super) struct Pair {
    pub(super) hashes: Key,
    pub(super) sample: Key,
}

impl Keys {
    /// The keys from a file, which is made when it is missing, or of this process alone.
    ///
    /// # Errors
    /// [`AccessError::Key`].
    pub(super) fn open(file: Option<&Path>, now: SystemTime) -> Result<Self, AccessError> {
        let today = day_of(now);
        let Some(path) = file else {
            return Ok(Self { file: None, now: RwLock::new(Today::random(today)) });
        };
        let failed = |problem| AccessError::Key { path: path.to_path_buf(), problem };
        let (day, state) = read_or_make(path, today).map_err(failed)?;
        if today.saturating_sub(day) > DAYS_MAX {
            return Err(failed(format!("its day lies more than {DAYS_MAX} days back")));
        }
        let mut found = Today::of(day, state, true);
        found.advance(today);
        let keys = Self { file: Some(path.to_path_buf()), now: RwLock::new(found) };
        keys.keep();
        Ok(keys)
    }

    /// The keys of this moment. A clock that goes back keeps the later day.
    pub(super) fn pair(&self, now: SystemTime) -> Pair {
        let day = day_of(now);
        let today = self.now.read();
        if today.day >= day {
            return Pair { hashes: today.key, sample: today.sample };
        }
        drop(today);
        self.roll(now);
        let today = self.now.read();
        Pair { hashes: today.key, sample: today.sample }
    }

    /// Leaves the key of a day that is over behind.
    pub(super) fn roll(&self, now: SystemTime) {
        let day = day_of(now);
        let mut today = self.now.write();
        if today.day >= day {
            return;
        }
        if self.file.is_some() {
            today.advance(day);
        } else {
            *today = Today::random(day);
        }
        drop(today);
        self.keep();
    }

    /// Moves the file on to the day in memory.
    fn keep(&self) {
        let Some(path) = &self.file else { return };
        let today = self.now.read();
        let kept = match read(path) {
            Ok((day, _)) if day >= today.day => Ok(()),
            Ok(_) => write(path, today.day, &today.state),
            Err(problem) => Err(io::Error::other(problem)),
        };
        if let Err(error) = kept {
            tracing::warn!(path = %path.display(), %error, "the key of past days stays on disk: \
                whoever reads it can join the access records since");
        }
    }
}

impl Today {
    fn random(day: u64) -> Self {
        Self::of(day, rand::random(), false)
    }

    /// What follows from a state. Processes that do not share it choose samples by a fixed key, so
    /// that they choose alike.
    fn of(day: u64, state: Key, shared: bool) -> Self {
        let sample = if shared {
            blake3::derive_key("bifrost access log v1 choice of samples", &state)
        } else {
            blake3::derive_key("bifrost access log v1 choice of samples", b"")
        };
        let key = blake3::derive_key("bifrost access log v1 key of a day", &state);
        Self { day, state, key, sample }
    }

    fn advance(&mut self, day: u64) {
        while self.day < day {
            let next = blake3::derive_key("bifrost access log v1 next day", &self.state);
            *self = Self::of(self.day + 1, next, true);
        }
    }
}

fn day_of(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / stamp::DAY
}

fn read_or_make(path: &Path, today: u64) -> Result<(u64, Key), String> {
    if !path.exists() {
        // Whoever is first makes it; the others read what that one made.
        match make(path, today, &rand::random()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("could not make it: {error}")),
        }
    }
    read(path)
}

fn read(path: &Path) -> Result<(u64, Key), String> {
    let text = fs::read_to_string(path).map_err(|error| format!("could not read it: {error}"))?;
    let mut words = text.split_whitespace();
    let mut key = [0; 32];
    let is_ours = words.next() == Some(MAGIC);
    let day = words.next().and_then(|day| day.parse().ok());
    let state = words.next().and_then(|state| hex::decode_to_slice(state, &mut key).ok());
    match (is_ours, day, state, words.next()) {
        (true, Some(day), Some(()), None) => Ok((day, key)),
        _ => Err(format!("line 1 is not `{MAGIC} DAY STATE`: remove it to have another made")),
    }
}

/// Makes the file as a whole, unless there is one.
fn make(path: &Path, day: u64, state: &Key) -> io::Result<()> {
    let half = half_of(path);
    write_to(&half, day, state)?;
    let made = fs::hard_link(&half, path);
    fs::remove_file(&half)?;
    made
}

/// Puts the file in the place of the one before.
fn write(path: &Path, day: u64, state: &Key) -> io::Result<()> {
    let half = half_of(path);
    write_to(&half, day, state)?;
    fs::rename(&half, path)
}

fn write_to(path: &Path, day: u64, state: &Key) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(format!("{MAGIC} {day} {}\n", hex::encode(state)).as_bytes())?;
    file.sync_all()
}

fn half_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".half-{}", std::process::id()));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(day: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(day * stamp::DAY + 7)
    }

    #[test]
    fn key_of_one_process_changes_every_day_and_no_other_has_it() {
        let (one, two) = (Keys::open(None, at(20_000)), Keys::open(None, at(20_000)));
        let (one, two) = (one.expect("a key"), two.expect("a key"));
        let first = one.pair(at(20_000));
        assert_eq!(first.hashes, one.pair(at(20_000)).hashes);
        assert_ne!(first.hashes, two.pair(at(20_000)).hashes);
        assert_eq!(first.sample, two.pair(at(20_000)).sample, "samples are chosen alike");
        assert_ne!(first.hashes, one.pair(at(20_001)).hashes);
        let back = one.pair(at(20_000));
        assert_eq!(back.hashes, one.pair(at(20_001)).hashes, "the day before is gone");
    }

    #[test]
    fn processes_with_one_file_share_the_key_of_every_day() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("access.key");
        let one = Keys::open(Some(&path), at(20_000)).expect("a key");
        let two = Keys::open(Some(&path), at(20_000)).expect("a key");
        for day in [20_000, 20_001, 20_009] {
            assert_eq!(one.pair(at(day)).hashes, two.pair(at(day)).hashes);
            assert_eq!(one.pair(at(day)).sample, two.pair(at(day)).sample);
        }
        let late = Keys::open(Some(&path), at(20_009)).expect("a key");
        assert_eq!(late.pair(at(20_009)).hashes, one.pair(at(20_009)).hashes);
    }

    #[test]
    fn key_of_a_day_that_is_over_cannot_be_made_from_the_file() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("access.key");
        let keys = Keys::open(Some(&path), at(20_000)).expect("a key");
        let (before, yesterday) = (fs::read(&path).expect("it is there"), keys.pair(at(20_000)));
        keys.roll(at(20_001));
        assert_ne!(fs::read(&path).expect("it is there"), before, "the state was moved on");
        assert!(read(&path).expect("a state").0 == 20_001);
        let thief = Keys::open(Some(&path), at(20_000)).expect("a key");
        assert_ne!(thief.pair(at(20_000)).hashes, yesterday.hashes);
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(&path).expect("it is there").permissions(),
        );
        assert_eq!(mode & 0o077, 0, "nobody else reads it");
    }

    #[test]
    fn file_that_is_no_key_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("access.key");
        for text in ["", "secret", "bifrost-access-key-1 20000 abcd", "bifrost-access-key-1 1 "] {
            fs::write(&path, text).expect("written");
            let error = Keys::open(Some(&path), at(20_000)).err().expect("refused").to_string();
            assert!(error.contains("access.key") && error.contains("line 1"), "{error}");
        }
        fs::write(&path, format!("{MAGIC} 1 {}\n", "00".repeat(32))).expect("written");
        let error = Keys::open(Some(&path), at(60_000)).err().expect("refused").to_string();
        assert!(error.contains("days back"), "{error}");
    }
}
