//! Follows lists: files by their date and size, servers by asking for what was appended.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use ipfs::denylist::{Feed, List};
use telemetry::Tasks;
use tokio::time::Instant;
use tracing::warn;

mod remote;

use remote::Remote;

use super::{Config, InForce, Metrics};

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

/// The sources, in their order.
pub(super) struct Follower {
    sources: Vec<(State, bool)>,
    bytes_max: u64,
    tasks: Tasks,
    metrics: Metrics,
    /// When each source was last found to be as it is.
    seen: Vec<Instant>,
}

impl Follower {
    pub(super) fn new(config: &Config, tasks: &Tasks, metrics: Metrics) -> Result<Self, String> {
        let mut sources = Vec::new();
        for source in &config.lists {
            let state = match (&source.file, &source.url) {
                (Some(path), _) => State::Files { path: path.clone(), files: Vec::new() },
                (None, Some(url)) => State::Remote(Box::new(Remote::new(url, config, tasks)?)),
                (None, None) => continue,
            };
            sources.push((state, source.dry_run));
        }
        let seen = vec![Instant::now(); sources.len()];
        let bytes_max = config.list_bytes_max.as_u64();
        Ok(Self { sources, bytes_max, tasks: tasks.clone(), metrics, seen })
    }

    /// Reads every list for the first time.
    ///
    /// # Errors
    /// A text that names the list that cannot be read, and why.
    pub(super) async fn read_all(&mut self) -> Result<(), String> {
        for index in 0..self.sources.len() {
            self.read(index).await.map_err(|why| format!("denylist.lists[{index}]: {why}"))?;
        }
        self.measure();
        Ok(())
    }

    /// Looks for changes; returns whether there are any.
    pub(super) async fn look(&mut self) -> bool {
        let mut changed = false;
        for index in 0..self.sources.len() {
            match self.read(index).await {
                Ok(is_new) => changed |= is_new,
                Err(error) => {
                    self.metrics.failures.inc();
                    warn!(list = index, error, "denylist cannot be read, the one before stays");
                }
            }
        }
        self.measure();
        changed
    }

    /// What is in force.
    pub(super) fn in_force(&self) -> Vec<InForce> {
        let mut lists = Vec::new();
        for (state, dry_run) in &self.sources {
            let mut add = |list: &Arc<List>| {
                let (name, list) = (list.name().into(), Arc::clone(list));
                lists.push(InForce { name, list, dry_run: *dry_run });
            };
            match state {
                State::Files { files, .. } => files.iter().for_each(|file| add(&file.list)),
                State::Remote(remote) => remote.list().into_iter().for_each(add),
            }
        }
        lists
    }

    /// Reads one source as far as it changed; returns whether it did.
    async fn read(&mut self, index: usize) -> Result<bool, String> {
        let (state, _) = &mut self.sources[index];
        let changed = match state {
            State::Remote(remote) => remote.read().await?,
            State::Files { path, files } => {
                let (path, known) = (path.clone(), std::mem::take(files));
                let before = known.len();
                let bytes_max = self.bytes_max;
                let work = move || read_files(&path, known, bytes_max);
                let read = self.tasks.spawn_blocking("denylist", work).await;
                let (read, error, mut changed) = read.map_err(|error| error.to_string())?;
                changed |= read.len() != before;
                *files = read;
                if let Some(error) = error {
                    return Err(error);
                }
                changed
            }
        };
        self.seen[index] = Instant::now();
        Ok(changed)
    }

    fn measure(&self) {
        let lists = self.in_force();
        let count = |of: fn(&List) -> u64| lists.iter().map(|in_force| of(&in_force.list)).sum();
        self.metrics.set(count(List::lines), count(|list| list.skipped().lines));
        let ages = self.seen.iter().map(|seen| seen.elapsed());
        self.metrics.set_age(ages.max().unwrap_or_default());
    }
}

/// Reads a file or a folder's files anew where they changed. What cannot be read stays as it was.
fn read_files(
    path: &Path,
    mut known: Vec<File>,
    bytes_max: u64,
) -> (Vec<File>, Option<String>, bool) {
    let paths = match paths(path) {
        Ok(paths) => paths,
        Err(error) => return (known, Some(error), false),
    };
    let (mut files, mut failed, mut changed) = (Vec::new(), None, false);
    for path in paths {
        let before =
            known.iter().position(|file| file.path == path).map(|at| known.swap_remove(at));
        match read_file(&path, before.as_ref(), bytes_max) {
            Ok(Some(file)) => {
                changed = true;
                files.push(file);
            }
            Ok(None) => files.extend(before),
            Err(error) => {
                failed = Some(format!("{}: {error}", path.display()));
                files.extend(before);
            }
        }
    }
    (files, failed, changed)
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
