//! Every header that the code names is in the tables that the reference is made from, and the other way round.

use std::collections::BTreeSet;

use crate::tree::{assert_none, crate_files};

/// The files with tables, and what stands before a name in each.
const TABLES: [(&str, &str, &str); 3] = [
    ("gateway", "gateway/src/headers.rs", "header("),
    ("node", "node/src/headers.rs", "header("),
    ("telemetry", "telemetry/src/describe.rs", "name: "),
];

/// Programs of ours, whose names look like headers.
const PROGRAMS: [&str; 3] = ["bifrost-gateway", "bifrost-node", "bifrost-probe"];

#[test]
fn headers_of_the_code_are_those_of_the_reference() {
    let all: BTreeSet<String> = TABLES.iter().flat_map(|(member, ..)| told(member)).collect();
    let shared: BTreeSet<String> =
        ["ipfs", "telemetry"].iter().flat_map(|one| named(one)).collect();
    let mut complaints = Vec::new();
    for (member, file, _) in TABLES {
        let (told, named) = (told(member), named(member));
        assert!(told.len() > 10 && named.len() > 5, "{file} has a table");
        for name in named.iter().filter(|name| !all.contains(*name)) {
            complaints.push(format!("{member} names {name}, which is not told in {file}"));
        }
        for name in told.iter().filter(|name| !named.contains(*name) && !shared.contains(*name)) {
            complaints.push(format!("{file} tells of {name}, which nothing names"));
        }
    }
    assert_none(&complaints);
}

/// The names in the tables of a crate.
fn told(member: &str) -> BTreeSet<String> {
    let (_, file, before) = TABLES.iter().find(|(one, ..)| *one == member).expect("it has tables");
    let source = crate_files(member).into_iter().find(|source| source.path == *file);
    let code = source.expect("the tables are there").code();
    let names = code.split(before).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
    names.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// The headers that a crate's code names, as constants of `http` or as texts of our own.
fn named(member: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let tables = TABLES.map(|(_, file, _)| file);
    for source in crate_files(member).iter().filter(|source| !tables.contains(&&source.path[..])) {
        let code = source.code();
        for (_, rest) in
            code.match_indices("header::").map(|(at, mark)| code.split_at(at + mark.len()))
        {
            let end =
                rest.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(rest.len());
            if end > 1 && !rest[end..].starts_with(char::is_alphanumeric) {
                found.insert(rest[..end].to_ascii_lowercase().replace('_', "-"));
            }
        }
        let texts = code.split('"').skip(1).step_by(2);
        found.extend(texts.filter(|text| is_header(text)).map(str::to_owned));
    }
    found
}

fn is_header(text: &str) -> bool {
    let known = [
        "cache-status",
        "content-security-policy",
        "server-timing",
        "service-worker",
        "traceparent",
    ];
    let ours = ["x-", "bifrost-", "sec-fetch-"].iter().any(|start| text.starts_with(start));
    let is_plain = text.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    // What is told of keys in a schema is no header.
    let of_schema = ["x-unit", "x-reload"].contains(&text);
    known.contains(&text) || (ours && is_plain && !PROGRAMS.contains(&text) && !of_schema)
}
