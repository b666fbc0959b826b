//! The compact denylist format: which content a list denies, and why.
//!
//! The last rule that matches wins, so an exception counts only for what stands before it. Of
//! several lists the last that has a verdict wins. A line that is no rule is skipped and counted:
//! one typing mistake must not lift all denials. Hints that are known, on a line or in the header:
//! `gateway_status` (or `status`) with 410 or 451, and `reason`, percent-encoded.
//!
//! Content is matched by multihash, under any version, codec or base of its CID.

use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::block;
use crate::cid::{Cid, hash_code};
use crate::dnslink::Root;

mod feed;
mod line;
mod subject;
mod table;

pub use feed::{Feed, FeedError};
pub use line::{Hints, Item, Line, LineError, REASON_BYTES_MAX};
use table::{Entry, Key, Kind, Mark, Table, key};

/// Longest line in bytes, with its end.
pub const LINE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Longest header in bytes.
pub const HEADER_BYTES_MAX: usize = 1024 * 1024;
/// Longest beginning of a path that a rule with an asterisk may have.
pub const PREFIX_BYTES_MAX: usize = 2048;
/// Most hash functions that the double hashes of one list may use: each is computed per query.
pub const HASHES_MAX: usize = 4;
/// How many skipped lines are told one by one.
pub const SKIPPED_KEPT: usize = 16;

/// What the header of a list says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The version of the format.
    pub version: Option<String>,
    /// What the list is called.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Who keeps it.
    pub author: Option<String>,
    hints: Hints,
}

/// The lines that are no rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many there are.
    pub lines: u64,
    /// The first [`SKIPPED_KEPT`] of them, by their number from 1, with what is wrong.
    pub first: Vec<(u64, LineError)>,
}

/// What a list says of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The line of the rule that decided, counted from 1.
    pub line: u64,
    /// Whether the rule is an exception, so that nothing is denied by this list or those before it.
    pub allow: bool,
    /// Whether the reason is one of law (451) rather than of policy (410).
    pub legal: bool,
    /// Why, in the words of the list.
    pub reason: Option<Arc<str>>,
}

impl Verdict {
    /// The status of a refusal, or `None` when the verdict allows.
    pub fn status(&self) -> Option<u16> {
        (!self.allow).then_some(if self.legal { 451 } else { 410 })
    }
}

/// The rules of one list.
#[derive(Debug, Clone, Default)]
pub struct List {
    name: String,
    header: Header,
    table: Table,
    /// The lengths of the beginnings that rules with an asterisk have.
    prefix_lengths: BTreeSet<u16>,
    /// The hash functions of the double hashes: their code and how many bytes are kept.
    hashes: SmallVec<[(u64, usize); HASHES_MAX]>,
    /// Whether there are double hashes in the legacy form.
    legacy: bool,
    line: u64,
    skipped: Skipped,
}

impl List {
    /// A list without rules.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// What the list is called, by its header or else by whoever reads it.
    pub fn name(&self) -> &str {
        self.header.name.as_deref().unwrap_or(&self.name)
    }

    /// What the header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many lines were read, those of the header included.
    pub fn lines(&self) -> u64 {
        self.line
    }

    /// The lines that are no rules.
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Bytes that the rules have allocated.
    pub fn heap_bytes(&self) -> usize {
        self.table.heap_bytes()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// Reads the next line, without its end.
    pub fn push_line(&mut self, text: &str) {
        let number = self.next_line();
        let added = match Line::parse(text) {
            Ok(Some(line)) => self.add(number, line),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = added {
            self.skip(number, error);
        }
    }

    /// Asks about a CID itself, whatever its version, codec and base.
    pub fn blocks_cid(&self, cid: &Cid) -> Option<Verdict> {
        self.verdict(&Root::Ipfs(*cid), "")
    }

    /// Asks about a path below a CID, before it is resolved. The rules for the CID itself are not
    /// asked, unless there are no segments: [`List::blocks_cid`] is, for every block on the way.
    pub fn blocks_path(&self, root: &Cid, segments: &[impl AsRef<str>]) -> Option<Verdict> {
        self.verdict(&Root::Ipfs(*root), &join(segments))
    }

    /// Asks about a key in any form or a domain name, and a path below it. A name that is denied
    /// denies what is below, but for later exceptions.
    pub fn blocks_name(&self, name: &str, segments: &[impl AsRef<str>]) -> Option<Verdict> {
        let root = Root::ipns(name)?;
        let whole = self.verdict(&root, "");
        if segments.is_empty() {
            return whole;
        }
        let below = self.verdict(&root, &join(segments));
        let denied = whole.filter(|verdict| !verdict.allow);
        denied.into_iter().chain(below).max_by_key(|verdict| verdict.line)
    }

    fn add(&mut self, number: u64, line: Line) -> Result<(), LineError> {
        let number = u32::try_from(number).map_err(|_| LineError::TooManyLines)?;
        let hints = &self.header.hints;
        let mark = Mark {
            allow: line.allow,
            legal: line.hints.legal.or(hints.legal).unwrap_or(false),
            reason: line.hints.reason.or_else(|| hints.reason.clone()).map(Arc::from),
        };
        let key = match line.item {
            Item::Path { root, path, prefix: false } => {
                key(Kind::Exact, &subject::id(&root), path.as_bytes())
            }
            Item::Path { root, path, prefix: true } => self.add_prefix(number, &root, &path),
            Item::DoubleHash { hash, legacy } => {
                let function = (hash.code(), hash.digest().len());
                if !self.hashes.contains(&function) {
                    if self.hashes.len() == HASHES_MAX {
                        return Err(LineError::TooManyHashes);
                    }
                    self.hashes.push(function);
                }
                self.legacy |= legacy;
                hash_key(function.0, hash.digest())
            }
        };
        self.table.insert(key, number, mark);
        Ok(())
    }

    fn add_prefix(&mut self, number: u32, root: &Root, path: &str) -> Key {
        let id = subject::id(root);
        let length = u16::try_from(path.len()).expect("PREFIX_BYTES_MAX is below 64 KiB");
        self.prefix_lengths.insert(length);
        if length > 0 {
            self.table.insert(key(Kind::HasPrefix, &id, &[]), number, Mark::default());
        }
        key(Kind::Prefix, &id, path.as_bytes())
    }

    /// The verdict of the last rule that matches.
    fn verdict(&self, root: &Root, path: &str) -> Option<Verdict> {
        if self.is_empty() {
            return None;
        }
        let id = subject::id(root);
        let mut last = self.table.get(&key(Kind::Exact, &id, path.as_bytes()));
        let mut take = |found: Option<Entry>| {
            last = last.into_iter().chain(found).max_by_key(|entry| entry.line);
        };
        self.each_prefix(&id, path, &mut take);
        self.each_hash(root, path, &mut take);
        let entry = last?;
        let Mark { allow, legal, reason } = self.table.mark(entry).clone();
        Some(Verdict { line: entry.line.into(), allow, legal, reason })
    }

    fn each_prefix(&self, id: &[u8], path: &str, take: &mut impl FnMut(Option<Entry>)) {
        let has = self.table.get(&key(Kind::HasPrefix, id, &[])).is_some();
        let lengths = self.prefix_lengths.iter().map(|length| usize::from(*length));
        for length in lengths.take_while(|length| *length == 0 || has) {
            let Some(begin) = path.as_bytes().get(..length) else { return };
            take(self.table.get(&key(Kind::Prefix, id, begin)));
        }
    }

    fn each_hash(&self, root: &Root, path: &str, take: &mut impl FnMut(Option<Entry>)) {
        if self.hashes.is_empty() {
            return;
        }
        let mut ask = |(code, size): (u64, usize), text: &str| {
            let hash = block::digest(code, size, text.as_bytes());
            take(hash.and_then(|hash| self.table.get(&hash_key(code, hash.digest()))));
        };
        for path in subject::spellings(path) {
            let present = subject::present(root, &path);
            self.hashes.iter().for_each(|function| ask(*function, &present));
            if self.legacy {
                let texts = subject::legacy(root, &path);
                texts.iter().for_each(|text| ask((hash_code::SHA2_256, 32), text));
            }
        }
    }

    /// Counts a line and gives its number.
    fn next_line(&mut self) -> u64 {
        self.line += 1;
        self.line
    }

    fn skip_line(&mut self, why: LineError) {
        let number = self.next_line();
        self.skip(number, why);
    }

    fn skip(&mut self, number: u64, why: LineError) {
        self.skipped.lines += 1;
        if self.skipped.first.len() < SKIPPED_KEPT {
            self.skipped.first.push((number, why));
        }
    }

    fn set_header(&mut self, header: Header) {
        self.header = header;
    }
}

fn hash_key(code: u64, digest: &[u8]) -> Key {
    key(Kind::Hash, &code.to_le_bytes(), digest)
}

fn join(segments: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> =
        segments.iter().map(AsRef::as_ref).filter(|name| !name.is_empty()).collect();
    names.join("/")
}

#[cfg(test)]
mod tests;
