//! Follows names through a block.

use super::{DagError, Event, Reader};
use crate::block::Block;
use crate::cid::Cid;

/// What names lead to inside of one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A link: the first that was met.
    Link {
        /// The link.
        cid: Cid,
        /// How many names led to it.
        taken: usize,
    },
    /// A value inside of the block; no name is left.
    Value {
        /// How many names led to it: all.
        taken: usize,
    },
    /// Nothing has the name that is next.
    Missing {
        /// How many names led to where it is missing.
        taken: usize,
    },
}

/// Follows names through a block of structured data to the first link or to the end of the names.
/// A name is a key of a map, of equal ones the first, or a place in a list from 0.
///
/// No more of the block is read than that takes: what is behind it may be malformed.
///
/// # Errors
/// As [`Reader::new`] and [`Reader::next_event`].
pub fn lookup<'n>(
    block: &Block,
    names: impl IntoIterator<Item = &'n str>,
) -> Result<Found, DagError> {
    let mut names = names.into_iter();
    let mut reader = Reader::new(block.cid().codec(), block.data())?;
    let mut event = reader.next_event()?;
    let mut taken = 0;
    loop {
        if let Some(Event::Link(cid)) = event {
            return Ok(Found::Link { cid, taken });
        }
        let Some(name) = names.next() else { return Ok(Found::Value { taken }) };
        event = match event {
            Some(Event::MapStart) => to_key(&mut reader, name)?,
            Some(Event::ListStart) => to_place(&mut reader, name)?,
            _ => None,
        };
        if event.is_none() {
            return Ok(Found::Missing { taken });
        }
        taken += 1;
    }
}

/// Reads a map up to the value of a key, whose first event it returns.
fn to_key<'a>(reader: &mut Reader<'a>, name: &str) -> Result<Option<Event<'a>>, DagError> {
    while let Some(Event::Key(key)) = reader.next_event()? {
        if key == name {
            return reader.next_event();
        }
        reader.skip()?;
    }
    Ok(None)
}

/// Reads a list up to the item at a place, whose first event it returns.
fn to_place<'a>(reader: &mut Reader<'a>, name: &str) -> Result<Option<Event<'a>>, DagError> {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    let is_shortest = name == "0" || !name.starts_with('0');
    let Some(place) = name.parse::<u64>().ok().filter(|_| is_number && is_shortest) else {
        return Ok(None);
    };
    for left in (0..=place).rev() {
        match reader.next_event()? {
            None | Some(Event::End) => return Ok(None),
            found if left == 0 => return Ok(found),
            Some(skipped) => reader.skip_rest(&skipped)?,
        }
    }
    Ok(None)
}
