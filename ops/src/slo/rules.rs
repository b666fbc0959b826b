//! Recording rules and alerts of an objective.
//!
//! Bad events and all events are recorded apart and divided last. A window is the sum of what was
//! recorded, so that the share over 30 days weighs every event alike, costs one read of two series, and
//! is never NaN: a division by no events yields nothing. The hour that pages is read from the raw
//! series, since a sum of five-minute rates sees an outage minutes late. Series of one objective:
//! fifteen, as many as Sloth makes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::model::{Sli, Slo};
use super::promql::at_window;
use super::spec::Texts;
use crate::rota::on_call;

/// Seconds between evaluations of what pages. Recorded sums are counts of this many seconds.
pub(crate) const INTERVAL: u64 = 30;
/// Between evaluations of days. Less than the five minutes after which a series is taken for gone.
const SLOW_INTERVAL: &str = "2m";

/// A window by its name in PromQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// As PromQL writes it.
    pub(crate) name: &'static str,
    /// In seconds.
    pub(crate) seconds: u64,
}

const fn window(name: &'static str, seconds: u64) -> Window {
    Window { name, seconds }
}

const M5: Window = window("5m", 300);
const M30: Window = window("30m", 1_800);
const H1: Window = window("1h", 3_600);
const H2: Window = window("2h", 7_200);
const H6: Window = window("6h", 21_600);
const D1: Window = window("1d", 86_400);
const D3: Window = window("3d", 259_200);
const D30: Window = window("30d", 2_592_000);

/// The windows that are evaluated often.
const FAST: [Window; 4] = [M5, M30, H1, H6];
/// The others.
const SLOW: [Window; 4] = [H2, D1, D3, D30];

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Wakes somebody.
    Page,
    /// Waits for working hours.
    Ticket,
}

impl Severity {
    /// The value of the label.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Severity::Page => "page",
            Severity::Ticket => "ticket",
        }
    }
}

/// One condition of an alert: the budget burns `factor` times too fast over both windows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tier {
    /// Which alert it belongs to.
    pub(crate) severity: Severity,
    /// How many times too fast, as it is written into rules.
    pub(crate) factor: &'static str,
    /// The window that makes it end soon after the fault.
    pub(crate) short: Window,
    /// The window that makes it mean something.
    pub(crate) long: Window,
}

/// The tiers of the SRE workbook for 30 days: 2 % of the budget in an hour, 5 % in six, 10 % in a day
/// and in three.
pub(crate) const TIERS: [Tier; 4] = [
    Tier { severity: Severity::Page, factor: "14.4", short: M5, long: H1 },
    Tier { severity: Severity::Page, factor: "6", short: M30, long: H6 },
    Tier { severity: Severity::Ticket, factor: "3", short: H2, long: D1 },
    Tier { severity: Severity::Ticket, factor: "1", short: H6, long: D3 },
];

/// A file of rules.
#[derive(Debug, Serialize)]
pub(crate) struct Groups {
    pub(crate) groups: Vec<Group>,
}

/// Rules that are evaluated one after the other.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) interval: String,
    pub(crate) rules: Vec<Rule>,
}

/// A recording rule or an alert.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Rule {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) record: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) alert: String,
    pub(crate) expr: String,
    #[serde(rename = "for", skip_serializing_if = "String::is_empty")]
    pub(crate) lasting: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// How rules are made.
#[derive(Debug, Clone)]
pub(crate) struct Making {
    /// Where runbooks are published, without a slash at the end.
    pub(crate) runbooks: String,
    /// Seconds between evaluations.
    pub(crate) interval: u64,
}

impl Making {
    /// Where the runbook of an alert is published.
    pub(crate) fn runbook(&self, alert: &str) -> String {
        format!("{}/{alert}.html", self.runbooks.trim_end_matches('/'))
    }
}

/// The two groups of an objective.
pub(crate) fn groups(slo: &Slo, making: &Making) -> [Group; 2] {
    let mut fast = events(slo);
    fast.extend(FAST.map(|window| ratio(slo, window)));
    fast.extend(alert(slo, Severity::Page, making));
    let mut slow = SLOW.map(|window| ratio(slo, window)).to_vec();
    slow.extend(meta(slo));
    slow.extend(alert(slo, Severity::Ticket, making));
    let interval = format!("{}s", making.interval);
    [
        Group { name: format!("slo-{}", slo.id()), interval, rules: fast },
        Group {
            name: format!("slo-{}-slow", slo.id()),
            interval: SLOW_INTERVAL.into(),
            rules: slow,
        },
    ]
}

/// Bad events a second over a window, from the raw series; zero where there are events and none bad.
pub(crate) fn error_at(slo: &Slo, window: &str) -> String {
    let total = total_at(slo, window);
    match &slo.sli {
        Sli::Events(events) => {
            let error = at_window(&events.error_query, window);
            let safe = slo.shape.as_ref().is_none_or(super::source::Shape::may_lack_errors);
            if safe { format!("({error})\nor\n0 * ({total})") } else { error }
        }
        // What is NaN is no share of anything.
        Sli::Raw(ratio) => format!("({}) >= 0", at_window(ratio, window)),
    }
}

/// All events a second over a window, from the raw series.
pub(crate) fn total_at(slo: &Slo, window: &str) -> String {
    match &slo.sli {
        Sli::Events(events) => at_window(&events.total_query, window),
        Sli::Raw(ratio) => format!("0 * (({}) >= 0) + 1", at_window(ratio, window)),
    }
}

/// The matchers of an objective's recorded series.
pub(crate) fn chosen(slo: &Slo) -> String {
    format!("{{sloth_service=\"{}\",sloth_slo=\"{}\"}}", slo.service, slo.name)
}

/// The labels that all series of an objective have.
pub(crate) fn identity(slo: &Slo) -> BTreeMap<String, String> {
    let own = [("sloth_id", slo.id()), ("sloth_service", slo.service.clone())];
    let own = own.into_iter().chain([("sloth_slo", slo.name.clone())]);
    let own = own.map(|(name, value)| (name.to_owned(), value));
    slo.labels.clone().into_iter().chain(own).collect()
}

fn record(slo: &Slo, name: impl Into<String>, expr: impl Into<String>) -> Rule {
    let (record, expr) = (name.into(), expr.into());
    Rule { record, expr, labels: identity(slo), ..Rule::default() }
}

fn events(slo: &Slo) -> Vec<Rule> {
    let both = |window: Window| {
        let name = window.name;
        [
            record(slo, format!("slo:events_error:rate{name}"), error_at(slo, name)),
            record(slo, format!("slo:events_total:rate{name}"), total_at(slo, name)),
        ]
    };
    [M5, H1].into_iter().flat_map(both).collect()
}

fn ratio(slo: &Slo, window: Window) -> Rule {
    let (of, name) = (chosen(slo), window.name);
    let expr = if window == M5 || window == H1 {
        format!("slo:events_error:rate{name}{of}\n/\n(slo:events_total:rate{name}{of} > 0)")
    } else {
        format!(
            "sum_over_time(slo:events_error:rate5m{of}[{name}])\n/\n\
             (sum_over_time(slo:events_total:rate5m{of}[{name}]) > 0)"
        )
    };
    let mut rule = record(slo, format!("slo:sli_error:ratio_rate{name}"), expr);
    rule.labels.insert("sloth_window".into(), name.into());
    rule
}

fn meta(slo: &Slo) -> [Rule; 3] {
    let spent = format!("max(slo:sli_error:ratio_rate30d{}) without (sloth_window)", chosen(slo));
    let remaining = if slo.is_absolute() {
        format!("{spent} == bool 0")
    } else {
        format!("1 - {spent} / {}", slo.budget())
    };
    let mut info = record(slo, "sloth_slo_info", "vector(1)");
    info.labels.insert("sloth_objective".into(), slo.objective.to_string());
    info.labels.insert("sloth_spec".into(), "prometheus/v1".into());
    [
        record(slo, "slo:objective:ratio", format!("vector({})", slo.objective.ratio())),
        record(slo, "slo:error_budget_remaining:ratio", remaining),
        info,
    ]
}

/// The alert of a severity, when the objective has one.
pub(crate) fn alert(slo: &Slo, severity: Severity, making: &Making) -> Option<Rule> {
    let special = match severity {
        Severity::Page => &slo.alerting.page_alert,
        Severity::Ticket => &slo.alerting.ticket_alert,
    };
    if special.disable || (slo.is_absolute() && severity == Severity::Ticket) {
        return None;
    }
    let name = slo.alerting.name.clone();
    let mut labels = BTreeMap::from([
        ("severity".to_owned(), severity.text().to_owned()),
        ("sloth_severity".to_owned(), severity.text().to_owned()),
    ]);
    let title = "SLO error budget burn rate is too fast.";
    let title = format!(
        "({}) {{{{$labels.sloth_service}}}} {{{{$labels.sloth_slo}}}} {title}",
        severity.text()
    );
    let mut annotations = BTreeMap::from([
        ("title".to_owned(), title),
        ("summary".to_owned(), format!("{} {}: {}", slo.service, slo.name, said(slo, severity))),
    ]);
    if let Some(own) = &slo.own {
        labels.insert("owner".into(), own.owner.clone());
        annotations.insert("impact".into(), own.impact.clone());
        annotations.insert("runbook_url".into(), making.runbook(&name));
        annotations.insert("on_call".into(), on_call::annotation(&own.owner));
        if !own.reason.is_empty() {
            annotations.insert("reason".into(), own.reason.clone());
        }
    }
    for texts in [&slo.alerting.labels, &special.labels] {
        put(&mut labels, texts);
    }
    for texts in [&slo.alerting.annotations, &special.annotations] {
        put(&mut annotations, texts);
    }
    let expr = expression(slo, severity, making.interval);
    Some(Rule { alert: name, expr, labels, annotations, ..Rule::default() })
}

fn put(into: &mut BTreeMap<String, String>, texts: &Texts) {
    into.extend(texts.iter().map(|(name, text)| (name.clone(), text.0.clone())));
}

/// What the alert says in one line.
fn said(slo: &Slo, severity: Severity) -> String {
    if slo.is_absolute() {
        return "an event is bad that never may be".to_owned();
    }
    let tiers = TIERS.iter().filter(|tier| tier.severity == severity);
    let burns: Vec<String> =
        tiers.map(|tier| format!("{} times over {}", tier.factor, tier.long.name)).collect();
    format!("the budget of {} burns too fast: {}", slo.budget(), burns.join(", or "))
}

fn expression(slo: &Slo, severity: Severity, interval: u64) -> String {
    let of = chosen(slo);
    if slo.is_absolute() {
        return format!("slo:events_error:rate1h{of} > 0");
    }
    let tiers = TIERS.iter().filter(|tier| tier.severity == severity);
    let conditions: Vec<String> = tiers
        .map(|tier| {
            let bound = format!("({} * {})", tier.factor, slo.budget());
            let over = |window: Window| {
                format!(
                    "    max(slo:sli_error:ratio_rate{}{of} > {bound}) without (sloth_window)",
                    window.name
                )
            };
            let guard = guard(slo, tier.long, interval);
            format!("(\n{}\n    and\n{}{guard}\n)", over(tier.short), over(tier.long))
        })
        .collect();
    conditions.join("\nor\n")
}

/// That the long window holds enough bad events to mean something. A count is a rate times seconds.
fn guard(slo: &Slo, long: Window, interval: u64) -> String {
    let (of, least) = (chosen(slo), slo.min_events());
    if least == 0 {
        return String::new();
    }
    let count = if long == H1 {
        format!("slo:events_error:rate1h{of} * {}", H1.seconds)
    } else {
        format!("sum_over_time(slo:events_error:rate5m{of}[{}]) * {interval}", long.name)
    };
    format!("\n    and\n    {count} >= {least}")
}

#[cfg(test)]
mod tests;
