//! Where each block is: a table in memory, and its image on disk.
//!
//! Readers ask only the table, so a lookup costs no input or output, a miss least of all. The price is
//! about 50 bytes of memory a block. The image is written at checkpoints; what came after the last
//! one is read again from the segments.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ipfs::Multihash;
use parking_lot::RwLock;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

/// The place and size of each block, by its binary multihash.
const BLOCKS: TableDefinition<'_, &[u8], (u32, u32, u32)> = TableDefinition::new("blocks");
/// How far each segment is covered by [`BLOCKS`]; a segment that is not here is not part of the
/// store.
const MARKS: TableDefinition<'_, u32, u64> = TableDefinition::new("marks");
/// Memory for pages of the image; it is read once and then only written.
const CACHE_BYTES: usize = 16 * 1024 * 1024;
/// Parts of the table, each under its own lock.
const SHARDS: usize = 64;

/// Where a record begins, and how long its data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) segment: u32,
    pub(super) offset: u32,
    pub(super) data_bytes: u32,
}

/// A key is spread well already: its low half is its hash.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

pub(super) type Places = HashMap<u128, Location, BuildHasherDefault<Spread>>;

/// The table in memory.
///
/// Keyed by 128 bits of a hash of the multihash that is secret to the process: the digest itself
/// will not do, since a stranger chooses it and may cut it short.
#[derive(Debug)]
pub(super) struct Table {
    secrets: [RandomState; 2],
    shards: Vec<RwLock<Places>>,
    blocks: AtomicU64,
    bytes: AtomicU64,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            secrets: [RandomState::new(), RandomState::new()],
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            blocks: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    pub(super) fn key(&self, hash: &Multihash) -> u128 {
        self.key_of(&hash.to_bytes())
    }

    pub(super) fn key_of(&self, hash: &[u8]) -> u128 {
        let [low, high] = &self.secrets;
        u128::from(low.hash_one(hash)) | (u128::from(high.hash_one(hash)) << 64)
    }

    pub(super) fn find(&self, key: u128) -> Option<Location> {
        self.shard(key).read().get(&key).copied()
    }

    pub(super) fn insert(&self, key: u128, at: Location) {
        let before = self.shard(key).write().insert(key, at);
        self.blocks.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(u64::from(at.data_bytes), Ordering::Relaxed);
        self.forget(before);
    }

    /// Removes a block if it is still where it was seen.
    pub(super) fn remove(&self, key: u128, at: Location) -> bool {
        let mut shard = self.shard(key).write();
        let found = shard.get(&key) == Some(&at);
        let before = found.then(|| shard.remove(&key)).flatten();
        drop(shard);
        self.forget(before);
        found
    }

    pub(super) fn blocks(&self) -> u64 {
        self.blocks.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn forget(&self, before: Option<Location>) {
        if let Some(before) = before {
            self.blocks.fetch_sub(1, Ordering::Relaxed);
            self.bytes.fetch_sub(u64::from(before.data_bytes), Ordering::Relaxed);
        }
    }

    fn shard(&self, key: u128) -> &RwLock<Places> {
        let at = usize::try_from(key >> 122).expect("six bits");
        &self.shards[at]
    }
}

/// A block that came to a place, or went.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) key: Box<[u8]>,
    pub(super) to: Option<Location>,
}

/// The image on disk.
///
/// A database that once failed to write refuses everything, so it is opened again before the next
/// use: a disk that was full must not need a restart.
#[derive(Debug)]
pub(super) struct Image {
    path: PathBuf,
    database: Option<Database>,
}

impl Image {
    pub(super) fn open(path: &Path) -> Result<Self, redb::Error> {
        let mut image = Self { path: path.to_owned(), database: None };
        image.database()?;
        Ok(image)
    }

    /// Reads every block.
    pub(super) fn blocks(
        &mut self,
        mut see: impl FnMut(&[u8], Location),
    ) -> Result<(), redb::Error> {
        let reading = self.database()?.begin_read()?;
        for entry in reading.open_table(BLOCKS)?.iter()? {
            let (key, place) = entry?;
            let (segment, offset, data_bytes) = place.value();
            see(key.value(), Location { segment, offset, data_bytes });
        }
        Ok(())
    }

    /// Reads how far each segment is covered.
    pub(super) fn marks(&mut self) -> Result<HashMap<u32, u64>, redb::Error> {
        let reading = self.database()?.begin_read()?;
        let mut marks = HashMap::new();
        for entry in reading.open_table(MARKS)?.iter()? {
            let (segment, covered) = entry?;
            marks.insert(segment.value(), covered.value());
        }
        Ok(marks)
    }

    /// Makes changes durable, all or none. What they point to must be durable before.
    pub(super) fn commit<'a>(
        &mut self,
        changes: impl IntoIterator<Item = &'a Change>,
        marks: &[(u32, u64)],
    ) -> Result<(), redb::Error> {
        let done = self.try_commit(changes, marks);
        if done.is_err() {
            self.database = None;
        }
        done
    }

    fn try_commit<'a>(
        &mut self,
        changes: impl IntoIterator<Item = &'a Change>,
        marks: &[(u32, u64)],
    ) -> Result<(), redb::Error> {
        let mut writing = self.database()?.begin_write()?;
        writing.set_durability(Durability::Immediate)?;
        writing.set_quick_repair(true);
        {
            let mut blocks = writing.open_table(BLOCKS)?;
            for change in changes {
                match change.to {
                    Some(at) => {
                        let place = (at.segment, at.offset, at.data_bytes);
                        drop(blocks.insert(&*change.key, place)?);
                    }
                    None => drop(blocks.remove(&*change.key)?),
                }
            }
            let mut covered = writing.open_table(MARKS)?;
            for (segment, length) in marks {
                covered.insert(*segment, *length)?;
            }
        }
        writing.commit()?;
        Ok(())
    }

    fn database(&mut self) -> Result<&Database, redb::Error> {
        if self.database.is_none() {
            let opened = Database::builder().set_cache_size(CACHE_BYTES).create(&self.path)?;
            let mut making = opened.begin_write()?;
            // Without it this commit would throw away what spares the next opening a full repair.
            making.set_quick_repair(true);
            making.open_table(BLOCKS)?;
            making.open_table(MARKS)?;
            making.commit()?;
            self.database = Some(opened);
        }
        Ok(self.database.as_ref().expect("opened above"))
    }
}
