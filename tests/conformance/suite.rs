//! Runs the public suite `ipfs/gateway-conformance` against a fleet on this machine.
//!
//! The suite comes from a checkout that is named on the command line; nothing of it is kept here.
//! Its fixtures are imported into two nodes, its records and DNSLinks are given to the fleet, and
//! each preset runs on its own, so that what fails is known by name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use harness::{Fleet, FleetPlan, http};
use serde_json::{Value, json};

/// A preset of the suite.
struct Preset {
    name: &'static str,
    /// Presets that its cases carry too: the suite runs a case only when all that it carries are
    /// asked for.
    with: &'static [&'static str],
    /// Whether a node alone has to pass it too.
    of_nodes: bool,
}

impl Preset {
    const fn of_both(name: &'static str) -> Self {
        Self { name, with: &[], of_nodes: true }
    }

    const fn of_gateways(name: &'static str, with: &'static [&'static str]) -> Self {
        Self { name, with, of_nodes: false }
    }

    /// What a line of the report calls it.
    fn label(&self) -> String {
        self.with.iter().fold(self.name.to_owned(), |label, with| {
            format!("{label} + {}", with.trim_end_matches("-gateway"))
        })
    }

    /// What the suite is asked for.
    fn specs(&self) -> String {
        self.with.iter().fold(self.name.to_owned(), |specs, with| format!("{specs},{with}"))
    }
}

/// Every mature preset of the suite.
const PRESETS: [Preset; 15] = [
    Preset::of_both("trustless-block-gateway"),
    Preset::of_both("trustless-car-gateway"),
    Preset::of_both("trustless-car-gateway-optional"),
    Preset::of_both("trustless-ipns-gateway"),
    Preset::of_gateways("path-unixfs-gateway", &[]),
    Preset::of_gateways("path-range-gateway", &["path-unixfs-gateway"]),
    Preset::of_gateways("path-ipns-gateway", &[]),
    Preset::of_gateways("path-tar-gateway", &[]),
    Preset::of_gateways("path-dag-gateway", &[]),
    Preset::of_gateways("path-raw-gateway", &[]),
    Preset::of_gateways("subdomain-ipfs-gateway", &[]),
    Preset::of_gateways("subdomain-ipns-gateway", &[]),
    Preset::of_gateways("dnslink-gateway", &[]),
    Preset::of_gateways(
        "redirects-file",
        &["subdomain-ipfs-gateway", "subdomain-ipns-gateway", "dnslink-gateway"],
    ),
    Preset::of_gateways("proxy-gateway", &["subdomain-ipfs-gateway"]),
];

/// Runs the public conformance suite against a fleet on this machine.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  fleet-conformance --suite ../gateway-conformance
  fleet-conformance --suite ../gateway-conformance --preset path-dag-gateway

The checkout needs the Go toolchain that its go.mod names.
Exit codes: 0 every case passed, 1 some failed, 2 the suite could not be run.")]
struct Arguments {
    /// A checkout of `ipfs/gateway-conformance`.
    #[arg(long)]
    suite: PathBuf,
    /// Runs this preset alone; may be given several times. Default all, and all of them in one run.
    #[arg(long)]
    preset: Vec<String>,
    /// Where the suite's reports are written. Default `target/conformance`.
    #[arg(long, default_value = "target/conformance")]
    out: PathBuf,
}

/// Columns for the name of a run.
const WIDTH: usize = 60;

/// How the cases of one run ended.
#[derive(Debug, Default)]
struct Counts {
    passed: usize,
    failed: Vec<String>,
    skipped: usize,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            say(&format!("fleet-conformance: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Writes a line; there is nobody left to tell when that fails.
fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").unwrap_or_default();
}

fn run(arguments: &Arguments) -> Result<bool> {
    let suite = arguments.suite.canonicalize().context("the checkout of the suite")?;
    ensure!(
        suite.join("cmd/gateway-conformance").is_dir(),
        "{suite:?} is no checkout of the suite"
    );
    for name in &arguments.preset {
        let is_known = PRESETS.iter().any(|preset| preset.name == name);
        ensure!(is_known, "the suite has no preset {name:?} that it calls stable");
    }
    fs::create_dir_all(&arguments.out)?;
    let out = arguments.out.canonicalize()?;
    let tool = out.join("gateway-conformance");
    let mut build = Command::new("go");
    build.current_dir(&suite).args(["build", "-o"]).arg(&tool).arg("./cmd/gateway-conformance");
    status(&mut build, "go build")?;
    let fixtures = out.join("fixtures");
    if fixtures.exists() {
        fs::remove_dir_all(&fixtures)?;
    }
    let mut extract = Command::new(&tool);
    extract.current_dir(&suite).args(["extract-fixtures", "--directory"]).arg(&fixtures);
    status(&mut extract, "extract-fixtures")?;
    let fleet = Fleet::start(&plan(&fixtures)?)?;
    load(&fleet, &fixtures)?;
    let mut good = true;
    let (gateway, node) = (fleet.gateway.http, fleet.nodes[0].http);
    let chosen = |name: &str| {
        arguments.preset.is_empty() || arguments.preset.iter().any(|preset| preset == name)
    };
    say(&format!("{:<WIDTH$}{:>8}{:>8}{:>8}", "preset", "passed", "failed", "skipped"));
    let run = |name: &str, specs: Option<&str>, address: SocketAddr| -> Result<bool> {
        let report = out.join(format!("{}.json", name.replace(' ', "-")));
        let counts = test(&tool, &suite, &report, specs, address)?;
        let (passed, skipped) = (counts.passed, counts.skipped);
        say(&format!("{name:<WIDTH$}{passed:>8}{:>8}{skipped:>8}", counts.failed.len()));
        counts.failed.iter().for_each(|case| say(&format!("  FAIL {case}")));
        Ok(counts.failed.is_empty() && passed > 0)
    };
    for preset in PRESETS.iter().filter(|preset| chosen(preset.name)) {
        let (label, specs) = (preset.label(), preset.specs());
        good &= run(&label, Some(&specs), gateway)?;
        if preset.of_nodes {
            good &= run(&format!("{label} of a node"), Some(&specs), node)?;
        }
    }
    if arguments.preset.is_empty() {
        good &= run("all mature presets", None, gateway)?;
    }
    Ok(good)
}

/// The fleet that the suite expects: its hosts, its DNSLinks, and a proxy that may be believed.
fn plan(fixtures: &Path) -> Result<FleetPlan> {
    let links: Value = serde_json::from_slice(&fs::read(fixtures.join("dnslinks.json"))?)?;
    let table = json!([
        { "name": "example.com", "class": "subdomain" },
        { "name": "localhost", "class": "subdomain" },
        { "name": "*.example.org", "class": "dnslink" },
    ]);
    Ok(FleetPlan {
        gateway_set: vec![
            ("hosts.table", table),
            ("hosts.any", json!("always")),
            ("hosts.trusted_proxies", json!(["127.0.0.0/8"])),
            ("hosts.tunnel", json!(true)),
            ("names.dnslinks", links["domains"].clone()),
            ("names.resolvers", json!([])),
        ],
        ..FleetPlan::default()
    })
}

/// Gives the fixtures to every node: blocks, and records as far as they are valid.
fn load(fleet: &Fleet, fixtures: &Path) -> Result<()> {
    let mut paths = Vec::new();
    find(fixtures, &mut paths)?;
    for path in paths {
        let bytes = fs::read(&path)?;
        match path.extension().and_then(OsStr::to_str) {
            Some("car") => {
                for node in &fleet.nodes {
                    node.import("application/vnd.ipld.car", &bytes)
                        .with_context(|| format!("import of {path:?}"))?;
                }
            }
            Some("ipns-record") => {
                let stem = path.file_stem().and_then(OsStr::to_str).context("a name")?;
                let key = stem.split('_').next().context("a key")?;
                for node in &fleet.nodes {
                    // Some are not valid, which is what is tested; nodes refuse those.
                    http::put(
                        node.admin,
                        &format!("/ipns/{key}"),
                        "application/vnd.ipfs.ipns-record",
                        &bytes,
                    )?;
                }
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

fn find(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { find(&path, paths)? } else { paths.push(path) }
    }
    paths.sort();
    Ok(())
}

/// Runs the suite and counts how its cases ended.
fn test(
    tool: &Path,
    suite: &Path,
    report: &Path,
    specs: Option<&str>,
    address: SocketAddr,
) -> Result<Counts> {
    let mut command = Command::new(tool);
    command
        .current_dir(suite)
        .arg("test")
        .args(["--gateway-url", &format!("http://{address}")])
        .args(["--subdomain-url", &format!("http://example.com:{}", address.port())])
        .arg("--json")
        .arg(report);
    if let Some(specs) = specs {
        command.args(["--specs", specs]);
    }
    command.args(["--", "-timeout", "10m"]).stdin(Stdio::null());
    let output = command.output().context("the suite's program")?;
    let text = fs::read_to_string(report).unwrap_or_default();
    let counts = count(&text)?;
    if counts.passed + counts.failed.len() == 0 {
        bail!("no case ran: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(counts)
}

/// Counts the last word on each case in a report of `go tool test2json`.
fn count(report: &str) -> Result<Counts> {
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for line in report.lines().filter(|line| !line.trim().is_empty()) {
        let event: Value = serde_json::from_str(line).with_context(|| format!("report: {line}"))?;
        let (Some(test), Some(action)) = (event["Test"].as_str(), event["Action"].as_str()) else {
            continue;
        };
        if matches!(action, "pass" | "fail" | "skip") {
            last.insert(test.to_owned(), action.to_owned());
        }
    }
    let mut counts = Counts::default();
    for (test, action) in last {
        match action.as_str() {
            "pass" => counts.passed += 1,
            "fail" => counts.failed.push(test),
            _ => counts.skipped += 1,
        }
    }
    Ok(counts)
}

fn status(command: &mut Command, what: &str) -> Result<()> {
    let output = command.output().with_context(|| what.to_owned())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{what}: {said}");
    Ok(())
}
