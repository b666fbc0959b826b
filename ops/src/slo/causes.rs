//! Alerts by cause, `slo/alerts.yaml`: what is wrong inside, beside what users feel.
//!
//! Each rule says why it wakes somebody or waits, and carries the fault that makes it fire, so that no
//! alert is ever seen for the first time in an incident.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::findings::Finding;
use crate::locate::Step::{self, At, Key};
use crate::locate::line_of;
use crate::rota::on_call;

use super::model::Service;
use super::promql;
use super::rules::{self, Group, INTERVAL, Making, Rule, Severity};

/// What stands for one rule for every recorded total.
const EVERY_SIGNAL: &str = "{{every signal}}";

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Causes {
    /// `bifrost/v1`.
    version: String,
    /// Where runbooks are published, unless the command line says otherwise.
    pub(crate) runbooks: String,
    /// A schedule of the rota, of every alert here.
    pub(crate) owner: String,
    /// The alerts.
    pub(crate) alerts: Vec<Cause>,
    /// The lines on which the alerts begin.
    #[serde(skip)]
    pub(crate) lines: Vec<usize>,
    /// The line of the owner.
    #[serde(skip)]
    pub(crate) owner_line: usize,
}

/// One alert.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cause {
    pub(crate) alert: String,
    pub(crate) summary: String,
    pub(crate) impact: String,
    pub(crate) rules: Vec<When>,
}

/// When it is raised, and how urgent it is then.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct When {
    pub(crate) severity: Severity,
    /// Why it wakes somebody, or may wait.
    pub(crate) reason: String,
    pub(crate) expr: String,
    /// How long it must last.
    #[serde(rename = "for")]
    pub(crate) lasting: String,
    /// How long the series below last, in minutes.
    #[serde(default = "minutes")]
    pub(crate) minutes: u64,
    /// Series in promtool's notation, one value a minute, under which it fires at the end.
    #[serde(default)]
    pub(crate) fault: BTreeMap<String, String>,
    /// Series under which it does not fire at any time.
    #[serde(default)]
    pub(crate) quiet: BTreeMap<String, String>,
}

fn minutes() -> u64 {
    20
}

impl When {
    /// Whether it stands for every recorded total.
    pub(crate) fn is_every_signal(&self) -> bool {
        self.expr.trim() == EVERY_SIGNAL
    }
}

/// Reads the file.
///
/// # Errors
/// What is wrong with it, each on its line.
pub(crate) fn read(path: &Path, text: &str) -> Result<Causes, Vec<Finding>> {
    let mut causes: Causes = serde_yaml::from_str(text).map_err(|error| {
        let line = error.location().map_or(0, |place| place.line());
        vec![Finding::at(path, line, "yaml", error.to_string())]
    })?;
    let mut findings = Vec::new();
    let mut found = |at: &[Step<'_>], rule, what: String| {
        findings.push(Finding::at(path, line_of(text, at), rule, what));
    };
    if causes.version != "bifrost/v1" {
        found(&[Key("version")], "version", format!("{:?} is not `bifrost/v1`", causes.version));
    }
    let mut names = std::collections::BTreeSet::new();
    for (index, cause) in causes.alerts.iter().enumerate() {
        let at = [Key("alerts"), At(index)];
        if !names.insert(&cause.alert) {
            found(&at, "duplicate", format!("there is an alert {:?} already", cause.alert));
        }
        if cause.rules.is_empty() {
            found(&at, "empty", "it has no rule".to_owned());
        }
        for (place, when) in cause.rules.iter().enumerate() {
            let rule = [&at[..], &[Key("rules"), At(place)]].concat();
            if humantime::parse_duration(&when.lasting).is_err() {
                let text = format!("{:?} is not a time such as `5m`", when.lasting);
                found(&[&rule[..], &[Key("for")]].concat(), "time", text);
            }
            if when.is_every_signal() {
                continue;
            }
            if let Err(error) = promql::parse(&when.expr) {
                found(&[&rule[..], &[Key("expr")]].concat(), "promql", error);
            }
            if when.fault.is_empty() || when.quiet.is_empty() {
                found(&rule, "untested", "it needs `fault` and `quiet` series".to_owned());
            }
        }
    }
    causes.lines =
        (0..causes.alerts.len()).map(|at| line_of(text, &[Key("alerts"), At(at)])).collect();
    causes.owner_line = line_of(text, &[Key("owner")]);
    if findings.is_empty() { Ok(causes) } else { Err(findings) }
}

/// The group of alerts by cause.
pub(crate) fn group(causes: &Causes, services: &[Service], making: &Making) -> Group {
    let rules = causes.alerts.iter().flat_map(|cause| {
        cause.rules.iter().filter_map(|when| rule(causes, cause, when, services, making))
    });
    Group { name: "causes".into(), interval: format!("{INTERVAL}s"), rules: rules.collect() }
}

fn rule(
    causes: &Causes,
    cause: &Cause,
    when: &When,
    services: &[Service],
    making: &Making,
) -> Option<Rule> {
    let expr = if when.is_every_signal() {
        absent(services, when.severity, making)?
    } else {
        when.expr.trim().to_owned()
    };
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Some(Rule {
        alert: cause.alert.clone(),
        expr,
        lasting: when.lasting.clone(),
        labels: BTreeMap::from([
            text("severity", when.severity.text()),
            text("owner", &causes.owner),
        ]),
        annotations: BTreeMap::from([
            text("summary", &cause.summary),
            text("impact", &cause.impact),
            text("reason", &when.reason),
            text("runbook_url", &making.runbook(&cause.alert)),
            text("on_call", &on_call::annotation(&causes.owner)),
        ]),
        ..Rule::default()
    })
}

/// A missing signal is as urgent as the most urgent alert that it silences.
fn absent(services: &[Service], severity: Severity, making: &Making) -> Option<String> {
    let pages = |slo| rules::alert(slo, Severity::Page, making).is_some();
    let of = services.iter().flat_map(|service| &service.slos);
    // Bad events are recorded wherever there are events at all, so their absence covers both.
    let each = of.filter(|slo| pages(slo) == (severity == Severity::Page)).map(|slo| {
        format!(
            "absent(slo:events_error:rate5m{{sloth_id=\"{}\",sloth_service=\"{}\",sloth_slo=\"{}\"}})",
            slo.id(), slo.service, slo.name
        )
    });
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| each.join("\nor\n"))
}
