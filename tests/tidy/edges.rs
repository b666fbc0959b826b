//! Who may depend on whom, and which rooms stay free of sockets, clocks and tasks.

use std::process::Command;

use serde_json::Value;

use crate::tree::{assert_none, crate_files, root};

/// For every member, the members that it may depend on.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("ipfs", &[]),
    ("telemetry", &[]),
    ("bifrost-gateway", &["ipfs", "telemetry"]),
    ("bifrost-node", &["ipfs", "telemetry"]),
    ("bifrost", &["ipfs", "telemetry"]),
    ("fleet-tests", &["ipfs", "telemetry", "bifrost-gateway", "bifrost-node", "bifrost"]),
];

/// Words that rooms without a socket, a clock or a task do not contain.
const IMPURE: [&str; 8] = [
    "tokio",
    "std::net",
    "Instant::now",
    "SystemTime::now",
    "std::thread",
    "std::fs",
    "libp2p::swarm",
    "async fn",
];

#[test]
fn packages_depend_only_downwards() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let mut complaints = Vec::new();
    for package in metadata["packages"].as_array().expect("packages are a list") {
        let name = package["name"].as_str().expect("a package has a name");
        let allowed =
            ALLOWED.iter().find(|(member, _)| *member == name).map(|(_, allowed)| *allowed);
        let Some(allowed) = allowed else {
            complaints.push(format!("{name} is not a package that ARCHITECTURE.md knows"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies are a list") {
            let on = dependency["name"].as_str().expect("a dependency has a name");
            if dependency["path"].is_string() && !allowed.contains(&on) {
                complaints.push(format!("{name} depends on {on}"));
            }
        }
    }
    assert_none(&complaints);
}

#[test]
fn content_and_bitswap_have_no_socket_clock_or_task() {
    let bitswap = crate_files("node").into_iter().filter(|source| {
        source.path == "node/src/bitswap.rs" || source.path.starts_with("node/src/bitswap/")
    });
    let mut complaints = Vec::new();
    for source in crate_files("ipfs").into_iter().chain(bitswap) {
        let code = source.code();
        for word in IMPURE.iter().filter(|word| code.contains(**word)) {
            complaints.push(format!("{} contains `{word}`", source.path));
        }
    }
    assert_none(&complaints);
}

#[test]
fn telemetry_knows_no_content() {
    let complaints: Vec<String> = crate_files("telemetry")
        .iter()
        .filter(|source| {
            let code = source.code();
            code.contains("ipfs::") || code.contains("Cid")
        })
        .map(|source| format!("{} speaks of content", source.path))
        .collect();
    assert_none(&complaints);
}
