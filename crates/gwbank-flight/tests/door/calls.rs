//! What is asked, and what is answered.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type, Schema, TimeUnit};
use arrow::ipc::reader::StreamReader;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    Any, CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTables, CommandGetXdbcTypeInfo, CommandStatementQuery,
    CommandStatementSubstraitPlan, ProstMessageExt, SqlInfo,
};
use arrow_flight::{FlightDescriptor, FlightInfo, Ticket};
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use tonic::{Code, Request};

use crate::support::{Client, Door, ints, readings, rows};

async fn fetched(client: &mut Client, info: FlightInfo) -> RecordBatch {
    let told = Arc::new(info.clone().try_decode_schema().unwrap());
    let stream = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
    arrow::compute::concat_batches(&told, &batches).unwrap()
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    column.iter().map(|text| text.unwrap().to_owned()).collect()
}

#[tokio::test]
async fn rows_come_in_plain_types_and_in_order() {
    let door = Door::open().await;
    let mut client = door.client().await;
    let batches = rows(&mut client, "readings 100000").await.unwrap();
    let types: Vec<DataType> = batches[0].columns().iter().map(|column| column.data_type().clone()).collect();
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    assert_eq!(types, [DataType::Utf8, utc, DataType::Float64]);
    let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let expected = readings(0, 100_000);
    let views = expected.column(0).as_string_view();
    assert!(all.column(0).as_string::<i32>().iter().eq(views.iter()));
    assert_eq!(all.column(2), expected.column(2));
    assert_eq!(door.stats.counts().rows, 100_000);
    assert!(rows(&mut client, "rows 0").await.unwrap().iter().all(|batch| batch.num_rows() == 0));
}

#[tokio::test]
async fn failures_have_codes_and_say_what_is_wrong() {
    let door = Door::open().await;
    let mut client = FlightServiceClient::new(door.channel().await);
    for (sql, code) in [
        ("nonsense", Code::InvalidArgument),
        ("fail limit", Code::ResourceExhausted),
        ("fail readonly", Code::PermissionDenied),
        ("fail time", Code::DeadlineExceeded),
        ("fail unavailable", Code::Unavailable),
    ] {
        let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        let status = client.get_flight_info(descriptor).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (code, format!("{sql}: ไม่ได้ at Line: 1, Column: 1").as_str()));
    }
    let transaction =
        CommandStatementQuery { query: "rows 1".to_owned(), transaction_id: Some(b"1".as_slice().into()) };
    let substrait = CommandStatementSubstraitPlan::default();
    for command in [transaction.as_any(), substrait.as_any()] {
        let status = client.get_flight_info(FlightDescriptor::new_cmd(command.encode_to_vec())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    }
    let mut client = door.client().await;
    for refused in [
        client.execute_update("INSERT INTO wells VALUES ('x')".to_owned(), None).await.unwrap_err().to_string(),
        client.begin_transaction().await.unwrap_err().to_string(),
    ] {
        assert!(refused.contains("read-only") || refused.contains("not supported"), "{refused}");
    }
}

#[tokio::test]
async fn a_schema_can_be_had_alone() {
    let door = Door::open().await;
    let mut client = FlightServiceClient::new(door.channel().await);
    let command = CommandStatementQuery { query: "readings 1".to_owned(), transaction_id: None };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let told = client.get_schema(descriptor.clone()).await.unwrap().into_inner();
    let schema = Schema::try_from(&told).unwrap();
    assert_eq!(schema.field(0).data_type(), &DataType::Utf8);
    let polled = client.poll_flight_info(descriptor).await.unwrap().into_inner();
    assert!(polled.flight_descriptor.is_none() && polled.info.unwrap().endpoint.len() == 1);
    let actions: Vec<_> = client
        .list_actions(Request::new(arrow_flight::Empty {}))
        .await
        .unwrap()
        .into_inner()
        .map(|action| action.unwrap().r#type)
        .collect()
        .await;
    assert!(actions.contains(&"CancelFlightInfo".to_owned()) && !actions.contains(&"BeginTransaction".to_owned()));
}

#[tokio::test]
async fn prepared_statements_take_parameters() {
    let door = Door::open().await;
    let mut client = door.client().await;
    let mut prepared = client.prepare("value".to_owned(), None).await.unwrap();
    assert_eq!(prepared.parameter_schema().unwrap().field(0).data_type(), &DataType::Int64);
    assert_eq!(prepared.dataset_schema().unwrap().field(0).name(), "n");
    assert_eq!(door.stats.counts().prepared, 1);
    let row = |column: ArrayRef| RecordBatch::try_from_iter([("$1", column)]).unwrap();
    for (column, expected) in [
        (Arc::new(Int64Array::from(vec![7])) as ArrayRef, Some(7)),
        (Arc::new(Int32Array::from(vec![-8])), Some(-8)),
        (Arc::new(StringArray::from(vec!["9"])), Some(9)),
        (Arc::new(Int64Array::from(vec![None])), None),
    ] {
        prepared.set_parameters(row(column)).unwrap();
        let info = prepared.execute().await.unwrap();
        let answer = fetched(&mut client, info).await;
        let value = answer.column(0).as_primitive::<Int64Type>().iter().next().unwrap();
        assert_eq!(value, expected);
    }
    prepared.set_parameters(row(Arc::new(StringArray::from(vec!["x"])))).unwrap();
    assert!(prepared.execute().await.unwrap_err().to_string().contains("parameter $1 is Int64"));
    prepared.close().await.unwrap();
    assert_eq!(door.stats.counts().prepared, 0);

    // Where any type would do, the values say which.
    let mut prepared = client.prepare("any value".to_owned(), None).await.unwrap();
    assert_eq!(prepared.parameter_schema().unwrap().field(0).data_type(), &DataType::Null);
    prepared.set_parameters(row(Arc::new(StringArray::from(vec!["น้ำ"])))).unwrap();
    let info = prepared.execute().await.unwrap();
    assert_eq!(fetched(&mut client, info).await.column(0).as_string::<i32>().value(0), "น้ำ");
    prepared.close().await.unwrap();

    let mut unbound = client.prepare("value".to_owned(), None).await.unwrap();
    let info = unbound.execute().await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let refused = client.do_get(ticket.clone()).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("bind them first"), "{refused}");
    unbound.close().await.unwrap();
    let refused = client.do_get(ticket).await.map(drop).unwrap_err().to_string();
    assert!(refused.contains("prepare it anew"), "{refused}");
}

#[tokio::test]
async fn the_catalog_tells_what_there_is() {
    let door = Door::open().await;
    let mut client = door.client().await;
    let info = client.get_catalogs().await.unwrap();
    assert_eq!(texts(&fetched(&mut client, info).await, "catalog_name"), ["gwbank"]);
    let info = client.get_db_schemas(CommandGetDbSchemas::default()).await.unwrap();
    assert_eq!(texts(&fetched(&mut client, info).await, "db_schema_name"), ["public"]);
    let info = client.get_table_types().await.unwrap();
    assert_eq!(texts(&fetched(&mut client, info).await, "table_type"), ["TABLE", "VIEW"]);
    let tables = async |client: &mut Client, asked: CommandGetTables| {
        let info = client.get_tables(asked).await.unwrap();
        fetched(client, info).await
    };
    let all = tables(&mut client, CommandGetTables::default()).await;
    assert_eq!(texts(&all, "table_name"), ["levels_monthly", "readings", "wells"]);
    let like = CommandGetTables { table_name_filter_pattern: Some("%ell_".to_owned()), ..Default::default() };
    assert_eq!(texts(&tables(&mut client, like).await, "table_name"), ["wells"]);
    let views = CommandGetTables { table_types: vec!["VIEW".to_owned()], include_schema: true, ..Default::default() };
    let views = tables(&mut client, views).await;
    assert_eq!(texts(&views, "table_name"), ["levels_monthly"]);
    let bytes = views.column_by_name("table_schema").unwrap().as_binary::<i32>().value(0);
    let schema = StreamReader::try_new(bytes, None).unwrap().schema();
    assert_eq!(schema.field(0).data_type(), &DataType::Utf8);
    let metadata: &HashMap<String, String> = schema.field(0).metadata();
    assert_eq!(metadata["ARROW:FLIGHT:SQL:REMARKS"], "of the well");
    let elsewhere = CommandGetTables { catalog: Some("other".to_owned()), ..Default::default() };
    assert_eq!(tables(&mut client, elsewhere).await.num_rows(), 0);

    for keys in [
        client.get_primary_keys(Default::default()).await.unwrap(),
        client.get_imported_keys(Default::default()).await.unwrap(),
        client.get_exported_keys(Default::default()).await.unwrap(),
        client.get_cross_reference(Default::default()).await.unwrap(),
    ] {
        let answer = fetched(&mut client, keys).await;
        assert_eq!(answer.num_rows(), 0);
        assert!(answer.schema().column_with_name("key_sequence").is_some());
    }
}

#[tokio::test]
async fn the_server_tells_what_it_can_do() {
    let door = Door::open().await;
    let mut client = door.client().await;
    let info = client.get_sql_info(Vec::<SqlInfo>::new()).await.unwrap();
    assert!(fetched(&mut client, info).await.num_rows() > 80);
    let asked = vec![SqlInfo::FlightSqlServerName, SqlInfo::FlightSqlServerVersion, SqlInfo::FlightSqlServerReadOnly];
    let info = client.get_sql_info(asked).await.unwrap();
    let told = fetched(&mut client, info).await;
    let values = told.column(1).as_union();
    let value = |row: usize| values.value(row);
    assert_eq!(value(0).as_string::<i32>().value(0), "gwbank");
    assert_eq!(value(1).as_string::<i32>().value(0), "1.2.3");
    assert!(value(2).as_boolean().value(0));
    let info = client.get_xdbc_type_info(CommandGetXdbcTypeInfo { data_type: None }).await.unwrap();
    assert!(texts(&fetched(&mut client, info).await, "type_name").contains(&"double precision".to_owned()));

    // Numbers that nobody knows, a million times over, are no work.
    let strange = CommandGetSqlInfo { info: vec![4_000_000; 500_000] };
    let ticket = Ticket::new(Any::pack(&strange).unwrap().encode_to_vec());
    let batches: Vec<RecordBatch> = client.do_get(ticket).await.unwrap().try_collect().await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
    assert_eq!(ints(&rows(&mut client, "rows 1").await.unwrap()), [0]);
}
