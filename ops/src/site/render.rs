//! Renders Markdown runbooks into the frame of the site.
//!
//! The front matter is read as plain `key: value` lines; a runbook is written by us, so what is not
//! understood is a fault of the text and shows in a test.

use pulldown_cmark::{Options, Parser, html};

/// A runbook.
#[derive(Debug)]
pub(super) struct Runbook {
    /// The name of its file and of what it is for.
    pub(super) name: String,
    /// What it is for, in one line.
    summary: String,
    /// How urgent it is; empty of a procedure, which nothing asks for by itself.
    severity: String,
    body: String,
}

impl Runbook {
    /// Reads front matter and text.
    pub(super) fn parse(name: &str, text: &str) -> Self {
        let (front, body) = text
            .strip_prefix("---\n")
            .and_then(|rest| rest.split_once("\n---\n"))
            .unwrap_or(("", text));
        let value = |key: &str| {
            let line = front.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            line.unwrap_or_default().to_owned()
        };
        Self {
            name: name.to_owned(),
            summary: value("summary"),
            severity: value("severity").trim_matches(['[', ']']).replace(", ", " or "),
            body: body.to_owned(),
        }
    }

    /// Its page.
    pub(super) fn page(&self, frame: &str) -> String {
        let rendered = markdown(&self.body).replace(".md\"", ".html\"");
        let severity = match &self.severity[..] {
            "" => String::new(),
            severity => format!("Severity: {}. ", escape(severity)),
        };
        let note = format!("<p class=\"note\">{severity}{}</p>\n", escape(&self.summary));
        // The note belongs below the heading, which is the first thing in every runbook.
        let main = rendered.replacen("</h1>\n", &format!("</h1>\n{note}"), 1);
        fill(frame, &self.name, &main)
    }
}

/// The list of all runbooks.
pub(super) fn list(runbooks: &[Runbook], frame: &str) -> String {
    let items: String = runbooks
        .iter()
        .map(|runbook| {
            let (name, summary) = (escape(&runbook.name), escape(&runbook.summary));
            format!("<li><a href=\"{name}.html\">{name}</a><br>{summary}</li>\n")
        })
        .collect();
    let main = format!(
        "<h1>Runbooks</h1>\n<p>What to do when something is wrong, first steps first. Commands assume \
         the addresses of <code>bifrost up</code>.</p>\n<ul class=\"list\">\n{items}</ul>\n"
    );
    fill(frame, "Runbooks", &main)
}

/// Markdown as HTML.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, Parser::new_ext(text, Options::ENABLE_TABLES));
    out
}

fn fill(frame: &str, title: &str, main: &str) -> String {
    frame.replace("{{title}}", &escape(title)).replace("{{main}}", main)
}

/// Text that means nothing in HTML, nor within either kind of quotes there.
pub(crate) fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "---\nalert: A\nsummary: B <x>\nseverity: page\n---\n# A\n\nSee [b](B.md).\n\n\
                        | a | b |\n|---|---|\n| 1 | 2 |\n";

    #[test]
    fn a_runbook_becomes_a_page() {
        let page = Runbook::parse("A", TEXT).page("<title>{{title}}</title>{{main}}");
        assert_eq!(
            page,
            "<title>A</title><h1>A</h1>\n<p class=\"note\">Severity: page. B &lt;x&gt;</p>\n\
             <p>See <a href=\"B.html\">b</a>.</p>\n\
             <table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>\n\
             <tr><td>1</td><td>2</td></tr>\n</tbody></table>\n"
        );
    }
}
