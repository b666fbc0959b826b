//! Environments elsewhere: the same questions, asked of `bifrost logs serve` with a token.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use telemetry::Tasks;

use super::ask::Question;
use super::error::{LogsError, at};
use super::query::{Answer, Found, Summary};
use super::sources::{Environment, Kind};
use super::top::{Ranking, Row};
use crate::web::Web;

/// Longest wait for an answer, which reads all logs of an environment.
const WITHIN: Duration = Duration::from_secs(60);
/// Most bytes of an answer.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// The last line of an answer.
#[derive(Deserialize)]
struct Last {
    summary: Summary,
}

/// Those environments that are elsewhere.
pub(crate) fn of(environments: &[Environment]) -> impl Iterator<Item = &Environment> {
    environments.iter().filter(|environment| environment.source.url.is_some())
}

/// Asks for the youngest records.
///
/// # Errors
/// `Remote` and `Answer`; `File` when the token cannot be read.
pub(crate) async fn query(
    environment: &Environment,
    what: &Question,
    tasks: &Tasks,
) -> Result<Answer, LogsError> {
    let path = format!("/v1/query?{}", parameters(what));
    let (lines, summary) = ask(environment, &path, tasks).await?;
    let name = &environment.name;
    let records = lines.into_iter().map(|line| Found {
        stamp: line.get(7..31).unwrap_or_default().to_owned(),
        env: name.clone(),
        line,
    });
    Ok(Answer { records: records.collect(), summary })
}

/// Asks for the values of a field.
///
/// # Errors
/// As [`query`].
pub(crate) async fn top(
    environment: &Environment,
    what: &Question,
    field: &str,
    tasks: &Tasks,
) -> Result<Ranking, LogsError> {
    let path = format!("/v1/top?field={}&{}", encoded(field), parameters(what));
    let (lines, summary) = ask(environment, &path, tasks).await?;
    let read = |line: &String| serde_json::from_str::<Row>(line);
    let rows: Result<Vec<Row>, _> = lines.iter().map(read).collect();
    let rows = rows.map_err(|error| answered(environment, error.to_string()))?;
    Ok(Ranking { rows, summary })
}

async fn ask(
    environment: &Environment,
    path: &str,
    tasks: &Tasks,
) -> Result<(Vec<String>, Summary), LogsError> {
    let Environment { name, source } = environment;
    let remote = |source| LogsError::Remote { name: name.clone(), source };
    let url = source.url.as_deref().unwrap_or_default().trim_end_matches('/');
    let file = source.token_file.clone().unwrap_or_default();
    let token = fs::read_to_string(&file).map_err(at(&file))?;
    let bearer = HeaderValue::from_str(&format!("Bearer {}", token.trim()));
    let bearer =
        bearer.map_err(|_| answered(environment, format!("{} is no token", file.display())))?;
    let request = Request::get(format!("{url}{path}"))
        .header(header::AUTHORIZATION, bearer)
        .body(Full::<Bytes>::default())
        .map_err(|_| answered(environment, format!("{url:?} is no URL")))?;
    let web = Web::new(tasks, WITHIN, BYTES_MAX).map_err(remote)?;
    let page = web.ask(request).await.map_err(remote)?;
    let text = String::from_utf8_lossy(&page.body);
    if page.status != StatusCode::OK {
        let said: String = text.chars().take(300).collect();
        let problem = format!("{url} answered {}: {}", page.status, said.escape_debug());
        return Err(answered(environment, problem));
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last = lines.pop().unwrap_or_default();
    let last: Last = serde_json::from_str(&last)
        .map_err(|_| answered(environment, format!("the answer of {url} was cut")))?;
    Ok((lines, last.summary))
}

fn answered(environment: &Environment, problem: String) -> LogsError {
    LogsError::Answer { name: environment.name.clone(), problem }
}

fn parameters(what: &Question) -> String {
    let clear = if what.kind == Kind::Clear { "&clear=1" } else { "" };
    format!("q={}&limit={}{clear}", encoded(&what.terms), what.limit)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
