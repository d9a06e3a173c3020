//! How deep an expression may nest.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Statement, Visit, Visitor};

use crate::error::QueryError;

/// A chain such as `a OR b OR …` nests as deep as it is long. Planning takes more than linear time in it and walks it by
/// recursion; nobody needs more.
const DEPTH_MAX: usize = 1_500;

#[derive(Default)]
struct Depth(usize);

impl Visitor for Depth {
    type Break = ();

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.0 += 1;
        if self.0 > DEPTH_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.0 -= 1;
        ControlFlow::Continue(())
    }
}

pub(crate) fn check_depth(statement: &Statement) -> Result<(), QueryError> {
    match statement.visit(&mut Depth::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(QueryError::Invalid(format!(
            "an expression of the statement chains or nests more than the {DEPTH_MAX} operators that are taken: use IN \
             (…) or join a table"
        ))),
    }
}
