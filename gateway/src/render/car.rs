//! CARs: the blocks of the path, then those of the DAG below it, for clients that verify.
//!
//! The length of a CAR is not known before it ends, so only a cut connection can tell that it is
//! not whole.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use ipfs::trustless::CarOptions;
use ipfs::walk::Walk;
use ipfs::{Block, Codec, car};

use super::{RenderError, Rendered, disposition, not_modified, plain, rendered};
use crate::blocks::{Pull, Reader};
use crate::classify::Content as Ask;
use crate::resolve::Plan;
use crate::stream::{Content, Pieces, StreamError};

/// Answers with a CAR.
pub(super) async fn response(
    plan: &Plan,
    ask: &Ask,
    reader: Reader,
    options: CarOptions,
) -> Result<Rendered, RenderError> {
    let etag = etag(plan, &options);
    if let Some(response) = not_modified(ask, &etag) {
        return Ok(response);
    }
    let mut queue = VecDeque::from([Bytes::from(car::header(&[plan.terminal]))]);
    for cid in &plan.way {
        enqueue(&mut queue, reader.get(*cid).await?);
    }
    let mut pull = Pull::new(Walk::new(&plan.terminal, &options), reader);
    // The terminal block, so that content that cannot be had is answered with a page.
    if let Some(visit) = pull.next().await {
        enqueue(&mut queue, visit?.block);
    }
    pull.begin_streaming();
    let content = Content::Pieces(Box::new(CarPieces { pull, queue }));
    let mut response = rendered(ask, StatusCode::OK, etag, content);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, plain(&options.content_type()));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
    let name = match ask.path.trim_end_matches('/').rsplit_once('/') {
        Some((_, last)) if !plan.way.is_empty() => format!("{}_{last}.car", plan.root),
        Some(_) | None => format!("{}.car", plan.root),
    };
    let name = ask.filename.as_deref().unwrap_or(&name);
    headers.insert(header::CONTENT_DISPOSITION, disposition::of(name, true));
    Ok(response)
}

/// A weak tag: the same blocks may come in another order from another release.
fn etag(plan: &Plan, options: &CarOptions) -> HeaderValue {
    let asked = format!("{}?{}", plan.ipfs_path.to_str().unwrap_or(""), options.query());
    let digest = Block::of(Codec::Raw, asked.into()).expect("a path is smaller than a block");
    let digest = digest.cid().to_string();
    plain(&format!("W/\"{}.car.{}\"", plan.root, &digest[digest.len() - 16..]))
}

/// Puts a block in line, unless its CID holds it already.
fn enqueue(queue: &mut VecDeque<Bytes>, block: Block) {
    if block.cid().identity_data().is_none() {
        queue.push_back(car::section_prefix(block.cid(), block.data().len()).into());
        queue.push_back(block.into_data());
    }
}

struct CarPieces {
    pull: Pull,
    queue: VecDeque<Bytes>,
}

impl Pieces for CarPieces {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        loop {
            if let Some(piece) = self.queue.pop_front() {
                if piece.is_empty() {
                    continue;
                }
                return Poll::Ready(Some(Ok(piece)));
            }
            match ready!(self.pull.poll_next(cx)) {
                Some(Ok(visit)) if visit.fresh => enqueue(&mut self.queue, visit.block),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn left(&self) -> Option<u64> {
        None
    }
}
