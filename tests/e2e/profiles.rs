//! Profiles of a running fleet as an operator collects them: whole sets, published as content, read by
//! Go's own tool, and a process that hangs named and nothing else lost.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use harness::content::files_below;
use harness::up::{Up, processes_of};
use harness::{fleet, get, interop, sha256_hex};
use serde_json::Value;

fn profile(folder: &Path, words: &[&str]) -> Output {
    Command::new(fleet::program("bifrost").expect("it is built"))
        .arg("profile")
        .args(words)
        .arg("--store")
        .arg(folder.join("store"))
        .current_dir(folder)
        .output()
        .expect("it runs")
}

fn collect(folder: &Path, more: &[&str]) -> Output {
    let data = folder.join("fleet");
    let data = data.to_str().expect("temporary folders are text");
    let words = ["collect", "--seconds", "2", "--format", "json", "--data", data];
    profile(folder, &[&words[..], more].concat())
}

fn set_of(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stdout);
    let said: Value = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
    said["set"].clone()
}

fn stored(folder: &Path) -> Vec<PathBuf> {
    let mut files = files_below(&folder.join("store/profiles")).expect("it can be read");
    files.retain(|path| path.to_string_lossy().ends_with(".pb.gz"));
    files
}

/// Asks for pages until it is told to stop.
fn visit(gateway: SocketAddr, path: &str, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let answer = get(gateway, path).expect("it answers");
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
}

/// Opens the index of the site, a set and its largest profile, as files.
fn look_at(pages: &Path) {
    let largest = |folder: &str| {
        let mut files = files_below(&pages.join(folder)).expect("it can be read");
        files.sort_by_key(|path| fs::metadata(path).map_or(0, |file| file.len()));
        files.pop().expect("it has pages")
    };
    let (set, profile) = (largest("sets"), largest("profiles"));
    let index = pages.join("index.html");
    // A graph reads without its script, which adds zoom and search.
    let files =
        [("profiles", &*index, 0), ("profiles-set", &*set, 0), ("profiles-flame", &*profile, 1)];
    let complaints = interop::complaints_of_files(&files).expect("a browser");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_fleet_is_profiled_under_load_and_who_hangs_is_named() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let up = Up::start("up", folder.path(), &[]);
    let gateway = up.address("gateways", 0, "url");
    let site = format!("/ipfs/{}/", up.said["site"]["root"].as_str().expect("it has a site"));
    let stop = AtomicBool::new(false);
    let collected = std::thread::scope(|scope| {
        scope.spawn(|| visit(gateway, &site, &stop));
        let collected = collect(folder.path(), &["--trigger", "nightly"]);
        stop.store(true, Ordering::Relaxed);
        collected
    });
    assert!(collected.status.success(), "{}", String::from_utf8_lossy(&collected.stderr));
    let set = set_of(&collected);
    assert_eq!((&set["processes"], &set["profiled"]), (&3.into(), &3.into()), "{set}");

    // Go's own tool reads every profile, and the same bytes are content of the fleet.
    let cid = set["cid"].as_str().expect("it is published");
    let files = stored(folder.path());
    assert_eq!(files.len(), 9, "{files:?}");
    for file in &files {
        let top = Command::new("go").args(["tool", "pprof", "-top"]).arg(file).output();
        let top = top.expect("Go is installed");
        assert!(top.status.success(), "{file:?}: {}", String::from_utf8_lossy(&top.stderr));
        let key = file.strip_prefix(folder.path().join("store")).expect("it lies there");
        let answer = get(gateway, &format!("/ipfs/{cid}/{}", key.display())).expect("it answers");
        let bytes = fs::read(file).expect("it can be read");
        assert_eq!(sha256_hex(&answer.body), sha256_hex(&bytes), "{key:?}");
    }

    let listed = profile(folder.path(), &["ls", "kind=cpu", "role=gateway", "--format", "json"]);
    let entry: Value = serde_json::from_slice(&listed.stdout).expect("one line");
    let requests = entry["load"]["requests"].as_f64().expect("its load is known");
    assert!(requests > 0.0 && entry["samples"].as_u64() > Some(0), "{entry}");
    let verified = profile(folder.path(), &["verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let drawn = profile(folder.path(), &["site", "--out", "pages"]);
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    look_at(&folder.path().join("pages"));

    // A process that hangs costs the set its own profiles and nothing else.
    let frozen = processes_of(&folder.path().join("fleet/node-1.yaml"));
    assert_eq!(frozen.len(), 1, "{frozen:?}");
    let freeze = |signal: &str| {
        let id = frozen[0].0.to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("it runs").success());
    };
    freeze("-STOP");
    let partial = collect(folder.path(), &["--deadline", "12s", "--no-publish"]);
    freeze("-CONT");
    assert_eq!(partial.status.code(), Some(1), "{}", String::from_utf8_lossy(&partial.stderr));
    let set = set_of(&partial);
    assert_eq!((&set["processes"], &set["profiled"]), (&3.into(), &2.into()), "{set}");
    assert_eq!(set["missing"][0]["node"], "node-1", "{set}");
    assert_eq!(stored(folder.path()).len(), 15);
}
