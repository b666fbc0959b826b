//! Ending loses nothing, and a configuration can change while requests are served.

use std::time::Duration;

use crate::content::{file, noise};
use crate::fake::{FakeNode, Manner};
use crate::harness::{Gateway, config};

#[tokio::test]
async fn drain_finishes_what_is_in_flight() {
    let bytes = noise(8, 12 * 1024 * 1024);
    let tree = file(&bytes);
    let node = FakeNode::start(&[&tree]).await;
    node.behave(Manner::Slow(Duration::from_millis(50)));
    let gateway = Gateway::of(&[&node]).await;
    let path = format!("/ipfs/{}?filename=x.bin", tree.root);
    let address = gateway.server.address();
    let url = format!("http://{address}{path}");
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<http_body_util::Empty<bytes::Bytes>>();
    let transfers = futures::future::join_all((0..8).map(|_| async {
        let uri = url.parse().expect("a URL");
        let response = client.get(uri).await.expect("an answer");
        http_body_util::BodyExt::collect(response.into_body()).await.expect("whole").to_bytes()
    }));
    let tasks = gateway.tasks.clone();
    let ending = async {
        while gateway.metric("bifrost_gateway_in_flight", "traffic=\"gateway\"") < 8 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        gateway.server.drain().await
    };
    let (answers, finished) = tokio::join!(transfers, ending);
    assert!(finished, "all connections ended in time");
    assert!(answers.iter().all(|body| *body == bytes));
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the listener is closed");
    assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty(), "no task is left");
}

#[tokio::test]
async fn pool_is_replaced_while_serving_and_a_bad_one_is_refused() {
    let (one, two) = (file(b"one"), file(b"two"));
    let first = FakeNode::start(&[&one]).await;
    let second = FakeNode::start(&[&two]).await;
    let gateway = Gateway::of(&[&first]).await;
    assert_eq!(gateway.get(&format!("/ipfs/{}", one.root)).await.status.as_u16(), 200);
    let mut bad = config(&[&second]);
    bad.upstream.nodes[0].url = "ftp://x".to_owned();
    assert!(gateway.server.reload(&bad).is_err());
    assert_eq!(gateway.metric("bifrost_gateway_config_reloads_rejected_total", ""), 1);
    gateway.server.reload(&config(&[&second])).expect("a valid configuration");
    assert_eq!(gateway.get(&format!("/ipfs/{}", two.root)).await.status.as_u16(), 200);
}
