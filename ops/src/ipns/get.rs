//! `bifrost ipns get`: the latest record that the nodes have, proven here.
//!
//! Every node is asked, since one that was away when a record was put holds an older one.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use futures::future::join_all;
use ipfs::ipns::{Name, Record};
use serde_json::json;
use telemetry::Tasks;

use super::{At, IpnsError, name, write_record};
use crate::add::client_exit;
use crate::client::{Client, Endpoint};
use crate::output::{self, Exit, Format, Style, Table};

/// What `bifrost ipns get` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost ipns get k51…
  bifrost ipns get --out site.ipns-record k51…
  bifrost ipns get --format json k51… | jq -r .value")]
pub(super) struct GetArgs {
    /// The name.
    #[arg(value_parser = name)]
    name: Name,
    /// Where to write the record; - is stdout, and then nothing else is printed there.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    at: At,
    /// How results are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What the nodes have.
#[derive(Debug)]
pub(super) struct Found {
    /// The latest record.
    pub(super) record: Record,
    /// The nodes that have it.
    pub(super) nodes: Vec<String>,
    /// What there is to say of each other node.
    pub(super) others: Vec<String>,
}

pub(super) async fn run(args: &GetArgs, tasks: &Tasks) -> Result<(), IpnsError> {
    let nodes = args.at.nodes()?;
    let client = Client::new(tasks.clone(), args.at.timeout);
    let now = SystemTime::now();
    let found = find(&client, &nodes, &args.name, now).await?;
    for other in &found.others {
        output::note(&format!("{} {other}", Style::stderr().warning("note:")));
    }
    if let Some(out) = &args.out {
        write_record(&found.record, out)?;
        if out.as_os_str() == "-" {
            return Ok(());
        }
    }
    output::result(&match args.format {
        Format::Text => table(&found, now),
        Format::Json => line(&found),
    });
    Ok(())
}

/// Asks each of these nodes for the record of a name.
///
/// # Errors
/// [`IpnsError::NotFound`], if none has a valid one.
pub(super) async fn find(
    client: &Client,
    nodes: &[Endpoint],
    name: &Name,
    now: SystemTime,
) -> Result<Found, IpnsError> {
    let target = format!("/ipns/{name}");
    let asked = nodes.iter().map(async |node| (node.url(), client.bytes(node, &target).await));
    let mut exit = None;
    let (mut records, mut others) = (Vec::new(), Vec::new());
    for (url, answer) in join_all(asked).await {
        match answer.map(|bytes| Record::verify(name, &bytes)) {
            Ok(Ok(record)) if record.is_valid_at(now) => records.push((url, record)),
            Ok(Ok(_)) => others.push(format!("{url} gave a record that has expired")),
            Ok(Err(error)) => {
                others.push(format!("{url} gave a record that proves nothing: {error}"))
            }
            Err(error) => {
                exit = exit.or(Some(client_exit(&error)));
                others.push(error.to_string());
            }
        }
    }
    let newest = records
        .iter()
        .map(|(_, record)| record)
        .reduce(|newest, record| if record.supersedes(newest) { record } else { newest });
    let Some(record) = newest.cloned() else {
        let (reasons, exit) = (others.join("; "), exit.unwrap_or(Exit::Refused));
        return Err(IpnsError::NotFound { name: *name, reasons, exit });
    };
    let mut nodes = Vec::new();
    for (url, held) in records {
        if held.bytes() == record.bytes() {
            nodes.push(url);
        } else {
            let sequence = held.sequence();
            others.push(format!(
                "{url} has another record, with sequence {sequence}; put this one there"
            ));
        }
    }
    Ok(Found { record, nodes, others })
}

fn table(found: &Found, now: SystemTime) -> String {
    let record = &found.record;
    let left = record.validity().duration_since(now).unwrap_or_default();
    let left = humantime::format_duration(Duration::from_secs(left.as_secs()));
    let until = humantime::format_rfc3339_seconds(record.validity());
    let ttl = Duration::from_secs(record.ttl().as_secs());
    let mut table = Table::default();
    table.row(["name", &format!("/ipns/{}", record.name())]);
    // Whoever signed it may have put into it what a terminal obeys.
    table.row(["value", &record.value().replace(char::is_control, "\u{fffd}")]);
    table.row(["sequence", &record.sequence().to_string()]);
    table.row(["valid", &format!("until {until}, {left} from now")]);
    table.row(["ttl", &humantime::format_duration(ttl).to_string()]);
    table.row(["nodes", &found.nodes.join(" ")]);
    table.render("", Style::stdout())
}

fn line(found: &Found) -> String {
    let record = &found.record;
    let until = record.validity().duration_since(UNIX_EPOCH).unwrap_or_default();
    let line = json!({
        "name": record.name().to_string(),
        "value": record.value(),
        "sequence": record.sequence(),
        "valid_until": until.as_secs(),
        "ttl": record.ttl().as_secs(),
        "nodes": found.nodes,
    });
    format!("{line}\n")
}
