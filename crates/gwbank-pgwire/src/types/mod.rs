//! Types of PostgreSQL, what they are in Arrow, and values of them in text and binary form.
//!
//! # Rules
//! 1. A column's type is told before its rows, so the Arrow type alone decides it.
//! 2. What PostgreSQL has no type for (structures, maps) is `json`.
//! 3. Numbers are written shortest and exact, instants in the zone of the connection.

mod binary;
pub mod calendar;
mod column;
mod json;
mod list;
mod number;
pub mod parameter;
mod text;

pub use column::{Column, columns};
pub use gwbank_model::Zone;

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Text,
    Binary,
}

impl Format {
    pub fn from_code(code: i16) -> Option<Self> {
        match code {
            0 => Some(Self::Text),
            1 => Some(Self::Binary),
            _ => None,
        }
    }

    pub fn code(self) -> i16 {
        match self {
            Self::Text => 0,
            Self::Binary => 1,
        }
    }
}

macro_rules! scalars {
    ($($variant:ident = $oid:literal, $array:literal, $size:literal, $name:literal;)*) => {
        /// A type that is no array.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Scalar { $($variant,)* }

        impl Scalar {
            pub const ALL: &'static [Scalar] = &[$(Scalar::$variant,)*];

            pub fn oid(self) -> u32 {
                match self { $(Self::$variant => $oid,)* }
            }
            /// Of the array of it.
            pub fn array_oid(self) -> u32 {
                match self { $(Self::$variant => $array,)* }
            }
            /// Bytes of a value; -1 where they vary.
            pub fn size(self) -> i16 {
                match self { $(Self::$variant => $size,)* }
            }
            /// As SQL names it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

scalars! {
    Bool = 16, 1000, 1, "boolean";
    Bytea = 17, 1001, -1, "bytea";
    Char = 18, 1002, 1, "\"char\"";
    Name = 19, 1003, 64, "name";
    Int8 = 20, 1016, 8, "bigint";
    Int2 = 21, 1005, 2, "smallint";
    Int4 = 23, 1007, 4, "integer";
    Text = 25, 1009, -1, "text";
    Oid = 26, 1028, 4, "oid";
    Json = 114, 199, -1, "json";
    Float4 = 700, 1021, 4, "real";
    Float8 = 701, 1022, 8, "double precision";
    Unknown = 705, 1009, -2, "unknown";
    Bpchar = 1042, 1014, -1, "character";
    Varchar = 1043, 1015, -1, "character varying";
    Date = 1082, 1182, 4, "date";
    Time = 1083, 1183, 8, "time without time zone";
    Timestamp = 1114, 1115, 8, "timestamp without time zone";
    TimestampTz = 1184, 1185, 8, "timestamp with time zone";
    Interval = 1186, 1187, 16, "interval";
    Numeric = 1700, 1231, -1, "numeric";
    Uuid = 2950, 2951, 16, "uuid";
    Jsonb = 3802, 3807, -1, "jsonb";
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PgType {
    pub scalar: Scalar,
    pub is_array: bool,
}

impl PgType {
    pub const TEXT: PgType = PgType { scalar: Scalar::Text, is_array: false };

    pub fn oid(self) -> u32 {
        if self.is_array { self.scalar.array_oid() } else { self.scalar.oid() }
    }

    pub fn size(self) -> i16 {
        if self.is_array { -1 } else { self.scalar.size() }
    }

    /// Precision and length are never bounded here.
    pub fn modifier(self) -> i32 {
        -1
    }

    pub fn from_oid(oid: u32) -> Option<Self> {
        Scalar::ALL.iter().find_map(|&scalar| {
            if scalar.oid() == oid {
                Some(Self { scalar, is_array: false })
            } else {
                (scalar.array_oid() == oid).then_some(Self { scalar, is_array: true })
            }
        })
    }

    /// What a column of the type is told as.
    pub fn of(arrow: &DataType) -> Self {
        match arrow {
            DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
                match Self::of(field.data_type()) {
                    // An array of arrays has the type of its innermost elements, but need not be a rectangle.
                    Self { is_array: true, .. } => Self { scalar: Scalar::Json, is_array: false },
                    element => Self { is_array: true, ..element },
                }
            }
            DataType::Dictionary(_, value) => Self::of(value),
            DataType::RunEndEncoded(_, values) => Self::of(values.data_type()),
            other => Self { scalar: Scalar::of(other), is_array: false },
        }
    }

    /// What a parameter of the type is for the engine; `None` where the engine shall find out.
    pub fn arrow(self) -> Option<DataType> {
        let scalar = self.scalar.arrow()?;
        Some(if self.is_array { DataType::new_list(scalar, true) } else { scalar })
    }
}

impl Scalar {
    fn of(arrow: &DataType) -> Self {
        match arrow {
            DataType::Boolean => Self::Bool,
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => Self::Int2,
            DataType::Int32 | DataType::UInt16 => Self::Int4,
            DataType::Int64 | DataType::UInt32 => Self::Int8,
            DataType::UInt64
            | DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..) => Self::Numeric,
            DataType::Float16 | DataType::Float32 => Self::Float4,
            DataType::Float64 => Self::Float8,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Self::Bytea
            }
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Timestamp(_, None) => Self::Timestamp,
            DataType::Timestamp(_, Some(_)) => Self::TimestampTz,
            DataType::Interval(_) | DataType::Duration(_) => Self::Interval,
            DataType::Struct(_) | DataType::Map(..) | DataType::Union(..) => Self::Json,
            _ => Self::Text,
        }
    }

    fn arrow(self) -> Option<DataType> {
        Some(match self {
            Self::Bool => DataType::Boolean,
            Self::Bytea => DataType::Binary,
            Self::Int2 => DataType::Int16,
            Self::Int4 => DataType::Int32,
            Self::Int8 => DataType::Int64,
            // Object ids are 32-bit integers to the catalogs.
            Self::Oid => DataType::Int32,
            Self::Float4 => DataType::Float32,
            Self::Float8 => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Numeric => DataType::Decimal128(38, 10),
            Self::Text
            | Self::Name
            | Self::Char
            | Self::Bpchar
            | Self::Varchar
            | Self::Json
            | Self::Jsonb
            | Self::Uuid => DataType::Utf8,
            Self::Unknown => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_lead_to_types() {
        assert_eq!(PgType::from_oid(1184).unwrap().scalar, Scalar::TimestampTz);
        assert_eq!(PgType::from_oid(1009), Some(PgType { scalar: Scalar::Text, is_array: true }));
        assert_eq!(PgType::from_oid(0), None);
        assert_eq!(PgType::of(&DataType::new_list(DataType::Float64, true)).oid(), 1022);
        assert_eq!(PgType::of(&DataType::UInt64).oid(), 1700);
    }
}
