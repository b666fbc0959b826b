//! What a host stands for: the path gateway, a gateway of subdomains, a website, or nothing.
//!
//! One table says it for every host. A host that is not in it gets no content on a public address,
//! or anybody's domain could be pointed at this gateway.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod files;

use super::AskError;
use super::caller::{self, Caller, is_trusted};

/// Whether hosts that are not in the table are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema, Serialize)]
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

/// What a host is answered as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Content at `/ipfs/…` and `/ipns/…`, all of it in one origin.
    Path,
    /// The same paths lead to `{id}.ipfs.{host}` and `{id}.ipns.{host}`, an origin for each root.
    Subdomain,
    /// Only forms that the client verifies by itself: blocks, CARs and IPNS records.
    Trustless,
    /// A website whose root its DNSLink names.
    Dnslink,
    /// A website whose root is named here.
    Site,
    /// The gateway's own pages, and no content.
    Pages,
}

/// A row of the table.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The host without a port, or `*.` and a host for every name below it. An exact name wins over
    /// a wildcard, and a longer wildcard over a shorter one.
    pub name: String,
    /// What it is answered as: `path`, `subdomain`, `trustless`, `dnslink`, `site` or `pages`.
    pub class: Class,
    /// Of a `site`: what is at its `/`, as `/ipfs/{cid}[/path]` or `/ipns/{name}[/path]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Of a `site` below `/ipfs/`: how long a client may keep an answer, as the root can change by
    /// configuration. Default 60 s.
    #[serde(with = "telemetry::config::duration", default = "site_ttl")]
    #[schemars(with = "telemetry::config::DurationText")]
    pub ttl: Duration,
}

fn site_ttl() -> Duration {
    Duration::from_secs(60)
}

impl Host {
    /// A website with this root.
    pub fn site(name: &str, root: &str) -> Self {
        Self { root: Some(root.to_owned()), ..Self::of(name, Class::Site) }
    }

    /// A host of a class that needs nothing more.
    pub fn of(name: &str, class: Class) -> Self {
        Self { name: name.to_owned(), class, root: None, ttl: site_ttl() }
    }
}

/// Which hosts are answered, and as what.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The hosts that are answered. Default none. Can be reloaded.
    pub table: Vec<Host>,
    /// Files with more rows, each a list as `table` is, or folders: then every `*.yaml` in one counts, in the
    /// order of their names. All together are one table, of at most 200000 rows from files; a row that is wrong
    /// refuses them all. Default none. Can be reloaded: files are read again, too.
    pub files: Vec<PathBuf>,
    /// Whether any other host is answered as a path gateway: `loopback`, `always` or `never`.
    /// Default `loopback`, which is when the listener has a loopback address and no proxies are
    /// believed.
    pub any: AnyHost,
    /// Proxies whose `X-Forwarded-Host`, `-Proto` and `-For` are believed, as `10.0.0.0/8` or
    /// `::1/128`. Default none: nobody's are. Can be reloaded.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// Who may send probes: a request from these addresses with `Bifrost-Traffic: probe` is counted
    /// apart from what people ask. Default none. Can be reloaded.
    #[schemars(with = "Vec<String>")]
    pub probes: Vec<IpNet>,
    /// Who may send copies of other gateways' requests: a request from these addresses with
    /// `Bifrost-Mirror` counts as mirrored traffic, is told this build and its own time, and is believed
    /// its `X-Forwarded-Proto`. Default none. Can be reloaded.
    #[schemars(with = "Vec<String>")]
    pub mirrors: Vec<IpNet>,
    /// Whether `CONNECT` opens a tunnel to this gateway itself, for tests of clients that know
    /// gateways as proxies. Refused on any but a loopback address. Default false. Takes a restart.
    pub tunnel: bool,
}

/// The root of a website.
#[derive(Debug)]
pub(crate) struct SiteRoot {
    /// `/ipfs/{cid}[/path]` or `/ipns/{name}[/path]`, without a trailing slash.
    pub(crate) path: String,
    /// The `Cache-Control` value of its answers, if configuration is what decides it.
    pub(crate) cache_control: Option<http::HeaderValue>,
}

/// What a request's host stands for.
#[derive(Debug)]
pub(crate) enum Place {
    /// A gateway with content at its paths.
    Paths {
        /// Whether clients have to verify what they get.
        trustless: bool,
    },
    /// A gateway whose paths lead to origins of their own.
    Subdomains,
    /// `{id}.{namespace}.{gateway}`.
    Origin {
        /// `ipfs` or `ipns`.
        namespace: &'static str,
        /// The labels before it.
        id: String,
        /// The gateway, with the port that was asked.
        gateway: String,
    },
    /// A website.
    Site(Arc<SiteRoot>),
    /// A gateway without content.
    Pages,
}

/// What the table says of one host.
#[derive(Debug, Clone)]
enum Row {
    Path,
    Subdomain,
    Trustless,
    Dnslink,
    Site(Arc<SiteRoot>),
    Pages,
}

/// The hosts that are answered.
#[derive(Debug)]
pub(crate) struct Hosts {
    any: bool,
    exact: HashMap<String, Row>,
    /// By what follows the `*.`.
    below: HashMap<String, Row>,
    has_subdomains: bool,
    trusted: Vec<IpNet>,
    probes: Vec<IpNet>,
    mirrors: Vec<IpNet>,
    tunnel: bool,
}

impl Hosts {
    /// Reads the table; `loopback` tells whether the listener has a loopback address.
    ///
    /// # Errors
    /// A text that says which row is wrong.
    pub(crate) fn new(config: &Config, loopback: bool) -> Result<Self, String> {
        let (mut exact, mut below) = (HashMap::new(), HashMap::new());
        let mut add = |host: &Host| -> Result<(), String> {
            let (name, rows) = match host.name.strip_prefix("*.") {
                Some(name) => (name, &mut below),
                None => (host.name.as_str(), &mut exact),
            };
            let known = caller::host_of(name.as_bytes()).filter(|known| known.len() == name.len());
            let known = known.ok_or_else(|| format!("{:?} is not a host", host.name))?;
            match rows.insert(known, row(host)?) {
                Some(_) => Err(format!("{:?} is there twice", host.name)),
                None => Ok(()),
            }
        };
        for host in &config.table {
            add(host).map_err(|why| format!("hosts: {why}"))?;
        }
        for files::Placed { place, host } in files::read(&config.files)? {
            add(&host).map_err(|why| format!("hosts: {place}: {why}"))?;
        }
        if config.tunnel && !loopback {
            return Err("hosts.tunnel is for loopback addresses only".to_owned());
        }
        let any = match config.any {
            AnyHost::Always => true,
            AnyHost::Never => false,
            // A proxy on this machine brings the requests of everybody.
            AnyHost::Loopback => loopback && config.trusted_proxies.is_empty(),
        };
        let has_subdomains =
            exact.values().chain(below.values()).any(|row| matches!(row, Row::Subdomain));
        let (trusted, probes) = (config.trusted_proxies.clone(), config.probes.clone());
        let (mirrors, tunnel) = (config.mirrors.clone(), config.tunnel);
        Ok(Self { any, exact, below, has_subdomains, trusted, probes, mirrors, tunnel })
    }

    /// Whether `CONNECT` opens a tunnel to this gateway itself.
    pub(crate) fn is_tunnel(&self) -> bool {
        self.tunnel
    }

    /// The proxies that are believed.
    pub(crate) fn trusted(&self) -> &[IpNet] {
        &self.trusted
    }

    /// Whether a request with these headers from this client is a probe.
    pub(crate) fn is_probe(&self, headers: &HeaderMap, client: IpAddr) -> bool {
        is_trusted(client, &self.probes)
            && headers.get("bifrost-traffic").is_some_and(|said| said == "probe")
    }

    /// Whether copies of other gateways' requests may come from this client.
    pub(crate) fn is_mirror(&self, client: IpAddr) -> bool {
        is_trusted(client, &self.mirrors)
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.exact.len() + self.below.len()
    }

    /// Whether every host is answered alike, so that it need not be read.
    pub(crate) fn is_uniform(&self) -> bool {
        self.any && self.exact.is_empty() && self.below.is_empty()
    }

    /// What the host of a request stands for.
    pub(crate) fn place(&self, caller: &Caller) -> Result<Place, AskError> {
        if self.is_uniform() {
            return Ok(Place::Paths { trustless: false });
        }
        let host = caller.host.as_str();
        if let Some(row) = self.exact.get(host) {
            return Ok(place(row, host));
        }
        if self.has_subdomains
            && let Some((id, namespace, gateway)) = self.origin(host)
        {
            let gateway = caller.authority_of(gateway);
            return Ok(Place::Origin { namespace, id: id.to_owned(), gateway });
        }
        match self.row(host) {
            Some(row) => Ok(place(row, host)),
            None if self.any => Ok(Place::Paths { trustless: false }),
            None => Err(AskError::UnknownHost(host.to_owned())),
        }
    }

    /// The row of a host: its own, else that of the longest wildcard.
    fn row(&self, host: &str) -> Option<&Row> {
        let parents = host.match_indices('.').map(|(at, _)| &host[at + 1..]);
        self.exact
            .get(host)
            .or_else(|| parents.into_iter().find_map(|parent| self.below.get(parent)))
    }

    /// Splits `{id}.{namespace}.{gateway}` where the gateway is one of subdomains.
    fn origin<'a>(&self, host: &'a str) -> Option<(&'a str, &'static str, &'a str)> {
        let split = |is_exact: bool| {
            host.match_indices(".ip").find_map(|(at, _)| {
                let namespace = match host.get(at..at + 6)? {
                    ".ipfs." => "ipfs",
                    ".ipns." => "ipns",
                    _ => return None,
                };
                let (id, gateway) = (&host[..at], &host[at + 6..]);
                let row = if is_exact { self.exact.get(gateway) } else { self.row(gateway) };
                let is_one = !id.is_empty() && matches!(row, Some(Row::Subdomain));
                is_one.then_some((id, namespace, gateway))
            })
        };
        // What an exact name splits off is not a part of what a wildcard would.
        split(true).or_else(|| split(false))
    }
}

fn place(row: &Row, host: &str) -> Place {
    match row {
        Row::Path => Place::Paths { trustless: false },
        Row::Trustless => Place::Paths { trustless: true },
        Row::Subdomain => Place::Subdomains,
        Row::Pages => Place::Pages,
        Row::Site(root) => Place::Site(Arc::clone(root)),
        Row::Dnslink => {
            let root = SiteRoot { path: format!("/ipns/{host}"), cache_control: None };
            Place::Site(Arc::new(root))
        }
    }
}

fn row(host: &Host) -> Result<Row, String> {
    if host.root.is_some() && host.class != Class::Site {
        return Err(format!("{:?} has a root, which only a site has", host.name));
    }
    Ok(match host.class {
        Class::Path => Row::Path,
        Class::Subdomain => Row::Subdomain,
        Class::Trustless => Row::Trustless,
        Class::Dnslink => Row::Dnslink,
        Class::Pages => Row::Pages,
        Class::Site => Row::Site(Arc::new(site(host)?)),
    })
}

fn site(host: &Host) -> Result<SiteRoot, String> {
    let wrong = |why: String| format!("root of site {:?}: {why}", host.name);
    let root = host.root.as_deref().ok_or_else(|| wrong("is missing".to_owned()))?;
    let path = root.trim_end_matches('/').to_owned();
    if path.starts_with("/ipns/") {
        ipfs::path::Named::parse(&path).map_err(|error| wrong(error.to_string()))?;
        return Ok(SiteRoot { path, cache_control: None });
    }
    ipfs::path::ContentPath::parse(&path).map_err(|error| wrong(error.to_string()))?;
    let seconds = host.ttl.as_secs();
    let cache_control = http::HeaderValue::from_str(&format!("public, max-age={seconds}"))
        .expect("digits are valid in a header");
    Ok(SiteRoot { path, cache_control: Some(cache_control) })
}

#[cfg(test)]
mod tests;
