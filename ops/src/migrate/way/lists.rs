//! Lists of other gateways: names of hosts, resolvers, peers, addresses, nodes and denylists.

use serde_json::{Value, json};

use super::Taken;
use crate::migrate::setting::plain;

/// What peers are reached by here.
const TRANSPORTS: &str = "nodes have TCP and QUIC only";

/// The items of a list, or of a text with commas.
pub(super) fn items(value: &Value) -> Vec<String> {
    if let Some(items) = value.as_array() {
        return items.iter().map(plain).collect();
    }
    let text = plain(value);
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(str::to_owned).collect()
}

/// A host as the table of hosts names it.
pub(in crate::migrate) struct Named {
    /// Its name.
    pub(in crate::migrate) name: String,
    /// What it means otherwise here.
    pub(in crate::migrate) note: Option<String>,
}

/// Reads a host's name: without its port, and with a wildcard in front at most.
///
/// # Errors
/// Why there is no such row.
pub(in crate::migrate) fn named(text: &str) -> Result<Named, String> {
    let port = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let name = port.map_or(text, |(name, _)| name).to_lowercase();
    let below = name.strip_prefix("*.");
    if below.unwrap_or(&name).contains('*') {
        return Err(format!(
            "{name}: a wildcard stands for whole labels, at the front: *.example.com"
        ));
    }
    let note = match (below, port) {
        (Some(_), _) => Some(format!("{name}: any number of labels, where it is one there")),
        (None, Some(_)) => Some(format!("{text}: a row holds for every port")),
        (None, None) => None,
    };
    Ok(Named { name, note })
}

/// Resolvers by suffix, from a map or from `suffix : url` with commas.
pub(super) fn resolvers(value: &Value) -> Result<Taken, String> {
    let pair = |item: String| {
        let (suffix, url) = item.split_once(':').ok_or(format!("{item:?} is no suffix:url"))?;
        Ok((suffix.trim().to_owned(), url.trim().to_owned()))
    };
    let pairs: Vec<(String, String)> = match value.as_object() {
        Some(map) => map.iter().map(|(suffix, url)| (suffix.clone(), plain(url))).collect(),
        None => items(value).into_iter().map(pair).collect::<Result<_, String>>()?,
    };
    let mut taken = Taken::default();
    for (suffix, url) in pairs {
        let suffix =
            Some(suffix.trim_end_matches('.')).filter(|one| !one.is_empty()).unwrap_or(".");
        taken.add(match &url[..] {
            "auto" if suffix == "." => Ok(json!({"suffix": ".", "url": "system"})),
            "auto" => Err(format!("{suffix}: auto names no server; write its URL")),
            _ if has_credentials(&url) => Err(format!("{suffix}: URLs have no credentials here")),
            url => Ok(json!({"suffix": suffix, "url": url})),
        });
    }
    // What is not said is the system's there; here a list that is given is the whole list.
    for (suffix, url) in [(".", "system"), ("eth", "https://dns.eth.limo/dns-query")] {
        if !taken.values.iter().any(|row| row["suffix"] == suffix) {
            taken.values.push(json!({"suffix": suffix, "url": url}));
        }
    }
    Ok(taken)
}

/// Lists that are followed.
pub(super) fn denylists(value: &Value) -> Taken {
    let mut taken = Taken::default();
    for url in items(value) {
        taken.add(match () {
            () if has_credentials(&url) => Err("a denylist with credentials in its URL".to_owned()),
            () if url.starts_with("https://") => Ok(json!({ "url": url })),
            () => Err(format!("{url}: lists are followed over https only")),
        });
    }
    taken
}

/// Nodes of the pool: any trustless gateways.
pub(super) fn nodes(value: &Value) -> Taken {
    let mut taken = Taken::default();
    for url in items(value) {
        taken.add(match () {
            () if has_credentials(&url) => Err("a node with credentials in its URL".to_owned()),
            () if url.starts_with("http://") => Ok(json!({"url": url.trim_end_matches('/')})),
            () => {
                Err(format!("{url}: nodes are spoken to by plain http, on a network of their own"))
            }
        });
    }
    taken
}

fn has_credentials(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    host.split(['/', '?']).next().is_some_and(|host| host.contains('@'))
}

/// Peers that stay connected: addresses, or objects with `ID` and `Addrs`.
pub(super) fn peers(value: &Value) -> Taken {
    let mut taken = Taken::default();
    let objects = value.as_array().filter(|list| list.iter().any(Value::is_object));
    let addresses: Vec<String> = match objects {
        Some(list) => list.iter().flat_map(|peer| addressed(peer, &mut taken)).collect(),
        None => items(value),
    };
    for address in addresses {
        taken.add(match () {
            () if address.contains("/p2p/rainbow-seed") => {
                Err(format!("{address}: peers are named by their own id, not by a seed"))
            }
            () if !address.contains("/p2p/") => {
                Err(format!("{address} names no peer: add /p2p/ID"))
            }
            () if is_transport(&address) => Ok(address.into()),
            () => Err(format!("{address}: {TRANSPORTS}")),
        });
    }
    taken
}

fn addressed(peer: &Value, taken: &mut Taken) -> Vec<String> {
    let id = plain(&peer["ID"]);
    let addresses = items(&peer["Addrs"]);
    if addresses.is_empty() || peer["Addrs"].is_null() {
        taken.left.push(format!("{id}: without an address it would have to be found in the DHT"));
        return Vec::new();
    }
    addresses.into_iter().map(|address| format!("{address}/p2p/{id}")).collect()
}

/// Addresses to listen on for peers.
pub(super) fn swarm(value: &Value) -> Taken {
    let mut taken = Taken::default();
    for address in items(value) {
        taken.add(match is_transport(&address) {
            true => Ok(address.into()),
            false => Err(format!("{address}: {TRANSPORTS}")),
        });
    }
    taken
}

/// Whether an address is one of plain TCP or QUIC.
fn is_transport(address: &str) -> bool {
    let before_peer = address.split("/p2p/").next().unwrap_or_default();
    let parts: Vec<&str> = before_peer.trim_start_matches('/').split('/').collect();
    let is_place = |kind: &str| ["ip4", "ip6", "dns", "dns4", "dns6"].contains(&kind);
    match parts[..] {
        [kind, _, "tcp", _] | [kind, _, "udp", _, "quic-v1"] => is_place(kind),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_no_port_and_one_wildcard() {
        let read = |text| named(text).map(|named| (named.name, named.note.is_some()));
        assert_eq!(read("A.example"), Ok(("a.example".to_owned(), false)));
        assert_eq!(read("a.example:8080"), Ok(("a.example".to_owned(), true)));
        assert_eq!(read("*.a.example"), Ok(("*.a.example".to_owned(), true)));
        assert!(read("a-*.example").is_err());
    }

    #[test]
    fn resolvers_of_both_forms_are_read() {
        for value in [
            json!({".": "auto", "eth.": "https://eth.example/q"}),
            json!(". : auto, eth. : https://eth.example/q"),
        ] {
            let taken = resolvers(&value).expect("it is read");
            let wanted = [
                json!({"suffix": ".", "url": "system"}),
                json!({"suffix": "eth", "url": "https://eth.example/q"}),
            ];
            assert_eq!(taken.values, wanted);
        }
        assert_eq!(resolvers(&json!("crypto:auto")).expect("it is read").left.len(), 1);
    }

    #[test]
    fn addresses_that_nodes_lack_are_named() {
        let taken = swarm(&json!([
            "/ip4/0.0.0.0/tcp/4001",
            "/ip4/0.0.0.0/udp/4001/quic-v1",
            "/ip4/0.0.0.0/udp/4001/quic-v1/webtransport",
            "/ip4/0.0.0.0/tcp/4001/ws",
        ]));
        assert_eq!((taken.values.len(), taken.left.len()), (2, 2));
        let taken = peers(&json!([
            {"ID": "12D3KooWA", "Addrs": ["/dns4/a.example/tcp/4001"]},
            {"ID": "12D3KooWB"},
        ]));
        assert_eq!(taken.values, [json!("/dns4/a.example/tcp/4001/p2p/12D3KooWA")]);
        assert_eq!(taken.left.len(), 1);
    }

    #[test]
    fn credentials_do_not_come_along() {
        for taken in [
            denylists(&json!("https://me:CANARY@lists.example/a.deny")),
            nodes(&json!("http://me:CANARY@node.example")),
        ] {
            assert!(taken.values.is_empty() && !format!("{taken:?}").contains("CANARY"));
        }
    }
}
