//! The headers of CARv1 and CARv2.
//!
//! A CARv1 header is a small dag-cbor map; only that shape is read, with both orders of its keys,
//! because a general CBOR reader would be the larger surface to attack.

use crate::car::CarError;
use crate::cid::Cid;

/// Length of what follows the pragma of a CARv2.
pub(super) const V2_HEADER_BYTES: usize = 40;
/// Length of the pragma of a CARv2.
const V2_PRAGMA_BYTES: u64 = 11;
/// The tag of a CID in dag-cbor.
const CID_TAG: u64 = 42;

/// What the first section of an archive says.
pub(super) enum Header {
    /// A CARv1 and the roots that it claims.
    V1(Vec<Cid>),
    /// A CARv2, whose own header follows.
    V2,
}

/// The header of a CARv1 with its length prefix.
pub fn encode(roots: &[Cid]) -> Vec<u8> {
    let mut map = vec![0xa2, 0x65];
    map.extend_from_slice(b"roots");
    write_head(&mut map, 4, roots.len() as u64);
    for root in roots {
        let cid = root.to_bytes();
        write_head(&mut map, 6, CID_TAG);
        write_head(&mut map, 2, cid.len() as u64 + 1);
        map.push(0);
        map.extend_from_slice(&cid);
    }
    map.push(0x67);
    map.extend_from_slice(b"version\x01");
    let mut buffer = unsigned_varint::encode::usize_buffer();
    let mut header = unsigned_varint::encode::usize(map.len(), &mut buffer).to_vec();
    header.append(&mut map);
    header
}

/// Reads a first section.
pub(super) fn decode(bytes: &[u8]) -> Result<Header, CarError> {
    let mut cursor = Cursor(bytes);
    let keys = cursor.head(5, "the header is not a map")?;
    let mut roots = None;
    let mut version = None;
    for _ in 0..keys {
        match cursor.text()? {
            b"roots" if roots.is_none() => roots = Some(cursor.roots()?),
            b"version" if version.is_none() => {
                version = Some(cursor.head(0, "the version is not a number")?);
            }
            _ => return Err(CarError::NotACar("an unknown key in the header")),
        }
    }
    if !cursor.0.is_empty() {
        return Err(CarError::NotACar("bytes behind the header"));
    }
    match (version, roots) {
        (Some(1), Some(roots)) => Ok(Header::V1(roots)),
        (Some(1), None) => Err(CarError::NotACar("a header without roots")),
        (Some(2), None) => Ok(Header::V2),
        _ => Err(CarError::NotACar("an unknown version")),
    }
}

/// Reads what follows a CARv2 pragma: the padding before the data, and the data's length.
pub(super) fn decode_v2(bytes: &[u8]) -> Result<(u64, u64), CarError> {
    let field = |at: usize| {
        let bytes = bytes.get(at..at + 8).ok_or(CarError::NotACar("a short CARv2 header"))?;
        Ok::<u64, CarError>(u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
    };
    let (offset, size) = (field(16)?, field(24)?);
    let padding = offset
        .checked_sub(V2_PRAGMA_BYTES + V2_HEADER_BYTES as u64)
        .ok_or(CarError::NotACar("data before the end of the CARv2 header"))?;
    Ok((padding, size))
}

/// Writes the head of a CBOR item in its shortest form.
fn write_head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    match value {
        0..24 => out.push(major | u8::try_from(value).expect("below 24")),
        24..0x100 => out.extend([major | 24, u8::try_from(value).expect("below 256")]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend(u16::try_from(value).expect("below 65536").to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend(u32::try_from(value).expect("below 2^32").to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend(value.to_be_bytes());
        }
    }
}

/// What is left of a header.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], CarError> {
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or(CarError::NotACar("a header cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// Reads the head of an item that must be of one major type; returns its value.
    fn head(&mut self, major: u8, otherwise: &'static str) -> Result<u64, CarError> {
        let first = self.take(1)?[0];
        if first >> 5 != major {
            return Err(CarError::NotACar(otherwise));
        }
        let width = match first & 0x1f {
            small @ 0..24 => return Ok(u64::from(small)),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => {
                return Err(CarError::NotACar("an item of indefinite length in the header"));
            }
        };
        Ok(self.take(width)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn string(&mut self, major: u8, otherwise: &'static str) -> Result<&'a [u8], CarError> {
        let length = self.head(major, otherwise)?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn text(&mut self) -> Result<&'a [u8], CarError> {
        self.string(3, "a key in the header is not text")
    }

    fn roots(&mut self) -> Result<Vec<Cid>, CarError> {
        let count = self.head(4, "the roots are not a list")?;
        let mut roots = Vec::new();
        for _ in 0..count {
            if self.head(6, "a root is not a CID")? != CID_TAG {
                return Err(CarError::NotACar("a root is not a CID"));
            }
            let bytes = self.string(2, "a root is not a CID")?;
            let [0, cid @ ..] = bytes else {
                return Err(CarError::NotACar("a root is not a binary CID"));
            };
            let cid = Cid::from_bytes(cid).map_err(|source| CarError::Cid { index: 0, source })?;
            roots.push(cid);
        }
        Ok(roots)
    }
}
