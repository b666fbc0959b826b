//! Each rule for expressions is broken by its own fault, and by nothing that is well.

use super::*;
use crate::dash::played;

fn rules(expr: &str, legend: &str, schema: &Schema) -> Vec<&'static str> {
    let known = Known {
        schema,
        scrape_interval: Duration::from_secs(15),
        retention: Duration::from_secs(31 * 86_400),
    };
    let tree = promql::parse(expr).unwrap_or_else(|error| panic!("{expr}: {error}"));
    check(&tree, legend, known).into_iter().map(|(rule, _)| rule).collect()
}

#[test]
fn each_fault_of_an_expression_has_its_rule() {
    let schema = played::schema();
    for (rule, expr) in [
        ("rate-of-gauge", "rate(process_open_fds[5m])"),
        ("rate-of-sum", "rate(sum(bifrost_gateway_limit_full_total)[5m:1m])"),
        ("irate", "irate(bifrost_gateway_limit_full_total[5m])"),
        ("delta-of-counter", "delta(bifrost_gateway_limit_full_total[5m])"),
        ("narrow-window", "rate(bifrost_gateway_limit_full_total[59s])"),
        ("needless-regexp", "bifrost_gateway_in_flight{traffic=~\"gateway\"}"),
        ("needless-regexp", "bifrost_gateway_in_flight{traffic=~\".*\"}"),
        ("impossible-selector", "up{job=\"node\", job!~\"no.*\"}"),
        ("impossible-selector", "bifrost_gateway_in_flight{traffic=\"web\"}"),
        ("impossible-selector", "bifrost_gateway_first_byte_seconds_bucket{le=\"0.31\"}"),
        ("unknown-metric", "bifrost_gateway_in_flights"),
        ("unknown-label", "bifrost_gateway_in_flight{form=\"path\"}"),
        ("unknown-label", "sum by (form) (bifrost_gateway_in_flight)"),
        ("vector-matching", "bifrost_gateway_in_flight / bifrost_node_in_flight"),
        ("vector-matching", "process_open_fds * on (node) process_max_fds"),
        ("vector-matching", "sum by (job) (up) / sum by (instance) (up)"),
        (
            "quantile-without-le",
            "histogram_quantile(0.9, sum by (cache) (bifrost_gateway_first_byte_seconds_bucket))",
        ),
        ("beyond-retention", "max_over_time(up[32d])"),
    ] {
        assert_eq!(rules(expr, "", &schema), [rule], "{expr}");
    }
    assert_eq!(rules("sum by (job) (up)", "{{job}} {{ instance }}", &schema), ["lost-label"]);
}

#[test]
fn expressions_that_are_right_are_left_alone() {
    let schema = played::schema();
    for expr in [
        "sum by (job) (rate(bifrost_gateway_limit_full_total{job=~\"$job\"}[1m]))",
        "process_open_fds / process_max_fds",
        "sum(up) / count(up)",
        "bifrost_gateway_in_flight / on (instance) group_left () sum by (instance) (up)",
        "histogram_quantile(0.9, sum by (le) (rate(bifrost_probe_seconds_bucket[5m])))",
        "slo:sli_error:ratio_rate1h / (1 - slo:objective:ratio)",
        "up or vector(0)",
        "label_replace(up, \"x\", \"$1\", \"job\", \"(.*)\")",
        "topk(3, up) unless absent(up)",
        "bifrost_gateway_in_flight{traffic!=\"probe\"}",
        "deriv(process_resident_memory_bytes[1h])",
    ] {
        assert_eq!(rules(expr, "", &schema), [""; 0], "{expr}");
    }
}

#[test]
fn what_is_not_known_is_not_held_against_anybody() {
    let nothing = Schema::default();
    assert_eq!(rules("a / b", "{{x}}", &nothing), [""; 0]);
    assert_eq!(rules("sum by (x) (a)", "{{x}}", &nothing), [""; 0]);
}

#[test]
fn a_misspelt_metric_is_told_the_right_name() {
    let schema = played::schema();
    let known =
        Known { schema: &schema, scrape_interval: Duration::ZERO, retention: Duration::MAX };
    let tree = promql::parse("sum(rate(bifrost_gateway_request_total[1m]))").expect("it is PromQL");
    let said = check(&tree, "", known);
    assert!(said[0].1.ends_with("is bifrost_gateway_requests_total meant?"), "{said:?}");
}
