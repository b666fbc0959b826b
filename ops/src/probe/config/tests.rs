//! Claims about what is probed.

use clap::Parser;

use super::*;
use crate::output::Exit;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    wanted: Wanted,
}

fn settings(arguments: &[&str]) -> Result<Settings, ProbeError> {
    let line = Line::try_parse_from([&["probe"], arguments].concat()).expect("flags");
    Settings::of(&line.wanted)
}

const FILE: &str = "\
version: 1
inventory: inventory.yaml
gateways:
  - {name: far, url: https://gateway.example, subdomains: dweb.example}
seed_nodes: [http://127.0.0.1:9180]
canaries: [/ipfs/bafkqaaa/a]
dnslinks: [{name: docs.example}]
names: []
websites: [{host: site.localhost, path: /x}]
denied: [/ipfs/bafkqaaa]
page_within: 5s
cold_every: 1m
cold_bytes: 64
";

const LIST: &str = "\
version: 1
environments: [a, b]
processes:
  - {name: g, kind: gateway, env: a, url: 'http://127.0.0.1:1', owner: o, status: active}
  - {name: h, kind: gateway, env: b, url: 'http://127.0.0.1:2', owner: o, status: active}
  - {name: n, kind: node, role: pool, env: a, admin: 'http://127.0.0.1:9180', owner: o, status: active}
  - {name: p, kind: node, role: pool, env: a, admin: 'http://127.0.0.1:3', owner: o, status: planned}
";

#[test]
fn a_file_a_list_and_flags_add_up() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let config = folder.path().join("probe.yaml");
    std::fs::write(&config, FILE).expect("it can be written");
    std::fs::write(folder.path().join("inventory.yaml"), LIST).expect("it can be written");
    let config = config.to_str().expect("a path");
    let more = ["--config", config, "--env", "a", "--gateway", "http://[::1]:8080/"];
    let found =
        settings(&[&more[..], &["--website", "b.example/y"]].concat()).expect("it is right");
    let gateways: Vec<_> =
        found.gateways.iter().map(|one| (one.url.as_str(), one.subdomains.as_deref())).collect();
    assert_eq!(
        gateways,
        [
            ("http://127.0.0.1:1", Some("localhost")),
            ("https://gateway.example", Some("dweb.example")),
            ("http://[::1]:8080", Some("localhost"))
        ]
    );
    assert_eq!(found.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["n"]);
    assert_eq!((found.canaries.len(), found.dnslinks.len(), found.sites.len()), (1, 1, 2));
    assert_eq!(found.cold_every, Duration::from_secs(60));
}

#[test]
fn a_seed_node_that_nobody_listed_is_probed_too() {
    let found = settings(&["--gateway", "http://127.0.0.1:1", "--seed-node", "http://127.0.0.1:9"]);
    let found = found.expect("it is right");
    assert_eq!(found.nodes[0].admin.as_deref(), Some("http://127.0.0.1:9"));
}

#[test]
fn what_cannot_be_probed_is_said_with_its_line_or_flag() {
    let gateway = ["--gateway", "http://127.0.0.1:1"];
    for (more, exit) in [
        (["--canary", "/ipns/x"], Exit::Usage),
        (["--denied", "bafkqaaa"], Exit::Usage),
        (["--ipns", "docs.example"], Exit::Usage),
        (["--gateway", "gateway.example"], Exit::Usage),
        (["--inventory", "/nowhere/inventory.yaml"], Exit::Input),
    ] {
        let error = settings(&[&gateway[..], &more[..]].concat()).expect_err("it is wrong");
        assert_eq!(error.exit(), exit, "{error}");
    }
    let nothing = settings(&["--data", "/nowhere"]).expect_err("there is no fleet");
    assert!(nothing.to_string().contains("--gateway"), "{nothing}");
    let bad = File::parse(Path::new("probe.yaml"), "version: 1\ncold_every: 5\n");
    let bad = bad.expect_err("5 of what").to_string();
    assert!(bad.starts_with("probe.yaml:2: "), "{bad}");
    assert!(File::parse(Path::new("p"), "version: 1\ncolour: red\n").is_err());
    assert!(File::parse(Path::new("p"), "version: 3\n").is_err());
}

#[test]
fn the_example_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("probe.yaml");
    let path = path.to_str().expect("a path");
    let found = settings(&["--config", path]).expect("it is right");
    assert_eq!((found.gateways.len(), found.nodes.len(), found.seeds.len()), (1, 2, 2));
}
