//! What is wrong with a list whose every word can be read.

use std::collections::HashMap;
use std::path::Path;

use jiff::civil::Date;

use super::lines::Lines;
use super::names;
use super::owners::Owners;
use super::schema::{Inventory, Kind, Process, Role, Status};
use crate::findings::Finding;

/// Looks at every process by itself and at all of them together. Without a rota, owners only have to
/// be named.
pub(super) fn lint(
    inventory: &Inventory,
    lines: &Lines,
    path: &Path,
    owners: &Option<Owners>,
    today: Date,
) -> Vec<Finding> {
    let mut lint = Lint { path, lines, today, owners: owners.as_ref(), found: Vec::new() };
    for (index, process) in inventory.processes.iter().enumerate() {
        lint.role(index, process);
        lint.reach(index, process);
        lint.life(index, process);
        lint.answerable(index, process);
    }
    lint.duplicates(&inventory.processes);
    lint.aliases(&inventory.processes);
    lint.found
}

struct Lint<'a> {
    path: &'a Path,
    lines: &'a Lines,
    today: Date,
    owners: Option<&'a Owners>,
    found: Vec<Finding>,
}

impl Lint<'_> {
    fn say(&mut self, index: usize, key: &str, rule: &'static str, text: impl Into<String>) {
        let line = self.lines.of_key(index, key);
        self.found.push(Finding::at(self.path, line, rule, text));
    }

    fn role(&mut self, index: usize, process: &Process) {
        match (process.kind, process.role) {
            (Kind::Node, None) => {
                let roles = Role::ALL.map(Role::word).join(", ");
                self.say(index, "kind", "no-role", format!("a node has a role: {roles}"));
            }
            (Kind::Gateway | Kind::Ops, Some(_)) => {
                self.say(index, "role", "bad-role", "only nodes have a role");
            }
            (Kind::Node, Some(role)) => self.node(index, process, role),
            (Kind::Gateway | Kind::Ops, None) => {}
        }
    }

    fn node(&mut self, index: usize, process: &Process, role: Role) {
        let word = role.word();
        if role.is_known_by_peer_id() && process.peer_id.is_none() {
            let said = format!("strangers know a {word} node by its peer ID: write peer_id");
            self.say(index, "role", "no-peer-id", said);
        }
        if role.is_known_by_peer_id() && process.libp2p.is_empty() {
            let said = format!("peers dial a {word} node: write its addresses under libp2p");
            self.say(index, "role", "no-address", said);
        }
        if role.is_in_dnsaddr() && process.dns.is_empty() {
            let said = format!("strangers find a {word} node in DNS: write its names under dns");
            self.say(index, "role", "no-address", said);
        }
    }

    fn reach(&mut self, index: usize, process: &Process) {
        if process.kind == Kind::Gateway && process.url.is_none() {
            self.say(index, "kind", "no-address", "a gateway has a public url");
        }
        let Some(admin) = &process.admin else {
            let said = "nobody can see into it: write the URL of its admin listener as admin";
            return self.say(index, "name", "no-admin", said);
        };
        if let (Some((host, _, false)), false) = (names::origin(admin), is_home(process)) {
            let said = if names::is_loopback(&host) {
                format!("{admin} is this machine, and {} is elsewhere", process.name)
            } else {
                format!(
                    "{admin} would carry the admin token in the clear: listen on loopback behind a \
                     tunnel, or write an https URL"
                )
            };
            self.say(index, "admin", "open-admin", said);
        }
    }

    fn life(&mut self, index: usize, process: &Process) {
        if let Some(date) = process.expires.filter(|date| *date < self.today) {
            let said = format!("it expired on {date}: extend it, or decommission it");
            self.say(index, "expires", "expired", said);
        }
        match (process.status, process.decommission) {
            (Status::Decommissioning, None) => {
                let said = "it says that it goes but not when: write decommission: DATE";
                self.say(index, "status", "no-date", said);
            }
            (Status::Decommissioning, Some(date)) if date < self.today => {
                let said = format!("it should have gone on {date}: stop it and remove it here");
                self.say(index, "decommission", "overdue", said);
            }
            (Status::Active | Status::Planned, Some(_)) => {
                let said = "it has a date to go: write status: decommissioning";
                self.say(index, "decommission", "bad-status", said);
            }
            (Status::Active | Status::Planned | Status::Decommissioning, _) => {}
        }
    }

    fn answerable(&mut self, index: usize, process: &Process) {
        if process.owner.is_empty() {
            let said = "nobody answers for it: write owner, a schedule of runbooks/rota.yaml";
            return self.say(index, "owner", "no-owner", said);
        }
        let Some(owners) = self.owners else { return };
        if !owners.schedules.contains(&process.owner) {
            let known = owners.schedules.join(", ");
            let said = format!(
                "{} has no schedule {:?}: one of {known}",
                owners.path.display(),
                process.owner
            );
            self.say(index, "owner", "unknown-owner", said);
        }
    }

    fn duplicates(&mut self, processes: &[Process]) {
        let mut seen: HashMap<(&'static str, String), usize> = HashMap::new();
        for (index, process) in processes.iter().enumerate() {
            let one = |key, value: &Option<String>| value.clone().map(|value| (key, value));
            let single = [
                Some(("name", process.name.clone())),
                one("url", &process.url),
                one("admin", &process.admin),
                one("peer_id", &process.peer_id),
            ];
            let dialled = process.libp2p.iter().map(|text| ("libp2p", text.clone()));
            for (key, value) in single.into_iter().flatten().chain(dialled) {
                // One machine's two listeners are as different as two machines'.
                let listener = if key == "admin" { "url" } else { key };
                match seen.get(&(listener, value.clone())) {
                    Some(&other) => {
                        let other = &processes[other].name;
                        let said = format!("{value} belongs to {other} already");
                        self.say(index, key, "duplicate", said);
                    }
                    None => drop(seen.insert((listener, value), index)),
                }
            }
        }
    }

    /// A name that stands for another one can have no addresses beside it (RFC 1034 §3.6.2).
    fn aliases(&mut self, processes: &[Process]) {
        for (index, process) in processes.iter().enumerate() {
            for name in &process.dns {
                let others = processes.iter().filter(|other| other.dns.contains(name));
                let targets: Vec<_> = others.map(|other| super::zone::alias(other, name)).collect();
                let mixed = targets.iter().any(|target| *target != targets[0]);
                let many = targets.len() > 1 && targets[0].is_some();
                if mixed || many {
                    let said = format!("{name} would be an alias beside other records");
                    self.say(index, "dns", "alias", said);
                }
            }
        }
    }
}

/// Whether everything that is known of a process is on this machine.
fn is_home(process: &Process) -> bool {
    let url = process.url.as_deref().and_then(names::origin);
    let admin = process.admin.as_deref().and_then(names::origin);
    let here = |origin: Option<(String, u16, bool)>| {
        origin.is_none_or(|(host, ..)| names::is_loopback(&host))
    };
    here(url) && here(admin) && process.addresses.iter().all(std::net::IpAddr::is_loopback)
}
