//! Functions of profiles and what each takes: itself, and with all that it calls.
//!
//! This is the form in which sets are compared: plain numbers in memory, no store and no clock.

use std::collections::BTreeMap;

use telemetry::profile::read::Stacks;

use super::entry::{Entry, Kind};
use super::regression::Observed;

/// What a function takes, in the unit of its profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Itself.
    pub(crate) flat: i64,
    /// Itself and what the compiler put inside it: nothing for what is inside others.
    pub(crate) own: i64,
    /// With what it calls; a function that calls itself is counted once.
    pub(crate) cum: i64,
}

/// One profile.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    /// The build.
    pub(crate) build: String,
    /// The process.
    pub(crate) process: String,
    /// The day, in UTC.
    pub(crate) day: String,
    /// Requests that ended while it was sampled, if that is known.
    pub(crate) requests: Option<f64>,
    /// How many samples were taken.
    pub(crate) samples: u64,
    /// The sum of their values.
    pub(crate) total: i64,
    /// The functions.
    pub(crate) functions: BTreeMap<String, Taken>,
}

impl Measured {
    /// What a stored profile says.
    pub(crate) fn of(entry: &Entry, stacks: &Stacks) -> Self {
        Self {
            build: entry.build.clone(),
            process: entry.node.clone(),
            day: entry.date(),
            // What is held at one moment is of no request. Requests are counted until the answer is there,
            // which is longer than samples are taken.
            requests: entry
                .load
                .filter(|_| entry.kind == Kind::Cpu)
                .map(|load| load.per_second * entry.seconds)
                .filter(|requests| *requests > 0.0),
            samples: stacks.samples(),
            total: stacks.total(),
            functions: functions(stacks),
        }
    }

    /// What a file says, of which nothing else is known.
    pub(crate) fn alone(stacks: &Stacks) -> Self {
        Self {
            build: String::new(),
            process: String::new(),
            day: String::new(),
            requests: None,
            samples: stacks.samples(),
            total: stacks.total(),
            functions: functions(stacks),
        }
    }
}

/// Profiles of one kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProfileSet {
    /// What they show.
    pub(crate) kind: Kind,
    /// The unit of their values, such as `nanoseconds`.
    pub(crate) unit: String,
    /// The profiles.
    pub(crate) profiles: Vec<Measured>,
}

impl ProfileSet {
    /// The profiles as they are judged, by samples that each function took itself, together with
    /// what was inlined: what a loop does is the function's, not that of the operators in it. Profiles of a
    /// day vary together, and are one witness unless each is taken for a day of its own.
    pub(crate) fn observed(&self, each: bool) -> Vec<Observed> {
        let observed = |(place, one): (usize, &Measured)| {
            let samples = one.samples as f64;
            // Values are a multiple of samples, such as the time between two.
            let scale = if one.total > 0 { samples / one.total as f64 } else { 0.0 };
            let functions = one.functions.iter().filter(|(_, taken)| taken.own > 0);
            let day = if each { format!("{} {place:06}", one.day) } else { one.day.clone() };
            Observed {
                day,
                process: one.process.clone(),
                requests: one.requests,
                total: samples,
                functions: functions
                    .map(|(name, taken)| (name.clone(), taken.own as f64 * scale))
                    .collect(),
            }
        };
        self.profiles.iter().enumerate().map(observed).collect()
    }

    /// The sum of all samples of all profiles.
    pub(crate) fn total(&self) -> i64 {
        self.profiles.iter().fold(0, |sum, one| sum.saturating_add(one.total))
    }

    /// All requests, if every profile knows its own.
    pub(crate) fn requests(&self) -> Option<f64> {
        self.profiles.iter().map(|one| one.requests).sum()
    }

    /// The functions of all profiles together.
    pub(crate) fn functions(&self) -> BTreeMap<&str, Taken> {
        let mut all: BTreeMap<&str, Taken> = BTreeMap::new();
        for (name, taken) in self.profiles.iter().flat_map(|one| &one.functions) {
            let sum = all.entry(name).or_default();
            sum.flat = sum.flat.saturating_add(taken.flat);
            sum.own = sum.own.saturating_add(taken.own);
            sum.cum = sum.cum.saturating_add(taken.cum);
        }
        all
    }
}

fn functions(stacks: &Stacks) -> BTreeMap<String, Taken> {
    let mut taken = vec![Taken::default(); stacks.functions.len()];
    // By which stack a function was counted last; the first is 1.
    let mut counted = vec![0_usize; stacks.functions.len()];
    for (at, stack) in stacks.stacks.iter().enumerate() {
        let value = stack.values[stacks.shown];
        if let Some(innermost) = stack.frames.first() {
            let flat = &mut taken[*innermost as usize].flat;
            *flat = flat.saturating_add(value);
        }
        if let Some(compiled) = stack.frames.get(stack.inlined) {
            let own = &mut taken[*compiled as usize].own;
            *own = own.saturating_add(value);
        }
        for frame in &stack.frames {
            let frame = *frame as usize;
            if std::mem::replace(&mut counted[frame], at + 1) != at + 1 {
                taken[frame].cum = taken[frame].cum.saturating_add(value);
            }
        }
    }
    stacks
        .functions
        .iter()
        .cloned()
        .zip(taken)
        .filter(|(_, one)| *one != Taken::default())
        .collect()
}

/// A value in its unit, in few letters.
pub(crate) fn shown(value: f64, unit: &str) -> String {
    let scaled = |steps: &[(f64, &str)]| {
        let (by, word) = steps.iter().find(|(by, _)| value.abs() >= *by).or(steps.last())?;
        let digits = if value == 0.0 { 0 } else { 2 };
        Some(format!("{:.digits$} {word}", value / by))
    };
    let steps: &[(f64, &str)] = match unit {
        "nanoseconds" => &[(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")],
        "bytes" => &[(1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1024.0, "KiB"), (1.0, "B")],
        _ => return format!("{value:.0}"),
    };
    scaled(steps).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use telemetry::profile::read::read;

    use super::*;
    use crate::profile::entry::Load;
    use crate::profile::fixture;

    fn set() -> ProfileSet {
        let of = |stacks: &[(&str, u64)]| {
            let set = fixture::set("one", "2026-11-20T03:17:00Z", "b");
            let stacks = read(&fixture::profile(stacks)).expect("it is a profile");
            Measured::of(&set.entries[0], &stacks)
        };
        let profiles = vec![
            of(&[("main;work;work;inner", 20), ("main;work", 10), ("main", 5)]),
            of(&[("main;work", 65)]),
        ];
        ProfileSet { kind: Kind::Cpu, unit: "nanoseconds".to_owned(), profiles }
    }

    #[test]
    fn functions_take_themselves_and_what_they_call() {
        let set = set();
        assert_eq!((set.total(), set.requests()), (100, Some(200.0)));
        let functions = set.functions();
        assert_eq!(functions["main"], Taken { flat: 5, own: 5, cum: 100 });
        assert_eq!(functions["work"], Taken { flat: 75, own: 75, cum: 95 });
        assert_eq!(functions["inner"], Taken { flat: 20, own: 20, cum: 20 });
    }

    #[test]
    fn what_is_inlined_is_judged_as_the_function_that_it_is_in() {
        let mut stacks =
            read(&fixture::profile(&[("main;work;add", 30), ("main;work;multiply", 70)]))
                .expect("it is a profile");
        stacks.stacks.iter_mut().for_each(|stack| stack.inlined = 1);
        let entry = &fixture::set("one", "2026-11-20T03:17:00Z", "b").entries[0];
        let profiles = vec![Measured::of(entry, &stacks)];
        let set = ProfileSet { kind: Kind::Cpu, unit: "nanoseconds".to_owned(), profiles };
        assert_eq!(set.functions()["add"], Taken { flat: 30, own: 0, cum: 30 });
        assert_eq!(set.functions()["work"], Taken { flat: 0, own: 100, cum: 100 });
        let observed = &set.observed(false)[0];
        assert_eq!(observed.functions.keys().collect::<Vec<_>>(), ["work"]);
    }

    #[test]
    fn requests_are_those_of_the_time_that_was_sampled() {
        let mut entry = fixture::set("one", "2026-11-20T03:17:00Z", "b").entries.remove(0);
        // 10 s of samples, and 6 s until their names were found.
        entry.load = entry.load.map(|load| Load { requests: 160.0, per_second: 10.0, ..load });
        let stacks = read(&fixture::profile(&[("main", 1)])).expect("it is a profile");
        assert_eq!(Measured::of(&entry, &stacks).requests, Some(100.0));
    }

    #[test]
    fn requests_of_a_set_are_known_only_if_all_are() {
        let mut set = set();
        set.profiles[1].requests = None;
        assert_eq!(set.requests(), None);
    }

    #[test]
    fn values_are_shown_in_few_letters() {
        for (value, unit, expected) in [
            (1_500_000_000.0, "nanoseconds", "1.50 s"),
            (0.0, "nanoseconds", "0 ns"),
            (-2_000.0, "nanoseconds", "-2.00 µs"),
            (1_572_864.0, "bytes", "1.50 MiB"),
            (12.0, "count", "12"),
        ] {
            assert_eq!(shown(value, unit), expected);
        }
    }
}
