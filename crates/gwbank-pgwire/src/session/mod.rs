//! What a connection remembers: settings, prepared statements, portals, whether a transaction is under way.
//!
//! # Rules
//! 1. Nothing of a session is seen by another.
//! 2. A transaction changes nothing, as everything reads only: it bounds portals and the settings made in it, and after an
//!    error it refuses what PostgreSQL would refuse.
//! 3. Portals end with their transaction, outside of one with the request, but for cursors declared to be held.

mod settings;
mod views;

pub use settings::{SERVER_VERSION, Settings};

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;

use self::views::Views;
use crate::connection::Rows;
use crate::door::{ConnectionFacts, Described, View};
use crate::error::PgError;
use crate::protocol::backend::TransactionStatus;
use crate::sql::Command;
use crate::types::{Format, PgType};

/// Prepared statements of one connection; drivers keep some hundred.
const STATEMENTS_MAX: usize = 2_000;
const STATEMENT_BYTES_MAX: usize = 8 << 20;
/// Each keeps the settings of its time.
const SAVEPOINTS_MAX: usize = 1_000;
/// Each that has begun keeps a query.
const PORTALS_MAX: usize = 100;

/// A statement that was understood.
#[derive(Debug, Default)]
pub struct Prepared {
    /// `None` is the empty statement.
    pub command: Option<Command>,
    pub parameters: Vec<PgType>,
    /// Of what the engine answers.
    pub described: Option<Described>,
    /// Characters before the statement in the text it came in.
    pub chars_before: usize,
    pub bytes: usize,
}

#[derive(Debug)]
pub struct Portal {
    pub prepared: Arc<Prepared>,
    pub values: Vec<ArrayRef>,
    pub formats: Vec<Format>,
    pub state: PortalState,
    /// It outlives its transaction.
    pub held: bool,
}

#[derive(Debug)]
pub enum PortalState {
    Ready,
    Running(Rows),
    Done,
}

#[derive(Debug)]
struct Transaction {
    failed: bool,
    /// What each returns to.
    savepoints: Vec<(Settings, Views)>,
    /// What ROLLBACK returns to.
    before: (Settings, Views),
    /// What SET LOCAL covered.
    local: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Session {
    pub user: String,
    pub process: i32,
    pub settings: Settings,
    pub statements: HashMap<String, Arc<Prepared>>,
    pub portals: HashMap<String, Portal>,
    views: Views,
    transaction: Option<Transaction>,
    /// Reported settings as the client knows them.
    told: Vec<(&'static str, String)>,
    facts: Option<Arc<ConnectionFacts>>,
}

impl Session {
    pub fn new(user: String, process: i32, settings: Settings) -> Self {
        Self {
            user,
            process,
            settings,
            statements: HashMap::new(),
            portals: HashMap::new(),
            views: Views::default(),
            transaction: None,
            told: Vec::new(),
            facts: None,
        }
    }

    pub fn status(&self) -> TransactionStatus {
        match &self.transaction {
            None => TransactionStatus::Idle,
            Some(Transaction { failed: false, .. }) => TransactionStatus::Open,
            Some(_) => TransactionStatus::Failed,
        }
    }

    pub fn is_in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// After an error.
    pub fn fail(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.failed = true;
        }
    }

    /// Refuses what a failed transaction refuses.
    pub fn check_may_run(&self, command: &Command) -> Result<(), PgError> {
        let ends = matches!(command, Command::Commit | Command::Rollback | Command::RollbackTo);
        if self.status() == TransactionStatus::Failed && !ends {
            let message = "current transaction is aborted, commands ignored until end of transaction block";
            return Err(PgError::new("25P02", message));
        }
        Ok(())
    }

    /// Gives what there is to warn of.
    pub fn begin(&mut self) -> Option<PgError> {
        if self.transaction.is_some() {
            return Some(PgError::warning("25001", "there is already a transaction in progress"));
        }
        self.transaction = Some(Transaction {
            failed: false,
            savepoints: Vec::new(),
            before: (self.settings.clone(), self.views.clone()),
            local: Vec::new(),
        });
        None
    }

    /// Gives the tag, and what there is to warn of.
    pub fn commit(&mut self) -> (&'static str, Option<PgError>) {
        match self.transaction.take() {
            None => ("COMMIT", Some(no_transaction())),
            Some(Transaction { failed: true, before, .. }) => {
                self.end_transaction(Some(before), Vec::new());
                ("ROLLBACK", None)
            }
            Some(Transaction { local, .. }) => {
                self.end_transaction(None, local);
                ("COMMIT", None)
            }
        }
    }

    pub fn rollback(&mut self) -> Option<PgError> {
        match self.transaction.take() {
            None => Some(no_transaction()),
            Some(transaction) => {
                self.end_transaction(Some(transaction.before), Vec::new());
                None
            }
        }
    }

    fn end_transaction(&mut self, before: Option<(Settings, Views)>, local: Vec<(String, String)>) {
        if let Some((settings, views)) = before {
            (self.settings, self.views) = (settings, views);
        }
        // The oldest covered value last, so that it is the one that stays.
        for (name, value) in local.iter().rev() {
            let _was_valid = self.settings.set(name, Some(value));
        }
        self.facts = None;
        self.portals.retain(|_, portal| portal.held);
    }

    pub fn savepoint(&mut self) -> Result<(), PgError> {
        let message = "SAVEPOINT can only be used in transaction blocks";
        let now = (self.settings.clone(), self.views.clone());
        let transaction = self.transaction.as_mut().ok_or_else(|| PgError::new("25P01", message))?;
        if transaction.savepoints.len() >= SAVEPOINTS_MAX {
            return Err(PgError::new("53400", format!("a transaction has at most {SAVEPOINTS_MAX} savepoints")));
        }
        transaction.savepoints.push(now);
        Ok(())
    }

    pub fn release(&mut self) -> Result<(), PgError> {
        let transaction = self.transaction.as_mut();
        transaction.and_then(|transaction| transaction.savepoints.pop()).map(drop).ok_or_else(no_savepoint)
    }

    pub fn rollback_to(&mut self) -> Result<(), PgError> {
        let transaction = self.transaction.as_mut().ok_or_else(no_savepoint)?;
        let (settings, views) = transaction.savepoints.last().ok_or_else(no_savepoint)?.clone();
        transaction.failed = false;
        (self.settings, self.views, self.facts) = (settings, views, None);
        Ok(())
    }

    pub fn set(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<(), PgError> {
        let former = self.settings.get(name)?.1.to_owned();
        self.settings.set(name, value)?;
        self.facts = None;
        if local && let Some(transaction) = &mut self.transaction {
            transaction.local.push((name.to_owned(), former));
        }
        Ok(())
    }

    pub fn reset_all(&mut self) {
        self.settings.reset_all();
        self.facts = None;
    }

    /// What the engine is to know when a view is put among the others.
    pub fn facts_with(&mut self, view: View, replace: bool) -> Result<Arc<ConnectionFacts>, PgError> {
        let mut views = self.views.clone();
        views.put(view, replace)?;
        let facts = self.facts();
        Ok(Arc::new(ConnectionFacts { views: views.all(), ..facts.as_ref().clone() }))
    }

    pub fn put_view(&mut self, view: View, replace: bool) -> Result<(), PgError> {
        self.facts = None;
        self.views.put(view, replace)
    }

    /// Gives what there is to note.
    pub fn drop_views(&mut self, names: &[String], if_exists: bool, cascade: bool) -> Result<Vec<PgError>, PgError> {
        self.facts = None;
        self.views.remove(names, if_exists, cascade)
    }

    pub fn drop_all_views(&mut self) {
        self.facts = None;
        self.views = Views::default();
    }

    /// Reported settings that the client knows otherwise.
    pub fn untold(&mut self) -> Vec<(&'static str, String)> {
        let now: Vec<_> = self.settings.reported().map(|(name, value)| (name, value.to_owned())).collect();
        let untold = now.iter().filter(|pair| !self.told.contains(pair)).cloned().collect();
        self.told = now;
        untold
    }

    pub fn facts(&mut self) -> Arc<ConnectionFacts> {
        let Self { facts, settings, user, process, views, .. } = self;
        let make = || {
            let settings = settings.all().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            Arc::new(ConnectionFacts { user: user.clone(), process: *process, settings, views: views.all() })
        };
        facts.get_or_insert_with(make).clone()
    }

    /// At the end of a request.
    pub fn end_request(&mut self) {
        if !self.is_in_transaction() {
            self.portals.retain(|_, portal| portal.held);
        }
    }

    pub fn put_statement(&mut self, name: String, prepared: Prepared) -> Result<(), PgError> {
        if !name.is_empty() && self.statements.contains_key(&name) {
            return Err(PgError::new("42P05", format!("prepared statement \"{name}\" already exists")));
        }
        let bytes: usize = self.statements.values().map(|statement| statement.bytes).sum();
        if self.statements.len() >= STATEMENTS_MAX || bytes + prepared.bytes > STATEMENT_BYTES_MAX {
            let message = format!("a connection keeps at most {STATEMENTS_MAX} prepared statements of 8 MiB in all");
            return Err(PgError::new("53400", message).hint("DEALLOCATE ALL"));
        }
        self.statements.insert(name, Arc::new(prepared));
        Ok(())
    }

    pub fn statement(&self, name: &str) -> Result<&Arc<Prepared>, PgError> {
        let missing = || PgError::new("26000", format!("prepared statement \"{name}\" does not exist"));
        self.statements.get(name).ok_or_else(missing)
    }

    pub fn put_portal(&mut self, name: String, portal: Portal) -> Result<(), PgError> {
        if !name.is_empty() && self.portals.contains_key(&name) {
            return Err(PgError::new("42P03", format!("cursor \"{name}\" already exists")));
        }
        if self.portals.len() >= PORTALS_MAX && !self.portals.contains_key(&name) {
            return Err(PgError::new("53400", format!("a connection has at most {PORTALS_MAX} portals and cursors")));
        }
        self.portals.insert(name, portal);
        Ok(())
    }
}

/// A cursor or portal that is not there.
pub fn no_portal(name: &str) -> PgError {
    PgError::new("34000", format!("cursor \"{name}\" does not exist"))
}

fn no_transaction() -> PgError {
    PgError::warning("25P01", "there is no transaction in progress")
}

fn no_savepoint() -> PgError {
    PgError::new("3B001", "there is no savepoint")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new("a".into(), 1, Settings::new("a", &crate::types::Zone::bangkok()))
    }

    #[test]
    fn a_rollback_undoes_settings_and_set_local_ends_with_its_transaction() {
        let mut session = session();
        let zone = |session: &Session| session.settings.zone().name().to_owned();
        session.begin();
        session.set("timezone", Some("UTC"), false).unwrap();
        session.rollback();
        assert_eq!(zone(&session), "Asia/Bangkok");
        session.begin();
        session.set("timezone", Some("UTC"), true).unwrap();
        session.set("timezone", Some("+05:00"), true).unwrap();
        assert_eq!(session.commit().0, "COMMIT");
        assert_eq!(zone(&session), "Asia/Bangkok");
    }

    #[test]
    fn a_failed_transaction_only_ends() {
        let mut session = session();
        assert!(session.begin().is_none() && session.begin().is_some());
        session.savepoint().unwrap();
        session.fail();
        assert_eq!(session.check_may_run(&Command::ShowAll).unwrap_err().code, "25P02");
        session.rollback_to().unwrap();
        assert_eq!(session.status(), TransactionStatus::Open);
        session.fail();
        assert_eq!(session.commit(), ("ROLLBACK", None));
        assert!(session.commit().1.is_some());
        assert_eq!(session.release().unwrap_err().code, "3B001");
    }

    #[test]
    fn the_client_is_told_of_changes_once() {
        let mut session = session();
        assert!(session.untold().len() > 5);
        session.set("application_name", Some("psql"), false).unwrap();
        assert_eq!(session.untold(), [("application_name", "psql".to_owned())]);
        assert_eq!(session.untold(), []);
    }
}
