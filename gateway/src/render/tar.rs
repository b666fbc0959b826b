//! TARs: a file or a folder with all that is in it, streamed in the order of the folder.
//!
//! What can be refused is refused before the headers leave: the first part of the archive is made
//! first. A fault further on cuts the stream, so that no archive looks whole that is not.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode, header};
use ipfs::trustless::Format;

use super::{Config, RenderError, Rendered, bounded, disposition, not_modified, plain, rendered};
use crate::blocks::{PullError, Reader};
use crate::classify::Content as Ask;
use crate::resolve::Plan;
use crate::stream::{Content, Pieces, StreamError};

mod archive;
mod entry;

use archive::Archive;

/// How much of an archive is made before the headers leave.
const FIRST_BYTES: usize = 64 * 1024;
/// Smaller pieces are joined to so much: folders of small files are headers and padding by the thousand,
/// and a write to the connection costs more than the bytes.
const JOINED_BYTES: usize = 16 * 1024;

/// Why there is no TAR, or no more of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TarError {
    /// A name that leads out of the folder.
    #[error("{0:?} lies outside of the folder that is archived")]
    Outside(String),
    /// A name that no archive can hold.
    #[error("{0:?} is not a name that an archive can hold")]
    Name(String),
    /// A symbolic link that leads out of the folder.
    #[error("the symbolic link {0:?} leads out of the folder that is archived")]
    Symlink(String),
    /// Something that is neither a file nor a folder.
    #[error("{0:?} is neither a file nor a folder")]
    NotAFile(String),
    /// Folders in folders beyond what is followed.
    #[error("folders are nested deeper than {0}")]
    TooDeep(usize),
    /// A file whose size is not what its root says.
    #[error("{0:?} does not have the size that it claims")]
    Length(String),
    /// A block below it is malformed.
    #[error(transparent)]
    Resolve(#[from] ipfs::resolve::ResolveError),
    /// A folder is malformed.
    #[error(transparent)]
    Listing(#[from] ipfs::unixfs::UnixfsError),
    /// A block could not be had.
    #[error(transparent)]
    Pull(#[from] PullError),
}

impl From<crate::upstream::FetchError> for TarError {
    fn from(error: crate::upstream::FetchError) -> Self {
        TarError::Pull(PullError::Fetch(error))
    }
}

/// Answers with a TAR.
pub(super) async fn response(
    plan: &Plan,
    ask: &Ask,
    reader: Reader,
    config: &Config,
) -> Result<Rendered, RenderError> {
    // Weak: another release may write other headers.
    let etag = plain(&format!("W/\"{}.x-tar\"", plan.terminal));
    if let Some(response) = not_modified(ask, &etag) {
        return Ok(response);
    }
    let mut archive = Archive::new(plan.terminal, reader);
    let mut queue = VecDeque::new();
    let mut bytes = 0;
    let mut is_whole = false;
    while bytes < FIRST_BYTES && !is_whole {
        match archive.next().await? {
            Some(piece) => {
                bytes += piece.len();
                queue.push_back(piece);
            }
            None => is_whole = true,
        }
    }
    archive.begin_streaming();
    let archive = (!is_whole).then_some(archive);
    let pieces = TarPieces { queue, archive, pending: None };
    let content = Content::Pieces(bounded(Box::new(pieces), config));
    let mut response = rendered(ask, StatusCode::OK, etag, content);
    let headers = response.headers_mut();
    let media = HeaderValue::from_static(Format::Tar.media_type());
    headers.insert(header::CONTENT_TYPE, media);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
    let name = format!("{}.tar", plan.terminal);
    let name = ask.filename.as_deref().unwrap_or(&name);
    headers.insert(header::CONTENT_DISPOSITION, disposition::of(name, true));
    Ok(response)
}

type Step = (Archive, Result<Option<Bytes>, TarError>);

struct TarPieces {
    queue: VecDeque<Bytes>,
    archive: Option<Archive>,
    pending: Option<Pin<Box<dyn Future<Output = Step> + Send>>>,
}

impl TarPieces {
    /// The next piece as the archive makes it.
    fn poll_made(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, TarError>>> {
        if let Some(piece) = self.queue.pop_front() {
            return Poll::Ready(Some(Ok(piece)));
        }
        if let Some(mut archive) = self.archive.take() {
            self.pending = Some(Box::pin(async move {
                let piece = archive.next().await;
                (archive, piece)
            }));
        }
        let Some(pending) = &mut self.pending else { return Poll::Ready(None) };
        let (archive, piece) = ready!(pending.as_mut().poll(cx));
        self.pending = None;
        if let Ok(Some(_)) = piece {
            self.archive = Some(archive);
        }
        Poll::Ready(piece.transpose())
    }
}

impl Pieces for TarPieces {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        let mut joined = BytesMut::new();
        loop {
            let made = self.poll_made(cx);
            let piece = match made {
                Poll::Ready(Some(Ok(piece))) => piece,
                // What is there leaves first.
                Poll::Pending | Poll::Ready(None) if !joined.is_empty() => break,
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(StreamError::Tar(error))));
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
            };
            if joined.is_empty() && piece.len() >= JOINED_BYTES {
                return Poll::Ready(Some(Ok(piece)));
            }
            if joined.len() + piece.len() > JOINED_BYTES {
                self.queue.push_front(piece);
                break;
            }
            if joined.capacity() == 0 {
                joined.reserve(JOINED_BYTES);
            }
            joined.extend_from_slice(&piece);
        }
        Poll::Ready(Some(Ok(joined.freeze())))
    }

    fn left(&self) -> Option<u64> {
        None
    }
}
