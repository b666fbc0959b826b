//! A connection to one peer, without a swarm: what a probe needs of libp2p and no more.
//!
//! One connection, a few streams, each read to a bound. The connection makes progress only while
//! something is waited for, which is all a probe does with it. Deadlines are the caller's, but for the
//! one of the handshake.

use std::time::Duration;

use bytes::Bytes;
use futures::future::poll_fn;
use futures::stream::FuturesUnordered;
use futures::task::Poll;
use futures::{AsyncReadExt, AsyncWriteExt, Future, StreamExt};
use ipfs::Cid;
use libp2p::core::Transport as _;
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt as _, SubstreamBox};
use libp2p::core::transport::{Boxed, DialOpts, PortUse};
use libp2p::core::upgrade::Version;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::identity::{Keypair, PublicKey};
use libp2p::{PeerId, dns, noise, quic, tcp, yamux};
use multistream_select::{Negotiated, dialer_select_proto, listener_select_proto};

use super::outcome::{Fault, wrong};

mod wire;

use wire::Answer;

/// The protocol by which blocks are wanted.
pub(super) const BITSWAP: &str = "/ipfs/bitswap/1.2.0";
const IDENTIFY: &str = "/ipfs/id/1.0.0";
/// Longest message that is read: two blocks and what is around them.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest answer of identify.
const IDENTITY_BYTES_MAX: usize = 64 * 1024;
/// Streams of the peer that are read at a time; further ones are dropped.
const STREAMS_MAX: usize = 16;
/// Messages of one stream that are read.
const MESSAGES_MAX: usize = 64;

/// Who a peer says that it is.
#[derive(Debug)]
pub(super) struct Identity {
    /// Of its key.
    pub(super) peer: PeerId,
    /// Its program.
    pub(super) agent: String,
    /// What it speaks.
    pub(super) protocols: Vec<String>,
    /// How long that was.
    pub(super) bytes: u64,
}

/// A connection to a peer.
pub(super) struct Peer {
    id: PeerId,
    muxer: StreamMuxerBox,
    /// It holds the socket of QUIC.
    _transport: Boxed<(PeerId, StreamMuxerBox)>,
}

impl Peer {
    /// Dials a peer by TCP or QUIC, under a key that is used once.
    ///
    /// # Errors
    /// [`Fault::Wrong`] for what is no such address, [`Fault::NoAnswer`] for no connection.
    pub(super) async fn dial(address: &str, within: Duration) -> Result<Self, Fault> {
        let whole: Multiaddr = address
            .parse()
            .map_err(|error| Fault::Wrong(format!("{address:?} is no address: {error}")))?;
        let away = |error: &dyn std::fmt::Display| {
            Fault::NoAnswer(format!("could not dial {address}: {error}"))
        };
        let mut transport =
            transport_of(&Keypair::generate_ed25519(), within).map_err(|error| away(&error))?;
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let dialling = transport.dial(whole, options).map_err(|error| away(&error))?;
        let connected = tokio::time::timeout(within, dialling).await;
        let connected = connected.map_err(|_| away(&"no answer in time"))?;
        let (id, muxer) = connected.map_err(|error| away(&telemetry::why(&error)))?;
        Ok(Self { id, muxer, _transport: transport })
    }

    /// Who it is, as its key proved.
    pub(super) fn id(&self) -> PeerId {
        self.id
    }

    /// Asks who it is and what it speaks.
    ///
    /// # Errors
    /// [`Fault::NoAnswer`], [`Fault::Wrong`].
    pub(super) async fn identify(&mut self) -> Result<Identity, Fault> {
        let stream = self.open().await?;
        let reading = async {
            let (_, mut stream) = agree(stream, IDENTIFY).await?;
            read(&mut stream, IDENTITY_BYTES_MAX).await
        };
        let message = drive(&mut self.muxer, reading).await?;
        let message = message.ok_or_else(|| Fault::NoAnswer("identify ends at once".to_owned()))?;
        let said = wire::identity(&message)?;
        let key = PublicKey::try_decode_protobuf(&said.key);
        let key = key.map_err(|error| Fault::Wrong(format!("identify shows no key: {error}")))?;
        let peer = key.to_peer_id();
        let (agent, protocols) = (said.agent, said.protocols);
        Ok(Identity { peer, agent, protocols, bytes: message.len() as u64 })
    }

    /// Wants one block, and gives the bytes of the first blocks that come, whatever they are.
    ///
    /// # Errors
    /// [`Fault::Wrong`] when the peer says that it does not have it, [`Fault::NoAnswer`] when the
    /// connection ends before it says anything.
    pub(super) async fn want(&mut self, cid: &Cid) -> Result<Vec<Bytes>, Fault> {
        let stream = self.open().await?;
        let asking = async {
            let (_, mut stream) = agree(stream, BITSWAP).await?;
            stream.write_all(&wire::want(cid)).await.map_err(broken)?;
            stream.flush().await.map_err(broken)?;
            // Dropped, it would take the want back.
            Ok(stream)
        };
        let _asked = drive(&mut self.muxer, asking).await?;
        self.answers(cid).await
    }

    /// Reads the streams that the peer opens until one of them answers.
    async fn answers(&mut self, cid: &Cid) -> Result<Vec<Bytes>, Fault> {
        let mut reading = FuturesUnordered::new();
        loop {
            let muxer = &mut self.muxer;
            let turn = poll_fn(|cx| {
                progress(muxer, cx)?;
                if let Poll::Ready(stream) = muxer.poll_inbound_unpin(cx) {
                    return Poll::Ready(stream.map(Turn::Stream).map_err(broken));
                }
                match reading.poll_next_unpin(cx) {
                    Poll::Ready(Some(answer)) => Poll::Ready(Ok(Turn::Answer(answer))),
                    Poll::Ready(None) | Poll::Pending => Poll::Pending,
                }
            });
            match turn.await? {
                Turn::Stream(stream) if reading.len() < STREAMS_MAX => {
                    reading.push(answer(stream, *cid));
                }
                Turn::Stream(_) | Turn::Answer(Answer::Nothing) => {}
                Turn::Answer(Answer::Blocks(blocks)) => return Ok(blocks),
                Turn::Answer(Answer::DontHave) => {
                    return wrong(format!("it says that it does not have {cid}"));
                }
            }
        }
    }

    async fn open(&mut self) -> Result<SubstreamBox, Fault> {
        let muxer = &mut self.muxer;
        poll_fn(|cx| {
            progress(muxer, cx)?;
            muxer.poll_outbound_unpin(cx).map_err(broken)
        })
        .await
    }
}

enum Turn {
    Stream(SubstreamBox),
    Answer(Answer),
}

/// Reads what a stream of the peer says of a block. Streams of other protocols say nothing.
async fn answer(stream: SubstreamBox, cid: Cid) -> Answer {
    let Ok((_, mut stream)) = listener_select_proto(stream, [BITSWAP]).await else {
        return Answer::Nothing;
    };
    for _ in 0..MESSAGES_MAX {
        let Ok(Some(message)) = read(&mut stream, MESSAGE_BYTES_MAX).await else { break };
        match wire::answer(&message, &cid) {
            Ok(Answer::Nothing) | Err(_) => {}
            Ok(found) => return found,
        }
    }
    Answer::Nothing
}

type Stream = Negotiated<SubstreamBox>;

async fn agree(
    stream: SubstreamBox,
    protocol: &'static str,
) -> Result<(&'static str, Stream), Fault> {
    let agreed = dialer_select_proto(stream, [protocol], Version::V1).await;
    agreed.map_err(|error| Fault::Wrong(format!("it does not speak {protocol}: {error}")))
}

/// Reads one message behind its length; none when the stream ends before it.
async fn read(stream: &mut Stream, longest: usize) -> Result<Option<Bytes>, Fault> {
    let mut length = 0_usize;
    for place in 0_u32.. {
        let mut byte = [0];
        if stream.read(&mut byte).await.map_err(broken)? == 0 {
            return if place == 0 { Ok(None) } else { wrong("a message is cut short") };
        }
        length |= usize::from(byte[0] & 0x7f).checked_shl(7 * place).unwrap_or(usize::MAX);
        if place > 4 || length > longest {
            return wrong(format!("a message is longer than {longest} bytes"));
        }
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    // Only what has come is kept, whatever length was announced.
    let mut message = Vec::new();
    let announced = u64::try_from(length).unwrap_or(u64::MAX);
    let read = stream.take(announced).read_to_end(&mut message).await.map_err(broken)?;
    if read < length {
        return wrong("a message is cut short");
    }
    Ok(Some(message.into()))
}

/// Waits for work on streams while the connection below them moves.
async fn drive<T>(
    muxer: &mut StreamMuxerBox,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let mut work = std::pin::pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        progress(muxer, cx)?;
        // What the connection brought may be what the work waits for.
        work.as_mut().poll(cx)
    })
    .await
}

/// Lets the connection move until it can move no further.
fn progress(muxer: &mut StreamMuxerBox, cx: &mut std::task::Context<'_>) -> Result<(), Fault> {
    while let Poll::Ready(event) = muxer.poll_unpin(cx) {
        event.map_err(broken)?;
    }
    Ok(())
}

fn broken(error: impl std::fmt::Display) -> Fault {
    Fault::NoAnswer(format!("the connection broke: {error}"))
}

fn transport_of(
    key: &Keypair,
    within: Duration,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, Box<dyn std::error::Error + Send + Sync>> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(key)?)
        .multiplex(yamux::Config::default())
        .timeout(within)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let mut config = quic::Config::new(key);
    config.handshake_timeout = within;
    let quic = quic::tokio::Transport::new(config)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let both = quic.or_transport(tcp).map(|either, _| either.into_inner()).boxed();
    Ok(dns::tokio::Transport::system(both)?.boxed())
}

#[cfg(test)]
mod tests;
