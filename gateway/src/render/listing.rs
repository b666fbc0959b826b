//! Folders without an index: a list of their entries, streamed as their blocks come.
//!
//! Nothing below an entry is fetched, and rows are written in batches, so neither the time to the
//! first row nor the memory depends on how many there are. A page ends after so many entries, and
//! leads to the next one.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderValue, StatusCode};
use ipfs::Block;
use ipfs::trustless::Format;
use ipfs::unixfs::listing::Listing;

use super::html::crumbs;
use super::page::{CONTENT_SECURITY_POLICY, Pages};
use super::{LISTING, Render, RenderError, Rendered, not_modified, plain, rendered};
use crate::blocks::{Pace, PullError, Reader};
use crate::classify::{Content as Ask, Mount, Wish};
use crate::resolve::Plan;
use crate::stream::{Content, Pieces, StreamError};
use crate::upstream::FetchError;

mod frame;
mod row;

pub(super) use frame::try_draw;
use frame::{Ends, Frame};
use row::{Look, Row};

/// Most entries that may stand before a page: each is read to be passed over.
const SKIPPED_MAX: u64 = 10_000_000;
/// Most shards that one page reads: a folder of strangers may lead on and on to the same ones.
const SHARDS_MAX: u32 = 200_000;
/// Bytes of rows that are sent at once.
const BATCH_BYTES: usize = 16 * 1024;
/// What most rows have at most; a longer one moves its batch.
const ROW_BYTES: usize = 1024;

/// Answers with the entries of a folder: as a page, or as JSON.
pub(super) async fn response(
    plan: &Plan,
    ask: &Ask,
    reader: Reader,
    render: &Render,
) -> Result<Rendered, RenderError> {
    let page = page(ask);
    let per_page = render.config.listing_entries_max as u64;
    let skip = (page - 1).saturating_mul(per_page);
    if skip > SKIPPED_MAX {
        return Err(RenderError::Page(page));
    }
    let pages = render.pages();
    let look = match ask.wish {
        Wish::Codec(Format::Json) => Look::Json,
        Wish::Codec(_) | Wish::Page | Wish::Raw | Wish::Car(_) | Wish::Tar | Wish::IpnsRecord => {
            Look::Html
        }
    };
    let which = match (look, page) {
        (Look::Html, 1) => String::new(),
        (Look::Html, page) => format!("-{page}"),
        (Look::Json, page) => format!("-json-{page}"),
    };
    let etag = plain(&format!("\"DirIndex-{}{which}_CID-{}\"", pages.drawn(), plan.terminal));
    let mut response = match not_modified(ask, &etag) {
        Some(response) => response,
        None if ask.head => rendered(ask, StatusCode::OK, etag, Content::Empty),
        None => {
            let listing = Listing::new(&reader.get(plan.terminal).await?)?;
            let (row, head) = begin(plan, ask, &pages, (look, page))?;
            let pieces = ListingPieces {
                row,
                listing,
                reader,
                next: Some(head.into()),
                pending: None,
                skip,
                left: per_page,
                page,
                shards: 0,
                ended: false,
                pace: Pace::default(),
            };
            rendered(ask, StatusCode::OK, etag, Content::Pieces(Box::new(pieces)))
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, LISTING);
    let media = match look {
        Look::Html => "text/html; charset=utf-8",
        Look::Json => "application/json",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(HeaderName::from_static("content-security-policy"), CONTENT_SECURITY_POLICY);
    Ok(response)
}

/// The page that is asked for, from 1; anything else is the first.
fn page(ask: &Ask) -> u64 {
    let pairs = ask.query.as_deref().unwrap_or("").split('&');
    let page = pairs.filter_map(|pair| pair.strip_prefix("page=")).next();
    page.and_then(|page| page.parse().ok()).filter(|page| *page > 0).unwrap_or(1)
}

/// What writes the rows, and what stands before them.
fn begin(
    plan: &Plan,
    ask: &Ask,
    pages: &Pages,
    (look, page): (Look, u64),
) -> Result<(Row, String), RenderError> {
    // One slash, or the links would lead to another host.
    let mut folder = format!("/{}", ask.shown_path().trim_start_matches('/'));
    if !folder.ends_with('/') {
        folder.push('/');
    }
    let is_root = match ask.mount {
        Mount::Path => is_bare(&folder),
        Mount::Origin { .. } | Mount::Site { .. } => folder == "/",
    };
    let (head, ends) = match look {
        Look::Html => {
            let parent = (!is_root).then(|| format!("{folder}.."));
            let cid = plan.terminal.to_string();
            let shown = percent_encoding::percent_decode_str(ask.shown_path());
            let path = &shown.decode_utf8_lossy();
            let frame = Frame::new(path, &cid, crumbs(ask), parent, page);
            frame.draw(pages.look(), matches!(ask.mount, Mount::Path))?
        }
        Look::Json => (row::json_head(&ask.path, &plan.terminal, page), Ends::default()),
    };
    Ok((Row::new(look, folder, ask.mount.clone(), ends), head))
}

/// Whether a path has nothing below its root.
fn is_bare(path: &str) -> bool {
    path.split('/').filter(|segment| !segment.is_empty()).count() == 2
}

type Pending = Pin<Box<dyn Future<Output = Result<Block, FetchError>> + Send>>;

struct ListingPieces {
    row: Row,
    listing: Listing,
    reader: Reader,
    next: Option<Bytes>,
    pending: Option<Pending>,
    /// How many entries belong to pages before.
    skip: u64,
    /// How many entries may still be listed.
    left: u64,
    page: u64,
    /// How many shards were read.
    shards: u32,
    /// Whether the end of the page was written.
    ended: bool,
    pace: Pace,
}

impl ListingPieces {
    /// The rows that are known, up to a batch; the end of the page behind the last one.
    fn batch(&mut self) -> Option<Bytes> {
        // With room for the last row and the end of the page, so that it does not move while it grows.
        let mut rows = String::with_capacity(BATCH_BYTES + ROW_BYTES);
        while rows.len() < BATCH_BYTES {
            let Some(entry) = self.listing.next_entry() else { break };
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            if self.left == 0 {
                self.row.end(&mut rows, Some(self.page + 1));
                self.ended = true;
                return Some(rows.into());
            }
            self.left -= 1;
            self.row.write(&mut rows, &entry);
        }
        if self.listing.is_done() {
            self.ended = true;
            self.row.end(&mut rows, None);
        }
        (!rows.is_empty()).then(|| rows.into())
    }
}

impl Pieces for ListingPieces {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        if let Some(head) = self.next.take() {
            return Poll::Ready(Some(Ok(head)));
        }
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            if let Some(pending) = &mut self.pending {
                let got = ready!(pending.as_mut().poll(cx));
                self.pending = None;
                let fed = got
                    .map_err(|error| StreamError::Pull(PullError::Fetch(error)))
                    .and_then(|block| Ok(self.listing.feed(&block)?));
                if let Err(error) = fed {
                    return Poll::Ready(Some(Err(error)));
                }
            }
            if let Some(rows) = self.batch() {
                return Poll::Ready(Some(Ok(rows)));
            }
            let Some(first) = self.listing.need() else { continue };
            self.shards += 1;
            if self.shards > SHARDS_MAX {
                return Poll::Ready(Some(Err(StreamError::TooLarge)));
            }
            ready!(self.pace.poll_step(cx));
            let reader = self.reader.clone();
            self.pending = Some(Box::pin(async move { reader.get_next(first).await }));
        }
    }

    fn left(&self) -> Option<u64> {
        None
    }
}
