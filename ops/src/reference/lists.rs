//! The pages that are plain lists: fields of access records, headers, outcomes and exit codes.

use serde_json::Value;
use telemetry::access::FIELDS;

use super::facts::Facts;
use super::markdown::{block, cell, code, explained, head, table};
use crate::{findings, output};

const LOG_FIELDS: &str = "\
An access record is a line of JSON, written when a request ends. Fields come in this order, and a field without a
value is left out. Networks, roots and paths are keyed hashes whose key is another one every day; `bifrost logs
explain` puts the records of one request together.
";

const HEADERS: &str = "\
Names are written in lower case; case does not matter. *Path Gateway*, *Subdomain Gateway* and *Trustless Gateway*
are the specifications at <https://specs.ipfs.tech/http-gateways/>.
";

const OUTCOMES: &str = "\
Every request ends in one outcome: the label of metrics, the field of access records, and through the objectives what
counts as a failure. An answer that was cut, by the client or by us, had the status of a whole one.
";

/// The page of fields of access records.
pub(super) fn log_fields(unexplained: &mut Vec<String>) -> String {
    let row = |(name, meaning): &(&str, &str)| {
        explained(name, meaning, unexplained);
        vec![code(name), cell(meaning)]
    };
    let rows: Vec<_> = FIELDS.iter().map(row).collect();
    head("Access records", LOG_FIELDS) + "\n" + &table(&["Field", "What it says"], &rows)
}

/// The page of headers.
pub(super) fn headers(facts: &Facts, unexplained: &mut Vec<String>) -> String {
    let mut text = head("HTTP headers", HEADERS);
    for list in facts.said.iter().flat_map(|said| said.headers.as_array().into_iter().flatten()) {
        let of = list["of"].as_str().unwrap_or_default();
        let rows: Vec<_> = list["headers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|header| {
                let field = |key: &str| header[key].as_str().unwrap_or_default();
                for key in ["meaning", "spec"] {
                    let name = format!("{of}: {} ({key})", field("name"));
                    explained(&name, field(key), unexplained);
                }
                vec![code(field("name")), cell(field("meaning")), cell(field("spec"))]
            })
            .collect();
        text.push_str(&format!("\n## {of}\n\n"));
        text.push_str(&table(&["Header", "Meaning", "Specification"], &rows));
    }
    text
}

/// The page of outcomes and exit codes.
pub(super) fn outcomes(facts: &Facts, unexplained: &mut Vec<String>) -> String {
    let mut text = head("Outcomes and exit codes", OUTCOMES);
    for said in &facts.said {
        let rows: Vec<_> = said
            .outcomes
            .as_array()
            .into_iter()
            .flatten()
            .map(|outcome| {
                let field = |key: &str| outcome[key].as_str().unwrap_or_default();
                let name = format!("{} {}", said.program, field("outcome"));
                explained(&name, field("meaning"), unexplained);
                vec![code(field("outcome")), statuses(outcome), cell(field("meaning"))]
            })
            .collect();
        text.push_str(&format!("\n## Outcomes of {}\n\n", said.program));
        text.push_str(&table(&["Outcome", "Statuses", "Meaning"], &rows));
    }
    text.push_str("\n## Exit codes of bifrost\n\n");
    text.push_str(&block(output::EXIT_CODES));
    text.push_str("\nCommands that check something:\n\n");
    text.push_str(&block(findings::EXIT_CODES));
    for said in &facts.said {
        text.push_str(&format!("\n## Exit codes of {}\n\n", said.program));
        let codes = said.help.split_once("Exit codes:").map_or("", |(_, codes)| codes);
        explained(&format!("{} exit codes", said.program), codes, unexplained);
        let codes = codes.split_whitespace().collect::<Vec<_>>().join(" ");
        text.push_str(&format!("{codes}\n"));
    }
    text
}

fn statuses(outcome: &Value) -> String {
    let statuses = outcome["statuses"].as_array().into_iter().flatten();
    statuses.map(Value::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_records_is_explained() {
        let mut unexplained = Vec::new();
        let text = log_fields(&mut unexplained);
        assert_eq!(unexplained, Vec::<String>::new());
        assert!(text.contains("| `outcome` |"), "{text}");
    }
}
