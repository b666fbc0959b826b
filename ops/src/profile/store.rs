//! Where profiles are kept: a folder, or a bucket of S3, Google Cloud or Azure.
//!
//! An object is there as a whole or not at all, and is never changed; nothing is ever appended to.
//! Keys hold plain letters only, so that a name reads the same in every store and on every disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreExt, PutMode, RetryConfig};
use telemetry::Tasks;

mod http;

use http::Connector;

/// Most bytes of an object that are read.
const OBJECT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most objects that are listed.
const OBJECTS_MAX: usize = 1_000_000;
/// How long a store that fails is asked again.
const RETRY_WITHIN: Duration = Duration::from_secs(30);
const RETRIES_MAX: usize = 3;

/// Why a store could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// It cannot be opened.
    #[error(
        "the store {store} cannot be opened: {text}; name a folder, s3://BUCKET/PATH, gs://… or az://… with --store"
    )]
    Open {
        /// The store.
        store: String,
        /// What is wrong.
        text: String,
    },
    /// Nothing was ever collected there.
    #[error(
        "there is no store at {}: collect with `bifrost profile collect`, or say where it is with --store", .0.display()
    )]
    Nothing(PathBuf),
    /// It has no such object.
    #[error("the store {store} has no {key}")]
    Missing {
        /// The store.
        store: String,
        /// The object.
        key: String,
    },
    /// It refused, is full, or failed.
    #[error("the store {store} could not {what} {key}: {text}")]
    Failed {
        /// The store.
        store: String,
        /// `read`, `write`, `list` or `delete`.
        what: &'static str,
        /// The object.
        key: String,
        /// What it said, and what to do.
        text: String,
    },
    /// It is larger than what is kept there.
    #[error("{key} in {store} has {bytes} bytes, more than any profile")]
    TooLong {
        /// The store.
        store: String,
        /// The object.
        key: String,
        /// Its size.
        bytes: u64,
    },
}

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its key.
    pub(crate) key: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// When it was written, in seconds since 1970.
    pub(crate) written: i64,
}

/// A store. Clones are the same store.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    inner: Arc<dyn ObjectStore>,
    name: String,
}

impl Store {
    /// Opens a folder or a bucket. A folder that is not there is made only to write to it.
    ///
    /// # Errors
    /// [`StoreError::Open`], [`StoreError::Nothing`].
    pub(crate) fn open(at: &str, writes: bool, tasks: &Tasks) -> Result<Self, StoreError> {
        let failed = |text: String| StoreError::Open { store: at.to_owned(), text };
        let inner: Arc<dyn ObjectStore> = match at.split_once("://") {
            None => Arc::new(folder(at, writes)?),
            Some((scheme, rest)) => {
                let connector = Connector::new(tasks).map_err(|error| failed(error.to_string()))?;
                let bucket = bucket(scheme, at, connector);
                let bucket = bucket.map_err(|error| failed(telemetry::why(&error)))?;
                let bucket = bucket
                    .ok_or_else(|| failed(format!("{scheme}:// is no store that is known")))?;
                let path = rest.split_once('/').map_or("", |(_, path)| path);
                match Path::parse(path) {
                    Ok(path) => Arc::new(PrefixStore::new(bucket, path)),
                    Err(error) => return Err(failed(error.to_string())),
                }
            }
        };
        Ok(Self::of(inner, at))
    }

    /// A store by its parts.
    pub(crate) fn of(inner: Arc<dyn ObjectStore>, name: &str) -> Self {
        Self { inner, name: name.to_owned() }
    }

    /// Its name, as the operator wrote it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Writes an object, over one that was there.
    ///
    /// # Errors
    /// [`StoreError::Failed`]; nothing is there then that was not before.
    pub(crate) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        let put = self.inner.put(&self.path(key)?, bytes.into()).await;
        put.map(drop).map_err(|error| self.failed("write", key, &error))
    }

    /// Writes an object unless there is one; says whether it did.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub(crate) async fn create(&self, key: &str, bytes: Bytes) -> Result<bool, StoreError> {
        let path = self.path(key)?;
        match self.inner.put_opts(&path, bytes.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(self.failed("write", key, &error)),
        }
    }

    /// Reads an object.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::TooLong`], [`StoreError::Failed`].
    pub(crate) async fn get(&self, key: &str) -> Result<Bytes, StoreError> {
        let failed = |error: object_store::Error| {
            if matches!(error, object_store::Error::NotFound { .. }) {
                return StoreError::Missing { store: self.name.clone(), key: key.to_owned() };
            }
            self.failed("read", key, &error)
        };
        let found = self.inner.get(&self.path(key)?).await.map_err(failed)?;
        let bytes = found.meta.size;
        if bytes > OBJECT_BYTES_MAX {
            let (store, key) = (self.name.clone(), key.to_owned());
            return Err(StoreError::TooLong { store, key, bytes });
        }
        found.bytes().await.map_err(failed)
    }

    /// The objects below a folder, in order of their keys.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub(crate) async fn list(&self, below: &str) -> Result<Vec<Listed>, StoreError> {
        let path = self.path(below)?;
        let failed = |error: object_store::Error| self.failed("list", below, &error);
        let mut objects = self.inner.list(Some(&path));
        let mut listed = Vec::new();
        while let Some(object) = objects.try_next().await.map_err(failed)? {
            if listed.len() == OBJECTS_MAX {
                let text = format!("there are more than {OBJECTS_MAX} objects");
                return Err(self.told("list", below, text));
            }
            listed.push(Listed {
                key: object.location.to_string(),
                bytes: object.size,
                written: object.last_modified.timestamp(),
            });
        }
        listed.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(listed)
    }

    /// Deletes an object; one that is not there is no error.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match self.inner.delete(&self.path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("delete", key, &error)),
        }
    }

    fn path(&self, key: &str) -> Result<Path, StoreError> {
        Path::parse(key).map_err(|error| self.told("use", key, error.to_string()))
    }

    fn failed(&self, what: &'static str, key: &str, error: &object_store::Error) -> StoreError {
        let said = telemetry::why(error);
        let denied = matches!(
            error,
            object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. }
        ) || said.contains("Permission denied")
            || said.contains("Read-only file system")
            // Where machines of a cloud find credentials when there are no others.
            || said.contains("169.254.169.254");
        let full =
            ["No space left", "quota", "QuotaExceeded"].iter().any(|word| said.contains(word));
        let hint = match (denied, full) {
            (true, _) => "; may this user write there, and are its credentials in the environment?",
            (false, true) => "; it is full: make room with `bifrost profile gc`",
            (false, false) => "",
        };
        self.told(what, key, format!("{said}{hint}"))
    }

    fn told(&self, what: &'static str, key: &str, text: String) -> StoreError {
        StoreError::Failed { store: self.name.clone(), what, key: key.to_owned(), text }
    }
}

fn folder(at: &str, writes: bool) -> Result<LocalFileSystem, StoreError> {
    let path = PathBuf::from(at);
    if !writes && !path.is_dir() {
        return Err(StoreError::Nothing(path));
    }
    let failed = |text: String| StoreError::Open { store: at.to_owned(), text };
    if writes {
        std::fs::create_dir_all(&path).map_err(|error| failed(error.to_string()))?;
    }
    let opened = LocalFileSystem::new_with_prefix(&path);
    let opened = opened.map_err(|error| failed(telemetry::why(&error)))?;
    Ok(opened.with_fsync(true).with_automatic_cleanup(true))
}

/// A bucket, with credentials from where the tools of its vendor look for them.
fn bucket(
    scheme: &str,
    url: &str,
    connector: Connector,
) -> object_store::Result<Option<Arc<dyn ObjectStore>>> {
    Ok(Some(match scheme {
        "s3" => Arc::new(
            AmazonS3Builder::from_env()
                .with_url(url)
                .with_retry(retry())
                .with_http_connector(connector)
                .build()?,
        ),
        "gs" => Arc::new(
            GoogleCloudStorageBuilder::from_env()
                .with_url(url)
                .with_retry(retry())
                .with_http_connector(connector)
                .build()?,
        ),
        "az" => Arc::new(
            MicrosoftAzureBuilder::from_env()
                .with_url(url)
                .with_retry(retry())
                .with_http_connector(connector)
                .build()?,
        ),
        _ => return Ok(None),
    }))
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_WITHIN,
    }
}

/// A part of a key: letters, digits, dots, dashes and underscores, at most 64.
pub(crate) fn part(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let kept: String = text.chars().map(|c| if plain(c) { c } else { '_' }).take(64).collect();
    match kept.trim_start_matches('.') {
        "" => "_".to_owned(),
        kept => kept.to_owned(),
    }
}

#[cfg(test)]
mod tests;
