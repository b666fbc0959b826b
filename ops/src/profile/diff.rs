//! `bifrost profile diff`: what changed between two profiles or two sets, function by function.
//!
//! Shares of all are compared, since two profiles are never of the same length, and values per request
//! where both sides know their requests. That is arithmetic; which changes are more than chance is said
//! beside it, where each side has several profiles.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::json;
use telemetry::Tasks;

use super::entry::Kind;
use super::error::ProfileError;
use super::flame::{Side, Tree, plain};
use super::functions::{ProfileSet, shown};
use super::list::{COMPARED, Chosen};
use super::page::{self, Frame};
use super::regression::{self, Limits};
use super::select::TERMS;
use super::store::{Store, StoreError};
use super::write;
use crate::findings::Verdict;
use crate::output::{self, Format, Style, Table};
use crate::site::escape;

/// What `bifrost profile diff` is told.
#[derive(Debug, Args)]
#[command(after_long_help = TERMS)]
pub(crate) struct DiffArgs {
    /// What is compared with: a file, or terms with commas between, such as build=A,role=gateway; all of
    /// one role and environment.
    #[arg(value_name = "A")]
    before: String,
    /// What is looked at.
    #[arg(value_name = "B")]
    after: String,
    /// Functions that are shown; those that changed most come first.
    #[arg(long, value_name = "N", default_value_t = 30)]
    top: usize,
    /// Write a page with a graph here too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// What varies on its own: profiles of a day vary together, unless they were taken in turn with those
    /// of the other side.
    #[arg(long, value_enum, default_value_t)]
    witness: Witness,
    /// Write processor time by request and what changed to this file, for `bifrost mirror verdict
    /// --resources`; A is production and B is staging.
    #[arg(long, value_name = "FILE")]
    resources: Option<PathBuf>,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What varies on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Witness {
    /// A day, or a process where there is one day.
    #[default]
    Day,
    /// Each profile.
    Profile,
}

/// What a function takes on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Change {
    /// The function.
    pub(crate) function: String,
    /// Its own share of all, before and after, of 1.
    pub(crate) flat: [f64; 2],
    /// The same with what it calls.
    pub(crate) cum: [f64; 2],
    /// What it takes itself per request, before and after, if both are known.
    pub(crate) flat_per_request: Option<[f64; 2]>,
    /// The same with what it calls.
    pub(crate) cum_per_request: Option<[f64; 2]>,
}

impl Change {
    fn by(&self) -> f64 {
        self.flat[1] - self.flat[0]
    }
}

/// What changed, the greatest change of an own share first.
pub(crate) fn changes(before: &ProfileSet, after: &ProfileSet) -> Vec<Change> {
    let (a, b) = (before.functions(), after.functions());
    let names: BTreeSet<&str> = a.keys().chain(b.keys()).copied().collect();
    let totals = [before.total() as f64, after.total() as f64];
    let requests = before.requests().zip(after.requests());
    let requests = requests.filter(|(a, b)| *a > 0.0 && *b > 0.0);
    let share = |values: [i64; 2]| {
        let of =
            |side: usize| if totals[side] > 0.0 { values[side] as f64 / totals[side] } else { 0.0 };
        [of(0), of(1)]
    };
    let each =
        |values: [i64; 2]| requests.map(|(a, b)| [values[0] as f64 / a, values[1] as f64 / b]);
    let mut changes: Vec<Change> = names
        .into_iter()
        .map(|name| {
            let sides = [a.get(name), b.get(name)].map(|taken| taken.copied().unwrap_or_default());
            let (flat, cum) = (sides.map(|side| side.flat), sides.map(|side| side.cum));
            Change {
                function: name.to_owned(),
                flat: share(flat),
                cum: share(cum),
                flat_per_request: each(flat),
                cum_per_request: each(cum),
            }
        })
        .collect();
    changes.sort_by(|x, y| y.by().abs().total_cmp(&x.by().abs()).then(x.function.cmp(&y.function)));
    changes
}

/// Compares.
///
/// # Errors
/// A side has no profile, or one cannot be read.
pub(crate) async fn run(
    args: &DiffArgs,
    store: impl Fn() -> Result<Store, StoreError>,
    tasks: &Tasks,
) -> Result<Verdict, ProfileError> {
    let side = async |terms: &String| {
        Chosen::of(std::slice::from_ref(terms), &COMPARED, &store, tasks).await
    };
    let (before, after) = (side(&args.before).await?, side(&args.after).await?);
    let (a, b) = (before.set(), after.set());
    if a.unit != b.unit {
        let text =
            format!("{} cannot be compared with {}: choose a kind with kind=", a.unit, b.unit);
        return Err(ProfileError::Flag(text));
    }
    let each = args.witness == Witness::Profile;
    let judged = regression::compare(&a.observed(each), &b.observed(each), Limits::default());
    let changes = changes(&a, &b);
    output::result(&said(&changes, [&a, &b], args));
    match args.format {
        Format::Text => output::result(&format!("\n{}", judged.text(Style::stdout()))),
        Format::Json => output::result(&format!("{}\n", json!({ "judged": judged }))),
    }
    if let Some(path) = &args.resources {
        let document = json!({
            "production": by_request(&a),
            "staging": by_request(&b),
            "changes": judged.changes,
        });
        write(Some(path), document.to_string().as_bytes())?;
    }
    if args.format == Format::Text {
        output::note(&format!(
            "A: {}: {}\nB: {}: {}",
            before.title,
            before.about(),
            after.title,
            after.about()
        ));
    }
    if let Some(path) = &args.html {
        let title = format!("{} against {}", after.title, before.title);
        let main = main(&before, &after, args.top);
        let frame = Frame { title: &title, up: None, within: false, graph: true };
        write(Some(path), frame.page(&main).as_bytes())?;
    }
    Ok(Verdict::Clean)
}

/// Processor time by request of each profile that knows its requests.
fn by_request(set: &ProfileSet) -> Vec<serde_json::Value> {
    let known = set.profiles.iter().filter(|_| set.kind == Kind::Cpu);
    let each = known.filter_map(|one| Some(one.total as f64 / one.requests?));
    each.filter(|cpu_ns| *cpu_ns > 0.0).map(|cpu_ns| json!({ "cpu_ns": cpu_ns })).collect()
}

fn said(changes: &[Change], sides: [&ProfileSet; 2], args: &DiffArgs) -> String {
    let mut lines = String::new();
    if args.format == Format::Json {
        let side = |set: &ProfileSet| json!({ "profiles": set.profiles.len(), "total": set.total(), "requests": set.requests() });
        let [a, b] = sides;
        let first = json!({ "unit": b.unit, "kind": b.kind, "a": side(a), "b": side(b) });
        writeln!(lines, "{first}").expect("a string takes all");
        for change in changes.iter().take(args.top) {
            writeln!(lines, "{}", json!(change)).expect("a string takes all");
        }
        return lines;
    }
    let mut table = Table::default();
    table.row([
        "change",
        "itself A",
        "itself B",
        "with calls A",
        "with calls B",
        "a request A",
        "a request B",
        "function",
    ]);
    let unit = &sides[1].unit;
    for change in changes.iter().take(args.top) {
        let by = format!("{:+.2}", change.by() * 100.0);
        let [flat_a, flat_b] = change.flat.map(percent);
        let [cum_a, cum_b] = change.cum.map(percent);
        let [each_a, each_b] = requests(change.flat_per_request, unit);
        table.row([
            &by,
            &flat_a,
            &flat_b,
            &cum_a,
            &cum_b,
            &each_a,
            &each_b,
            &plain(&change.function),
        ]);
    }
    table.render("", Style::stdout())
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn requests(each: Option<[f64; 2]>, unit: &str) -> [String; 2] {
    match each {
        Some(each) => each.map(|value| shown(value, unit)),
        None => ["-", "-"].map(str::to_owned),
    }
}

/// The text of a page that compares.
pub(crate) fn main(before: &Chosen, after: &Chosen, top: usize) -> String {
    let mut tree = Tree::default();
    for (chosen, side) in [(before, Side::Before), (after, Side::After)] {
        for (_, stacks) in &chosen.profiles {
            tree.add(stacks, side);
        }
    }
    let (a, b) = (before.set(), after.set());
    let mut rows = String::new();
    for change in changes(&a, &b).iter().take(top) {
        let [flat_a, flat_b] = change.flat.map(percent);
        let [cum_a, cum_b] = change.cum.map(percent);
        let [each_a, each_b] = requests(change.flat_per_request, &b.unit);
        let cells =
            [format!("{:+.2}", change.by() * 100.0), flat_a, flat_b, cum_a, cum_b, each_a, each_b];
        let cells = cells.map(|cell| format!("<td class=\"n\">{}</td>", escape(&cell))).concat();
        let name = escape(&plain(&change.function));
        writeln!(rows, "<tr>{cells}<td class=\"f\">{name}</td></tr>").expect("a string takes all");
    }
    let heads = [
        "Change",
        "Itself A",
        "Itself B",
        "With calls A",
        "With calls B",
        "A request A",
        "A request B",
    ];
    let heads = heads.map(|head| format!("<th class=\"n\">{head}</th>")).concat();
    format!(
        "<p class=\"note\">A: {}: {}<br>B: {}: {}</p>\n\
         <p>Widths are of B. Red takes a greater share than in A, blue a smaller one. A change is in points \
         of the share that a function takes itself.</p>\n{}{}<h2>Functions</h2>\n\
         <table tabindex=\"0\">\n<thead><tr>{heads}<th>Function</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n",
        escape(&before.title),
        escape(&before.about()),
        escape(&after.title),
        escape(&after.about()),
        page::tools(),
        tree.svg(&b.unit, true),
    )
}

#[cfg(test)]
mod tests {
    use telemetry::profile::read::read;

    use super::*;
    use crate::profile::fixture;
    use crate::profile::list::set_of;

    fn chosen(stacks: &[(&str, u64)], requests: f64) -> Chosen {
        let mut set = fixture::set("one", "2026-11-20T03:17:00Z", "b");
        let mut entry = set.entries.remove(0);
        if let Some(load) = &mut entry.load {
            load.per_second = requests / entry.seconds;
        }
        let stacks = read(&fixture::profile(stacks)).expect("it is a profile");
        Chosen { title: "<b>".to_owned(), profiles: vec![(Some(entry), stacks)] }
    }

    #[test]
    fn shares_and_values_per_request_are_compared() {
        let before = chosen(&[("main;a", 50), ("main;b", 50)], 100.0);
        let after = chosen(&[("main;a", 150), ("main;c", 50)], 50.0);
        let changes = changes(&set_of(&before.profiles), &set_of(&after.profiles));
        let order: Vec<&str> = changes.iter().map(|change| &change.function[..]).collect();
        assert_eq!(order, ["b", "a", "c", "main"]);
        assert_eq!((changes[1].flat, changes[1].flat_per_request), ([0.5, 0.75], Some([0.5, 3.0])));
        assert_eq!((changes[0].flat, changes[2].flat), ([0.5, 0.0], [0.0, 0.25]));
        assert_eq!((changes[3].flat, changes[3].cum), ([0.0, 0.0], [1.0, 1.0]));
    }

    #[test]
    fn without_requests_on_both_sides_only_shares_are() {
        let before = chosen(&[("main", 1)], 0.0);
        let after = chosen(&[("main", 1)], 5.0);
        let changes = changes(&set_of(&before.profiles), &set_of(&after.profiles));
        assert_eq!(changes[0].flat_per_request, None);
        let empty = ProfileSet { profiles: Vec::new(), ..set_of(&after.profiles) };
        assert!(super::changes(&empty, &empty).is_empty());
    }

    #[test]
    fn a_page_of_changes_escapes_what_it_is_told() {
        let before = chosen(&[("<i>x</i>", 1)], 1.0);
        let after = chosen(&[("<i>x</i>", 1), ("y", 2)], 1.0);
        let main = main(&before, &after, 10);
        assert!(!main.contains("<i>x") && !main.contains("A: <b>"), "{main}");
        assert!(main.contains("&lt;i&gt;x") && main.contains("more3"), "{main}");
    }
}
