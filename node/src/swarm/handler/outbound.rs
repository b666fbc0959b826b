//! Our stream to the peer: opened when there is something to say, kept until it falls silent.
//!
//! One message is in it at a time, and the next is put together only after it left; so what waits
//! gathers in the engine, where it can still be cancelled.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncWrite, AsyncWriteExt, FutureExt};
use libp2p::swarm::Stream;
use tokio::time::{Instant, Sleep, timeout};

use crate::bitswap::wire;
use crate::bitswap::{Message, ProtocolVersion};

/// Chunks shorter than this are gathered: a small write costs more than a small copy.
const GATHERED_BYTES_MAX: usize = 4 * 1024;
/// Longest wait for a silent stream to close.
const CLOSE_WAIT: Duration = Duration::from_secs(10);
/// Reads of bytes that have no place on this stream before the task yields.
const STRAY_READS_MAX: usize = 16;

/// What the handler is to do or to tell.
#[derive(Debug)]
pub(super) enum Turn {
    /// Open a stream.
    Open,
    /// The message left.
    Sent,
    /// The message is lost.
    Failed,
    /// The stream broke with messages in it that the peer may never have read.
    Lost,
}

/// Our stream to the peer.
pub(super) struct Outbound {
    idle: Duration,
    waiting: Option<Message>,
    state: State,
    /// A stream that fell silent, on its way to be closed.
    closing: Option<BoxFuture<'static, ()>>,
    /// Whether no stream could be opened for the message that waits.
    refused: bool,
}

/// An open stream with nothing to send.
struct Silent {
    stream: Stream,
    version: ProtocolVersion,
    until: Pin<Box<Sleep>>,
}

enum State {
    Closed,
    Opening,
    Open(Silent),
    Writing(BoxFuture<'static, io::Result<(Stream, ProtocolVersion)>>),
}

impl Outbound {
    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, waiting: None, state: State::Closed, closing: None, refused: false }
    }

    /// Whether a message waits or is being written.
    pub(super) fn is_busy(&self) -> bool {
        self.waiting.is_some() || matches!(self.state, State::Writing(_))
    }

    /// Takes a message to send.
    ///
    /// # Errors
    /// Returns it when another one has not left.
    pub(super) fn put(&mut self, message: Message) -> Result<(), Box<Message>> {
        if self.is_busy() {
            return Err(Box::new(message));
        }
        self.waiting = Some(message);
        Ok(())
    }

    pub(super) fn opened(&mut self, mut stream: Stream, version: ProtocolVersion) {
        stream.ignore_for_keep_alive();
        self.state = self.open(stream, version);
    }

    pub(super) fn not_opened(&mut self) {
        self.state = State::Closed;
        self.refused = true;
    }

    fn open(&self, stream: Stream, version: ProtocolVersion) -> State {
        let until = Box::pin(tokio::time::sleep_until(Instant::now() + self.idle));
        State::Open(Silent { stream, version, until })
    }

    /// Moves on as far as possible. `None` means that nothing is to be told before the next wake-up.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Turn> {
        if let Some(closing) = &mut self.closing
            && closing.poll_unpin(cx).is_ready()
        {
            self.closing = None;
        }
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closed if self.waiting.is_none() => None,
            State::Closed if std::mem::take(&mut self.refused) => {
                self.waiting = None;
                Some(Turn::Failed)
            }
            State::Closed => {
                self.state = State::Opening;
                Some(Turn::Open)
            }
            State::Opening => {
                self.state = State::Opening;
                None
            }
            State::Open(Silent { stream, version, until }) => match self.waiting.take() {
                Some(message) => {
                    self.state = State::Writing(write(stream, version, message).boxed());
                    self.poll(cx)
                }
                None => self.poll_silent(cx, Silent { stream, version, until }),
            },
            State::Writing(mut writing) => match writing.poll_unpin(cx) {
                Poll::Pending => {
                    self.state = State::Writing(writing);
                    None
                }
                Poll::Ready(Ok((stream, version))) => {
                    self.state = self.open(stream, version);
                    Some(Turn::Sent)
                }
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "bitswap stream broke while a message was written");
                    Some(Turn::Failed)
                }
            },
        }
    }

    /// Watches a stream with nothing to send for its end, ours or the peer's.
    fn poll_silent(&mut self, cx: &mut Context<'_>, mut open: Silent) -> Option<Turn> {
        let mut stray = [0; 64];
        let mut ended = open.until.poll_unpin(cx).is_ready();
        for read in 1..=STRAY_READS_MAX {
            match Pin::new(&mut open.stream).poll_read(cx, &mut stray) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) if was_reset(cx, &mut open.stream) => return Some(Turn::Lost),
                // The peer is done with this stream; the next message opens another.
                Poll::Ready(Ok(0)) => {
                    ended = true;
                    break;
                }
                // Others of this connection have their turn before the rest is read.
                Poll::Ready(Ok(_)) if read == STRAY_READS_MAX => cx.waker().wake_by_ref(),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "bitswap stream broke while it was silent");
                    return Some(Turn::Lost);
                }
            }
        }
        if ended {
            let mut stream = open.stream;
            let close = async move { timeout(CLOSE_WAIT, stream.close()).await.map_or((), |_| ()) };
            let mut closing = close.boxed();
            self.closing = closing.poll_unpin(cx).is_pending().then_some(closing);
        } else {
            self.state = State::Open(open);
        }
        None
    }
}

/// Whether a stream that reads as ended was reset by the peer. Yamux shows both as an end, but takes
/// no more writes only after a reset; a peer that merely has nothing to say still reads.
fn was_reset(cx: &mut Context<'_>, stream: &mut Stream) -> bool {
    matches!(Pin::new(stream).poll_write(cx, &[]), Poll::Ready(Err(_)))
}

/// Writes one message. Blocks go out of their own buffers; only small pieces are gathered.
async fn write(
    mut stream: Stream,
    version: ProtocolVersion,
    message: Message,
) -> io::Result<(Stream, ProtocolVersion)> {
    let mut gathered = BytesMut::new();
    for chunk in wire::encode(&message, version) {
        if chunk.len() < GATHERED_BYTES_MAX {
            gathered.extend_from_slice(&chunk);
            continue;
        }
        write_both(&mut stream, gathered.split().freeze(), chunk).await?;
    }
    stream.write_all(&gathered).await?;
    stream.flush().await?;
    Ok((stream, version))
}

/// Writes small pieces and the block behind them with as few calls as the stream allows.
async fn write_both(stream: &mut Stream, mut head: Bytes, block: Bytes) -> io::Result<()> {
    while head.has_remaining() {
        let parts = [io::IoSlice::new(&head), io::IoSlice::new(&block)];
        let written = stream.write_vectored(&parts).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        if written > head.len() {
            let of_block = written - head.len();
            return stream.write_all(&block[of_block..]).await;
        }
        head.advance(written);
    }
    stream.write_all(&block).await
}
