//! `bifrost profile collect`, and the part of its flags that `serve` has too.

use std::time::Duration;

use clap::Args;
use rand::RngExt as _;
use serde_json::json;
use telemetry::Tasks;
use telemetry::config::Secret;
use telemetry::profile::{CPU_HERTZ_MAX, CPU_SECONDS_MAX};
use tokio::signal::unix::{SignalKind, signal};

use super::collect::{Job, collect};
use super::entry::{Kind, Set, Trigger};
use super::error::ProfileError;
use super::lease;
use super::publish::Publish;
use super::store::Store;
use super::take::Taking;
use super::targets::{Whose, nodes};
use crate::client::{self, Endpoint};
use crate::findings::Verdict;
use crate::output::{self, Format, Style, Table};

/// What every collection is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct Collecting {
    #[command(flatten)]
    whose: Whose,
    /// Which profiles.
    #[arg(long, value_name = "KINDS", value_delimiter = ',', default_value = "heap,tasks,cpu")]
    kinds: Vec<Kind>,
    /// Seconds that are sampled of processor time.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=i64::from(CPU_SECONDS_MAX)))]
    seconds: u32,
    /// Samples a second.
    #[arg(long, value_name = "N", default_value_t = 99, value_parser = clap::value_parser!(u32).range(1..=i64::from(CPU_HERTZ_MAX)))]
    hz: u32,
    /// Processes at a time. There is never more than one of a role.
    #[arg(long, value_name = "N", default_value_t = 4)]
    concurrency: usize,
    /// Longest wait, by chance, before each process.
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    jitter: Duration,
    /// Longest time for all of it; what is not there by then is missing.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = humantime::parse_duration)]
    deadline: Duration,
    /// Admin URL of a node that the set is put into. May be given more than once [default: the nodes that
    /// are profiled].
    #[arg(long, value_name = "URL")]
    node: Vec<Endpoint>,
    /// Put the set into a node, and end in 1 if that cannot be.
    #[arg(long, conflicts_with = "no_publish")]
    publish: bool,
    /// Put the set into no node.
    #[arg(long)]
    no_publish: bool,
    /// The token of the admin listeners.
    #[arg(long, env = "BIFROST_ADMIN__TOKEN", hide_env_values = true, default_value = "", hide_default_value = true, value_parser = client::token)]
    pub(crate) token: Secret,
}

impl Collecting {
    /// What is to be done now, of the processes as they are now.
    ///
    /// # Errors
    /// The list or the fleet cannot be read.
    pub(crate) fn job(
        &self,
        trigger: Trigger,
        reason: Option<String>,
    ) -> Result<Job, ProfileError> {
        let targets = self.whose.targets()?;
        let into = if self.node.is_empty() { nodes(&targets) } else { self.node.clone() };
        // Without a node among the processes there is nothing to publish in, unless it was asked for.
        let publish = match self.no_publish || (into.is_empty() && !self.publish) {
            true => Publish::No,
            false => Publish::Into(into),
        };
        let mut kinds = self.kinds.clone();
        kinds.sort_unstable();
        kinds.dedup();
        Ok(Job {
            id: format!("{:08x}", rand::rng().random::<u32>()),
            targets,
            kinds,
            taking: Taking::new(self.seconds, self.hz),
            trigger,
            reason,
            concurrency: self.concurrency,
            jitter: self.jitter,
            deadline: self.deadline,
            publish,
            token: self.token.expose().to_owned(),
        })
    }
}

/// What `bifrost profile collect` is told.
#[derive(Debug, Args)]
pub(crate) struct CollectArgs {
    #[command(flatten)]
    collecting: Collecting,
    /// Why.
    #[arg(long, value_enum, default_value_t)]
    trigger: Trigger,
    /// How the set is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Collects once. A signal ends it without a set.
///
/// # Errors
/// As the variants of [`ProfileError`] say.
pub(crate) async fn run(
    args: &CollectArgs,
    store: &Store,
    tasks: &Tasks,
) -> Result<Verdict, ProfileError> {
    let job = args.collecting.job(args.trigger, None)?;
    let (count, kinds) = (job.targets.len(), job.kinds.iter().map(|kind| kind.word()));
    let kinds: Vec<_> = kinds.collect();
    output::note(&format!("taking {} of {count} processes", kinds.join(", ")));
    let mut terminate = signal(SignalKind::terminate()).map_err(ProfileError::Signals)?;
    let stopped = async {
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            stopped = tokio::signal::ctrl_c() => stopped.map_err(ProfileError::Signals),
        }
    };
    let set = tokio::select! {
        set = collect(&job, store, tasks) => set?,
        stopped = stopped => {
            stopped?;
            lease::abandon(store, &job.id).await?;
            return Err(ProfileError::Stopped);
        }
    };
    output::result(&said(&set, args.format));
    if args.format == Format::Text {
        warn(&set);
    }
    let lacks = !set.is_whole() || (args.collecting.publish && set.head.cid.is_none());
    Ok(if lacks { Verdict::Findings } else { Verdict::Clean })
}

fn said(set: &Set, format: Format) -> String {
    if format == Format::Json {
        return format!("{}\n", json!({ "index": set.key(), "set": set.head }));
    }
    let head = &set.head;
    let mut table = Table::default();
    let bytes: u64 = set.entries.iter().map(|entry| entry.bytes).sum();
    let count = format!("{} in {}", set.entries.len(), bytesize::ByteSize(bytes));
    table.row(["set", &head.id]);
    table.row(["index", &set.key()]);
    table.row(["profiles", &count]);
    table.row(["processes", &format!("{} of {} with all", head.profiled, head.processes)]);
    if let Some(cid) = &head.cid {
        table.row(["cid", cid]);
    }
    table.render("", Style::stdout())
}

/// Says what a set lacks.
pub(crate) fn warn(set: &Set) {
    let style = Style::stderr();
    for one in &set.head.missing {
        let kind = one.kind.map_or("every profile", Kind::word);
        let text =
            format!("missing: {kind} of {} ({}, {}): {}", one.node, one.env, one.role, one.why);
        output::note(&style.warning(&text));
    }
    if let Some(why) = &set.head.unpublished {
        output::note(&style.warning(&format!("not published: {why}")));
    }
}
