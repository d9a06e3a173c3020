//! The statements that a connection understands itself.

use super::copy::{CopyOut, copy_out};
use super::lexer::{Statement, Token, TokenKind};
use crate::error::PgError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// For the engine; the tag is the first word of what is said when it is done.
    Query {
        sql: String,
        tag: &'static str,
    },
    CopyOut(CopyOut),
    Begin,
    Commit,
    Rollback,
    Savepoint,
    Release,
    RollbackTo,
    /// `None` is the default.
    Set {
        name: String,
        value: Option<String>,
        local: bool,
    },
    /// `SET TRANSACTION …`, `SET SESSION CHARACTERISTICS …`: everything reads only anyway.
    SetTransaction,
    Reset(String),
    ResetAll,
    Show(String),
    ShowAll,
    Prepare {
        name: String,
        types: Vec<String>,
        sql: String,
    },
    Execute {
        name: String,
        arguments: Vec<Argument>,
    },
    /// `None` for all.
    Deallocate(Option<String>),
    Declare {
        name: String,
        hold: bool,
        binary: bool,
        sql: String,
    },
    Fetch {
        name: String,
        count: FetchCount,
        /// `MOVE`: the rows are passed over.
        silent: bool,
    },
    /// `None` for all.
    CloseCursor(Option<String>),
    DiscardAll,
    /// Views are all that is temporary.
    DiscardTemp,
    DiscardSome,
    /// A view is the connection's own, whatever it is said to be.
    CreateView {
        name: String,
        columns: Vec<String>,
        sql: String,
        replace: bool,
    },
    DropViews {
        names: Vec<String>,
        if_exists: bool,
        cascade: bool,
    },
    /// `LISTEN`, `UNLISTEN`: nobody notifies, so nothing is missed.
    Listen(&'static str),
}

/// An argument of `EXECUTE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    Null,
    Literal(String),
    /// For the engine.
    Expression(String),
}

impl Argument {
    /// As an element of a list that may hold nothing but expressions.
    pub fn expression(&self) -> Option<String> {
        match self {
            Self::Expression(sql) => Some(format!("({sql})")),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchCount {
    Rows(usize),
    All,
}

/// What a statement is.
pub fn command(statement: &Statement<'_>) -> Result<Command, PgError> {
    let words = Words { statement, at: 0 };
    let first = match &statement.tokens[0].kind {
        TokenKind::Word(word) => word.as_str(),
        _ => "",
    };
    match first {
        // READ WRITE too: what would write is refused when it comes.
        "begin" => Ok(Command::Begin),
        "start" if words.is_at(1, "transaction") => Ok(Command::Begin),
        "commit" | "end" => Ok(Command::Commit),
        "abort" => Ok(Command::Rollback),
        "rollback" => Ok(if statement.tokens.iter().any(|token| token.is("to")) {
            Command::RollbackTo
        } else {
            Command::Rollback
        }),
        "savepoint" => Ok(Command::Savepoint),
        "release" => Ok(Command::Release),
        "set" => words.skip(1).set(),
        "reset" => words.skip(1).reset(),
        "show" => words.skip(1).show(),
        "prepare" => words.skip(1).prepare(),
        "execute" => words.skip(1).execute(),
        "deallocate" => words.skip(1).deallocate(),
        "declare" => words.skip(1).declare(),
        "fetch" => words.skip(1).fetch(false),
        "move" => words.skip(1).fetch(true),
        "close" => {
            let mut words = words.skip(1);
            let all = words.take("all");
            let cursor = if all { None } else { Some(words.name()?) };
            words.end().map(|()| Command::CloseCursor(cursor))
        }
        "discard" => Ok(match statement.tokens.get(1) {
            Some(token) if token.is("all") => Command::DiscardAll,
            Some(token) if token.is("temp") || token.is("temporary") => Command::DiscardTemp,
            _ => Command::DiscardSome,
        }),
        "create" => words.skip(1).create(),
        "drop" if words.is_at(1, "view") => words.skip(2).drop_views(),
        "listen" => Ok(Command::Listen("LISTEN")),
        "unlisten" => Ok(Command::Listen("UNLISTEN")),
        "copy" => copy_out(statement).map(Command::CopyOut),
        "explain" => Ok(Command::Query { sql: statement.text.to_owned(), tag: "EXPLAIN" }),
        _ => Ok(Command::Query { sql: statement.text.to_owned(), tag: "SELECT" }),
    }
}

/// A statement read from left to right.
#[derive(Clone, Copy)]
pub(super) struct Words<'a, 'b> {
    pub(super) statement: &'a Statement<'b>,
    pub(super) at: usize,
}

impl<'b> Words<'_, 'b> {
    pub(super) fn skip(self, words: usize) -> Self {
        Self { at: self.at + words, ..self }
    }

    fn is_at(&self, place: usize, word: &str) -> bool {
        self.statement.tokens.get(place).is_some_and(|token| token.is(word))
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.statement.tokens.get(self.at)
    }

    pub(super) fn take(&mut self, word: &str) -> bool {
        let found = self.is_at(self.at, word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn take_symbol(&mut self, symbol: char) -> bool {
        let found = self.peek().is_some_and(|token| token.is_symbol(symbol));
        self.at += usize::from(found);
        found
    }

    /// A syntax error at the present word.
    pub(super) fn unexpected(&self) -> PgError {
        match self.peek() {
            Some(token) => {
                let text = self.statement.between(self.at, self.at + 1);
                let start = self.statement.tokens[0].start;
                let within = token.start - start;
                let position = self.statement.chars_before + self.statement.text[..within].chars().count() + 1;
                PgError::syntax(format!("syntax error at or near \"{text}\"")).at(position)
            }
            None => PgError::syntax("syntax error at end of input"),
        }
    }

    pub(super) fn end(&self) -> Result<(), PgError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn name(&mut self) -> Result<String, PgError> {
        let name = match self.peek().map(|token| &token.kind) {
            Some(TokenKind::Word(name) | TokenKind::Quoted(name)) => name.clone(),
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(name)
    }

    /// A name with dots, such as `gwbank.as_known_at`.
    fn setting_name(&mut self) -> Result<String, PgError> {
        let mut name = self.name()?;
        while self.take_symbol('.') {
            name = format!("{name}.{}", self.name()?);
        }
        Ok(name)
    }

    fn set(mut self) -> Result<Command, PgError> {
        let local = self.take("local");
        let session = !local && self.take("session");
        if (session && self.take("characteristics")) || self.take("transaction") {
            return Ok(Command::SetTransaction);
        }
        if self.take("time") {
            if !self.take("zone") {
                return Err(self.unexpected());
            }
            let value = self.values()?;
            return Ok(Command::Set {
                name: "timezone".to_owned(),
                value: value.filter(|zone| zone != "local"),
                local,
            });
        }
        if self.take("names") {
            return Ok(Command::Set { name: "client_encoding".to_owned(), value: self.values()?, local });
        }
        let name = self.setting_name()?;
        if !self.take("to") && !self.take_symbol('=') {
            return Err(self.unexpected());
        }
        Ok(Command::Set { name, value: self.values()?, local })
    }

    /// A value or a list of them, as one text; `None` for `DEFAULT`.
    fn values(&mut self) -> Result<Option<String>, PgError> {
        if self.take("default") {
            return self.end().map(|()| None);
        }
        let mut values = Vec::new();
        loop {
            let mut value = String::new();
            if self.take("interval") {
                // SET TIME ZONE INTERVAL '+07:00' HOUR TO MINUTE
                value = self.value()?;
                self.at = self.statement.tokens.len();
            } else {
                if self.take_symbol('-') {
                    value.push('-');
                } else {
                    self.take_symbol('+');
                }
                value.push_str(&self.value()?);
            }
            values.push(value);
            if !self.take_symbol(',') {
                break;
            }
        }
        self.end().map(|()| Some(values.join(", ")))
    }

    /// A word, number or text.
    pub(super) fn value(&mut self) -> Result<String, PgError> {
        let value = match self.peek().map(|token| &token.kind) {
            Some(TokenKind::Word(text) | TokenKind::Quoted(text) | TokenKind::Text(text)) => text.clone(),
            Some(TokenKind::Number) => self.statement.between(self.at, self.at + 1).to_owned(),
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(value)
    }

    fn reset(mut self) -> Result<Command, PgError> {
        if self.take("all") {
            return self.end().map(|()| Command::ResetAll);
        }
        self.take("session"); // RESET SESSION AUTHORIZATION
        let name = self.setting_name()?;
        Ok(Command::Reset(if name == "authorization" { "session_authorization".to_owned() } else { name }))
    }

    /// `SHOW TABLES` and the like are the engine's.
    fn show(mut self) -> Result<Command, PgError> {
        let whole = || Command::Query { sql: self.statement.text.to_owned(), tag: "SHOW" };
        if ["tables", "columns", "functions", "create", "full", "extended", "databases", "schemas"]
            .iter()
            .any(|word| self.is_at(self.at, word))
        {
            return Ok(whole());
        }
        if self.take("all") {
            return self.end().map(|()| Command::ShowAll);
        }
        if self.take("time") {
            return if self.take("zone") { Ok(Command::Show("timezone".to_owned())) } else { Err(self.unexpected()) };
        }
        if self.take("transaction") {
            // SHOW TRANSACTION ISOLATION LEVEL
            return Ok(Command::Show("transaction_isolation".to_owned()));
        }
        let name = self.setting_name()?;
        self.end().map(|()| Command::Show(name))
    }

    fn prepare(mut self) -> Result<Command, PgError> {
        let name = self.name()?;
        let mut types = Vec::new();
        if self.take_symbol('(') {
            let mut start = self.at;
            let mut depth = 0;
            loop {
                let Some(token) = self.peek() else { return Err(self.unexpected()) };
                let (opens, closes, comma) = (token.is_symbol('('), token.is_symbol(')'), token.is_symbol(','));
                if depth == 0 && (closes || comma) {
                    types.push(self.statement.between(start, self.at).to_lowercase());
                    start = self.at + 1;
                }
                self.at += 1;
                match (opens, closes) {
                    (true, _) => depth += 1,
                    (_, true) if depth == 0 => break,
                    (_, true) => depth -= 1,
                    _ => {}
                }
            }
        }
        if !self.take("as") || self.peek().is_none() {
            return Err(self.unexpected());
        }
        Ok(Command::Prepare { name, types, sql: self.statement.from(self.at).to_owned() })
    }

    fn execute(mut self) -> Result<Command, PgError> {
        let name = self.name()?;
        let mut arguments = Vec::new();
        if self.take_symbol('(') {
            loop {
                arguments.push(self.argument()?);
                if self.take_symbol(')') {
                    break;
                }
                if !self.take_symbol(',') {
                    return Err(self.unexpected());
                }
            }
        }
        self.end().map(|()| Command::Execute { name, arguments })
    }

    /// A literal, or any expression up to the comma or parenthesis that ends it.
    fn argument(&mut self) -> Result<Argument, PgError> {
        let mut literal = *self;
        if let Some(argument) = literal.literal()
            && literal.peek().is_some_and(|token| token.is_symbol(',') || token.is_symbol(')'))
        {
            *self = literal;
            return Ok(argument);
        }
        let (start, mut depth) = (self.at, 0usize);
        loop {
            let Some(token) = self.peek() else { return Err(self.unexpected()) };
            match token.kind {
                TokenKind::Symbol('(' | '[') => depth += 1,
                TokenKind::Symbol(')' | ',') if depth == 0 => break,
                TokenKind::Symbol(')' | ']') => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
        }
        if self.at == start {
            return Err(self.unexpected());
        }
        Ok(Argument::Expression(self.statement.between(start, self.at).to_owned()))
    }

    fn literal(&mut self) -> Option<Argument> {
        if self.take("null") {
            return Some(Argument::Null);
        }
        let minus = if self.take_symbol('-') { "-" } else { "" };
        let value = match self.peek().map(|token| &token.kind)? {
            TokenKind::Word(truth) if matches!(truth.as_str(), "true" | "false") && minus.is_empty() => truth.clone(),
            TokenKind::Text(text) if minus.is_empty() => text.clone(),
            TokenKind::Number => self.statement.between(self.at, self.at + 1).to_owned(),
            _ => return None,
        };
        self.at += 1;
        Some(Argument::Literal(format!("{minus}{value}")))
    }

    /// What is no view is the engine's to refuse.
    fn create(mut self) -> Result<Command, PgError> {
        let statement = self.statement;
        let replace = self.take("or") && self.take("replace");
        if !self.take("temp") {
            self.take("temporary");
        }
        if !self.take("view") {
            return Ok(Command::Query { sql: statement.text.to_owned(), tag: "SELECT" });
        }
        let name = self.view_name()?;
        let mut columns = Vec::new();
        if self.take_symbol('(') {
            loop {
                columns.push(self.name()?);
                if self.take_symbol(')') {
                    break;
                }
                if !self.take_symbol(',') {
                    return Err(self.unexpected());
                }
            }
        }
        if !self.take("as") || self.peek().is_none() {
            return Err(self.unexpected());
        }
        Ok(Command::CreateView { name, columns, sql: statement.from(self.at).to_owned(), replace })
    }

    /// Without its schema, which is the connection's whatever it is called.
    fn view_name(&mut self) -> Result<String, PgError> {
        let name = self.name()?;
        let has_schema = matches!(name.as_str(), "public" | "pg_temp") && self.take_symbol('.');
        let name = if has_schema { self.name()? } else { name };
        if name.is_empty() { Err(PgError::syntax("zero-length delimited identifier")) } else { Ok(name) }
    }

    fn drop_views(mut self) -> Result<Command, PgError> {
        let if_exists = self.take("if");
        if if_exists && !self.take("exists") {
            return Err(self.unexpected());
        }
        let mut names = vec![self.view_name()?];
        while self.take_symbol(',') {
            names.push(self.view_name()?);
        }
        let cascade = self.take("cascade");
        if !cascade {
            self.take("restrict");
        }
        self.end().map(|()| Command::DropViews { names, if_exists, cascade })
    }

    fn deallocate(mut self) -> Result<Command, PgError> {
        self.take("prepare");
        let name = if self.take("all") { None } else { Some(self.name()?) };
        self.end().map(|()| Command::Deallocate(name))
    }

    fn declare(mut self) -> Result<Command, PgError> {
        let name = self.name()?;
        let (mut hold, mut binary) = (false, false);
        while !self.take("for") {
            binary |= self.is_at(self.at, "binary");
            if self.is_at(self.at, "with") && self.is_at(self.at + 1, "hold") {
                hold = true;
            }
            if self.is_at(self.at, "scroll") && !self.is_at(self.at.wrapping_sub(1), "no") {
                return Err(PgError::unsupported("cursors only move forward").hint("leave out SCROLL"));
            }
            if self.peek().is_none() {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        if self.peek().is_none() {
            return Err(self.unexpected());
        }
        Ok(Command::Declare { name, hold, binary, sql: self.statement.from(self.at).to_owned() })
    }

    fn fetch(mut self, silent: bool) -> Result<Command, PgError> {
        let forward = self.take("forward") || self.take("relative");
        let only_forward = || PgError::unsupported("cursors only move forward");
        if ["backward", "prior", "first", "last", "absolute"].iter().any(|word| self.is_at(self.at, word)) {
            return Err(only_forward());
        }
        let count = if self.take("all") {
            FetchCount::All
        } else if self.take("next") {
            FetchCount::Rows(1)
        } else if self.peek().is_some_and(|token| token.is_symbol('-')) {
            return Err(only_forward());
        } else if self.peek().is_some_and(|token| token.kind == TokenKind::Number) {
            FetchCount::Rows(self.value()?.parse().map_err(|_| self.unexpected())?)
        } else {
            let _ = forward;
            FetchCount::Rows(1)
        };
        if !self.take("from") {
            self.take("in");
        }
        let name = self.name()?;
        self.end().map(|()| Command::Fetch { name, count, silent })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CopyFormat, statements};
    use super::*;

    fn of(text: &str) -> Result<Command, PgError> {
        command(&statements(text).unwrap()[0])
    }

    fn set(name: &str, value: &str) -> Command {
        Command::Set { name: name.to_owned(), value: Some(value.to_owned()), local: false }
    }

    #[test]
    fn settings() {
        assert_eq!(of("SET statement_timeout = 5000").unwrap(), set("statement_timeout", "5000"));
        assert_eq!(of("set DateStyle to ISO, MDY").unwrap(), set("datestyle", "iso, mdy"));
        assert_eq!(of("SET TIME ZONE 'Asia/Bangkok'").unwrap(), set("timezone", "Asia/Bangkok"));
        assert_eq!(of("SET gwbank.as_known_at = '2026-01-01'").unwrap(), set("gwbank.as_known_at", "2026-01-01"));
        assert_eq!(of("SET extra_float_digits = -1").unwrap(), set("extra_float_digits", "-1"));
        assert_eq!(of("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY").unwrap(), Command::SetTransaction);
        assert_eq!(of("RESET ALL").unwrap(), Command::ResetAll);
        assert_eq!(of("SHOW TRANSACTION ISOLATION LEVEL").unwrap(), Command::Show("transaction_isolation".into()));
        assert!(matches!(of("SHOW TABLES").unwrap(), Command::Query { tag: "SHOW", .. }));
        assert_eq!(of("SET a").unwrap_err().code, "42601");
    }

    #[test]
    fn prepared_statements_and_cursors() {
        let prepared = of("PREPARE p (int, numeric(3,1)) AS SELECT $1, $2").unwrap();
        let types = vec!["int".to_owned(), "numeric(3,1)".to_owned()];
        assert_eq!(prepared, Command::Prepare { name: "p".into(), types, sql: "SELECT $1, $2".into() });
        let literal = |text: &str| Argument::Literal(text.to_owned());
        let expression = |sql: &str| Argument::Expression(sql.to_owned());
        let arguments = vec![
            literal("-1"),
            literal("it's"),
            Argument::Null,
            expression("'1'::text"),
            expression("least(1, (2 + 3))"),
            expression("now() - INTERVAL '1 day'"),
            expression("ARRAY[1, 2]"),
            literal("true"),
            expression("current_date"),
        ];
        assert_eq!(
            of("EXECUTE p (-1, 'it''s', NULL, '1'::text, least(1, (2 + 3)), now() - INTERVAL '1 day', ARRAY[1, 2], \
                true, current_date)")
            .unwrap(),
            Command::Execute { name: "p".into(), arguments }
        );
        for bad in ["EXECUTE p (1,)", "EXECUTE p (", "EXECUTE p (1", "EXECUTE p (1) x", "EXECUTE p ()"] {
            assert_eq!(of(bad).unwrap_err().code, "42601", "{bad}");
        }
        assert_eq!(
            of("DECLARE c NO SCROLL CURSOR WITHOUT HOLD FOR SELECT 1 FOR x").unwrap(),
            Command::Declare { name: "c".into(), hold: false, binary: false, sql: "SELECT 1 FOR x".into() }
        );
        let fetch = |count| Command::Fetch { name: "c".into(), count, silent: false };
        assert_eq!(of("FETCH FORWARD 100 FROM c").unwrap(), fetch(FetchCount::Rows(100)));
        assert_eq!(of("FETCH ALL IN c").unwrap(), fetch(FetchCount::All));
        assert_eq!(of("FETCH c").unwrap(), fetch(FetchCount::Rows(1)));
        assert_eq!(of("FETCH BACKWARD 1 FROM c").unwrap_err().code, "0A000");
        assert_eq!(of("CLOSE ALL").unwrap(), Command::CloseCursor(None));
    }

    #[test]
    fn views() {
        assert_eq!(
            of("CREATE OR REPLACE TEMP VIEW \"V\" (a, B) AS SELECT 1, 2 -- all").unwrap(),
            Command::CreateView {
                name: "V".into(),
                columns: vec!["a".into(), "b".into()],
                sql: "SELECT 1, 2".into(),
                replace: true
            }
        );
        assert_eq!(
            of("DROP VIEW IF EXISTS a, public.b CASCADE").unwrap(),
            Command::DropViews { names: vec!["a".into(), "b".into()], if_exists: true, cascade: true }
        );
        assert!(matches!(of("CREATE TEMP TABLE t (a int)").unwrap(), Command::Query { .. }));
        for bad in [
            "CREATE VIEW v",
            "CREATE VIEW v AS",
            "CREATE VIEW v (a AS SELECT 1",
            "DROP VIEW",
            "DROP VIEW a b",
            "CREATE VIEW \"\" AS SELECT 1",
        ] {
            assert_eq!(of(bad).unwrap_err().code, "42601", "{bad}");
        }
    }

    #[test]
    fn copies() {
        let Command::CopyOut(copy) = of("COPY (SELECT 1) TO STDOUT WITH (FORMAT csv, HEADER)").unwrap() else {
            panic!("no copy")
        };
        assert_eq!(copy.sql, "SELECT 1");
        assert!(matches!(copy.format, CopyFormat::Csv { header: true, .. }));
        let error = of("COPY readings TO '/tmp/x'").unwrap_err();
        assert_eq!(error.code, "25006");
    }

    #[test]
    fn everything_else_is_the_engines() {
        for sql in ["SELECT 1", "INSERT INTO a VALUES (1)", "(SELECT 1)", "DROP TABLE x", "\"begin\""] {
            assert_eq!(of(sql).unwrap(), Command::Query { sql: sql.into(), tag: "SELECT" });
        }
    }
}
