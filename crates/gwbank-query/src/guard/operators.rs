//! Operators that can blow up, as guarded functions: `||` makes long texts of short ones, `~` holds texts against patterns.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{ScalarFunction, WindowFunctionParams};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr::expressions::{BinaryExpr as PhysicalBinaryExpr, Column};
use datafusion::physical_plan::PhysicalExpr;

use super::Guard;
use super::function::{guarded_function, run};
use super::growth::{Effort, Growth};
use datafusion::logical_expr::{WindowFrame, WindowFrameBound, WindowFrameUnits};

use crate::error::QueryError;
use crate::functions;

/// Aggregates whose result is as large as what they aggregate.
const LISTS_ALL: [&str; 2] = ["array_agg", "string_agg"];

/// Puts guarded functions in the place of operators, and of functions that the planner takes from elsewhere than the
/// session, such as the one behind `[1, 2]`. Comes after the rule that makes types agree.
#[derive(Debug, Default)]
pub(crate) struct GuardOperators;

impl AnalyzerRule for GuardOperators {
    fn name(&self) -> &str {
        "guard_operators"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expression| {
                let name = names.save(&expression);
                let replaced = expression.transform_up(replace)?;
                Ok(if replaced.transformed { replaced.update_data(|new| name.restore(new)) } else { replaced })
            })
        })
        .map(|transformed| transformed.data)
    }
}

fn replace(expression: Expr) -> Result<Transformed<Expr>> {
    Ok(match expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if growth_and_effort(op).is_some() => {
            let function = Arc::new(ScalarUDF::new_from_impl(OperatorFunction::new(op)));
            Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![*left, *right])))
        }
        Expr::ScalarFunction(call) => match guarded_function(&call.func) {
            Some(guarded) => Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(guarded, call.args))),
            None => Transformed::no(Expr::ScalarFunction(call)),
        },
        Expr::WindowFunction(window)
            if LISTS_ALL.contains(&window.fun.name()) || functions::is_of_series(window.fun.name()) =>
        {
            let name = window.fun.name();
            return Err(QueryError::Invalid(format!(
                "{name} cannot be used with OVER: it would look at all rows for every row; use GROUP BY"
            ))
            .into_engine());
        }
        Expr::WindowFunction(window)
            if functions::is_of_partition(window.fun.name()) && !is_of_whole_partition(&window.params) =>
        {
            let name = window.fun.name();
            return Err(QueryError::Invalid(format!(
                "{name} looks at its whole partition: it takes no frame (ROWS, RANGE), FILTER or DISTINCT in OVER"
            ))
            .into_engine());
        }
        other => Transformed::no(other),
    })
}

/// Whether a call says nothing that a function of the whole partition would have to leave unheard.
fn is_of_whole_partition(params: &WindowFunctionParams) -> bool {
    let WindowFrame { units, start_bound, end_bound, .. } = &params.window_frame;
    // The frame of an OVER that names none; with ORDER BY it ends at the current row.
    let is_usual_end = match end_bound {
        WindowFrameBound::CurrentRow => *units == WindowFrameUnits::Range,
        WindowFrameBound::Following(value) => value.is_null(),
        WindowFrameBound::Preceding(_) => false,
    };
    let is_usual_start = matches!(start_bound, WindowFrameBound::Preceding(value) if value.is_null());
    is_usual_start && is_usual_end && params.filter.is_none() && !params.distinct
}

fn growth_and_effort(operator: Operator) -> Option<(Growth, Effort)> {
    match operator {
        Operator::StringConcat => Some((Growth::Sum, Effort::Linear)),
        Operator::RegexMatch | Operator::RegexIMatch | Operator::RegexNotMatch | Operator::RegexNotIMatch => {
            Some((Growth::None, Effort::Pattern))
        }
        _ => None,
    }
}

/// What an operator does, as a function of two arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OperatorFunction {
    operator: Operator,
    symbol: String,
    signature: Signature,
}

impl OperatorFunction {
    fn new(operator: Operator) -> Self {
        Self { operator, symbol: operator.to_string(), signature: Signature::any(2, Volatility::Immutable) }
    }

    fn evaluate(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { rows };
        let columns: Vec<ArrayRef> =
            args.args.into_iter().map(|argument| argument.into_array(rows)).collect::<Result<_>>()?;
        let fields: Vec<Field> = (columns.iter().zip(["left", "right"]))
            .map(|(column, name)| Field::new(name, column.data_type().clone(), true))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?;
        let (left, right) = (Arc::new(Column::new("left", 0)), Arc::new(Column::new("right", 1)));
        PhysicalBinaryExpr::new(left, self.operator, right).evaluate(&batch)
    }
}

impl ScalarUDFImpl for OperatorFunction {
    fn name(&self) -> &str {
        &self.symbol
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [left, right] = types else {
            return datafusion::common::internal_err!("{} takes two arguments", self.symbol);
        };
        BinaryTypeCoercer::new(left, &self.operator, right).get_result_type()
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some((growth, effort)) = growth_and_effort(self.operator) else { return self.evaluate(args) };
        match Guard::of(&args.config_options).cloned() {
            Some(guard) => run(&guard, growth, effort, args, |args| self.evaluate(args)),
            None => self.evaluate(args),
        }
    }
}
