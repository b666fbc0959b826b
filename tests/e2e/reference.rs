//! What can be configured and sent is what the reference says, and what other gateways were told becomes ours.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::fleet::program;
use harness::{Fleet, FleetPlan};
use serde_json::Value;

fn run(name: &str, words: &[&str]) -> Output {
    Command::new(program(name).expect("it is built")).args(words).output().expect("it runs")
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/reference")
}

#[test]
fn reference_is_what_the_programs_say_and_explains_everything() {
    let folder = committed();
    let output =
        run("bifrost", &["reference", "--check", "--out", folder.to_str().expect("it is text")]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn page_that_differs_is_found_and_written_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("it is text");
    let check = ["reference", "outcomes", "--check", "--out", out];
    let output = run("bifrost", &check);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("[drift]"), "{}", said(&output));
    let output = run("bifrost", &["reference", "outcomes", "--out", out]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(run("bifrost", &check).status.code(), Some(0));
}

#[test]
fn every_header_that_a_fleet_sends_is_in_the_reference() {
    let known = |program: &str| -> BTreeSet<String> {
        let output = run(program, &["--describe", "headers"]);
        let lists: Value = serde_json::from_slice(&output.stdout).expect("it prints JSON");
        let lists = lists.as_array().expect("lists").iter();
        let sent = lists
            .filter(|list| list["of"].as_str().is_some_and(|of| of.starts_with("Answers of a ")));
        let headers = sent.flat_map(|list| list["headers"].as_array().expect("headers").iter());
        headers.map(|header| header["name"].as_str().expect("a name").to_owned()).collect()
    };
    let fleet = Fleet::start(&FleetPlan::default()).expect("the fleet starts");
    let root = fleet.import(b"one file").expect("it is stored");
    let absent = "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    // These are of HTTP itself, not of ours.
    let of_http = ["connection", "date", "transfer-encoding"];
    for (process, at) in
        [("bifrost-gateway", fleet.gateway.http), ("bifrost-node", fleet.nodes[0].http)]
    {
        let known = known(process);
        for target in [
            format!("/ipfs/{root}"),
            format!("/ipfs/{root}?format=raw"),
            format!("/ipfs/{root}?format=car"),
            format!("/ipfs/{absent}?format=raw"),
            "/ipfs/nonsense".to_owned(),
            "/policy".to_owned(),
        ] {
            let answer = harness::http::get(at, &target).expect("it answers");
            for (name, _) in &answer.head.headers {
                let name = name.to_ascii_lowercase();
                let is_told = known.contains(&name) || of_http.contains(&&name[..]);
                assert!(is_told, "{process} sends {name} for {target}, which no reference knows");
            }
        }
    }
}

const RAINBOW: &str = "
RAINBOW_GATEWAY_LISTEN_ADDRESS=127.0.0.1:8090
RAINBOW_GATEWAY_DOMAINS=ipfs.example
RAINBOW_SUBDOMAIN_GATEWAY_DOMAINS=dweb.example
RAINBOW_TRUSTLESS_GATEWAY_DOMAINS=trustless.example
RAINBOW_DNSLINK_GATEWAY_DOMAINS=site.example
RAINBOW_DATADIR=data
RAINBOW_IPNS_MAX_CACHE_TTL=5m
RAINBOW_PEERING=/ip4/10.0.0.2/tcp/4001/p2p/12D3KooWGRUFmf9s8cQVJf1cGPdLMUfDSrcGB5mPHDK4YSkRvkNH
RAINBOW_DNSLINK_RESOLVERS=. : auto, eth : https://dns.eth.limo/dns-query
RAINBOW_MAX_CONCURRENT_REQUESTS=512
RAINBOW_RETRIEVAL_TIMEOUT=1m30s
RAINBOW_MAX_REQUEST_DURATION=30m
RAINBOW_MAX_RANGE_REQUEST_FILE_SIZE=1073741824
RAINBOW_MAX_DESERIALIZED_RESPONSE_SIZE=1073741824
RAINBOW_MAX_UNIXFS_DAG_RESPONSE_SIZE=1073741824
RAINBOW_LIBP2P_CONNMGR_HIGH=900
RAINBOW_LIBP2P_MAX_MEMORY=1073741824
RAINBOW_INMEM_BLOCK_CACHE=1073741824
RAINBOW_SAMPLING_FRACTION=0.1
OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
BITSWAP_WANTHAVE_REPLACE_SIZE=2048
GOLOG_LOG_LEVEL=warn
GOLOG_LOG_FMT=json
IPFS_NS_MAP=a.example:/ipfs/bafkqaaa
RAINBOW_REMOTE_BACKENDS_MODE=block
RAINBOW_DENYLISTS=https://badbits.example/denylist
";

const KUBO: &str = r#"{
  "API": {"HTTPHeaders": {}},
  "Addresses": {
    "API": "/ip4/127.0.0.1/tcp/5001", "Gateway": "/ip4/127.0.0.1/tcp/8080", "Announce": [], "NoAnnounce": [],
    "Swarm": ["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001", "/ip4/0.0.0.0/udp/4001/quic-v1",
      "/ip4/0.0.0.0/udp/4001/webrtc-direct"]
  },
  "AutoNAT": {}, "AutoTLS": {}, "Bootstrap": ["auto"],
  "DNS": {"Resolvers": {".": "auto", "eth.": "https://dns.eth.limo/dns-query"}},
  "Datastore": {"StorageMax": "10GB", "GCPeriod": "1h", "Spec": {"type": "mount", "mounts": []}},
  "Discovery": {"MDNS": {"Enabled": false}},
  "Experimental": {"FilestoreEnabled": false},
  "Gateway": {
    "NoFetch": true, "NoDNSLink": true, "RetrievalTimeout": "1m", "MaxConcurrentRequests": 100,
    "MaxRangeRequestFileSize": "5GiB", "AllowCodecConversion": true,
    "PublicGateways": {
      "dweb.example": {"UseSubdomains": true, "Paths": ["/ipfs", "/ipns"]},
      "*.site.example": {"Paths": []},
      "trustless.example": {"Paths": ["/ipfs", "/ipns"], "DeserializedResponses": false}
    }
  },
  "Identity": {"PeerID": "12D3KooWGRUFmf9s8cQVJf1cGPdLMUfDSrcGB5mPHDK4YSkRvkNH"},
  "Ipns": {"MaxCacheTTL": "5m"},
  "Peering": {"Peers": [{"ID": "12D3KooWGRUFmf9s8cQVJf1cGPdLMUfDSrcGB5mPHDK4YSkRvkNH",
    "Addrs": ["/ip4/10.0.0.2/tcp/4001"]}]},
  "Swarm": {"ConnMgr": {"HighWater": 96}, "ResourceMgr": {"MaxMemory": "2GB"}}
}"#;

#[test]
fn what_other_gateways_were_told_is_a_configuration_that_both_processes_take() {
    for (words, text, named) in [
        (["migrate", "rainbow", "--env"], RAINBOW, "RAINBOW_DHT_ROUTING"),
        (["migrate", "kubo", "--config"], KUBO, "Routing.Type"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("settings");
        std::fs::write(&file, text).expect("written");
        let file = file.to_str().expect("it is text");
        let out = folder.path().join("out");
        let words = [&words[..], &[file, "--out", out.to_str().expect("it is text")]].concat();
        let output = run("bifrost", &words);
        assert_eq!(output.status.code(), Some(1), "nodes have no routing: {}", said(&output));
        assert!(said(&output).contains(named), "{}", said(&output));
        assert!(!said(&output).contains("INVALID"), "{}", said(&output));
        assert!(!said(&output).contains("UNKNOWN"), "{}", said(&output));
        for process in ["gateway", "node"] {
            let config = out.join(format!("{process}.yaml"));
            let config = config.to_str().expect("it is text");
            let output =
                run(&format!("bifrost-{process}"), &["--config", config, "--check-config"]);
            assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        }
    }
}

#[test]
fn nothing_is_lost_where_everything_is_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rainbow.env");
    let text = "RAINBOW_REMOTE_BACKENDS=http://10.0.0.1:8080\nRAINBOW_TRUSTLESS_GATEWAY_DOMAINS=gw.example\nRAINBOW_DNSLINK_GATEWAY_DOMAINS=gw.example\n";
    std::fs::write(&file, text).expect("written");
    let words =
        ["migrate", "rainbow", "--format", "json", "--env", file.to_str().expect("it is text")];
    let output = run("bifrost", &words);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    assert!(lines.iter().any(|line| line["setting"] == "RAINBOW_REMOTE_BACKENDS"), "{lines:?}");
    assert!(lines.iter().any(|line| line["file"] == "gateway.yaml"), "{lines:?}");
    let missing = run("bifrost", &["migrate", "kubo", "--config", "/nowhere/config"]);
    assert_eq!(missing.status.code(), Some(3), "{}", said(&missing));
}
