//! The files as they are written: Sloth's `prometheus/v1` with one key of our own, `x-bifrost`.
//!
//! Sloth ignores keys that it does not know and so takes our files; we refuse what we do not know, since
//! a misspelt key is otherwise a promise that nobody keeps.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Labels and annotations. Their values are texts, whatever YAML takes them for.
pub(crate) type Texts = BTreeMap<String, Text>;

/// A text, also when it is written as a number or a truth value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "serde_yaml::Value")]
pub(crate) struct Text(pub(crate) String);

impl TryFrom<serde_yaml::Value> for Text {
    type Error = &'static str;

    fn try_from(value: serde_yaml::Value) -> Result<Self, Self::Error> {
        if let Some(text) = value.as_str() {
            return Ok(Self(text.to_owned()));
        }
        if let Some(truth) = value.as_bool() {
            return Ok(Self(truth.to_string()));
        }
        value.as_f64().map(|number| Self(number.to_string())).ok_or("expected a text")
    }
}

/// A whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) version: String,
    pub(crate) service: String,
    #[serde(default)]
    pub(crate) labels: Texts,
    /// Sloth's own; nothing here obeys it.
    #[serde(default, rename = "slo_plugins")]
    pub(crate) _plugins: serde_yaml::Value,
    #[serde(default)]
    pub(crate) slos: Vec<Slo>,
}

/// One objective.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slo {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) objective: f64,
    #[serde(default)]
    pub(crate) labels: Texts,
    /// Sloth's own; nothing here obeys it.
    #[serde(default, rename = "plugins")]
    pub(crate) _plugins: serde_yaml::Value,
    pub(crate) sli: Option<Sli>,
    #[serde(default)]
    pub(crate) alerting: Alerting,
    #[serde(rename = "x-bifrost")]
    pub(crate) own: Option<Own>,
}

/// What is measured: exactly one of these.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sli {
    pub(crate) events: Option<Events>,
    pub(crate) raw: Option<Raw>,
    pub(crate) plugin: Option<serde_yaml::Value>,
}

/// Bad events of all events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Events {
    pub(crate) error_query: String,
    pub(crate) total_query: String,
}

/// A ratio that somebody else makes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    pub(crate) error_ratio_query: String,
}

/// The alerts of an objective.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alerting {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) labels: Texts,
    #[serde(default)]
    pub(crate) annotations: Texts,
    #[serde(default)]
    pub(crate) page_alert: Alert,
    #[serde(default)]
    pub(crate) ticket_alert: Alert,
}

/// What is particular to one of the two alerts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alert {
    #[serde(default)]
    pub(crate) disable: bool,
    #[serde(default)]
    pub(crate) labels: Texts,
    #[serde(default)]
    pub(crate) annotations: Texts,
}

/// What Sloth does not know of an objective.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Own {
    pub(crate) source: Option<Source>,
    /// Bad events that the long window of an alert must hold before it fires. Of ages: seconds.
    /// Default 10: one failure of few requests is a large share and no outage.
    #[serde(default = "ten")]
    pub(crate) min_events: u64,
    /// A schedule of the rota.
    pub(crate) owner: String,
    /// What a user notices, for the alert and the public page.
    pub(crate) impact: String,
    /// Why it wakes somebody, or does not.
    #[serde(default)]
    pub(crate) reason: String,
}

fn ten() -> u64 {
    10
}

/// What kind of promise it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Requests by outcome.
    Availability,
    /// Probes by verdict.
    Probe,
    /// Answers within a time, from a histogram.
    Latency,
    /// Answers that are up to date, or time in which an age is within a bound.
    Freshness,
    /// Bytes that are what they should be. The only kind that may promise 100 %.
    Correctness,
}

/// Which series say it. Which keys belong to which kind: `ARCHITECTURE.md`, and the errors.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    pub(crate) kind: Kind,
    /// The counter, histogram or gauge; of counts, the counter of what is bad.
    pub(crate) metric: String,
    /// Counters that add up to all events.
    #[serde(default)]
    pub(crate) of: Vec<String>,
    /// Labels and the values that count.
    #[serde(default, rename = "match")]
    pub(crate) matches: BTreeMap<String, Vec<String>>,
    /// The label that tells good from bad.
    #[serde(default)]
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) good: Vec<String>,
    #[serde(default)]
    pub(crate) bad: Vec<String>,
    #[serde(default)]
    pub(crate) excluded: Vec<String>,
    /// The bound of a latency or an age, such as `300ms`.
    #[serde(default)]
    pub(crate) within: String,
}
