//! Whether objectives can be kept track of: names, people, pages, and series that really exist.
//!
//! A wrong bucket or label makes a rule that is silent for ever, which looks like health. So every
//! selection is held against what a process really exposes.

mod exposed;
pub(crate) mod online;

use std::path::{Path, PathBuf};

use crate::findings::Finding;
use crate::rota::schedule_names;

use super::generate::Sources;
use super::model::{Service, Slo};
use super::promql::{self, Selector};
use super::rules::{Making, Severity, alert, error_at, total_at};
use super::source::Shape;

pub(crate) use exposed::Exposed;

/// What objectives are held against.
#[derive(Debug)]
pub(crate) struct Against<'a> {
    /// The folder with a page for every alert.
    pub(crate) runbooks: &'a Path,
    /// The file with schedules; owners are not checked when it does not exist.
    pub(crate) rota: &'a Path,
    /// What processes expose, when it is known.
    pub(crate) exposed: Option<&'a Exposed>,
}

/// Where an alert is described.
struct Described<'a> {
    path: &'a Path,
    name: &'a str,
    line: usize,
    owner: &'a str,
    owner_line: usize,
}

/// All findings of an offline check.
///
/// # Errors
/// When the rota exists and cannot be read.
pub(crate) fn offline(
    sources: &Sources,
    dir: &Path,
    against: &Against<'_>,
) -> std::io::Result<Vec<Finding>> {
    let making = sources.making(None);
    let alerts_file = dir.join("alerts.yaml");
    let described = described(sources, &alerts_file);
    let mut findings = twice(&described);
    findings.extend(described.iter().filter_map(|alert| page(alert, against.runbooks)));
    findings.extend(owners(&described, against.rota)?);
    for service in &sources.services {
        for slo in &service.slos {
            findings.extend(own(service, slo, &making));
            if let Some(exposed) = against.exposed {
                findings.extend(series(service, slo, exposed));
            }
        }
    }
    if let (Some(exposed), Some(causes)) = (against.exposed, &sources.causes) {
        for (cause, line) in causes.alerts.iter().zip(&causes.lines) {
            for when in cause.rules.iter().filter(|when| !when.is_every_signal()) {
                let wrong = wrong(&when.expr, exposed);
                findings.extend(
                    wrong
                        .into_iter()
                        .map(|(rule, text)| Finding::at(&alerts_file, *line, rule, text)),
                );
            }
        }
    }
    Ok(findings)
}

fn described<'a>(sources: &'a Sources, file: &'a Path) -> Vec<Described<'a>> {
    let mut all = Vec::new();
    for service in &sources.services {
        let named = service.slos.iter().filter(|slo| !slo.alerting.name.is_empty());
        all.extend(named.map(|slo| Described {
            path: &service.path,
            name: &slo.alerting.name,
            line: slo.lines.alert,
            owner: slo.own.as_ref().map_or("", |own| &own.owner),
            owner_line: slo.lines.owner,
        }));
    }
    if let Some(causes) = &sources.causes {
        all.extend(causes.alerts.iter().zip(&causes.lines).map(|(cause, line)| Described {
            path: file,
            name: &cause.alert,
            line: *line,
            owner: &causes.owner,
            owner_line: causes.owner_line,
        }));
    }
    all
}

fn twice(described: &[Described<'_>]) -> Vec<Finding> {
    let mut seen = std::collections::BTreeMap::new();
    let mut findings = Vec::new();
    for alert in described {
        if let Some(first) = seen.insert(alert.name, alert) {
            let text = format!(
                "alert {} is raised by {}:{} too, and one page cannot tell which",
                alert.name,
                first.path.display(),
                first.line
            );
            findings.push(Finding::at(alert.path, alert.line, "duplicate", text));
        }
    }
    findings
}

fn page(alert: &Described<'_>, runbooks: &Path) -> Option<Finding> {
    let page: PathBuf = runbooks.join(format!("{}.md", alert.name));
    let text = format!("alert {} has no page {}", alert.name, page.display());
    (!page.is_file()).then(|| Finding::at(alert.path, alert.line, "runbook", text))
}

fn owners(described: &[Described<'_>], rota: &Path) -> std::io::Result<Vec<Finding>> {
    let text = match std::fs::read_to_string(rota) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let schedules = match schedules(&text) {
        Ok(schedules) => schedules,
        Err((line, text)) => return Ok(vec![Finding::at(rota, line, "rota", text)]),
    };
    let unknown =
        described.iter().filter(|alert| !schedules.iter().any(|known| known == alert.owner));
    let finding = |alert: &Described<'_>| {
        let known = schedules.join(", ");
        let text = format!("{:?} is no schedule of {}: {known}", alert.owner, rota.display());
        Finding::at(alert.path, alert.owner_line, "owner", text)
    };
    Ok(unknown.map(finding).collect())
}

/// The names of schedules, or the line of what is wrong with the rota.
fn schedules(text: &str) -> Result<Vec<String>, (usize, String)> {
    let rota = serde_yaml::from_str(text)
        .map_err(|error| (error.location().map_or(0, |at| at.line()), error.to_string()))?;
    schedule_names(&rota).ok_or((1, "it has no `schedules`".to_owned()))
}

/// What every alert of ours carries, whatever was written over it.
fn own(service: &Service, slo: &Slo, making: &Making) -> Vec<Finding> {
    let at = |line, rule, text| Finding::at(&service.path, line, rule, text);
    if slo.own.is_none() {
        let text = format!("{} has no `x-bifrost`: owner, impact and source are missing", slo.name);
        return vec![at(slo.line, "own", text)];
    }
    let mut findings = Vec::new();
    for severity in [Severity::Page, Severity::Ticket] {
        let Some(rule) = alert(slo, severity, making) else { continue };
        let label = rule.labels.get("severity").map_or("", String::as_str);
        if label != "page" && label != "ticket" {
            let text = format!("severity {label:?} is neither `page` nor `ticket`");
            findings.push(at(slo.lines.alert, "severity", text));
        }
        for (name, texts) in [("owner", &rule.labels), ("impact", &rule.annotations)] {
            if texts.get(name).is_none_or(|text| text.trim().is_empty()) {
                findings.push(at(slo.lines.owner, "empty", format!("`{name}` is empty")));
            }
        }
    }
    findings
}

/// Selections of an objective that nothing exposes, and values of its label that have no class.
fn series(service: &Service, slo: &Slo, exposed: &Exposed) -> Vec<Finding> {
    let at = |(rule, text)| Finding::at(&service.path, slo.lines.source, rule, text);
    let mut wrongs = Vec::new();
    for query in [error_at(slo, "5m"), total_at(slo, "5m")] {
        wrongs.extend(wrong(&query, exposed));
    }
    if let Some(Shape::Outcomes { metric, by, good, bad, excluded }) = &slo.shape {
        let classes = [good, bad, excluded];
        let is_classed = |value: &String| classes.iter().any(|class| class.contains(value));
        let known: Vec<&String> = exposed.values(metric, by).collect();
        for value in known.iter().filter(|value| !is_classed(value)) {
            wrongs.push((
                "unclassified",
                format!("{metric} has {by}={value:?}, which is neither good, bad nor excluded"),
            ));
        }
        // What is bad is in a query, and so was looked for above.
        for value in good.iter().chain(excluded).filter(|value| !known.contains(value)) {
            if !known.is_empty() {
                wrongs.push(("unknown-value", format!("{metric} never has {by}={value:?}")));
            }
        }
    }
    wrongs.sort();
    wrongs.dedup();
    wrongs.into_iter().map(at).collect()
}

/// What an expression selects that nothing exposes.
fn wrong(query: &str, exposed: &Exposed) -> Vec<(&'static str, String)> {
    let Ok(expr) = promql::parse(query) else {
        return Vec::new();
    };
    promql::selectors(&expr).iter().filter_map(|selector| missing(selector, exposed)).collect()
}

/// Labels that Prometheus itself puts on what it scrapes.
const SCRAPED: [&str; 3] = ["job", "instance", "env"];

fn missing(selector: &Selector, exposed: &Exposed) -> Option<(&'static str, String)> {
    let metric = &selector.metric;
    let prometheus = metric == "up" || metric == "ALERTS" || metric.contains(':');
    if metric.is_empty() || prometheus {
        return None;
    }
    if !exposed.has(metric) {
        let near =
            exposed.nearest(metric).map_or(String::new(), |near| format!("; is it `{near}`?"));
        return Some(("unknown-metric", format!("nothing exposes `{metric}`{near}")));
    }
    for (label, wanted) in &selector.values {
        if SCRAPED.contains(&label.as_str()) {
            continue;
        }
        let known: Vec<&String> = exposed.values(metric, label).collect();
        if known.is_empty() {
            return Some(("unknown-label", format!("`{metric}` has no label `{label}`")));
        }
        let same = |value: &String| known.iter().any(|known| same_value(label, known, value));
        if let Some(value) = wanted.iter().find(|value| !same(value)) {
            let list: Vec<&str> = known.iter().map(|known| known.as_str()).collect();
            let rule = if label == "le" { "unknown-bucket" } else { "unknown-value" };
            let list = list.join(", ");
            return Some((rule, format!("`{metric}` has no {label}={value:?}: it has {list}")));
        }
    }
    None
}

/// Bounds of buckets are numbers, however they are written.
fn same_value(label: &str, known: &str, value: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok().map(f64::to_bits);
    known == value || (label == "le" && number(known).is_some() && number(known) == number(value))
}

#[cfg(test)]
mod tests;
