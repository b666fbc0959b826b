//! The main job: a real tree of 200 MB and 5,000 files is added, every file is compared with its
//! source over HTTP, and a browser walks it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::content::{self, files_below, percent_encode};
use harness::http::Connection;
use harness::{Ending, Fleet, FleetPlan, fleet, interop};

const BYTES_MIN: u64 = 200_000_000;
const FILES_MIN: usize = 5_000;
const READERS: usize = 4;

/// Copies real files into `folder` until there are enough: the documentation of the Rust library with
/// its style sheets where it is installed, then what the system documents of itself.
fn gather_tree(folder: &Path) {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc runs");
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
    let rust = sysroot.join("share/doc/rust/html");
    let share = Path::new("/usr/share");
    let sources = [
        rust.join("static.files"),
        rust.join("core"),
        share.join("doc"),
        share.join("man"),
        share.join("locale"),
        share.join("vim"),
        share.join("perl"),
    ];
    // The pages of `core` load one script that lies beside it.
    for path in fs::read_dir(&rust).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "js") {
            let name = path.file_name().expect("it has an extension");
            fs::copy(&path, folder.join(name)).expect("the file can be copied");
        }
    }
    let (mut files, mut bytes) = (0, 0);
    for source in sources.iter().filter(|source| source.is_dir()) {
        if files >= FILES_MIN && bytes >= BYTES_MIN {
            return;
        }
        let name = source.file_name().expect("sources have names");
        for path in files_below(source).expect("the source can be read") {
            let below = path.strip_prefix(source).expect("found below it");
            let to = folder.join(name).join(below);
            // Names that are not UTF-8 and files that others may not read are not this test's matter.
            if to.to_str().is_none() || fs::File::open(&path).is_err() {
                continue;
            }
            fs::create_dir_all(to.parent().expect("below the folder"))
                .expect("folders can be made");
            bytes += fs::copy(&path, &to).expect("the file can be copied");
            files += 1;
        }
    }
    // A slim machine documents little of itself.
    let made = folder.join("made");
    fs::create_dir_all(&made).expect("folders can be made");
    while files < FILES_MIN || bytes < BYTES_MIN {
        let size = if files < FILES_MIN { 20_000 } else { 4_000_000 };
        content::write_file(&made.join(format!("{files}.bin")), files as u64, size)
            .expect("files can be written");
        files += 1;
        bytes += size;
    }
}

/// Reads every file over HTTP and returns those that differ from their source.
fn differing(fleet: &Fleet, root: &str, folder: &Path, files: &[PathBuf]) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let read = || {
        let mut connection = Connection::open(fleet.gateway.http).expect("the gateway accepts");
        let mut wrong = Vec::new();
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let below = path.strip_prefix(folder).expect("found below it");
            let names = below.iter().map(|name| percent_encode(&name.to_string_lossy()));
            let target = format!("/ipfs/{root}/{}", names.collect::<Vec<_>>().join("/"));
            let answer = match connection.ask("GET", &target, &[]) {
                Ok(answer) => answer,
                Err(error) => {
                    wrong.push(format!("{target}: {error}"));
                    connection = Connection::open(fleet.gateway.http).expect("it accepts again");
                    continue;
                }
            };
            let same = answer.body == fs::read(path).expect("the source is still there");
            if answer.status() != 200 || answer.ending != Ending::Complete || !same {
                wrong.push(format!("{target}: {} {} bytes", answer.status(), answer.body.len()));
            }
        }
        wrong
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read)).collect();
        readers.into_iter().flat_map(|reader| reader.join().expect("the reader ends")).collect()
    })
}

fn browse(url: &str, picture: &str, follow: &str) -> serde_json::Value {
    let picture = fleet::artefacts().join(picture);
    let path = picture.to_str().expect("the path is UTF-8");
    let seen = interop::run("browse.mjs", &[url, path, follow], "").expect("Chromium runs");
    assert_eq!(seen["status"], 200, "{seen}");
    assert_eq!(seen["failed"].as_array().map(Vec::len), Some(0), "{}", seen["failed"]);
    assert!(fs::metadata(&picture).is_ok_and(|file| file.len() > 5_000), "{path} is no picture");
    seen
}

#[test]
fn a_real_tree_is_added_compared_byte_for_byte_and_browsed() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    gather_tree(folder.path());
    let files = files_below(folder.path()).expect("the tree can be read");
    let fleet = Fleet::start(&FleetPlan::default()).expect("the fleet starts");

    let root = fleet.add(folder.path()).expect("the tree is added");

    for node in &fleet.nodes {
        assert!(node.has(&root).expect("the node answers"), "every node holds what was added");
    }
    let wrong = differing(&fleet, &root, folder.path(), &files);
    assert!(
        wrong.is_empty(),
        "{} of {}: {:#?}",
        wrong.len(),
        files.len(),
        &wrong[..wrong.len().min(9)]
    );

    let url = format!("http://{}/ipfs/{root}/", fleet.gateway.http);
    let listing = browse(&url, "listing.png", "2");
    let links = listing["links"].as_array().expect("links are a list");
    let folders = fs::read_dir(folder.path()).expect("the tree can be read").count();
    let inside =
        |link: &&serde_json::Value| link["href"].as_str().is_some_and(|h| h.starts_with(&url));
    assert!(links.iter().filter(inside).count() >= folders, "{links:?}");
    for visit in listing["visited"].as_array().expect("visits are a list") {
        assert_eq!(visit["status"], 200, "{visit}");
    }
    if folder.path().join("core/index.html").is_file() {
        let page = browse(&format!("{url}core/index.html"), "page.png", "1");
        assert_eq!(page["title"], "core - Rust", "{}", page["title"]);
    }
}
