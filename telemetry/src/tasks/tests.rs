//! What holds of tasks, on a paused clock.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[tokio::test(start_paused = true)]
async fn task_gives_its_value_to_who_awaits_it() {
    let tasks = Tasks::new();
    assert_eq!(tasks.spawn("sum", async { 1 + 1 }).await, Ok(2));
    assert_eq!(tasks.spawn_blocking("product", || 2 * 3).await, Ok(6));
    assert!(tasks.names_alive().is_empty());
}

#[tokio::test(start_paused = true)]
async fn panic_is_counted_and_takes_nothing_along() {
    let tasks = Tasks::new();
    let registry = Registry::new();
    tasks.register(&registry);
    let ended = tasks.spawn("faulty", async { panic!("on purpose") }).await;
    assert_eq!(ended, Err::<(), _>(TaskError::Panicked("faulty")));
    let ended = tasks.spawn_blocking("faulty too", || panic!("on purpose: {}", 2)).await;
    assert_eq!(ended, Err::<(), _>(TaskError::Panicked("faulty too")));
    assert_eq!(tasks.panics(), 2);
    assert!(registry.text().contains("bifrost_telemetry_task_panics_total 2"));
}

#[tokio::test(start_paused = true)]
async fn names_and_counts_of_running_tasks_are_known() {
    let tasks = Tasks::new();
    for _ in 0..3 {
        tasks.spawn("waiting", std::future::pending::<()>());
    }
    tasks.background("sweep", std::future::pending::<()>());
    let alive: Vec<_> = tasks.alive().into_iter().map(|alive| (alive.name, alive.count)).collect();
    assert_eq!(alive, [("sweep", 1), ("waiting", 3)]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_work_and_not_for_the_background() {
    let tasks = Tasks::new();
    let done = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&done);
    tasks.spawn("work", async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        flag.store(true, Ordering::SeqCst);
    });
    tasks.background("sweep", std::future::pending::<()>());
    let began = tokio::time::Instant::now();
    let left = tasks.shutdown(Duration::from_secs(60)).await;
    assert!(left.is_empty(), "{left:?}");
    assert!(done.load(Ordering::SeqCst));
    assert!(began.elapsed() < Duration::from_secs(6));
    assert!(tasks.names_alive().is_empty());
}

#[tokio::test(start_paused = true)]
async fn shutdown_names_and_aborts_what_is_left() {
    let tasks = Tasks::new();
    let handle = tasks.spawn("stuck", std::future::pending::<()>());
    tasks.spawn("stuck", std::future::pending::<()>());
    tasks.spawn("slow", std::future::pending::<()>());
    let left = tasks.shutdown(Duration::from_secs(1)).await;
    assert_eq!(left, ["slow", "stuck", "stuck"]);
    assert_eq!(handle.await, Err(TaskError::Aborted("stuck")));
    assert!(tasks.names_alive().is_empty());
}

#[tokio::test(start_paused = true)]
async fn task_after_shutdown_is_refused() {
    let tasks = Tasks::new();
    tasks.shutdown(Duration::ZERO).await;
    let handle = tasks.spawn("late", async { unreachable!("never polled") });
    assert!(handle.is_finished());
    assert_eq!(handle.await, Err::<(), _>(TaskError::Aborted("late")));
    let blocking = tasks.spawn_blocking("late", || unreachable!("never run"));
    assert_eq!(blocking.await, Err::<(), _>(TaskError::Aborted("late")));
}

#[tokio::test(start_paused = true)]
async fn handle_aborts_its_task_only_when_asked_to() {
    let tasks = Tasks::new();
    drop(tasks.spawn("kept", std::future::pending::<()>()));
    drop(tasks.spawn("ended", std::future::pending::<()>()).abort_on_drop());
    tokio::task::yield_now().await;
    assert_eq!(tasks.names_alive(), ["kept"]);
}

#[test]
fn runtime_that_ends_first_leaves_no_entry_behind() {
    let tasks = Tasks::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    runtime.block_on(async {
        tasks.spawn("abandoned", std::future::pending::<()>());
        tokio::task::yield_now().await;
    });
    drop(runtime);
    assert!(tasks.names_alive().is_empty());
}
