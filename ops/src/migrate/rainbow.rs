//! Rainbow: its environment, and what becomes of each variable.
//!
//! The table holds every variable that Rainbow 1.24 documents or takes; defaults are those of its documentation.

use std::path::Path;

use serde_json::Value;

use super::setting::{
    Fate, Row, Said, Setting, apply, differs, find, of, same, told, unneeded, unsupported,
};
use super::way::Way;
use super::{Migrated, implied};

mod domains;

const NO_ROUTING: &str = "nodes ask no routers: content is found among the peers of swarm.peering";
const NO_HTTP: &str = "nodes fetch from peers by bitswap, not over HTTP";
const OWN_STORE: &str =
    "nodes have a store of their own; blocks come along by bifrost add or from peers";
const NO_SEEDS: &str = "a node's key is a file: swarm.identity_file, or made on the first start";
const NO_GC: &str =
    "what a node stores stays; blockstore.free_min stops it before the disk is full";
const NO_AUTO: &str = "no settings come from a server";
const TTL: &str = "names are kept for an hour at most; there without a bound as long as they say";
const PATIENCE: &str = "the first byte, and each block behind it, have keys of their own; a node's patience with \
                        peers, bitswap.give_up, and names.lookup_timeout grow with it";
const OWN_PEER: &str =
    "each node keeps to its own bounds: swarm.inbound_max, outbound_max, memory_max";

/// Every variable.
pub(super) const SETTINGS: &[Setting] = &[
    same("RAINBOW_GATEWAY_LISTEN_ADDRESS", &["gateway server.listen"], Way::Listen, "").or("127.0.0.1:8090"),
    differs(
        "RAINBOW_CTL_LISTEN_ADDRESS",
        &["gateway admin.listen"],
        Way::Loopback,
        "on loopback; elsewhere it needs admin.token. Its calls are others, /metrics is the same",
    )
    .or("127.0.0.1:8091"),
    of("RAINBOW_GATEWAY_DOMAINS", Fate::Domains, ""),
    of("RAINBOW_SUBDOMAIN_GATEWAY_DOMAINS", Fate::Domains, ""),
    of("RAINBOW_TRUSTLESS_GATEWAY_DOMAINS", Fate::Domains, ""),
    of("RAINBOW_DNSLINK_GATEWAY_DOMAINS", Fate::Domains, ""),
    differs(
        "RAINBOW_DATADIR",
        &["node dir"],
        Way::Folder,
        "a folder of its own within; neither blocks nor keys are taken from the old ones",
    ),
    unsupported("RAINBOW_GC_INTERVAL", NO_GC).or("60m").unless(&["0", "0s"]),
    unsupported("RAINBOW_GC_THRESHOLD", NO_GC).or("0.3"),
    differs(
        "RAINBOW_IPNS_MAX_CACHE_TTL",
        &["gateway names.ttl_max"],
        Way::Cap,
        TTL,
    )
    .told("no bound", TTL),
    differs(
        "RAINBOW_PEERING",
        &["node swarm.peering[]"],
        Way::Peers,
        "these peers are the only ones that content is fetched from",
    ),
    unsupported("RAINBOW_SEED", NO_SEEDS).secret(),
    unneeded("RAINBOW_SEED_INDEX", NO_SEEDS),
    unsupported("RAINBOW_SEED_PEERING", "peers are named by address and id in swarm.peering").unless(&["false"]),
    unneeded("RAINBOW_SEED_PEERING_MAX_INDEX", NO_SEEDS),
    unsupported("RAINBOW_DHT_ROUTING", NO_ROUTING).or("accelerated").unless(&["off"]),
    unsupported("RAINBOW_HTTP_ROUTERS", NO_ROUTING).or("auto").unless(&[""]),
    unneeded("RAINBOW_HTTP_ROUTERS_FILTER_PROTOCOLS", NO_ROUTING),
    unneeded("RAINBOW_HTTP_ROUTERS_TIMEOUT", NO_ROUTING),
    unneeded("RAINBOW_ROUTING_TIMEOUT", NO_ROUTING),
    unneeded("RAINBOW_DHT_SHARED_HOST", NO_ROUTING),
    unneeded("ROUTING_MAX_REQUESTS", NO_ROUTING),
    unneeded("ROUTING_MAX_PROVIDERS", NO_ROUTING),
    unneeded("ROUTING_MAX_TIMEOUT", NO_ROUTING),
    unneeded("ROUTING_IGNORE_PROVIDERS", "who is not in swarm.peering is not asked"),
    unneeded("RAINBOW_BOOTSTRAP", "there is no DHT to enter"),
    differs(
        "RAINBOW_DNSLINK_RESOLVERS",
        &["gateway names.resolvers[]"],
        Way::Resolvers,
        "auto is the system's resolver, and eth.limo for .eth",
    )
    .unless(&[". : auto", ".:auto"]),
    unneeded("RAINBOW_AUTOCONF", NO_AUTO),
    unneeded("RAINBOW_AUTOCONF_URL", NO_AUTO),
    unneeded("RAINBOW_AUTOCONF_REFRESH", NO_AUTO),
    unsupported("RAINBOW_HTTP_RETRIEVAL_ENABLE", NO_HTTP).or("true").unless(&["false"]),
    unneeded("RAINBOW_HTTP_RETRIEVAL_ALLOWLIST", NO_HTTP),
    unneeded("RAINBOW_HTTP_RETRIEVAL_DENYLIST", NO_HTTP),
    unneeded("RAINBOW_HTTP_RETRIEVAL_WORKERS", NO_HTTP),
    unneeded("RAINBOW_HTTP_RETRIEVAL_MAX_DONT_HAVE_ERRORS", NO_HTTP),
    unneeded("RAINBOW_HTTP_RETRIEVAL_METRICS_LABELS_FOR_ENDPOINTS", NO_HTTP),
    differs(
        "RAINBOW_MAX_CONCURRENT_REQUESTS",
        &["gateway limit.requests_max"],
        Way::Bound,
        "what is beyond gets 503, not 429, with limit.retry_after; CARs and clients have bounds of their own",
    ),
    differs(
        "RAINBOW_RETRIEVAL_TIMEOUT",
        &[
            "gateway server.first_byte_timeout",
            "gateway blocks.stall_timeout",
            "gateway upstream.block_timeout",
            "node serve.first_block_timeout",
            "node serve.next_block_timeout",
        ],
        Way::Patience,
        PATIENCE,
    ),
    same("RAINBOW_MAX_REQUEST_DURATION", &["gateway server.response_timeout"], Way::AnHour, ""),
    same("RAINBOW_MAX_RANGE_REQUEST_FILE_SIZE", &["gateway render.range_file_bytes_max"], Way::Bytes, ""),
    differs(
        "RAINBOW_MAX_DESERIALIZED_RESPONSE_SIZE",
        &["gateway render.file_bytes_max"],
        Way::Bytes,
        "of files; listings of folders are short, whatever the folders hold. The smaller of this and \
         RAINBOW_MAX_UNIXFS_DAG_RESPONSE_SIZE is taken",
    )
    .unless(&["0"]),
    differs(
        "RAINBOW_MAX_UNIXFS_DAG_RESPONSE_SIZE",
        &["gateway render.stream_bytes_max", "gateway render.file_bytes_max"],
        Way::Bytes,
        "files beyond get 410; CARs and TARs are cut at so many bytes, rather than refused; single blocks never are",
    )
    .unless(&["0"]),
    differs(
        "RAINBOW_DIAGNOSTIC_SERVICE_URL",
        &["gateway pages.check_url"],
        Way::Check,
        "a link on pages about content that cannot be had; that service learns what is read here",
    )
    .or("https://check.ipfs.network")
    .unless(&[""]),
    differs(
        "RAINBOW_PEERING_SHARED_CACHE",
        &[],
        Way::Nothing,
        "nodes always answer the peers that they are connected to",
    ),
    same("RAINBOW_REMOTE_BACKENDS", &["gateway upstream.nodes[]"], Way::Nodes, "no node of ours is needed"),
    unsupported("RAINBOW_REMOTE_BACKENDS_MODE", "gateways ask for blocks, not CARs").unless(&["block"]),
    unsupported("RAINBOW_REMOTE_BACKENDS_IPNS", "records are asked of the nodes alone").unless(&["true"]),
    unneeded("RAINBOW_LIBP2P", "a gateway has no libp2p, a node always has"),
    unneeded("RAINBOW_BITSWAP", "a gateway has no bitswap, a node always has"),
    same("RAINBOW_LIBP2P_LISTEN_ADDRS", &["node swarm.listen[]"], Way::Swarm, "")
        .or("/ip4/0.0.0.0/tcp/4001,/ip4/0.0.0.0/udp/4001/quic-v1,/ip6/::/tcp/4001,/ip6/::/udp/4001/quic-v1"),
    unneeded("RAINBOW_LIBP2P_CONNMGR_LOW", OWN_PEER),
    differs(
        "RAINBOW_LIBP2P_CONNMGR_HIGH",
        &["node swarm.inbound_max", "node swarm.outbound_max"],
        Way::Count,
        "a bound on either kind, beyond which connections are refused rather than trimmed later",
    )
    .told("3000", "512 of either kind, beyond which connections are refused rather than trimmed later"),
    unneeded("RAINBOW_LIBP2P_CONNMGR_GRACE_PERIOD", OWN_PEER),
    differs(
        "RAINBOW_LIBP2P_MAX_MEMORY",
        &["node swarm.memory_max"],
        Way::Bytes,
        "of the whole process; above it no connection is added",
    )
    .unless(&["0"]),
    unneeded("RAINBOW_LIBP2P_MAX_FD", OWN_PEER),
    differs(
        "RAINBOW_INMEM_BLOCK_CACHE",
        &["gateway cache.block_bytes"],
        Way::Bytes,
        "of proven blocks, in the gateway",
    )
    .told("1 GiB", "256 MiB of proven blocks, in the gateway"),
    same("RAINBOW_DENYLISTS", &["gateway denylist.lists[]"], Way::Denylists, "add a row `file` for lists on disk"),
    unneeded("RAINBOW_BLOCKSTORE", OWN_STORE),
    unneeded("PEBBLE_BYTES_PER_SYNC", OWN_STORE),
    unneeded("PEBBLE_DISABLE_WAL", OWN_STORE),
    unneeded("PEBBLE_L0_COMPACTION_THRESHOLD", OWN_STORE),
    unneeded("PEBBLE_L0_STOP_WRITES_THRESHOLD", OWN_STORE),
    unneeded("PEBBLE_LBASE_MAX_BYTES", OWN_STORE),
    unneeded("PEBBLE_MEM_TABLE_SIZE", OWN_STORE),
    unneeded("PEBBLE_MEM_TABLE_STOP_WRITES_THRESHOLD", OWN_STORE),
    unneeded("PEBBLE_WAL_BYTES_PER_SYNC", OWN_STORE),
    unneeded("PEBBLE_MAX_CONCURRENT_COMPACTIONS", OWN_STORE),
    unneeded("PEBBLE_WAL_MIN_SYNC_INTERVAL", OWN_STORE),
    same("BITSWAP_WANTHAVE_REPLACE_SIZE", &["node bitswap.have_block_bytes_max"], Way::Bytes, ""),
    unneeded("BITSWAP_ENABLE_DUPLICATE_BLOCK_STATS", "they are always counted"),
    unsupported("RAINBOW_TRACING_AUTH", "no client decides what is traced").secret(),
    same(
        "RAINBOW_SAMPLING_FRACTION",
        &["gateway trace.sample_ratio", "node trace.sample_ratio"],
        Way::Share,
        "nothing is exported without trace.endpoint",
    ),
    same(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        &["gateway trace.endpoint", "node trace.endpoint"],
        Way::Collector,
        "",
    ),
    differs(
        "GOLOG_LOG_LEVEL",
        &["gateway log.level", "node log.level"],
        Way::Level,
        "lines say other things than theirs; info is the default here",
    ),
    same("GOLOG_LOG_FMT", &["gateway log.format", "node log.format"], Way::LogForm, ""),
    unsupported("GOLOG_FILE", "the log goes to stderr, for the supervisor to keep").unless(&[""]),
    unsupported("GOLOG_TRACING_FILE", "traces go to a collector: trace.endpoint").unless(&[""]),
    unneeded("GATEWAY_CONFORMANCE_TEST", "gateways pass the suite as they are: make conformance"),
    same("IPFS_NS_MAP", &["gateway names.dnslinks"], Way::Names, ""),
];

/// Reads an environment.
///
/// # Errors
/// The line that is none of one.
pub(super) fn read(text: &str) -> Result<Migrated, String> {
    let mut variables = lines(text)?;
    let mut migrated = Migrated::default();
    let of = |name: &str| {
        variables.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    };
    let is_remote = of("RAINBOW_REMOTE_BACKENDS").is_some_and(|urls| !urls.is_empty());
    migrated.draft.without_node = is_remote;
    let mut has_domains = false;
    for setting in SETTINGS {
        if matches!(setting.fate, Fate::Domains) {
            if !std::mem::replace(&mut has_domains, true) {
                let rows = domains::read(|name| of(name).cloned(), &mut migrated.draft);
                migrated.rows.extend(rows);
            }
            continue;
        }
        // Without a node of its own nothing is looked for, and nothing stored.
        let is_told = !is_remote || !is_of_nodes(setting.name);
        let (value, is_set) = match (of(setting.name), setting.implied.filter(|_| is_told)) {
            (Some(value), _) => (value.clone(), true),
            (None, Some(implied)) => (implied.to_owned(), false),
            (None, None) => {
                migrated.rows.extend(told(setting).filter(|_| is_told));
                continue;
            }
        };
        // What is never collected has no threshold.
        if !is_set && setting.name == "RAINBOW_GC_THRESHOLD" && is_never(of("RAINBOW_GC_INTERVAL"))
        {
            continue;
        }
        let value = Value::String(value);
        migrated.rows.extend(apply(setting, setting.name, &value, is_set, &mut migrated.draft));
    }
    let websites = of("RAINBOW_DNSLINK_GATEWAY_DOMAINS").is_some_and(|list| !list.is_empty());
    migrated.rows.push(implied::other_hosts(websites));
    migrated.rows.extend(implied::proxies(&mut migrated.draft));
    // Without one it is the folder that it is started in.
    let data = of("RAINBOW_DATADIR").map_or("", |data| &data[..]);
    let lists = [(Path::new(data).join("denylists"), "$RAINBOW_DATADIR/denylists")];
    migrated.rows.extend(implied::denylists(&lists, &mut migrated.draft));
    migrated.draft.finish();
    variables.retain(|(name, _)| find(SETTINGS, name).is_none());
    for (name, _) in variables {
        migrated.rows.push(Row {
            setting: name,
            theirs: "(not shown)".to_owned(),
            ours: String::new(),
            said: Said::Unknown,
            note: "no variable that Rainbow 1.24 documents".to_owned(),
        });
    }
    Ok(migrated)
}

/// Whether an interval is none.
fn is_never(interval: Option<&String>) -> bool {
    interval.is_some_and(|interval| ["0", "0s"].contains(&interval.trim()))
}

/// Whether a variable says how content is looked for.
fn is_of_nodes(name: &str) -> bool {
    ["_DHT_", "_HTTP_RO", "_HTTP_RETRIEVAL_", "_LIBP2P_", "_GC_"]
        .iter()
        .any(|part| name.contains(part))
}

/// The variables of lines `NAME=VALUE`, with quotes and comments as shells and Docker have them.
fn lines(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let pair = line.split_once('=').filter(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        let (name, value) =
            pair.ok_or_else(|| format!("line {}: it is no NAME=VALUE", number + 1))?;
        let value = value.trim();
        let quoted =
            ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        variables.push((name.to_owned(), quoted.unwrap_or(value).to_owned()));
    }
    Ok(variables)
}
