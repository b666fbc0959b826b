//! Lists and maps on their way into a codec.
//!
//! They are written as they come and put right where they end, when their length and the order of
//! their keys are known. What that moves is counted: no nesting makes it more than a few times the
//! largest result.

use std::borrow::Cow;

use super::{CONVERTED_BYTES_MAX, scalar};
use crate::cid::Codec;
use crate::dag::cbor::write_head;
use crate::dag::json::unquoted;
use crate::dag::{CBOR_DEPTH_MAX, DagError, Event, JSON_DEPTH_MAX};

/// Most bytes that are moved to put lists and maps in order: a whole result eight times.
const MOVED_BYTES_MAX: usize = 8 * CONVERTED_BYTES_MAX;

/// An entry of a map by its place in what was written.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    key_end: u32,
    end: u32,
}

/// A list or map that has not ended.
#[derive(Debug)]
struct Open {
    is_map: bool,
    /// Where its first item is; the byte before it is kept free for its head.
    start: usize,
    /// How many items it has, if it is a list.
    items: u64,
    /// Its entries, if it is a map.
    entries: Vec<Entry>,
}

/// Events on their way into a codec.
#[derive(Debug)]
pub(super) struct Writer {
    codec: Codec,
    is_json: bool,
    out: Vec<u8>,
    open: Vec<Open>,
    moved: usize,
}

impl Writer {
    pub(super) fn new(codec: Codec) -> Result<Self, DagError> {
        let is_json = match codec {
            Codec::DagCbor | Codec::Cbor => false,
            Codec::DagJson | Codec::Json => true,
            codec @ (Codec::Raw | Codec::DagPb | Codec::Libp2pKey | Codec::Other(_)) => {
                return Err(DagError::Codec(codec.code()));
            }
        };
        Ok(Self { codec, is_json, out: Vec::new(), open: Vec::new(), moved: 0 })
    }

    pub(super) fn write(&mut self, event: &Event) -> Result<(), DagError> {
        match event {
            Event::End => self.end()?,
            Event::Key(key) => self.key(key),
            Event::ListStart => self.begin(false)?,
            Event::MapStart => self.begin(true)?,
            Event::Null
            | Event::Bool(_)
            | Event::Int(_)
            | Event::Float(_)
            | Event::Text(_)
            | Event::Bytes(_)
            | Event::Link(_) => {
                self.item();
                let write = if self.is_json { scalar::json } else { scalar::cbor };
                write(&mut self.out, self.codec, event)?;
            }
        }
        if self.out.len() > CONVERTED_BYTES_MAX { Err(DagError::TooLarge) } else { Ok(()) }
    }

    /// What was written, once all events were.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Begins an item; in a map it is the value of the last key.
    fn item(&mut self) {
        if let Some(open) = self.open.last_mut()
            && !open.is_map
        {
            open.items += 1;
            if self.is_json && open.items > 1 {
                self.out.push(b',');
            }
        }
    }

    fn begin(&mut self, is_map: bool) -> Result<(), DagError> {
        self.item();
        // In CBOR the block itself counts as a level, as it does when it is read.
        let depth_max = if self.is_json { JSON_DEPTH_MAX } else { CBOR_DEPTH_MAX - 1 };
        if self.open.len() >= depth_max {
            return Err(self.unwritable("nested too deep"));
        }
        self.out.push(if is_map { b'{' } else { b'[' });
        self.open.push(Open { is_map, start: self.out.len(), items: 0, entries: Vec::new() });
        Ok(())
    }

    fn key(&mut self, key: &str) {
        let Some(open) = self.open.last_mut() else { return };
        if let Some(before) = open.entries.last_mut() {
            before.end = place(&self.out);
            if self.is_json {
                self.out.push(b',');
            }
        }
        let start = place(&self.out);
        if self.is_json {
            scalar::quote(&mut self.out, key);
        } else {
            write_head(&mut self.out, 3, key.len() as u64);
            self.out.extend_from_slice(key.as_bytes());
        }
        let key_end = place(&self.out);
        if self.is_json {
            self.out.push(b':');
        }
        open.entries.push(Entry { start, key_end, end: start });
    }

    fn end(&mut self) -> Result<(), DagError> {
        let Some(mut open) = self.open.pop() else { return Ok(()) };
        if let Some(last) = open.entries.last_mut() {
            last.end = place(&self.out);
        }
        if !self.is_sorted(&open.entries) {
            self.sort(&mut open)?;
        }
        if self.is_json { self.end_json(&open) } else { self.end_cbor(&open) }
    }

    /// Writes the entries of a map again, in their order.
    fn sort(&mut self, open: &mut Open) -> Result<(), DagError> {
        open.entries.sort_unstable_by(|a, b| self.key_of(a).cmp(&self.key_of(b)));
        if !self.is_sorted(&open.entries) {
            return Err(self.unwritable("a key twice"));
        }
        let body = self.lift(open.start)?;
        for (index, entry) in open.entries.iter().enumerate() {
            if self.is_json && index > 0 {
                self.out.push(b',');
            }
            let at = |place: u32| place as usize - open.start;
            self.out.extend_from_slice(&body[at(entry.start)..at(entry.end)]);
        }
        Ok(())
    }

    /// Writes the head, for which a byte was kept: from 24 items on it takes more.
    fn end_cbor(&mut self, open: &Open) -> Result<(), DagError> {
        let items = if open.is_map { open.entries.len() as u64 } else { open.items };
        let major = if open.is_map { 5 } else { 4 };
        let mut head = Vec::new();
        write_head(&mut head, major, items);
        if let [head] = head[..] {
            self.out[open.start - 1] = head;
            return Ok(());
        }
        let body = self.lift(open.start)?;
        self.out.pop();
        self.out.extend_from_slice(&head);
        self.out.extend_from_slice(&body);
        Ok(())
    }

    fn end_json(&mut self, open: &Open) -> Result<(), DagError> {
        self.out.push(if open.is_map { b'}' } else { b']' });
        let inside = &self.out[open.start..];
        let forms = [&br#""/":""#[..], br#""/":{"bytes":""#];
        let is_form = open.is_map && forms.iter().any(|form| inside.starts_with(form));
        if is_form && self.codec == Codec::DagJson {
            return Err(self.unwritable("a map that looks like a reserved form"));
        }
        Ok(())
    }

    /// Takes away what was written from a place on, to be written again.
    fn lift(&mut self, start: usize) -> Result<Vec<u8>, DagError> {
        self.moved += self.out.len() - start;
        if self.moved > MOVED_BYTES_MAX {
            return Err(self.unwritable("too much out of order, too deep"));
        }
        Ok(self.out.split_off(start))
    }

    fn is_sorted(&self, entries: &[Entry]) -> bool {
        entries.array_windows().all(|[a, b]| self.key_of(a) < self.key_of(b))
    }

    /// What a key is ordered by: in CBOR its bytes with their head, so that shorter ones are first;
    /// in JSON its text.
    fn key_of(&self, entry: &Entry) -> Cow<'_, [u8]> {
        let key = &self.out[entry.start as usize..entry.key_end as usize];
        if !self.is_json {
            return Cow::Borrowed(key);
        }
        if !key.contains(&b'\\') {
            return Cow::Borrowed(&key[1..key.len() - 1]);
        }
        let key = std::str::from_utf8(key).expect("text that was written by ourselves");
        Cow::Owned(unquoted(key).into_owned().into_bytes())
    }

    fn unwritable(&self, what: &'static str) -> DagError {
        scalar::unwritable(self.codec, what)
    }
}

/// Where the next byte is written.
fn place(out: &[u8]) -> u32 {
    // Checked after each event, of which none adds more than six times the largest block.
    u32::try_from(out.len()).expect("far below 4 GiB")
}
