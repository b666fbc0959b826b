//! An image for container engines, written without one: a layout of the Open Container Initiative in a tar.
//!
//! It holds the three programs and what they load, no shell and no package manager. What is loaded comes from
//! the machine that makes the image, and is in the image's list of components. The root can be read-only:
//! what is written goes to volumes.

use serde_json::{Value, json};

use super::brought::Brought;
use super::software::{DENYLISTS, Software};
use super::tree::{Tree, gzip, sha256};
use super::{PackageError, Stamp, sbom};

/// Who processes run as, in a pod of the chart too.
const USER: u64 = 65532;
/// Where volumes are expected.
const STATE: &str = "var/lib/bifrost";

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The name of the file, and the image.
///
/// # Errors
/// A library or a file of the project cannot be read.
pub(super) fn build(software: &Software, stamp: Stamp) -> Result<(String, Vec<u8>), PackageError> {
    let architecture = software.processor().debian;
    let plain = files(software)?.tar(stamp.time, Vec::new()).expect("memory takes it");
    let mut packed = gzip(Vec::new());
    std::io::Write::write_all(&mut packed, &plain).expect("memory takes it");
    let layer = packed.finish().expect("memory takes it");

    let mut layout = Tree::default();
    let layer = blob(&mut layout, LAYER, layer);
    let config = blob(&mut layout, CONFIG, bytes(&config(software, stamp, &sha256(&plain))));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": [layer],
        "annotations": labels(software, stamp),
    });
    let mut manifest = blob(&mut layout, MANIFEST, bytes(&manifest));
    manifest["platform"] = json!({ "architecture": architecture, "os": "linux" });
    manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": software.version });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest] });
    layout.file("index.json", 0o644, bytes(&index));
    layout.file("oci-layout", 0o644, bytes(&json!({ "imageLayoutVersion": "1.0.0" })));
    let image = layout.tar(stamp.time, Vec::new()).expect("memory takes it");
    Ok((format!("bifrost_{}_{architecture}.oci.tar", software.version), image))
}

/// The files of the image.
fn files(software: &Software) -> Result<Tree, PackageError> {
    let mut tree = Tree::default();
    for binary in &software.binaries {
        tree.file(format!("usr/bin/{}", binary.name), 0o755, binary.bytes.clone());
    }
    let brought = Brought::of(software)?;
    for (path, content) in &brought.files {
        let path = path.to_string_lossy();
        tree.file(path.trim_start_matches('/'), 0o755, content.clone());
    }
    for (path, text) in brought.copyrights() {
        tree.file(path, 0o644, text);
    }
    let passwd = format!("root:x:0:0::/:/nologin\nbifrost:x:{USER}:{USER}::/{STATE}:/nologin\n");
    tree.file("etc/passwd", 0o644, passwd);
    tree.file("etc/group", 0o644, format!("root:x:0:\nbifrost:x:{USER}:\n"));
    // Names are asked of files and DNS, whatever the C library would do by itself.
    tree.file("etc/nsswitch.conf", 0o644, "hosts: files dns\n");
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        tree.file(format!("usr/share/doc/bifrost/{license}"), 0o644, software.read(license)?);
    }
    let components = brought.components(software.processor().debian);
    let components = sbom::text(&sbom::with(software.sbom.clone(), components));
    tree.file("usr/share/doc/bifrost/bifrost.cdx.json", 0o644, components);
    tree.file("usr/share/doc/bifrost/THIRD-PARTY", 0o644, software.licences.clone());
    tree.folder(format!("etc/bifrost/{DENYLISTS}"), 0o755, 0);
    tree.folder("tmp", 0o1777, 0);
    tree.folder(STATE, 0o750, USER);
    Ok(tree)
}

/// How the image is run. No program is the one to be run, so that each is named, as the chart does.
fn config(software: &Software, stamp: Stamp, layer: &str) -> Value {
    json!({
        "created": stamp.text(),
        "architecture": software.processor().debian,
        "os": "linux",
        "config": {
            "User": format!("{USER}:{USER}"),
            "Env": ["PATH=/usr/bin"],
            "Cmd": ["/usr/bin/bifrost", "--help"],
            "WorkingDir": format!("/{STATE}"),
            "StopSignal": "SIGTERM",
            "Labels": labels(software, stamp),
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
        "history": [{ "created": stamp.text(), "created_by": "bifrost package image" }],
    })
}

fn labels(software: &Software, stamp: Stamp) -> Value {
    let mut labels = json!({
        "org.opencontainers.image.title": "bifrost",
        "org.opencontainers.image.description": "An IPFS gateway fleet whose gateways prove every byte",
        "org.opencontainers.image.version": software.version,
        "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
        "org.opencontainers.image.created": stamp.text(),
    });
    if let Some(revision) = &software.revision {
        labels["org.opencontainers.image.revision"] = json!(revision);
    }
    labels
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Adds a blob under its digest, and describes it.
fn blob(layout: &mut Tree, kind: &str, content: Vec<u8>) -> Value {
    let (digest, size) = (sha256(&content), content.len());
    layout.file(format!("blobs/sha256/{digest}"), 0o644, content);
    json!({ "mediaType": kind, "digest": format!("sha256:{digest}"), "size": size })
}
