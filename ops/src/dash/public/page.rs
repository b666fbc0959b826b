//! The public page as HTML: headings, last values and sparklines, read by everybody and everything.
//!
//! Each series has a line of its own beside its name and last value, all on one scale: nobody has to tell
//! lines apart by their colours.

use jiff::Timestamp;

use super::{Measured, Shown, seconds, span, step, written};
use crate::dash::dictionary::Number;
use crate::site::{STYLE, escape};

/// The size of a sparkline, in its own units.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 40.0;
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
            let until = seconds(at) as f64;
            out.push_str(&table(number, shown, until, measured.newest.unwrap_or_default()));
        }
    }
    if let Some(more) = measured.more.get(&number.id) {
        out.push_str(&format!("<p>{more} more are not shown.</p>\n"));
    }
    out + "</section>\n"
}

/// The last value of each series and how it came there; a value that is older than the page says tells its
/// own time.
fn table(number: &Number, shown: &[Shown], until: f64, newest: f64) -> String {
    let scale = Scale::of(shown, until - span(number).as_secs_f64(), until);
    let mut out = format!(
        "<div class=\"scroll\" tabindex=\"0\"><table class=\"values\">\n<caption>{} to {} over {}</caption>\n<tbody>\n",
        written(scale.low, number.unit),
        written(scale.high, number.unit),
        past(number)
    );
    for one in shown {
        let (time, value) = one.points.last().copied().unwrap_or_default();
        let old = time + step(number).as_secs_f64() < newest;
        let when = old.then(|| format!("<br><span class=\"quiet\">{}</span>", moment(time)));
        let row = format!(
            "<tr><th scope=\"row\">{}</th><td>{}{}</td><td>{}</td></tr>\n",
            escape(&one.name),
            written(value, number.unit),
            when.unwrap_or_default(),
            spark(number, one, &scale),
        );
        out.push_str(&row);
    }
    out + "</tbody>\n</table></div>\n"
}

/// What the lines of a number have in common.
struct Scale {
    from: f64,
    until: f64,
    low: f64,
    high: f64,
}

impl Scale {
    fn of(shown: &[Shown], from: f64, until: f64) -> Self {
        let values = || shown.iter().flat_map(|one| &one.points).map(|point| point.1);
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(f64::NEG_INFINITY, f64::max);
        Self { from, until, low, high }
    }

    /// Where a point is in the picture.
    fn place(&self, (time, value): (f64, f64)) -> String {
        let height = if self.high > self.low { self.high - self.low } else { 1.0 };
        let x = EDGE + (time - self.from) / (self.until - self.from) * (WIDTH - 2.0 * EDGE);
        let y = HEIGHT - EDGE - (value - self.low) / height * (HEIGHT - 2.0 * EDGE);
        format!("{x:.0} {y:.1}")
    }
}

/// The line of a series. Gaps stay gaps.
fn spark(number: &Number, one: &Shown, scale: &Scale) -> String {
    let own = Scale::of(std::slice::from_ref(one), scale.from, scale.until);
    let said = format!(
        "{}, {}: from {} to {} over {}",
        number.name,
        one.name,
        written(own.low, number.unit),
        written(own.high, number.unit),
        past(number)
    );
    let mut path = String::new();
    let mut last = f64::NEG_INFINITY;
    for point in &one.points {
        let near = point.0 - last <= step(number).as_secs_f64() * 1.5;
        path.push_str(if near { "L" } else { "M" });
        path.push_str(&scale.place(*point));
        if !near {
            // A point that stands alone is seen as well.
            path.push_str("h0");
        }
        last = point.0;
    }
    format!(
        "<svg class=\"spark\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{}\"><path d=\"{path}\"/></svg>",
        escape(&said)
    )
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
