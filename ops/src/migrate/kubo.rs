//! Kubo: its JSON configuration, and what becomes of each setting.
//!
//! The table holds every setting that Kubo 0.44 documents, groups of no use as one row; defaults are those of its
//! documentation. Kubo is gateway and node in one process, so that one file becomes two.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::identity::Identity;
use super::setting::{
    Fate, Row, Said, Setting, apply, differs, find, of, same, told, unneeded, unsupported,
};
use super::way::Way;
use super::{Migrated, implied};

const NO_ROUTING: &str = "nodes ask no routers: content is found among the peers of swarm.peering";
const NO_PROVIDING: &str = "nodes announce nothing; who is connected can ask them";
const NO_RPC: &str =
    "there is no RPC API: bifrost add and bifrost ipns, and calls of admin listeners";
const NO_GC: &str =
    "what a node stores stays; blockstore.free_min stops it before the disk is full";
const OWN_STORE: &str =
    "nodes have a store of their own; blocks come along by bifrost add FILE.car or from peers";
const NO_HTTP: &str = "nodes fetch from peers by bitswap, not over HTTP";
const NO_RELAY: &str = "nodes are reached at the addresses of swarm.listen, without relays";
const NO_REPUBLISH: &str =
    "records are signed and put by bifrost ipns, for as long as --valid-for says";
const AT_ADD: &str = "how content is cut is chosen at bifrost add: --profile";
const TRANSPORTS: &str = "nodes have TCP with Noise and Yamux, and QUIC";
const TTL: &str = "names are kept for an hour at most; there without a bound as long as they say";
const OWN_BOUNDS: &str =
    "each node keeps to its own bounds: swarm.inbound_max, outbound_max, memory_max";
const REMOVED: &str = "Kubo has removed it too";

/// Every setting.
pub(super) const SETTINGS: &[Setting] = &[
    unsupported("Addresses.API", NO_RPC),
    same("Addresses.Gateway", &["gateway server.listen"], Way::Listen, "")
        .or("/ip4/127.0.0.1/tcp/8080"),
    same("Addresses.Swarm", &["node swarm.listen[]"], Way::Swarm, ""),
    unneeded("Addresses.Announce", NO_PROVIDING),
    unneeded("Addresses.AppendAnnounce", NO_PROVIDING),
    unneeded("Addresses.NoAnnounce", NO_PROVIDING),
    unneeded("API.HTTPHeaders", NO_RPC),
    unsupported("API.Authorizations", "admin listeners have one token each: admin.token").secret(),
    unneeded("AutoNAT", NO_RELAY),
    unneeded("AutoConf", "no settings come from a server"),
    unneeded("AutoTLS", TRANSPORTS),
    unneeded("AutoTLS.RegistrationToken", TRANSPORTS).secret(),
    unsupported("Bitswap.Libp2pEnabled", "a node always has bitswap").unless(&["true"]),
    unsupported(
        "Bitswap.ServerEnabled",
        "nodes always answer the peers that they are connected to",
    )
    .unless(&["true"]),
    unsupported(
        "Bootstrap",
        "there is no DHT to enter; peers to stay connected to stand in swarm.peering",
    ),
    unsupported("Datastore.StorageMax", NO_GC),
    unneeded("Datastore.StorageGCWatermark", NO_GC),
    unneeded("Datastore.GCPeriod", NO_GC),
    unneeded("Datastore.HashOnRead", "blocks are always verified when they are read"),
    unneeded("Datastore", OWN_STORE),
    unsupported("Discovery.MDNS.Enabled", "nodes look for nobody on their network")
        .unless(&["false"]),
    unneeded("Discovery.MDNS.Interval", REMOVED),
    unsupported("Experimental", "nodes have no such experiments").unless(&["false", "0"]),
    same(
        "Gateway.NoFetch",
        &["node retrieve.flight_max"],
        Way::ZeroIfTrue,
        "a search that may last no time",
    ),
    unsupported(
        "Gateway.NoDNSLink",
        "a host that is not in hosts.table gets 421: name each website, or *.its.parent",
    )
    .or("false")
    .unless(&["true"]),
    differs(
        "Gateway.DeserializedResponses",
        &[],
        Way::Nothing,
        "a class of hosts: false makes those of PublicGateways trustless, and others get 421",
    )
    .unless(&["true"]),
    same("Gateway.AllowCodecConversion", &["gateway render.convert_codecs"], Way::Switch, ""),
    unsupported(
        "Gateway.DisableHTMLErrors",
        "clients choose by Accept; pages.templates changes the look",
    )
    .unless(&["false"]),
    unsupported("Gateway.ExposeRoutingAPI", NO_ROUTING).or("true").unless(&["false"]),
    differs(
        "Gateway.RetrievalTimeout",
        &[
            "gateway server.first_byte_timeout",
            "gateway blocks.stall_timeout",
            "gateway upstream.block_timeout",
            "node serve.first_block_timeout",
            "node serve.next_block_timeout",
        ],
        Way::Patience,
        "the first byte, and each block behind it, have keys of their own; a node's patience with peers, \
         bitswap.give_up, and names.lookup_timeout grow with it",
    ),
    same("Gateway.MaxRequestDuration", &["gateway server.response_timeout"], Way::AnHour, ""),
    same(
        "Gateway.MaxRangeRequestFileSize",
        &["gateway render.range_file_bytes_max"],
        Way::Bytes,
        "",
    )
    .or("0"),
    differs(
        "Gateway.MaxConcurrentRequests",
        &["gateway limit.requests_max"],
        Way::Bound,
        "what is beyond gets 503, not 429, with limit.retry_after; CARs and clients have bounds of their own",
    ),
    unsupported(
        "Gateway.HTTPHeaders",
        "headers are those of the specifications; a proxy in front can add others",
    ),
    unsupported("Gateway.RootRedirect", "/ is a page: pages.templates, or a host of class site"),
    differs(
        "Gateway.DiagnosticServiceURL",
        &["gateway pages.check_url"],
        Way::Check,
        "a link on pages about content that cannot be had; that service learns what is read here",
    )
    .or("https://check.ipfs.network")
    .unless(&[""]),
    unneeded("Gateway.FastDirIndexThreshold", REMOVED),
    unneeded("Gateway.PathPrefixes", REMOVED),
    unsupported("Gateway.Writable", REMOVED).unless(&["false"]),
    differs(
        "Gateway.PublicGateways",
        &["gateway hosts.table[]"],
        Way::PublicGateways,
        "Paths, UseSubdomains, NoDNSLink and DeserializedResponses become one class",
    )
    .or("{}"),
    unneeded("Identity.PeerID", "it follows from the key"),
    of("Identity.PrivKey", Fate::Identity, "").secret(),
    unneeded("Internal", "nodes and gateways have bounds of their own"),
    unneeded("Ipns.ResolveCacheSize", "names.cache_bytes bounds names by their size"),
    differs(
        "Ipns.MaxCacheTTL",
        &["gateway names.ttl_max"],
        Way::Duration,
        "of all names, those of DNS too: the smaller of this and DNS.MaxCacheTTL is taken",
    )
    .told("no bound", TTL),
    unneeded("Ipns.RepublishPeriod", NO_REPUBLISH),
    unneeded("Ipns.RecordLifetime", NO_REPUBLISH),
    unsupported("Ipns.UsePubsub", "records are asked of nodes").unless(&["false"]),
    unsupported("Ipns.DelegatedPublishers", NO_REPUBLISH),
    unneeded("Migration", OWN_STORE),
    unneeded("Mounts", "nothing is mounted"),
    unsupported("Pinning", "no other services are told; bifrost add stores on two nodes").secret(),
    unsupported("Plugins", "there are no plugins").unless(&["false"]),
    unsupported("Provide.Enabled", NO_PROVIDING).or("true").unless(&["false"]),
    unneeded("Provide", NO_PROVIDING),
    unneeded("Provider", NO_PROVIDING),
    unneeded("Reprovider", NO_PROVIDING),
    unsupported("Pubsub.Enabled", "nodes have no pubsub").unless(&["false"]),
    unneeded("Pubsub", "nodes have no pubsub"),
    differs(
        "Peering.Peers",
        &["node swarm.peering[]"],
        Way::Peers,
        "these peers are the only ones that content is fetched from",
    ),
    unsupported("Routing.Type", NO_ROUTING).or("auto").unless(&["none"]),
    unneeded("Routing.IgnoreProviders", "who is not in swarm.peering is not asked"),
    unneeded("Routing", NO_ROUTING),
    unsupported("Swarm.AddrFilters", "the firewall of the machine decides whom nodes may reach"),
    unneeded("Swarm.DisableBandwidthMetrics", "bytes are always counted"),
    unsupported("Swarm.DisableNatPortMap", "no port is mapped: forward those of swarm.listen")
        .unless(&["true"]),
    unsupported("Swarm.EnableHolePunching", NO_RELAY).unless(&["false"]),
    unneeded("Swarm.EnableAutoRelay", REMOVED),
    unsupported("Swarm.RelayClient.Enabled", NO_RELAY).unless(&["false"]),
    unneeded("Swarm.RelayClient", NO_RELAY),
    unsupported("Swarm.RelayService.Enabled", NO_RELAY).unless(&["false"]),
    unneeded("Swarm.RelayService", NO_RELAY),
    unneeded("Swarm.EnableRelayHop", REMOVED),
    unneeded("Swarm.DisableRelay", REMOVED),
    unneeded("Swarm.EnableAutoNATService", REMOVED),
    differs(
        "Swarm.ConnMgr.HighWater",
        &["node swarm.inbound_max", "node swarm.outbound_max"],
        Way::Count,
        "a bound on either kind, beyond which connections are refused rather than trimmed later",
    )
    .told(
        "96",
        "512 of either kind, beyond which connections are refused rather than trimmed later",
    ),
    unneeded("Swarm.ConnMgr", OWN_BOUNDS),
    differs(
        "Swarm.ResourceMgr.MaxMemory",
        &["node swarm.memory_max"],
        Way::Bytes,
        "of the whole process; above it no connection is added",
    ),
    unneeded("Swarm.ResourceMgr", OWN_BOUNDS),
    unsupported("Swarm.Transports.Network.TCP", "leave its addresses out of swarm.listen")
        .unless(&["true"]),
    unsupported("Swarm.Transports.Network.QUIC", "leave its addresses out of swarm.listen")
        .unless(&["true"]),
    unsupported("Swarm.Transports.Network", TRANSPORTS).unless(&["false"]),
    unsupported("Swarm.Transports.Security.TLS", TRANSPORTS).unless(&["false"]),
    unsupported("Swarm.Transports.Security.SECIO", REMOVED).unless(&["false"]),
    unneeded("Swarm.Transports", TRANSPORTS),
    differs(
        "DNS.Resolvers",
        &["gateway names.resolvers[]"],
        Way::Resolvers,
        "for DNSLinks alone; auto is the system's resolver, and eth.limo for .eth",
    )
    .unless(&["{\".\":\"auto\"}"]),
    differs(
        "DNS.MaxCacheTTL",
        &["gateway names.ttl_max"],
        Way::Duration,
        "of all names, those of IPNS too: the smaller of this and Ipns.MaxCacheTTL is taken",
    )
    .told("no bound", TTL),
    unsupported("HTTPRetrieval.Enabled", NO_HTTP).or("true").unless(&["false"]),
    unneeded("HTTPRetrieval", NO_HTTP),
    unneeded("Import", AT_ADD),
    unneeded("Version", "versions are told by bifrost inventory audit"),
];

/// Where Kubo looks for denylists, and how its documentation names that.
pub(super) fn denylists(
    repository: Option<&Path>,
    environment: impl Fn(&str) -> Option<PathBuf>,
) -> Vec<(PathBuf, &'static str)> {
    let home = environment("HOME").unwrap_or_default();
    let repository = repository.map_or_else(|| home.join(".ipfs"), Path::to_owned);
    let configured = environment("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    vec![
        (repository.join("denylists"), "$IPFS_PATH/denylists"),
        (configured.join("ipfs/denylists"), "~/.config/ipfs/denylists"),
        (PathBuf::from("/etc/ipfs/denylists"), "/etc/ipfs/denylists"),
    ]
}

/// Reads a configuration; `denylists` are the folders that Kubo reads lists from.
///
/// # Errors
/// What is wrong with the JSON, and where.
pub(super) fn read(text: &str, denylists: &[(PathBuf, &str)]) -> Result<Migrated, String> {
    // The key is in the file: a message must not repeat what it stands in.
    let mut config: Value = serde_json::from_str(text).map_err(|error| {
        format!("line {}, column {}: it is no JSON", error.line(), error.column())
    })?;
    if !config.is_object() {
        return Err("it is no configuration of Kubo: it has no sections".to_owned());
    }
    spread_trustless(&mut config);
    let mut migrated = Migrated::default();
    let mut open = Vec::new();
    settings("", &config, &mut open);
    for setting in SETTINGS {
        let at = open.iter().position(|(name, _)| name == setting.name);
        if let (None, Some(implied)) = (at, setting.implied) {
            let value = serde_json::from_str(implied).unwrap_or_else(|_| implied.into());
            migrated.rows.extend(apply(setting, setting.name, &value, false, &mut migrated.draft));
        }
        migrated.rows.extend(told(setting).filter(|_| at.is_none()));
        let mine: Vec<_> = open
            .extract_if(.., |(name, _)| {
                find(SETTINGS, name).is_some_and(|found| found.name == setting.name)
            })
            .collect();
        for (name, value) in mine {
            if let Fate::Identity = setting.fate {
                identity(&name, value, &mut migrated);
                continue;
            }
            migrated.rows.extend(apply(setting, &name, value, true, &mut migrated.draft));
        }
    }
    if config["Gateway"]["DeserializedResponses"] == false {
        migrated.draft.set("gateway hosts.any", "never", "Gateway.DeserializedResponses");
    }
    migrated.rows.push(implied::other_hosts(config["Gateway"]["NoDNSLink"] == true));
    migrated.rows.extend(implied::proxies(&mut migrated.draft));
    migrated.rows.extend(implied::denylists(denylists, &mut migrated.draft));
    migrated.draft.finish();
    for (name, _) in open {
        migrated.rows.push(Row {
            setting: name,
            theirs: "(not shown)".to_owned(),
            ours: String::new(),
            said: Said::Unknown,
            note: "no setting that Kubo 0.44 documents".to_owned(),
        });
    }
    Ok(migrated)
}

/// Every setting that has a value, by its dotted name; a group that no row takes apart is one.
fn settings<'a>(name: &str, value: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    let below = format!("{name}.");
    let is_group = SETTINGS.iter().any(|setting| setting.name.starts_with(&below));
    let row = find(SETTINGS, name);
    // Where some values are harmless, each is looked at by itself.
    let is_apart =
        row.is_some_and(|row| matches!(row.fate, Fate::Unsupported) && !row.harmless.is_empty());
    // What somebody emptied does not have its default.
    let is_emptied =
        !value.is_null() && SETTINGS.iter().any(|one| one.name == name && one.implied.is_some());
    match value.as_object() {
        Some(map) if name.is_empty() || is_group || is_apart || row.is_none() => {
            for (key, value) in map {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                settings(&name, value, found);
            }
        }
        Some(_) | None if is_empty(value) && !is_emptied => {}
        Some(_) | None => found.push((name.to_owned(), value)),
    }
}

/// Whether nothing is said: Kubo writes groups without values, too.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What holds for all hosts is said of each one that says nothing else.
fn spread_trustless(config: &mut Value) {
    if config["Gateway"]["DeserializedResponses"] != false {
        return;
    }
    let hosts = &mut config["Gateway"]["PublicGateways"];
    if hosts.is_null() {
        *hosts = json!({});
    }
    let Some(hosts) = hosts.as_object_mut() else { return };
    for (name, has_origins) in [("localhost", true), ("127.0.0.1", false)] {
        let host = json!({"Paths": ["/ipfs", "/ipns"], "UseSubdomains": has_origins});
        hosts.entry(name).or_insert(host);
    }
    for host in hosts.values_mut().filter_map(Value::as_object_mut) {
        let own = host.entry("DeserializedResponses").or_insert(Value::Null);
        if own.is_null() {
            *own = false.into();
        }
    }
}

fn identity(name: &str, value: &Value, migrated: &mut Migrated) {
    let row = |said, note: String| Row {
        setting: name.to_owned(),
        theirs: "(a secret)".to_owned(),
        ours: "swarm.identity_file".to_owned(),
        said,
        note,
    };
    match Identity::parse(value.as_str().unwrap_or_default()) {
        Ok(identity) => {
            let note = format!(
                "written as identity.key with --out, for {}: two nodes must not have one key, so stop the old one",
                identity.peer
            );
            migrated.rows.push(row(Said::Same, note));
            migrated.identity = Some(identity);
        }
        Err(why) => migrated.rows.push(row(Said::Invalid, why.to_owned())),
    }
}
