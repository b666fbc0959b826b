//! Profiles as `go tool pprof` sees them, from a process like ours.
//!
//! Needs Go: the reader of these profiles is the judge of them, not this crate.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::client::call;
use telemetry::admin::{Admin, Config, NoRoutes, Shown};
use telemetry::metrics::Registry;
use telemetry::{Drain, Process, Tasks};
use tokio::sync::{Mutex, MutexGuard};

/// The samplers are one per process, and the tests of this file share one.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cpu_profile_shows_the_function_that_burns_time() {
    let (address, _alone) = start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let burning = Arc::clone(&stop);
    let burner = std::thread::spawn(move || burn_processor_time(&burning));
    let answer = call(address, "GET /debug/pprof/profile?seconds=2&hz=99").await;
    stop.store(true, Ordering::Relaxed);
    burner.join().expect("ends");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let raw = go_tool_pprof(&["-raw"], &answer.body);
    assert!(raw.contains("samples/count cpu/nanoseconds"), "{raw}");
    assert!(raw.contains("bifrost 0."), "the build is told: {raw}");
    // It calls nothing that is not inlined: a sampler that loses the running function loses it.
    // The columns are flat, flat%, sum%, cum, cum%, name.
    let top = go_tool_pprof(&["-top"], &answer.body);
    let row = top.lines().find(|row| row.ends_with(" burn_processor_time")).expect("it is there");
    let share = row.split_whitespace().nth(4).and_then(|share| share.strip_suffix('%'));
    let share: f64 = share.and_then(|share| share.parse().ok()).expect("a share");
    assert!(share > 30.0, "{top}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_cpu_profile_is_told_to_wait() {
    let (address, _alone) = start().await;
    // Both are asked for at once, and each takes a second.
    let taken = || call(address, "GET /debug/pprof/profile?seconds=1");
    let (first, second) = tokio::join!(taken(), taken());
    assert_eq!(first.status + second.status, 200 + 429);
    let busy = if first.status == 429 { &first } else { &second };
    assert_eq!(busy.header("x-go-pprof"), "1");
    assert!(busy.header("content-type").starts_with("text/plain"));
    assert!(busy.text().contains("is being taken"), "{}", busy.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_leaves_frees_the_sampler() {
    let (address, _alone) = start().await;
    let left = call(address, "GET /debug/pprof/profile?seconds=60");
    assert!(tokio::time::timeout(Duration::from_millis(300), left).await.is_err());
    let again = async {
        while call(address, "GET /debug/pprof/profile?seconds=1").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("the sampler is free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bounds_are_told_in_the_form_that_pprof_shows() {
    let (address, _alone) = start().await;
    for (query, expected) in [
        ("seconds=61", "seconds is 61: ask for 1 to 60"),
        ("seconds=1&hz=1000", "hz is 1000: ask for 1 to 199"),
        ("seconds=soon", "seconds=soon is no whole number"),
        ("seconds=-1", "seconds=-1 is no whole number"),
    ] {
        let answer = call(address, &format!("GET /debug/pprof/profile?{query}")).await;
        assert_eq!((answer.status, answer.header("x-go-pprof")), (400, "1".to_owned()));
        assert!(answer.text().contains(expected), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heap_profile_shows_who_holds_memory() {
    let (address, _alone) = start().await;
    let first = call(address, "GET /debug/pprof/heap").await;
    assert_eq!(first.status, 200, "{}", first.text());
    assert!(!first.header("x-profile-sampled-seconds").is_empty());
    let held = hold_memory();
    let answer = call(address, "GET /debug/pprof/allocs").await;
    drop(held);
    let raw = go_tool_pprof(&["-raw"], &answer.body);
    assert!(raw.contains("inuse_space/bytes"), "{raw}");
    assert!(raw.contains("hold_memory"), "{raw}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heap_sampling_is_turned_off_and_on_while_serving() {
    let (address, _alone) = start().await;
    let off = call(address, "DELETE /debug/pprof/heap").await;
    assert_eq!((off.status, off.text().as_str()), (200, "heap sampling is off\n"));
    let unseen = hold_memory();
    let on = call(address, "PUT /debug/pprof/heap").await;
    assert_eq!((on.status, on.text().as_str()), (200, "heap sampling is on\n"));
    let answer = call(address, "GET /debug/pprof/heap").await;
    assert!(!go_tool_pprof(&["-raw"], &answer.body).contains("hold_memory"), "it was held unseen");
    let seen = hold_memory();
    let answer = call(address, "GET /debug/pprof/heap").await;
    assert!(go_tool_pprof(&["-raw"], &answer.body).contains("hold_memory"), "it was held in sight");
    drop((unseen, seen));
    let answer = call(address, "POST /debug/pprof/heap").await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD, PUT, DELETE".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goroutine_profile_counts_tasks_by_name() {
    let (address, _alone) = start_with(|tasks| {
        for _ in 0..3 {
            tasks.spawn("waiting for nothing", std::future::pending::<()>());
        }
    })
    .await;
    let answer = call(address, "GET /debug/pprof/goroutine").await;
    let raw = go_tool_pprof(&["-raw"], &answer.body);
    assert!(raw.contains("tasks/count"), "{raw}");
    assert!(raw.contains("waiting for nothing"), "{raw}");
    let sample = raw.lines().find(|line| line.trim_start().starts_with("3 ")).expect("three tasks");
    assert!(sample.contains(':'), "{sample}");
}

async fn start() -> (SocketAddr, MutexGuard<'static, ()>) {
    start_with(|_| {}).await
}

async fn start_with(prepare: impl FnOnce(&Tasks)) -> (SocketAddr, MutexGuard<'static, ()>) {
    let alone = ONE_AT_A_TIME.lock().await;
    let tasks = Tasks::new();
    prepare(&tasks);
    let config = Config { listen: "127.0.0.1:0".parse().expect("an address"), ..Config::default() };
    let (registry, drain) = (Registry::new(), Drain::new());
    let shown = Shown { process: Process::Node, registry, drain, tasks, level: None };
    let address = Admin::start(&config, shown, Arc::new(NoRoutes)).await.expect("starts");
    (address, alone)
}

/// What the reader of profiles makes of one.
fn go_tool_pprof(form: &[&str], profile: &[u8]) -> String {
    assert_eq!(profile[..2], [0x1f, 0x8b], "it is compressed");
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("profile.pb.gz");
    fs::write(&path, profile).expect("written");
    let output = Command::new("go")
        .args(["tool", "pprof"])
        .args(form)
        .arg(&path)
        .env("PPROF_TMPDIR", folder.path())
        .output()
        .expect("this test needs Go: install it so that `go tool pprof` runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "go tool pprof refused the profile: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[inline(never)]
fn burn_processor_time(stop: &AtomicBool) {
    let mut number = 1u64;
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..10_000 {
            number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005) + 1);
        }
    }
}

#[inline(never)]
fn hold_memory() -> Vec<Vec<u8>> {
    (0..64).map(|byte| std::hint::black_box(vec![byte; 1024 * 1024])).collect()
}
