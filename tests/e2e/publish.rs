//! The project's site as its readers and its publishers meet it: seen by everybody, counted apart, and
//! never worse for a publish that failed.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use harness::metrics::{assert_metric, value};
use harness::prometheus::PlayedPrometheus;
use harness::up::Up;
use harness::{Fleet, FleetPlan, fleet, http, interop};
use serde_json::{Value, json};

/// A page of every kind.
const KINDS: [&str; 14] = [
    "index.html",
    "guides/index.html",
    "guides/local-or-public.html",
    "runbooks/index.html",
    "runbooks/GatewayAvailability.html",
    "findings/index.html",
    "project/readme.html",
    "project/architecture.html",
    "status.html",
    "metrics.html",
    "policy.html",
    "rota.html",
    "a-z.html",
    "search.html",
];

/// The only page with scripts.
const WITH_SCRIPTS: &str = "search";

/// A name is kept for ten seconds before gateways ask for it again.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `bifrost publish` below a shell, whose words come first.
fn publish_below(shell: &str, arguments: &[&str]) -> Output {
    let program = fleet::program("bifrost").expect("it is built");
    let words = format!("{shell} exec \"$0\" publish \"$@\"");
    Command::new("sh").args(["-c", &words]).arg(program).args(arguments).output().expect("it runs")
}

fn publish(arguments: &[&str]) -> Output {
    publish_below("", arguments)
}

fn assert_code(output: &Output, code: i32) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
}

/// Every file below a folder, with its content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(below).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).expect("it can be read");
                found.insert(path.strip_prefix(folder).expect("it is below").to_owned(), bytes);
            }
        }
    }
    found
}

/// What is wrong with every page that a server has, on a phone, and with pages of every kind from disk, by day and
/// by night, wide and narrow, in a browser; screenshots of these are kept.
fn complaints(server: &str, disk: &Path, kept: &Path) -> Vec<String> {
    let paths = files(disk).into_keys().map(|path| path.to_string_lossy().into_owned());
    let all: Vec<String> = paths.filter(|path| path.ends_with(".html")).collect();
    assert!(all.len() > 60, "{all:?}");
    let name = |path: &str| path.trim_end_matches(".html").replace('/', "-");
    let served = all.iter().map(|path| {
        json!({ "name": format!("served-{}", name(path)), "url": format!("{server}{path}"), "once": true })
    });
    let below = format!("file://{}/", disk.display());
    let kinds =
        KINDS.iter().map(|path| json!({ "name": name(path), "url": format!("{below}{path}") }));
    fs::create_dir_all(kept).expect("folders can be made");
    let seen = interop::looks(kept, served.chain(kinds).collect()).expect("a browser");
    let is_well = |look: &Value| {
        let name = look["name"].as_str().unwrap_or_default().trim_start_matches("served-");
        look["status"] == 200 && interop::is_well(look, if name == WITH_SCRIPTS { 2 } else { 0 })
    };
    seen.iter().filter(|look| !is_well(look)).map(|look| format!("{look:#}")).collect()
}

/// Writes down how soon pages were seen: times of a machine with other work are no claim.
fn keep_paints(seen: &Value, kept: &Path) {
    let line = |way: &str| {
        let ms = &seen[way]["first_paint_ms"];
        format!("first contentful paint, {way}: {ms} ms\n")
    };
    let lines = ["server", "disk"].map(line).concat();
    fs::write(kept.join("first-paint.txt"), lines).expect("it can be written");
}

/// Every sign that a page of figures may have is on those below a folder.
fn assert_all_is_drawn(folder: &Path) {
    let page = |name: &str| fs::read_to_string(folder.join(name)).expect("it is there");
    let (status, metrics) = (page("status.html"), page("metrics.html"));
    for sign in [
        "</span> down</span>",
        "</span> burning</span>",
        "</span> budget spent</span>",
        "</span> as promised</span>",
        "</span> no data for ",
        "<a href=\"runbooks/GatewayAvailability.html\">",
    ] {
        assert!(status.contains(sign), "{sign}: {status}");
    }
    assert!(!status.contains("AlertOfSomebodyElse"), "{status}");
    for sign in ["class=\"spark\"", "class=\"values\""] {
        assert!(metrics.contains(sign), "{sign}: {metrics}");
    }
}

/// Requests for the site are traffic of a website, and none of the gateway.
fn assert_counted_apart(gateway: SocketAddr, admin: SocketAddr) {
    let counted = "bifrost_gateway_requests_total";
    let count = |traffic| value(admin, counted, &[("traffic", traffic)]).unwrap_or(0.0);
    let [website, gateways] = ["website", "gateway"].map(count);
    for (path, status) in [("/", 200), ("/policy.html", 200), ("/status.json", 200), ("/none", 404)]
    {
        let answer =
            http::ask(gateway, "GET", path, &[("host", "site.localhost")]).expect("it answers");
        assert_eq!(answer.status(), status, "{path}: {}", answer.text());
    }
    assert_metric(admin, counted, &[("traffic", "website")], website + 4.0);
    assert!((count("gateway") - gateways).abs() < 0.5, "the site is no traffic of the gateway");
}

#[test]
fn the_site_is_for_everybody_and_is_counted_as_a_website() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let up = Up::start("up", folder.path(), &[]);
    let (gateway, admin) = (up.address("gateways", 0, "url"), up.address("gateways", 0, "admin"));
    let site = up.said["site"]["url"].as_str().expect("it has a site");

    assert_counted_apart(gateway, admin);
    // What the gateway says of itself is what the site says of it.
    let own = http::get(gateway, "/policy.json").expect("it answers").text();
    let shown = http::ask(gateway, "GET", "/policy.json", &[("host", "site.localhost")]);
    assert_eq!(shown.expect("it answers").text(), own);

    let kept = fleet::artefacts().join("site");
    let (data, out) = (folder.path().join("fleet"), folder.path().join("public"));
    let [data, place] = [&data, &out].map(|path| path.to_string_lossy().into_owned());
    let prometheus = PlayedPrometheus::start().expect("loopback binds");
    let url = prometheus.url();
    let figures = ["--prometheus", &url, "--format", "json"];
    let published = publish(&[&["--data", &data, "--out", &place], &figures[..]].concat());
    assert_code(&published, 0);
    let said: Value = serde_json::from_slice(&published.stdout).expect("one line");
    assert_all_is_drawn(&out);
    let wrong = complaints(site, &out, &kept);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));

    let disk = format!("file://{place}/");
    let seen = interop::run("site.mjs", &[site, &disk], "").expect("a browser");
    for way in ["server", "disk"] {
        let seen = &seen[way];
        for words in ["disk full", "the disk is full", "NodeDiskFull"] {
            assert_eq!(seen["found"][words]["first"], "runbooks/NodeDiskFull.html", "{seen}");
        }
        assert_ne!(seen["found"]["the"]["first"], Value::Null, "{seen}");
        assert_eq!(seen["found"]["polic"]["first"], "policy.html", "{seen}");
        assert_eq!(
            (&seen["none"]["count"], &seen["none"]["first"]),
            (&json!("No pages"), &Value::Null),
            "{seen}"
        );
        assert!(
            seen["opened"].as_str().is_some_and(|title| title.starts_with("NodeDiskFull")),
            "{seen}"
        );
        assert_eq!(
            (&seen["without"]["isHidden"], &seen["without"]["heading"]),
            (&json!(true), &json!("Status")),
            "{seen}"
        );
        assert!(seen["without"]["letters"].as_u64() > Some(15), "{seen}");
        assert_eq!(seen["console"], json!([]), "{seen}");
    }
    keep_paints(&seen, &kept);

    // The name of the fleet leads to what was published last.
    let root = said["root"].as_str().expect("it is in nodes");
    let name = said["name"].as_str().expect("the fleet has a name");
    let began = Instant::now();
    let leads = || {
        let answer = http::get(gateway, &format!("{name}/")).expect("it answers");
        answer.header("x-ipfs-roots").is_some_and(|roots| roots.starts_with(root))
    };
    while !leads() {
        assert!(began.elapsed() < PATIENCE, "{name} does not lead to {root}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_publish_that_fails_leaves_what_was_there() {
    let plan = FleetPlan { nodes: 1, ..FleetPlan::default() };
    let running = Fleet::start(&plan).expect("the fleet starts");
    let key = running.folder().join("site.key");
    super::ipns::publish_with(&running, &key, "/ipfs/bafyaabakaieac", "0s").expect("a key is made");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().join("public");
    let node = format!("http://{}", running.nodes[0].admin);
    let [place, key] = [&out, &key].map(|path| path.to_string_lossy().into_owned());
    // The number of a record is the second in which it was made.
    std::thread::sleep(Duration::from_millis(1100));
    let first = publish(&["--out", &place, "--node", &node, "--key", &key, "--ttl", "0s"]);
    assert_code(&first, 0);
    let root = String::from_utf8_lossy(&first.stdout).lines().last().expect("a root").to_owned();
    let before = files(&out);
    assert!(before.len() > 50, "{}", before.len());
    let is_as_before = || {
        assert!(files(&out) == before, "the folder is as it was");
        let left: Vec<_> = fs::read_dir(folder.path()).expect("it is there").collect();
        assert_eq!(left.len(), 1, "nothing is left beside it: {left:?}");
    };

    let full = publish_below("trap '' XFSZ; ulimit -f 16;", &["--out", &place]);
    assert_code(&full, 7);
    is_as_before();

    let gone = publish(&["--out", &place, "--node", "http://127.0.0.1:1", "--key", &key]);
    assert_code(&gone, 4);
    is_as_before();

    let other = ["--out", &place, "--policy", "http://127.0.0.1:1"];
    assert_code(&publish(&other), 3);
    is_as_before();
    let name = format!("/ipfs/{root}/policy.html");
    assert_eq!(running.get(&name).status(), 200, "what was published can be read");

    // Without Prometheus the site is new, and its figures are those that were there.
    let figures = r#"{"asked_at":1780000000,"newest_at":1779999999.0,"metrics":[{"id":"availability","series":[{"name":"gateway","points":[[1779999000.0,0.999]]}]}]}"#;
    let status = r#"{"asked_at":1780000000,"processes":{"gateway":[1,1]},"objectives":{"gateway/availability":{"promised":0.999,"failing":0.0,"burn":0.1,"left":0.875}},"firing":{}}"#;
    fs::write(out.join("metrics.json"), figures).expect("it can be written");
    fs::write(out.join("status.json"), status).expect("it can be written");
    let blind = publish(&["--out", &place, "--prometheus", "http://127.0.0.1:1"]);
    assert_code(&blind, 1);
    let said = String::from_utf8_lossy(&blind.stderr);
    assert!(said.contains("the figures of the site before are kept"), "{said}");
    let page = |name: &str| fs::read_to_string(out.join(name)).expect("it is there");
    assert!(page("metrics.html").contains("99.900 %") && page("metrics.json").contains("0.999"));
    assert!(page("status.html").contains("87.5 %"), "{}", page("status.html"));
    for name in ["metrics.html", "status.html"] {
        assert!(page(name).contains("Younger ones are not to be had"), "{name}");
    }
}

#[test]
fn the_policy_without_a_gateway_is_that_of_one_which_nobody_configured() {
    let program = fleet::program("bifrost-gateway").expect("it is built");
    let said = Command::new(program).arg("--print-policy").output().expect("it runs");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/site/policy.json");
    let kept = fs::read_to_string(kept).expect("it is there");
    let advice = "run `bifrost-gateway --print-policy > ops/site/policy.json`";
    assert_eq!(String::from_utf8_lossy(&said.stdout), kept, "{advice}");
}

#[test]
fn a_fleet_starts_without_its_site_and_a_node_that_is_away_stops_no_publish() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let data = folder.path().join("fleet");
    fs::create_dir(&data).expect("a folder can be made");
    let rota = data.join("rota.yaml");
    fs::write(&rota, "nobody\n").expect("it can be written");
    let up = Up::start("up", folder.path(), &[]);
    assert_eq!(up.said["site"]["root"], Value::Null);
    let log = up.process.log_tail(40);
    assert!(log.contains("the project's site is not published") && log.contains("rota"), "{log}");

    // What is wrong is mended while the fleet runs, and the site is where a fleet has it.
    fs::remove_file(&rota).expect("it can be removed");
    let [own, key] = [&data, &data.join("site.key")].map(|path| path.display().to_string());
    assert_code(&publish(&["--data", &own]), 0);
    assert!(data.join("site/index.html").is_file());
    let gateway = up.address("gateways", 0, "url");
    let site = http::ask(gateway, "GET", "/", &[("host", "site.localhost")]).expect("it answers");
    assert_eq!(site.status(), 200, "{}", site.text());

    // The number of a record is the second in which it was made.
    std::thread::sleep(Duration::from_millis(1100));
    let node = format!("http://{}", up.address("nodes", 0, "admin"));
    let place = format!("{}/public/", folder.path().display());
    let partly = publish(&[
        "--data",
        &own,
        "--node",
        &node,
        "--node",
        "http://127.0.0.1:1",
        "--key",
        &key,
        "--out",
        &place,
    ]);
    assert_code(&partly, 1);
    let said = String::from_utf8_lossy(&partly.stderr);
    assert!(said.contains("[not-replicated]") && said.contains("[not-led]"), "{said}");
    assert_code(&publish(&["--out", &place]), 0);
    assert!(folder.path().join("public/index.html").is_file());
}
