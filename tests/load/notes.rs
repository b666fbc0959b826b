//! Notes of a release: what the changelog says of it, and each figure before and after.
//!
//! It measures nothing. What it prints follows from three files, so that whoever has them gets the same.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

/// Below this, a ratio may be chance: runs of `make bench` on one machine differ by as much.
const NOISE: f64 = 0.05;

/// What notes are made of.
#[derive(Debug, Args)]
pub(crate) struct NotesArgs {
    /// For notes: bench.json of the release before.
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// For notes: bench.json of the release.
    #[arg(long, value_name = "FILE")]
    after: Option<PathBuf>,
    /// For notes: the section of the changelog.
    #[arg(long, value_name = "VERSION", default_value = "Unreleased")]
    version: String,
    /// For notes: the changelog.
    #[arg(long, value_name = "FILE", default_value = "CHANGELOG.md")]
    changelog: PathBuf,
}

/// What `make bench` wrote.
#[derive(Debug, Deserialize)]
struct Bench {
    machine: String,
    figures: Vec<Figure>,
    /// Figures that could not be measured, and why.
    #[serde(default)]
    failures: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Figure {
    name: String,
    unit: String,
    reached: f64,
    better: String,
    /// Whether it is as good as it is to be.
    #[serde(default = "yes")]
    ok: bool,
}

fn yes() -> bool {
    true
}

/// The notes as Markdown.
///
/// # Errors
/// A file is not given, cannot be read, or is not what it should be.
pub(crate) fn notes(args: &NotesArgs) -> Result<String> {
    let (Some(before), Some(after)) = (&args.before, &args.after) else {
        bail!("notes compare two files of `make bench`: name them with --before and --after");
    };
    let text = fs::read_to_string(&args.changelog)
        .with_context(|| args.changelog.display().to_string())?;
    let section = section(&text, &args.version)
        .with_context(|| format!("{} has no {}", args.changelog.display(), args.version))?;
    let (before, after) = (read(before)?, read(after)?);
    Ok(format!("# {}\n\n{}\n\n{}", args.version, section.trim(), table(&before, &after)))
}

fn read(path: &Path) -> Result<Bench> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no bench.json", path.display()))
}

/// What stands between this version's heading and the next one's.
fn section<'a>(changelog: &'a str, version: &str) -> Option<&'a str> {
    let headings = changelog.match_indices("\n## ").map(|(at, _)| at + 1);
    let mut rest = headings.map(|at| &changelog[at..]).skip_while(|rest| {
        let heading = rest.lines().next().unwrap_or_default();
        !heading.trim_start_matches("## [").starts_with(&format!("{version}]"))
    });
    let own = rest.next()?.split_once('\n')?.1;
    Some(own.split_once("\n## ").map_or(own, |(own, _)| own))
}

fn table(before: &Bench, after: &Bench) -> String {
    // The date is the last part.
    let machine = |bench: &Bench| {
        bench.machine.rsplit_once(", ").map_or(String::new(), |(name, _)| name.to_owned())
    };
    let mut text =
        format!("### Figures\n\nBefore: {}  \nAfter: {}\n\n", before.machine, after.machine);
    if machine(before) != machine(after) {
        text.push_str("These are different machines: ratios say nothing of the release.\n\n");
    }
    text.push_str("| Figure | Before | After | Ratio | |\n|---|--:|--:|--:|---|\n");
    for figure in &after.figures {
        let was = before.figures.iter().find(|was| was.name == figure.name);
        writeln!(text, "{}", row(was, figure)).expect("a string takes text");
    }
    for gone in &before.figures {
        if !after.figures.iter().any(|figure| figure.name == gone.name) {
            let (name, was) = (named(gone), rounded(gone.reached));
            writeln!(text, "| {name} | {was} | | | no longer measured |")
                .expect("a string takes text");
        }
    }
    for (when, bench) in [("before", before), ("after", after)] {
        for failure in &bench.failures {
            let failure = failure.split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(text, "\nNot measured {when}: {failure}").expect("a string takes text");
        }
    }
    text
}

fn row(was: Option<&Figure>, figure: &Figure) -> String {
    let (name, now) = (named(figure), rounded(figure.reached));
    let missed = if figure.ok { "" } else { "misses its target" };
    let Some(was) = was else {
        let said = said(&["measured for the first time", missed]);
        return format!("| {name} | | {now} | | {said} |");
    };
    let before = rounded(was.reached);
    let (ratio, change) = match (was.reached, figure.reached, figure.better.as_str()) {
        // From nothing there is no ratio, but a direction.
        (0.0, now, "more") if now > 0.0 => (String::new(), "better"),
        (0.0, now, "less") if now > 0.0 => (String::new(), "worse"),
        (0.0, ..) => (String::new(), ""),
        (was, now, better) => {
            let ratio = now / was;
            let change = match better {
                "more" if ratio > 1.0 + NOISE => "better",
                "more" if ratio < 1.0 - NOISE => "worse",
                "less" if ratio < 1.0 - NOISE => "better",
                "less" if ratio > 1.0 + NOISE => "worse",
                _ => "",
            };
            (format!("{ratio:.2}"), change)
        }
    };
    format!("| {name} | {before} | {now} | {ratio} | {} |", said(&[change, missed]))
}

fn said(words: &[&str]) -> String {
    let words: Vec<&str> = words.iter().copied().filter(|word| !word.is_empty()).collect();
    words.join(", ")
}

fn named(figure: &Figure) -> String {
    let name = figure.name.trim().replace('|', "\\|");
    if figure.unit.is_empty() { name } else { format!("{name}, {}", figure.unit) }
}

fn rounded(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
