//! Opens a store, whatever state it was left in.
//!
//! The image of the index is trusted as far as its marks go; what segments hold behind them is read
//! record by record, and a torn end is cut off. A lost image is made anew from the segments alone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipfs::Multihash;
use tracing::{info, warn};

use super::index::{Change, Image, Location, Table};
use super::metrics::Metrics;
use super::record::{self, Kind, Record};
use super::segment::{self, IMPORT, PACK};
use super::writer::Active;
use super::{Config, OpenError};

/// A store as it was found.
pub(super) struct Found {
    pub(super) lock: File,
    pub(super) table: Table,
    pub(super) image: Image,
    pub(super) active: Option<Active>,
    pub(super) next: u32,
    /// What the image does not know yet.
    pub(super) changes: Vec<Change>,
    pub(super) marks: HashMap<u32, u64>,
}

pub(super) fn open(config: &Config, metrics: &Metrics) -> Result<Found, OpenError> {
    let dir = &config.dir;
    std::fs::create_dir_all(dir).map_err(at(dir))?;
    let lock = lock(dir)?;
    let (mut image, covered) = open_image(&dir.join("index.redb"))?;
    let (lengths, next) = settle(dir, &covered)?;
    let next = covered.keys().max().map_or(next, |last| next.max(last + 1));
    let mut replay = Replay { table: Table::new(), changes: Vec::new(), dead: HashSet::new() };
    replay.load(&mut image, &lengths).map_err(|source| index_error(dir, source))?;
    let mut marks = HashMap::new();
    let mut active = None;
    let last = lengths.keys().next_back().copied();
    for (id, length) in &lengths {
        let from = covered.get(id).copied().unwrap_or(0);
        let path = segment::path(dir, *id, PACK);
        let mut open = OpenOptions::new();
        let file = open.read(true).write(true).open(&path).map_err(at(&path))?;
        let mut end = (*length).min(from);
        if *length < from {
            // The file lost its end. What comes next begins before the old mark, so a new one is due.
            marks.insert(*id, *length);
        }
        if *length > from {
            end = replay.segment(*id, &file, from, *length).map_err(at(&path))?;
            marks.insert(*id, *length);
        }
        if last == Some(*id) {
            if end < *length {
                warn!(segment = id, bytes = length - end, "cut off the torn end of a segment");
                metrics.cut_bytes.inc_by(length - end);
                file.set_len(end).map_err(at(&path))?;
                marks.insert(*id, end);
            }
            file.sync_data().map_err(at(&path))?;
            active = Some(Active { id: *id, file: Arc::new(file), length: end });
        }
    }
    let Replay { table, changes, .. } = replay;
    info!(blocks = table.blocks(), bytes = table.bytes(), replayed = changes.len(), "store opened");
    Ok(Found { lock, table, image, active, next, changes, marks })
}

struct Replay {
    table: Table,
    changes: Vec<Change>,
    /// Places that a tombstone named before they were met.
    dead: HashSet<(u32, u32)>,
}

impl Replay {
    /// Takes from the image what has its segment; the rest is to be forgotten.
    fn load(&mut self, image: &mut Image, lengths: &BTreeMap<u32, u64>) -> Result<(), redb::Error> {
        let Self { table, changes, .. } = self;
        image.blocks(|key, at| {
            let whole = Multihash::from_bytes(key).is_ok_and(|hash| {
                let end = u64::from(at.offset) + record::bytes(&hash, at.data_bytes);
                lengths.get(&at.segment).is_some_and(|length| *length >= end)
            });
            if whole {
                table.insert(table.key_of(key), at);
            } else {
                changes.push(Change { key: key.into(), to: None });
            }
        })
    }

    /// Reads what a segment holds behind its mark; returns where its last whole record ends.
    fn segment(&mut self, id: u32, file: &File, from: u64, length: u64) -> io::Result<u64> {
        let end = record::scan(file, from, length, |record| self.record(id, record))?;
        file.sync_data()?;
        Ok(end)
    }

    fn record(&mut self, segment: u32, record: Record) {
        let key = self.table.key_of(&record.key);
        let change = |to| Change { key: record.key.clone().into_boxed_slice(), to };
        match (record.kind, record.target) {
            (Kind::Block, _) => {
                let to = Location { segment, offset: record.offset, data_bytes: record.data_bytes };
                if record.sound && !self.dead.contains(&(segment, record.offset)) {
                    self.table.insert(key, to);
                    self.changes.push(change(Some(to)));
                }
            }
            (Kind::Tombstone, Some(target)) => {
                self.dead.insert(target);
                let found = self.table.find(key);
                if let Some(found) = found.filter(|at| (at.segment, at.offset) == target) {
                    self.table.remove(key, found);
                    self.changes.push(change(None));
                }
            }
            (Kind::Tombstone, None) => {}
        }
    }
}

/// Finishes imports that were committed and removes the others; returns the length of each segment
/// and the first number that is free.
fn settle(dir: &Path, covered: &HashMap<u32, u64>) -> Result<(BTreeMap<u32, u64>, u32), OpenError> {
    let mut lengths = BTreeMap::new();
    let mut next = 1;
    for entry in std::fs::read_dir(dir).map_err(at(dir))? {
        let path = entry.map_err(at(dir))?.path();
        let Some((id, extension)) = segment::parse_name(&path) else { continue };
        let path = match extension {
            PACK => path.clone(),
            IMPORT if covered.contains_key(&id) => {
                let whole = segment::path(dir, id, PACK);
                std::fs::rename(&path, &whole).map_err(at(&path))?;
                whole
            }
            IMPORT => {
                info!(file = %path.display(), "removed what was left of an import");
                std::fs::remove_file(&path).map_err(at(&path))?;
                continue;
            }
            _ => continue,
        };
        next = next.max(id.saturating_add(1));
        lengths.insert(id, std::fs::metadata(&path).map_err(at(&path))?.len());
    }
    Ok((lengths, next))
}

fn open_image(path: &Path) -> Result<(Image, HashMap<u32, u64>), OpenError> {
    let open = || -> Result<_, redb::Error> {
        let mut image = Image::open(path)?;
        let marks = image.marks()?;
        image.blocks(|_, _| {})?;
        Ok((image, marks))
    };
    open().or_else(|error| {
        if !is_damage(&error) {
            return Err(index_error(path, error));
        }
        warn!(%error, "the index is damaged and is made anew from the segments");
        let aside = path.with_extension("damaged");
        std::fs::rename(path, &aside).map_err(at(path))?;
        open().map_err(|error| index_error(path, error))
    })
}

/// Whether an index cannot be read because of what is in it, rather than because of its disk.
fn is_damage(error: &redb::Error) -> bool {
    if let redb::Error::Io(error) = error {
        return matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof);
    }
    matches!(
        error,
        redb::Error::Corrupted(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }
    )
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("LOCK");
    let file = OpenOptions::new().create(true).write(true).truncate(false).open(&path);
    let file = file.map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> OpenError {
    let path: PathBuf = path.to_owned();
    move |source| OpenError::Io { path: path.clone(), source }
}

fn index_error(path: &Path, source: redb::Error) -> OpenError {
    OpenError::Index { path: path.to_owned(), source: Box::new(source) }
}
