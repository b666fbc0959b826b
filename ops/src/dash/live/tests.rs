//! Panels against a real Prometheus: what has data passes, and each lack is told.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Response;
use http_body_util::Full;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::*;
use crate::dash::played as fleet;
use crate::played;
use crate::prometheus::{Answer, Series};

/// Longest time that a process may need to start, and to have scraped what is tested.
const PATIENCE: Duration = Duration::from_secs(60);
/// Recorded as rules of objectives record it.
const RECORDED: [(&str, &str, &str); 6] = [
    ("slo:objective:ratio", "availability", "0.999"),
    ("slo:sli_error:ratio_rate5m", "availability", "0.0004"),
    ("slo:sli_error:ratio_rate5m", "first-byte", "0.002"),
    ("slo:sli_error:ratio_rate1h", "availability", "0.0005"),
    ("slo:sli_error:ratio_rate1d", "availability", "0.0006"),
    ("slo:error_budget_remaining:ratio", "availability", "0.4"),
];

/// A Prometheus that ends with the test.
struct Server {
    _child: Child,
    _folder: tempfile::TempDir,
    url: String,
}

/// Starts Debian's Prometheus on a port that the kernel chooses.
async fn prometheus(tasks: &Tasks, target: &str) -> Server {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut rules = "groups:\n- name: played\n  interval: 1s\n  rules:\n".to_owned();
    for service in ["gateway", "website"] {
        for (name, slo, value) in RECORDED {
            rules.push_str(&format!(
                "  - {{record: '{name}', expr: 'vector({value})', \
                 labels: {{sloth_service: {service}, sloth_slo: {slo}}}}}\n"
            ));
        }
    }
    let mut config = "global: {scrape_interval: 1s, evaluation_interval: 1s}\n\
        rule_files: [rules.yml]\nscrape_configs:\n"
        .to_owned();
    for job in ["gateway", "node", "probe"] {
        config.push_str(&format!(
            "- {{job_name: {job}, metrics_path: /{job}, static_configs: [{{targets: ['{target}']}}]}}\n"
        ));
    }
    std::fs::write(folder.path().join("rules.yml"), rules).expect("written");
    std::fs::write(folder.path().join("prometheus.yml"), config).expect("written");
    let mut child = Command::new("prometheus")
        .arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg("--web.listen-address=127.0.0.1:0")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("prometheus is installed");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let address = loop {
        let line = lines.next_line().await.expect("it is text").expect("it starts");
        if line.contains("Listening on")
            && let Some((_, address)) = line.split_once("address=")
        {
            break address.to_owned();
        }
    };
    // What it says further is read, so that it never waits for a reader.
    let _reading = tasks.background("log of prometheus", async move {
        while let Ok(Some(_)) = lines.next_line().await {}
    });
    Server { _child: child, _folder: folder, url: format!("http://{address}") }
}

/// A played fleet, the address at which it is scraped.
async fn played_fleet(tasks: &Tasks) -> String {
    let (server, listener) = played::listen().await;
    let ticks: Arc<[AtomicU64; 3]> = Arc::default();
    played::serve(tasks, listener, move |request| {
        let ticks = Arc::clone(&ticks);
        async move {
            let process = request.uri().path().trim_matches('/').to_owned();
            let place = match &process[..] {
                "gateway" => 0,
                "node" => 1,
                _ => 2,
            };
            let tick = ticks[place].fetch_add(1, Ordering::Relaxed);
            Response::new(Full::new(fleet::text(&process, tick).into()))
        }
    });
    server.url().trim_start_matches("http://").to_owned()
}

/// Asks until every process was scraped so often.
async fn scraped(prometheus: &Prometheus, times: f64) {
    let often = "min(count_over_time(up[1m])) and on() count(up) == 3 \
        and on() slo:objective:ratio{sloth_service=\"website\"}";
    let mut again = tokio::time::interval(Duration::from_millis(200));
    let enough = async {
        loop {
            again.tick().await;
            let said = prometheus.query(often, None).await.unwrap_or_default();
            if said.first().is_some_and(|series| series.value() >= times) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, enough).await.expect("it scrapes");
}

fn project() -> Project {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Project::load(&root).expect("the project has dashboards")
}

#[tokio::test]
async fn every_panel_of_ours_shows_what_a_fleet_exposes() {
    let tasks = Tasks::new();
    let target = played_fleet(&tasks).await;
    let server = prometheus(&tasks, &target).await;
    let asked = Prometheus::new(&tasks, &server.url, Duration::from_secs(20)).expect("a URL");
    scraped(&asked, 12.0).await;
    let project = project();
    let tested = test(&project, &asked, Duration::from_secs(60)).await.expect("it answers");
    let all: String = tested.findings.iter().map(|one| format!("{one}\n")).collect();
    assert!(tested.findings.is_empty(), "{all}\n{}", judge::written(&tested.rows, Format::Text));
    let shown: usize =
        project.layouts.iter().flat_map(Layout::panels).map(|one| one.show.len()).sum();
    assert_eq!(tested.rows.len(), shown);
    assert!(tested.rows.iter().filter(|row| row.points > 0).count() > shown * 9 / 10);
    let measured = crate::dash::public::measure(
        &project.dictionary,
        &tasks,
        (&server.url, Duration::from_secs(20)),
        &|_| true,
    );
    let measured = measured.await.expect("it answers");
    let empty: Vec<_> = measured.values.iter().filter(|(_, shown)| shown.is_empty()).collect();
    assert!(measured.values.len() >= 5 && empty.is_empty(), "{empty:?}");
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_panel_that_shows_nothing_or_nonsense_is_found() {
    let tasks = Tasks::new();
    let target = played_fleet(&tasks).await;
    let server = prometheus(&tasks, &target).await;
    let asked = Prometheus::new(&tasks, &server.url, Duration::from_secs(20)).expect("a URL");
    scraped(&asked, 3.0).await;
    let mut project = project();
    let mut broken = |id: &str, expr: &str| {
        let number = project.dictionary.numbers.iter_mut().find(|number| number.id == id);
        expr.clone_into(&mut number.expect("it is in the dictionary").expr);
    };
    broken("panics", "bifrost_nothing_total");
    broken("process-up", "up + 1");
    broken("process-memory", "process_resident_memory_bytes / 0");
    broken("process-cpu", "bifrost_gateway_requests_total");
    broken("cache-bytes", "label_replace(up, \"job\", \"\", \"\", \"\") * on (job) up");
    let tested = test(&project, &asked, Duration::from_secs(60)).await.expect("it answers");
    let rules: Vec<&str> = tested.findings.iter().map(|one| one.rule).collect();
    for rule in ["no-data", "implausible", "not-finite", "too-many-series", "refused"] {
        assert!(rules.contains(&rule), "{rule} is in {rules:?}");
    }
    assert!(tested.findings.iter().all(|one| one.line > 1 && one.path.ends_with("fleet.yaml")));
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_prometheus_that_is_down_or_slow_is_no_finding() {
    let tasks = Tasks::new();
    let (server, listener) = played::listen().await;
    let slow = Prometheus::new(&tasks, &server.url(), Duration::from_millis(50)).expect("a URL");
    let range = Duration::from_secs(60);
    let asked = test(&project(), &slow, range).await;
    assert!(matches!(asked, Err(DashError::Prometheus(_))), "{asked:?}");
    drop(listener);
    let asked = test(&project(), &slow, range).await;
    let said = asked.expect_err("nobody is there").to_string();
    assert!(said.contains(&server.url()), "{said}");
    tasks.shutdown(Duration::ZERO).await;
}

fn judged(unit: &str, allow: &str, points: &[f64]) -> Vec<&'static str> {
    let yaml = format!("{{name: n, expr: x, unit: {unit}, meaning: m, owner: o{allow}}}");
    let number: Number = serde_yaml::from_str(&yaml).expect("it is a number");
    let points = points.iter().map(|value| (0.0, *value)).collect();
    let series = vec![Series { labels: BTreeMap::new(), points }];
    let answer = Answer { series, warnings: Vec::new() };
    judge(&number, &answer, 1).1.into_iter().map(|(rule, _)| rule).collect()
}

#[test]
fn values_are_held_against_their_unit() {
    let allow = ", allow_empty: it is quiet";
    assert_eq!(judged("ratio", "", &[0.0, 1.0 + 1e-9]), [""; 0]);
    assert_eq!(judged("ratio", "", &[1.1]), ["implausible"]);
    assert_eq!(judged("budget", "", &[-3.0, 1.0]), [""; 0]);
    assert_eq!(judged("seconds", "", &[-0.1]), ["implausible"]);
    assert_eq!(judged("count", "", &[f64::NAN]), ["no-data", "not-finite"]);
    assert_eq!(judged("count", allow, &[f64::NAN]), [""; 0]);
    assert_eq!(judged("count", allow, &[]), [""; 0]);
    assert_eq!(judged("count", allow, &[f64::INFINITY]), ["not-finite"]);
    assert_eq!(judged("count", "", &[]), ["no-data"]);
}
