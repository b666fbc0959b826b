//! Lines of a DNS zone: addresses, aliases, and where peers dial (`_dnsaddr`).
//!
//! What is planned or goes has no records, so that removing one from the list is never what takes it
//! out of DNS: by then nobody has asked for it for as long as names are kept.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::names;
use super::schema::{Inventory, Process, Role, Status};

/// Longest text of one string of a TXT record.
const STRING_BYTES_MAX: usize = 255;

/// The zone's lines, sorted, each record once.
pub(super) fn render(inventory: &Inventory) -> String {
    let ttl = inventory.dns_ttl;
    let mut records = BTreeSet::new();
    for process in &inventory.processes {
        if process.status != Status::Active {
            continue;
        }
        for name in &process.dns {
            for address in &process.addresses {
                let kind = match address {
                    IpAddr::V4(_) => "A",
                    IpAddr::V6(_) => "AAAA",
                };
                records.insert((format!("{name}."), kind, address.to_string()));
            }
            if let Some(target) = alias(process, name) {
                records.insert((format!("{name}."), "CNAME", format!("{target}.")));
            }
            if process.role.is_some_and(Role::is_in_dnsaddr) && !name.starts_with('*') {
                for address in process.dialable() {
                    let text = quoted(&format!("dnsaddr={address}"));
                    records.insert((format!("_dnsaddr.{name}."), "TXT", text));
                }
            }
        }
    }
    let head = "; Rendered by `bifrost inventory render --as dns`; change the inventory instead.\n";
    let mut zone = head.to_owned();
    for (name, kind, value) in records {
        zone.push_str(&format!("{name} {ttl} IN {kind} {value}\n"));
    }
    zone
}

/// What a name of a process is an alias of, if it is one: the host of its URL, when it has no
/// addresses of its own.
pub(super) fn alias(process: &Process, name: &str) -> Option<String> {
    let (host, ..) = process.url.as_deref().and_then(names::origin)?;
    let is_name = names::is_dns(&host) && host.parse::<IpAddr>().is_err();
    let is_alias = process.addresses.is_empty() && is_name && host != name;
    is_alias.then_some(host)
}

/// A TXT record's value: strings of a bounded length. Nothing in an address has to be escaped.
fn quoted(text: &str) -> String {
    let chunks = text.as_bytes().chunks(STRING_BYTES_MAX);
    let strings: Vec<String> =
        chunks.map(|chunk| format!("\"{}\"", String::from_utf8_lossy(chunk))).collect();
    strings.join(" ")
}
