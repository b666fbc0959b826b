//! Who asks, for which host and over which scheme, as far as it can be believed.
//!
//! Forwarded headers count only from proxies that are configured, and of mirrors the scheme alone; from anybody
//! else they are text.

use std::net::IpAddr;

use http::header;
use http::request::Parts;
use ipnet::IpNet;

use super::{AskError, Hosts};
use crate::mirror::MARK;

/// Longest host name, by the rules of DNS.
const HOST_BYTES_MAX: usize = 253;

/// Who asks, and for which host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The address of the client, behind the proxies that are believed.
    pub(crate) client: IpAddr,
    /// The host, in lower case, without its port and trailing dot. Empty when it need not be known.
    pub(crate) host: String,
    /// The colon and the port behind the host, if there is one.
    pub(crate) port: String,
    /// Whether the client speaks TLS to a proxy in front.
    pub(crate) https: bool,
}

impl Caller {
    /// Reads who asks. With `any_host`, the host is only checked.
    ///
    /// # Errors
    /// [`AskError::BadHost`].
    pub(crate) fn read(
        parts: &Parts,
        peer: IpAddr,
        hosts: &Hosts,
        any_host: bool,
    ) -> Result<Self, AskError> {
        let trusted = hosts.trusted();
        let authority = authority(parts)?;
        if any_host && trusted.is_empty() {
            // Asked for by every request of a path gateway, so nothing is copied.
            return if is_plain(authority) {
                Ok(Self { client: peer, host: String::new(), port: String::new(), https: false })
            } else {
                Err(AskError::BadHost)
            };
        }
        let believed = is_trusted(peer, trusted);
        // A proxy that adds to what its client sent leaves several, of which the last is its own.
        let forwarded = |name: &str| {
            let value = parts.headers.get_all(name).iter().next_back()?;
            Some(value.to_str().ok()?.rsplit(',').next().unwrap_or("").trim())
        };
        let other = forwarded("x-forwarded-host").filter(|_| believed);
        let authority = other.map_or(authority, str::as_bytes);
        // A copy has the scheme that production was asked with.
        let is_copy = || parts.headers.contains_key(MARK) && hosts.is_mirror(peer);
        let is_https = forwarded("x-forwarded-proto").is_some_and(|proto| proto == "https");
        let host = host_of(authority).ok_or(AskError::BadHost)?;
        let port = std::str::from_utf8(authority).ok().and_then(|text| {
            let at = text.rfind(':').filter(|at| !text[*at..].contains(']'))?;
            Some(text[at..].to_owned())
        });
        Ok(Self {
            client: if believed { client(parts, peer, trusted) } else { peer },
            host,
            port: port.unwrap_or_default(),
            https: is_https && (believed || is_copy()),
        })
    }

    /// Another host, at the port that was asked.
    pub(crate) fn authority_of(&self, host: &str) -> String {
        format!("{host}{}", self.port)
    }

    /// The host and port that were asked.
    pub(crate) fn authority(&self) -> String {
        self.authority_of(&self.host)
    }

    /// The scheme that the client speaks.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

/// Whether an address is within one of these ranges.
pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|net| net.contains(&address))
}

/// The nearest address of `X-Forwarded-For` that is not one of our proxies.
fn client(parts: &Parts, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let fields = parts.headers.get_all("x-forwarded-for");
    let mut nearest = peer;
    let hops: Vec<&str> = fields
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in hops.iter().rev() {
        let Some(address) = address_of(hop.trim()) else { break };
        nearest = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    nearest
}

/// An address, with or without a port.
fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| Some(text.parse::<std::net::SocketAddr>().ok()?.ip()))
}

/// The one authority that a request names.
fn authority(parts: &Parts) -> Result<&[u8], AskError> {
    let mut fields = parts.headers.get_all(header::HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(AskError::BadHost);
    }
    match (parts.uri.authority(), field) {
        (Some(authority), Some(field)) if authority.as_str().as_bytes() != field.as_bytes() => {
            Err(AskError::BadHost)
        }
        (Some(authority), _) => Ok(authority.as_str().as_bytes()),
        (None, Some(field)) => Ok(field.as_bytes()),
        // HTTP/1.0 knows no Host; it is answered where any host is.
        (None, None) if parts.version < http::Version::HTTP_11 => Ok(b"localhost"),
        (None, None) => Err(AskError::BadHost),
    }
}

/// Whether an authority has only the bytes of a host and a port.
fn is_plain(authority: &[u8]) -> bool {
    !authority.is_empty()
        && authority.len() <= HOST_BYTES_MAX + 6
        && authority.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(byte))
}

/// The host of an authority: lower-case, without its port and trailing dot.
pub(super) fn host_of(authority: &[u8]) -> Option<String> {
    if !is_plain(authority) {
        return None;
    }
    let text = std::str::from_utf8(authority).ok()?;
    let host = match text.strip_prefix('[') {
        Some(v6) => {
            let (v6, port) = v6.split_once(']')?;
            is_port(port).then_some(v6)?
        }
        None => {
            let (host, port) = text.find(':').map_or((text, ""), |at| text.split_at(at));
            is_port(port).then_some(host)?
        }
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// Whether this is empty, or a colon and a port.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        None => text.is_empty(),
        Some(port) => port.parse::<u16>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::super::hosts::Config;
    use super::*;

    fn caller(headers: &[(&str, &str)], trusted: &str) -> Result<Caller, AskError> {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).expect("valid").into_parts().0;
        let trusted_proxies = vec![trusted.parse().expect("a net")];
        let mirrors = vec!["10.0.0.1/32".parse().expect("a net")];
        let config = Config { trusted_proxies, mirrors, ..Config::default() };
        let hosts = Hosts::new(&config, false).expect("a valid table");
        Caller::read(&parts, IpAddr::from([10, 0, 0, 1]), &hosts, false)
    }

    const FORWARDED: [(&str, &str); 4] = [
        ("host", "inner:8080"),
        ("x-forwarded-host", "chosen.example, Outer.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "203.0.113.9, 198.51.100.7:5123, 10.0.0.2"),
    ];

    #[test]
    fn forwarded_headers_count_from_our_proxies() {
        let caller = caller(&FORWARDED, "10.0.0.0/8").expect("a caller");
        assert_eq!((caller.host.as_str(), caller.port.as_str()), ("outer.example", ""));
        assert_eq!(caller.scheme(), "https");
        assert_eq!(caller.client, IpAddr::from([198, 51, 100, 7]), "the nearest stranger");
    }

    #[test]
    fn forwarded_headers_of_strangers_are_text() {
        let caller = caller(&FORWARDED, "192.0.2.0/24").expect("a caller");
        assert_eq!(caller.authority(), "inner:8080");
        assert_eq!(caller.scheme(), "http");
        assert_eq!(caller.client, IpAddr::from([10, 0, 0, 1]));
    }

    #[test]
    fn of_a_copy_from_a_mirror_the_scheme_is_believed() {
        let copy = [&FORWARDED[..], &[("bifrost-mirror", "v1; id=x; env=prod")]].concat();
        let caller = caller(&copy, "192.0.2.0/24").expect("a caller");
        assert_eq!((caller.scheme(), caller.authority().as_str()), ("https", "inner:8080"));
        assert_eq!(caller.client, IpAddr::from([10, 0, 0, 1]));
    }

    #[test]
    fn forwarded_host_that_is_none_is_refused() {
        for host in ["a@b", "a/b", "", "a b", "a:99999"] {
            let headers = [("host", "inner"), ("x-forwarded-host", host)];
            assert!(matches!(caller(&headers, "10.0.0.0/8"), Err(AskError::BadHost)), "{host}");
        }
    }

    #[test]
    fn what_is_not_a_host_is_refused() {
        for host in ["", "a@gw.example", "gw.example:99999", "gw.example:x", "[::1", "a b", "a/b"] {
            let caller = caller(&[("host", host)], "10.0.0.0/8");
            assert!(matches!(caller, Err(AskError::BadHost)), "{host}");
        }
        let v6 = caller(&[("host", "[::1]:8080")], "10.0.0.0/8").expect("a caller");
        assert_eq!((v6.host.as_str(), v6.port.as_str()), ("::1", ":8080"));
    }

    #[test]
    fn two_hosts_are_refused() {
        let two = [("host", "gw.example"), ("host", "docs.example")];
        assert!(matches!(caller(&two, "10.0.0.0/8"), Err(AskError::BadHost)));
        let request = Request::builder().uri("http://gw.example/").header("host", "docs.example");
        let parts = request.body(()).expect("valid").into_parts().0;
        let hosts = Hosts::new(&Config::default(), true).expect("a valid table");
        let read = Caller::read(&parts, IpAddr::from([10, 0, 0, 1]), &hosts, true);
        assert!(matches!(read, Err(AskError::BadHost)));
    }
}
