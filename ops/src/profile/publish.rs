//! Puts a set into a node as a folder, so that the fleet itself is where profiles are read.
//!
//! A set that could not be published is stored all the same, and says why.

use std::fs;
use std::path::Path;
use std::time::Duration;

use http::Method;
use telemetry::Tasks;

use super::entry::Set;
use super::store::Store;
use crate::add;
use crate::client::{Client, Endpoint};

/// Longest silence of a node.
const WITHIN: Duration = Duration::from_secs(60);
/// Longest wait for a node that may be away.
const LIVE_WITHIN: Duration = Duration::from_secs(5);
/// Nodes that hold a set.
const REPLICAS_MAX: usize = 2;

/// Whether a set is published, and into which nodes.
#[derive(Debug, Clone)]
pub(crate) enum Publish {
    /// It is not.
    No,
    /// Into these; that none of them is there is a reason not to.
    Into(Vec<Endpoint>),
}

/// Publishes a set, and notes in it where it is or why it is nowhere.
pub(crate) async fn publish(to: &Publish, set: &mut Set, store: &Store, tasks: &Tasks) {
    let Publish::Into(nodes) = to else { return };
    if set.entries.is_empty() {
        set.head.unpublished = Some("there is no profile in it".to_owned());
        return;
    }
    match folder(nodes, set, store, tasks).await {
        Ok(cid) => {
            for entry in &mut set.entries {
                entry.cid = Some(cid.clone());
            }
            set.head.cid = Some(cid);
        }
        Err(why) => set.head.unpublished = Some(why),
    }
}

async fn folder(
    nodes: &[Endpoint],
    set: &Set,
    store: &Store,
    tasks: &Tasks,
) -> Result<String, String> {
    let nodes = live(nodes, tasks).await;
    if nodes.is_empty() {
        return Err("there is no node to publish it in: name one with --node".to_owned());
    }
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    for entry in &set.entries {
        let bytes = store.get(&entry.key).await.map_err(|error| telemetry::why(&error))?;
        write(folder.path(), &entry.key, &bytes)?;
    }
    let lines = set.clone().for_everybody().lines();
    write(folder.path(), "index.ndjson", lines.as_bytes())?;
    let added = add::folder(folder.path(), nodes, WITHIN, tasks).await;
    added.map(|cid| cid.to_string()).map_err(|error| telemetry::why(&error))
}

/// The first of them that are there.
async fn live(nodes: &[Endpoint], tasks: &Tasks) -> Vec<Endpoint> {
    let client = Client::new(tasks.clone(), LIVE_WITHIN);
    let mut live = Vec::new();
    for node in nodes {
        if live.len() < REPLICAS_MAX && client.head(node, Method::GET, "/livez").await.is_ok() {
            live.push(node.clone());
        }
    }
    live
}

fn write(folder: &Path, key: &str, bytes: &[u8]) -> Result<(), String> {
    let path = folder.join(key);
    let above = path.parent().expect("it lies in a folder");
    let written = fs::create_dir_all(above).and_then(|()| fs::write(&path, bytes));
    written.map_err(|error| format!("no temporary file: {error}"))
}
