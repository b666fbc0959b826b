//! What is probed: a file, flags, the inventory, or the fleet that runs on this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ipfs::Cid;
use ipfs::ipns::Name as Key;
use ipfs::path::ContentPath;
use telemetry::metrics::Label as _;

mod file;

use super::ask::Gateway;
use super::check::Check;
use super::error::ProbeError;
use super::http::{Name, Site};
use super::node::Node;
use crate::client::Endpoint;
use crate::fleet::Fleet;
use crate::inventory::{self, Inventory, Kind, Process, Status};
use crate::web::url_of;
use file::File;

/// What is probed, on the command line.
#[derive(Debug, Default, Args)]
pub(crate) struct Wanted {
    /// A file that says what is probed; flags add to it.
    #[arg(long, value_name = "FILE", env = "BIFROST_PROBE")]
    config: Option<PathBuf>,
    /// The list whose gateways and nodes are probed.
    #[arg(long, value_name = "FILE", env = "BIFROST_INVENTORY")]
    inventory: Option<PathBuf>,
    /// Only processes of this environment of the list.
    #[arg(long)]
    env: Option<String>,
    /// A gateway, by its public URL. May be given more than once.
    #[arg(long, value_name = "URL")]
    gateway: Vec<String>,
    /// A node, by its admin listener, that takes content of the probe. May be given more than once.
    #[arg(long, value_name = "URL")]
    seed_node: Vec<Endpoint>,
    /// A file that the fleet has, as /ipfs/CID/path. May be given more than once.
    #[arg(long, value_name = "PATH")]
    canary: Vec<String>,
    /// A name with a DNSLink, and a path below it.
    #[arg(long, value_name = "NAME[/PATH]")]
    dnslink: Vec<String>,
    /// A name of a key, and a path below it.
    #[arg(long, value_name = "KEY[/PATH]")]
    ipns: Vec<String>,
    /// The host of a website, and a path of it.
    #[arg(long, value_name = "HOST[/PATH]")]
    website: Vec<String>,
    /// A path that is denied.
    #[arg(long, value_name = "PATH")]
    denied: Vec<String>,
    /// Only these checks.
    #[arg(long, value_name = "CHECK", value_delimiter = ',', value_parser = check)]
    only: Vec<Check>,
    /// The data folder of the fleet on this machine, which is probed if nothing else is named.
    #[arg(long, value_name = "DIR", default_value = ".bifrost")]
    data: PathBuf,
}

impl Wanted {
    /// What a file says, without flags.
    pub(in crate::probe) fn file(path: &Path) -> Self {
        Self { config: Some(path.to_path_buf()), ..Self::default() }
    }
}

fn check(name: &str) -> Result<Check, String> {
    let names = || Check::ALL.iter().map(|check| check.text()).collect::<Vec<_>>().join(", ");
    Check::named(name).ok_or_else(|| format!("there is no such check: one of {}", names()))
}

/// What is probed.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// The gateways.
    pub(crate) gateways: Vec<Gateway>,
    /// The nodes.
    pub(crate) nodes: Vec<Node>,
    /// Nodes that take content of the probe.
    pub(crate) seeds: Vec<Endpoint>,
    /// Files that the fleet has.
    pub(crate) canaries: Vec<ContentPath>,
    /// Names with a DNSLink.
    pub(super) dnslinks: Vec<Name>,
    /// Names of keys.
    pub(super) names: Vec<Name>,
    /// Websites.
    pub(super) sites: Vec<Site>,
    /// Paths that are denied.
    pub(crate) denied: Vec<String>,
    /// Only these checks; all if there are none.
    pub(crate) only: Vec<Check>,
    /// Longest wait for the page of a timeout.
    pub(crate) page_within: Duration,
    /// How often the lanes `cold` and `new` are probed while serving.
    pub(crate) cold_every: Duration,
    /// Bytes of their files.
    pub(crate) cold_bytes: usize,
}

impl Settings {
    /// Puts together what the file, the flags and the list say.
    ///
    /// # Errors
    /// As the variants of [`ProbeError`] say.
    pub(crate) fn of(wanted: &Wanted) -> Result<Self, ProbeError> {
        let file = wanted.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let mut settings = Self {
            seeds: wanted.seed_node.clone(),
            only: wanted.only.clone(),
            page_within: file.page_within,
            cold_every: file.cold_every,
            cold_bytes: file.cold_bytes,
            ..Self::default()
        };
        let beside = wanted.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        let list = file.inventory.as_ref().map(|list| beside.join(list));
        if let Some(path) = wanted.inventory.clone().or(list) {
            let env = wanted.env.as_ref().or(file.env.as_ref());
            settings.add_list(&inventory::usable(&path)?, env);
        } else if wanted.config.is_none() && wanted.gateway.is_empty() {
            settings.add_fleet(&Fleet::read(&wanted.data).map_err(ProbeError::Fleet)?)?;
        }
        settings.add_file(file)?;
        settings.add_flags(wanted)?;
        settings.add_seeds();
        if settings.gateways.is_empty() && settings.nodes.is_empty() {
            return Err(ProbeError::Nobody);
        }
        Ok(settings)
    }

    /// Whether a check is wanted.
    pub(crate) fn wants(&self, check: Check) -> bool {
        self.only.is_empty() || self.only.contains(&check)
    }

    fn add_list(&mut self, list: &Inventory, env: Option<&String>) {
        let is_there = |process: &&Process| {
            process.status == Status::Active && env.is_none_or(|env| *env == process.env)
        };
        for process in list.processes.iter().filter(is_there) {
            match (process.kind, &process.url) {
                (Kind::Gateway, Some(url)) => self.gateways.push(gateway(&process.name, url)),
                (Kind::Node, _) => self.nodes.push(Node {
                    name: process.name.clone(),
                    admin: process.admin.clone(),
                    addresses: process.libp2p.clone(),
                    peer_id: process.peer_id.clone(),
                }),
                (Kind::Gateway, None) | (Kind::Ops, _) => {}
            }
        }
    }

    /// The fleet of this machine takes content, and has a website.
    fn add_fleet(&mut self, fleet: &Fleet) -> Result<(), ProbeError> {
        self.gateways.extend(fleet.gateways.iter().map(|one| gateway(&one.name, &one.url)));
        for node in &fleet.nodes {
            self.nodes.push(Node::at(&node.name, &node.admin));
            self.seeds.push(Endpoint::parse(&node.admin)?);
        }
        let site: Option<http::Uri> = fleet.site.url.parse().ok();
        if let Some(host) = site.as_ref().and_then(http::Uri::host) {
            self.sites.push(Site { host: host.to_owned(), path: "/".to_owned() });
        }
        Ok(())
    }

    fn add_file(&mut self, file: File) -> Result<(), ProbeError> {
        for one in file.gateways {
            let named = gateway(one.name.as_ref().unwrap_or(&one.url), &one.url);
            url(&one.url)?;
            self.gateways
                .push(Gateway { subdomains: one.subdomains.or(named.subdomains), ..named });
        }
        for seed in &file.seed_nodes {
            self.seeds.push(Endpoint::parse(seed)?);
        }
        for (into, from, keys) in
            [(&mut self.dnslinks, file.dnslinks, false), (&mut self.names, file.names, true)]
        {
            for one in from {
                let root = one.root.as_deref().map(Cid::parse).transpose();
                let root = root.map_err(|error| flag("root of a name", &one.name, &error))?;
                into.push(name(one.name, one.path, root, keys)?);
            }
        }
        let site = |one: file::FileSite| Site { host: one.host, path: one.path };
        self.sites.extend(file.websites.into_iter().map(site));
        self.denied.extend(file.denied);
        self.add_canaries(&file.canaries)
    }

    fn add_flags(&mut self, wanted: &Wanted) -> Result<(), ProbeError> {
        for one in &wanted.gateway {
            url(one)?;
            self.gateways.push(gateway(one, one));
        }
        for one in &wanted.dnslink {
            let (host, path) = split(one);
            self.dnslinks.push(name(host, path, None, false)?);
        }
        for one in &wanted.ipns {
            let (key, path) = split(one);
            self.names.push(name(key, path, None, true)?);
        }
        for one in &wanted.website {
            let (host, path) = split(one);
            self.sites.push(Site { host, path });
        }
        self.denied.extend(wanted.denied.iter().cloned());
        for path in &self.denied {
            if !(path.starts_with("/ipfs/") || path.starts_with("/ipns/")) {
                return Err(flag("denied", path, &"it begins with /ipfs/ or /ipns/"));
            }
        }
        self.add_canaries(&wanted.canary)
    }

    fn add_canaries(&mut self, paths: &[String]) -> Result<(), ProbeError> {
        for path in paths {
            let read = ContentPath::parse(path).map_err(|error| flag("canary", path, &error))?;
            self.canaries.push(read);
        }
        Ok(())
    }

    /// A node that takes content is a node that is probed.
    fn add_seeds(&mut self) {
        for seed in &self.seeds {
            let url = seed.url();
            let known = |node: &Node| node.admin.as_ref().is_some_and(|admin| *admin == url);
            if !self.nodes.iter().any(known) {
                self.nodes.push(Node::at(&url, &url));
            }
        }
    }
}

fn gateway(name: &str, url: &str) -> Gateway {
    let url = url.trim_end_matches('/').to_owned();
    let uri = url_of(&url).ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    let local =
        host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    let subdomains = (local || host == "localhost").then(|| "localhost".to_owned());
    Gateway { name: name.to_owned(), url, subdomains }
}

fn name(name: String, path: String, root: Option<Cid>, of_key: bool) -> Result<Name, ProbeError> {
    if of_key {
        Key::parse(&name).map_err(|error| flag("name", &name, &error))?;
    }
    Ok(Name { name, path, root })
}

fn url(text: &str) -> Result<(), ProbeError> {
    url_of(text).map(drop).map_err(|error| ProbeError::Flag(error.to_string()))
}

fn flag(what: &str, value: &str, why: &dyn std::fmt::Display) -> ProbeError {
    ProbeError::Flag(format!("{what} {value:?}: {why}"))
}

/// What stands before the first slash, and the path from it on.
fn split(text: &str) -> (String, String) {
    match text.find('/') {
        Some(at) => (text[..at].to_owned(), text[at..].to_owned()),
        None => (text.to_owned(), "/".to_owned()),
    }
}

#[cfg(test)]
mod tests;
