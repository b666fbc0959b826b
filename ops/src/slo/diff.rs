//! What differs between two folders of objectives, in what they mean and not in how they are written.

use std::collections::BTreeMap;

use serde::Serialize;

use super::generate::Sources;
use super::model::Slo;
use super::promql;
use super::rules::{Making, Severity, alert, error_at, total_at};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// `service/objective`, or the name of an alert by cause.
    pub(crate) of: String,
    /// What it is a difference in.
    pub(crate) what: String,
    /// How it is in the first folder; empty when it is not.
    pub(crate) before: String,
    /// How it is in the second.
    pub(crate) after: String,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { of, what, before, after } = self;
        match (before.is_empty(), after.is_empty()) {
            (true, _) => write!(f, "+ {of} {what}: {after}"),
            (false, true) => write!(f, "- {of} {what}: {before}"),
            (false, false) => write!(f, "~ {of} {what}: {before} -> {after}"),
        }
    }
}

/// A property and how it is written.
struct Property {
    what: String,
    text: String,
    is_expression: bool,
}

/// All differences, in the order of names.
pub(crate) fn changes(before: &Sources, after: &Sources) -> Vec<Change> {
    let (before, after) = (properties(before), properties(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let none = Vec::new();
    let mut changes = Vec::new();
    for name in names {
        let of = |side: &Vec<Property>, what: &str| {
            side.iter().find(|one| one.what == what).map(|one| one.text.clone()).unwrap_or_default()
        };
        let (one, other) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
        let mut whats: Vec<&Property> = one.iter().collect();
        whats.extend(other.iter().filter(|new| one.iter().all(|old| old.what != new.what)));
        for Property { what, is_expression, .. } in whats {
            let (before, after) = (of(one, what), of(other, what));
            let same = before == after || (*is_expression && promql::same(&before, &after));
            if !same {
                changes.push(Change { of: name.clone(), what: what.clone(), before, after });
            }
        }
    }
    changes
}

fn properties(sources: &Sources) -> BTreeMap<String, Vec<Property>> {
    // Runbooks may be published elsewhere without a promise being another.
    let making = Making { runbooks: String::new(), ..sources.making(None) };
    let mut all = BTreeMap::new();
    for slo in sources.services.iter().flat_map(|service| &service.slos) {
        all.insert(slo.full_name(), of_slo(slo, &making));
    }
    for cause in sources.causes.iter().flat_map(|causes| &causes.alerts) {
        let rules = cause.rules.iter().flat_map(|rule| {
            let severity = rule.severity.text();
            [
                expression(format!("{severity} when"), rule.expr.trim()),
                text(format!("{severity} for"), &rule.lasting),
            ]
        });
        let words = [text("summary", &cause.summary), text("impact", &cause.impact)];
        all.insert(cause.alert.clone(), rules.chain(words).collect());
    }
    all
}

fn of_slo(slo: &Slo, making: &Making) -> Vec<Property> {
    let mut all = vec![
        text("objective", &slo.objective.to_string()),
        text("alert", &slo.alerting.name),
        text("min_events", &slo.min_events().to_string()),
        expression("bad events", &error_at(slo, "5m")),
        expression("all events", &total_at(slo, "5m")),
    ];
    if let Some(own) = &slo.own {
        all.extend([text("owner", &own.owner), text("impact", &own.impact)]);
    }
    all.extend(slo.labels.iter().map(|(name, value)| text(format!("label {name}"), value)));
    for severity in [Severity::Page, Severity::Ticket] {
        let Some(rule) = alert(slo, severity, making) else { continue };
        let name = severity.text();
        all.push(text(name, "raised"));
        all.push(text(format!("{name} severity"), &rule.labels["severity"]));
        let words = rule.annotations.iter().filter(|(name, _)| *name != "runbook_url");
        all.extend(words.map(|(word, said)| text(format!("{name} {word}"), said)));
    }
    all
}

fn text(what: impl Into<String>, text: &str) -> Property {
    Property { what: what.into(), text: text.to_owned(), is_expression: false }
}

fn expression(what: impl Into<String>, text: &str) -> Property {
    Property { what: what.into(), text: text.to_owned(), is_expression: true }
}
