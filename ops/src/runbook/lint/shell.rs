//! Commands in the text of a page. Those of this program are read as it would read them.

use std::collections::BTreeSet;

use clap::CommandFactory;
use clap::error::ErrorKind;

use crate::Arguments;
use crate::findings::Finding;
use crate::runbook::page::{Page, Placed};

/// Programs that pages may ask for: ours, and what a machine of ours has.
const PROGRAMS: [&str; 19] = [
    "bifrost",
    "bifrost-gateway",
    "bifrost-node",
    "cp",
    "curl",
    "df",
    "dig",
    "dmesg",
    "du",
    "grep",
    "head",
    "iostat",
    "jq",
    "kill",
    "openssl",
    "promtool",
    "sha256sum",
    "sort",
    "tail",
];

/// Every command of a page, in pieces between pipes.
fn commands(page: &Page) -> Vec<(usize, Vec<String>)> {
    let blocks = page.blocks.iter().filter(|block| block.query().is_none()).flat_map(|block| {
        let lines = block.text.lines().enumerate();
        lines.map(|(at, text)| Placed { line: block.line + 1 + at, text: text.to_owned() })
    });
    let spans = page.spans.iter().filter(|span| span.text.contains(' ')).cloned();
    let mut found = Vec::new();
    for placed in blocks.chain(spans) {
        for words in pieces(&placed.text) {
            if words.first().is_some_and(|first| PROGRAMS.contains(&&first[..])) {
                found.push((placed.line, words));
            }
        }
    }
    found
}

/// A line of a shell as words, in pieces between `|`, `;` and `&`, with quotes taken off.
pub(crate) fn pieces(line: &str) -> Vec<Vec<String>> {
    let mut pieces = vec![Vec::new()];
    let (mut word, mut quote, mut open) = (String::new(), None, false);
    for one in line.chars() {
        match (quote, one) {
            (Some(end), one) if one == end => quote = None,
            (Some(_), one) => word.push(one),
            (None, '\'' | '"') => {
                quote = Some(one);
                open = true;
            }
            (None, '|' | ';' | '&' | ' ') => {
                if open || !word.is_empty() {
                    pieces.last_mut().expect("there is one").push(std::mem::take(&mut word));
                    open = false;
                }
                if one != ' ' {
                    pieces.push(Vec::new());
                }
            }
            (None, one) => word.push(one),
        }
    }
    if open || !word.is_empty() {
        pieces.last_mut().expect("there is one").push(word);
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// The list above the text has each program that the text runs.
pub(super) fn programs(page: &Page, findings: &mut Vec<Finding>) {
    let used: BTreeSet<String> =
        commands(page).into_iter().map(|(_, words)| words[0].clone()).collect();
    if !page.front.commands.iter().eq(used.iter()) {
        let used: Vec<String> = used.into_iter().collect();
        let text = format!("`commands` has to be [{}], as the text runs them", used.join(", "));
        findings.push(Finding::at(&page.path, page.key("commands"), "commands", text));
    }
}

/// Whether a word is for a person to fill in: `CID`, `/ipfs/CID`, `NAME`.
pub(crate) fn has_blank(word: &str) -> bool {
    let blank = |part: &str| part.len() > 1 && part.bytes().all(|byte| byte.is_ascii_uppercase());
    word.split(|one: char| !one.is_alphanumeric()).any(blank)
}

/// Commands of this program are understood by it.
pub(super) fn bifrost(page: &Page, findings: &mut Vec<Finding>) {
    for (line, words) in commands(page) {
        if words[0] != "bifrost" {
            continue;
        }
        let Err(error) = Arguments::command().try_get_matches_from(&words) else { continue };
        let is_name = matches!(
            error.kind(),
            ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument | ErrorKind::TooManyValues
        );
        let is_value = matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation);
        if is_name || (is_value && !words.iter().any(|word| has_blank(word))) {
            let told = error.to_string();
            let told = told.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let text = format!("`{}`: {told}", words.join(" "));
            findings.push(Finding::at(&page.path, line, "unknown-command", text));
        }
    }
}
