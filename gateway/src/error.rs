//! Why a request was not answered as asked: what the rooms say, composed.
//!
//! One error has one outcome, and the outcome and the error together have one status.

use std::time::Duration;

use http::StatusCode;
use ipfs::Cid;
use ipfs::redirects::RedirectsError;
use ipfs::resolve::ResolveError;
use ipfs::trustless::Retrieval;
use ipfs::walk::WalkError;

use crate::blocks::PullError;
use crate::classify::AskError;
use crate::denylist::Denied;
use crate::limit::LimitError;
use crate::names::NameError;
use crate::outcome::Outcome;
use crate::render::{RenderError, TarError};
use crate::resolve::{PlanError, SiteError};
use crate::upstream::{Failure, FetchError, RecordFailure};

/// What `Retry-After` says when nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be asked.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// It may not be served at this moment.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A list denies it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The name leads nowhere.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The path could not be followed.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The rules of the website could not be applied.
    #[error(transparent)]
    Site(#[from] RedirectsError),
    /// The content could not be put into the form that was asked for.
    #[error(transparent)]
    Render(#[from] RenderError),
}

impl From<SiteError> for Error {
    fn from(error: SiteError) -> Self {
        match error {
            SiteError::File(error) => Error::Site(error),
            SiteError::Plan(error) => Error::Plan(error),
            SiteError::Pull(error) => Error::Render(RenderError::Pull(error)),
        }
    }
}

impl Error {
    /// How a request that met this ended.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Error::Ask(AskError::NoSuchPage) => Outcome::NotFound,
            Error::Ask(_) | Error::Plan(PlanError::Path { .. }) => Outcome::ClientError,
            Error::Denied(_) => Outcome::Blocked,
            Error::Name(error) => of_name(error),
            Error::Site(_) => Outcome::BadContent,
            Error::Limit(LimitError::Full(_)) => Outcome::Overload,
            Error::Limit(LimitError::ClientShare(_)) => Outcome::Limited,
            Error::Plan(PlanError::Fetch(error)) => of_fetch(error),
            Error::Plan(PlanError::Resolve(error)) => of_resolve(error),
            Error::Render(error) => match error {
                RenderError::Pull(PullError::Fetch(error)) => of_fetch(error),
                RenderError::Pull(PullError::Walk(error)) => of_walk(error),
                RenderError::Range { .. }
                | RenderError::NotAcceptable { .. }
                | RenderError::OtherCodec { .. }
                | RenderError::TooLargeForRanges { .. }
                | RenderError::Page(_)
                | RenderError::NotAName => Outcome::ClientError,
                RenderError::TooLarge { .. } => Outcome::Blocked,
                RenderError::Listing(_) | RenderError::Length(_) | RenderError::Dag { .. } => {
                    Outcome::BadContent
                }
                RenderError::Tar(error) => of_tar(error),
                RenderError::Template(_) => Outcome::Internal,
            },
        }
    }

    /// The status that tells it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Error::Ask(error) => return error.status(),
            Error::Render(RenderError::Range { .. }) => return StatusCode::RANGE_NOT_SATISFIABLE,
            Error::Render(
                RenderError::NotAcceptable { .. }
                | RenderError::OtherCodec { .. }
                | RenderError::Tar(TarError::NotAFile(_)),
            ) => return StatusCode::NOT_ACCEPTABLE,
            Error::Plan(PlanError::Resolve(
                ResolveError::Codec { .. } | ResolveError::Remainder { .. },
            )) => {
                return StatusCode::NOT_IMPLEMENTED;
            }
            Error::Render(RenderError::TooLargeForRanges { .. }) => {
                return StatusCode::NOT_IMPLEMENTED;
            }
            Error::Name(NameError::Timeout(_)) => return StatusCode::GATEWAY_TIMEOUT,
            Error::Name(NameError::NotCached(_)) => return StatusCode::PRECONDITION_FAILED,
            Error::Limit(_)
            | Error::Denied(_)
            | Error::Name(_)
            | Error::Plan(_)
            | Error::Site(_)
            | Error::Render(_) => {}
        }
        let failure = self.fetch().map(|error| error.failure);
        match self.outcome() {
            Outcome::ClientError if failure == Some(Failure::NotCached) => {
                StatusCode::PRECONDITION_FAILED
            }
            Outcome::ClientError => StatusCode::BAD_REQUEST,
            Outcome::NotFound => StatusCode::NOT_FOUND,
            Outcome::Blocked if self.denied().is_some_and(|denied| denied.legal) => {
                StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS
            }
            Outcome::Blocked => StatusCode::GONE,
            Outcome::Limited => StatusCode::TOO_MANY_REQUESTS,
            Outcome::NoProviders | Outcome::NameUnresolved => StatusCode::BAD_GATEWAY,
            Outcome::Unreachable | Outcome::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Outcome::UpstreamFault if failure == Some(Failure::BadBytes) => StatusCode::BAD_GATEWAY,
            Outcome::UpstreamFault | Outcome::Overload => StatusCode::SERVICE_UNAVAILABLE,
            Outcome::BadContent
            | Outcome::Internal
            | Outcome::Ok
            | Outcome::NotModified
            | Outcome::ClientAbort
            | Outcome::Truncated => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// When it is worth to try again, if that may go better.
    pub(crate) fn retry_after(&self, no_providers_ttl: Duration) -> Option<Duration> {
        let outcome = self.outcome();
        if let Error::Limit(LimitError::Full(pause) | LimitError::ClientShare(pause)) = self {
            return Some(*pause);
        }
        if outcome == Outcome::NoProviders {
            return Some(no_providers_ttl.max(RETRY_AFTER));
        }
        outcome.is_passing().then_some(RETRY_AFTER)
    }

    /// The fetch that failed, if one did.
    pub(crate) fn fetch(&self) -> Option<&FetchError> {
        match self {
            Error::Plan(PlanError::Fetch(error))
            | Error::Render(
                RenderError::Pull(PullError::Fetch(error))
                | RenderError::Tar(TarError::Pull(PullError::Fetch(error))),
            ) => Some(error),
            Error::Ask(_)
            | Error::Limit(_)
            | Error::Denied(_)
            | Error::Name(_)
            | Error::Plan(_)
            | Error::Site(_)
            | Error::Render(_) => None,
        }
    }

    /// What the list that denies it says, if one of this gateway's does.
    pub(crate) fn denied(&self) -> Option<&Denied> {
        match self {
            Error::Denied(denied) => Some(denied),
            Error::Ask(_)
            | Error::Limit(_)
            | Error::Name(_)
            | Error::Plan(_)
            | Error::Site(_)
            | Error::Render(_) => self.fetch().and_then(|error| error.denied.as_deref()),
        }
    }

    /// The block that this is about, if it is about one.
    pub(crate) fn cid(&self) -> Option<Cid> {
        self.fetch().map(|error| error.cid)
    }

    /// How far a node's search came.
    pub(crate) fn state(&self) -> Option<Retrieval> {
        self.fetch().and_then(|error| error.state)
    }
}

fn of_fetch(error: &FetchError) -> Outcome {
    match error.failure {
        Failure::NotCached => Outcome::ClientError,
        Failure::NoNode | Failure::BadBytes => Outcome::UpstreamFault,
        Failure::Busy => Outcome::Overload,
        Failure::Timeout => Outcome::Timeout,
        Failure::NoProviders => Outcome::NoProviders,
        Failure::Unreachable => Outcome::Unreachable,
        Failure::BadContent => Outcome::BadContent,
        Failure::Blocked => Outcome::Blocked,
    }
}

fn of_name(error: &NameError) -> Outcome {
    match error {
        NameError::NotAName(_) | NameError::TooManyHops | NameError::NotCached(_) => {
            Outcome::ClientError
        }
        NameError::Record { failure: RecordFailure::NoNode, .. } => Outcome::UpstreamFault,
        NameError::Busy(_) => Outcome::Overload,
        NameError::NotAPath { .. }
        | NameError::Record { .. }
        | NameError::Expired(_)
        | NameError::NoDnslink(_)
        | NameError::Dns { .. }
        | NameError::Timeout(_) => Outcome::NameUnresolved,
    }
}

fn of_tar(error: &TarError) -> Outcome {
    match error {
        TarError::NotAFile(_) => Outcome::ClientError,
        TarError::Pull(PullError::Fetch(error)) => of_fetch(error),
        TarError::Pull(PullError::Walk(error)) => of_walk(error),
        TarError::Resolve(error) => of_resolve(error),
        TarError::Outside(_)
        | TarError::Name(_)
        | TarError::Symlink(_)
        | TarError::TooDeep(_)
        | TarError::Length(_)
        | TarError::Listing(_) => Outcome::BadContent,
    }
}

fn of_resolve(error: &ResolveError) -> Outcome {
    match error {
        ResolveError::NotFound { .. } | ResolveError::NotADirectory { .. } => Outcome::NotFound,
        ResolveError::Codec { .. } | ResolveError::Remainder { .. } => Outcome::ClientError,
        ResolveError::Dag { .. } | ResolveError::DagPb { .. } | ResolveError::Unixfs { .. } => {
            Outcome::BadContent
        }
        ResolveError::NotAskedFor(_) => Outcome::Internal,
    }
}

fn of_walk(error: &WalkError) -> Outcome {
    match error {
        WalkError::NotAskedFor(_) => Outcome::Internal,
        WalkError::Range(_) => Outcome::ClientError,
        WalkError::DagPb { .. }
        | WalkError::Unixfs { .. }
        | WalkError::Links { .. }
        | WalkError::SizeMismatch(_)
        | WalkError::NotAFilePart(_)
        | WalkError::TooDeep(_)
        | WalkError::TooWide(_) => Outcome::BadContent,
    }
}
