//! Answers of one block: raw for clients that verify, and the target of a symbolic link.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use ipfs::trustless::RAW_TYPE;

use super::{RenderError, Rendered, disposition, length, not_modified, plain, rendered};
use crate::blocks::Reader;
use crate::classify::Content as Ask;
use crate::resolve::Plan;
use crate::stream::Content;

/// The terminal block, to be verified by the client.
pub(super) async fn raw(plan: &Plan, ask: &Ask, reader: &Reader) -> Result<Rendered, RenderError> {
    let etag = plain(&format!("\"{}.raw\"", plan.terminal));
    let name = format!("{}.bin", plan.terminal);
    let media = HeaderValue::from_static(RAW_TYPE);
    let mut response = whole(plan, ask, reader, etag, media).await?;
    let name = ask.filename.as_deref().unwrap_or(&name);
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition::of(name, true));
    Ok(response)
}

/// A symbolic link, which is shown and never followed: it may point out of its root.
pub(super) fn symlink(plan: &Plan, ask: &Ask, target: &str) -> Rendered {
    if let Some(response) = not_modified(ask, &plan.etag) {
        return response;
    }
    let content = Content::Full(Bytes::copy_from_slice(target.as_bytes()));
    let mut response = rendered(ask, StatusCode::OK, plan.etag.clone(), content);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("inode/symlink"));
    length(headers, target.len() as u64);
    response
}

/// The bytes of the terminal block, or a range of them.
pub(super) async fn whole(
    plan: &Plan,
    ask: &Ask,
    reader: &Reader,
    etag: HeaderValue,
    media: HeaderValue,
) -> Result<Rendered, RenderError> {
    if let Some(response) = not_modified(ask, &etag) {
        return Ok(response);
    }
    let block = reader.get(plan.terminal).await?;
    ranged(ask, block.into_data(), etag, media)
}

/// These bytes, or a range of them.
pub(super) fn ranged(
    ask: &Ask,
    data: Bytes,
    etag: HeaderValue,
    media: HeaderValue,
) -> Result<Rendered, RenderError> {
    let size = data.len() as u64;
    let stale = ask.if_range.as_ref().is_some_and(|known| *known != etag);
    let range = match ask.range {
        Some(range) if !stale && size > 0 => {
            Some(range.within(size).ok_or(RenderError::Range { size })?)
        }
        Some(_) | None => None,
    };
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let bytes = range.clone().unwrap_or(0..size);
    let index = |at: u64| usize::try_from(at).expect("no more than a block holds");
    let data = data.slice(index(bytes.start)..index(bytes.end));
    let mut response = rendered(ask, status, etag, Content::Full(data));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    length(headers, bytes.end - bytes.start);
    if let Some(range) = range {
        let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        headers.insert(header::CONTENT_RANGE, plain(&text));
    }
    Ok(response)
}
