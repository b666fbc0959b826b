//! The dictionary of metrics: every number that a person sees, by its one id.
//!
//! Dashboards, runbooks, reports and the public page name ids, so that a fact has one expression
//! wherever it is shown. Expressions say what is measured; whose (`job`, `instance`) is the reader's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use promql_parser::parser::Expr;
use serde::Deserialize;

use super::variables;
use crate::dash::DashError;
use crate::findings::Finding;
use crate::locate::{Step, line_of};
use crate::promql;
use crate::whole::read;

/// Where the dictionary lies below the root of the project.
pub(super) const FILE: &str = "dashboards/metrics.yaml";

/// What a number is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    /// A part of a whole, 0 to 1.
    Ratio,
    /// What is left of a whole: 1 at most, below zero when more was spent than there was.
    Budget,
    /// How many times faster than allowed.
    Factor,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Events per second.
    PerSecond,
    /// Processors in use.
    Cores,
    /// Things.
    Count,
    /// Whether it is so: 0 or 1.
    Truth,
}

impl Unit {
    /// The word that Grafana has for it.
    pub(crate) fn grafana(self) -> &'static str {
        match self {
            Unit::Ratio | Unit::Budget => "percentunit",
            Unit::Factor => "none",
            Unit::Seconds => "s",
            Unit::Bytes => "bytes",
            Unit::BytesPerSecond => "Bps",
            Unit::PerSecond => "cps",
            Unit::Cores | Unit::Count => "short",
            Unit::Truth => "bool_yes_no",
        }
    }

    /// The least and the greatest value that can be true.
    pub(crate) fn bounds(self) -> (f64, f64) {
        match self {
            Unit::Ratio | Unit::Truth => (0.0, 1.0),
            Unit::Budget => (f64::NEG_INFINITY, 1.0),
            Unit::Factor
            | Unit::Seconds
            | Unit::Bytes
            | Unit::BytesPerSecond
            | Unit::PerSecond
            | Unit::Cores
            | Unit::Count => (0.0, f64::INFINITY),
        }
    }
}

/// Which way a number is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Better {
    /// The more the better.
    Higher,
    /// The less the better.
    Lower,
}

/// One number.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Number {
    /// Its id: words in lower case with hyphens.
    #[serde(skip)]
    pub(crate) id: String,
    /// Its name, as people say it.
    pub(crate) name: String,
    /// Its expression; windows of rates are `$__rate_interval`, and it matches neither job nor instance.
    pub(crate) expr: String,
    /// What it is counted in.
    pub(crate) unit: Unit,
    /// What it says, in a sentence that an operator understands at night.
    pub(crate) meaning: String,
    /// Who answers for it.
    pub(crate) owner: String,
    /// How one of its series is called, with labels as `{{label}}`. Default: as the number.
    #[serde(default)]
    pub(crate) legend: String,
    /// Whether the public page shows it.
    #[serde(default)]
    pub(crate) public: bool,
    /// How much of the past the public page shows. Default 1 day.
    #[serde(default, with = "humantime_option")]
    pub(crate) span: Option<Duration>,
    /// Which way it is better, for the line of its objective.
    pub(crate) better: Option<Better>,
    /// Why it may lawfully have no value.
    pub(crate) allow_empty: Option<String>,
    /// Rules that it may break, and why.
    #[serde(default)]
    pub(crate) except: BTreeMap<String, String>,
    /// Where it stands in the file.
    #[serde(skip)]
    pub(crate) line: usize,
}

/// The dictionary.
#[derive(Debug, Clone)]
pub(crate) struct Dictionary {
    /// The file.
    pub(crate) path: PathBuf,
    /// How often Prometheus scrapes: no window of a rate may hold fewer than four scrapes.
    pub(crate) scrape_interval: Duration,
    /// How long Prometheus keeps what it scraped.
    pub(crate) retention: Duration,
    /// Most series that one number may have on a panel.
    pub(crate) series_max: usize,
    /// The numbers, in the order of the file.
    pub(crate) numbers: Vec<Number>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DictionaryFile {
    #[serde(with = "humantime_plain")]
    scrape_interval: Duration,
    #[serde(with = "humantime_plain")]
    retention: Duration,
    series_max: usize,
    metrics: serde_yaml::Mapping,
}

impl Dictionary {
    /// Reads the dictionary of a project; what cannot be understood is told and left out.
    ///
    /// # Errors
    /// [`DashError`] when there is nothing to read.
    pub(crate) fn load(root: &Path, findings: &mut Vec<Finding>) -> Result<Self, DashError> {
        let path = root.join(FILE);
        Self::parse(&path, &read(&path)?, findings)
    }

    /// The dictionary of this build.
    pub(crate) fn shipped() -> Self {
        let text = include_str!("../../../dashboards/metrics.yaml");
        Self::parse(Path::new(FILE), text, &mut Vec::new()).expect("a test reads it")
    }

    fn parse(path: &Path, text: &str, findings: &mut Vec<Finding>) -> Result<Self, DashError> {
        let file: DictionaryFile = serde_yaml::from_str(text).map_err(|error| {
            let line = error.location().map_or(1, |location| location.line());
            DashError::Broken(Finding::at(path, line, "broken-yaml", error.to_string()))
        })?;
        let mut numbers = Vec::new();
        for (id, value) in file.metrics {
            let id = id.as_str().unwrap_or_default().to_owned();
            let line = line_of(text, &[Step::Key("metrics"), Step::Key(&id)]);
            match serde_yaml::from_value::<Number>(value) {
                Ok(mut number) => {
                    if number.legend.is_empty() {
                        number.legend.clone_from(&number.name);
                    }
                    numbers.push(Number { id, line, ..number });
                }
                Err(error) => {
                    findings.push(Finding::at(path, line, "broken-yaml", format!("{id}: {error}")));
                }
            }
        }
        let DictionaryFile { scrape_interval, retention, series_max, .. } = file;
        Ok(Self { path: path.to_path_buf(), scrape_interval, retention, series_max, numbers })
    }

    /// The number with this id.
    pub(crate) fn get(&self, id: &str) -> Option<&Number> {
        self.numbers.iter().find(|number| number.id == id)
    }
}

/// Durations that stand for Grafana's while an expression is a tree. No expression has them itself.
const STANDS_FOR: [(&str, &str); 2] =
    [("__rate_interval", "2d3h4m5s6ms"), ("__range", "2d3h4m5s7ms")];

impl Number {
    /// The expression as a tree, with windows that stand for Grafana's.
    ///
    /// # Errors
    /// As [`promql::parse`].
    pub(crate) fn tree(&self) -> Result<Expr, promql::PromqlError> {
        promql::parse(&variables::expand(&self.expr, &|name, _, _| {
            let found = STANDS_FOR.iter().find(|(variable, _)| *variable == name)?;
            Some(found.1.to_owned())
        }))
    }

    /// The expression as anybody may ask it, with this window for rates and this one for ranges.
    pub(crate) fn plain(&self, window: &str, range: &str) -> String {
        variables::expand(&self.expr, &|name, _, _| match name {
            "__rate_interval" => Some(window.to_owned()),
            "__range" => Some(range.to_owned()),
            _ => None,
        })
    }

    /// The expression as a panel asks it: of the jobs and instances that its reader chose.
    ///
    /// # Errors
    /// As [`promql::parse`].
    pub(crate) fn on_panel(&self) -> Result<String, promql::PromqlError> {
        let chosen = [("job", "$job"), ("instance", "$instance")];
        let tree = promql::matching(self.tree()?, &chosen, |selector| {
            promql::metric(selector).is_none_or(|metric| !super::exposed::is_recorded(metric))
        });
        let mut text = tree.to_string();
        for (variable, stands) in STANDS_FOR {
            text = text.replace(stands, &format!("${variable}"));
        }
        Ok(text)
    }
}

/// Reads and writes durations as `30s` and `90d`.
mod humantime_plain {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, de::Error};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_duration(&text).map_err(D::Error::custom)
    }
}

mod humantime_option {
    use std::time::Duration;

    use serde::Deserializer;

    pub(super) fn deserialize<'de, D>(from: D) -> Result<Option<Duration>, D::Error>
    where
        D: Deserializer<'de>,
    {
        super::humantime_plain::deserialize(from).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(expr: &str) -> Number {
        let yaml = format!("{{expr: '{expr}', unit: ratio, meaning: m, owner: o, name: n}}");
        serde_yaml::from_str(&yaml).expect("it is a number")
    }

    #[test]
    fn a_panel_asks_for_chosen_jobs_and_for_grafanas_windows() {
        let text = "sum by (a) (rate(x_total{b=\"1\"}[$__rate_interval])) / increase(y[$__range])";
        let shown = number(text).on_panel().expect("it is PromQL");
        assert_eq!(
            shown,
            "sum by (a) (rate(x_total{b=\"1\",instance=~\"$instance\",job=~\"$job\"}\
             [$__rate_interval])) / increase(y{instance=~\"$instance\",job=~\"$job\"}[$__range])"
        );
        let recorded = number("slo:objective:ratio{sloth_slo=\"a\"}").on_panel();
        assert_eq!(recorded.expect("it is PromQL"), "slo:objective:ratio{sloth_slo=\"a\"}");
    }

    #[test]
    fn anybody_else_gives_the_windows() {
        let plain = number("rate(x[$__rate_interval]) + y[$__range]").plain("5m", "1d");
        assert_eq!(plain, "rate(x[5m]) + y[1d]");
    }

    #[test]
    fn the_dictionary_of_this_build_is_that_of_the_project() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let read = Dictionary::load(&root, &mut Vec::new()).expect("it can be read");
        let ids = |dictionary: &Dictionary| -> Vec<String> {
            dictionary.numbers.iter().map(|number| number.id.clone()).collect()
        };
        assert_eq!(ids(&Dictionary::shipped()), ids(&read));
    }

    #[test]
    fn what_is_no_dictionary_is_told_with_its_line() {
        let root = tempfile::tempdir().expect("a folder can be made");
        std::fs::create_dir(root.path().join("dashboards")).expect("it can be made");
        let write = |text: &str| std::fs::write(root.path().join(FILE), text).expect("written");
        let mut findings = Vec::new();
        let missing = Dictionary::load(root.path(), &mut findings);
        assert!(matches!(missing, Err(DashError::File(_))), "{missing:?}");
        write("scrape_interval: 15s\nretention: [\n");
        let broken = Dictionary::load(root.path(), &mut findings);
        assert!(matches!(broken, Err(DashError::Broken(at)) if at.line >= 2));
        write("scrape_interval: 15s\nretention: 31d\nseries_max: 9\nmetrics:\n  a:\n    expr: x\n");
        let read = Dictionary::load(root.path(), &mut findings).expect("the rest is read");
        assert!(read.numbers.is_empty());
        assert_eq!((findings.len(), findings[0].line), (1, 5));
    }
}
