//! Reads a request: which content, in which form.
//!
//! The query wins over `Accept` (IPIP-523). A node gives proofs, never pages, so a request without a
//! trustless format is refused with a hint.

use http::{HeaderMap, Request, header};
use ipfs::ipns::Name;
use ipfs::path::{ContentPath, Named, PathError};
use ipfs::trustless::{CarOptions, Format, Wanted};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

use crate::serve::ServeError;

/// Longest path and query that is read, in bytes.
const URI_BYTES_MAX: usize = 8 * 1024;

/// What need not be encoded in a parameter of a header (RFC 8187), beside letters and digits.
const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a request for content asks for.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) path: ContentPath,
    pub(super) proof: Proof,
    /// Whether only what is stored may be given.
    pub(super) local_only: bool,
    /// Whether `Accept` had a say in the form.
    pub(super) is_negotiated: bool,
    /// The name for a download, if one was given.
    pub(super) filename: Option<String>,
}

/// The form of an answer with content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// One block.
    Raw,
    /// A CAR.
    Car(CarOptions),
}

/// What a request for the record of a name asks for.
#[derive(Debug)]
pub(super) struct NameQuestion {
    pub(super) name: Name,
    /// The path as it came.
    pub(super) path: String,
    /// Whether `Accept` had a say in the form.
    pub(super) is_negotiated: bool,
    /// The name for a download, if one was given.
    pub(super) filename: Option<String>,
}

impl Question {
    /// Reads a request.
    ///
    /// # Errors
    /// [`ServeError`], by what is wrong with it.
    pub(super) fn read<B>(request: &Request<B>) -> Result<Self, ServeError> {
        let query = query(request)?;
        let path = ContentPath::parse(request.uri().path()).map_err(path_error)?;
        let (wanted, is_negotiated) = wanted(request, query);
        let proof = match wanted.format.ok_or(ServeError::NoFormat)? {
            Format::Raw => Proof::Raw,
            Format::Car => Proof::Car(wanted.car().map_err(ServeError::Parameter)?),
            Format::Tar
            | Format::Json
            | Format::Cbor
            | Format::DagJson
            | Format::DagCbor
            | Format::IpnsRecord => return Err(ServeError::NoFormat),
        };
        Ok(Self {
            path,
            proof,
            local_only: is_local_only(request.headers()),
            is_negotiated,
            filename: filename(query),
        })
    }
}

impl NameQuestion {
    /// Reads a request for a path below `/ipns/`; `None` for any other.
    ///
    /// # Errors
    /// [`ServeError`], by what is wrong with it.
    pub(super) fn read<B>(request: &Request<B>) -> Result<Option<Self>, ServeError> {
        if !request.uri().path().starts_with("/ipns/") {
            return Ok(None);
        }
        let query = query(request)?;
        let named = Named::parse(request.uri().path()).map_err(path_error)?;
        let (wanted, is_negotiated) = wanted(request, query);
        if wanted.format != Some(Format::IpnsRecord) {
            return Err(ServeError::NoNameFormat);
        }
        let name = Name::parse(&named.name).map_err(ServeError::Name)?;
        if !named.rest.trim_matches('/').is_empty() {
            return Err(ServeError::BelowName);
        }
        let path = request.uri().path().trim_end_matches('/').to_owned();
        Ok(Some(Self { name, path, is_negotiated, filename: filename(query) }))
    }
}

/// The query, if path and query are short enough.
fn query<B>(request: &Request<B>) -> Result<&str, ServeError> {
    let uri = request.uri();
    let query = uri.query().unwrap_or("");
    if uri.path().len() + query.len() > URI_BYTES_MAX {
        return Err(ServeError::UriTooLong);
    }
    Ok(query)
}

/// What is wanted, and whether `Accept` had a say in it.
fn wanted<B>(request: &Request<B>, query: &str) -> (Wanted, bool) {
    let accept = Wanted::from_accept(&joined(request.headers(), &header::ACCEPT));
    let is_negotiated = accept.format.is_some();
    (Wanted::from_query(query).or(accept), is_negotiated)
}

fn path_error(error: PathError) -> ServeError {
    match error {
        PathError::NotContent => ServeError::NotContent,
        PathError::Root(_)
        | PathError::NotUtf8
        | PathError::Nul
        | PathError::Relative
        | PathError::TooDeep => ServeError::Path(error),
    }
}

/// Whether the asker wants nothing to be fetched.
fn is_local_only(headers: &HeaderMap) -> bool {
    joined(headers, &header::CACHE_CONTROL)
        .split(',')
        .any(|directive| directive.trim().eq_ignore_ascii_case("only-if-cached"))
}

/// The values of a header as one list.
fn joined(headers: &HeaderMap, name: &header::HeaderName) -> String {
    let values: Vec<&str> =
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

fn filename(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("filename="))?;
    let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
    (!value.is_empty()).then(|| value.into_owned())
}

/// `attachment` with a file name: plain, and encoded when it is not ASCII.
pub(super) fn attachment(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ' { c } else { '_' })
        .collect();
    let encoded = percent_encoding::utf8_percent_encode(name, PARAMETER);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}
