//! Claims about a connection to a peer, made with played peers by TCP and QUIC.

use futures::stream::FuturesUnordered;
use ipfs::Block;
use libp2p::core::transport::{ListenerId, TransportEvent};
use telemetry::Tasks;

use super::super::content::nobody_has;
use super::super::node::{self, Node};
use super::super::outcome::Trace;
use super::*;

const WITHIN: Duration = Duration::from_secs(10);
const PLACES: [&str; 2] = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"];

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("it is short");
    let mut out = vec![number << 3 | 2];
    let mut rest = length;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out.extend_from_slice(bytes);
    out
}

/// A message behind its length: a field without its key.
fn framed(message: &[u8]) -> Vec<u8> {
    field(0, message)[1..].to_vec()
}

/// What a played peer says: of itself, and when a block is wanted.
#[derive(Debug, Clone)]
struct Says {
    identity: Vec<u8>,
    answer: Vec<u8>,
}

/// A peer that says this to everybody: its address with its peer ID.
async fn played(tasks: &Tasks, place: &str, key: &Keypair, says: Says) -> String {
    let mut transport = transport_of(key, WITHIN).expect("it can be built");
    let place = place.parse().expect("an address");
    transport.listen_on(ListenerId::next(), place).expect("it can be listened on");
    let (told, address) = tokio::sync::oneshot::channel();
    let mut told = Some(told);
    let owner = tasks.clone();
    let _listening = tasks.background("played peer", async move {
        loop {
            match transport.next().await {
                Some(TransportEvent::NewAddress { listen_addr, .. }) => {
                    if let Some(told) = told.take() {
                        told.send(listen_addr).unwrap_or_default();
                    }
                }
                Some(TransportEvent::Incoming { upgrade, .. }) => {
                    let says = says.clone();
                    let _serving = owner.background("played connection", async move {
                        let Ok((_, muxer)) = upgrade.await else { return };
                        serve(muxer, says).await;
                    });
                }
                Some(_) => {}
                None => return,
            }
        }
    });
    let address = address.await.expect("it listens");
    format!("{address}/p2p/{}", key.public().to_peer_id())
}

async fn serve(mut muxer: StreamMuxerBox, says: Says) {
    let mut work = FuturesUnordered::new();
    let mut wanted = 0;
    loop {
        let turn = poll_fn(|cx| {
            progress(&mut muxer, cx)?;
            if let Poll::Ready(stream) = muxer.poll_inbound_unpin(cx) {
                return Poll::Ready(stream.map(Some).map_err(broken));
            }
            if wanted > 0
                && let Poll::Ready(stream) = muxer.poll_outbound_unpin(cx)
            {
                wanted -= 1;
                work.push(futures::future::Either::Left(reply(
                    stream.map_err(broken)?,
                    says.answer.clone(),
                )));
            }
            match work.poll_next_unpin(cx) {
                Poll::Ready(Some(asked)) => {
                    wanted += usize::from(asked);
                    Poll::Ready(Ok(None))
                }
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        });
        match turn.await {
            Ok(Some(stream)) => {
                work.push(futures::future::Either::Right(listen(stream, says.identity.clone())));
            }
            Ok(None) => {}
            Err(_) => return,
        }
    }
}

/// Serves a stream; whether a block was wanted on it.
async fn listen(stream: SubstreamBox, identity: Vec<u8>) -> bool {
    let Ok((name, mut stream)) = listener_select_proto(stream, [IDENTIFY, BITSWAP]).await else {
        return false;
    };
    if name == IDENTIFY {
        stream.write_all(&framed(&identity)).await.ok();
        stream.close().await.ok();
        return false;
    }
    matches!(read(&mut stream, 1024).await, Ok(Some(_)))
}

async fn reply(stream: SubstreamBox, answer: Vec<u8>) -> bool {
    if let Ok((_, mut stream)) = agree(stream, BITSWAP).await {
        stream.write_all(&framed(&answer)).await.ok();
        stream.close().await.ok();
    }
    false
}

fn identity(key: &Keypair) -> Vec<u8> {
    let agent = field(6, b"played/1");
    [field(1, &key.public().encode_protobuf()), field(3, BITSWAP.as_bytes()), agent].concat()
}

fn node(address: &str, peer: Option<String>) -> Node {
    let addresses = vec![address.to_owned()];
    Node { name: "n".into(), admin: None, addresses, peer_id: peer }
}

/// A block as it travels.
fn payload(data: &[u8]) -> Vec<u8> {
    field(3, &[field(1, b"\x01\x55\x12\x20"), field(2, data)].concat())
}

#[tokio::test]
async fn a_peer_is_identified_and_its_block_proven_by_tcp_and_quic() {
    let tasks = Tasks::new();
    let block = Block::of(ipfs::Codec::Raw, Bytes::from_static(b"canary")).expect("it is small");
    for place in PLACES {
        let key = Keypair::generate_ed25519();
        let says = Says { identity: identity(&key), answer: payload(block.data()) };
        let address = played(&tasks, place, &key, says).await;
        let node = node(&address, Some(key.public().to_peer_id().to_string()));
        let mut trace = Trace::begin();
        node::identify(&mut trace, &node, &address, WITHIN).await.expect("it is who it is");
        assert_eq!(trace.note.as_deref(), Some("played/1, 1 protocols"));
        let mut trace = Trace::begin();
        node::bitswap(&mut trace, &node, *block.cid(), WITHIN).await.expect("the block is right");
        assert_eq!(trace.verified, 6);
    }
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn another_peer_at_the_address_is_not_taken_for_the_listed_one() {
    let tasks = Tasks::new();
    let (key, other) = (Keypair::generate_ed25519(), Keypair::generate_ed25519());
    let says = Says { identity: identity(&other), answer: Vec::new() };
    let address = played(&tasks, PLACES[0], &key, says).await;
    let bare = address.split("/p2p/").next().expect("an address").to_owned();
    let listed = node(&bare, Some(other.public().to_peer_id().to_string()));
    let ended = node::identify(&mut Trace::begin(), &listed, &bare, WITHIN).await;
    assert!(matches!(ended, Err(Fault::Wrong(_))), "{ended:?}");
    // It has the listed key, and says that it has another one.
    let listed = node(&bare, None);
    let ended = node::identify(&mut Trace::begin(), &listed, &bare, WITHIN).await;
    assert!(matches!(ended, Err(Fault::Mismatch(_))), "{ended:?}");
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn wrong_blocks_and_absence_are_told_apart() {
    let tasks = Tasks::new();
    let key = Keypair::generate_ed25519();
    let cid = nobody_has();
    let absent = field(4, &[field(1, &cid.to_bytes()), vec![2 << 3, 1]].concat());
    for (answer, is_mismatch) in [(payload(b"a lie"), true), (absent, false)] {
        let says = Says { identity: identity(&key), answer };
        let address = played(&tasks, PLACES[0], &key, says).await;
        let ended = node::bitswap(&mut Trace::begin(), &node(&address, None), cid, WITHIN).await;
        assert_eq!(matches!(ended, Err(Fault::Mismatch(_))), is_mismatch, "{ended:?}");
        assert_eq!(matches!(ended, Err(Fault::Wrong(_))), !is_mismatch, "{ended:?}");
    }
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn nobody_at_an_address_is_no_answer() {
    for address in ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1/p2p/12D3"] {
        let dialled = Peer::dial(address, Duration::from_secs(2)).await;
        assert!(matches!(dialled, Err(Fault::NoAnswer(_) | Fault::Wrong(_))));
    }
}
