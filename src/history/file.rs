//! One file, row by row.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use arrow::array::{AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use gwbank_model::{Reading, SiteStatus, WellId};
use gwbank_wire::{Context, SourceKind};
use indicatif::ProgressBar;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::lines::UnixLines;
use super::map::{Map, Refused, Target};
use super::times::{self, TimeFormat};
use super::{BAD_ROWS_NAMED_MAX, RefusedRows, Tally};

/// Readings handed on at once: one journal record each, far below the bound of a posted message.
const BATCH_READINGS: usize = 5_000;

/// Takes readings in the order of the file.
pub type BatchSink<'a> = dyn FnMut(Vec<Reading>) -> Result<()> + 'a;

/// Reads a file from its first to its last row. `progress` advances by bytes of the file.
pub fn read_file(
    path: &Path,
    map: &Map,
    now: gwbank_model::Timestamp,
    progress: &ProgressBar,
    sink: &mut BatchSink<'_>,
) -> Result<Tally> {
    let context = Context {
        clock_zone: map.clock_zone(),
        sentinels: &map.sentinels,
        source: SourceKind::Import,
        ..Context::import(now)
    };
    let mut reader = RowReader::new(path, map, context, sink);
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let open = || File::open(path).with_context(|| format!("{} cannot be opened", path.display()));
    if name.ends_with(".parquet") {
        read_parquet(open()?, &mut reader, progress)?;
    } else if name.ends_with(".csv.gz") || name.ends_with(".gz") {
        let bytes = progress.wrap_read(open()?);
        read_csv(flate2::read::MultiGzDecoder::new(BufReader::new(bytes)), &mut reader)?;
    } else if name.ends_with(".csv") {
        read_csv(progress.wrap_read(open()?), &mut reader)?;
    } else {
        bail!("{}: only .csv, .csv.gz and .parquet are read", path.display());
    }
    reader.finish()
}

fn read_csv(source: impl Read, reader: &mut RowReader<'_, '_>) -> Result<()> {
    let delimiter = reader.map.delimiter_byte();
    let lines = UnixLines::new(source, delimiter);
    let open_quote = lines.open_quote();
    let mut csv = csv::ReaderBuilder::new().flexible(true).delimiter(delimiter).from_reader(lines);
    let headers = csv.headers().with_context(|| format!("{}: no header line", reader.path.display()))?.clone();
    let columns = Places::find(headers.iter().map(|name| name.trim_start_matches('\u{feff}')), reader)?;
    let mut record = csv::ByteRecord::new();
    loop {
        match csv.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => return Err(error).with_context(|| format!("{} breaks off", reader.path.display())),
        }
        // The reader stands behind the row's line end; a row begins above the line breaks within its fields.
        let breaks = record.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
        let line = match (breaks, record.position()) {
            (1.., Some(position)) => position.line(), // what a quote swallowed up to the end has no line end of its own
            _ => csv.position().line() - 1 - breaks,
        };
        if record.len() != headers.len() {
            reader.tally.rows += 1;
            let (found, expected) = (record.len(), headers.len());
            reader
                .bad(line, &format!("has {found} fields instead of {expected}: is it cut off, or a field not quoted?"));
            continue;
        }
        // Not UTF-8: the row is bad, the file goes on.
        match csv::StringRecord::from_byte_record(record) {
            Ok(text) => {
                reader.row(&columns, line, |place| text.get(place).unwrap_or_default())?;
                record = text.into_byte_record();
            }
            Err(error) => {
                record = error.into_byte_record();
                reader.tally.rows += 1;
                reader.bad(line, "is not UTF-8");
            }
        }
    }
    if let Some(line) = open_quote.get() {
        reader.tally.rows += 1;
        reader.bad(line, "opens a quote that is never closed: what follows it was not read");
    }
    Ok(())
}

fn read_parquet(file: File, reader: &mut RowReader<'_, '_>, progress: &ProgressBar) -> Result<()> {
    let bytes = file.metadata()?.len();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .with_context(|| format!("{} is no Parquet file", reader.path.display()))?;
    let rows = builder.metadata().file_metadata().num_rows().max(1) as u64;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let columns = Places::find(names.iter().map(String::as_str), reader)?;
    let mut line = 0;
    for batch in builder.build()? {
        let batch = batch.with_context(|| format!("{} breaks off", reader.path.display()))?;
        let texts: Vec<StringArray> = batch
            .columns()
            .iter()
            .map(|column| Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone()))
            .collect::<Result<_>>()?;
        for row in 0..batch.num_rows() {
            line += 1;
            reader.row(&columns, line, |place| {
                let column = &texts[place];
                if arrow::array::Array::is_null(column, row) { "" } else { column.value(row) }
            })?;
        }
        progress.set_position(progress.position().max(bytes * line / rows));
    }
    Ok(())
}

/// Where in a row things stand.
struct Places {
    well: usize,
    time: usize,
    status: Option<usize>,
    revision: Option<usize>,
    values: Values,
}

enum Values {
    /// A column says which parameter the value is of.
    Long { parameter: usize, value: usize, unit: Option<usize> },
    /// (column, its name, parameter, unit)
    Wide(Vec<(usize, String, String, String)>),
}

impl Places {
    fn find<'n>(names: impl Iterator<Item = &'n str>, reader: &RowReader<'_, '_>) -> Result<Self> {
        let names: Vec<&str> = names.map(str::trim).collect();
        let place = |name: &str| names.iter().position(|known| *known == name);
        let needed = |name: &str| {
            let columns = names.join(", ");
            place(name).ok_or_else(|| {
                let mend = if names.len() == 1 && columns.contains([';', '\t', '|']) {
                    "name the delimiter in a map file (--map)"
                } else {
                    "name it in a map file (--map)"
                };
                anyhow!("{}: no column {name:?} among {columns}; {mend}", reader.path.display())
            })
        };
        let map = reader.map;
        let columns = &map.columns;
        let values = if map.wide.is_empty() {
            Values::Long {
                parameter: needed(&columns.parameter)?,
                value: needed(&columns.value)?,
                unit: place(&columns.unit),
            }
        } else {
            let wide = map.wide.iter().map(|(column, target)| {
                Ok((needed(column)?, column.clone(), target.parameter.clone(), target.unit.clone()))
            });
            Values::Wide(wide.collect::<Result<_>>()?)
        };
        Ok(Self {
            well: needed(&columns.well)?,
            time: needed(&columns.time)?,
            status: place(&columns.status),
            revision: place(&columns.revision),
            values,
        })
    }
}

struct RowReader<'a, 's> {
    path: &'a Path,
    map: &'a Map,
    context: Context<'a>,
    time_format: Option<TimeFormat>,
    sink: &'a mut BatchSink<'s>,
    batch: Vec<Reading>,
    tally: Tally,
    targets: HashMap<(String, String), Result<Target, Refused>>,
    last_well: Option<(String, WellId)>,
}

impl<'a, 's> RowReader<'a, 's> {
    fn new(path: &'a Path, map: &'a Map, context: Context<'a>, sink: &'a mut BatchSink<'s>) -> Self {
        Self {
            path,
            map,
            context,
            time_format: map.time_format(),
            sink,
            batch: Vec::with_capacity(BATCH_READINGS),
            tally: Tally::default(),
            targets: HashMap::new(),
            last_well: None,
        }
    }

    fn bad(&mut self, line: u64, problem: &str) {
        self.tally.bad += 1;
        if self.tally.bad_named.len() < BAD_ROWS_NAMED_MAX {
            self.tally.bad_named.push(format!("{}:{line}: {problem}", self.path.display()));
        }
    }

    fn refuse(&mut self, line: u64, refused: Refused) {
        match self.tally.refused.get_mut(&refused.name) {
            Some(rows) => rows.count += 1,
            None => {
                let first = format!("{}:{line}", self.path.display());
                self.tally.refused.insert(refused.name, RefusedRows { count: 1, first, detail: refused.detail });
            }
        }
    }

    fn row<'r>(&mut self, places: &Places, line: u64, field: impl Fn(usize) -> &'r str) -> Result<()> {
        match &places.values {
            Values::Long { parameter, value, unit } => {
                let unit = unit.map_or("", &field);
                self.value(places, line, &field, field(*parameter), unit, field(*value))?;
            }
            Values::Wide(columns) => {
                for (place, _, parameter, unit) in columns {
                    if !field(*place).trim().is_empty() {
                        self.value(places, line, &field, parameter, unit, field(*place))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn value<'r>(
        &mut self,
        places: &Places,
        line: u64,
        field: &impl Fn(usize) -> &'r str,
        parameter: &str,
        unit: &str,
        value: &str,
    ) -> Result<()> {
        self.tally.rows += 1;
        let target = match self.target(parameter.trim(), unit.trim()) {
            Ok(target) => target,
            // Names and units are of one line; more of them is what a quote that was not closed swallowed.
            Err(_) if parameter.contains('\n') || unit.contains('\n') => {
                self.bad(line, "has a line break within a name: is a quote not closed?");
                return Ok(());
            }
            Err(refused) => {
                self.refuse(line, refused);
                return Ok(());
            }
        };
        match self.reading(places, field, target, value.trim()) {
            Ok(reading) => {
                self.tally.readings += 1;
                self.batch.push(reading);
            }
            Err(problem) => self.bad(line, &problem),
        }
        if self.batch.len() >= BATCH_READINGS { self.hand_on() } else { Ok(()) }
    }

    fn target(&mut self, parameter: &str, unit: &str) -> Result<Target, Refused> {
        // Few distinct pairs, many rows: the allocation of the key is the price of a plain map.
        let key = (parameter.to_owned(), unit.to_owned());
        self.targets.entry(key).or_insert_with(|| self.map.target(parameter, unit)).clone()
    }

    fn reading<'r>(
        &mut self,
        places: &Places,
        field: &impl Fn(usize) -> &'r str,
        target: Target,
        value: &str,
    ) -> Result<Reading, String> {
        let well = self.well(field(places.well).trim())?;
        let text = field(places.time).trim();
        let resolved = times::resolve(text, self.time_format.as_ref(), &self.context)?;
        let site_status = match places.status.map(|place| field(place).trim()) {
            None | Some("") => None,
            Some(status) => Some(status.parse::<SiteStatus>().map_err(|error| error.to_string())?),
        };
        let revision = match places.revision.map(|place| field(place).trim()) {
            None | Some("") => 0,
            Some(revision) => revision.parse().map_err(|_| format!("revision {revision:?} is no whole number"))?,
        };
        let value = match value {
            "" | "NaN" | "nan" | "NA" | "null" => None,
            text => {
                let number = self.map.number(text)?;
                if !number.is_finite() {
                    return Err(format!("value {text:?} is not finite: leave it empty where it is missing"));
                }
                let missing = self.map.sentinels.contains(&number);
                (!missing).then(|| target.convert(number))
            }
        };
        if value.is_some_and(|value| !value.is_finite()) {
            return Err("the value is too large in its parameter's unit".to_owned());
        }
        Ok(Reading {
            well,
            parameter: target.parameter,
            time: resolved.time,
            time_source: resolved.source,
            value,
            site_status,
            revision,
            time_raw: resolved.is_corrected().then(|| text.into()),
        })
    }

    fn well(&mut self, text: &str) -> Result<WellId, String> {
        if let Some((known, well)) = &self.last_well
            && known == text
        {
            return Ok(well.clone());
        }
        let well = WellId::new(self.map.well(text)).map_err(|error| format!("well {text:?}: {error}"))?;
        self.last_well = Some((text.to_owned(), well.clone()));
        Ok(well)
    }

    fn hand_on(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH_READINGS));
        (self.sink)(batch)
    }

    fn finish(mut self) -> Result<Tally> {
        self.hand_on()?;
        Ok(self.tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gwbank_model::{Parameter, Timestamp};
    use std::io::Write;

    fn read(name: &str, bytes: &[u8], map: &str) -> (Vec<Reading>, Tally) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let map: Map = toml::from_str(map).unwrap();
        let mut readings = Vec::new();
        let mut sink = |batch: Vec<Reading>| {
            readings.extend(batch);
            Ok(())
        };
        let now = Timestamp::parse_rfc3339("2026-11-23T00:00:00Z").unwrap();
        let tally = read_file(&path, &map, now, &ProgressBar::hidden(), &mut sink).unwrap();
        (readings, tally)
    }

    const CSV: &str = "well_id,time,parameter,value,unit\n\
        W-1,1957-07-02T00:00:00Z,groundwater_level,842,cm\n\
        W-1,1957-07-02T00:00:00Z,groundwater_level,843,cm\n\
        W-1,1957-07-03T00:00:00Z,logger_temperature,12,degC\n\
        W-1,1957-07-03,groundwater_level,,cm\n\
        W-1,yesterday,groundwater_level,1,cm\n\
        W-1,1957-07-04T00:00:00Z,groundwater_level,x,cm\n\
        W 1,1957-07-05T00:00:00Z,groundwater_level,1,cm\n\
        W-1,1957-07-06T00:00:00Z,groundwater_level,-9999,cm\n";
    const MAP: &str = "time_zone = \"+00:00\"\n[parameters]\ngroundwater_level = \"groundwater_elevation\"\n";

    #[test]
    fn every_row_is_a_reading_refused_or_bad() {
        let (readings, tally) = read("x.csv", CSV.as_bytes(), MAP);
        assert_eq!(tally.rows, 8);
        assert_eq!(tally.rows, tally.readings + tally.refused_total() + tally.bad);
        let refused = &tally.refused["logger_temperature"];
        assert_eq!(refused.count, 1);
        assert!(refused.first.ends_with("x.csv:4") && refused.detail.contains("[parameters]"), "{refused:?}");
        assert_eq!(readings[0].parameter, Parameter::GroundwaterElevation);
        assert_eq!(readings[0].value, Some(8.42));
        assert_eq!(readings[1].value, Some(8.43), "in the order of the file");
        assert_eq!(readings.last().unwrap().value, None, "a sentinel is a missing value");
        let lines: Vec<bool> = [6, 7, 8]
            .iter()
            .map(|line| tally.bad_named.iter().any(|b| b.contains(&format!("x.csv:{line}: "))))
            .collect();
        assert_eq!(lines, [true; 3], "{:?}", tally.bad_named);
    }

    #[test]
    fn rows_are_named_by_their_line_however_lines_end() {
        let csv = "well_id,time,parameter,value\r\n\r\nW-1,2001-02-03T00:00:00Z,ph,7\r\nW-1,x,ph,7\r\n\
            \"W\r\n1\",2001-02-03T00:00:00Z,ph,7\r\nW-1,y,ph,7";
        let (readings, tally) = read("x.csv", csv.as_bytes(), "");
        assert_eq!((readings.len(), tally.rows), (1, 4));
        let lines: Vec<&str> = tally.bad_named.iter().map(|bad| bad.split(':').nth(1).unwrap()).collect();
        assert_eq!(lines, ["4", "5", "7"], "{:?}", tally.bad_named);
        let torn = [b"well_id,time,parameter,value\nW-1,2001-02-03T00:00:00Z,ph,".as_slice(), b"\xff\n"].concat();
        assert!(read("x.csv", &torn, "").1.bad_named[0].contains("x.csv:2: is not UTF-8"));
    }

    #[test]
    fn a_row_that_is_cut_off_or_has_a_field_too_many_is_bad() {
        let csv = "well_id,time,parameter,value,unit\nW-1,2001-02-03T00:00:00Z,depth_to_water,5\n\
            W-1,2001-02-03T00:00:00Z,depth_to_water,3,42,m\nW-1,2001-02-03T00:00:00Z,depth_to_water,512,cm\n\
            W-1,2001-02-04T00:00:00Z,depth_to_water";
        let (readings, tally) = read("x.csv", csv.as_bytes(), "");
        assert_eq!((readings.len(), tally.rows, tally.bad), (1, 4, 3));
        assert!(tally.bad_named[0].contains("x.csv:2: has 4 fields instead of 5"), "{:?}", tally.bad_named);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_named_where_it_opens() {
        let head = "well_id,time,parameter,value,unit,remark\n";
        let row = |day: u32, rest: &str| format!("W-1,2001-02-{day:02}T00:00:00Z,depth_to_water,512,{rest}\n");
        let rest: String = (4..20).map(|day| row(day, "cm,")).collect();
        for (third, readings) in
            [(format!("\"{}", row(3, "cm,")), 2), (row(3, "\"cm,"), 2), (row(3, "cm,\"never closed"), 3)]
        {
            let csv = [head, &row(1, "cm,"), &row(2, "cm,\"a \"\"word\"\"\nin two lines\""), &third, &rest].concat();
            let (read, tally) = read("x.csv", csv.as_bytes(), "");
            assert_eq!(read.len(), readings, "{third}");
            let named = tally.bad_named.iter().any(|bad| bad.contains("x.csv:5: opens a quote that is never closed"));
            assert!(named && tally.refused.is_empty(), "{third}: {tally:?}");
        }
    }

    #[test]
    fn files_of_other_habits_need_a_map_only() {
        let csv =
            "\u{feff}site;wann;cm\nW-1;03/02/2544 06:30;342,5\nW-1;04/02/2544 06:30;1.234,5\nW-1;05/02/44 06:30;1\n";
        let map = "time_zone = \"+07:00\"\ntime_format = \"%d/%m/%Y %H:%M\"\ndelimiter = \";\"\ndecimal_comma = true\n\
            [columns]\nwell = \"site\"\ntime = \"wann\"\n[wide]\ncm = { parameter = \"depth_to_water\", unit = \"cm\" }\n";
        let (readings, tally) = read("x.csv", csv.as_bytes(), map);
        assert_eq!(tally.bad_named.len(), 1);
        assert!(
            tally.bad_named[0].contains("0044-02-04T23:30:00Z is 1657 years"),
            "a year of two digits: {:?}",
            tally.bad_named
        );
        assert_eq!(readings[0].time.to_rfc3339(0), "2001-02-02T23:30:00Z");
        assert_eq!((readings[0].value, readings[1].value), (Some(3.425), Some(12.345)));
    }

    #[test]
    fn gzip_gives_the_same() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(CSV.as_bytes()).unwrap();
        let (readings, tally) = read("x.csv.gz", &gzip.finish().unwrap(), MAP);
        assert_eq!(readings, read("x.csv", CSV.as_bytes(), MAP).0);
        assert_eq!(tally.rows, 8);
    }

    #[test]
    fn wide_files_give_a_reading_a_column() {
        let csv =
            "id;\nwell,at,Level (cm),T\nW-1,2020-01-01T00:00:00+07:00,150,\nW-1,2020-01-02T00:00:00+07:00,151,27.5\n";
        let csv = csv.trim_start_matches("id;\n");
        let map = "[columns]\nwell = \"well\"\ntime = \"at\"\n[wide]\n\"Level (cm)\" = { parameter = \"depth_to_water\", unit = \"cm\" }\nT = { parameter = \"water_temperature\" }\n";
        let (readings, tally) = read("x.csv", csv.as_bytes(), map);
        assert_eq!((tally.rows, readings.len()), (3, 3), "an empty cell is no row");
        assert_eq!(readings[0].value, Some(1.5));
    }

    #[test]
    fn parquet_gives_the_same_as_csv() {
        use arrow::array::{ArrayRef, Float64Array, RecordBatch, TimestampMicrosecondArray};
        use std::sync::Arc;
        let times = TimestampMicrosecondArray::from(vec![0, 1_500_000]).with_timezone("+00:00");
        let batch = RecordBatch::try_from_iter([
            ("well_id", Arc::new(StringArray::from(vec!["W-1", "W-1"])) as ArrayRef),
            ("time", Arc::new(times) as ArrayRef),
            ("parameter", Arc::new(StringArray::from(vec!["ph", "ph"])) as ArrayRef),
            ("value", Arc::new(Float64Array::from(vec![Some(7.25), None])) as ArrayRef),
        ])
        .unwrap();
        let mut bytes = Vec::new();
        let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let (readings, tally) = read("x.parquet", &bytes, "");
        assert_eq!((tally.rows, tally.bad, readings.len()), (2, 0, 2), "{:?}", tally.bad_named);
        assert_eq!(readings[0].value, Some(7.25));
        assert_eq!(readings[1].time, Timestamp::from_micros(1_500_000));
        assert_eq!(readings[1].value, None);
    }

    #[test]
    fn what_no_number_holds_is_a_bad_row_and_no_value() {
        use arrow::array::{ArrayRef, Float32Array, RecordBatch, TimestampMicrosecondArray};
        use std::sync::Arc;
        let csv = "well_id,time,parameter,value\n\
            W-1,2020-01-01T00:00:00Z,ph,inf\nW-1,2020-01-01T00:01:00Z,ph,-Infinity\nW-1,2020-01-01T00:02:00Z,ph,1e999\n\
            W-1,2020-01-01T00:03:00Z,ph,7\nW-1,2020-01-01T00:04:00Z,ph,NaN\n";
        let values = Float32Array::from(vec![f32::INFINITY, f32::NEG_INFINITY, f32::INFINITY, 7.0, f32::NAN]);
        let times = TimestampMicrosecondArray::from_iter_values(0..5).with_timezone("+00:00");
        let batch = RecordBatch::try_from_iter([
            ("well_id", Arc::new(StringArray::from(vec!["W-1"; 5])) as ArrayRef),
            ("time", Arc::new(times) as ArrayRef),
            ("parameter", Arc::new(StringArray::from(vec!["ph"; 5])) as ArrayRef),
            ("value", Arc::new(values) as ArrayRef),
        ])
        .unwrap();
        let mut bytes = Vec::new();
        let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        for (name, bytes) in [("x.csv", csv.as_bytes()), ("x.parquet", &bytes)] {
            let (readings, tally) = read(name, bytes, "");
            assert_eq!((tally.rows, tally.bad, tally.readings), (5, 3, 2), "{name}");
            assert!(tally.bad_named.iter().all(|bad| bad.contains("is not finite: leave it empty")), "{tally:?}");
            assert_eq!(readings.iter().map(|reading| reading.value).collect::<Vec<_>>(), [Some(7.0), None]);
        }
        // Finite as it stands, and not in the unit of the parameter.
        let csv = "well_id,time,parameter,value,unit\nW-1,2020-01-01T00:00:00Z,specific_conductance,1e305,S/m\n";
        let tally = read("x.csv", csv.as_bytes(), "").1;
        assert!(tally.bad == 1 && tally.bad_named[0].contains("too large in its parameter's unit"), "{tally:?}");
    }
}
