//! Content whose bytes are known before they are asked for.
//!
//! What the probe makes itself it imports itself, so that it knows the CID of each block and needs to
//! believe nobody. It is a folder with one file of several blocks, as small as that can be.

use bytes::Bytes;
use ipfs::path::encode_segment;
use ipfs::unixfs::import::{DirectoryImport, Entry, FileImport, Profile};
use ipfs::{Block, Cid, car};
use rand::Rng as _;

/// The name of the file.
const NAME: &str = "canary.txt";
/// The profile with the smallest chunks, so that several blocks are few bytes.
const PROFILE: Profile = Profile::V0of2015;
/// A bit more than one chunk.
const WARM_BYTES: usize = 256 * 1024 + 4096;

/// Content that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    /// The root, as CIDv1.
    pub(crate) root: Cid,
    /// The names below it that lead to the file.
    pub(crate) names: Vec<String>,
    /// The file.
    pub(crate) file: Cid,
    /// How the file was imported, if that is known.
    pub(crate) profile: Option<Profile>,
    /// The bytes of the file.
    pub(crate) bytes: Bytes,
    /// All blocks, of content that the probe made.
    pub(crate) blocks: Vec<Block>,
}

impl Content {
    /// The content that stays the same for ever, on every fleet.
    pub(crate) fn fixed() -> Self {
        let line = |number: usize| format!("{number:08}: bytes of a canary of bifrost probe\n");
        let text: String = (0..).map(line).take(WARM_BYTES / 40).collect();
        Self::of(text.into())
    }

    /// Content that nobody has ever seen.
    pub(crate) fn random(bytes: usize) -> Self {
        let mut random = vec![0; bytes.max(1)];
        rand::rng().fill_bytes(&mut random);
        Self::of(random.into())
    }

    /// A folder with one file of these bytes.
    pub(crate) fn of(bytes: Bytes) -> Self {
        let (file, mut blocks) = import(PROFILE, bytes.clone());
        let mut folder = DirectoryImport::new(PROFILE);
        let tsize = blocks.iter().map(|block| block.data().len() as u64).sum();
        folder.add(Entry { name: NAME.to_owned(), cid: file, tsize });
        let folder = folder.finish().expect("one name does not collide");
        blocks.extend(folder.blocks);
        let root = folder.cid.to_v1();
        let names = vec![NAME.to_owned()];
        Self { root, names, file, profile: Some(PROFILE), bytes, blocks }
    }

    /// The path below the root, percent-encoded.
    pub(crate) fn below(&self) -> String {
        let mut path = String::new();
        for name in &self.names {
            path.push('/');
            path.extend(encode_segment(name));
        }
        path
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> String {
        format!("/ipfs/{}{}", self.root, self.below())
    }

    /// Whether these are the bytes of the file: rebuilt and hashed if it is known how it was
    /// imported, else compared with bytes that were proven before.
    pub(crate) fn is(&self, bytes: &Bytes) -> bool {
        match self.profile {
            Some(profile) => import(profile, bytes.clone()).0 == self.file,
            None => *bytes == self.bytes,
        }
    }

    /// All blocks as a CAR.
    pub(crate) fn car(&self) -> Bytes {
        self.car_from(&self.root)
    }

    /// All blocks as a CAR that begins at the file.
    #[cfg(test)]
    pub(crate) fn car_of_file(&self) -> Bytes {
        self.car_from(&self.file)
    }

    fn car_from(&self, root: &Cid) -> Bytes {
        let mut archive = car::header(&[*root]);
        for block in &self.blocks {
            archive.extend(car::section_prefix(block.cid(), block.data().len()));
            archive.extend_from_slice(block.data());
        }
        archive.into()
    }
}

/// A CID of bytes that nobody has.
pub(crate) fn nobody_has() -> Cid {
    let mut random = [0; 32];
    rand::rng().fill_bytes(&mut random);
    *Block::of(ipfs::Codec::Raw, random.to_vec().into()).expect("it is small").cid()
}

fn import(profile: Profile, bytes: Bytes) -> (Cid, Vec<Block>) {
    let mut file = FileImport::new(profile);
    let mut blocks = file.push(bytes);
    let imported = file.finish();
    blocks.extend(imported.blocks);
    (imported.cid, blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_content_is_the_same_for_ever_and_has_several_blocks() {
        let one = Content::fixed();
        assert_eq!(one.root, Content::fixed().root);
        assert!(one.blocks.len() >= 4, "{}", one.blocks.len());
        assert!(one.is(&one.bytes.clone()));
        assert!(!one.is(&Bytes::from_static(b"other")));
        assert!(one.path().ends_with("/canary.txt"));
    }

    #[test]
    fn random_content_is_never_the_same() {
        assert_ne!(Content::random(64).root, Content::random(64).root);
        assert_ne!(nobody_has(), nobody_has());
    }
}
