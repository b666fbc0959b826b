//! `bifrost ipns put`: one record onto every node.
//!
//! Each node is told on its own, so one that is away costs its own copy and no other.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use futures::future::join_all;
use ipfs::ipns::{Name, Record};
use ipfs::trustless::IPNS_RECORD_TYPE;
use serde_json::json;
use telemetry::Tasks;

use super::{At, IpnsError, name, read_record};
use crate::add::client_exit;
use crate::client::{Client, ClientError, Endpoint};
use crate::output::{self, Exit, Format, Style, Table};

/// What `bifrost ipns put` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost ipns put k51… site.ipns-record
  bifrost ipns sign --key site.key --value /ipfs/CID --out - | bifrost ipns put k51… -
  bifrost ipns put --node http://127.0.0.1:9180 --format json k51… site.ipns-record")]
pub(super) struct PutArgs {
    /// The name that the record is of.
    #[arg(value_parser = name)]
    name: Name,
    /// The signed record; - is stdin.
    file: PathBuf,
    #[command(flatten)]
    at: At,
    /// How results are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What one node made of a record.
#[derive(Debug)]
pub(super) struct Told {
    /// Its admin URL.
    pub(super) node: String,
    /// `stored`, or `held` by a node that had it.
    pub(super) outcome: Result<String, ClientError>,
}

pub(super) async fn run(args: &PutArgs, tasks: &Tasks) -> Result<(), IpnsError> {
    let record = read_record(&args.name, &args.file, SystemTime::now())?;
    let nodes = args.at.nodes()?;
    let client = Client::new(tasks.clone(), args.at.timeout);
    let told = put(&client, &nodes, &record).await;
    match args.format {
        Format::Text => output::note(table(&told).trim_end()),
        Format::Json => output::result(&lines(&told)),
    }
    conclude(&args.name, &told)?;
    if args.format == Format::Text {
        output::result(&format!("/ipns/{}\n", args.name));
    }
    Ok(())
}

/// Puts a record on each of these nodes.
pub(super) async fn put(client: &Client, nodes: &[Endpoint], record: &Record) -> Vec<Told> {
    let target = format!("/ipns/{}", record.name());
    let puts = nodes.iter().map(async |node| {
        let said = client.put(node, &target, IPNS_RECORD_TYPE, record.bytes().clone()).await;
        let outcome = said.map(|said| said["outcome"].as_str().unwrap_or("stored").to_owned());
        Told { node: node.url(), outcome }
    });
    join_all(puts).await
}

/// Whether every node holds the record.
///
/// # Errors
/// [`IpnsError::NotHeld`], if one does not.
pub(super) fn conclude(name: &Name, told: &[Told]) -> Result<(), IpnsError> {
    let failed: Vec<&ClientError> =
        told.iter().filter_map(|told| told.outcome.as_ref().err()).collect();
    let Some(first) = failed.first() else { return Ok(()) };
    let held = told.len() - failed.len();
    let exit = if held > 0 { Exit::NotReplicated } else { client_exit(first) };
    let reasons: Vec<String> = failed.iter().map(ToString::to_string).collect();
    let reasons = reasons.join("; ");
    Err(IpnsError::NotHeld { name: *name, held, asked: told.len(), reasons, exit })
}

fn table(told: &[Told]) -> String {
    let mut table = Table::default();
    for told in told {
        table.row([&told.node, told.outcome.as_deref().unwrap_or("failed")]);
    }
    table.render("", Style::stderr())
}

fn lines(told: &[Told]) -> String {
    let line = |told: &Told| match &told.outcome {
        Ok(outcome) => json!({ "node": told.node, "outcome": outcome }),
        Err(error) => {
            json!({ "node": told.node, "outcome": "failed", "error": error.to_string() })
        }
    };
    told.iter().map(|told| format!("{}\n", line(told))).collect()
}
