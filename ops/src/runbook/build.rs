//! The runbooks as pages: one for each, an index, and an index for searching.
//!
//! Pages need no script and no server; they link to each other relatively and carry their look with
//! them, so that they can be read from a disk when nothing else works.

use std::path::Path;

use serde_json::json;

use super::page::{Drilled, Kind, Page, Severity, anchor};
use crate::findings::Finding;
use crate::site;

/// What every page is put into.
const FRAME: &str = include_str!("../../site/book.html");

/// Every file: its path and its text.
pub(crate) fn files(pages: &[Page]) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = pages
        .iter()
        .map(|page| (format!("{}.html", page.name), framed(&page.name, &page_of(page))))
        .collect();
    files.push(("index.html".to_owned(), framed("Runbooks", &index(pages))));
    files.push(("search.json".to_owned(), search(pages)));
    files.push(("style.css".to_owned(), site::STYLE.to_owned()));
    files
}

/// What the head of a runbook comes to.
#[derive(Debug)]
pub(crate) struct Head {
    /// A note to stand below the title, in HTML.
    pub(crate) note: String,
    /// What the runbook is for, in one line.
    pub(crate) summary: String,
    /// Whether it is of an alert.
    pub(crate) is_alert: bool,
}

/// Reads the head of a runbook.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn head(path: &Path, text: &str) -> Result<Head, Finding> {
    let page = Page::parse(path, text)?;
    let is_alert = page.front.kind == Kind::Alert;
    Ok(Head { note: note(&page), summary: page.front.summary, is_alert })
}

/// Writes every file into a folder.
///
/// # Errors
/// What the system says.
pub(crate) fn write(pages: &[Page], folder: &Path) -> std::io::Result<usize> {
    std::fs::create_dir_all(folder)?;
    let files = files(pages);
    for (path, text) in &files {
        std::fs::write(folder.join(path), text)?;
    }
    Ok(files.len())
}

fn framed(title: &str, main: &str) -> String {
    FRAME.replace("{{title}}", &site::escape(title)).replace("{{main}}", main)
}

fn page_of(page: &Page) -> String {
    let rendered = site::markdown(&page.body).replace(".md\"", ".html\"").replace(".md#", ".html#");
    let mut text = rendered.replacen("</h1>\n", &format!("</h1>\n{}", note(page)), 1);
    for section in &page.sections {
        let heading = site::escape(&section.text);
        let with_anchor = format!("<h2 id=\"{}\">{heading}</h2>", anchor(&section.text));
        text = text.replacen(&format!("<h2>{heading}</h2>"), &with_anchor, 1);
    }
    text
}

/// What the head of a page says, for whoever reads it.
fn note(page: &Page) -> String {
    let drilled = match page.front.last_drilled {
        Drilled::Never => "never drilled".to_owned(),
        Drilled::On(day) => format!("drilled on <time datetime=\"{day}\">{day}</time>"),
    };
    format!(
        "<p class=\"note\">{}. {} Owner: {}; {drilled}.</p>\n",
        site::escape(&urgency(page)),
        site::escape(&page.front.summary),
        site::escape(&page.front.owner),
    )
}

fn urgency(page: &Page) -> String {
    let words: Vec<&str> = page
        .front
        .severity
        .iter()
        .map(|severity| match severity {
            Severity::Page => "page",
            Severity::Ticket => "ticket",
        })
        .collect();
    match page.front.kind {
        Kind::Procedure => "Procedure".to_owned(),
        Kind::Alert => format!("Alert: {}", words.join(" or ")),
    }
}

fn index(pages: &[Page]) -> String {
    let mut main = String::from(
        "<h1>Runbooks</h1>\n<p>What to do when something is wrong, first steps first. Commands assume \
         the addresses of <code>bifrost up</code>.</p>\n",
    );
    for (kind, title) in [(Kind::Alert, "Alerts"), (Kind::Procedure, "Procedures")] {
        main.push_str(&format!("<h2>{title}</h2>\n<ul class=\"list\">\n"));
        for page in pages.iter().filter(|page| page.front.kind == kind) {
            let name = site::escape(&page.name);
            main.push_str(&format!(
                "<li><a href=\"{name}.html\">{name}</a> <small>{}</small><br>{}</li>\n",
                site::escape(&urgency(page)),
                site::escape(&page.front.summary)
            ));
        }
        main.push_str("</ul>\n");
    }
    main
}

/// What a search needs of each page: name, summary, headings and every word once.
fn search(pages: &[Page]) -> String {
    let entries: Vec<serde_json::Value> = pages
        .iter()
        .map(|page| {
            let words = page.body.split(|one: char| !(one.is_alphanumeric() || one == '_'));
            let words: std::collections::BTreeSet<String> =
                words.filter(|word| word.len() > 2).map(str::to_lowercase).collect();
            json!({
                "page": format!("{}.html", page.name),
                "title": page.name,
                "summary": page.front.summary,
                "kind": urgency(page),
                "words": words,
            })
        })
        .collect();
    format!("{}\n", json!(entries))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::runbook::lint;

    fn shipped() -> Vec<(String, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks");
        files(&lint::pages(&folder).expect("they can be read").0)
    }

    #[test]
    fn every_link_leads_to_a_file_and_nothing_needs_a_script() {
        let files = shipped();
        let names: HashSet<&str> = files.iter().map(|(name, _)| &name[..]).collect();
        for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".html")) {
            assert!(!text.contains("<script") && !text.contains("{{"), "{name}");
            assert_eq!(text.matches("<h1>").count(), 1, "{name}");
            for (at, start) in text.match_indices("href=\"") {
                let target = text[at + start.len()..].split(['"', '#']).next().unwrap_or_default();
                let is_known = target.is_empty() || target == "data:," || names.contains(target);
                assert!(is_known, "{name} links to {target}");
            }
        }
        let node = files.iter().find(|(name, _)| name == "NodeUnreachable.html");
        let (_, text) = node.expect("it is there");
        assert!(text.contains("<h2 id=\"first-five-minutes\">First five minutes</h2>"));
        assert!(
            text.contains("Alert: page or ticket. Gateways or Prometheus cannot reach a node.")
        );
    }

    #[test]
    fn the_index_for_searching_has_every_page() {
        let files = shipped();
        let (_, text) = files.iter().find(|(name, _)| name == "search.json").expect("it is there");
        let entries: Vec<serde_json::Value> = serde_json::from_str(text).expect("it is JSON");
        let pages = files.iter().filter(|(name, _)| name.ends_with(".html")).count();
        assert_eq!(entries.len() + 1, pages);
        let words = |entry: &serde_json::Value| entry["words"].to_string();
        assert!(entries.iter().any(|entry| words(entry).contains("\"bifrost_node_in_flight\"")));
    }
}
