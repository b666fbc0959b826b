//! `bifrost profile verify`: every object of the store is there, is what was stored, and can be read.

use std::collections::BTreeSet;

use clap::Args;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use telemetry::Tasks;

use super::catalog;
use super::entry::{Entry, INDEX, PROFILES, Set};
use super::error::ProfileError;
use super::store::{Store, StoreError};
use crate::findings::{self, Finding, Verdict};
use crate::output::{self, Format};

/// A profile without a set may be of a collection that runs, for this long.
const STRAY_SECONDS: i64 = 86_400;

/// What `bifrost profile verify` is told.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Looks at all of the store.
///
/// # Errors
/// The store cannot be listed.
pub(crate) async fn run(
    args: &VerifyArgs,
    store: &Store,
    tasks: &Tasks,
) -> Result<Verdict, ProfileError> {
    let (found, sets, profiles) = verify(store, tasks, Timestamp::now()).await?;
    if found.is_empty() && args.format == Format::Text {
        let name = store.name();
        output::note(&format!("{name}: {sets} sets, {profiles} profiles, nothing found"));
    }
    Ok(findings::report(found, args.format))
}

/// What is wrong, and how many sets and profiles there are.
///
/// # Errors
/// The store cannot be listed.
pub(crate) async fn verify(
    store: &Store,
    tasks: &Tasks,
    now: Timestamp,
) -> Result<(Vec<Finding>, usize, usize), ProfileError> {
    let (indexes, objects) = (store.list(INDEX).await?, store.list(PROFILES).await?);
    let mut found = Vec::new();
    let mut entries: Vec<(String, usize, Entry)> = Vec::new();
    for index in &indexes {
        match read(store, &index.key).await {
            Ok(set) => {
                let lines = set.entries.into_iter().enumerate();
                entries.extend(lines.map(|(at, entry)| (index.key.clone(), at + 1, entry)));
            }
            Err(text) => found.push(Finding::at(&index.key, 0, "index", text)),
        }
    }
    let known: BTreeSet<&str> = entries.iter().map(|(_, _, entry)| &entry.key[..]).collect();
    for object in objects.iter().filter(|object| !known.contains(&object.key[..])) {
        if now.as_second() - object.written >= STRAY_SECONDS {
            let text = "no set has it: `bifrost profile gc` removes it";
            found.push(Finding::at(&object.key, 0, "stray", text));
        }
    }
    let looked = entries.iter().map(async |(index, line, entry)| {
        let wrong = check(store, entry, tasks).await.err()?;
        let (rule, text) = wrong;
        Some(Finding::at(index, *line, rule, format!("{}: {text}", entry.key)))
    });
    let wrong: Vec<Option<Finding>> =
        stream::iter(looked).buffered(catalog::AT_A_TIME).collect().await;
    found.extend(wrong.into_iter().flatten());
    Ok((found, indexes.len(), entries.len()))
}

async fn read(store: &Store, key: &str) -> Result<Set, String> {
    let bytes = store.get(key).await.map_err(|error| telemetry::why(&error))?;
    let set = Set::parse(&bytes)?;
    if set.key() == key { Ok(set) } else { Err(format!("it says that it is {}", set.key())) }
}

async fn check(store: &Store, entry: &Entry, tasks: &Tasks) -> Result<(), (&'static str, String)> {
    let stacks = catalog::stacks(store, entry, tasks).await.map_err(|error| {
        if let ProfileError::Store(StoreError::Missing { .. }) = error {
            return ("missing", "it is not there".to_owned());
        }
        if let ProfileError::Hash(_) = error {
            return ("hash", "its hash is another than was stored".to_owned());
        }
        if let ProfileError::Read { source, .. } = error {
            return ("profile", source.to_string());
        }
        ("store", telemetry::why(&error))
    })?;
    if stacks.samples() == entry.samples {
        return Ok(());
    }
    let (has, said) = (stacks.samples(), entry.samples);
    Err(("samples", format!("it has {has} samples, and the index says {said}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;
    use crate::profile::fixture;

    async fn rules(store: &Store) -> Vec<&'static str> {
        let tasks = Tasks::new();
        let later = Timestamp::from_second(Timestamp::now().as_second() + 2 * STRAY_SECONDS);
        let (mut found, _, _) =
            verify(store, &tasks, later.expect("a moment")).await.expect("it can be listed");
        found.sort();
        found.iter().map(|finding| finding.rule).collect()
    }

    #[tokio::test]
    async fn what_is_missing_changed_cut_or_stray_is_found() {
        let store = Store::of(Arc::new(InMemory::new()), "memory");
        let set = fixture::set("one", "2026-11-20T03:17:00Z", "b");
        let whole = fixture::profile(&[("main;work", 30), ("main;idle", 10)]);
        let set = fixture::keep(&store, set, &whole).await;
        assert_eq!(rules(&store).await, Vec::<&str>::new());
        store.delete(&set.entries[0].key).await.expect("it is deleted");
        let other = fixture::profile(&[("main", 1)]);
        store.put(&set.entries[1].key, other.clone()).await.expect("it takes it");
        assert_eq!(rules(&store).await, ["missing", "hash"]);
        let set = fixture::keep(&store, set, &whole.slice(..whole.len() - 1)).await;
        assert_eq!(rules(&store).await, ["profile"; 3]);
        fixture::keep(&store, set.clone(), &other).await;
        assert_eq!(rules(&store).await, ["samples"; 3]);
        store.delete(&set.key()).await.expect("it is deleted");
        assert_eq!(rules(&store).await, ["stray"; 3]);
        let cut = set.lines().into_bytes();
        store.put(&set.key(), cut[..cut.len() - 9].to_vec().into()).await.expect("it takes it");
        assert_eq!(rules(&store).await[0], "index");
    }
}
