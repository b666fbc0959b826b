//! Reads length-delimited messages from a stream that a peer opened.
//!
//! The announced length is judged before a byte of the message is buffered, and it is reserved from
//! what the connection may hold, so that many streams cannot hold more than one could; and then from
//! what all connections may hold, so that neither can many peers.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use libp2p::swarm::Stream;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::Settings;
use crate::bitswap::Received;
use crate::bitswap::wire::{self, MESSAGE_BYTES_MAX};
use crate::swarm::metrics::StreamEnd;

/// What is allocated before the peer has sent that much itself.
const FIRST_BYTES: usize = 64 * 1024;
/// Longest wait for the peer to take our end of a finished stream.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// What the incoming streams of one connection share.
#[derive(Debug)]
pub(super) struct Limits {
    bytes: Semaphore,
    settings: Arc<Settings>,
}

/// A budget of bytes that fits one message at least.
pub(super) fn budget(bytes: u64) -> Semaphore {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    Semaphore::new(bytes.clamp(MESSAGE_BYTES_MAX, u32::MAX as usize))
}

impl Limits {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self { bytes: budget(settings.inbound_bytes_max), settings }
    }

    /// Waits until a message of this size may be held, by this connection and by all.
    async fn reserve(&self, size: usize) -> (SemaphorePermit<'_>, SemaphorePermit<'_>) {
        let size = u32::try_from(size).expect("a message has at most 4 MiB");
        let own = self.bytes.acquire_many(size).await.expect("it is never closed");
        let shared = self.settings.inbound_bytes.acquire_many(size).await;
        (own, shared.expect("it is never closed"))
    }
}

/// How one reading ended.
pub(super) enum Read {
    /// A message, and the stream to read the next one from.
    Message(Stream, Box<Received>),
    /// The stream is done.
    End(StreamEnd),
}

/// Reads one message.
pub(super) fn read(stream: Stream, limits: Arc<Limits>) -> BoxFuture<'static, Read> {
    async move {
        let mut stream = stream;
        match message(&mut stream, &limits).await {
            Ok(message) => Read::Message(stream, Box::new(message)),
            Err(StreamEnd::Finished) => {
                // The peer has what it wanted; whether it takes our goodbye does not matter.
                timeout(CLOSE_WAIT, stream.close()).await.ok();
                Read::End(StreamEnd::Finished)
            }
            Err(why) => Read::End(why),
        }
    }
    .boxed()
}

async fn message(stream: &mut Stream, limits: &Limits) -> Result<Received, StreamEnd> {
    let mut first = [0];
    let read = timeout(limits.settings.inbound_idle, stream.read(&mut first)).await;
    match read.map_err(|_| StreamEnd::Idle)? {
        Ok(0) => return Err(StreamEnd::Finished),
        Ok(_) => {}
        Err(_) => return Err(StreamEnd::Broken),
    }
    let rest = async {
        let size = frame_len(stream, first[0]).await?;
        let _held = limits.reserve(size).await;
        let body = body(stream, size).await?;
        wire::decode(body).map_err(|_| StreamEnd::Malformed)
    };
    timeout(limits.settings.message_read_max, rest).await.map_err(|_| StreamEnd::Slow)?
}

/// Reads the length prefix, of which the first byte is there. It is read byte by byte, so that
/// nothing behind it has to be kept.
async fn frame_len(stream: &mut Stream, first: u8) -> Result<usize, StreamEnd> {
    let mut prefix = [first, 0, 0, 0];
    for have in 1..=prefix.len() {
        match wire::frame_len(&prefix[..have]) {
            Ok(Some((_, size))) => return Ok(size),
            Ok(None) if have < prefix.len() => {
                let next = &mut prefix[have..=have];
                stream.read_exact(next).await.map_err(|_| StreamEnd::Broken)?;
            }
            Ok(None) | Err(_) => return Err(StreamEnd::TooLong),
        }
    }
    Err(StreamEnd::TooLong)
}

async fn body(stream: &mut Stream, size: usize) -> Result<Bytes, StreamEnd> {
    let mut body = BytesMut::zeroed(size.min(FIRST_BYTES));
    stream.read_exact(&mut body).await.map_err(|_| StreamEnd::Broken)?;
    if size > FIRST_BYTES {
        body.resize(size, 0);
        stream.read_exact(&mut body[FIRST_BYTES..]).await.map_err(|_| StreamEnd::Broken)?;
    }
    Ok(body.freeze())
}

#[cfg(test)]
mod tests {
    use bytesize::ByteSize;
    use futures::FutureExt;
    use telemetry::metrics::Registry;

    use super::*;
    use crate::swarm::config::Config;
    use crate::swarm::metrics::Metrics;

    #[test]
    fn many_connections_hold_no_more_together_than_all_may() {
        let config = Config {
            inbound_bytes_max: ByteSize::mib(16),
            inbound_bytes_total: ByteSize::mib(20),
            ..Config::default()
        };
        let settings = Arc::new(Settings::new(&config, Metrics::new(&Registry::new())));
        let connections: Vec<_> = (0..25).map(|_| Limits::new(settings.clone())).collect();
        let reserve = |limits| Limits::reserve(limits, MESSAGE_BYTES_MAX).now_or_never();
        let held: Vec<_> = connections.iter().filter_map(reserve).collect();
        assert_eq!(held.len(), 5, "of 4 MiB each");
    }
}
