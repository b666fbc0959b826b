//! The words that gateways and nodes say to each other: the trustless request and the state of a
//! retrieval.
//!
//! Both sides use these parsers and printers, so a parameter cannot mean two things. All of it is
//! the public Trustless Gateway protocol; the `Bifrost-` headers add to it and may be absent.

use std::fmt;
use std::ops::Range;

mod range;
mod retrieval;
mod wanted;

pub use range::{ByteRange, RangeError};
pub use retrieval::{Phase, Retrieval, RetrievalOutcome};
pub use wanted::{Format, Wanted};

/// Media type of one block.
pub const RAW_TYPE: &str = "application/vnd.ipld.raw";
/// Media type of a CAR, without parameters.
pub const CAR_TYPE: &str = "application/vnd.ipld.car";
/// Media type of an IPNS record.
pub const IPNS_RECORD_TYPE: &str = "application/vnd.ipfs.ipns-record";

/// The root whose providers are to be searched when a block below it is asked for.
pub const ROOT_HEADER: &str = "bifrost-root";
/// The path below the root, percent-encoded.
pub const PATH_HEADER: &str = "bifrost-path";
/// Milliseconds that the asker is still willing to wait.
pub const DEADLINE_HEADER: &str = "bifrost-deadline";
/// Whose traffic a request is for, where that is not what people ask: `mirror`, which can wait.
pub const TRAFFIC_HEADER: &str = "bifrost-traffic";
/// The state of a retrieval, as [`Retrieval`] prints it.
pub const RETRIEVAL_HEADER: &str = "bifrost-retrieval";

/// Why a trustless request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustlessError {
    /// A parameter has a value that is not defined.
    #[error("unknown value {value:?} for {parameter}")]
    Parameter {
        /// The parameter's name.
        parameter: &'static str,
        /// What was given.
        value: String,
    },
    /// A byte range that ends before it begins, or lies outside the entity.
    #[error("entity-bytes is outside of the entity")]
    OutOfRange,
}

/// How much of a DAG a CAR holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DagScope {
    /// The terminal block alone.
    Block,
    /// The blocks of one file or of one directory's listing.
    Entity,
    /// Everything below the terminal block.
    #[default]
    All,
}

/// The order of blocks in a CAR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// Depth first, parents before children: a reader can verify as it goes.
    #[default]
    Dfs,
    /// Any order; answered as depth first, which is one.
    Unknown,
}

/// A range of a file's bytes; negative offsets count from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntityBytes {
    /// The first byte.
    pub from: i64,
    /// The last byte, inclusive; `None` is the end.
    pub to: Option<i64>,
}

impl EntityBytes {
    /// Reads `from:to`, where `to` may be `*`.
    ///
    /// # Errors
    /// [`TrustlessError::Parameter`].
    pub fn parse(text: &str) -> Result<Self, TrustlessError> {
        let bad = || TrustlessError::Parameter {
            parameter: "entity-bytes",
            value: text.chars().take(64).collect(),
        };
        let (from, to) = text.split_once(':').ok_or_else(bad)?;
        let from = from.parse().map_err(|_| bad())?;
        let to = if to == "*" { None } else { Some(to.parse().map_err(|_| bad())?) };
        Ok(Self { from, to })
    }

    /// The range in a file of `size` bytes, cut to it.
    ///
    /// # Errors
    /// [`TrustlessError::OutOfRange`] when no byte of the file is in the range. A file without
    /// bytes answers any range that starts at its beginning.
    pub fn within(self, size: u64) -> Result<Range<u64>, TrustlessError> {
        let length = i128::from(size);
        let absolute = |at: i64| {
            let at = i128::from(at);
            if at < 0 { at + length } else { at }
        };
        let from = absolute(self.from).max(0);
        let end = self.to.map_or(length, |to| absolute(to) + 1).min(length);
        if from == 0 && length == 0 {
            return Ok(0..0);
        }
        if from >= end || from >= length {
            return Err(TrustlessError::OutOfRange);
        }
        let bound = |at: i128| u64::try_from(at).map_err(|_| TrustlessError::OutOfRange);
        Ok(bound(from)?..bound(end)?)
    }
}

impl fmt::Display for EntityBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) => write!(f, "{}:{to}", self.from),
            None => write!(f, "{}:*", self.from),
        }
    }
}

/// What a CAR is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CarOptions {
    /// How much of the DAG.
    pub scope: DagScope,
    /// Which bytes of a file, with [`DagScope::Entity`]; of no meaning for anything but a file.
    pub bytes: Option<EntityBytes>,
    /// The order of blocks.
    pub order: Order,
    /// Whether a block that is reached twice is sent twice.
    pub dups: bool,
}

impl CarOptions {
    /// The media type of the answer, with its parameters.
    pub fn content_type(&self) -> String {
        let dups = if self.dups { 'y' } else { 'n' };
        format!("{CAR_TYPE}; version=1; order=dfs; dups={dups}")
    }

    /// The query that asks another trustless gateway for the same.
    pub fn query(&self) -> String {
        let scope = match self.scope {
            DagScope::Block => "block",
            DagScope::Entity => "entity",
            DagScope::All => "all",
        };
        let dups = if self.dups { 'y' } else { 'n' };
        let mut query = format!("format=car&dag-scope={scope}&car-order=dfs&car-dups={dups}");
        if let Some(bytes) = self.bytes {
            query.push_str(&format!("&entity-bytes={bytes}"));
        }
        query
    }
}

#[cfg(test)]
mod tests;
