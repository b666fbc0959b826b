//! The public page as HTML: headings, last values and sparklines, read by everybody and everything.

use jiff::Timestamp;

use super::{Measured, Shown, seconds, span, step, written};
use crate::dash::dictionary::Number;
use crate::site::escape;

/// The size of a sparkline, in its own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 60.0;
/// Room at all sides, so that no line is cut.
const EDGE: f64 = 3.0;

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>How the gateways are doing – Bifrost</title>
<link rel=\"icon\" href=\"data:,\">
<style>
:root { color-scheme: light dark; --paper: #fff; --ink: #1d2430; --quiet: #5a6475; --line: #d9dee7;
  --link: #0b5cad; --tint: #f3f6fa; --s0: #0b5cad; --s1: #a8480b; --s2: #1b7a3d; --s3: #8a2d8a; }
@media (prefers-color-scheme: dark) { :root { --paper: #12161d; --ink: #e6eaf1; --quiet: #9aa5b8;
  --line: #2c3442; --link: #7db7f5; --tint: #1a2029; --s0: #7db7f5; --s1: #f5a86b; --s2: #6fd596;
  --s3: #e39be3; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 0 1.1rem 3rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: break-word; }
a { color: var(--link); }
a:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--paper); padding: .5rem; }
h1 { font-size: 1.8rem; line-height: 1.25; margin: 1.5rem 0 .6rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .2rem; }
.age { background: var(--tint); border-left: 4px solid var(--link); padding: .5rem .8rem; }
.quiet { color: var(--quiet); font-size: .9rem; }
table { border-collapse: collapse; margin: .4rem 0; }
th, td { padding: .15rem .8rem .15rem 0; text-align: left; font-weight: normal; }
td { font-variant-numeric: tabular-nums; white-space: nowrap; }
svg { display: block; width: 100%; height: 4rem; background: var(--tint); border-radius: 4px; }
svg path { fill: none; stroke-width: 2; stroke-linecap: round; vector-effect: non-scaling-stroke; }
.s0 { stroke: var(--s0); } .s1 { stroke: var(--s1); stroke-dasharray: 6 3; }
.s2 { stroke: var(--s2); stroke-dasharray: 2 3; } .s3 { stroke: var(--s3); stroke-dasharray: 9 3 2 3; }
</style>
</head>
<body>
<a class=\"skip\" href=\"#main\">Skip to the figures</a>
<main id=\"main\">
<h1>How the gateways are doing</h1>
";

const TAIL: &str =
    "<p class=\"quiet\">The same figures for programs: <a href=\"metrics.json\">metrics.json</a>.
They are made from the definitions that our own dashboards have.</p>
</main>
</body>
</html>
";

/// The page.
pub(super) fn page(public: &[&Number], measured: &Measured) -> String {
    let mut out = HEAD.to_owned();
    out.push_str(&age(measured));
    for number in public {
        let shown = measured.values.get(&number.id).map_or(&[][..], Vec::as_slice);
        out.push_str(&section(number, shown, measured));
    }
    out + TAIL
}

/// How old the figures are.
fn age(measured: &Measured) -> String {
    let Some(at) = measured.at else {
        return "<p class=\"age\">This copy holds no figures, only what they mean.</p>\n"
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
        "<p class=\"age\">Asked on <time datetime=\"{0}\">{0}</time>; {newest}. This page does not \
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
            let why = number.allow_empty.as_deref().unwrap_or("nobody knows why");
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
    let mut out = "<table>\n<tbody>\n".to_owned();
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
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
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
