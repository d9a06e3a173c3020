//! What the server can do, and the types that it knows.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    Nullable, Searchable, SqlInfo, SqlNullOrdering, SqlOuterJoinsSupportLevel, SqlSupportedCaseSensitivity,
    SqlSupportedGroupBy, SqlSupportedSubqueries, SqlSupportedTransaction, SqlSupportedUnions,
    SqlTransactionIsolationLevel, SupportedSqlGrammar, XdbcDataType, XdbcDatetimeSubcode,
};
use tonic::Status;

use crate::catalog::SCHEMA;

/// Version of the library that encodes, which is the workspace's.
const ARROW_VERSION: &str = arrow::ARROW_VERSION;

pub(crate) struct Info {
    sql: SqlInfoData,
    types: XdbcTypeInfoData,
}

/// What is told of this server beyond what holds for every one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    pub version: &'static str,
    pub statement_seconds_max: u64,
    pub statement_bytes_max: usize,
    pub connections_max: usize,
}

impl Info {
    pub(crate) fn new(facts: &Facts) -> Result<Self, Status> {
        let failed = |error: arrow_flight::error::FlightError| Status::internal(error.to_string());
        Ok(Self { sql: sql_info(facts).build().map_err(failed)?, types: type_info().build().map_err(failed)? })
    }

    /// Of the numbers asked for; of all where none is.
    pub(crate) fn sql(&self, asked: &[u32]) -> Result<RecordBatch, Status> {
        let known = SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported as u32;
        let mut numbers: Vec<u32> = asked.iter().copied().filter(|number| *number <= known).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.is_empty() && !asked.is_empty() {
            return Ok(self.sql.record_batch([]).map_err(failed)?.slice(0, 0));
        }
        self.sql.record_batch(numbers).map_err(failed)
    }

    pub(crate) fn types(&self, data_type: Option<i32>) -> Result<RecordBatch, Status> {
        self.types.record_batch(data_type).map_err(failed)
    }
}

fn failed(error: arrow_flight::error::FlightError) -> Status {
    Status::internal(error.to_string())
}

/// The bits of a mask at the positions of the variants.
fn mask<const N: usize>(positions: [i32; N]) -> i32 {
    positions.into_iter().fold(0, |mask, position| mask | 1 << position)
}

fn sql_info(facts: &Facts) -> SqlInfoDataBuilder {
    use SqlInfo as I;
    let mut info = SqlInfoDataBuilder::new();
    info.append(I::FlightSqlServerName, "gwbank");
    info.append(I::FlightSqlServerVersion, facts.version);
    info.append(I::FlightSqlServerArrowVersion, ARROW_VERSION);
    info.append(I::FlightSqlServerReadOnly, true);
    info.append(I::FlightSqlServerSql, true);
    info.append(I::FlightSqlServerSubstrait, false);
    info.append(I::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    info.append(I::FlightSqlServerCancel, true);
    info.append(I::FlightSqlServerBulkIngestion, false);
    info.append(I::FlightSqlServerIngestTransactionsSupported, false);
    info.append(I::FlightSqlServerStatementTimeout, milliseconds(facts.statement_seconds_max));
    info.append(I::FlightSqlServerTransactionTimeout, 0);

    for no in [
        I::SqlDdlCatalog,
        I::SqlDdlSchema,
        I::SqlDdlTable,
        I::SqlSupportsIntegrityEnhancementFacility,
        I::SqlSelectForUpdateSupported,
        I::SqlStoredProceduresSupported,
        I::SqlDataDefinitionCausesTransactionCommit,
        I::SqlDataDefinitionsInTransactionsIgnored,
        I::SqlBatchUpdatesSupported,
        I::SqlSavepointsSupported,
        I::SqlNamedParametersSupported,
        I::SqlLocatorsUpdateCopy,
        I::SqlStoredFunctionsUsingCallSyntaxSupported,
    ] {
        info.append(no, false);
    }
    for yes in [
        I::SqlAllTablesAreSelectable,
        I::SqlSupportsColumnAliasing,
        I::SqlNullPlusNullIsNull,
        I::SqlSupportsTableCorrelationNames,
        I::SqlSupportsExpressionsInOrderBy,
        I::SqlSupportsOrderByUnrelated,
        I::SqlSupportsLikeEscapeClause,
        I::SqlSupportsNonNullableColumns,
        I::SqlCatalogAtStart,
        I::SqlCorrelatedSubqueriesSupported,
    ] {
        info.append(yes, true);
    }
    info.append(I::SqlSupportsDifferentTableCorrelationNames, false);

    info.append(I::SqlIdentifierCase, i64::from(SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32));
    info.append(I::SqlQuotedIdentifierCase, i64::from(SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32));
    info.append(I::SqlIdentifierQuoteChar, "\"");
    info.append(I::SqlSearchStringEscape, "\\");
    info.append(I::SqlExtraNameCharacters, "");
    info.append(I::SqlNullOrdering, i64::from(SqlNullOrdering::SqlNullsSortedHigh as i32));
    info.append(I::SqlSchemaTerm, "schema");
    info.append(I::SqlCatalogTerm, "catalog");
    info.append(I::SqlProcedureTerm, "");
    info.append(I::SqlKeywords, &["QUALIFY", "UNNEST"][..]);
    info.append(I::SqlNumericFunctions, &NUMERIC[..]);
    info.append(I::SqlStringFunctions, &STRING[..]);
    info.append(I::SqlSystemFunctions, &["current_user", "version"][..]);
    info.append(I::SqlDatetimeFunctions, &DATETIME[..]);
    info.append(I::SqlSupportsConvert, BTreeMap::<i32, Vec<i32>>::new());

    info.append(
        I::SqlSupportedGroupBy,
        mask([SqlSupportedGroupBy::SqlGroupByUnrelated as i32, SqlSupportedGroupBy::SqlGroupByBeyondSelect as i32]),
    );
    info.append(
        I::SqlSupportedGrammar,
        mask([SupportedSqlGrammar::SqlMinimumGrammar as i32, SupportedSqlGrammar::SqlCoreGrammar as i32]),
    );
    info.append(
        I::SqlOuterJoinsSupportLevel,
        mask([
            SqlOuterJoinsSupportLevel::SqlLimitedOuterJoins as i32,
            SqlOuterJoinsSupportLevel::SqlFullOuterJoins as i32,
        ]),
    );
    info.append(
        I::SqlSupportedSubqueries,
        mask([
            SqlSupportedSubqueries::SqlSubqueriesInComparisons as i32,
            SqlSupportedSubqueries::SqlSubqueriesInExists as i32,
            SqlSupportedSubqueries::SqlSubqueriesInIns as i32,
            SqlSupportedSubqueries::SqlSubqueriesInQuantifieds as i32,
        ]),
    );
    info.append(
        I::SqlSupportedUnions,
        mask([SqlSupportedUnions::SqlUnion as i32, SqlSupportedUnions::SqlUnionAll as i32]),
    );
    for none in [
        I::SqlSchemasSupportedActions,
        I::SqlCatalogsSupportedActions,
        I::SqlSupportedPositionedCommands,
        I::SqlTransactionsSupported,
        I::SqlSupportedResultSetTypes,
        I::SqlSupportedConcurrenciesForResultSetUnspecified,
        I::SqlSupportedConcurrenciesForResultSetForwardOnly,
        I::SqlSupportedConcurrenciesForResultSetScrollSensitive,
        I::SqlSupportedConcurrenciesForResultSetScrollInsensitive,
    ] {
        info.append(none, 0);
    }
    info.append(I::SqlDefaultTransactionIsolation, i64::from(SqlTransactionIsolationLevel::SqlTransactionNone as i32));
    info.append(
        I::SqlSupportedTransactionsIsolationLevels,
        mask([SqlTransactionIsolationLevel::SqlTransactionNone as i32]),
    );

    info.append(I::SqlMaxConnections, facts.connections_max as i64);
    info.append(I::SqlMaxStatementLength, facts.statement_bytes_max as i64);
    info.append(I::SqlDbSchemaNameLength, SCHEMA.len() as i64);
    // 0: no limit, or none that is known.
    for unlimited in [
        I::SqlMaxBinaryLiteralLength,
        I::SqlMaxCharLiteralLength,
        I::SqlMaxColumnNameLength,
        I::SqlMaxColumnsInGroupBy,
        I::SqlMaxColumnsInIndex,
        I::SqlMaxColumnsInOrderBy,
        I::SqlMaxColumnsInSelect,
        I::SqlMaxColumnsInTable,
        I::SqlMaxCursorNameLength,
        I::SqlMaxIndexLength,
        I::SqlMaxProcedureNameLength,
        I::SqlMaxCatalogNameLength,
        I::SqlMaxRowSize,
        I::SqlMaxStatements,
        I::SqlMaxTableNameLength,
        I::SqlMaxTablesInSelect,
        I::SqlMaxUsernameLength,
    ] {
        info.append(unlimited, 0i64);
    }
    info.append(I::SqlMaxRowSizeIncludesBlobs, true);
    info
}

/// In an `int32`, as the protocol has it; 0 would be no limit.
fn milliseconds(seconds: u64) -> i32 {
    i32::try_from(seconds.saturating_mul(1000)).unwrap_or(i32::MAX)
}

const NUMERIC: [&str; 28] = [
    "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cot", "degrees", "exp", "floor", "ln", "log", "log10",
    "log2", "pi", "pow", "power", "radians", "random", "round", "sign", "sin", "sqrt", "tan", "trunc", "gcd", "lcm",
];
const STRING: [&str; 21] = [
    "ascii",
    "btrim",
    "char_length",
    "chr",
    "concat",
    "concat_ws",
    "initcap",
    "left",
    "length",
    "lower",
    "lpad",
    "ltrim",
    "octet_length",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rpad",
    "rtrim",
    "substr",
    "upper",
];
const DATETIME: [&str; 8] =
    ["current_date", "current_time", "date_bin", "date_part", "date_trunc", "now", "time_bucket", "to_timestamp"];

fn type_info() -> XdbcTypeInfoDataBuilder {
    use XdbcDataType as T;
    let mut types = XdbcTypeInfoDataBuilder::new();
    let number = |name: &str, data_type: T, digits: i32, radix: i32| XdbcTypeInfo {
        type_name: name.to_owned(),
        data_type,
        column_size: Some(digits),
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Basic,
        unsigned_attribute: Some(false),
        auto_increment: Some(false),
        local_type_name: Some(name.to_owned()),
        sql_data_type: data_type,
        num_prec_radix: Some(radix),
        ..XdbcTypeInfo::default()
    };
    let quoted = |name: &str, data_type: T, searchable: Searchable| XdbcTypeInfo {
        type_name: name.to_owned(),
        data_type,
        literal_prefix: Some("'".to_owned()),
        literal_suffix: Some("'".to_owned()),
        nullable: Nullable::NullabilityNullable,
        case_sensitive: searchable == Searchable::Full,
        searchable,
        local_type_name: Some(name.to_owned()),
        sql_data_type: data_type,
        ..XdbcTypeInfo::default()
    };
    let at = |info: XdbcTypeInfo, sql_data_type: T, subcode: XdbcDatetimeSubcode| XdbcTypeInfo {
        sql_data_type,
        datetime_subcode: Some(subcode),
        ..info
    };
    types.append(number("boolean", T::XdbcBit, 1, 2));
    types.append(number("smallint", T::XdbcSmallint, 16, 2));
    types.append(number("integer", T::XdbcInteger, 32, 2));
    types.append(number("bigint", T::XdbcBigint, 64, 2));
    types.append(number("real", T::XdbcReal, 24, 2));
    types.append(number("double precision", T::XdbcDouble, 53, 2));
    types.append(XdbcTypeInfo {
        create_params: Some(vec!["precision".to_owned(), "scale".to_owned()]),
        minimum_scale: Some(0),
        maximum_scale: Some(38),
        ..number("decimal", T::XdbcDecimal, 38, 10)
    });
    types.append(quoted("text", T::XdbcVarchar, Searchable::Full));
    types.append(quoted("bytea", T::XdbcVarbinary, Searchable::Basic));
    let (datetime, interval) = (T::XdbcDatetime, T::XdbcInterval);
    types.append(quoted("date", T::XdbcDate, Searchable::Basic));
    types.append(at(quoted("time", T::XdbcTime, Searchable::Basic), datetime, XdbcDatetimeSubcode::XdbcSubcodeTime));
    let timestamp = |name| quoted(name, T::XdbcTimestamp, Searchable::Basic);
    types.append(at(timestamp("timestamp"), datetime, XdbcDatetimeSubcode::XdbcSubcodeTimestamp));
    let with_zone = XdbcDatetimeSubcode::XdbcSubcodeTimestampWithTimezone;
    types.append(at(timestamp("timestamp with time zone"), datetime, with_zone));
    let day_to_second = XdbcDatetimeSubcode::XdbcSubcodeDayToSecond;
    types.append(at(quoted("interval", T::XdbcInterval, Searchable::Basic), interval, day_to_second));
    types
}
