//! CAR archives, read and written as streams.
//!
//! The reader takes bytes as they arrive and gives blocks as soon as they are whole; it never
//! buffers more than one section. CARv1 is read and written, CARv2 is read by skipping to the
//! CARv1 inside it. A stream that stops inside of a section is an error. One that stops
//! between two is a shorter archive like any other: the format has no end, so whoever carries it
//! has to tell.

use bytes::{Buf, Bytes, BytesMut};

use crate::block::{BLOCK_BYTES_MAX, Block, BlockError};
use crate::cid::{CID_BYTES_MAX, Cid, CidError};

mod header;

pub use header::encode as header;

/// Longest header that is read, in bytes: room for about 1,700 roots.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Longest section that is read: one CID and one block.
pub const SECTION_BYTES_MAX: usize = CID_BYTES_MAX + BLOCK_BYTES_MAX;
/// Longest padding between a CARv2 header and its data.
const PADDING_BYTES_MAX: u64 = 1024 * 1024;
/// A varint longer than this is not a length that could be accepted.
const LENGTH_VARINT_BYTES_MAX: usize = 9;

/// Why a CAR was refused.
#[derive(Debug, thiserror::Error)]
pub enum CarError {
    /// The stream ended inside a header or a section.
    #[error("CAR is cut short after {0} whole blocks")]
    Cut(u64),
    /// The stream does not begin as a CAR does.
    #[error("not a CAR: {0}")]
    NotACar(&'static str),
    /// The header or a section is longer than is accepted; its declared length follows.
    #[error("CAR section of {0} bytes is over the limit")]
    TooLong(u64),
    /// A section does not begin with an acceptable CID.
    #[error("block {index} has a bad CID: {source}")]
    Cid {
        /// How many blocks came before it.
        index: u64,
        /// What is wrong with it.
        source: CidError,
    },
    /// A block's bytes are not what its CID names.
    #[error("block {index} is not what it claims to be: {source}")]
    Block {
        /// How many blocks came before it.
        index: u64,
        /// What is wrong with it.
        source: BlockError,
    },
}

/// Bytes that claim to be the block of a CID.
#[derive(Debug, Clone)]
pub struct Unproven {
    /// The CID that the archive names.
    pub cid: Cid,
    /// The bytes that it gives for it.
    pub data: Bytes,
    /// How many blocks came before this one.
    pub index: u64,
}

impl Unproven {
    /// Hashes the bytes. Apart from the reader so that several cores can share the hashing.
    ///
    /// # Errors
    /// [`CarError::Block`].
    pub fn prove(self) -> Result<Block, CarError> {
        let index = self.index;
        Block::verify(self.cid, self.data).map_err(|source| CarError::Block { index, source })
    }
}

/// One part of an archive.
#[derive(Debug)]
pub enum Section {
    /// The header, always first; the roots that it claims.
    Header(Vec<Cid>),
    /// A block that is not yet verified.
    Block(Unproven),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first header, which may be a CARv2 pragma.
    Start,
    /// Before the 40 bytes that follow a CARv2 pragma.
    V2Header,
    /// Between the CARv2 header and the data; bytes left to skip.
    Padding(u64),
    /// Before the CARv1 header inside a CARv2.
    InnerHeader,
    /// Between sections.
    Blocks,
    /// Behind the data of a CARv2: an index, which is not read.
    Behind,
}

/// Reads a CAR from bytes pushed into it.
#[derive(Debug)]
pub struct Reader {
    buffer: BytesMut,
    state: State,
    /// Bytes of CARv1 left inside a CARv2, counted from the inner header; none for a CARv1.
    left: Option<u64>,
    blocks: u64,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader before the first byte.
    pub fn new() -> Self {
        Self { buffer: BytesMut::new(), state: State::Start, left: None, blocks: 0 }
    }

    /// Adds bytes as they arrived. Drain [`Reader::next`] after each push to stay in bounds.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.state != State::Behind {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole part, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`CarError`]; the reader is of no use after one.
    #[expect(clippy::should_implement_trait, reason = "an iterator could not ask for more bytes")]
    pub fn next(&mut self) -> Result<Option<Section>, CarError> {
        loop {
            match self.state {
                State::Start | State::InnerHeader => {
                    let Some(bytes) = self.take_prefixed(HEADER_BYTES_MAX)? else {
                        return Ok(None);
                    };
                    match header::decode(&bytes)? {
                        header::Header::V1(roots) => {
                            self.state = State::Blocks;
                            return Ok(Some(Section::Header(roots)));
                        }
                        header::Header::V2 if self.state == State::Start => {
                            self.state = State::V2Header;
                        }
                        header::Header::V2 => {
                            return Err(CarError::NotACar("a CARv2 inside a CARv2"));
                        }
                    }
                }
                State::V2Header => {
                    if self.buffer.len() < header::V2_HEADER_BYTES {
                        return Ok(None);
                    }
                    let (padding, size) = header::decode_v2(&self.buffer)?;
                    if padding > PADDING_BYTES_MAX {
                        return Err(CarError::TooLong(padding));
                    }
                    self.buffer.advance(header::V2_HEADER_BYTES);
                    self.left = Some(size);
                    self.state = State::Padding(padding);
                }
                State::Padding(0) => self.state = State::InnerHeader,
                State::Padding(left) => {
                    let skip = left.min(self.buffer.len() as u64);
                    if skip == 0 {
                        return Ok(None);
                    }
                    self.buffer.advance(usize::try_from(skip).expect("no more than is buffered"));
                    self.state = State::Padding(left - skip);
                }
                State::Blocks if self.left == Some(0) => {
                    self.buffer.clear();
                    self.state = State::Behind;
                }
                State::Blocks => return self.take_block(),
                State::Behind => return Ok(None),
            }
        }
    }

    /// Says that no more bytes will come; returns how many blocks the archive held.
    ///
    /// # Errors
    /// [`CarError::Cut`] when that is not where the archive ends.
    pub fn finish(self) -> Result<u64, CarError> {
        let whole = match self.state {
            State::Blocks => self.buffer.is_empty() && self.left.is_none_or(|left| left == 0),
            State::Behind => true,
            State::Start | State::V2Header | State::Padding(_) | State::InnerHeader => false,
        };
        if whole { Ok(self.blocks) } else { Err(CarError::Cut(self.blocks)) }
    }

    fn take_block(&mut self) -> Result<Option<Section>, CarError> {
        let Some(mut section) = self.take_prefixed(SECTION_BYTES_MAX)? else {
            return Ok(None);
        };
        let index = self.blocks;
        let (cid, used) =
            Cid::read_prefix(&section).map_err(|source| CarError::Cid { index, source })?;
        section.advance(used);
        self.blocks += 1;
        Ok(Some(Section::Block(Unproven { cid, data: section, index })))
    }

    /// Takes what a length prefix announces, once it is all there.
    fn take_prefixed(&mut self, longest: usize) -> Result<Option<Bytes>, CarError> {
        let Some((length, prefix)) = read_length(&self.buffer)? else {
            return Ok(None);
        };
        let body = usize::try_from(length).ok().filter(|body| *body <= longest);
        let body = body.ok_or(CarError::TooLong(length))?;
        if body == 0 {
            return Err(CarError::NotACar("an empty section"));
        }
        if let Some(left) = self.left
            && ((prefix + body) as u64) > left
            && self.state != State::Start
        {
            return Err(CarError::NotACar("a section leaves the data of its CARv2"));
        }
        if self.buffer.len() < prefix + body {
            self.buffer.reserve(prefix + body - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(prefix);
        if let Some(left) = &mut self.left {
            *left -= (prefix + body) as u64;
        }
        Ok(Some(self.buffer.split_to(body).freeze()))
    }
}

/// Reads a length varint: the length and how many bytes it took, or `None` when it is not whole.
fn read_length(bytes: &[u8]) -> Result<Option<(u64, usize)>, CarError> {
    match unsigned_varint::decode::u64(bytes) {
        Ok((length, rest)) => Ok(Some((length, bytes.len() - rest.len()))),
        Err(_) if bytes.len() < LENGTH_VARINT_BYTES_MAX => {
            if bytes.iter().all(|byte| byte & 0x80 != 0) {
                Ok(None)
            } else {
                Err(CarError::NotACar("a bad length"))
            }
        }
        Err(_) => Err(CarError::NotACar("a bad length")),
    }
}

/// What precedes a block's bytes in a CAR: the section's length and the CID.
pub fn section_prefix(cid: &Cid, data_bytes: usize) -> Vec<u8> {
    let cid = cid.to_bytes();
    let mut buffer = unsigned_varint::encode::u64_buffer();
    let length = unsigned_varint::encode::u64((cid.len() + data_bytes) as u64, &mut buffer);
    let mut prefix = Vec::with_capacity(length.len() + cid.len());
    prefix.extend_from_slice(length);
    prefix.extend_from_slice(&cid);
    prefix
}

#[cfg(test)]
mod tests;
