//! Objectives that have been read and make sense, and what is wrong with those that do not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::findings::Finding;
use crate::locate::Step::{self, At, Key};
use crate::locate::line_of;

use super::decimal::Decimal;
use super::promql;
use super::source::Shape;
use super::spec::{self, Alerting, Events, Kind, Own};

/// A file of objectives.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// The file, as the caller named it.
    pub(crate) path: PathBuf,
    /// The service, as Sloth calls it.
    pub(crate) name: String,
    /// Its objectives, in the order of the file.
    pub(crate) slos: Vec<Slo>,
}

/// One objective.
#[derive(Debug, Clone)]
pub(crate) struct Slo {
    /// The service.
    pub(crate) service: String,
    /// Its name within the service.
    pub(crate) name: String,
    /// What it promises, in words.
    pub(crate) description: String,
    /// The promise in percent.
    pub(crate) objective: Decimal,
    /// Labels of all its series and alerts.
    pub(crate) labels: BTreeMap<String, String>,
    /// What is measured.
    pub(crate) sli: Sli,
    /// Its alerts, as written.
    pub(crate) alerting: Alerting,
    /// What Sloth does not know of it.
    pub(crate) own: Option<Own>,
    /// What its source is, when it has one.
    pub(crate) shape: Option<Shape>,
    /// The line on which it begins.
    pub(crate) line: usize,
    /// The line of its alert's name, of its objective and of its owner.
    pub(crate) lines: Lines,
}

/// Where findings about an objective stand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lines {
    /// `alerting.name`.
    pub(crate) alert: usize,
    /// `x-bifrost.owner`.
    pub(crate) owner: usize,
    /// `x-bifrost.source`, or `sli`.
    pub(crate) source: usize,
}

/// What is measured, with Sloth's place for the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sli {
    /// Bad events of all events.
    Events(Events),
    /// A ratio.
    Raw(String),
}

impl Slo {
    /// The identity that Sloth gives it.
    pub(crate) fn id(&self) -> String {
        format!("{}-{}", self.service, self.name)
    }

    /// What people call it: `service/name`.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.service, self.name)
    }

    /// The share that may be bad.
    pub(crate) fn budget(&self) -> Decimal {
        self.objective.ratio().to_one()
    }

    /// Whether nothing at all may be bad.
    pub(crate) fn is_absolute(&self) -> bool {
        self.objective.number() >= 100.0
    }

    /// Bad events that the long window of an alert must hold; 0 where nobody asked for any.
    pub(crate) fn min_events(&self) -> u64 {
        if self.is_absolute() { 0 } else { self.own.as_ref().map_or(0, |own| own.min_events) }
    }
}

/// Reads a file.
///
/// # Errors
/// What is wrong with it, each on its line.
pub(crate) fn read(path: &Path, text: &str) -> Result<Service, Vec<Finding>> {
    let file: spec::File = match serde_yaml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            let line = error.location().map_or(0, |place| place.line());
            return Err(vec![Finding::at(path, line, "yaml", error.to_string())]);
        }
    };
    let mut reading = Reading { path, text, findings: Vec::new() };
    if file.version != "prometheus/v1" {
        let text = format!("version {:?} is not `prometheus/v1`", file.version);
        reading.found(&[Key("version")], "version", text);
    }
    if file.slos.is_empty() {
        reading.found(&[Key("slos")], "empty", "it has no SLO");
    }
    reading.name(&[Key("service")], &file.service);
    let mut names = BTreeSet::new();
    let mut slos = Vec::new();
    for (index, slo) in file.slos.iter().enumerate() {
        if !names.insert(&slo.name) {
            let text = format!("there is an SLO {:?} already", slo.name);
            reading.found(&[Key("slos"), At(index), Key("name")], "duplicate", text);
        }
        slos.extend(reading.slo(&file, index, slo));
    }
    let service = Service { path: path.to_owned(), name: file.service.clone(), slos };
    if reading.findings.is_empty() { Ok(service) } else { Err(reading.findings) }
}

/// A file being read.
struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    findings: Vec<Finding>,
}

impl Reading<'_> {
    fn found(&mut self, at: &[Step<'_>], rule: &'static str, text: impl Into<String>) {
        self.findings.push(Finding::at(self.path, line_of(self.text, at), rule, text));
    }

    fn name(&mut self, at: &[Step<'_>], name: &str) {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(known) {
            self.found(
                at,
                "name",
                format!("{name:?} is not a name of letters, digits, `-`, `_`, `.`"),
            );
        }
    }

    fn slo(&mut self, file: &spec::File, index: usize, slo: &spec::Slo) -> Option<Slo> {
        let at = [Key("slos"), At(index)];
        let below = |keys: &[&'static str]| -> Vec<Step<'static>> {
            at.iter().copied().chain(keys.iter().map(|key| Key(key))).collect()
        };
        self.name(&below(&["name"]), &slo.name);
        let source = slo.own.as_ref().and_then(|own| own.source.as_ref());
        let objective = self.objective(&below(&["objective"]), slo.objective, source);
        let shape = source.and_then(|source| match Shape::of(source) {
            Ok(shape) => Some(shape),
            Err((key, text)) => {
                self.found(&below(&["x-bifrost", "source", key]), "source", text);
                None
            }
        });
        let made = shape.as_ref().zip(source).map(|(shape, source)| shape.events(&source.matches));
        let sli = self.sli(&below(&["sli"]), slo.sli.as_ref(), made, source.is_some());
        let alerts = !(slo.alerting.page_alert.disable && slo.alerting.ticket_alert.disable);
        if alerts || !slo.alerting.name.is_empty() {
            self.name(&below(&["alerting", "name"]), &slo.alerting.name);
        }
        let labels = file.labels.iter().chain(&slo.labels);
        let lines = Lines {
            alert: line_of(self.text, &below(&["alerting", "name"])),
            owner: line_of(self.text, &below(&["x-bifrost", "owner"])),
            source: line_of(
                self.text,
                &below(&match source {
                    Some(_) => vec!["x-bifrost", "source"],
                    None => vec!["sli"],
                }),
            ),
        };
        Some(Slo {
            service: file.service.clone(),
            name: slo.name.clone(),
            description: slo.description.trim().to_owned(),
            objective: objective?,
            labels: labels.map(|(name, value)| (name.clone(), value.0.clone())).collect(),
            sli: sli?,
            alerting: slo.alerting.clone(),
            own: slo.own.clone(),
            shape,
            line: line_of(self.text, &at),
            lines,
        })
    }

    fn objective(
        &mut self,
        at: &[Step<'_>],
        objective: f64,
        source: Option<&spec::Source>,
    ) -> Option<Decimal> {
        let absolute = source.is_some_and(|source| source.kind == Kind::Correctness);
        let text = match Decimal::of(objective) {
            None => format!("{objective} has too many digits"),
            Some(_) if objective <= 0.0 => format!("{objective} % promises nothing"),
            Some(_) if objective > 100.0 => format!("{objective} % is more than everything"),
            Some(_) if objective >= 100.0 && !absolute => {
                "100 % leaves no budget: only kind `correctness` may promise it".to_owned()
            }
            Some(objective) => return Some(objective),
        };
        self.found(at, "objective", text);
        None
    }

    /// What is measured: what is written for Sloth, which must be what the source says.
    fn sli(
        &mut self,
        at: &[Step<'_>],
        sli: Option<&spec::Sli>,
        made: Option<Events>,
        sourced: bool,
    ) -> Option<Sli> {
        let Some(sli) = sli else {
            if made.is_none() && !sourced {
                self.found(at, "sli", "it needs `sli` or `x-bifrost.source`");
            }
            return made.map(Sli::Events);
        };
        match (&sli.events, &sli.raw, &sli.plugin) {
            (Some(events), None, None) => {
                let at = [at, &[Key("events")]].concat();
                self.events(&at, events, made.as_ref());
                Some(Sli::Events(made.unwrap_or_else(|| events.clone())))
            }
            (None, Some(raw), None) => {
                let at = [at, &[Key("raw"), Key("error_ratio_query")]].concat();
                self.query(&at, &raw.error_ratio_query);
                Some(Sli::Raw(raw.error_ratio_query.clone()))
            }
            (None, None, Some(_)) => {
                let text = "plugins are programs of Sloth: write the queries that it makes of them";
                self.found(&[at, &[Key("plugin")]].concat(), "sli", text);
                None
            }
            _ => {
                self.found(at, "sli", "it needs exactly one of `events` and `raw`");
                None
            }
        }
    }

    fn events(&mut self, at: &[Step<'_>], events: &Events, made: Option<&Events>) {
        let keys = ["error_query", "total_query"];
        for (key, written) in keys.into_iter().zip([&events.error_query, &events.total_query]) {
            self.query(&[at, &[Key(key)]].concat(), written);
        }
        if events.error_query.trim() == events.total_query.trim() {
            self.found(at, "query", "the queries of bad events and of all are the same");
        }
        let Some(made) = made else { return };
        let pairs =
            [(&events.error_query, &made.error_query), (&events.total_query, &made.total_query)];
        for (key, (written, made)) in keys.into_iter().zip(pairs) {
            let at_5m = |query: &str| promql::at_window(query, "5m");
            if !promql::same(&at_5m(written), &at_5m(made)) {
                let text = format!("it differs from what `source` says: {made}");
                self.found(&[at, &[Key(key)]].concat(), "sli-differs", text);
            }
        }
    }

    fn query(&mut self, at: &[Step<'_>], query: &str) {
        if !promql::has_window(query) {
            self.found(at, "query", "it has no `{{.window}}`");
        }
        if let Err(error) = promql::parse(&promql::at_window(query, "5m")) {
            self.found(at, "promql", error);
        }
    }
}

/// Reads a folder: every `*.yaml` and `*.yml` but what has a form of its own, in the order of names.
///
/// # Errors
/// When the folder or a file of it cannot be read.
pub(crate) fn folder(folder: &Path) -> std::io::Result<(Vec<Service>, Vec<Finding>)> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if yaml
            && path.is_file()
            && path.file_stem().is_none_or(|name| name != "alerts" && name != "mirror-verdict")
        {
            paths.push(path);
        }
    }
    paths.sort();
    let (mut services, mut findings) = (Vec::<Service>::new(), Vec::new());
    for path in paths {
        let text = std::fs::read_to_string(&path)?;
        match read(&path, &text) {
            Ok(service) => match services.iter().find(|known| known.name == service.name) {
                Some(known) => {
                    let text = format!("{} has this service", known.path.display());
                    findings.push(Finding::at(&path, 0, "duplicate", text));
                }
                None => services.push(service),
            },
            Err(found) => findings.extend(found),
        }
    }
    if services.is_empty() && findings.is_empty() {
        findings.push(Finding::at(folder, 0, "empty", "it has no file of objectives"));
    }
    Ok((services, findings))
}

#[cfg(test)]
mod tests;
