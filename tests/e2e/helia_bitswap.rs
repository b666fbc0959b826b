//! Bitswap with an implementation that is not ours: Helia over TCP, noise and yamux, both ways.

use harness::interop::{self, Running};
use harness::{Fleet, FleetPlan, bytes_of_seed, get, http, sha256_hex};

fn one_node() -> FleetPlan {
    FleetPlan { nodes: 1, ..FleetPlan::default() }
}

#[test]
fn helia_fetches_a_file_from_our_node() {
    let content = bytes_of_seed(41, 5_000_000);
    let fleet = Fleet::start(&one_node()).expect("the fleet starts");
    let root = fleet.import(&content).expect("the import succeeds");
    let address = fleet.nodes[0].peer_address().expect("the node has an identity");

    let fetched = interop::run("bitswap_fetch.mjs", &[&address, &root], "").expect("Helia fetches");

    assert_eq!(fetched["size"], content.len(), "{fetched}");
    assert_eq!(fetched["sha256"], sha256_hex(&content), "{fetched}");
}

#[test]
fn our_node_fetches_a_file_from_helia() {
    let helia = Running::start("bitswap_serve.mjs", &["42", "5000000"]).expect("Helia starts");
    let fleet = Fleet::start(&one_node()).expect("the fleet starts");
    let node = &fleet.nodes[0];
    let dial = format!("/peers?address={}", helia.text("address"));
    let dialled = http::post(node.admin, &dial, "text/plain", b"").expect("the node answers");
    assert!(dialled.status() < 300, "{} {}", dialled.status(), dialled.text());

    let target = format!("/ipfs/{}", helia.text("cid"));
    let answer = get(fleet.gateway.http, &target).expect("the gateway answers");

    assert_eq!(answer.status(), 200, "{}\n{}", answer.text(), fleet.logs());
    assert_eq!(sha256_hex(&answer.body), helia.text("sha256"));
    assert_eq!(sha256_hex(&bytes_of_seed(42, 5_000_000)), helia.text("sha256"));
    assert!(node.has(helia.text("cid")).expect("the node answers"), "fetched blocks are stored");
}
