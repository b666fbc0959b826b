//! Why a request has no content for an answer, and how that is told.
//!
//! The body is `application/problem+json` for the gateway and whoever debugs it; the header
//! `Bifrost-Retrieval` says how far the retrieval came, so that a page can.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use ipfs::ipns::{Name, NameError};
use ipfs::path::PathError;
use ipfs::resolve::ResolveError;
use ipfs::trustless::{Phase, RETRIEVAL_HEADER, Retrieval, RetrievalOutcome, TrustlessError};
use ipfs::walk::WalkError;

use crate::outcome::Outcome;
use crate::records::RecordsError;
use crate::retrieve::{FetchError, RetrieveError};
use crate::serve::Body;

/// Why there is no content for an answer, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The path is not below `/ipfs/` or `/ipns/`.
    #[error(
        "nothing is here: ask for /ipfs/{{cid}}?format=raw or ?format=car, or for /ipns/{{key}}?format=ipns-record"
    )]
    NotContent,
    /// A bad path or CID.
    #[error(transparent)]
    Path(PathError),
    /// A bad parameter.
    #[error(transparent)]
    Parameter(TrustlessError),
    /// Neither the query nor `Accept` names a trustless format.
    #[error("this node gives verifiable answers only: ask with ?format=raw or ?format=car")]
    NoFormat,
    /// A name in another form than that of its record.
    #[error("this node gives the signed records of names only: ask with ?format=ipns-record")]
    NoNameFormat,
    /// A name that is no key, and so has no record.
    #[error("only keys have records: {0}")]
    Name(NameError),
    /// A path below a name.
    #[error("a record is of a name alone: ask for /ipns/{{key}}?format=ipns-record")]
    BelowName,
    /// A name without a valid record.
    #[error("no valid record of {0} is stored on this node")]
    NoRecord(Name),
    /// The store of records was slow.
    #[error("the record could not be read in time")]
    RecordLate,
    /// The store of records failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// Path and query are too long.
    #[error("the path is longer than 8 KiB")]
    UriTooLong,
    /// Another method than GET, HEAD and OPTIONS.
    #[error("only GET, HEAD and OPTIONS are answered")]
    Method,
    /// A stream for a client that could not tell its end from a cut.
    #[error("a CAR has no length known in advance: ask with HTTP/1.1 or HTTP/2")]
    Version,
    /// A range that has no byte of the block.
    #[error("the range is outside of the block of {0} bytes")]
    Range(u64),
    /// A path that leads nowhere, or through malformed blocks.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A DAG that cannot be walked.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// A block that could not be had.
    #[error(transparent)]
    Retrieve(#[from] RetrieveError),
    /// Too many requests in flight.
    #[error("too many requests are in flight; try again soon")]
    Overload,
}

impl From<FetchError> for ServeError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Retrieve(error) => Self::Retrieve(error),
            FetchError::Walk(error) => Self::Walk(error),
            FetchError::NotKept(_) => Self::Overload,
        }
    }
}

impl ServeError {
    /// The outcome of a request that ends with this error before its headers.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            ServeError::NotContent | ServeError::NoRecord(_) => Outcome::NotFound,
            ServeError::RecordLate => Outcome::Timeout,
            ServeError::Records(RecordsError::Closed) => Outcome::Overload,
            ServeError::Records(RecordsError::DiskFull | RecordsError::Database(_)) => {
                Outcome::Internal
            }
            ServeError::Path(_)
            | ServeError::Name(_)
            | ServeError::BelowName
            | ServeError::NoNameFormat
            | ServeError::Parameter(_)
            | ServeError::NoFormat
            | ServeError::UriTooLong
            | ServeError::Method
            | ServeError::Version
            | ServeError::Range(_)
            | ServeError::Walk(WalkError::Range(_)) => Outcome::ClientError,
            ServeError::Resolve(
                ResolveError::NotFound { .. } | ResolveError::NotADirectory { .. },
            ) => Outcome::NotFound,
            ServeError::Resolve(ResolveError::Codec { .. } | ResolveError::Remainder { .. }) => {
                Outcome::ClientError
            }
            ServeError::Resolve(_) | ServeError::Walk(_) => Outcome::BadContent,
            ServeError::Retrieve(RetrieveError::NotLocal) => Outcome::NotLocal,
            ServeError::Retrieve(RetrieveError::NoProviders(_)) => Outcome::NoProviders,
            ServeError::Retrieve(RetrieveError::Unreachable(_)) => Outcome::Unreachable,
            ServeError::Retrieve(RetrieveError::Timeout(_)) => Outcome::Timeout,
            ServeError::Retrieve(RetrieveError::Store(_)) => Outcome::Internal,
            ServeError::Retrieve(RetrieveError::Stopped | RetrieveError::Overloaded)
            | ServeError::Overload => Outcome::Overload,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            ServeError::NoFormat | ServeError::NoNameFormat => StatusCode::NOT_ACCEPTABLE,
            ServeError::UriTooLong => StatusCode::URI_TOO_LONG,
            ServeError::Method => StatusCode::METHOD_NOT_ALLOWED,
            ServeError::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            ServeError::Range(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            ServeError::Resolve(ResolveError::Codec { .. } | ResolveError::Remainder { .. }) => {
                StatusCode::NOT_IMPLEMENTED
            }
            ServeError::NotContent
            | ServeError::Path(_)
            | ServeError::Name(_)
            | ServeError::BelowName
            | ServeError::NoRecord(_)
            | ServeError::RecordLate
            | ServeError::Records(_)
            | ServeError::Parameter(_)
            | ServeError::Resolve(_)
            | ServeError::Walk(_)
            | ServeError::Retrieve(_)
            | ServeError::Overload => self.outcome().status(),
        }
    }

    /// How far the retrieval came, as far as this error knows.
    fn retrieval(&self, elapsed: Duration) -> Option<Retrieval> {
        let state = |phase, outcome| Retrieval {
            phase,
            providers: 0,
            connected: 0,
            elapsed,
            outcome: Some(outcome),
        };
        if let ServeError::Retrieve(error) = self {
            return error.retrieval().copied();
        }
        (self.outcome() == Outcome::BadContent)
            .then(|| state(Phase::Done, RetrievalOutcome::BadContent))
    }
}

/// Seconds after which asking again may help.
fn retry_after(outcome: Outcome) -> Option<u32> {
    match outcome {
        Outcome::NoProviders => Some(60),
        Outcome::Unreachable | Outcome::Timeout => Some(10),
        Outcome::Overload => Some(1),
        Outcome::Ok
        | Outcome::NotModified
        | Outcome::ClientError
        | Outcome::NotFound
        | Outcome::NotLocal
        | Outcome::BadContent
        | Outcome::ClientAbort
        | Outcome::Truncated
        | Outcome::Internal => None,
    }
}

/// The answer that tells an error.
pub(super) fn response(error: &ServeError, request_id: &str, elapsed: Duration) -> Response<Body> {
    let (status, outcome) = (error.status(), error.outcome());
    let problem = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("error"),
        "status": status.as_u16(),
        "detail": error.to_string(),
        "outcome": telemetry::metrics::Label::text(outcome),
        "request_id": request_id,
    });
    let mut response = plain(status, "application/problem+json", problem.to_string());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Some(seconds) = retry_after(outcome) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(state) = error.retrieval(elapsed)
        && let Ok(state) = HeaderValue::from_str(&state.to_string())
    {
        headers.insert(RETRIEVAL_HEADER, state);
    }
    if matches!(error, ServeError::Method) {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    }
    if let ServeError::Range(size) = error
        && let Ok(range) = HeaderValue::from_str(&format!("bytes */{size}"))
    {
        headers.insert(header::CONTENT_RANGE, range);
    }
    response.extensions_mut().insert(outcome);
    response
}

/// The answer to `OPTIONS`: what may be asked, also from another origin.
pub(super) fn options() -> Response<Body> {
    let mut response = plain(StatusCode::NO_CONTENT, "text/plain", String::new());
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Range, Accept"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// The answer to `/version`.
pub(super) fn version() -> Response<Body> {
    let text = format!("bifrost-node {}\n", telemetry::build_info::version());
    plain(StatusCode::OK, "text/plain; charset=utf-8", text)
}

fn plain(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
