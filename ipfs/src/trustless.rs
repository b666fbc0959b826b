//! The words that gateways and nodes say to each other: the trustless request and the state of a
//! retrieval.
//!
//! Both sides use these parsers and printers, so a parameter cannot mean two things. All of it is
//! the public Trustless Gateway protocol; the `Bifrost-` headers add to it and may be absent.

use std::fmt;
use std::ops::Range;

mod retrieval;

pub use retrieval::{Phase, Retrieval, RetrievalOutcome};

/// Media type of one block.
pub const RAW_TYPE: &str = "application/vnd.ipld.raw";
/// Media type of a CAR, without parameters.
pub const CAR_TYPE: &str = "application/vnd.ipld.car";

/// The root whose providers are to be searched when a block below it is asked for.
pub const ROOT_HEADER: &str = "bifrost-root";
/// The path below the root, percent-encoded.
pub const PATH_HEADER: &str = "bifrost-path";
/// Milliseconds that the asker is still willing to wait.
pub const DEADLINE_HEADER: &str = "bifrost-deadline";
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

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One block, as it is.
    Raw,
    /// A stream of blocks.
    Car,
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

/// What a query string or an `Accept` header asks for; what it leaves open is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The form of the answer.
    pub format: Option<Format>,
    scope: Option<DagScope>,
    bytes: Option<EntityBytes>,
    order: Option<Order>,
    dups: Option<bool>,
    /// The first value that is not defined. It is the fault of a request for a CAR, and a website's
    /// own affair in any other.
    fault: Option<TrustlessError>,
}

impl Wanted {
    /// Reads a query string. A `format` that is not known is left open, as are other parameters:
    /// a website may have its own.
    pub fn from_query(query: &str) -> Self {
        let mut wanted = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
            match name {
                "format" => {
                    wanted.format = match &*value {
                        "raw" => Some(Format::Raw),
                        "car" => Some(Format::Car),
                        _ => None,
                    };
                }
                "dag-scope" | "entity-bytes" => wanted.set(name, &value),
                "car-version" => wanted.set("version", &value),
                "car-order" => wanted.set("order", &value),
                "car-dups" => wanted.set("dups", &value),
                _ => {}
            }
        }
        wanted
    }

    /// Reads an `Accept` header: the acceptable trustless type with the highest quality, if any
    /// is preferred over a plain page.
    pub fn from_accept(accept: &str) -> Self {
        let mut best: (u16, Option<(Format, &str)>) = (0, None);
        for range in accept.split(',') {
            let (kind, parameters) = range.split_once(';').unwrap_or((range, ""));
            let format = match kind.trim() {
                RAW_TYPE => Some(Format::Raw),
                CAR_TYPE => Some(Format::Car),
                "text/html" | "*/*" | "" => None,
                _ => continue,
            };
            let quality = quality(parameters);
            if quality > best.0 {
                best = (quality, format.map(|format| (format, parameters)));
            }
        }
        let Some((format, parameters)) = best.1 else {
            return Self::default();
        };
        let mut wanted = Self { format: Some(format), ..Self::default() };
        if format == Format::Raw {
            return wanted;
        }
        for pair in parameters.split(';') {
            if let Some((name, value)) = pair.trim().split_once('=') {
                wanted.set(name.trim(), value.trim().trim_matches('"'));
            }
        }
        wanted
    }

    /// These wishes, and for what they leave open those of `other` (IPIP-523: the query wins).
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            format: self.format.or(other.format),
            scope: self.scope.or(other.scope),
            bytes: self.bytes.or(other.bytes),
            order: self.order.or(other.order),
            dups: self.dups.or(other.dups),
            fault: self.fault.or(other.fault),
        }
    }

    /// What a CAR is to hold, with the protocol's defaults for what was left open.
    ///
    /// # Errors
    /// [`TrustlessError::Parameter`] when a parameter of CARs has a value that is not defined.
    pub fn car(&self) -> Result<CarOptions, TrustlessError> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        // A range of bytes asks for no more than an entity, whatever else is asked for.
        let scope = match (self.scope.unwrap_or_default(), self.bytes) {
            (DagScope::All | DagScope::Entity, Some(_)) => DagScope::Entity,
            (scope @ DagScope::Block, Some(_)) | (scope, None) => scope,
        };
        Ok(CarOptions {
            scope,
            bytes: self.bytes,
            order: self.order.unwrap_or_default(),
            dups: self.dups.unwrap_or(false),
        })
    }

    fn set(&mut self, name: &str, value: &str) {
        if let Err(fault) = self.try_set(name, value) {
            self.fault.get_or_insert(fault);
        }
    }

    fn try_set(&mut self, name: &str, value: &str) -> Result<(), TrustlessError> {
        let bad = |parameter| TrustlessError::Parameter {
            parameter,
            value: value.chars().take(64).collect(),
        };
        match name {
            "dag-scope" => {
                self.scope = Some(match value {
                    "block" => DagScope::Block,
                    "entity" => DagScope::Entity,
                    "all" => DagScope::All,
                    _ => return Err(bad("dag-scope")),
                });
            }
            "entity-bytes" => self.bytes = Some(EntityBytes::parse(value)?),
            "order" => {
                self.order = Some(match value {
                    "dfs" => Order::Dfs,
                    "unk" => Order::Unknown,
                    _ => return Err(bad("car-order")),
                });
            }
            "dups" => {
                self.dups = Some(match value {
                    "y" => true,
                    "n" => false,
                    _ => return Err(bad("car-dups")),
                });
            }
            "version" if value != "1" => return Err(bad("car-version")),
            _ => {}
        }
        Ok(())
    }
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

/// The quality of a media range in thousandths.
fn quality(parameters: &str) -> u16 {
    let Some(value) = parameters.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("q").then_some(value)
    }) else {
        return 1000;
    };
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let thousandths =
        fraction.bytes().chain(std::iter::repeat(b'0')).take(3).try_fold(0, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0'))
        });
    match (whole, thousandths) {
        ("1", Some(_)) => 1000,
        ("0", Some(thousandths)) => thousandths,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
