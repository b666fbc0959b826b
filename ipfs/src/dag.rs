//! Reads blocks of structured data: dag-cbor, dag-json, CBOR and JSON.
//!
//! A block is read as a row of events and never as a tree: 2 MiB of one-byte items would be a tree
//! of a hundred. What is kept is one frame per open list or map, and there are few of those at a
//! time.

mod cbor;
mod convert;
mod json;
mod lookup;

use std::borrow::Cow;

pub use self::convert::{CONVERTED_BYTES_MAX, convert};
pub use self::lookup::{Found, lookup};

pub(crate) use self::cbor::{Item, Items, write_head as write_cbor_head};
use self::json::Json;

use crate::cid::{Cid, CidError, Codec};
use crate::dag_pb::DagPbError;

/// Deepest nesting of lists and maps in CBOR.
pub const CBOR_DEPTH_MAX: usize = 256;
/// Deepest nesting of lists and maps in JSON.
pub const JSON_DEPTH_MAX: usize = 128;

/// Why a block of data cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DagError {
    /// No reader or writer for this codec; its multicodec code follows.
    #[error("codec 0x{0:x} is not one of structured data")]
    Codec(u64),
    /// The bytes are not of the codec.
    #[error("malformed {codec}: {what}")]
    Malformed {
        /// The codec's name.
        codec: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// A link is not an acceptable CID.
    #[error("a link is not an acceptable CID: {0}")]
    Cid(#[from] CidError),
    /// The data has no form in the codec that it is to be written in.
    #[error("cannot be written as {codec}: {what}")]
    Unwritable {
        /// The codec's name.
        codec: &'static str,
        /// What has no form in it.
        what: &'static str,
    },
    /// What would be written has more than [`CONVERTED_BYTES_MAX`] bytes.
    #[error("more than {CONVERTED_BYTES_MAX} bytes in another codec")]
    TooLarge,
    /// A dag-pb block does not parse.
    #[error(transparent)]
    DagPb(#[from] DagPbError),
}

/// One step through a block, outermost first. Text and bytes are slices of the block wherever they
/// are written there as they are.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// Nothing; CBOR's `undefined` too.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number, from −2^64 to 2^64 − 1.
    Int(i128),
    /// A number with a fraction. CBOR has infinities and NaN too.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// A link; only dag-cbor and dag-json have them.
    Link(Cid),
    /// A list begins; its items follow, then [`Event::End`].
    ListStart,
    /// A map begins; a key and a value for each entry follow, then [`Event::End`].
    MapStart,
    /// The name of the value that follows.
    Key(Cow<'a, str>),
    /// The list or map that was begun last ends.
    End,
}

/// Reads a block event by event. Costs time in proportion to the bytes read, and memory in
/// proportion to the depth.
#[derive(Debug)]
pub struct Reader<'a>(Source<'a>);

#[derive(Debug)]
enum Source<'a> {
    Cbor(Items<'a>),
    Json(Json<'a>),
}

impl<'a> Reader<'a> {
    /// A reader of the bytes of a block.
    ///
    /// # Errors
    /// [`DagError::Codec`] for a codec without structured data, [`DagError::Malformed`] for JSON
    /// that is not UTF-8.
    pub fn new(codec: Codec, bytes: &'a [u8]) -> Result<Self, DagError> {
        Ok(Self(match codec {
            Codec::DagCbor | Codec::Cbor => Source::Cbor(Items::new(codec, bytes)),
            Codec::DagJson | Codec::Json => Source::Json(Json::new(codec, bytes)?),
            codec @ (Codec::Raw | Codec::DagPb | Codec::Libp2pKey | Codec::Other(_)) => {
                return Err(DagError::Codec(codec.code()));
            }
        }))
    }

    /// The next event; `None` once the block was read to its end.
    ///
    /// # Errors
    /// [`DagError::Malformed`] and [`DagError::Cid`]; what comes after one means nothing.
    pub fn next_event(&mut self) -> Result<Option<Event<'a>>, DagError> {
        match &mut self.0 {
            Source::Cbor(items) => items.next_event(),
            Source::Json(json) => json.next_event(),
        }
    }

    /// Reads past the next value, with all that is in it.
    ///
    /// # Errors
    /// As [`Reader::next_event`].
    pub fn skip(&mut self) -> Result<(), DagError> {
        match self.next_event()? {
            Some(first) => self.skip_rest(&first),
            None => Ok(()),
        }
    }

    /// Reads past what is left of the value whose first event was read.
    ///
    /// # Errors
    /// As [`Reader::next_event`].
    pub fn skip_rest(&mut self, first: &Event) -> Result<(), DagError> {
        let mut depth = usize::from(matches!(first, Event::ListStart | Event::MapStart));
        while depth > 0 {
            match self.next_event()? {
                Some(Event::ListStart | Event::MapStart) => depth += 1,
                Some(Event::End) => depth -= 1,
                Some(_) => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }
}

/// What a codec is called.
fn name(codec: Codec) -> &'static str {
    match codec {
        Codec::Raw => "raw",
        Codec::DagPb => "dag-pb",
        Codec::DagCbor => "dag-cbor",
        Codec::DagJson => "dag-json",
        Codec::Cbor => "CBOR",
        Codec::Json => "JSON",
        Codec::Libp2pKey => "libp2p-key",
        Codec::Other(_) => "another codec",
    }
}

#[cfg(test)]
mod tests;
