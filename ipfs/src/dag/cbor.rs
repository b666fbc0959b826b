//! CBOR, item by item.
//!
//! Lengths must be written out, and may not be longer than the block: then an item costs no more
//! than its bytes. Keys out of order and numbers longer than they need be are accepted, since
//! blocks that older tools wrote have them; what such a block says is clear all the same.

use std::borrow::Cow;

use super::{CBOR_DEPTH_MAX, DagError, Event, name};
use crate::cid::{Cid, Codec};

/// The tag of a link.
const TAG_LINK: u64 = 42;

/// One item as it is written, with text that may not be UTF-8 and links that may not be CIDs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Item<'a> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Link(&'a [u8]),
    List,
    Map,
    End,
}

/// The items of one block.
#[derive(Debug)]
pub(crate) struct Items<'a> {
    bytes: &'a [u8],
    /// How many items are left in each open list or map, outermost first, and whether it is a map.
    /// The block itself is the first of them.
    open: Vec<(u64, bool)>,
    /// Whether tag 42 makes a link, and no other tag is allowed.
    has_links: bool,
    /// Whether the item that was read last is a key.
    is_key: bool,
}

impl<'a> Items<'a> {
    /// The items of a block of dag-cbor or, if the codec is another one, of plain CBOR.
    pub(crate) fn new(codec: Codec, bytes: &'a [u8]) -> Self {
        let has_links = codec == Codec::DagCbor;
        Self { bytes, open: vec![(1, false)], has_links, is_key: false }
    }

    /// The next item; `None` at the end of the block.
    pub(crate) fn next_item(&mut self) -> Result<Option<Item<'a>>, DagError> {
        self.is_key = false;
        let Some((left, is_map)) = self.open.last_mut() else { return Ok(None) };
        if *left == 0 {
            self.open.pop();
            return match (self.open.is_empty(), self.bytes.is_empty()) {
                (false, _) => Ok(Some(Item::End)),
                (true, true) => Ok(None),
                (true, false) => Err(self.malformed("bytes behind the item")),
            };
        }
        self.is_key = *is_map && left.is_multiple_of(2);
        *left -= 1;
        self.item().map(Some)
    }

    /// The next item as an event.
    pub(super) fn next_event(&mut self) -> Result<Option<Event<'a>>, DagError> {
        let Some(item) = self.next_item()? else { return Ok(None) };
        Ok(Some(match item {
            Item::Text(text) if self.is_key => Event::Key(self.text(text)?),
            Item::End => Event::End,
            _ if self.is_key => return Err(self.malformed("a key that is not text")),
            Item::Text(text) => Event::Text(self.text(text)?),
            Item::Null => Event::Null,
            Item::Bool(value) => Event::Bool(value),
            Item::Int(value) => Event::Int(value),
            Item::Float(value) => Event::Float(value),
            Item::Bytes(bytes) => Event::Bytes(Cow::Borrowed(bytes)),
            Item::Link(cid) => Event::Link(Cid::from_bytes(cid)?),
            Item::List => Event::ListStart,
            Item::Map => Event::MapStart,
        }))
    }

    fn text(&self, bytes: &'a [u8]) -> Result<Cow<'a, str>, DagError> {
        let text = std::str::from_utf8(bytes);
        text.map(Cow::Borrowed).map_err(|_| self.malformed("text that is not UTF-8"))
    }

    fn item(&mut self) -> Result<Item<'a>, DagError> {
        loop {
            let (major, info, value) = self.head()?;
            return Ok(match major {
                0 => Item::Int(i128::from(value)),
                1 => Item::Int(-1 - i128::from(value)),
                2 => Item::Bytes(self.take(value)?),
                3 => Item::Text(self.take(value)?),
                4 => self.enter(Some(value), false)?,
                5 => self.enter(value.checked_mul(2), true)?,
                6 if !self.has_links => continue,
                6 if value == TAG_LINK => self.link()?,
                6 => return Err(self.malformed("a tag that is not a link")),
                _ => self.simple(info, value)?,
            });
        }
    }

    /// Begins a list or map of so many items.
    fn enter(&mut self, items: Option<u64>, is_map: bool) -> Result<Item<'a>, DagError> {
        // An item has at least a byte, so a longer list than there are bytes is a lie.
        let items = items.filter(|items| *items <= self.bytes.len() as u64);
        let items = items.ok_or_else(|| self.malformed("a list is longer than the block"))?;
        if self.open.len() >= CBOR_DEPTH_MAX {
            return Err(self.malformed("nested too deep"));
        }
        self.open.push((items, is_map));
        Ok(if is_map { Item::Map } else { Item::List })
    }

    fn link(&mut self) -> Result<Item<'a>, DagError> {
        let (major, _, length) = self.head()?;
        if major != 2 {
            return Err(self.malformed("a link is not bytes"));
        }
        match self.take(length)? {
            [0, cid @ ..] => Ok(Item::Link(cid)),
            _ => Err(self.malformed("a link has no identity prefix")),
        }
    }

    fn simple(&self, info: u8, value: u64) -> Result<Item<'a>, DagError> {
        Ok(match (info, value) {
            (20, _) => Item::Bool(false),
            (21, _) => Item::Bool(true),
            (22 | 23, _) => Item::Null,
            (25, bits) => Item::Float(half(bits)),
            (26, bits) => Item::Float(f32::from_bits(bits as u32).into()),
            (27, bits) => Item::Float(f64::from_bits(bits)),
            _ => return Err(self.malformed("an unknown simple value")),
        })
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], DagError> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let split = self.bytes.split_at_checked(count);
        let (taken, rest) = split.ok_or_else(|| self.malformed("cut short"))?;
        self.bytes = rest;
        Ok(taken)
    }

    /// Reads the head of an item: its major type, the five bits beside it, and its value.
    fn head(&mut self) -> Result<(u8, u8, u64), DagError> {
        let first = self.take(1)?[0];
        let (major, info) = (first >> 5, first & 0x1f);
        let width = match info {
            small @ 0..24 => return Ok((major, info, u64::from(small))),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(self.malformed("indefinite length")),
        };
        let bytes = self.take(width)?;
        Ok((major, info, bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))))
    }

    fn malformed(&self, what: &'static str) -> DagError {
        let codec = if self.has_links { Codec::DagCbor } else { Codec::Cbor };
        DagError::Malformed { codec: name(codec), what }
    }
}

/// A number of 16 bits: a sign, five bits of exponent and ten of fraction.
fn half(bits: u64) -> f64 {
    let (exponent, fraction) = (bits >> 10 & 0x1f, (bits & 0x3ff) as f64);
    let size = match exponent {
        0 => fraction / f64::from(1 << 24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        // At least 2^-14 and at most 2^15 times one and a fraction.
        _ => (1.0 + fraction / 1024.0) * ((1u64 << exponent) as f64) / f64::from(1 << 15),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

/// Writes the head of an item in its shortest form: its major type and its value.
pub(crate) fn write_head(out: &mut Vec<u8>, major: u8, value: u64) {
    let bytes = value.to_be_bytes();
    let (info, width) = match value {
        0..24 => return out.push(major << 5 | bytes[7]),
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    out.push(major << 5 | info);
    out.extend_from_slice(&bytes[8 - width..]);
}
