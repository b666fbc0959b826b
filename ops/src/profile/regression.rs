//! Which functions cost more, or less, between two sets of profiles, and how sure that is.
//!
//! Two costs of a function are looked at, on logarithmic scales: by request, and against all the rest. The
//! first says what it is but moves with load; load does not touch the second, but what others do does. The
//! one that is known better decides, and the other must not contradict it; where requests are unknown the
//! second is all there is.
//!
//! What people ask for differs from day to day, for all processes alike, so that a day is one witness. Where
//! a side is of one day, each process is one, and what the day did cannot be told from what the build did.
//! Two groups of witnesses are compared by Welch's test, with the variance that counting samples has at the
//! least, and all functions together so that the share of false ones among findings is bounded. A change that
//! hardly moves the whole is none.
//!
//! How many profiles it takes is a matter of how much they vary. With 3000 samples a witness, functions that
//! vary by 3 % and load by 10 %, a function of half the cost that grew by 5 % is found with 20 witnesses a
//! side in 2 of 10 comparisons, with 40 in 6, with 80 in 8 and with 160 in 9, and is named first; sides that
//! are alike gave no alarm in 1500.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use serde::Serialize;

use crate::output::{Style, Table};
use crate::statistics::number;
use crate::statistics::several::{Difference, Group, false_discovery};

/// One profile.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    /// The process.
    pub(crate) process: String,
    /// The day, in any form that is the same all day.
    pub(crate) day: String,
    /// Requests that were served meanwhile, where that is known.
    pub(crate) requests: Option<f64>,
    /// Samples in all.
    pub(crate) total: f64,
    /// Samples by function, without what it called.
    pub(crate) functions: HashMap<String, f64>,
}

/// What counts as a change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The share of false ones among findings.
    pub(crate) false_findings: f64,
    /// The least that a function has to move the whole, as a share of it.
    pub(crate) effect_min: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { false_findings: 0.01, effect_min: 0.02 }
    }
}

/// Which way a function went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// It was not there before.
    New,
    /// It is not there any more.
    Gone,
    /// It costs more.
    Grew,
    /// It costs less.
    Shrank,
}

impl Direction {
    fn word(self) -> &'static str {
        match self {
            Direction::New => "new",
            Direction::Gone => "gone",
            Direction::Grew => "grew",
            Direction::Shrank => "shrank",
        }
    }
}

/// How a function changed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Change {
    /// Its name.
    pub(crate) function: String,
    /// Which way.
    pub(crate) direction: Direction,
    /// Its cost before and after, as shares of all.
    pub(crate) shares: (f64, f64),
    /// Whether the change is of its cost by request; against the rest otherwise.
    pub(crate) by_request: bool,
    /// By how much, as a share of what it was; none for what is new.
    pub(crate) change: Option<f64>,
    /// Between these with 95 %.
    pub(crate) between: Option<(f64, f64)>,
    /// How much of the whole that is: 0.02 is 2 % of all cost.
    pub(crate) of_total: f64,
    /// The smallest share of false findings at which it is one.
    pub(crate) q: f64,
}

/// What a comparison came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Comparison {
    /// Whether requests are known for all profiles.
    pub(crate) by_request: bool,
    /// Witnesses of the two sides: days, or processes where there is one day.
    pub(crate) witnesses: (usize, usize),
    /// Whether a side is of one day and the other of others: what differs may be the day.
    pub(crate) confounded: bool,
    /// How many functions were large enough to be compared.
    pub(crate) compared: usize,
    /// Functions that changed between one half of the first side and the other: there should be none.
    pub(crate) control: Vec<Change>,
    /// Functions that changed, what moves the whole most first.
    pub(crate) changes: Vec<Change>,
    /// How the cost of a request changed as a whole, between which bounds with 95 %.
    pub(crate) whole: Option<(f64, f64, f64)>,
}

/// A day, or a process on it.
#[derive(Debug, Default)]
struct Witness<'a> {
    requests: f64,
    total: f64,
    functions: HashMap<&'a str, f64>,
}

/// Compares two sides; nothing changes where one has fewer than two witnesses.
pub(crate) fn compare(before: &[Observed], after: &[Observed], limits: Limits) -> Comparison {
    let known = |one: &Observed| one.requests.is_some_and(|requests| requests > 0.0);
    let by_request = before.iter().chain(after).all(known);
    let [these, those] = [before, after].map(days);
    let confounded = these.len().min(those.len()) == 1 && !these.keys().eq(those.keys());
    let (first, second) = (witnesses(before), witnesses(after));
    let halves = |odd: usize| first.iter().skip(odd).step_by(2).collect::<Vec<_>>();
    let (control, _) = changes(&halves(0), &halves(1), by_request, limits);
    let (first, second): (Vec<_>, Vec<_>) = (first.iter().collect(), second.iter().collect());
    let (found, compared) = changes(&first, &second, by_request, limits);
    let whole = |side: &[&Witness<'_>]| {
        let costs: Vec<f64> = side.iter().map(|one| (one.total / one.requests).ln()).collect();
        Group::of(&costs, 0.0)
    };
    let whole = by_request.then(|| whole(&first).zip(whole(&second))).flatten();
    Comparison {
        by_request,
        witnesses: (first.len(), second.len()),
        confounded,
        compared,
        control,
        changes: found,
        whole: whole.map(|(first, second)| {
            let difference = Difference::between(first, second);
            let (low, high) = difference.bounds(0.025, 0.025);
            (difference.estimate.exp_m1(), low.exp_m1(), high.exp_m1())
        }),
    }
}

/// The days of profiles, and the first process of each.
fn days(profiles: &[Observed]) -> BTreeMap<&str, &str> {
    let mut days = BTreeMap::new();
    for profile in profiles.iter().filter(|profile| profile.total > 0.0) {
        let first = days.entry(&profile.day[..]).or_insert(&profile.process[..]);
        *first = (*first).min(&profile.process);
    }
    days
}

/// Joins the profiles of a day, or of each process where there is one day. They are in order of processes
/// and then of days, so that every other one is of all processes.
fn witnesses(profiles: &[Observed]) -> Vec<Witness<'_>> {
    let days = days(profiles);
    let mut all = BTreeMap::<(&str, &str), Witness<'_>>::new();
    for profile in profiles.iter().filter(|profile| profile.total > 0.0) {
        let process = if days.len() > 1 { days[&profile.day[..]] } else { &profile.process };
        let one = all.entry((process, &profile.day)).or_default();
        one.requests += profile.requests.unwrap_or(0.0);
        one.total += profile.total;
        for (function, samples) in &profile.functions {
            *one.functions.entry(function).or_default() += samples;
        }
    }
    all.into_values().collect()
}

/// Functions that changed, and how many were compared.
fn changes(
    before: &[&Witness<'_>],
    after: &[&Witness<'_>],
    by_request: bool,
    limits: Limits,
) -> (Vec<Change>, usize) {
    let (first, second) = (shares(before), shares(after));
    let mut names: Vec<&str> = first.keys().chain(second.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    // What is smaller than this cannot have moved the whole by enough; looking at both sides as one does
    // not favour what differs.
    let share = |of: &HashMap<&str, f64>, name: &str| of.get(name).copied().unwrap_or(0.0);
    names.retain(|name| share(&first, name) + share(&second, name) >= limits.effect_min);
    let tested: Vec<(&str, Both)> = names
        .iter()
        .filter_map(|name| Some((*name, Both::of(before, after, name, by_request)?)))
        .collect();
    let p: Vec<f64> = tested.iter().map(|(_, both)| both.decides().0.p()).collect();
    let q = false_discovery(&p);
    let mut found: Vec<Change> = tested
        .iter()
        .zip(q)
        .filter_map(|((name, both), q)| {
            let shares = (share(&first, name), share(&second, name));
            let one = change(name, both, shares, q);
            let is_found = one.q <= limits.false_findings
                && one.of_total.abs() >= limits.effect_min
                && both.agree(shares.0, limits.effect_min / 2.0);
            is_found.then_some(one)
        })
        .collect();
    found.sort_by(|a, b| b.of_total.abs().total_cmp(&a.of_total.abs()));
    (found, tested.len())
}

/// The share of each function in all samples of a side.
fn shares<'a>(side: &[&Witness<'a>]) -> HashMap<&'a str, f64> {
    let total: f64 = side.iter().map(|one| one.total).sum();
    let mut shares = HashMap::new();
    for one in side {
        for (function, samples) in &one.functions {
            *shares.entry(*function).or_default() += samples / total;
        }
    }
    shares
}

/// The change of a function, seen in two ways.
#[derive(Debug, Clone, Copy)]
struct Both {
    by_request: Option<Difference>,
    against_rest: Difference,
}

impl Both {
    /// None where a side has too few witnesses.
    fn of(
        before: &[&Witness<'_>],
        after: &[&Witness<'_>],
        name: &str,
        by_request: bool,
    ) -> Option<Self> {
        let difference = |of: Cost| {
            let groups = [before, after].map(|side| group(side, name, of));
            Some(Difference::between(groups[0]?, groups[1]?))
        };
        let rest: Cost = |one, samples| one.total - samples + 1.0;
        let request: Cost = |one, _| one.requests;
        Some(Self {
            by_request: if by_request { Some(difference(request)?) } else { None },
            against_rest: difference(rest)?,
        })
    }

    /// The one that is known better, and whether that is the cost by request.
    fn decides(&self) -> (Difference, bool) {
        match self.by_request {
            Some(request) if request.error() <= self.against_rest.error() => (request, true),
            Some(_) | None => (self.against_rest, false),
        }
    }

    /// Whether the cost by request goes the same way, by so much of the whole.
    fn agree(&self, share: f64, effect_min: f64) -> bool {
        let (decides, _) = self.decides();
        self.by_request.is_none_or(|request| {
            let is_new = share <= 0.0;
            let moved = share * request.estimate.exp_m1().abs() >= effect_min;
            is_new || (request.estimate > 0.0) == (decides.estimate > 0.0) && moved
        })
    }
}

/// What samples of a function are a cost of: a witness, and those samples.
type Cost = fn(&Witness<'_>, f64) -> f64;

/// What a function costs each witness, as a logarithm; half a sample stands for none.
fn group(side: &[&Witness<'_>], name: &str, of: Cost) -> Option<Group> {
    let samples = |one: &Witness<'_>| one.functions.get(name).copied().unwrap_or(0.0) + 0.5;
    let costs: Vec<f64> =
        side.iter().map(|one| (samples(one) / of(one, samples(one))).ln()).collect();
    // A count varies by its root, whatever few witnesses happen to say.
    let counted: f64 = side.iter().map(|one| 1.0 / samples(one)).sum();
    Group::of(&costs, counted / number(side.len().max(1) as u64))
}

fn change(name: &str, both: &Both, shares: (f64, f64), q: f64) -> Change {
    let (difference, by_request) = both.decides();
    let (low, high) = difference.bounds(0.025, 0.025);
    let grown = difference.estimate.exp_m1();
    let (direction, of_total) = match shares {
        (before, after) if before <= 0.0 => (Direction::New, after),
        (before, after) if after <= 0.0 => (Direction::Gone, -before),
        (before, _) if grown > 0.0 => (Direction::Grew, before * grown),
        (before, _) => (Direction::Shrank, before * grown),
    };
    let is_new = direction == Direction::New;
    Change {
        function: name.to_owned(),
        direction,
        shares,
        by_request,
        change: (!is_new).then_some(grown),
        between: (!is_new).then_some((low.exp_m1(), high.exp_m1())),
        of_total,
        q,
    }
}

impl Comparison {
    /// The control first, then what changed.
    pub(crate) fn text(&self, style: Style) -> String {
        let (first, second) = self.witnesses;
        let unit =
            if self.by_request { "by request or against the rest" } else { "against the rest" };
        let mut out = format!(
            "{} functions, cost {unit}, {first} witnesses and then {second}\n",
            self.compared
        );
        match &self.control[..] {
            [] => out.push_str("control: the first side's halves do not differ\n"),
            changes => {
                let text =
                    "control: the first side's halves differ, so take what follows with care";
                writeln!(out, "{}", style.warning(text)).expect(TAKES);
                out.push_str(&table(changes, style));
            }
        }
        if self.confounded {
            let text = "a side is of one day, and the other of others: what differs may be the day";
            writeln!(out, "{}", style.warning(text)).expect(TAKES);
        }
        if let Some((change, low, high)) = self.whole {
            let [change, low, high] = [change, low, high].map(signed);
            writeln!(out, "a request costs {change}, between {low} and {high}").expect(TAKES);
        }
        match &self.changes[..] {
            [] if first.min(second) < 2 => out.push_str("too few profiles to say what changed\n"),
            [] => out.push_str("no function changed\n"),
            changes => out.push_str(&table(changes, style)),
        }
        out
    }
}

const TAKES: &str = "a string takes all text";

fn table(changes: &[Change], style: Style) -> String {
    let mut table = Table::default();
    table.row(["function", "", "change", "between", "of", "of all", "share", "false with"]);
    for one in changes {
        let change = one.change.map_or_else(String::new, signed);
        let between = one.between.map_or_else(String::new, |(low, high)| {
            format!("{} and {}", signed(low), signed(high))
        });
        let share = format!("{:.1} → {:.1} %", one.shares.0 * 100.0, one.shares.1 * 100.0);
        let (name, q) = (one.function.escape_debug().to_string(), format!("{:.2e}", one.q));
        let of_total = signed(one.of_total);
        let of = if one.by_request { "a request" } else { "the rest" };
        table.row([&name, one.direction.word(), &change, &between, of, &of_total, &share, &q]);
    }
    table.render("  ", style)
}

fn signed(change: f64) -> String {
    format!("{:+.1} %", change * 100.0)
}

#[cfg(test)]
mod tests;
