//! CARs: the blocks of the path, then those of the DAG below it, for clients that verify.
//!
//! The length of a CAR is not known before it ends, so only a cut connection can tell that it is
//! not whole.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use ipfs::trustless::CarOptions;
use ipfs::walk::Walk;
use ipfs::{Block, Cid, Codec, car};

use super::{Config, RenderError, Rendered, bounded, disposition, not_modified, plain, rendered};
use crate::blocks::{Pull, PullError, Reader};
use crate::classify::Content as Ask;
use crate::resolve::Plan;
use crate::stream::{Content, Pieces, StreamError};
use crate::upstream::FetchError;

/// How much of a CAR is gathered before the headers leave, if it is at hand.
const FIRST_BYTES: usize = 64 * 1024;

/// Answers with a CAR.
pub(super) async fn response(
    plan: &Plan,
    ask: &Ask,
    reader: Reader,
    options: CarOptions,
    config: &Config,
) -> Result<Rendered, RenderError> {
    let etag = etag(plan, &options);
    if let Some(response) = not_modified(ask, &etag) {
        return Ok(response);
    }
    let queue = VecDeque::from([Bytes::from(car::header(&[plan.terminal]))]);
    let mut pull = Pull::new(Walk::new(&plan.terminal, &options), reader.clone());
    // The terminal block, so that content that cannot be had is answered with a page.
    let terminal = match pull.next().await {
        Some(visit) => Some(visit?.block),
        None => None,
    };
    pull.begin_streaming();
    // The way may have more blocks than one request may hold, so they come one by one as well.
    let way = plan.way.clone().into_iter();
    let mut pieces = CarPieces { reader, way, pending: None, terminal, pull, queue };
    pieces.gather().await?;
    let content = Content::Pieces(bounded(Box::new(pieces), config));
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
    let asked = format!("{}?{}", plan.path, options.query());
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

type Pending = Pin<Box<dyn Future<Output = Result<Block, FetchError>> + Send>>;

struct CarPieces {
    reader: Reader,
    /// Blocks from the root to the terminal that are still to be sent.
    way: std::vec::IntoIter<Cid>,
    pending: Option<Pending>,
    /// The terminal, until it is its turn.
    terminal: Option<Block>,
    pull: Pull,
    queue: VecDeque<Bytes>,
}

impl CarPieces {
    /// Takes the first blocks that are at hand, so that what can be refused without waiting is
    /// refused before the headers leave.
    async fn gather(&mut self) -> Result<(), PullError> {
        let mut bytes = 0;
        while bytes < FIRST_BYTES {
            let polled = poll_fn(|cx| match self.poll_block(cx) {
                Poll::Ready(block) => Poll::Ready(Some(block)),
                Poll::Pending => Poll::Ready(None),
            });
            let Some(Some(block)) = polled.await else { break };
            let block = block?;
            bytes += block.data().len();
            enqueue(&mut self.queue, block);
        }
        Ok(())
    }

    /// The next block, first of the way, then of the DAG below it.
    fn poll_block(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Block, PullError>>> {
        loop {
            if let Some(pending) = &mut self.pending {
                let got = ready!(pending.as_mut().poll(cx));
                self.pending = None;
                return Poll::Ready(Some(got.map_err(PullError::from)));
            }
            if let Some(cid) = self.way.next() {
                let reader = self.reader.clone();
                self.pending = Some(Box::pin(async move { reader.get_next(cid).await }));
                continue;
            }
            if let Some(terminal) = self.terminal.take() {
                return Poll::Ready(Some(Ok(terminal)));
            }
            match ready!(self.pull.poll_next(cx)) {
                Some(Ok(visit)) if visit.fresh => return Poll::Ready(Some(Ok(visit.block))),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
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
            match ready!(self.poll_block(cx)) {
                Some(Ok(block)) => enqueue(&mut self.queue, block),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn left(&self) -> Option<u64> {
        None
    }
}
