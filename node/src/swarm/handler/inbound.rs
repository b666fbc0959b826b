//! Reads length-delimited messages from a stream that a peer opened.
//!
//! The announced length is judged before a byte of the message is buffered, and it is reserved from
//! what the connection may hold, so that many streams cannot hold more than one could.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use libp2p::swarm::Stream;
use tokio::sync::Semaphore;
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
    idle: Duration,
    message: Duration,
}

impl Limits {
    pub(super) fn new(settings: &Settings) -> Self {
        let bytes = settings.inbound_bytes_max.clamp(MESSAGE_BYTES_MAX, u32::MAX as usize);
        Self {
            bytes: Semaphore::new(bytes),
            idle: settings.inbound_idle,
            message: settings.message_read_max,
        }
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
    let read = timeout(limits.idle, stream.read(&mut first)).await;
    match read.map_err(|_| StreamEnd::Idle)? {
        Ok(0) => return Err(StreamEnd::Finished),
        Ok(_) => {}
        Err(_) => return Err(StreamEnd::Broken),
    }
    let rest = async {
        let size = frame_len(stream, first[0]).await?;
        let reserve = u32::try_from(size).expect("a message has at most 4 MiB");
        let _held =
            limits.bytes.acquire_many(reserve).await.expect("the semaphore is never closed");
        let body = body(stream, size).await?;
        wire::decode(body).map_err(|_| StreamEnd::Malformed)
    };
    timeout(limits.message, rest).await.map_err(|_| StreamEnd::Slow)?
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
