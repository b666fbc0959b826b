//! `bifrost up` as an operator meets it: a site, content that is added by name of the fleet, a node
//! that dies and comes back, and nothing left behind however the command ends.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::metrics::assert_metric_that;
use harness::process::Process;
use harness::{Ending, bytes_of_seed, fleet, get, http};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// A fleet of `bifrost up`, and what it said when it was ready.
struct Up {
    process: Process,
    said: Value,
}

impl Up {
    fn start(name: &str, folder: &Path) -> Self {
        let data = folder.join("fleet");
        let program = fleet::program("bifrost").expect("it is built");
        let arguments = ["up", "--ports", "auto", "--format", "json", "--offline", "--data"];
        let arguments = arguments.iter().map(AsRef::as_ref).chain([data.as_os_str()]);
        let mut process = Process::start(name, &program, arguments, folder).expect("it starts");
        let log = folder.join(format!("{name}.log"));
        let began = Instant::now();
        loop {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let ready = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(said) = ready.into_iter().find(|line| line["event"] == "ready") {
                return Self { process, said };
            }
            let waits = process.is_alive() && began.elapsed() < PATIENCE;
            assert!(waits, "it is not ready: {}", process.log_tail(40));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn address(&self, kind: &str, index: usize, which: &str) -> SocketAddr {
        let url = self.said[kind][index][which].as_str().expect("every process has its URLs");
        url.trim_start_matches("http://").parse().expect("an address")
    }
}

/// The processes that were started with a file of this folder.
fn processes_of(folder: &Path) -> Vec<(u32, String)> {
    let folder = folder.to_str().expect("temporary folders are text");
    let ids = fs::read_dir("/proc").expect("processes can be listed").filter_map(|entry| {
        entry.ok().and_then(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
    });
    let command = |id: &u32| fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    ids.map(|id| (id, String::from_utf8_lossy(&command(&id)).replace('\0', " ")))
        .filter(|(_, command)| command.contains(folder))
        .collect()
}

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
    let mut up = Up::start("up", folder.path());
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
    let mut up = Up::start("up", folder.path());
    assert_eq!(processes_of(&folder.path().join("fleet/")).len(), 3, "two nodes and a gateway");
    up.process.kill();
    gone(&folder.path().join("fleet/"));

    let mut again = Up::start("again", folder.path());
    assert_eq!(again.said["site"]["root"], up.said["site"]["root"]);
    again.process.terminate();
    assert!(again.process.wait(PATIENCE).is_some_and(|status| status.success()));
}
