//! What is wrong with objectives is said with file and line.

use super::super::generate;
use super::super::promtool::ours;
use super::*;

const OBJECTIVES: &str = "version: prometheus/v1
service: shop
slos:
  - name: orders
    objective: 99.9
    alerting:
      name: Orders
    x-bifrost:
      source: {kind: availability, metric: orders_total, by: code, good: ['200'], bad: ['500']}
      owner: shop-oncall
      impact: nobody can buy
  - name: speed
    objective: 99
    alerting:
      name: Speed
    x-bifrost:
      source: {kind: latency, metric: order_seconds, within: 300ms}
      owner: shop-oncall
      impact: people wait
";
const EXPOSED: &str = "orders_total{code=\"200\"} 1
orders_total{code=\"500\"} 0
order_seconds_count 3
order_seconds_bucket{le=\"0.3\"} 2
order_seconds_bucket{le=\"+Inf\"} 3
";

/// The findings of objectives, with pages for their alerts, a rota and what is exposed.
fn found(objectives: &str, rota: Option<&str>, exposed: &str) -> Vec<(usize, &'static str)> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| std::fs::write(path(name), text).expect("written");
    std::fs::create_dir(path("slo")).expect("made");
    write("slo/shop.yaml", objectives);
    write("Orders.md", "# Orders");
    write("Speed.md", "# Speed");
    if let Some(rota) = rota {
        write("rota.yaml", rota);
    }
    let mut known = Exposed::default();
    known.take(exposed).expect("it is a page");
    let sources = generate::read(&path("slo")).expect("it can be read").expect("no findings");
    let rota = path("rota.yaml");
    let against = Against { runbooks: folder.path(), rota: &rota, exposed: Some(&known) };
    let mut found = offline(&sources, &path("slo"), &against).expect("it can be checked");
    found.sort();
    found.into_iter().map(|finding| (finding.line, finding.rule)).collect()
}

#[test]
fn what_is_in_order_has_no_findings() {
    assert_eq!(found(OBJECTIVES, Some("schedules:\n  shop-oncall: {}\n"), EXPOSED), []);
    assert_eq!(found(OBJECTIVES, Some("schedules:\n- name: shop-oncall\n"), EXPOSED), []);
    assert_eq!(found(OBJECTIVES, None, EXPOSED), [], "there may be no rota");
}

#[test]
fn an_owner_that_no_schedule_has_is_found() {
    let rota = Some("schedules:\n  other: {}\n");
    assert_eq!(found(OBJECTIVES, rota, EXPOSED), [(10, "owner"), (18, "owner")]);
    assert_eq!(found(OBJECTIVES, Some("people: []\n"), EXPOSED), [(1, "rota")]);
}

#[test]
fn an_alert_without_a_page_is_found() {
    let renamed = OBJECTIVES.replace("name: Orders", "name: Sales");
    assert_eq!(found(&renamed, None, EXPOSED), [(7, "runbook")]);
    let twice = OBJECTIVES.replace("name: Speed", "name: Orders");
    assert_eq!(found(&twice, None, EXPOSED), [(15, "duplicate")]);
}

#[test]
fn a_metric_that_nothing_exposes_is_found() {
    let wrong = OBJECTIVES.replace("metric: orders_total", "metric: order_total");
    assert_eq!(found(&wrong, None, EXPOSED), [(9, "unknown-metric")]);
}

#[test]
fn a_bound_that_is_no_bucket_is_found() {
    let wrong = OBJECTIVES.replace("300ms", "250ms");
    assert_eq!(found(&wrong, None, EXPOSED), [(17, "unknown-bucket")]);
    let whole = OBJECTIVES.replace("300ms", "30s");
    let exposed = EXPOSED.replace("le=\"0.3\"", "le=\"30.0\"");
    assert_eq!(found(&whole, None, &exposed), [], "a bound is a number however it is written");
}

#[test]
fn an_outcome_without_a_class_is_found() {
    let exposed = format!("{EXPOSED}orders_total{{code=\"503\"}} 0\n");
    assert_eq!(found(OBJECTIVES, None, &exposed), [(9, "unclassified")]);
    let wrong = OBJECTIVES.replace("'500'", "'500', '501'");
    assert_eq!(found(&wrong, None, EXPOSED), [(9, "unknown-value")]);
    let label = OBJECTIVES.replace("by: code", "by: status");
    assert!(found(&label, None, EXPOSED).contains(&(9, "unknown-label")));
}

#[test]
fn an_objective_without_our_key_is_found() {
    let text = OBJECTIVES.split("    x-bifrost").next().expect("it has a head");
    let sli = "    sli: {events: {error_query: 'sum(rate(orders_total{code=\"500\"}[{{.window}}]))', \
               total_query: 'sum(rate(orders_total[{{.window}}]))'}}\n";
    assert!(found(&format!("{text}{sli}"), None, EXPOSED).contains(&(4, "own")));
}

#[test]
fn every_alert_of_ours_has_an_owner() {
    let sources = ours();
    let file = Path::new("slo/alerts.yaml");
    assert!(described(&sources, file).iter().all(|alert| alert.owner == "bifrost-oncall"));
    assert!(twice(&described(&sources, file)).is_empty());
}
