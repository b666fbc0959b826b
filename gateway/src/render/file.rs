//! Files: whole or in a range, in order, as their blocks come.

use std::ops::Range;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ipfs::walk::Walk;
use ipfs::{Cid, Codec};

use super::{
    Config, RenderError, Rendered, disposition, length, media, not_modified, plain, rendered,
};
use crate::blocks::{Pull, Reader};
use crate::classify::Content as Ask;
use crate::resolve::Plan;
use crate::stream::{Content, PIECE_BYTES_MAX, Pieces, StreamError};

/// Answers with a file.
pub(super) async fn response(
    plan: &Plan,
    ask: &Ask,
    reader: Reader,
    (cid, size): (Cid, u64),
    config: &Config,
) -> Result<Rendered, RenderError> {
    let limit = config.file_bytes_max.as_u64();
    if limit > 0 && size > limit {
        return Err(RenderError::TooLarge { cid, size, limit });
    }
    if let Some(response) = not_modified(ask, &plan.etag) {
        return Ok(response);
    }
    let range = wanted_range(plan, ask, size)?;
    let limit = config.range_file_bytes_max.as_u64();
    if range.is_some() && limit > 0 && size > limit {
        return Err(RenderError::TooLargeForRanges { cid, size, limit });
    }
    let bytes = range.clone().unwrap_or(0..size);
    let named = ask.filename.as_deref().or(plan.name.as_deref()).and_then(media::by_name);
    let known = named.or_else(|| plan.content_type.get().cloned());
    let (content, content_type) = match known {
        Some(content_type) if ask.head => (Content::Empty, content_type),
        Some(content_type) => (open(&reader, cid, size, bytes.clone()).await?, content_type),
        None => {
            let content_type = sniff(&reader, cid, size).await?;
            let content_type = plan.content_type.get_or_init(|| content_type).clone();
            (open(&reader, cid, size, bytes.clone()).await?, content_type)
        }
    };
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = rendered(ask, status, plan.etag.clone(), content);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    length(headers, bytes.end - bytes.start);
    if let Some(range) = range {
        let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        headers.insert(header::CONTENT_RANGE, plain(&text));
    }
    // A name in the query must not turn any bytes into a page of an origin that others share.
    let save = ask.download || (ask.filename.is_some() && !ask.is_isolated() && is_active(headers));
    if ask.filename.is_some() || save {
        let cid = plan.terminal.to_string();
        let name = ask.filename.as_deref().or(plan.name.as_deref()).unwrap_or(&cid);
        headers.insert(header::CONTENT_DISPOSITION, disposition::of(name, save));
    }
    Ok(response)
}

/// Whether a browser would run what is in a file of this type.
fn is_active(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
    let media = media.and_then(|media| media.split(';').next()).unwrap_or("");
    media.ends_with("html") || media.ends_with("+xml") || media.ends_with("/xml")
}

/// The range that is to be answered, if one is.
pub(super) fn wanted_range(
    plan: &Plan,
    ask: &Ask,
    size: u64,
) -> Result<Option<Range<u64>>, RenderError> {
    let stale = ask.if_range.as_ref().is_some_and(|known| *known != plan.etag);
    match ask.range {
        // A file without bytes has no range, and nothing to refuse either.
        Some(range) if !stale && size > 0 => {
            Ok(Some(range.within(size).ok_or(RenderError::Range { size })?))
        }
        Some(_) | None => Ok(None),
    }
}

/// The type of a file by its first bytes.
async fn sniff(reader: &Reader, cid: Cid, size: u64) -> Result<HeaderValue, RenderError> {
    let head = 0..size.min(media::SNIFF_BYTES as u64);
    if head.is_empty() {
        return Ok(media::by_content(b""));
    }
    let walk = Walk::file(&cid, Some(head));
    let mut pull = Pull::new(walk, reader.clone());
    let mut bytes = Vec::new();
    while let Some(visit) = pull.next().await {
        bytes.extend_from_slice(&visit?.content);
    }
    Ok(media::by_content(&bytes))
}

/// The content of a file, with its first bytes at hand.
async fn open(
    reader: &Reader,
    cid: Cid,
    size: u64,
    bytes: Range<u64>,
) -> Result<Content, RenderError> {
    // A file of one raw block needs no walk; the most of all files are such.
    if cid.codec() == Codec::Raw {
        let block = reader.get(cid).await?;
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(block.data().len());
        return Ok(Content::Full(block.data().slice(index(bytes.start)..index(bytes.end))));
    }
    let whole = bytes == (0..size);
    let wanted = (!whole).then(|| bytes.clone());
    let mut pull = Pull::new(Walk::file(&cid, wanted), reader.clone());
    let mut left = bytes.end - bytes.start;
    let mut current = Bytes::new();
    while current.is_empty() {
        match pull.next().await {
            Some(visit) => current = visit?.content,
            None => break,
        }
    }
    let at_hand = current.len() as u64;
    if at_hand > left || (at_hand == 0 && left > 0) {
        return Err(RenderError::Length(cid));
    }
    if at_hand == left {
        return Ok(Content::Full(current));
    }
    left = bytes.end - bytes.start;
    pull.begin_streaming();
    Ok(Content::Pieces(Box::new(FilePieces { pull, current, left })))
}

/// The content of a file on its way out.
struct FilePieces {
    pull: Pull,
    /// What is left of the block that is being sent.
    current: Bytes,
    left: u64,
}

impl Pieces for FilePieces {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        while self.current.is_empty() {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            match ready!(self.pull.poll_next(cx)) {
                Some(Ok(visit)) => self.current = visit.content,
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(Some(Err(StreamError::Length))),
            }
        }
        let piece = self.current.split_to(self.current.len().min(PIECE_BYTES_MAX));
        let Some(left) = self.left.checked_sub(piece.len() as u64) else {
            return Poll::Ready(Some(Err(StreamError::Length)));
        };
        self.left = left;
        Poll::Ready(Some(Ok(piece)))
    }

    fn left(&self) -> Option<u64> {
        Some(self.left)
    }
}
