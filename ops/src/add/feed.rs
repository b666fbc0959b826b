//! The body of an upload, filled from another thread.
//!
//! A feed that is dropped before [`Sink::finish`] ends in an error, so that the node sees a cut
//! upload as cut and stores nothing of it. At most [`PIECES_MAX`] pieces of at most one block wait.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use ipfs::{Block, car};
use tokio::sync::mpsc;

/// Pieces that wait to be sent.
const PIECES_MAX: usize = 16;
/// Below this many bytes a piece is copied together with its neighbours.
const SMALL_BYTES: usize = 32 * 1024;
/// Bytes that small pieces are gathered to.
const GATHER_BYTES: usize = 128 * 1024;

/// The upload ended before all of it was given.
#[derive(Debug, thiserror::Error)]
#[error("the upload was given up")]
pub(crate) struct Cut;

/// The upload's other end has gone.
#[derive(Debug)]
pub(crate) struct Gone;

enum Piece {
    Bytes(Bytes),
    End,
}

/// The body.
pub(crate) struct Feed {
    pieces: mpsc::Receiver<Piece>,
    ended: bool,
}

/// The end into which a CAR is written.
pub(crate) struct Sink {
    pieces: mpsc::Sender<Piece>,
    gathered: BytesMut,
}

/// A body and its other end.
pub(crate) fn feed() -> (Sink, Feed) {
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    (Sink { pieces: sender, gathered: BytesMut::new() }, Feed { pieces, ended: false })
}

impl Sink {
    /// Writes the header of the CAR.
    pub(crate) fn header(&mut self, roots: &[ipfs::Cid]) {
        self.gathered.extend_from_slice(&car::header(roots));
    }

    /// Writes a block; waits while too much is unsent.
    pub(crate) fn block(&mut self, block: &Block) -> Result<(), Gone> {
        let data = block.data();
        self.gathered.extend_from_slice(&car::section_prefix(block.cid(), data.len()));
        if data.len() < SMALL_BYTES {
            self.gathered.extend_from_slice(data);
            if self.gathered.len() < GATHER_BYTES {
                return Ok(());
            }
            return self.flush();
        }
        self.flush()?;
        self.send(Piece::Bytes(data.clone()))
    }

    /// Ends the CAR.
    pub(crate) fn finish(mut self) -> Result<(), Gone> {
        self.flush()?;
        self.send(Piece::End)
    }

    fn flush(&mut self) -> Result<(), Gone> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let bytes = self.gathered.split().freeze();
        self.send(Piece::Bytes(bytes))
    }

    fn send(&self, piece: Piece) -> Result<(), Gone> {
        self.pieces.blocking_send(piece).map_err(|_| Gone)
    }
}

impl http_body::Body for Feed {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.pieces.poll_recv(context)) {
            Some(Piece::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::End) => {
                self.ended = true;
                None
            }
            None => {
                self.ended = true;
                Some(Err(Cut))
            }
        })
    }
}
