//! The threads of one import: a reader, some that hash, and one that builds and sends.
//!
//! Each stage waits for the next one when it is full, so the slowest sets the pace and memory stays
//! bounded.

use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};

use indicatif::ProgressBar;
use ipfs::car::Unproven;
use ipfs::unixfs::import::{Leaf, Profile};
use telemetry::{TaskHandle, Tasks};

use crate::add::feed::Sink;
use crate::add::source::{Choice, Reader};
use crate::add::{AddError, Added, archive, build, hash};

/// Steps that may wait between the reader and the builder.
const STEPS_WAITING_MAX: usize = 64;

/// What is read from disk, and how.
pub(super) struct Plan {
    /// Paths and their names.
    pub(super) paths: Vec<(PathBuf, String)>,
    /// The name of the folder around them all, if there is one.
    pub(super) folder: Option<String>,
    /// What decides the CIDs.
    pub(super) profile: Profile,
    /// Which names are read.
    pub(super) choice: Choice,
}

/// What comes of an import whose threads were started.
pub(super) type Building = TaskHandle<Result<Added, AddError>>;

/// Starts the threads that read, hash and build.
pub(super) fn build_paths(tasks: &Tasks, plan: Plan, sink: Sink, bar: ProgressBar) -> Building {
    let profile = plan.profile;
    let hash: fn((Profile, bytes::Bytes)) -> Leaf = |(profile, chunk)| Leaf::new(profile, chunk);
    let (jobs, leaves) = hash::start(tasks, hash::threads(), hash);
    let (sender, steps) = sync_channel(STEPS_WAITING_MAX);
    let _reading = tasks.spawn_blocking("read", move || {
        let give = |step| sender.send(Ok(step)).is_ok();
        let reader = Reader { profile, choice: plan.choice, leaves: jobs, give: &give, bar: &bar };
        tell(&sender, read_paths(reader, &plan));
    });
    tasks.spawn_blocking("build", move || build::build(profile, &steps, leaves, sink))
}

fn read_paths(mut reader: Reader<'_>, plan: &Plan) -> Result<(), AddError> {
    if plan.folder.is_some() {
        reader.enter()?;
    }
    for (path, name) in &plan.paths {
        reader.path(path, name.clone())?;
    }
    match &plan.folder {
        Some(name) => reader.leave(name.clone()),
        None => Ok(()),
    }
}

/// Starts the threads that read, verify and pass on an archive.
pub(super) fn pass_archive(tasks: &Tasks, path: PathBuf, sink: Sink, bar: ProgressBar) -> Building {
    let (jobs, blocks) = hash::start(tasks, hash::threads(), Unproven::prove);
    let (sender, steps) = sync_channel(STEPS_WAITING_MAX);
    let from = path.clone();
    let _reading = tasks.spawn_blocking("read", move || {
        let give = |step| sender.send(Ok(step)).is_ok();
        tell(&sender, archive::read(&from, jobs, &give, &bar));
    });
    tasks.spawn_blocking("build", move || archive::pass_on(&path, &steps, blocks, sink))
}

/// Passes an error on to the builder, which has gone when there was no need of it.
fn tell<T>(sender: &SyncSender<Result<T, AddError>>, done: Result<(), AddError>) {
    if let Err(error) = done {
        sender.send(Err(error)).ok();
    }
}
