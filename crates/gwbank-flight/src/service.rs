//! The calls: who makes them, then what they ask.
//!
//! ```text
//! Service: every call of Flight ─→ who asks? has the connection a place? ─→ Door: the commands of Flight SQL
//! ```

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::server::{DoPutError, FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionBeginSavepointRequest, ActionBeginSavepointResult, ActionBeginTransactionRequest,
    ActionBeginTransactionResult, ActionCancelQueryRequest, ActionCancelQueryResult,
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
    ActionCreatePreparedSubstraitPlanRequest, ActionEndSavepointRequest, ActionEndTransactionRequest, Any, Command,
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables, CommandGetXdbcTypeInfo,
    CommandPreparedStatementQuery, CommandPreparedStatementUpdate, CommandStatementIngest, CommandStatementQuery,
    CommandStatementSubstraitPlan, CommandStatementUpdate, DoPutPreparedStatementResult, ProstMessageExt, SqlInfo,
    TicketStatementQuery,
};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, Criteria, Empty, FlightData,
    FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, IpcMessage, PollInfo, PutResult,
    SchemaAsIpc, SchemaResult, Ticket,
};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use crate::answer::{Shape, pieces};
use crate::catalog;
use crate::door::{Asked, Caller, SqlDoor, SqlFailure};
use crate::error::{internal, read_only, unsupported};
use crate::gate::{Gate, Who};
use crate::info::Info;
use crate::parameters;
use crate::prepared::{Prepared, PreparedStatements};
use crate::running::{Rows, Running};
use crate::sessions::{self, CloseSessionResult, Sessions};
use crate::socket::Peer;
use crate::ticket::{Asks, QueryTicket};
use gwbank_door::DoorStats;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type DataStream = Answers<FlightData>;

const CANCEL_FLIGHT_INFO: &str = "CancelFlightInfo";

/// Actions, as they are listed.
const ACTIONS: [(&str, &str); 7] = [
    ("CreatePreparedStatement", "prepares a query; a handle, the schemas of its rows and parameters"),
    ("ClosePreparedStatement", "forgets a prepared query"),
    (CANCEL_FLIGHT_INFO, "stops the query that was started by a ticket of the FlightInfo"),
    ("CancelQuery", "the same in older clients' words"),
    (sessions::SET, "makes settings of the session"),
    (sessions::GET, "tells the settings of the session"),
    (sessions::CLOSE, "ends the session; its token is good no more"),
];

/// Asks who is there before every call.
pub(crate) struct Service(Door);

/// What answers the commands of Flight SQL.
pub(crate) struct Door {
    pub sql: Arc<dyn SqlDoor>,
    pub gate: Gate,
    pub running: Arc<Running>,
    pub prepared: PreparedStatements,
    pub sessions: Sessions,
    pub info: Info,
    pub answer_time: Duration,
    pub stats: Arc<DoorStats>,
}

impl Service {
    pub(crate) fn new(door: Door) -> Self {
        Self(door)
    }

    async fn known<T>(&self, mut request: Request<T>) -> Result<Request<T>, Status> {
        let peer = request.extensions().get::<Peer>().cloned().ok_or_else(|| Status::internal("no connection"))?;
        let who = self.0.gate.who(request.metadata(), peer.address.ip()).await?;
        peer.known()?;
        request.extensions_mut().insert(who);
        Ok(request)
    }
}

#[tonic::async_trait]
impl FlightService for Service {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = DataStream;
    type DoPutStream = Answers<PutResult>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;
    type DoExchangeStream = DataStream;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        let request = self.known(request).await?;
        let token = self.0.gate.token(&who(&request)?);
        let bearer = format!("Bearer {token}").parse().map_err(|_| Status::internal("the token is no header"))?;
        let answer = HandshakeResponse { protocol_version: 0, payload: token.into() };
        let mut response = Response::new(one(answer));
        response.metadata_mut().insert("authorization", bearer);
        Ok(response)
    }

    /// Statements make flights; none lies ready.
    async fn list_flights(&self, request: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        self.known(request).await?;
        Ok(Response::new(stream::empty().boxed()))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let request = self.known(request).await?;
        check_command(&request.get_ref().cmd)?;
        FlightService::get_flight_info(&self.0, request).await
    }

    /// A query is planned at once and runs when it is fetched, so that there is nothing to poll for.
    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        let info = self.get_flight_info(request).await?.into_inner();
        Ok(Response::new(PollInfo::new().with_info(info)))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let info = self.get_flight_info(request).await?.into_inner();
        Ok(Response::new(SchemaResult { schema: info.schema }))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let request = self.known(request).await?;
        check_command(&request.get_ref().ticket)?;
        FlightService::do_get(&self.0, request).await
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        let request = self.known(request).await?;
        FlightService::do_put(&self.0, request).await
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.known(request).await?;
        Err(unsupported("DoExchange", "send statements with GetFlightInfo and DoGet"))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let request = self.known(request).await?;
        FlightService::do_action(&self.0, request).await
    }

    async fn list_actions(&self, request: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        self.known(request).await?;
        let action = |(name, description): (&str, &str)| {
            Ok(ActionType { r#type: name.to_owned(), description: description.to_owned() })
        };
        Ok(Response::new(stream::iter(ACTIONS.map(action)).boxed()))
    }
}

/// What cannot be read is the client's fault, which the library does not say.
fn check_command(bytes: &[u8]) -> Result<(), Status> {
    let read = Any::decode(bytes).map_err(|_| ()).and_then(|any| Command::try_from(any).map_err(|_| ()));
    read.map(drop).map_err(|()| Status::invalid_argument("this is no command or ticket of Flight SQL"))
}

fn one<T: Send + 'static>(answer: T) -> Answers<T> {
    stream::iter([Ok(answer)]).boxed()
}

fn who<T>(request: &Request<T>) -> Result<Who, Status> {
    request.extensions().get::<Who>().cloned().ok_or_else(|| Status::unauthenticated("nobody said who asks"))
}

/// The time that the client gives a call: at most eight digits and a unit.
fn time_given(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = (digits.len() <= 8).then(|| digits.parse().ok())??;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

fn encoded(schema: &Schema) -> Result<Bytes, Status> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &options).try_into().map_err(|error| internal(&error))?;
    Ok(bytes)
}

/// Tells of rows that are to be fetched by the ticket.
fn info_of(
    schema: &Schema,
    ticket: Ticket,
    request: Request<FlightDescriptor>,
) -> Result<Response<FlightInfo>, Status> {
    let info = FlightInfo::new()
        .try_with_schema(schema)
        .map_err(|error| internal(&error))?
        .with_descriptor(request.into_inner())
        .with_endpoint(FlightEndpoint::new().with_ticket(ticket))
        .with_total_records(-1)
        .with_total_bytes(-1)
        .with_ordered(true);
    Ok(Response::new(info))
}

/// The same of an answer that is made without the engine: its ticket is the command itself.
fn info_of_command(
    command: &impl ProstMessageExt,
    answer: &RecordBatch,
    request: Request<FlightDescriptor>,
) -> Result<Response<FlightInfo>, Status> {
    info_of(&answer.schema(), Ticket::new(command.as_any().encode_to_vec()), request)
}

fn sent(answer: RecordBatch) -> Response<DataStream> {
    let encoder = FlightDataEncoderBuilder::new().with_schema(answer.schema()).build(stream::iter([Ok(answer)]));
    Response::new(encoder.map_err(Status::from).boxed())
}

fn no_transactions(id: Option<&Bytes>) -> Result<(), Status> {
    match id {
        Some(id) if !id.is_empty() => Err(unsupported("a transaction", "leave it out: nothing can be written")),
        _ => Ok(()),
    }
}

impl Door {
    fn caller<T>(&self, request: &Request<T>) -> Result<Arc<Caller>, Status> {
        let who = who(request)?;
        let settings = self.sessions.settings(&who, request.metadata());
        Ok(Arc::new(Caller { user: who.name.as_ref().to_owned(), settings }))
    }

    /// What a prepared statement answers with; told anew where that hangs on what was bound.
    async fn schema_of(&self, prepared: &Prepared, caller: Arc<Caller>) -> Result<Arc<Schema>, Status> {
        let is_told = prepared.values.is_empty() || prepared.parameters.iter().all(Option::is_some);
        if is_told {
            return Ok(prepared.schema.clone());
        }
        let types = prepared.values.iter().map(|value| Some(value.data_type().clone())).collect();
        let asked = Asked { sql: prepared.sql.as_ref().to_owned(), types, values: Vec::new(), caller };
        Ok(Shape::of(&self.sql.describe(asked).await?.schema).schema().clone())
    }

    async fn run(&self, ticket: QueryTicket, request: Request<Ticket>) -> Result<Response<DataStream>, Status> {
        let caller = self.caller(&request)?;
        let time = time_given(request.metadata()).map_or(self.answer_time, |given| given.min(self.answer_time));
        let asked = match ticket.what {
            Asks::Statement(sql) => Asked { sql, types: Vec::new(), values: Vec::new(), caller },
            Asks::Prepared(handle) => {
                let prepared = self.prepared.get(&handle, &caller.user)?;
                let values = prepared.bound()?;
                let types: Vec<Option<DataType>> = values.iter().map(|v| Some(v.data_type().clone())).collect();
                Asked { sql: prepared.sql.as_ref().to_owned(), types, values, caller }
            }
        };
        let rows = self.running.start(ticket.id, &self.sql, asked, time).await?;
        Ok(Response::new(self.stream(rows)))
    }

    fn stream(&self, rows: Rows) -> DataStream {
        let shape = Shape::of(rows.schema());
        let (schema, stats) = (shape.schema().clone(), self.stats.clone());
        let pieces = rows.map_ok(|batch| stream::iter(pieces(batch)).map(Ok::<_, SqlFailure>)).try_flatten();
        let plain = pieces.map(move |piece| {
            let plain = shape.plain(&piece.map_err(Status::from)?).map_err(|error| internal(&error))?;
            stats.sent(plain.num_rows());
            Ok::<RecordBatch, FlightError>(plain)
        });
        // Cut to size already; the library would reckon with whole buffers where a batch is a slice of them.
        let encoder = FlightDataEncoderBuilder::new().with_schema(schema).with_max_flight_data_size(usize::MAX);
        encoder.build(plain).map_err(Status::from).boxed()
    }

    fn cancel(&self, info: &FlightInfo, who: &Who) -> bool {
        let tickets = info.endpoint.iter().filter_map(|endpoint| endpoint.ticket.as_ref());
        // Each is cancelled, whether or not one was found.
        tickets.filter_map(QueryTicket::of_ticket).filter(|query| self.running.cancel(&query.id, &who.name)).count() > 0
    }
}

#[tonic::async_trait]
impl FlightSqlService for Door {
    type FlightService = Self;

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        no_transactions(query.transaction_id.as_ref())?;
        let caller = self.caller(&request)?;
        let asked = Asked { sql: query.query.clone(), types: Vec::new(), values: Vec::new(), caller };
        let told = self.sql.describe(asked).await?;
        let ticket = QueryTicket::new(Asks::Statement(query.query)).ticket();
        info_of(Shape::of(&told.schema).schema(), ticket, request)
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<DataStream>, Status> {
        let ticket = QueryTicket::read(&ticket.statement_handle)?;
        self.run(ticket, request).await
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let caller = self.caller(&request)?;
        let handle = &query.prepared_statement_handle;
        let prepared = self.prepared.get(handle, &caller.user)?;
        let schema = self.schema_of(&prepared, caller).await?;
        let handle = crate::ticket::id(handle).ok_or_else(|| Status::not_found("no such prepared statement"))?;
        info_of(&schema, QueryTicket::new(Asks::Prepared(handle)).ticket(), request)
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<DataStream>, Status> {
        let handle = crate::ticket::id(&query.prepared_statement_handle)
            .ok_or_else(|| Status::not_found("no such prepared statement"))?;
        self.run(QueryTicket::new(Asks::Prepared(handle)), request).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        no_transactions(query.transaction_id.as_ref())?;
        let caller = self.caller(&request)?;
        let asked = Asked { sql: query.query.clone(), types: Vec::new(), values: Vec::new(), caller: caller.clone() };
        let told = self.sql.describe(asked).await?;
        let prepared = Prepared {
            sql: query.query.into(),
            schema: Shape::of(&told.schema).schema().clone(),
            parameters: told.parameters.into(),
            values: Arc::new([]),
        };
        let dataset_schema = encoded(&prepared.schema)?;
        let parameter_schema = encoded(&parameters::schema(&prepared.parameters))?;
        let handle = self.prepared.add(&caller.user, prepared);
        let prepared_statement_handle = Bytes::copy_from_slice(&handle);
        Ok(ActionCreatePreparedStatementResult { prepared_statement_handle, dataset_schema, parameter_schema })
    }

    async fn do_action_close_prepared_statement(
        &self,
        query: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        self.prepared.close(&query.prepared_statement_handle, &who(&request)?.name);
        Ok(())
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let owner = who(&request)?.name;
        let handle = query.prepared_statement_handle;
        let prepared = self.prepared.get(&handle, &owner)?;
        let values = parameters::read(request.into_inner(), &prepared.parameters).await?;
        self.prepared.bind(&handle, &owner, values)?;
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) })
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of_command(&query, &catalog::catalogs()?, request)
    }

    async fn do_get_catalogs(&self, _: CommandGetCatalogs, _: Request<Ticket>) -> Result<Response<DataStream>, Status> {
        Ok(sent(catalog::catalogs()?))
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of_command(&query, &catalog::schemas(query.clone())?, request)
    }

    async fn do_get_schemas(
        &self,
        query: CommandGetDbSchemas,
        _: Request<Ticket>,
    ) -> Result<Response<DataStream>, Status> {
        Ok(sent(catalog::schemas(query)?))
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of_command(&query, &catalog::tables(query.clone(), &self.sql.tables())?, request)
    }

    async fn do_get_tables(&self, query: CommandGetTables, _: Request<Ticket>) -> Result<Response<DataStream>, Status> {
        Ok(sent(catalog::tables(query, &self.sql.tables())?))
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of_command(&query, &catalog::table_types()?, request)
    }

    async fn do_get_table_types(
        &self,
        _: CommandGetTableTypes,
        _: Request<Ticket>,
    ) -> Result<Response<DataStream>, Status> {
        Ok(sent(catalog::table_types()?))
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of_command(&query, &self.info.sql(&query.info)?, request)
    }

    async fn do_get_sql_info(
        &self,
        query: CommandGetSqlInfo,
        _: Request<Ticket>,
    ) -> Result<Response<DataStream>, Status> {
        Ok(sent(self.info.sql(&query.info)?))
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of_command(&query, &self.info.types(query.data_type)?, request)
    }

    async fn do_get_xdbc_type_info(
        &self,
        query: CommandGetXdbcTypeInfo,
        _: Request<Ticket>,
    ) -> Result<Response<DataStream>, Status> {
        Ok(sent(self.info.types(query.data_type)?))
    }

    async fn get_flight_info_primary_keys(
        &self,
        query: CommandGetPrimaryKeys,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of_command(&query, &catalog::primary_keys()?, request)
    }

    async fn do_get_primary_keys(
        &self,
        _: CommandGetPrimaryKeys,
        _: Request<Ticket>,
    ) -> Result<Response<DataStream>, Status> {
        Ok(sent(catalog::primary_keys()?))
    }

    async fn get_flight_info_exported_keys(
        &self,
        query: CommandGetExportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of_command(&query, &catalog::foreign_keys()?, request)
    }

    async fn do_get_exported_keys(
        &self,
        _: CommandGetExportedKeys,
        _: Request<Ticket>,
    ) -> Result<Response<DataStream>, Status> {
        Ok(sent(catalog::foreign_keys()?))
    }

    async fn get_flight_info_imported_keys(
        &self,
        query: CommandGetImportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of_command(&query, &catalog::foreign_keys()?, request)
    }

    async fn do_get_imported_keys(
        &self,
        _: CommandGetImportedKeys,
        _: Request<Ticket>,
    ) -> Result<Response<DataStream>, Status> {
        Ok(sent(catalog::foreign_keys()?))
    }

    async fn get_flight_info_cross_reference(
        &self,
        query: CommandGetCrossReference,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info_of_command(&query, &catalog::foreign_keys()?, request)
    }

    async fn do_get_cross_reference(
        &self,
        _: CommandGetCrossReference,
        _: Request<Ticket>,
    ) -> Result<Response<DataStream>, Status> {
        Ok(sent(catalog::foreign_keys()?))
    }

    async fn do_action_cancel_query(
        &self,
        query: ActionCancelQueryRequest,
        request: Request<Action>,
    ) -> Result<ActionCancelQueryResult, Status> {
        /// As the protocol numbers the outcomes.
        const CANCELLED: i32 = 1;
        const NOT_CANCELLABLE: i32 = 3;
        let info = FlightInfo::decode(query.info).map_err(|_| Status::invalid_argument("this is no FlightInfo"))?;
        let was_there = self.cancel(&info, &who(&request)?);
        Ok(ActionCancelQueryResult { result: if was_there { CANCELLED } else { NOT_CANCELLABLE } })
    }

    async fn do_action_fallback(
        &self,
        request: Request<Action>,
    ) -> Result<Response<Answers<arrow_flight::Result>>, Status> {
        let who = who(&request)?;
        let (metadata, _, Action { r#type, body }) = request.into_parts();
        let mut cookie = None;
        let answer = match r#type.as_str() {
            CANCEL_FLIGHT_INFO => {
                let info = sessions::decoded::<CancelFlightInfoRequest>(&body)?.info.unwrap_or_default();
                if !self.cancel(&info, &who) {
                    return Err(Status::not_found("no query of this ticket is running: it ended, or never began"));
                }
                CancelFlightInfoResult::new(CancelStatus::Cancelled).encode_to_vec()
            }
            sessions::SET => {
                let (result, set) = self.sessions.set(&who, &metadata, sessions::decoded(&body)?);
                cookie = set;
                result.encode_to_vec()
            }
            sessions::GET => self.sessions.told(&who, &metadata).encode_to_vec(),
            sessions::CLOSE => {
                self.sessions.close(&who, &metadata);
                self.gate.forget(&who);
                CloseSessionResult::CLOSED.encode_to_vec()
            }
            "RenewFlightEndpoint" => return Err(unsupported("RenewFlightEndpoint", "tickets do not expire")),
            other => {
                let known = ACTIONS.map(|(name, _)| name).join(", ");
                return Err(Status::unimplemented(format!("there is no action {other:?}; the actions are {known}")));
            }
        };
        let mut response = Response::new(one(arrow_flight::Result { body: answer.into() }));
        if let Some(cookie) = cookie.and_then(|cookie| cookie.parse().ok()) {
            response.metadata_mut().insert("set-cookie", cookie);
        }
        Ok(response)
    }

    async fn do_put_statement_update(
        &self,
        _: CommandStatementUpdate,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(read_only("an update"))
    }

    async fn do_put_prepared_statement_update(
        &self,
        _: CommandPreparedStatementUpdate,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(read_only("an update"))
    }

    async fn do_put_statement_ingest(
        &self,
        _: CommandStatementIngest,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(read_only("bulk ingestion"))
    }

    async fn do_put_substrait_plan(
        &self,
        _: CommandStatementSubstraitPlan,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(no_substrait())
    }

    async fn do_put_fallback(
        &self,
        _: Request<PeekableFlightDataStream>,
        message: Any,
    ) -> Result<Response<Answers<PutResult>>, Status> {
        Err(unsupported(&format!("DoPut of {:?}", message.type_url), "it takes parameters of prepared statements"))
    }

    async fn do_put_error_callback(
        &self,
        _: Request<PeekableFlightDataStream>,
        error: DoPutError,
    ) -> Result<Response<Answers<PutResult>>, Status> {
        Err(Status::invalid_argument(format!("DoPut cannot be read: {error}")))
    }

    async fn get_flight_info_substrait_plan(
        &self,
        _: CommandStatementSubstraitPlan,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        Err(no_substrait())
    }

    async fn do_action_create_prepared_substrait_plan(
        &self,
        _: ActionCreatePreparedSubstraitPlanRequest,
        _: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        Err(no_substrait())
    }

    async fn do_action_begin_transaction(
        &self,
        _: ActionBeginTransactionRequest,
        _: Request<Action>,
    ) -> Result<ActionBeginTransactionResult, Status> {
        Err(no_transaction())
    }

    async fn do_action_end_transaction(
        &self,
        _: ActionEndTransactionRequest,
        _: Request<Action>,
    ) -> Result<(), Status> {
        Err(no_transaction())
    }

    async fn do_action_begin_savepoint(
        &self,
        _: ActionBeginSavepointRequest,
        _: Request<Action>,
    ) -> Result<ActionBeginSavepointResult, Status> {
        Err(no_transaction())
    }

    async fn do_action_end_savepoint(&self, _: ActionEndSavepointRequest, _: Request<Action>) -> Result<(), Status> {
        Err(no_transaction())
    }

    async fn get_flight_info_fallback(
        &self,
        command: Command,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        Err(unsupported(&format!("GetFlightInfo of {:?}", command.type_url()), "send a statement or a catalog command"))
    }

    async fn do_get_fallback(&self, _: Request<Ticket>, message: Any) -> Result<Response<DataStream>, Status> {
        Err(unsupported(&format!("DoGet of {:?}", message.type_url), "ask for a ticket with GetFlightInfo"))
    }

    /// What the server tells of itself is fixed when it starts.
    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}

fn no_substrait() -> Status {
    unsupported("Substrait", "send SQL")
}

fn no_transaction() -> Status {
    unsupported("a transaction", "leave it out (autocommit): nothing can be written, and each query sees one moment")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_clients_give() {
        let given = |text: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            time_given(&metadata)
        };
        assert_eq!(given("2S"), Some(Duration::from_secs(2)));
        assert_eq!(given("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(given("100000u"), Some(Duration::from_millis(100)));
        for bad in ["", "S", "1", "123456789S", "1x", "-1S"] {
            assert_eq!(given(bad), None, "{bad}");
        }
    }
}
