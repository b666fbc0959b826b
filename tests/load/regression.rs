//! Whether `bifrost profile` names what got slower: two gateways of one build, in one of which one function
//! has a twentieth more to do, and two that are alike.
//!
//! Both are started anew before each profile: two processes of one build differ for as long as they live, by
//! where their memory and their threads happen to lie, and what a release changed is what starts agree on.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::fleet::Member;
use harness::http::Connection;
use harness::{Fleet, FleetPlan, bytes_of_seed, fleet};
use serde_json::{Value, json};

use crate::table::{Table, Wanted, say};

/// What a request has to do, in KiB of a hash, and how much more in the slower one.
const WORK: (u32, u32) = (200, 210);
/// Profiles of each gateway, and the seconds of each.
const PROFILES: u32 = 40;
const SECONDS: &str = "8";
/// Requests a second and gateway, on average.
const RATE: f64 = 1500.0;
/// Of the times between requests, and how many are drawn.
const SEED: u64 = 6;
const GAPS: usize = 16_384;
/// How long a gateway is asked before its profile.
const WARM: Duration = Duration::from_millis(500);
/// The function that has more to do.
const FUNCTION: &str = "planted_work";

const NAMED: &str = "profiles: place of the function that takes 5 % more among those named";
const ALIKE: &str = "profiles: functions named of two gateways that are alike";

/// Measures both.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let mut said = String::new();
    if table.wants(NAMED) {
        table.figure(NAMED, "", Wanted::AtMost(1.0), || {
            let named = named((WORK.0, WORK.1), &mut said)?;
            let place = named.iter().position(|name| name.ends_with(FUNCTION));
            let place = place.with_context(|| format!("it is not among {named:?}: {said}"));
            Ok(place? as f64 + 1.0)
        });
        table.note(std::mem::take(&mut said));
    }
    if table.wants(ALIKE) {
        table.figure(ALIKE, "", Wanted::AtMost(0.0), || {
            Ok(named((WORK.0, WORK.0), &mut said)?.len() as f64)
        });
        table.note(said);
    }
    Ok(())
}

/// The functions that `bifrost profile diff` names, in its order.
fn named(work: (u32, u32), said: &mut String) -> Result<Vec<String>> {
    let plan =
        FleetPlan { nodes: 1, gateway_program: "fleet-planted-gateway", ..FleetPlan::default() };
    let mut fleets = [Fleet::start(&plan)?, Fleet::start(&plan)?];
    let folder = tempfile::tempdir()?;
    let (mut members, mut paths) = (Vec::new(), Vec::new());
    for (fleet, work) in fleets.iter().zip([work.0, work.1]) {
        fs::write(fleet.folder().join("gateway.planted"), format!("work:{work}"))?;
        members.push((described(&fleet.gateway), described(&fleet.nodes[0])));
        paths.push(format!("/ipfs/{}", fleet.import(&bytes_of_seed(1, 1024))?));
    }
    let written = json!({
        "data": folder.path(), "gateways": [members[0].0], "nodes": [],
        "site": { "url": "", "root": "" },
        "staging": { "gateway": members[1].0, "node": members[1].1, "pairs": "" },
    });
    fs::write(folder.path().join("fleet.json"), written.to_string())?;
    for number in 0..PROFILES {
        if number % 10 == 0 {
            say(&format!("  {number} of {PROFILES} sets"));
        }
        fleets.iter_mut().try_for_each(Fleet::restart_gateway)?;
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| -> Result<()> {
            let load: Vec<_> = fleets
                .iter()
                .zip(&paths)
                .map(|(fleet, path)| scope.spawn(|| paced(fleet, path, &done)))
                .collect();
            std::thread::sleep(WARM);
            let collected = collect(folder.path());
            done.store(true, Ordering::Relaxed);
            load.into_iter().try_for_each(|load| load.join().expect("the load does not panic"))?;
            collected
        })?;
    }
    judged(folder.path(), said)
}

/// A process as `bifrost up` writes it down.
fn described(member: &Member) -> Value {
    let (http, admin) = (format!("http://{}", member.http), format!("http://{}", member.admin));
    let metrics = format!("{admin}/metrics");
    json!({ "name": "0", "url": http, "admin": admin, "metrics": metrics, "config": "", "log": "" })
}

fn bifrost(folder: &Path, words: &[&str]) -> Result<String> {
    let mut command = Command::new(fleet::program("bifrost")?);
    command.arg("profile").args(words).arg("--store").arg(folder.join("store"));
    let output = command.current_dir(folder).output()?;
    let (text, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{words:?}: {text}{error}");
    Ok(text.into_owned())
}

fn collect(folder: &Path) -> Result<()> {
    let words = ["collect", "--kinds", "cpu", "--seconds", SECONDS, "--hz", "199", "--no-publish"];
    bifrost(folder, &[&words[..], &["--data", "."]].concat())?;
    Ok(())
}

fn judged(folder: &Path, said: &mut String) -> Result<Vec<String>> {
    let sides = ["env=local,role=gateway", "env=staging,role=gateway"];
    let words = ["diff", sides[0], sides[1], "--witness", "profile", "--format", "json"];
    let text = bifrost(folder, &words)?;
    let judged = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let judged = judged.filter_map(|line| line.get("judged").cloned()).next();
    let judged = judged.context("it says what it judged")?;
    let changes = judged["changes"].as_array().context("it has changes")?;
    *said = changes.first().map_or_else(|| judged.to_string(), Value::to_string);
    let names = changes.iter().filter_map(|change| change["function"].as_str());
    Ok(names.map(str::to_owned).collect())
}

fn paced(fleet: &Fleet, path: &str, done: &AtomicBool) -> Result<()> {
    let mut connection = Connection::open(fleet.gateway.http)?;
    // Processor time is sampled where the system's clock ticks, so that requests at regular times are
    // met at the same place each time: they come as those of many people do, independently.
    let drawn = bytes_of_seed(SEED, GAPS * 4);
    let (mut gaps, mut due) = (drawn.chunks_exact(4).cycle(), Instant::now());
    while !done.load(Ordering::Relaxed) {
        let answer = connection.ask("GET", path, &[])?;
        ensure!(answer.status() == 200, "{}", answer.text());
        let four = gaps.next().expect("they begin anew").try_into().expect("four bytes");
        let share = (f64::from(u32::from_le_bytes(four)) + 1.0) / 4_294_967_296.0;
        due += Duration::from_secs_f64(-share.ln() / RATE);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}
