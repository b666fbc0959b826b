//! Many requests for one block are one fetch, and nobody's leaving hurts the others.

use std::time::Duration;

use futures::future::join_all;

use crate::content::file;
use crate::fake::{FakeNode, Manner};
use crate::harness::Gateway;

#[tokio::test]
async fn thousand_requests_are_one_fetch() {
    let tree = file(b"hello");
    let node = FakeNode::start(&[&tree]).await;
    node.behave(Manner::Slow(Duration::from_millis(1_000)));
    let gateway = Gateway::of(&[&node]).await;
    let path = format!("/ipfs/{}", tree.root);
    let answers = join_all((0..1_000).map(|_| gateway.get(&path))).await;
    assert!(answers.iter().all(|got| got.status.as_u16() == 200 && &got.body[..] == b"hello"));
    // A silent node is hedged, and here that is the same one.
    assert_eq!(node.asked_for(&tree.root), 1);
}

#[tokio::test]
async fn followers_outlive_the_leader_and_the_last_one_takes_the_fetch_along() {
    let tree = file(b"hello");
    let node = FakeNode::start(&[&tree]).await;
    node.behave(Manner::Slow(Duration::from_millis(600)));
    let gateway = Gateway::of(&[&node]).await;
    let path = format!("/ipfs/{}", tree.root);
    let leader = tokio::time::timeout(Duration::from_millis(200), gateway.get(&path));
    let follower = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        gateway.get(&path).await
    };
    let (leader, follower) = tokio::join!(leader, follower);
    assert!(leader.is_err(), "the leader left");
    assert_eq!(follower.status.as_u16(), 200);
    assert_eq!(node.asked_for(&tree.root), 1);

    let other = file(b"other");
    node.hold(&other);
    node.behave(Manner::Silent);
    let path = format!("/ipfs/{}", other.root);
    let alone = tokio::time::timeout(Duration::from_millis(200), gateway.get(&path)).await;
    assert!(alone.is_err());
    gateway.metric_becomes("bifrost_gateway_blocks_abandoned_total", "", 1).await;
    for _ in 0..100 {
        if node.open() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} requests are open at the node", node.open());
}
