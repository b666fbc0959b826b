//! The UnixFS message inside a dag-pb node.
//!
//! Reads what the format defines and skips what it does not, as protobuf readers of it do; refuses
//! only what could not be acted on.

use bytes::Bytes;

use crate::block::BLOCK_BYTES_MAX;
use crate::dag_pb::{DagPbError, Fields, Value, write_bytes, write_number, write_varint};

/// Most sizes of parts that are read: the shortest link has 8 bytes, so a block has no room for the
/// links of more.
const SIZES_MAX: usize = BLOCK_BYTES_MAX / 8;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A leaf of a file, in its old form.
    Raw,
    /// A directory in one block.
    Directory,
    /// A file, whole or in parts.
    File,
    /// Metadata of another node; of no use to readers.
    Metadata,
    /// A symbolic link; its data is the target.
    Symlink,
    /// One shard of a directory in a HAMT.
    HamtShard,
}

/// Why a block is not UnixFS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnixfsError {
    /// The message does not parse.
    #[error("malformed UnixFS: {0}")]
    Message(#[from] DagPbError),
    /// A symbolic link leads to something that no path can be; its length follows.
    #[error("the target of a symbolic link has {0} bytes")]
    TargetTooLong(usize),
    /// The node has no known kind; its number follows.
    #[error("unknown UnixFS kind {0}")]
    UnknownKind(u64),
    /// The node has no kind.
    #[error("UnixFS node without a kind")]
    NoKind,
    /// A HAMT shard breaks a rule.
    #[error("malformed HAMT shard: {0}")]
    Hamt(&'static str),
    /// A node's own word about sizes does not add up.
    #[error("sizes do not add up: {0}")]
    Sizes(&'static str),
    /// A directory is nested deeper than its hash has bits.
    #[error("HAMT is deeper than its hash")]
    TooDeep,
    /// The driver gave a block other than the one that was needed.
    #[error("block {0} was not asked for")]
    NotAskedFor(crate::Cid),
    /// A block that cannot be part of a directory.
    #[error("{0} is not a directory")]
    NotADirectory(crate::Cid),
}

/// A point in time, as UnixFS keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mtime {
    /// Seconds since the epoch; may be negative.
    pub seconds: i64,
    /// Nanoseconds after that second.
    pub nanoseconds: u32,
}

/// The UnixFS message of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// What the node is.
    pub kind: Kind,
    /// Bytes of a file that are in this node, a symlink's target, or a shard's bitfield.
    pub data: Bytes,
    /// Whether `data` is written even if it is empty, as some writers do.
    pub data_present: bool,
    /// The size of the file below this node, by its own word.
    pub filesize: Option<u64>,
    /// The sizes of the parts that the links lead to.
    pub blocksizes: Vec<u64>,
    /// The hash function of a HAMT.
    pub hash_type: Option<u64>,
    /// How many slots a shard of a HAMT has.
    pub fanout: Option<u64>,
    /// Unix permission bits.
    pub mode: Option<u32>,
    /// When the file was last modified.
    pub mtime: Option<Mtime>,
}

impl Meta {
    /// A message of a kind with nothing else in it.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            data: Bytes::new(),
            data_present: false,
            filesize: None,
            blocksizes: Vec::new(),
            hash_type: None,
            fanout: None,
            mode: None,
            mtime: None,
        }
    }

    /// Reads the message.
    ///
    /// # Errors
    /// [`UnixfsError::Message`], [`UnixfsError::UnknownKind`], [`UnixfsError::NoKind`].
    pub fn decode(bytes: &Bytes) -> Result<Self, UnixfsError> {
        let mut fields = Fields { whole: bytes, at: 0 };
        let mut kind = None;
        let mut meta = Self::new(Kind::Raw);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => kind = Some(kind_of(value.number()?)?),
                2 => {
                    meta.data = bytes.slice_ref(value.bytes()?);
                    meta.data_present = true;
                }
                3 => meta.filesize = Some(value.number()?),
                4 => read_sizes(value, &mut meta.blocksizes)?,
                5 => meta.hash_type = Some(value.number()?),
                6 => meta.fanout = Some(value.number()?),
                7 => meta.mode = u32::try_from(value.number()?).ok(),
                8 => meta.mtime = read_mtime(value.bytes()?)?,
                _ => {}
            }
        }
        meta.kind = kind.ok_or(UnixfsError::NoKind)?;
        Ok(meta)
    }

    /// The size of the file whose root this is, if its node has so many links: the sum of its
    /// parts, which must be what it declares.
    ///
    /// # Errors
    /// [`UnixfsError::Sizes`] when the parts are not as many as the links, or do not add up.
    pub fn file_size(&self, links: usize) -> Result<u64, UnixfsError> {
        if self.blocksizes.len() != links {
            return Err(UnixfsError::Sizes("not as many sizes as links"));
        }
        let own = self.data.len() as u64;
        let sum = self.blocksizes.iter().try_fold(own, |sum, size| sum.checked_add(*size));
        match (sum, self.filesize) {
            (Some(sum), None) => Ok(sum),
            (Some(sum), Some(declared)) if sum == declared => Ok(sum),
            (Some(_), Some(_)) => Err(UnixfsError::Sizes("the parts are not the whole")),
            (None, _) => Err(UnixfsError::Sizes("more than 64 bits")),
        }
    }

    /// Writes the message in the order of its fields.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.data.len() + 5 * self.blocksizes.len());
        let kind = match self.kind {
            Kind::Raw => 0,
            Kind::Directory => 1,
            Kind::File => 2,
            Kind::Metadata => 3,
            Kind::Symlink => 4,
            Kind::HamtShard => 5,
        };
        write_number(&mut out, 1, kind);
        if self.data_present || !self.data.is_empty() {
            write_bytes(&mut out, 2, &self.data);
        }
        if let Some(size) = self.filesize {
            write_number(&mut out, 3, size);
        }
        for size in &self.blocksizes {
            write_number(&mut out, 4, *size);
        }
        for (field, value) in [(5, self.hash_type), (6, self.fanout), (7, self.mode.map(u64::from))]
        {
            if let Some(value) = value {
                write_number(&mut out, field, value);
            }
        }
        if let Some(mtime) = self.mtime {
            let mut inner = Vec::new();
            write_number(&mut inner, 1, mtime.seconds.cast_unsigned());
            if mtime.nanoseconds > 0 {
                inner.push(2 << 3 | 5);
                inner.extend(mtime.nanoseconds.to_le_bytes());
            }
            out.push(8 << 3 | 2);
            write_varint(&mut out, inner.len() as u64);
            out.extend(inner);
        }
        out
    }
}

fn kind_of(number: u64) -> Result<Kind, UnixfsError> {
    Ok(match number {
        0 => Kind::Raw,
        1 => Kind::Directory,
        2 => Kind::File,
        3 => Kind::Metadata,
        4 => Kind::Symlink,
        5 => Kind::HamtShard,
        other => return Err(UnixfsError::UnknownKind(other)),
    })
}

/// Sizes are written one by one; packed ones are read too.
fn read_sizes(value: Value<'_>, sizes: &mut Vec<u64>) -> Result<(), UnixfsError> {
    match value {
        Value::Number(size) => push_size(size, sizes)?,
        Value::Bytes(packed) => {
            let mut rest = packed;
            while !rest.is_empty() {
                let (size, behind) = unsigned_varint::decode::u64(rest)
                    .map_err(|_| DagPbError::Malformed("a packed size"))?;
                push_size(size, sizes)?;
                rest = behind;
            }
        }
        Value::Fixed32(_) => return Err(DagPbError::Malformed("a wrong wire type").into()),
    }
    Ok(())
}

fn push_size(size: u64, sizes: &mut Vec<u64>) -> Result<(), UnixfsError> {
    if sizes.len() == SIZES_MAX {
        return Err(UnixfsError::Sizes("more than a block has room for links"));
    }
    sizes.push(size);
    Ok(())
}

/// A time that makes no sense is no time: it must not hide the file.
fn read_mtime(bytes: &[u8]) -> Result<Option<Mtime>, UnixfsError> {
    let mut fields = Fields { whole: bytes, at: 0 };
    let (mut seconds, mut nanoseconds) = (None, 0);
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Number(number)) => seconds = Some(number.cast_signed()),
            (2, Value::Fixed32(number)) => nanoseconds = number,
            _ => {}
        }
    }
    Ok(seconds
        .filter(|_| nanoseconds < 1_000_000_000)
        .map(|seconds| Mtime { seconds, nanoseconds }))
}

#[cfg(test)]
mod tests;
