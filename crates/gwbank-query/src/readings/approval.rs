//! Which readings a person has decided on: an overlay over the stored ones, which no review rewrites.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use gwbank_model::{GatewayId, Parameter, QcTest, QcTests, Seq, Timestamp};
use gwbank_store::{Approvals, ReviewedVersion, columns};

use crate::readings::columns::{NAME, same_series_end};

/// Places of the stored columns that an approval depends on, in the order in which [`approval`] takes them.
pub(crate) const NEEDED: [usize; 6] =
    [columns::WELL_ID, columns::PARAMETER, columns::TIME, columns::SEQ, columns::QC_TESTS, columns::GATEWAY_ID];

/// The same by the names that SQL has for them.
pub(crate) const NEEDED_NAMES: [&str; 6] = ["well_id", "parameter", "time", "seq", "qc_tests", "gateway_id"];

/// A column of `provisional` and `approved`, from the columns of [`NEEDED`], as stored or as SQL shows them.
pub(crate) fn approval(approvals: &Approvals, needed: [&ArrayRef; 6]) -> Result<ArrayRef, ArrowError> {
    let [wells, parameters, times, seqs, tests, gateways] = needed;
    let text = |column: &ArrayRef| cast(column, &NAME);
    let (wells, parameters, gateways) = (text(wells)?, text(parameters)?, text(gateways)?);
    let (wells, parameters, gateways) =
        (wells.as_string_view(), parameters.as_string_view(), gateways.as_string_view());
    let times = times.as_primitive::<TimestampMicrosecondType>().values();
    let seqs = seqs.as_primitive::<Int64Type>().values();
    let tests = tests.as_primitive::<Int32Type>().values();
    let mut codes: Vec<u32> = Vec::with_capacity(wells.len());
    let mut row = 0;
    while row < wells.len() {
        let end = same_series_end(wells, parameters, row);
        let of_series = Parameter::from_name(parameters.value(row)).and_then(|of| approvals.of(wells.value(row), of));
        match of_series {
            None => codes.resize(end, IS_PROVISIONAL),
            Some(of_series) => codes.extend((row..end).map(|row| {
                let version = ReviewedVersion {
                    time: Timestamp::from_micros(times[row]),
                    seq: Seq::from_i64(seqs[row]),
                    is_corrected: gateways.value(row) == GatewayId::REVIEW,
                    is_rejected: QcTests::from_bits(tests[row] as u16).contains(QcTest::Review),
                };
                if of_series.approves(version) { IS_APPROVED } else { IS_PROVISIONAL }
            })),
        }
        row = end;
    }
    named(codes)
}

pub(crate) fn provisional(rows: usize) -> Result<ArrayRef, ArrowError> {
    named(vec![IS_PROVISIONAL; rows])
}

/// As the column says it.
pub(crate) const APPROVED: &str = "approved";

/// Places among the names.
const IS_PROVISIONAL: u32 = 0;
const IS_APPROVED: u32 = 1;

fn named(codes: Vec<u32>) -> Result<ArrayRef, ArrowError> {
    static NAMES: LazyLock<ArrayRef> = LazyLock::new(|| Arc::new(StringViewArray::from(vec!["provisional", APPROVED])));
    take(&*NAMES, &UInt32Array::from(codes), None)
}
