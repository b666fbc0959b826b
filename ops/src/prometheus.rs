//! What is asked of a Prometheus server: its HTTP API v1, read only.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use telemetry::Tasks;

use crate::web::{Web, WebError, url_of};

/// Longest answer that is taken.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why Prometheus gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrometheusError {
    /// It could not be asked.
    #[error(transparent)]
    Web(#[from] WebError),
    /// It refused the question.
    #[error("Prometheus at {url} refuses {question:?}: {text}")]
    Refused {
        /// The server.
        url: String,
        /// What was asked.
        question: String,
        /// What it said.
        text: String,
    },
    /// What it said is not of its API.
    #[error("{url} does not answer as Prometheus does: {text}")]
    Garbled {
        /// The server.
        url: String,
        /// What is wrong with it.
        text: String,
    },
}

/// One series of an answer: its labels and its points, seconds since the epoch and value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// Names and values of labels, `__name__` among them.
    pub(crate) labels: BTreeMap<String, String>,
    /// The points, earliest first; exactly one for an instant. A value may be NaN or infinite.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Series {
    /// The last value.
    pub(crate) fn value(&self) -> f64 {
        self.points.last().map_or(f64::NAN, |point| point.1)
    }

    /// A label, or the empty text.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// An answer with what the server said beside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// The series.
    pub(crate) series: Vec<Series>,
    /// Its warnings: the answer may be a part only.
    pub(crate) warnings: Vec<String>,
}

/// A Prometheus server.
#[derive(Debug, Clone)]
pub(crate) struct Prometheus {
    web: Web,
    base: String,
}

#[derive(Debug, Deserialize)]
struct Envelope {
    status: String,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Row {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

impl Prometheus {
    /// The server at a base URL, asked with a deadline of `within` for each question.
    ///
    /// # Errors
    /// [`WebError::BadUrl`] and [`WebError::Tls`].
    pub(crate) fn new(tasks: &Tasks, base: &str, within: Duration) -> Result<Self, WebError> {
        url_of(base)?;
        let web = Web::new(tasks, within, ANSWER_BYTES_MAX)?;
        Ok(Self { web, base: base.trim_end_matches('/').to_owned() })
    }

    /// The value of an expression now, or at `time` when given.
    ///
    /// # Errors
    /// As the variants of [`PrometheusError`] say.
    pub(crate) async fn query(
        &self,
        expression: &str,
        time: Option<SystemTime>,
    ) -> Result<Vec<Series>, PrometheusError> {
        let mut target = format!("/api/v1/query?query={}", escaped(expression));
        if let Some(time) = time {
            target.push_str(&format!("&time={:.3}", seconds(time)));
        }
        let data = self.data(&target, expression).await?;
        self.series(data)
    }

    /// The values of an expression from `from` to `to`, one every `step`.
    ///
    /// # Errors
    /// As the variants of [`PrometheusError`] say.
    pub(crate) async fn query_range(
        &self,
        expression: &str,
        times: (SystemTime, SystemTime),
        step: Duration,
    ) -> Result<Vec<Series>, PrometheusError> {
        self.ask_range(expression, times, step).await.map(|answer| answer.series)
    }

    /// The same, with the server's warnings.
    ///
    /// # Errors
    /// As the variants of [`PrometheusError`] say.
    pub(crate) async fn ask_range(
        &self,
        expression: &str,
        (from, to): (SystemTime, SystemTime),
        step: Duration,
    ) -> Result<Answer, PrometheusError> {
        let target = format!(
            "/api/v1/query_range?query={}&start={:.3}&end={:.3}&step={:.3}",
            escaped(expression),
            seconds(from),
            seconds(to),
            step.as_secs_f64()
        );
        let Envelope { data, warnings, .. } = self.envelope(&target, expression).await?;
        Ok(Answer { series: self.series(data)?, warnings })
    }

    /// The `data` of another question of the API, such as `/api/v1/alerts`.
    ///
    /// # Errors
    /// As the variants of [`PrometheusError`] say.
    pub(crate) async fn get(&self, target: &str) -> Result<Value, PrometheusError> {
        self.data(target, target).await
    }

    async fn data(&self, target: &str, question: &str) -> Result<Value, PrometheusError> {
        self.envelope(target, question).await.map(|envelope| envelope.data)
    }

    async fn envelope(&self, target: &str, question: &str) -> Result<Envelope, PrometheusError> {
        let page = self.web.get(&format!("{}{target}", self.base)).await?;
        let envelope: Envelope = serde_json::from_slice(&page.body).map_err(|error| {
            let text = format!("{} and {error}", page.status);
            PrometheusError::Garbled { url: self.base.clone(), text }
        })?;
        if envelope.status == "success" {
            return Ok(envelope);
        }
        let question = question.to_owned();
        Err(PrometheusError::Refused { url: self.base.clone(), question, text: envelope.error })
    }

    fn series(&self, data: Value) -> Result<Vec<Series>, PrometheusError> {
        let garbled = |text: String| PrometheusError::Garbled { url: self.base.clone(), text };
        let point = |(time, value): (f64, String)| {
            let value = value.parse().map_err(|_| garbled(format!("{value:?} is no number")))?;
            Ok::<(f64, f64), PrometheusError>((time, value))
        };
        if data["resultType"] == "scalar" || data["resultType"] == "string" {
            let read = serde_json::from_value(data["result"].clone());
            let only = point(read.map_err(|error| garbled(error.to_string()))?)?;
            return Ok(vec![Series { labels: BTreeMap::new(), points: vec![only] }]);
        }
        let rows: Vec<Row> = serde_json::from_value(data["result"].clone())
            .map_err(|error| garbled(error.to_string()))?;
        let series = |row: Row| {
            let points = row.values.into_iter().chain(row.value).map(point);
            Ok::<Series, PrometheusError>(Series {
                labels: row.metric,
                points: points.collect::<Result<_, PrometheusError>>()?,
            })
        };
        rows.into_iter().map(series).collect()
    }
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use http::Response;
    use http_body_util::Full;

    use super::*;
    use crate::played;

    async fn answered(body: &'static str) -> Result<Vec<Series>, PrometheusError> {
        let tasks = Tasks::new();
        let (server, listener) = played::listen().await;
        played::serve(
            &tasks,
            listener,
            move |_| async move { Response::new(Full::new(body.into())) },
        );
        let prometheus = Prometheus::new(&tasks, &server.url(), Duration::from_secs(5));
        let answer = prometheus.expect("a URL").query("up{job=\"a b\"}", None).await;
        tasks.shutdown(Duration::ZERO).await;
        answer
    }

    #[tokio::test]
    async fn vectors_matrices_and_scalars_become_series() {
        let vector = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"up","job":"node"},"value":[12.5,"NaN"]}]}}"#;
        let series = answered(vector).await.expect("it is an answer");
        assert_eq!((series[0].label("job"), series[0].label("none")), ("node", ""));
        assert!(series[0].value().is_nan());
        let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{},"values":[[1,"2"],[3,"+Inf"]]}]}}"#;
        let series = answered(matrix).await.expect("it is an answer");
        assert_eq!(series[0].points, [(1.0, 2.0), (3.0, f64::INFINITY)]);
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}"#;
        assert_eq!(answered(scalar).await.expect("it is an answer")[0].value().to_string(), "7");
    }

    #[tokio::test]
    async fn a_refusal_says_what_was_asked_and_why() {
        let refused =
            answered(r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#);
        let error = refused.await.expect_err("it refuses").to_string();
        assert!(error.contains("job") && error.contains("parse error"), "{error}");
        let error = answered("<html>").await.expect_err("no API").to_string();
        assert!(error.contains("does not answer as Prometheus does"), "{error}");
    }
}
