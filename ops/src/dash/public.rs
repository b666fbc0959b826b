//! The public page: the numbers that the dictionary allows, as a page without scripts and as JSON.
//!
//! A series is shown by its legend alone, so that no label that the dictionary does not name (an
//! instance, an address) can reach the public. The page says how old what it shows is.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::json;
use telemetry::Tasks;

use super::DashError;
use super::dictionary::{Dictionary, Number, Unit};
use crate::prometheus::{Prometheus, Series};

mod page;

/// Points of a sparkline.
const POINTS: u32 = 96;
/// How much of the past is shown when a number does not say.
const SPAN: Duration = Duration::from_secs(24 * 3600);
/// When something was scraped last.
const NEWEST: &str = "max(timestamp(up))";
/// Most series of one number: twice as many as there are objectives, and 1 KiB each of a page of 100 KiB.
const SERIES_MAX: usize = 24;

/// One series that may be shown.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Shown {
    /// Its legend.
    pub(crate) name: String,
    /// Seconds since the epoch and value; all finite.
    pub(crate) points: Vec<(f64, f64)>,
}

/// What a Prometheus said about public numbers.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// When it was asked.
    pub(crate) at: Option<SystemTime>,
    /// When it had scraped last, in seconds since the epoch. Points of answers cannot tell: they stand
    /// at the times that were asked for.
    pub(crate) newest: Option<f64>,
    /// What it said, by id.
    pub(crate) values: BTreeMap<String, Vec<Shown>>,
    /// How many series there were beyond those, by id; none is not noted.
    pub(crate) more: BTreeMap<String, usize>,
}

/// Whether an objective, as `service/slo`, is one of those whose series are shown: others may have some in the
/// same Prometheus.
pub(crate) type IsOurs<'a> = &'a (dyn Fn(&str) -> bool + Sync);

/// Asks for every public number.
///
/// # Errors
/// [`DashError`] when Prometheus does not answer.
pub(crate) async fn measure(
    dictionary: &Dictionary,
    tasks: &Tasks,
    (url, within): (&str, Duration),
    is_ours: IsOurs<'_>,
) -> Result<Measured, DashError> {
    let prometheus = Prometheus::new(tasks, url, within)?;
    let now = SystemTime::now();
    let (mut values, mut more) = (BTreeMap::new(), BTreeMap::new());
    for number in dictionary.numbers.iter().filter(|number| number.public) {
        let step = step(number);
        let window = (dictionary.scrape_interval * 4).max(step).as_secs();
        let expression =
            number.plain(&format!("{window}s"), &format!("{}s", span(number).as_secs()));
        let times = (now - span(number), now);
        let mut series = prometheus.query_range(&expression, times, step).await?;
        series.retain(|one| objective(one).is_none_or(|objective| is_ours(&objective)));
        let (shown, left_out) = shown(number, &series);
        values.insert(number.id.clone(), shown);
        if left_out > 0 {
            more.insert(number.id.clone(), left_out);
        }
    }
    let newest = prometheus.query(NEWEST, Some(now)).await?;
    let newest = newest.first().map(Series::value).filter(|time| time.is_finite());
    Ok(Measured { at: Some(now), newest, values, more })
}

/// The objective that a series is of, as `Slo::full_name` calls it, if it is of one.
pub(crate) fn objective(series: &Series) -> Option<String> {
    let [service, slo] = ["sloth_service", "sloth_slo"].map(|label| series.label(label));
    (!service.is_empty()).then(|| format!("{service}/{slo}"))
}

fn span(number: &Number) -> Duration {
    number.span.unwrap_or(SPAN)
}

/// The time between two points: whole seconds, and whole days where days are shown.
fn step(number: &Number) -> Duration {
    let day = 24 * 3600;
    let seconds = (span(number) / POINTS).as_secs().max(1);
    let long = span(number) >= SPAN * 14;
    Duration::from_secs(if long { day } else { seconds })
}

/// What is shown of series, by name, and how many are not.
fn shown(number: &Number, series: &[Series]) -> (Vec<Shown>, usize) {
    let named = series.iter().map(|one| {
        let points = one.points.iter().copied().filter(|point| point.1.is_finite());
        Shown { name: legend(&number.legend, one), points: points.collect() }
    });
    let mut shown: Vec<Shown> = named.filter(|one| !one.points.is_empty()).collect();
    shown.sort_by(|one, other| one.name.cmp(&other.name));
    let more = shown.len().saturating_sub(SERIES_MAX);
    shown.truncate(SERIES_MAX);
    (shown, more)
}

/// A legend with the labels of a series.
fn legend(legend: &str, series: &Series) -> String {
    let mut out = String::new();
    let mut rest = legend;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((label, after)) = after.split_once("}}") else {
            break;
        };
        out.push_str(series.label(label.trim()));
        rest = after;
    }
    out + rest
}

/// The page and the figures behind it.
pub(super) fn files(dictionary: &Dictionary, measured: &Measured) -> (String, String) {
    let figures = values(dictionary, measured);
    let text = serde_json::to_string_pretty(&figures).expect("figures are a plain tree");
    (page::page(&main(dictionary, measured)), text + "\n")
}

/// What the page says, its heading first.
pub(crate) fn main(dictionary: &Dictionary, measured: &Measured) -> String {
    let public = dictionary.numbers.iter().filter(|number| number.public);
    page::main(&public.collect::<Vec<_>>(), measured)
}

/// The figures behind it.
pub(crate) fn values(dictionary: &Dictionary, measured: &Measured) -> serde_json::Value {
    let public = dictionary.numbers.iter().filter(|number| number.public);
    let figures: Vec<_> = public
        .map(|number| {
            let none = Vec::new();
            let all = measured.values.get(&number.id).unwrap_or(&none);
            let series = all.iter().map(|one| json!({"name": one.name, "points": one.points}));
            json!({
                "id": number.id, "name": number.name, "meaning": number.meaning.trim(),
                "unit": number.unit.grafana(), "span_seconds": span(number).as_secs(),
                "series": series.collect::<Vec<_>>(),
                "more_series": measured.more.get(&number.id).copied().unwrap_or_default(),
            })
        })
        .collect();
    json!({ "asked_at": measured.at.map(seconds), "newest_at": measured.newest, "metrics": figures })
}

/// Figures as [`values`] writes them.
#[derive(Deserialize)]
struct Written {
    asked_at: Option<u64>,
    newest_at: Option<f64>,
    metrics: Vec<WrittenNumber>,
}

#[derive(Deserialize)]
struct WrittenNumber {
    id: String,
    series: Vec<Shown>,
    #[serde(default)]
    more_series: usize,
}

impl Measured {
    /// Reads what [`values`] wrote; none when it holds no figures.
    ///
    /// # Errors
    /// It is something else.
    pub(crate) fn read(json: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        let Written { asked_at, newest_at, metrics } = serde_json::from_slice(json)?;
        let at = asked_at.and_then(|at| UNIX_EPOCH.checked_add(Duration::from_secs(at)));
        let left_out = metrics.iter().filter(|number| number.more_series > 0);
        let more = left_out.map(|number| (number.id.clone(), number.more_series)).collect();
        let values = metrics.into_iter().map(|number| (number.id, number.series)).collect();
        Ok(at.map(|at| Self { at: Some(at), newest: newest_at, values, more }))
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// A value as people read it.
fn written(value: f64, unit: Unit) -> String {
    let scaled = |value: f64, base: f64, words: [&str; 5]| {
        let (mut value, mut at) = (value, 0);
        while value.abs() >= base && at + 1 < words.len() {
            (value, at) = (value / base, at + 1);
        }
        format!("{value:.*} {}", usize::from(at > 0), words[at])
    };
    match unit {
        Unit::Ratio => format!("{:.3} %", value * 100.0),
        Unit::Budget => format!("{:.1} %", value * 100.0),
        Unit::Seconds if value < 1.0 => format!("{:.1} ms", value * 1000.0),
        Unit::Seconds => format!("{value:.1} s"),
        Unit::Bytes => scaled(value, 1024.0, ["B", "KiB", "MiB", "GiB", "TiB"]),
        Unit::BytesPerSecond => scaled(value, 1024.0, ["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"]),
        Unit::PerSecond => format!("{value:.2} per second"),
        Unit::Factor | Unit::Cores => format!("{value:.2}"),
        Unit::Count => format!("{value:.0}"),
        Unit::Truth => (if value >= 1.0 { "yes" } else { "no" }).to_owned(),
    }
}

#[cfg(test)]
mod tests;
