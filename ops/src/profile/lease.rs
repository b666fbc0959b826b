//! One collection at a time: an object that says who collects, and until when at most.
//!
//! It lies in the store, so that it holds between machines too. One that was killed leaves it behind; it
//! counts for nothing once its time is over.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::ProfileError;
use super::store::{Store, StoreError};

/// The object.
const KEY: &str = "collecting.json";
/// What publishing and storing may take beyond the deadline of the profiles.
const BEYOND: Duration = Duration::from_secs(600);

#[derive(Debug, Serialize, Deserialize)]
struct Held {
    id: String,
    /// Seconds since 1970.
    until: i64,
}

/// The right to collect; to be released in every end.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    store: &'a Store,
}

impl<'a> Lease<'a> {
    /// Takes the right for at most as long as a collection may last.
    ///
    /// # Errors
    /// [`ProfileError::Running`] when it is held; the store refuses.
    pub(crate) async fn take(
        store: &'a Store,
        id: &str,
        deadline: Duration,
    ) -> Result<Self, ProfileError> {
        let seconds = i64::try_from((deadline + BEYOND).as_secs()).unwrap_or(i64::MAX);
        let until = Timestamp::now().as_second().saturating_add(seconds);
        let held = Held { id: id.to_owned(), until };
        let bytes = serde_json::to_vec(&held).expect("plain values");
        if store.create(KEY, bytes.clone().into()).await? {
            return Ok(Self { store });
        }
        if let Some(other) = held_by_other(store).await? {
            return Err(ProfileError::Running(other));
        }
        store.delete(KEY).await?;
        if store.create(KEY, bytes.into()).await? {
            return Ok(Self { store });
        }
        Err(ProfileError::Running("another one was begun at this moment".to_owned()))
    }

    /// Gives it back.
    ///
    /// # Errors
    /// The store refuses; it ends by itself then.
    pub(crate) async fn release(self) -> Result<(), StoreError> {
        self.store.delete(KEY).await
    }
}

/// Gives the right of a collection back that was stopped from outside.
///
/// # Errors
/// The store refuses.
pub(crate) async fn abandon(store: &Store) -> Result<(), StoreError> {
    store.delete(KEY).await
}

/// Who holds it, unless its time is over.
async fn held_by_other(store: &Store) -> Result<Option<String>, ProfileError> {
    let bytes = match store.get(KEY).await {
        Ok(bytes) => bytes,
        Err(StoreError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // What cannot be read was written by nobody who collects.
    let Ok(held) = serde_json::from_slice::<Held>(&bytes) else { return Ok(None) };
    let until = Timestamp::from_second(held.until).unwrap_or(Timestamp::MIN);
    let until_text = until.strftime("%Y-%m-%d %H:%M:%S UTC");
    Ok((until > Timestamp::now()).then(|| format!("{}, until {until_text} at most", held.id)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn the_second_is_refused_until_the_first_has_ended() {
        let store = Store::of(Arc::new(InMemory::new()), "memory");
        let minute = Duration::from_secs(60);
        let first = Lease::take(&store, "first", minute).await.expect("nobody collects");
        let error = Lease::take(&store, "second", minute).await.expect_err("one does").to_string();
        assert!(error.starts_with("a collection runs already: first, until 2"), "{error}");
        first.release().await.expect("it is given back");
        Lease::take(&store, "second", minute).await.expect("nobody collects");
    }

    #[tokio::test]
    async fn one_that_was_killed_holds_nothing_for_ever() {
        let store = Store::of(Arc::new(InMemory::new()), "memory");
        for left in [&br#"{"id":"dead","until":1000}"#[..], b"half"] {
            store.put(KEY, left.to_vec().into()).await.expect("it takes it");
            let lease = Lease::take(&store, "next", Duration::ZERO).await.expect("it is over");
            lease.release().await.expect("it is given back");
        }
    }
}
