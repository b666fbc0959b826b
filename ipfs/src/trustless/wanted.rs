//! The form and the parameters that a request wants: by its query, by its `Accept` header, or both.
//!
//! The query wins (IPIP-523), so a URL means the same whoever opens it.

use super::{
    CAR_TYPE, CarOptions, DagScope, EntityBytes, IPNS_RECORD_TYPE, Order, RAW_TYPE, TrustlessError,
};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One block, as it is.
    Raw,
    /// A stream of blocks.
    Car,
    /// A TAR of a file or a folder.
    Tar,
    /// The block, which is JSON of either kind, as plain JSON.
    Json,
    /// The block, which is CBOR of either kind, as plain CBOR.
    Cbor,
    /// The block, which is dag-json.
    DagJson,
    /// The block, which is dag-cbor.
    DagCbor,
    /// The signed record of an IPNS name.
    IpnsRecord,
}

impl Format {
    /// Every form, in no order.
    pub const ALL: [Format; 8] = [
        Format::Raw,
        Format::Car,
        Format::Tar,
        Format::Json,
        Format::Cbor,
        Format::DagJson,
        Format::DagCbor,
        Format::IpnsRecord,
    ];

    /// The word of `?format=`.
    pub fn word(self) -> &'static str {
        match self {
            Format::Raw => "raw",
            Format::Car => "car",
            Format::Tar => "tar",
            Format::Json => "json",
            Format::Cbor => "cbor",
            Format::DagJson => "dag-json",
            Format::DagCbor => "dag-cbor",
            Format::IpnsRecord => "ipns-record",
        }
    }

    /// The media type, without parameters.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Raw => RAW_TYPE,
            Format::Car => CAR_TYPE,
            Format::Tar => "application/x-tar",
            Format::Json => "application/json",
            Format::Cbor => "application/cbor",
            Format::DagJson => "application/vnd.ipld.dag-json",
            Format::DagCbor => "application/vnd.ipld.dag-cbor",
            Format::IpnsRecord => IPNS_RECORD_TYPE,
        }
    }

    /// Whether the client can verify an answer of this form by itself.
    pub fn is_trustless(self) -> bool {
        match self {
            Format::Raw | Format::Car | Format::IpnsRecord => true,
            Format::Tar | Format::Json | Format::Cbor | Format::DagJson | Format::DagCbor => false,
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }

    fn of_media_type(media: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.media_type().eq_ignore_ascii_case(media))
    }
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
    /// Whether a page would do as well: `Accept` names `*/*` or HTML beside the form.
    pub page_is_fine: bool,
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
                    wanted.format = Format::of_word(&value);
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

    /// Reads an `Accept` header: the known form with the highest quality, the first of several, if
    /// it is preferred over a plain page.
    pub fn from_accept(accept: &str) -> Self {
        let mut best = (0, false);
        let mut chosen = None;
        let mut page_is_fine = false;
        for range in accept.split(',') {
            let (kind, parameters) = range.split_once(';').unwrap_or((range, ""));
            let (kind, quality) = (kind.trim(), quality(parameters));
            let format = Format::of_media_type(kind);
            let is_page = matches!(kind, "text/html" | "*/*" | "");
            if (format.is_none() && !is_page) || quality == 0 {
                continue;
            }
            page_is_fine |= is_page;
            // What is named comes before what anything else would do for.
            let rank = (quality, format.is_some() || kind == "text/html");
            if rank > best {
                best = rank;
                chosen = format.map(|format| (format, parameters));
            }
        }
        let Some((format, parameters)) = chosen else {
            return Self { page_is_fine, ..Self::default() };
        };
        let mut wanted = Self { format: Some(format), page_is_fine, ..Self::default() };
        if format != Format::Car {
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
            page_is_fine: if self.format.is_some() {
                self.page_is_fine
            } else {
                other.page_is_fine
            },
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
