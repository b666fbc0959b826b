//! The form in which content is wanted, and the name to give it.

use http::{HeaderMap, header};
use ipfs::trustless::{CarOptions, Format, Wanted};

use super::AskError;

/// Longest name that a file can be given by the query.
pub(super) const FILENAME_BYTES_MAX: usize = 1024;

/// The form in which content is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// As a browser shows it.
    Page,
    /// One block.
    Raw,
    /// A stream of blocks.
    Car(CarOptions),
    /// A TAR.
    Tar,
    /// A block of this form: JSON or CBOR, plain or with links.
    Codec(Format),
    /// The signed record of a name.
    IpnsRecord,
}

/// A wish, and how it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// The form that is wanted.
    pub(crate) wish: Wish,
    /// Whether it came by `Accept` rather than by the query.
    pub(crate) negotiated: bool,
    /// Whether content that does not have that form may be shown as a browser would.
    pub(crate) page_is_fine: bool,
    /// Whether a page for people is wanted rather than the bytes: `Accept` names HTML.
    pub(crate) html: bool,
}

/// The form that is wanted: by the query, else by `Accept`.
pub(super) fn form(query: Option<&str>, headers: &HeaderMap) -> Result<Form, AskError> {
    let by_query = query.map(Wanted::from_query).unwrap_or_default();
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let by_accept = match accept {
        Some(accept) if accept.contains("application/") => Wanted::from_accept(accept),
        Some(_) | None => Wanted::default(),
    };
    let negotiated = by_query.format.is_none() && by_accept.format.is_some();
    let wanted = by_query.or(by_accept);
    let wish = match wanted.format {
        None => Wish::Page,
        Some(Format::Raw) => Wish::Raw,
        Some(Format::Car) => Wish::Car(wanted.car()?),
        Some(Format::Tar) => Wish::Tar,
        Some(format @ (Format::Json | Format::Cbor | Format::DagJson | Format::DagCbor)) => {
            Wish::Codec(format)
        }
        Some(Format::IpnsRecord) => Wish::IpnsRecord,
    };
    let html = wish == Wish::Page && accept.is_some_and(|accept| accept.contains("text/html"));
    Ok(Form { wish, negotiated, page_is_fine: negotiated && wanted.page_is_fine, html })
}

/// Reads `filename` and `download` from a query.
pub(super) fn naming(query: &str) -> Result<(Option<String>, bool), AskError> {
    let (mut filename, mut download) = (None, false);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "filename" if !value.is_empty() => {
                let value = value.replace('+', " ");
                let value = percent_encoding::percent_decode_str(&value)
                    .decode_utf8()
                    .map_err(|_| AskError::Filename)?;
                if value.len() > FILENAME_BYTES_MAX {
                    return Err(AskError::Filename);
                }
                filename = Some(value.into_owned());
            }
            "download" => download = value == "true",
            _ => {}
        }
    }
    Ok((filename, download))
}
