//! Running commands, whichever protocol they came by.

use std::sync::Arc;

use super::rows::{Rows, check_width, texts};
use super::socket::Stop;
use super::{Connection, failed};
use crate::door::{Asked, View};
use crate::error::PgError;
use crate::protocol::backend;
use crate::session::{Portal, PortalState, Prepared, no_portal};
use crate::sql::{Argument, Command, CopyOut, FetchCount, Statement, command, statements};
use crate::types::{Format, PgType, Scalar, columns, parameter};

/// What a command comes to.
pub(super) enum Run {
    /// It is done; its tag.
    Done(String),
    /// It answers with rows; the first word of its tag, and their formats where the command itself decides.
    Rows {
        tag: &'static str,
        rows: Rows,
    },
    /// It answers with rows of a cursor.
    Fetch {
        cursor: String,
        count: FetchCount,
        silent: bool,
    },
    Copy {
        copy: CopyOut,
        rows: Rows,
    },
}

fn done(tag: &str) -> Result<Run, Stop> {
    Ok(Run::Done(tag.to_owned()))
}

impl Connection {
    /// The simple protocol: statements one after the other, until one fails.
    pub(super) async fn simple(&mut self, text: &str) -> Result<(), Stop> {
        // As PostgreSQL has it, the unnamed ones end with a simple query.
        self.session.statements.remove("");
        self.session.portals.remove("");
        let statements = statements(text)?;
        if statements.is_empty() {
            backend::empty_query(&mut self.socket.output);
        }
        for (index, statement) in statements.iter().enumerate() {
            if index > 0 {
                self.start_clock();
            }
            let command = command(statement)?;
            self.session.check_may_run(&command)?;
            let _counted = self.stats.statement();
            let run = self.run_command(&command, Some(statement.chars_before)).await?;
            self.answer_simple(run).await?;
        }
        self.session.end_request();
        self.ready();
        Ok(())
    }

    async fn answer_simple(&mut self, run: Run) -> Result<(), Stop> {
        match run {
            Run::Rows { tag, mut rows } => {
                backend::row_description(&mut self.socket.output, &rows.columns(&[]));
                let sent = self.send_rows(&mut rows, &[], None, false).await?;
                self.complete_rows(tag, sent.rows);
                Ok(())
            }
            Run::Fetch { cursor, count, silent } => self.fetch(&cursor, count, silent, true).await,
            other => self.answer_bare(other).await,
        }
    }

    /// What is answered alike in both protocols.
    pub(super) async fn answer_bare(&mut self, run: Run) -> Result<(), Stop> {
        match run {
            Run::Done(tag) => {
                for (name, value) in self.session.untold() {
                    backend::parameter_status(&mut self.socket.output, name, &value);
                }
                backend::command_complete(&mut self.socket.output, &tag);
                Ok(())
            }
            Run::Copy { copy, mut rows } => {
                let copied = self.copy_rows(&mut rows, &copy.format).await?;
                backend::command_complete(&mut self.socket.output, &format!("COPY {copied}"));
                Ok(())
            }
            Run::Fetch { cursor, count, silent } => self.fetch(&cursor, count, silent, false).await,
            Run::Rows { tag, mut rows } => {
                let sent = self.send_rows(&mut rows, &[], None, false).await?;
                self.complete_rows(tag, sent.rows);
                Ok(())
            }
        }
    }

    pub(super) fn complete_rows(&mut self, tag: &str, rows: usize) {
        let counted = matches!(tag, "SELECT" | "FETCH" | "MOVE");
        let tag = if counted { format!("{tag} {rows}") } else { tag.to_owned() };
        backend::command_complete(&mut self.socket.output, &tag);
    }

    async fn fetch(&mut self, cursor: &str, count: FetchCount, silent: bool, describes: bool) -> Result<(), Stop> {
        let Some(mut portal) = self.session.portals.remove(cursor) else { return Err(no_portal(cursor).into()) };
        let rows_max = match count {
            FetchCount::Rows(rows) => Some(rows),
            FetchCount::All => None,
        };
        let formats = portal.formats.clone();
        if describes && !silent {
            let columns = portal.columns(&formats);
            backend::row_description(&mut self.socket.output, &columns);
        }
        let mut sent = 0;
        if let PortalState::Running(rows) = &mut portal.state {
            let outcome = self.send_rows(rows, &formats, rows_max, silent).await?;
            sent = outcome.rows;
            if !outcome.suspended {
                portal.state = PortalState::Done;
            }
        }
        self.session.portals.insert(cursor.to_owned(), portal);
        self.complete_rows(if silent { "MOVE" } else { "FETCH" }, sent);
        Ok(())
    }

    pub(super) async fn run_command(&mut self, command: &Command, chars_before: Option<usize>) -> Result<Run, Stop> {
        match command {
            Command::Query { sql, tag } => {
                let asked = self.asked(sql);
                Ok(Run::Rows { tag, rows: self.query(asked, chars_before).await? })
            }
            Command::CopyOut(copy) => {
                let asked = self.asked(&copy.sql);
                let rows = self.query(asked, None).await?;
                Ok(Run::Copy { copy: copy.clone(), rows })
            }
            Command::Begin => {
                let warning = self.session.begin();
                self.warn(warning);
                done("BEGIN")
            }
            Command::Commit => {
                let (tag, warning) = self.session.commit();
                self.warn(warning);
                done(tag)
            }
            Command::Rollback => {
                let warning = self.session.rollback();
                self.warn(warning);
                done("ROLLBACK")
            }
            Command::Savepoint => {
                self.session.savepoint()?;
                done("SAVEPOINT")
            }
            Command::Release => {
                self.session.release()?;
                done("RELEASE")
            }
            Command::RollbackTo => {
                self.session.rollback_to()?;
                done("ROLLBACK")
            }
            Command::Set { name, value, local } => {
                self.session.set(name, value.as_deref(), *local)?;
                done("SET")
            }
            Command::SetTransaction => done("SET"),
            Command::Reset(name) => {
                self.session.set(name, None, false)?;
                done("RESET")
            }
            Command::ResetAll => {
                self.session.reset_all();
                done("RESET")
            }
            Command::Show(_) | Command::ShowAll => Ok(Run::Rows { tag: "SHOW", rows: self.show(command)? }),
            Command::Prepare { name, types, sql } => {
                let oids: Vec<u32> = types.iter().map(|name| oid_of(name)).collect::<Result<_, _>>()?;
                let parts = statements(sql)?;
                let prepared = self.prepare(parts.first(), &oids).await?;
                self.session.put_statement(name.clone(), prepared)?;
                done("PREPARE")
            }
            Command::Execute { name, arguments } => self.execute_prepared(name, arguments).await,
            Command::Deallocate(name) => {
                match name {
                    None => self.session.statements.clear(),
                    Some(name) => {
                        self.session.statement(name)?;
                        self.session.statements.remove(name);
                    }
                }
                done(if name.is_some() { "DEALLOCATE" } else { "DEALLOCATE ALL" })
            }
            Command::Declare { name, hold, binary, sql } => {
                let asked = self.asked(sql);
                self.declare(name, *hold, *binary, asked).await
            }
            Command::Fetch { name, count, silent } => {
                Ok(Run::Fetch { cursor: name.clone(), count: *count, silent: *silent })
            }
            Command::CloseCursor(name) => {
                match name {
                    None => self.session.portals.clear(),
                    Some(name) => drop(self.session.portals.remove(name).ok_or_else(|| no_portal(name))?),
                }
                done(if name.is_some() { "CLOSE CURSOR" } else { "CLOSE CURSOR ALL" })
            }
            Command::DiscardAll => {
                self.session.portals.clear();
                self.session.statements.clear();
                self.session.drop_all_views();
                self.session.reset_all();
                done("DISCARD ALL")
            }
            Command::DiscardTemp => {
                self.session.drop_all_views();
                done("DISCARD TEMP")
            }
            Command::CreateView { name, columns, sql, replace } => {
                let view = View { name: name.clone(), columns: columns.clone(), sql: sql.clone() };
                self.create_view(view, *replace).await
            }
            Command::DropViews { names, if_exists, cascade } => {
                for note in self.session.drop_views(names, *if_exists, *cascade)? {
                    backend::notice(&mut self.socket.output, &note);
                }
                done("DROP VIEW")
            }
            Command::DiscardSome => done("DISCARD"),
            Command::Listen(tag) => done(tag),
        }
    }

    /// The engine plans it first: a view that cannot be asked is none.
    async fn create_view(&mut self, view: View, replace: bool) -> Result<Run, Stop> {
        let asked = self.asked(&view.sql);
        let door = self.door.clone();
        let mut interrupts = self.interrupts();
        let told = self.socket.unless_interrupted(&mut interrupts, door.describe(asked)).await?;
        let told = told.map_err(|failure| failed(failure, &view.sql, None))?;
        if !told.parameters.is_empty() {
            return Err(PgError::new("42P02", "a view has no parameters").into());
        }
        let sql = format!("SELECT * FROM \"{}\"", view.name.replace('"', "\"\""));
        let connection = self.session.facts_with(view.clone(), replace)?;
        let asked = Asked { connection, ..self.asked(&sql) };
        let mut interrupts = self.interrupts();
        let told = self.socket.unless_interrupted(&mut interrupts, self.door.clone().describe(asked)).await?;
        check_width(&told.map_err(|failure| failed(failure, &sql, None))?.schema)?;
        self.session.put_view(view, replace)?;
        done("CREATE VIEW")
    }

    fn warn(&mut self, warning: Option<PgError>) {
        if let Some(warning) = warning {
            backend::notice(&mut self.socket.output, &warning);
        }
    }

    pub(super) async fn query(&mut self, asked: Asked, chars_before: Option<usize>) -> Result<Rows, Stop> {
        let sql = asked.sql.clone();
        let door = self.door.clone();
        let mut interrupts = self.interrupts();
        let answer = self.socket.unless_interrupted(&mut interrupts, door.query(asked)).await?;
        let answer = answer.map_err(|failure| failed(failure, &sql, chars_before))?;
        check_width(&answer.schema)?;
        Ok(answer.into())
    }

    pub(super) fn show(&self, command: &Command) -> Result<Rows, PgError> {
        let batch = match command {
            Command::Show(name) => {
                let (name, value) = self.session.settings.get(name)?;
                texts(&[name], &[vec![value.to_owned()]])?
            }
            _ => {
                let row = |(name, value): (&str, &str)| vec![name.to_owned(), value.to_owned(), String::new()];
                let rows: Vec<_> = self.session.settings.all().map(row).collect();
                texts(&["name", "setting", "description"], &rows)?
            }
        };
        Ok(Rows::of(batch))
    }

    /// Understands a statement; what the engine has to say to it is asked now.
    pub(super) async fn prepare(&mut self, statement: Option<&Statement<'_>>, oids: &[u32]) -> Result<Prepared, Stop> {
        let Some(statement) = statement else {
            return Ok(Prepared::default());
        };
        let command = command(statement)?;
        self.session.check_may_run(&command)?;
        let declared: Vec<Option<PgType>> = oids.iter().map(|&oid| PgType::from_oid(oid)).collect();
        let (mut parameters, mut described) = (Vec::new(), None);
        let sql = match &command {
            Command::Query { sql, .. } => Some((sql, Some(statement.chars_before))),
            Command::CopyOut(copy) => Some((&copy.sql, None)),
            Command::Declare { sql, .. } => Some((sql, None)),
            _ => None,
        };
        if let Some((sql, chars_before)) = sql {
            let types = declared.iter().map(|pg_type| pg_type.and_then(PgType::arrow)).collect();
            let asked = Asked { types, ..self.asked(sql) };
            let door = self.door.clone();
            let mut interrupts = self.interrupts();
            let told = self.socket.unless_interrupted(&mut interrupts, door.describe(asked)).await?;
            let told = told.map_err(|failure| failed(failure, sql, chars_before))?;
            check_width(&told.schema)?;
            let count = told.parameters.len().max(declared.len());
            let pg_type = |index: usize| {
                let inferred = || {
                    let oid = spelled_oid(sql, index + 1);
                    oid.or_else(|| told.parameters.get(index).cloned().flatten().map(|arrow| PgType::of(&arrow)))
                };
                declared.get(index).copied().flatten().or_else(inferred).unwrap_or(PgType::TEXT)
            };
            parameters = (0..count).map(pg_type).collect();
            described = Some(told);
        }
        let bytes = statement.text.len() + 256;
        Ok(Prepared { command: Some(command), parameters, described, chars_before: statement.chars_before, bytes })
    }

    async fn execute_prepared(&mut self, name: &str, arguments: &[Argument]) -> Result<Run, Stop> {
        let prepared = self.session.statement(name)?.clone();
        let (given, wanted) = (arguments.len(), prepared.parameters.len());
        if given != wanted {
            let message = format!("wrong number of parameters for prepared statement \"{name}\"");
            return Err(PgError::syntax(message).hint(format!("expected {wanted} parameters but got {given}")).into());
        }
        let zone = self.session.settings.zone().clone();
        let texts = self.argument_texts(arguments).await?;
        let values = texts.iter().zip(&prepared.parameters).map(|(text, &pg_type)| match text {
            Some(text) => parameter::from_text(pg_type, text, &zone),
            None => parameter::value(pg_type, Format::Text, None, &zone),
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        match &prepared.command {
            Some(Command::Query { sql, tag }) => {
                let asked = Asked { values, ..self.asked(sql) };
                Ok(Run::Rows { tag, rows: self.query(asked, None).await? })
            }
            Some(Command::Execute { .. } | Command::Prepare { .. }) | None => {
                Err(PgError::unsupported("only queries can be executed by name").into())
            }
            Some(other) => Box::pin(self.run_command(other, None)).await,
        }
    }

    /// What the arguments of an `EXECUTE` come to; what is no literal is computed by the engine, all in one.
    async fn argument_texts(&mut self, arguments: &[Argument]) -> Result<Vec<Option<String>>, Stop> {
        let computed: Vec<String> = arguments.iter().filter_map(Argument::expression).collect();
        let mut computed = if computed.is_empty() {
            Vec::new()
        } else {
            let asked = self.asked(&format!("SELECT {}", computed.join(", ")));
            let mut rows = self.query(asked, None).await?;
            self.only_row(&mut rows).await?
        }
        .into_iter();
        let texts = arguments.iter().map(|argument| match argument {
            Argument::Null => Ok(None),
            Argument::Literal(text) => Ok(Some(text.clone())),
            Argument::Expression(_) => computed.next().ok_or_else(|| PgError::syntax("an argument is no expression")),
        });
        Ok(texts.collect::<Result<_, _>>()?)
    }

    /// The texts of an answer of one row.
    async fn only_row(&mut self, rows: &mut Rows) -> Result<Vec<Option<String>>, Stop> {
        let (zone, formats) = (self.session.settings.zone().clone(), vec![Format::Text; rows.width()]);
        let mut interrupts = self.interrupts();
        while let Some(batch) = rows.batch(&mut self.socket, &mut interrupts).await? {
            if batch.num_rows() == 1 {
                let columns = columns(&batch, &formats, &zone)
                    .map_err(|error| PgError::new("XX000", format!("an argument cannot be read: {error}")))?;
                return Ok(columns.iter().map(|column| column.text(0)).collect());
            }
        }
        Err(PgError::syntax("the arguments are no row").into())
    }

    pub(super) async fn declare(&mut self, name: &str, held: bool, binary: bool, asked: Asked) -> Result<Run, Stop> {
        if !held && !self.session.is_in_transaction() {
            let message = "DECLARE CURSOR can only be used in transaction blocks";
            return Err(PgError::new("25P01", message).hint("BEGIN, or declare it WITH HOLD").into());
        }
        let rows = self.query(asked, None).await?;
        let portal = Portal {
            prepared: Arc::new(Prepared::default()),
            values: Vec::new(),
            formats: vec![if binary { Format::Binary } else { Format::Text }],
            state: PortalState::Running(rows),
            held,
        };
        self.session.put_portal(name.to_owned(), portal)?;
        done("DECLARE CURSOR")
    }
}

/// `$1::oid[]`: to the engine it is a list of whole numbers, but a driver that looks types up would have to look that up.
fn spelled_oid(sql: &str, number: usize) -> Option<PgType> {
    let parameter = format!("${number}::");
    let after =
        sql.match_indices(&parameter).find_map(|(place, _)| sql[place + parameter.len()..].strip_prefix("oid"))?;
    if after.starts_with(|next: char| next.is_alphanumeric() || next == '_') {
        return None;
    }
    Some(PgType { scalar: Scalar::Oid, is_array: after.starts_with("[]") })
}

/// The type that SQL names so; its modifiers bound nothing here.
fn oid_of(name: &str) -> Result<u32, PgError> {
    let (plain, is_array) = match name.trim().strip_suffix("[]") {
        Some(element) => (element, true),
        None => (name.trim(), false),
    };
    let plain = plain.split('(').next().unwrap_or(plain).trim();
    let scalar = match plain {
        "int" | "int4" => Scalar::Int4,
        "int8" => Scalar::Int8,
        "int2" => Scalar::Int2,
        "float" | "float8" | "double" => Scalar::Float8,
        "float4" => Scalar::Float4,
        "bool" => Scalar::Bool,
        "varchar" | "string" => Scalar::Varchar,
        "decimal" => Scalar::Numeric,
        "timestamptz" => Scalar::TimestampTz,
        "timestamp" => Scalar::Timestamp,
        "time" => Scalar::Time,
        other => *Scalar::ALL
            .iter()
            .find(|scalar| scalar.name() == other)
            .ok_or_else(|| PgError::new("42704", format!("type \"{other}\" does not exist")))?,
    };
    Ok(PgType { scalar, is_array }.oid())
}
