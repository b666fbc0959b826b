//! `bifrost up` as an operator meets it: a site, content that is added by name of the fleet, a node
//! that dies and comes back, and nothing left behind however the command ends.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::metrics::assert_metric_that;
use harness::up::{Up, processes_of};
use harness::{Ending, bytes_of_seed, fleet, get, http};

const PATIENCE: Duration = Duration::from_secs(60);

fn gone(folder: &Path) {
    let began = Instant::now();
    while !processes_of(folder).is_empty() {
        assert!(began.elapsed() < PATIENCE, "left behind: {:?}", processes_of(folder));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn up_shows_a_site_takes_content_survives_a_node_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut up = Up::start("up", folder.path(), &[]);
    let gateway = up.address("gateways", 0, "url");

    let site = http::ask(gateway, "GET", "/", &[("host", "site.localhost")]).expect("it answers");
    assert_eq!(site.status(), 200, "{}", site.text());
    assert!(site.text().contains("Bifrost"), "{}", site.text());
    let labels = [("traffic", "website"), ("outcome", "ok")];
    let admin = up.address("gateways", 0, "admin");
    assert_metric_that(admin, "bifrost_gateway_requests_total", &labels, &|count| count >= 1.0);

    let content = bytes_of_seed(91, 3_000_000);
    let path = folder.path().join("content.bin");
    fs::write(&path, &content).expect("it can be written");
    let added = Command::new(fleet::program("bifrost").expect("it is built"))
        .args(["add", "--data"])
        .args([&folder.path().join("fleet"), &path])
        .output()
        .expect("it runs");
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let said = String::from_utf8(added.stdout).expect("text");
    let target = format!("/ipfs/{}", said.lines().last().expect("the CID is the last line"));

    let config = folder.path().join("fleet/node-0.yaml");
    let killed = processes_of(&config);
    assert_eq!(killed.len(), 1, "{killed:?}");
    let killing = Command::new("kill").args(["-9", &killed[0].0.to_string()]).status();
    assert!(killing.expect("kill runs").success());
    let answer = get(gateway, &target).expect("the other node has it");
    assert!(answer.ending == Ending::Complete && answer.body == content, "{}", answer.status());
    let began = Instant::now();
    let node = up.address("nodes", 0, "admin");
    while !get(node, "/readyz").is_ok_and(|answer| answer.status() == 200) {
        assert!(began.elapsed() < PATIENCE, "it is not started again");
        std::thread::sleep(Duration::from_millis(50));
    }

    up.process.terminate();
    let status = up.process.wait(PATIENCE);
    assert!(status.is_some_and(|status| status.success()), "{}", up.process.log_tail(40));
    assert_eq!(processes_of(folder.path()), []);
}

#[test]
fn a_fleet_whose_command_is_killed_ends_by_itself_and_can_be_started_again() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut up = Up::start("up", folder.path(), &[]);
    assert_eq!(processes_of(&folder.path().join("fleet/")).len(), 3, "two nodes and a gateway");
    up.process.kill();
    gone(&folder.path().join("fleet/"));

    let mut again = Up::start("again", folder.path(), &[]);
    assert_eq!(again.said["site"]["root"], up.said["site"]["root"]);
    again.process.terminate();
    assert!(again.process.wait(PATIENCE).is_some_and(|status| status.success()));
}
