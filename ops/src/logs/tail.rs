//! `logs tail -f`: records as they come, of all logs at once, through every rotation.
//!
//! Files are looked at several times a second. A file that was put aside is read to its end under the
//! handle that is open, then its successor from the start: nothing is missed, nothing is said twice.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::{LogsError, at};
use super::filter::Filter;
use super::record;
use super::sources::{self, Environment, Kind};

/// Longest line without its end that is waited for.
const LINE_BYTES_MAX: usize = 128 * 1024;
/// Most bytes that are read of one log at a time.
const READ_BYTES: u64 = 4 * 1024 * 1024;

/// Where each log was read to.
pub(crate) struct Tail {
    environments: Vec<(String, PathBuf)>,
    kind: Kind,
    logs: BTreeMap<PathBuf, Follow>,
}

struct Follow {
    env: String,
    file: File,
    inode: u64,
    /// The start of a line whose end is not there yet.
    rest: Vec<u8>,
}

impl Tail {
    /// Begins at the end of what there is.
    ///
    /// # Errors
    /// `Elsewhere` for an environment that is not on this machine, `File` when one cannot be read.
    pub(crate) fn begin(environments: &[Environment], kind: Kind) -> Result<Self, LogsError> {
        let mut folders = Vec::new();
        for Environment { name, source } in environments {
            let folder = source.folder.clone().ok_or_else(|| {
                LogsError::Elsewhere(name.clone(), "only logs on this machine can be followed")
            })?;
            folders.push((name.clone(), folder));
        }
        let mut tail = Self { environments: folders, kind, logs: BTreeMap::new() };
        tail.look(true)?;
        Ok(tail)
    }

    /// What has come since, in the order of its time; also of logs that are new.
    ///
    /// # Errors
    /// `File` when a folder or log cannot be read.
    pub(crate) fn poll(&mut self, filter: &Filter) -> Result<Vec<(String, String)>, LogsError> {
        let mut found = Vec::new();
        for (path, follow) in &mut self.logs {
            follow.read(path, filter, &mut found).map_err(at(path))?;
        }
        self.look(false)?;
        found.sort_by(|a: &(String, String), b| a.1[..].cmp(&b.1[..]));
        Ok(found)
    }

    /// Finds logs that are not followed yet.
    fn look(&mut self, at_end: bool) -> Result<(), LogsError> {
        for (env, folder) in &self.environments {
            for log in sources::logs(folder)? {
                let log = match self.kind {
                    Kind::Records => log,
                    Kind::Clear => crate::whole::beside(&log, ".clear"),
                };
                if self.logs.contains_key(&log) || !log.exists() {
                    continue;
                }
                let follow = Follow::open(env, &log, at_end).map_err(at(&log))?;
                self.logs.insert(log, follow);
            }
        }
        Ok(())
    }
}

impl Follow {
    fn open(env: &str, path: &Path, at_end: bool) -> io::Result<Self> {
        let mut file = File::open(path)?;
        if at_end {
            file.seek(SeekFrom::End(0))?;
        }
        let inode = file.metadata()?.ino();
        Ok(Self { env: env.to_owned(), file, inode, rest: Vec::new() })
    }

    fn read(
        &mut self,
        path: &Path,
        filter: &Filter,
        found: &mut Vec<(String, String)>,
    ) -> io::Result<()> {
        // Looked at before reading: what was put aside by then gets no further line.
        let at_path = std::fs::metadata(path);
        self.drain(filter, found)?;
        match at_path {
            Ok(data) if data.ino() != self.inode => {
                *self = Self::open(&self.env, path, false)?;
                self.drain(filter, found)
            }
            // It was begun again in its place.
            Ok(data) if data.len() < self.file.stream_position()? => {
                self.rest.clear();
                self.file.rewind()?;
                self.drain(filter, found)
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn drain(&mut self, filter: &Filter, found: &mut Vec<(String, String)>) -> io::Result<()> {
        while self.file.by_ref().take(READ_BYTES).read_to_end(&mut self.rest)? > 0 {
            let whole = memchr::memrchr(b'\n', &self.rest).map_or(0, |place| place + 1);
            for line in self.rest[..whole].split(|byte| *byte == b'\n') {
                if record::is_record(line) && filter.takes(line) {
                    found.push((self.env.clone(), String::from_utf8_lossy(line).into_owned()));
                }
            }
            self.rest.drain(..whole);
            if self.rest.len() > LINE_BYTES_MAX {
                self.rest.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::time::SystemTime;

    use super::*;
    use crate::logs::fixture::{Folder, Made};

    fn append(path: &Path, number: u64) {
        let mut text = String::new();
        Made::ok(number).line(&mut text);
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("opened");
        file.write_all(text.as_bytes()).expect("written");
    }

    fn ids(found: &[(String, String)]) -> Vec<u64> {
        let id = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            u64::from_str_radix(value["req_id"].as_str().expect("text"), 16).expect("a number")
        };
        found.iter().map(|(_, line)| id(line)).collect()
    }

    #[test]
    fn rotation_loses_nothing_and_repeats_nothing() {
        let folder = Folder::new();
        let log = folder.0.path().join("gateway-0.access.log");
        append(&log, 1);
        let everything = Filter::parse("", SystemTime::now()).expect("a filter");
        let mut tail = Tail::begin(&[folder.environment("local")], Kind::Records).expect("begun");
        assert!(tail.poll(&everything).expect("read").is_empty(), "it begins at the end");
        append(&log, 2);
        assert_eq!(ids(&tail.poll(&everything).expect("read")), [2]);
        append(&log, 3);
        fs::rename(&log, folder.0.path().join("gateway-0.access.log.20261121T100000000Z"))
            .expect("put aside");
        append(&log, 4);
        append(&folder.0.path().join("node-0.access.log"), 5);
        let mut all = ids(&tail.poll(&everything).expect("read"));
        all.extend(ids(&tail.poll(&everything).expect("read")));
        assert_eq!(all, [3, 4, 5]);
        assert!(tail.poll(&everything).expect("read").is_empty());
    }

    #[test]
    fn half_a_line_is_waited_for() {
        let folder = Folder::new();
        let log = folder.0.path().join("gateway-0.access.log");
        fs::write(&log, "").expect("written");
        let everything = Filter::parse("", SystemTime::now()).expect("a filter");
        let mut tail = Tail::begin(&[folder.environment("local")], Kind::Records).expect("begun");
        let mut text = String::new();
        Made::ok(9).line(&mut text);
        fs::write(&log, &text[..100]).expect("written");
        assert!(tail.poll(&everything).expect("read").is_empty());
        fs::write(&log, &text).expect("written");
        assert_eq!(ids(&tail.poll(&everything).expect("read")), [9]);
    }
}
