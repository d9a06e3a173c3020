//! What `COPY … TO STDOUT (FORMAT binary)` sends.
//!
//! # Format
//! All numbers are big-endian.
//! ```text
//! header   "PGCOPY\n\xff\r\n\0"   flags: u32   extension: length u32, bytes
//! tuple    number of fields: i16   each field: length i32 (-1 is NULL), bytes
//! trailer  -1: i16
//! ```
//!
//! # Rules
//! 1. Pieces may be cut anywhere, though a server sends a tuple at a time.
//! 2. Only the trailer is an end: without it an answer was cut short.
//! 3. Bytes that are no COPY of so many columns are an error. No length is believed that nothing of ours can have, so that
//!    what is kept of a tuple that has only begun is bounded.

/// Longest field: texts of ours are far shorter.
const FIELD_BYTES_MAX: usize = 64 * 1024;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// A reader that does not know one of these flags must give up.
const CRITICAL_FLAGS: u32 = 0xffff_0000;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("an answer does not begin as a binary COPY")]
    Signature,
    #[error("a COPY has the flags {0:#010x}")]
    Flags(u32),
    #[error("a row has {found} columns in place of {expected}")]
    Columns { found: i16, expected: usize },
    #[error("a length is {0}")]
    Length(i64),
    #[error("a COPY goes on after its end")]
    BeyondEnd,
    #[error("a COPY was cut short")]
    CutShort,
}

/// The fields of a tuple that is whole, from left to right.
#[derive(Debug)]
pub(crate) struct Tuple<'a>(&'a [u8]);

impl<'a> Tuple<'a> {
    /// `None` is NULL.
    pub fn field(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok();
        let (field, rest) = match length {
            None => (None, rest),
            Some(length) => rest.split_at_checked(length).map(|(field, rest)| (Some(field), rest))?,
        };
        self.0 = rest;
        field
    }
}

/// Takes a COPY in pieces.
#[derive(Debug)]
pub(crate) struct CopyReader {
    columns: usize,
    expected: Expected,
    /// What came of the header or of a tuple that is not whole yet.
    begun: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    Header,
    Tuple,
    Nothing,
}

enum Found<'a> {
    Header,
    Tuple(Tuple<'a>),
    Trailer,
}

impl CopyReader {
    pub fn new(columns: usize) -> Self {
        Self { columns, expected: Expected::Header, begun: Vec::new() }
    }

    /// Gives every tuple that is whole with this piece.
    pub fn take<E: From<CopyError>>(
        &mut self,
        piece: &[u8],
        mut tuple: impl FnMut(Tuple<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.begun.is_empty() {
            let rest = self.read(piece, &mut tuple)?;
            self.begun.extend_from_slice(rest);
            return Ok(());
        }
        let mut begun = std::mem::take(&mut self.begun);
        begun.extend_from_slice(piece);
        let rest = self.read(&begun, &mut tuple)?.len();
        begun.drain(..begun.len() - rest);
        self.begun = begun;
        Ok(())
    }

    /// After the last piece.
    pub fn finish(&self) -> Result<(), CopyError> {
        if self.expected == Expected::Nothing { Ok(()) } else { Err(CopyError::CutShort) }
    }

    /// Gives what is not whole.
    fn read<'a, E: From<CopyError>>(
        &mut self,
        mut bytes: &'a [u8],
        tuple: &mut impl FnMut(Tuple<'_>) -> Result<(), E>,
    ) -> Result<&'a [u8], E> {
        while let Some((found, rest)) = self.next(bytes)? {
            match found {
                Found::Header => self.expected = Expected::Tuple,
                Found::Tuple(whole) => tuple(whole)?,
                Found::Trailer => self.expected = Expected::Nothing,
            }
            bytes = rest;
        }
        Ok(bytes)
    }

    /// `None` where it is not whole.
    fn next<'a>(&self, bytes: &'a [u8]) -> Result<Option<(Found<'a>, &'a [u8])>, CopyError> {
        match self.expected {
            Expected::Header => Ok(after_header(bytes)?.map(|rest| (Found::Header, rest))),
            Expected::Nothing if bytes.is_empty() => Ok(None),
            Expected::Nothing => Err(CopyError::BeyondEnd),
            Expected::Tuple => {
                let Some((columns, fields)) = bytes.split_first_chunk() else { return Ok(None) };
                let columns = i16::from_be_bytes(*columns);
                if columns == -1 {
                    return Ok(Some((Found::Trailer, fields)));
                }
                if usize::try_from(columns) != Ok(self.columns) {
                    return Err(CopyError::Columns { found: columns, expected: self.columns });
                }
                let Some(rest) = after_fields(fields, self.columns)? else { return Ok(None) };
                let tuple = Tuple(&fields[..fields.len() - rest.len()]);
                Ok(Some((Found::Tuple(tuple), rest)))
            }
        }
    }
}

fn after_header(bytes: &[u8]) -> Result<Option<&[u8]>, CopyError> {
    let Some((signature, rest)) = bytes.split_first_chunk() else {
        return if SIGNATURE.starts_with(bytes) { Ok(None) } else { Err(CopyError::Signature) };
    };
    if signature != SIGNATURE {
        return Err(CopyError::Signature);
    }
    let Some((flags, rest)) = rest.split_first_chunk() else { return Ok(None) };
    let flags = u32::from_be_bytes(*flags);
    if flags & CRITICAL_FLAGS != 0 {
        return Err(CopyError::Flags(flags));
    }
    let Some((extension, rest)) = rest.split_first_chunk() else { return Ok(None) };
    after(rest, i64::from(u32::from_be_bytes(*extension)))
}

fn after_fields(mut bytes: &[u8], fields: usize) -> Result<Option<&[u8]>, CopyError> {
    for _ in 0..fields {
        let Some((length, rest)) = bytes.split_first_chunk() else { return Ok(None) };
        let length = i32::from_be_bytes(*length);
        let Some(rest) = (if length == -1 { Some(rest) } else { after(rest, i64::from(length))? }) else {
            return Ok(None);
        };
        bytes = rest;
    }
    Ok(Some(bytes))
}

fn after(bytes: &[u8], length: i64) -> Result<Option<&[u8]>, CopyError> {
    match usize::try_from(length) {
        Ok(length) if length <= FIELD_BYTES_MAX => Ok(bytes.get(length..)),
        _ => Err(CopyError::Length(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(field: Option<&[u8]>) -> Vec<u8> {
        let length = field.map_or(-1, |field| field.len() as i32);
        [&length.to_be_bytes(), field.unwrap_or_default()].concat()
    }

    /// Two tuples of two fields after an extension of three bytes.
    fn valid() -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0, 0, 0, 1, 0, 0, 0, 3, 7, 7, 7]);
        for (one, other) in [(Some(&b"a"[..]), None), (Some(b""), Some(&b"bcd"[..]))] {
            bytes.extend([0, 2]);
            bytes.extend(field(one));
            bytes.extend(field(other));
        }
        bytes.extend([0xff, 0xff]);
        bytes
    }

    type Fields = Vec<Option<Vec<u8>>>;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Fields>, CopyError> {
        let mut reader = CopyReader::new(2);
        let mut tuples = Vec::new();
        for piece in pieces {
            reader.take(piece, |mut tuple| {
                tuples.push(vec![tuple.field().map(<[u8]>::to_vec), tuple.field().map(<[u8]>::to_vec)]);
                Ok::<_, CopyError>(())
            })?;
        }
        reader.finish().map(|()| tuples)
    }

    #[test]
    fn pieces_may_be_cut_anywhere() {
        let bytes = valid();
        let expected: Vec<Fields> =
            vec![vec![Some(b"a".to_vec()), None], vec![Some(Vec::new()), Some(b"bcd".to_vec())]];
        for cut in 0..=bytes.len() {
            let (one, other) = bytes.split_at(cut);
            assert_eq!(read([one, other]).unwrap(), expected, "cut at {cut}");
        }
        assert_eq!(read(bytes.chunks(1)).unwrap(), expected);
    }

    #[test]
    fn an_answer_without_its_end_is_cut_short() {
        let bytes = valid();
        for end in 0..bytes.len() {
            assert!(matches!(read([&bytes[..end]]), Err(CopyError::CutShort)), "ends at {end}");
        }
    }

    #[test]
    fn what_no_copy_of_ours_has_is_refused() {
        let edited = |at: usize, new: &[u8]| {
            let mut bytes = valid();
            bytes[at..at + new.len()].copy_from_slice(new);
            read([&bytes[..]])
        };
        assert!(matches!(edited(3, b"X"), Err(CopyError::Signature)));
        assert!(matches!(read([&b"SELECT"[..]]), Err(CopyError::Signature)));
        assert!(matches!(edited(12, &[1]), Err(CopyError::Flags(0x0001_0001)))); // with OIDs
        assert!(matches!(edited(15, &[0xff; 4]), Err(CopyError::Length(0xffff_ffff))));
        assert!(matches!(edited(22, &[0, 3]), Err(CopyError::Columns { found: 3, expected: 2 })));
        assert!(matches!(edited(24, &[0x7f, 0xff, 0xff, 0xff]), Err(CopyError::Length(0x7fff_ffff))));
        assert!(matches!(edited(24, &[0xff, 0xff, 0xff, 0xfe]), Err(CopyError::Length(-2))));
        assert!(matches!(read([&valid()[..], b"x"]), Err(CopyError::BeyondEnd)));
    }
}
