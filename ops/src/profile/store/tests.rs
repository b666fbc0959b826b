//! Stores that take, refuse, are full or lie: in memory, in a folder, and in a bucket that is played.

use std::collections::BTreeMap;
use std::sync::Mutex;

use ::http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use object_store::memory::InMemory;

use super::*;
use crate::played;

fn memory() -> Store {
    Store::of(Arc::new(InMemory::new()), "memory")
}

async fn takes_and_gives(store: &Store) {
    let key = "profiles/2026-11-20/local/pool/node-0/b/031700Z.cpu.pb.gz";
    store.put(key, Bytes::from_static(b"one")).await.expect("it takes it");
    assert_eq!(store.get(key).await.expect("it is there"), "one");
    let listed = store.list("profiles").await.expect("it lists");
    assert_eq!((listed.len(), &listed[0].key[..], listed[0].bytes), (1, key, 3));
    assert!(store.create("lock", Bytes::from_static(b"a")).await.expect("it takes it"));
    assert!(!store.create("lock", Bytes::from_static(b"b")).await.expect("it is there"));
    assert_eq!(store.get("lock").await.expect("it is there"), "a");
    for _ in 0..2 {
        store.delete(key).await.expect("it is gone, twice is once");
    }
    let error = store.get(key).await.expect_err("it is gone");
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert_eq!(store.list("profiles").await.expect("it lists"), []);
}

#[tokio::test]
async fn memory_and_folders_take_and_give() {
    takes_and_gives(&memory()).await;
    let (folder, tasks) = (tempfile::tempdir().expect("a folder"), Tasks::new());
    let at = folder.path().join("store").display().to_string();
    let error = Store::open(&at, false, &tasks).expect_err("nobody has written there");
    assert!(matches!(error, StoreError::Nothing(_)), "{error}");
    takes_and_gives(&Store::open(&at, true, &tasks).expect("it is made")).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_says_so_and_keeps_nothing() {
    let (folder, tasks) = (tempfile::tempdir().expect("a folder"), Tasks::new());
    // A file where a folder is needed is refused to every user, also to the one whom no mode stops.
    std::fs::write(folder.path().join("profiles"), "in the way").expect("it can be written");
    let at = folder.path().display().to_string();
    let store = Store::open(&at, true, &tasks).expect("it is a folder");
    let error = store.put("profiles/a/b", Bytes::from_static(b"x")).await.expect_err("it is not");
    let text = error.to_string();
    assert!(text.contains("could not write profiles/a/b"), "{text}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("it can be read").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn an_object_longer_than_a_profile_is_not_read() {
    let store = memory();
    let long = vec![0; usize::try_from(OBJECT_BYTES_MAX).expect("it fits") + 1];
    store.put("profiles/long", long.into()).await.expect("it takes it");
    let error = store.get("profiles/long").await.expect_err("it is too long").to_string();
    assert!(error.contains("more than any profile"), "{error}");
}

#[test]
fn stores_that_nobody_knows_are_refused() {
    let tasks = Tasks::new();
    for at in ["ftp://x/y", "https://example.com/x", "s3://bucket/../x"] {
        let error = Store::open(at, true, &tasks).expect_err("nobody knows it").to_string();
        assert!(error.contains("name a folder, s3://"), "{error}");
    }
}

/// A bucket that is played, and the store that is kept in it.
async fn played(
    tasks: &Tasks,
    answer: impl Fn(&Method, &str) -> Option<StatusCode> + Clone + Send + Sync + 'static,
) -> Store {
    let (server, listener) = played::listen().await;
    let objects: Arc<Mutex<BTreeMap<String, Bytes>>> = Arc::default();
    played::serve(tasks, listener, move |request| {
        let (objects, answer) = (Arc::clone(&objects), answer.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.expect("it is sent").to_bytes();
            let path = head.uri.path().to_owned();
            assert!(head.headers.contains_key("authorization"), "it is signed");
            let mut objects = objects.lock().expect("nobody panics");
            let (status, body) = match (answer(&head.method, &path), head.method) {
                (Some(status), _) => {
                    (status, Bytes::from_static(b"<Error><Code>No</Code></Error>"))
                }
                (None, Method::PUT) => {
                    objects.insert(path, body);
                    (StatusCode::OK, Bytes::new())
                }
                (None, _) => match objects.get(&path) {
                    Some(bytes) => (StatusCode::OK, bytes.clone()),
                    None => (StatusCode::NOT_FOUND, Bytes::new()),
                },
            };
            Response::builder()
                .status(status)
                .header("etag", "\"1\"")
                .header("last-modified", "Fri, 20 Nov 2026 03:17:00 GMT")
                .body(Full::new(body))
                .expect("it is plain")
        }
    });
    let connector = Connector::new(tasks).expect("TLS is there");
    let bucket = AmazonS3Builder::new()
        .with_bucket_name("bucket")
        .with_region("nowhere-1")
        .with_endpoint(server.url())
        .with_allow_http(true)
        .with_access_key_id("id")
        .with_secret_access_key("secret")
        .with_retry(RetryConfig { retry_timeout: Duration::from_secs(1), ..retry() })
        .with_http_connector(connector)
        .build()
        .expect("it is a bucket");
    Store::of(Arc::new(bucket), "s3://bucket")
}

#[tokio::test]
async fn a_bucket_takes_and_gives_what_it_is_signed_for() {
    let tasks = Tasks::new();
    let store = played(&tasks, |_, _| None).await;
    store.put("profiles/a", Bytes::from_static(b"one")).await.expect("it takes it");
    assert_eq!(store.get("profiles/a").await.expect("it is there"), "one");
    let error = store.get("profiles/b").await.expect_err("it is not there");
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_bucket_that_refuses_or_fails_says_so() {
    let tasks = Tasks::new();
    for (status, said) in [
        (StatusCode::FORBIDDEN, "are its credentials in the environment?"),
        (StatusCode::SERVICE_UNAVAILABLE, "503"),
        (StatusCode::INSUFFICIENT_STORAGE, "507"),
    ] {
        let store = played(&tasks, move |_, _| Some(status)).await;
        let put = store.put("profiles/a", Bytes::from_static(b"one")).await;
        let text = put.expect_err("it refuses").to_string();
        assert!(text.starts_with("the store s3://bucket could not write profiles/a"), "{text}");
        assert!(text.contains(said), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn credentials_do_not_travel_in_the_clear_unasked() {
    let tasks = Tasks::new();
    let bucket = AmazonS3Builder::new()
        .with_bucket_name("bucket")
        .with_region("nowhere-1")
        .with_endpoint("http://127.0.0.1:9")
        .with_access_key_id("id")
        .with_secret_access_key("secret")
        .with_retry(RetryConfig { max_retries: 0, ..retry() })
        .with_http_connector(Connector::new(&tasks).expect("TLS is there"))
        .build()
        .expect("it is a bucket");
    let store = Store::of(Arc::new(bucket), "s3://bucket");
    let error = store.get("profiles/a").await.expect_err("it is plain HTTP").to_string();
    assert!(error.contains("plain HTTP is not allowed"), "{error}");
}
