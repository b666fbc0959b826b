//! One block, as it is.
//!
//! The bytes go from the store's buffer to the socket without a copy; a range is a slice of them.

use std::ops::Range;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use ipfs::resolve::Resolve;
use ipfs::trustless::{ByteRange, RAW_TYPE};
use ipfs::{Block, Cid};

use crate::outcome::Outcome;
use crate::retrieve::Asked;
use crate::serve::account::Account;
use crate::serve::asked::{Question, attachment};
use crate::serve::{Body, Serve, ServeError, content_headers, is_match};

/// Answers a request for a block, which may lie at the end of a path.
pub(super) async fn answer(
    serve: &Arc<Serve>,
    question: &Question,
    asked: &Asked,
    account: &Account,
) -> Result<Response<Body>, ServeError> {
    let (block, roots) = if question.path.segments.is_empty() {
        let fetched = serve.retrieve.get(&question.path.root, asked).await?;
        account.fetched(&fetched);
        (fetched.block, vec![question.path.root])
    } else {
        let mut resolve = Resolve::new(question.path.root, question.path.segments.clone());
        loop {
            let fetched = serve.retrieve.get(&resolve.need(), asked).await?;
            account.fetched(&fetched);
            // The last one is taken as it is: it need be neither a file nor a folder.
            if resolve.is_last() {
                let terminal = resolve.end(fetched.block)?;
                break (terminal.block, terminal.roots);
            }
            if let Some(terminal) = resolve.feed(fetched.block)? {
                break (terminal.block, terminal.roots);
            }
        }
    };
    respond(question, account, block, &roots)
}

/// Puts a block into a response.
fn respond(
    question: &Question,
    account: &Account,
    block: Block,
    roots: &[Cid],
) -> Result<Response<Body>, ServeError> {
    let cid = *block.cid();
    let etag = format!("\"{cid}.raw\"");
    let headers = account.request_headers();
    let size = block.data().len();
    let mut response = Response::new(Body::default());
    content_headers(response.headers_mut(), question, roots);
    account.cache_status(response.headers_mut());
    let fields = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        fields.insert(header::ETAG, etag);
    }
    if is_match(headers, &etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.extensions_mut().insert(Outcome::NotModified);
        return Ok(response);
    }
    let name = question.filename.clone().unwrap_or_else(|| format!("{cid}.bin"));
    if let Ok(name) = HeaderValue::from_str(&attachment(&name)) {
        fields.insert(header::CONTENT_DISPOSITION, name);
    }
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(RAW_TYPE));
    fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let range = if is_current(headers, &etag) { range(headers, size)? } else { None };
    let mut data = block.into_data();
    if let Some(range) = range {
        let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        if let Ok(text) = HeaderValue::from_str(&text) {
            fields.insert(header::CONTENT_RANGE, text);
        }
        data = data.slice(range);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(data.len()));
    *response.body_mut() = Full::new(data).map_err(|never| match never {}).boxed_unsync();
    Ok(response)
}

/// Whether a range may be given: there is no `If-Range`, or it names this entity tag.
fn is_current(headers: &HeaderMap, etag: &str) -> bool {
    headers.get(header::IF_RANGE).is_none_or(|wanted| wanted.as_bytes() == etag.as_bytes())
}

/// The range that is asked for, cut to the block; the first one of several. A range that does not
/// parse is none, as RFC 9110 has it.
fn range(headers: &HeaderMap, size: usize) -> Result<Option<Range<usize>>, ServeError> {
    let header = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let asked = header.and_then(|text| ByteRange::parse(text).ok().flatten());
    let Some(asked) = asked.filter(|_| size > 0) else { return Ok(None) };
    let length = size as u64;
    let range = asked.within(length).ok_or(ServeError::Range(length))?;
    let index = |at: u64| usize::try_from(at).expect("no more than the block holds");
    Ok(Some(index(range.start)..index(range.end)))
}
