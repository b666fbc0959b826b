//! Checks of what has to be refused, and how.

use std::time::Duration;

use http::header;

use super::At;
use crate::probe::ask::Ask;
use crate::probe::content::nobody_has;
use crate::probe::outcome::{Fault, Trace, wrong};

/// Longest page of a refusal: more would be content.
const PAGE_BYTES_MAX: usize = 64 * 1024;

/// `http.denylist`: of a path, and of its blocks and its archive where it is one of content.
pub(in crate::probe) async fn denylist(
    trace: &mut Trace,
    at: At<'_>,
    path: &str,
) -> Result<(), Fault> {
    let forms: &[&str] =
        if path.starts_with("/ipfs/") { &["", "?format=raw", "?format=car"] } else { &[""] };
    for form in forms {
        let answer = at.ask(trace, Ask::get(format!("{path}{form}"))).await?;
        if answer.status == 200 {
            let bytes = answer.body.len();
            return wrong(format!("{path}{form} is denied, and {bytes} bytes of it were served"));
        }
        answer.expect(&[410, 451])?;
        if answer.body.len() > PAGE_BYTES_MAX {
            return wrong(format!("the refusal has {} bytes", answer.body.len()));
        }
    }
    Ok(())
}

/// `http.timeout_page`
pub(in crate::probe) async fn timeout_page(
    trace: &mut Trace,
    at: At<'_>,
    budget: Duration,
) -> Result<(), Fault> {
    let target = format!("/ipfs/{}", nobody_has());
    let ask = Ask::get(target).header(header::ACCEPT, "text/html");
    let Ok(answer) = tokio::time::timeout(budget, at.ask(trace, ask)).await else {
        let budget = humantime::format_duration(budget);
        return wrong(format!("there is no page within {budget}"));
    };
    let answer = answer?;
    answer.expect(&[502, 504])?;
    if answer.header("retry-after").parse::<u64>().is_err() {
        let said = answer.header("retry-after");
        return wrong(format!("Retry-After is {said:?}, and not a number of seconds"));
    }
    if answer.media_type() != "text/html" || answer.body.is_empty() {
        return wrong(format!("there is no page for people: {:?}", answer.media_type()));
    }
    Ok(())
}
