//! `bifrost ipns sign`: a record made with the key of a name.
//!
//! Nothing remembers the last sequence, so it is the time unless one is given: a record that is
//! signed later then supersedes one that was signed before.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use ipfs::ipns::{Name, Record, RecordError, create};
use libp2p_identity::Keypair;

use super::{IpnsError, key, write_record};
use crate::output;

/// What `bifrost ipns sign` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost ipns sign --key site.key --new-key --value /ipfs/CID
  bifrost ipns sign --key site.key --value /ipfs/CID --ttl 5m --valid-for 30d
  name=$(bifrost ipns sign --key site.key --value /ipfs/CID --out site.ipns-record)

Keep the key secret and safe: whoever has it can say what the name stands for.")]
pub(super) struct SignArgs {
    /// File of the name's key, in libp2p's encoding.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Make an ed25519 key, and so a name, in the file of --key, which must not be there yet.
    #[arg(long)]
    new_key: bool,
    /// What the name is to stand for: a path below /ipfs/ or /ipns/.
    #[arg(long, value_name = "PATH")]
    value: String,
    /// Number of the record; one with a higher number supersedes it [default: the seconds since 1970].
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    /// How long gateways may keep the record before they look for a later one.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    ttl: Duration,
    /// How long the record is valid.
    #[arg(long, value_name = "TIME", default_value = "48h", value_parser = humantime::parse_duration)]
    valid_for: Duration,
    /// Where to write the record; - is stdout [default: NAME.ipns-record].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &SignArgs) -> Result<(), IpnsError> {
    let record = sign(args, SystemTime::now())?;
    let name = record.name();
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.ipns-record")));
    write_record(&record, &out)?;
    if out == Path::new("-") {
        output::note(&format!("/ipns/{name}"));
    } else {
        let put = format!("bifrost ipns put {name} {}", out.display());
        output::note(&format!("{} is signed; to store it: {put}", out.display()));
        output::result(&format!("/ipns/{name}\n"));
    }
    Ok(())
}

/// Makes the record, and the key where there is to be a new one.
pub(super) fn sign(args: &SignArgs, now: SystemTime) -> Result<Record, IpnsError> {
    let key = if args.new_key { Keypair::generate_ed25519() } else { key::read(&args.key)? };
    let record = record(&key, &args.value, args.sequence, [args.ttl, args.valid_for], now)?;
    if args.new_key {
        key::write(&args.key, &key)?;
    }
    Ok(record)
}

/// Makes a record that may be kept and is valid for these times.
pub(super) fn record(
    key: &Keypair,
    value: &str,
    sequence: Option<u64>,
    [ttl, valid_for]: [Duration; 2],
    now: SystemTime,
) -> Result<Record, IpnsError> {
    let validity = now.checked_add(valid_for).ok_or(RecordError::Validity)?;
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let bytes = create(key, value, sequence.unwrap_or(seconds), validity, ttl)?;
    let name = Name::of_key(&key.public().encode_protobuf());
    Ok(Record::verify(&name, &bytes)?)
}
