//! Pages that list: all sets, one set, and what is known of a profile.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Comparison;
use crate::profile::entry::{Entry, Set};
use crate::profile::flame::plain;
use crate::profile::store::part;
use crate::site::escape;

/// A name as part of the name of a file.
pub(super) fn file_name(name: &str) -> String {
    part(name)
}

/// The page of a profile, from the first page.
pub(super) fn page_of(entry: &Entry) -> String {
    format!("profiles/{}.html", file_name(entry.sha256.get(..16).unwrap_or(&entry.sha256)))
}

/// The profile itself.
pub(super) fn raw_of(entry: &Entry) -> String {
    format!("profiles/{}.pb.gz", file_name(entry.sha256.get(..16).unwrap_or(&entry.sha256)))
}

/// The text of the first page.
pub(super) fn index(sets: &[Set], comparisons: &[&Comparison]) -> String {
    let mut text = "<p class=\"lead\">Where time and memory go in every process, by day, role and build.</p>\n\
                    <h2>Sets</h2>\n"
        .to_owned();
    let mut rows = String::new();
    for set in sets.iter().rev() {
        let head = &set.head;
        let link = format!("<a href=\"sets/{}.html\">{}</a>", file_name(&head.id), said(&head.id));
        let started = head.started.strftime("%Y-%m-%d %H:%M").to_string();
        let profiled = format!("{} of {}", head.profiled, head.processes);
        let missing = match head.missing.len() {
            0 => "nothing".to_owned(),
            count => format!("{count}, see the set"),
        };
        row(&mut rows, &[&link, &started, &head.trigger.to_string(), &profiled, &missing]);
    }
    table(&mut text, &["Set", "Began", "Why", "Processes", "Missing"], &rows);
    text.push_str("<h2>What changed</h2>\n");
    let mut rows = String::new();
    for one in comparisons.iter().rev() {
        let [a, b] = one.names.each_ref().map(|name| said(name));
        let link = format!("<a href=\"{}\">{b} against {a}</a>", escape(&one.page));
        let [env, role] = one.whose.each_ref().map(|name| said(name));
        row(&mut rows, &[&link, one.kind.word(), &env, &role]);
    }
    match rows.is_empty() {
        true => text.push_str("<p>There is one day of one build so far.</p>\n"),
        false => table(&mut text, &["Comparison", "Profile", "Environment", "Role"], &rows),
    }
    for (title, of) in [
        (
            "Processes",
            (|entry| format!("{} {} {}", entry.env, entry.role, entry.node))
                as fn(&Entry) -> String,
        ),
        ("Builds", |entry| entry.build.clone()),
    ] {
        writeln!(text, "<h2>{title}</h2>").expect("a string takes all");
        text.push_str(&grouped(sets, of));
    }
    text
}

/// The latest profiles of each process or build.
fn grouped(sets: &[Set], of: fn(&Entry) -> String) -> String {
    const LATEST: usize = 9;
    let mut groups: BTreeMap<String, Vec<&Entry>> = BTreeMap::new();
    for entry in sets.iter().flat_map(|set| &set.entries) {
        groups.entry(of(entry)).or_default().push(entry);
    }
    let mut rows = String::new();
    for (name, mut entries) in groups {
        entries.sort_by(|a, b| b.started.cmp(&a.started).then(a.kind.cmp(&b.kind)));
        let links: Vec<String> = entries
            .iter()
            .take(LATEST)
            .map(|entry| {
                let started = entry.started.strftime("%Y-%m-%d %H:%M");
                let label = format!("{} of {}, {started}", entry.kind.word(), entry.node);
                format!("<a href=\"{}\">{}</a>", page_of(entry), said(&label))
            })
            .collect();
        row(&mut rows, &[&said(&name), &entries.len().to_string(), &links.join("<br>")]);
    }
    let mut text = String::new();
    table(&mut text, &["Name", "Profiles", "The latest"], &rows);
    text
}

/// The text of the page of a set.
pub(super) fn set(set: &Set) -> String {
    let head = &set.head;
    let mut text = format!(
        "<p>Begun {}, ended {}; {}. {} of {} processes have every profile.</p>\n",
        head.started.strftime("%Y-%m-%d %H:%M:%S"),
        head.ended.strftime("%H:%M:%S"),
        said(&head.reason.clone().unwrap_or_else(|| head.trigger.to_string())),
        head.profiled,
        head.processes
    );
    if let Some(cid) = &head.cid {
        let cid = said(cid);
        writeln!(text, "<p>It is content too: <code>/ipfs/{cid}</code></p>")
            .expect("a string takes all");
    }
    if !head.missing.is_empty() {
        let mut rows = String::new();
        for one in &head.missing {
            let kind = one.kind.map_or("all", |kind| kind.word());
            let [node, env, role, why] =
                [&one.node, &one.env, &one.role, &one.why].map(|text| said(text));
            row(&mut rows, &[&node, &env, &role, kind, &why]);
        }
        text.push_str("<h2>Missing</h2>\n");
        table(&mut text, &["Process", "Environment", "Role", "Profile", "Why"], &rows);
    }
    text.push_str("<h2>Profiles</h2>\n");
    let mut rows = String::new();
    for entry in &set.entries {
        let link = format!(
            "<a href=\"../{}\">{} of {}</a>",
            page_of(entry),
            entry.kind.word(),
            said(&entry.node)
        );
        let load = load(entry);
        row(
            &mut rows,
            &[
                &link,
                &said(&entry.env),
                &said(&entry.role),
                &said(&entry.build),
                &entry.samples.to_string(),
                &load,
            ],
        );
    }
    table(&mut text, &["Profile", "Environment", "Role", "Build", "Samples", "Load"], &rows);
    text
}

/// What is known of a profile, as a table.
pub(super) fn facts(entry: &Entry) -> String {
    let raw = raw_of(entry).rsplit('/').next().unwrap_or_default().to_owned();
    let facts = [
        ("Process", format!("{} ({}, {})", said(&entry.node), said(&entry.env), said(&entry.role))),
        ("Build", said(&entry.build)),
        ("Began", entry.started.strftime("%Y-%m-%d %H:%M:%S").to_string()),
        (
            "Sampled",
            if entry.seconds > 0.0 {
                format!("{:.1} s", entry.seconds)
            } else {
                "one moment".to_owned()
            },
        ),
        ("Load", load(entry)),
        ("SHA-256", format!("<code>{}</code>", said(&entry.sha256))),
        ("The profile", format!("<a href=\"{raw}\">{raw}</a>")),
    ];
    let mut rows = String::new();
    for (name, value) in facts {
        writeln!(rows, "<tr><th>{name}</th><td>{value}</td></tr>").expect("a string takes all");
    }
    format!("<table class=\"facts\" tabindex=\"0\">\n<tbody>\n{rows}</tbody>\n</table>\n")
}

fn load(entry: &Entry) -> String {
    let Some(load) = entry.load else { return "unknown".to_owned() };
    let hits = match load.hit_ratio {
        Some(ratio) => format!(", {:.1} % at hand", ratio * 100.0),
        None => String::new(),
    };
    let (rate, requests) = (load.per_second, load.requests);
    format!("{rate:.1} requests/s ({requests:.0}){hits}, {:.0} in flight", load.in_flight)
}

/// Text of others, as text.
fn said(text: &str) -> String {
    escape(&plain(text))
}

fn row(rows: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    writeln!(rows, "<tr>{}</tr>", cells.concat()).expect("a string takes all");
}

fn table(text: &mut String, heads: &[&str], rows: &str) {
    let heads: Vec<String> = heads.iter().map(|head| format!("<th>{head}</th>")).collect();
    let heads = heads.concat();
    writeln!(
        text,
        "<table tabindex=\"0\">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"
    )
    .expect("a string takes all");
}
