//! Objectives as they are written, and each way in which they are refused.

use super::*;

const GOOD: &str = r#"version: prometheus/v1
service: shop
labels: {team: a, tier: 2}
slos:
  - name: orders
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(orders_total{code="500"}[{{.window}}]))
        total_query: sum(rate(orders_total[{{.window}}]))
    alerting:
      name: Orders
    x-bifrost:
      source:
        kind: availability
        metric: orders_total
        by: code
        good: ["200"]
        bad: ["500"]
      owner: a
      impact: b
"#;

fn found(text: &str) -> Vec<(usize, &'static str)> {
    let findings = read(Path::new("slo/x.yaml"), text).expect_err("it has findings");
    findings.into_iter().map(|finding| (finding.line, finding.rule)).collect()
}

#[test]
fn a_file_of_objectives_is_read() {
    let service = read(Path::new("slo/x.yaml"), GOOD).expect("it has no findings");
    let slo = &service.slos[0];
    assert_eq!((slo.id().as_str(), slo.budget().to_string().as_str()), ("shop-orders", "0.001"));
    assert_eq!(slo.labels["tier"], "2", "labels are texts whatever YAML takes them for");
    assert_eq!((slo.line, slo.lines.alert, slo.lines.owner, slo.min_events()), (5, 12, 20, 10));
}

#[test]
fn every_mistake_is_said_on_its_line() {
    for (from, to, line, rule) in [
        ("objective: 99.9", "objective: 0", 6, "objective"),
        ("objective: 99.9", "objective: 100", 6, "objective"),
        ("objective: 99.9", "objective: 100.5", 6, "objective"),
        ("objective: 99.9", "objective: -3", 6, "objective"),
        ("objective: 99.9", "objective: much", 6, "yaml"),
        ("prometheus/v1", "openslo/v1", 1, "version"),
        ("name: orders", "name: or ders", 5, "name"),
        ("name: Orders", "name: ''", 12, "name"),
        ("orders_total[{{.window}}]", "orders_total[5m]", 10, "query"),
        ("orders_total[{{.window}}]))", "orders_total[{{.window}}])", 10, "promql"),
        ("{code=\"500\"}", "{code=\"501\"}", 9, "sli-differs"),
        ("by: code", "within: 3s", 17, "source"),
        ("good: [\"200\"]", "good: [\"500\"]", 19, "source"),
        ("impact: b", "impct: b", 21, "yaml"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let found = found(&text);
        assert!(found.contains(&(line, rule)), "{from} -> {to}: {found:?}");
    }
}

#[test]
fn two_objectives_of_one_name_are_refused() {
    let second = GOOD.split_once("slos:\n").expect("it has a list").1;
    assert_eq!(found(&format!("{GOOD}{second}")), [(22, "duplicate")]);
}

#[test]
fn only_correctness_may_promise_everything() {
    let text = "version: prometheus/v1\nservice: a\nslos:\n  - name: b\n    objective: 100\n    \
                alerting: {name: C}\n    x-bifrost:\n      source: {kind: correctness, metric: m, of: \
                [n]}\n      owner: o\n      impact: i\n";
    let service = read(Path::new("a"), text).expect("it has no findings");
    assert!(service.slos[0].is_absolute());
    assert_eq!(found(&text.replace("correctness", "freshness")), [(5, "objective")]);
}

#[test]
fn broken_yaml_is_a_finding_with_a_line() {
    assert_eq!(found("version: prometheus/v1\nservice: [a\n")[0].1, "yaml");
    assert!(found("version: prometheus/v1\nservice: a\nslos: {\n")[0].0 >= 3);
    assert_eq!(found("version: prometheus/v1\nservice: a\nslos: []\n"), [(3, "empty")]);
    let deep = format!("a: {}", "[".repeat(10_000));
    assert_eq!(found(&deep)[0].1, "yaml", "depth is bounded");
}

#[test]
fn an_objective_without_anything_to_measure_is_refused() {
    let text = "version: prometheus/v1\nservice: a\nslos:\n  - name: b\n    objective: 99\n    alerting: \
                {name: C}\n";
    assert_eq!(found(text), [(4, "sli")]);
    let plugin = format!("{text}    sli: {{plugin: {{id: x}}}}\n");
    assert_eq!(found(&plugin), [(7, "sli")]);
}
