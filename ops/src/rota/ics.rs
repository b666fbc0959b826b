//! The calendar of a schedule, as RFC 5545 has it.
//!
//! Times are in UTC, so that no calendar has to know our zones, and the UID of a shift is made of
//! its schedule, layer and beginning: a calendar that reads the file again changes what it has.

use std::fmt::Write as _;

use jiff::{Timestamp, ToSpan};

use super::file::{Rota, Schedule};

/// Longest line in bytes, without its end (RFC 5545 §3.1).
const LINE_BYTES_MAX: usize = 75;

/// Hours before the first instant in which a shift that runs may have begun: two weeks.
const HOURS_BACK: i64 = 2 * 7 * 24;

/// The calendar of shifts between two instants; `made` is when the rota was read.
pub(crate) fn calendar(
    rota: &Rota,
    schedules: &[&Schedule],
    (from, to): (Timestamp, Timestamp),
    made: Timestamp,
) -> String {
    let mut text = String::new();
    for start in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Bifrost//bifrost rota//EN"] {
        line(&mut text, start);
    }
    for schedule in schedules {
        // A shift that runs has the UID of its beginning, however long ago that is.
        let earlier = from.checked_sub(HOURS_BACK.hours()).unwrap_or(Timestamp::MIN);
        let shifts = schedule.shifts(earlier, to);
        for shift in shifts.iter().filter(|shift| shift.to > from) {
            let name = rota.person(shift.person).map_or(shift.person, |person| &person.name[..]);
            let id = format!("{}/{}/{}", schedule.name, shift.layer, utc(shift.from));
            line(&mut text, "BEGIN:VEVENT");
            line(&mut text, &format!("UID:{}@bifrost", escaped(&id)));
            line(&mut text, &format!("DTSTAMP:{}", utc(made)));
            line(&mut text, &format!("DTSTART:{}", utc(shift.from)));
            line(&mut text, &format!("DTEND:{}", utc(shift.to)));
            line(&mut text, &format!("SUMMARY:{}: {}", escaped(&schedule.name), escaped(name)));
            let about = format!("{} ({}). {}", shift.person, shift.layer, schedule.summary);
            line(&mut text, &format!("DESCRIPTION:{}", escaped(about.trim_end())));
            line(&mut text, "TRANSP:TRANSPARENT");
            line(&mut text, "END:VEVENT");
        }
    }
    line(&mut text, "END:VCALENDAR");
    text
}

/// A date and time in UTC, form 2 of §3.3.5.
fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A text as §3.3.11 escapes it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(one);
            }
            '\n' => out.push_str("\\n"),
            one if one.is_control() => {}
            one => out.push(one),
        }
    }
    out
}

/// Adds a line, folded between characters.
fn line(text: &mut String, content: &str) {
    let mut length = 0;
    for one in content.chars() {
        if length + one.len_utf8() > LINE_BYTES_MAX {
            text.push_str("\r\n ");
            length = 1;
        }
        text.push(one);
        length += one.len_utf8();
    }
    write!(text, "\r\n").expect("a string takes all text");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_characters() {
        let mut text = String::new();
        line(&mut text, &"é".repeat(100));
        for part in text.split("\r\n") {
            assert!(part.len() <= LINE_BYTES_MAX, "{part}");
        }
        assert_eq!(text.replace("\r\n ", ""), format!("{}\r\n", "é".repeat(100)));
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(escaped("a;b,c\\d\ne\r"), "a\\;b\\,c\\\\d\\ne");
    }
}
