//! Protobuf fields, read one at a time from shared bytes and written one at a time.
//!
//! A generated decoder builds every list before anyone can look at its length; reading field by field
//! lets the caller stop, and bytes stay where they arrived.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::WireError;

/// One field's content.
pub(super) enum Value {
    Varint(u64),
    Bytes(Bytes),
    /// A fixed-width number, which no message of ours has.
    Fixed,
}

/// The fields of one message, in the order in which they were written.
pub(super) struct Fields(pub(super) Bytes);

impl Fields {
    /// The next field with its number, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value)>, WireError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.fixed(8)?,
            2 => {
                let size = usize::try_from(self.varint()?).map_err(|_| WireError::TooLong)?;
                if size > self.0.len() {
                    return Err(WireError::Malformed("a field is cut short"));
                }
                Value::Bytes(self.0.split_to(size))
            }
            5 => self.fixed(4)?,
            _ => return Err(WireError::Malformed("a field has an unknown wire type")),
        };
        Ok(Some((key >> 3, value)))
    }

    fn fixed(&mut self, size: usize) -> Result<Value, WireError> {
        if size > self.0.len() {
            return Err(WireError::Malformed("a number is cut short"));
        }
        self.0.advance(size);
        Ok(Value::Fixed)
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut number = 0;
        for shift in (0..70).step_by(7) {
            let Some(&byte) = self.0.first() else {
                return Err(WireError::Malformed("a varint is cut short"));
            };
            self.0.advance(1);
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(WireError::Malformed("a varint has no end"))
    }
}

/// Writes a number as a varint.
pub(super) fn put_varint(out: &mut BytesMut, mut number: u64) {
    while number >= 0x80 {
        out.put_u8((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}

/// Length of a number as a varint.
pub(super) fn varint_len(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

/// Writes a number field, which is left out when it is zero as protobuf 3 does.
pub(super) fn put_number(out: &mut BytesMut, field: u64, number: u64) {
    if number != 0 {
        put_varint(out, field << 3);
        put_varint(out, number);
    }
}

/// Writes the head of a field of bytes; its content must follow.
pub(super) fn put_head(out: &mut BytesMut, field: u64, size: usize) {
    put_varint(out, field << 3 | 2);
    put_varint(out, size as u64);
}

/// Writes a field of bytes.
pub(super) fn put_bytes(out: &mut BytesMut, field: u64, bytes: &[u8]) {
    put_head(out, field, bytes.len());
    out.put_slice(bytes);
}

/// A protobuf `int32`, which is sign-extended to a varint of 64 bits.
pub(super) fn from_int32(number: i32) -> u64 {
    i64::from(number) as u64
}

/// The `int32` of a varint: its low 32 bits, as protobuf truncates.
pub(super) fn to_int32(number: u64) -> i32 {
    number as u32 as i32
}
