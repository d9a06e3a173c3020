//! The extended protocol: a statement is prepared, bound to values, described and executed in steps.

use arrow::array::ArrayRef;
use bytes::Bytes;

use super::Connection;
use super::execute::Run;
use super::rows::{Rows, Sent, described, format_of};
use super::socket::Stop;
use crate::door::Asked;
use crate::error::PgError;
use crate::protocol::backend::{self, ColumnDescription};
use crate::protocol::frontend::Target;
use crate::session::{Portal, PortalState, Prepared, no_portal};
use crate::sql::{Command, statements};
use crate::types::{Format, parameter};

impl Connection {
    pub(super) async fn parse(&mut self, name: String, sql: &str, oids: &[u32]) -> Result<(), Stop> {
        if name.is_empty() {
            self.session.statements.remove("");
        }
        let statements = statements(sql)?;
        if statements.len() > 1 {
            return Err(PgError::syntax("cannot insert multiple commands into a prepared statement").into());
        }
        let prepared = self.prepare(statements.first(), oids).await?;
        self.session.put_statement(name, prepared)?;
        backend::parse_complete(&mut self.socket.output);
        Ok(())
    }

    pub(super) fn bind(
        &mut self,
        portal: String,
        statement: &str,
        formats: &[i16],
        values: &[Option<Bytes>],
        result_formats: &[i16],
    ) -> Result<(), Stop> {
        let prepared = self.session.statement(statement)?.clone();
        if let Some(command) = &prepared.command {
            self.session.check_may_run(command)?;
        }
        let (given, wanted) = (values.len(), prepared.parameters.len());
        if given != wanted {
            let message = format!(
                "bind message supplies {given} parameters, but prepared statement \"{statement}\" requires {wanted}"
            );
            return Err(PgError::new("08P01", message).into());
        }
        let formats = read_formats(formats)?;
        if formats.len() > 1 && formats.len() != given {
            return Err(PgError::new("08P01", "bind message has as many formats as no parameters have").into());
        }
        let zone = self.session.settings.zone();
        let value = |(index, value): (usize, &Option<Bytes>)| {
            let format = format_of(&formats, index);
            parameter::value(prepared.parameters[index], format, value.as_ref(), zone)
        };
        let values = values.iter().enumerate().map(value).collect::<Result<Vec<_>, _>>()?;
        let formats = read_formats(result_formats)?;
        if portal.is_empty() {
            self.session.portals.remove("");
        }
        let bound = Portal { prepared, values, formats, state: PortalState::Ready, held: false };
        self.session.put_portal(portal, bound)?;
        backend::bind_complete(&mut self.socket.output);
        Ok(())
    }

    pub(super) fn describe(&mut self, target: Target, name: &str) -> Result<(), Stop> {
        let columns = match target {
            Target::Statement => {
                let prepared = self.session.statement(name)?.clone();
                let oids: Vec<u32> = prepared.parameters.iter().map(|pg_type| pg_type.oid()).collect();
                backend::parameter_description(&mut self.socket.output, &oids);
                self.columns_of(&prepared, &[])?
            }
            Target::Portal => {
                let portal = self.session.portals.get(name).ok_or_else(|| no_portal(name))?;
                match &portal.state {
                    PortalState::Running(rows) => Some(rows.columns(&portal.formats)),
                    _ => {
                        let (prepared, formats) = (portal.prepared.clone(), portal.formats.clone());
                        self.columns_of(&prepared, &formats)?
                    }
                }
            }
        };
        match columns {
            Some(columns) => backend::row_description(&mut self.socket.output, &columns),
            None => backend::no_data(&mut self.socket.output),
        }
        Ok(())
    }

    /// `None` where a statement answers with no rows.
    fn columns_of(&self, prepared: &Prepared, formats: &[Format]) -> Result<Option<Vec<ColumnDescription>>, PgError> {
        Ok(match &prepared.command {
            Some(Command::Query { .. }) => prepared.described.as_ref().map(|told| described(&told.schema, formats)),
            Some(command @ (Command::Show(_) | Command::ShowAll)) => Some(self.show(command)?.columns(formats)),
            Some(Command::Fetch { name, silent: false, .. }) => {
                let cursor = self.session.portals.get(name).ok_or_else(|| no_portal(name))?;
                Some(cursor.columns(formats))
            }
            Some(Command::Execute { name, .. }) => {
                let inner = self.session.statement(name)?;
                inner.described.as_ref().map(|told| described(&told.schema, formats))
            }
            _ => None,
        })
    }

    pub(super) async fn execute_portal(&mut self, name: String, rows_max: usize) -> Result<(), Stop> {
        let mut portal = self.session.portals.remove(&name).ok_or_else(|| no_portal(&name))?;
        let prepared = portal.prepared.clone();
        let Some(command) = &prepared.command else {
            backend::empty_query(&mut self.socket.output);
            self.session.portals.insert(name, portal);
            return Ok(());
        };
        self.session.check_may_run(command)?;
        let _counted = self.stats.statement();
        if let PortalState::Ready = portal.state {
            match self.run_bound(command, prepared.chars_before, &portal.values).await? {
                Run::Rows { rows, .. } => {
                    // A view that it names may be another one since.
                    if prepared.described.as_ref().is_some_and(|told| !rows.is_as_told(&told.schema)) {
                        return Err(PgError::unsupported("cached plan must not change result type").into());
                    }
                    portal.state = PortalState::Running(rows);
                }
                other => {
                    portal.state = PortalState::Done;
                    if self.session.is_in_transaction() {
                        self.session.portals.insert(name, portal);
                    }
                    return self.answer_bare(other).await;
                }
            }
        }
        let tag = match command {
            Command::Query { tag, .. } => tag,
            Command::Show(_) | Command::ShowAll => "SHOW",
            _ => "SELECT",
        };
        let sent = match &mut portal.state {
            PortalState::Running(rows) => self.send_portal(rows, &portal.formats, rows_max).await?,
            _ => Sent { rows: 0, suspended: false },
        };
        if sent.suspended {
            backend::portal_suspended(&mut self.socket.output);
        } else {
            portal.state = PortalState::Done;
            self.complete_rows(tag, sent.rows);
        }
        self.session.portals.insert(name, portal);
        Ok(())
    }

    /// Runs a statement with the values that it was bound to.
    async fn run_bound(&mut self, command: &Command, chars_before: usize, values: &[ArrayRef]) -> Result<Run, Stop> {
        let asked = |connection: &mut Self, sql: &str| Asked { values: values.to_vec(), ..connection.asked(sql) };
        match command {
            Command::Query { sql, tag } => {
                let asked = asked(self, sql);
                Ok(Run::Rows { tag, rows: self.query(asked, Some(chars_before)).await? })
            }
            Command::CopyOut(copy) => {
                let asked = asked(self, &copy.sql);
                Ok(Run::Copy { copy: copy.clone(), rows: self.query(asked, None).await? })
            }
            Command::Declare { name, hold, binary, sql } => {
                let asked = asked(self, sql);
                self.declare(name, *hold, *binary, asked).await
            }
            other => self.run_command(other, None).await,
        }
    }

    async fn send_portal(&mut self, rows: &mut Rows, formats: &[Format], rows_max: usize) -> Result<Sent, Stop> {
        self.send_rows(rows, formats, (rows_max > 0).then_some(rows_max), false).await
    }

    pub(super) fn close(&mut self, target: Target, name: &str) {
        match target {
            Target::Statement => drop(self.session.statements.remove(name)),
            Target::Portal => drop(self.session.portals.remove(name)),
        }
        backend::close_complete(&mut self.socket.output);
    }
}

impl Portal {
    pub(super) fn columns(&self, formats: &[Format]) -> Vec<ColumnDescription> {
        match &self.state {
            PortalState::Running(rows) => rows.columns(formats),
            _ => self.prepared.described.as_ref().map_or_else(Vec::new, |told| described(&told.schema, formats)),
        }
    }
}

fn read_formats(codes: &[i16]) -> Result<Vec<Format>, PgError> {
    let read = |&code: &i16| {
        Format::from_code(code).ok_or_else(|| PgError::new("08P01", format!("unsupported format code: {code}")))
    };
    codes.iter().map(read).collect()
}
