//! What WHERE says of the time: from when to when gaps are to be filled.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::Column;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use datafusion::scalar::ScalarValue;

/// From ≤ time < to, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
}

impl Bounds {
    /// Of an expression over the columns of a plan, which is to be a column.
    pub(super) fn of(time: &Expr, plan: &LogicalPlan) -> Self {
        let mut bounds = Self::default();
        if let Some(column) = column_of(time) {
            bounds.look_at(column, plan);
        }
        bounds
    }

    /// Everything that every row has passed.
    fn look_at(&mut self, column: &Column, plan: &LogicalPlan) {
        match plan {
            LogicalPlan::Filter(filter) => {
                for condition in split_conjunction(&filter.predicate) {
                    self.narrow(column, condition);
                }
                self.look_at(column, &filter.input);
            }
            LogicalPlan::Projection(projection) => {
                let index = plan.schema().maybe_index_of_column(column);
                let below = index.and_then(|index| column_of(unaliased(projection.expr.get(index)?)));
                if let Some(below) = below {
                    self.look_at(below, &projection.input);
                }
            }
            LogicalPlan::SubqueryAlias(alias) => {
                if let Some(index) = plan.schema().maybe_index_of_column(column) {
                    let below = Column::from(alias.input.schema().qualified_field(index));
                    self.look_at(&below, &alias.input);
                }
            }
            LogicalPlan::TableScan(scan) => {
                for filter in &scan.filters {
                    split_conjunction(filter).into_iter().for_each(|condition| self.narrow(column, condition));
                }
            }
            _ => {}
        }
    }

    fn narrow(&mut self, column: &Column, condition: &Expr) {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return };
        let (of, operator, value) = match (column_of(left), column_of(right)) {
            (Some(of), None) => (of, Some(*op), micros(right)),
            (None, Some(of)) => (of, op.swap(), micros(left)),
            _ => return,
        };
        let (Some(operator), Some((floor, is_whole))) = (operator, value) else { return };
        if !is_same(of, column) {
            return;
        }
        // What lies between two microseconds is before the next one.
        let next = floor.saturating_add(1);
        let ceiling = if is_whole { floor } else { next };
        match operator {
            Operator::Gt => self.from = self.from.max(Some(next)),
            Operator::GtEq => self.from = self.from.max(Some(ceiling)),
            Operator::Lt => self.to = earlier(self.to, ceiling),
            Operator::LtEq => self.to = earlier(self.to, next),
            _ => {}
        }
    }
}

fn earlier(known: Option<i64>, other: i64) -> Option<i64> {
    Some(known.map_or(other, |known| known.min(other)))
}

fn is_same(one: &Column, other: &Column) -> bool {
    let qualifiers_differ = matches!((&one.relation, &other.relation), (Some(one), Some(other)) if one != other);
    one.name == other.name && !qualifiers_differ
}

/// A column, also in another unit or zone of time.
fn column_of(expression: &Expr) -> Option<&Column> {
    match expression {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => column_of(&alias.expr),
        Expr::Cast(cast)
            if matches!(
                cast.field.data_type(),
                DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, _)
            ) =>
        {
            column_of(&cast.expr)
        }
        _ => None,
    }
}

fn unaliased(mut expression: &Expr) -> &Expr {
    while let Expr::Alias(alias) = expression {
        expression = &alias.expr;
    }
    expression
}

/// An instant in microseconds, and whether it is one of whole microseconds.
fn micros(expression: &Expr) -> Option<(i64, bool)> {
    match expression {
        Expr::Literal(value, _) => micros_of(value),
        _ => None,
    }
}

pub(super) fn micros_of(value: &ScalarValue) -> Option<(i64, bool)> {
    match value {
        ScalarValue::TimestampNanosecond(Some(nanos), _) => Some((nanos.div_euclid(1000), nanos.rem_euclid(1000) == 0)),
        ScalarValue::TimestampMicrosecond(Some(micros), _) => Some((*micros, true)),
        ScalarValue::TimestampMillisecond(Some(millis), _) => Some((millis.checked_mul(1000)?, true)),
        ScalarValue::TimestampSecond(Some(seconds), _) => Some((seconds.checked_mul(1_000_000)?, true)),
        ScalarValue::Date32(Some(day)) => Some((i64::from(*day).checked_mul(86_400_000_000)?, true)),
        ScalarValue::Date64(Some(millis)) => Some((millis.checked_mul(1000)?, true)),
        _ => None,
    }
}
