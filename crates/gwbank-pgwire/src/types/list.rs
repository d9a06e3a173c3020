//! Lists as arrays of one dimension.

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use bytes::{BufMut, BytesMut};

use super::column::{Cells, cells};
use super::{PgType, Zone};

pub(super) struct ListCells {
    lists: ArrayRef,
    /// Where the elements of a row begin; one more than there are rows.
    offsets: Vec<usize>,
    elements: Box<dyn Cells>,
    element_oid: u32,
}

impl ListCells {
    pub(super) fn new(array: &ArrayRef, zone: &Zone) -> Result<Self, ArrowError> {
        let (lists, offsets, values) = parts(array)?;
        let element_oid = PgType::of(values.data_type()).oid();
        Ok(Self { lists, offsets, elements: cells(&values, zone)?, element_oid })
    }
}

/// The lists, where each begins, and the elements of all.
pub(super) fn parts(array: &ArrayRef) -> Result<(ArrayRef, Vec<usize>, ArrayRef), ArrowError> {
    fn of<O: OffsetSizeTrait>(array: &ArrayRef) -> (ArrayRef, Vec<usize>, ArrayRef) {
        let lists = array.as_list::<O>();
        let offsets = lists.value_offsets().iter().map(|offset| offset.as_usize()).collect();
        (array.clone(), offsets, lists.values().clone())
    }
    Ok(match array.data_type() {
        DataType::LargeList(_) => of::<i64>(array),
        DataType::FixedSizeList(field, _) => of::<i32>(&cast(array, &DataType::List(field.clone()))?),
        _ => of::<i32>(array),
    })
}

impl Cells for ListCells {
    fn is_null(&self, row: usize) -> bool {
        self.lists.is_null(row)
    }

    fn put_text(&self, row: usize, out: &mut BytesMut) {
        out.put_u8(b'{');
        let range = self.offsets[row]..self.offsets[row + 1];
        for element in range.clone() {
            if element > range.start {
                out.put_u8(b',');
            }
            if self.elements.is_null(element) {
                out.put_slice(b"NULL");
            } else {
                let start = out.len();
                self.elements.put_text(element, out);
                quote(out, start);
            }
        }
        out.put_u8(b'}');
    }

    fn put_binary(&self, row: usize, out: &mut BytesMut) {
        let range = self.offsets[row]..self.offsets[row + 1];
        let has_nulls = range.clone().any(|element| self.elements.is_null(element));
        out.put_i32(i32::from(!range.is_empty()));
        out.put_i32(has_nulls.into());
        out.put_u32(self.element_oid);
        if range.is_empty() {
            return;
        }
        out.put_i32(range.len() as i32);
        out.put_i32(1); // the first has number 1
        for element in range {
            if self.elements.is_null(element) {
                out.put_i32(-1);
                continue;
            }
            let start = out.len();
            out.put_i32(0);
            self.elements.put_binary(element, out);
            let length = (out.len() - start - 4) as i32;
            out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// Puts what was written since `start` into quotes where an array needs them.
fn quote(out: &mut BytesMut, start: usize) {
    let element = &out[start..];
    let special = |byte: &u8| matches!(byte, b'{' | b'}' | b',' | b'"' | b'\\') || byte.is_ascii_whitespace();
    if !element.is_empty() && !element.eq_ignore_ascii_case(b"NULL") && !element.iter().any(special) {
        return;
    }
    let element = out[start..].to_vec();
    out.truncate(start);
    out.put_u8(b'"');
    for &byte in &element {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(byte);
    }
    out.put_u8(b'"');
}

/// The elements of an array in text form; `None` where it is none of one dimension.
pub fn elements(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    let mut letters = inner.chars().peekable();
    if inner.trim().is_empty() {
        return Some(elements);
    }
    loop {
        while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
        let mut element = String::new();
        let quoted = letters.next_if_eq(&'"').is_some();
        loop {
            match letters.next() {
                Some('"') if quoted => break,
                Some('\\') => element.push(letters.next()?),
                Some('{' | '}' | '"') if !quoted => return None,
                Some(',') if !quoted => {
                    elements.push(bare(element));
                    element = String::new();
                    while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
                    if letters.peek() == Some(&'"') {
                        break;
                    }
                }
                Some(letter) => element.push(letter),
                None if quoted => return None,
                None => {
                    elements.push(bare(element));
                    return Some(elements);
                }
            }
        }
        if quoted {
            elements.push(Some(element));
            while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
            match letters.next() {
                Some(',') => {}
                None => return Some(elements),
                Some(_) => return None,
            }
        }
    }
}

fn bare(element: String) -> Option<String> {
    let element = element.trim_end();
    (!element.eq_ignore_ascii_case("null")).then(|| element.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ListArray, StringBuilder, builder::ListBuilder};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn list(elements: &[Option<String>]) -> ArrayRef {
        let mut builder = ListBuilder::new(StringBuilder::new());
        builder.append_value(elements.iter().map(Option::as_deref));
        let lists: ListArray = builder.finish();
        Arc::new(lists)
    }

    #[test]
    fn odd_elements_are_quoted() {
        let texts = ["a", "", "null", "a b", "x\"y", "c\\d", "{}"].map(|text| Some(text.to_owned()));
        let cells = ListCells::new(&list(&texts), &Zone::utc()).unwrap();
        let mut out = BytesMut::new();
        cells.put_text(0, &mut out);
        assert_eq!(out, r#"{a,"","null","a b","x\"y","c\\d","{}"}"#);
    }

    #[test]
    fn elements_of_texts() {
        let found = |text| elements(text).map(|list| list.into_iter().map(|e| e.unwrap_or("-".into())).collect());
        assert_eq!(found("{}"), Some(Vec::<String>::new()));
        assert_eq!(found("{a, NULL ,\"b,c\"}"), Some(vec!["a".to_owned(), "-".into(), "b,c".into()]));
        for bad in ["", "a", "{{1},{2}}", "{\"a}", "{\"a\"b}"] {
            assert_eq!(elements(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn arrays_come_back(texts in proptest::collection::vec(proptest::option::of("\\PC{0,6}"), 0..6)) {
            let cells = ListCells::new(&list(&texts), &Zone::utc()).unwrap();
            let mut out = BytesMut::new();
            cells.put_text(0, &mut out);
            let text = String::from_utf8(out.to_vec()).unwrap();
            prop_assert_eq!(elements(&text), Some(texts), "{}", text);
        }
    }
}
