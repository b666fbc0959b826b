//! Names in the text of a page: metrics, keys of configuration, calls. Each has to exist.

use promql_parser::parser::{self, Expr};

use crate::findings::Finding;
use crate::rota::on_call;
use crate::runbook::names::Names;
use crate::runbook::page::{Page, Placed};

/// How names of our metrics begin.
const OURS: &str = "bifrost_";

/// Metrics that are not of our processes: Prometheus's own, and what this program prints.
const OTHERS: [&str; 5] = ["up", "scrape_", "ALERTS", "slo:", on_call::SERIES];
/// Endings of files, which look like keys.
const FILES: [&str; 11] =
    ["md", "yaml", "yml", "log", "rs", "gz", "key", "html", "ics", "json", "ipns-record"];
/// Paths that are content and not calls.
const CONTENT: [&str; 6] = ["/ipfs/", "/ipns/", "/ip4/", "/ip6/", "/dns", "/p2p/"];

/// All code of a page, by line.
fn code(page: &Page) -> impl Iterator<Item = Placed> {
    let blocks = page.blocks.iter().flat_map(|block| {
        let lines = block.text.lines().enumerate();
        lines.map(|(at, text)| Placed { line: block.line + 1 + at, text: text.to_owned() })
    });
    page.spans.iter().cloned().chain(blocks)
}

/// Every query is PromQL.
pub(super) fn queries(page: &Page, findings: &mut Vec<Finding>) {
    for (id, block) in page.queries() {
        let mut add = |rule: &'static str, text: String| {
            findings.push(Finding::at(&page.path, block.line, rule, text));
        };
        if id.is_empty() {
            add("queries", "the query has no id: write it behind ```promql".to_owned());
        }
        if let Err(error) = parser::parse(&block.text) {
            add("promql", format!("the query {id:?} is not PromQL: {error}"));
        }
    }
}

/// Every metric is one that a process has.
pub(super) fn metrics(page: &Page, names: &Names, findings: &mut Vec<Finding>) {
    let mut check = |line: usize, name: &str| {
        let other = OTHERS.iter().any(|other| name.starts_with(other));
        if !other && !names.metrics.contains(name) {
            let text = format!("no process has the metric {name:?}");
            findings.push(Finding::at(&page.path, line, "unknown-metric", text));
        }
    };
    for placed in code(page) {
        let is_name = |one: char| one.is_ascii_alphanumeric() || one == '_' || one == ':';
        let words = placed.text.split(|one: char| !is_name(one));
        for word in words.filter(|word| word.starts_with(OURS) && !word.ends_with('_')) {
            check(placed.line, word);
        }
    }
    for (_, block) in page.queries() {
        let mut selected = Vec::new();
        if let Ok(expression) = parser::parse(&block.text) {
            selectors(&expression, &mut selected);
        }
        for name in selected.iter().filter(|name| !name.starts_with(OURS)) {
            check(block.line, name);
        }
    }
}

/// The metrics that an expression selects.
fn selectors(expression: &Expr, found: &mut Vec<String>) {
    match expression {
        Expr::Aggregate(inner) => selectors(&inner.expr, found),
        Expr::Unary(inner) => selectors(&inner.expr, found),
        Expr::Binary(inner) => {
            selectors(&inner.lhs, found);
            selectors(&inner.rhs, found);
        }
        Expr::Paren(inner) => selectors(&inner.expr, found),
        Expr::Subquery(inner) => selectors(&inner.expr, found),
        Expr::VectorSelector(selector) => found.extend(selector.name.clone()),
        Expr::MatrixSelector(selector) => found.extend(selector.vs.name.clone()),
        Expr::Call(call) => call.args.args.iter().for_each(|inner| selectors(inner, found)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

/// Every key of configuration is one that a process has.
pub(super) fn keys(page: &Page, names: &Names, findings: &mut Vec<Finding>) {
    for placed in &page.spans {
        let key = placed.text.split(':').next().unwrap_or_default().trim();
        if looks_like_key(key) && !names.keys.contains(key) {
            let text = format!("no process has the key {key:?}");
            findings.push(Finding::at(&page.path, placed.line, "unknown-key", text));
        }
    }
}

fn looks_like_key(text: &str) -> bool {
    let word = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        !part.is_empty() && part.bytes().all(plain)
    };
    let end = text.rsplit('.').next().unwrap_or_default();
    text.contains('.') && text.split('.').all(word) && !FILES.contains(&end)
}

/// Every call of an admin listener is one that a process answers.
pub(super) fn calls(page: &Page, names: &Names, findings: &mut Vec<Finding>) {
    for placed in code(page) {
        for path in paths(&placed.text) {
            let known = names.calls.iter().any(|call| matches(call, path));
            if !known {
                let text = format!("no process answers {path:?}");
                findings.push(Finding::at(&page.path, placed.line, "unknown-endpoint", text));
            }
        }
    }
}

/// Paths behind addresses of admin listeners, and code that is a path alone.
fn paths(code: &str) -> Vec<&str> {
    let end = |rest: &'_ str| rest.find(|one: char| "?'\"` )".contains(one)).unwrap_or(rest.len());
    if code.starts_with('/') && !code.contains(' ') {
        let content = CONTENT.iter().any(|start| code.starts_with(start));
        return if content { Vec::new() } else { vec![&code[..end(code)]] };
    }
    let mut paths = Vec::new();
    for (at, start) in code.match_indices("http://127.0.0.1:9") {
        let rest = &code[at + start.len()..];
        if let Some(slash) = rest.find('/').filter(|slash| *slash == 3) {
            let path = &rest[slash..];
            paths.push(&path[..end(path)]);
        }
    }
    paths
}

/// Whether a path is of a call, whose parts in capitals stand for anything.
fn matches(call: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let same = call.split('/').all(|part| {
        let any = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_uppercase());
        parts.next().is_some_and(|one| any || one == part)
    });
    same && parts.next().is_none()
}
