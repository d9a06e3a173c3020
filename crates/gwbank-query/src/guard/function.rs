//! A function that asks before it takes memory, and between slices of a batch whether it may go on.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::concat;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{ExprSchema, exec_err};
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::growth::{self, Effort, Growth};
use super::measure::Argument;
use super::{Guard, charge};
use crate::error::QueryError;

/// A plan is copied, compared and named often while it is made: larger constants do not become part of it.
const FOLDED_BYTES_MAX: u64 = 128 << 10;
/// Text that a pattern is held against between two looks at the guard: some milliseconds at a usual pattern, and with the
/// worst one that compiles (hundreds of thousands of states) still less than the grace of a limit.
const PATTERN_TEXT_BYTES: u64 = 32 << 10;
/// Rows in between when each row has a pattern of its own, which is compiled anew.
const OWN_PATTERN_ROWS: usize = 16;
/// A longer text is not held against a pattern: it cannot be cut, so nothing could end it.
const PATTERN_TEXT_BYTES_MAX: u64 = 256 << 10;
/// Pairs of bytes, or of elements of lists, compared in between.
const PAIRS: u64 = 16 << 20;
/// More pairs than this of one row cannot be ended in time.
const PAIRS_MAX: u64 = 100_000_000;

/// Replaces every function of a session that needs it.
pub(crate) fn guard_functions(state: &mut SessionState) -> Result<()> {
    let known: Vec<Arc<ScalarUDF>> = state.scalar_functions().values().cloned().collect();
    for function in known {
        if let Some(guarded) = guarded_function(&function) {
            state.register_udf(guarded)?;
        }
    }
    Ok(())
}

/// `None` when the function is harmless, or guarded already.
pub(super) fn guarded_function(function: &Arc<ScalarUDF>) -> Option<Arc<ScalarUDF>> {
    if function.inner().downcast_ref::<GuardedFunction>().is_some() {
        return None;
    }
    let (growth, effort) = growth::of(function.name())?;
    let inner = function.clone();
    Some(Arc::new(ScalarUDF::new_from_impl(GuardedFunction { inner, growth, effort })))
}

#[derive(Debug)]
struct GuardedFunction {
    inner: Arc<ScalarUDF>,
    growth: Growth,
    effort: Effort,
}

impl PartialEq for GuardedFunction {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for GuardedFunction {}

impl Hash for GuardedFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl ScalarUDFImpl for GuardedFunction {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }
    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        self.inner.inner().schema_name(arguments)
    }
    fn signature(&self) -> &Signature {
        self.inner.signature()
    }
    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }
    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }
    fn is_nullable(&self, arguments: &[Expr], schema: &dyn ExprSchema) -> bool {
        #[expect(deprecated, reason = "what is wrapped may still have its own")]
        self.inner.is_nullable(arguments, schema)
    }
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }
    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
    // No `simplify`: it may put an unguarded function or operator in the place of this one.

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(guard) = Guard::of(&args.config_options).cloned() else {
            return self.inner.invoke_with_args(args);
        };
        run(&guard, self.growth, self.effort, args, |args| self.inner.invoke_with_args(args))
    }
}

/// Evaluates within the guard's limits.
pub(super) fn run(
    guard: &Guard,
    growth: Growth,
    effort: Effort,
    args: ScalarFunctionArgs,
    invoke: impl Fn(ScalarFunctionArgs) -> Result<ColumnarValue>,
) -> Result<ColumnarValue> {
    let own = |error: QueryError| error.into_engine();
    guard.check().map_err(own)?;
    // Constants alone give one value, whatever the rows.
    let constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
    let rows = if constant { 1 } else { args.number_rows };
    let bytes = growth.bound(&args.args, rows)?;
    if constant && !guard.is_planned() && bytes > FOLDED_BYTES_MAX {
        // The planner takes that for an expression that it cannot evaluate beforehand, and leaves it for later.
        return exec_err!("a constant of {bytes} bytes is too large for a plan");
    }
    // Who evaluates a constant repeats it for every row.
    let repeated = if constant && guard.is_planned() { args.number_rows as u64 } else { 1 };
    charge::charge(guard, bytes.saturating_mul(repeated)).map_err(own)?;
    let slices = slices(effort, &args.args, rows)?;
    if constant || slices.len() <= 1 {
        return invoke(args);
    }
    let mut parts: Vec<ArrayRef> = Vec::with_capacity(slices.len());
    for (start, length) in slices {
        guard.check().map_err(own)?;
        let part = invoke(slice_of(&args, start, length))?;
        parts.push(part.into_array(length)?);
    }
    let parts: Vec<&dyn arrow::array::Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(ColumnarValue::Array(concat(&parts)?))
}

fn slice_of(args: &ScalarFunctionArgs, start: usize, length: usize) -> ScalarFunctionArgs {
    let cut = |argument: &ColumnarValue| match argument {
        ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(start, length)),
        scalar => scalar.clone(),
    };
    ScalarFunctionArgs { args: args.args.iter().map(cut).collect(), number_rows: length, ..args.clone() }
}

/// Stretches of rows, each small enough to end soon. An error when one row alone is not.
fn slices(effort: Effort, values: &[ColumnarValue], rows: usize) -> Result<Vec<(usize, usize)>> {
    let (Some(first), Some(second)) = (values.first(), values.get(1)) else { return Ok(Vec::new()) };
    let (costs, cost_max, rows_max) = match effort {
        Effort::Linear => return Ok(Vec::new()),
        Effort::Pattern => {
            let texts = Argument::new(first, rows)?.lengths();
            refuse_longer(&texts, PATTERN_TEXT_BYTES_MAX)?;
            let rows_max = if Argument::new(second, rows)?.is_constant() { usize::MAX } else { OWN_PATTERN_ROWS };
            (texts, PATTERN_TEXT_BYTES, rows_max)
        }
        Effort::Pairs | Effort::Elements => {
            let (first, second) = (Argument::new(first, rows)?, Argument::new(second, rows)?);
            let sizes = |argument: &Argument| match effort {
                Effort::Elements => argument.elements(),
                _ => argument.lengths(),
            };
            let pairs: Vec<u64> = sizes(&first).iter().zip(sizes(&second)).map(|(a, b)| a.saturating_mul(b)).collect();
            refuse_more_pairs(&pairs)?;
            (pairs, PAIRS, usize::MAX)
        }
    };
    Ok(stretches(&costs, cost_max, rows_max))
}

fn refuse_longer(lengths: &[u64], longest: u64) -> Result<()> {
    match lengths.iter().find(|&&length| length > longest) {
        None => Ok(()),
        Some(length) => Err(QueryError::Failed(format!(
            "a text of {length} bytes is too long to be compared within query.seconds_max: {longest} are taken"
        ))
        .into_engine()),
    }
}

fn refuse_more_pairs(pairs: &[u64]) -> Result<()> {
    match pairs.iter().find(|&&pairs| pairs > PAIRS_MAX) {
        None => Ok(()),
        Some(pairs) => Err(QueryError::Failed(format!(
            "two values of {pairs} pairs of parts are too long to be compared within query.seconds_max: {PAIRS_MAX} are taken"
        ))
        .into_engine()),
    }
}

/// (start, length) of runs of rows of at most `rows_max` rows that cost at most `cost_max` together, or of one row.
fn stretches(costs: &[u64], cost_max: u64, rows_max: usize) -> Vec<(usize, usize)> {
    let mut stretches = Vec::new();
    let (mut start, mut together) = (0, 0u64);
    for (row, &cost) in costs.iter().enumerate() {
        let full = together.saturating_add(cost) > cost_max || row - start >= rows_max;
        if full && row > start {
            stretches.push((start, row - start));
            (start, together) = (row, 0);
        }
        together = together.saturating_add(cost);
    }
    if start < costs.len() {
        stretches.push((start, costs.len() - start));
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::stretches;

    #[test]
    fn rows_are_cut_into_stretches_that_cost_little() {
        assert_eq!(stretches(&[1, 1, 1, 5, 1], 3, 100), [(0, 3), (3, 1), (4, 1)]);
        assert_eq!(stretches(&[0; 5], 3, 2), [(0, 2), (2, 2), (4, 1)]);
        assert_eq!(stretches(&[], 3, 2), []);
    }
}
