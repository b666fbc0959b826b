//! The one page: a question, a field to rank, and what was found. It runs no script.

use std::time::SystemTime;

use http::{HeaderValue, Response, StatusCode, header};
use telemetry::admin::{Body, text};

use super::super::ask;
use super::super::error::LogsError;
use super::super::sources::Environment;
use super::super::{explain, query};
use super::Asked;
use crate::output::Style;
use crate::site::escape;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;\
padding:0 1rem}input[type=text]{width:24rem;max-width:100%}label{display:block;margin:.5rem 0}\
pre{overflow-x:auto;background:#f4f4f4;color:#111;padding:1rem}.bad{color:#a00}";

/// The page, with the answer to what is asked.
pub(super) fn page(environments: &[Environment], asked: &Asked) -> Response<Body> {
    let names: Vec<&str> = environments.iter().map(|one| one.name.as_str()).collect();
    let (status, found) = match answer(environments, asked) {
        Ok(found) => (StatusCode::OK, found),
        Err(error) => {
            let said = escape(&telemetry::why(&error));
            (StatusCode::BAD_REQUEST, format!("<p class=\"bad\" role=\"alert\">{said}</p>"))
        }
    };
    let (q, field, id) = (escape(&asked.q), escape(&asked.field), escape(&asked.id));
    let clear = if asked.clear { " checked" } else { "" };
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Access logs</title>\
         <style>{STYLE}</style></head><body><main><h1>Access logs</h1><p>Environments: {}.</p>\
         <form><label>Question <input type=\"text\" name=\"q\" value=\"{q}\" \
         placeholder=\"outcome=timeout since=1h\"></label>\
         <label>Rank the values of <input type=\"text\" name=\"field\" value=\"{field}\" \
         placeholder=\"outcome\"></label>\
         <label>Explain request <input type=\"text\" name=\"id\" value=\"{id}\"></label>\
         <label><input type=\"checkbox\" name=\"clear\" value=\"1\"{clear}> with clear text, of \
         denied and failed requests</label><button>Ask</button></form>{found}</main></body></html>",
        escape(&names.join(", ")),
    );
    let mut response = text(status, html);
    let headers = response.headers_mut();
    let fixed = HeaderValue::from_static;
    headers.insert(header::CONTENT_TYPE, fixed("text/html; charset=utf-8"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        fixed("default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"),
    );
    headers.insert(header::REFERRER_POLICY, fixed("no-referrer"));
    response
}

fn answer(environments: &[Environment], asked: &Asked) -> Result<String, LogsError> {
    let (what, now) = (asked.question(), SystemTime::now());
    if !asked.id.is_empty() {
        let records = ask::request_here(environments, &asked.id)?;
        let told = explain::explain(&records);
        let told = told.ok_or_else(|| LogsError::NoRequest(asked.id.clone()))?;
        return Ok(format!("<pre>{}</pre>", escape(&told)));
    }
    let (shown, summary) = if asked.field.is_empty() {
        let answer = ask::query_here(environments, &what, now)?;
        let lines: Vec<String> =
            answer.records.iter().rev().map(|one| query::line_text(&one.env, &one.line)).collect();
        (lines.join("\n"), answer.summary)
    } else {
        let ranking = ask::top_here(environments, &what, &asked.field, now)?;
        (ranking.text(asked.limit, Style::plain()), ranking.summary)
    };
    let (matched, lines) = (summary.matched.text(), summary.lines);
    let problems: String = summary
        .problems
        .iter()
        .map(|problem| format!("<p class=\"bad\">{}</p>", escape(problem)))
        .collect();
    let shown = escape(&shown);
    Ok(format!("<p>{matched} requests; {lines} lines read.</p>{problems}<pre>{shown}</pre>"))
}
