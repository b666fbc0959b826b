//! `bifrost profile ls`, `get` and `flame`: what there is, one of it, and how it looks.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;
use telemetry::Tasks;
use telemetry::profile::read::{PACKED_BYTES_MAX, Stacks};

use super::catalog;
use super::entry::{Entry, Kind, Set};
use super::error::ProfileError;
use super::flame::{Side, Tree};
use super::functions::{Measured, ProfileSet};
use super::page::{self, Frame};
use super::select::{Selector, TERMS};
use super::store::{Store, StoreError};
use super::write;
use crate::findings::Verdict;
use crate::output::{self, Format, Style, Table};

/// Functions that a page of one graph lists.
const TOP: usize = 40;
/// Most profiles of one graph.
const PROFILES_MAX: usize = 1000;

/// What `bifrost profile ls` is told.
#[derive(Debug, Args)]
#[command(after_long_help = TERMS)]
pub(crate) struct LsArgs {
    /// Which, such as role=gateway date=2026-11-21.
    terms: Vec<String>,
    /// List sets, and what they lack.
    #[arg(long)]
    sets: bool,
    /// How they are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Lists.
///
/// # Errors
/// The store refuses, or an index is damaged.
pub(crate) async fn ls(args: &LsArgs, store: &Store) -> Result<Verdict, ProfileError> {
    let wanted = Selector::parse(&args.terms)?;
    let sets = catalog::sets(store, &wanted).await?;
    let meant = |set: &Set| set.entries.iter().any(|entry| wanted.means(set, entry));
    let sets = sets.iter().filter(|set| wanted.is_all() || meant(set));
    let text = match args.sets {
        true => of_sets(sets, args.format),
        false => {
            let profiles = sets.flat_map(|set| set.entries.iter().map(move |entry| (set, entry)));
            let meant = profiles.filter(|(set, entry)| wanted.means(set, entry));
            of_profiles(meant.map(|(_, entry)| entry), args.format)
        }
    };
    if text.is_empty() {
        output::note(&format!("no profile is {wanted} in {}", store.name()));
    }
    output::result(&text);
    Ok(Verdict::Clean)
}

fn of_sets<'a>(sets: impl Iterator<Item = &'a Set>, format: Format) -> String {
    let mut table = Table::default();
    let mut lines = String::new();
    for set in sets {
        let head = &set.head;
        if format == Format::Json {
            lines.push_str(&format!("{}\n", json!({ "index": set.key(), "set": head })));
            continue;
        }
        if lines.is_empty() {
            table.row(["set", "started", "trigger", "profiled", "profiles", "cid"]);
            lines.push('\n');
        }
        let started = head.started.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let profiled = format!("{}/{}", head.profiled, head.processes);
        let (count, cid) = (set.entries.len().to_string(), head.cid.as_deref().unwrap_or("-"));
        table.row([&head.id, &started, &head.trigger.to_string(), &profiled, &count, cid]);
    }
    if format == Format::Json { lines } else { table.render("", Style::stdout()) }
}

fn of_profiles<'a>(entries: impl Iterator<Item = &'a Entry>, format: Format) -> String {
    let mut table = Table::default();
    let mut lines = String::new();
    let mut first = true;
    for entry in entries {
        if format == Format::Json {
            lines.push_str(&format!("{}\n", json!(entry)));
            continue;
        }
        if std::mem::take(&mut first) {
            table.row([
                "sha256", "started", "env", "role", "node", "build", "kind", "samples", "bytes",
                "rps",
            ]);
        }
        let started = entry.started.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let rate = entry.load.map_or("-".to_owned(), |load| format!("{:.1}", load.per_second));
        table.row([
            entry.sha256.get(..12).unwrap_or(&entry.sha256),
            &started,
            &entry.env,
            &entry.role,
            &entry.node,
            &entry.build,
            entry.kind.word(),
            &entry.samples.to_string(),
            &entry.bytes.to_string(),
            &rate,
        ]);
    }
    if format == Format::Json { lines } else { table.render("", Style::stdout()) }
}

/// What `bifrost profile get` is told.
#[derive(Debug, Args)]
#[command(after_long_help = TERMS)]
pub(crate) struct GetArgs {
    /// Which one: a key, the beginning of its hash, or terms that mean one.
    #[arg(required = true)]
    terms: Vec<String>,
    /// Write here rather than to stdout.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes one profile.
///
/// # Errors
/// There is none or several, or its hash is another.
pub(crate) async fn get(args: &GetArgs, store: &Store) -> Result<Verdict, ProfileError> {
    let entry = catalog::entry(store, &Selector::parse(&args.terms)?).await?;
    let bytes = catalog::bytes(store, &entry).await?;
    write(args.out.as_ref(), &bytes)?;
    Ok(Verdict::Clean)
}

/// What `bifrost profile flame` is told.
#[derive(Debug, Args)]
#[command(after_long_help = TERMS)]
pub(crate) struct FlameArgs {
    /// Which profiles, put together; or a file. Of processor time unless kind= says otherwise.
    #[arg(required = true)]
    terms: Vec<String>,
    /// Write here rather than to stdout.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Draws a graph.
///
/// # Errors
/// There is no such profile, or it cannot be read.
pub(crate) async fn flame(
    args: &FlameArgs,
    store: impl Fn() -> Result<Store, StoreError>,
    tasks: &Tasks,
) -> Result<Verdict, ProfileError> {
    let chosen = Chosen::of(&args.terms, &DRAWN, store, tasks).await?;
    let mut tree = Tree::default();
    for (_, stacks) in &chosen.profiles {
        tree.add(stacks, Side::After);
    }
    let set = chosen.set();
    let main = format!(
        "<p class=\"note\">{}</p>\n{}{}<h2>Functions</h2>\n{}",
        crate::site::escape(&chosen.about()),
        page::tools(),
        tree.svg(&set.unit, false),
        page::table(&set, TOP)
    );
    let frame = Frame { title: &chosen.title, up: None, within: false, graph: true };
    write(args.out.as_ref(), frame.page(&main).as_bytes())?;
    Ok(Verdict::Clean)
}

/// What profiles have to have in common that are put together: its name, its term and its value.
type Common = (&'static str, &'static str, fn(&Entry) -> &str);

const KIND: Common = ("kinds", "kind", |entry| entry.kind.word());
/// Of those that are drawn.
const DRAWN: [Common; 1] = [KIND];
/// Of those that are one side of a comparison: what gateways and nodes do differs more than builds do.
pub(crate) const COMPARED: [Common; 3] =
    [KIND, ("roles", "role", |entry| &entry.role), ("environments", "env", |entry| &entry.env)];

/// Profiles that were chosen, and read.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// What was asked for.
    pub(crate) title: String,
    /// What is known of each, and what is in it.
    pub(crate) profiles: Vec<(Option<Entry>, Stacks)>,
}

impl Chosen {
    /// Reads a file, or what a selector means.
    ///
    /// # Errors
    /// There is no such profile, or it cannot be read; they have not `common` in common.
    pub(crate) async fn of(
        terms: &[String],
        common: &[Common],
        store: impl Fn() -> Result<Store, StoreError>,
        tasks: &Tasks,
    ) -> Result<Self, ProfileError> {
        if let [only] = terms
            && !only.contains('=')
            && Path::new(only).is_file()
        {
            let stacks = catalog::decode(file(only)?, only, tasks).await?;
            return Ok(Self { title: only.clone(), profiles: vec![(None, stacks)] });
        }
        let wanted = Selector::parse(terms)?.or("kind", Kind::Cpu.word());
        let store = store()?;
        let entries = catalog::entries(&store, &wanted).await?;
        for (what, term, value) in common {
            if entries.iter().any(|entry| value(entry) != value(&entries[0])) {
                let text = format!("{wanted} are of several {what}: choose one with {term}=");
                return Err(ProfileError::Flag(text));
            }
        }
        if entries.len() > PROFILES_MAX {
            let (what, count) = (wanted.to_string(), entries.len());
            return Err(ProfileError::Several { what, count });
        }
        let profiles = read_all(&store, entries, tasks).await?;
        Ok(Self { title: wanted.to_string(), profiles })
    }

    /// The functions of each.
    pub(crate) fn set(&self) -> ProfileSet {
        set_of(&self.profiles)
    }

    /// How much it is of.
    pub(crate) fn about(&self) -> String {
        let samples: u64 = self.profiles.iter().map(|(_, stacks)| stacks.samples()).sum();
        let (set, count) = (self.set(), self.profiles.len());
        let total = super::functions::shown(set.total() as f64, &set.unit);
        let requests = match set.requests() {
            Some(requests) => format!(", {requests:.0} requests meanwhile"),
            None => String::new(),
        };
        let profiles =
            if count == 1 { "One profile".to_owned() } else { format!("{count} profiles") };
        format!("{profiles}, {samples} samples, {total} in all{requests}.")
    }
}

/// Reads profiles of the store, in their order.
///
/// # Errors
/// One is not what was stored, or cannot be read.
pub(crate) async fn read_all(
    store: &Store,
    entries: Vec<Entry>,
    tasks: &Tasks,
) -> Result<Vec<(Option<Entry>, Stacks)>, ProfileError> {
    let read = entries.into_iter().map(async |entry| {
        let stacks = catalog::stacks(store, &entry, tasks).await?;
        Ok((Some(entry), stacks))
    });
    stream::iter(read).buffered(catalog::AT_A_TIME).try_collect().await
}

/// The functions of profiles of one kind.
pub(crate) fn set_of(profiles: &[(Option<Entry>, Stacks)]) -> ProfileSet {
    let unit = profiles.first().map(|(_, stacks)| stacks.counted[stacks.shown].unit.clone());
    let first = profiles.iter().find_map(|(entry, _)| entry.as_ref());
    let measured = profiles.iter().map(|(entry, stacks)| match entry {
        Some(entry) => Measured::of(entry, stacks),
        None => Measured::alone(stacks),
    });
    ProfileSet {
        kind: first.map_or(Kind::Cpu, |entry| entry.kind),
        unit: unit.unwrap_or_default(),
        profiles: measured.collect(),
    }
}

fn file(path: &str) -> Result<Bytes, ProfileError> {
    use std::io::Read as _;
    let failed = |source| ProfileError::File { what: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    // One byte more than a profile has is enough to be refused.
    file.take(PACKED_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;
    use crate::profile::fixture;

    #[tokio::test]
    async fn a_side_of_a_comparison_is_of_one_role_and_environment() {
        let (tasks, store) = (Tasks::new(), Store::of(Arc::new(InMemory::new()), "memory"));
        let bytes = fixture::profile(&[("main", 1)]);
        fixture::keep(&store, fixture::set("one", "2026-11-20T03:17:00Z", "b"), &bytes).await;
        let mut staging = fixture::set("two", "2026-11-20T04:17:00Z", "b");
        for entry in &mut staging.entries {
            entry.env = "staging".to_owned();
            entry.key = entry.key.replace("/local/", "/staging/");
        }
        fixture::keep(&store, staging, &bytes).await;
        for (terms, common, expected) in [
            ("build=b", &DRAWN[..], Ok(4)),
            ("build=b", &COMPARED, Err("of several roles: choose one with role=")),
            ("build=b,role=pool", &COMPARED, Err("of several environments: choose one with env=")),
            ("build=b,role=pool,env=local", &COMPARED, Ok(1)),
        ] {
            let chosen =
                Chosen::of(&[terms.to_owned()], common, || Ok(store.clone()), &tasks).await;
            match (chosen, expected) {
                (Ok(chosen), Ok(count)) => assert_eq!(chosen.profiles.len(), count, "{terms}"),
                (Err(error), Err(said)) => assert!(error.to_string().ends_with(said), "{error}"),
                (chosen, _) => panic!("{terms}: {chosen:?}"),
            }
        }
    }
}
