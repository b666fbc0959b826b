//! Who is on call when: layers and overrides become shifts between instants.
//!
//! Times of day become instants in the zone of their layer, day by day, so that a shift over the
//! end of daylight saving has an hour more and no instant is lost. A time that a day skips is taken
//! as long after midnight as the clock says, and of a time that comes twice the first counts.

use jiff::civil::{Date, Time};
use jiff::{Timestamp, ToSpan};

use super::file::{Layer, Person, Rota, Schedule};

/// The name of the layer of overrides.
pub(crate) const OVERRIDE: &str = "override";

/// Somebody is on call from an instant until just before another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shift<'a> {
    /// When it begins.
    pub(crate) from: Timestamp,
    /// When it ends; not part of it.
    pub(crate) to: Timestamp,
    /// The handle of who is on call.
    pub(crate) person: &'a str,
    /// The layer that says so, or [`OVERRIDE`].
    pub(crate) layer: &'a str,
}

impl<'a> Shift<'a> {
    /// Its length in hours.
    pub(crate) fn hours(&self) -> f64 {
        self.from.duration_until(self.to).as_secs_f64() / 3600.0
    }

    /// The part of it between two instants.
    pub(crate) fn clipped(&self, from: Timestamp, to: Timestamp) -> Option<Shift<'a>> {
        let (from, to) = (self.from.max(from), self.to.min(to));
        (from < to).then(|| Shift { from, to, ..self.clone() })
    }
}

impl Rota {
    /// Who is on call for a schedule; none when there is no such schedule, nobody is, or the file
    /// does not know who it names.
    pub(crate) fn owner_at(&self, schedule: &str, at: Timestamp) -> Option<&Person> {
        let soon = at.checked_add(1.second()).ok()?;
        let shifts = self.schedule(schedule)?.shifts(at, soon);
        let shift = shifts.iter().find(|shift| shift.from <= at && at < shift.to)?;
        self.person(shift.person)
    }
}

impl Schedule {
    /// Every shift between two instants, overrides in place of what they replace, earliest first.
    /// Shifts of one person and layer that touch are one.
    pub(crate) fn shifts(&self, from: Timestamp, to: Timestamp) -> Vec<Shift<'_>> {
        let overrides = self.overrides(from, to);
        let mut shifts: Vec<Shift<'_>> =
            self.layers.iter().flat_map(|layer| layer.shifts(from, to)).collect();
        for one in &overrides {
            shifts = shifts.iter().flat_map(|shift| without(shift, one)).collect();
        }
        shifts.extend(overrides);
        shifts.sort_by_key(|shift| (shift.from, shift.to));
        joined(shifts)
    }

    /// The shifts of overrides alone.
    pub(crate) fn overrides(&self, from: Timestamp, to: Timestamp) -> Vec<Shift<'_>> {
        let whole = self.overrides.iter().map(|one| Shift {
            from: one.from.0,
            to: one.to.0,
            person: &one.person,
            layer: OVERRIDE,
        });
        whole.filter_map(|one| one.clipped(from, to)).collect()
    }
}

impl Layer {
    /// The shifts of this layer between two instants, whatever overrides say, earliest first.
    pub(crate) fn shifts(&self, from: Timestamp, to: Timestamp) -> Vec<Shift<'_>> {
        let mut shifts = Vec::new();
        for (start, end) in self.windows(from, to) {
            let (mut start, end) = (start.max(from).max(self.handover(0)), end.min(to));
            while start < end && !self.people.is_empty() {
                let turn = self.turn_at(start);
                let next = self.handover(turn + 1).min(end);
                let place = turn.rem_euclid(self.people.len() as i64);
                let person = &self.people[usize::try_from(place).unwrap_or_default()];
                shifts.push(Shift { from: start, to: next, person, layer: &self.name });
                start = next;
            }
        }
        joined(shifts)
    }

    /// The parts of time that this layer covers, around two instants.
    fn windows(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        if self.hours.is_none() && self.days.is_empty() {
            return vec![(from, to)];
        }
        let day_of = |at: Timestamp| at.to_zoned(self.tz.0.clone()).date();
        let mut windows = Vec::new();
        let last = day_of(to);
        let mut day = plus(day_of(from), -1);
        while day <= last {
            let next = plus(day, 1);
            let counts = |one: &super::file::Day| one.weekday() == day.weekday();
            if self.days.is_empty() || self.days.iter().any(counts) {
                windows.push(match self.hours {
                    None => {
                        (self.instant(day, Time::midnight()), self.instant(next, Time::midnight()))
                    }
                    Some(hours) => {
                        let end = if hours.to > hours.from { day } else { next };
                        (self.instant(day, hours.from), self.instant(end, hours.to))
                    }
                });
            }
            if next == day {
                break;
            }
            day = next;
        }
        windows
    }

    /// The number of the turn of an instant that is not before the first.
    fn turn_at(&self, at: Timestamp) -> i64 {
        let today = at.to_zoned(self.tz.0.clone()).date();
        let days = i64::from((today - self.start).get_days());
        let mut turn = days.div_euclid(self.rotation.days());
        // The day alone does not say on which side of the handover the instant is.
        while self.handover(turn) > at {
            turn -= 1;
        }
        while self.handover(turn + 1) <= at {
            turn += 1;
        }
        turn
    }

    /// When a turn begins.
    fn handover(&self, turn: i64) -> Timestamp {
        self.instant(plus(self.start, turn.saturating_mul(self.rotation.days())), self.handover)
    }

    fn instant(&self, day: Date, time: Time) -> Timestamp {
        let zoned = day.to_datetime(time).to_zoned(self.tz.0.clone());
        zoned.map_or(Timestamp::MAX, |zoned| zoned.timestamp())
    }
}

fn plus(day: Date, days: i64) -> Date {
    day.saturating_add(days.clamp(-3_000_000, 3_000_000).days())
}

/// What is left of a shift when another takes the time that it covers.
fn without<'a>(shift: &Shift<'a>, other: &Shift<'_>) -> Vec<Shift<'a>> {
    let before = shift.clipped(Timestamp::MIN, other.from);
    before.into_iter().chain(shift.clipped(other.to, Timestamp::MAX)).collect()
}

/// Shifts of one person and layer that touch become one.
fn joined(shifts: Vec<Shift<'_>>) -> Vec<Shift<'_>> {
    let mut whole: Vec<Shift<'_>> = Vec::with_capacity(shifts.len());
    for shift in shifts {
        match whole.last_mut() {
            Some(last)
                if last.to == shift.from
                    && last.person == shift.person
                    && last.layer == shift.layer =>
            {
                last.to = shift.to;
            }
            Some(_) | None => whole.push(shift),
        }
    }
    whole
}
