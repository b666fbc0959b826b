//! A verifying client that is not ours, `@helia/verified-fetch`, reads from gateway and node.

use std::net::SocketAddr;
use std::path::Path;

use harness::{Fleet, FleetPlan, bytes_of_seed, interop, sha256_hex};
use serde_json::{Value, json};

use crate::ipns::publish;

const BIG: usize = 5_000_000;

/// A folder with an index page, a big file and a file two folders down.
fn write_site(folder: &Path) {
    let deep = folder.join("a folder/deeper");
    std::fs::create_dir_all(&deep).expect("folders can be made");
    std::fs::write(folder.join("index.html"), "<title>start</title>")
        .expect("files can be written");
    std::fs::write(folder.join("big.bin"), bytes_of_seed(51, BIG)).expect("files can be written");
    std::fs::write(deep.join("small.txt"), "small").expect("files can be written");
    std::fs::write(deep.join("empty"), "").expect("files can be written");
}

fn items(root: &str) -> Vec<(Value, Vec<u8>)> {
    let big = bytes_of_seed(51, BIG);
    let url = |path: &str| format!("ipfs://{root}/{path}");
    vec![
        (json!({ "url": url("big.bin") }), big.clone()),
        (json!({ "url": url("big.bin"), "range": "bytes=0-0" }), big[..1].to_vec()),
        (
            json!({ "url": url("big.bin"), "range": "bytes=1048570-3145740" }),
            big[1_048_570..=3_145_740].to_vec(),
        ),
        (json!({ "url": url("big.bin"), "range": "bytes=-100" }), big[BIG - 100..].to_vec()),
        (json!({ "url": url("a%20folder/deeper/small.txt") }), b"small".to_vec()),
        (json!({ "url": url("a%20folder/deeper/empty") }), Vec::new()),
        (json!({ "url": url("") }), b"<title>start</title>".to_vec()),
    ]
}

fn assert_reads_all(endpoint: SocketAddr, root: &str) {
    let items = items(root);
    let asked: Vec<&Value> = items.iter().map(|(item, _)| item).collect();
    let input = serde_json::to_string(&asked).expect("JSON can be written");
    let read = interop::run("verified_fetch.mjs", &[&format!("http://{endpoint}")], &input)
        .expect("the client runs");
    for (index, (item, expected)) in items.iter().enumerate() {
        let status = if item["range"].is_null() { 200 } else { 206 };
        assert_eq!(read[index]["status"], status, "{item}: {}", read[index]);
        assert_eq!(read[index]["sha256"], sha256_hex(expected), "{item}: {}", read[index]);
    }
}

#[test]
fn verified_fetch_reads_files_folders_and_ranges_from_gateway_and_node() {
    let site = tempfile::tempdir().expect("a folder can be made");
    write_site(site.path());
    let fleet = Fleet::start(&FleetPlan::default()).expect("the fleet starts");
    let root = fleet.add(site.path()).expect("the site is added");

    assert_reads_all(fleet.gateway.http, &root);
    assert_reads_all(fleet.nodes[0].http, &root);
    assert_reads_all(fleet.nodes[1].http, &root);
}

#[test]
fn verified_fetch_resolves_an_ipns_name_and_a_dnslink_name_through_the_gateway() {
    let site = tempfile::tempdir().expect("a folder can be made");
    write_site(site.path());
    let mut fleet = Fleet::start(&FleetPlan::default()).expect("the fleet starts");
    let root = fleet.add(site.path()).expect("the site is added");
    let links = json!({ "docs.example.org": format!("/ipfs/{root}") });
    fleet.gateway.set("names.dnslinks", links);
    fleet.restart_gateway().expect("the gateway starts again");
    let name = publish(&fleet, &format!("/ipfs/{root}")).expect("the record is stored");

    let small = "a%20folder/deeper/small.txt";
    let asked: Vec<Value> = [&name, "docs.example.org"]
        .iter()
        .map(|name| json!({ "url": format!("ipns://{name}/{small}") }))
        .collect();
    let input = serde_json::to_string(&asked).expect("JSON can be written");
    let endpoint = format!("http://{}", fleet.gateway.http);
    let read = interop::run("verified_fetch.mjs", &[&endpoint], &input).expect("the client runs");
    for (index, item) in asked.iter().enumerate() {
        assert_eq!(read[index]["status"], 200, "{item}: {}", read[index]);
        assert_eq!(read[index]["sha256"], sha256_hex(b"small"), "{item}: {}", read[index]);
    }
}
