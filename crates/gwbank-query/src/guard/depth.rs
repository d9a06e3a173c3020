//! How deep an expression may nest, and how many SELECTs a statement may have.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Select, Statement, Visit, Visitor};

use crate::error::QueryError;

/// A chain such as `a OR b OR …` nests as deep as it is long. Planning takes more than linear time in it and walks it by
/// recursion; nobody needs more.
const DEPTH_MAX: usize = 1_500;

/// A chain of UNIONs of thousands is planned for minutes, in steps that nothing can interrupt.
const SELECTS_MAX: usize = 256;

#[derive(Default)]
struct Size {
    depth: usize,
    selects: usize,
}

impl Visitor for Size {
    type Break = String;

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<String> {
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
