//! Multiplexes a TCP connection into streams, with bounds that the ready-made wrapper does not offer.
//!
//! The wrapper lets one peer have a gigabyte on its way to us unread, and cuts every write into
//! 16 KiB frames. Here both are settings. What is kept of its design: streams that arrive while
//! nobody takes them are held in a bounded queue. An orderly close has a deadline, because a peer
//! that stopped reading would make it wait for ever.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite, FutureExt};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use tokio::time::{Sleep, sleep};
use yamux::{Connection, ConnectionError, Mode};

use super::config::{Config, STREAM_WINDOW};

/// Bytes of one frame that we send: four noise messages at most, and a fair share of the connection.
const FRAME_BYTES: usize = 64 * 1024;
/// Streams that may wait to be taken; a peer stops opening at as many unacknowledged ones.
const WAITING_MAX: usize = 256;
/// Longest wait for the peer to take our goodbye; then the socket is dropped with it.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// How a connection is multiplexed.
#[derive(Debug, Clone)]
pub(super) struct Mux(yamux::Config);

impl Mux {
    pub(super) fn new(config: &Config) -> Self {
        let streams = config.streams_max.max(1);
        let window =
            config.receive_window.as_u64().max(STREAM_WINDOW.saturating_mul(streams as u64));
        let mut yamux = yamux::Config::default();
        // The window is checked against the streams at each step, so it is lifted first.
        yamux.set_max_connection_receive_window(None);
        yamux.set_max_num_streams(streams);
        let window = usize::try_from(window).unwrap_or(usize::MAX);
        yamux.set_max_connection_receive_window(Some(window));
        yamux.set_split_send_size(FRAME_BYTES);
        Self(yamux)
    }
}

impl UpgradeInfo for Mux {
    type Info = &'static str;
    type InfoIter = std::iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        std::iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C> for Mux {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;

    fn upgrade_inbound(self, socket: C, _: Self::Info) -> Self::Future {
        ready(Ok(Muxer::new(Connection::new(socket, self.0, Mode::Server))))
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Mux {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;

    fn upgrade_outbound(self, socket: C, _: Self::Info) -> Self::Future {
        ready(Ok(Muxer::new(Connection::new(socket, self.0, Mode::Client))))
    }
}

/// A multiplexed connection.
#[derive(Debug)]
pub(super) struct Muxer<C> {
    connection: Connection<C>,
    waiting: VecDeque<yamux::Stream>,
    /// Of who waits for a stream to arrive.
    waker: Option<Waker>,
    /// Since the close began: when it is given up.
    closing: Option<Pin<Box<Sleep>>>,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    fn new(connection: Connection<C>) -> Self {
        Self { connection, waiting: VecDeque::new(), waker: None, closing: None }
    }

    /// Drives the connection until a stream arrives.
    fn arrival(&mut self, cx: &mut Context<'_>) -> Poll<Result<yamux::Stream, ConnectionError>> {
        self.connection
            .poll_next_inbound(cx)
            .map(|arrived| arrived.unwrap_or(Err(ConnectionError::Closed)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = yamux::Stream;
    type Error = ConnectionError;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        if let Some(stream) = self.waiting.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let arrived = self.arrival(cx);
        if arrived.is_pending() {
            self.waker = Some(cx.waker().clone());
        }
        arrived
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        self.connection.poll_new_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let closed = self.connection.poll_close(cx);
        let closing = self.closing.get_or_insert_with(|| Box::pin(sleep(CLOSE_WAIT)));
        if closed.is_pending() && closing.poll_unpin(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        closed
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        loop {
            match self.arrival(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                // One too many is dropped, which resets it alone.
                Poll::Ready(Ok(stream)) if self.waiting.len() >= WAITING_MAX => drop(stream),
                Poll::Ready(Ok(stream)) => {
                    self.waiting.push_back(stream);
                    if let Some(waker) = self.waker.take() {
                        waker.wake();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::poll_fn;

    use super::*;

    /// A peer that takes nothing and says nothing.
    struct Stuck;

    impl AsyncRead for Stuck {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Stuck {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn close_does_not_wait_for_a_peer_that_reads_nothing() {
        let mux = Mux::new(&Config::default());
        let mut muxer = mux.upgrade_outbound(Stuck, "").await.expect("a muxer");
        let closed = poll_fn(|cx| Pin::new(&mut muxer).poll_close(cx));
        let closed = tokio::time::timeout(CLOSE_WAIT * 2, closed).await;
        assert!(closed.expect("in time").is_ok());
    }
}
