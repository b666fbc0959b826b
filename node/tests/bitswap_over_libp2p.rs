//! Bitswap between hosts on real loopback sockets, and against peers that misbehave.
//!
//! Ports are chosen by the kernel. Stores are in memory, because what is tested is the way between
//! them; a peer that talks rubbish is a bare connection without our handlers.

#[path = "bitswap_over_libp2p/proxy.rs"]
mod proxy;
#[path = "bitswap_over_libp2p/raw.rs"]
mod raw;
#[path = "bitswap_over_libp2p/retrieval.rs"]
mod retrieval;
#[path = "bitswap_over_libp2p/world.rs"]
mod world;

use std::time::{Duration, Instant};

use futures::FutureExt;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use node::bitswap::wire::{self, ProtocolVersion, WantEntry, WantType};
use node::bitswap::{Message, WantFailure};
use node::swarm::{GetError, SwarmError};
use world::{Node, blocks, deadline, eventually, loopback};

use self::proxy::Proxy;
use self::raw::RawPeer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_exchange_blocks_over_tcp() {
    exchange(Protocol::Tcp(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_exchange_blocks_over_quic() {
    exchange(Protocol::QuicV1).await;
}

async fn exchange(over: Protocol<'static>) {
    let content = blocks(1, 40, 200 * 1024);
    let (holder, seeker) = (Node::start(&content).await, Node::start(&[]).await);
    seeker.handle.dial(holder.address(&over)).await.expect("connected");
    seeker.fetch_all(&content).await;
    for block in &content {
        assert_eq!(seeker.shelf.get(block.cid()), Some(block.clone()), "it is stored too");
    }
    assert_eq!(seeker.count(WANTED), 40, "each block came once");
    assert_eq!(seeker.count(DUPLICATE), 0);
    holder.stop().await;
    seeker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_providers_share_the_work() {
    let content = blocks(2, 120, 256 * 1024);
    let seeker = Node::start(&[]).await;
    let mut holders = Vec::new();
    for _ in 0..3 {
        let holder = Node::start(&content).await;
        seeker.handle.dial(holder.tcp()).await.expect("connected");
        holders.push(holder);
    }
    eventually("all three speak bitswap", || seeker.handle.bitswap_peers() == 3).await;
    seeker.fetch_all(&content).await;
    let sent: Vec<u64> = holders.iter().map(|holder| holder.count(SENT)).collect();
    assert!(sent.iter().all(|count| *count >= 10), "shares {sent:?}");
    assert!(sent.iter().sum::<u64>() <= 124, "hardly any block was sent twice: {sent:?}");
    for holder in holders {
        holder.stop().await;
    }
    seeker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn provider_that_dies_in_the_middle_is_replaced() {
    let content = blocks(3, 200, 256 * 1024);
    let (first, second) = (Node::start(&content).await, Node::start(&content).await);
    let seeker = Node::start(&[]).await;
    for holder in [&first, &second] {
        seeker.handle.dial(holder.tcp()).await.expect("connected");
    }
    let death = async {
        eventually("some blocks came", || seeker.count(WANTED) >= 20).await;
        first.kill().await;
    };
    tokio::join!(seeker.fetch_all(&content), death);
    second.stop().await;
    seeker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn corrupt_block_is_not_believed() {
    let content = blocks(4, 1, 64 * 1024);
    let (honest, seeker) = (Node::start(&content).await, Node::start(&[]).await);
    let mut liar = RawPeer::connect(&seeker.tcp()).await;
    let mut stream = liar.bitswap_stream().await;
    liar.run(&seeker);
    let message = Message { blocks: content.clone(), ..Message::default() };
    let mut bytes = wire::encode(&message, ProtocolVersion::V1_2).concat();
    let near_the_end = bytes.len() - 100;
    bytes[near_the_end] ^= 1;
    let lie = async {
        eventually("it is wanted", || seeker.count(WANTS) == 1).await;
        stream.write(&bytes).await;
        eventually("the lie is noticed", || seeker.count(UNWANTED) == 1).await;
        assert_eq!(seeker.count(WANTS), 1, "the block is still wanted");
        seeker.handle.dial(honest.tcp()).await.expect("connected");
    };
    tokio::join!(seeker.fetch_all(&content), lie);
    drop((stream, liar));
    honest.stop().await;
    seeker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_closes_its_stream_and_no_other() {
    closes_its_stream(b"\x05\xff\xff\xff\xff\xff", "malformed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_over_the_limit_is_refused_by_its_length_alone() {
    // 4 MiB and one byte, of which not one follows.
    closes_its_stream(b"\x81\x80\x80\x02", "too_long").await;
}

async fn closes_its_stream(bytes: &[u8], why: &str) {
    let node = Node::start(&[]).await;
    let mut raw = RawPeer::connect(&node.tcp()).await;
    let (mut bad, mut good) = (raw.bitswap_stream().await, raw.bitswap_stream().await);
    raw.run(&node);
    bad.write(bytes).await;
    bad.ended().await;
    let series = format!("bifrost_node_swarm_inbound_stream_ends_total{{why=\"{why}\"}}");
    eventually("it is counted", || node.count(&series) == 1).await;
    let want = WantEntry {
        cid: *blocks(6, 1, 10)[0].cid(),
        priority: 1,
        cancel: false,
        want_type: WantType::Have,
        send_dont_have: true,
    };
    let message = Message { wants: vec![want], ..Message::default() };
    good.write(&wire::encode(&message, ProtocolVersion::V1_2).concat()).await;
    eventually("the other stream is read", || node.count(WANTS_RECEIVED) == 1).await;
    drop((bad, good, raw));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_per_message_is_read_as_well() {
    let node = Node::start(&[]).await;
    let mut raw = RawPeer::connect(&node.tcp()).await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(raw.bitswap_stream().await);
    }
    raw.run(&node);
    for (at, stream) in streams.iter_mut().enumerate() {
        let want = WantEntry {
            cid: *blocks(7, 100, 10)[at].cid(),
            priority: 1,
            cancel: false,
            want_type: WantType::Have,
            send_dont_have: false,
        };
        let message = Message { wants: vec![want], ..Message::default() };
        stream.write(&wire::encode(&message, ProtocolVersion::V1_2).concat()).await;
        stream.close().await;
    }
    eventually("all are read", || node.count(WANTS_RECEIVED) == 100).await;
    let finished = "bifrost_node_swarm_inbound_stream_ends_total{why=\"finished\"}";
    eventually("all are done", || node.count(finished) == 100).await;
    drop((streams, raw));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_peering_is_dialled_again() {
    let key = Keypair::generate_ed25519();
    let content = blocks(8, 2, 1000);
    let friend = Node::with(key.clone(), loopback(), &content).await;
    let address = friend.tcp();
    let mut config = loopback();
    config.peering = vec![address.clone()];
    config.redial_first = Duration::from_millis(50);
    let node = Node::with(Keypair::generate_ed25519(), config, &[]).await;
    eventually("connected", || node.handle.bitswap_peers() == 1).await;
    friend.kill().await;
    eventually("disconnected", || node.handle.bitswap_peers() == 0).await;
    let mut again = loopback();
    again.listen = vec![address.iter().filter(|part| !is_peer(part)).collect()];
    let friend = Node::with(key, again, &content).await;
    eventually("connected again", || node.handle.bitswap_peers() == 1).await;
    node.fetch_all(&content).await;
    friend.stop().await;
    node.stop().await;
}

fn is_peer(part: &Protocol<'_>) -> bool {
    matches!(part, Protocol::P2p(_))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_beyond_this_machine_is_dialled_by_default() {
    let node = Node::start(&[]).await;
    for text in
        ["/ip4/192.0.2.1/tcp/4001", "/dns4/localhost/tcp/4001", "/ip4/10.0.0.1/udp/1/quic-v1"]
    {
        let before = Instant::now();
        let refused = node.handle.dial(text.parse().expect("an address")).await;
        assert!(matches!(refused, Err(SwarmError::Dial { .. })), "{text}: {refused:?}");
        assert!(before.elapsed() < Duration::from_secs(2), "{text} is refused, not tried");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn want_that_is_dropped_is_taken_back() {
    let (other, node) = (Node::start(&[]).await, Node::start(&[]).await);
    node.handle.dial(other.tcp()).await.expect("connected");
    let session = node.handle.session(*blocks(9, 1, 10)[0].cid()).await.expect("a session");
    let wanted = *blocks(9, 2, 10)[1].cid();
    {
        let get = session.get(wanted, deadline());
        tokio::pin!(get);
        let asked = async {
            eventually("it is wanted", || node.count(WANTS) == 1).await;
        };
        tokio::select! {
            biased;
            () = asked => {}
            got = &mut get => panic!("nobody has it: {got:?}"),
        }
    }
    eventually("nothing is wanted", || node.count(WANTS) == 0).await;
    let failed = session.get(wanted, deadline()).await;
    let expected = GetError::Failed(WantFailure::AllDontHave);
    assert_eq!(failed.expect_err("nobody has it"), expected);
    other.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_of_a_busy_stream_grows_with_the_distance() {
    let content = blocks(10, 64, 256 * 1024);
    let (holder, seeker) = (Node::start(&content).await, Node::start(&[]).await);
    let proxy = Proxy::before(&holder, Duration::from_millis(25)).await;
    seeker.handle.dial(proxy.address.clone()).await.expect("connected");
    seeker.fetch_all(&content).await;
    let most = proxy.most_on_the_way();
    assert!(most > 768 * 1024, "only {most} bytes were under way at a time");
    seeker.stop().await;
    holder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reset_of_our_stream_is_noticed_though_it_is_silent() {
    let node = Node::start(&[]).await;
    let mut raw = RawPeer::connect(&node.tcp()).await;
    let mut stream = raw.bitswap_stream().await;
    // Every stream of the node is reset as it comes.
    raw.run(&node);
    stream.write(&wire::encode(&Message::default(), ProtocolVersion::V1_2).concat()).await;
    eventually("it speaks bitswap", || node.handle.bitswap_peers() == 1).await;
    let wanted = *blocks(11, 1, 10)[0].cid();
    let session = node.handle.session(wanted).await.expect("a session");
    let broken = "bifrost_node_bitswap_disconnects_total{reason=\"broken\"}";
    let noticed = eventually("it is noticed", || node.count(broken) == 1);
    let (got, ()) = tokio::join!(session.get(wanted, deadline()), noticed);
    assert!(got.is_err(), "nobody has it");
    drop((session, stream, raw));
    node.stop().await;
}

#[tokio::test]
async fn want_whose_caller_left_before_it_was_read_leaves_nothing_behind() {
    let node = Node::start(&[]).await;
    let mut raw = RawPeer::connect(&node.tcp()).await;
    let mut stream = raw.bitswap_stream().await;
    raw.run(&node);
    stream.write(&wire::encode(&Message::default(), ProtocolVersion::V1_2).concat()).await;
    eventually("it speaks bitswap", || node.handle.bitswap_peers() == 1).await;
    let content = blocks(12, 64, 10);
    let session = node.handle.session(*content[0].cid()).await.expect("a session");
    for block in &content {
        // One thread runs all, so the command is not read before the caller is gone.
        let left = session.get(*block.cid(), deadline()).now_or_never();
        assert!(left.is_none());
    }
    // Commands are read in their order, so the answer comes after them.
    node.handle.peers().await.expect("running");
    assert_eq!(node.count(WANTS), 0);
    drop((session, stream, raw));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn block_that_is_imported_ends_the_search_for_it() {
    let node = Node::start(&[]).await;
    let content = blocks(13, 2, 1000);
    let session = node.handle.session(*content[0].cid()).await.expect("a session");
    let import = async {
        eventually("it is wanted", || node.count(WANTS) == 2).await;
        node.shelf.put(&content[1]);
        node.handle.content_added();
    };
    let (missing, found, ()) = tokio::join!(
        session.get(*content[0].cid(), deadline()),
        session.get(*content[1].cid(), deadline()),
        import
    );
    assert_eq!(missing.expect_err("nobody has it"), GetError::Failed(WantFailure::NoPeers));
    assert_eq!(found.expect("it is here").block, content[1]);
    drop(session);
    node.stop().await;
}

const WANTED: &str = "bifrost_node_bitswap_blocks_received_total{arrival=\"wanted\"}";
const DUPLICATE: &str = "bifrost_node_bitswap_blocks_received_total{arrival=\"duplicate\"}";
const UNWANTED: &str = "bifrost_node_bitswap_blocks_received_total{arrival=\"unsolicited\"}";
const SENT: &str = "bifrost_node_bitswap_blocks_sent_total";
const WANTS: &str = "bifrost_node_bitswap_wants";
const WANTS_RECEIVED: &str = "bifrost_node_bitswap_wants_received_total{type=\"have\"}";
