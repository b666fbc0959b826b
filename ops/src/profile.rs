//! `bifrost profile`: where time and memory go, of every process, kept for every build.
//!
//! Profiles are taken over the admin listeners that every process has, stored as objects that are never
//! changed, and read from there by all other subcommands. A set says what it lacks; nothing that is cut
//! or corrupt is ever taken for a profile.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use telemetry::Tasks;

mod catalog;
mod collect;
mod command;
mod diff;
mod entry;
mod error;
#[cfg(test)]
mod fixture;
mod flame;
mod functions;
mod gc;
mod lease;
mod list;
mod load;
mod page;
mod publish;
mod regression;
mod select;
mod serve;
mod site;
mod store;
mod take;
mod targets;
mod verify;

pub(crate) use error::ProfileError;
pub(crate) use serve::metrics::Metrics;
use store::Store;

/// Exit codes of this command.
const EXIT_CODES: &str = "Exit codes:
  0  done
  1  done, but something is missing or wrong; it was named
  2  wrong command line
  3  an input cannot be read or is not what it claims to be
  5  another collection runs
  7  the store, a file or a port refuses
  130  stopped by a signal";

/// What `bifrost profile` is told.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ProfileArgs {
    #[command(subcommand)]
    command: Command,
    /// Where profiles are kept: a folder, or s3://BUCKET/PATH, gs://BUCKET/PATH, az://CONTAINER/PATH.
    /// Credentials come from the environment, as the tools of each vendor take them.
    #[arg(
        long,
        global = true,
        value_name = "STORE",
        default_value = ".bifrost/profiles",
        env = "BIFROST_PROFILES"
    )]
    store: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take profiles of every process, store them, and publish them as content.
    #[command(after_help = "Examples:
  bifrost profile collect
  bifrost profile collect --inventory fleet.yaml --env production --trigger nightly --jitter 20s
  bifrost profile collect --kinds cpu --seconds 30 --store s3://profiles/bifrost --node http://127.0.0.1:9180

Admin listeners that need a token get that of BIFROST_ADMIN__TOKEN. Memory is sampled from the first
heap profile of a process on, or from its start with admin.heap_profile: the first may be all but empty.")]
    Collect(command::CollectArgs),
    /// Take profiles every night, on demand, and when an objective burns.
    #[command(after_help = "Examples:
  bifrost profile serve --inventory fleet.yaml --at 03:17 --jitter 20s
  bifrost profile serve --on-burn http://127.0.0.1:9090
  curl -X POST http://127.0.0.1:9480/collect")]
    Serve(serve::ServeArgs),
    /// List profiles, or sets.
    #[command(after_help = "Examples:
  bifrost profile ls role=gateway kind=cpu
  bifrost profile ls --sets date=2026-11-21 --format json")]
    Ls(list::LsArgs),
    /// Write a profile to stdout or a file, once its hash is proven.
    #[command(after_help = "Examples:
  bifrost profile get 4f0c2a9d0b7e --out cpu.pb.gz && go tool pprof -top cpu.pb.gz
  bifrost profile get date=2026-11-21 node=gateway-0 kind=cpu > cpu.pb.gz")]
    Get(list::GetArgs),
    /// Draw a flame graph: one page that needs nothing else.
    #[command(after_help = "Examples:
  bifrost profile flame date=2026-11-21 role=gateway --out flame.html
  bifrost profile flame cpu.pb.gz > flame.html")]
    Flame(list::FlameArgs),
    /// Compare two profiles, or two sets of them, function by function.
    #[command(after_help = "Examples:
  bifrost profile diff build=0.1.0-4f0c2a9d0b7e,role=pool build=0.1.0-9b1d33aa02c4,role=pool
  bifrost profile diff date=2026-11-20,role=gateway date=2026-11-21,role=gateway --html change.html
  bifrost profile diff before.pb.gz after.pb.gz --format json")]
    Diff(diff::DiffArgs),
    /// Write pages of all profiles: tables, flame graphs, and what changed.
    #[command(after_help = "Examples:
  bifrost profile site --out profiles-site
  bifrost profile site --out profiles-site --days 7 && bifrost add profiles-site")]
    Site(site::SiteArgs),
    /// Remove profiles that are too old: all are kept for 14 days, one set a week for 12 weeks, and those
    /// of a tagged build for ever.
    #[command(after_help = "Examples:
  bifrost profile gc --dry-run
  bifrost profile gc --days 30 --weeks 26")]
    Gc(gc::GcArgs),
    /// Keep the profiles of a build for ever, under the name of its release.
    #[command(after_help = "Examples:
  bifrost profile tag v1.0.0 0.1.0-4f0c2a9d0b7e
  bifrost profile tag --list")]
    Tag(gc::TagArgs),
    /// Look at every object: is it there, is it what was stored, can it be read?
    #[command(after_help = "Examples:
  bifrost profile verify
  bifrost profile verify --format json")]
    Verify(verify::VerifyArgs),
}

/// Runs the command.
///
/// # Errors
/// As the variants of [`ProfileError`] say.
pub(crate) async fn run(args: ProfileArgs, tasks: &Tasks) -> Result<ExitCode, ProfileError> {
    let store = |writes| Store::open(&args.store, writes, tasks);
    let verdict = match args.command {
        Command::Collect(args) => command::run(&args, &store(true)?, tasks).await?,
        Command::Serve(args) => serve::run(args, store(true)?, tasks).await?,
        Command::Ls(args) => list::ls(&args, &store(false)?).await?,
        Command::Get(args) => list::get(&args, &store(false)?).await?,
        Command::Flame(args) => list::flame(&args, || store(false), tasks).await?,
        Command::Diff(args) => diff::run(&args, || store(false), tasks).await?,
        Command::Site(args) => site::run(&args, &store(false)?, tasks).await?,
        Command::Gc(args) => gc::run(&args, &store(false)?).await?,
        Command::Tag(args) => gc::tag(&args, &store(false)?).await?,
        Command::Verify(args) => verify::run(&args, &store(false)?, tasks).await?,
    };
    Ok(verdict.into())
}

/// Gives the pages of the latest days of a store, as paths and contents.
///
/// # Errors
/// As the variants of [`ProfileError`] say.
pub(crate) async fn published(
    store: &str,
    days: u16,
    tasks: &Tasks,
    write: &dyn Fn(&str, &[u8]),
) -> Result<(), ProfileError> {
    site::pages(&Store::open(store, false, tasks)?, days, tasks, write).await
}

/// Writes a result to a file, or to stdout.
///
/// # Errors
/// [`ProfileError::File`].
fn write(out: Option<&PathBuf>, bytes: &[u8]) -> Result<(), ProfileError> {
    use std::io::Write as _;
    let (what, written) = match out {
        Some(path) => (path.display().to_string(), crate::whole::write_whole(path, bytes)),
        None => {
            let mut out = std::io::stdout().lock();
            ("stdout".to_owned(), out.write_all(bytes).and_then(|()| out.flush()))
        }
    };
    written.map_err(|source| ProfileError::File { what, source })
}
