//! What was promised and what was kept in a time that is past, with causes.
//!
//! Counts come from the recorded series, so that the report, the alerts and the dashboards say the same.
//! Causes come from the raw ones, by the label that tells good from bad.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::prometheus::{Prometheus, PrometheusError};

use super::generate::Sources;
use super::model::Slo;
use super::promql::at_window;
use super::rules::{INTERVAL, chosen};
use super::source::Shape;

/// The worst hours that are told.
const WORST: usize = 3;

/// A report.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// RFC 3339.
    pub(crate) from: String,
    /// RFC 3339.
    pub(crate) to: String,
    /// One row for each objective.
    pub(crate) slos: Vec<Row>,
}

/// One objective.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// `service/name`.
    pub(crate) slo: String,
    /// The promise in percent.
    pub(crate) objective: String,
    /// All events; nothing when nothing was recorded.
    pub(crate) events: Option<f64>,
    /// The bad ones.
    pub(crate) bad: Option<f64>,
    /// The share that was good.
    pub(crate) good_share: Option<f64>,
    /// The share of the budget of this time that was spent; above 1 the promise was broken.
    pub(crate) budget_spent: Option<f64>,
    /// The worst hours.
    pub(crate) worst: Vec<Hour>,
    /// Bad events by cause, the most frequent first.
    pub(crate) causes: Vec<Cause>,
}

/// An hour and its share of bad events.
#[derive(Debug, Serialize)]
pub(crate) struct Hour {
    /// When it ended, RFC 3339.
    pub(crate) until: String,
    /// The share that was bad.
    pub(crate) bad_share: f64,
}

/// A cause.
#[derive(Debug, Serialize)]
pub(crate) struct Cause {
    /// The value of the label.
    pub(crate) cause: String,
    /// How many events.
    pub(crate) events: f64,
}

/// Asks for all of it.
///
/// # Errors
/// When Prometheus does not answer.
pub(crate) async fn report(
    prometheus: &Prometheus,
    sources: &Sources,
    (from, to): (SystemTime, SystemTime),
) -> Result<Report, PrometheusError> {
    let mut slos = Vec::new();
    for slo in sources.services.iter().flat_map(|service| &service.slos) {
        slos.push(row(prometheus, slo, (from, to)).await?);
    }
    let time = |time| humantime::format_rfc3339_seconds(time).to_string();
    Ok(Report { from: time(from), to: time(to), slos })
}

async fn row(
    prometheus: &Prometheus,
    slo: &Slo,
    (from, to): (SystemTime, SystemTime),
) -> Result<Row, PrometheusError> {
    let span = to.duration_since(from).unwrap_or_default().as_secs().max(INTERVAL);
    let of = chosen(slo);
    let count = |what: &str, seconds: u64| {
        format!("sum(sum_over_time(slo:events_{what}:rate5m{of}[{seconds}s])) * {INTERVAL}")
    };
    let one = async |expression: String| -> Result<Option<f64>, PrometheusError> {
        let series = prometheus.query(&expression, Some(to)).await?;
        Ok(series.first().map(crate::prometheus::Series::value).filter(|value| value.is_finite()))
    };
    let (bad, events) = (one(count("error", span)).await?, one(count("total", span)).await?);
    let bad_share = bad.zip(events).filter(|(_, all)| *all > 0.0).map(|(bad, all)| bad / all);
    let budget = slo.budget().number();
    let spent =
        |share: f64| if budget > 0.0 { share / budget } else { f64::from(u8::from(share > 0.0)) };
    let hourly = format!("{} / ({} > 0)", count("error", 3_600), count("total", 3_600));
    let hour = Duration::from_secs(3_600);
    let hours = prometheus
        .query_range(
            &hourly,
            (from + hour.min(to.duration_since(from).unwrap_or_default()), to),
            hour,
        )
        .await?;
    let mut worst: Vec<(f64, f64)> = hours.into_iter().flat_map(|series| series.points).collect();
    worst.retain(|(_, share)| *share > 0.0);
    worst.sort_by(|one, other| other.1.total_cmp(&one.1));
    worst.truncate(WORST);
    Ok(Row {
        slo: slo.full_name(),
        objective: slo.objective.to_string(),
        events,
        bad,
        good_share: bad_share.map(|share| 1.0 - share),
        budget_spent: bad_share.map(spent),
        worst: worst
            .into_iter()
            .map(|(time, bad_share)| Hour { until: at(time), bad_share })
            .collect(),
        causes: causes(prometheus, slo, span, to).await?,
    })
}

fn at(seconds: f64) -> String {
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + time).to_string()
}

/// Bad events by the label of the source, when it has one.
async fn causes(
    prometheus: &Prometheus,
    slo: &Slo,
    span: u64,
    to: SystemTime,
) -> Result<Vec<Cause>, PrometheusError> {
    let (Some(Shape::Outcomes { by, .. }), super::model::Sli::Events(events)) =
        (&slo.shape, &slo.sli)
    else {
        return Ok(Vec::new());
    };
    // The same selection of bad events, told apart.
    let error = at_window(&events.error_query, &format!("{span}s"));
    let each = error.replacen("sum(rate(", &format!("sum by ({by}) (increase("), 1);
    let mut causes: Vec<Cause> = prometheus
        .query(&each, Some(to))
        .await?
        .iter()
        .map(|series| Cause { cause: series.label(by).to_owned(), events: series.value() })
        .filter(|cause| cause.events > 0.0)
        .collect();
    causes.sort_by(|one, other| other.events.total_cmp(&one.events));
    Ok(causes)
}

/// The report for people.
pub(crate) fn markdown(report: &Report) -> String {
    let mut text = format!("# Objectives from {} to {}\n\n", report.from, report.to);
    text.push_str("| Objective | Promised | Kept | Events | Bad | Budget spent | |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    let percent = |share: Option<f64>, digits: usize| {
        share.map_or("no data".to_owned(), |share| format!("{:.digits$} %", share * 100.0))
    };
    let count = |count: Option<f64>| count.map_or("–".to_owned(), |count| format!("{count:.0}"));
    for row in &report.slos {
        let verdict = match row.budget_spent {
            None => "not known",
            Some(spent) if spent > 1.0 => "**broken**",
            Some(_) => "kept",
        };
        let Row { slo, objective, .. } = row;
        let kept = percent(row.good_share, 3);
        let (events, bad) = (count(row.events), count(row.bad));
        let spent = percent(row.budget_spent, 0);
        line(
            &mut text,
            &format!("| {slo} | {objective} % | {kept} | {events} | {bad} | {spent} | {verdict} |"),
        );
    }
    for row in report.slos.iter().filter(|row| !row.worst.is_empty() || !row.causes.is_empty()) {
        line(&mut text, &format!("\n## {}\n", row.slo));
        for hour in &row.worst {
            let share = percent(Some(hour.bad_share), 2);
            line(&mut text, &format!("- the hour until {}: {share} bad", hour.until));
        }
        for cause in &row.causes {
            line(&mut text, &format!("- cause `{}`: {:.0} events", cause.cause, cause.events));
        }
    }
    text
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes all text");
}

/// Reads a time: RFC 3339, a date, `now`, or how long ago, such as `30d`.
///
/// # Errors
/// When it is none of these.
pub(crate) fn time(text: &str) -> Result<SystemTime, String> {
    let now = SystemTime::now();
    if text == "now" {
        return Ok(now);
    }
    if let Ok(ago) = humantime::parse_duration(text) {
        return now.checked_sub(ago).ok_or_else(|| format!("{text:?} is too long ago"));
    }
    let exact = humantime::parse_rfc3339_weak(text);
    let day = || humantime::parse_rfc3339_weak(&format!("{text}T00:00:00Z"));
    exact.or_else(|_| day()).map_err(|_| {
        format!("{text:?} is not a time: write it as 2026-11-01, 2026-11-01T12:00:00Z, 30d or now")
    })
}
