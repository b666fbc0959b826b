//! Sets of processes that answer, are busy, lie, die or hang; and of stores that refuse.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use object_store::memory::InMemory;
use tokio::sync::Semaphore;

use super::*;
use crate::inventory;
use crate::played;
use crate::profile::entry::Reason;
use crate::profile::{catalog, fixture};

const QUICK: Taking = Taking {
    seconds: 1,
    hertz: 99,
    when_busy: Duration::from_millis(1),
    when_failed: Duration::from_millis(1),
};

fn store() -> Store {
    Store::of(Arc::new(InMemory::new()), "memory")
}

fn target(name: &str, admin: &str) -> Target {
    Target {
        name: name.to_owned(),
        kind: inventory::Kind::Gateway,
        role: "gateway".to_owned(),
        env: "test".to_owned(),
        admin: Some(admin.to_owned()),
    }
}

fn job(targets: Vec<Target>) -> Job {
    Job {
        id: "one".to_owned(),
        targets,
        kinds: vec![Kind::Cpu],
        taking: QUICK,
        trigger: Trigger::Demand,
        reason: None,
        concurrency: 4,
        jitter: Duration::ZERO,
        deadline: Duration::from_secs(20),
        publish: Publish::No,
        token: "token".to_owned(),
    }
}

fn answer(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(body.into())).expect("it is plain")
}

/// A process whose profiles are what `profile` says, by how often it was asked.
async fn process(
    tasks: &Tasks,
    profile: impl Fn(usize) -> (StatusCode, Bytes) + Clone + Send + Sync + 'static,
) -> String {
    let (place, listener) = played::listen().await;
    let asked = Arc::new(AtomicUsize::new(0));
    played::serve(tasks, listener, move |request| {
        let (asked, profile) = (Arc::clone(&asked), profile.clone());
        async move {
            let token = request.headers().get("authorization").map(|value| value.as_bytes());
            assert_eq!(token, Some(&b"Bearer token"[..]));
            let count = || asked.fetch_add(1, Ordering::SeqCst);
            match request.uri().path() {
                "/version" => answer(
                    StatusCode::OK,
                    r#"{"version":"0.1.0","commit":"0123456789abcdef","profile":"release"}"#,
                ),
                "/metrics" => {
                    let text = "bifrost_gateway_requests_total{cache=\"hit\"} ";
                    let ended = asked.load(Ordering::SeqCst) * 50;
                    answer(StatusCode::OK, format!("{text}{ended}\n"))
                }
                "/debug/pprof/profile" => {
                    assert_eq!(request.uri().query(), Some("seconds=1&hz=99"));
                    let (status, body) = profile(count());
                    answer(status, body)
                }
                path => answer(StatusCode::NOT_FOUND, path.to_owned()),
            }
        }
    });
    place.url()
}

fn whole() -> Bytes {
    fixture::profile(&[("main;work", 30), ("main", 10)])
}

#[tokio::test]
async fn a_set_has_every_process_and_the_load_meanwhile() {
    let (tasks, store) = (Tasks::new(), store());
    let admin = process(&tasks, |_| (StatusCode::OK, whole())).await;
    let job = job(vec![target("a", &admin), target("b", &admin)]);
    let set = collect(&job, &store, &tasks).await.expect("it is collected");
    assert!(set.is_whole());
    let entry = &set.entries[0];
    assert_eq!((&entry.build[..], entry.samples, entry.kind), ("0.1.0-0123456789ab", 2, Kind::Cpu));
    let load = entry.load.expect("it is known");
    assert_eq!((load.requests, load.hit_ratio), (50.0, Some(1.0)));
    let stored = catalog::sets(&store, &Default::default()).await.expect("it is readable");
    assert_eq!(stored, std::slice::from_ref(&set));
    assert_eq!(catalog::bytes(&store, entry).await.expect("it is there"), whole());
    // The right to collect was given back.
    collect(&job, &store, &tasks).await.expect("it is collected again");
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn who_is_busy_or_fails_once_is_asked_again() {
    let (tasks, store) = (Tasks::new(), store());
    for first in [StatusCode::TOO_MANY_REQUESTS, StatusCode::INTERNAL_SERVER_ERROR] {
        let profile = move |count| match count {
            0 => (first, Bytes::from_static(b"a profile of this kind is being taken\n")),
            _ => (StatusCode::OK, whole()),
        };
        let admin = process(&tasks, profile).await;
        let set = collect(&job(vec![target("a", &admin)]), &store, &tasks).await;
        assert!(set.expect("it is collected").is_whole());
    }
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_profile_is_filed_under_the_build_that_it_is_of() {
    let (tasks, store) = (Tasks::new(), store());
    let of = |comment: &'static str| fixture::commented(&[("main", 10)], comment);
    let same = process(&tasks, move |_| (StatusCode::OK, of("bifrost 0.1.0 0123456789abcdef")));
    let other = process(&tasks, move |_| (StatusCode::OK, of("bifrost 0.2.0 0123456789abcdef")));
    let targets = vec![target("same", &same.await), target("other", &other.await)];
    let set = collect(&job(targets), &store, &tasks).await.expect("it is collected");
    assert_eq!((set.entries.len(), &set.entries[0].node[..]), (1, "same"));
    let missing = &set.head.missing[0];
    assert_eq!((&missing.node[..], missing.kind), ("other", Some(Kind::Cpu)));
    assert_eq!(missing.why, "it was begun anew as another build");
    assert_eq!(missing.reason(), Reason::Restarted);
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn every_process_that_is_missing_is_named_with_its_reason() {
    let (tasks, store) = (Tasks::new(), store());
    let (dead, listener) = played::listen().await;
    drop(listener);
    let good = process(&tasks, |_| (StatusCode::OK, whole())).await;
    let cut = process(&tasks, |_| (StatusCode::OK, whole().slice(..40))).await;
    let busy = process(&tasks, |_| (StatusCode::TOO_MANY_REQUESTS, "taken\u{1b}[2J".into())).await;
    let page = process(&tasks, |_| (StatusCode::OK, "<html>".into())).await;
    let targets = vec![
        target("good", &good),
        target("dead", &dead.url()),
        target("cut", &cut),
        target("busy", &busy),
        target("page", &page),
        Target { admin: None, ..target("none", "") },
    ];
    let set = collect(&job(targets), &store, &tasks).await.expect("it is collected");
    assert_eq!((set.head.processes, set.head.profiled, set.entries.len()), (6, 1, 1));
    for (node, said, reason) in [
        ("dead", "could not reach", Reason::Unreachable),
        ("cut", "its profile is refused: it is cut or corrupt", Reason::Unreadable),
        ("busy", "it answers 429: taken[2J", Reason::Refused),
        ("page", "its profile is refused: it is cut or corrupt", Reason::Unreadable),
        ("none", "it has no admin listener in the list", Reason::NoListener),
    ] {
        let one = set.head.missing.iter().find(|one| one.node == node).expect("it is named");
        assert!(one.why.contains(said), "{node}: {}", one.why);
        assert_eq!(one.reason(), reason, "{node}: {}", one.why);
    }
    // Only what was read as a whole is stored.
    assert_eq!(store.list("profiles").await.expect("it lists").len(), 1);
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn who_hangs_is_missing_when_the_deadline_comes() {
    let (tasks, store) = (Tasks::new(), store());
    let (silent, _listener) = played::listen().await;
    let good = process(&tasks, |_| (StatusCode::OK, whole())).await;
    let other = Target { role: "pool".to_owned(), ..target("good", &good) };
    let targets = vec![target("silent", &silent.url()), target("late", &good), other];
    let job = Job { deadline: Duration::from_millis(300), ..job(targets) };
    let set = collect(&job, &store, &tasks).await.expect("it is collected");
    let mut named: Vec<&str> = set.head.missing.iter().map(|one| &one.node[..]).collect();
    named.sort_unstable();
    assert_eq!((named, set.entries.len()), (vec!["late", "silent"], 1));
    assert!(set.head.missing[0].why.contains("the deadline of 300ms"), "{:?}", set.head.missing);
    assert!(set.head.missing.iter().all(|one| one.reason() == Reason::Timeout));
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_role_has_one_process_sampled_at_a_time() {
    let (tasks, store) = (Tasks::new(), store());
    let turn = Arc::new(Semaphore::new(1));
    let mut targets = Vec::new();
    for name in ["a", "b", "c"] {
        let turn = Arc::clone(&turn);
        let profile = move |_| {
            let alone = turn.try_acquire().is_ok();
            (if alone { StatusCode::OK } else { StatusCode::CONFLICT }, whole())
        };
        targets.push(target(name, &process(&tasks, profile).await));
    }
    let set = collect(&job(targets), &store, &tasks).await.expect("it is collected");
    assert!(set.is_whole(), "{:?}", set.head.missing);
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_store_that_refuses_has_no_set_afterwards() {
    let (tasks, folder) = (Tasks::new(), tempfile::tempdir().expect("a folder"));
    std::fs::write(folder.path().join("profiles"), "in the way").expect("it can be written");
    let at = folder.path().display().to_string();
    let store = Store::open(&at, true, &tasks).expect("it is a folder");
    let admin = process(&tasks, |_| (StatusCode::OK, whole())).await;
    let error = collect(&job(vec![target("a", &admin)]), &store, &tasks).await;
    let text = error.expect_err("it refuses").to_string();
    assert!(text.contains("could not write profiles/"), "{text}");
    assert_eq!(store.list("index").await.expect("it lists"), []);
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_set_whose_index_is_refused_leaves_nothing_behind() {
    let (tasks, folder) = (Tasks::new(), tempfile::tempdir().expect("a folder"));
    std::fs::write(folder.path().join("index"), "in the way").expect("it can be written");
    let at = folder.path().display().to_string();
    let store = Store::open(&at, true, &tasks).expect("it is a folder");
    let admin = process(&tasks, |_| (StatusCode::OK, whole())).await;
    let error = collect(&job(vec![target("a", &admin)]), &store, &tasks).await;
    let text = error.expect_err("it refuses").to_string();
    assert!(text.contains("could not write index/"), "{text}");
    assert_eq!(store.list("profiles").await.expect("it lists"), []);
    Lease::take(&store, "next", Duration::ZERO).await.expect("the right was given back");
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_set_that_cannot_be_published_is_stored_and_says_why() {
    let (tasks, store) = (Tasks::new(), store());
    let admin = process(&tasks, |_| (StatusCode::OK, whole())).await;
    let job = Job { publish: Publish::Into(Vec::new()), ..job(vec![target("a", &admin)]) };
    let set = collect(&job, &store, &tasks).await.expect("it is collected");
    assert_eq!(set.head.cid, None);
    assert!(set.head.unpublished.expect("it says why").contains("no node"));
    tasks.shutdown(Duration::ZERO).await;
}
