//! `COPY … TO STDOUT`: what psql's `\copy` sends. Every other COPY would read or write files, or change data.

use super::command::Words;
use super::lexer::{Statement, TokenKind};
use crate::error::PgError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOut {
    pub sql: String,
    pub format: CopyFormat,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyFormat {
    Text { header: bool, delimiter: u8, null: String },
    Csv { header: bool, delimiter: u8, null: String, quote: u8, escape: u8, quote_all: bool },
}

#[derive(Default)]
struct Options {
    csv: bool,
    header: bool,
    delimiter: Option<u8>,
    null: Option<String>,
    quote: Option<u8>,
    escape: Option<u8>,
    quote_all: bool,
}

pub(super) fn copy_out(statement: &Statement<'_>) -> Result<CopyOut, PgError> {
    let mut words = Words { statement, at: 1 };
    let sql = if words.take_symbol('(') { in_parentheses(&mut words)? } else { of_table(&mut words)? };
    if words.peek().is_some_and(|token| token.is("from")) {
        return Err(PgError::new("25006", "COPY FROM is refused: this door is read-only"));
    }
    if !words.take("to") {
        return Err(words.unexpected());
    }
    if !words.take("stdout") {
        return Err(PgError::new("25006", "COPY to a file or program is refused: this door is read-only")
            .hint("COPY (SELECT …) TO STDOUT, or \\copy of psql, which writes at the client"));
    }
    let mut options = Options::default();
    words.take("with");
    if words.take_symbol('(') {
        listed(&mut words, &mut options)?;
    } else {
        old_style(&mut words, &mut options)?;
    }
    words.end()?;
    Ok(CopyOut { sql, format: options.format() })
}

fn in_parentheses(words: &mut Words<'_, '_>) -> Result<String, PgError> {
    let start = words.at;
    let mut depth = 1;
    loop {
        let Some(token) = words.peek() else { return Err(words.unexpected()) };
        match token.kind {
            TokenKind::Symbol('(') => depth += 1,
            TokenKind::Symbol(')') => depth -= 1,
            _ => {}
        }
        words.at += 1;
        if depth == 0 {
            return Ok(words.statement.between(start, words.at - 1).to_owned());
        }
    }
}

/// `COPY table (columns)` as a query.
fn of_table(words: &mut Words<'_, '_>) -> Result<String, PgError> {
    let start = words.at;
    words.name()?;
    while words.take_symbol('.') {
        words.name()?;
    }
    let table = words.statement.between(start, words.at).to_owned();
    let columns = if words.take_symbol('(') { in_parentheses(words)? } else { "*".to_owned() };
    Ok(format!("SELECT {columns} FROM {table}"))
}

/// `(FORMAT csv, HEADER true)`
fn listed(words: &mut Words<'_, '_>, options: &mut Options) -> Result<(), PgError> {
    loop {
        let name = words.name()?;
        let value = match words.peek() {
            Some(token) if token.is_symbol(',') || token.is_symbol(')') => None,
            Some(token) if token.is_symbol('*') => {
                words.at += 1;
                Some("*".to_owned())
            }
            _ => Some(words.value()?),
        };
        options.put(&name, value)?;
        if words.take_symbol(')') {
            return Ok(());
        }
        if !words.take_symbol(',') {
            return Err(words.unexpected());
        }
    }
}

/// `CSV HEADER DELIMITER AS ';'`
fn old_style(words: &mut Words<'_, '_>, options: &mut Options) -> Result<(), PgError> {
    while words.peek().is_some() {
        if words.take("csv") {
            options.csv = true;
        } else if words.take("header") {
            options.header = true;
        } else if words.take("force") {
            if !(words.take("quote") && words.take_symbol('*')) {
                return Err(words.unexpected());
            }
            options.quote_all = true;
        } else {
            let name = words.name()?;
            words.take("as");
            let value = words.value()?;
            options.put(&name, Some(value))?;
        }
    }
    Ok(())
}

impl Options {
    fn put(&mut self, name: &str, value: Option<String>) -> Result<(), PgError> {
        let text = value.as_deref().unwrap_or("true");
        let one = || match text.as_bytes() {
            [byte] if !matches!(byte, b'\n' | b'\r') => Ok(Some(*byte)),
            _ => Err(PgError::unsupported(format!("COPY {name} must be a single one-byte character"))),
        };
        match name {
            "format" => match text {
                "csv" => self.csv = true,
                "text" => self.csv = false,
                other => return Err(PgError::unsupported(format!("COPY format \"{other}\" is not supported"))),
            },
            "header" => self.header = matches!(text, "true" | "on" | "1"),
            "delimiter" => self.delimiter = one()?,
            "null" => self.null = value,
            "quote" => self.quote = one()?,
            "escape" => self.escape = one()?,
            "force_quote" if text == "*" => self.quote_all = true,
            "encoding" if matches!(text.to_ascii_lowercase().as_str(), "utf8" | "utf-8") => {}
            _ => return Err(PgError::unsupported(format!("COPY option \"{name}\" is not supported"))),
        }
        Ok(())
    }

    fn format(self) -> CopyFormat {
        let header = self.header;
        if self.csv {
            let quote = self.quote.unwrap_or(b'"');
            CopyFormat::Csv {
                header,
                delimiter: self.delimiter.unwrap_or(b','),
                null: self.null.unwrap_or_default(),
                quote,
                escape: self.escape.unwrap_or(quote),
                quote_all: self.quote_all,
            }
        } else {
            let null = self.null.unwrap_or_else(|| "\\N".to_owned());
            CopyFormat::Text { header, delimiter: self.delimiter.unwrap_or(b'\t'), null }
        }
    }
}
