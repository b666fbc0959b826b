//! Packages, read back as those read them who install them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::software::Software;
use super::{Maker, Stamp, archive, chart, deb, image, tree};

const STAMP: Stamp = Stamp { time: 1_700_000_000 };

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("ops is a member")
}

fn made(maker: Maker) -> (String, Vec<u8>) {
    maker(&Software::of_shells(root()), STAMP).expect("everything is there")
}

fn run(program: &str, words: &[&str], at: &Path) -> String {
    let output = Command::new(program).args(words).current_dir(at).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {said}{complained}");
    said
}

/// Writes a package into a folder of its own.
fn laid(maker: Maker) -> (tempfile::TempDir, String) {
    let (name, content) = made(maker);
    let folder = tempfile::tempdir().expect("a folder can be made");
    std::fs::write(folder.path().join(&name), content).expect("it can be written");
    (folder, name)
}

#[test]
fn same_programs_of_the_same_commit_give_the_same_bytes() {
    for maker in [archive::build as Maker, deb::build, image::build] {
        let (one, other) = (made(maker), made(maker));
        assert!(one == other, "{} is another each time", one.0);
    }
}

#[test]
fn debian_reads_the_package_and_finds_everything_in_its_place() {
    let (folder, name) = laid(deb::build);
    let at = folder.path();
    let field = |field| run("dpkg-deb", &["--field", &name, field], at).trim().to_owned();
    assert_eq!(field("Package"), "bifrost");
    assert_eq!(field("Version"), format!("{}-1", telemetry::build_info::version()));
    let depends = field("Depends");
    assert!(depends.starts_with("libc6 (>= 2."), "{depends}");
    assert!(depends.ends_with(", systemd (>= 252)"), "{depends}");
    assert!(field("Installed-Size").parse::<u64>().is_ok_and(|size| size > 100));

    let listed = run("dpkg-deb", &["--contents", &name], at);
    for (mode, path) in [
        ("-rwxr-xr-x", "usr/bin/bifrost-gateway"),
        ("-rw-r--r--", "usr/lib/systemd/system/bifrost-gateway.socket"),
        ("-rw-r--r--", "usr/lib/systemd/system/bifrost-node.service"),
        ("-rw-r--r--", "usr/lib/sysusers.d/bifrost.conf"),
        ("-rw-r--r--", "usr/share/man/man1/bifrost-mirror-verdict.1.gz"),
        ("-rw-r--r--", "usr/share/doc/bifrost/changelog.Debian.gz"),
        ("-rw-r--r--", "usr/share/doc/bifrost/THIRD-PARTY"),
        ("-rw-r--r--", "etc/bifrost/gateway.yaml"),
        ("drwxr-xr-x", "etc/bifrost/denylists/"),
    ] {
        let line = listed.lines().find(|line| line.ends_with(&format!(" {path}")));
        let line = line.unwrap_or_else(|| panic!("{path} is not in\n{listed}"));
        assert!(line.starts_with(&format!("{mode} root/root")), "{line}");
    }

    run("dpkg-deb", &["--control", &name, "control"], at);
    let conffiles = std::fs::read_to_string(at.join("control/conffiles")).expect("there are some");
    let etc = listed.lines().filter_map(|line| line.split_once(" etc/bifrost/"));
    let etc = etc.filter(|(_, file)| !file.is_empty() && !file.ends_with('/'));
    assert_eq!(etc.count(), conffiles.lines().count(), "an upgrade keeps what was edited");
    for script in ["postinst", "prerm", "postrm"] {
        let text = std::fs::read_to_string(at.join("control").join(script)).expect("it is there");
        run("sh", &["-n", &format!("control/{script}")], at);
        let calls = text.matches("systemctl").count() + text.matches("deb-systemd-invoke").count();
        let guards = text.matches("/run/systemd/system").count();
        assert!(text.contains("set -e") && calls > 0 && guards > 0, "{script}: {text}");
        for command in text.replace("\\\n", "").lines().map(str::trim) {
            let asks = command.starts_with("systemctl") || command.starts_with("deb-systemd");
            assert!(!asks || command.ends_with("|| true"), "{script} may fail by `{command}`");
        }
    }
}

#[test]
fn purge_leaves_neither_token_nor_links_of_units() {
    let (folder, name) = laid(deb::build);
    let at = folder.path();
    run("dpkg-deb", &["--extract", &name, "root"], at);
    run("dpkg-deb", &["--control", &name, "control"], at);
    let (there, system) = (at.join("root"), at.join("root/usr/lib/systemd/system"));
    let script = |name: &str, words: &[&str]| {
        let mut command = Command::new("sh");
        command.arg(at.join("control").join(name)).args(words).env("DPKG_ROOT", &there);
        // Its helpers want to know who calls.
        let status = command.env("DPKG_MAINTSCRIPT_PACKAGE", "bifrost").status();
        assert!(status.expect("there is a shell").success(), "{name} {words:?}");
    };
    let links = || {
        let found = run("find", &["root/etc/systemd", "-name", "bifrost-*"], at);
        found.lines().count()
    };
    script("postinst", &["configure"]);
    let token = std::fs::metadata(there.join("etc/bifrost/admin-token")).expect("it is made");
    let mode = std::os::unix::fs::PermissionsExt::mode(&token.permissions());
    assert_eq!((mode & 0o777, token.len()), (0o600, 64));

    let units = run("ls", &["root/usr/lib/systemd/system"], at);
    let mut words = vec!["--root=root", "enable"];
    words.extend(units.lines());
    run("systemctl", &words, at);
    assert_eq!(links(), units.lines().count());
    // An upgrade leaves the token and what is enabled.
    script("postinst", &["configure", "0.0.1-1"]);
    assert_eq!(links(), units.lines().count());

    script("prerm", &["remove"]);
    std::fs::remove_dir_all(system).expect("dpkg takes the units away");
    script("postrm", &["remove"]);
    script("postrm", &["purge"]);
    assert_eq!(links(), 0);
    assert!(!there.join("etc/bifrost/admin-token").exists());
}

#[test]
fn archive_agrees_with_its_own_sums() {
    let (folder, name) = laid(archive::build);
    run("tar", &["--extract", "--file", &name], folder.path());
    let inside = folder.path().join(name.trim_end_matches(".tar.gz"));
    run("sha256sum", &["--check", "--strict", "--quiet", "SHA256SUMS"], &inside);
    for file in ["bin/bifrost", "LICENSE-MIT", "share/man/man1/bifrost.1", "etc/bifrost/node.yaml"]
    {
        assert!(inside.join(file).is_file(), "{file}");
    }
    assert!(inside.join("etc/bifrost/denylists").is_dir(), "gateway.yaml names it");
    let sums = std::fs::read_to_string(inside.join("SHA256SUMS")).expect("it is there");
    let files = run("find", &[".", "-type", "f"], &inside);
    assert_eq!(sums.lines().count() + 1, files.lines().count(), "all but the sums themselves");
}

#[test]
fn chart_leaves_out_what_nobody_installs() {
    let (_, packed) = chart::build(root(), STAMP).expect("the chart is there");
    let folder = tempfile::tempdir().expect("a folder can be made");
    std::fs::write(folder.path().join("chart.tgz"), packed).expect("it can be written");
    let listed = run("tar", &["--list", "--file", "chart.tgz"], folder.path());
    for file in ["bifrost/Chart.yaml", "bifrost/templates/_pod.tpl", "bifrost/values.schema.json"] {
        assert!(listed.lines().any(|line| line == file), "{file} is not in\n{listed}");
    }
    assert!(!listed.contains("bifrost/ci/"), "{listed}");
}

/// The blobs of an image by their digests, each of which is theirs.
fn blobs(image: &[u8]) -> (Value, BTreeMap<String, Vec<u8>>) {
    let mut archive = tar::Archive::new(image);
    let (mut index, mut found) = (Value::Null, BTreeMap::new());
    for entry in archive.entries().expect("it is an archive") {
        let mut entry = entry.expect("it is whole");
        let path = entry.path().expect("it has one").display().to_string();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).expect("it is whole");
        if let Some(digest) = path.strip_prefix("blobs/sha256/").filter(|digest| !digest.is_empty())
        {
            assert_eq!(digest, tree::sha256(&content), "{path}");
            found.insert(format!("sha256:{digest}"), content);
        } else if path == "index.json" {
            index = serde_json::from_slice(&content).expect("it is JSON");
        } else if path == "oci-layout" {
            assert_eq!(content, br#"{"imageLayoutVersion":"1.0.0"}"#);
        }
    }
    (index, found)
}

#[test]
fn image_is_read_back_from_its_index_to_its_layer() {
    let (_, image) = made(image::build);
    let (index, blobs) = blobs(&image);
    let blob = |described: &Value| {
        let digest = described["digest"].as_str().expect("it has a digest");
        let content = &blobs[digest];
        assert_eq!(described["size"].as_u64(), Some(content.len() as u64), "{described}");
        content
    };
    let read = |described: &Value| -> Value {
        serde_json::from_slice(blob(described)).expect("it is JSON")
    };
    assert_eq!(index["manifests"][0]["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    let manifest = read(&index["manifests"][0]);
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.image.config.v1+json");
    let config = read(&manifest["config"]);
    let layer = &manifest["layers"][0];
    assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    let mut plain = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(blob(layer).as_slice()),
        &mut plain,
    )
    .expect("it is compressed");
    assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", tree::sha256(&plain)));
    assert_eq!(blobs.len(), 3, "nothing else is in it");

    let run = &config["config"];
    assert_eq!((&run["User"], &run["StopSignal"]), (&"65532:65532".into(), &"SIGTERM".into()));
    assert_eq!(run["Labels"]["org.opencontainers.image.created"], "2023-11-14T22:13:20Z");
    assert_eq!(run["Labels"]["org.opencontainers.image.revision"], "0123abcd");
    let mut seen = BTreeMap::new();
    for entry in tar::Archive::new(plain.as_slice()).entries().expect("it is an archive") {
        let entry = entry.expect("it is whole");
        let path = entry.path().expect("it has one").display().to_string();
        let mode = entry.header().mode().expect("it is a number");
        assert_eq!(mode & 0o6000, 0, "{path} would change who runs it");
        seen.insert(path, (mode, entry.header().uid().expect("it is a number")));
    }
    assert_eq!(seen["usr/bin/bifrost-gateway"], (0o755, 0));
    assert_eq!(seen["var/lib/bifrost/"], (0o750, 65532));
    assert_eq!(seen["etc/bifrost/denylists/"], (0o755, 0));
    assert!(seen.contains_key("usr/share/doc/bifrost/THIRD-PARTY"));
    assert!(!seen.contains_key("bin/sh"), "there is no shell");
}
