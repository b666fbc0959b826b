//! Follows a path from a root to what it names.
//!
//! Like a walk, it fetches nothing: it says which block it needs and takes it. A name is missing
//! only when a verified parent says so, which is what makes a 404 below an immutable root a proof.

use bytes::Bytes;

use crate::block::Block;
use crate::cid::{Cid, Codec};
use crate::dag::{self, DagError, Found};
use crate::dag_pb::{self, DagPbError, View};
use crate::unixfs::hamt::{HamtStep, Lookup};
use crate::unixfs::{Kind, Meta, UnixfsError};

/// Why a path leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// A verified directory, or a block of structured data, has no entry of that name.
    #[error("no link named {name:?} under {parent}")]
    NotFound {
        /// The directory or block.
        parent: Cid,
        /// The name.
        name: String,
    },
    /// A block on the path is not one that has names below it.
    #[error("{cid} is not a directory, so it has no {name:?}")]
    NotADirectory {
        /// The block.
        cid: Cid,
        /// The name.
        name: String,
    },
    /// A block on the path has a codec through which no path is followed.
    #[error("paths through codec 0x{codec:x} are not supported, at {cid}")]
    Codec {
        /// The block.
        cid: Cid,
        /// Its multicodec code.
        codec: u64,
    },
    /// A path ends at a value inside of a block, which has no CID of its own.
    #[error("{remainder:?} is a value inside of {cid}, not a block")]
    Remainder {
        /// The block.
        cid: Cid,
        /// The names that lead from the block to the value.
        remainder: String,
    },
    /// A block of structured data does not parse.
    #[error("{cid} is malformed: {source}")]
    Dag {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: DagError,
    },
    /// A dag-pb block does not parse.
    #[error("{cid} is malformed: {source}")]
    DagPb {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: DagPbError,
    },
    /// A UnixFS block does not parse.
    #[error("{cid} is malformed: {source}")]
    Unixfs {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: UnixfsError,
    },
    /// The driver gave a block other than the one that was needed.
    #[error("block {0} was not asked for")]
    NotAskedFor(Cid),
}

/// Longest target of a symbolic link: what systems take as a path.
pub const TARGET_BYTES_MAX: usize = 4096;

/// What a path ends at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminalKind {
    /// A file of this many bytes, by its root's word.
    File {
        /// The sum of its parts.
        size: u64,
    },
    /// A directory in one block.
    Directory,
    /// A directory in a HAMT.
    Hamt,
    /// A symbolic link and its target.
    Symlink(String),
    /// A block of another codec.
    Other(Codec),
}

/// Where a path ends.
#[derive(Debug, Clone)]
pub struct Terminal {
    /// The last block of the path.
    pub block: Block,
    /// What it is.
    pub kind: TerminalKind,
    /// The CID of each block that the path leads through, from the root to the terminal, as
    /// `X-Ipfs-Roots` lists them. Blocks inside a HAMT are not among them, and a block that several
    /// names lead through is there once.
    pub roots: Vec<Cid>,
}

/// A path being followed.
#[derive(Debug)]
pub struct Resolve {
    need: Cid,
    segments: std::vec::IntoIter<String>,
    /// The lookup in the HAMT directory that the path is inside of.
    lookup: Option<(Lookup, String)>,
    roots: Vec<Cid>,
}

impl Resolve {
    /// A path of decoded names from a root.
    pub fn new(root: Cid, segments: Vec<String>) -> Self {
        Self { need: root, segments: segments.into_iter(), lookup: None, roots: vec![root] }
    }

    /// The block that is needed next.
    pub fn need(&self) -> Cid {
        self.need
    }

    /// Whether the block that is needed next is the terminal one, rather than one on the way.
    pub fn is_last(&self) -> bool {
        self.lookup.is_none() && self.segments.len() == 0
    }

    /// Ends the path at the block that is needed last, whatever is in it.
    ///
    /// # Errors
    /// [`ResolveError::NotAskedFor`] for another block, or for one on the way.
    pub fn end(self, block: Block) -> Result<Terminal, ResolveError> {
        if *block.cid() != self.need || !self.is_last() {
            return Err(ResolveError::NotAskedFor(*block.cid()));
        }
        let kind = TerminalKind::Other(block.cid().codec());
        Ok(Terminal { block, kind, roots: self.roots })
    }

    /// Takes the block that was needed; returns the terminal when the path ends there.
    ///
    /// # Errors
    /// [`ResolveError`]; the path is of no use after one.
    pub fn feed(&mut self, block: Block) -> Result<Option<Terminal>, ResolveError> {
        if *block.cid() != self.need {
            return Err(ResolveError::NotAskedFor(*block.cid()));
        }
        if let Some((lookup, name)) = self.lookup.take() {
            if block.cid().codec() != Codec::DagPb {
                let cid = *block.cid();
                return Err(unixfs(cid, UnixfsError::NotADirectory(cid)));
            }
            let (node, meta) = decode(&block)?;
            self.step(&block, lookup, name, &node, &meta)?;
            return Ok(None);
        }
        match self.segments.next() {
            Some(name) => self.descend(&block, name).map(|()| None),
            None => {
                let kind = kind(&block)?;
                let roots = std::mem::take(&mut self.roots);
                Ok(Some(Terminal { block, kind, roots }))
            }
        }
    }

    /// Goes from a block to its entry of a name.
    fn descend(&mut self, block: &Block, name: String) -> Result<(), ResolveError> {
        let cid = *block.cid();
        match cid.codec() {
            Codec::DagPb => {}
            Codec::Raw => return Err(ResolveError::NotADirectory { cid, name }),
            Codec::DagCbor | Codec::DagJson | Codec::Cbor | Codec::Json => {
                return self.descend_data(block, name);
            }
            codec @ (Codec::Libp2pKey | Codec::Other(_)) => {
                return Err(ResolveError::Codec { cid, codec: codec.code() });
            }
        }
        let (node, meta) = decode(block)?;
        match meta.kind {
            Kind::Directory => {
                let found = node.links().find(|link| link.name == name.as_bytes());
                let found = found.map(|link| link.cid());
                self.enter(found.ok_or(ResolveError::NotFound { parent: cid, name })?);
                Ok(())
            }
            Kind::HamtShard => {
                let lookup = Lookup::new(name.as_bytes());
                self.step(block, lookup, name, &node, &meta)
            }
            Kind::File | Kind::Raw | Kind::Metadata | Kind::Symlink => {
                Err(ResolveError::NotADirectory { cid, name })
            }
        }
    }

    /// Goes from a block of structured data to the first link that the names lead to. A block that
    /// is nothing but a link has no names: a name always takes a path on.
    fn descend_data(&mut self, block: &Block, name: String) -> Result<(), ResolveError> {
        let cid = *block.cid();
        let names: Vec<&str> = [&*name]
            .into_iter()
            .chain(self.segments.as_slice().iter().map(String::as_str))
            .collect();
        let found = dag::lookup(block, names.iter().copied())
            .map_err(|source| ResolveError::Dag { cid, source })?;
        let taken = match found {
            Found::Link { cid: link, taken } if taken > 0 => {
                if taken > 1 {
                    self.segments.nth(taken - 2);
                }
                self.enter(link);
                return Ok(());
            }
            Found::Value { .. } => {
                return Err(ResolveError::Remainder { cid, remainder: names.join("/") });
            }
            Found::Link { taken, .. } | Found::Missing { taken } => taken,
        };
        let name = names.get(taken).map_or_else(String::new, |name| (*name).to_owned());
        Err(ResolveError::NotFound { parent: cid, name })
    }

    /// Takes one level of a HAMT.
    fn step(
        &mut self,
        block: &Block,
        mut lookup: Lookup,
        name: String,
        node: &View,
        meta: &Meta,
    ) -> Result<(), ResolveError> {
        let cid = *block.cid();
        let step = lookup.step(node, meta).map_err(|source| unixfs(cid, source))?;
        match step {
            HamtStep::Found(entry) => self.enter(entry),
            HamtStep::Descend(shard) => {
                self.need = shard;
                self.lookup = Some((lookup, name));
            }
            HamtStep::Missing => {
                let parent = self.roots.last().copied().unwrap_or(cid);
                return Err(ResolveError::NotFound { parent, name });
            }
        }
        Ok(())
    }

    fn enter(&mut self, cid: Cid) {
        self.need = cid;
        self.roots.push(cid);
    }
}

/// What a terminal block is.
fn kind(block: &Block) -> Result<TerminalKind, ResolveError> {
    match block.cid().codec() {
        Codec::Raw => Ok(TerminalKind::File { size: block.data().len() as u64 }),
        Codec::DagPb => {
            let (node, meta) = decode(block)?;
            Ok(match meta.kind {
                Kind::File | Kind::Raw => {
                    let size = meta.file_size(node.link_count());
                    TerminalKind::File {
                        size: size.map_err(|source| unixfs(*block.cid(), source))?,
                    }
                }
                Kind::Directory => TerminalKind::Directory,
                Kind::HamtShard => TerminalKind::Hamt,
                Kind::Symlink if meta.data.len() > TARGET_BYTES_MAX => {
                    return Err(unixfs(*block.cid(), UnixfsError::TargetTooLong(meta.data.len())));
                }
                Kind::Symlink => {
                    TerminalKind::Symlink(String::from_utf8_lossy(&meta.data).into_owned())
                }
                Kind::Metadata => TerminalKind::Other(Codec::DagPb),
            })
        }
        codec @ (Codec::DagCbor
        | Codec::DagJson
        | Codec::Cbor
        | Codec::Json
        | Codec::Libp2pKey
        | Codec::Other(_)) => Ok(TerminalKind::Other(codec)),
    }
}

fn decode(block: &Block) -> Result<(View, Meta), ResolveError> {
    let cid = *block.cid();
    let node = dag_pb::view(block.data()).map_err(|source| ResolveError::DagPb { cid, source })?;
    let meta = Meta::decode(node.data().unwrap_or(&Bytes::new()));
    Ok((node, meta.map_err(|source| unixfs(cid, source))?))
}

fn unixfs(cid: Cid, source: UnixfsError) -> ResolveError {
    ResolveError::Unixfs { cid, source }
}

#[cfg(test)]
mod tests;
