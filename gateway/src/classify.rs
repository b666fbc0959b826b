//! Says what a request asks for, in which form, and refuses what cannot be asked.
//!
//! Nothing is looked up here and no content path is parsed: a path that was resolved before is
//! found by its text alone, and one that was not is parsed by `resolve`.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use ipfs::path::PathError;
use ipfs::trustless::{ByteRange, RangeError, TrustlessError};
use percent_encoding::{AsciiSet, utf8_percent_encode};

mod caller;
mod canonical;
mod conditional;
mod hosts;
mod wish;

pub(crate) use caller::Caller;
pub(crate) use canonical::Redirect;
pub(crate) use conditional::etag_matches;
pub use hosts::{AnyHost, Class, Config, Host};
pub(crate) use hosts::{Hosts, Place, SiteRoot};
pub(crate) use wish::Wish;

use canonical::Origin;

use crate::outcome::{Form, Traffic};

/// Longest path and query.
pub(crate) const URI_BYTES_MAX: usize = 8 * 1024;
/// Most bytes of header fields.
pub(crate) const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Most header fields.
pub(crate) const HEADER_FIELDS_MAX: usize = 64;

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
    /// The `uri` parameter is not an address of content.
    #[error("the uri parameter is not an ipfs:// or ipns:// address")]
    BadUri,
    /// A path of the gateway has no root that could be an origin.
    #[error("invalid path {path:?}: {source}")]
    BadPath {
        /// The path.
        path: String,
        /// What is wrong with it.
        source: PathError,
    },
    /// Neither a key nor a domain.
    #[error("{0:?} is neither an IPNS key nor a domain name")]
    BadName(String),
    /// A root that no host name can hold.
    #[error("CID incompatible with DNS label length limit of 63")]
    LabelTooLong,
    /// A copy of a request came to the gateway that sent it, or to one of its kind.
    #[error("this gateway mirrors its requests and is no staging: change mirror.to of the sender")]
    Loop,
    /// The host serves only what clients verify.
    #[error(
        "this host serves verifiable answers only: ?format=raw, ?format=car or ?format=ipns-record"
    )]
    NotTrustless,
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
            AskError::NotTrustless => StatusCode::NOT_ACCEPTABLE,
            AskError::Loop => StatusCode::LOOP_DETECTED,
            AskError::BadHost
            | AskError::BadUri
            | AskError::BadPath { .. }
            | AskError::BadName(_)
            | AskError::LabelTooLong
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
    /// Content below an immutable root or a name.
    Content(Box<Content>),
    /// An address that has a better one.
    Redirect(Redirect),
    /// A page of the gateway itself.
    Own(OwnPage),
    /// What may be asked: the answer to OPTIONS.
    Options,
    /// A tunnel to this gateway itself.
    Tunnel,
}

/// A page that the gateway serves of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnPage {
    /// The start page.
    Start,
    /// Whose gateway to use, and how to check it.
    Help,
    /// The usage policy.
    Policy,
    /// The numbers of the usage policy, for machines.
    PolicyJson,
    /// What crawlers are asked for.
    Robots,
    /// Where to report holes.
    Security,
    /// The build's version.
    Version,
}

impl OwnPage {
    /// The page at this path.
    fn at(path: &str) -> Option<Self> {
        match path {
            "/" => Some(OwnPage::Start),
            "/help" => Some(OwnPage::Help),
            "/policy" => Some(OwnPage::Policy),
            "/policy.json" => Some(OwnPage::PolicyJson),
            "/robots.txt" => Some(OwnPage::Robots),
            "/.well-known/security.txt" => Some(OwnPage::Security),
            "/version" => Some(OwnPage::Version),
            _ => None,
        }
    }
}

/// Where the root of content is in the paths of its host.
#[derive(Debug, Clone)]
pub(crate) enum Mount {
    /// At `/ipfs/…` and `/ipns/…`, in one origin with all other content.
    Path,
    /// At `/` of `{id}.{namespace}.{gateway}`.
    Origin {
        /// The gateway, with the port that was asked.
        gateway: String,
    },
    /// At `/` of a website's host.
    Site {
        /// The host, with the port that was asked.
        host: String,
        /// What it stands for.
        root: Arc<SiteRoot>,
    },
}

/// A request for content.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    /// `/ipfs/{cid}[/path]` or `/ipns/{name}[/path]`, percent-encoded as it came: what plans are
    /// found by.
    pub(crate) path: String,
    /// How many bytes of the path the host stands for, so that its own paths begin behind them.
    pub(crate) mounted: usize,
    /// Where the root is in the paths of the host.
    pub(crate) mount: Mount,
    /// The query as it came.
    pub(crate) query: Option<String>,
    /// The form that is wanted.
    pub(crate) wish: Wish,
    /// Whether the form came by the `Accept` header rather than by the query.
    pub(crate) negotiated: bool,
    /// Whether content that does not have that form may be shown as a browser would.
    pub(crate) page_is_fine: bool,
    /// Whether a page for people is wanted rather than the bytes.
    pub(crate) html: bool,
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

impl Content {
    /// The path as the host shows it, percent-encoded.
    pub(crate) fn shown_path(&self) -> &str {
        &self.path[self.mounted..]
    }

    /// The same request, by a client that has no copy and wants the whole.
    pub(crate) fn without_conditions(&self) -> Self {
        let (range, if_range, if_none_match) = (None, None, None);
        Self { range, if_range, if_none_match, ..self.clone() }
    }

    /// Whether no other root shares the origin, so that the root may rule its own paths.
    pub(crate) fn is_isolated(&self) -> bool {
        match self.mount {
            Mount::Path => false,
            Mount::Origin { .. } | Mount::Site { .. } => true,
        }
    }
}

impl Asked {
    /// Whose traffic this is.
    pub(crate) fn traffic(&self) -> Traffic {
        match self {
            Asked::Content(content) if matches!(content.mount, Mount::Site { .. }) => {
                Traffic::Website
            }
            Asked::Content(_)
            | Asked::Redirect(_)
            | Asked::Own(_)
            | Asked::Options
            | Asked::Tunnel => Traffic::Gateway,
        }
    }

    /// The path of the content that is asked for, percent-encoded; that of a redirect is as it came.
    pub(crate) fn path(&self, parts: &Parts) -> Option<String> {
        match self {
            Asked::Content(content) => Some(content.path.clone()),
            Asked::Redirect(_) => Some(parts.uri.path().to_owned()),
            Asked::Own(_) | Asked::Options | Asked::Tunnel => None,
        }
    }

    /// The form in which it is asked for.
    pub(crate) fn form(&self) -> Form {
        match self {
            Asked::Content(content) => match (content.wish, &content.mount) {
                (Wish::Raw | Wish::Car(_) | Wish::IpnsRecord, _) => Form::Trustless,
                (Wish::Page | Wish::Tar | Wish::Codec(_), Mount::Site { .. }) => Form::Dnslink,
                (Wish::Page | Wish::Tar | Wish::Codec(_), Mount::Origin { .. }) => Form::Subdomain,
                (Wish::Page | Wish::Tar | Wish::Codec(_), Mount::Path) => Form::Path,
            },
            Asked::Redirect(_) | Asked::Own(_) | Asked::Options | Asked::Tunnel => Form::Own,
        }
    }
}

/// Who asks, and for which host.
///
/// # Errors
/// [`AskError`]: the request is too large to be read, or names no host.
pub(crate) fn caller(parts: &Parts, peer: IpAddr, hosts: &Hosts) -> Result<Caller, AskError> {
    check_size(parts)?;
    Caller::read(parts, peer, hosts, hosts.is_uniform())
}

/// Who asks, and for which host, whether or not all hosts are answered alike.
///
/// # Errors
/// As [`caller()`].
pub(crate) fn whole_caller(parts: &Parts, peer: IpAddr, hosts: &Hosts) -> Result<Caller, AskError> {
    Caller::read(parts, peer, hosts, false)
}

/// Says what a request asks for.
///
/// # Errors
/// [`AskError`], by what is wrong with it.
pub(crate) fn request(parts: &Parts, caller: &Caller, hosts: &Hosts) -> Result<Asked, AskError> {
    if parts.method == Method::CONNECT && hosts.is_tunnel() {
        return Ok(Asked::Tunnel);
    }
    let place = hosts.place(caller)?;
    if parts.method == Method::OPTIONS {
        return Ok(Asked::Options);
    }
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Err(AskError::Method(parts.method.clone()));
    }
    let path = parts.uri.path();
    match place {
        Place::Paths { trustless } => match canonical::split(path) {
            Some(split) => on_paths(parts, &split, trustless),
            None => own(path),
        },
        Place::Subdomains => match canonical::split(path) {
            Some(split) => to_origin(parts, &split, caller),
            None => own(path),
        },
        Place::Pages => own(path),
        Place::Origin { namespace, id, gateway } => match canonical::origin(namespace, &id)? {
            Origin::Root(root) => content(parts, root, Mount::Origin { gateway }),
            Origin::Elsewhere(label) => {
                let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
                canonical::to_label(&label, namespace, &gateway, path, caller).map(Asked::Redirect)
            }
        },
        Place::Site(root) => {
            let host = caller.authority();
            content(parts, root.path.clone(), Mount::Site { host, root })
        }
    }
}

/// A request of a path gateway.
fn on_paths(
    parts: &Parts,
    split: &canonical::Split<'_>,
    trustless: bool,
) -> Result<Asked, AskError> {
    let query = parts.uri.query();
    if let Some(redirect) = canonical::uri(split, query)? {
        return Ok(Asked::Redirect(redirect));
    }
    if is_worker(parts) && matches!(split.rest, "" | "/") {
        return Err(AskError::ServiceWorker);
    }
    if let Some(redirect) = canonical::on_paths(split, query)? {
        return Ok(Asked::Redirect(redirect));
    }
    let asked = content(parts, String::new(), Mount::Path)?;
    if trustless && !is_verifiable(&asked, split) {
        return Err(AskError::NotTrustless);
    }
    Ok(asked)
}

/// A request of a gateway of subdomains: content is elsewhere.
fn to_origin(
    parts: &Parts,
    split: &canonical::Split<'_>,
    caller: &Caller,
) -> Result<Asked, AskError> {
    let query = parts.uri.query();
    if let Some(redirect) = canonical::uri(split, query)? {
        return Ok(Asked::Redirect(redirect));
    }
    canonical::to_origin(split, query, caller).map(Asked::Redirect)
}

/// Whether clients verify the answer by themselves.
fn is_verifiable(asked: &Asked, split: &canonical::Split<'_>) -> bool {
    match asked {
        Asked::Content(content) => match content.wish {
            Wish::Car(_) | Wish::IpnsRecord => true,
            // A block below a path proves nothing of the path.
            Wish::Raw => matches!(split.rest, "" | "/"),
            Wish::Page | Wish::Tar | Wish::Codec(_) => false,
        },
        Asked::Redirect(_) | Asked::Own(_) | Asked::Options | Asked::Tunnel => true,
    }
}

/// A page of the gateway itself.
fn own(path: &str) -> Result<Asked, AskError> {
    OwnPage::at(path).map(Asked::Own).ok_or(AskError::NoSuchPage)
}

/// Where the gateway's own pages are, from the host that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OwnPages {
    /// At the paths of this host.
    Here,
    /// At those of the gateway whose origin this host is, as `scheme://host`.
    At(String),
    /// At none that is known: paths of this host are content.
    Nowhere,
}

/// Where the gateway's own pages are, so that they can be linked to.
pub(crate) fn own_pages(parts: &Parts, peer: IpAddr, hosts: &Hosts) -> OwnPages {
    let Ok(caller) = Caller::read(parts, peer, hosts, hosts.is_uniform()) else {
        return OwnPages::Nowhere;
    };
    match hosts.place(&caller) {
        Ok(Place::Paths { .. } | Place::Subdomains | Place::Pages) => OwnPages::Here,
        Ok(Place::Origin { gateway, .. }) => {
            OwnPages::At(format!("{}://{gateway}", caller.scheme()))
        }
        Ok(Place::Site(_)) | Err(_) => OwnPages::Nowhere,
    }
}

/// Whether a browser asks for the script of a service worker.
fn is_worker(parts: &Parts) -> bool {
    parts.headers.get("service-worker").is_some_and(|value| value == "script")
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

/// A path or query in visible ASCII: what came as it is beyond that is percent-encoded, so that it
/// can be said again in a header.
fn visible(text: &str) -> Cow<'_, str> {
    const REST: &AsciiSet = &AsciiSet::EMPTY.add(b'\\');
    if text.is_ascii() && !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    utf8_percent_encode(text, REST).collect::<String>().into()
}

/// Content below `root`, which is empty where the path itself names it.
fn content(parts: &Parts, root: String, mount: Mount) -> Result<Asked, AskError> {
    let headers = &parts.headers;
    let query = parts.uri.query();
    let form = wish::form(query, headers)?;
    let (filename, download) = query.map_or(Ok((None, false)), wish::naming)?;
    let range = headers
        .get(header::RANGE)
        .map(|range| range.to_str().map_err(|_| RangeError).and_then(ByteRange::parse));
    Ok(Asked::Content(Box::new(Content {
        mounted: root.len(),
        path: root + &visible(parts.uri.path()),
        mount,
        query: query.map(|query| visible(query).into_owned()),
        wish: form.wish,
        negotiated: form.negotiated,
        page_is_fine: form.page_is_fine,
        html: form.html,
        head: parts.method == Method::HEAD,
        range: range.transpose().map_err(|RangeError| AskError::Range)?.flatten(),
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
    })))
}

#[cfg(test)]
mod tests;
