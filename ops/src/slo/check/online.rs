//! What only a running Prometheus knows: which series there are, and how long they are kept.

use std::time::{Duration, SystemTime};

use promql_parser::util::parse_duration;

use crate::findings::Finding;
use crate::prometheus::{Prometheus, PrometheusError};

use super::super::generate::Sources;
use super::super::promql;
use super::super::replay::{Replayed, replay};
use super::super::rules::{error_at, total_at};
use super::Exposed;

/// The period of all objectives.
const PERIOD: Duration = Duration::from_secs(30 * 86_400);

/// The series that the objectives and alerts select, with their labels as Prometheus has them.
///
/// # Errors
/// When Prometheus does not answer.
pub(crate) async fn exposed(
    prometheus: &Prometheus,
    sources: &Sources,
) -> Result<Exposed, PrometheusError> {
    let mut exposed = Exposed::default();
    for metric in metrics(sources) {
        for series in prometheus.query(&metric, None).await? {
            exposed.add(&metric, series.labels);
        }
    }
    Ok(exposed)
}

/// The names of all metrics that are selected, each once.
fn metrics(sources: &Sources) -> Vec<String> {
    let slos = sources.services.iter().flat_map(|service| &service.slos);
    let mut queries: Vec<String> =
        slos.flat_map(|slo| [error_at(slo, "5m"), total_at(slo, "5m")]).collect();
    let rules = sources.causes.iter().flat_map(|causes| &causes.alerts).flat_map(|one| &one.rules);
    queries.extend(rules.filter(|rule| !rule.is_every_signal()).map(|rule| rule.expr.clone()));
    let trees = queries.iter().filter_map(|query| promql::parse(query).ok());
    let mut names: Vec<String> =
        trees.flat_map(|tree| promql::selectors(&tree)).map(|one| one.metric).collect();
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names
}

/// Whether series are kept as long as the period of the objectives.
///
/// # Errors
/// When Prometheus does not answer.
pub(crate) async fn retention(
    prometheus: &Prometheus,
    url: &str,
) -> Result<Option<Finding>, PrometheusError> {
    let info = prometheus.get("/api/v1/status/runtimeinfo").await?;
    let said = info["storageRetention"].as_str().unwrap_or_default().to_owned();
    Ok(too_short(&said).then(|| {
        let text = format!(
            "it keeps series for {said}, and objectives look back 30 days: start it with \
             --storage.tsdb.retention.time=30d or more"
        );
        Finding::at(url, 0, "retention", text)
    }))
}

/// Whether a retention such as `15d` or `4w2d or 100GB` is less than the period. What is bounded by size
/// only is not known to be.
fn too_short(said: &str) -> bool {
    let time = said.split(" or ").next().unwrap_or_default();
    parse_duration(time).is_ok_and(|kept| kept < PERIOD)
}

/// What every alert would have done in the last days.
///
/// # Errors
/// When Prometheus does not answer.
pub(crate) async fn would_have(
    prometheus: &Prometheus,
    sources: &Sources,
    days: u32,
) -> Result<Vec<Replayed>, PrometheusError> {
    let to = SystemTime::now();
    let mut all = Vec::new();
    for slo in sources.services.iter().flat_map(|service| &service.slos) {
        all.extend(replay(prometheus, slo, to, days).await?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_below_the_period_is_too_short() {
        for (said, short) in
            [("15d", true), ("2w", true), ("30d", false), ("4w2d or 100GB", false), ("10GB", false)]
        {
            assert_eq!(too_short(said), short, "{said}");
        }
    }
}
