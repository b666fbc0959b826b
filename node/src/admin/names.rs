//! The signed records of IPNS names, taken from and shown to the operator.
//!
//! A record proves itself, so all that is asked of who puts one is that it is whole and comes in time.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use ipfs::ipns::{Name, RECORD_BYTES_MAX, Record};
use ipfs::trustless::IPNS_RECORD_TYPE;
use serde_json::json;
use telemetry::admin::{Body, full, problem};
use tokio::time::timeout;

use super::{Admin, answer, not_allowed};
use crate::records::{Put, PutError, RecordsError};

impl Admin {
    /// Answers a call for the record of a name.
    pub(super) async fn name(
        self: Arc<Self>,
        name: &str,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let name = match Name::parse(name) {
            Ok(name) => name,
            Err(error) => {
                let detail = format!("{name:.80}: {error}; only keys have records");
                return problem(StatusCode::BAD_REQUEST, &detail);
            }
        };
        let _alive = self.drain.in_flight();
        let put = request.method() == Method::PUT;
        let work = async {
            match *request.method() {
                Method::PUT => self.put_record(&name, request).await,
                Method::GET | Method::HEAD => self.get_record(&name).await,
                _ => not_allowed("GET, PUT"),
            }
        };
        timeout(self.config.record_timeout, work).await.unwrap_or_else(|_| {
            let detail = if put {
                "the record did not come, or was not stored, within calls.record_timeout; put it again"
            } else {
                "the record was not read within calls.record_timeout"
            };
            problem(StatusCode::REQUEST_TIMEOUT, detail)
        })
    }

    async fn put_record(&self, name: &Name, request: Request<Incoming>) -> Response<Body> {
        let bytes = match record_body(request.into_body()).await {
            Ok(bytes) => bytes,
            Err(refusal) => return *refusal,
        };
        match self.records.put(name, bytes, SystemTime::now()).await {
            Ok((put, record)) => {
                let outcome = match put {
                    Put::Stored => "stored",
                    Put::Held => "held",
                };
                answer(StatusCode::OK, &shown(&record, outcome))
            }
            Err(error) => problem(status(&error), &error.to_string()),
        }
    }

    async fn get_record(&self, name: &Name) -> Response<Body> {
        match self.records.get(name, SystemTime::now()).await {
            Ok(Some(record)) => {
                let mut response = Response::new(full(record.bytes().clone()));
                let kind = HeaderValue::from_static(IPNS_RECORD_TYPE);
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
            Ok(None) => {
                let detail = format!("no valid record of {name} is stored here; PUT one");
                problem(StatusCode::NOT_FOUND, &detail)
            }
            Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }
}

/// The body of a request, which is no longer than a record may be.
async fn record_body(body: Incoming) -> Result<Bytes, Box<Response<Body>>> {
    match Limited::new(body, RECORD_BYTES_MAX).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("a record has at most {RECORD_BYTES_MAX} bytes");
            Err(Box::new(problem(StatusCode::PAYLOAD_TOO_LARGE, &detail)))
        }
        Err(error) => {
            let detail = format!("the record did not come whole: {error}");
            Err(Box::new(problem(StatusCode::BAD_REQUEST, &detail)))
        }
    }
}

fn status(error: &PutError) -> StatusCode {
    match error {
        PutError::Record(_) | PutError::Expired => StatusCode::BAD_REQUEST,
        PutError::Superseded { .. } => StatusCode::CONFLICT,
        PutError::Full(_) | PutError::Store(RecordsError::DiskFull) => {
            StatusCode::INSUFFICIENT_STORAGE
        }
        PutError::Store(RecordsError::Database(_)) => StatusCode::INTERNAL_SERVER_ERROR,
        PutError::Store(RecordsError::Closed) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What a record says; times are seconds, those of the clock since 1970.
fn shown(record: &Record, outcome: &str) -> serde_json::Value {
    let valid_until = record.validity().duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "name": record.name().to_string(),
        "outcome": outcome,
        "value": record.value(),
        "sequence": record.sequence(),
        "valid_until": valid_until.as_secs(),
        "ttl": record.ttl().as_secs(),
    })
}
