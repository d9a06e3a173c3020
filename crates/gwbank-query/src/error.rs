//! What can go wrong with a query, in words that help the person who typed it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use gwbank_store::{ArchiveError, MetadataError};

use crate::config::QueryConfig;
use crate::{memory, spill};

type Cause = Arc<dyn Error + Send + Sync>;

/// How DataFusion says that `max_temp_directory_size` is used up; a test notices when it says so in other words.
const SPILL_LIMIT_REACHED: &str = "used disk space during the spilling process";

#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// Not SQL.
    #[error("syntax error: {0}")]
    Syntax(String),
    /// SQL, but not about what there is: unknown table, column or function, types that do not fit.
    #[error("{0}")]
    Invalid(String),
    /// The same of something that SQL names and nobody knows.
    #[error("{message}")]
    Unknown { what: Named, message: String },
    #[error("not supported: {0}")]
    Unsupported(String),
    #[error("{what} is refused: this door is read-only; only SELECT, EXPLAIN, DESCRIBE and SHOW TABLES/COLUMNS run")]
    ReadOnly { what: String },
    #[error("only one statement at a time; {0} were sent")]
    ManyStatements(usize),
    #[error("{}", limit.message(*.value))]
    Limit { limit: Limit, value: u64 },
    #[error("the history cannot be read now, so the answer would be incomplete; {}", readable(.readable_since))]
    ArchiveUnavailable { readable_since: Option<String>, source: Cause },
    #[error("the tables of the registry, gateways, dead letters and flags cannot be read now")]
    MetadataUnavailable(#[source] Cause),
    /// The data did not allow it, such as a division by zero or text that is no number.
    #[error("{0}")]
    Failed(String),
    #[error("the server is shutting down")]
    Closed,
    /// Nobody waits for the answer any more.
    #[error("the query was cancelled")]
    Cancelled,
    #[error("the query broke off inside the server: {0}")]
    Internal(String),
}

/// What a name may be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Table,
    Column,
    Function,
}

/// A bound that a query can run into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    Memory,
    /// Of all queries together.
    MemoryForAll,
    Rows,
    Seconds,
    Concurrent,
    /// Of one user.
    ConcurrentPerUser,
    /// Queries that wait for their turn.
    Waiting,
    SpillBytes,
    /// Of all queries together.
    SpillBytesForAll,
}

/// What kind of error it is, for those who translate it to a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryErrorKind {
    Invalid,
    ReadOnly,
    Limit(Limit),
    Unavailable,
    Failed,
    Internal,
}

impl Limit {
    pub const ALL: [Limit; 9] = [
        Limit::Memory,
        Limit::MemoryForAll,
        Limit::Rows,
        Limit::Seconds,
        Limit::Concurrent,
        Limit::ConcurrentPerUser,
        Limit::Waiting,
        Limit::SpillBytes,
        Limit::SpillBytesForAll,
    ];

    /// As the metric `queries_rejected_total{limit}` names it.
    pub const fn name(self) -> &'static str {
        match self {
            Limit::Memory => "memory",
            Limit::MemoryForAll => "memory_for_all",
            Limit::Rows => "rows",
            Limit::Seconds => "seconds",
            Limit::Concurrent => "concurrent",
            Limit::ConcurrentPerUser => "concurrent_per_user",
            Limit::Waiting => "waiting",
            Limit::SpillBytes => "spill_bytes",
            Limit::SpillBytesForAll => "spill_bytes_for_all",
        }
    }

    pub const fn config_key(self) -> &'static str {
        match self {
            Limit::Memory => "query.memory_bytes_per_query",
            Limit::MemoryForAll => "query.memory_bytes_for_all",
            Limit::Rows => "query.rows_max",
            Limit::Seconds => "query.seconds_max",
            Limit::Concurrent => "query.concurrent_max",
            Limit::ConcurrentPerUser => "query.concurrent_per_user_max",
            Limit::Waiting => "query.waiting_max",
            Limit::SpillBytes => "query.spill_bytes_max",
            Limit::SpillBytesForAll => "query.spill_bytes_for_all",
        }
    }

    /// Whether others, not the query alone, have used it up: a while later it may pass.
    const fn is_shared(self) -> bool {
        match self {
            Limit::MemoryForAll
            | Limit::Concurrent
            | Limit::ConcurrentPerUser
            | Limit::Waiting
            | Limit::SpillBytesForAll => true,
            Limit::Memory | Limit::Rows | Limit::Seconds | Limit::SpillBytes => false,
        }
    }

    fn message(self, value: u64) -> String {
        let key = self.config_key();
        let (what, mend) = match self {
            Limit::Memory => ("needs more memory than", "narrow the time or the wells, or aggregate first"),
            Limit::MemoryForAll => (
                "needs more memory beside the other queries than",
                "try again when they are done, narrow the time or the wells, or aggregate first",
            ),
            Limit::Rows => ("answers with more rows than", "add a LIMIT, narrow it, or aggregate"),
            Limit::Seconds => ("takes more seconds than", "narrow the time or the wells"),
            Limit::Concurrent => {
                ("waited in vain for its turn, as there are as many queries running as", "try again in a moment")
            }
            Limit::ConcurrentPerUser => (
                "waited in vain for its turn, as there are as many queries of this user running as",
                "let one of them end, or cancel it: cursors that are open count, too",
            ),
            Limit::Waiting => (
                "is refused, as there are as many queries waiting for their turn as",
                "try again in a moment, and ask for fewer things at a time",
            ),
            Limit::SpillBytes => ("spills more bytes than", "narrow the time or the wells, or aggregate first"),
            Limit::SpillBytesForAll => (
                "spills more bytes beside the other queries than",
                "try again when they are done, narrow the time or the wells, or aggregate first",
            ),
        };
        format!("the query {what} the limit {key} = {value} allows; {mend}")
    }

    pub(crate) fn reached(self, config: &QueryConfig) -> QueryError {
        let value = match self {
            Limit::Memory => config.memory_bytes_per_query as u64,
            Limit::MemoryForAll => config.memory_bytes_for_all as u64,
            Limit::Rows => config.rows_max,
            Limit::Seconds => config.seconds_max,
            Limit::Concurrent => config.concurrent_max as u64,
            Limit::ConcurrentPerUser => config.concurrent_per_user_max as u64,
            Limit::Waiting => config.waiting_max as u64,
            Limit::SpillBytes => config.spill_bytes_max,
            Limit::SpillBytesForAll => config.spill_bytes_for_all,
        };
        QueryError::Limit { limit: self, value }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn readable(since: &Option<String>) -> String {
    match since {
        Some(since) => format!("readings since {since} can"),
        None => "with several nodes on one database that is so for recent readings, too".to_owned(),
    }
}

impl QueryError {
    pub fn kind(&self) -> QueryErrorKind {
        match self {
            Self::Syntax(_)
            | Self::Invalid(_)
            | Self::Unknown { .. }
            | Self::Unsupported(_)
            | Self::ManyStatements(_) => QueryErrorKind::Invalid,
            Self::ReadOnly { .. } => QueryErrorKind::ReadOnly,
            Self::Limit { limit, .. } => QueryErrorKind::Limit(*limit),
            Self::ArchiveUnavailable { .. } | Self::MetadataUnavailable(_) | Self::Closed => {
                QueryErrorKind::Unavailable
            }
            Self::Failed(_) | Self::Cancelled => QueryErrorKind::Failed,
            Self::Internal(_) => QueryErrorKind::Internal,
        }
    }

    /// Whether the same query may succeed later, unchanged.
    pub fn may_retry(&self) -> bool {
        match self.kind() {
            QueryErrorKind::Limit(limit) => limit.is_shared(),
            kind => kind == QueryErrorKind::Unavailable,
        }
    }

    /// The code that PostgreSQL's clients understand.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Syntax(_) | Self::ManyStatements(_) => "42601",
            Self::Invalid(_) => "42000",
            Self::Unknown { what: Named::Table, .. } => "42P01",
            Self::Unknown { what: Named::Column, .. } => "42703",
            Self::Unknown { what: Named::Function, .. } => "42883",
            Self::Unsupported(_) => "0A000",
            Self::ReadOnly { .. } => "25006",
            Self::Limit { limit: Limit::Memory | Limit::MemoryForAll, .. } => "53200",
            Self::Limit { limit: Limit::Concurrent | Limit::ConcurrentPerUser | Limit::Waiting, .. } => "53300",
            Self::Limit { limit: Limit::Rows | Limit::SpillBytes | Limit::SpillBytesForAll, .. } => "53400",
            Self::Limit { limit: Limit::Seconds, .. } | Self::Cancelled => "57014",
            Self::ArchiveUnavailable { .. } | Self::MetadataUnavailable(_) => "58000",
            Self::Closed => "57P01",
            Self::Failed(_) => "22000",
            Self::Internal(_) => "XX000",
        }
    }

    /// Line and column of the statement, each from 1, where they are known.
    pub fn place(&self) -> Option<(usize, usize)> {
        let text = match self {
            Self::Syntax(text) | Self::Invalid(text) | Self::Unsupported(text) => text,
            Self::Unknown { message, .. } => message,
            _ => return None,
        };
        let (_, place) = text.rsplit_once("at Line: ").or_else(|| text.rsplit_once("(line "))?;
        let mut numbers = place.split(|letter: char| !letter.is_ascii_digit()).filter(|digits| !digits.is_empty());
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }

    pub(crate) fn archive(error: ArchiveError, readable_since: Option<String>) -> Self {
        match error {
            ArchiveError::Unavailable(_) => Self::ArchiveUnavailable { readable_since, source: Arc::new(error) },
            damaged => Self::Internal(chain(&damaged)),
        }
    }

    pub(crate) fn metadata(error: MetadataError) -> Self {
        Self::MetadataUnavailable(Arc::new(error))
    }

    /// Through the engine and back: see [`Self::from_engine`].
    pub(crate) fn into_engine(self) -> DataFusionError {
        DataFusionError::External(Box::new(self))
    }

    /// `tables`: names to suggest when one is unknown.
    pub(crate) fn from_engine(error: &DataFusionError, config: &QueryConfig, tables: &[String]) -> Self {
        if let Some(own) = find_own(error) {
            return own.clone();
        }
        // A spill writer's error comes as text inside an I/O error of Arrow.
        let said = chain(error);
        for (words, limit) in [
            (SPILL_LIMIT_REACHED, Limit::SpillBytes),
            (spill::FOR_ALL_REACHED, Limit::SpillBytesForAll),
            (memory::FOR_ALL_REACHED, Limit::MemoryForAll),
        ] {
            if said.contains(words) {
                return limit.reached(config);
            }
        }
        let place = place(error);
        match error.find_root() {
            DataFusionError::SQL(parser, _) => Self::Syntax(parser.to_string().replace("sql parser error: ", "")),
            DataFusionError::ResourcesExhausted(_) => Limit::Memory.reached(config),
            DataFusionError::SchemaError(schema, _) => {
                let message = format!("{schema}{place}");
                match **schema {
                    SchemaError::FieldNotFound { .. } => Self::Unknown { what: Named::Column, message },
                    _ => Self::Invalid(message),
                }
            }
            DataFusionError::Plan(message) => {
                let text = plan_message(message, tables) + &place;
                if message.starts_with("table '") {
                    Self::Unknown { what: Named::Table, message: text }
                } else if message.starts_with("Invalid function") {
                    Self::Unknown { what: Named::Function, message: text }
                } else {
                    Self::Invalid(text)
                }
            }
            DataFusionError::NotImplemented(message)
                if ["ScalarSubquery", "OuterReferenceColumn"].iter().any(|it| message.contains(it)) =>
            {
                Self::Unsupported(
                    "a subquery that looks at the row around it in this way (LATERAL, or by other than =): write it as a \
                     join, or with a window function"
                        .to_owned(),
                )
            }
            DataFusionError::NotImplemented(message) => Self::Unsupported(format!("{message}{place}")),
            DataFusionError::Configuration(message) => Self::Invalid(message.clone()),
            DataFusionError::Execution(message) => Self::Failed(message.clone()),
            DataFusionError::ArrowError(arrow, _) => Self::Failed(arrow.to_string()),
            // A type that a function does not take, as it mostly is, told to the engine's own authors.
            DataFusionError::Internal(message) => {
                let said = message.split(".\nThis issue was likely caused").next().unwrap_or(message);
                Self::Unsupported(format!("the engine cannot do this: {said}{place}"))
            }
            other => Self::Internal(chain(other)),
        }
    }
}

fn find_own<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a QueryError> {
    if let Some(own) = error.downcast_ref::<QueryError>() {
        return Some(own);
    }
    if let Some(DataFusionError::External(inner)) = error.downcast_ref::<DataFusionError>()
        && let Some(own) = find_own(inner.as_ref())
    {
        return Some(own);
    }
    error.source().and_then(find_own)
}

/// Where in the text it is, if the planner knows.
fn place(error: &DataFusionError) -> String {
    match error.diagnostic().and_then(|diagnostic| diagnostic.span) {
        Some(span) if span.start.line > 0 => format!(" (line {}, column {})", span.start.line, span.start.column),
        _ => String::new(),
    }
}

fn plan_message(message: &str, tables: &[String]) -> String {
    // The engine names the nearest of all functions, however far it is.
    if let Some((unknown, suggested)) = message.split_once(".\nDid you mean '")
        && let Some(name) = unknown.strip_prefix("Invalid function '").and_then(|rest| rest.strip_suffix('\''))
        && let Some(suggested) = suggested.strip_suffix("'?")
        && edit_distance(name, suggested) > (name.len() / 3).max(1)
    {
        return format!("Invalid function '{name}': SELECT name, form FROM gwbank_functions lists those of the field");
    }
    let unknown = message.strip_prefix("table '").and_then(|rest| rest.strip_suffix("' not found"));
    let Some(unknown) = unknown else { return message.to_owned() };
    let name = unknown.rsplit('.').next().unwrap_or(unknown);
    match closest(name, tables) {
        Some(table) => format!("there is no table {name:?}; did you mean {table:?}?"),
        None => format!("there is no table {name:?}; the tables are: {}", tables.join(", ")),
    }
}

fn closest<'a>(name: &str, candidates: &'a [String]) -> Option<&'a String> {
    let near = |candidate: &&String| edit_distance(name, candidate) <= (name.len() / 3).max(2);
    candidates.iter().filter(near).min_by_key(|candidate| edit_distance(name, candidate))
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_table_that_was_meant() {
        let tables = ["readings".to_owned(), "readings_daily".to_owned(), "wells".to_owned()];
        let message = |text: &str| plan_message(text, &tables);
        assert_eq!(
            message("table 'a.b.reading' not found"),
            "there is no table \"reading\"; did you mean \"readings\"?"
        );
        assert!(message("table 'a.b.xyzzy_unlike' not found").ends_with("readings, readings_daily, wells"));
        assert_eq!(message("something else"), "something else");
    }
}
