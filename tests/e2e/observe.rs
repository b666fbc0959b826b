//! The alert chain from end to end: a fault of the fleet becomes a metric, a rule's alert, a route to who
//! is on call, and a runbook whose diagnosis names the fault. A quiet fleet alerts nobody.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use harness::up::{Up, processes_of};
use harness::{bytes_of_seed, fleet, get, sha256_hex};
use serde_json::Value;

/// How long a fleet without faults is watched.
const QUIET: Duration = Duration::from_secs(20);
/// A full outage has to page within two minutes; the rest is for scrapes and a busy machine.
const PAGE_WITHIN: Duration = Duration::from_secs(180);
/// Objectives look back thirty days, and are evaluated every two minutes.
const PANELS_WITHIN: Duration = Duration::from_secs(180);
/// How many clients feel the outage.
const CLIENTS: u64 = 40;
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an answer of Prometheus or Alertmanager says, or null while there is none.
fn said(server: SocketAddr, target: &str) -> Value {
    let answer = get(server, target).map(|answer| answer.text()).unwrap_or_default();
    serde_json::from_str(&answer).unwrap_or_default()
}

/// The rows of an instant query.
fn query(prometheus: SocketAddr, expression: &str) -> Vec<Value> {
    let escaped: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let answer = said(prometheus, &format!("/api/v1/query?query={escaped}"));
    answer["data"]["result"].as_array().cloned().unwrap_or_default()
}

/// The alerts that fire, by name.
fn firing(prometheus: SocketAddr) -> Vec<Value> {
    let alerts = said(prometheus, "/api/v1/alerts")["data"]["alerts"].take();
    let alerts = alerts.as_array().cloned().unwrap_or_default();
    alerts.into_iter().filter(|alert| alert["state"] == "firing").collect()
}

/// Waits until something is there.
#[track_caller]
fn wait<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < within, "{what}: not within {within:?}");
        sleep(Duration::from_millis(200));
    }
}

fn signal(folder: &Path, name: &str, signal: &str) {
    let config = folder.join(format!("fleet/{name}.yaml"));
    let running = processes_of(&config);
    assert_eq!(running.len(), 1, "{name}: {running:?}");
    let told = Command::new("kill").args([signal, &running[0].0.to_string()]).status();
    assert!(told.expect("kill runs").success());
}

/// A path of content that the nodes do not have.
fn fresh(seed: u64) -> String {
    let digest = sha256_hex(&bytes_of_seed(seed, 64));
    format!("/ipfs/f01551220{digest}?format=raw")
}

/// Clients that ask for one new path after another until they are dropped.
struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    fn start(gateway: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ask = |client: u64| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                for request in 1.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    // Whatever it answers: it is counted.
                    get(gateway, &fresh(client * 1_000_000 + request)).ok();
                    sleep(Duration::from_millis(100));
                }
            })
        };
        Self { threads: (1..=CLIENTS).map(ask).collect(), stop }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

#[test]
fn a_fault_reaches_who_is_on_call_with_a_runbook_that_names_it_and_a_quiet_fleet_nobody() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let up = Up::start("up", folder.path(), &["--observe", "--observe-every", "1"]);
    let observer = |name: &str| -> SocketAddr {
        let url = up.said["observe"][name].as_str().expect("it is observed");
        url.trim_start_matches("http://").parse().expect("an address")
    };
    let (prometheus, alertmanager) = (observer("prometheus"), observer("alertmanager"));
    let gateway = up.address("gateways", 0, "url");

    wait("every process is scraped", PATIENCE, || {
        (query(prometheus, "up == 1").len() == 4).then_some(())
    });
    assert_rules_are_well(prometheus);

    let (began, site) =
        (Instant::now(), format!("/ipfs/{}/", up.said["site"]["root"].as_str().expect("text")));
    while began.elapsed() < QUIET {
        assert_eq!(get(gateway, &site).expect("it answers").status(), 200);
        sleep(Duration::from_millis(20));
    }
    assert_eq!(firing(prometheus), Vec::<Value>::new(), "nothing is wrong");
    let failed = query(prometheus, "bifrost_probe_checks_total{verdict=\"fail\"} > 0");
    assert_eq!(failed, Vec::<Value>::new(), "no check of the probe fails");
    assert!(!query(prometheus, "bifrost_probe_checks_total{verdict=\"pass\"} > 0").is_empty());
    let url = format!("http://{prometheus}");
    wait("every panel has data", PANELS_WITHIN, || {
        let ran = bifrost(&["dash", "test", "--prometheus", &url]);
        ran.status.success().then_some(())
    });

    for node in ["node-0", "node-1"] {
        signal(folder.path(), node, "-STOP");
    }
    let clients = Clients::start(gateway);
    let page = wait("an outage pages", PAGE_WITHIN, || {
        let is_page = |alert: &Value| {
            alert["labels"]["alertname"] == "GatewayAvailability"
                && alert["labels"]["severity"] == "page"
        };
        firing(prometheus).into_iter().find(is_page)
    });
    assert_eq!(page["labels"]["owner"], "bifrost-oncall", "{page}");
    assert_has_runbook(&page);
    assert_is_routed(alertmanager, "GatewayAvailability");
    assert_names_who_is_on_call(&page);

    let by_outcome = "topk(1, sum by (outcome) (increase(bifrost_gateway_requests_total\
                      {outcome=~\"timeout|upstream_fault|overload|truncated|internal\"}[2m])))";
    let cause = query(prometheus, by_outcome);
    let outcome = cause.first().map(|row| row["metric"]["outcome"].clone()).unwrap_or_default();
    assert!(outcome == "upstream_fault" || outcome == "timeout", "{cause:?}");
    let away = wait("nodes are left alone", PATIENCE, || {
        let away = query(prometheus, "bifrost_gateway_pool_ejected == 1");
        (!away.is_empty()).then_some(away)
    });
    assert!(away.iter().all(|row| row["metric"]["job"] == "gateway"), "{away:?}");
    assert_triage_names_nodes(&url);

    for node in ["node-0", "node-1"] {
        signal(folder.path(), node, "-CONT");
    }
    drop(clients);
    wait("the fleet is well again", PATIENCE, || {
        let answer = get(gateway, &fresh(0)).ok()?;
        (!matches!(answer.status(), 503 | 504)).then_some(())
    });
}

/// The page that the alert leads to says by itself that nodes are what is wrong.
#[track_caller]
fn assert_triage_names_nodes(prometheus: &str) {
    let asked = ["runbook", "triage", "GatewayAvailability", "--format", "json"];
    let ran = bifrost(&[&asked[..], &["--prometheus", prometheus]].concat());
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert_eq!(ran.status.code(), Some(1), "an answer is not as expected: {said}");
    let steps = said.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut of_nodes =
        steps.filter(|step| step.to_string().contains("bifrost_gateway_pool_ejected"));
    let step = of_nodes.next().unwrap_or_default();
    assert_eq!(step["answers"][0]["verdict"], "NOT as expected", "{said}");
}

/// What the operator's command says in the root of the project.
fn bifrost(arguments: &[&str]) -> Output {
    Command::new(fleet::program("bifrost").expect("it is built"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args(arguments)
        .output()
        .expect("it runs")
}

#[test]
fn what_operators_read_names_only_what_there_is() {
    for arguments in [
        &["slo", "check"][..],
        &["slo", "generate", "--check"],
        &["dash", "lint"],
        &["dash", "build", "--check"],
        &["rota", "check"],
        &["inventory", "lint"],
        &["runbook", "lint", "--today", "2026-11-21"],
    ] {
        let ran = bifrost(arguments);
        let said = [ran.stdout, ran.stderr].concat();
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
    }
}

#[track_caller]
fn assert_rules_are_well(prometheus: SocketAddr) {
    let rules = wait("rules are evaluated", PATIENCE, || {
        let groups = said(prometheus, "/api/v1/rules")["data"]["groups"].take();
        let rules = groups
            .as_array()?
            .iter()
            .flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default());
        let rules: Vec<Value> = rules.collect();
        // Groups that look back thirty days are evaluated every few minutes.
        let known = rules.iter().filter(|rule| rule["health"] != "unknown").count();
        (known > 100).then_some(rules)
    });
    let sick: Vec<&Value> = rules.iter().filter(|rule| rule["health"] == "err").collect();
    assert!(sick.is_empty(), "{sick:?}");
}

#[track_caller]
fn assert_has_runbook(alert: &Value) {
    let url = alert["annotations"]["runbook_url"].as_str().expect("it names its runbook");
    let page = url.rsplit('/').next().expect("a path").replace(".html", ".md");
    let page = if page.ends_with(".md") { page } else { format!("{page}.md") };
    let runbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks");
    assert!(runbooks.join(&page).is_file(), "{url} leads to no page");
}

#[track_caller]
fn assert_is_routed(alertmanager: SocketAddr, name: &str) {
    let alert = wait("Alertmanager has it", PATIENCE, || {
        let alerts = said(alertmanager, "/api/v2/alerts");
        alerts.as_array()?.iter().find(|alert| alert["labels"]["alertname"] == name).cloned()
    });
    let receivers = alert["receivers"].to_string();
    assert!(receivers.contains("bifrost-oncall-page"), "{alert}");
}

#[track_caller]
fn assert_names_who_is_on_call(page: &Value) {
    let rota = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks/rota.yaml");
    let now = bifrost(&["rota", "now", "--format", "json", "--rota", rota.to_str().expect("text")]);
    let text = String::from_utf8_lossy(&now.stdout);
    let rows = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut people = rows.filter(|row| row["schedule"] == "bifrost-oncall");
    let person = people.next().map(|row| row["person"].clone()).unwrap_or_default();
    assert!(person.is_string(), "{text}");
    assert_eq!(page["annotations"]["on_call"], person, "{page}");
}
