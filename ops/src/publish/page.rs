//! A page of the site and the frame around it.
//!
//! Pages link to each other relatively: the site reads the same on its host, below `/ipfs/…`, and from
//! disk.

use super::text::up;
use crate::site::escape;

/// What every page is put into.
const FRAME: &str = include_str!("../../site/frame.html");

/// Where a page belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// The first page.
    Home,
    /// How to do things.
    Guides,
    /// What there is, made from the code.
    Reference,
    /// What to do when something is wrong, and who does it.
    Runbooks,
    /// How the service is.
    Status,
    /// How it was.
    Metrics,
    /// What may be done with it.
    Policy,
    /// Finding things.
    Search,
    /// What the navigation does not name.
    About,
}

impl Section {
    /// What leads to it from every page: a word and a page. None where nothing does.
    fn link(self) -> Option<(&'static str, &'static str)> {
        match self {
            Section::Home => Some(("Bifrost", "index.html")),
            Section::Guides => Some(("Guides", "guides/index.html")),
            Section::Reference => Some(("Reference", "reference/index.html")),
            Section::Runbooks => Some(("Runbooks", "runbooks/index.html")),
            Section::Status => Some(("Status", "status.html")),
            Section::Metrics => Some(("Metrics", "metrics.html")),
            Section::Policy => Some(("Policy", "policy.html")),
            Section::Search => Some(("Search", "search.html")),
            Section::About => None,
        }
    }

    const ALL: [Section; 8] = [
        Section::Home,
        Section::Guides,
        Section::Reference,
        Section::Runbooks,
        Section::Status,
        Section::Metrics,
        Section::Policy,
        Section::Search,
    ];
}

/// A page.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// Where it is, from the root of the site.
    pub(super) path: String,
    /// Where it belongs.
    pub(super) section: Section,
    /// Its title.
    pub(super) title: String,
    /// What is on it, in a sentence.
    pub(super) summary: String,
    /// What is on it, its only `h1` first.
    pub(super) main: String,
    /// What of it is looked for, where some of it is another in every edition: the index is kept for ever in every
    /// node, edition by edition, and has no part in that.
    pub(super) lasting: Option<String>,
    /// The scripts that it loads.
    pub(super) scripts: &'static [&'static str],
}

impl Page {
    /// A page without scripts.
    pub(super) fn new(
        section: Section,
        (path, title): (&str, &str),
        summary: &str,
        main: String,
    ) -> Self {
        let [path, title, summary] = [path, title, summary].map(str::to_owned);
        Self { path, section, title, summary, main, lasting: None, scripts: &[] }
    }

    /// What of it is looked for.
    pub(super) fn searched(&self) -> &str {
        self.lasting.as_ref().unwrap_or(&self.main)
    }

    /// The whole page. `sections` are those that have pages.
    pub(super) fn framed(&self, sections: &[Section]) -> String {
        let up = up(&self.path);
        let scripts: String = self
            .scripts
            .iter()
            .map(|script| format!("<script src=\"{up}{script}\" defer></script>\n"))
            .collect();
        let version = telemetry::build_info::version();
        // What was written elsewhere comes last, so that nothing in it is taken for a slot.
        FRAME
            .replace("{{up}}", &up)
            .replace("{{scripts}}", &scripts)
            .replace("{{version}}", &escape(version))
            .replace("{{nav}}", &self.nav(&up, sections))
            .replace("{{title}}", &escape(&self.title))
            .replace("{{summary}}", &escape(&self.summary))
            .replace("{{main}}", &self.main)
    }

    fn nav(&self, up: &str, sections: &[Section]) -> String {
        let known = Section::ALL.iter().filter(|section| sections.contains(section));
        let links = known.filter_map(|section| Some((section, section.link()?)));
        links
            .map(|(section, (word, path))| {
                let here = if path == self.path {
                    " aria-current=\"page\""
                } else if *section == self.section {
                    " aria-current=\"true\""
                } else {
                    ""
                };
                let name = if *section == Section::Home { " class=\"name\"" } else { "" };
                format!("<a{name} href=\"{up}{path}\"{here}>{word}</a>\n")
            })
            .collect()
    }
}

/// A list of pages, linked to from a page at `from`.
pub(super) fn list<'a>(from: &str, pages: impl Iterator<Item = &'a Page>) -> String {
    let items: String = pages
        .map(|page| {
            let (title, summary) = (escape(&page.title), escape(&page.summary));
            let path = format!("{}{}", up(from), page.path);
            format!("<li><a href=\"{path}\">{title}</a><br>{summary}</li>\n")
        })
        .collect();
    format!("<ul class=\"list\">\n{items}</ul>\n")
}
