//! What the store has: its sets, and the bytes of a profile once they are proven.

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::civil::Date;
use sha2::{Digest, Sha256};
use telemetry::Tasks;
use telemetry::profile::read::{self, Stacks};

use super::entry::{Entry, INDEX, Set};
use super::error::ProfileError;
use super::select::Selector;
use super::store::{Store, StoreError};
use crate::output::{self, Style};

/// Objects that are read at a time.
pub(crate) const AT_A_TIME: usize = 8;

/// The sets that may hold what is meant, the earliest first. One whose index is damaged, or was written by a
/// later build, is left out and said to be.
///
/// # Errors
/// The store refuses.
pub(crate) async fn sets(store: &Store, wanted: &Selector) -> Result<Vec<Set>, ProfileError> {
    let (sets, damaged) = read(store, wanted).await?;
    if let [first, ..] = &damaged[..] {
        let text = format!("{} sets are left out: {first}", damaged.len());
        output::note(&Style::stderr().warning(&text));
    }
    Ok(sets)
}

/// Every set, the earliest first.
///
/// # Errors
/// The store refuses; an index is damaged.
pub(crate) async fn all(store: &Store) -> Result<Vec<Set>, ProfileError> {
    let (sets, damaged) = read(store, &Selector::default()).await?;
    damaged.into_iter().next().map_or(Ok(sets), Err)
}

/// The sets, and what is wrong with the indexes that are none.
async fn read(
    store: &Store,
    wanted: &Selector,
) -> Result<(Vec<Set>, Vec<ProfileError>), ProfileError> {
    let mut listed = Vec::new();
    for below in folders(wanted) {
        listed.extend(store.list(&below).await?);
    }
    let read = stream::iter(listed.into_iter().map(async |object| {
        let read = match store.get(&object.key).await {
            Ok(bytes) => Set::parse(&bytes),
            // It was removed after it was listed.
            Err(StoreError::Missing { .. }) => return Ok(None),
            Err(error @ StoreError::TooLong { .. }) => Err(error.to_string()),
            Err(error) => return Err(error),
        };
        Ok(Some(read.map_err(|text| ProfileError::Index { key: object.key, text })))
    }));
    let read: Vec<Option<Result<Set, ProfileError>>> =
        read.buffered(AT_A_TIME).try_collect().await?;
    let (mut sets, mut damaged) = (Vec::new(), Vec::new());
    for one in read.into_iter().flatten() {
        match one {
            Ok(set) => sets.push(set),
            Err(error) => damaged.push(error),
        }
    }
    sets.sort_by_key(|set: &Set| set.head.started);
    Ok((sets, damaged))
}

/// The folders of indexes in which what is meant may be. A set that was begun before midnight has
/// profiles of the day after.
fn folders(wanted: &Selector) -> Vec<String> {
    let day: Option<Date> = wanted.value("date").and_then(|day| day.parse().ok());
    match day.and_then(|day| Some((day.yesterday().ok()?, day))) {
        Some((before, day)) => vec![format!("{INDEX}/{before}"), format!("{INDEX}/{day}")],
        None => vec![INDEX.to_owned()],
    }
}

/// The profiles that are meant, the earliest first.
///
/// # Errors
/// As [`sets`]; [`ProfileError::None`] when there are none.
pub(crate) async fn entries(store: &Store, wanted: &Selector) -> Result<Vec<Entry>, ProfileError> {
    let sets = sets(store, wanted).await?;
    let mut found = Vec::new();
    for set in &sets {
        found.extend(set.entries.iter().filter(|entry| wanted.means(set, entry)).cloned());
    }
    if found.is_empty() { Err(ProfileError::None(wanted.to_string())) } else { Ok(found) }
}

/// The one profile that is meant.
///
/// # Errors
/// As [`entries`]; [`ProfileError::Several`].
pub(crate) async fn entry(store: &Store, wanted: &Selector) -> Result<Entry, ProfileError> {
    let mut found = entries(store, wanted).await?;
    // Those with the same bytes are as good as one.
    found.dedup_by(|a, b| a.sha256 == b.sha256);
    let count = found.len();
    match found.pop() {
        Some(only) if count == 1 => Ok(only),
        Some(_) | None => Err(ProfileError::Several { what: wanted.to_string(), count }),
    }
}

/// The bytes of a profile, proven by its hash.
///
/// # Errors
/// The store refuses; [`ProfileError::Hash`].
pub(crate) async fn bytes(store: &Store, entry: &Entry) -> Result<Bytes, ProfileError> {
    let bytes = store.get(&entry.key).await?;
    if hex::encode(Sha256::digest(&bytes)) != entry.sha256 {
        return Err(ProfileError::Hash(entry.key.clone()));
    }
    Ok(bytes)
}

/// A profile, proven and read.
///
/// # Errors
/// As [`bytes()`]; [`ProfileError::Read`].
pub(crate) async fn stacks(
    store: &Store,
    entry: &Entry,
    tasks: &Tasks,
) -> Result<Stacks, ProfileError> {
    let bytes = bytes(store, entry).await?;
    decode(bytes, &entry.key, tasks).await
}

/// Reads a profile on a thread of its own.
///
/// # Errors
/// [`ProfileError::Read`].
pub(crate) async fn decode(
    bytes: Bytes,
    what: &str,
    tasks: &Tasks,
) -> Result<Stacks, ProfileError> {
    let read = tasks.spawn_blocking("profile read", move || read::read(&bytes)).await?;
    read.map_err(|source| ProfileError::Read { what: what.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;
    use crate::profile::fixture;

    #[tokio::test]
    async fn a_day_has_the_profiles_of_a_set_that_was_begun_before_midnight() {
        let store = Store::of(Arc::new(InMemory::new()), "memory");
        let mut set = fixture::set("one", "2026-11-20T23:59:00Z", "b");
        set.entries[2].started = "2026-11-21T00:01:00Z".parse().expect("a moment");
        fixture::keep(&store, set, &fixture::profile(&[("main", 1)])).await;
        fixture::keep(
            &store,
            fixture::set("two", "2026-11-18T03:17:00Z", "b"),
            &fixture::profile(&[("main", 1)]),
        )
        .await;
        for (day, count) in [("2026-11-21", 1), ("2026-11-20", 2), ("2026-11-1*", 3), ("2026", 0)] {
            let wanted = Selector::parse(&[format!("date={day}")]).expect("it is readable");
            let found = entries(&store, &wanted).await;
            assert_eq!(found.map_or(0, |found| found.len()), count, "{day}");
        }
    }

    #[tokio::test]
    async fn an_index_that_cannot_be_read_hides_no_other_and_stops_removal() {
        let store = Store::of(Arc::new(InMemory::new()), "memory");
        let whole = fixture::set("one", "2026-11-20T03:17:00Z", "b");
        fixture::keep(&store, whole.clone(), &fixture::profile(&[("main", 1)])).await;
        let later = fixture::set("two", "2026-11-21T03:17:00Z", "b");
        let lines = later.lines().replace("\"kind\":\"heap\"", "\"kind\":\"locks\"");
        store.put(&later.key(), lines.into()).await.expect("it takes it");
        let found = sets(&store, &Selector::default()).await.expect("it is readable");
        assert_eq!(found.iter().map(Set::key).collect::<Vec<_>>(), [whole.key()]);
        let error = all(&store).await.expect_err("one cannot be read").to_string();
        assert!(error.starts_with(&later.key()), "{error}");
    }

    #[tokio::test]
    async fn equal_profiles_are_one_and_different_ones_have_to_be_told_apart() {
        let store = Store::of(Arc::new(InMemory::new()), "memory");
        let set = fixture::set("one", "2026-11-20T03:17:00Z", "b");
        fixture::keep(&store, set.clone(), &fixture::profile(&[("main", 1)])).await;
        let of = |terms: &str| Selector::parse(&[terms]).expect("it is readable");
        entry(&store, &of("role=gateway")).await.expect("both have the same bytes");
        let mut other = fixture::set("two", "2026-11-21T03:17:00Z", "b");
        other.entries.truncate(1);
        fixture::keep(&store, other, &fixture::profile(&[("main", 2)])).await;
        let error = entry(&store, &of("role=gateway")).await.expect_err("there are two");
        assert!(error.to_string().starts_with("2 profiles are role=gateway"), "{error}");
        entry(&store, &of(&set.entries[0].key)).await.expect("a key says all");
    }
}
