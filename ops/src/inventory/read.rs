//! Reads the file, and says of every word in it that is none which it is.
//!
//! A value that is wrong is a finding and leaves its process out; only what is no such document at
//! all ends the reading, with the parser's line.

use std::path::Path;

use jiff::civil::Date;
use serde::Deserialize;

use super::InventoryError;
use super::lines::Lines;
use super::names;
use super::schema::{Inventory, Kind, Process, Role, Status};
use crate::findings::Finding;

/// The version of the format.
const VERSION: u32 = 1;
/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How long names may be kept, unless told otherwise.
const DNS_TTL: u32 = 300;

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    environments: Vec<String>,
    #[serde(default = "dns_ttl")]
    dns_ttl: u32,
    processes: Vec<Written>,
}

fn dns_ttl() -> u32 {
    DNS_TTL
}

/// A process as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    kind: String,
    role: Option<String>,
    env: String,
    #[serde(default)]
    region: String,
    url: Option<String>,
    admin: Option<String>,
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    libp2p: Vec<String>,
    peer_id: Option<String>,
    #[serde(default)]
    dns: Vec<String>,
    #[serde(default)]
    owner: String,
    runbook: Option<String>,
    expires: Option<String>,
    decommission: Option<String>,
    status: String,
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The list, without the processes that cannot be read.
    pub(super) inventory: Inventory,
    /// Where everything stands, by the place of a process in the list.
    pub(super) lines: Lines,
    /// What cannot be read.
    pub(super) findings: Vec<Finding>,
}

/// Reads a list.
///
/// # Errors
/// [`InventoryError::Read`].
pub(super) fn load(path: &Path) -> Result<Loaded, InventoryError> {
    use std::io::Read as _;
    let failed = |source| InventoryError::Read { path: path.to_path_buf(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(parse(path, &text))
}

/// Reads the text of a list.
pub(super) fn parse(path: &Path, text: &str) -> Loaded {
    let lines = Lines::of(text, "processes");
    let mut read = Reading { path, lines, findings: Vec::new() };
    let file: File = match serde_yaml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            let line = error.location().map_or(0, |location| location.line());
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or(&said).to_owned();
            read.findings.push(Finding::at(path, line, "malformed", said));
            let Reading { lines, findings, .. } = read;
            return Loaded { inventory: Inventory::default(), lines, findings };
        }
    };
    if file.version != VERSION {
        let said = format!("version {} is not known: write {VERSION}", file.version);
        read.top("version", "bad-value", said);
    }
    for env in file.environments.iter().filter(|env| !names::is_word(env)) {
        read.top("environments", "bad-value", format!("{env:?} is no name of an environment"));
    }
    let mut processes = Vec::with_capacity(file.processes.len());
    for (index, written) in file.processes.into_iter().enumerate() {
        // One that is left out keeps the others from being used, so that places in the list hold.
        processes.extend(read.process(index, written, &file.environments));
    }
    let Reading { lines, findings, .. } = read;
    let inventory = Inventory { environments: file.environments, dns_ttl: file.dns_ttl, processes };
    Loaded { inventory, lines, findings }
}

struct Reading<'a> {
    path: &'a Path,
    lines: Lines,
    findings: Vec<Finding>,
}

impl Reading<'_> {
    fn top(&mut self, key: &str, rule: &'static str, text: String) {
        self.findings.push(Finding::at(self.path, self.lines.of_top(key), rule, text));
    }

    fn say(&mut self, index: usize, key: &str, rule: &'static str, text: String) {
        self.findings.push(Finding::at(self.path, self.lines.of_key(index, key), rule, text));
    }

    fn process(&mut self, index: usize, written: Written, envs: &[String]) -> Option<Process> {
        let before = self.findings.len();
        let kinds = Kind::ALL.map(|kind| (kind.word(), kind));
        let roles = Role::ALL.map(|role| (role.word(), role));
        let statuses = Status::ALL.map(|status| (status.word(), status));
        let kind = self.word(index, "kind", &written.kind, &kinds);
        let role = written.role.as_ref().and_then(|role| self.word(index, "role", role, &roles));
        let status = self.word(index, "status", &written.status, &statuses);
        let expires = self.date(index, "expires", written.expires.as_deref());
        let decommission = self.date(index, "decommission", written.decommission.as_deref());
        if !names::is_word(&written.name) {
            let said = format!("{:?} is no name: use letters, digits, - _ and .", written.name);
            self.say(index, "name", "bad-value", said);
        }
        if !envs.contains(&written.env) {
            let said = format!("{:?} is not among the environments of this file", written.env);
            self.say(index, "env", "unknown-environment", said);
        }
        self.addresses(index, &written);
        let addresses = written.addresses.iter().filter_map(|text| text.parse().ok()).collect();
        if self.findings.len() > before {
            return None;
        }
        Some(Process {
            name: written.name,
            kind: kind?,
            role,
            env: written.env,
            region: written.region,
            url: written.url.map(trimmed),
            admin: written.admin.map(trimmed),
            addresses,
            libp2p: written.libp2p,
            peer_id: written.peer_id,
            dns: written.dns,
            owner: written.owner,
            runbook: written.runbook,
            expires,
            decommission,
            status: status?,
        })
    }

    fn addresses(&mut self, index: usize, written: &Written) {
        for (key, url) in [("url", &written.url), ("admin", &written.admin)] {
            if let Some(url) = url.as_ref().filter(|url| !names::is_origin(url)) {
                let said = format!("{url:?} is no URL of a listener: write http://127.0.0.1:8080");
                self.say(index, key, "bad-address", said);
            }
        }
        for text in
            written.addresses.iter().filter(|text| text.parse::<std::net::IpAddr>().is_err())
        {
            self.say(index, "addresses", "bad-address", format!("{text:?} is no IP address"));
        }
        for text in written.libp2p.iter().filter(|text| !names::is_multiaddr(text)) {
            let said = format!(
                "{text:?} is no address of peers: write /ip4/192.0.2.1/tcp/4001 or \
                 /ip4/192.0.2.1/udp/4001/quic-v1, without /p2p/"
            );
            self.say(index, "libp2p", "bad-address", said);
        }
        for text in written.dns.iter().filter(|text| !names::is_dns(text)) {
            let said = format!("{text:?} is no name of DNS: lower case, without a dot at the end");
            self.say(index, "dns", "bad-address", said);
        }
        if let Some(peer) = written.peer_id.as_ref().filter(|peer| !names::is_peer_id(peer)) {
            self.say(index, "peer_id", "bad-address", format!("{peer:?} is no peer ID"));
        }
    }

    fn word<T: Copy>(
        &mut self,
        index: usize,
        key: &'static str,
        word: &str,
        known: &[(&'static str, T)],
    ) -> Option<T> {
        if let Some((_, value)) = known.iter().find(|(text, _)| *text == word) {
            return Some(*value);
        }
        let words: Vec<&str> = known.iter().map(|(text, _)| *text).collect();
        let said = format!("there is no {key} {word:?}: one of {}", words.join(", "));
        self.say(index, key, "unknown-word", said);
        None
    }

    fn date(&mut self, index: usize, key: &'static str, text: Option<&str>) -> Option<Date> {
        let text = text?;
        let date = text.parse().ok();
        if date.is_none() {
            let said = format!("{text:?} is no date: write 2027-01-31");
            self.say(index, key, "bad-value", said);
        }
        date
    }
}

/// A URL of a listener in the one form that is compared and printed.
fn trimmed(url: String) -> String {
    url.strip_suffix('/').map_or(url.clone(), str::to_owned)
}
