//! The example of a node is one that a gateway can use: it serves a file from an archive, and is not believed
//! when it lies.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use harness::fleet::{free_address, program};
use harness::http;
use harness::metrics::assert_metric_that;
use harness::process::Process;
use harness::{Fleet, FleetPlan, bytes_of_seed, sha256_hex};

fn start(name: &str, archive: &Path, folder: &Path) -> (Process, SocketAddr) {
    let address = free_address().expect("loopback has ports");
    let program = program("fleet-example-node").expect("it is built");
    let arguments = [archive.display().to_string(), address.to_string()];
    let process = Process::start(name, &program, arguments, folder).expect("it starts");
    let give_up = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < give_up, "{}", process.log_tail(10));
        std::thread::yield_now();
    }
    (process, address)
}

#[test]
fn gateway_serves_a_file_from_the_example_node_and_refuses_its_lies() {
    let mut fleet =
        Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() }).expect("the fleet starts");
    let content = bytes_of_seed(77, 3_000_000);
    let root = fleet.import(&content).expect("it is stored");
    let archive = fleet.get(&format!("/ipfs/{root}?format=car"));
    assert_eq!(archive.status(), 200, "{}", archive.text());

    let folder = tempfile::tempdir().expect("a folder");
    let good = folder.path().join("good.car");
    std::fs::write(&good, &archive.body).expect("written");
    let (_node, address) = start("good", &good, folder.path());
    fleet.use_upstreams(&[address]).expect("the gateway comes back");
    let answer = fleet.get(&format!("/ipfs/{root}"));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(sha256_hex(&answer.body), sha256_hex(&content));
    let absent = fleet.get("/ipfs/bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_eq!(absent.status(), 502, "nobody has it: {}", absent.text());

    // It bounds what strangers send, and answers nothing but GET and HEAD.
    let said = |text: &str| {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        stream.write_all(text.as_bytes()).ok();
        let mut said = String::new();
        stream.take(4096).read_to_string(&mut said).ok();
        said
    };
    let post = said("POST /ipfs/x HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    assert!(!said(&"x".repeat(20_000)).contains("200"), "a line that does not end is left");
    let answer = http::ask(address, "HEAD", &format!("/ipfs/{root}"), &[]).expect("it answers");
    assert!(answer.status() == 200 && answer.body.is_empty());

    // One wrong byte in the last block: what came before it is right, and the rest never comes.
    let mut wrong = archive.body.clone();
    *wrong.last_mut().expect("it is not empty") ^= 1;
    let lying = folder.path().join("lying.car");
    std::fs::write(&lying, &wrong).expect("written");
    let (_liar, address) = start("lying", &lying, folder.path());
    fleet.use_upstreams(&[address]).expect("the gateway comes back");
    let answer = fleet.get(&format!("/ipfs/{root}"));
    assert!(answer.body.len() < content.len() || answer.status() != 200, "{}", answer.status());
    assert!(answer.status() != 200 || content.starts_with(&answer.body), "no wrong byte leaves");
    let name = "bifrost_gateway_unverified_bytes_total";
    assert_metric_that(fleet.gateway.admin, name, &[("node", "0")], &|bytes| bytes > 0.0);
}
