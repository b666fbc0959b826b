//! A name that is signed by the command, stored on nodes and followed by the gateway.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::fleet::program;
use harness::{Fleet, FleetPlan};

fn bifrost(arguments: &[&str]) -> Result<String> {
    let output = Command::new(program("bifrost")?).args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "bifrost {arguments:?}: {said}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Signs a record with the key of a file, which is made when it is not there, and stores it on
/// every node; returns the name.
pub(crate) fn publish_with(fleet: &Fleet, key: &Path, value: &str, ttl: &str) -> Result<String> {
    let record = key.with_extension("ipns-record");
    let (key_text, record_text) = (key.to_string_lossy(), record.to_string_lossy());
    let mut sign = vec!["ipns", "sign", "--key", &key_text, "--value", value, "--ttl", ttl];
    sign.extend(["--out", &record_text]);
    if !key.exists() {
        sign.push("--new-key");
    }
    let name =
        bifrost(&sign)?.lines().last().context("a name")?.trim_start_matches("/ipns/").to_owned();
    let admins: Vec<String> =
        fleet.nodes.iter().map(|node| format!("http://{}", node.admin)).collect();
    let mut put = vec!["ipns", "put", &name, &record_text];
    admins.iter().for_each(|admin| put.extend(["--node", admin]));
    bifrost(&put)?;
    Ok(name)
}

/// [`publish_with`] a key of its own, for an hour.
pub(crate) fn publish(fleet: &Fleet, value: &str) -> Result<String> {
    publish_with(fleet, &fleet.folder().join("name.key"), value, "1h")
}

#[test]
fn name_is_signed_stored_and_followed_to_its_latest_content() {
    let fleet = Fleet::start(&FleetPlan::default()).expect("the fleet starts");
    let first = fleet.import(b"first").expect("the import succeeds");
    let second = fleet.import(b"second").expect("the import succeeds");
    let key = fleet.folder().join("site.key");
    let name = publish_with(&fleet, &key, &format!("/ipfs/{first}"), "0s").expect("published");
    let target = format!("/ipns/{name}");
    assert_eq!(fleet.get(&target).text(), "first");
    // The number of a record is the second in which it was made.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    publish_with(&fleet, &key, &format!("/ipfs/{second}"), "0s").expect("published again");
    assert_eq!(fleet.get(&target).text(), "second");
    let shown =
        bifrost(&["ipns", "get", &name, "--node", &format!("http://{}", fleet.nodes[1].admin)]);
    assert!(shown.expect("the record is shown").contains(&second));
}
