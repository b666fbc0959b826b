//! IPNS: names that are keys, and records in which a key says what its name stands for.
//!
//! A record is proven against the name that it was asked for and against nothing else, so it may
//! come from anyone. Whether it is still valid is another question, with the time as its
//! parameter: what is proven stays proven and can be kept.

mod entry;
mod name;
mod record;
mod time;

pub use self::name::{Name, NameError};
pub use self::record::{RECORD_BYTES_MAX, Record, RecordError, TTL_MAX, create};
