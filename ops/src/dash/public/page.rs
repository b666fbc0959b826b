//! The public page as HTML: headings, last values and sparklines, read by everybody and everything.

use jiff::Timestamp;

use super::{Measured, Shown, seconds, span, step, written};
use crate::dash::dictionary::Number;
use crate::site::{STYLE, escape};

/// The size of a sparkline, in its own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 60.0;
/// Room at all sides, so that no line is cut.
const EDGE: f64 = 3.0;

/// The page; it needs nothing beside it.
pub(super) fn page(main: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>How the gateways are doing – Bifrost</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the figures</a>\n<main id=\"main\">\n{main}</main>\n\
         </body>\n</html>\n"
    )
}

/// What it says.
pub(super) fn main(public: &[&Number], measured: &Measured) -> String {
    let mut out = "<h1>How the gateways are doing</h1>\n".to_owned();
    out.push_str(&age(measured));
    for number in public {
        let shown = measured.values.get(&number.id).map_or(&[][..], Vec::as_slice);
        out.push_str(&section(number, shown, measured));
    }
    out + "<p class=\"quiet\">The same figures for programs: <a href=\"metrics.json\">metrics.json</a>.\n\
           They are made from the definitions that our own dashboards have.</p>\n"
}

/// How old the figures are.
fn age(measured: &Measured) -> String {
    let Some(at) = measured.at else {
        return "<p class=\"note\">This copy holds no figures, only what they mean.</p>\n"
            .to_owned();
    };
    let newest = match measured.newest {
        Some(newest) => {
            let old = (seconds(at) as f64 - newest).max(0.0);
            format!("the newest measurement was {old:.0} s old then")
        }
        None => "nothing was measured then".to_owned(),
    };
    let asked = moment(seconds(at) as f64);
    format!(
        "<p class=\"note\">Asked on <time datetime=\"{0}\">{0}</time>; {newest}. This page does not \
         renew itself.</p>\n",
        asked
    )
}

fn section(number: &Number, shown: &[Shown], measured: &Measured) -> String {
    let newest = measured.newest.unwrap_or_default();
    let mut out = format!(
        "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{}</h2>\n<p>{}</p>\n",
        escape(&number.name),
        escape(number.meaning.trim()),
        id = number.id,
    );
    match measured.at {
        None => {}
        Some(_) if shown.is_empty() => {
            let why = number.allow_empty.as_deref().unwrap_or("nothing was measured yet");
            out.push_str(&format!("<p>No figures: {}.</p>\n", escape(why)));
        }
        Some(at) => {
            out.push_str(&spark(number, shown, seconds(at) as f64));
            out.push_str(&table(number, shown, newest));
        }
    }
    out + "</section>\n"
}

/// The last values; one that is older than the page says tells its own time.
fn table(number: &Number, shown: &[Shown], newest: f64) -> String {
    let mut out = "<table class=\"values\">\n<tbody>\n".to_owned();
    for one in shown {
        let (time, value) = one.points.last().copied().unwrap_or_default();
        let old = time + step(number).as_secs_f64() < newest;
        let row = format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"quiet\">{}</td></tr>\n",
            escape(&one.name),
            written(value, number.unit),
            if old { moment(time) } else { String::new() },
        );
        out.push_str(&row);
    }
    out + "</tbody>\n</table>\n"
}

/// One picture of all series. Gaps stay gaps.
fn spark(number: &Number, shown: &[Shown], until: f64) -> String {
    let from = until - span(number).as_secs_f64();
    let values = || shown.iter().flat_map(|one| &one.points).map(|point| point.1);
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    let height = if high > low { high - low } else { 1.0 };
    let place = |(time, value): (f64, f64)| {
        let x = EDGE + (time - from) / (until - from) * (WIDTH - 2.0 * EDGE);
        let y = HEIGHT - EDGE - (value - low) / height * (HEIGHT - 2.0 * EDGE);
        format!("{x:.1} {y:.1}")
    };
    let said = format!(
        "{}: from {} to {} over {}",
        number.name,
        written(low, number.unit),
        written(high, number.unit),
        past(number)
    );
    let mut out = format!(
        "<svg class=\"spark\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{}\">\n",
        escape(&said)
    );
    for (index, one) in shown.iter().enumerate() {
        let mut path = String::new();
        let mut last = f64::NEG_INFINITY;
        for point in &one.points {
            let near = point.0 - last <= step(number).as_secs_f64() * 1.5;
            path.push_str(if near { "L" } else { "M" });
            path.push_str(&place(*point));
            if !near {
                // A point that stands alone is seen as well.
                path.push_str("h0");
            }
            last = point.0;
        }
        out.push_str(&format!("<path class=\"s{}\" d=\"{path}\"/>\n", index % 4));
    }
    let range = format!("{} to {}", written(low, number.unit), written(high, number.unit));
    out + &format!("</svg>\n<p class=\"quiet\">{range} over {}</p>\n", past(number))
}

/// How much of the past is shown.
fn past(number: &Number) -> String {
    let hours = span(number).as_secs() / 3600;
    if hours > 48 { format!("{} days", hours / 24) } else { format!("{hours} hours") }
}

/// A moment as people and programs read it.
fn moment(seconds: f64) -> String {
    let whole = seconds as i64;
    Timestamp::from_second(whole).map(|time| time.to_string()).unwrap_or_default()
}
