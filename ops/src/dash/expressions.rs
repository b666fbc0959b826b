//! What is wrong with an expression whoever asks it: rates of what is no counter, windows that are too
//! narrow, selectors that can find nothing, sides that cannot match.
//!
//! What is not known is not held against anybody: without a schema, rules that need one are silent.

use std::collections::BTreeMap;
use std::time::Duration;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Expr, VectorSelector};

use super::exposed::{Schema, is_counter};
use crate::promql;

mod labels;

use labels::labels_of;

/// Every rule, for exclusions.
pub(super) const NAMES: [&str; 14] = [
    "promql",
    "rate-of-gauge",
    "rate-of-sum",
    "irate",
    "delta-of-counter",
    "narrow-window",
    "needless-regexp",
    "impossible-selector",
    "unknown-metric",
    "unknown-label",
    "vector-matching",
    "quantile-without-le",
    "lost-label",
    "beyond-retention",
];

/// What is known beside the expression.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// What processes expose; empty when that is not known.
    pub(super) schema: &'a Schema,
    /// How often it is scraped.
    pub(super) scrape_interval: Duration,
    /// How long it is kept.
    pub(super) retention: Duration,
}

/// What a rule says about an expression.
pub(super) type Said = (&'static str, String);

/// Holds an expression against all rules. `legend` is how its series are called, when they are.
pub(super) fn check(tree: &Expr, legend: &str, known: Known<'_>) -> Vec<Said> {
    let mut said = Vec::new();
    promql::walk(tree, &mut |part, _| {
        if let Some((selector, _)) = promql::selector(part) {
            check_selector(selector, known, &mut said);
        }
        if let Expr::Call(call) = part {
            let args: Vec<&Expr> = call.args.args.iter().map(|arg| &**arg).collect();
            check_call(call.func.name, &args, known, &mut said);
        }
        labels::check(part, known.schema, &mut said);
    });
    let reach = promql::reach(tree);
    if reach > known.retention {
        let (reach, kept) = (written(reach), written(known.retention));
        said.push(("beyond-retention", format!("it looks {reach} back, and {kept} are kept")));
    }
    if let Some(labels) = labels_of(tree, known.schema) {
        for label in legend_labels(legend).filter(|label| !labels.contains(*label)) {
            let text = format!("its legend names the label {label}, which its value has not");
            said.push(("lost-label", text));
        }
    }
    said.dedup();
    said
}

/// The labels that a legend names.
pub(super) fn legend_labels(legend: &str) -> impl Iterator<Item = &str> {
    let inner = legend.split("{{").skip(1).filter_map(|rest| rest.split_once("}}"));
    inner.map(|(label, _)| label.trim())
}

fn check_selector(selector: &VectorSelector, known: Known<'_>, said: &mut Vec<Said>) {
    let matchers: Vec<&Matcher> = promql::matchers(selector).collect();
    for matcher in &matchers {
        let regexp = matches!(matcher.op, MatchOp::Re(_) | MatchOp::NotRe(_));
        if regexp && (promql::is_literal(&matcher.value) || matcher.value == ".*") {
            let text = format!("`{matcher}` needs no regular expression");
            said.push(("needless-regexp", text));
        }
        let other = matchers.iter().find(|other| {
            other.name == matcher.name
                && matcher.op == MatchOp::Equal
                && !other.value.contains('$')
                && !other.is_match(&matcher.value)
        });
        if let Some(other) = other {
            let text = format!("`{matcher}` and `{other}` hold for no series together");
            said.push(("impossible-selector", text));
        }
    }
    let Some(metric) = promql::metric(selector) else {
        return;
    };
    if known.schema.is_empty() {
        return;
    }
    if !known.schema.knows(metric) {
        let near = known.schema.nearest(metric);
        let near = near.map(|near| format!(": is {near} meant?")).unwrap_or_default();
        said.push(("unknown-metric", format!("no process exposes {metric}{near}")));
    }
    if let Some(exposed) = known.schema.get(metric) {
        for matcher in matchers {
            check_value(metric, matcher, exposed, said);
        }
    }
}

/// Labels that Prometheus and its configuration add to every series.
const OF_TARGETS: [&str; 4] = ["job", "instance", "env", "__name__"];

/// A matcher that no exposed series meets. Labels are closed and begin at zero, so that a value which
/// is not exposed never will be.
fn check_value(
    metric: &str,
    matcher: &Matcher,
    exposed: &super::exposed::Exposed,
    said: &mut Vec<Said>,
) {
    if OF_TARGETS.contains(&&matcher.name[..]) || matcher.value.contains('$') {
        return;
    }
    let Some(values) = exposed.labels.get(&matcher.name) else {
        let text = format!("{metric} has no label {}", matcher.name);
        return said.push(("unknown-label", text));
    };
    if !values.iter().any(|value| matcher.is_match(value)) {
        let values: Vec<&str> = values.iter().take(20).map(String::as_str).collect();
        let text = format!("no {metric} meets `{matcher}`; there are {}", values.join(", "));
        said.push(("impossible-selector", text));
    }
}

fn check_call(function: &str, args: &[&Expr], known: Known<'_>, said: &mut Vec<Said>) {
    let of_counters = matches!(function, "rate" | "irate" | "increase");
    let of_gauges = matches!(function, "delta" | "idelta" | "deriv" | "predict_linear");
    if matches!(function, "irate" | "idelta") {
        let text =
            format!("{function} shows the last two scrapes only, so that most is never seen");
        said.push(("irate", text));
    }
    for arg in args {
        let mut arg = *arg;
        while let Expr::Paren(paren) = arg {
            arg = &paren.expr;
        }
        if of_counters && matches!(arg, Expr::Subquery(_)) {
            let text = format!(
                "{function} of a sum takes a restart of one for an event: sum the {function}"
            );
            said.push(("rate-of-sum", text));
        }
        let Some((selector, Some(range))) = promql::selector(arg) else {
            continue;
        };
        let metric = promql::metric(selector).unwrap_or_default();
        if of_counters && !metric.is_empty() && !is_counter(metric, known.schema) {
            said.push(("rate-of-gauge", format!("{function} of {metric}, which is no counter")));
        }
        if of_gauges && is_counter(metric, known.schema) {
            let text =
                format!("{function} of the counter {metric} shows restarts: take its increase");
            said.push(("delta-of-counter", text));
        }
        let least = known.scrape_interval * 4;
        if (of_counters || of_gauges) && range < least {
            let (range, least) = (written(range), written(least));
            let text =
                format!("{function} over {range} holds fewer than four scrapes: take {least}");
            said.push(("narrow-window", text));
        }
    }
    if function == "histogram_quantile"
        && let Some(labels) = args.get(1).and_then(|arg| labels_of(arg, known.schema))
        && !labels.contains("le")
    {
        let text = "histogram_quantile needs the label le, which is summed away".to_owned();
        said.push(("quantile-without-le", text));
    }
}

fn written(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// Ids of numbers whose expressions are one and the same, each with the id that came first.
pub(super) fn duplicates<'a>(
    trees: impl Iterator<Item = (&'a str, &'a Expr)>,
) -> Vec<(&'a str, &'a str)> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut twice = Vec::new();
    for (id, tree) in trees {
        let first = *seen.entry(promql::canonical(tree)).or_insert(id);
        if first != id {
            twice.push((id, first));
        }
    }
    twice
}

#[cfg(test)]
mod tests;
