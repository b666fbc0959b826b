//! The signed record of a name, for clients that verify it.

use std::time::{Duration, SystemTime};

use http::{HeaderValue, StatusCode, header};
use ipfs::ipns::Record;
use ipfs::trustless::IPNS_RECORD_TYPE;
use ipfs::{Block, Codec};

use super::{NOSNIFF, Rendered, disposition, length, not_modified, plain, rendered};
use crate::classify::Content as Ask;
use crate::stream::Content;

/// Answers with a record. It may be kept for its time to live, and no longer than it is valid.
pub(crate) fn response(record: &Record, ask: &Ask) -> Rendered {
    let digest = Block::of(Codec::Raw, record.bytes().clone()).expect("a record is small");
    let etag = plain(&format!("\"{}\"", digest.cid()));
    let valid = record.validity().duration_since(SystemTime::now()).unwrap_or(Duration::ZERO);
    let seconds = record.ttl().min(valid).as_secs();
    let cache_control = plain(&format!("public, max-age={seconds}"));
    let mut response = not_modified(ask, &etag).unwrap_or_else(|| {
        let bytes = record.bytes().clone();
        let size = bytes.len() as u64;
        let mut response = rendered(ask, StatusCode::OK, etag, Content::Full(bytes));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(IPNS_RECORD_TYPE));
        length(headers, size);
        let name = format!("{}.ipns-record", record.name());
        let name = ask.filename.as_deref().unwrap_or(&name);
        headers.insert(header::CONTENT_DISPOSITION, disposition::of(name, true));
        response
    });
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, cache_control);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}
