//! Pages of profiles: the frame, and the table of functions that says what the graph shows.

use std::fmt::Write as _;

use super::flame::{CSS, SCRIPT, plain};
use super::functions::{ProfileSet, Taken, shown};
use crate::site::{STYLE, escape};

/// What a page is, but for its text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// Its title.
    pub(crate) title: &'a str,
    /// The way up to the first page; none for a page that stands alone.
    pub(crate) up: Option<&'a str>,
    /// Whether the first page is one of a larger site, whose own is a folder above it.
    pub(crate) within: bool,
    /// Whether it has a graph.
    pub(crate) graph: bool,
}

impl Frame<'_> {
    /// The page. It needs nothing beside it, so that it can be sent to somebody.
    pub(crate) fn page(&self, main: &str) -> String {
        let title = escape(&plain(self.title));
        let links = match (self.up.map(escape), self.within) {
            (Some(up), true) => format!(
                "<a class=\"name\" href=\"{up}../index.html\">Bifrost</a> <a href=\"{up}index.html\">Profiles</a>"
            ),
            (Some(up), false) => format!("<a class=\"name\" href=\"{up}index.html\">Profiles</a>"),
            (None, _) => String::new(),
        };
        let nav = match links.is_empty() {
            true => String::new(),
            false => format!("<header>\n<nav aria-label=\"Profiles\">{links}</nav>\n</header>\n"),
        };
        let (script, wide) = match self.graph {
            true => (format!("<script>\n{SCRIPT}</script>\n"), " class=\"wide\""),
            false => (String::new(), ""),
        };
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title} – Bifrost profiles</title>\n<link rel=\"icon\" href=\"data:,\">\n\
             <style>\n{STYLE}{CSS}</style>\n</head>\n<body{wide}>\n\
             <a class=\"skip\" href=\"#main\">Skip to the text</a>\n{nav}<main id=\"main\">\n\
             <h1>{title}</h1>\n{main}</main>\n\
             <footer>Times are in UTC. Read one with <code>go tool pprof</code> too.</footer>\n\
             {script}</body>\n</html>\n"
        )
    }
}

/// The search field and the button of a graph; they show themselves when the script runs.
pub(crate) fn tools() -> &'static str {
    "<p class=\"tools\"><label>Find <input type=\"search\" placeholder=\"a part of a name\"></label>\
     <button type=\"button\">All of it</button> A click on a frame shows it alone.</p>\n"
}

/// The functions that take most, by themselves.
pub(crate) fn top(set: &ProfileSet, limit: usize) -> Vec<(String, Taken)> {
    let mut functions: Vec<(String, Taken)> =
        set.functions().into_iter().map(|(name, taken)| (name.to_owned(), taken)).collect();
    functions.sort_by(|(a, x), (b, y)| (y.flat, y.cum, a).cmp(&(x.flat, x.cum, b)));
    functions.truncate(limit);
    functions
}

/// A table of functions.
pub(crate) fn table(set: &ProfileSet, limit: usize) -> String {
    let total = set.total() as f64;
    if total <= 0.0 {
        return String::new();
    }
    let share = |value: i64| format!("{:.2} %", value as f64 / total * 100.0);
    let each = set.requests().map(|requests| move |value: i64| value as f64 / requests);
    let mut text =
        "<table tabindex=\"0\">\n<thead><tr><th class=\"n\">Itself</th><th class=\"n\">Share</th>\
                    <th class=\"n\">With calls</th><th class=\"n\">Share</th>"
            .to_owned();
    if each.is_some() {
        text.push_str("<th class=\"n\">A request</th>");
    }
    text.push_str("<th>Function</th></tr></thead>\n<tbody>\n");
    for (name, taken) in top(set, limit) {
        let (flat, cum) = (shown(taken.flat as f64, &set.unit), shown(taken.cum as f64, &set.unit));
        let (of_flat, of_cum) = (share(taken.flat), share(taken.cum));
        write!(text, "<tr><td class=\"n\">{flat}</td><td class=\"n\">{of_flat}</td><td class=\"n\">{cum}</td><td class=\"n\">{of_cum}</td>")
            .expect("a string takes all");
        if let Some(each) = &each {
            let each = shown(each(taken.flat), &set.unit);
            write!(text, "<td class=\"n\">{each}</td>").expect("a string takes all");
        }
        let name = escape(&plain(&name));
        writeln!(text, "<td class=\"f\">{name}</td></tr>").expect("a string takes all");
    }
    text.push_str("</tbody>\n</table>\n");
    text
}
