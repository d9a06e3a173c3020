//! Types of PostgreSQL as `pg_type` lists them, and which of them a column is told as.

use arrow::datatypes::DataType;

/// A type and the array of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PgType {
    pub(super) oid: i32,
    pub(super) array_oid: i32,
    pub(super) name: &'static str,
    /// As SQL writes it.
    pub(super) sql_name: &'static str,
    /// Bytes of a value; -1 where they vary.
    pub(super) length: i16,
    pub(super) category: &'static str,
}

const fn define(
    oid: i32,
    array_oid: i32,
    name: &'static str,
    sql_name: &'static str,
    length: i16,
    category: &'static str,
) -> PgType {
    PgType { oid, array_oid, name, sql_name, length, category }
}

pub(super) const TEXT: PgType = define(25, 1009, "text", "text", -1, "S");

/// What columns and parameters may be; the wire tells the same ids.
pub(super) const TYPES: &[PgType] = &[
    define(16, 1000, "bool", "boolean", 1, "B"),
    define(17, 1001, "bytea", "bytea", -1, "U"),
    define(18, 1002, "char", "\"char\"", 1, "Z"),
    define(19, 1003, "name", "name", 64, "S"),
    define(20, 1016, "int8", "bigint", 8, "N"),
    define(21, 1005, "int2", "smallint", 2, "N"),
    define(23, 1007, "int4", "integer", 4, "N"),
    TEXT,
    define(26, 1028, "oid", "oid", 4, "N"),
    define(114, 199, "json", "json", -1, "U"),
    define(700, 1021, "float4", "real", 4, "N"),
    define(701, 1022, "float8", "double precision", 8, "N"),
    define(1042, 1014, "bpchar", "character", -1, "S"),
    define(1043, 1015, "varchar", "character varying", -1, "S"),
    define(1082, 1182, "date", "date", 4, "D"),
    define(1083, 1183, "time", "time without time zone", 8, "D"),
    define(1114, 1115, "timestamp", "timestamp without time zone", 8, "D"),
    define(1184, 1185, "timestamptz", "timestamp with time zone", 8, "D"),
    define(1186, 1187, "interval", "interval", 16, "T"),
    define(1700, 1231, "numeric", "numeric", -1, "N"),
    define(2950, 2951, "uuid", "uuid", 16, "U"),
    define(3802, 3807, "jsonb", "jsonb", -1, "U"),
];

/// The id of what a column is told as.
pub(super) fn oid_of(arrow: &DataType) -> i32 {
    let of = |name: &str| named(name).map_or(TEXT.oid, |known| known.oid);
    match arrow {
        DataType::Boolean => of("bool"),
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => of("int2"),
        DataType::Int32 | DataType::UInt16 => of("int4"),
        DataType::Int64 | DataType::UInt32 => of("int8"),
        DataType::UInt64 | DataType::Decimal128(..) | DataType::Decimal256(..) => of("numeric"),
        DataType::Float16 | DataType::Float32 => of("float4"),
        DataType::Float64 => of("float8"),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => of("bytea"),
        DataType::Date32 | DataType::Date64 => of("date"),
        DataType::Time32(_) | DataType::Time64(_) => of("time"),
        DataType::Timestamp(_, None) => of("timestamp"),
        DataType::Timestamp(_, Some(_)) => of("timestamptz"),
        DataType::Interval(_) | DataType::Duration(_) => of("interval"),
        DataType::Struct(_) | DataType::Map(..) => of("json"),
        DataType::Dictionary(_, value) => oid_of(value),
        DataType::List(field) | DataType::LargeList(field) => {
            let element = oid_of(field.data_type());
            TYPES.iter().find(|known| known.oid == element).map_or(TEXT.array_oid, |known| known.array_oid)
        }
        _ => TEXT.oid,
    }
}

/// By either of its names.
pub(super) fn named(name: &str) -> Option<&'static PgType> {
    let name = name.trim();
    TYPES.iter().find(|known| known.name == name || known.sql_name == name)
}

/// As `pg_type` names it.
pub(super) fn name(oid: i32) -> Option<String> {
    TYPES.iter().find_map(|known| {
        if known.oid == oid {
            Some(known.name.to_owned())
        } else {
            (known.array_oid == oid).then(|| format!("_{}", known.name))
        }
    })
}

/// Bits of a number's digits.
pub(super) fn precision(oid: i32) -> Option<i32> {
    match oid {
        21 => Some(16),
        23 => Some(32),
        20 => Some(64),
        700 => Some(24),
        701 => Some(53),
        _ => None,
    }
}

/// As `format_type` writes it.
pub(super) fn sql_name(oid: i32) -> Option<String> {
    TYPES.iter().find_map(|known| {
        if known.oid == oid {
            Some(known.sql_name.to_owned())
        } else {
            (known.array_oid == oid).then(|| format!("{}[]", known.sql_name))
        }
    })
}
