//! What a fuzzer calls.

use arrow::record_batch::RecordBatch;
use gwbank_model::{GatewayId, Parameter, WellId};
use gwbank_store::RowNames;

use crate::archive::{Batches, CopyReader, Kind, Naming, Numbers};
use crate::error::WorkError;

/// Takes the bytes for a COPY of all that revisions have, in pieces of so many bytes: a batch, or why not. Series and
/// gateway 1 have names.
pub fn read_copy(bytes: &[u8], piece_bytes: usize) -> Result<RecordBatch, String> {
    let names = RowNames::default();
    let well = WellId::new("W-1").expect("a well");
    let gateway = GatewayId::new("gw-1").expect("a gateway");
    let mut numbers = Numbers::default();
    numbers.add_series(names.series.intern(&well, Parameter::DepthToWater), 1);
    numbers.add_gateway(names.gateways.intern(&gateway), 1);
    let read = || -> Result<RecordBatch, WorkError> {
        let mut batches = Batches::new(Kind::Losers, None, Naming { numbers: &numbers, names: &names })?;
        let mut reader = CopyReader::new(batches.fields().len());
        for piece in bytes.chunks(piece_bytes.max(1)) {
            reader.take(piece, |tuple| batches.push(tuple).map_err(WorkError::from))?;
        }
        reader.finish()?;
        Ok(batches.finish()?)
    };
    read().map_err(|error| error.to_string())
}
