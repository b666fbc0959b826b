//! `bifrost ipns`: signed records of names, made, stored on nodes and looked at.
//!
//! A record is proven here before it is sent and after it was fetched: neither a wrong file nor a
//! node that lies can make this command say what the name's key did not.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use ipfs::ipns::{Name, RECORD_BYTES_MAX, Record};
use libp2p_identity::Keypair;
use telemetry::Tasks;

use crate::add::endpoints;
use crate::client::{Client, Endpoint};
use crate::fleet::Fleet;
use crate::whole::FileError;

mod error;
mod get;
mod key;
mod put;
mod sign;

pub(crate) use error::IpnsError;

/// What `bifrost ipns` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost ipns sign --key site.key --new-key --value /ipfs/CID --out site.ipns-record
  bifrost ipns put NAME site.ipns-record
  bifrost ipns get NAME

A NAME is a key: k51… or a peer ID; /ipns/ before it is left out. Where a FILE is -, the record is
read from stdin or written to stdout.")]
pub(crate) struct IpnsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Store a signed record on every node of the fleet.
    Put(put::PutArgs),
    /// Show the latest record that the nodes of the fleet have.
    Get(get::GetArgs),
    /// Make a record with the key of a name.
    Sign(sign::SignArgs),
}

/// Which nodes are meant, and how patient to be with them.
#[derive(Debug, Args)]
struct At {
    /// Admin URL of a node, such as http://127.0.0.1:9180; may be repeated [default: the nodes of the
    /// fleet in --data].
    #[arg(long, value_name = "URL")]
    node: Vec<Endpoint>,
    /// Data folder of the fleet.
    #[arg(long, value_name = "DIR", default_value = ".bifrost")]
    data: PathBuf,
    /// Longest silence of a node before it is given up.
    #[arg(long, value_name = "TIME", default_value = "40s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

impl At {
    fn nodes(&self) -> Result<Vec<Endpoint>, IpnsError> {
        if self.node.is_empty() {
            return Ok(endpoints(&Fleet::read(&self.data)?)?);
        }
        Ok(self.node.clone())
    }
}

/// Runs `bifrost ipns`.
///
/// # Errors
/// As the variants of [`IpnsError`] say.
pub(crate) async fn run(args: IpnsArgs, tasks: &Tasks) -> Result<(), IpnsError> {
    match args.command {
        Command::Put(args) => put::run(&args, tasks).await,
        Command::Get(args) => get::run(&args, tasks).await,
        Command::Sign(args) => sign::run(&args),
    }
}

/// The path of the name of a key, which is made where there is none.
///
/// # Errors
/// The key cannot be read or written.
pub(crate) fn name_of(key: &Path) -> Result<String, IpnsError> {
    if !key.exists() {
        key::write(key, &Keypair::generate_ed25519())?;
    }
    let name = Name::of_key(&key::read(key)?.public().encode_protobuf());
    Ok(format!("/ipns/{name}"))
}

/// Who is told where a name leads.
#[derive(Debug)]
pub(crate) struct Hearers<'a> {
    /// Nodes of which one has to know.
    pub(crate) nodes: &'a [Endpoint],
    /// Nodes without which it is well too.
    pub(crate) also: &'a [Endpoint],
    /// Longest silence of a node.
    pub(crate) timeout: Duration,
}

/// A name that leads somewhere.
#[derive(Debug)]
pub(crate) struct Led {
    /// The name, as `/ipns/…`.
    pub(crate) name: String,
    /// Who does not know of it, and why, if there is somebody.
    pub(crate) lacking: Option<String>,
}

/// Leads the name of a key to a path: `times` say how long the record may be kept and how long it is valid.
///
/// # Errors
/// The key cannot be read, or no node holds the record.
pub(crate) async fn lead(
    key: &Path,
    value: &str,
    [ttl, valid_for]: [Duration; 2],
    to: &Hearers<'_>,
    tasks: &Tasks,
) -> Result<Led, IpnsError> {
    let record = sign::record(&key::read(key)?, value, None, [ttl, valid_for], SystemTime::now())?;
    let client = Client::new(tasks.clone(), to.timeout);
    let all: Vec<Endpoint> = to.nodes.iter().chain(to.also).cloned().collect();
    let told = put::put(&client, &all, &record).await;
    let own = &told[..to.nodes.len()];
    if own.iter().all(|told| told.outcome.is_err()) {
        put::conclude(record.name(), own)?;
    }
    let lacking = put::conclude(record.name(), &told).err().map(|error| error.to_string());
    Ok(Led { name: format!("/ipns/{}", record.name()), lacking })
}

/// Reads a name, with or without `/ipns/` before it.
fn name(text: &str) -> Result<Name, String> {
    let name = text.strip_prefix("/ipns/").unwrap_or(text);
    Name::parse(name.trim_end_matches('/'))
        .map_err(|error| format!("{error}: a name is a key, such as k51… or 12D3…"))
}

/// Reads a record from a file or from stdin, and proves it.
fn read_record(name: &Name, path: &Path, now: SystemTime) -> Result<Record, IpnsError> {
    let unreadable = |source| FileError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // One byte more than there may be, so that a longer one is seen to be longer.
    let most = RECORD_BYTES_MAX as u64 + 1;
    if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        let file = fs::File::open(path).map_err(unreadable)?;
        file.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    let bad = |source| IpnsError::Record { path: path.to_owned(), name: *name, source };
    let record = Record::verify(name, &bytes).map_err(bad)?;
    if !record.is_valid_at(now) {
        return Err(IpnsError::Expired(path.to_owned()));
    }
    Ok(record)
}

/// Writes a record to a file or to stdout.
fn write_record(record: &Record, path: &Path) -> Result<(), IpnsError> {
    let written = if path == Path::new("-") {
        let mut out = io::stdout().lock();
        out.write_all(record.bytes()).and_then(|()| out.flush())
    } else {
        fs::write(path, record.bytes())
    };
    written.map_err(|source| FileError::Write { path: path.to_owned(), source }.into())
}

#[cfg(test)]
mod tests;
