//! Notes of a release, as `make notes` prints them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use harness::fleet;
use serde_json::{Value, json};

const CHANGELOG: &str = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2027-01-02\n\n### Added\n\n- Wings.\n\n\
                         ## [0.1.0] - 2026-12-01\n\n### Added\n\n- Legs.\n";

fn bench(machine: &str, figures: &[(&str, f64, &str)]) -> Value {
    let figures = figures.iter().map(|(name, reached, better)| {
        json!({ "name": name, "unit": "MB/s", "reached": reached, "better": better, "ok": true })
    });
    json!({ "machine": machine, "figures": figures.collect::<Vec<_>>(), "failures": [] })
}

fn notes(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(fleet::program("fleet-bench").expect("it is built"));
    command.args(["notes", "--before", "a.json", "--after", "b.json"]).args(words);
    command.current_dir(folder).output().expect("it runs")
}

#[test]
fn notes_have_the_section_and_each_figure_before_and_after() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect(name);
    write("CHANGELOG.md", CHANGELOG);
    let before = [("cold", 100.0, "more"), ("pause", 2.0, "less"), ("gone", 1.0, "more")];
    write("a.json", &bench("M, 2 cores, 2026-12-01", &before).to_string());
    let after = [("cold", 120.0, "more"), ("pause", 2.04, "less"), ("new", 3.0, "more")];
    write("b.json", &bench("M, 2 cores, 2027-01-02", &after).to_string());
    let output = notes(folder.path(), &["--version", "0.2.0"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "# 0.2.0\n\n### Added\n\n- Wings.\n\n### Figures\n",
        "| cold, MB/s | 100 | 120 | 1.20 | better |\n",
        "| pause, MB/s | 2.00 | 2.04 | 1.02 |  |\n",
        "| new, MB/s | | 3.00 | | measured for the first time |\n",
        "| gone, MB/s | 1.00 | | | no longer measured |\n",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    assert!(!text.contains("Legs") && !text.contains("different machines"), "{text}");

    let before = [("errors", 0.0, "less"), ("hits", 0.0, "more"), ("still", 0.0, "less")];
    write("a.json", &bench("M, 2 cores, 2026-12-01", &before).to_string());
    let now = [("errors", 3.0, "less"), ("hits", 3.0, "more"), ("still", 0.0, "less")];
    let mut now = bench("M, 2 cores, 2027-01-02", &now);
    now["figures"][0]["ok"] = false.into();
    now["failures"] = json!(["cold: the node did not start"]);
    write("b.json", &now.to_string());
    let output = notes(folder.path(), &["--version", "0.2.0"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in [
        "| errors, MB/s | 0.00 | 3.00 |  | worse, misses its target |\n",
        "| hits, MB/s | 0.00 | 3.00 |  | better |\n",
        "| still, MB/s | 0.00 | 0.00 |  |  |\n",
        "\nNot measured after: cold: the node did not start",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }

    write("b.json", &bench("N, 2 cores, 2027-01-02", &after).to_string());
    let output = notes(folder.path(), &["--version", "0.1.0"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("different machines"));
    let refused = |words: &[&str], why: &str| {
        let output = notes(folder.path(), words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{said}");
    };
    refused(&["--version", "0.3.0"], "CHANGELOG.md has no 0.3.0");
    refused(&["--changelog", "nowhere.md"], "nowhere.md");
    write("b.json", "{}");
    refused(&[], "b.json is no bench.json");
}
