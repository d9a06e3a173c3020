//! How deep an expression may nest, how many SELECTs a statement may have, and of how many operators its plan may be.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query, Select, Statement, Visit, Visitor};

use crate::error::QueryError;

/// A chain such as `a OR b OR …` nests as deep as it is long. Planning takes more than linear time in it and walks it by
/// recursion; nobody needs more.
const DEPTH_MAX: usize = 1_500;

/// A chain of UNIONs of thousands is planned for minutes, in steps that nothing can interrupt.
const SELECTS_MAX: usize = 256;

/// A table of a WITH that names the one before twice doubles the plan, however short its text. Planning walks all of it
/// several times within one step.
const OPERATORS_MAX: usize = 5_000;

/// Each join makes a list of the columns of all tables before it. A table of a WITH counts as many as it is made of, each
/// time that it is named: planning walks it so often, in steps that nothing can interrupt.
const TABLES_MAX: u64 = 256;

/// CUBE over n columns makes 2 to the power of n groupings, several CUBEs their product; the planner lists them all in one step.
const GROUPINGS_MAX: u64 = 4_096;

#[derive(Default)]
struct Size {
    depth: usize,
    /// Of all CUBEs, ROLLUPs and GROUPING SETS; 0 stands for none yet.
    groupings: u64,
    selects: usize,
    /// Tables of each query that is being looked at, the innermost last.
    tables: Vec<u64>,
    /// Which queries are tables of a WITH, by where they lie, and of how many tables those are that are known.
    names: HashMap<*const Query, String>,
    of_with: HashMap<String, u64>,
}

impl Size {
    fn count_groupings(&mut self, expression: &Expr) -> ControlFlow<String> {
        let made = match expression {
            Expr::Cube(columns) => {
                1u64.checked_shl(u32::try_from(columns.len()).unwrap_or(u32::MAX)).unwrap_or(u64::MAX)
            }
            Expr::Rollup(columns) => columns.len() as u64 + 1,
            Expr::GroupingSets(sets) => sets.len() as u64,
            _ => return ControlFlow::Continue(()),
        };
        self.groupings = self.groupings.max(1).saturating_mul(made.max(1));
        if self.groupings <= GROUPINGS_MAX {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(format!(
            "CUBE, ROLLUP and GROUPING SETS come to more than the {GROUPINGS_MAX} groupings that are taken: group by fewer columns"
        ))
    }

    fn count_tables(&mut self, tables: u64) -> ControlFlow<String> {
        let Some(count) = self.tables.last_mut() else { return ControlFlow::Continue(()) };
        *count = count.saturating_add(tables);
        if *count <= TABLES_MAX {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(format!(
            "the statement joins more than the {TABLES_MAX} tables that are taken: one of a WITH counts as many as it is \
             made of, each time that it is named"
        ))
    }
}

impl Visitor for Size {
    type Break = String;

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<String> {
        self.count_groupings(expression)?;
        self.depth += 1;
        if self.depth <= DEPTH_MAX {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(format!(
            "an expression of the statement chains or nests more than the {DEPTH_MAX} operators that are taken: use IN \
             (…) or join a table"
        ))
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<String> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.names.insert(std::ptr::from_ref(table.query.as_ref()), table.alias.name.value.to_lowercase());
        }
        self.tables.push(0);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        let tables = self.tables.pop().unwrap_or(0);
        match self.names.remove(&std::ptr::from_ref(query)) {
            Some(name) => {
                // Of several of one name the largest counts.
                let known = self.of_with.entry(name).or_insert(1);
                *known = tables.max(*known);
                ControlFlow::Continue(())
            }
            None => self.count_tables(tables),
        }
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<String> {
        let last = name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.value.to_lowercase());
        let tables = last.and_then(|name| self.of_with.get(&name).copied()).unwrap_or(1);
        self.count_tables(tables)
    }

    fn pre_visit_select(&mut self, _: &Select) -> ControlFlow<String> {
        self.selects += 1;
        if self.selects <= SELECTS_MAX {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(format!(
            "the statement has more than the {SELECTS_MAX} SELECTs that are taken: use VALUES, or several statements"
        ))
    }
}

pub(crate) fn check_size(statement: &Statement) -> Result<(), QueryError> {
    match statement.visit(&mut Size::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(problem) => Err(QueryError::Invalid(problem)),
    }
}

pub(crate) fn check_plan_size(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut operators = 0;
    let counted = plan.apply_with_subqueries(|_| {
        operators += 1;
        Ok(if operators > OPERATORS_MAX { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    match counted {
        Ok(_) if operators <= OPERATORS_MAX => Ok(()),
        Ok(_) => Err(QueryError::Invalid(format!(
            "the statement comes to more than the {OPERATORS_MAX} operations that are taken: a table of a WITH counts as \
             often as it is named"
        ))),
        Err(error) => Err(QueryError::Invalid(error.strip_backtrace())),
    }
}
