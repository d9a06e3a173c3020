//! Structures, maps and nested lists as JSON.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use bytes::{BufMut, BytesMut};

use super::Zone;
use super::column::{Cells, cells, is_bare_in_json};
use super::list::parts;

pub(super) struct JsonCells {
    array: ArrayRef,
    kind: Kind,
}

enum Kind {
    Object(Vec<(String, JsonCells)>),
    /// Keys, values, and where the entries of a row begin.
    Map(Box<dyn Cells>, Box<JsonCells>, Vec<usize>),
    List(Box<JsonCells>, Vec<usize>),
    Truth,
    Number(Box<dyn Cells>),
    Text(Box<dyn Cells>),
}

impl JsonCells {
    pub(super) fn new(array: &ArrayRef, zone: &Zone) -> Result<Self, ArrowError> {
        let kind = match array.data_type() {
            DataType::Struct(fields) => {
                let children = fields.iter().zip(array.as_struct().columns());
                let child = |(field, values): (&arrow::datatypes::FieldRef, &ArrayRef)| {
                    Ok((field.name().clone(), Self::new(values, zone)?))
                };
                Kind::Object(children.map(child).collect::<Result<_, ArrowError>>()?)
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let offsets = map.value_offsets().iter().map(|&offset| offset as usize).collect();
                Kind::Map(cells(map.keys(), zone)?, Box::new(Self::new(map.values(), zone)?), offsets)
            }
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
                let (_, offsets, values) = parts(array)?;
                Kind::List(Box::new(Self::new(&values, zone)?), offsets)
            }
            DataType::Boolean => Kind::Truth,
            number if is_bare_in_json(number) => Kind::Number(cells(array, zone)?),
            _ => Kind::Text(cells(array, zone)?),
        };
        Ok(Self { array: array.clone(), kind })
    }

    fn put(&self, row: usize, out: &mut BytesMut) {
        if self.array.is_null(row) {
            out.put_slice(b"null");
            return;
        }
        match &self.kind {
            Kind::Truth => out.put_slice(if self.array.as_boolean().value(row) { b"true" } else { b"false" }),
            Kind::Number(cells) => {
                let start = out.len();
                cells.put_text(row, out);
                // NaN and the infinities are no numbers of JSON.
                if out[start..].iter().any(|byte| matches!(byte, b'N' | b'I')) {
                    quote(out, start);
                }
            }
            Kind::Text(cells) => {
                let start = out.len();
                cells.put_text(row, out);
                quote(out, start);
            }
            Kind::Object(members) => {
                out.put_u8(b'{');
                for (index, (name, values)) in members.iter().enumerate() {
                    separate(out, index);
                    let start = out.len();
                    out.put_slice(name.as_bytes());
                    quote(out, start);
                    out.put_u8(b':');
                    values.put(row, out);
                }
                out.put_u8(b'}');
            }
            Kind::Map(keys, values, offsets) => {
                out.put_u8(b'{');
                for (index, entry) in (offsets[row]..offsets[row + 1]).enumerate() {
                    separate(out, index);
                    let start = out.len();
                    keys.put_text(entry, out);
                    quote(out, start);
                    out.put_u8(b':');
                    values.put(entry, out);
                }
                out.put_u8(b'}');
            }
            Kind::List(values, offsets) => {
                out.put_u8(b'[');
                for (index, element) in (offsets[row]..offsets[row + 1]).enumerate() {
                    separate(out, index);
                    values.put(element, out);
                }
                out.put_u8(b']');
            }
        }
    }
}

impl Cells for JsonCells {
    fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }
    fn put_text(&self, row: usize, out: &mut BytesMut) {
        self.put(row, out);
    }
    fn put_binary(&self, row: usize, out: &mut BytesMut) {
        self.put(row, out);
    }
}

fn separate(out: &mut BytesMut, index: usize) {
    if index > 0 {
        out.put_u8(b',');
    }
}

/// Makes a JSON text of what was written since `start`.
fn quote(out: &mut BytesMut, start: usize) {
    let text = out[start..].to_vec();
    out.truncate(start);
    out.put_u8(b'"');
    for &byte in &text {
        match byte {
            b'"' | b'\\' => out.put_slice(&[b'\\', byte]),
            0..0x20 => out.put_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.put_u8(byte),
        }
    }
    out.put_u8(b'"');
}
