//! Follows a path to what answers it, and writes that down as a plan.
//!
//! A plan holds all that is needed to answer the same path again without reading a block of the
//! way: the terminal, its kind and the header values that depend on the path alone.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::HeaderValue;
use ipfs::path::{ContentPath, PathError};
use ipfs::resolve::{Resolve, ResolveError, Terminal, TerminalKind};
use ipfs::{Cid, Codec};

mod fresh;
mod site;

pub(crate) use fresh::Fresh;
pub(crate) use site::{Rule, SiteError, rule};

use crate::blocks::Reader;
use crate::cache::Weigh;
use crate::upstream::FetchError;

/// The file that answers for its folder.
const INDEX: &str = "index.html";

/// Blocks of a path after which other requests have their turn.
const YIELD_EVERY: u32 = 16;

/// Why a path could not be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// The path is not a content path.
    #[error("invalid path {path:?}: {source}")]
    Path {
        /// The path, percent-encoded as it came.
        path: String,
        /// What is wrong with it.
        source: PathError,
    },
    /// A block on the way could not be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The path leads nowhere.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
}

impl PlanError {
    /// Whether a verified parent says that there is no such path.
    pub(crate) fn is_not_there(&self) -> bool {
        match self {
            PlanError::Resolve(error) => {
                matches!(error, ResolveError::NotFound { .. } | ResolveError::NotADirectory { .. })
            }
            PlanError::Path { .. } | PlanError::Fetch(_) => false,
        }
    }
}

/// What a page request for a path shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shows {
    /// A file: its block, its declared size, and the name that tells its type.
    File {
        /// The root of the file.
        cid: Cid,
        /// Its size in bytes.
        size: u64,
    },
    /// The entries of a folder.
    Listing,
    /// A folder that was asked for without its slash.
    Slash,
    /// The target of a symbolic link.
    Symlink(String),
    /// One block of a codec that browsers take as it is.
    Block(Codec),
}

/// What a path leads to.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The root of the path.
    pub(crate) root: Cid,
    /// The blocks from the root to the terminal, without it.
    pub(crate) way: Vec<Cid>,
    /// The last block of the path.
    pub(crate) terminal: Cid,
    /// What a page request shows.
    pub(crate) shows: Shows,
    /// The last name of the path, or that of the index file.
    pub(crate) name: Option<String>,
    /// The path that leads here, percent-encoded.
    pub(crate) path: Box<str>,
    /// The root of each logical segment, from the root of the path to its terminal.
    roots: Box<[Cid]>,
    /// `X-Ipfs-Roots`.
    pub(crate) ipfs_roots: HeaderValue,
    /// `Etag` of the file or block, quotes included.
    pub(crate) etag: HeaderValue,
    /// The path below the root, as nodes are told it.
    pub(crate) below: Option<HeaderValue>,
    /// The type of the file, once it is known.
    pub(crate) content_type: OnceLock<HeaderValue>,
    /// The state of the denylists under which all that it passes was allowed.
    checked: AtomicU64,
}

impl Plan {
    /// Whether the denylists were not asked about it in this state of theirs.
    pub(crate) fn is_to_be_checked(&self, generation: u64) -> bool {
        self.checked.load(Relaxed) != generation
    }

    /// Notes that the denylists allow it in this state of theirs.
    pub(crate) fn checked(&self, generation: u64) {
        self.checked.store(generation, Relaxed);
    }

    /// Every root that the path passes, with the names that lead down from it.
    pub(crate) fn passes(&self) -> Vec<(Cid, Vec<String>)> {
        let path = ContentPath::parse(&self.path);
        let segments = path.map(|path| path.segments).unwrap_or_default();
        // Names within a block of data lead to no root of their own.
        let exact = self.roots.len() == segments.len() + 1;
        // A folder's index is below it by its name, and a file of its own.
        let index = match &self.shows {
            Shows::File { cid, .. } if *cid != self.terminal => Some(*cid),
            Shows::File { .. }
            | Shows::Listing
            | Shows::Slash
            | Shows::Symlink(_)
            | Shows::Block(_) => None,
        };
        let mut passes = Vec::new();
        for (nth, root) in self.roots.iter().enumerate() {
            let is_known = nth == 0 || exact;
            let below = if is_known { segments[nth..].to_vec() } else { Vec::new() };
            if index.is_some() && is_known {
                passes.push((*root, [&below[..], &[INDEX.to_owned()]].concat()));
            }
            passes.push((*root, below));
        }
        passes.extend(index.map(|index| (index, Vec::new())));
        passes
    }
}

impl Weigh for Plan {
    fn weight(&self) -> usize {
        size_of::<Self>()
            + self.way.len() * size_of::<Cid>()
            + self.name.as_ref().map_or(0, String::len)
            + match &self.shows {
                Shows::Symlink(target) => target.len(),
                Shows::File { .. } | Shows::Listing | Shows::Slash | Shows::Block(_) => 0,
            }
            + self.path.len()
            + self.roots.len() * size_of::<Cid>()
            + self.ipfs_roots.len()
            + self.below.as_ref().map_or(0, HeaderValue::len)
            + 256
    }
}

/// A path whose first steps are known.
pub(crate) struct Way {
    path: ContentPath,
    encoded: String,
}

impl Way {
    /// Reads a path.
    ///
    /// # Errors
    /// [`PlanError::Path`].
    pub(crate) fn parse(encoded: &str) -> Result<Self, PlanError> {
        let path = ContentPath::parse(encoded)
            .map_err(|source| PlanError::Path { path: encoded.to_owned(), source })?;
        Ok(Self { path, encoded: encoded.to_owned() })
    }

    /// The root of the path.
    pub(crate) fn root(&self) -> Cid {
        self.path.root
    }

    /// The names below the root.
    pub(crate) fn segments(&self) -> &[String] {
        &self.path.segments
    }

    /// The path below the root, percent-encoded, if there is one.
    pub(crate) fn below(&self) -> Option<HeaderValue> {
        let rest = self.encoded.strip_prefix("/ipfs/")?;
        let below = &rest[rest.find('/')?..];
        if below.len() > 1 { HeaderValue::from_str(below).ok() } else { None }
    }

    /// Follows the path to its plan. With `page`, a folder's index is looked for.
    ///
    /// # Errors
    /// [`PlanError`].
    pub(crate) async fn follow(self, reader: &Reader, page: bool) -> Result<Plan, PlanError> {
        let below = self.below();
        let Self { path, encoded } = self;
        let mut name = path.file_name().map(str::to_owned);
        let mut way = Vec::new();
        let resolve = Resolve::new(path.root, path.segments);
        let terminal = walk(resolve, reader, Some(&mut way), page).await?;
        let cid = *terminal.block.cid();
        let shows = match terminal.kind {
            TerminalKind::File { size } => Shows::File { cid, size },
            TerminalKind::Symlink(target) => Shows::Symlink(target),
            TerminalKind::Other(codec) => Shows::Block(codec),
            TerminalKind::Directory | TerminalKind::Hamt if !path.trailing_slash || !page => {
                Shows::Slash
            }
            TerminalKind::Directory | TerminalKind::Hamt => match index(cid, reader).await? {
                Some(index) => {
                    name = Some(INDEX.to_owned());
                    index
                }
                None => Shows::Listing,
            },
        };
        let roots: Vec<String> = terminal.roots.iter().map(Cid::to_string).collect();
        Ok(Plan {
            root: path.root,
            way,
            terminal: cid,
            shows,
            name,
            path: encoded.into(),
            ipfs_roots: plain(&roots.join(",")),
            roots: terminal.roots.into(),
            checked: AtomicU64::new(0),
            etag: plain(&format!("\"{cid}\"")),
            below,
            content_type: OnceLock::new(),
        })
    }
}

/// Text that came from a URL or a CID, as a header.
fn plain(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("a URL path and a CID hold visible ASCII only")
}

/// The index file of a folder, if it has one.
async fn index(folder: Cid, reader: &Reader) -> Result<Option<Shows>, PlanError> {
    let resolve = Resolve::new(folder, vec![INDEX.to_owned()]);
    match walk(resolve, reader, None, true).await {
        Ok(terminal) => Ok(match terminal.kind {
            TerminalKind::File { size } => Some(Shows::File { cid: *terminal.block.cid(), size }),
            TerminalKind::Directory
            | TerminalKind::Hamt
            | TerminalKind::Symlink(_)
            | TerminalKind::Other(_) => None,
        }),
        Err(PlanError::Resolve(ResolveError::NotFound { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Follows a path. Without `page` the last block is taken as it is: a block or a CAR proves itself,
/// and need not be a file or a folder.
async fn walk(
    mut resolve: Resolve,
    reader: &Reader,
    mut way: Option<&mut Vec<Cid>>,
    page: bool,
) -> Result<Terminal, PlanError> {
    let mut steps = 0u32;
    loop {
        // A long path has thousands of blocks, which may all be in memory.
        steps += 1;
        if steps.is_multiple_of(YIELD_EVERY) {
            tokio::task::yield_now().await;
        }
        let need = resolve.need();
        let block = reader.get(need).await?;
        if !page && resolve.is_last() {
            return Ok(resolve.end(block)?);
        }
        if let Some(terminal) = resolve.feed(block)? {
            return Ok(terminal);
        }
        if let Some(way) = &mut way {
            way.push(need);
        }
    }
}
