//! By text: `AT TIME ZONE`, which the engine takes for a cast that keeps the zone, and the patterns of `to_char`, which it
//! would print as they are.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};

use crate::pg_catalog::call;

/// The statement with both in the engine's words.
pub(crate) fn in_words_of_the_engine(statement: &mut Statement) {
    match statement {
        Statement::Statement(sql) => {
            let _ = sql.visit(&mut Worder);
        }
        Statement::Explain(explain) => in_words_of_the_engine(&mut explain.statement),
        _ => {}
    }
}

struct Worder;

impl VisitorMut for Worder {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::AtTimeZone { timestamp, time_zone } => {
                *expr = call("timezone", [time_zone.as_ref().clone(), timestamp.as_ref().clone()]);
            }
            Expr::Function(function) if is_to_char(&function.name) => take_pattern(function),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn is_to_char(name: &ObjectName) -> bool {
    matches!(name.0.last(), Some(ObjectNamePart::Identifier(Ident { value, .. })) if value.eq_ignore_ascii_case("to_char"))
}

fn take_pattern(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    if let [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(ValueWithSpan { value, .. })))] =
        list.args.as_mut_slice()
        && let Value::SingleQuotedString(pattern) = value
        && let Some(translated) = strftime(pattern)
    {
        *pattern = translated;
    }
}

/// Patterns of PostgreSQL that mean the same to everybody; longer ones before those they begin with.
const PATTERNS: &[(&str, &str)] = &[
    ("FMMonth", "%B"),
    ("FMDay", "%A"),
    ("FMMM", "%-m"),
    ("FMDDD", "%-j"),
    ("FMDD", "%-d"),
    ("FMHH24", "%-H"),
    ("FMHH12", "%-I"),
    ("FMHH", "%-I"),
    ("FMMI", "%-M"),
    ("FMSS", "%-S"),
    ("IYYY", "%G"),
    ("YYYY", "%Y"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("DDD", "%j"),
    ("Mon", "%b"),
    ("Dy", "%a"),
    ("YY", "%y"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("IW", "%V"),
    ("HH", "%I"),
    ("MI", "%M"),
    ("SS", "%S"),
    ("MS", "%3f"),
    ("US", "%6f"),
    ("ID", "%u"),
    ("AM", "%p"),
    ("PM", "%p"),
    ("OF", "%:z"),
];

/// `None` where the pattern is one of strftime, or has something that is not known here: it stays as it is, and is refused
/// where it would be printed.
fn strftime(pattern: &str) -> Option<String> {
    if pattern.contains('%') {
        return None;
    }
    let (mut rest, mut out) = (pattern, String::new());
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let (quoted, after) = rest[1..].split_once('"')?;
            out.push_str(quoted);
            rest = after;
        } else if let Some((known, same)) = PATTERNS.iter().find(|(known, _)| rest.starts_with(known)) {
            out.push_str(same);
            rest = &rest[known.len()..];
        } else if let Some((known, same)) = lower(rest) {
            out.push_str(same);
            rest = &rest[known..];
        } else if first == 'T' && rest[1..].starts_with("HH") || !first.is_alphabetic() {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            return None;
        }
    }
    Some(out)
}

/// Numbers are the same in small letters.
fn lower(rest: &str) -> Option<(usize, &'static str)> {
    let numbers = PATTERNS.iter().filter(|(_, same)| same.ends_with(|last: char| "YymdHIMSjV".contains(last)));
    let mut matching = numbers.filter(|(known, _)| {
        !known.starts_with("FM")
            && known.bytes().all(|byte| !byte.is_ascii_lowercase())
            && rest.starts_with(&known.to_lowercase())
    });
    matching.next().map(|(known, same)| (known.len(), *same))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::parser::DFParser;

    #[test]
    fn patterns() {
        for (pattern, same) in [
            ("YYYY-MM", "%Y-%m"),
            ("yyyy-mm-dd hh24:mi:ss", "%Y-%m-%d %H:%M:%S"),
            ("DD Mon YYYY HH12:MI AM", "%d %b %Y %I:%M %p"),
            ("FMMonth FMDD, YYYY", "%B %-d, %Y"),
            ("YYYY-MM-DD\"T\"HH24:MI:SS.MSOF", "%Y-%m-%dT%H:%M:%S.%3f%:z"),
            ("YYYY-MM-DDTHH24:MI", "%Y-%m-%dT%H:%M"),
            ("IYYY-\"W\"IW", "%G-W%V"),
        ] {
            assert_eq!(strftime(pattern).as_deref(), Some(same), "{pattern}");
        }
        // Padded, spelled out or in words of PostgreSQL alone.
        for unknown in ["Month", "MONTH", "Q", "J", "RN", "th", "%Y-%m", "\"open"] {
            assert_eq!(strftime(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn statements() {
        let sql = "SELECT to_char(time AT TIME ZONE 'Asia/Bangkok', 'YYYY'), to_char(time, '%Y') FROM readings";
        let mut statement = DFParser::parse_sql(sql).unwrap().remove(0).unwrap();
        in_words_of_the_engine(&mut statement);
        assert_eq!(
            statement.to_string(),
            "SELECT to_char(timezone('Asia/Bangkok', time), '%Y'), to_char(time, '%Y') FROM readings"
        );
    }
}
