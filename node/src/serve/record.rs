//! The signed record of an IPNS name, as it was put.
//!
//! It may be kept for as long as its owner says and it is valid, whichever ends first, so a cache never
//! gives one that has expired.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use ipfs::ipns::Record;
use ipfs::trustless::{Format, IPNS_RECORD_TYPE};
use ipfs::{Block, Codec};
use tokio::time::timeout_at;

use crate::outcome::Outcome;
use crate::serve::account::Account;
use crate::serve::asked::{NameQuestion, attachment};
use crate::serve::{Body, Serve, ServeError, answer_headers, is_match};

/// Answers a request for a record.
pub(super) async fn answer(
    serve: &Arc<Serve>,
    question: &NameQuestion,
    deadline: Instant,
    account: &Account,
) -> Result<Response<Body>, ServeError> {
    let now = SystemTime::now();
    let got = timeout_at(deadline.into(), serve.records.get(&question.name, now)).await;
    let record = got.map_err(|_| ServeError::RecordLate)??;
    let record = record.ok_or(ServeError::NoRecord(question.name))?;
    account.found_record();
    let mut response = Response::new(Body::default());
    let etag = etag(&record);
    headers(response.headers_mut(), question, &record, now, &etag);
    account.cache_status(response.headers_mut());
    if is_match(account.request_headers(), &etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.extensions_mut().insert(Outcome::NotModified);
        return Ok(response);
    }
    let bytes = record.bytes().clone();
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(IPNS_RECORD_TYPE));
    let name = format!("{}.ipns-record", question.name);
    let name = question.filename.as_deref().unwrap_or(&name);
    if let Ok(name) = HeaderValue::from_str(&attachment(name)) {
        fields.insert(header::CONTENT_DISPOSITION, name);
    }
    *response.body_mut() = Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
    Ok(response)
}

/// A tag over the bytes of the record.
fn etag(record: &Record) -> String {
    let digest = Block::of(Codec::Raw, record.bytes().clone()).expect("a record is small");
    format!("\"{}\"", digest.cid())
}

fn headers(
    fields: &mut HeaderMap,
    question: &NameQuestion,
    record: &Record,
    now: SystemTime,
    etag: &str,
) {
    answer_headers(fields, &question.path, question.is_negotiated, || {
        format!("format={}", Format::IpnsRecord.word())
    });
    let seconds = record.keep_for(now).as_secs();
    let values = [
        (header::CACHE_CONTROL, format!("public, max-age={seconds}")),
        (header::ETAG, etag.to_owned()),
    ];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            fields.insert(name, value);
        }
    }
}
