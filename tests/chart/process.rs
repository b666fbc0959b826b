//! What templates rely on, asked of real processes with the configuration that the chart renders.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use harness::fleet::{free_address, program, wait_ready};
use harness::http::ask;
use harness::process::Process;

use crate::root;

/// The file of a ConfigMap among the golden ones.
fn rendered(golden: &str, folder: &Path) -> String {
    let path = root().join("helm/bifrost/ci/golden").join(golden);
    let object = fs::read_to_string(&path).expect("the set has this file");
    let (_, text) = object.split_once(".yaml: |\n").expect("it holds a configuration");
    let lines = text.lines().map(|line| line.strip_prefix("    ").unwrap_or(line));
    let file = folder.join("config.yaml");
    fs::write(&file, lines.collect::<Vec<_>>().join("\n")).expect("it can be written");
    file.to_string_lossy().into_owned()
}

fn at(port: SocketAddr) -> String {
    format!("0.0.0.0:{}", port.port())
}

/// A process as a pod starts it, but for its ports and folders.
fn start(name: &str, config: &str, sets: &[String], admin: SocketAddr, folder: &Path) -> Process {
    let mut words =
        vec!["BIFROST_ADMIN__TOKEN=hush".to_owned(), "BIFROST_ACCESS__NAME=pod-0".to_owned()];
    words.push(program(name).expect("it is built").to_string_lossy().into_owned());
    words.extend(["--config".to_owned(), config.to_owned()]);
    words.extend(sets.iter().flat_map(|set| ["--set".to_owned(), set.clone()]));
    let mut process = Process::start(name, Path::new("env"), words, folder).expect("it starts");
    // Without a token: as the kubelet asks.
    wait_ready(&mut process, admin).expect("it becomes ready");
    process
}

#[test]
fn probes_of_the_kubelet_need_no_token_and_all_else_does() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let config = rendered("default/ConfigMap-bifrost-gateway.yaml", folder.path());
    let [http, admin] = [free_address(), free_address()].map(|free| free.expect("a port is free"));
    let sets = [format!("server.listen={}", at(http)), format!("admin.listen={}", at(admin))];
    let _process = start("bifrost-gateway", &config, &sets, admin, folder.path());
    let status = |path: &str, headers: &[(&str, &str)]| {
        // By an address of a pod, which is no loopback name.
        let headers = [headers, &[("Host", "10.1.2.3:9080")]].concat();
        ask(admin, "GET", path, &headers).expect("it answers").status()
    };
    let token = [("Authorization", "Bearer hush")];
    assert_eq!([status("/livez", &[]), status("/readyz", &[])], [200, 200]);
    assert_eq!([status("/metrics", &[]), status("/mirror", &[])], [401, 401]);
    assert_eq!(status("/metrics", &token), 200);
}

#[test]
fn gateways_have_the_metric_that_their_number_follows() {
    let golden = "autoscaling-in-flight/HorizontalPodAutoscaler-bifrost-gateway.yaml";
    let object = fs::read_to_string(root().join("helm/bifrost/ci/golden").join(golden));
    let object = object.expect("the set has this file");
    let (_, rest) = object.split_once("metric:\n        name: ").expect("it follows a metric");
    let name = rest.lines().next().expect("it has a name");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let config = rendered("default/ConfigMap-bifrost-gateway.yaml", folder.path());
    let [http, admin] = [free_address(), free_address()].map(|free| free.expect("a port is free"));
    let sets = [format!("server.listen={}", at(http)), format!("admin.listen={}", at(admin))];
    let _process = start("bifrost-gateway", &config, &sets, admin, folder.path());
    let token = [("Authorization", "Bearer hush")];
    let metrics = ask(admin, "GET", "/metrics", &token).expect("it answers").text();
    assert!(metrics.lines().any(|line| line.starts_with(&format!("{name}{{"))), "{name}");
}

#[test]
fn node_has_the_identity_of_its_secret_and_takes_content_from_who_has_the_token() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let made = Command::new(program("bifrost").expect("it is built"))
        .args(["chart", "identity", "bifrost-node-pool", "--pods", "2", "--secret", "keys"])
        .output()
        .expect("it runs");
    let secret = String::from_utf8_lossy(&made.stdout).into_owned();
    let line = secret.lines().find(|line| line.contains("bifrost-node-pool-1.key: "));
    let line = line.expect("the second pod has a key");
    let (data, peer) =
        line.split_once(": ").and_then(|(_, rest)| rest.split_once(" # ")).expect("both");
    assert!(String::from_utf8_lossy(&made.stderr).contains(peer), "values name it");
    let key = folder.path().join("identity.key");
    let decoded = Command::new("sh").arg("-c").arg(format!("echo {data} | base64 -d")).output();
    fs::write(&key, decoded.expect("it runs").stdout).expect("it can be written");
    // As a Secret is mounted for a group.
    fs::set_permissions(&key, fs::Permissions::from_mode(0o440)).expect("its mode can be set");

    let config = rendered("identity/ConfigMap-bifrost-node-pool.yaml", folder.path());
    let [http, admin] = [free_address(), free_address()].map(|free| free.expect("a port is free"));
    let data = folder.path().join("node");
    let sets = [
        format!("http.listen={}", at(http)),
        format!("admin.listen={}", at(admin)),
        format!("dir={}", data.display()),
        format!("blockstore.dir={}", data.join("blocks").display()),
        format!("swarm.identity_file={}", key.display()),
        "swarm.listen=[]".to_owned(),
        "swarm.reach=loopback".to_owned(),
    ];
    let _process = start("bifrost-node", &config, &sets, admin, folder.path());
    let token = [("Authorization", "Bearer hush")];
    let identity = ask(admin, "GET", "/identity", &token).expect("it answers").text();
    assert!(identity.contains(peer), "{identity} is not {peer}");
    assert!(!data.join("identity.key").exists(), "no other identity is made");

    let file = folder.path().join("hello");
    fs::write(&file, "hello").expect("it can be written");
    let add = |token: &str| {
        let mut command = Command::new(program("bifrost").expect("it is built"));
        command.env("BIFROST_ADMIN__TOKEN", token).args(["add", "--replicas", "1", "--node"]);
        command.arg(format!("http://127.0.0.1:{}", admin.port())).arg(&file);
        command.output().expect("it runs").status.code()
    };
    assert_eq!(
        [add(""), add("hush")],
        [Some(5), Some(0)],
        "the operator's command brings the token"
    );
}
