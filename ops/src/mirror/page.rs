//! The page of a verdict: one file without script or anything from elsewhere.
//!
//! What is shown of requests is hostile, and is escaped like everything else.

use std::fmt::Write as _;

use super::judge::{Judgement, Verdict};
use super::report::{Report, instant};
use crate::site::{STYLE, escape};

const TAKES: &str = "a string takes all text";

/// The page.
pub(crate) fn page(report: &Report) -> String {
    let title = format!("Mirror: {}", report.verdict.word());
    let mut main = main(report);
    records(&mut main, report);
    notes(&mut main, &report.notes);
    let [name, hash] = &report.thresholds;
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – Bifrost</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the text</a>\n<main id=\"main\">\n{main}</main>\n\
         <footer>Thresholds: {}, SHA-256 <code>{}</code>.</footer>\n</body>\n</html>\n",
        escape(name),
        escape(hash)
    )
}

/// What everybody may read: the verdict and counts, nothing of a request.
pub(crate) fn main(report: &Report) -> String {
    let title = format!("Mirror: {}", report.verdict.word());
    let mut main = format!("<h1>{title}</h1>\n<p>{}</p>\n", escape(&report.subject()));
    verdict(&mut main, report);
    criteria(&mut main, "Staging against production", &report.staging);
    if let Some(again) = &report.again {
        criteria(&mut main, "Production against itself", again);
    }
    compared(&mut main, report);
    for (name, list) in report.lists() {
        if !list.is_empty() {
            let rows = list.iter().map(|(word, count)| [escape(word), count.to_string()]);
            table(&mut main, name, ["What", "Pairs"], rows);
        }
    }
    main
}

fn verdict(out: &mut String, report: &Report) {
    let meaning = match report.verdict {
        Verdict::Promote => "This release is as good as production, as far as the thresholds ask.",
        Verdict::Reject => "This release is worse than production.",
        Verdict::Hold => "There are enough pairs, and something is open: let more come.",
        Verdict::Insufficient => "There are too few pairs to say.",
    };
    let because = report.because.iter();
    let because: String = because.map(|why| format!("<li>{}</li>\n", escape(why))).collect();
    write!(out, "<p class=\"note\">{meaning}</p>\n<ul>\n{because}</ul>\n").expect(TAKES);
}

fn criteria(out: &mut String, title: &str, judgement: &Judgement) {
    writeln!(out, "<h2>{title}</h2>").expect(TAKES);
    let rows = judgement.criteria.iter().map(|one| {
        let required = if one.required { "yes" } else { "no" };
        let standing = one.standing.word();
        [escape(&one.name), standing.to_owned(), required.to_owned(), escape(&one.text)]
    });
    let (pairs, apart) = (judgement.pairs, judgement.apart);
    let caption = format!(
        "{pairs} pairs; the times of {apart} are left out, whose caches differ or are not known{}",
        judgement.hidden()
    );
    table(out, &caption, ["Criterion", "Stands", "Required", "Why"], rows);
}

fn compared(out: &mut String, report: &Report) {
    out.push_str("<h2>What was compared</h2>\n");
    let rows = report.compared.iter().map(|one| {
        let [same, different, moved, rates] = one.counts.map(|count| count.to_string());
        let name = format!("{}, {}", one.lane.word(), one.class.word());
        [name, same, different, moved, rates]
    });
    let heads = ["Lane and class", "Same", "Different", "Moved", "Rates only"];
    table(out, "Pairs by what their comparison came to", heads, rows);
}

fn records(out: &mut String, report: &Report) {
    if report.latest.is_empty() {
        return;
    }
    out.push_str("<h2>Latest mismatches</h2>\n");
    for record in &report.latest {
        let [production, staging] = &record.answers;
        write!(
            out,
            "<section>\n<h3><code>{}</code></h3>\n<p>{}, {}: {}</p>\n<pre><code>{}\n\nproduction \
             {}\nstaging    {}</code></pre>\n</section>\n",
            escape(&record.request),
            escape(&instant(record.at_ms)),
            escape(&record.gateway),
            escape(&record.differences.join(", ")),
            escape(&record.replay),
            escape(production),
            escape(staging)
        )
        .expect(TAKES);
    }
}

fn notes(out: &mut String, notes: &[String]) {
    if !notes.is_empty() {
        let notes: String =
            notes.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
        write!(out, "<h2>Notes</h2>\n<ul>\n{notes}</ul>\n").expect(TAKES);
    }
}

/// A table of cells that are escaped already, the first of a row its head.
fn table<const N: usize>(
    out: &mut String,
    caption: &str,
    heads: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) {
    let heads: String = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    write!(
        out,
        "<table tabindex=\"0\">\n<caption>{caption}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n"
    )
    .expect(TAKES);
    for row in rows {
        let [first, rest @ ..] = &row[..] else { continue };
        let rest: String = rest.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        writeln!(out, "<tr><th scope=\"row\">{first}</th>{rest}</tr>").expect(TAKES);
    }
    out.push_str("</tbody>\n</table>\n");
}
