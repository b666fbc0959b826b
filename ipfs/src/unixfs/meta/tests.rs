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
fn more_sizes_than_a_block_can_have_links_are_refused() {
    let packed = vec![1; SIZES_MAX + 1];
    let mut bytes = vec![0x08, 0x02];
    write_bytes(&mut bytes, 4, &packed);
    assert!(matches!(read(&bytes), Err(UnixfsError::Sizes(_))));
}

#[test]
fn size_is_the_sum_of_the_parts_and_what_is_declared() {
    let size = |filesize, data: &'static [u8], blocksizes: &[u64], links| {
        let data = Bytes::from_static(data);
        let blocksizes = blocksizes.to_vec();
        Meta { filesize, data, blocksizes, ..Meta::new(Kind::File) }.file_size(links).ok()
    };
    assert_eq!(size(Some(7), b"abc", &[4, 0], 2), Some(7));
    assert_eq!(size(None, b"", &[4], 1), Some(4));
    assert_eq!(size(None, b"", &[4], 2), None);
    assert_eq!(size(Some(8), b"abc", &[4], 1), None);
    assert_eq!(size(Some(1), b"", &[u64::MAX, 2], 2), None);
    assert_eq!(size(Some(1 << 63), b"", &[], 0), None);
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
