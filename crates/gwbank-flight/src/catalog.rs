//! What there is: one catalog, one schema, its tables and views.
//!
//! `information_schema` and `pg_catalog` can be asked by name and are not listed, as `SHOW TABLES` lists what a hydrologist
//! looks for.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, new_empty_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::error::FlightError;
use arrow_flight::sql::{CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables};
use tonic::Status;

use crate::answer::plain_type;
use crate::door::Table;

pub(crate) const CATALOG: &str = "gwbank";
pub(crate) const SCHEMA: &str = "public";

const TABLE: &str = "TABLE";
const VIEW: &str = "VIEW";

/// Keys of a column's metadata, as Flight SQL has them.
const REMARKS: &str = "ARROW:FLIGHT:SQL:REMARKS";
const CATALOG_NAME: &str = "ARROW:FLIGHT:SQL:CATALOG_NAME";
const SCHEMA_NAME: &str = "ARROW:FLIGHT:SQL:SCHEMA_NAME";
const TABLE_NAME: &str = "ARROW:FLIGHT:SQL:TABLE_NAME";
const IS_READ_ONLY: &str = "ARROW:FLIGHT:SQL:IS_READ_ONLY";

/// Patterns are matched row by row: longer ones than any name are of no use.
const PATTERN_BYTES_MAX: usize = 256;

pub(crate) fn catalogs() -> Result<RecordBatch, Status> {
    let mut builder = CommandGetCatalogs {}.into_builder();
    builder.append(CATALOG);
    builder.build().map_err(failed)
}

pub(crate) fn schemas(asked: CommandGetDbSchemas) -> Result<RecordBatch, Status> {
    check_pattern(asked.db_schema_filter_pattern.as_deref())?;
    let mut builder = asked.into_builder();
    builder.append(CATALOG, SCHEMA);
    builder.build().map_err(failed)
}

pub(crate) fn tables(asked: CommandGetTables, tables: &[Table]) -> Result<RecordBatch, Status> {
    check_pattern(asked.db_schema_filter_pattern.as_deref())?;
    check_pattern(asked.table_name_filter_pattern.as_deref())?;
    let mut builder = asked.into_builder();
    for table in tables {
        let kind = if table.is_view { VIEW } else { TABLE };
        builder.append(CATALOG, SCHEMA, &table.name, kind, &told(table)).map_err(failed)?;
    }
    builder.build().map_err(failed)
}

pub(crate) fn table_types() -> Result<RecordBatch, Status> {
    let mut builder = CommandGetTableTypes {}.into_builder();
    builder.append(TABLE);
    builder.append(VIEW);
    builder.build().map_err(failed)
}

/// The columns of a table as its rows are sent, with what each is for.
fn told(table: &Table) -> Schema {
    let columns = table.schema.fields().iter().enumerate().map(|(index, field)| {
        let mut metadata: HashMap<String, String> = [
            (CATALOG_NAME, CATALOG),
            (SCHEMA_NAME, SCHEMA),
            (TABLE_NAME, table.name.as_str()),
            // As Flight SQL writes a boolean.
            (IS_READ_ONLY, "1"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        if let Some(Some(remarks)) = table.column_remarks.get(index) {
            metadata.insert(REMARKS.to_owned(), remarks.clone());
        }
        Field::new(field.name(), plain_type(field.data_type()), field.is_nullable()).with_metadata(metadata)
    });
    let remarks = table.remarks.iter().map(|remarks| (REMARKS.to_owned(), remarks.clone()));
    Schema::new(columns.collect::<Vec<_>>()).with_metadata(remarks.collect())
}

/// There are no keys: the answer has columns and no rows.
pub(crate) fn primary_keys() -> Result<RecordBatch, Status> {
    empty(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("key_name", DataType::Utf8, true),
    ]))
}

/// Of imported keys, exported keys and cross references alike.
pub(crate) fn foreign_keys() -> Result<RecordBatch, Status> {
    let side = |side: &str| {
        [("catalog_name", true), ("db_schema_name", true), ("table_name", false), ("column_name", false)]
            .map(|(name, nullable)| Field::new(format!("{side}_{name}"), DataType::Utf8, nullable))
    };
    let mut fields = [side("pk"), side("fk")].concat();
    fields.extend([
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]);
    empty(Schema::new(fields))
}

fn empty(schema: Schema) -> Result<RecordBatch, Status> {
    let columns = schema.fields().iter().map(|field| new_empty_array(field.data_type())).collect();
    let schema: SchemaRef = Arc::new(schema);
    RecordBatch::try_new(schema, columns).map_err(|error| crate::error::internal(&error))
}

fn check_pattern(pattern: Option<&str>) -> Result<(), Status> {
    match pattern {
        Some(pattern) if pattern.len() > PATTERN_BYTES_MAX => {
            Err(Status::invalid_argument(format!("a pattern may have {PATTERN_BYTES_MAX} bytes; shorten it")))
        }
        _ => Ok(()),
    }
}

fn failed(error: FlightError) -> Status {
    tracing::error!(%error, "an answer from the catalogs cannot be made");
    Status::internal(error.to_string())
}
