//! DNSLink: what a domain name's TXT records say, and how the name fits into one label.
//!
//! Syntax only, no lookup. Of several records the first that is valid counts, in the order of their
//! bytes, so that the answer does not depend on the order in which a resolver gave them; `/ipfs/`
//! sorts before `/ipns/`.

use std::fmt;

use crate::cid::Cid;
use crate::ipns::Name;
use crate::path::{PathError, encode_segment, segments};

/// Most TXT strings of one answer that are read.
pub const TXT_COUNT_MAX: usize = 100;
/// Most bytes of TXT strings of one answer that are read.
pub const TXT_BYTES_MAX: usize = 64 * 1024;
/// Longest domain name in bytes, without a dot at its end.
pub const DOMAIN_BYTES_MAX: usize = 253;
/// Longest label of a domain name in bytes.
pub const LABEL_BYTES_MAX: usize = 63;

/// Why TXT records lead nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnslinkError {
    /// No string begins with `dnslink=`.
    #[error("no TXT record begins with dnslink=")]
    NotDnslink,
    /// More than [`TXT_COUNT_MAX`] strings or [`TXT_BYTES_MAX`] bytes.
    #[error("more than {TXT_COUNT_MAX} TXT strings or {TXT_BYTES_MAX} bytes of them")]
    TooMuch,
    /// The value is below neither `/ipfs/` nor `/ipns/`.
    #[error("dnslink is neither an /ipfs/ nor an /ipns/ path")]
    Namespace,
    /// What follows `/ipfs/` is not an acceptable CID, or what follows `/ipns/` not a name.
    #[error("dnslink has an invalid root")]
    Root,
    /// What follows the root is not a path.
    #[error("dnslink has an invalid path: {0}")]
    Path(#[from] PathError),
}

/// What a content path begins with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Root {
    /// `/ipfs/{cid}`.
    Ipfs(Cid),
    /// `/ipns/{key}`, however the key was written.
    Key(Name),
    /// `/ipns/{domain}`, as [`domain`] gives it.
    Domain(String),
}

impl Root {
    /// Reads what follows `/ipns/`: a key as a CID in any base or as a base58 peer id, or a domain.
    pub fn ipns(name: &str) -> Option<Self> {
        if name.contains('.') {
            domain(name).map(Self::Domain)
        } else {
            Name::parse(name).ok().map(Self::Key)
        }
    }
}

/// A root and the names that lead down from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it begins with.
    pub root: Root,
    /// The names below, percent-decoded, without empty ones.
    pub segments: Vec<String>,
}

impl fmt::Display for Link {
    /// The content path, percent-encoded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            Root::Ipfs(cid) => write!(f, "/ipfs/{cid}")?,
            Root::Key(name) => write!(f, "/ipns/{name}")?,
            Root::Domain(domain) => write!(f, "/ipns/{domain}")?,
        }
        for segment in &self.segments {
            f.write_str("/")?;
            encode_segment(segment).try_for_each(|part| f.write_str(part))?;
        }
        Ok(())
    }
}

/// Chooses among the TXT strings of a name: the first that is valid, in the order of their bytes.
/// Strings that do not begin with `dnslink=` are passed over.
///
/// # Errors
/// [`DnslinkError::TooMuch`] before any is read; else, when none is valid, what is wrong with the
/// first, or [`DnslinkError::NotDnslink`].
pub fn choose<'a>(txts: impl IntoIterator<Item = &'a str>) -> Result<Link, DnslinkError> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    for (nth, txt) in txts.into_iter().enumerate() {
        bytes += txt.len();
        if nth == TXT_COUNT_MAX || bytes > TXT_BYTES_MAX {
            return Err(DnslinkError::TooMuch);
        }
        found.push(txt);
    }
    found.sort_unstable();
    let mut failed = DnslinkError::NotDnslink;
    for txt in found {
        match parse_txt(txt) {
            Ok(link) => return Ok(link),
            Err(error) if failed == DnslinkError::NotDnslink => failed = error,
            Err(_) => {}
        }
    }
    Err(failed)
}

/// Reads one TXT string: `dnslink=/ipfs/{cid}[/path]` or `dnslink=/ipns/{name}[/path]`.
///
/// # Errors
/// [`DnslinkError`], by what is wrong with the string.
pub fn parse_txt(txt: &str) -> Result<Link, DnslinkError> {
    if txt.len() > TXT_BYTES_MAX {
        return Err(DnslinkError::TooMuch);
    }
    let value = txt.trim().strip_prefix("dnslink=").ok_or(DnslinkError::NotDnslink)?.trim();
    let (root, path): (fn(&str) -> Option<Root>, &str) =
        if let Some(path) = value.strip_prefix("/ipfs/") {
            (|cid| Cid::parse(cid).ok().map(Root::Ipfs), path)
        } else if let Some(path) = value.strip_prefix("/ipns/") {
            (Root::ipns, path)
        } else {
            return Err(DnslinkError::Namespace);
        };
    let (name, path) = path.split_at(path.find('/').unwrap_or(path.len()));
    Ok(Link { root: root(name).ok_or(DnslinkError::Root)?, segments: segments(path)? })
}

/// The name whose TXT records hold the DNSLink of a domain.
pub fn query_name(domain: &str) -> String {
    format!("_dnslink.{domain}")
}

/// Whether a text is a domain name in some spelling; see [`domain`].
pub fn is_domain(text: &str) -> bool {
    domain(text).is_some()
}

/// The one spelling of a domain name: in lower case, without a dot at its end.
///
/// A name has two labels at least, of letters, digits, hyphens within and underscores; a name in
/// another script is given as punycode. An IP address is not a domain, nor is anything whose last
/// label browsers would read as a number.
pub fn domain(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > DOMAIN_BYTES_MAX || !text.split('.').all(is_label) {
        return None;
    }
    let (_, last) = text.rsplit_once('.')?;
    let hex = last.strip_prefix("0x").or(last.strip_prefix("0X")).unwrap_or("x");
    if last.bytes().all(|byte| byte.is_ascii_digit())
        || hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return None;
    }
    Some(text.to_ascii_lowercase())
}

fn is_label(label: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(known)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// A domain name as one label, or `None` when that would be too long or `name` is not a domain.
//= https://specs.ipfs.tech/http-gateways/subdomain-gateway/#host-request-header
//# Every `-` is replaced with `--`
//# Every `.` is replaced with `-`
pub fn inline(name: &str) -> Option<String> {
    let label = domain(name)?.replace('-', "--").replace('.', "-");
    (label.len() <= LABEL_BYTES_MAX).then_some(label)
}

/// The name that was inlined into a label; whether it is a domain is for [`domain`] to say.
///
/// A run of hyphens is read in pairs from its front. In the label of a domain only a single hyphen
/// is odd, since no label of a domain begins or ends with one.
//= https://specs.ipfs.tech/http-gateways/subdomain-gateway/#host-request-header
//# Every standalone `-` is replaced with `.`
//# Every remaining `--` is replaced with `-`
pub fn uninline(label: &str) -> String {
    let mut name = String::with_capacity(label.len());
    let mut rest = label;
    while let Some((before, behind)) = rest.split_once('-') {
        name.push_str(before);
        rest = match behind.strip_prefix('-') {
            Some(behind) => {
                name.push('-');
                behind
            }
            None => {
                name.push('.');
                behind
            }
        };
    }
    name.push_str(rest);
    name
}

#[cfg(test)]
mod tests;
