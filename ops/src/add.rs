//! `bifrost add`: content from disk into the fleet.
//!
//! Blocks are built and hashed here and streamed to one node as a CAR; the other nodes fetch them
//! from that one by bitswap. The CID is printed only when as many nodes hold the content as were
//! asked for: a CID that one broken disk could lose would be a promise that cannot be kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ipfs::Cid;
use ipfs::unixfs::import::Profile;
use serde_json::json;
use telemetry::Tasks;

use crate::client::{ClientError, Endpoint};
use crate::fleet::Fleet;
use crate::output::{self, Format, Style};

mod adder;
mod archive;
mod build;
mod error;
mod feed;
mod hash;
mod progress;
mod source;
mod threads;

use adder::Adder;
pub(crate) use error::{AddError, client_exit};
use progress::Progress;
use source::{Choice, Survey};

/// What `bifrost add` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bifrost add site/                      a folder; its CID is the last line of stdout
  bifrost add photo.jpg notes.txt        two files, two CIDs
  bifrost add --wrap photo.jpg notes.txt one folder that holds both
  bifrost add backup.car                 the blocks of a CAR, each one verified
  bifrost add --node http://127.0.0.1:9180 --replicas 1 site/
  cid=$(bifrost add -q site/ | tail -n 1)

Symbolic links inside folders are kept as links; a PATH that is a link is followed. Sockets, pipes
and devices are refused. A PATH that ends in .car is an archive, inside folders it is a file.")]
pub(crate) struct AddArgs {
    /// Files, folders or .car archives.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Admin URL of a node, such as http://127.0.0.1:9180; the first one takes the import, further
    /// ones hold replicas [default: the nodes of the fleet in --data].
    #[arg(long, value_name = "URL")]
    node: Vec<Endpoint>,
    /// Data folder of the fleet.
    #[arg(long, value_name = "DIR", default_value = ".bifrost")]
    data: PathBuf,
    /// How many nodes must hold the content [default: 2, or all there are].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    replicas: Option<usize>,
    /// What decides the CIDs: unixfs-v1-2025 or unixfs-v0-2015.
    #[arg(long, value_name = "NAME", default_value = "unixfs-v1-2025", value_parser = profile)]
    profile: Profile,
    /// Put the one PATH into a folder under this name.
    #[arg(long)]
    name: Option<String>,
    /// Put all PATHs into one folder.
    #[arg(long)]
    wrap: bool,
    /// Take a .car as an ordinary file.
    #[arg(long)]
    as_file: bool,
    /// Whether names that begin with a dot are added inside folders.
    #[arg(
        long,
        default_value_t = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    hidden: bool,
    /// Longest silence of a node before it is given up.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// How results are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Print nothing but results and errors.
    #[arg(long, short)]
    quiet: bool,
}

fn profile(name: &str) -> Result<Profile, String> {
    Profile::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Profile::ALL.iter().map(|profile| profile.name()).collect();
        format!("profiles are {}", names.join(" and "))
    })
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n >= 1).ok_or_else(|| "a number from 1 on".to_owned())
}

/// A root of something that was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root {
    /// The name of the path that it came from.
    pub(crate) name: String,
    /// Its CID.
    pub(crate) cid: Cid,
}

/// What one import sent.
#[derive(Debug, Default)]
pub(crate) struct Added {
    /// The roots.
    pub(crate) roots: Vec<Root>,
    /// Blocks, repeated ones included.
    pub(crate) blocks: u64,
    /// Bytes in them.
    pub(crate) bytes: u64,
}

/// One import: what goes into one CAR.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// Paths and their names; in one folder of a name when one is given.
    Paths { paths: Vec<(PathBuf, String)>, folder: Option<String> },
    /// A CAR.
    Archive(PathBuf),
}

/// Runs `bifrost add`.
///
/// # Errors
/// As the variants of [`AddError`] say; what was printed before is stored.
pub(crate) async fn run(args: AddArgs, tasks: &Tasks) -> Result<(), AddError> {
    let jobs = jobs(&args)?;
    let choice = Choice { hidden: args.hidden };
    let mut surveys = Vec::with_capacity(jobs.len());
    for job in &jobs {
        surveys.push(survey(tasks, choice, job.clone()).await?);
    }
    let fleet = if args.node.is_empty() { Some(Fleet::read(&args.data)?) } else { None };
    let nodes = match &fleet {
        Some(fleet) => endpoints(fleet)?,
        None => args.node.clone(),
    };
    let progress = Progress::new(args.quiet || args.format == Format::Json);
    let mut adder = Adder::new(tasks, nodes, args.replicas, args.timeout, progress).await?;
    for (job, survey) in jobs.iter().zip(&surveys) {
        let added = adder.import(args.profile, choice, job, survey).await?;
        for root in &added.roots {
            if matches!(job, Job::Archive(_)) {
                adder.confirm(root.cid, added.bytes).await?;
            }
            let nodes = adder.replicate(root.cid, added.bytes).await?;
            if !args.quiet && args.format == Format::Text {
                output::note(&said(root, &added, nodes.len(), fleet.as_ref()));
            }
            output::result(&match args.format {
                Format::Text => format!("{}\n", root.cid),
                Format::Json => line(root, &added, &nodes),
            });
        }
    }
    Ok(())
}

/// Adds one folder to every one of these nodes, silently, and returns its root.
///
/// # Errors
/// As [`run`].
pub(crate) async fn folder(
    path: &Path,
    nodes: Vec<Endpoint>,
    timeout: Duration,
    tasks: &Tasks,
) -> Result<Cid, AddError> {
    let job = Job::Paths { paths: vec![(path.to_path_buf(), String::new())], folder: None };
    let choice = Choice { hidden: true };
    let survey = survey(tasks, choice, job.clone()).await?;
    let all = Some(nodes.len());
    let mut adder = Adder::new(tasks, nodes, all, timeout, Progress::new(true)).await?;
    let added = adder.import(Profile::default(), choice, &job, &survey).await?;
    let root = added.roots.first().ok_or(AddError::Stopped)?;
    adder.replicate(root.cid, added.bytes).await?;
    Ok(root.cid)
}

/// The admin listeners of a fleet's nodes.
///
/// # Errors
/// [`ClientError::BadUrl`], when the fleet names none.
pub(crate) fn endpoints(fleet: &Fleet) -> Result<Vec<Endpoint>, ClientError> {
    fleet.nodes.iter().map(|node| Endpoint::parse(&node.admin)).collect()
}

/// What the paths of the command line are.
fn jobs(args: &AddArgs) -> Result<Vec<Job>, AddError> {
    let mut named = Vec::new();
    let mut jobs = Vec::new();
    let folder = args.wrap || args.name.is_some();
    if let Some(name) = &args.name {
        if args.paths.len() > 1 {
            return Err(AddError::NameOfMany);
        }
        if matches!(name.as_str(), "" | "." | "..") || name.contains(['/', '\0']) {
            return Err(AddError::BadName(name.clone()));
        }
    }
    for path in &args.paths {
        let is_car = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("car"));
        if is_car && !args.as_file && !folder {
            jobs.push(Job::Archive(path.clone()));
            continue;
        }
        let own = match &args.name {
            Some(name) => name.clone(),
            None => base_name(path, folder)?,
        };
        if folder {
            if named.iter().any(|(_, name)| *name == own) {
                return Err(AddError::NameTaken(own));
            }
            named.push((path.clone(), own));
        } else {
            jobs.push(Job::Paths { paths: vec![(path.clone(), own)], folder: None });
        }
    }
    if folder {
        jobs.push(Job::Paths { paths: named, folder: Some(String::new()) });
    }
    Ok(jobs)
}

/// The last name of a path; of the folder that it leads to where the path ends in dots.
fn base_name(path: &Path, needed: bool) -> Result<String, AddError> {
    let real;
    let name = match path.file_name() {
        Some(name) => Some(name),
        None => {
            real = path.canonicalize().map_err(|source| source::unreadable(path, source))?;
            real.file_name()
        }
    };
    match name.map(|name| name.to_str().ok_or_else(|| AddError::NameNotText(path.to_path_buf()))) {
        Some(name) => name.map(str::to_owned),
        None if needed => Err(AddError::NoName(path.to_path_buf())),
        None => Ok(String::new()),
    }
}

async fn survey(tasks: &Tasks, choice: Choice, job: Job) -> Result<Survey, AddError> {
    let count = move || match job {
        Job::Archive(path) => choice.survey(&path),
        Job::Paths { paths, .. } => paths.iter().try_fold(Survey::default(), |sum, (path, _)| {
            let one = choice.survey(path)?;
            Ok(Survey { bytes: sum.bytes + one.bytes, files: sum.files + one.files })
        }),
    };
    tasks.spawn_blocking("survey", count).await?
}

fn said(root: &Root, added: &Added, nodes: usize, fleet: Option<&Fleet>) -> String {
    let style = Style::stderr();
    let size = bytesize::ByteSize(added.bytes);
    let nodes = if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") };
    let name = if root.name.is_empty() { "folder" } else { &root.name };
    let mut text = format!("{} {size} in {} blocks, on {nodes}", style.strong(name), added.blocks);
    if let Some(gateway) = fleet.and_then(|fleet| fleet.gateways.first()) {
        text.push_str(&format!("\n  {}/ipfs/{}", gateway.url, root.cid));
    }
    text
}

fn line(root: &Root, added: &Added, nodes: &[String]) -> String {
    let (cid, blocks, bytes) = (root.cid.to_string(), added.blocks, added.bytes);
    let line =
        json!({ "root": cid, "name": root.name, "blocks": blocks, "bytes": bytes, "nodes": nodes });
    format!("{line}\n")
}

#[cfg(test)]
mod tests;
