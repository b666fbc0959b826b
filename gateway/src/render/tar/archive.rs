//! An archive as it is made: one folder open for each level, and at most one file.

use bytes::Bytes;
use ipfs::resolve::{Resolve, TerminalKind};
use ipfs::unixfs::listing::Listing;
use ipfs::walk::Walk;
use ipfs::{Block, Cid, Codec};

use super::TarError;
use super::entry::{self, Kind};
use crate::blocks::{Pull, Reader};
use crate::stream::PIECE_BYTES_MAX;

/// Deepest nesting of folders.
const DEPTH_MAX: usize = 64;
/// What an archive ends with: two empty blocks.
const END: [u8; 1024] = [0; 1024];

/// A folder whose entries are being archived.
struct Folder {
    /// Its path in the archive.
    path: String,
    listing: Listing,
}

/// A file whose bytes are being archived.
struct File {
    path: String,
    pull: Pull,
    /// Bytes that are announced and not yet there.
    left: u64,
    size: u64,
    rest: Bytes,
}

/// An archive as it is made.
pub(super) struct Archive {
    reader: Reader,
    /// The root, until it is begun.
    root: Option<Cid>,
    folders: Vec<Folder>,
    file: Option<File>,
    streaming: bool,
    ended: bool,
}

impl Archive {
    /// The archive of a file or a folder, which is named by its CID.
    pub(super) fn new(root: Cid, reader: Reader) -> Self {
        let folders = Vec::new();
        Self { reader, root: Some(root), folders, file: None, streaming: false, ended: false }
    }

    /// Says that the headers leave: from here on each block has its own time.
    pub(super) fn begin_streaming(&mut self) {
        self.streaming = true;
        if let Some(file) = &mut self.file {
            file.pull.begin_streaming();
        }
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// [`TarError`]; the archive is of no use after one.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, TarError> {
        if let Some(root) = self.root.take() {
            return self.begin(root.to_string(), root).await.map(Some);
        }
        if self.file.is_some() {
            return self.bytes().await.map(Some);
        }
        while let Some(folder) = self.folders.last_mut() {
            if let Some(listed) = folder.listing.next_entry() {
                let root = &self.folders[0].path;
                let path =
                    entry::join(root, &self.folders[self.folders.len() - 1].path, &listed.name)?;
                return self.begin(path, listed.cid).await.map(Some);
            }
            match folder.listing.need() {
                Some(shard) => {
                    let block = self.block(shard).await?;
                    if let Some(folder) = self.folders.last_mut() {
                        folder.listing.feed(&block)?;
                    }
                }
                None => {
                    self.folders.pop();
                }
            }
        }
        if self.ended {
            return Ok(None);
        }
        self.ended = true;
        Ok(Some(Bytes::from_static(&END)))
    }

    /// A block, in the time of the first byte or, later, of one block.
    fn block(&self, cid: Cid) -> impl Future<Output = Result<Block, TarError>> + use<> {
        let (reader, streaming) = (self.reader.clone(), self.streaming);
        async move {
            let got = if streaming { reader.get_next(cid).await } else { reader.get(cid).await };
            Ok(got?)
        }
    }

    /// Begins an entry: its header, and what it takes to go on with it.
    async fn begin(&mut self, path: String, cid: Cid) -> Result<Bytes, TarError> {
        // Large folders within each other may all be in memory.
        tokio::task::yield_now().await;
        let block = self.block(cid).await?;
        let mut resolve = Resolve::new(cid, Vec::new());
        let terminal = resolve.feed(block)?.ok_or_else(|| TarError::NotAFile(path.clone()))?;
        match terminal.kind {
            TerminalKind::File { size } => {
                let header = entry::header(&path, Kind::File { size });
                let mut pull = Pull::new(Walk::file(&cid, None), self.reader.clone());
                if self.streaming {
                    pull.begin_streaming();
                }
                self.file = Some(File { path, pull, left: size, size, rest: Bytes::new() });
                Ok(header)
            }
            TerminalKind::Directory | TerminalKind::Hamt => {
                if self.folders.len() == DEPTH_MAX {
                    return Err(TarError::TooDeep(DEPTH_MAX));
                }
                let header = entry::header(&path, Kind::Folder);
                let listing = Listing::new(&terminal.block)?;
                self.folders.push(Folder { path, listing });
                Ok(header)
            }
            TerminalKind::Symlink(target) => {
                let root = self.folders.first().map_or("", |folder| folder.path.as_str());
                entry::check_target(root, &path, &target)?;
                Ok(entry::header(&path, Kind::Symlink { target: &target }))
            }
            TerminalKind::Other(
                Codec::Raw
                | Codec::DagPb
                | Codec::DagCbor
                | Codec::DagJson
                | Codec::Cbor
                | Codec::Json
                | Codec::Libp2pKey
                | Codec::Other(_),
            ) => Err(TarError::NotAFile(path)),
        }
    }

    /// The next bytes of the file that is open, and behind its last ones what fills its last block.
    async fn bytes(&mut self) -> Result<Bytes, TarError> {
        loop {
            let Some(file) = &mut self.file else { return Ok(Bytes::new()) };
            if !file.rest.is_empty() {
                let most = file.rest.len().min(PIECE_BYTES_MAX);
                return Ok(file.rest.split_to(most));
            }
            match file.pull.next().await {
                Some(visit) => {
                    let content = visit?.content;
                    let length = content.len() as u64;
                    if length > file.left {
                        return Err(TarError::Length(file.path.clone()));
                    }
                    file.left -= length;
                    file.rest = content;
                }
                None if file.left > 0 => return Err(TarError::Length(file.path.clone())),
                None => {
                    let padding = entry::padding(file.size);
                    self.file = None;
                    return Ok(padding);
                }
            }
        }
    }
}
