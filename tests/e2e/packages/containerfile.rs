//! The Containerfile without a container engine: what it copies and calls is there, its own commands unpack the
//! image, and what it says of the image is what the image says of itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{made, root, run};

/// Its instructions, each a word and the rest, without comments.
fn instructions() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("ops/packaging/Containerfile"));
    let text = text.expect("it is there");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let split = |line: &str| {
        let (word, rest) = line.split_once(' ')?;
        Some((word.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    joined.lines().filter_map(split).collect()
}

fn all_of(word: &str) -> Vec<String> {
    let own = instructions().into_iter().filter(|(name, _)| name == word);
    own.map(|(_, rest)| rest).collect()
}

/// The files of an image, unpacked by the commands of the Containerfile.
pub(super) fn unpacked(image: &Path) -> PathBuf {
    let folder = image.parent().expect("it is in a folder");
    let script = all_of("RUN").into_iter().find(|script| script.contains("/root-of-image"));
    let at = |name: &str| folder.join(name).display().to_string();
    let script = script
        .expect("it unpacks what was made")
        .replace("/packages", &folder.display().to_string())
        .replace("/root-of-image", &at("root-of-image"))
        .replace(" /image", &format!(" {}", at("image")));
    run(Command::new("sh").arg("-euc").arg(script));
    folder.join("root-of-image")
}

#[test]
fn containerfile_copies_and_calls_what_is_there() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("it is there");
    let begins = |start: &str| makefile.lines().any(|line| line.starts_with(start));
    let mut made = 0;
    for script in all_of("RUN") {
        let Some(words) = script.strip_prefix("make ") else { continue };
        for word in words.split(' ') {
            match word.split_once('=') {
                Some((variable, _)) => assert!(begins(&format!("{variable} ?=")), "{variable}"),
                None => assert!(begins(&format!("{word}:")), "make {word}"),
            }
            made += 1;
        }
    }
    assert_eq!(made, 2, "the image, in a folder");
    let copies = all_of("COPY");
    assert_eq!(copies, [". .", "--from=build /root-of-image/ /"]);
    assert!(root().join("Makefile").exists(), "the context is the root of the project");
    let stages = all_of("FROM");
    assert_eq!(stages, ["${RUST} AS build", "scratch"]);
    let compiler = all_of("ARG").into_iter().find(|arg| arg.starts_with("RUST="));
    let cargo = fs::read_to_string(root().join("Cargo.toml")).expect("it is there");
    let version = cargo.lines().find_map(|line| line.strip_prefix("rust-version = \""));
    let version = version.expect("the compiler is named").trim_end_matches('"');
    assert!(compiler.is_some_and(|image| image.contains(&format!("rust:{version}-"))), "{version}");
}

#[test]
fn containerfile_says_of_the_image_what_the_image_says() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    unpacked(&made("image", folder.path()));
    let layout = folder.path().join("image");
    let read = |path: &Path| -> Value {
        serde_json::from_slice(&fs::read(path).expect("it is there")).expect("it is JSON")
    };
    let blob = |described: &Value| {
        let digest = described["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
        layout.join("blobs/sha256").join(digest.expect("it has a digest"))
    };
    let manifest = read(&blob(&read(&layout.join("index.json"))["manifests"][0]));
    let config = &read(&blob(&manifest["config"]))["config"];

    assert_eq!(all_of("USER"), [config["User"].as_str().expect("a text")]);
    assert_eq!(all_of("WORKDIR")[1], config["WorkingDir"]);
    assert_eq!(all_of("STOPSIGNAL"), [config["StopSignal"].as_str().expect("a text")]);
    assert_eq!(all_of("ENV")[1], config["Env"][0]);
    let command: Value = serde_json::from_str(&all_of("CMD")[0]).expect("it is a list");
    assert_eq!(command, config["Cmd"]);
    let labels = all_of("LABEL").concat();
    let parts: Vec<&str> = labels.split('"').collect();
    let mut seen = 0;
    for pair in parts.chunks_exact(2) {
        let (name, value) = (pair[0].trim().trim_end_matches('='), pair[1]);
        let label = config["Labels"][name].as_str();
        let label = label.unwrap_or_else(|| panic!("the image has no label {name}"));
        assert!(value == label || value == "${COMMIT}", "{name}: {value}, not {label}");
        seen += 1;
    }
    assert_eq!(seen, 4);
}
