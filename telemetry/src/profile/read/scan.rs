//! Counts what a profile holds before anything of it is decoded.
//!
//! Only the outermost message and those that hold lists are walked; what is malformed further in is
//! left to the decoder, which allocates no more than was counted here.

use super::{ITEMS_MAX, PARTS_MAX, ReadError};

/// Fields of `Profile` that are lists of messages or texts, and of which fields within those are
/// lists in turn.
const SAMPLE: u64 = 2;
const LOCATION: u64 = 4;
/// Fields that are packed lists of numbers in a sample, and messages in it and in a location.
const SAMPLE_LISTS: [u64; 2] = [1, 2];
const SAMPLE_LABEL: u64 = 3;
const LOCATION_LINE: u64 = 4;

/// Wire types.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// Refuses a profile that would take more memory than one may.
///
/// # Errors
/// `Malformed` and `TooMany`.
pub(super) fn scan(bytes: &[u8]) -> Result<(), ReadError> {
    let mut items = [0_usize; 16];
    let mut parts = 0_usize;
    let mut at = Cursor { rest: bytes };
    while let Some(Field { number: field, wire, held: inner }) = at.field()? {
        let slot = usize::try_from(field).ok().filter(|field| *field < items.len()).unwrap_or(0);
        // A packed list of numbers has at most one for each byte.
        items[slot] += if field == 13 && wire == BYTES { inner.len() } else { 1 };
        if items[slot] > ITEMS_MAX {
            return Err(ReadError::TooMany { what: named(field), max: ITEMS_MAX });
        }
        if wire == BYTES && matches!(field, SAMPLE | LOCATION) {
            parts += within(field, inner)?;
        }
        if parts > PARTS_MAX {
            let what = "frames, values, labels and lines";
            return Err(ReadError::TooMany { what, max: PARTS_MAX });
        }
    }
    Ok(())
}

/// Entries of the lists of a sample or a location.
fn within(outer: u64, bytes: &[u8]) -> Result<usize, ReadError> {
    let mut parts = 0;
    let mut at = Cursor { rest: bytes };
    while let Some(Field { number: field, wire, held: inner }) = at.field()? {
        parts += match (outer, field) {
            (SAMPLE, field) if SAMPLE_LISTS.contains(&field) && wire == BYTES => inner.len(),
            (SAMPLE, field) if SAMPLE_LISTS.contains(&field) => 1,
            (SAMPLE, SAMPLE_LABEL) | (LOCATION, LOCATION_LINE) => 1,
            _ => 0,
        };
    }
    Ok(parts)
}

fn named(field: u64) -> &'static str {
    match field {
        1 => "types of samples",
        SAMPLE => "samples",
        3 => "mappings",
        LOCATION => "locations",
        5 => "functions",
        6 => "texts",
        13 => "comments",
        _ => "fields",
    }
}

/// A field: its number, its wire type, and what it holds if that is bytes.
struct Field<'a> {
    number: u64,
    wire: u64,
    held: &'a [u8],
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// The next field.
    fn field(&mut self) -> Result<Option<Field<'a>>, ReadError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let (number, wire) = (key >> 3, key & 7);
        let held: &[u8] = match wire {
            VARINT => {
                self.varint()?;
                &[]
            }
            FIXED64 => self.take(8).map(|_| &[][..])?,
            FIXED32 => self.take(4).map(|_| &[][..])?,
            BYTES => {
                let length = self.varint()?;
                self.take(length)?
            }
            other => return Err(ReadError::Malformed(format!("there is no wire type {other}"))),
        };
        Ok(Some(Field { number, wire, held }))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], ReadError> {
        let split = usize::try_from(length).ok().and_then(|at| self.rest.split_at_checked(at));
        let (taken, rest) = split.ok_or_else(|| ReadError::Malformed("a field is cut".into()))?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, ReadError> {
        let mut value = 0;
        for place in 0..10 {
            let (byte, rest) = self
                .rest
                .split_first()
                .ok_or_else(|| ReadError::Malformed("a number is cut".into()))?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << (7 * place).min(63);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ReadError::Malformed("a number has more than ten bytes".into()))
    }
}
