//! What a host stands for: the gateway, a site, or nothing.
//!
//! A host that is not configured gets no content on a public address, or anybody's domain could
//! be pointed at this gateway. Forwarded headers are not read at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::header;
use http::request::Parts;
use serde::{Deserialize, Serialize};

use super::AskError;

/// Longest host name, by the rules of DNS.
const HOST_BYTES_MAX: usize = 253;

/// Whether hosts that are not configured are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AnyHost {
    /// On a listener that only this machine can reach.
    #[default]
    Loopback,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Which hosts are answered, and as what.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Hosts of the path gateway, without ports. Default none. Can be reloaded.
    pub gateways: Vec<String>,
    /// Whether any other host is answered as the path gateway too: `loopback`, `always` or
    /// `never`. Default `loopback`, which is when the listener has a loopback address.
    pub any: AnyHost,
    /// Websites on hosts of their own. Default none. Can be reloaded.
    pub sites: Vec<Site>,
}

/// A website: a host that stands for a root.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The host, without a port.
    pub host: String,
    /// What is served at its `/`, as `/ipfs/{cid}[/path]`.
    pub root: String,
    /// How long a client may keep an answer, as the root can change by configuration. Default 60 s.
    #[serde(with = "telemetry::config::duration", default = "site_ttl")]
    pub ttl: Duration,
}

fn site_ttl() -> Duration {
    Duration::from_secs(60)
}

/// The root of a website.
#[derive(Debug)]
pub(crate) struct SiteRoot {
    /// `/ipfs/{cid}[/path]`, without a trailing slash.
    pub(crate) path: String,
    /// The `Cache-Control` value of its answers.
    pub(crate) cache_control: http::HeaderValue,
}

/// What a request's host stands for.
#[derive(Debug)]
pub(crate) enum Place {
    /// The path gateway.
    Gateway,
    /// A website.
    Site(Arc<SiteRoot>),
}

/// The hosts that are answered.
#[derive(Debug)]
pub(crate) struct Hosts {
    any: bool,
    gateways: Vec<String>,
    sites: HashMap<String, Arc<SiteRoot>>,
}

impl Hosts {
    /// Reads the configured hosts; `loopback` tells whether the listener has a loopback address.
    ///
    /// # Errors
    /// A text that says which site is wrong.
    pub(crate) fn new(config: &Config, loopback: bool) -> Result<Self, String> {
        let mut sites = HashMap::new();
        for site in &config.sites {
            let path = site.root.trim_end_matches('/');
            ipfs::path::ContentPath::parse(path)
                .map_err(|error| format!("root of site {:?}: {error}", site.host))?;
            let host = host_of(site.host.as_bytes())
                .ok_or_else(|| format!("site {:?} is not a host", site.host))?;
            let seconds = site.ttl.as_secs();
            let cache_control = http::HeaderValue::from_str(&format!("public, max-age={seconds}"))
                .expect("digits are valid in a header");
            let root = SiteRoot { path: path.to_owned(), cache_control };
            sites.insert(host, Arc::new(root));
        }
        let any = match config.any {
            AnyHost::Always => true,
            AnyHost::Never => false,
            AnyHost::Loopback => loopback,
        };
        let gateways = config.gateways.iter().map(|host| host.to_ascii_lowercase()).collect();
        Ok(Self { any, gateways, sites })
    }

    /// What the host of a request stands for.
    pub(crate) fn place(&self, parts: &Parts) -> Result<Place, AskError> {
        let authority = authority(parts)?;
        if self.any && self.sites.is_empty() {
            return if is_plain(authority) { Ok(Place::Gateway) } else { Err(AskError::BadHost) };
        }
        let host = host_of(authority).ok_or(AskError::BadHost)?;
        if let Some(site) = self.sites.get(&host) {
            return Ok(Place::Site(Arc::clone(site)));
        }
        if self.any || self.gateways.contains(&host) {
            return Ok(Place::Gateway);
        }
        Err(AskError::UnknownHost(host))
    }
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
fn host_of(authority: &[u8]) -> Option<String> {
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

    use super::*;

    const ROOT: &str = "/ipfs/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

    fn hosts(loopback: bool) -> Hosts {
        let site = Site { host: "Docs.example".into(), root: format!("{ROOT}/"), ttl: site_ttl() };
        let config =
            Config { gateways: vec!["gw.example".into()], sites: vec![site], ..Config::default() };
        Hosts::new(&config, loopback).expect("a valid config")
    }

    fn place(hosts: &Hosts, host: &str) -> Result<Place, AskError> {
        let request = Request::builder().uri("/").header("host", host).body(()).expect("valid");
        hosts.place(&request.into_parts().0)
    }

    #[test]
    fn hosts_stand_for_what_is_configured() {
        let hosts = hosts(false);
        for host in ["gw.example", "GW.example.", "gw.example:8080"] {
            assert!(matches!(place(&hosts, host), Ok(Place::Gateway)), "{host}");
        }
        for host in ["docs.example", "DOCS.example:80"] {
            assert!(matches!(place(&hosts, host), Ok(Place::Site(_))), "{host}");
        }
        assert!(matches!(place(&hosts, "other.example"), Err(AskError::UnknownHost(_))));
    }

    #[test]
    fn any_host_is_answered_on_loopback_only() {
        assert!(matches!(place(&hosts(true), "other.example"), Ok(Place::Gateway)));
        assert!(matches!(place(&hosts(true), "[::1]:8080"), Ok(Place::Gateway)));
    }

    #[test]
    fn what_is_not_a_host_is_refused() {
        for host in ["", "a@gw.example", "gw.example:99999", "gw.example:x", "[::1", "a b", "a/b"] {
            assert!(matches!(place(&hosts(false), host), Err(AskError::BadHost)), "{host}");
        }
    }

    #[test]
    fn two_hosts_are_refused() {
        let request = Request::builder()
            .uri("/")
            .header("host", "gw.example")
            .header("host", "docs.example")
            .body(())
            .expect("valid");
        let parts = request.into_parts().0;
        assert!(matches!(hosts(true).place(&parts), Err(AskError::BadHost)));
        let request = Request::builder()
            .uri("http://gw.example/")
            .header("host", "docs.example")
            .body(())
            .expect("valid");
        assert!(matches!(hosts(true).place(&request.into_parts().0), Err(AskError::BadHost)));
    }
}
