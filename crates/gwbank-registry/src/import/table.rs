//! CSV into lines.

use super::Faults;
use super::line::Line;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

pub(crate) fn read(bytes: &[u8], columns: &'static [&'static str], faults: &mut Faults) -> Vec<Line> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut records = reader.byte_records();
    let header = match records.next() {
        Some(Ok(header)) => header,
        _ => {
            faults.add(
                1,
                "",
                "",
                "the file is empty",
                format!("name the columns on the first line: {}", columns.join(",")),
            );
            return Vec::new();
        }
    };
    let Some(order) = read_header(&header, columns, faults) else { return Vec::new() };
    let mut lines = Vec::new();
    for record in records {
        // Only input and output errors remain with a flexible reader, and a slice has none.
        let Ok(record) = record else { continue };
        let mut line = Line::new(record.position().map_or(0, csv::Position::line), columns);
        if record.iter().all(|field| field.trim_ascii().is_empty()) {
            continue; // spreadsheets leave such lines at the end
        }
        if record.len() != order.len() {
            let problem = format!("{} fields instead of {}", record.len(), order.len());
            faults.add(
                line.number,
                "",
                "",
                problem,
                "give every column of the first line; quote fields that hold commas",
            );
            continue;
        }
        for (&column, field) in order.iter().zip(&record) {
            match std::str::from_utf8(field) {
                Ok(text) => line.fields[column] = Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
                Err(_) => {
                    let shown = String::from_utf8_lossy(field);
                    faults.add(line.number, columns[column], &shown, "not UTF-8", "save the file as \"CSV UTF-8\"");
                }
            }
        }
        lines.push(line);
    }
    lines
}

/// For each column of the file its place among the known ones.
fn read_header(header: &csv::ByteRecord, columns: &'static [&'static str], faults: &mut Faults) -> Option<Vec<usize>> {
    let mut order = Vec::new();
    for name in header {
        let name = String::from_utf8_lossy(name).trim().to_owned();
        match columns.iter().position(|known| *known == name) {
            Some(index) if order.contains(&index) => faults.add(1, &name, "", "the column is there twice", "keep one"),
            Some(index) => order.push(index),
            None if header.len() == 1 && name.contains([';', '\t']) => {
                faults.add(1, "", &name, "the columns are not separated by commas", "save with commas");
            }
            None => faults.add(1, &name, "", "unknown column", format!("known columns: {}", columns.join(", "))),
        }
    }
    (order.len() == header.len()).then_some(order)
}
