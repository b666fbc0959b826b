//! The rules that a website has for paths that do not exist: its `_redirects` file.
//!
//! They count only where the website has an origin of its own, or one could speak for all others.

use ipfs::redirects::{FILE_BYTES_MAX, Hit, Redirects, RedirectsError};
use ipfs::walk::Walk;

use super::{PlanError, Shows, Way};
use crate::blocks::{Pull, PullError, Reader};

/// The file's name, at the root of the website.
const FILE: &str = "_redirects";

/// A rule that holds for a path.
pub(crate) type Rule = Hit;

/// Why the rules of a website could not be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SiteError {
    /// The file is not one.
    #[error(transparent)]
    File(#[from] RedirectsError),
    /// Its path could not be followed.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Its bytes could not be had.
    #[error(transparent)]
    Pull(#[from] PullError),
}

/// The rule of the website at `root` for one of its paths, if it has one. Both are
/// percent-encoded, and the path begins with a slash.
///
/// # Errors
/// [`SiteError`]; that there is no file is none.
pub(crate) async fn rule(
    root: &str,
    path: &str,
    reader: &Reader,
) -> Result<Option<Rule>, SiteError> {
    let way = Way::parse(&format!("{root}/{FILE}"))?;
    let plan = match way.follow(reader, true).await {
        Ok(plan) => plan,
        Err(error) if error.is_not_there() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Shows::File { cid, size } = plan.shows else { return Ok(None) };
    if size > FILE_BYTES_MAX as u64 {
        return Err(RedirectsError::TooLarge.into());
    }
    let mut pull = Pull::new(Walk::file(&cid, None), reader.clone());
    let mut bytes = Vec::new();
    while let Some(visit) = pull.next().await {
        bytes.extend_from_slice(&visit?.content);
        // The root may say that there are fewer bytes than there are.
        if bytes.len() > FILE_BYTES_MAX {
            return Err(RedirectsError::TooLarge.into());
        }
    }
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    Ok(Redirects::parse(&bytes)?.find(&path).transpose()?)
}
