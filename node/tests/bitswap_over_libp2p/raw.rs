//! A peer without our handlers: a bare connection, on which any bytes can be said.

use std::time::Duration;

use futures::future::poll_fn;
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt, SubstreamBox};
use libp2p::core::transport::{DialOpts, PortUse};
use libp2p::core::upgrade::Version;
use libp2p::core::{Endpoint, Transport};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, noise, tcp, yamux};
use tokio::time::timeout;

use crate::world::Node;

const PATIENCE: Duration = Duration::from_secs(10);

/// A connection without a protocol on it.
pub(crate) struct RawPeer {
    muxer: Option<StreamMuxerBox>,
}

/// A stream on which bitswap was agreed, so far as we said so.
pub(crate) struct RawStream(SubstreamBox);

impl RawPeer {
    pub(crate) async fn connect(address: &Multiaddr) -> Self {
        let key = Keypair::generate_ed25519();
        let mut transport = tcp::tokio::Transport::new(tcp::Config::default())
            .upgrade(Version::V1Lazy)
            .authenticate(noise::Config::new(&key).expect("noise"))
            .multiplex(yamux::Config::default());
        let mut bare = address.clone();
        bare.pop();
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let dial = transport.dial(bare, options).expect("an address of ours");
        let (_, muxer) = timeout(PATIENCE, dial).await.expect("in time").expect("connected");
        Self { muxer: Some(StreamMuxerBox::new(muxer)) }
    }

    /// Opens a stream and proposes bitswap on it.
    pub(crate) async fn bitswap_stream(&mut self) -> RawStream {
        let muxer = self.muxer.as_mut().expect("not running yet");
        let opened = poll_fn(|cx| muxer.poll_outbound_unpin(cx));
        let mut stream = timeout(PATIENCE, opened).await.expect("in time").expect("a stream");
        let proposal = b"\x13/multistream/1.0.0\n\x14/ipfs/bitswap/1.2.0\n";
        stream.write_all(proposal).await.expect("written");
        RawStream(stream)
    }

    /// Lets the connection move while streams are used; streams of the other side are ignored.
    pub(crate) fn run(&mut self, node: &Node) {
        let mut muxer = self.muxer.take().expect("not running yet");
        node.background(async move {
            poll_fn(|cx| {
                while let std::task::Poll::Ready(arrived) = muxer.poll_inbound_unpin(cx) {
                    if arrived.is_err() {
                        return std::task::Poll::Ready(());
                    }
                }
                muxer.poll_unpin(cx).map(|_| ())
            })
            .await;
        });
    }
}

impl RawStream {
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let write = async {
            self.0.write_all(bytes).await?;
            self.0.flush().await
        };
        timeout(PATIENCE, write).await.expect("in time").expect("written");
    }

    pub(crate) async fn close(&mut self) {
        timeout(PATIENCE, self.0.close()).await.expect("in time").expect("closed");
    }

    /// Waits for the other side to end the stream, cleanly or not.
    pub(crate) async fn ended(&mut self) {
        let mut rest = Vec::new();
        // Whether it is a reset or an end is the other side's choice.
        timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("it ends").ok();
    }
}
