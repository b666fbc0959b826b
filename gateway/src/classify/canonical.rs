//! Addresses that are answered with a better one: origins of their own, canonical names, and the
//! `ipfs://` addresses that browsers hand over.
//!
//! No redirect leads anywhere but to a host of the table or to a path of the same host.

use http::{HeaderValue, StatusCode};
use ipfs::cid::Base;
use ipfs::ipns::Name;
use ipfs::{Cid, CidError, dnslink};

use super::AskError;
use super::caller::Caller;

/// Longest label of a domain name.
const LABEL_BYTES_MAX: usize = 63;
/// How long a redirect to an origin or a canonical name may be kept: its target never changes, but
/// the host may be configured otherwise.
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=86400");

/// A better address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Redirect {
    /// 301 or 302.
    pub(crate) status: StatusCode,
    /// Where to.
    pub(crate) location: HeaderValue,
    /// How long it may be kept.
    pub(crate) cache_control: HeaderValue,
}

impl Redirect {
    fn to(status: StatusCode, location: &str) -> Result<Self, AskError> {
        let location = HeaderValue::from_str(&super::visible(location));
        let location = location.map_err(|_| AskError::BadUri)?;
        Ok(Self { status, location, cache_control: KEEP })
    }

    fn permanent(location: &str) -> Result<Self, AskError> {
        Self::to(StatusCode::MOVED_PERMANENTLY, location)
    }
}

/// What a path of a gateway is: its namespace, the root below it, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Split<'a> {
    pub(super) namespace: &'static str,
    /// The root, percent-encoded as it came.
    pub(super) id: &'a str,
    /// Empty, or from its slash on.
    pub(super) rest: &'a str,
}

impl<'a> Split<'a> {
    /// For `/ipfs/ipfs/{id}…` the inner path, which is what was meant.
    fn below_its_namespace(&self) -> Option<Split<'a>> {
        let namespace = ["ipfs", "ipns"].into_iter().find(|namespace| *namespace == self.id)?;
        let below = self.rest.strip_prefix('/')?;
        let (id, rest) = below.split_at(below.find('/').unwrap_or(below.len()));
        Some(Split { namespace, id, rest })
    }
}

/// Splits `/ipfs/{id}{rest}` or `/ipns/{id}{rest}`; the id may be empty.
pub(super) fn split(path: &str) -> Option<Split<'_>> {
    let (namespace, below) = if let Some(below) = path.strip_prefix("/ipfs/") {
        ("ipfs", below)
    } else {
        ("ipns", path.strip_prefix("/ipns/")?)
    };
    let (id, rest) = below.split_at(below.find('/').unwrap_or(below.len()));
    Some(Split { namespace, id, rest })
}

/// `/ipfs/?uri=ipfs://…`, as a browser hands over an address of a protocol handler.
pub(super) fn uri(path: &Split<'_>, query: Option<&str>) -> Result<Option<Redirect>, AskError> {
    let Some(uri) = query.and_then(|query| parameter(query, "uri")) else { return Ok(None) };
    if !path.id.is_empty() || !path.rest.is_empty() {
        return Ok(None);
    }
    let uri = uri.ok_or(AskError::BadUri)?;
    let (namespace, rest) = match uri.split_once("://") {
        Some(("ipfs", rest)) => ("ipfs", rest),
        Some(("ipns", rest)) => ("ipns", rest),
        Some(_) | None => return Err(AskError::BadUri),
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    // The root is named, and nothing before it could be read as a host.
    if path.is_empty() || path.starts_with(['/', '\\', '.']) {
        return Err(AskError::BadUri);
    }
    let path: String = path.split('/').map(encoded).collect::<Vec<_>>().join("/");
    let mark = if query.is_empty() { "" } else { "?" };
    let query: String = percent_encoding::utf8_percent_encode(query, QUERY).collect::<String>();
    Redirect::permanent(&format!("/{namespace}/{path}{mark}{query}")).map(Some)
}

const QUERY: &percent_encoding::AsciiSet =
    &percent_encoding::CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// One segment that may be encoded already.
fn encoded(segment: &str) -> String {
    let once = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
    ipfs::path::encode_segment(&once).collect()
}

/// The decoded value of a query's parameter: `Some(None)` when it is not UTF-8.
#[expect(clippy::option_option, reason = "absent and not text are two things")]
fn parameter(query: &str, name: &str) -> Option<Option<String>> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let value = value.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&value).decode_utf8();
    Some(decoded.ok().map(std::borrow::Cow::into_owned))
}

/// A better address on the same host: `/ipfs/ipfs/…` without its first part, and keys of IPNS in
/// the form that fits a host name.
pub(super) fn on_paths(
    path: &Split<'_>,
    query: Option<&str>,
) -> Result<Option<Redirect>, AskError> {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    if let Some(inner) = path.below_its_namespace()
        && is_root(&inner)
    {
        let location = format!("/{}/{}{}{query}", inner.namespace, inner.id, inner.rest);
        return Redirect::permanent(&location).map(Some);
    }
    if path.namespace == "ipns"
        && Name::is_peer_id(path.id)
        && let Ok(name) = Name::parse(path.id)
    {
        let location = format!("/ipns/{name}{}{query}", path.rest);
        return Redirect::to(StatusCode::FOUND, &location).map(Some);
    }
    Ok(None)
}

/// Whether the id of a path can be a root of its namespace.
fn is_root(path: &Split<'_>) -> bool {
    match path.namespace {
        "ipfs" => Cid::parse(path.id).is_ok(),
        _ => Name::parse(path.id).is_ok() || dnslink::is_domain(path.id),
    }
}

/// Where a path of a gateway of subdomains leads: the origin of its root.
pub(super) fn to_origin(
    path: &Split<'_>,
    query: Option<&str>,
    caller: &Caller,
) -> Result<Redirect, AskError> {
    let id = percent_encoding::percent_decode_str(path.id).decode_utf8_lossy();
    let label = match path.namespace {
        "ipfs" => {
            let cid = Cid::parse(&id).map_err(|source| invalid(path, source))?;
            label_of(&cid)?
        }
        _ => match Name::parse(&id) {
            Ok(name) => fits(name.to_string())?,
            Err(_) if dnslink::is_domain(&id) => {
                dnslink::inline(&id).ok_or(AskError::LabelTooLong)?
            }
            Err(_) => return Err(AskError::BadName(id.into_owned())),
        },
    };
    let rest = if path.rest.is_empty() { "/" } else { path.rest };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let (scheme, namespace) = (caller.scheme(), path.namespace);
    let gateway = caller.authority();
    Redirect::permanent(&format!("{scheme}://{label}.{namespace}.{gateway}{rest}{query}"))
}

fn invalid(path: &Split<'_>, source: CidError) -> AskError {
    let path = format!("/{}/{}{}", path.namespace, path.id, path.rest);
    AskError::BadPath { path, source: source.into() }
}

/// What an origin's labels stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The content path of its root.
    Root(String),
    /// The labels in their canonical form.
    Elsewhere(String),
}

/// Reads the labels before `.ipfs.` or `.ipns.` of a host, in lower case.
pub(super) fn origin(namespace: &str, id: &str) -> Result<Origin, AskError> {
    if namespace == "ipfs" {
        let cid = Cid::parse(id).map_err(|source| AskError::BadPath {
            path: format!("/ipfs/{id}"),
            source: source.into(),
        })?;
        let label = label_of(&cid)?;
        let is_canonical = label == id;
        return Ok(if is_canonical {
            Origin::Root(format!("/ipfs/{id}"))
        } else {
            Origin::Elsewhere(label)
        });
    }
    if let Ok(name) = Name::parse(id) {
        let label = fits(name.to_string())?;
        let is_canonical = label == id;
        return Ok(if is_canonical {
            Origin::Root(format!("/ipns/{id}"))
        } else {
            Origin::Elsewhere(label)
        });
    }
    let domain = if id.contains('.') { id.to_owned() } else { dnslink::uninline(id) };
    if dnslink::is_domain(&domain) {
        Ok(Origin::Root(format!("/ipns/{domain}")))
    } else {
        Err(AskError::BadName(domain))
    }
}

/// The same address at another label.
pub(super) fn to_label(
    label: &str,
    namespace: &str,
    gateway: &str,
    path_and_query: &str,
    caller: &Caller,
) -> Result<Redirect, AskError> {
    let scheme = caller.scheme();
    Redirect::permanent(&format!("{scheme}://{label}.{namespace}.{gateway}{path_and_query}"))
}

/// A CID as a label: in base32, or in base36 where only that fits.
fn label_of(cid: &Cid) -> Result<String, AskError> {
    let text = cid.to_v1().to_text(Base::Base32Lower);
    if text.len() <= LABEL_BYTES_MAX {
        Ok(text)
    } else {
        fits(cid.to_v1().to_text(Base::Base36Lower))
    }
}

fn fits(label: String) -> Result<String, AskError> {
    if label.len() <= LABEL_BYTES_MAX { Ok(label) } else { Err(AskError::LabelTooLong) }
}

#[cfg(test)]
mod tests;
