//! `bifrost profile gc` and `tag`: what is kept, and what has grown too old.
//!
//! The index of a set goes before its profiles, so that what is left of a removal that was stopped is
//! profiles without a set, never a set without profiles; the next removal takes those.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::catalog;
use super::entry::{PROFILES, Set, Trigger};
use super::error::ProfileError;
use super::select::Selector;
use super::store::{Listed, Store, part};
use crate::findings::Verdict;
use crate::output::{self, Format, Style, Table};

/// The folder of tags.
const TAGS: &str = "tags";
/// How long sets are kept unless told otherwise, as [`Ages`] has it.
const DAYS: u16 = 14;
const WEEKS: u16 = 12;
const DAY_SECONDS: i64 = 86_400;
/// A profile without a set may be of a collection that runs, for this long.
const STRAY_SECONDS: i64 = DAY_SECONDS;

/// What `bifrost profile gc` is told.
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Days for which every set is kept.
    #[arg(long, value_name = "N", default_value_t = DAYS, value_parser = clap::value_parser!(u16).range(1..))]
    days: u16,
    /// Weeks for which one set of each is kept.
    #[arg(long, value_name = "N", default_value_t = WEEKS)]
    weeks: u16,
    /// Say what would be removed, and remove nothing.
    #[arg(long)]
    dry_run: bool,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What `bifrost profile tag` is told.
#[derive(Debug, Args)]
pub(crate) struct TagArgs {
    /// The release, such as v1.0.0.
    #[arg(required_unless_present = "list")]
    release: Option<String>,
    /// Its build, as `ls` shows it.
    #[arg(required_unless_present = "list")]
    build: Option<String>,
    /// Say which builds are tagged.
    #[arg(long, conflicts_with_all = ["release", "build"])]
    list: bool,
}

/// A build that is kept for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tag {
    /// The release.
    pub(crate) release: String,
    /// The build.
    pub(crate) build: String,
}

/// Tags a build, or lists tags.
///
/// # Errors
/// The store refuses; the build has no profile; the release has another build.
pub(crate) async fn tag(args: &TagArgs, store: &Store) -> Result<Verdict, ProfileError> {
    let (Some(release), Some(build)) = (&args.release, &args.build) else {
        let mut table = Table::default();
        for tag in tags(store).await? {
            table.row([&tag.release, &tag.build]);
        }
        output::result(&table.render("", Style::stdout()));
        return Ok(Verdict::Clean);
    };
    if build.ends_with('*') {
        let text = format!("{build} may be several builds: a release is of one, named in full");
        return Err(ProfileError::Flag(text));
    }
    let of_build = Selector::parse::<&str>(&[])?.or("build", build);
    let count = catalog::entries(store, &of_build).await?.len();
    let tag = Tag { release: release.clone(), build: build.clone() };
    let bytes = serde_json::to_vec(&tag).expect("plain values");
    if !store.create(&format!("{TAGS}/{}.json", part(release)), bytes.into()).await?
        && !tags(store).await?.contains(&tag)
    {
        let text = format!("{release} is tagged already: releases do not change their build");
        return Err(ProfileError::Flag(text));
    }
    output::note(&format!("{count} profiles of {build} are kept for ever as {release}"));
    Ok(Verdict::Clean)
}

/// All tags.
///
/// # Errors
/// The store refuses, or a tag is damaged.
pub(crate) async fn tags(store: &Store) -> Result<Vec<Tag>, ProfileError> {
    let mut tags = Vec::new();
    for object in store.list(TAGS).await? {
        let bytes = store.get(&object.key).await?;
        let tag = serde_json::from_slice(&bytes);
        let damaged = |error: serde_json::Error| ProfileError::Index {
            key: object.key.clone(),
            text: error.to_string(),
        };
        tags.push(tag.map_err(damaged)?);
    }
    Ok(tags)
}

/// How long sets are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ages {
    /// Every set.
    pub(crate) days: u16,
    /// One of each week.
    pub(crate) weeks: u16,
}

/// What is removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Indexes of sets.
    pub(crate) sets: Vec<String>,
    /// Profiles.
    pub(crate) profiles: Vec<String>,
    /// Their bytes.
    pub(crate) bytes: u64,
}

/// Decides what goes. A store that is partly damaged is not touched.
pub(crate) fn plan(
    sets: &[Set],
    tags: &[Tag],
    profiles: &[Listed],
    ages: Ages,
    now: Timestamp,
) -> Plan {
    let of_week = of_weeks(sets, now);
    let keeps = |set: &&Set| {
        let age = now.as_second() - set.head.started.as_second();
        let tagged =
            set.entries.iter().any(|entry| tags.iter().any(|tag| tag.build == entry.build));
        let young = age < i64::from(ages.days) * DAY_SECONDS;
        let week = age < i64::from(ages.weeks) * 7 * DAY_SECONDS && of_week.contains(&set.key());
        tagged || young || week
    };
    let (kept, gone): (Vec<&Set>, Vec<&Set>) = sets.iter().partition(keeps);
    let keys = |sets: &[&Set]| -> BTreeSet<String> {
        sets.iter().flat_map(|set| set.entries.iter().map(|entry| entry.key.clone())).collect()
    };
    let (wanted, known) = (keys(&kept), keys(&gone));
    let goes = |object: &&Listed| {
        let stray = now.as_second() - object.written >= STRAY_SECONDS;
        !wanted.contains(&object.key) && (known.contains(&object.key) || stray)
    };
    let objects: Vec<&Listed> = profiles.iter().filter(goes).collect();
    Plan {
        sets: gone.iter().map(|set| set.key()).collect(),
        profiles: objects.iter().map(|object| object.key.clone()).collect(),
        bytes: objects.iter().map(|object| object.bytes).sum(),
    }
}

/// The one set of each week and of the same environments: one that lacks nothing before one that does, then
/// what has more kinds of profiles, then what was taken by the clock, then the first.
fn of_weeks(sets: &[Set], now: Timestamp) -> BTreeSet<String> {
    let mut best: BTreeMap<(i16, i8, Vec<&str>), &Set> = BTreeMap::new();
    for set in sets.iter().filter(|set| set.head.started <= now) {
        let week = set.head.started.to_zoned(TimeZone::UTC).date().iso_week_date();
        let mut envs: Vec<&str> = set.entries.iter().map(|entry| &entry.env[..]).collect();
        envs.sort_unstable();
        envs.dedup();
        let rank = |set: &Set| {
            let head = &set.head;
            let of_clock = head.trigger == Trigger::Nightly;
            (!set.is_whole(), Reverse(head.kinds.len()), !of_clock, head.started)
        };
        let held = best.entry((week.year(), week.week(), envs)).or_insert(set);
        if rank(set) < rank(held) {
            *held = set;
        }
    }
    best.into_values().map(Set::key).collect()
}

/// Removes what is too old.
///
/// # Errors
/// The store refuses, or an index is damaged: nothing is removed then, or what comes first.
pub(crate) async fn run(args: &GcArgs, store: &Store) -> Result<Verdict, ProfileError> {
    let ages = Ages { days: args.days, weeks: args.weeks };
    let (plan, kept) = planned(store, ages).await?;
    if !args.dry_run {
        remove(store, &plan).await?;
    }
    if args.format == Format::Json {
        let line = json!({
            "dry_run": args.dry_run, "sets": plan.sets, "profiles": plan.profiles,
            "bytes": plan.bytes, "sets_kept": kept,
        });
        output::result(&format!("{line}\n"));
        return Ok(Verdict::Clean);
    }
    for key in &plan.sets {
        output::result(&format!("{key}\n"));
    }
    let done = if args.dry_run { "would be removed" } else { "removed" };
    output::note(&said(&plan, done, kept));
    Ok(Verdict::Clean)
}

/// Removes what is too old by the ages that `bifrost profile gc` has unless told, and says what that was.
///
/// # Errors
/// As of [`run`].
pub(crate) async fn tidy(store: &Store) -> Result<String, ProfileError> {
    let (plan, kept) = planned(store, Ages { days: DAYS, weeks: WEEKS }).await?;
    remove(store, &plan).await?;
    Ok(said(&plan, "removed", kept))
}

/// What of a store is to go, and how many sets stay.
async fn planned(store: &Store, ages: Ages) -> Result<(Plan, usize), ProfileError> {
    let sets = catalog::all(store).await?;
    let (tags, profiles) = (tags(store).await?, store.list(PROFILES).await?);
    let plan = plan(&sets, &tags, &profiles, ages, Timestamp::now());
    let kept = sets.len() - plan.sets.len();
    Ok((plan, kept))
}

fn said(plan: &Plan, done: &str, kept: usize) -> String {
    let (gone, profiles) = (plan.sets.len(), plan.profiles.len());
    let bytes = bytesize::ByteSize(plan.bytes);
    format!("{gone} sets and {profiles} profiles ({bytes}) {done}; {kept} sets kept")
}

/// Removes what a plan says.
///
/// # Errors
/// The store refuses.
pub(crate) async fn remove(store: &Store, plan: &Plan) -> Result<(), ProfileError> {
    for key in plan.sets.iter().chain(&plan.profiles) {
        store.delete(key).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
