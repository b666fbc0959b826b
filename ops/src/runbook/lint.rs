//! What is wrong with runbooks: with each page, between pages, and between pages and alerts.
//!
//! A page is used by somebody who was asleep a minute ago. What it names has to exist, and what it
//! asks for first has to come first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::civil::Date;

mod alerts;
mod named;
mod shell;
#[cfg(test)]
mod tests;

pub(crate) use alerts::Alerts;
pub(crate) use shell::{has_blank, pieces as words_of};

use super::drill::Plan;
use super::names::Names;
use super::page::{FIRST, Kind, Page, SECTIONS, anchor};
use super::steps::{Expectation, How};
use crate::findings::Finding;
use crate::rota::{self, Rota};

/// Words that a person reads in a minute, code among them.
const WORDS_A_MINUTE: usize = 200;
/// The dashboards that there are.
const DASHBOARDS: [&str; 3] = ["service", "fleet", "change"];
/// Minutes of reading before there is something to do.
const MINUTES_MAX: usize = 3;

/// What pages are checked against; what is none is not checked.
#[derive(Debug, Default)]
pub(crate) struct Against<'a> {
    /// The alerts, and objectives that they belong to.
    pub(crate) alerts: Option<&'a Alerts>,
    /// The rota whose schedules own alerts.
    pub(crate) rota: Option<&'a Rota>,
    /// What the processes have.
    pub(crate) names: Option<&'a Names>,
    /// This day.
    pub(crate) today: Date,
}

/// Reads every page of a folder, in the order of their names.
///
/// # Errors
/// What the system says.
pub(crate) fn pages(folder: &Path) -> std::io::Result<(Vec<Page>, Vec<Finding>)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "md"));
    paths.sort();
    let (mut pages, mut findings) = (Vec::new(), Vec::new());
    for path in paths {
        match Page::parse(&path, &std::fs::read_to_string(&path)?) {
            Ok(page) => pages.push(page),
            Err(finding) => findings.push(finding),
        }
    }
    Ok((pages, findings))
}

/// Everything that is wrong.
pub(crate) fn lint(pages: &[Page], against: &Against<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages {
        form(page, against.today, &mut findings);
        steps(page, &mut findings);
        links(page, pages, &mut findings);
        named::queries(page, &mut findings);
        shell::programs(page, &mut findings);
        shell::bifrost(page, &mut findings);
        if let Some(names) = against.names {
            named::metrics(page, names, &mut findings);
            named::keys(page, names, &mut findings);
            named::calls(page, names, &mut findings);
        }
        if let Some(rota) = against.rota {
            let place = (&*page.path, page.key("owner"));
            findings.extend(rota::unknown_owner(rota, &page.front.owner, place));
        }
    }
    same_queries(pages, &mut findings);
    if let Some(known) = against.alerts {
        alerts::match_pages(known, pages, &mut findings);
        if let Some(rota) = against.rota {
            alerts::owners(known, rota, &mut findings);
        }
    }
    findings
}

/// Names, sections, dates, and what is not finished.
fn form(page: &Page, today: Date, findings: &mut Vec<Finding>) {
    let mut add = |line: usize, rule: &'static str, text: String| {
        findings.push(Finding::at(&page.path, line, rule, text));
    };
    let (key, named) = match page.front.kind {
        Kind::Alert => ("alert", &page.front.alert),
        Kind::Procedure => ("title", &page.front.title),
    };
    if named.as_ref() != Some(&page.name) {
        add(
            page.key(key),
            "name",
            format!("`{key}` has to be {}, as the file is called", page.name),
        );
    }
    match &page.titles[..] {
        [title] if title.text == page.name => {}
        [] => add(0, "name", format!("it lacks the heading `# {}`", page.name)),
        [first, ..] => add(first.line, "name", format!("the one title has to be {}", page.name)),
    }
    if page.front.kind == Kind::Alert && page.front.severity.is_empty() {
        add(page.key("severity"), "severity", "it says no severity: page, ticket".to_owned());
    }
    for dashboard in &page.front.dashboards {
        if !DASHBOARDS.contains(&&dashboard[..]) {
            let text = format!("no dashboard {dashboard:?}: there are {}", DASHBOARDS.join(", "));
            add(page.key("dashboards"), "dashboard", text);
        }
    }
    let found: Vec<&str> = page.sections.iter().map(|section| &section.text[..]).collect();
    if found != SECTIONS {
        let differs = found.iter().zip(SECTIONS).position(|(one, other)| *one != other);
        let at = differs.unwrap_or(found.len().min(SECTIONS.len()));
        let line = page.sections.get(at).map_or(0, |section| section.line);
        let wanted = SECTIONS.get(at).copied().unwrap_or("nothing");
        add(line, "sections", format!("here has to be {wanted:?}: {}", SECTIONS.join(", ")));
    }
    if page.front.expires < today {
        let text =
            format!("it expired on {}: read it again and set a later day", page.front.expires);
        add(page.key("expires"), "expired", text);
    }
    for (line, text) in page.body.lines().enumerate() {
        if text
            .split(|one: char| !one.is_alphanumeric())
            .any(|word| ["TODO", "FIXME"].contains(&word))
        {
            add(line + page.first_line, "todo", "it is not finished".to_owned());
        }
    }
    if page.words_before_action > WORDS_A_MINUTE * MINUTES_MAX {
        let text = format!(
            "{} words are read before something is done, {} at most",
            page.words_before_action,
            WORDS_A_MINUTE * MINUTES_MAX
        );
        add(0, "slow-start", text);
    }
}

/// What is asked first, and what the drill asks.
fn steps(page: &Page, findings: &mut Vec<Finding>) {
    let mut add = |line: usize, rule: &'static str, text: String| {
        findings.push(Finding::at(&page.path, line, rule, text));
    };
    if page.steps.len() < 2 {
        add(0, "steps", format!("{FIRST:?} has no two steps: write them as 1., 2., 3."));
    }
    for step in &page.steps {
        let asks = step.how.iter().any(|how| matches!(how, How::Query { .. }));
        match step.expected.as_deref().map(Expectation::parse) {
            Some(None) => {
                let text = "what is expected is none of `== 1`, `< 0.1`, `empty`, `200` and such";
                add(step.line, "expected", text.to_owned());
            }
            None if asks => {
                let text = "a query has to say what is expected: Expected: `== 0`";
                add(step.line, "expected", text.to_owned());
            }
            Some(Some(_)) | None => {}
        }
    }
    drill(page, findings);
}

/// An alert is tried out, or says why it is not.
fn drill(page: &Page, findings: &mut Vec<Finding>) {
    let mut add = |key: &str, text: String| {
        findings.push(Finding::at(&page.path, page.key(key), "drill", text));
    };
    match (&page.front.drill, &page.front.reason) {
        (Some(Plan::Of(drill)), reason) => {
            if !page.queries().any(|(id, _)| id == drill.query) {
                add("drill", format!("the drill asks {:?}, which the page has not", drill.query));
            }
            if !matches!(Expectation::parse(&drill.answer), Some(Expectation::All(..))) {
                add("drill", format!("{:?} is no answer such as \"== 1\"", drill.answer));
            }
            if reason.is_some() {
                add("reason", "a page that has a drill needs no `reason`".to_owned());
            }
        }
        (Some(Plan::None), Some(reason)) if !reason.trim().is_empty() => {}
        (Some(Plan::None), Some(_) | None) => {
            add("drill", "without a drill it has to say why: `reason`".to_owned());
        }
        (None, _) if page.front.kind == Kind::Alert => {
            add("alert", "it lacks a `drill`: a fault, or `none` and a `reason`".to_owned());
        }
        (None, _) => {}
    }
}

fn links(page: &Page, pages: &[Page], findings: &mut Vec<Finding>) {
    for link in &page.links {
        if link.text.contains("://") || link.text.starts_with("mailto:") {
            continue;
        }
        let (file, wanted) = link.text.split_once('#').unwrap_or((&link.text, ""));
        let named = |name: &str| pages.iter().find(|page| page.name == name);
        let target =
            if file.is_empty() { Some(page) } else { file.strip_suffix(".md").and_then(named) };
        let folder = page.path.parent().unwrap_or(Path::new(""));
        let rule = match target {
            None if folder.join(file).exists() && wanted.is_empty() => continue,
            None => "broken-link",
            Some(target) => {
                let mut anchors = target.sections.iter().map(|section| anchor(&section.text));
                if wanted.is_empty() || anchors.any(|anchor| anchor == wanted) {
                    continue;
                }
                "broken-anchor"
            }
        };
        let text = format!("the link {:?} leads nowhere", link.text);
        findings.push(Finding::at(&page.path, link.line, rule, text));
    }
}

/// One id has one expression, wherever it stands.
fn same_queries(pages: &[Page], findings: &mut Vec<Finding>) {
    let mut first: BTreeMap<&str, (&Page, String)> = BTreeMap::new();
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for page in pages {
        for (id, block) in page.queries() {
            let expression = one_line(&block.text);
            let (other, before) = first.entry(id).or_insert_with(|| (page, expression.clone()));
            if *before != expression {
                let text = format!("the query {id:?} is another one in {}", other.path.display());
                findings.push(Finding::at(&page.path, block.line, "query-differs", text));
            }
        }
        let listed: Vec<&str> = page.front.queries.iter().map(String::as_str).collect();
        let mut seen = BTreeSet::new();
        let used: Vec<&str> =
            page.queries().map(|(id, _)| id).filter(|id| seen.insert(*id)).collect();
        if listed != used {
            let text = format!("`queries` has to be [{}], as the text has them", used.join(", "));
            findings.push(Finding::at(&page.path, page.key("queries"), "queries", text));
        }
    }
}
