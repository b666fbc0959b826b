//! The Helm chart, without a cluster: it renders what Kubernetes and our own processes take, refuses what
//! contradicts itself, and what it says of probes and identities is how the processes behave.
//!
//! Helm and the schemas of Kubernetes are in the cache folder that `tests/interop/install.sh` fills. No test
//! here shows what only a cluster can: that pods are scheduled, volumes bound and policies enforced.

mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::{fleet, interop};

/// What `bifrost chart test` needs of the project.
const NEEDED: [&str; 3] = ["helm", "slo/generated", "dashboards/generated"];

/// The root of the project.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is a member").to_path_buf()
}

fn chart(words: &[&str], root: &Path) -> Output {
    let cache = interop::cache().expect("it is known where the cache is");
    Command::new(fleet::program("bifrost").expect("it is built"))
        .arg("chart")
        .args(words)
        .arg("--root")
        .arg(root)
        .env("BIFROST_HELM", cache.join("bin/helm"))
        .env("BIFROST_KUBERNETES_VALIDATE", cache.join("chart-venv/bin/kubernetes-validate"))
        .output()
        .expect("it runs")
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folders can be made");
    for entry in fs::read_dir(from).expect("it can be read") {
        let from = entry.expect("it can be read").path();
        let to = to.join(from.file_name().expect("entries have names"));
        if from.is_dir() {
            copied(&from, &to);
        } else {
            fs::copy(&from, &to).expect("it can be copied");
        }
    }
}

/// A copy of the chart, and of what is generated into it.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for path in NEEDED {
        copied(&root().join(path), &folder.path().join(path));
    }
    folder
}

#[test]
fn every_set_of_values_is_rendered_or_refused_as_it_should_be() {
    let output = chart(&["test"], &root());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("against schemas of Kubernetes"), "{}", said(&output));
}

#[test]
fn rules_and_dashboards_of_the_chart_are_those_that_are_generated() {
    let output = chart(&["sync", "--check"], &root());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn every_kind_of_mistake_in_the_chart_is_found() {
    let folder = copy();
    let below = folder.path().join("helm/bifrost");
    let edit = |file: &str, right: &str, wrong: &str| {
        let path = below.join(file);
        let text = fs::read_to_string(&path).expect("it is there");
        assert!(text.contains(right), "{file} has {right}");
        fs::write(&path, text.replacen(right, wrong, 1)).expect("it can be edited");
    };
    // Immutable, restricted, known to Kubernetes, known to the binary, known to Prometheus.
    edit(
        "templates/_node.tpl",
        "podManagementPolicy: Parallel",
        "podManagementPolicy: OrderedReady",
    );
    edit("templates/_pod.tpl", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false");
    edit("templates/_node.tpl", "minReadySeconds: 10", "minReadySecs: 10");
    edit("templates/_config.tpl", "\"drain_window\"", "\"drain_windows\"");
    edit("templates/monitoring.yaml", "path: /metrics", "path: /metric");
    edit("generated/prometheus-rule.yaml", "expr: sum(", "expr: sum((");
    // A value that nothing knows, and a contradiction that is taken.
    edit("values.yaml", "region: \"\"", "region: \"\"\nplanet: \"\"");
    edit("values.schema.json", "\"additionalProperties\": false", "\"additionalProperties\": true");
    edit("ci/refused/no-nodes.yaml", "{ roles: [] }", "{}");
    edit("ci/refused/latest.yaml", "which is another", "which is no other");
    let words =
        ["test", "--set", "default", "--set", "monitoring", "--set", "no-nodes", "--set", "latest"];
    let output = chart(&words, folder.path());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for rule in [
        "upgrade",
        "rule",
        "schema",
        "config",
        "custom-kind",
        "promtool",
        "drift",
        "unequal",
        "open",
        "comment",
        "unread",
        "untested",
        "taken",
        "sentence",
        "golden",
    ] {
        assert!(said(&output).contains(&format!("[{rule}]")), "{rule}:\n{}", said(&output));
    }
}

#[test]
fn changes_that_were_meant_are_kept_by_update() {
    let folder = copy();
    let values = folder.path().join("helm/bifrost/values.yaml");
    let text = fs::read_to_string(&values).expect("it is there");
    fs::write(&values, text.replace("windowSeconds: 15", "windowSeconds: 16")).expect("edited");
    let words = ["test", "--set", "drain", "--format", "json"];
    let output = chart(&words, folder.path());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("\"rule\":\"golden\""), "{}", said(&output));
    let output = chart(&[&words[..], &["--update"]].concat(), folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_program_that_is_missing_is_no_clean_result() {
    for (words, needed) in [
        (&["test", "--set", "default", "--helm", "/nowhere/helm"][..], "--helm"),
        (&["test", "--set", "default", "--validate", "/nowhere/validate"], "--validate"),
        (&["test", "--set", "default", "--bins", "/nowhere"], "--bins"),
        (&["test", "--set", "none"], "none"),
    ] {
        let output = chart(words, &root());
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(said(&output).contains(needed), "{}", said(&output));
    }
}
