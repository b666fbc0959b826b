//! Nodes with stores in memory, content from a seed, and bounds on every wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use ipfs::dag_pb::{self, Link};
use ipfs::{Block, Cid, Codec, Multihash};
use libp2p::Multiaddr;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use node::bitswap::{self, Found, Lookup, LookupBounds, WantType};
use node::retrieve::Local;
use node::swarm::{self, Config, Handle, Settings, Store, StoreFault};
use parking_lot::Mutex;
use telemetry::Tasks;
use telemetry::metrics::Registry;

/// Longest that anything in these tests may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn deadline() -> Instant {
    Instant::now() + PATIENCE
}

/// Blocks of `size` bytes that depend on nothing but the seed.
pub(crate) fn blocks(seed: u64, count: u64, size: usize) -> Vec<Block> {
    (1..=count)
        .map(|at| block((seed * 1_000_003 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15), size))
        .collect()
}

fn block(seed: u64, size: usize) -> Block {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    Block::of(Codec::Raw, Bytes::from(bytes)).expect("within the limit")
}

/// A file of that many leaves; its root comes first.
pub(crate) fn file(seed: u64, leaves: u64, size: usize) -> (Cid, Vec<Block>) {
    let leaves = blocks(seed, leaves, size);
    let link = |leaf: &Block| Link {
        cid: *leaf.cid(),
        name: Bytes::new(),
        tsize: leaf.data().len() as u64,
    };
    let node = dag_pb::Node { links: leaves.iter().map(link).collect(), data: None };
    let root = Block::of(Codec::DagPb, dag_pb::encode(&node).into()).expect("within the limit");
    let cid = *root.cid();
    (cid, std::iter::once(root).chain(leaves).collect())
}

/// A store in memory.
#[derive(Clone, Default)]
pub(crate) struct Shelf {
    blocks: Arc<Mutex<HashMap<Multihash, Block>>>,
    keeps: Arc<AtomicU64>,
}

impl Shelf {
    pub(crate) fn get(&self, cid: &Cid) -> Option<Block> {
        self.blocks.lock().get(cid.multihash())?.under(*cid)
    }

    pub(crate) fn put(&self, block: &Block) {
        self.blocks.lock().insert(*block.cid().multihash(), block.clone());
    }

    /// How often blocks were kept, few or many at a time.
    pub(crate) fn keeps(&self) -> u64 {
        self.keeps.load(Ordering::Relaxed)
    }

    fn find(&self, cid: &Cid, want: WantType) -> Found {
        match (self.get(cid), want) {
            (None, _) => Found::Missing,
            (Some(block), WantType::Block) => Found::Block(block),
            (Some(_), WantType::Have) => Found::Have,
        }
    }
}

impl Store for Shelf {
    fn look_up(
        &self,
        mut wants: Vec<(Cid, WantType)>,
        bounds: LookupBounds,
    ) -> BoxFuture<'static, Result<Lookup, StoreFault>> {
        let size_of = |cid: &Cid| self.get(cid).map(|block| block.data().len() as u64);
        wants.truncate(bounds.fitting(&wants, size_of));
        let found = wants.iter().map(|(cid, want)| self.find(cid, *want)).collect();
        async move { Ok(Lookup { found }) }.boxed()
    }

    fn keep(&self, blocks: Vec<Block>) -> BoxFuture<'static, Result<(), StoreFault>> {
        for block in &blocks {
            self.put(block);
        }
        self.keeps.fetch_add(1, Ordering::Relaxed);
        async { Ok(()) }.boxed()
    }
}

impl Local for Shelf {
    fn get(&self, cid: Cid) -> BoxFuture<'static, Result<Option<Block>, StoreFault>> {
        let found = self.get(&cid);
        async move { Ok(found) }.boxed()
    }

    fn flush(&self) -> BoxFuture<'static, Result<(), StoreFault>> {
        async { Ok(()) }.boxed()
    }
}

/// One host with its store.
pub(crate) struct Node {
    pub(crate) handle: Handle,
    pub(crate) shelf: Shelf,
    tasks: Tasks,
    registry: Registry,
}

impl Node {
    /// A node that listens on ports of the kernel's choice and has these blocks.
    pub(crate) async fn start(content: &[Block]) -> Self {
        Self::with(Keypair::generate_ed25519(), loopback(), content).await
    }

    pub(crate) async fn with(key: Keypair, config: Config, content: &[Block]) -> Self {
        let (tasks, registry, shelf) = (Tasks::new(), Registry::new(), Shelf::default());
        content.iter().for_each(|block| shelf.put(block));
        let settings = Settings { swarm: config, bitswap: bitswap::Config::default() };
        let handle = swarm::start(&key, settings, Arc::new(shelf.clone()), &registry, &tasks)
            .expect("the host starts");
        handle.all_listen().await;
        Self { handle, shelf, tasks, registry }
    }

    /// This node's address over a transport that is named by the protocol.
    pub(crate) fn address(&self, over: &Protocol<'_>) -> Multiaddr {
        let same = |part: Protocol<'_>| part.tag() == over.tag();
        let addresses = self.handle.addresses();
        let found = addresses.into_iter().find(|address| address.iter().any(same));
        found.expect("it listens over that transport")
    }

    pub(crate) fn tcp(&self) -> Multiaddr {
        self.address(&Protocol::Tcp(0))
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Runs something beside the node, until the node ends.
    pub(crate) fn background(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.tasks.background("test", work));
    }

    /// Fetches all blocks in one session, many at a time.
    pub(crate) async fn fetch_all(&self, content: &[Block]) {
        let session = self.handle.session(*content[0].cid()).await.expect("a session");
        let get = |block: &Block| {
            let (cid, session) = (*block.cid(), &session);
            async move { session.get(cid, deadline()).await }
        };
        let mut gets = futures::stream::iter(content.iter().map(get)).buffered(16);
        let mut at = 0;
        while let Some(got) = gets.next().await {
            assert_eq!(got.expect("delivered").block, content[at]);
            at += 1;
        }
        assert_eq!(at, content.len());
    }

    /// The value of one series.
    pub(crate) fn count(&self, series: &str) -> u64 {
        let text = self.registry.text();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no series {series} in\n{text}"))
    }

    /// Ends the node and sees that nothing of it is left.
    pub(crate) async fn stop(self) {
        self.handle.stop().await;
        let left = self.tasks.shutdown(Duration::from_secs(5)).await;
        assert!(left.is_empty(), "tasks that had to be aborted: {left:?}");
    }

    /// Ends the node as a crash does: its sockets close in the middle of whatever they do.
    pub(crate) async fn kill(self) {
        self.tasks.shutdown(Duration::ZERO).await;
    }
}

/// The default settings on ports of the kernel's choice.
pub(crate) fn loopback() -> Config {
    let listen = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"];
    let listen = listen.iter().map(|text| text.parse().expect("an address")).collect();
    Config { listen, ..Config::default() }
}

/// Waits for a condition of another task's making.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = deadline();
    while !holds() {
        assert!(Instant::now() < until, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
