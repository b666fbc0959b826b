//! Rules by their expressions: windows, factors, guards and exact decimals.

use std::path::Path;

use super::super::model::{Service, read};
use super::super::promql;
use super::super::promtool::ours;
use super::*;

fn making() -> Making {
    Making { runbooks: "https://ops.example/runbooks/".into(), interval: INTERVAL }
}

fn written(text: &str) -> Service {
    read(Path::new("slo/x.yaml"), text).expect("it has no findings")
}

/// An objective as Sloth knows it, with nothing of ours.
fn plain() -> Slo {
    let text = "version: prometheus/v1\nservice: a\nslos:\n- name: b\n  objective: 99.95\n  sli: {events: \
                {error_query: 'sum(rate(e[{{.window}}]))', total_query: 'sum(rate(t[{{.window}}]))'}}\n  \
                alerting: {name: C}\n";
    written(text).slos.remove(0)
}

#[test]
fn an_objective_costs_as_many_series_as_with_sloth() {
    for slo in ours().services.iter().flat_map(|service| &service.slos) {
        let groups = groups(slo, &making());
        let recorded = groups.iter().flat_map(|group| &group.rules);
        let recorded = recorded.filter(|rule| !rule.record.is_empty()).count();
        assert_eq!(recorded, 15, "eight windows and seven more: {}", slo.id());
    }
}

#[test]
fn every_expression_can_be_read() {
    for slo in ours().services.iter().flat_map(|service| &service.slos) {
        for rule in groups(slo, &making()).iter().flat_map(|group| &group.rules) {
            assert!(promql::parse(&rule.expr).is_ok(), "{}", rule.expr);
        }
    }
}

#[test]
fn every_alert_carries_what_an_operator_needs() {
    for slo in ours().services.iter().flat_map(|service| &service.slos) {
        let alerts: Vec<Rule> = [Severity::Page, Severity::Ticket]
            .into_iter()
            .filter_map(|s| alert(slo, s, &making()))
            .collect();
        assert!(!alerts.is_empty(), "{}", slo.id());
        for alert in alerts {
            assert!(["page", "ticket"].contains(&alert.labels["severity"].as_str()));
            assert_eq!(alert.labels["owner"], "bifrost-oncall");
            let page = format!("https://ops.example/runbooks/{}.html", alert.alert);
            assert_eq!(alert.annotations["runbook_url"], page);
            for name in ["summary", "impact"] {
                assert!(!alert.annotations[name].is_empty(), "{}", alert.alert);
            }
        }
    }
}

#[test]
fn budgets_are_exact() {
    let all = super::super::generate::text(&Groups { groups: groups(&plain(), &making()).into() });
    assert!(all.contains("vector(0.9995)") && all.contains("(14.4 * 0.0005)"), "{all}");
    assert!(!all.contains("0.000499") && !all.contains("0.99949"), "{all}");
}

#[test]
fn the_hour_that_pages_is_read_from_the_raw_series() {
    let [fast, _] = groups(&plain(), &making());
    let hour = fast.rules.iter().find(|rule| rule.record == "slo:events_error:rate1h");
    assert_eq!(
        hour.expect("it is recorded").expr,
        "(sum(rate(e[1h])))\nor\n0 * (sum(rate(t[1h])))"
    );
}

#[test]
fn nothing_is_divided_by_what_may_be_zero() {
    for rule in groups(&plain(), &making()).iter().flat_map(|group| &group.rules) {
        for divisor in rule.expr.split('/').skip(1) {
            let divisor = divisor.trim();
            let safe = divisor.ends_with("> 0)") || divisor.parse::<f64>().is_ok_and(|it| it > 0.0);
            assert!(safe, "{}", rule.expr);
        }
    }
}

#[test]
fn a_histogram_without_its_bucket_is_not_taken_for_health() {
    let sources = ours();
    let gateway = sources.services.iter().find(|service| service.name == "gateway").expect("it is");
    let error = |name: &str| {
        let slo = gateway.slos.iter().find(|slo| slo.name == name).expect("it is there");
        error_at(slo, "5m")
    };
    assert!(error("availability").contains("\nor\n0 * "));
    assert!(!error("first-byte").contains("\nor\n"));
}

#[test]
fn who_asks_for_no_guard_has_none() {
    let page = alert(&plain(), Severity::Page, &making()).expect("it has one");
    assert!(!page.expr.contains(">="), "{}", page.expr);
    assert!(!page.labels.contains_key("owner"), "nobody is made up");
}
