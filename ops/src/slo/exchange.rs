//! Objectives of other tools: Sloth's and Pyrra's are brought in, OpenSLO's are written.
//!
//! What another tool cannot say is not invented: an import leaves the owner and the impact for people
//! to fill in, and `bifrost slo check` asks for them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::generate::Sources;
use super::model::{Sli, Slo};
use super::promql::at_window;

/// Why a file cannot be brought in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// It is no YAML of that tool.
    #[error("line {line}: {text}")]
    Yaml {
        /// Where.
        line: usize,
        /// What is wrong.
        text: String,
    },
    /// It says what cannot be said here.
    #[error("{0}")]
    Foreign(String),
}

/// Brings in a file of Sloth: the same, with the key of ours to be filled in.
///
/// # Errors
/// As the variants of [`ExchangeError`] say.
pub(crate) fn sloth(text: &str) -> Result<String, ExchangeError> {
    let mut file: serde_yaml::Value = read(text)?;
    let foreign = |text: &str| ExchangeError::Foreign(text.to_owned());
    if file.get("version").and_then(serde_yaml::Value::as_str) != Some("prometheus/v1") {
        return Err(foreign("it is no file of Sloth's `prometheus/v1`"));
    }
    let slos = file.get_mut("slos").and_then(serde_yaml::Value::as_sequence_mut);
    for slo in slos.ok_or_else(|| foreign("it has no `slos`"))? {
        let fields = slo.as_mapping_mut().ok_or_else(|| foreign("an SLO is no mapping"))?;
        fields.entry("x-bifrost".into()).or_insert_with(to_fill);
    }
    Ok(serde_yaml::to_string(&file).expect("what was read can be written"))
}

fn to_fill() -> serde_yaml::Value {
    serde_yaml::to_value(json!({"owner": "", "impact": ""})).expect("it is plain")
}

/// A file of Pyrra.
#[derive(Debug, Deserialize)]
struct Pyrra {
    metadata: Named,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Spec {
    target: Value,
    #[serde(default)]
    description: String,
    indicator: Indicator,
}

#[derive(Debug, Deserialize)]
struct Indicator {
    ratio: Option<Ratio>,
    latency: Option<Latency>,
    bool_gauge: Option<Metric>,
}

#[derive(Debug, Deserialize)]
struct Ratio {
    errors: Metric,
    total: Metric,
}

#[derive(Debug, Deserialize)]
struct Latency {
    success: Metric,
    total: Metric,
}

#[derive(Debug, Deserialize)]
struct Metric {
    metric: String,
}

/// Brings in an objective of Pyrra.
///
/// # Errors
/// As the variants of [`ExchangeError`] say.
pub(crate) fn pyrra(text: &str) -> Result<String, ExchangeError> {
    let Pyrra { metadata, spec } = read(text)?;
    let rate = |metric: &str| format!("sum(rate({}[{{{{.window}}}}]))", metric.trim());
    let (error, total) = match spec.indicator {
        Indicator { ratio: Some(one), .. } => (rate(&one.errors.metric), rate(&one.total.metric)),
        Indicator { latency: Some(one), .. } => {
            let total = rate(&one.total.metric);
            (format!("{total} - {}", rate(&one.success.metric)), total)
        }
        Indicator { bool_gauge: Some(one), .. } => {
            let of =
                |function: &str| format!("sum({function}({}[{{{{.window}}}}]))", one.metric.trim());
            let total = of("count_over_time");
            (format!("{total} - {}", of("sum_over_time")), total)
        }
        Indicator { ratio: None, latency: None, bool_gauge: None } => {
            let text = "its indicator is none of `ratio`, `latency` and `bool_gauge`";
            return Err(ExchangeError::Foreign(text.to_owned()));
        }
    };
    let target = spec.target.as_str().map_or_else(|| spec.target.to_string(), str::to_owned);
    let objective: f64 = target
        .parse()
        .map_err(|_| ExchangeError::Foreign(format!("its target {target:?} is not a number")))?;
    let file = json!({
        "version": "prometheus/v1",
        "service": metadata.name,
        "slos": [{
            "name": metadata.name,
            "objective": objective,
            "description": spec.description.trim(),
            "sli": {"events": {"error_query": error, "total_query": total}},
            "alerting": {"name": alert_name(&metadata.name)},
            "x-bifrost": {"owner": "", "impact": ""},
        }],
    });
    Ok(serde_yaml::to_string(&file).expect("it is plain"))
}

/// `caddy-response-errors` becomes `CaddyResponseErrors`.
fn alert_name(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    };
    name.split(|c: char| !c.is_alphanumeric()).map(capital).collect()
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, ExchangeError> {
    serde_yaml::from_str(text).map_err(|error| ExchangeError::Yaml {
        line: error.location().map_or(0, |place| place.line()),
        text: error.to_string(),
    })
}

/// Writes the objectives as OpenSLO v1. Its alert policies have one window each and so cannot say ours.
pub(crate) fn openslo(sources: &Sources) -> String {
    let mut text = String::new();
    for service in &sources.services {
        let mut documents = vec![json!({
            "apiVersion": "openslo/v1",
            "kind": "Service",
            "metadata": {"name": service.name},
            "spec": {},
        })];
        documents.extend(service.slos.iter().map(objective));
        for document in documents {
            text.push_str("---\n");
            text.push_str(&serde_yaml::to_string(&document).expect("it is plain"));
        }
    }
    text
}

fn objective(slo: &Slo) -> Value {
    // OpenSLO has no word for a window within a query; the period of the objective is what it means.
    let source = |query: &str| json!({"metricSource": {"type": "Prometheus", "spec": {"query": at_window(query, "30d")}}});
    let metric = match &slo.sli {
        Sli::Events(events) => json!({
            "counter": false,
            "bad": source(&events.error_query),
            "total": source(&events.total_query),
        }),
        Sli::Raw(ratio) => json!({"rawType": "failure", "raw": source(ratio)}),
    };
    json!({
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": slo.id()},
        "spec": {
            "service": slo.service,
            "description": slo.description,
            "budgetingMethod": "Occurrences",
            "timeWindow": [{"duration": "30d", "isRolling": true}],
            "objectives": [{"target": slo.objective.ratio().number()}],
            "indicator": {"metadata": {"name": slo.id()}, "spec": {"ratioMetric": metric}},
        },
    })
}
