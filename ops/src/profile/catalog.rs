//! What the store has: its sets, and the bytes of a profile once they are proven.

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use telemetry::Tasks;
use telemetry::profile::read::{self, Stacks};

use super::entry::{Entry, INDEX, Set};
use super::error::ProfileError;
use super::select::Selector;
use super::store::Store;

/// Objects that are read at a time.
pub(crate) const AT_A_TIME: usize = 8;

/// The sets that may hold what is meant, the earliest first.
///
/// # Errors
/// The store refuses; an index is damaged.
pub(crate) async fn sets(store: &Store, wanted: &Selector) -> Result<Vec<Set>, ProfileError> {
    let day = wanted.value("date").filter(|day| !day.ends_with('*') && !day.contains('/'));
    let below = day.map_or_else(|| INDEX.to_owned(), |day| format!("{INDEX}/{day}"));
    let listed = store.list(&below).await?;
    let read = stream::iter(listed.into_iter().map(async |object| {
        let bytes = store.get(&object.key).await?;
        Set::parse(&bytes).map_err(|text| ProfileError::Index { key: object.key, text })
    }));
    let mut sets: Vec<Set> = read.buffered(AT_A_TIME).try_collect().await?;
    sets.sort_by_key(|set| set.head.started);
    Ok(sets)
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
/// As [`bytes`]; [`ProfileError::Read`].
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
