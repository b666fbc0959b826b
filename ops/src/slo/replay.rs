//! How often an alert would have been raised in days that are past, from the raw series.
//!
//! The recorded series of rules that are not loaded do not exist, so each window is read from the raw
//! ones. That costs Prometheus more than the rules do, once.

use std::time::{Duration, SystemTime};

use crate::prometheus::{Prometheus, PrometheusError, Series};

use super::model::Slo;
use super::rules::{Severity, TIERS, alert, error_at, total_at};

/// Most points of an answer that Prometheus gives.
const POINTS_MAX: u64 = 10_000;

/// What an alert would have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// The objective, as `service/name`.
    pub(crate) slo: String,
    /// The alert.
    pub(crate) alert: String,
    /// How urgent it is.
    pub(crate) severity: &'static str,
    /// How often it would have been raised.
    pub(crate) times: usize,
    /// For how long in all.
    pub(crate) lasting: Duration,
}

/// The condition of an alert over the raw series. It multiplies and never divides.
pub(crate) fn condition(slo: &Slo, severity: Severity) -> String {
    if slo.is_absolute() {
        return format!("({}) > 0", error_at(slo, "1h"));
    }
    let tiers = TIERS.iter().filter(|tier| tier.severity == severity);
    let each = tiers.map(|tier| {
        let over = |window: &str| {
            let bound = format!("{} * {}", tier.factor, slo.budget());
            format!("(({}) > {bound} * ({}))", error_at(slo, window), total_at(slo, window))
        };
        let (long, least) = (tier.long, slo.min_events());
        let enough = format!("(({}) * {} >= {least})", error_at(slo, long.name), long.seconds);
        format!("({} and {} and {enough})", over(tier.short.name), over(long.name))
    });
    each.collect::<Vec<_>>().join(" or ")
}

/// Asks what the alerts of an objective would have done in the time before `to`.
///
/// # Errors
/// When Prometheus does not answer.
pub(crate) async fn replay(
    prometheus: &Prometheus,
    slo: &Slo,
    to: SystemTime,
    days: u32,
) -> Result<Vec<Replayed>, PrometheusError> {
    let span = Duration::from_secs(u64::from(days) * 86_400);
    let step = Duration::from_secs((span.as_secs() / POINTS_MAX).max(60));
    let making = super::rules::Making { runbooks: String::new(), interval: super::rules::INTERVAL };
    let mut all = Vec::new();
    for severity in [Severity::Page, Severity::Ticket] {
        let Some(rule) = alert(slo, severity, &making) else { continue };
        let times = (to - span, to);
        let series = prometheus.query_range(&condition(slo, severity), times, step).await?;
        let (times, lasting) = episodes(&series, step);
        all.push(Replayed {
            slo: slo.full_name(),
            alert: rule.alert,
            severity: severity.text(),
            times,
            lasting,
        });
    }
    Ok(all)
}

/// How many runs of points without a gap there are, and how long they last together.
fn episodes(series: &[Series], step: Duration) -> (usize, Duration) {
    let gap = step.as_secs_f64() * 1.5;
    let mut times = 0;
    let mut lasting = Duration::ZERO;
    for one in series {
        let breaks = one.points.windows(2).filter(|pair| pair[1].0 - pair[0].0 > gap).count();
        times += breaks + usize::from(!one.points.is_empty());
        lasting += step * u32::try_from(one.points.len()).unwrap_or(u32::MAX);
    }
    (times, lasting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_without_a_gap_are_one_alert() {
        let points = [0.0, 60.0, 120.0, 600.0, 660.0].map(|time| (time, 1.0)).to_vec();
        let series = [Series { labels: Default::default(), points }];
        let minute = Duration::from_secs(60);
        assert_eq!(episodes(&series, minute), (2, minute * 5));
        assert_eq!(episodes(&[], minute), (0, Duration::ZERO));
    }
}
