//! `bifrost dash lint`: every rule on the dictionary, on our layouts and on dashboards of others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::board::{Board, Language};
use super::dictionary::{self, Number};
use super::exposed::Schema;
use super::expressions::{self, Known};
use super::layout::{BOARDS, Layout};
use super::lines::JsonLines;
use super::rules::{self, Broken};
use super::{DashError, LintArgs, Project, grafana};
use crate::findings::{self, Finding, Verdict};
use crate::output;
use crate::promql;
use crate::whole::read;

/// What Prometheus does unless it is told otherwise, where there is no dictionary that says it.
const SCRAPE_INTERVAL: Duration = Duration::from_secs(60);
const RETENTION: Duration = Duration::from_secs(15 * 24 * 3600);

pub(super) fn run(args: &LintArgs) -> Result<Verdict, DashError> {
    let mut schema = Schema::default();
    for path in &args.metrics {
        schema.read(&read(path)?);
    }
    if schema.is_empty() {
        output::note("names of metrics are not checked: give scraped texts with --metrics FILE");
    }
    let mut found = Vec::new();
    let mut beside =
        Known { schema: &schema, scrape_interval: SCRAPE_INTERVAL, retention: RETENTION };
    // Dashboards of others are checked wherever they lie; without them there has to be a project.
    if args.files.is_empty() || args.root.join(dictionary::FILE).exists() {
        let project = Project::load(&args.root)?;
        found = lint(&project, &schema);
        beside = known(&project, &schema);
    }
    for path in &args.files {
        found.extend(other(path, beside)?);
    }
    Ok(findings::report(found, args.format))
}

/// Everything that is wrong with a project.
pub(super) fn lint(project: &Project, schema: &Schema) -> Vec<Finding> {
    let mut found = project.findings.clone();
    numbers(project, schema, &mut found);
    uses(project, &mut found);
    let mut titles = Titles::default();
    for layout in &project.layouts {
        let made = grafana::dashboard(layout, &project.dictionary, &project.objectives, &mut found);
        let lines: Vec<usize> = layout
            .rows
            .iter()
            .flat_map(|row| [row.line].into_iter().chain(row.panels.iter().map(|one| one.line)))
            .collect();
        let line = |pointer: &str| {
            let index = pointer.strip_prefix("/panels/").and_then(|rest| rest.split('/').next());
            let index = index.and_then(|index| index.parse::<usize>().ok());
            index.and_then(|index| lines.get(index).copied()).unwrap_or(1)
        };
        let board = Board::read(&made, &line).expect("what is generated is a dashboard");
        let mut broken = rules::check(&board, schema);
        // A panel without a number that can be read is told by what is wrong with the number.
        let empty = board.panels.iter().filter(|one| one.asks() && one.targets.is_empty());
        let empty: Vec<&str> = empty.map(|one| &one.title[..]).collect();
        broken.retain(|one| one.panel.as_ref().is_none_or(|title| !empty.contains(&&title[..])));
        titles.add(&layout.path, &board, &mut found);
        mixed_units(layout, project, &mut found);
        excluded(layout, broken, &mut found);
    }
    more_boards(project, &mut found);
    found
}

fn numbers(project: &Project, schema: &Schema, found: &mut Vec<Finding>) {
    let dictionary = &project.dictionary;
    let mut trees = Vec::new();
    for number in &dictionary.numbers {
        let mut tell = |rule, text: &str| {
            let text = format!("{}: {text}", number.id);
            found.push(Finding::at(&dictionary.path, number.line, rule, text));
        };
        let shape = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
        if !number.id.starts_with(|char: char| char.is_ascii_lowercase())
            || !number.id.chars().all(shape)
        {
            tell("bad-id", "an id is words in lower case with hyphens");
        }
        if number.meaning.trim().is_empty() || number.owner.trim().is_empty() {
            tell("no-meaning", "it needs a meaning and an owner");
        }
        if number.allow_empty.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
            tell("exclusion-without-reason", "allow_empty says why");
        }
        if number.span.is_some_and(|span| span > dictionary.retention) {
            tell("beyond-retention", "the public page shows more of it than is kept");
        }
        let private = |label: &str| matches!(label, "instance" | "job" | "node" | "env");
        if number.public && expressions::legend_labels(&number.legend).any(private) {
            tell("private-label", "its legend shows the public which processes there are");
        }
        match number.tree() {
            Ok(tree) => trees.push((number, tree)),
            Err(error) => tell("promql", &error.to_string()),
        }
    }
    let known = known(project, schema);
    for (number, tree) in &trees {
        let said = expressions::check(tree, &number.legend, known);
        excepted(number, said, schema, &mut |rule, text: String| {
            let text = format!("{}: {text}", number.id);
            found.push(Finding::at(&dictionary.path, number.line, rule, text));
        });
    }
    for (id, first) in expressions::duplicates(trees.iter().map(|(one, tree)| (&one.id[..], tree)))
    {
        let line = dictionary.get(id).map_or(0, |number| number.line);
        let text = format!("{id}: it has the same expression as {first}: keep one of them");
        found.push(Finding::at(&dictionary.path, line, "same-expression", text));
    }
}

/// What the project knows of the Prometheus that it is read from.
pub(super) fn known<'a>(project: &Project, schema: &'a Schema) -> Known<'a> {
    let dictionary = &project.dictionary;
    let (scrape_interval, retention) = (dictionary.scrape_interval, dictionary.retention);
    Known { schema, scrape_interval, retention }
}

/// Tells what a number may not break, and which of its exceptions are none.
fn excepted(
    number: &Number,
    said: Vec<expressions::Said>,
    schema: &Schema,
    tell: &mut dyn FnMut(&'static str, String),
) {
    for (rule, reason) in &number.except {
        if !expressions::NAMES.contains(&&rule[..]) {
            tell("unknown-rule", format!("no rule is called {rule}"));
        } else if reason.trim().is_empty() {
            tell("exclusion-without-reason", format!("it may break {rule}, and does not say why"));
        } else if !schema.is_empty() && said.iter().all(|(broken, _)| broken != rule) {
            tell("needless-exclusion", format!("it does not break {rule}"));
        }
    }
    for (rule, text) in said {
        if !number.except.contains_key(rule) {
            tell(rule, text);
        }
    }
}

/// Numbers that nobody shows.
fn uses(project: &Project, found: &mut Vec<Finding>) {
    let mut used: BTreeSet<String> = BTreeSet::new();
    for layout in &project.layouts {
        used.extend(layout.panels().flat_map(|panel| panel.show.iter().cloned()));
    }
    let runbooks = std::fs::read_dir(project.root.join("runbooks"));
    for entry in runbooks.into_iter().flatten().flatten() {
        if let Ok(text) = std::fs::read_to_string(entry.path()) {
            used.extend(text.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    for number in &project.dictionary.numbers {
        if !number.public && !used.contains(&number.id) {
            let text = format!("{}: no dashboard, runbook or public page shows it", number.id);
            let path = &project.dictionary.path;
            found.push(Finding::at(path, number.line, "unused-id", text));
        }
    }
}

fn mixed_units(layout: &Layout, project: &Project, found: &mut Vec<Finding>) {
    for panel in layout.panels() {
        let units = panel.show.iter().filter_map(|id| project.dictionary.get(id));
        let units: BTreeSet<&str> = units.map(|number| number.unit.grafana()).collect();
        if units.len() > 1 {
            let text = format!("panel {:?} shows {} units on one axis", panel.title, units.len());
            found.push(Finding::at(&layout.path, panel.line, "mixed-units", text));
        }
        if panel.width == 0 || panel.width > super::layout::COLUMNS {
            let text = format!("panel {:?} is not 1 to 24 columns wide", panel.title);
            found.push(Finding::at(&layout.path, panel.line, "bad-width", text));
        }
    }
    let kept = project.dictionary.retention;
    if layout.span().is_none_or(|span| span > kept) {
        let text =
            format!("it opens with {:?}, which is no time or longer than is kept", layout.span);
        found.push(Finding::at(&layout.path, 1, "beyond-retention", text));
    }
}

/// Tells what panels may not break, and which exclusions are none.
fn excluded(layout: &Layout, broken: Vec<Broken>, found: &mut Vec<Finding>) {
    let mut tell = |line, rule, text: String| {
        found.push(Finding::at(&layout.path, line, rule, text));
    };
    let mut useful = vec![false; layout.exclusions.len()];
    for one in broken {
        let covers = layout.exclusions.iter().position(|exclusion| {
            let here = one.panel.as_ref().is_some_and(|title| exclusion.panels.contains(title));
            exclusion.rule == one.rule && (exclusion.panels.is_empty() || here)
        });
        match covers {
            Some(at) => useful[at] = true,
            None => tell(one.line, one.rule, one.text),
        }
    }
    for (exclusion, useful) in layout.exclusions.iter().zip(useful) {
        if exclusion.reason.trim().is_empty() {
            let text = format!("{} is excluded without a reason", exclusion.rule);
            tell(exclusion.line, "exclusion-without-reason", text);
        }
        if !rules::NAMES.contains(&&exclusion.rule[..]) {
            tell(exclusion.line, "unknown-rule", format!("no rule is called {}", exclusion.rule));
        } else if !useful {
            let text = format!("nothing here breaks {}", exclusion.rule);
            tell(exclusion.line, "needless-exclusion", text);
        }
        for title in &exclusion.panels {
            if layout.panels().all(|panel| panel.title != *title) {
                let text = format!("no panel is called {title:?}");
                tell(exclusion.line, "needless-exclusion", text);
            }
        }
    }
}

/// Titles of panels with what they show, so that one title never shows two things.
#[derive(Default)]
struct Titles {
    seen: BTreeMap<(String, String), (PathBuf, BTreeSet<String>)>,
}

impl Titles {
    fn add(&mut self, path: &Path, board: &Board, found: &mut Vec<Finding>) {
        for panel in board.panels.iter().filter(|panel| panel.asks()) {
            let shown = panel.targets.iter().filter(|target| !target.hidden);
            let shown: BTreeSet<String> = shown
                .map(|target| match promql::parse(&board.parsable(&target.expr)) {
                    Ok(tree) => promql::canonical(&tree),
                    Err(_) => target.expr.clone(),
                })
                .collect();
            let key = (panel.title.trim().to_lowercase(), panel.unit.clone());
            let first = self.seen.entry(key).or_insert_with(|| (path.into(), shown.clone()));
            if first.1 != shown {
                let (title, other) = (&panel.title, first.0.display());
                let text = format!("panel {title:?} shows something else than that of {other}");
                found.push(Finding::at(path, panel.line, "same-title", text));
            }
        }
    }
}

/// Layouts beside those that there may be.
fn more_boards(project: &Project, found: &mut Vec<Finding>) {
    let folder = project.root.join("dashboards");
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let yaml = path.extension().is_some_and(|end| end == "yaml");
        if yaml && name != "metrics" && !BOARDS.contains(&name) {
            let text = format!("there are {} dashboards: put its panels there", BOARDS.len());
            found.push(Finding::at(&path, 0, "too-many-dashboards", text));
        }
    }
}

/// What is wrong with a dashboard that is given as JSON.
pub(super) fn other(path: &Path, known: Known<'_>) -> Result<Vec<Finding>, DashError> {
    let text = read(path)?;
    let document: Value = match serde_json::from_str(&text) {
        Ok(document) => document,
        Err(error) => {
            let broken = Finding::at(path, error.line(), "broken-json", error.to_string());
            return Ok(vec![broken]);
        }
    };
    let lines = JsonLines::of(&text);
    let Some(board) = Board::read(&document, &|pointer| lines.line(pointer)) else {
        let text = "it has no panels: it is no dashboard of Grafana";
        return Ok(vec![Finding::at(path, 1, "not-a-dashboard", text)]);
    };
    let mut found = Vec::new();
    for one in rules::check(&board, known.schema) {
        found.push(Finding::at(path, one.line, one.rule, one.text));
    }
    Titles::default().add(path, &board, &mut found);
    for panel in board.panels.iter().filter(|panel| panel.asks()) {
        for target in panel.targets.iter().filter(|one| one.language == Language::Prometheus) {
            if let Ok(tree) = promql::parse(&board.parsable(&target.expr)) {
                for (rule, text) in expressions::check(&tree, &target.legend, known) {
                    let text = format!("panel {:?}: {text}", panel.title);
                    found.push(Finding::at(path, target.line, rule, text));
                }
            }
        }
    }
    Ok(found)
}
