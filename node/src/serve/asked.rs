//! Reads a request: which content, in which form.
//!
//! The query wins over `Accept` (IPIP-523). A node gives proofs, never pages, so a request without a
//! trustless format is refused with a hint.

use http::{HeaderMap, Request, header};
use ipfs::path::{ContentPath, PathError};
use ipfs::trustless::{CarOptions, Format, Wanted};

use crate::serve::ServeError;

/// Longest path and query that is read, in bytes.
const URI_BYTES_MAX: usize = 8 * 1024;

/// What a request asks for.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) path: ContentPath,
    pub(super) format: Format,
    pub(super) car: CarOptions,
    /// Whether only what is stored may be given.
    pub(super) local_only: bool,
    /// The name for a download, if one was given.
    pub(super) filename: Option<String>,
}

impl Question {
    /// Reads a request.
    ///
    /// # Errors
    /// [`ServeError`], by what is wrong with it.
    pub(super) fn read<B>(request: &Request<B>) -> Result<Self, ServeError> {
        let uri = request.uri();
        let query = uri.query().unwrap_or("");
        if uri.path().len() + query.len() > URI_BYTES_MAX {
            return Err(ServeError::UriTooLong);
        }
        let path = ContentPath::parse(uri.path()).map_err(|error| match error {
            PathError::NotContent => ServeError::NotContent,
            PathError::Root(_)
            | PathError::NotUtf8
            | PathError::Nul
            | PathError::Relative
            | PathError::TooDeep => ServeError::Path(error),
        })?;
        let accept = joined(request.headers(), &header::ACCEPT);
        let wanted = Wanted::from_query(query).or(Wanted::from_accept(&accept));
        let format = wanted.format.filter(|format| matches!(format, Format::Raw | Format::Car));
        let format = format.ok_or(ServeError::NoFormat)?;
        let car = if format == Format::Car {
            wanted.car().map_err(ServeError::Parameter)?
        } else {
            CarOptions::default()
        };
        Ok(Self {
            path,
            format,
            car,
            local_only: is_local_only(request.headers()),
            filename: filename(query),
        })
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
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}
