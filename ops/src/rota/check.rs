//! What is wrong with a rota: gaps, double bookings, people who do not exist, unfair shares.
//!
//! Time is checked as it will be lived, instant by instant through the weeks ahead, so that two
//! layers in zones that change their clocks on different days show the hour that nobody has.

use std::collections::{BTreeMap, HashSet};

use jiff::{Timestamp, ToSpan};

use super::file::{Rota, Schedule};
use super::shifts::Shift;
use crate::findings::Finding;

/// Most findings of one kind about one schedule; a layer that is wrong is wrong every day.
const FINDINGS_MAX: usize = 10;

/// Everything that is wrong between two instants.
pub(crate) fn check(rota: &Rota, from: Timestamp, to: Timestamp) -> Vec<Finding> {
    let mut found = Found { rota, findings: Vec::new() };
    people(&mut found);
    schedules(&mut found);
    for (place, schedule) in rota.schedules.iter().enumerate() {
        let path = format!("schedules.{place}");
        overrides(&mut found, schedule, &path);
        let shifts = schedule.shifts(from, to);
        gaps(&mut found, &path, schedule, &shifts, (from, to));
        double_bookings(&mut found, &path, schedule, (from, to));
        holidays(&mut found, schedule, &shifts);
        spread(&mut found, &path, schedule, &shifts);
    }
    found.findings
}

/// Hours of each person within shifts, and nobody who has none but is named.
pub(crate) fn hours<'a>(schedule: &'a Schedule, shifts: &[Shift<'a>]) -> BTreeMap<&'a str, f64> {
    let named = schedule.layers.iter().flat_map(|layer| &layer.people);
    let mut hours: BTreeMap<&str, f64> = named.map(|handle| (&handle[..], 0.0)).collect();
    for shift in shifts {
        *hours.entry(shift.person).or_default() += shift.hours();
    }
    hours
}

struct Found<'a> {
    rota: &'a Rota,
    findings: Vec<Finding>,
}

impl Found<'_> {
    fn add(&mut self, path: &str, rule: &'static str, text: String) {
        let line = self.rota.lines.at(path);
        self.findings.push(Finding::at(&self.rota.path, line, rule, text));
    }

    fn known(&mut self, path: &str, handle: &str) {
        if self.rota.person(handle).is_none() {
            let text = format!("nobody has the handle {handle:?}: add them to people");
            self.add(path, "unknown-person", text);
        }
    }
}

fn people(found: &mut Found<'_>) {
    let mut seen = HashSet::new();
    for (place, person) in found.rota.people.iter().enumerate() {
        let path = format!("people.{place}");
        if !seen.insert(&person.handle) {
            let text = format!("{:?} is the handle of two people", person.handle);
            found.add(&format!("{path}.handle"), "twice", text);
        }
        if !is_reference(&person.contact) {
            let text = format!(
                "the contact of {:?} is no reference such as pager:{0}: numbers, addresses and \
                 secrets do not belong into a repository",
                person.handle
            );
            found.add(&format!("{path}.contact"), "contact", text);
        }
    }
    for (place, holiday) in found.rota.holidays.iter().enumerate() {
        let path = format!("holidays.{place}");
        found.known(&format!("{path}.person"), &holiday.person);
        if holiday.to < holiday.from {
            found.add(&path, "order", "it ends before it begins".to_owned());
        }
    }
}

/// Whether it says where to look: `kind:name`, with no run of digits that could be dialled.
fn is_reference(contact: &str) -> bool {
    let Some((kind, name)) = contact.split_once(':') else { return false };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let word = |text: &str| !text.is_empty() && text.bytes().all(plain);
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    word(kind) && word(name) && digits < 6 && name.len() <= 32
}

fn schedules(found: &mut Found<'_>) {
    let mut seen = HashSet::new();
    for (place, schedule) in found.rota.schedules.iter().enumerate() {
        let path = format!("schedules.{place}");
        if !seen.insert(&schedule.name) {
            let text = format!("{:?} is the name of two schedules", schedule.name);
            found.add(&format!("{path}.name"), "twice", text);
        }
        let mut layers = HashSet::new();
        for (place, layer) in schedule.layers.iter().enumerate() {
            let path = format!("{path}.layers.{place}");
            if !layers.insert(&layer.name) {
                let text = format!("{:?} is the name of two layers", layer.name);
                found.add(&format!("{path}.name"), "twice", text);
            }
            let people: HashSet<&String> = layer.people.iter().collect();
            if people.len() < 2 {
                let text = format!("{:?} has no two people: one alone is never off", layer.name);
                found.add(&format!("{path}.people"), "too-few-people", text);
            }
            for (place, handle) in layer.people.iter().enumerate() {
                found.known(&format!("{path}.people.{place}"), handle);
            }
        }
    }
}

fn overrides(found: &mut Found<'_>, schedule: &Schedule, path: &str) {
    for (place, one) in schedule.overrides.iter().enumerate() {
        let path = format!("{path}.overrides.{place}");
        found.known(&format!("{path}.person"), &one.person);
        if one.to <= one.from {
            found.add(&path, "order", "it ends before it begins".to_owned());
        }
        for (earlier, other) in schedule.overrides[..place].iter().enumerate() {
            if one.from < other.to && other.from < one.to {
                let text = format!("overrides {earlier} and {place} are for the same time");
                found.add(&path, "overlap", text);
            }
        }
    }
}

fn gaps(
    found: &mut Found<'_>,
    path: &str,
    schedule: &Schedule,
    shifts: &[Shift<'_>],
    (from, to): (Timestamp, Timestamp),
) {
    let mut covered = from;
    let mut gaps = Vec::new();
    for shift in shifts {
        if shift.from > covered {
            gaps.push((covered, shift.from));
        }
        covered = covered.max(shift.to);
    }
    if covered < to {
        gaps.push((covered, to));
    }
    for (from, to) in gaps.into_iter().take(FINDINGS_MAX) {
        let text = format!("nobody is on call for {} from {from} to {to}", schedule.name);
        found.add(&format!("{path}.layers"), "gap", text);
    }
}

fn double_bookings(
    found: &mut Found<'_>,
    path: &str,
    schedule: &Schedule,
    (from, to): (Timestamp, Timestamp),
) {
    let layers = schedule.layers.iter().enumerate();
    let mut shifts: Vec<(usize, Shift<'_>)> = layers
        .flat_map(|(place, layer)| layer.shifts(from, to).into_iter().map(move |one| (place, one)))
        .collect();
    shifts.sort_by_key(|(_, shift)| (shift.from, shift.to));
    let mut reported = 0;
    let mut longest: Option<&(usize, Shift<'_>)> = None;
    for next in &shifts {
        if let Some((_, before)) = longest.filter(|(_, before)| next.1.from < before.to) {
            let until = before.to.min(next.1.to);
            let text = format!(
                "{} ({}) and {} ({}) are both on call for {} from {} to {until}",
                before.person,
                before.layer,
                next.1.person,
                next.1.layer,
                schedule.name,
                next.1.from
            );
            if reported < FINDINGS_MAX {
                found.add(&format!("{path}.layers.{}", next.0), "overlap", text);
            }
            reported += 1;
        }
        if longest.is_none_or(|(_, before)| next.1.to > before.to) {
            longest = Some(next);
        }
    }
}

/// Nobody is on call on a day on which they are away.
fn holidays(found: &mut Found<'_>, schedule: &Schedule, shifts: &[Shift<'_>]) {
    for (place, holiday) in found.rota.holidays.iter().enumerate() {
        let Some(person) = found.rota.person(&holiday.person) else { continue };
        let midnight = |day: jiff::civil::Date| day.to_zoned(person.tz.0.clone());
        let (Ok(from), Ok(to)) =
            (midnight(holiday.from), midnight(holiday.to.saturating_add(1.day())))
        else {
            continue;
        };
        let own = shifts.iter().filter(|shift| shift.person == person.handle);
        let on_call = own.filter_map(|one| one.clipped(from.timestamp(), to.timestamp()));
        if let Some(shift) = on_call.min_by_key(|shift| shift.from) {
            let text = format!(
                "{} is away and on call for {} from {} to {}: write an override",
                person.handle, schedule.name, shift.from, shift.to
            );
            found.add(&format!("holidays.{place}"), "away", text);
        }
    }
}

fn spread(found: &mut Found<'_>, path: &str, schedule: &Schedule, shifts: &[Shift<'_>]) {
    let hours = hours(schedule, shifts);
    let by_hours = |a: &(&&str, &f64), b: &(&&str, &f64)| a.1.total_cmp(b.1);
    let (Some(least), Some(most)) = (hours.iter().min_by(by_hours), hours.iter().max_by(by_hours))
    else {
        return;
    };
    let spread = most.1 - least.1;
    if spread > schedule.spread_hours_max {
        let text = format!(
            "{} has {:.0} h and {} has {:.0} h of {}: {spread:.0} h apart, {} at most",
            most.0, most.1, least.0, least.1, schedule.name, schedule.spread_hours_max
        );
        found.add(path, "spread", text);
    }
}
