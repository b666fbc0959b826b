//! Asks the first steps of a page and prints the answers. Reads only.
//!
//! What it asks is a query of Prometheus, or a `curl` without any flag that changes something; all
//! else in a step is printed for the person to do. An answer that cannot be had is no good answer.

use std::time::Duration;

use serde_json::json;
use telemetry::Tasks;

use super::lint::{has_blank, words_of};
use super::page::Page;
use super::steps::{Expectation, How, Step};
use crate::output::{self, Format, Style};
use crate::prometheus::{Prometheus, Series};
use crate::web::Web;

/// Longest answer of a GET.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most series, and most lines of an answer, that are shown of one step.
const ROWS_MAX: usize = 10;

/// Whom to ask.
#[derive(Debug)]
pub(crate) struct Sources {
    /// Prometheus.
    pub(crate) prometheus: Prometheus,
    /// Pages.
    pub(crate) web: Web,
    /// In place of the addresses that pages have: what is written, and what is asked.
    pub(crate) instead: Vec<(String, String)>,
}

impl Sources {
    /// Sources with a deadline for each question.
    ///
    /// # Errors
    /// A URL that is none.
    pub(crate) fn new(
        tasks: &Tasks,
        prometheus: &str,
        within: Duration,
    ) -> Result<Self, crate::web::WebError> {
        Ok(Self {
            prometheus: Prometheus::new(tasks, prometheus, within)?,
            web: Web::new(tasks, within, ANSWER_BYTES_MAX)?,
            instead: Vec::new(),
        })
    }
}

/// The answer to a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// As a fleet that is well would answer.
    AsExpected(Vec<String>),
    /// Not so.
    Otherwise(Vec<String>),
    /// An answer to which nothing is expected.
    Shown(Vec<String>),
    /// For the person to do.
    ByHand(String),
    /// No answer could be had.
    None(String),
}

impl Answer {
    fn word(&self) -> &'static str {
        match self {
            Self::AsExpected(_) => "as expected",
            Self::Otherwise(_) => "NOT as expected",
            Self::Shown(_) => "answer",
            Self::ByHand(_) => "run this yourself",
            Self::None(_) => "NO ANSWER",
        }
    }

    fn rows(&self) -> Vec<String> {
        match self {
            Self::AsExpected(rows) | Self::Otherwise(rows) | Self::Shown(rows) => rows.clone(),
            Self::ByHand(text) | Self::None(text) => vec![text.clone()],
        }
    }
}

/// How a triage went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    /// Steps whose answer was not as expected.
    pub(crate) otherwise: usize,
    /// Questions without an answer.
    pub(crate) unanswered: usize,
}

/// Asks every step and prints what came.
pub(crate) async fn run(page: &Page, sources: &Sources, format: Format) -> Sum {
    let mut sum = Sum::default();
    for (number, step) in page.steps.iter().enumerate() {
        let mut answers = Vec::new();
        for how in &step.how {
            answers.push((how, ask(step, how, sources).await));
        }
        for (_, answer) in &answers {
            sum.otherwise += usize::from(matches!(answer, Answer::Otherwise(_)));
            sum.unanswered += usize::from(matches!(answer, Answer::None(_)));
        }
        let shown = match format {
            Format::Json => json_of(number + 1, step, &answers),
            Format::Text => text_of(number + 1, step, &answers, Style::stdout()),
        };
        output::result(&shown);
    }
    sum
}

/// Asks one thing.
async fn ask(step: &Step, how: &How, sources: &Sources) -> Answer {
    let expected = step.expected.as_deref().and_then(Expectation::parse);
    match how {
        How::Query { expression, .. } => match sources.prometheus.query(expression, None).await {
            Ok(series) => judge(&series, expected),
            Err(error) => Answer::None(telemetry::why(&error)),
        },
        How::Command(command) => match url_of(command) {
            None => Answer::ByHand(command.clone()),
            Some(url) => get(&url, expected, sources).await,
        },
    }
}

async fn get(url: &str, expected: Option<Expectation>, sources: &Sources) -> Answer {
    let mut url = url.to_owned();
    for (written, asked) in &sources.instead {
        if let Some(rest) = url.strip_prefix(written) {
            url = format!("{asked}{rest}");
            break;
        }
    }
    let page = match sources.web.get(&url).await {
        Ok(page) => page,
        Err(error) => return Answer::None(telemetry::why(&error)),
    };
    let text = String::from_utf8_lossy(&page.body);
    let mut rows = vec![page.status.to_string()];
    rows.extend(text.lines().take(ROWS_MAX).map(str::to_owned));
    match expected {
        Some(expected) if expected.holds(page.status.as_u16().into()) => Answer::AsExpected(rows),
        Some(Expectation::Status(_)) => Answer::Otherwise(rows),
        Some(Expectation::Empty | Expectation::All(..)) | None => Answer::Shown(rows),
    }
}

/// Whether series are as expected. No series where values are expected is no good sign.
pub(crate) fn judge(series: &[Series], expected: Option<Expectation>) -> Answer {
    let rows: Vec<String> = series.iter().map(row).collect();
    let Some(expected) = expected else { return Answer::Shown(short(rows)) };
    if expected == Expectation::Empty {
        return if rows.is_empty() {
            Answer::AsExpected(rows)
        } else {
            Answer::Otherwise(short(rows))
        };
    }
    if rows.is_empty() {
        return Answer::None("no series: is it scraped at all? see TargetMissing".to_owned());
    }
    let odd: Vec<String> =
        series.iter().filter(|one| !expected.holds(one.value())).map(row).collect();
    if odd.is_empty() { Answer::AsExpected(short(rows)) } else { Answer::Otherwise(short(odd)) }
}

pub(crate) fn row(series: &Series) -> String {
    let labels: Vec<String> = series
        .labels
        .iter()
        .filter(|(name, _)| *name != "__name__")
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    let value = (series.value() * 1000.0).round() / 1000.0;
    format!("{{{}}} {value}", labels.join(", "))
}

fn short(mut rows: Vec<String>) -> Vec<String> {
    if rows.len() > ROWS_MAX {
        let more = rows.len() - ROWS_MAX;
        rows.truncate(ROWS_MAX);
        rows.push(format!("and {more} more"));
    }
    rows
}

/// What a command gets, when it is a `curl` that does nothing else and names a real address.
pub(crate) fn url_of(command: &str) -> Option<String> {
    let pieces = words_of(command);
    let words =
        pieces.first().filter(|words| words.first().is_some_and(|first| first == "curl"))?;
    let mut url = None;
    for word in &words[1..] {
        match &word[..] {
            "-s" | "-i" | "-si" | "-sS" => {}
            word if word.starts_with("http://") && url.is_none() => url = Some(word.to_owned()),
            // Any other flag may write, here or there.
            _ => return None,
        }
    }
    // Words in capitals are for the person to fill in.
    url.filter(|url| !has_blank(url))
}

fn json_of(number: usize, step: &Step, answers: &[(&How, Answer)]) -> String {
    let answers: Vec<serde_json::Value> = answers
        .iter()
        .map(|(how, answer)| {
            let asked = match how {
                How::Query { expression, .. } => expression,
                How::Command(command) => command,
            };
            json!({"asked": asked, "verdict": answer.word(), "rows": answer.rows()})
        })
        .collect();
    let line = json!({
        "step": number,
        "asks": step.asks,
        "expected": step.expected,
        "answers": answers,
        "branches": step.branches,
    });
    format!("{line}\n")
}

fn text_of(number: usize, step: &Step, answers: &[(&How, Answer)], style: Style) -> String {
    let mut text = format!("{}\n", style.strong(&format!("{number}. {}", step.asks)));
    let mut is_well = !answers.is_empty();
    for (_, answer) in answers {
        let word = match answer {
            Answer::Otherwise(_) | Answer::None(_) => style.failure(answer.word()),
            Answer::AsExpected(_) | Answer::Shown(_) | Answer::ByHand(_) => {
                answer.word().to_owned()
            }
        };
        is_well &= matches!(answer, Answer::AsExpected(_));
        let expected = step.expected.as_deref().filter(|_| !matches!(answer, Answer::ByHand(_)));
        let expected = expected.map_or_else(String::new, |text| format!(" (expected {text})"));
        text.push_str(&format!("   {word}{expected}\n"));
        for row in answer.rows() {
            text.push_str(&format!("     {row}\n"));
        }
    }
    if !is_well {
        for branch in &step.branches {
            text.push_str(&format!("   - {branch}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(value: f64) -> Series {
        let labels = [("__name__", "a"), ("node", "1")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Series { labels: labels.into(), points: vec![(0.0, value)] }
    }

    #[test]
    fn only_commands_that_read_are_asked() {
        let url = "http://127.0.0.1:9080/readyz";
        for command in
            ["curl -s http://127.0.0.1:9080/readyz", "curl -si 'http://127.0.0.1:9080/readyz'"]
        {
            assert_eq!(url_of(command).as_deref(), Some(url), "{command}");
        }
        for command in [
            "curl -X POST http://127.0.0.1:9180/replicate",
            "curl -so x http://127.0.0.1:9080/metrics",
            "curl -s -d info http://127.0.0.1:9080/log/level",
            "curl -s http://127.0.0.1:9181/has?cid=CID",
            "curl -sT x http://127.0.0.1:9080/",
            "rm -rf /",
            "bifrost add x",
        ] {
            assert_eq!(url_of(command), None, "{command}");
        }
    }

    #[test]
    fn answers_are_judged_by_every_series() {
        let expected = Expectation::parse("== 0");
        let well = judge(&[series(0.0)], expected);
        assert_eq!(well, Answer::AsExpected(vec!["{node=\"1\"} 0".to_owned()]));
        let odd = judge(&[series(0.0), series(1.0)], expected);
        assert_eq!(odd, Answer::Otherwise(vec!["{node=\"1\"} 1".to_owned()]));
        assert!(matches!(judge(&[], expected), Answer::None(_)));
        assert_eq!(judge(&[], Expectation::parse("empty")), Answer::AsExpected(Vec::new()));
        assert!(matches!(judge(&[series(1.0)], None), Answer::Shown(_)));
    }
}
