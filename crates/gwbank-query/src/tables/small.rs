//! A table that fits in memory and is made anew for each scan.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;
use gwbank_store::Metadata;

use crate::error::QueryError;
use crate::known_at::KnownAt;

/// Rows of a batch: what operators expect, so that a big table does not come in one piece.
const BATCH_ROWS: usize = 8192;

/// What a scan wants of a small table. A hint: more may be given.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    columns: Option<Vec<String>>,
    /// Columns that must equal a text.
    texts: Vec<(String, String)>,
}

impl Wanted {
    pub(crate) fn column(&self, name: &str) -> bool {
        self.columns.as_ref().is_none_or(|columns| columns.iter().any(|column| column == name))
    }

    pub(crate) fn text(&self, column: &str) -> Option<&str> {
        self.texts.iter().find(|(name, _)| name == column).map(|(_, text)| text.as_str())
    }
}

/// Where the rows come from.
#[async_trait]
pub(crate) trait Rows: Debug + Send + Sync + 'static {
    fn schema(&self) -> SchemaRef;

    /// Columns whose equality with a text [`Self::load`] makes use of.
    fn narrowed_by(&self) -> &'static [&'static str] {
        &[]
    }

    async fn load(&self, wanted: Wanted) -> std::result::Result<RecordBatch, QueryError>;

    /// The same rows as they were known at an instant; what keeps no history refuses.
    fn as_known_at(&self, _at: KnownAt) -> std::result::Result<Then, QueryError> {
        Ok(Then::NotKept)
    }
}

/// What was known of a table.
#[derive(Debug)]
pub(crate) enum Then {
    /// The rows never change.
    AsNow,
    Rows(Arc<dyn Rows>),
    /// What the rows were is not kept.
    NotKept,
}

#[derive(Debug)]
pub(crate) struct SmallTable {
    rows: Arc<dyn Rows>,
    schema: SchemaRef,
}

impl SmallTable {
    pub(crate) fn shared(rows: impl Rows) -> Arc<dyn TableProvider> {
        Arc::new(Self { schema: rows.schema(), rows: Arc::new(rows) })
    }

    /// `None` where it is the same at all times.
    pub(crate) fn as_known_at(&self, name: &str, at: KnownAt) -> std::result::Result<Option<Self>, QueryError> {
        match self.rows.as_known_at(at)? {
            Then::AsNow => Ok(None),
            Then::Rows(rows) => Ok(Some(Self { rows, schema: self.schema.clone() })),
            Then::NotKept => Err(QueryError::Unsupported(format!(
                "{name} as known at an instant: its rows are kept as they are now, without what they were before; RESET \
                 gwbank.as_known_at (or leave as_known_at away) to see them, or ask without {name}"
            ))),
        }
    }

    fn equality(&self, filter: &Expr) -> Option<(String, String)> {
        let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = filter else { return None };
        let (column, value) = match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _)) | (Expr::Literal(value, _), Expr::Column(column)) => {
                (column, value)
            }
            _ => return None,
        };
        let narrows = self.rows.narrowed_by().contains(&column.name.as_str());
        let text = match value {
            ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => text.clone()?,
            _ => return None,
        };
        narrows.then(|| (column.name.clone(), text))
    }
}

#[async_trait]
impl TableProvider for SmallTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match self.equality(filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let names = |projection: &Vec<usize>| projection.iter().map(|&i| self.schema.field(i).name().clone()).collect();
        let wanted = Wanted {
            columns: projection.map(names),
            texts: filters.iter().filter_map(|filter| self.equality(filter)).collect(),
        };
        let batch = self.rows.load(wanted).await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let rows = batch.num_rows();
        let pieces = (0..rows).step_by(BATCH_ROWS).map(|start| batch.slice(start, BATCH_ROWS.min(rows - start)));
        let plan = MemorySourceConfig::try_new_exec(&[pieces.collect()], self.schema.clone(), projection.cloned())?;
        Ok(plan)
    }
}

/// Refuses an instant from before revisions and versions were kept.
pub(super) async fn check_history(metadata: &dyn Metadata, at: KnownAt) -> std::result::Result<(), QueryError> {
    let since = metadata.history_since().await.map_err(QueryError::metadata)?;
    if at.time() >= since {
        return Ok(());
    }
    Err(QueryError::Unsupported(format!(
        "wells, indicators and condition flags as known at {}: what they were is kept since {since}, when this data was taken over \
         from an earlier program or copied; ask as of {since} or later",
        at.time()
    )))
}

/// An Arrow error while making a batch of our own rows is a mistake of ours.
pub(super) fn internal(error: arrow::error::ArrowError) -> QueryError {
    QueryError::Internal(error.to_string())
}
