//! One collection at a time: the object of the highest number says who collects, and until when at most.
//!
//! It lies in the store, so that it holds between machines too. Who comes next creates the object of the next
//! number, which only one can, and never touches one that is held: a collection that was killed counts for
//! nothing once its time is over, and one that took longer than its time gives back what is its own.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::ProfileError;
use super::store::{Store, StoreError};

/// The folder of these objects.
const FOLDER: &str = "collecting";
/// What publishing and storing may take beyond the deadline of the profiles.
const BEYOND: Duration = Duration::from_secs(600);

#[derive(Debug, Serialize, Deserialize)]
struct Held {
    id: String,
    /// Seconds since 1970.
    until: i64,
}

impl Held {
    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain values")
    }

    /// Who holds it, unless its time is over.
    fn holder(&self) -> Option<String> {
        let until = Timestamp::from_second(self.until).unwrap_or(Timestamp::MIN);
        let until_text = until.strftime("%Y-%m-%d %H:%M:%S UTC");
        (until > Timestamp::now()).then(|| format!("{}, until {until_text} at most", self.id))
    }
}

/// The right to collect; to be released in every end.
#[derive(Debug)]
pub(crate) struct Lease {
    store: Store,
    key: String,
    id: String,
}

impl Lease {
    /// Takes the right for at most as long as a collection may last.
    ///
    /// # Errors
    /// [`ProfileError::Running`] when it is held; the store refuses.
    pub(crate) async fn take(
        store: &Store,
        id: &str,
        deadline: Duration,
    ) -> Result<Self, ProfileError> {
        let last = last(store).await?;
        if let Some(key) = last.map(key)
            && let Some(other) = held(store, &key).await?.and_then(|held| held.holder())
        {
            return Err(ProfileError::Running(other));
        }
        let number = last.map_or(0, |last| last.saturating_add(1));
        let seconds = i64::try_from((deadline + BEYOND).as_secs()).unwrap_or(i64::MAX);
        let until = Timestamp::now().as_second().saturating_add(seconds);
        let (key, own) = (key(number), Held { id: id.to_owned(), until });
        // One that is there may be ours: the store has it, and its answer was lost.
        let is_ours = store.create(&key, own.bytes().into()).await?
            || held(store, &key).await?.is_some_and(|held| held.id == id);
        // Who was slow may have created a number that had been removed as over.
        if !is_ours || self::last(store).await? != Some(number) {
            let text = "another one was begun at this moment";
            return Err(ProfileError::Running(text.to_owned()));
        }
        for old in numbers(store).await?.into_iter().filter(|old| *old < number) {
            // One that cannot be deleted is over all the same.
            store.delete(&self::key(old)).await.ok();
        }
        Ok(Self { store: store.clone(), key, id: id.to_owned() })
    }

    /// Gives it back.
    ///
    /// # Errors
    /// The store refuses; it ends by itself then.
    pub(crate) async fn release(self) -> Result<(), StoreError> {
        let over = Held { id: self.id, until: 0 };
        self.store.put(&self.key, over.bytes().into()).await
    }
}

/// Gives the right of a collection back that was stopped from outside, if it had it.
///
/// # Errors
/// The store refuses.
pub(crate) async fn abandon(store: &Store, id: &str) -> Result<(), StoreError> {
    let Some(key) = last(store).await?.map(key) else { return Ok(()) };
    match held(store, &key).await? {
        Some(held) if held.id == id => {
            Lease { store: store.clone(), key, id: held.id }.release().await
        }
        Some(_) | None => Ok(()),
    }
}

fn key(number: u64) -> String {
    format!("{FOLDER}/{number:012}.json")
}

/// The numbers that there are, in any order.
async fn numbers(store: &Store) -> Result<Vec<u64>, StoreError> {
    let number = |key: &str| {
        key.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok()
    };
    Ok(store.list(FOLDER).await?.iter().filter_map(|object| number(&object.key)).collect())
}

async fn last(store: &Store) -> Result<Option<u64>, StoreError> {
    Ok(numbers(store).await?.into_iter().max())
}

/// What an object says; none when it is gone, or was written by nobody who collects.
async fn held(store: &Store, key: &str) -> Result<Option<Held>, StoreError> {
    match store.get(key).await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn store() -> Store {
        Store::of(Arc::new(InMemory::new()), "memory")
    }

    #[tokio::test]
    async fn the_second_is_refused_until_the_first_has_ended() {
        let store = store();
        let first = Lease::take(&store, "first", MINUTE).await.expect("nobody collects");
        let error = Lease::take(&store, "second", MINUTE).await.expect_err("one does").to_string();
        assert!(error.starts_with("a collection runs already: first, until 2"), "{error}");
        first.release().await.expect("it is given back");
        Lease::take(&store, "second", MINUTE).await.expect("nobody collects");
    }

    #[tokio::test]
    async fn one_that_was_killed_holds_nothing_for_ever() {
        let store = store();
        for (number, left) in [(3, &br#"{"id":"dead","until":1000}"#[..]), (7, b"half")] {
            store.put(&key(number), left.to_vec().into()).await.expect("it takes it");
            let lease = Lease::take(&store, "next", Duration::ZERO).await.expect("it is over");
            assert_eq!(numbers(&store).await.expect("it lists"), [number + 1]);
            lease.release().await.expect("it is given back");
        }
    }

    #[tokio::test]
    async fn nobody_gives_back_what_another_holds() {
        let store = store();
        let slow = Lease::take(&store, "slow", MINUTE).await.expect("nobody collects");
        // Its time is over while it still collects, and the next one begins.
        let over = Held { id: "slow".to_owned(), until: 1000 };
        store.put(&slow.key, over.bytes().into()).await.expect("it takes it");
        let next = Lease::take(&store, "next", MINUTE).await.expect("it is over");
        slow.release().await.expect("it gives back its own");
        abandon(&store, "slow").await.expect("it has nothing to give back");
        Lease::take(&store, "third", MINUTE).await.expect_err("the next one still collects");
        drop(next);
        abandon(&store, "next").await.expect("it is given back");
        Lease::take(&store, "third", MINUTE).await.expect("nobody collects");
    }

    #[tokio::test]
    async fn of_many_that_see_the_same_end_one_begins() {
        let store = store();
        let dead = Held { id: "dead".to_owned(), until: 1000 };
        store.put(&key(0), dead.bytes().into()).await.expect("it takes it");
        let ids: Vec<String> = (0..20).map(|number| format!("n{number}")).collect();
        let taken = ids.iter().map(|id| Lease::take(&store, id, MINUTE));
        let taken = futures::future::join_all(taken).await;
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 1);
    }
}
