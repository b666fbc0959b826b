//! What is looked at before a site takes the place of another: sizes, links, headings, and that nothing
//! in it comes from elsewhere or is of a client.
//!
//! Pages are ours and written in one way, so that looking for attributes is enough; in a test a browser looks at
//! every page of a site as well.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::render::{MIRROR, PROFILES};
use super::search::headings;
use crate::findings::Finding;

/// Most bytes of a page with all that it loads.
pub(super) const PAGE_BYTES_MAX: usize = 100 * 1024;

/// The files of a site by their paths.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Where figures of a fleet are shown: no address may stand there, whoever's it is, nor what somebody read.
const MEASURED: [&str; 5] = ["status.html", "status.json", "metrics.html", "metrics.json", MIRROR];

/// The slots of the frame.
const SLOTS: [&str; 6] =
    ["{{up}}", "{{scripts}}", "{{nav}}", "{{title}}", "{{summary}}", "{{main}}"];

/// Everything that is wrong with a site.
pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    let texts: BTreeMap<&str, &str> = files
        .iter()
        .filter_map(|(path, bytes)| Some((path.as_str(), std::str::from_utf8(bytes).ok()?)))
        .collect();
    let pages: BTreeMap<&str, &str> = texts
        .iter()
        .filter(|(path, _)| path.ends_with(".html"))
        .map(|(path, text)| (*path, *text))
        .collect();
    let ids: BTreeMap<&str, BTreeSet<&str>> =
        pages.iter().map(|(path, text)| (*path, values(text, " id=\"").collect())).collect();
    for (path, text) in &pages {
        let mut found = |rule, text: String| findings.push(Finding::at(*path, 0, rule, text));
        links(path, text, files, &ids, &mut found);
        whole(text, &mut found);
        // Graphs of whole programs are as large as what they draw, and frame themselves.
        if !path.starts_with(PROFILES) {
            size(path, text, files, &mut found);
            form(text, &mut found);
        }
    }
    for (path, text) in &texts {
        let is_measured = MEASURED.contains(path);
        // A set of profiles is content of ours, and has a CID.
        if let Some(address) = address(text, is_measured || path.starts_with(PROFILES)) {
            let text = format!("{address} may be the address of somebody: leave it out");
            findings.push(Finding::at(*path, 0, "client-data", text));
        }
        if is_measured && let Some(cid) = cid(text) {
            let text = format!("{cid} may be what somebody read: leave it out");
            findings.push(Finding::at(*path, 0, "client-data", text));
        }
    }
    findings
}

/// The values of an attribute.
fn values<'a>(text: &'a str, attribute: &'a str) -> impl Iterator<Item = &'a str> {
    let rest = move |(at, _)| text[at + attribute.len()..].split('"').next();
    text.match_indices(attribute).filter_map(rest)
}

/// What a page leads to is there, and what it loads is its own.
fn links(
    path: &str,
    text: &str,
    files: &Files,
    ids: &BTreeMap<&str, BTreeSet<&str>>,
    found: &mut impl FnMut(&'static str, String),
) {
    for link in values(text, " href=\"") {
        let elsewhere = link.contains(':');
        let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
        let Some(page) = resolved(path, target).filter(|_| !elsewhere) else {
            if !["https://", "http://", "mailto:", "data:,"]
                .iter()
                .any(|known| link.starts_with(known))
            {
                found("broken-link", format!("{link:?} leads nowhere"));
            }
            continue;
        };
        if !files.contains_key(&page) {
            found("broken-link", format!("{link:?} leads to {page}, which is not there"));
        } else if !anchor.is_empty() && !ids.get(&page[..]).is_some_and(|ids| ids.contains(anchor))
        {
            found("broken-anchor", format!("{link:?} leads to no heading of {page}"));
        }
    }
    for source in values(text, " src=\"") {
        let is_own = resolved(path, source).is_some_and(|page| files.contains_key(&page));
        if source.contains(':') || !is_own {
            found("external", format!("{source:?} is loaded, and is no file of this site"));
        }
    }
    let styles = text.match_indices("<link rel=\"stylesheet\" href=\"http").count();
    if styles > 0 {
        found("external", "its style comes from elsewhere".to_owned());
    }
}

/// The file that a link means, from a page; none above the root.
pub(super) fn resolved(from: &str, link: &str) -> Option<String> {
    if link.is_empty() {
        return Some(from.to_owned());
    }
    let mut steps: Vec<&str> = from.split('/').collect();
    steps.pop();
    for step in link.split('/') {
        match step {
            ".." => drop(steps.pop()?),
            "." => {}
            step => steps.push(step),
        }
    }
    let whole = steps.join("/");
    Some(if whole.is_empty() || whole.ends_with('/') {
        format!("{whole}index.html")
    } else {
        whole
    })
}

/// A page is written to its end, and no slot is left.
fn whole(text: &str, found: &mut impl FnMut(&'static str, String)) {
    if !text.trim_end().ends_with("</html>") {
        found("cut", "the page has no end".to_owned());
    }
    for slot in SLOTS.iter().filter(|slot| text.contains(**slot)) {
        found("slot", format!("{slot} was not filled"));
    }
}

/// A page is small with all that it loads.
fn size(path: &str, text: &str, files: &Files, found: &mut impl FnMut(&'static str, String)) {
    let style = text
        .split("<link rel=\"stylesheet\"")
        .nth(1)
        .and_then(|rest| values(rest, " href=\"").next());
    let loads = values(text, " src=\"").chain(style).filter_map(|link| resolved(path, link));
    let loaded: usize = loads.filter_map(|path| files.get(&path)).map(Vec::len).sum();
    let all = text.len() + loaded;
    if all > PAGE_BYTES_MAX {
        found(
            "page-size",
            format!("it has {all} bytes with what it loads: {PAGE_BYTES_MAX} are allowed"),
        );
    }
}

/// A page can be read by everybody: a language, a title, one first heading, none left out below it.
fn form(text: &str, found: &mut impl FnMut(&'static str, String)) {
    for needed in [
        "<html lang=\"",
        "<meta charset=\"utf-8\">",
        "name=\"viewport\"",
        "<title>",
        "<main id=\"main\">",
        "href=\"#main\"",
        "content-security-policy",
    ] {
        if !text.contains(needed) {
            found("form", format!("it lacks {needed}"));
        }
    }
    let headings = headings(text);
    let first = headings.iter().filter(|heading| heading.level == 1).count();
    if first != 1 {
        found("headings", format!("it has {first} headings of the first level"));
    }
    for pair in headings.windows(2) {
        if let [above, below] = pair
            && below.level > above.level + 1
        {
            found(
                "headings",
                format!("{:?} is more than one level below {:?}", below.text, above.text),
            );
        }
    }
    let mut ids = BTreeSet::new();
    for id in values(text, " id=\"") {
        if !ids.insert(id) {
            found("ids", format!("{id:?} is the id of two elements"));
        }
    }
}

/// An address that may be somebody's: where examples are expected, one that is not set aside for them.
fn address(text: &str, measured: bool) -> Option<&str> {
    // A port may be behind an IPv4 address, and a prefix before it.
    let is_part = |one: char| one.is_ascii_hexdigit() || one == '.' || one == ':';
    let words = text.split(|one: char| !is_part(one));
    let mut fours = words.flat_map(|word| word.split(':')).map(|word| word.trim_matches('.'));
    let is_four = |word: &&str| {
        let parsed: Option<Ipv4Addr> = word.parse().ok();
        parsed.is_some_and(|one| measured && !one.is_loopback() || !is_example(one))
    };
    // A name may be before an IPv6 address, and a colon behind it; within a name such as `flt2dec::digits` is none.
    let is_part = |one: char| one.is_alphanumeric() || ['.', ':', '_'].contains(&one);
    let words = text.split(|one: char| !is_part(one)).map(|word| word.trim_matches('.'));
    let mut sixes = words.filter(|word| word.contains(':')).flat_map(|word| {
        let named = word.split_once(':').map_or(word, |(_, rest)| rest);
        [word, named].into_iter().flat_map(|one| [one, one.strip_suffix(':').unwrap_or(one)])
    });
    let is_six = |word: &&str| {
        let parsed: Option<Ipv6Addr> = word.parse().ok();
        parsed.is_some_and(|one| is_of_somebody(one, measured))
    };
    fours.find(is_four).or_else(|| sixes.find(is_six))
}

/// Whether an address is one that hosts have. Paths of Rust such as `a::b` read as addresses too, which nobody has.
fn is_of_somebody(address: Ipv6Addr, measured: bool) -> bool {
    let [first, second, ..] = address.segments();
    let is_public = first & 0xe000 == 0x2000;
    let is_inner = address.is_unique_local() || address.is_unicast_link_local();
    let is_example = [0xfd00, 0xfe80].contains(&first) || [first, second] == [0x2001, 0x0db8];
    (is_public || is_inner) && (measured || !is_example)
}

/// Resolvers that everybody knows, which texts name.
const RESOLVERS: [Ipv4Addr; 3] =
    [Ipv4Addr::new(1, 1, 1, 1), Ipv4Addr::new(8, 8, 8, 8), Ipv4Addr::new(9, 9, 9, 9)];

/// Whether nobody in particular has the address.
fn is_example(address: Ipv4Addr) -> bool {
    let known = RESOLVERS.contains(&address)
        || address.is_loopback()
        || address.is_private()
        || address.is_documentation();
    known || address.is_unspecified() || address.is_link_local() || address.octets()[0] == 0
}

/// A CID, as content is asked for.
fn cid(text: &str) -> Option<&str> {
    let words = text.split(|one: char| !one.is_ascii_alphanumeric());
    let mut likely =
        words.filter(|word| word.len() >= 46 && !word.bytes().all(|one| one.is_ascii_digit()));
    likely.find(|word| word.parse::<ipfs::Cid>().is_ok())
}

#[cfg(test)]
mod tests;
