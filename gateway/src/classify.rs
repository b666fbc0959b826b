//! Says what a request asks for, in which form, and refuses what cannot be asked.
//!
//! Nothing is looked up here and no content path is parsed: a path that was resolved before is
//! found by its text alone, and one that was not is parsed by `resolve`.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use ipfs::trustless::{CarOptions, Format, TrustlessError, Wanted};

mod conditional;
mod hosts;
mod range;

pub(crate) use conditional::etag_matches;
pub use hosts::{AnyHost, Config, Site};
pub(crate) use hosts::{Hosts, Place, SiteRoot};
pub(crate) use range::{ByteRange, RangeError};

use crate::outcome::{Form, Traffic};

/// Longest path and query.
const URI_BYTES_MAX: usize = 8 * 1024;
/// Most bytes of header fields.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Most header fields.
const HEADER_FIELDS_MAX: usize = 64;
/// Longest name that a file can be given by the query.
const FILENAME_BYTES_MAX: usize = 1024;

/// Why a request cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// Another method than GET, HEAD and OPTIONS.
    #[error("method {0} is not allowed")]
    Method(Method),
    /// The path and query are longer than is read.
    #[error("the request's path and query are longer than {URI_BYTES_MAX} bytes")]
    UriTooLong,
    /// The header fields are larger or more than is read.
    #[error(
        "the request has more than {HEADER_FIELDS_MAX} header fields or {HEADER_BYTES_MAX} bytes of them"
    )]
    HeadersTooLarge,
    /// The host is missing, given twice, or not a host.
    #[error("the request names no host, or several, or something that is not one")]
    BadHost,
    /// No content is served for this host.
    #[error("host {0:?} is not served here")]
    UnknownHost(String),
    /// A service worker would be registered for the whole gateway.
    #[error("navigator.serviceWorker: registration is not allowed for this scope")]
    ServiceWorker,
    /// A parameter of the trustless protocol is not understood.
    #[error(transparent)]
    Parameter(#[from] TrustlessError),
    /// The `Range` header is not one.
    #[error("the Range header is malformed")]
    Range,
    /// The `filename` parameter is not a file's name.
    #[error("the filename parameter is too long or not UTF-8")]
    Filename,
    /// A stream for a client that could not tell its end from a cut.
    #[error("this answer has no length known in advance: ask with HTTP/1.1 or HTTP/2")]
    Version,
    /// Nothing is served at this path.
    #[error("nothing is served at this path")]
    NoSuchPage,
}

impl AskError {
    /// The status that tells this.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            AskError::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            AskError::UriTooLong => StatusCode::URI_TOO_LONG,
            AskError::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            AskError::UnknownHost(_) => StatusCode::MISDIRECTED_REQUEST,
            AskError::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            AskError::NoSuchPage => StatusCode::NOT_FOUND,
            AskError::BadHost
            | AskError::ServiceWorker
            | AskError::Parameter(_)
            | AskError::Range
            | AskError::Filename => StatusCode::BAD_REQUEST,
        }
    }
}

/// What is asked for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Content below an immutable root.
    Content(Box<Content>),
    /// A page of the gateway itself.
    Own(OwnPage),
    /// What may be asked: the answer to OPTIONS.
    Options,
}

/// A page that the gateway serves of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnPage {
    /// The start page.
    Start,
    /// The build's version.
    Version,
}

/// The form in which content is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// As a browser shows it.
    Page,
    /// One block.
    Raw,
    /// A stream of blocks.
    Car(CarOptions),
}

/// A request for content.
#[derive(Debug)]
pub(crate) struct Content {
    /// `/ipfs/{cid}[/path]`, percent-encoded as it came: what plans are found by.
    pub(crate) path: String,
    /// The query as it came.
    pub(crate) query: Option<String>,
    /// The site that the host stands for, whose own paths begin at its root.
    pub(crate) site: Option<Arc<SiteRoot>>,
    /// The form that is wanted.
    pub(crate) wish: Wish,
    /// Whether the form came by the `Accept` header rather than by the query.
    pub(crate) negotiated: bool,
    /// Whether only the headers are wanted.
    pub(crate) head: bool,
    /// The range of bytes that is wanted.
    pub(crate) range: Option<ByteRange>,
    /// The copy that the range is to continue.
    pub(crate) if_range: Option<HeaderValue>,
    /// The copies that the client has.
    pub(crate) if_none_match: Option<HeaderValue>,
    /// Whether nothing is to be fetched from the network.
    pub(crate) only_if_cached: bool,
    /// The name to give the file.
    pub(crate) filename: Option<String>,
    /// Whether to save rather than to show.
    pub(crate) download: bool,
}

impl Asked {
    /// Whose traffic this is.
    pub(crate) fn traffic(&self) -> Traffic {
        match self {
            Asked::Content(content) if content.site.is_some() => Traffic::Website,
            Asked::Content(_) | Asked::Own(_) | Asked::Options => Traffic::Gateway,
        }
    }

    /// The form in which it is asked for.
    pub(crate) fn form(&self) -> Form {
        match self {
            Asked::Content(content) if content.wish != Wish::Page => Form::Trustless,
            Asked::Content(content) if content.site.is_some() => Form::Dnslink,
            Asked::Content(_) => Form::Path,
            Asked::Own(_) | Asked::Options => Form::Own,
        }
    }
}

/// Says what a request asks for.
///
/// # Errors
/// [`AskError`], by what is wrong with it.
pub(crate) fn request(parts: &Parts, hosts: &Hosts) -> Result<Asked, AskError> {
    check_size(parts)?;
    let place = hosts.place(parts)?;
    if parts.method == Method::OPTIONS {
        return Ok(Asked::Options);
    }
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Err(AskError::Method(parts.method.clone()));
    }
    let path = parts.uri.path();
    match place {
        Place::Site(site) => {
            let path = format!("{}{path}", site.path);
            content(parts, path, Some(site)).map(Asked::Content)
        }
        Place::Gateway if path.starts_with("/ipfs/") => {
            if parts.headers.get("service-worker").is_some_and(|value| value == "script") {
                return Err(AskError::ServiceWorker);
            }
            content(parts, path.to_owned(), None).map(Asked::Content)
        }
        Place::Gateway => match path {
            "/" => Ok(Asked::Own(OwnPage::Start)),
            "/version" => Ok(Asked::Own(OwnPage::Version)),
            _ => Err(AskError::NoSuchPage),
        },
    }
}

fn check_size(parts: &Parts) -> Result<(), AskError> {
    let uri = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    if uri > URI_BYTES_MAX {
        return Err(AskError::UriTooLong);
    }
    let fields = parts.headers.iter();
    let bytes: usize = fields.map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if parts.headers.len() > HEADER_FIELDS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(AskError::HeadersTooLarge);
    }
    Ok(())
}

fn content(
    parts: &Parts,
    path: String,
    site: Option<Arc<SiteRoot>>,
) -> Result<Box<Content>, AskError> {
    let headers = &parts.headers;
    let query = parts.uri.query();
    let (wish, negotiated) = wish(query, headers)?;
    let (filename, download) = query.map_or(Ok((None, false)), naming)?;
    let range = headers.get(header::RANGE).map(ByteRange::parse).transpose();
    Ok(Box::new(Content {
        path,
        query: query.map(str::to_owned),
        site,
        wish,
        negotiated,
        head: parts.method == Method::HEAD,
        range: range.map_err(|RangeError| AskError::Range)?.flatten(),
        if_range: headers.get(header::IF_RANGE).cloned(),
        if_none_match: headers.get(header::IF_NONE_MATCH).cloned(),
        only_if_cached: headers
            .get(header::CACHE_CONTROL)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                value.split(',').any(|one| one.trim().eq_ignore_ascii_case("only-if-cached"))
            }),
        filename,
        download,
    }))
}

/// The form that is wanted: by the query, else by `Accept` when that names a trustless type.
fn wish(query: Option<&str>, headers: &HeaderMap) -> Result<(Wish, bool), AskError> {
    let by_query = query.map(Wanted::from_query).unwrap_or_default();
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let by_accept = match accept {
        Some(accept) if accept.contains("application/vnd.ipld") => Wanted::from_accept(accept),
        Some(_) | None => Wanted::default(),
    };
    let negotiated = by_query.format.is_none() && by_accept.format.is_some();
    let wanted = by_query.or(by_accept);
    let wish = match wanted.format {
        None => Wish::Page,
        Some(Format::Raw) => Wish::Raw,
        Some(Format::Car) => Wish::Car(wanted.car()?),
    };
    Ok((wish, negotiated))
}

/// Reads `filename` and `download` from a query.
fn naming(query: &str) -> Result<(Option<String>, bool), AskError> {
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

#[cfg(test)]
mod tests;
