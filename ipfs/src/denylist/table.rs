//! What a list keeps of its rules: 16 bytes of hash, a line number and a mark for each.
//!
//! No text of a rule is kept, so a million rules take some 50 MiB, 25 bytes for each slot of a
//! table that is between 7/16 and 7/8 full. Two rules share a key with a chance of 2^-128 for each
//! pair, which is why half a digest is enough.

use std::collections::HashMap;
use std::sync::Arc;

/// Most distinct marks; the reasons of further ones are dropped, their rules are not.
const MARKS_MAX: usize = 4096;

/// Half a BLAKE3 digest of what a rule is about.
pub(super) type Key = [u8; 16];

/// What kinds of keys there are, so that none is taken for another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A root and a path.
    Exact = 1,
    /// A root and how a path begins.
    Prefix = 2,
    /// A root that some rule of [`Kind::Prefix`] is about.
    HasPrefix = 3,
    /// A double hash.
    Hash = 4,
}

pub(super) fn key(kind: Kind, root: &[u8], path: &[u8]) -> Key {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[kind as u8]).update(&(root.len() as u64).to_le_bytes());
    let digest = hasher.update(root).update(path).finalize();
    *digest.as_bytes().first_chunk().expect("a digest has 32 bytes")
}

/// What is said of the rules that say the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Mark {
    pub(super) allow: bool,
    pub(super) legal: bool,
    pub(super) reason: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) line: u32,
    mark: u16,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    entries: HashMap<Key, Entry>,
    marks: Vec<Mark>,
    numbers: HashMap<Mark, u16>,
}

impl Table {
    /// Makes room for so many rules, so that the table need not grow while they come.
    pub(super) fn reserve(&mut self, rules: usize) {
        self.entries.reserve(rules);
    }

    /// Adds a rule; a later one with the same key takes the place of an earlier.
    pub(super) fn insert(&mut self, key: Key, line: u32, mark: Mark) {
        let mark = self.number(mark);
        self.entries.insert(key, Entry { line, mark });
    }

    pub(super) fn get(&self, key: &Key) -> Option<Entry> {
        self.entries.get(key).copied()
    }

    pub(super) fn mark(&self, entry: Entry) -> &Mark {
        &self.marks[usize::from(entry.mark)]
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes that the table has allocated: its slots, one byte of control for each, and the marks.
    pub(super) fn heap_bytes(&self) -> usize {
        let slots = match self.entries.capacity() {
            0 => 0,
            capacity => (capacity * 8 / 7).next_power_of_two(),
        };
        let reasons: usize =
            self.marks.iter().filter_map(|mark| mark.reason.as_ref()).map(|text| text.len()).sum();
        slots * (size_of::<(Key, Entry)>() + 1) + self.marks.len() * 2 * size_of::<Mark>() + reasons
    }

    fn number(&mut self, mut mark: Mark) -> u16 {
        // Without reasons there are four marks, for which there is always room.
        if self.marks.len() >= MARKS_MAX && !self.numbers.contains_key(&mark) {
            mark.reason = None;
        }
        if let Some(number) = self.numbers.get(&mark) {
            return *number;
        }
        let number = u16::try_from(self.marks.len()).expect("there are few more than MARKS_MAX");
        self.marks.push(mark.clone());
        self.numbers.insert(mark, number);
        number
    }
}
