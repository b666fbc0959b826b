//! A second build stands as staging, gets what production is asked, and is judged: a planted fault
//! rejects it, its evidence can be asked again, and production never notices.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::http::put;
use harness::up::Up;
use harness::{bytes_of_seed, fleet, get, interop};
use serde_json::Value;

/// How many files are asked for.
const FILES: u64 = 24;
/// How long pairs may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

fn bifrost(folder: &Path, words: &[&str]) -> Output {
    let program = fleet::program("bifrost").expect("it is built");
    Command::new(program).args(words).current_dir(folder).output().expect("it runs")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let (out, err) = (&output.stdout, &output.stderr);
        let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
        panic!("{error}: {out} {err}")
    })
}

/// Lines of a kind that production keeps.
fn lines(folder: &Path, kind: &str) -> Vec<Value> {
    let path = folder.join(format!("fleet/mirror/gateway-0/{kind}.ndjson"));
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Asks production for everything, and waits until the pairs are written.
fn ask(up: &Up, folder: &Path, paths: &[String]) {
    let gateway = up.address("gateways", 0, "url");
    let before = lines(folder, "pairs").len();
    for path in paths {
        let answer = get(gateway, path).expect("production answers");
        assert_eq!(answer.status(), 200, "{path}");
    }
    let began = Instant::now();
    while lines(folder, "pairs").len() < before + paths.len() {
        let admin = up.address("gateways", 0, "admin");
        let state = get(admin, "/mirror").map(|answer| answer.text()).unwrap_or_default();
        assert!(began.elapsed() < PATIENCE, "pairs are missing: {state}");
        sleep(Duration::from_millis(100));
    }
}

/// How often a difference was found in the pairs from this one on.
fn found(pairs: &[Value], difference: &str) -> usize {
    let has = |pair: &&Value| {
        let all = pair["differences"].as_array().into_iter().flatten();
        all.filter_map(Value::as_str).any(|one| one == difference)
    };
    pairs.iter().filter(has).count()
}

#[test]
fn a_second_build_is_judged_by_real_requests_and_a_planted_fault_rejects_it() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = folder.path();
    let content = folder.join("content");
    fs::create_dir_all(&content).expect("a folder can be made");
    for seed in 0..FILES {
        let bytes = bytes_of_seed(seed, 1000 + usize::try_from(seed).expect("small") * 20_000);
        fs::write(content.join(format!("{seed}.bin")), bytes).expect("it is written");
    }
    let planted = fleet::program("fleet-planted-gateway").expect("it is built");
    let planted = planted.to_string_lossy();
    let mut up = Up::start("mirror", folder, &["--staging", "--staging-bin", &planted]);
    let added = bifrost(folder, &["add", "--data", "fleet", "content"]);
    let text = String::from_utf8_lossy(&added.stdout).into_owned();
    let root = text.lines().next_back().expect("it prints the root").trim().to_owned();
    let file = |seed: u64| format!("/ipfs/{root}/{seed}.bin");
    let mut paths: Vec<String> = (0..FILES).map(file).collect();
    paths.extend((0..4).map(|seed| format!("/ipfs/{root}/{seed}.bin?format=raw")));
    paths.extend([format!("/ipfs/{root}/"), format!("/ipfs/{root}/?format=car")]);

    // Without a fault they agree, and so few pairs promote nothing.
    ask(&up, folder, &paths);
    ask(&up, folder, &paths);
    let clean = lines(folder, "pairs");
    assert!(clean.iter().all(|pair| pair["result"] == "same"), "{clean:#?}");
    let verdict = bifrost(folder, &["mirror", "verdict", "--data", "fleet", "--format", "json"]);
    assert_eq!(verdict.status.code(), Some(5), "{:#}", json(&verdict));

    // One turned bit in seven answers is found, and proven where the hash is in the path.
    fs::write(folder.join("fleet/staging-0.planted"), "flip:7").expect("it is written");
    ask(&up, folder, &paths);
    let pairs = lines(folder, "pairs");
    let flipped = &pairs[clean.len()..];
    let wrong =
        ["body", "unverified", "links"].map(|word| found(flipped, word)).iter().sum::<usize>();
    // Where the seventh falls depends on what was asked before.
    let seventh = paths.len() / 7;
    assert!((seventh..=seventh + 1).contains(&wrong), "{wrong}: {flipped:#?}");

    // A lost header is found in every answer; production keeps its own.
    fs::write(folder.join("fleet/staging-0.planted"), "header:x-ipfs-path").expect("it is written");
    ask(&up, folder, &paths);
    let later = lines(folder, "pairs");
    assert_eq!(found(&later[pairs.len()..], "header:x-ipfs-path"), paths.len());

    let page = folder.join("verdict.html");
    let page_flag = page.to_string_lossy();
    let words = ["mirror", "verdict", "--data", "fleet", "--format", "json", "--page", &page_flag];
    let verdict = bifrost(folder, &words);
    assert_eq!(verdict.status.code(), Some(1), "{:#}", json(&verdict));
    assert_eq!(json(&verdict)["verdict"], "reject");

    // What was kept is enough to ask both again.
    let gateway = up.said["gateways"][0]["url"].as_str().expect("a URL");
    let staging = up.said["staging"]["gateway"]["url"].as_str().expect("a URL");
    let kept = "fleet/mirror/gateway-0/differences.ndjson";
    let replay = |fault: &str| {
        fs::write(folder.join("fleet/staging-0.planted"), fault).expect("it is written");
        let words = ["mirror", "replay", "--keys", kept, "--to", staging, "--against", gateway];
        bifrost(folder, &[&words[..], &["--rate", "200", "--format", "json"]].concat())
    };
    let again = replay("header:x-ipfs-path");
    assert_eq!(again.status.code(), Some(1), "{:#}", json(&again));
    assert_eq!(json(&again)["differences"]["header:x-ipfs-path"], json(&again)["asked"]);
    let mended = replay("none");
    assert_eq!(mended.status.code(), Some(0), "{:#}", json(&mended));
    assert_eq!(json(&mended)["results"]["same"], json(&mended)["asked"]);

    // Errors of staging are counted by their rate, and cost production nothing.
    fs::write(folder.join("fleet/staging-0.planted"), "error:1").expect("it is written");
    ask(&up, folder, &paths[..6]);
    let last = lines(folder, "pairs");
    let failed = |pair: &&Value| pair["result"] == "rates" && pair["retried"] == true;
    assert_eq!(last[later.len()..].iter().filter(failed).count(), 6);

    // What a call sets is what the policy tells.
    let admin = up.address("gateways", 0, "admin");
    let set = put(admin, "/mirror", "application/json", br#"{"fraction":0.25}"#);
    assert_eq!(set.expect("it answers").status(), 200);
    let policy = get(up.address("gateways", 0, "url"), "/policy.json").expect("it answers");
    assert!(policy.text().contains("Up to 25 % of requests are repeated"), "{}", policy.text());

    up.process.terminate();
    assert!(up.process.wait(PATIENCE).is_some_and(|status| status.success()), "it drains");
}

#[test]
fn the_page_of_a_verdict_is_readable_in_a_browser() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = folder.path();
    let up = Up::start("mirror-page", folder, &["--staging"]);
    let root = up.said["site"]["root"].as_str().expect("a root").to_owned();
    let pages = ["", "index.html", "style.css", "policy.html", "guides/local-or-public.html"];
    let paths: Vec<String> = pages.iter().map(|page| format!("/ipfs/{root}/{page}")).collect();
    ask(&up, folder, &paths);
    let page = folder.join("verdict.html");
    let page_flag = page.to_string_lossy();
    let report = bifrost(folder, &["mirror", "report", "--data", "fleet", "--page", &page_flag]);
    assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stderr));
    let complaints =
        interop::complaints_of_files(&[("mirror-verdict", &page, 0)]).expect("a browser");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
