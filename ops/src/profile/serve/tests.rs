//! What the listener answers, and that there is one collection at a time.

use clap::Parser;
use object_store::memory::InMemory;

use super::*;
use crate::profile::fixture;

const LIST: &str = "\
version: 1
environments: [test]
processes:
  - name: gateway-0
    kind: gateway
    env: test
    region: here
    url: http://127.0.0.1:1
    admin: http://127.0.0.1:1
    owner: somebody
    runbook: https://ops.example/runbooks/GatewayNotReady
    status: active
";

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
        running: Mutex::new(None),
        last: Mutex::new(None),
        failed: Mutex::new(None),
        burn: Mutex::new(Burn::new(line.args.cool_down)),
    })
}

/// A collector of a list with one process, which is gone.
fn of_one(tasks: &Tasks) -> (Arc<Collector>, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("inventory.yaml");
    std::fs::write(&list, LIST).expect("it can be written");
    let line = Line::parse_from(["serve", "--inventory", &list.display().to_string()]);
    let mut collector = collector(tasks);
    Arc::get_mut(&mut collector).expect("it is new").collecting = line.args.collecting;
    (collector, folder)
}

async fn status(collector: &Arc<Collector>, method: &Method, path: &str) -> Option<u16> {
    collector.answer(method, path).await.map(|answer| answer.status().as_u16())
}

async fn ended(collector: &Collector) {
    let turn = Arc::clone(&collector.turn).acquire_owned();
    let _ended = tokio::time::timeout(Duration::from_secs(10), turn).await.expect("it ends");
}

#[tokio::test]
async fn the_second_collection_is_refused() {
    let tasks = Tasks::new();
    let collector = collector(&tasks);
    let held = Arc::clone(&collector.turn).try_acquire_owned().expect("nobody collects");
    assert_eq!(status(&collector, &Method::POST, "/collect").await, Some(409));
    drop(held);
    assert_eq!(status(&collector, &Method::GET, "/collect").await, Some(405));
    assert_eq!(status(&collector, &Method::GET, "/last").await, Some(200));
    assert_eq!(status(&collector, &Method::GET, "/other").await, None);
    assert_eq!(collector.metrics.failed.get(), 0);
    // The list is not there, so that this one cannot begin, and is counted.
    assert_eq!(status(&collector, &Method::POST, "/collect").await, Some(503));
    assert_eq!(collector.metrics.failed.get(), 1);
    let failed = locked(&collector.failed).clone().expect("it says why");
    assert!(failed["why"].as_str().is_some_and(|why| why.contains("inventory.yaml")), "{failed}");
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_collection_elsewhere_is_told_of_and_waited_for() {
    let tasks = Tasks::new();
    let (collector, _folder) = of_one(&tasks);
    let minute = Duration::from_secs(60);
    let other = Lease::take(&collector.store, "other", minute).await.expect("nobody collects");
    assert_eq!(status(&collector, &Method::POST, "/collect").await, Some(409));
    let now = Timestamp::now();
    let mut night = Night::at(now);
    let mut tries = 1;
    while !collector.night(&mut night, now).await {
        tries += 1;
    }
    // It gives up in the end, and that is counted once.
    assert_eq!((tries, collector.metrics.failed.get()), (60, 1));
    other.release().await.expect("it is given back");
    assert!(collector.night(&mut Night::at(now), now).await);
    ended(&collector).await;
    assert_eq!(locked(&collector.last).as_ref().map(|head| head.trigger), Some(Trigger::Nightly));
    assert_eq!((collector.metrics.failed.get(), collector.metrics.processes.get()), (1, 1));
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn an_alert_is_looked_at_when_a_set_came_of_it() {
    let tasks = Tasks::new();
    let (collector, _folder) = of_one(&tasks);
    let (alerts, later) = (["a".to_owned()], Instant::now() + Duration::from_secs(7200));
    collector.begin(Trigger::Slo, Some("a".to_owned())).await.expect("nobody collects");
    ended(&collector).await;
    assert_eq!(locked(&collector.burn).wants(&alerts, later), None);
    tasks.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn night_that_fails_still_removes_what_is_too_old() {
    let tasks = Tasks::new();
    let collector = collector(&tasks);
    let old = fixture::set("old", "2020-01-01T03:17:00Z", "b");
    collector.store.put(&old.key(), old.lines().into()).await.expect("memory takes it");
    let kept = async || {
        let sets = catalog::sets(&collector.store, &Selector::default()).await;
        sets.expect("it can be read").len()
    };
    // The list is not there, so that neither begins.
    collector.begin(Trigger::Demand, None).await.expect_err("there is no list");
    assert_eq!(kept().await, 1);
    let now = Timestamp::now();
    assert!(!collector.night(&mut Night::at(now), now).await, "it is tried again");
    assert_eq!(kept().await, 0);
    tasks.shutdown(Duration::ZERO).await;
}
