//! `bifrost profile site`: pages of all profiles, for whoever has a browser and nothing else.
//!
//! There is a page for each set and each profile, and one for each comparison of a day with the one
//! before and of a build with the one before. Pages link relatively: they read the same from disk, from
//! a server and below `/ipfs/…`. The folder is put in its place when all of it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use telemetry::Tasks;

use super::catalog;
use super::diff;
use super::entry::{Entry, Kind, Set};
use super::error::ProfileError;
use super::flame::{Side, Tree};
use super::list::{Chosen, read_all};
use super::page::{self, Frame};
use super::select::Selector;
use super::store::Store;
use crate::findings::Verdict;
use crate::output::{self, Style};
use crate::site::escape;
use crate::whole::NewFolder;

mod lists;

const DAY_SECONDS: i64 = 86_400;
/// Most profiles of one side of a comparison; the latest count.
const SIDE_MAX: usize = 100;
/// Functions that a page lists.
const TOP: usize = 40;
/// By this file a folder is known to be ours.
const MARK: &str = ".bifrost-profiles";
/// What it says.
const SAYS: &str = "Written by `bifrost profile site`, which writes it anew.\n";

/// What `bifrost profile site` is told.
#[derive(Debug, Args)]
pub(crate) struct SiteArgs {
    /// The folder. One that this command wrote is written anew.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Days that are shown.
    #[arg(long, value_name = "N", default_value_t = 14)]
    days: u16,
}

/// A comparison: its page, and what it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// The page.
    pub(crate) page: String,
    /// Its environment and role.
    pub(crate) whose: [String; 2],
    /// What is compared.
    pub(crate) kind: Kind,
    /// The two days or builds.
    pub(crate) names: [String; 2],
}

/// Writes the pages.
///
/// # Errors
/// The store refuses, a profile is not what was stored, or the folder cannot be written.
pub(crate) async fn run(
    args: &SiteArgs,
    store: &Store,
    tasks: &Tasks,
) -> Result<Verdict, ProfileError> {
    let sets = latest(store, args.days).await?;
    let new = NewFolder::begin(&args.out, MARK, SAYS)?;
    let write = |path: &str, content: &[u8]| Ok(new.write(path, content)?);
    let site = Site { within: false, write: &write };
    let pages = site.write_all(&sets, store, tasks).await?;
    new.finish()?;
    let out = args.out.display();
    let wrote = Style::stderr().strong("wrote");
    output::note(&format!("{wrote} {pages} pages of {} sets to {out}", sets.len()));
    Ok(Verdict::Clean)
}

/// Gives the same pages, as paths and contents, to whoever makes a larger site of them that everybody may read.
///
/// # Errors
/// The store refuses, has no profile of these days, or one that is not what was stored.
pub(crate) async fn pages(
    store: &Store,
    days: u16,
    tasks: &Tasks,
    write: &dyn Fn(&str, &[u8]),
) -> Result<(), ProfileError> {
    let sets: Vec<Set> = latest(store, days).await?.into_iter().map(Set::for_everybody).collect();
    let write = |path: &str, content: &[u8]| {
        write(path, content);
        Ok(())
    };
    let site = Site { within: true, write: &write };
    site.write_all(&sets, store, tasks).await.map(drop)
}

async fn latest(store: &Store, days: u16) -> Result<Vec<Set>, ProfileError> {
    let since = Timestamp::now().as_second() - i64::from(days) * DAY_SECONDS;
    let mut sets = catalog::sets(store, &Selector::default()).await?;
    sets.retain(|set| set.head.started.as_second() >= since);
    match sets.is_empty() {
        true => Err(ProfileError::None(format!("of the last {days} days"))),
        false => Ok(sets),
    }
}

/// Takes a file of a site: its path and content.
type Write<'a> = dyn Fn(&str, &[u8]) -> Result<(), ProfileError> + 'a;

/// A site that is being written.
struct Site<'a> {
    /// Whether it is a folder of a larger one.
    within: bool,
    write: &'a Write<'a>,
}

impl Site<'_> {
    fn write(&self, path: &str, content: &[u8]) -> Result<(), ProfileError> {
        (self.write)(path, content)
    }

    /// The frame of a page from which `up` leads to the first.
    fn frame<'t>(&self, title: &'t str, up: &'t str, graph: bool) -> Frame<'t> {
        Frame { title, up: Some(up), within: self.within, graph }
    }

    async fn write_all(
        &self,
        sets: &[Set],
        store: &Store,
        tasks: &Tasks,
    ) -> Result<usize, ProfileError> {
        let mut pages = 1;
        let mut written = BTreeSet::new();
        for set in sets {
            let title = format!("Set {} of {}", set.head.id, set.entries_date());
            let frame = self.frame(&title, "../", false);
            let text = frame.page(&lists::set(set));
            self.write(&format!("sets/{}.html", lists::file_name(&set.head.id)), text.as_bytes())?;
            pages += 1;
            for entry in &set.entries {
                // Two profiles with the same bytes have one page.
                if written.insert(entry.sha256.clone()) {
                    self.profile(entry, store, tasks).await?;
                    pages += 1;
                }
            }
        }
        let comparisons = comparisons(sets);
        for (comparison, sides) in &comparisons {
            self.compare(comparison, sides.clone(), store, tasks).await?;
            pages += 1;
        }
        let comparisons: Vec<&Comparison> = comparisons.iter().map(|(one, _)| one).collect();
        let frame = self.frame("Profiles", "", false);
        self.write("index.html", frame.page(&lists::index(sets, &comparisons)).as_bytes())?;
        Ok(pages)
    }

    async fn profile(
        &self,
        entry: &Entry,
        store: &Store,
        tasks: &Tasks,
    ) -> Result<(), ProfileError> {
        let bytes = catalog::bytes(store, entry).await?;
        let stacks = catalog::decode(bytes.clone(), &entry.key, tasks).await?;
        let mut tree = Tree::default();
        tree.add(&stacks, Side::After);
        let title = format!("{} of {}, {}", entry.kind.word(), entry.node, entry.date());
        let chosen = Chosen { title, profiles: vec![(Some(entry.clone()), stacks)] };
        let set = chosen.set();
        let main = format!(
            "{}<p class=\"note\">{}</p>\n{}{}<h2>Functions</h2>\n{}",
            lists::facts(entry),
            escape(&chosen.about()),
            page::tools(),
            tree.svg(&set.unit, false),
            page::table(&set, TOP)
        );
        let frame = self.frame(&chosen.title, "../", true);
        self.write(&lists::page_of(entry), frame.page(&main).as_bytes())?;
        self.write(&lists::raw_of(entry), &bytes)
    }

    async fn compare(
        &self,
        comparison: &Comparison,
        sides: [Vec<Entry>; 2],
        store: &Store,
        tasks: &Tasks,
    ) -> Result<(), ProfileError> {
        let [a, b] = sides;
        let [before, after] = &comparison.names;
        let before = Chosen { title: before.clone(), profiles: read_all(store, a, tasks).await? };
        let after = Chosen { title: after.clone(), profiles: read_all(store, b, tasks).await? };
        let [env, role] = &comparison.whose;
        let kind = comparison.kind.word();
        let title = format!("{kind} of {env} {role}: {} against {}", after.title, before.title);
        let frame = self.frame(&title, "../", true);
        let main = diff::main(&before, &after, TOP);
        self.write(&comparison.page, frame.page(&main).as_bytes())
    }
}

impl Set {
    fn entries_date(&self) -> String {
        super::entry::date(self.head.started)
    }
}

/// Each day with the one before that has profiles, and each build with the one before, of the same role
/// and kind.
fn comparisons(sets: &[Set]) -> Vec<(Comparison, [Vec<Entry>; 2])> {
    let mut rows: BTreeMap<([&str; 2], Kind), Vec<&Entry>> = BTreeMap::new();
    for entry in sets.iter().flat_map(|set| &set.entries).filter(|one| one.kind != Kind::Tasks) {
        rows.entry(([&entry.env, &entry.role], entry.kind)).or_default().push(entry);
    }
    let mut found = Vec::new();
    for ((whose, kind), mut entries) in rows {
        entries.sort_by_key(|entry| entry.started);
        for (what, name) in
            [("day", Entry::date as fn(&Entry) -> String), ("build", |entry| entry.build.clone())]
        {
            // In the order in which each was first seen.
            let mut groups: Vec<(String, Vec<&Entry>)> = Vec::new();
            for entry in &entries {
                let name = name(entry);
                match groups.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, group)) => group.push(entry),
                    None => groups.push((name, vec![entry])),
                }
            }
            for pair in groups.windows(2) {
                let [(a, before), (b, after)] = pair else { continue };
                let parts = [what, whose[0], whose[1], kind.word(), a, b].map(lists::file_name);
                let comparison = Comparison {
                    page: format!("diff/{}.html", parts.join("_")),
                    whose: whose.map(str::to_owned),
                    kind,
                    names: [a.clone(), b.clone()],
                };
                let latest = |group: &[&Entry]| -> Vec<Entry> {
                    group.iter().rev().take(SIDE_MAX).map(|entry| (*entry).clone()).collect()
                };
                found.push((comparison, [latest(before), latest(after)]));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
