//! A TCP path with a delay, which knows how much is on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::world::Node;

/// Pieces that may be on the way; more than any test sends.
const PIECES_MAX: usize = 65_536;

/// A proxy in front of one node.
pub(crate) struct Proxy {
    pub(crate) address: Multiaddr,
    most: Arc<AtomicUsize>,
}

impl Proxy {
    /// Takes one connection to a node; each way takes `delay`.
    pub(crate) async fn before(node: &Node, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let real = node.tcp();
        let to = real
            .iter()
            .find_map(|part| if let Protocol::Tcp(port) = part { Some(port) } else { None });
        let to = to.expect("it listens on TCP");
        let address = real
            .iter()
            .map(|part| if part.tag() == "tcp" { Protocol::Tcp(port) } else { part })
            .collect();
        let most = Arc::new(AtomicUsize::new(0));
        let watched = most.clone();
        node.background(async move {
            let (near, _) = listener.accept().await.expect("a connection");
            let far = TcpStream::connect(("127.0.0.1", to)).await.expect("the node");
            let ((near_read, near_write), (far_read, far_write)) =
                (near.into_split(), far.into_split());
            let ignored = Arc::new(AtomicUsize::new(0));
            tokio::join!(
                carry(near_read, far_write, delay, ignored),
                carry(far_read, near_write, delay, watched)
            );
        });
        Self { address, most }
    }

    /// Most bytes from the node that were on their way at a time.
    pub(crate) fn most_on_the_way(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    most: Arc<AtomicUsize>,
) {
    let (pieces, mut late) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_MAX);
    let sum = AtomicUsize::new(0);
    let take = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let on_the_way = sum.fetch_add(read, Ordering::Relaxed) + read;
            most.fetch_max(on_the_way, Ordering::Relaxed);
            let piece = (Instant::now() + delay, buffer[..read].to_vec());
            pieces.send(piece).await.expect("the other half runs beside");
        }
        drop(pieces);
    };
    let give = async {
        while let Some((due, piece)) = late.recv().await {
            sleep_until(due).await;
            sum.fetch_sub(piece.len(), Ordering::Relaxed);
            if to.write_all(&piece).await.is_err() {
                late.close();
            }
        }
    };
    tokio::join!(take, give);
}
