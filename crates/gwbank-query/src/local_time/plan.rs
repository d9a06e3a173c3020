//! By plan, once the types of columns are known and before the engine makes types agree.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Projection, RecursiveQuery, Union, Values, cast};
use gwbank_model::Zone;

use super::clock::{Clock, is_local, is_utc};
use crate::functions::is_text;

/// The plan in a zone.
pub(crate) fn in_zone(plan: LogicalPlan, zone: &Zone) -> Result<LogicalPlan> {
    let clock = Clock::new(zone);
    let rewritten = plan.transform_up_with_subqueries(|node| {
        if matches!(node, LogicalPlan::TableScan(_)) {
            return Ok(Transformed::no(node));
        }
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let rewritten = node.map_expressions(|expression| {
            let name = names.save(&expression);
            let rewritten = expression.transform_up(|part| clock.rewrite(part, &schema))?;
            Ok(rewritten.update_data(|expression| name.restore(expression)))
        })?;
        // Also where only what lies below changed: a text that became an instant has another type.
        let node = match rewritten.data {
            LogicalPlan::Union(union) => unified(union, &clock)?,
            LogicalPlan::Join(join) => LogicalPlan::Join(matched(join, &clock)),
            LogicalPlan::Values(values) => as_announced(values)?,
            LogicalPlan::RecursiveQuery(recursive) => as_its_work_table(recursive)?,
            other => other,
        };
        node.recompute_schema().map(Transformed::yes)
    })?;
    Ok(rewritten.data)
}

/// A column of a UNION that is an instant in one branch is one in all.
fn unified(union: Union, clock: &Clock<'_>) -> Result<LogicalPlan> {
    let columns = union.schema.fields().len();
    let kind = |input: &LogicalPlan, column: usize| input.schema().field(column).data_type().clone();
    let instants: Vec<bool> =
        (0..columns).map(|column| union.inputs.iter().any(|input| is_utc(&kind(input, column)))).collect();
    let inputs = union.inputs.into_iter().map(|input| {
        let differs = |column: usize| {
            let kind = kind(&input, column);
            instants[column] && (is_local(&kind) || is_text(&kind))
        };
        if !(0..columns).any(differs) {
            return Ok(input);
        }
        let told = input.schema().iter().enumerate().map(|(column, (qualifier, field))| {
            let same = Expr::from((qualifier, field));
            match clock.instant(&same, field.data_type()).filter(|_| instants[column]) {
                Some(instant) => instant.alias_qualified(qualifier.cloned(), field.name()),
                None => same,
            }
        });
        let told: Vec<Expr> = told.collect();
        Projection::try_new(told, input).map(|projection| Arc::new(LogicalPlan::Projection(projection)))
    });
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    Ok(LogicalPlan::Union(Union { inputs, schema: union.schema }))
}

/// `USING (day)`: an instant and a date or a time without a zone.
fn matched(mut join: Join, clock: &Clock<'_>) -> Join {
    let kind = |expression: &Expr, side: &LogicalPlan| kind_of(expression, side.schema());
    for (left, right) in &mut join.on {
        let (of_left, of_right) = (kind(left, &join.left), kind(right, &join.right));
        if is_utc(&of_left) && is_local(&of_right) {
            *right = clock.instant(right, &of_right).unwrap_or_else(|| right.clone());
        } else if is_utc(&of_right) && is_local(&of_left) {
            *left = clock.instant(left, &of_left).unwrap_or_else(|| left.clone());
        }
    }
    join
}

/// What has no type yet is left to the engine, which says what is wrong with it.
pub(super) fn kind_of(expression: &Expr, schema: &DFSchema) -> DataType {
    use datafusion::logical_expr::ExprSchemable;
    expression.get_type(schema).unwrap_or(DataType::Null)
}

/// A list of rows says its types once, when it is planned.
fn as_announced(values: Values) -> Result<LogicalPlan> {
    let Values { schema, values } = values;
    let nothing = DFSchema::empty();
    let row = |row: Vec<Expr>| {
        let told = row.into_iter().zip(schema.fields()).map(|(value, field)| {
            let differs = kind_of(&value, &nothing) != *field.data_type();
            if differs { cast(value, field.data_type().clone()) } else { value }
        });
        told.collect()
    };
    Ok(LogicalPlan::Values(Values { values: values.into_iter().map(row).collect(), schema: schema.clone() }))
}

/// What a recursive query gives is what its work table was planned to hold.
fn as_its_work_table(recursive: RecursiveQuery) -> Result<LogicalPlan> {
    let mut planned = None;
    recursive.recursive_term.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && scan.table_name.table() == recursive.name
        {
            planned = Some(scan.source.schema());
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let Some(planned) = planned else { return Ok(LogicalPlan::RecursiveQuery(recursive)) };
    let as_planned = |term: Arc<LogicalPlan>| {
        let kinds = |schema: &arrow::datatypes::Schema| -> Vec<DataType> {
            schema.fields().iter().map(|field| field.data_type().clone()).collect()
        };
        let (told, wanted) = (kinds(term.schema().as_arrow()), kinds(&planned));
        if told.len() != wanted.len() || told == wanted {
            return Ok(term);
        }
        let told = term.schema().iter().zip(planned.fields()).map(|((qualifier, field), wanted)| {
            let same = Expr::from((qualifier, field));
            if field.data_type() == wanted.data_type() {
                return same;
            }
            cast(same, wanted.data_type().clone()).alias_qualified(qualifier.cloned(), field.name())
        });
        let told: Vec<Expr> = told.collect();
        Projection::try_new(told, term).map(|projection| Arc::new(LogicalPlan::Projection(projection)))
    };
    Ok(LogicalPlan::RecursiveQuery(RecursiveQuery {
        static_term: as_planned(recursive.static_term)?,
        recursive_term: as_planned(recursive.recursive_term)?,
        ..recursive
    }))
}
