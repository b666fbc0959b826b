//! Judges what Prometheus answered for a number, and writes the judgements down.

use serde_json::json;

use crate::dash::dictionary::Number;
use crate::output::{Format, Style, Table};
use crate::prometheus::Answer;

/// How far beyond its bounds a value may be: sums of rates are not exact.
const TOLERANCE: f64 = 1e-6;

/// One query of one panel.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) board: String,
    pub(super) panel: String,
    id: String,
    series: usize,
    pub(super) points: usize,
    least: f64,
    greatest: f64,
    said: &'static str,
}

/// What is wrong with the answer to a number's expression.
pub(super) fn judge(
    number: &Number,
    answer: &Answer,
    series_max: usize,
) -> (Row, Vec<(&'static str, String)>) {
    let mut said = Vec::new();
    let values = || answer.series.iter().flat_map(|series| &series.points).map(|point| point.1);
    let finite: Vec<f64> = values().filter(|value| value.is_finite()).collect();
    let least = finite.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for warning in &answer.warnings {
        said.push(("warning", format!("Prometheus warns: {warning}")));
    }
    if finite.is_empty() && number.allow_empty.is_none() {
        let text = "there is no value; if that may be, say why with allow_empty".to_owned();
        said.push(("no-data", text));
    }
    let strange = values().filter(|value| !value.is_finite()).count();
    let undefined = values().all(|value| value.is_finite() || value.is_nan());
    if strange > 0 && !(undefined && number.allow_empty.is_some()) {
        let text = format!("{strange} of {} values are no numbers", finite.len() + strange);
        said.push(("not-finite", text));
    }
    let (low, high) = number.unit.bounds();
    if least < low - TOLERANCE || (greatest > high + TOLERANCE && !finite.is_empty()) {
        let text = format!("values from {least} to {greatest} are no {:?}", number.unit);
        said.push(("implausible", text));
    }
    let series = answer.series.len();
    if series > series_max {
        let text = format!("{series} series are more than the {series_max} that anybody can read");
        said.push(("too-many-series", text));
    }
    let words = match said.first() {
        Some((rule, _)) => *rule,
        None if finite.is_empty() => "empty, as it may be",
        None => "ok",
    };
    let row = Row {
        board: String::new(),
        panel: String::new(),
        id: number.id.clone(),
        series,
        points: finite.len(),
        least,
        greatest,
        said: words,
    };
    (row, said)
}

/// What was asked, as a table or as one object a line.
pub(super) fn written(rows: &[Row], format: Format) -> String {
    let shown = |value: f64| if value.is_finite() { rounded(value) } else { "-".to_owned() };
    let mut table = Table::default();
    let mut lines = String::new();
    table.row(["DASHBOARD", "PANEL", "NUMBER", "SERIES", "POINTS", "LEAST", "GREATEST", ""]);
    for row in rows {
        let Row { board, panel, id, series, points, least, greatest, said } = row;
        let (count, all) = (series.to_string(), points.to_string());
        table.row([board, panel, id, &count, &all, &shown(*least), &shown(*greatest), said]);
        let line = json!({
            "dashboard": board, "panel": panel, "id": id, "series": series, "points": points,
            "least": least, "greatest": greatest, "said": said,
        });
        lines.push_str(&format!("{line}\n"));
    }
    match format {
        Format::Text => table.render("", Style::stdout()),
        Format::Json => lines,
    }
}

/// A value with four digits that mean something.
fn rounded(value: f64) -> String {
    if value == 0.0 || (0.001..100_000.0).contains(&value.abs()) {
        let text = format!("{value:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.3e}")
    }
}
