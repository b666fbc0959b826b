//! The signed record of a name, for clients that verify it.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use ipfs::ipns::Record;
use ipfs::trustless::IPNS_RECORD_TYPE;
use ipfs::{Block, Codec};

use super::{NOSNIFF, Rendered, disposition, length, not_modified, plain, rendered};
use crate::classify::Content as Ask;
use crate::stream::Content;

/// Answers with a record, which may be kept for so long.
pub(crate) fn response(record: &Record, ttl: Duration, ask: &Ask) -> Rendered {
    let digest = Block::of(Codec::Raw, record.bytes().clone()).expect("a record is small");
    let etag = plain(&format!("\"{}\"", digest.cid()));
    let cache_control = plain(&format!("public, max-age={}", ttl.as_secs()));
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
