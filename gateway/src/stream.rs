//! The body of an answer on its way out.
//!
//! A body either ends as it was announced or ends with an error, which hyper turns into a cut
//! connection (HTTP/1.1) or a reset stream (HTTP/2): a failure never looks like an end. A body holds
//! what it is about to send and no more; what was fetched ahead waits in the cache.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::accept::{Activity, Progress};
use crate::blocks::PullError;
use crate::render::TarError;
use crate::upstream::Failure;

mod record;

pub(crate) use record::{Asker, Ended, Record, Recorder, Tap};

/// Largest piece that is handed to a connection at once.
pub(crate) const PIECE_BYTES_MAX: usize = 256 * 1024;

/// Why a body was cut.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    /// The content could not be had, or is not what it has to be.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// A directory's blocks are malformed.
    #[error(transparent)]
    Listing(#[from] ipfs::unixfs::UnixfsError),
    /// The content is not as long as was announced.
    #[error("content is not as long as its size says")]
    Length,
    /// An archive cannot go on.
    #[error(transparent)]
    Tar(TarError),
    /// The answer has more bytes than any of its form may.
    #[error("the answer has more bytes than any of its form may")]
    TooLarge,
    /// The answer took longer than any answer may.
    #[error("the answer took longer than any answer may")]
    TooLong,
}

impl StreamError {
    /// Whether the stream came to a block that is denied.
    pub(crate) fn is_denied(&self) -> bool {
        let pull = match self {
            StreamError::Pull(pull) | StreamError::Tar(TarError::Pull(pull)) => pull,
            StreamError::Listing(_)
            | StreamError::Length
            | StreamError::Tar(_)
            | StreamError::TooLarge
            | StreamError::TooLong => return false,
        };
        matches!(pull, PullError::Fetch(error) if error.failure == Failure::Blocked)
    }
}

/// A body that is made while it is sent.
pub(crate) trait Pieces: Send {
    /// The next piece, or `None` at the end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>>;

    /// How many bytes are left, if that is known.
    fn left(&self) -> Option<u64>;
}

/// What is to be sent.
pub(crate) enum Content {
    /// Nothing.
    Empty,
    /// Bytes that are at hand.
    Full(Bytes),
    /// Bytes that come piece by piece.
    Pieces(Box<dyn Pieces>),
}

impl Content {
    /// Whether only the end of the stream tells how long it is.
    pub(crate) fn is_endless(&self) -> bool {
        match self {
            Content::Pieces(pieces) => pieces.left().is_none(),
            Content::Empty | Content::Full(_) => false,
        }
    }
}

/// A body under way, and the record of its request.
pub(crate) struct Body {
    content: Content,
    progress: Option<Progress>,
    record: Record,
}

impl Body {
    /// The body of an answer. The record is written when it is dropped.
    pub(crate) fn new(content: Content, mut record: Record, activity: &Arc<Activity>) -> Self {
        // An empty body is never polled, and is whole for all that.
        let content = match content {
            Content::Full(bytes) if bytes.is_empty() => Content::Empty,
            Content::Empty | Content::Full(_) | Content::Pieces(_) => content,
        };
        let progress = match &content {
            Content::Empty => {
                record.complete();
                None
            }
            Content::Full(_) => None,
            Content::Pieces(_) => Some(Progress::begin(Arc::clone(activity))),
        };
        Self { content, progress, record }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let this = &mut *self;
        let polled = match &mut this.content {
            Content::Empty => Poll::Ready(None),
            Content::Full(bytes) => {
                let piece = bytes.split_to(bytes.len().min(PIECE_BYTES_MAX));
                if bytes.is_empty() {
                    this.content = Content::Empty;
                }
                Poll::Ready(Some(Ok(piece)))
            }
            Content::Pieces(_) if this.record.is_overdue() => {
                Poll::Ready(Some(Err(StreamError::TooLong)))
            }
            Content::Pieces(pieces) => pieces.poll_piece(cx),
        };
        if let Some(progress) = &mut this.progress {
            progress.polled(polled.is_pending());
        }
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(piece))) => {
                this.record.sent(&piece);
                let is_last = match &this.content {
                    Content::Empty => true,
                    Content::Full(_) => false,
                    Content::Pieces(pieces) => pieces.left() == Some(0),
                };
                if is_last {
                    this.content = Content::Empty;
                    this.record.complete();
                }
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Poll::Ready(Some(Err(error))) => {
                this.content = Content::Empty;
                this.record.failed(&error);
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                this.content = Content::Empty;
                this.record.complete();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Pieces(pieces) => {
                pieces.left().map_or_else(SizeHint::default, SizeHint::with_exact)
            }
        }
    }
}
