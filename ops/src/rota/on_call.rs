//! Who is on call, as series that alerts and pages name people by.
//!
//! An alert is written long before it is raised, so its rule asks Prometheus for the person of that
//! moment; without an answer it names the schedule.

use jiff::Timestamp;
use serde_json::{Value, json};
use telemetry::metrics::{Gauge, Listed, Registry};

use super::file::{Rota, Schedule};
use super::{WEEKS_BACK, check, later};

/// The series: 1 for whoever is on call for the schedule, 0 for the others.
pub(crate) const SERIES: &str = "bifrost_rota_on_call";

/// The series of a rota.
#[derive(Debug)]
pub(crate) struct OnCall {
    rota: Rota,
    /// Schedule and person, in the order of the series.
    rows: Vec<[String; 2]>,
    series: Listed<Gauge>,
}

impl OnCall {
    /// Declares a series for every person of every schedule.
    ///
    /// # Panics
    /// When the registry has one already.
    pub(crate) fn new(rota: Rota, registry: &Registry) -> Self {
        let named = |schedule: &Schedule| -> Vec<[String; 2]> {
            let mut people: Vec<&str> = check::hours(schedule, &[]).into_keys().collect();
            people.extend(schedule.overrides.iter().map(|one| &one.person[..]));
            people.sort_unstable();
            people.dedup();
            people.iter().map(|person| [schedule.name.clone(), (*person).to_owned()]).collect()
        };
        let rows: Vec<[String; 2]> = rota.schedules.iter().flat_map(named).collect();
        let help = "Whether the person is on call for the schedule.";
        let series = registry.gauge_pairs(SERIES, help, ["schedule", "person"], &rows);
        Self { rota, rows, series }
    }

    /// Sets every series to what holds at `now`.
    pub(crate) fn refresh(&self, now: Timestamp) {
        for (place, [schedule, person]) in self.rows.iter().enumerate() {
            let owner = self.rota.owner_at(schedule, now);
            let is_owner = owner.is_some_and(|owner| owner.handle == *person);
            self.series.at(place).expect("one each").set(i64::from(is_owner));
        }
    }
}

/// The text of an annotation that becomes whoever is on call for a schedule when the alert is raised.
pub(crate) fn annotation(schedule: &str) -> String {
    // A schedule's name is a label of Prometheus and a word of a rota: it needs no escapes.
    format!(
        "{{{{ with query \"{SERIES}{{schedule='{schedule}'}} == 1\" }}}}\
         {{{{ . | first | label \"person\" }}}}{{{{ else }}}}{schedule}{{{{ end }}}}"
    )
}

/// Who is on call for each schedule and until when, without how to reach them: anybody may read it.
pub(crate) fn shown(rota: &Rota, now: Timestamp) -> Vec<Value> {
    let soon = later(now, WEEKS_BACK);
    let each = rota.schedules.iter().map(|schedule| {
        let shifts = schedule.shifts(now, soon);
        let shift = shifts.iter().find(|shift| shift.from <= now && now < shift.to);
        let person = shift.and_then(|shift| rota.person(shift.person));
        json!({
            "schedule": schedule.name,
            "person": person.map(|person| &person.name),
            "until": shift.map(|shift| shift.to.to_string()),
        })
    });
    each.collect()
}
