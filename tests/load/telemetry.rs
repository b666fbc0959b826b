//! What seeing costs: the access log, a scrape under load, and a question to ten million records.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::{Fleet, FleetPlan, bytes_of_seed, fleet, http};
use serde_json::{Value, json};

use crate::client::{loaded, median, while_loaded};
use crate::table::{Table, Wanted};

const CONNECTIONS: usize = 32;
/// Pairs of measurements, one with the access log and one without.
const PAIRS: usize = 15;
/// How long each takes.
const WINDOW: Duration = Duration::from_secs(2);
const RECORDS: u64 = 10_000_000;
/// One in so many of the records is what is asked for.
const RARE: u64 = 10_000;

const LOG: &str = "access log: part of the rate of 1 KiB files that it costs";
const SCRAPE: &str = "scrape of a gateway under load";
const QUERY: &str = "question to 10 million records of two environments";

/// Measures all of them.
pub(crate) fn measure(table: &mut Table) -> Result<()> {
    log_cost(table)?;
    scrape(table)?;
    query(table)
}

fn log_cost(table: &mut Table) -> Result<()> {
    if !table.wants(LOG) {
        return Ok(());
    }
    let mut fleet = Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() })?;
    let small = format!("/ipfs/{}", fleet.import(&bytes_of_seed(1, 1024))?);
    let path = fleet.folder().join("access.log");
    let (mut costs, mut times) = (Vec::new(), Vec::new());
    table.figure(LOG, "%", Wanted::AtMost(5.0), || {
        for _ in 0..PAIRS {
            fleet.gateway.set("access.to", json!("file"));
            fleet.gateway.set("access.path", json!(path));
            fleet.restart_gateway()?;
            let with = loaded(&fleet.gateway, &small, CONNECTIONS, WINDOW)?;
            fleet.gateway.set("access.to", json!("off"));
            fleet.restart_gateway()?;
            let without = loaded(&fleet.gateway, &small, CONNECTIONS, WINDOW)?;
            costs.push(100.0 * (1.0 - with.rate / without.rate));
            times.push((with.processor, without.processor));
        }
        Ok(median(costs))
    });
    let of = |side: fn(&(f64, f64)) -> f64| median(times.iter().map(side).collect());
    if !times.is_empty() {
        let (with, without) = (of(|pair| pair.0), of(|pair| pair.1));
        table.note(format!("processor time of a request: {with:.2} µs, without {without:.2} µs"));
    }
    Ok(())
}

fn scrape(table: &mut Table) -> Result<()> {
    if !table.wants(SCRAPE) {
        return Ok(());
    }
    let fleet = Fleet::start(&FleetPlan::default())?;
    let small = format!("/ipfs/{}", fleet.import(&bytes_of_seed(1, 1024))?);
    let (gateway, admin) = (fleet.gateway.http, fleet.gateway.admin);
    let mut largest = 0;
    table.figure(SCRAPE, "ms", Wanted::AtMost(50.0), || {
        let scraped = || scrapes(admin, &mut largest);
        Ok(while_loaded(gateway, &small, CONNECTIONS, scraped)?.0)
    });
    table.add("its size", "KiB", Wanted::AtMost(1024.0), largest as f64 / 1024.0);
    Ok(())
}

/// The longest of forty scrapes, in milliseconds.
fn scrapes(admin: SocketAddr, largest: &mut usize) -> Result<f64> {
    let mut longest = Duration::ZERO;
    for _ in 0..40 {
        std::thread::sleep(Duration::from_millis(100));
        let begun = Instant::now();
        let answer = http::get(admin, "/metrics")?;
        longest = longest.max(begun.elapsed());
        ensure!(answer.status() == 200, "a scrape got {}", answer.status());
        *largest = (*largest).max(answer.body.len());
    }
    Ok(longest.as_secs_f64() * 1e3)
}

fn query(table: &mut Table) -> Result<()> {
    if !table.wants(QUERY) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let environments = ["production", "staging"];
    let mut sources = String::from("environments:\n");
    for (environment, from) in environments.iter().zip([0, RECORDS / 2]) {
        let place = folder.path().join(environment);
        fs::create_dir(&place)?;
        write_records(&place.join("gateway-0.access.log"), environment, from..from + RECORDS / 2)?;
        sources.push_str(&format!("  {environment}: {{folder: {environment}}}\n"));
    }
    let list = folder.path().join("sources.yaml");
    fs::write(&list, sources)?;
    table.figure(QUERY, "s", Wanted::AtMost(2.0), || {
        let times: Result<Vec<f64>> = (0..5).map(|_| asked(&list)).collect();
        Ok(median(times?))
    });
    Ok(())
}

/// Seconds of one question, whose answer is checked.
fn asked(sources: &Path) -> Result<f64> {
    let mut command = Command::new(fleet::program("bifrost")?);
    command.args(["logs", "top", "env", "outcome=timeout", "--env", "production,staging"]);
    command.args(["--format", "json", "--sources"]).arg(sources);
    let begun = Instant::now();
    let output = command.output()?;
    let took = begun.elapsed().as_secs_f64();
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let rows = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found: u64 = rows.filter_map(|row| row["count"]["records"].as_u64()).sum();
    ensure!(found == RECORDS / RARE, "{found} of {} records were found", RECORDS / RARE);
    Ok(took)
}

/// Records as a gateway writes them, on disk before this returns.
fn write_records(path: &Path, environment: &str, numbers: std::ops::Range<u64>) -> Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for number in numbers {
        let second = number / 200;
        let (day, hour) = (1 + second / 86_400 % 28, second / 3_600 % 24);
        let (minute, second, milli) = (second / 60 % 60, second % 60, number * 5 % 1_000);
        let (status, outcome) =
            if number.is_multiple_of(RARE) { (504, "timeout") } else { (200, "ok") };
        writeln!(
            file,
            "{{\"ts\":\"2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z\",\"v\":1,\
             \"env\":\"{environment}\",\"role\":\"gateway\",\"node\":\"gateway-0\",\
             \"build\":\"0.1.0-0123456789ab\",\"req_id\":\"{number:032x}\",\
             \"trace_id\":\"{number:032x}\",\"traffic\":\"gateway\",\"form\":\"path\",\
             \"method\":\"GET\",\"ns\":\"ipfs\",\"root_cid_h\":\"{number:016x}\",\
             \"codec\":\"dag-pb\",\"format\":\"file\",\"path_depth\":1,\"path_h\":\"{number:016x}\",\
             \"status\":{status},\"outcome\":\"{outcome}\",\"cache\":\"hit\",\"ttfb_ms\":1.250,\
             \"total_ms\":2.500,\"bytes\":1024,\"blocks\":1,\"truncated\":false,\"verified\":true,\
             \"ua_class\":\"browser\",\"client_net_h\":\"{number:016x}\",\"sample_rate\":1}}"
        )?;
    }
    file.into_inner()?.sync_all()?;
    Ok(())
}
