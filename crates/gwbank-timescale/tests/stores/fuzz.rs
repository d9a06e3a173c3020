//! Arbitrary bytes in place of a COPY.

use gwbank_timescale::fuzz::read_copy;
use proptest::prelude::*;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: &[u8] = &[0xff, 0xff];

/// The fields of one revision, in the order of the schema.
fn fields() -> Vec<Option<Vec<u8>>> {
    vec![
        Some(1i32.to_be_bytes().to_vec()),                   // series
        Some(700_000_000_000_000i64.to_be_bytes().to_vec()), // time
        Some(12.5f64.to_be_bytes().to_vec()),                // value
        None,                                                // site_status
        Some(1i16.to_be_bytes().to_vec()),                   // quality
        Some(3i32.to_be_bytes().to_vec()),                   // qc_tests
        Some(1i16.to_be_bytes().to_vec()),                   // time_source
        Some(1i32.to_be_bytes().to_vec()),                   // gateway
        Some(2i64.to_be_bytes().to_vec()),                   // revision
        Some((1i64 << 40).to_be_bytes().to_vec()),           // seq
        Some(b"2565-06-07 12:00".to_vec()),                  // time_raw
        Some((2i64 << 40).to_be_bytes().to_vec()),           // superseded_seq
        Some(700_000_000_000_001i64.to_be_bytes().to_vec()), // superseded_at
        Some(b"correction".to_vec()),                        // cause
    ]
}

fn tuple(fields: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut bytes = (fields.len() as i16).to_be_bytes().to_vec();
    for field in fields {
        bytes.extend(field.as_ref().map_or(-1, |field| field.len() as i32).to_be_bytes());
        bytes.extend(field.iter().flatten());
    }
    bytes
}

fn copy(tuples: &[Vec<u8>]) -> Vec<u8> {
    [HEADER, &tuples.concat(), TRAILER].concat()
}

#[test]
fn pieces_may_be_cut_anywhere() {
    let bytes = copy(&[tuple(&fields()), tuple(&fields())]);
    let whole = read_copy(&bytes, bytes.len()).unwrap();
    assert_eq!((whole.num_rows(), whole.num_columns()), (2, 15));
    for piece_bytes in 1..bytes.len() {
        assert_eq!(read_copy(&bytes, piece_bytes).unwrap(), whole);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), piece in 1usize..40) {
        prop_assert!(read_copy(&bytes, piece).is_err());
    }

    #[test]
    fn arbitrary_fields_give_a_row_or_an_error(
        edits in proptest::collection::vec(
            (any::<prop::sample::Index>(), proptest::option::of(proptest::collection::vec(any::<u8>(), 0..12))),
            1..4,
        ),
        piece in 1usize..200,
    ) {
        let mut fields = fields();
        for (index, field) in edits {
            let at = index.index(fields.len());
            fields[at] = field;
        }
        let bytes = copy(&[tuple(&fields)]);
        prop_assert_eq!(read_copy(&bytes, piece), read_copy(&bytes, bytes.len()));
    }

    #[test]
    fn changed_bytes_give_the_same_however_they_are_cut(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
        piece in 1usize..200,
    ) {
        let mut bytes = copy(&[tuple(&fields()), tuple(&fields()), tuple(&fields())]);
        for (index, byte, kind) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => { bytes.remove(at); }
                _ => bytes.truncate(at),
            }
        }
        let whole = read_copy(&bytes, bytes.len());
        prop_assert!(whole.as_ref().map_or(true, |batch| batch.num_rows() <= 3));
        prop_assert_eq!(read_copy(&bytes, piece), whole);
    }
}
