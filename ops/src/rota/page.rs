//! The page of a rota: who is on call, who is next, and every shift of the weeks ahead.
//!
//! One file without script or anything from elsewhere; times are in UTC and in the zone of who has
//! the shift.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::file::{Rota, Schedule};
use crate::runbook::anchor;
use crate::site::{STYLE, escape};

/// The page of shifts between two instants, the first of which is the present.
pub(crate) fn page(rota: &Rota, schedules: &[&Schedule], now: Timestamp, to: Timestamp) -> String {
    let mut main = String::from("<h1>On call</h1>\n");
    for (schedule, id) in schedules.iter().zip(ids(schedules)) {
        let on_call = match rota.owner_at(&schedule.name, now) {
            Some(person) => format!("{} is on call.", escape(&person.name)),
            None => "Nobody is on call.".to_owned(),
        };
        let note = format!("<p class=\"note\">{on_call}</p>\n");
        section(&mut main, rota, (schedule, &id), (now, to), &note);
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>On call – Bifrost</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the text</a>\n<main id=\"main\">\n{main}</main>\n\
         <footer>Made {} from {}.</footer>\n</body>\n</html>\n",
        time(now, "%F %H:%M UTC"),
        escape(&rota.path.display().to_string())
    )
}

/// Every shift between two instants, for a page that is read at any time.
pub(crate) fn shifts(rota: &Rota, from: Timestamp, to: Timestamp) -> String {
    let mut out = String::new();
    let schedules: Vec<&Schedule> = rota.schedules.iter().collect();
    for (schedule, id) in schedules.iter().zip(ids(&schedules)) {
        section(&mut out, rota, (schedule, &id), (from, to), "");
    }
    out
}

/// An id for each schedule, which no other element of a page has: names are what somebody called them.
fn ids(schedules: &[&Schedule]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for schedule in schedules {
        let name = format!("schedule-{}", anchor(&schedule.name));
        let mut id = name.clone();
        let mut more = 0;
        while ids.contains(&id) {
            more += 1;
            id = format!("{name}-{more}");
        }
        ids.push(id);
    }
    ids
}

fn section(
    out: &mut String,
    rota: &Rota,
    (schedule, id): (&Schedule, &str),
    (from, to): (Timestamp, Timestamp),
    note: &str,
) {
    let name = escape(&schedule.name);
    let shifts = schedule.shifts(from, to);
    let mut rows = String::new();
    for shift in &shifts {
        let person = rota.person(shift.person);
        let local = person.map_or_else(String::new, |person| {
            let local = shift.from.to_zoned(person.tz.0.clone());
            local.strftime("%a %H:%M %Z").to_string()
        });
        writeln!(
            rows,
            "<tr><td>{}</td><td>{}</td><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>",
            time(shift.from, "%a %F %H:%M"),
            time(shift.to, "%a %F %H:%M"),
            escape(person.map_or(shift.person, |person| &person.name)),
            escape(&local),
            escape(shift.layer)
        )
        .expect("a string takes all text");
    }
    write!(
        out,
        "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{name}</h2>\n<p>{}</p>\n\
         {note}<div class=\"scroll\" tabindex=\"0\"><table>\n<caption>Shifts of {name}</caption>\n\
         <thead><tr><th scope=\"col\">From (UTC)</th><th scope=\"col\">To (UTC)</th>\
         <th scope=\"col\">Who</th><th scope=\"col\">Begins, for them</th>\
         <th scope=\"col\">Layer</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</section>\n",
        escape(&schedule.summary)
    )
    .expect("a string takes all text");
}

fn time(at: Timestamp, form: &str) -> String {
    format!("<time datetime=\"{at}\">{}</time>", at.strftime(form))
}
