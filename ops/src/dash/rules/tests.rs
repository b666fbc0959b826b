//! Each rule of the linter is broken by its own fault, in panels of every kind.

use serde_json::{Value, json};

use super::*;

/// A dashboard that breaks no rule.
fn right() -> Value {
    let variable = |name: &str, label: &str| {
        json!({"name": name, "label": label, "type": "query", "multi": true, "allValue": ".+",
            "refresh": 2, "datasource": {"uid": "$datasource"},
            "query": {"query": format!("label_values(up{{a=\"b\"}}, {name})")}})
    };
    json!({
        "uid": "u", "title": "T", "editable": false, "graphTooltip": 1, "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [
            {"name": "datasource", "label": "Data source", "type": "datasource",
             "query": "prometheus"},
            variable("job", "Job"), variable("instance", "Instance"),
        ]},
        "panels": [{
            "type": "piechart", "title": "P", "description": "D", "id": 1,
            "datasource": {"uid": "${datasource}"}, "fieldConfig": {"defaults": {"unit": "s"}},
            "targets": [{"expr":
                "rate(x_total{job=~\"$job\", instance=~\"${instance}\"}[$__rate_interval])"}],
        }],
    })
}

fn broken(board: &Value) -> Vec<&'static str> {
    let board = Board::read(board, &|_| 1).expect("it is a dashboard");
    check(&board, &Schema::default()).into_iter().map(|one| one.rule).collect()
}

/// What is broken when the value at this pointer is another one.
fn with(pointer: &str, value: Value) -> Vec<&'static str> {
    let mut board = right();
    *board.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is there")) = value;
    broken(&board)
}

#[test]
fn a_right_dashboard_breaks_nothing() {
    assert_eq!(broken(&right()), [""; 0]);
}

#[test]
fn every_rule_of_dashboard_linter_is_broken_by_its_own_fault() {
    let expr = "/panels/0/targets/0/expr";
    let query = "/templating/list/1/query/query";
    let good = "{job=~\"$job\",instance=~\"$instance\"}";
    for (rule, pointer, value) in [
        ("template-datasource", "/templating/list/0/label", json!("Prom")),
        ("template-job", "/templating/list/1/multi", json!(false)),
        ("template-job", "/templating/list/1/label", json!("job")),
        ("template-instance", "/templating/list/2/allValue", json!(".*")),
        ("template-instance", "/templating/list/2/datasource", json!("abc")),
        ("template-label-promql", query, json!("label_values(up{, job)")),
        ("template-label-promql", query, json!("values(up)")),
        ("template-on-time-change-reload", "/templating/list/1/refresh", json!(1)),
        ("panel-datasource", "/panels/0/datasource/uid", json!("abc")),
        ("panel-title-description", "/panels/0/description", json!(" ")),
        ("panel-units", "/panels/0/fieldConfig/defaults/unit", json!("furlong")),
        ("panel-no-targets", "/panels/0/targets", json!([])),
        ("target-promql", expr, json!("rate(x")),
        ("target-promql", expr, json!("")),
        ("target-rate-interval", expr, json!(format!("rate(x_total{good}[5m])"))),
        ("target-job", expr, json!("x{job=\"$job\",instance=~\"$instance\"}")),
        ("target-instance", expr, json!("x{job=~\"$job\",instance=~\"a\"}")),
        ("target-counter-agg", expr, json!(format!("sum(x_total{good})"))),
        ("uneditable-dashboard", "/editable", json!(true)),
        ("stable-uid", "/uid", json!("")),
        ("absolute-time", "/time/from", json!("2020-01-01T00:00:00Z")),
        ("shared-crosshair", "/graphTooltip", json!(0)),
        ("schema-version", "/schemaVersion", json!(16)),
    ] {
        assert_eq!(with(pointer, value.clone()), [rule], "{pointer} {value}");
    }
}

#[test]
fn a_data_source_of_another_name_is_not_the_chosen_one() {
    let broken = with("/templating/list/0/name", json!("prom"));
    for rule in ["template-datasource", "template-job", "template-instance", "panel-datasource"] {
        assert!(broken.contains(&rule), "{rule} is in {broken:?}");
    }
}

#[test]
fn logs_have_rules_of_their_own() {
    let target = |expr: &str| {
        with("/panels/0/targets/0", json!({"datasource": {"type": "loki"}, "expr": expr}))
    };
    assert_eq!(target("sum(rate({a=\"b\"}[$__auto]))"), [""; 0]);
    assert_eq!(target("rate({a=\"b\"}[5m])"), ["target-logql-auto"]);
    assert_eq!(target("{a=\"b\"} |= ("), ["target-logql"]);
}

#[test]
fn what_has_no_unit_or_asks_nothing_needs_none() {
    assert_eq!(with("/panels/0/type", json!("text")), [""; 0]);
    let mappings = json!({"mappings": [{"type": "value"}]});
    assert_eq!(with("/panels/0/fieldConfig/defaults", mappings), [""; 0]);
    assert_eq!(with("/panels/0/targets/0", json!({"expr": "", "panelId": 1})), [""; 0]);
    assert_eq!(with("/panels/0/targets/0", json!({"expr": "x(", "hide": true})), [""; 0]);
}

#[test]
fn panels_are_counted_in_rows_too() {
    let mut board = right();
    let panel = board["panels"][0].clone();
    board["panels"] = json!([{"type": "row", "panels": vec![panel; PANELS_MAX + 1]}]);
    assert_eq!(broken(&board), ["too-many-panels"]);
}
