//! `approval` as the reviews said that were known then.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, ident,
};
use gwbank_store::{Approvals, Reviews};

use super::KnownAt;
use crate::readings::{APPROVAL_NEEDS, NAME, approval};

/// Of a version of a reading, from its other columns.
pub(super) fn expr(reviews: &Reviews, at: KnownAt) -> Expr {
    let approvals = Arc::new(Approvals::as_known_at(reviews.all(), at.through()));
    let function =
        ScalarUDF::new_from_impl(Approval { approvals, signature: Signature::any(6, Volatility::Immutable) });
    function.call(APPROVAL_NEEDS.map(ident).to_vec())
}

#[derive(Debug)]
struct Approval {
    approvals: Arc<Approvals>,
    signature: Signature,
}

/// Of the same reviews.
impl PartialEq for Approval {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.approvals, &other.approvals)
    }
}

impl Eq for Approval {}

impl Hash for Approval {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.approvals).hash(state);
    }
}

impl ScalarUDFImpl for Approval {
    fn name(&self) -> &str {
        "approval"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(NAME)
    }

    /// Never missing, as in the table.
    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), NAME, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays: Vec<ArrayRef> =
            args.args.iter().map(|value| value.to_array(args.number_rows)).collect::<Result<_>>()?;
        let [wells, parameters, times, seqs, tests, gateways] = arrays.as_slice() else {
            return internal_err!("an approval depends on six columns");
        };
        let column = approval(&self.approvals, [wells, parameters, times, seqs, tests, gateways])?;
        Ok(ColumnarValue::Array(column))
    }
}
