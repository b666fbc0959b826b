//! The joint over hosts: store first, then peers, one search per block, whole DAGs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use ipfs::Cid;
use ipfs::trustless::{CarOptions, Phase};
use ipfs::walk::Walk;
use node::retrieve::{self, Asked, FetchError, Retrieve, RetrieveError, Source};

use crate::world::{Node, blocks, deadline, eventually, file};

fn asked(root: Option<Cid>) -> Asked {
    Asked { root, deadline: deadline(), local_only: false, deferred: false }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_is_asked_before_peers() {
    let content = blocks(20, 2, 5000);
    let (holder, node) = (Node::start(&content).await, Node::start(&content[..1]).await);
    node.handle.dial(holder.tcp()).await.expect("connected");
    let retrieve = node.retrieve();
    let here = retrieve.get(content[0].cid(), &asked(None)).await.expect("it is here");
    let there = retrieve.get(content[1].cid(), &asked(None)).await.expect("it is there");
    let again = retrieve.get(content[1].cid(), &asked(None)).await.expect("it was stored");
    assert_eq!(
        [here.source, there.source, again.source],
        [Source::Store, Source::Network, Source::Store]
    );
    assert_eq!([here.block, there.block], [content[0].clone(), content[1].clone()]);
    holder.stop().await;
    drop(retrieve);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn local_only_asks_nobody() {
    let content = blocks(21, 1, 5000);
    let (holder, node) = (Node::start(&content).await, Node::start(&[]).await);
    node.handle.dial(holder.tcp()).await.expect("connected");
    let local = Asked { local_only: true, ..asked(None) };
    let refused = node.retrieve().get(content[0].cid(), &local).await;
    assert!(matches!(refused, Err(RetrieveError::NotLocal)), "{refused:?}");
    holder.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundred_requests_for_one_block_fetch_it_once() {
    let content = blocks(22, 1, 200_000);
    let (holder, node) = (Node::start(&content).await, Node::start(&[]).await);
    node.handle.dial(holder.tcp()).await.expect("connected");
    let retrieve = node.retrieve();
    let asked = asked(None);
    let gets = (0..100).map(|_| retrieve.get(content[0].cid(), &asked));
    for got in join_all(gets).await {
        assert_eq!(got.expect("delivered").block, content[0]);
    }
    assert_eq!(holder.count("bifrost_node_bitswap_blocks_sent_total"), 1);
    assert!(node.count("bifrost_node_retrieve_joined_total") > 0);
    eventually("no search is left", || node.count("bifrost_node_retrieve_flights") == 0).await;
    drop(retrieve);
    holder.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn block_that_nobody_has_is_no_providers_and_one_in_time_is_timeout() {
    let (other, node) = (Node::start(&[]).await, Node::start(&[]).await);
    let retrieve = node.retrieve();
    let missing = *blocks(23, 1, 10)[0].cid();
    let alone = retrieve.get(&missing, &asked(None)).await.expect_err("nobody is there");
    assert!(matches!(&alone, RetrieveError::NoProviders(state) if state.connected == 0), "{alone}");
    node.handle.dial(other.tcp()).await.expect("connected");
    let denied = retrieve.get(&missing, &asked(None)).await.expect_err("nobody has it");
    assert!(matches!(&denied, RetrieveError::NoProviders(_)), "{denied}");
    assert_eq!(denied.retrieval().expect("a state").phase, Phase::Providers);
    other.stop().await;
    let hasty = Asked { deadline: Instant::now() + Duration::from_millis(20), ..asked(None) };
    let late = retrieve.get(&missing, &hasty).await.expect_err("no time");
    assert!(matches!(&late, RetrieveError::Timeout(_)), "{late}");
    drop(retrieve);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_dag_is_fetched_stored_and_counted() {
    let (root, content) = file(24, 60, 100_000);
    let (holder, node) = (Node::start(&content).await, Node::start(&[]).await);
    node.handle.dial(holder.tcp()).await.expect("connected");
    let retrieve = node.retrieve();
    let mut told = 0;
    let sum = retrieve.fetch_dag(&root, |_| told += 1, deadline()).await.expect("all of it");
    assert_eq!((sum.blocks, told), (content.len() as u64, content.len()));
    assert_eq!(sum.bytes, content.iter().map(|block| block.data().len() as u64).sum::<u64>());
    for block in &content {
        assert_eq!(node.shelf.get(block.cid()).as_ref(), Some(block));
    }
    drop(retrieve);
    holder.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dag_with_a_missing_leaf_is_not_called_whole() {
    let (root, mut content) = file(25, 20, 1000);
    let missing = content.remove(10);
    let (holder, node) = (Node::start(&content).await, Node::start(&[]).await);
    node.handle.dial(holder.tcp()).await.expect("connected");
    let retrieve = node.retrieve();
    let failed =
        retrieve.fetch_dag(&root, |_| {}, deadline()).await.expect_err("a leaf is missing");
    assert!(
        matches!(&failed, FetchError::Retrieve(RetrieveError::NoProviders(_))),
        "{failed} without {missing:?}"
    );
    drop(retrieve);
    holder.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_blocks_are_stored_many_at_a_time() {
    let (root, content) = file(28, 5000, 1000);
    let (holder, node) = (Node::start(&content).await, Node::start(&[]).await);
    node.handle.dial(holder.tcp()).await.expect("connected");
    let retrieve = node.retrieve();
    retrieve.fetch_dag(&root, |_| {}, deadline()).await.expect("all of it");
    let keeps = node.shelf.keeps();
    assert!(keeps * 4 < content.len() as u64, "{keeps} puts for {} blocks", content.len());
    drop(retrieve);
    holder.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reader_that_takes_its_time_finds_what_was_fetched_ahead() {
    let (root, content) = file(26, 5, 1000);
    let (holder, node) = (Node::start(&content).await, Node::start(&[]).await);
    node.handle.dial(holder.tcp()).await.expect("connected");
    eventually("it speaks bitswap", || node.handle.bitswap_peers() == 1).await;
    let retrieve = node.retrieve();
    let mut reader = retrieve.read(Walk::new(&root, &CarOptions::default()), asked(Some(root)));
    let pause = Duration::from_millis(300);
    for _ in &content {
        reader.set_deadline(Instant::now() + pause);
        reader.next().await.expect("in time").expect("a block");
        tokio::time::sleep(pause * 3 / 2).await;
    }
    assert!(reader.next().await.expect("the end").is_none());
    drop((reader, retrieve));
    holder.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn block_that_could_not_be_fetched_ahead_is_tried_again_when_it_is_next() {
    let (root, content) = file(30, 2, 1000);
    let (holder, node) = (Node::start(&content).await, Node::start(&content[..1]).await);
    let retrieve = node.retrieve();
    let mut reader = retrieve.read(Walk::new(&root, &CarOptions::default()), asked(Some(root)));
    reader.next().await.expect("it is here").expect("the root");
    let failed = "bifrost_node_bitswap_want_failures_total{reason=\"no_peers\"}";
    eventually("both leaves were searched for", || node.count(failed) == 2).await;
    node.handle.dial(holder.tcp()).await.expect("connected");
    eventually("it speaks bitswap", || node.handle.bitswap_peers() == 1).await;
    for _ in 0..2 {
        reader.next().await.expect("it is there now").expect("a leaf");
    }
    drop((reader, retrieve));
    holder.stop().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reader_waits_for_the_next_block_no_longer_than_it_was_told() {
    let (root, content) = file(27, 2, 1000);
    let node = Node::start(&content[..1]).await;
    let retrieve = node.retrieve();
    let mut reader = retrieve.read(Walk::new(&root, &CarOptions::default()), asked(Some(root)));
    reader.next().await.expect("it is here").expect("the root");
    reader.set_deadline(Instant::now() + Duration::from_millis(20));
    let late = reader.next().await.expect_err("nobody is there");
    assert!(matches!(&late, FetchError::Retrieve(RetrieveError::Timeout(_))), "{late}");
    drop((reader, retrieve));
    node.stop().await;
}

impl Node {
    pub(crate) fn retrieve(&self) -> Retrieve {
        let store = Arc::new(self.shelf.clone());
        let config = retrieve::Config::default();
        Retrieve::start(config, store, self.handle.clone(), self.registry(), self.tasks())
    }
}
