//! All files of a site, rendered and looked at.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, ToSpan};
use telemetry::Tasks;

use super::check::{Files, check};
use super::figures::{Figures, Sources};
use super::page::{Page, Section};
use super::{PublishError, manual, policy, search};
use crate::findings::Finding;
use crate::output::Exit;
use crate::rota::{self, Rota};
use crate::site::{STYLE, escape};
use crate::{mirror, profile};

/// The rota of this build, whose people are examples.
const EXAMPLE: &str = include_str!("../../../runbooks/rota.yaml");
/// The first page.
const HOME: &str = include_str!("../../site/home.html");
/// Where the verdict of the mirror is.
pub(super) const MIRROR: &str = "mirror.html";
/// Where profiles are.
pub(super) const PROFILES: &str = "profiles/";
/// Weeks of shifts that are shown.
const ROTA_WEEKS: i64 = 4;
/// Days of profiles that are shown.
const PROFILE_DAYS: u16 = 7;

/// What a site shows besides its texts.
#[derive(Debug)]
pub(super) struct Given<'a> {
    pub(super) policy: policy::Source,
    pub(super) figures: Sources<'a>,
    /// Who is on call; without it the examples of this build.
    pub(super) rota: Option<PathBuf>,
    /// A store of profiles.
    pub(super) profiles: Option<&'a str>,
    /// A folder of pairs.
    pub(super) mirror: Option<&'a Path>,
    /// When shifts begin to be shown.
    pub(super) from: Timestamp,
}

/// What is said of a site that is well enough to be published.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What is not as it should be.
    pub(super) findings: Vec<Finding>,
    /// What is good to know.
    pub(super) notes: Vec<String>,
}

/// Renders a site and looks at all of it. What is well enough to be published is added to `told`.
///
/// # Errors
/// An input cannot be read, or the site would be wrong.
pub(super) async fn site(
    given: &Given<'_>,
    tasks: &Tasks,
    told: &mut Told,
) -> Result<Files, PublishError> {
    let mut files = Files::new();
    let mut pages = manual::pages().map_err(PublishError::Text)?;
    let policy = given.policy.read(tasks).await?;
    files.insert("policy.json".to_owned(), policy.json.clone().into_bytes());
    let figures = Figures::gather(&given.figures, &runbooks(&pages), tasks, told).await?;
    let (mut measured, values) = figures.pages();
    // Without figures these pages are the same in every edition.
    let (lasting, _) = Figures::default().pages();
    for (page, lasting) in measured.iter_mut().zip(lasting) {
        page.lasting = Some(lasting.main);
    }
    files.extend(values.map(|(path, text)| (path.to_owned(), text.into_bytes())));
    pages.extend([policy.page(), on_call(given.rota.as_deref(), given.from)?]);
    pages.extend(measured);
    pages.extend(given.mirror.and_then(|folder| verdict(folder, &mut told.findings)));
    let drawn = match given.profiles {
        Some(store) => profiles(store, tasks, &mut told.findings).await?,
        None => Files::new(),
    };
    let home = home(&pages, !drawn.is_empty());
    files.extend(drawn);
    pages.insert(0, home);
    pages.push(search::a_to_z(&pages));
    files.insert("search-index.js".to_owned(), search::index(&pages).into_bytes());
    files.insert("search.js".to_owned(), search::SCRIPT.as_bytes().to_vec());
    files.insert("style.css".to_owned(), STYLE.as_bytes().to_vec());
    pages.push(search::page());
    let sections: Vec<Section> = pages.iter().map(|page| page.section).collect();
    for page in &pages {
        files.insert(page.path.clone(), page.framed(&sections).into_bytes());
    }
    let wrong = check(&files);
    if wrong.is_empty() { Ok(files) } else { Err(PublishError::Wrong(wrong)) }
}

/// The names of runbooks.
fn runbooks(pages: &[Page]) -> Vec<String> {
    let names = pages.iter().filter_map(|page| page.path.strip_prefix("runbooks/"));
    names.filter_map(|name| Some(name.strip_suffix(".html")?.to_owned())).collect()
}

/// Who is on call, shift by shift; how they are reached stays where the rota is.
fn on_call(path: Option<&Path>, from: Timestamp) -> Result<Page, PublishError> {
    let (rota, note) = match path {
        Some(path) => (Rota::read(path)?, ""),
        None => {
            let note = "<p class=\"note\">These people are examples.</p>\n";
            (Rota::parse(Path::new(rota::ROTA), EXAMPLE)?, note)
        }
    };
    let to = from.checked_add((ROTA_WEEKS * 7 * 24).hours()).unwrap_or(Timestamp::MAX);
    let main = format!(
        "<h1>Who is on call</h1>\n<p>An alert reaches whoever has the shift.</p>\n{note}{}",
        rota::shifts(&rota, from, to)
    );
    let summary = "Shifts of the next weeks.";
    Ok(Page::new(Section::Runbooks, ("rota.html", "Who is on call"), summary, main))
}

/// The verdict of the mirror. Where there is none, that is a finding: the rest can be read all the same.
fn verdict(folder: &Path, findings: &mut Vec<Finding>) -> Option<Page> {
    let (path, summary) = (MIRROR, "What mirrored traffic says of the release on staging.");
    match mirror::published(folder) {
        Ok(main) => {
            let lasting = Some("<h1>Mirror</h1>\n".to_owned());
            Some(Page { lasting, ..Page::new(Section::About, (path, "Mirror"), summary, main) })
        }
        Err(error) => {
            let text = format!("{}; there is no such page", telemetry::why(&error));
            findings.push(Finding::at(path, 0, "no-verdict", text));
            None
        }
    }
}

/// Pages of profiles, by their paths. Where there are none, or not all of them can be read, that is a finding, and
/// none are shown.
///
/// # Errors
/// The work was lost.
async fn profiles(
    store: &str,
    tasks: &Tasks,
    findings: &mut Vec<Finding>,
) -> Result<Files, PublishError> {
    let drawn = RefCell::new(Files::new());
    let write = |path: &str, content: &[u8]| {
        drawn.borrow_mut().insert(format!("{PROFILES}{path}"), content.to_vec());
    };
    match profile::published(store, PROFILE_DAYS, tasks, &write).await {
        Ok(()) => Ok(drawn.into_inner()),
        Err(error) if matches!(error.exit(), Exit::Input | Exit::Machine) => {
            let text = format!("{}; there are no such pages", telemetry::why(&error));
            findings.push(Finding::at(PROFILES, 0, "no-profiles", text));
            Ok(Files::new())
        }
        Err(error) => Err(error.into()),
    }
}

/// The first page, with what there is.
fn home(pages: &[Page], has_profiles: bool) -> Page {
    let cards = [
        "guides/index.html",
        "reference/index.html",
        "runbooks/index.html",
        "status.html",
        "metrics.html",
        "policy.html",
        "rota.html",
        MIRROR,
        "findings/index.html",
        "project/architecture.html",
        "project/changelog.html",
    ];
    let card = |path: &str, title: &str, summary: &str| {
        let (title, summary) = (escape(title), escape(summary));
        format!("<li><a href=\"{path}\">{title}</a><br>{summary}</li>\n")
    };
    let known = cards.iter().filter_map(|path| pages.iter().find(|page| page.path == *path));
    let mut cards: String =
        known.map(|page| card(&page.path, &page.title, &page.summary)).collect();
    if has_profiles {
        let summary = "Where time and memory go, by process and build.";
        cards.push_str(&card(&format!("{PROFILES}index.html"), "Profiles", summary));
    }
    let main = HOME.replace("{{cards}}", &cards);
    let summary = "Content from IPFS to any browser, every byte verified.";
    Page::new(Section::Home, ("index.html", "Content from IPFS, verified"), summary, main)
}
