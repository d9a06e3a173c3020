//! What the word before the cursor may become.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::command;
use super::editor::Language;
use super::input;

/// Words of SQL that people type.
const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CROSS",
    "CURRENT ROW",
    "DATE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXPLAIN ANALYZE",
    "FALSE",
    "FILTER",
    "FROM",
    "FULL JOIN",
    "GROUP BY",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER JOIN",
    "INTERSECT",
    "INTERVAL",
    "IS NOT NULL",
    "IS NULL",
    "JOIN",
    "LEFT JOIN",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER BY",
    "OVER",
    "PARTITION BY",
    "RECURSIVE",
    "RIGHT JOIN",
    "ROWS",
    "SELECT",
    "SHOW COLUMNS",
    "SHOW TABLES",
    "THEN",
    "TIMESTAMP",
    "TRUE",
    "UNION",
    "UNION ALL",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
];

/// Words after which a table stands.
const BEFORE_TABLES: [&str; 3] = ["from", "join", "describe"];

#[derive(Debug, Default)]
pub struct Words {
    /// With their columns.
    tables: BTreeMap<String, Vec<String>>,
    functions: BTreeSet<String>,
}

impl Words {
    pub const COLUMNS_SQL: &'static str =
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1";
    pub const FUNCTIONS_SQL: &'static str = "SELECT DISTINCT routine_name FROM information_schema.routines";

    /// From the answers to the two statements.
    pub fn new(columns: &[Value], functions: &[Value]) -> Self {
        let mut words = Self::default();
        for row in columns {
            if let (Some(table), Some(column)) = (row["table_name"].as_str(), row["column_name"].as_str()) {
                words.tables.entry(table.to_owned()).or_default().push(column.to_owned());
            }
        }
        words.functions.extend(functions.iter().filter_map(|row| row["routine_name"].as_str()).map(str::to_owned));
        words
    }

    /// Those that begin with the word, as it is typed.
    fn of_sql(&self, before: &str, word: &str) -> Vec<String> {
        let named = before.strip_suffix('.').unwrap_or(before.trim_end());
        let last = named.rsplit(|c: char| !is_of_word(c)).next().unwrap_or_default().to_lowercase();
        if before.ends_with('.') {
            let columns = self.tables.get(&last).into_iter().flatten();
            return matching(columns.map(String::as_str), word).into_iter().collect();
        }
        let tables = self.tables.keys().map(String::as_str);
        if BEFORE_TABLES.contains(&last.as_str()) {
            return matching(tables, word).into_iter().collect();
        }
        // Everything that there is, is no choice.
        if word.is_empty() {
            return Vec::new();
        }
        let columns = self.tables.values().flatten().map(String::as_str);
        let functions = self.functions.iter().map(String::as_str);
        let mut found = matching(tables.chain(columns).chain(functions), word);
        let is_small = word.chars().all(|c| !c.is_uppercase());
        found.extend(
            matching(KEYWORDS.iter().copied(), word)
                .into_iter()
                .map(|keyword| if is_small { keyword.to_lowercase() } else { keyword }),
        );
        found.into_iter().collect()
    }
}

fn matching<'a>(names: impl Iterator<Item = &'a str>, word: &str) -> BTreeSet<String> {
    let begins = |name: &&str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    names.filter(begins).map(str::to_owned).collect()
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl Language for Words {
    fn is_whole(&self, text: &str) -> bool {
        input::split(text).rest.is_empty()
    }

    fn completions(&self, before_cursor: &str) -> (usize, Vec<String>) {
        let word_start = |text: &str| {
            text.len() - text.chars().rev().take_while(|&c| is_of_word(c)).map(char::len_utf8).sum::<usize>()
        };
        let start = word_start(before_cursor);
        let (before, word) = before_cursor.split_at(start);
        let typed = before_cursor.trim_start();
        if let Some(typed) = typed.strip_prefix('\\') {
            let Some((name, _)) = typed.split_once(char::is_whitespace) else {
                let start = before_cursor.len() - typed.len();
                return (start, matching(command::NAMES.iter().copied(), typed).into_iter().collect());
            };
            let choices = match name {
                "d" => matching(self.tables.keys().map(String::as_str), word),
                "df" => matching(self.functions.iter().map(String::as_str), word),
                "format" => matching(command::FORMATS.iter().copied(), word),
                "x" => matching(["on", "off", "auto"].into_iter(), word),
                "timing" => matching(["on", "off"].into_iter(), word),
                "pset" => matching(["null"].into_iter(), word),
                _ => BTreeSet::new(),
            };
            return (start, choices.into_iter().collect());
        }
        (start, self.of_sql(before, word))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(before: &str, expected: &[&str]) {
        let columns = [
            json!({"table_name": "readings", "column_name": "value"}),
            json!({"table_name": "readings", "column_name": "well_id"}),
            json!({"table_name": "readings_daily", "column_name": "day"}),
            json!({"table_name": "wells", "column_name": "well_id"}),
        ];
        let functions = [json!({"routine_name": "sgi"}), json!({"routine_name": "time_bucket"})];
        let (start, choices) = Words::new(&columns, &functions).completions(before);
        assert_eq!(choices, expected, "{before:?}");
        assert!(before.is_char_boundary(start));
    }

    #[test]
    fn what_may_follow_depends_on_what_stands_before() {
        check("SELECT * FROM re", &["readings", "readings_daily"]);
        check("SELECT * FROM ", &["readings", "readings_daily", "wells"]);
        check("SELECT we", &["well_id", "wells"]);
        check("SELECT readings.", &["value", "well_id"]);
        check("sel", &["select"]);
        check("SEL", &["SELECT"]);
        check("SELECT SG", &["sgi"]);
        check("SELECT 'บ่อ' ", &[]);
        check("\\d we", &["wells"]);
        check("\\ti", &["timing"]);
        check("\\format p", &["parquet"]);
        check("\\df ti", &["time_bucket"]);
    }

    #[test]
    fn enter_ends_what_is_whole() {
        let words = Words::default();
        for (text, is_whole) in
            [("", true), ("SELECT 1;", true), ("SELECT 1", false), ("\\d", true), ("SELECT ';", false), ("-- x", true)]
        {
            assert_eq!(words.is_whole(text), is_whole, "{text:?}");
        }
    }
}
