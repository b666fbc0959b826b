//! The project's own site: pages that lie in `ops/site`, and runbooks rendered from Markdown.
//!
//! Everything is inside this program, so that `bifrost up` has a site to show wherever it runs.
//! Pages link to each other relatively: the site reads the same on its host, below `/ipfs/…`, and
//! from disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

mod render;

use render::Runbook;
pub(crate) use render::{escape, markdown};

/// Files that are taken as they are.
const FILES: [(&str, &str); 4] = [
    ("index.html", include_str!("../site/index.html")),
    ("policy.html", include_str!("../site/policy.html")),
    ("gateways.html", include_str!("../site/gateways.html")),
    ("style.css", include_str!("../site/style.css")),
];

/// What every rendered page is put into.
const FRAME: &str = include_str!("../site/runbook.html");

/// A runbook and its text.
macro_rules! runbook {
    ($name:literal) => {
        ($name, include_str!(concat!("../../runbooks/", $name, ".md")))
    };
}

/// The runbooks, in the order of the list of them.
const RUNBOOKS: [(&str, &str); 31] = [
    runbook!("GatewayAvailability"),
    runbook!("GatewayFirstByte"),
    runbook!("GatewayFirstByteNetwork"),
    runbook!("WebsiteAvailability"),
    runbook!("WebsiteFirstByte"),
    runbook!("WebsiteFirstByteNetwork"),
    runbook!("GatewayNotReady"),
    runbook!("NodeAvailability"),
    runbook!("NodeFirstByte"),
    runbook!("NodeUnreachable"),
    runbook!("NodeDiskFull"),
    runbook!("Overload"),
    runbook!("UnverifiedBytes"),
    runbook!("WrongBytes"),
    runbook!("ProbeSuccess"),
    runbook!("NamesFreshness"),
    runbook!("DenylistFreshness"),
    runbook!("TargetMissing"),
    runbook!("SignalMissing"),
    runbook!("LogLinesLost"),
    runbook!("ConfigRejected"),
    runbook!("MirrorDifferent"),
    runbook!("ProfilesMissing"),
    runbook!("TaskPanicked"),
    runbook!("BadRelease"),
    runbook!("Certificate"),
    runbook!("DhtTrouble"),
    runbook!("DomainBlocked"),
    runbook!("DrainAndRestart"),
    runbook!("NodeReturnsBadData"),
    runbook!("Takedown"),
];

/// What `bifrost site` is told.
#[derive(Debug, Args)]
pub(crate) struct SiteArgs {
    #[command(subcommand)]
    command: SiteCommand,
}

#[derive(Debug, Subcommand)]
enum SiteCommand {
    /// Write every page to a folder.
    Build {
        /// The folder; files of the same names are overwritten.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Runs `bifrost site`.
///
/// # Errors
/// What the system says.
pub(crate) fn run(args: &SiteArgs) -> io::Result<()> {
    let SiteCommand::Build { out } = &args.command;
    write(out)
}

/// Writes the site into a folder that holds nothing else afterwards.
///
/// # Errors
/// What the system says.
pub(crate) fn rewrite(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    write(folder)
}

fn write(folder: &Path) -> io::Result<()> {
    for (path, text) in pages() {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a page lies in the folder"))?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// Every page: its path and its text.
fn pages() -> Vec<(String, String)> {
    let runbooks: Vec<Runbook> =
        RUNBOOKS.iter().map(|(name, text)| Runbook::parse(name, text)).collect();
    let mut pages: Vec<_> =
        FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    for runbook in &runbooks {
        pages.push((format!("runbooks/{}.html", runbook.name), runbook.page(FRAME)));
    }
    pages.push(("runbooks/index.html".to_owned(), render::list(&runbooks, FRAME)));
    pages
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_link_within_the_site_leads_to_a_page() {
        let pages = pages();
        let paths: HashSet<&str> = pages.iter().map(|(path, _)| &path[..]).collect();
        for (path, text) in &pages {
            let above = if path.contains('/') { "runbooks/" } else { "" };
            for attribute in ["href=\"", "src=\""] {
                for (at, _) in text.match_indices(attribute) {
                    let rest = &text[at + attribute.len()..];
                    let target = rest.split(['"', '#']).next().unwrap_or_default();
                    if target.is_empty() || target.contains(":") {
                        continue;
                    }
                    let target = match target.strip_prefix("../") {
                        Some(target) => target.to_owned(),
                        None => format!("{above}{target}"),
                    };
                    let found = paths.contains(&target[..])
                        || paths.contains(&format!("{target}index.html")[..]);
                    assert!(found, "{path} links to {target}");
                }
            }
        }
    }

    #[test]
    fn every_page_can_be_read_by_everybody() {
        for (path, text) in pages().iter().filter(|(path, _)| path.ends_with(".html")) {
            for needed in [
                "<!doctype html>",
                "<html lang=\"en\">",
                "<meta charset=\"utf-8\">",
                "name=\"viewport\"",
                "<title>",
                "<main id=\"main\">",
                "href=\"#main\"",
            ] {
                assert!(text.contains(needed), "{path} lacks {needed}");
            }
            assert_eq!(text.matches("<h1").count(), 1, "{path} has one heading of the first level");
            assert!(!text.contains("{{"), "{path} has a slot that was not filled");
        }
    }

    #[test]
    fn runbooks_have_every_section_in_order() {
        for (name, text) in RUNBOOKS {
            let mut at = 0;
            for section in [
                "## Meaning",
                "## User impact",
                "## First five minutes",
                "## Diagnosis",
                "## Mitigation",
                "## Escalation",
                "## Afterwards",
            ] {
                let found = text[at..].find(section);
                at += found.unwrap_or_else(|| panic!("{name} lacks {section} in its place"));
            }
            let fronts =
                [format!("---\nalert: {name}\n"), format!("---\nkind: procedure\ntitle: {name}\n")];
            assert!(fronts.iter().any(|front| text.starts_with(front)), "{name}");
            assert!(text.contains(&format!("\n# {name}\n")), "{name}");
        }
    }

    #[test]
    fn every_runbook_is_a_page_of_the_site() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../runbooks");
        for entry in fs::read_dir(folder).expect("they lie there") {
            let name = entry.expect("it can be listed").file_name().to_string_lossy().into_owned();
            let Some(name) = name.strip_suffix(".md") else { continue };
            assert!(RUNBOOKS.iter().any(|(known, _)| *known == name), "{name}");
        }
    }

    #[test]
    fn a_rewritten_folder_holds_the_site_alone() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let site = folder.path().join("site");
        fs::create_dir(&site).expect("it can be made");
        fs::write(site.join("old.html"), "old").expect("it can be written");
        rewrite(&site).expect("it is written");
        assert!(!site.join("old.html").exists());
        assert!(site.join("runbooks/NodeDiskFull.html").is_file());
    }
}
