//! Commands of the shell: what begins with a backslash.

use std::path::PathBuf;

use clap::ValueEnum;

use super::grid::Expanded;
use crate::arguments::SqlFormat;

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Quit,
    Help,
    Tables,
    /// Columns of a table.
    Describe(String),
    /// Functions; of a name all that is known.
    Functions(Option<String>),
    /// `None`: the other one.
    Expanded(Option<Expanded>),
    Timing(Option<bool>),
    Format(SqlFormat),
    Null(String),
    /// `None`: to the terminal again.
    Output(Option<PathBuf>),
    Include(PathBuf),
}

/// Without their backslash.
pub const NAMES: [&str; 11] = ["?", "d", "df", "dt", "format", "i", "o", "pset", "q", "timing", "x"];
pub const FORMATS: [&str; 5] = ["table", "csv", "json", "parquet", "arrow"];

pub const HELP: &str = r"A statement ends with a semicolon and may have several lines. Ctrl-C gives up what is typed, or stops the
query that runs. Tab completes, the arrows and Ctrl-R go through the history, Ctrl-D ends.

\d              tables and views            \d TABLE     columns of a table
\dt             the same                    \df [NAME]   functions of hydrology, or all of one; * is any text
\x [on|off|auto]   a record in place of a row; auto: where a table is too wide
\format table|csv|json|parquet|arrow
\pset null TEXT    what stands for NULL
\timing [on|off]   how long it took
\o [FILE]          answers into a file, without FILE to the terminal again
\i FILE            runs what is in a file
\?  this help      \q  ends

Long texts are cut with … where a table would be wider than the terminal.
";

/// Reads a command with its backslash; an error says what is wrong and how it is written.
pub fn parse(text: &str) -> Result<Command, String> {
    let text = text.trim().strip_prefix('\\').unwrap_or(text);
    let (name, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    // A semicolon out of habit does no harm.
    let argument = argument.trim().trim_end_matches(';').trim_end();
    let given = (!argument.is_empty()).then(|| argument.to_owned());
    let path = given.clone().map(|path| PathBuf::from(unquoted(&path)));
    let wrong = |choices: &str| Err(format!("\\{name}: {argument:?} is not one of {choices}"));
    Ok(match name.trim_end_matches(';') {
        "q" | "quit" => Command::Quit,
        "?" | "h" | "help" => Command::Help,
        "d" | "d+" => given.map_or(Command::Tables, Command::Describe),
        "dt" | "dt+" | "dv" => Command::Tables,
        "df" => Command::Functions(given),
        "x" => Command::Expanded(match argument {
            "" => None,
            "on" => Some(Expanded::On),
            "off" => Some(Expanded::Off),
            "auto" => Some(Expanded::Auto),
            _ => return wrong("on, off, auto"),
        }),
        "timing" => Command::Timing(match argument {
            "" => None,
            "on" => Some(true),
            "off" => Some(false),
            _ => return wrong("on, off"),
        }),
        "format" => match SqlFormat::from_str(argument, true) {
            Ok(format) => Command::Format(format),
            Err(_) => return wrong(&FORMATS.join(", ")),
        },
        "pset" => match argument.split_once(char::is_whitespace).unwrap_or((argument, "")) {
            ("null", text) => Command::Null(unquoted(text.trim())),
            _ => return Err("\\pset null TEXT is all that can be set".to_owned()),
        },
        "o" => Command::Output(path),
        "i" => match path {
            Some(path) => Command::Include(path),
            None => return Err("\\i FILE: the file is missing".to_owned()),
        },
        _ => return Err(format!("there is no command \\{name}; \\? lists them")),
    })
}

fn unquoted(text: &str) -> String {
    let inside = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    inside.map_or_else(|| text.to_owned(), |text| text.replace("''", "'"))
}

/// Tables and views with what they are.
pub const TABLES_SQL: &str = "SELECT c.relname AS name, CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END AS kind, \
    d.description FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 \
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'v') ORDER BY c.relname";

/// Whether there is a table of the name.
pub fn known_table_sql(table: &str) -> String {
    format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name = {}",
        quoted(table)
    )
}

pub fn columns_sql(table: &str) -> String {
    format!(
        "SELECT a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type, \
         CASE WHEN a.attnotnull THEN 'not null' ELSE '' END AS nullable, d.description \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON a.attrelid = c.oid \
         LEFT JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = a.attnum \
         WHERE c.relname = {} AND a.attnum > 0 ORDER BY a.attnum",
        quoted(table)
    )
}

/// A list where the name has a `*` or is left out, else all of one.
pub fn functions_sql(name: Option<&str>) -> (String, Option<Expanded>) {
    match name {
        Some(name) if !name.contains('*') => (
            format!(
                "SELECT name, form, kind, formula, source, example, example_result FROM gwbank_functions \
                 WHERE name = {} ORDER BY name",
                quoted(&name.to_lowercase())
            ),
            Some(Expanded::On),
        ),
        pattern => {
            let pattern = pattern.unwrap_or("*").to_lowercase().replace('*', "%");
            let sql = format!(
                "SELECT name, form, kind FROM gwbank_functions WHERE name LIKE {} ORDER BY name",
                quoted(&pattern)
            );
            (sql, None)
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        for (text, command) in [
            ("\\q", Command::Quit),
            ("\\q;", Command::Quit),
            ("\\d", Command::Tables),
            ("\\d  wells ;", Command::Describe("wells".to_owned())),
            ("\\df", Command::Functions(None)),
            ("\\df sg*", Command::Functions(Some("sg*".to_owned()))),
            ("\\x", Command::Expanded(None)),
            ("\\x auto", Command::Expanded(Some(Expanded::Auto))),
            ("\\timing off", Command::Timing(Some(false))),
            ("\\format CSV", Command::Format(SqlFormat::Csv)),
            ("\\pset null '∅ '", Command::Null("∅ ".to_owned())),
            ("\\pset null", Command::Null(String::new())),
            ("\\o", Command::Output(None)),
            ("\\o a b.csv", Command::Output(Some("a b.csv".into()))),
            ("\\i 'x.sql'", Command::Include("x.sql".into())),
        ] {
            assert_eq!(parse(text), Ok(command), "{text}");
        }
        for (text, said) in [
            ("\\copy x", "\\? lists them"),
            ("\\x maybe", "on, off, auto"),
            ("\\format xml", "table, csv, json"),
            ("\\i", "the file is missing"),
            ("\\pset border 2", "null"),
        ] {
            assert!(parse(text).unwrap_err().contains(said), "{text}");
        }
    }

    #[test]
    fn every_command_that_is_offered_exists_and_is_explained() {
        for name in NAMES {
            let argument = match name {
                "format" => " csv",
                "i" => " file",
                "pset" => " null x",
                _ => "",
            };
            assert!(parse(&format!("\\{name}{argument}")).is_ok(), "{name}");
            assert!(HELP.contains(&format!("\\{name}")), "{name}");
        }
    }
}
