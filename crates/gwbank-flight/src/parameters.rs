//! Values of parameters, as clients bind them: one row of IPC messages.
//!
//! # Rules
//! 1. What is read comes from a client and is believed in nothing: sizes are bounded before, a compressed body is refused
//!    unread (a few bytes could ask for any memory), and a reader that panics is an answer like any other.
//! 2. One row: a statement runs once for what is bound.

use std::panic::AssertUnwindSafe;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::{self, MessageHeader};
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use tonic::Status;

use crate::answer::plain_array;

/// All values of one statement, and what goes before them: an array of every well is a twentieth of it.
const BYTES_MAX: usize = 4 << 20;
/// A schema, dictionaries, a row.
const MESSAGES_MAX: usize = 100;

/// Columns of a statement's parameters, as far as they are known; a client may leave the others to their values.
pub(crate) fn schema(parameters: &[Option<DataType>]) -> Schema {
    let field = |(index, parameter): (usize, &Option<DataType>)| {
        let known = parameter.as_ref().map_or(DataType::Null, crate::answer::plain_type);
        Field::new(format!("${}", index + 1), known, true)
    };
    Schema::new(parameters.iter().enumerate().map(field).collect::<Vec<_>>())
}

/// The values that a client sends, each an array of one, in the types of the parameters.
pub(crate) async fn read<S>(messages: S, parameters: &[Option<DataType>]) -> Result<Vec<ArrayRef>, Status>
where
    S: Stream<Item = Result<FlightData, Status>> + Unpin,
{
    let messages = bounded(messages).await?;
    let decoded = decode(messages).await?;
    let Some(batch) = decoded else {
        return if parameters.is_empty() { Ok(Vec::new()) } else { Err(invalid("no row of parameters was sent")) };
    };
    let (given, wanted) = (batch.num_columns(), parameters.len());
    if given != wanted {
        return Err(invalid(&format!("the statement has {wanted} parameters, and {given} values were sent")));
    }
    let typed = batch.columns().iter().zip(parameters).enumerate().map(|(index, (value, parameter))| match parameter {
        Some(wanted) => plain_array(value, wanted).map_err(|error| {
            let (number, from) = (index + 1, value.data_type());
            invalid(&format!("parameter ${number} is {wanted}, and {from} was sent, which does not fit: {error}"))
        }),
        None => Ok(value.clone()),
    });
    typed.collect()
}

async fn bounded<S>(mut messages: S) -> Result<Vec<FlightData>, Status>
where
    S: Stream<Item = Result<FlightData, Status>> + Unpin,
{
    let (mut taken, mut bytes, mut rows) = (Vec::new(), 0, 0);
    while let Some(message) = messages.try_next().await? {
        bytes += message.data_header.len() + message.data_body.len();
        if bytes > BYTES_MAX || taken.len() == MESSAGES_MAX {
            let text = format!("parameters may take {BYTES_MAX} bytes in {MESSAGES_MAX} messages; bind less");
            return Err(Status::resource_exhausted(text));
        }
        if message.data_header.is_empty() {
            continue;
        }
        rows += rows_in(&message.data_header)?;
        if rows > 1 {
            return Err(invalid("one row of parameters can be bound at a time; run the statement once for each row"));
        }
        taken.push(message);
    }
    Ok(taken)
}

/// How many rows the message has; an error where it must not be read further.
fn rows_in(header: &[u8]) -> Result<i64, Status> {
    let message = ipc::root_as_message(header).map_err(|_| unreadable())?;
    let batch = match message.header_type() {
        MessageHeader::Schema => return Ok(0),
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => message.header_as_dictionary_batch().and_then(|batch| batch.data()),
        _ => return Err(unreadable()),
    };
    let batch = batch.ok_or_else(unreadable)?;
    if batch.compression().is_some() {
        return Err(invalid("parameters come compressed; send them plain"));
    }
    let is_rows = message.header_type() == MessageHeader::RecordBatch;
    // Lengths of dictionaries are bounded by their bytes, but for columns that take none.
    let length = batch.length();
    if !(0..=BYTES_MAX as i64).contains(&length) {
        return Err(unreadable());
    }
    Ok(if is_rows { length } else { 0 })
}

/// The row, if there is one.
async fn decode(messages: Vec<FlightData>) -> Result<Option<RecordBatch>, Status> {
    let decoding = async {
        let mut batches = FlightRecordBatchStream::new_from_flight_data(stream::iter(messages.into_iter().map(Ok)));
        let mut found = None;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(|_| unreadable())?;
            if batch.num_rows() > 0 {
                found = Some(batch);
            }
        }
        Ok(found)
    };
    // Nothing of what is unwound is used again.
    AssertUnwindSafe(decoding).catch_unwind().await.unwrap_or_else(|_| Err(unreadable()))
}

fn unreadable() -> Status {
    invalid("the parameters cannot be read: they are no messages of Arrow's IPC format")
}

fn invalid(text: &str) -> Status {
    Status::invalid_argument(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use arrow::array::{Int32Array, Int64Array, ListArray, NullArray, StringArray};
    use arrow::datatypes::Int64Type;
    use arrow::ipc::CompressionType;
    use arrow::ipc::writer::IpcWriteOptions;
    use arrow_flight::encode::FlightDataEncoderBuilder;
    use proptest::prelude::*;

    fn block<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn encoded(batch: RecordBatch, options: IpcWriteOptions) -> Vec<FlightData> {
        let encoder = FlightDataEncoderBuilder::new().with_options(options).build(stream::iter([Ok(batch)]));
        block(encoder.try_collect()).unwrap()
    }

    fn row(columns: Vec<ArrayRef>) -> RecordBatch {
        RecordBatch::try_from_iter(columns.into_iter().enumerate().map(|(i, column)| (format!("{i}"), column))).unwrap()
    }

    fn read_all(messages: Vec<FlightData>, parameters: &[Option<DataType>]) -> Result<Vec<ArrayRef>, Status> {
        block(read(stream::iter(messages.into_iter().map(Ok)), parameters))
    }

    fn some() -> RecordBatch {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None])]);
        row(vec![
            Arc::new(Int64Array::from(vec![7])),
            Arc::new(StringArray::from(vec!["บ่อน้ำ"])),
            Arc::new(list),
            Arc::new(NullArray::new(1)),
        ])
    }

    #[test]
    fn values_take_the_types_of_their_parameters() {
        let list = DataType::new_list(DataType::Int64, true);
        let parameters = [Some(DataType::Int32), Some(DataType::Utf8View), Some(list.clone()), Some(DataType::Float64)];
        let values = read_all(encoded(some(), IpcWriteOptions::default()), &parameters).unwrap();
        assert_eq!(values[0].as_ref(), &Int32Array::from(vec![7]) as &dyn arrow::array::Array);
        let types: Vec<DataType> = values.iter().map(|value| value.data_type().clone()).collect();
        assert_eq!(types, parameters.map(Option::unwrap));
        let told: Vec<DataType> =
            schema(&[Some(DataType::Utf8View), None]).fields().iter().map(|f| f.data_type().clone()).collect();
        assert_eq!(told, [DataType::Utf8, DataType::Null]);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let refused = |messages, parameters: &[Option<DataType>]| {
            read_all(messages, parameters).unwrap_err().message().to_owned()
        };
        let plain = || encoded(some(), IpcWriteOptions::default());
        assert!(refused(plain(), &[None]).contains("has 1 parameters, and 4 values"));
        let no_number = row(vec![Arc::new(StringArray::from(vec!["x"]))]);
        assert!(
            refused(encoded(no_number, IpcWriteOptions::default()), &[Some(DataType::Int32)]).contains("parameter $1")
        );
        let two = row(vec![Arc::new(Int64Array::from(vec![1, 2]))]);
        assert!(refused(encoded(two, IpcWriteOptions::default()), &[None]).contains("one row"));
        assert!(refused(Vec::new(), &[None]).contains("no row"));
        let large = row(vec![Arc::new(StringArray::from(vec!["x".repeat(BYTES_MAX)]))]);
        assert!(refused(encoded(large, IpcWriteOptions::default()), &[None]).contains("bind less"));
        let compressed = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD)).unwrap();
        assert!(refused(encoded(some(), compressed), &[const { None }; 4]).contains("compressed"));
    }

    /// What a client may send, whatever it is: an answer, and no harm.
    fn fuzz(messages: Vec<FlightData>) {
        let types = [DataType::Int32, DataType::Utf8View, DataType::new_list(DataType::Int64, true), DataType::Float64];
        if let Ok(values) = read_all(messages, &types.map(Some)) {
            assert!(values.iter().all(|value| value.len() == 1));
        }
    }

    proptest! {
        #[test]
        fn damaged_messages_do_no_harm(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            which in 0usize..2,
            cut in proptest::option::of(any::<prop::sample::Index>()),
            in_body in any::<bool>(),
        ) {
            let mut messages = encoded(some(), IpcWriteOptions::default());
            let which = which.min(messages.len() - 1);
            let message = &mut messages[which];
            let bytes = if in_body { &mut message.data_body } else { &mut message.data_header };
            let mut damaged = bytes.to_vec();
            if !damaged.is_empty() {
                for (place, value) in changes {
                    let place = place.index(damaged.len());
                    damaged[place] = value;
                }
                if let Some(cut) = cut {
                    damaged.truncate(cut.index(damaged.len()));
                }
            }
            *bytes = damaged.into();
            fuzz(messages);
        }

        #[test]
        fn any_bytes_do_no_harm(
            header in proptest::collection::vec(any::<u8>(), 0..64),
            body in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            fuzz(vec![FlightData::new().with_data_header(header).with_data_body(body)]);
        }
    }
}
