//! Puts what a path leads to into the form that was asked for: status, headers and content.
//!
//! Nothing is promised before its first bytes are at hand, so that content that cannot be had is
//! answered with a page rather than with a cut body.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arc_swap::ArcSwap;
use bytes::Bytes;
use bytesize::ByteSize;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use ipfs::Cid;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod block;
mod car;
mod codec;
mod disposition;
mod file;
mod html;
mod ipns_record;
mod listing;
mod media;
pub(crate) mod page;
mod preview;
mod redirect;
mod tar;

pub(crate) use ipns_record::response as ipns_record;
pub use page::Config as PagesConfig;
pub(crate) use page::Pages;
pub(crate) use redirect::{to as redirect, to_rule};
pub(crate) use tar::TarError;

use crate::blocks::{PullError, Reader};
use crate::classify::{Content as Ask, Wish, etag_matches};
use crate::resolve::{Fresh, Plan, Shows};
use crate::stream::{Content, Pieces, StreamError};

/// `Cache-Control` of what an immutable path leads to.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=29030400, immutable");
/// `Cache-Control` of listings, which a later release may draw otherwise.
const LISTING: HeaderValue =
    HeaderValue::from_static("public, max-age=604800, stale-while-revalidate=2678400");
/// What pages of content may do in an origin that all content shares.
const SANDBOX: HeaderValue =
    HeaderValue::from_static("sandbox allow-scripts allow-forms allow-popups allow-downloads");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// How answers are drawn.
#[derive(Debug, Clone, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Most entries of a folder that one page lists; it says so when there are more. Default
    /// 100000. Zero lists none.
    pub listing_entries_max: usize,
    /// Whether a block of data is converted when it is wanted in another codec than its own;
    /// otherwise that is refused with 406 (IPIP-524). Default false.
    pub convert_codecs: bool,
    /// Largest file that is served as a file, by its own word; a larger one is refused with 410.
    /// Blocks and CARs of it are served. Default zero, which sets no limit.
    #[schemars(with = "telemetry::config::SizeText")]
    pub file_bytes_max: ByteSize,
    /// Most bytes of one CAR or TAR; the stream is cut beyond. Default zero, which sets no limit.
    #[schemars(with = "telemetry::config::SizeText")]
    pub stream_bytes_max: ByteSize,
    /// Largest file of which ranges are served; of a larger one they are refused with 501, as some
    /// caches ask for the whole of it instead. Default 5 GiB. Zero sets no limit.
    #[schemars(with = "telemetry::config::SizeText")]
    pub range_file_bytes_max: ByteSize,
    /// Whether pages of content in an origin that all content shares run as if each had an origin
    /// of its own, without storage (`Content-Security-Policy: sandbox`). Default false.
    pub sandbox_paths: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listing_entries_max: 100_000,
            convert_codecs: false,
            file_bytes_max: ByteSize::b(0),
            stream_bytes_max: ByteSize::b(0),
            range_file_bytes_max: ByteSize::gib(5),
            sandbox_paths: false,
        }
    }
}

/// How answers are drawn: what is configured, and the pages, which can be reloaded.
pub(crate) struct Render {
    config: Config,
    pages: ArcSwap<Pages>,
    /// What is in force, which the policy tells.
    running: Mutex<crate::config::Config>,
}

impl Render {
    /// The drawing of a configuration.
    ///
    /// # Errors
    /// A text that names the key or the template at fault.
    pub(crate) fn new(config: &crate::config::Config) -> Result<Self, String> {
        let pages = ArcSwap::from_pointee(Pages::new(&config.pages, config)?);
        Ok(Self { config: config.render.clone(), pages, running: Mutex::new(config.clone()) })
    }

    /// The pages that are in use.
    pub(crate) fn pages(&self) -> Arc<Pages> {
        self.pages.load_full()
    }

    /// Draws the pages anew, of what is in force now.
    ///
    /// # Errors
    /// A text that names the key or the template at fault; the pages before stay.
    pub(crate) fn redraw(
        &self,
        change: impl FnOnce(&mut crate::config::Config),
    ) -> Result<(), String> {
        // Held to the end, so that of two changes the later one is told.
        let mut running = self.running.lock();
        let mut changed = running.clone();
        change(&mut changed);
        self.pages.store(Arc::new(Pages::new(&changed.pages, &changed)?));
        *running = changed;
        Ok(())
    }
}

/// The usage policy that follows from a configuration, as `/policy.json` has it.
pub fn policy(config: &crate::config::Config) -> String {
    page::policy_json(config)
}

/// Says what is wrong with the pages of a configuration, if anything.
pub(crate) fn check_pages(config: &crate::config::Config) -> Result<(), String> {
    Pages::new(&config.pages, config).map(drop)
}

/// Why content could not be put into the form that was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenderError {
    /// Its first bytes could not be had.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// A directory is malformed.
    #[error(transparent)]
    Listing(#[from] ipfs::unixfs::UnixfsError),
    /// The range holds no byte of it.
    #[error("the range is outside of the {size} bytes")]
    Range {
        /// The size of the content.
        size: u64,
    },
    /// Its codec has no form for browsers.
    #[error("{cid} has codec 0x{codec:x}, which is only served with ?format=raw or ?format=car")]
    NotAcceptable {
        /// The block.
        cid: Cid,
        /// Its multicodec code.
        codec: u64,
    },
    /// It is of another codec than the one that is wanted.
    #[error(
        "{cid} is {codec}, not {wanted}; this gateway does not convert: ask with ?format=raw and \
         convert it, or without a format"
    )]
    OtherCodec {
        /// The block.
        cid: Cid,
        /// What it is.
        codec: &'static str,
        /// What is wanted.
        wanted: &'static str,
    },
    /// A block of data that is malformed, or cannot be converted.
    #[error("{cid} cannot be read: {source}")]
    Dag {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: ipfs::dag::DagError,
    },
    /// A TAR that would put a file outside of its folder, or is of something else than files.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// A page of a listing beyond those that are drawn.
    #[error("page {0} is beyond those that a listing has")]
    Page(u64),
    /// Only a key of IPNS has a record.
    #[error("only /ipns/{{key}} has a record, without a path behind it")]
    NotAName,
    /// The file is larger than files that are served.
    #[error("{cid} has {size} bytes, and files of at most {limit} are served")]
    TooLarge {
        /// The file.
        cid: Cid,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The file is larger than files of which ranges are served.
    #[error("{cid} has {size} bytes, and ranges are served of files of at most {limit}")]
    TooLargeForRanges {
        /// The file.
        cid: Cid,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The content does not have the size that its root claims.
    #[error("{0} does not have the size that it claims")]
    Length(Cid),
    /// A template could not be filled.
    #[error("a page could not be drawn: {0}")]
    Template(#[from] minijinja::Error),
}

impl From<crate::upstream::FetchError> for RenderError {
    fn from(error: crate::upstream::FetchError) -> Self {
        RenderError::Pull(PullError::Fetch(error))
    }
}

/// An answer before it is streamed.
pub(crate) type Rendered = Response<Content>;

/// Answers a request for content by its plan.
///
/// # Errors
/// [`RenderError`].
pub(crate) async fn response(
    plan: &Plan,
    ask: &Ask,
    reader: Reader,
    render: &Render,
    fresh: &Fresh,
) -> Result<Rendered, RenderError> {
    let config = &render.config;
    let mut rendered = match ask.wish {
        Wish::Raw => block::raw(plan, ask, &reader).await?,
        Wish::Car(options) => car::response(plan, ask, reader, options, config).await?,
        Wish::Tar => tar::response(plan, ask, reader, config).await?,
        Wish::Codec(format) => match codec::wanted(plan, ask, format, config)? {
            Some(codec) => codec::response(plan, ask, &reader, codec, format).await?,
            None => page(plan, ask, reader, render).await?,
        },
        // Answered before a plan is made.
        Wish::IpnsRecord => return Err(RenderError::NotAName),
        Wish::Page => page(plan, ask, reader, render).await?,
    };
    finish(&mut rendered, plan, ask, fresh);
    if config.sandbox_paths && !ask.is_isolated() {
        let policy = HeaderName::from_static("content-security-policy");
        rendered.headers_mut().entry(policy).or_insert(SANDBOX);
    }
    Ok(rendered)
}

/// What a browser shows.
async fn page(
    plan: &Plan,
    ask: &Ask,
    reader: Reader,
    render: &Render,
) -> Result<Rendered, RenderError> {
    match &plan.shows {
        Shows::File { cid, size } => {
            file::response(plan, ask, reader, (*cid, *size), &render.config).await
        }
        Shows::Listing => listing::response(plan, ask, reader, render).await,
        Shows::Slash => Ok(slash(ask)),
        Shows::Symlink(target) => Ok(block::symlink(plan, ask, target)),
        Shows::Block(codec) if ask.html && !ask.download => {
            codec::preview(plan, ask, &reader, (*codec, &render.pages())).await
        }
        Shows::Block(codec) => codec::as_it_is(plan, ask, &reader, *codec).await,
    }
}

/// The headers that every answer with content has.
fn finish(rendered: &mut Rendered, plan: &Plan, ask: &Ask, fresh: &Fresh) {
    let headers = rendered.headers_mut();
    fresh.mark(headers);
    if let Ok(path) = HeaderValue::from_str(&ask.path) {
        headers.insert(HeaderName::from_static("x-ipfs-path"), path);
    }
    headers.insert(HeaderName::from_static("x-ipfs-roots"), plan.ipfs_roots.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    // What is shown as a page instead has no address of the form that was wished for.
    let is_as_wished = !(ask.page_is_fine && matches!(ask.wish, Wish::Codec(_)));
    if ask.negotiated
        && is_as_wished
        && let Some(location) = content_location(ask)
    {
        headers.insert(header::CONTENT_LOCATION, location);
    }
}

/// An answer with the headers that every form has.
fn rendered(ask: &Ask, status: StatusCode, etag: HeaderValue, content: Content) -> Rendered {
    let mut headers = HeaderMap::with_capacity(24);
    headers.insert(header::ETAG, etag);
    headers.insert(header::CACHE_CONTROL, IMMUTABLE);
    let mut response = Response::new(if ask.head { Content::Empty } else { content });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// "Not modified", when the client has this very copy.
fn not_modified(ask: &Ask, etag: &HeaderValue) -> Option<Rendered> {
    let known = ask.if_none_match.as_ref()?;
    etag_matches(known.as_bytes(), etag.as_bytes())
        .then(|| rendered(ask, StatusCode::NOT_MODIFIED, etag.clone(), Content::Empty))
}

/// Sends a browser to the folder's own address, from which relative links work.
fn slash(ask: &Ask) -> Rendered {
    // A path of a site that began with two slashes would lead to another host.
    let path = format!("/{}/", ask.shown_path().trim_start_matches('/'));
    let location = match &ask.query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let location = HeaderValue::from_str(&location).expect("a URL holds visible ASCII only");
    let mut response = Response::new(Content::Empty);
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CACHE_CONTROL, IMMUTABLE);
    response
}

/// The address that gives this form without negotiation.
fn content_location(ask: &Ask) -> Option<HeaderValue> {
    let format = match ask.wish {
        Wish::Page => return None,
        Wish::Raw => "format=raw".to_owned(),
        Wish::Car(options) => options.query(),
        Wish::Tar => "format=tar".to_owned(),
        Wish::Codec(format) => format!("format={}", format.word()),
        Wish::IpnsRecord => "format=ipns-record".to_owned(),
    };
    let path = ask.shown_path();
    let query = ask.query.as_ref().map_or(String::new(), |query| format!("{query}&"));
    HeaderValue::from_str(&format!("{path}?{query}{format}")).ok()
}

/// A stream that is cut when it has more bytes than any may.
fn bounded(pieces: Box<dyn Pieces>, config: &Config) -> Box<dyn Pieces> {
    match config.stream_bytes_max.as_u64() {
        0 => pieces,
        limit => Box::new(Bounded { pieces, left: limit }),
    }
}

struct Bounded {
    pieces: Box<dyn Pieces>,
    left: u64,
}

impl Pieces for Bounded {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        let piece = ready!(self.pieces.poll_piece(cx));
        if let Some(Ok(piece)) = &piece {
            match self.left.checked_sub(piece.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(StreamError::TooLarge))),
            }
        }
        Poll::Ready(piece)
    }

    fn left(&self) -> Option<u64> {
        self.pieces.left()
    }
}

/// A length as a header.
fn length(headers: &mut HeaderMap, bytes: u64) {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
}

/// Text made of CIDs and words of ours, as a header.
fn plain(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("CIDs and words hold visible ASCII only")
}
