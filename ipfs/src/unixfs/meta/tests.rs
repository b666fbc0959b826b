//! Claims about the UnixFS message.

use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8]) -> Result<Meta, UnixfsError> {
    Meta::decode(&Bytes::copy_from_slice(bytes))
}

#[test]
fn what_was_written_is_read() {
    let meta = Meta {
        data: Bytes::from_static(b"data"),
        data_present: true,
        filesize: Some(u64::MAX),
        blocksizes: vec![0, 1, 1 << 40],
        mode: Some(0o755),
        mtime: Some(Mtime { seconds: -5, nanoseconds: 999_999_999 }),
        ..Meta::new(Kind::File)
    };
    assert_eq!(read(&meta.encode()), Ok(meta));
}

#[test]
fn packed_sizes_are_read() {
    let bytes = [0x08, 0x02, 0x22, 0x03, 0x01, 0x80, 0x01];
    assert_eq!(read(&bytes).expect("packed").blocksizes, [1, 128]);
}

#[test]
fn message_without_a_known_kind_is_refused() {
    assert_eq!(read(&[]), Err(UnixfsError::NoKind));
    assert_eq!(read(&[0x08, 0x09]), Err(UnixfsError::UnknownKind(9)));
    assert!(read(&[0x08]).is_err());
    assert!(read(b"not protobuf").is_err());
}

#[test]
fn time_that_makes_no_sense_is_no_time() {
    let with_mtime = |inner: &[u8]| {
        let mut bytes = vec![0x08, 0x02, 0x42, u8::try_from(inner.len()).expect("short")];
        bytes.extend_from_slice(inner);
        read(&bytes).expect("the file is still a file").mtime
    };
    assert_eq!(with_mtime(&[0x15, 0xff, 0xff, 0xff, 0xff]), None);
    assert_eq!(with_mtime(&[0x08, 0x01, 0x15, 0xff, 0xff, 0xff, 0xff]), None);
    assert_eq!(with_mtime(&[0x08, 0x01]), Some(Mtime { seconds: 1, nanoseconds: 0 }));
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes: Vec<u8>) {
        std::hint::black_box(read(&bytes).is_ok());
    }
}
