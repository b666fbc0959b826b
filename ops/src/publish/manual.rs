//! Pages that are the same whatever runs: guides, reference, runbooks, findings, the project's texts.

use super::documents::{self, Document, FINDINGS, GUIDES, PROJECT, RUNBOOKS, place};
use super::page::{Page, Section, list};
use super::text::{self, Places};
use crate::findings::Finding;
use crate::runbook;

/// Every page, lists first.
///
/// # Errors
/// A runbook whose head cannot be read.
pub(super) fn pages() -> Result<Vec<Page>, Finding> {
    let reference = documents::reference();
    let all = [GUIDES, &reference, RUNBOOKS, FINDINGS, PROJECT].concat();
    let places: Places =
        all.iter().map(|document| (document.path.to_string(), place(&document.path))).collect();
    let plain = |documents: &[Document], section| -> Vec<Page> {
        documents.iter().map(|document| page(document, section, &places)).collect()
    };
    let guides = plain(GUIDES, Section::Guides);
    let reference = plain(&reference, Section::Reference);
    let mut pages = vec![index(
        Section::Guides,
        ("guides/index.html", "Guides"),
        "How to run it, publish with it and find out what is wrong, step by step.",
        &guides,
    )];
    if !reference.is_empty() {
        pages.push(index(
            Section::Reference,
            ("reference/index.html", "Reference"),
            "Every key, metric, field, header and command, made from the code.",
            &reference,
        ));
    }
    let runbooks = RUNBOOKS.iter().map(|document| of_runbook(document, &places));
    let runbooks = runbooks.collect::<Result<Vec<_>, _>>()?;
    pages.push(list_of_runbooks(&runbooks));
    pages.extend(guides.into_iter().chain(reference));
    pages.extend(runbooks.into_iter().map(|(page, _)| page));
    pages.extend(plain(FINDINGS, Section::About));
    pages.extend(plain(PROJECT, Section::About));
    Ok(pages)
}

fn page(document: &Document, section: Section, places: &Places) -> Page {
    let text = text::read(document, places);
    Page::new(section, (&place(&document.path), &text.title), &text.summary, text.html)
}

fn index(section: Section, (path, title): (&str, &str), summary: &str, pages: &[Page]) -> Page {
    let main = format!("<h1>{title}</h1>\n<p>{summary}</p>\n{}", list(path, pages.iter()));
    Page::new(section, (path, title), summary, main)
}

/// A runbook with what stands above it, and whether it is of an alert.
fn of_runbook(document: &Document, places: &Places) -> Result<(Page, bool), Finding> {
    let head = runbook::head(document.path.as_ref().as_ref(), &document.text)?;
    let mut page = page(document, Section::Runbooks, places);
    // The note belongs below the heading, which is the first thing in every runbook.
    page.main = page.main.replacen("</h1>\n", &format!("</h1>\n{}", head.note), 1);
    page.summary = head.summary;
    Ok((page, head.is_alert))
}

fn list_of_runbooks(runbooks: &[(Page, bool)]) -> Page {
    let (path, summary) =
        ("runbooks/index.html", "What to do when something is wrong, first steps first.");
    let of = |alerts: bool| {
        list(path, runbooks.iter().filter(|(_, alert)| *alert == alerts).map(|(page, _)| page))
    };
    let main = format!(
        "<h1>Runbooks</h1>\n<p>{summary} Commands assume the addresses of <code>bifrost up</code>. Who is on \
         call is on the <a href=\"../rota.html\">rota</a>.</p>\n<h2 id=\"alerts\">Alerts</h2>\n{}\
         <h2 id=\"procedures\">Procedures</h2>\n{}",
        of(true),
        of(false)
    );
    Page::new(Section::Runbooks, (path, "Runbooks"), summary, main)
}
