//! What the listener answers, and that there is one collection at a time.

use clap::Parser;
use object_store::memory::InMemory;

use super::*;
use crate::profile::fixture;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ServeArgs,
}

fn collector(tasks: &Tasks) -> Arc<Collector> {
    let line = Line::parse_from(["serve", "--inventory", "/nowhere/inventory.yaml", "--gc"]);
    Arc::new(Collector {
        collecting: line.args.collecting,
        store: Store::of(Arc::new(InMemory::new()), "memory"),
        tasks: tasks.clone(),
        metrics: Metrics::new(&Registry::new()),
        tidies: line.args.gc,
        turn: Arc::new(Semaphore::new(1)),
        last: Mutex::new(None),
    })
}

#[tokio::test]
async fn the_second_collection_is_refused() {
    let tasks = Tasks::new();
    let collector = collector(&tasks);
    let status = |method: &Method, path: &str| {
        collector.answer(method, path).map(|answer| answer.status().as_u16())
    };
    let held = Arc::clone(&collector.turn).try_acquire_owned().expect("nobody collects");
    assert_eq!(status(&Method::POST, "/collect"), Some(409));
    drop(held);
    assert_eq!(status(&Method::GET, "/collect"), Some(405));
    assert_eq!(status(&Method::GET, "/last"), Some(200));
    assert_eq!(status(&Method::GET, "/other"), None);
    assert_eq!(status(&Method::POST, "/collect"), Some(202));
    // The list is not there, so that this one ends without a set, and is counted.
    let turn = Arc::clone(&collector.turn).acquire_owned();
    let _ended = tokio::time::timeout(Duration::from_secs(10), turn).await.expect("it ends");
    assert_eq!(collector.metrics.failed.get(), 1);
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn night_that_fails_still_removes_what_is_too_old() {
    let tasks = Tasks::new();
    let collector = collector(&tasks);
    let old = fixture::set("old", "2020-01-01T03:17:00Z", "b");
    collector.store.put(&old.key(), old.lines().into()).await.expect("memory takes it");
    let mut kept = Vec::new();
    // The list is not there, so that neither ends with a set.
    for trigger in [Trigger::Demand, Trigger::Nightly] {
        collector.begin(trigger, None).expect("nobody collects");
        let turn = Arc::clone(&collector.turn).acquire_owned();
        let _ended = tokio::time::timeout(Duration::from_secs(10), turn).await.expect("it ends");
        let sets = catalog::sets(&collector.store, &Selector::default()).await;
        kept.push(sets.expect("it can be read").len());
    }
    assert_eq!(kept, [1, 0]);
    tasks.shutdown(Duration::ZERO).await;
}
