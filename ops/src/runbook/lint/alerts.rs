//! The alerts that there are: those of objectives, those by cause, and those of generated rules.
//!
//! An alert and its page are a pair. One without the other is a finding where it stands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use crate::findings::Finding;
use crate::locate::{self, Lines};
use crate::rota::{self, Rota};
use crate::runbook::page::{Kind, Page};

/// An alert, as far as pages have to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    /// Its name.
    pub(crate) name: String,
    /// The file.
    pub(crate) path: PathBuf,
    /// The line.
    pub(crate) line: usize,
    /// The objective, as service and name, when it belongs to one.
    pub(crate) slo: Option<String>,
    /// The schedule that it names.
    pub(crate) owner: Option<String>,
    /// How urgent it says to be.
    pub(crate) severity: Option<String>,
    /// Where it says that its page is.
    pub(crate) runbook_url: Option<String>,
}

/// All alerts.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    /// In the order of their files.
    pub(crate) all: Vec<Alert>,
}

impl Alerts {
    /// Reads a file of objectives or of rules.
    ///
    /// # Errors
    /// What is wrong with the file, and where.
    pub(crate) fn read(&mut self, path: &Path, text: &str) -> Result<(), Finding> {
        let whole: Value = serde_yaml::from_str(text).map_err(|error| {
            Finding::at(path, locate::of_error(&error, text), "yaml", error.to_string())
        })?;
        let lines = Lines::of(text);
        // A PrometheusRule has its groups within `spec`.
        let (base, spec) = match whole.get("spec") {
            Some(spec) if spec.get("groups").is_some() => ("spec.", spec),
            Some(_) | None => ("", &whole),
        };
        for (group, rules) in items(spec, "groups").enumerate() {
            for (place, rule) in items(rules, "rules").enumerate() {
                self.all.extend(text_of(rule, "alert").map(|name| Alert {
                    name,
                    path: path.to_owned(),
                    line: lines.at(&format!("{base}groups.{group}.rules.{place}")),
                    slo: None,
                    owner: rule.get("labels").and_then(|labels| text_of(labels, "owner")),
                    severity: rule.get("labels").and_then(|labels| text_of(labels, "severity")),
                    runbook_url:
                        rule.get("annotations").and_then(|all| text_of(all, "runbook_url")),
                }));
            }
        }
        let service = text_of(&whole, "service").unwrap_or_default();
        for (place, slo) in items(&whole, "slos").enumerate() {
            let alerting = slo.get("alerting").unwrap_or(&Value::Null);
            let url = alerting.get("annotations").and_then(|all| text_of(all, "runbook_url"));
            self.all.extend(text_of(alerting, "name").map(|name| Alert {
                name,
                path: path.to_owned(),
                line: lines.at(&format!("slos.{place}.alerting.name")),
                slo: text_of(slo, "name").map(|name| format!("{service}/{name}")),
                owner: slo.get("x-bifrost").and_then(|own| text_of(own, "owner")),
                severity: None,
                runbook_url: url,
            }));
        }
        let owner = text_of(&whole, "owner");
        for (place, alert) in items(&whole, "alerts").enumerate() {
            self.all.extend(text_of(alert, "alert").map(|name| Alert {
                name,
                path: path.to_owned(),
                line: lines.at(&format!("alerts.{place}")),
                slo: None,
                owner: text_of(alert, "owner").or_else(|| owner.clone()),
                severity: None,
                runbook_url: None,
            }));
        }
        Ok(())
    }
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_sequence).into_iter().flatten()
}

fn text_of(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

/// Each alert has a page, each page an alert, and both say the same.
pub(super) fn match_pages(alerts: &Alerts, pages: &[Page], findings: &mut Vec<Finding>) {
    let by_name: BTreeMap<&str, &Page> = pages
        .iter()
        .filter(|page| page.front.kind == Kind::Alert)
        .map(|page| (&page.name[..], page))
        .collect();
    for alert in &alerts.all {
        let mut add = |rule: &'static str, text: String| {
            findings.push(Finding::at(&alert.path, alert.line, rule, text));
        };
        let Some(page) = by_name.get(&alert.name[..]) else {
            add("missing-page", format!("the alert {0} has no page {0}.md", alert.name));
            continue;
        };
        let place = page.path.display();
        if let Some(slo) = alert.slo.as_ref().filter(|slo| page.front.slo.as_ref() != Some(slo)) {
            let text = format!("{} is for the objective {slo}: set `slo`", alert.name);
            findings.push(Finding::at(&page.path, page.key("slo"), "slo", text));
        }
        let mut add = |rule: &'static str, text: String| {
            findings.push(Finding::at(&alert.path, alert.line, rule, text));
        };
        if let Some(owner) = alert.owner.as_ref().filter(|owner| **owner != page.front.owner) {
            add("owner", format!("its owner is {owner:?}, and {:?} in {place}", page.front.owner));
        }
        let said: Vec<String> =
            page.front.severity.iter().map(|one| format!("{one:?}").to_lowercase()).collect();
        if let Some(severity) = alert.severity.as_ref().filter(|one| !said.contains(one)) {
            add("severity", format!("it is a {severity}, which {place} does not say"));
        }
        if let Some(url) = &alert.runbook_url {
            let end = url.rsplit('/').next().unwrap_or_default();
            let end = end.trim_end_matches(".html").trim_end_matches(".md");
            if end != alert.name {
                add("runbook-url", format!("{url:?} does not lead to {place}"));
            }
        }
    }
    for page in by_name.values() {
        if !alerts.all.iter().any(|alert| alert.name == page.name) {
            let text = format!("there is no alert {}: make it a procedure or remove it", page.name);
            findings.push(Finding::at(&page.path, page.key("alert"), "unknown-alert", text));
        }
    }
}

/// The owner of each alert is a schedule.
pub(super) fn owners(alerts: &Alerts, rota: &Rota, findings: &mut Vec<Finding>) {
    for alert in &alerts.all {
        let owner = alert.owner.iter();
        let place = (&*alert.path, alert.line);
        findings.extend(owner.filter_map(|owner| rota::unknown_owner(rota, owner, place)));
    }
}
