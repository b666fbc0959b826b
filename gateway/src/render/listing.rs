//! Folders without an index: a list of their entries, streamed as their blocks come.
//!
//! Nothing below an entry is fetched, and rows are written in batches, so neither the time to the
//! first row nor the memory depends on how many there are. A page ends after so many entries, and
//! leads to the next one.

use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};

use askama::Template;
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderValue, StatusCode};
use ipfs::trustless::Format;
use ipfs::unixfs::listing::Listing;
use ipfs::{Block, Cid, Codec};

use super::html::crumbs;
use super::page::CONTENT_SECURITY_POLICY;
use super::{Config, LISTING, RenderError, Rendered, not_modified, plain, rendered};
use crate::blocks::{Pace, PullError, Reader};
use crate::classify::{Content as Ask, Mount, Wish};
use crate::resolve::Plan;
use crate::stream::{Content, Pieces, StreamError};
use crate::upstream::FetchError;

mod row;

use row::{Look, Row};

/// Bytes of rows that are sent at once.
const BATCH_BYTES: usize = 16 * 1024;

/// A word for how listings are drawn, so that a tag changes with them.
static DRAWN: LazyLock<String> = LazyLock::new(|| {
    let drawn = [
        include_str!("../../templates/base.html"),
        include_str!("../../templates/listing.html"),
        include_str!("listing/row.rs"),
    ];
    let block = Block::of(Codec::Raw, drawn.concat().into()).expect("templates are small");
    let text = block.cid().to_string();
    text[text.len() - 12..].to_owned()
});

#[derive(Template)]
#[template(path = "listing.html")]
struct Head<'a> {
    path: &'a str,
    cid: &'a Cid,
    crumbs: String,
    /// The folder above, on a page of one that has one.
    parent: Option<String>,
    page: u64,
}

/// Answers with the entries of a folder: as a page, or as JSON.
pub(super) async fn response(
    plan: &Plan,
    ask: &Ask,
    reader: Reader,
    config: &Config,
) -> Result<Rendered, RenderError> {
    let page = page(ask);
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
    let etag = plain(&format!("\"DirIndex-{}{which}_CID-{}\"", *DRAWN, plan.terminal));
    let mut response = match not_modified(ask, &etag) {
        Some(response) => response,
        None if ask.head => rendered(ask, StatusCode::OK, etag, Content::Empty),
        None => {
            let listing = Listing::new(&reader.get(plan.terminal).await?)?;
            let pieces = pieces(plan, ask, reader, (listing, look, page), config)?;
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
    headers.insert(
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static(CONTENT_SECURITY_POLICY),
    );
    Ok(response)
}

/// The page that is asked for, from 1; anything else is the first.
fn page(ask: &Ask) -> u64 {
    let pairs = ask.query.as_deref().unwrap_or("").split('&');
    let page = pairs.filter_map(|pair| pair.strip_prefix("page=")).next();
    page.and_then(|page| page.parse().ok()).filter(|page| *page > 0).unwrap_or(1)
}

fn pieces(
    plan: &Plan,
    ask: &Ask,
    reader: Reader,
    (listing, look, page): (Listing, Look, u64),
    config: &Config,
) -> Result<ListingPieces, RenderError> {
    let per_page = config.listing_entries_max as u64;
    let mut folder = ask.shown_path().to_owned();
    if !folder.ends_with('/') {
        folder.push('/');
    }
    let is_root = match ask.mount {
        Mount::Path => is_bare(&folder),
        Mount::Origin { .. } | Mount::Site { .. } => folder == "/",
    };
    let head = match look {
        Look::Html => {
            let parent = (!is_root).then(|| format!("{folder}.."));
            let crumbs = crumbs(ask);
            let shown = percent_encoding::percent_decode_str(ask.shown_path());
            let path = &shown.decode_utf8_lossy();
            Head { path, cid: &plan.terminal, crumbs, parent, page }.render()?
        }
        Look::Json => row::json_head(&ask.path, &plan.terminal, page),
    };
    Ok(ListingPieces {
        row: Row::new(look, folder, ask.mount.clone()),
        listing,
        reader,
        next: Some(head.into()),
        pending: None,
        skip: (page - 1).saturating_mul(per_page),
        left: per_page,
        page,
        ended: false,
        pace: Pace::default(),
    })
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
    /// Whether the end of the page was written.
    ended: bool,
    pace: Pace,
}

impl ListingPieces {
    /// The rows that are known, up to a batch; the end of the page behind the last one.
    fn batch(&mut self) -> Option<Bytes> {
        let mut rows = String::new();
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
            ready!(self.pace.poll_step(cx));
            let reader = self.reader.clone();
            self.pending = Some(Box::pin(async move { reader.get_next(first).await }));
        }
    }

    fn left(&self) -> Option<u64> {
        None
    }
}
