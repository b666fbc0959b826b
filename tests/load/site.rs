//! How soon the project's own site is seen, in a browser that asks a gateway on this machine.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::{Fleet, FleetPlan, fleet, interop};

use crate::table::{Table, Wanted};

const PAINT: &str = "site: first contentful paint on loopback";

/// Measures it.
pub(crate) fn measure(table: &mut Table) {
    table.figure(PAINT, "ms", Wanted::AtMost(500.0), first_paint);
}

/// The middle of several visits to the first page, with a cache as the visits before left it.
fn first_paint() -> Result<f64> {
    let running = Fleet::start(&FleetPlan { nodes: 1, ..FleetPlan::default() })?;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("site");
    let mut publish = Command::new(fleet::program("bifrost")?);
    let published = publish.arg("publish").arg("--out").arg(&out).output()?;
    let said = String::from_utf8_lossy(&published.stderr);
    ensure!(published.status.success(), "bifrost publish: {said}");
    let root = running.add(&out)?;
    let site = format!("http://{}/ipfs/{root}/", running.gateway.http);
    let seen = interop::run("site.mjs", &[&site], "")?;
    seen["server"]["first_paint_ms"].as_f64().with_context(|| seen.to_string())
}
