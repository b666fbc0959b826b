//! Multiplexes a TCP connection into streams, with bounds that the ready-made wrapper does not offer.
//!
//! The wrapper lets one peer have a gigabyte on its way to us unread, and cuts every write into
//! 16 KiB frames. Here both are settings. What is kept of its design: streams that arrive while
//! nobody takes them are held in a bounded queue.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use yamux::{Connection, ConnectionError, Mode};

use super::config::Config;

/// Bytes of one frame that we send: four noise messages at most, and a fair share of the connection.
const FRAME_BYTES: usize = 64 * 1024;
/// Least window of a stream, by the protocol.
const STREAM_WINDOW: usize = 256 * 1024;
/// Streams that may wait to be taken; a peer stops opening at as many unacknowledged ones.
const WAITING_MAX: usize = 256;

/// How a connection is multiplexed.
#[derive(Debug, Clone)]
pub(super) struct Mux(yamux::Config);

impl Mux {
    pub(super) fn new(config: &Config) -> Self {
        let streams = config.streams_max.max(1);
        let window = usize::try_from(config.receive_window.as_u64()).unwrap_or(usize::MAX);
        let mut yamux = yamux::Config::default();
        // The window is checked against the streams at each step, so it is lifted first.
        yamux.set_max_connection_receive_window(None);
        yamux.set_max_num_streams(streams);
        yamux.set_max_connection_receive_window(Some(
            window.max(streams.saturating_mul(STREAM_WINDOW)),
        ));
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
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    fn new(connection: Connection<C>) -> Self {
        Self { connection, waiting: VecDeque::new(), waker: None }
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
        self.connection.poll_close(cx)
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
