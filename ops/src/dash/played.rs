//! A fleet that is played by a test: what its processes expose, and how that grows.
//!
//! The table is short for what gateways, nodes and probes declare; a test holds it against their
//! sources, so that it cannot drift from them.

use super::exposed::Schema;

const TRAFFIC: &str = "traffic=website|gateway|mirror|probe";
const OUTCOME: &str = "outcome=ok|not_modified|client_error|not_found|blocked|limited|client_abort|\
    no_providers|unreachable|name_unresolved|bad_content|timeout|upstream_fault|overload|truncated|\
    internal";
const CACHE: &str = "cache=none|hit|pool|network";
const FORM: &str = "form=path|subdomain|dnslink|trustless|own";

/// What every process exposes.
const EVERYBODY: [&str; 10] = [
    "counter process_cpu_seconds_total",
    "gauge process_resident_memory_bytes",
    "gauge process_open_fds",
    "gauge process_max_fds",
    "gauge process_start_time_seconds",
    "gauge bifrost_build_info commit=abc process=PROCESS version=0.1.0",
    "counter bifrost_telemetry_access_dropped_lines_total",
    "counter bifrost_telemetry_log_dropped_lines_total",
    "counter bifrost_telemetry_trace_dropped_spans_total",
    "counter bifrost_telemetry_task_panics_total",
];

fn gateway() -> Vec<String> {
    let mut all = vec![
        format!("counter bifrost_gateway_requests_total {TRAFFIC} {FORM} {OUTCOME} {CACHE}"),
        format!("histogram bifrost_gateway_first_byte_seconds {TRAFFIC} {CACHE}"),
        format!("histogram bifrost_gateway_response_seconds {TRAFFIC} {CACHE}"),
        format!("counter bifrost_gateway_response_bytes_total {TRAFFIC} {FORM}"),
        format!("gauge bifrost_gateway_in_flight {TRAFFIC}"),
    ];
    let nodes = "node=0|1|2";
    for listed in ["pool_requests", "pool_failures", "pool_ejections", "unverified_bytes"] {
        all.push(format!("counter bifrost_gateway_{listed}_total {nodes}"));
    }
    all.push(format!("gauge bifrost_gateway_pool_ejected {nodes}"));
    for counter in [
        "config_reloads_rejected",
        "request_panics",
        "accept_errors",
        "accept_full",
        "cache_block_hits",
        "cache_block_misses",
        "cache_plan_hits",
        "cache_plan_misses",
        "pool_retries",
        "pool_retries_refused",
        "limit_full",
        "limit_client_share",
        "names_hits",
        "names_misses",
        "names_stale",
        "names_failures",
        "denylist_denied",
        "denylist_failures",
    ] {
        all.push(format!("counter bifrost_gateway_{counter}_total"));
    }
    all.extend([
        "counter bifrost_gateway_mirror_pairs_total lane=staging|again result=same|different".to_owned(),
        "counter bifrost_gateway_mirror_differences_total lane=staging|again class=verifiable|rendered \
         difference=body|header"
            .to_owned(),
        "counter bifrost_gateway_mirror_dropped_total reason=unhealthy|queue".to_owned(),
        "histogram bifrost_gateway_mirror_first_byte_seconds by=production|staging".to_owned(),
    ]);
    for gauge in
        ["accept_connections", "cache_block_bytes", "denylist_lines", "denylist_age_seconds"]
    {
        all.push(format!("gauge bifrost_gateway_{gauge}"));
    }
    all
}

fn node() -> Vec<String> {
    let ended = "ended=store|network|no_providers|unreachable|timeout|not_local|overloaded|failed";
    let mut all = vec![
        "counter bifrost_node_blockstore_reads_total outcome=hit|miss|rotten|failed".to_owned(),
        "counter bifrost_node_blockstore_writes_total outcome=stored|held|full|failed".to_owned(),
        "histogram bifrost_node_blockstore_put_seconds".to_owned(),
        "counter bifrost_node_bitswap_block_received_bytes_total arrival=wanted|extra".to_owned(),
        "counter bifrost_node_bitswap_block_sent_bytes_total".to_owned(),
        "counter bifrost_node_accept_full_total".to_owned(),
        format!("counter bifrost_node_retrieve_requests_total {ended}"),
    ];
    for gauge in [
        "in_flight",
        "accept_connections",
        "blockstore_bytes",
        "blockstore_free_bytes",
        "swarm_peers",
        "swarm_bitswap_peers",
        "retrieve_flights",
        "bitswap_serve_queue",
    ] {
        all.push(format!("gauge bifrost_node_{gauge}"));
    }
    all
}

fn probe() -> Vec<String> {
    let what = "check=http.path|http.car lane=warm|cold|new";
    vec![
        format!("counter bifrost_probe_checks_total {what} verdict=pass|fail|skipped"),
        format!("histogram bifrost_probe_seconds {what}"),
        "counter bifrost_probe_mismatches_total".to_owned(),
    ]
}

/// What a process exposes when it was scraped so many times; `PROCESS` is its name.
pub(super) fn text(process: &str, tick: u64) -> String {
    let own = match process {
        "gateway" => gateway(),
        "node" => node(),
        _ => probe(),
    };
    let mut out = String::new();
    let every = EVERYBODY.iter().map(|line| line.replace("PROCESS", process));
    for line in every.chain(own) {
        let mut words = line.split(' ');
        let (kind, name) = (words.next().expect("a kind"), words.next().expect("a name"));
        let labels: Vec<&str> = words.collect();
        out.push_str(&format!("# TYPE {name} {kind}\n"));
        for series in combined(&labels) {
            if kind == "histogram" {
                histogram(&mut out, name, &series, tick);
            } else {
                let value = value(kind, name, &series, tick);
                out.push_str(&format!("{name}{} {value}\n", braced(&series)));
            }
        }
    }
    out
}

fn value(kind: &str, name: &str, series: &str, tick: u64) -> String {
    let bad = ["timeout", "internal", "overload", "truncated", "upstream", "rotten", "fail"];
    match (kind, name) {
        (_, "process_max_fds") => "1000".to_owned(),
        (_, "process_start_time_seconds") => "1700000000".to_owned(),
        (_, "process_cpu_seconds_total") => format!("{}", tick as f64 / 10.0),
        ("counter", name) if bad.iter().any(|bad| series.contains(bad) || name.contains(bad)) => {
            (tick / 7).to_string()
        }
        ("counter", _) => (tick * 3).to_string(),
        _ => "1".to_owned(),
    }
}

fn histogram(out: &mut String, name: &str, series: &str, tick: u64) {
    let count = tick * 4;
    let comma = if series.is_empty() { "" } else { "," };
    for (le, part) in [("0.01", 1), ("0.3", 3), ("30", 4), ("+Inf", 4)] {
        let below = count * part / 4;
        out.push_str(&format!("{name}_bucket{{{series}{comma}le=\"{le}\"}} {below}\n"));
    }
    out.push_str(&format!("{name}_sum{} {}\n", braced(series), count as f64 / 20.0));
    out.push_str(&format!("{name}_count{} {count}\n", braced(series)));
}

fn braced(series: &str) -> String {
    if series.is_empty() { String::new() } else { format!("{{{series}}}") }
}

/// Every combination of values of labels.
fn combined(labels: &[&str]) -> Vec<String> {
    let mut all = vec![String::new()];
    for label in labels {
        let (name, values) = label.split_once('=').expect("a label has values");
        let longer = all.iter().flat_map(|series| {
            values.split('|').map(move |value| {
                let comma = if series.is_empty() { "" } else { "," };
                format!("{series}{comma}{name}=\"{value}\"")
            })
        });
        all = longer.collect();
    }
    all
}

/// What all processes together expose.
pub(super) fn schema() -> Schema {
    let mut schema = Schema::default();
    for process in ["gateway", "node", "probe"] {
        schema.read(&text(process, 1));
    }
    schema
}
