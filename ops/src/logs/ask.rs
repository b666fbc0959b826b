//! Asks every environment, here and elsewhere, and puts the answers together.

use std::time::SystemTime;

use telemetry::Tasks;

use super::error::LogsError;
use super::filter::{Filter, FilterError};
use super::query::{self, Answer, Found};
use super::record::Field;
use super::remote;
use super::sources::{self, Environment, Kind};
use super::top::{self, Ranking};

/// Most records of one request: its blocks are each one at a node.
const REQUEST_RECORDS_MAX: usize = 2000;

/// A question.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Its terms.
    pub(crate) terms: String,
    /// Which records are read.
    pub(crate) kind: Kind,
    /// Most records or values that are wanted.
    pub(crate) limit: usize,
}

/// The youngest records of all environments.
///
/// # Errors
/// [`LogsError`], of the first environment that cannot answer.
pub(crate) async fn query(
    environments: &[Environment],
    what: &Question,
    now: SystemTime,
    tasks: &Tasks,
) -> Result<Answer, LogsError> {
    let mut whole = query_here(environments, what, now)?;
    for environment in remote::of(environments) {
        let answer = remote::query(environment, what, tasks).await?;
        whole.records.extend(answer.records);
        whole.summary.merge(answer.summary);
    }
    whole.records.sort();
    let surplus = whole.records.len().saturating_sub(what.limit);
    whole.records.drain(..surplus);
    Ok(whole)
}

/// The youngest records of the environments on this machine.
///
/// # Errors
/// As [`query()`].
pub(crate) fn query_here(
    environments: &[Environment],
    what: &Question,
    now: SystemTime,
) -> Result<Answer, LogsError> {
    let filter = Filter::parse(&what.terms, now)?;
    let segments = sources::segments(environments, what.kind)?;
    Ok(query::query(&segments, &filter, what.limit))
}

/// The values of a field over all environments.
///
/// # Errors
/// As [`query()`].
pub(crate) async fn top(
    environments: &[Environment],
    what: &Question,
    field: &str,
    now: SystemTime,
    tasks: &Tasks,
) -> Result<Ranking, LogsError> {
    let mut whole = top_here(environments, what, field, now)?;
    for environment in remote::of(environments) {
        whole.merge(remote::top(environment, what, field, tasks).await?);
    }
    Ok(whole)
}

/// The values of a field over the environments on this machine.
///
/// # Errors
/// As [`query()`].
pub(crate) fn top_here(
    environments: &[Environment],
    what: &Question,
    field: &str,
    now: SystemTime,
) -> Result<Ranking, LogsError> {
    let filter = Filter::parse(&what.terms, now)?;
    let field = Field::named(field).ok_or_else(|| FilterError::Field(field.to_owned()))?;
    let segments = sources::segments(environments, what.kind)?;
    Ok(top::top(&segments, &filter, &field))
}

/// All records of one request.
///
/// # Errors
/// As [`query()`].
pub(crate) async fn request(
    environments: &[Environment],
    id: &str,
    tasks: &Tasks,
) -> Result<Vec<Found>, LogsError> {
    let mut whole = request_here(environments, id)?;
    for environment in remote::of(environments) {
        for kind in [Kind::Records, Kind::Clear] {
            let terms = format!("req_id=\"{}\"", id.replace('"', ""));
            let what = Question { terms, kind, limit: REQUEST_RECORDS_MAX };
            whole.extend(remote::query(environment, &what, tasks).await?.records);
        }
    }
    Ok(whole)
}

/// All records of one request on this machine.
///
/// # Errors
/// As [`query()`].
pub(crate) fn request_here(
    environments: &[Environment],
    id: &str,
) -> Result<Vec<Found>, LogsError> {
    let filter = Filter::of_request(id);
    let mut whole = Vec::new();
    for kind in [Kind::Records, Kind::Clear] {
        let segments = sources::segments(environments, kind)?;
        whole.extend(query::query(&segments, &filter, REQUEST_RECORDS_MAX).records);
    }
    Ok(whole)
}
