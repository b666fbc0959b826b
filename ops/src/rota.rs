//! `bifrost rota`: who is on call, from one file that people write and check.
//!
//! Nothing is kept but the file: the answer for an instant is computed from it, so that whoever has
//! the file and a clock has the answer.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use serde_yaml::Value;

pub(crate) mod alertmanager;
mod check;
mod file;
mod ics;
pub(crate) mod on_call;
mod page;
mod shifts;
#[cfg(test)]
mod tests;

pub(crate) use file::{Person, Rota, RotaError};
pub(crate) use page::shifts;

use crate::findings::{self, Finding, Verdict};
use crate::output::{self, Format, Style, Table};
use file::{Instant, Schedule};
use on_call::OnCall;
use shifts::Shift;
use telemetry::metrics::Registry;

/// Where the rota lies in this project.
pub(crate) const ROTA: &str = "runbooks/rota.yaml";

/// Weeks of a shift's history that are looked at for where it began.
const WEEKS_BACK: i64 = 2;

/// What `bifrost rota` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost rota now
  bifrost rota now --schedule bifrost-oncall --at 2026-12-24T18:00:00Z --format json
  bifrost rota check --weeks 12
  bifrost rota ics --schedule bifrost-oncall > on-call.ics
  bifrost rota alertmanager --webhook http://127.0.0.1:9095/ > alertmanager.yml

Exit codes:
  0  answered; checked, nothing found
  1  checked, with findings; nobody is on call
  2  wrong command line
  3  the rota cannot be read")]
pub(crate) struct RotaArgs {
    #[command(subcommand)]
    command: RotaCommand,
    /// The rota.
    #[arg(long, global = true, value_name = "FILE", default_value = ROTA)]
    rota: PathBuf,
    /// The time that counts as the present, such as 2026-12-24T08:00:00Z or
    /// 2026-12-24T09:00[Europe/Berlin].
    #[arg(long, global = true, value_name = "TIME")]
    at: Option<Instant>,
    /// One schedule alone.
    #[arg(long, global = true, value_name = "NAME")]
    schedule: Option<String>,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum RotaCommand {
    /// Say who is on call.
    Now,
    /// Say who takes over, and when.
    Next {
        /// How many handovers.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
    },
    /// Find gaps, double bookings, unknown people, unfair shares and people who are away.
    Check(Ahead),
    /// Print a calendar (RFC 5545).
    Ics(Ahead),
    /// Print a page: who is on call, and every shift ahead.
    Html(Ahead),
    /// Print the configuration of Alertmanager that leads each alert to its owner.
    Alertmanager {
        /// Where Alertmanager sends everything; without it receivers have names alone.
        #[arg(long, value_name = "URL")]
        webhook: Option<String>,
    },
    /// Print who is on call as metrics, for a collector of text files.
    Metrics,
}

#[derive(Debug, Args)]
struct Ahead {
    /// How many weeks, from the present.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(i64).range(1..=104))]
    weeks: i64,
}

/// Runs `bifrost rota` and says how it ended.
pub(crate) fn run(args: &RotaArgs) -> Verdict {
    let rota = match Rota::read(&args.rota) {
        Ok(rota) => rota,
        // A file that can be read but is no rota is what a check is there to find.
        Err(RotaError::Broken(finding)) if matches!(args.command, RotaCommand::Check(_)) => {
            return findings::report(vec![finding], args.format);
        }
        Err(error) => return refused(&error.to_string()),
    };
    let named: Vec<&Schedule> = match &args.schedule {
        None => rota.schedules.iter().collect(),
        Some(name) => rota.schedule(name).into_iter().collect(),
    };
    if named.is_empty() {
        let known: Vec<&str> = rota.schedules.iter().map(|schedule| &schedule.name[..]).collect();
        let path = rota.path.display();
        return refused(&format!("no such schedule in {path}; it has: {}", known.join(", ")));
    }
    let now = args.at.map_or_else(Timestamp::now, |at| at.0);
    let ahead = |ahead: &Ahead| (now, later(now, ahead.weeks));
    match &args.command {
        RotaCommand::Now => say_now(&rota, &named, now, args.format),
        RotaCommand::Next { count } => say_next(&rota, &named, now, (*count).into(), args.format),
        RotaCommand::Check(weeks) => say_check(&rota, &named, ahead(weeks), args.format),
        RotaCommand::Ics(weeks) => said(&ics::calendar(&rota, &named, ahead(weeks), now)),
        RotaCommand::Html(weeks) => said(&page::page(&rota, &named, now, ahead(weeks).1)),
        RotaCommand::Alertmanager { webhook } => {
            said(&alertmanager::config(&rota, webhook.as_deref()))
        }
        RotaCommand::Metrics => said(&metrics(rota, args.schedule.as_deref(), now)),
    }
}

fn refused(text: &str) -> Verdict {
    output::note(&format!("{} {text}", Style::stderr().failure("bifrost:")));
    Verdict::CouldNotCheck
}

fn said(text: &str) -> Verdict {
    output::result(text);
    Verdict::Clean
}

fn later(now: Timestamp, weeks: i64) -> Timestamp {
    now.checked_add((weeks * 7 * 24).hours()).unwrap_or(Timestamp::MAX)
}

fn say_now(rota: &Rota, schedules: &[&Schedule], now: Timestamp, format: Format) -> Verdict {
    let mut table = Table::default();
    let mut verdict = Verdict::Clean;
    for schedule in schedules {
        let shifts = schedule.shifts(later(now, -WEEKS_BACK), later(now, WEEKS_BACK));
        let at = shifts.iter().position(|shift| shift.from <= now && now < shift.to);
        let Some((at, person)) = at.and_then(|at| Some((at, rota.person(shifts[at].person)?)))
        else {
            verdict = Verdict::Findings;
            if format == Format::Json {
                let line =
                    json!({"schedule": schedule.name, "at": now.to_string(), "person": null});
                output::result(&format!("{line}\n"));
            }
            table.row([&schedule.name, "nobody", "", "", ""]);
            continue;
        };
        let next = shifts.get(at + 1).map_or("", |shift| shift.person);
        if format == Format::Json {
            let line = shift_json(rota, schedule, &shifts[at], next, now);
            output::result(&format!("{line}\n"));
        }
        let until = format!("until {}", local(&shifts[at].to, person));
        let then = if next.is_empty() { String::new() } else { format!("then {next}") };
        table.row([&schedule.name, &person.name, &person.contact, &until, &then]);
    }
    if format == Format::Text {
        output::result(&table.render("", Style::stdout()));
    }
    verdict
}

fn shift_json(
    rota: &Rota,
    schedule: &Schedule,
    shift: &Shift<'_>,
    next: &str,
    at: Timestamp,
) -> serde_json::Value {
    let person = rota.person(shift.person);
    json!({
        "schedule": schedule.name,
        "at": at.to_string(),
        "person": shift.person,
        "name": person.map(|person| &person.name),
        "contact": person.map(|person| &person.contact),
        "layer": shift.layer,
        "from": shift.from.to_string(),
        "to": shift.to.to_string(),
        "next": next,
    })
}

/// An instant as the person's own clock shows it.
fn local(at: &Timestamp, person: &Person) -> String {
    at.to_zoned(person.tz.0.clone()).strftime("%a %F %H:%M %Z").to_string()
}

fn say_next(
    rota: &Rota,
    schedules: &[&Schedule],
    now: Timestamp,
    count: usize,
    format: Format,
) -> Verdict {
    let mut table = Table::default();
    for schedule in schedules {
        // A shift may be a week long, so this many weeks hold that many of them.
        let until = later(now, i64::try_from(count).unwrap_or(i64::MAX) + 1);
        let shifts = schedule.shifts(now, until);
        let next = shifts.iter().filter(|shift| shift.from > now).take(count);
        for shift in next {
            let Some(person) = rota.person(shift.person) else { continue };
            if format == Format::Json {
                let line = shift_json(rota, schedule, shift, "", now);
                output::result(&format!("{line}\n"));
            }
            let begins = format!("{} UTC", shift.from.strftime("%a %F %H:%M"));
            let own = local(&shift.from, person);
            table.row([&schedule.name, &begins, &person.name, &person.contact, &own]);
        }
    }
    if format == Format::Text {
        output::result(&table.render("", Style::stdout()));
    }
    Verdict::Clean
}

fn say_check(
    rota: &Rota,
    schedules: &[&Schedule],
    (from, to): (Timestamp, Timestamp),
    format: Format,
) -> Verdict {
    let mut table = Table::default();
    for schedule in schedules {
        for (handle, hours) in check::hours(schedule, &schedule.shifts(from, to)) {
            table.row([&schedule.name, handle, &format!("{hours:.0} h")]);
        }
    }
    // Shares are for the person who looks; findings alone are the result.
    output::note(table.render("", Style::stderr()).trim_end());
    findings::report(check::check(rota, from, to), format)
}

/// Who is on call as a gauge that is 1 for them and 0 for everybody else of the schedule.
fn metrics(mut rota: Rota, schedule: Option<&str>, now: Timestamp) -> String {
    rota.schedules.retain(|one| schedule.is_none_or(|name| one.name == name));
    let registry = Registry::new();
    OnCall::new(rota, &registry).refresh(now);
    registry.text()
}

/// The names of schedules, for those who take less than a whole rota: keys of `schedules`, or its
/// elements, which are names or have one. None when there are no `schedules`.
pub(crate) fn schedule_names(rota: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let listed = rota.get("schedules")?;
    if let Some(keys) = listed.as_mapping() {
        return Some(keys.keys().filter_map(text).collect());
    }
    let each = listed.as_sequence().into_iter().flatten();
    Some(each.filter_map(|one| one.get("name").or(Some(one)).and_then(text)).collect())
}

/// What is wrong with the owners that others name: each has to be a schedule.
pub(crate) fn unknown_owner(
    rota: &Rota,
    owner: &str,
    (path, line): (&std::path::Path, usize),
) -> Option<Finding> {
    if rota.schedule(owner).is_some() {
        return None;
    }
    let text = format!("{owner:?} is no schedule of {}", rota.path.display());
    Some(Finding::at(path, line, "unknown-owner", text))
}
