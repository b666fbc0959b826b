//! Markdown as a page of the site: headings that can be linked to, and links that lead to pages.
//!
//! A link to a file of the project that has no page becomes plain text: it would lead nowhere for
//! whoever has the site and not the project.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use super::documents::Document;
use crate::runbook::anchor;

/// Longest summary of a page, in bytes.
const SUMMARY_MAX: usize = 200;

/// A document that was read.
#[derive(Debug)]
pub(super) struct Text {
    /// Its first heading.
    pub(super) title: String,
    /// Its first sentence.
    pub(super) summary: String,
    /// All of it.
    pub(super) html: String,
}

/// Where documents have their pages, by their paths in the project.
pub(super) type Places = BTreeMap<String, String>;

/// Reads a document; its front matter is not shown.
pub(super) fn read(document: &Document, places: &Places) -> Text {
    let body = without_front(&document.text);
    let mut events: Vec<Event<'_>> = Parser::new_ext(body, Options::ENABLE_TABLES).collect();
    let title = text_of(&events, |tag| matches!(tag, Tag::Heading { .. }));
    let summary = text_of(&events, |tag| matches!(tag, Tag::Paragraph));
    with_anchors(&mut events);
    let events = linked(events, &document.path, places);
    let mut html = String::with_capacity(body.len() * 2);
    html::push_html(&mut html, events.into_iter());
    Text { title, summary: first_sentence(&summary), html: at_any_width(&html) }
}

fn without_front(text: &str) -> &str {
    let front = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
    front.map_or(text, |(_, body)| body)
}

/// The text of the first element that is asked for.
fn text_of(events: &[Event<'_>], is_it: impl Fn(&Tag<'_>) -> bool) -> String {
    let begin = events.iter().position(|event| matches!(event, Event::Start(tag) if is_it(tag)));
    begin.map_or_else(String::new, |begin| text_from(&events[begin + 1..]))
}

/// The text up to the end of the paragraph or heading.
fn text_from(events: &[Event<'_>]) -> String {
    let mut text = String::new();
    for event in events {
        match event {
            Event::End(TagEnd::Heading(_) | TagEnd::Paragraph) => break,
            Event::Text(part) | Event::Code(part) => text.push_str(part),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::Start(_)
            | Event::End(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::FootnoteReference(_)
            | Event::Rule
            | Event::TaskListMarker(_) => {}
        }
    }
    text
}

/// The first sentence, or as much of it as there is room for.
fn first_sentence(text: &str) -> String {
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    let sentence = text[..end].trim_end_matches(':');
    if sentence.len() <= SUMMARY_MAX {
        return sentence.to_owned();
    }
    let room = (0..=SUMMARY_MAX).rev().find(|at| sentence.is_char_boundary(*at)).unwrap_or(0);
    let cut = sentence[..room].rsplit_once(' ').map_or("", |(kept, _)| kept);
    format!("{cut} …")
}

/// Gives every heading an id of its own.
fn with_anchors(events: &mut [Event<'_>]) {
    let mut taken = BTreeSet::new();
    for at in 0..events.len() {
        let name = anchor(&text_from(&events[at + 1..]));
        let Event::Start(Tag::Heading { id, .. }) = &mut events[at] else { continue };
        let mut own = name.clone();
        for more in 1.. {
            if taken.insert(own.clone()) {
                break;
            }
            own = format!("{name}-{more}");
        }
        *id = Some(own.into());
    }
}

/// Leads links to pages, and takes away those that lead nowhere. Comments go as well.
fn linked<'a>(events: Vec<Event<'a>>, from: &str, places: &Places) -> Vec<Event<'a>> {
    let mut kept = Vec::with_capacity(events.len());
    let mut is_open = Vec::new();
    for event in events {
        if let Event::Start(Tag::Link { link_type, dest_url, title, id }) = event {
            let target = target(from, &dest_url, places);
            is_open.push(target.is_some());
            kept.extend(target.map(|target| {
                let dest_url = CowStr::from(target);
                Event::Start(Tag::Link { link_type, dest_url, title, id })
            }));
        } else if event == Event::End(TagEnd::Link) {
            kept.extend(is_open.pop().unwrap_or(false).then_some(event));
        } else if !is_comment(&event) {
            kept.push(event);
        }
    }
    kept
}

fn is_comment(event: &Event<'_>) -> bool {
    matches!(event, Event::Html(text) | Event::InlineHtml(text) if text.starts_with("<!--"))
}

/// Where a link leads on the site.
fn target(from: &str, link: &str, places: &Places) -> Option<String> {
    if link.starts_with('#') || link.contains("://") || link.starts_with("mailto:") {
        return Some(link.to_owned());
    }
    let (path, anchor) = link.split_at(link.find('#').unwrap_or(link.len()));
    let mut steps: Vec<&str> = from.split('/').collect();
    steps.pop();
    for step in path.split('/').filter(|step| !step.is_empty() && *step != ".") {
        if step == ".." {
            steps.pop()?;
        } else {
            steps.push(step);
        }
    }
    let whole = steps.join("/");
    let place = places.get(&whole).or_else(|| places.get(&format!("{whole}/README.md")))?;
    let own = places.get(from).map_or("", String::as_str);
    Some(format!("{}{place}{anchor}", up(own)))
}

/// The way up from a page to the root of the site.
pub(super) fn up(page: &str) -> String {
    "../".repeat(page.matches('/').count())
}

/// Tables and code scroll by themselves where a screen is narrow, for those without a mouse too.
fn at_any_width(html: &str) -> String {
    html.replace("<table>", "<div class=\"scroll\" tabindex=\"0\"><table>")
        .replace("</table>", "</table></div>")
        // The corner above row titles heads nothing.
        .replace("<th></th>", "<td></td>")
        .replace("<th>", "<th scope=\"col\">")
        .replace("<pre>", "<pre tabindex=\"0\">")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &'static str, text: &'static str) -> Text {
        let places = [
            ("runbooks/B.md", "runbooks/B.html"),
            ("runbooks/findings/README.md", "findings/index.html"),
            ("ops/guides/g.md", "guides/g.html"),
        ];
        let places = places.map(|(path, page)| (path.to_owned(), page.to_owned())).into();
        super::read(&Document { path: path.into(), text: text.into() }, &places)
    }

    #[test]
    fn links_lead_to_pages_or_become_text() {
        let text = "[a](../../runbooks/B.md#why) [b](../../Makefile) [c](https://x.example/) \
                    [d](#below) [e](../../runbooks/findings/) [f](../../../out.md)";
        let html = read("ops/guides/g.md", text).html;
        assert_eq!(
            html,
            "<p><a href=\"../runbooks/B.html#why\">a</a> b <a href=\"https://x.example/\">c</a> \
             <a href=\"#below\">d</a> <a href=\"../findings/index.html\">e</a> f</p>\n"
        );
    }

    #[test]
    fn headings_have_ids_of_their_own() {
        let text = read("ops/guides/g.md", "# Own `x` things\n\n<!-- no -->\n## Why?\n\n## Why?\n");
        assert_eq!(text.title, "Own x things");
        for id in ["id=\"own-x-things\"", "id=\"why\"", "id=\"why-1\""] {
            assert!(text.html.contains(id), "{}", text.html);
        }
        assert!(!text.html.contains("<!--"));
    }

    #[test]
    fn a_page_is_summed_up_by_its_first_sentence() {
        let text = read("ops/guides/g.md", "---\na: b\n---\n# T\n\nOne\nof `two`. Three.\n");
        assert_eq!(text.summary, "One of two.");
        assert!(!text.html.contains("a: b"));
        assert!(first_sentence(&"word ".repeat(90)).len() <= SUMMARY_MAX + 4);
    }

    #[test]
    fn tables_and_code_can_be_scrolled_by_everybody() {
        let html =
            read("ops/guides/g.md", "| | a |\n|---|---|\n| b | `<th>` |\n\n```sh\nx\n```\n").html;
        assert!(html.contains("<div class=\"scroll\" tabindex=\"0\"><table>"), "{html}");
        assert!(
            html.contains("<tr><td></td><th scope=\"col\">a</th>") && html.contains("&lt;th&gt;"),
            "{html}"
        );
        assert!(html.contains("<pre tabindex=\"0\"><code"), "{html}");
    }
}
