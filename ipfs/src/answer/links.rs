//! What a page links to: the values of its `href` attributes, as a set.
//!
//! A build may draw a folder in another way, and has to list the same entries all the same. This is
//! no parser of HTML: an attribute is what looks like one, in both answers alike.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

/// Most different links of a page that is compared.
const LINKS_MAX: usize = 4096;
/// Longest link that is read.
const LINK_BYTES_MAX: usize = 8 * 1024;
/// What a link follows.
const BEFORE: &[u8] = b"href=\"";

/// Reads a page as it streams.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// How much of [`BEFORE`] the last bytes are.
    matched: usize,
    /// The link that is being read.
    link: Option<Vec<u8>>,
    found: HashSet<u64>,
    too_many: bool,
}

impl Links {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match &mut self.link {
                Some(link) if *byte == b'"' => {
                    let hash = Sha256::digest(&*link);
                    let hash = u64::from_le_bytes(hash[..8].try_into().expect("eight bytes"));
                    self.link = None;
                    self.too_many |= self.found.len() >= LINKS_MAX;
                    if !self.too_many {
                        self.found.insert(hash);
                    }
                }
                Some(link) if link.len() < LINK_BYTES_MAX => link.push(*byte),
                Some(_) => self.too_many = true,
                None if *byte == BEFORE[self.matched] => {
                    self.matched += 1;
                    if self.matched == BEFORE.len() {
                        (self.matched, self.link) = (0, Some(Vec::new()));
                    }
                }
                None => self.matched = usize::from(*byte == BEFORE[0]),
            }
        }
    }

    /// A hash of the set; none when there were too many.
    pub(super) fn finish(self) -> Option<u64> {
        let sum = self.found.iter().fold(0_u64, |sum, link| sum.wrapping_add(*link));
        (!self.too_many).then_some(sum)
    }
}
