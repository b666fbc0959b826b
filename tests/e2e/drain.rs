//! SIGTERM of the gateway: nothing in flight is lost, nothing new is taken, the process leaves with 0.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use harness::http::Connection;
use harness::{Ending, Fleet, FleetPlan, bytes_of_seed, get, sha256_hex};

const DOWNLOADS: usize = 20;
const SIZE: usize = 8 << 20;

/// Downloads a file over some three seconds; says when the first bytes have come.
fn slow_download(
    gateway: std::net::SocketAddr,
    target: &str,
    started: &mpsc::SyncSender<()>,
) -> (Vec<u8>, Ending) {
    let mut connection = Connection::open(gateway).expect("the gateway accepts");
    connection.send("GET", target, &[]).expect("the gateway reads");
    let head = connection.head().expect("the gateway answers");
    assert_eq!(head.status, 200);
    let mut body: Vec<u8> = Vec::with_capacity(SIZE);
    let mut pauses = 0;
    let ending = connection.body(&head, &mut |piece| {
        if body.is_empty() {
            started.send(()).expect("the test waits");
        }
        body.extend_from_slice(piece);
        // A slow reader is what is tested: it pauses after each of 32 parts.
        if body.len() / (SIZE / 32) > pauses {
            pauses = body.len() / (SIZE / 32);
            thread::sleep(Duration::from_millis(100));
        }
    });
    (body, ending.expect("the connection stays"))
}

#[test]
fn a_drained_gateway_finishes_every_download_and_leaves_cleanly() {
    let content = bytes_of_seed(71, SIZE);
    let mut fleet = Fleet::start(&FleetPlan::default()).expect("the fleet starts");
    let target = format!("/ipfs/{}", fleet.import(&content).expect("the import succeeds"));
    let address = fleet.gateway.http;

    let (started, all_started) = mpsc::sync_channel(DOWNLOADS);
    let downloads: Vec<_> = (0..DOWNLOADS)
        .map(|_| {
            let (target, started) = (target.clone(), started.clone());
            thread::spawn(move || slow_download(address, &target, &started))
        })
        .collect();
    for _ in 0..DOWNLOADS {
        all_started.recv_timeout(Duration::from_secs(30)).expect("every download starts");
    }
    fleet.gateway.process().terminate();

    for download in downloads {
        let (body, ending) = download.join().expect("the download ends");
        assert_eq!(ending, Ending::Complete, "{}", fleet.logs());
        assert_eq!(sha256_hex(&body), sha256_hex(&content));
    }
    let status = fleet.gateway.process().wait(Duration::from_secs(30));
    let status = status.unwrap_or_else(|| panic!("the gateway stays\n{}", fleet.logs()));
    assert!(status.success(), "the gateway left with {status}\n{}", fleet.logs());
    assert!(get(address, &target).is_err(), "nobody listens any more");
}

#[test]
fn a_drained_node_leaves_cleanly_and_comes_back_with_its_content() {
    let mut fleet = Fleet::start(&FleetPlan::default()).expect("the fleet starts");
    let root = fleet.import(&bytes_of_seed(72, 3_000_000)).expect("the import succeeds");

    fleet.nodes[0].process().terminate();
    let status = fleet.nodes[0].process().wait(Duration::from_secs(30));

    assert!(status.is_some_and(|status| status.success()), "{status:?}\n{}", fleet.logs());
    fleet.restart_node(0).expect("the node comes back");
    assert!(fleet.nodes[0].has(&root).expect("the node answers"));
}
