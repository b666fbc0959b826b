//! A node that dies in the middle of a download is survived without a wrong byte.

use harness::http::Connection;
use harness::{Ending, Fleet, FleetPlan, bytes_of_seed, sha256_hex};

const SIZE: usize = 100 << 20;

/// Downloads a file and kills a node when a third of it has arrived.
fn download_killing(fleet: &mut Fleet, root: &str, victim: usize) -> (Vec<u8>, Ending) {
    let mut connection = Connection::open(fleet.gateway.http).expect("the gateway accepts");
    connection.send("GET", &format!("/ipfs/{root}"), &[]).expect("the gateway reads");
    let head = connection.head().expect("the gateway answers");
    assert_eq!(head.status, 200);
    let node = &mut fleet.nodes[victim];
    let mut body: Vec<u8> = Vec::with_capacity(SIZE);
    let mut killed = false;
    let ending = connection.body(&head, &mut |piece| {
        body.extend_from_slice(piece);
        if !killed && body.len() > SIZE / 3 {
            node.kill();
            killed = true;
        }
    });
    (body, ending.expect("the connection stays"))
}

#[test]
fn killing_either_node_during_a_download_changes_no_byte() {
    let content = bytes_of_seed(61, SIZE);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("big.bin");
    std::fs::write(&path, &content).expect("the file can be written");
    let mut fleet = Fleet::start(&FleetPlan::default()).expect("the fleet starts");
    let root = fleet.add(&path).expect("the file is added");

    // One of the two is the node that the gateway reads this file from.
    for victim in [0, 1] {
        let (body, ending) = download_killing(&mut fleet, &root, victim);

        assert_eq!(ending, Ending::Complete, "node {victim} killed\n{}", fleet.logs());
        assert_eq!(sha256_hex(&body), sha256_hex(&content), "node {victim} killed");
        fleet.restart_node(victim).expect("the node comes back on its store");
        fleet.restart_gateway().expect("the gateway comes back");
    }
}
