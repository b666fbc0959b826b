//! What was made for the claims, by words that claims use: `{letters}` stands for a CID.

use std::collections::BTreeMap;

use bytes::Bytes;
use harness::content::archive;
use ipfs::unixfs::import::{DirectoryImport, Entry, FileImport, Imported, Layout, Leaf, Profile};
use ipfs::{Block, Cid, Codec};

use crate::records::Signed;

/// Something on the shelf, as a folder links to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made {
    pub(crate) cid: Cid,
    tsize: u64,
}

/// Blocks, records, and the words for them.
#[derive(Default)]
pub(crate) struct Shelf {
    words: BTreeMap<String, String>,
    blocks: BTreeMap<String, Block>,
    records: Vec<Signed>,
}

impl Shelf {
    /// Lets a word stand for a text.
    pub(crate) fn name(&mut self, word: &str, text: &str) {
        let before = self.words.insert(word.to_owned(), text.to_owned());
        assert!(before.is_none(), "{word} is made twice");
    }

    /// What a word stands for.
    pub(crate) fn word(&self, word: &str) -> &str {
        self.words.get(word).unwrap_or_else(|| panic!("nothing is called {word}"))
    }

    /// A text with every `{word}` replaced; other braces are left as they are.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut pieces = text.split('{');
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let is_word = |word: &str| {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                !word.is_empty() && word.bytes().all(plain)
            };
            match piece.split_once('}').filter(|(word, _)| is_word(word)) {
                Some((word, rest)) => out.extend([self.word(word), rest]),
                None => out.extend(["{", piece]),
            }
        }
        out
    }

    /// The bytes of the block that a word stands for.
    pub(crate) fn block(&self, word: &str) -> &Bytes {
        let cid = self.word(word);
        self.blocks.get(cid).unwrap_or_else(|| panic!("there is no block of {word}")).data()
    }

    /// Every block.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.blocks.values()
    }

    /// Every record.
    pub(crate) fn records(&self) -> &[Signed] {
        &self.records
    }

    /// The record of a word.
    pub(crate) fn record(&self, word: &str) -> &Signed {
        let found = self.records.iter().find(|record| record.word == word);
        found.unwrap_or_else(|| panic!("there is no record of {word}"))
    }

    /// Adds a record, whose name its word stands for.
    pub(crate) fn sign(&mut self, record: Signed) {
        self.name(record.word, &record.name);
        self.records.push(record);
    }

    /// Every block in one archive.
    pub(crate) fn archive(&self) -> Vec<u8> {
        let root = self.blocks.values().next().expect("something was made");
        archive(root.cid(), self.blocks.values())
    }

    /// A file of one block.
    pub(crate) fn file(&mut self, word: &str, bytes: &[u8]) -> Made {
        self.file_as(Profile::V1of2025, word, bytes)
    }

    /// A file of a profile of imports.
    pub(crate) fn file_as(&mut self, profile: Profile, word: &str, bytes: &[u8]) -> Made {
        let mut import = FileImport::new(profile);
        let blocks = import.push(Bytes::copy_from_slice(bytes));
        self.keep(word, import.finish(), blocks)
    }

    /// A file of these chunks, each of them a block by the word and its number; the block of
    /// `without` is never kept.
    pub(crate) fn chunks(&mut self, word: &str, chunks: &[&[u8]], without: Option<usize>) -> Made {
        let mut layout = Layout::new(Profile::V1of2025);
        let mut blocks = Vec::new();
        for (index, chunk) in chunks.iter().enumerate() {
            let leaf = Leaf::new(Profile::V1of2025, Bytes::copy_from_slice(chunk));
            self.name(&format!("{word}_{index}"), &leaf.block().cid().to_string());
            let leaves = layout.push(leaf);
            blocks.extend(leaves.into_iter().filter(|_| without != Some(index)));
        }
        self.keep(word, layout.finish(), blocks)
    }

    /// A symbolic link.
    pub(crate) fn symlink(&mut self, word: &str, target: &str) -> Made {
        self.keep(word, Profile::V1of2025.symlink(target.as_bytes()), Vec::new())
    }

    /// A folder of what was made before.
    pub(crate) fn folder(&mut self, word: &str, entries: &[(&str, Made)]) -> Made {
        let mut folder = DirectoryImport::new(Profile::V1of2025);
        for (name, made) in entries {
            folder.add(Entry { name: (*name).to_owned(), cid: made.cid, tsize: made.tsize });
        }
        self.keep(word, folder.finish().expect("no two hashes are the same"), Vec::new())
    }

    /// A block of any codec.
    pub(crate) fn bytes(&mut self, word: &str, codec: Codec, bytes: Vec<u8>) -> Made {
        let tsize = bytes.len() as u64;
        let block = Block::of(codec, bytes.into()).expect("a small block");
        let cid = *block.cid();
        self.keep(word, Imported { cid, tsize, blocks: vec![block] }, Vec::new())
    }

    fn keep(&mut self, word: &str, imported: Imported, more: Vec<Block>) -> Made {
        for block in more.into_iter().chain(imported.blocks) {
            self.blocks.insert(block.cid().to_string(), block);
        }
        self.name(word, &imported.cid.to_string());
        Made { cid: imported.cid, tsize: imported.tsize }
    }
}
