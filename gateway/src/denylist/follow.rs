//! Follows one source of lists: files by their date and size, a server by what was appended.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use ipfs::denylist::{Feed, List};
use telemetry::Tasks;
use tracing::warn;

mod remote;

use remote::Remote;

use super::{Config, Source};

/// Bytes of a file that are read at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// What a file is known by: a file that was replaced or written has another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

/// A list in a file.
#[derive(Debug, Clone)]
struct File {
    path: PathBuf,
    stamp: Stamp,
    list: Arc<List>,
}

/// Where a source's lists come from, and what they said last.
enum State {
    /// A file, or the files of a folder.
    Files { path: PathBuf, files: Vec<File> },
    /// A server.
    Remote(Box<Remote>),
}

/// One source.
pub(super) struct Follower {
    state: State,
    bytes_max: u64,
    tasks: Tasks,
}

/// What a look at a source found.
#[derive(Debug)]
pub(super) struct Look {
    /// Whether some list changed, whatever went wrong with another.
    pub(super) changed: bool,
    /// What could not be read, and stays as it was.
    pub(super) error: Option<String>,
}

impl Follower {
    pub(super) fn new(source: &Source, config: &Config, tasks: &Tasks) -> Result<Self, String> {
        let state = match (&source.file, &source.url) {
            (Some(path), _) => State::Files { path: path.clone(), files: Vec::new() },
            (None, Some(url)) => State::Remote(Box::new(Remote::new(url, config, tasks)?)),
            (None, None) => return Err("has neither a file nor a url".to_owned()),
        };
        Ok(Self { state, bytes_max: config.list_bytes_max.as_u64(), tasks: tasks.clone() })
    }

    /// What is in force.
    pub(super) fn lists(&self) -> Vec<Arc<List>> {
        match &self.state {
            State::Files { files, .. } => files.iter().map(|file| Arc::clone(&file.list)).collect(),
            State::Remote(remote) => remote.list().into_iter().cloned().collect(),
        }
    }

    /// Reads the source as far as it changed.
    pub(super) async fn look(&mut self) -> Look {
        match &mut self.state {
            State::Remote(remote) => match remote.read().await {
                Ok(changed) => Look { changed, error: None },
                Err(error) => Look { changed: false, error: Some(error) },
            },
            State::Files { path, files } => {
                let (path, known, bytes_max) = (path.clone(), files.clone(), self.bytes_max);
                let work = move || read_files(&path, known, bytes_max);
                match self.tasks.spawn_blocking("denylist", work).await {
                    Ok((read, look)) => {
                        *files = read;
                        look
                    }
                    Err(error) => Look { changed: false, error: Some(error.to_string()) },
                }
            }
        }
    }
}

/// Reads a file or a folder's files anew where they changed. What cannot be read stays as it was.
fn read_files(path: &Path, mut known: Vec<File>, bytes_max: u64) -> (Vec<File>, Look) {
    let before = known.len();
    let paths = match paths(path) {
        Ok(paths) => paths,
        Err(error) => return (known, Look { changed: false, error: Some(error) }),
    };
    let (mut files, mut look) = (Vec::new(), Look { changed: false, error: None });
    for path in paths {
        let known = known.iter().position(|file| file.path == path).map(|at| known.swap_remove(at));
        match read_file(&path, known.as_ref(), bytes_max) {
            Ok(Some(file)) => {
                look.changed = true;
                files.push(file);
            }
            Ok(None) => files.extend(known),
            Err(error) => {
                look.error = Some(format!("{}: {error}", path.display()));
                files.extend(known);
            }
        }
    }
    look.changed |= files.len() != before;
    (files, look)
}

/// The files of a source: itself, or those of a folder.
fn paths(path: &Path) -> Result<Vec<PathBuf>, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
    if !std::fs::metadata(path).map_err(wrong)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path.extension().is_some_and(|extension| extension == "deny") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads a file unless it is the one that is known.
fn read_file(path: &Path, known: Option<&File>, bytes_max: u64) -> Result<Option<File>, String> {
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;

    let text = |error: std::io::Error| error.to_string();
    let mut file = std::fs::File::open(path).map_err(text)?;
    let metadata = file.metadata().map_err(text)?;
    let stamp =
        Stamp { modified: metadata.modified().ok(), bytes: metadata.len(), inode: metadata.ino() };
    if known.is_some_and(|known| known.stamp == stamp) {
        return Ok(None);
    }
    if stamp.bytes > bytes_max {
        return Err(format!("has {} bytes, and the limit is {bytes_max}", stamp.bytes));
    }
    let name = path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into());
    let mut feed = Feed::new(name);
    feed.expect_bytes(stamp.bytes);
    let mut piece = vec![0; PIECE_BYTES];
    let mut left = bytes_max;
    loop {
        let read = file.read(&mut piece).map_err(text)?;
        if read == 0 {
            break;
        }
        left = left.checked_sub(read as u64).ok_or("grew beyond the limit while it was read")?;
        feed.push(&piece[..read]).map_err(|error| error.to_string())?;
    }
    let list = feed.finish().map_err(|error| error.to_string())?;
    for (line, error) in &list.skipped().first {
        warn!(path = %path.display(), line, %error, "line of a denylist was skipped");
    }
    Ok(Some(File { path: path.to_path_buf(), stamp, list: Arc::new(list) }))
}
