//! Finding things: an index that a script reads, and all headings from A to Z for those without one.
//!
//! The index is a script itself, since pages that are opened from disk may load scripts and nothing
//! else. Words are written once, each as what differs from the one before, with the pages that have it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::page::{Page, Section};
use super::text::up;
use crate::site::escape;

/// The script that searches.
pub(super) const SCRIPT: &str = include_str!("../../site/search.js");

/// What an index counts in: one letter for a step of so many pages.
const STEPS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// A step of as many pages as there are letters, with none there.
const LONG_STEP: char = '~';

/// Bytes of words that are looked for.
const WORD_BYTES: std::ops::RangeInclusive<usize> = 2..=32;

/// Where headings stand that begin with no letter of the alphabet; it sorts before all of them.
const SIGNS: char = '#';

/// A heading of a page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Heading {
    /// Its level, from 1.
    pub(super) level: u8,
    /// Its id; empty where it has none.
    pub(super) id: String,
    /// Its text.
    pub(super) text: String,
}

/// The headings of a page, in their order.
pub(super) fn headings(html: &str) -> Vec<Heading> {
    let mut found = Vec::new();
    for (at, _) in html.match_indices("<h") {
        let rest = &html[at + 2..];
        let Some(level) = rest.bytes().next().filter(|level| (b'1'..=b'6').contains(level)) else {
            continue;
        };
        let level = level - b'0';
        let Some((head, rest)) = rest[1..].split_once('>') else { continue };
        let inner = rest.split(&format!("</h{level}>")).next().unwrap_or_default();
        let id = head.split("id=\"").nth(1).and_then(|id| id.split('"').next());
        let id = id.unwrap_or_default().to_owned();
        found.push(Heading { level, id, text: plain(inner).trim().to_owned() });
    }
    found
}

/// What a person reads of HTML.
pub(super) fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    for (index, part) in html.split('<').enumerate() {
        // What stands before the first bracket is text, whatever is in it.
        let shown = match index {
            0 => part,
            _ => part.split_once('>').map_or("", |(_, shown)| shown),
        };
        if index > 0 && !part.starts_with("/code") && !part.starts_with("code") {
            text.push(' ');
        }
        text.push_str(shown);
    }
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    named.iter().fold(text, |text, (name, sign)| text.replace(name, sign))
}

/// Words as they are looked for: letters and digits, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|one: char| !one.is_alphanumeric());
    parts.map(str::to_lowercase).filter(|word| WORD_BYTES.contains(&word.len()))
}

/// The index of these pages, as a script. A word of most pages tells none from another, and is only said to be one.
pub(super) fn index(pages: &[Page]) -> String {
    let mut found: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let mut listed = Vec::new();
    for (number, page) in pages.iter().enumerate() {
        for word in words(&plain(page.searched())) {
            found.entry(word).or_default().insert(number);
        }
        let below = headings(page.searched()).into_iter().filter(|heading| heading.level > 1);
        let below: Vec<_> = below.map(|heading| json!([heading.id, heading.text])).collect();
        listed.push(json!([page.path, page.title, page.summary, below]));
    }
    let most = listed.len().max(8);
    let is_common = |pages: &BTreeSet<usize>| pages.len() * 2 > most;
    let common = found.iter().filter(|(_, pages)| is_common(pages)).map(|(word, _)| &word[..]);
    let common = common.collect::<Vec<_>>().join(" ");
    found.retain(|_, pages| !is_common(pages));
    format!(
        "\"use strict\";\nconst PAGES = {};\nconst WORDS = {};\nconst COMMON = {};\n",
        json!(listed),
        json!(packed(&found)),
        json!(common)
    )
}

/// Words in order, each as a letter for how much of the last word it begins with, the rest, and pages.
fn packed(found: &BTreeMap<String, BTreeSet<usize>>) -> String {
    let (mut text, mut last) = (String::new(), "");
    for (word, pages) in found {
        let same = last.chars().zip(word.chars()).take_while(|(one, other)| one == other).count();
        text.push(char::from(STEPS[same]));
        text.extend(word.chars().skip(same));
        text.push(' ');
        let mut from = 0;
        for page in pages {
            let mut step = page - from;
            while step >= STEPS.len() {
                text.push(LONG_STEP);
                step -= STEPS.len();
            }
            text.push(char::from(STEPS[step]));
            from = *page;
        }
        text.push(' ');
        last = word;
    }
    text
}

/// The page with the field.
pub(super) fn page() -> Page {
    let main = "<h1>Search</h1>\n<div id=\"search\" hidden>\n<label for=\"words\">Words, or how they \
                begin</label>\n<input id=\"words\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\">\n\
                <p id=\"count\" role=\"status\"></p>\n<ol id=\"found\" class=\"list\"></ol>\n</div>\n\
                <p>Without a script, or to look around: <a href=\"a-z.html\">all headings from A to Z</a>.</p>\n";
    let summary = "Finds pages by their words, in this browser alone.";
    let page = Page::new(Section::Search, ("search.html", "Search"), summary, main.to_owned());
    Page { scripts: &["search-index.js", "search.js"], ..page }
}

/// A page that has a heading, and where on it.
type Place<'a> = (&'a Page, String);

/// All headings from A to Z; those that several pages have are there once.
pub(super) fn a_to_z(pages: &[Page]) -> Page {
    let path = "a-z.html";
    // Whatever begins with no letter of the alphabet comes first, below one sign.
    let mut all: BTreeMap<(char, String, String), Vec<Place<'_>>> = BTreeMap::new();
    for page in pages {
        for heading in headings(page.searched()) {
            let has_anchor = heading.level > 1 && !heading.id.is_empty();
            let anchor = if has_anchor { format!("#{}", heading.id) } else { String::new() };
            let first = heading.text.chars().next().map(|first| first.to_ascii_uppercase());
            let letter = first.filter(char::is_ascii_alphabetic).unwrap_or(SIGNS);
            let key = (letter, heading.text.to_lowercase(), heading.text);
            all.entry(key).or_default().push((page, anchor));
        }
    }
    let (mut main, mut letters, mut last) = (String::new(), String::new(), None);
    for ((letter, _, text), places) in &all {
        if last != Some(letter) {
            let id = if *letter == SIGNS { "signs".to_owned() } else { letter.to_string() };
            main.push_str(if last.is_some() { "</ul>\n" } else { "" });
            main.push_str(&format!("<h2 id=\"{id}\">{letter}</h2>\n<ul class=\"index\">\n"));
            letters.push_str(&format!("<li><a href=\"#{id}\">{letter}</a></li>\n"));
            last = Some(letter);
        }
        main.push_str(&entry(text, places, path));
    }
    let main = format!(
        "<h1>All headings from A to Z</h1>\n<ul class=\"letters\">\n{letters}</ul>\n{main}</ul>\n"
    );
    Page::new(
        Section::Search,
        (path, "All headings from A to Z"),
        "Every heading of this site.",
        main,
    )
}

/// A heading: a link to it, or its pages where it has several.
fn entry(text: &str, places: &[Place<'_>], from: &str) -> String {
    let link = |(page, anchor): &Place<'_>, text: &str| {
        format!("<a href=\"{}{}{anchor}\">{}</a>", up(from), page.path, escape(text))
    };
    match places {
        [place] if place.1.is_empty() => format!("<li>{}</li>\n", link(place, text)),
        [place] => {
            let title = escape(&place.0.title);
            format!("<li>{} <small>{title}</small></li>\n", link(place, text))
        }
        places => {
            let links: Vec<String> =
                places.iter().map(|place| link(place, &place.0.title)).collect();
            format!("<li>{}: {}</li>\n", escape(text), links.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(path: &str, main: &str) -> Page {
        Page::new(Section::About, (path, path), "", main.to_owned())
    }

    #[test]
    fn words_are_packed_behind_each_other() {
        let found = [("cache", vec![0, 70]), ("cached", vec![1]), ("car", vec![2, 3])];
        let found = found.map(|(word, pages)| (word.to_owned(), pages.into_iter().collect()));
        assert_eq!(packed(&found.into()), "0cache 0~8 5d 1 2r 21 ");
    }

    #[test]
    fn text_is_what_a_person_reads() {
        let html = "<h1>A &lt;b&gt;</h1><p>one <code>two</code>_three &amp;amp;</p>";
        assert_eq!(
            plain(html).split_whitespace().collect::<Vec<_>>().join(" "),
            "A <b> one two_three &amp;"
        );
    }

    #[test]
    fn headings_are_found_with_their_ids() {
        let found =
            headings("<h1>T</h1><h2 id=\"x\" class=\"y\">Some <code>x</code></h2><hr><header>");
        let expected = [(1, "", "T"), (2, "x", "Some x")];
        let expected =
            expected.map(|(level, id, text)| Heading { level, id: id.into(), text: text.into() });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_heading_of_several_pages_is_listed_once() {
        let pages = [
            page("a.html", "<h1>Alpha</h1><h2 id=\"why\">Why</h2>"),
            page("b/c.html", "<h1>&lt;Beta</h1><h2 id=\"why\">Why</h2><h2 id=\"how\">How</h2>"),
        ];
        let main = a_to_z(&pages).main;
        for line in [
            "<li><a href=\"a.html\">Alpha</a></li>",
            "<li><a href=\"b/c.html\">&lt;Beta</a></li>",
            "<li><a href=\"b/c.html#how\">How</a> <small>b/c.html</small></li>",
            "<li>Why: <a href=\"a.html#why\">a.html</a>, <a href=\"b/c.html#why\">b/c.html</a></li>",
        ] {
            assert!(main.contains(line), "{main}");
        }
    }

    #[test]
    fn each_letter_and_all_signs_have_one_place() {
        let headings = ["10 nodes", "Ärger", "“Why?”", "apple", "Zoo", "Änderung", "日本"];
        let main: String = headings.map(|text| format!("<h1>{text}</h1>")).concat();
        let shown = a_to_z(&[page("a.html", &main)]).main;
        let ids: Vec<&str> =
            shown.split("<h2 id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(ids, ["signs", "A", "Z"], "{shown}");
    }

    #[test]
    fn what_changes_with_every_edition_is_not_looked_for() {
        let edition = |figure: &str| Page {
            lasting: Some("<h1>Status</h1><h2 id=\"a\">A</h2>lasting".to_owned()),
            ..page("status.html", &format!("<h1>Status</h1><h2 id=\"a\">A is {figure}</h2>"))
        };
        let [one, other] = ["up", "down"].map(|figure| [edition(figure)]);
        assert!(index(&one).contains("lasting ") && !index(&one).contains("up "));
        assert_eq!(index(&one), index(&other));
        assert_eq!(a_to_z(&one).main, a_to_z(&other).main);
    }

    #[test]
    fn what_most_pages_have_is_not_looked_for() {
        let pages: Vec<Page> = (0..20)
            .map(|number| page(&format!("{number}.html"), &format!("<h1>common rare{number}</h1>")))
            .collect();
        let index = index(&pages);
        assert!(index.contains("rare0 ") && !index.contains("common "), "{index}");
        assert!(index.ends_with("\nconst COMMON = \"common\";\n"), "{index}");
    }
}
