//! Which pages there are, that they link to each other, and that nothing in them is markup of strangers.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use object_store::memory::InMemory;

use super::*;
use crate::profile::entry::{self, Missing};
use crate::profile::fixture;

const HOSTILE: &str = "<script>alert(1)</script>";

/// A store with three nights: two of a build, one of the next.
async fn store() -> Store {
    let store = Store::of(Arc::new(InMemory::new()), "memory");
    let now = Timestamp::now().as_second();
    for (days, build, work) in [(2, "b1", 30), (1, "b1", 30), (0, "b2", 90)] {
        let at = Timestamp::from_second(now - days * DAY_SECONDS).expect("a moment");
        let mut set = fixture::set(&format!("n{days}"), &at.to_string(), build);
        set.head.reason = Some(HOSTILE.to_owned());
        for entry in &mut set.entries {
            entry.node = HOSTILE.to_owned();
        }
        let stacks = [("main;work", work), (HOSTILE, 10 + u64::try_from(days).unwrap_or(0))];
        fixture::keep(&store, set, &fixture::profile(&stacks)).await;
    }
    store
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(below).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).expect("it is below").display().to_string();
            let bytes = fs::read(&path).expect("it can be read");
            found.insert(name, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    found
}

#[tokio::test]
async fn pages_link_to_each_other_and_hold_no_markup_of_strangers() {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, tasks) = (folder.path().join("site"), Tasks::new());
    let args = SiteArgs { out: out.clone(), days: 14 };
    let store = store().await;
    for _ in 0..2 {
        run(&args, &store, &tasks).await.expect("it is written, and again");
    }
    let files = files(&out);
    let count = |begin: &str| files.keys().filter(|name| name.starts_with(begin)).count();
    // Every set has the same bytes in its three profiles, so one page each, and the profile itself.
    assert_eq!((count("sets/"), count("profiles/")), (3, 6));
    // Two pairs of days and one of builds; of processor time and memory of one role, and the pool's time.
    assert_eq!(count("diff/"), 9, "{:?}", files.keys());
    for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".html")) {
        assert!(!text.contains("<script>alert"), "{name}");
        assert_eq!(text.matches("<h1").count(), 1, "{name}");
        let above = name.rsplit_once('/').map_or("", |(above, _)| above);
        for (at, _) in text.match_indices("href=\"") {
            let target = text[at + 6..].split(['"', '#']).next().unwrap_or_default();
            if target.is_empty() || target.starts_with("data:") {
                continue;
            }
            let to = match target.strip_prefix("../") {
                Some(target) => target.to_owned(),
                None if above.is_empty() => target.to_owned(),
                None => format!("{above}/{target}"),
            };
            assert!(files.contains_key(&to), "{name} links to {target}");
        }
    }
    assert!(files["index.html"].contains("b2 against b1"));
}

#[tokio::test]
async fn what_a_process_said_and_where_it_is_stays_with_operators() {
    let (store, tasks) = (Store::of(Arc::new(InMemory::new()), "memory"), Tasks::new());
    let admin = "http://node-1.cluster.internal:9180";
    let mut set = fixture::set("n0", &entry::now().to_string(), "b1");
    set.head.reason = Some(format!("NodeFirstByte{{instance={admin}}}"));
    set.head.missing = vec![Missing {
        node: "node-1".to_owned(),
        role: "pool".to_owned(),
        env: "local".to_owned(),
        kind: None,
        why: format!("could not reach {admin}/version: connection refused"),
    }];
    fixture::keep(&store, set, &fixture::profile(&[("main;work", 30)])).await;
    let folder = tempfile::tempdir().expect("a folder");
    let args = SiteArgs { out: folder.path().join("site"), days: 14 };
    run(&args, &store, &tasks).await.expect("it is written");
    assert!(files(&args.out)["sets/n0.html"].contains("could not reach http://node-1.cluster"));

    let shown = std::cell::RefCell::new(BTreeMap::new());
    let write = |path: &str, content: &[u8]| {
        let text = String::from_utf8_lossy(content).into_owned();
        shown.borrow_mut().insert(path.to_owned(), text);
    };
    pages(&store, 14, &tasks, &write).await.expect("they are drawn");
    let shown = shown.into_inner();
    assert!(
        shown["index.html"].contains("href=\"../index.html\""),
        "the way back to the larger site"
    );
    assert!(shown["sets/n0.html"].contains("href=\"../../index.html\""), "and from below");
    assert!(shown["sets/n0.html"].contains("<td>it could not be reached</td>"));
    for (path, text) in shown {
        assert!(!text.contains("internal") && !text.contains("9180"), "{path}");
    }
}

#[tokio::test]
async fn a_folder_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("thesis.txt"), "years").expect("it can be written");
    let args = SiteArgs { out: folder.path().to_path_buf(), days: 14 };
    let error = run(&args, &store().await, &Tasks::new()).await.expect_err("it is not ours");
    assert!(error.to_string().contains("did not write"), "{error}");
    assert!(folder.path().join("thesis.txt").exists());
}
