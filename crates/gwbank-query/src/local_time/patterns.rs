//! Patterns of `to_char`: those of PostgreSQL that mean the same to everybody, as strftime's, which the engine takes.

use datafusion::common::plan_err;
use datafusion::error::Result;

/// Longer ones before those they begin with.
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
];

/// The pattern as the engine takes it. One that it would print as it is, is an error.
pub(super) fn engines(pattern: &str) -> Result<String> {
    if pattern.contains('%') || !pattern.chars().any(char::is_alphabetic) {
        return Ok(pattern.to_owned());
    }
    match strftime(pattern) {
        Some(same) => Ok(same),
        None => plan_err!(
            "to_char takes the patterns of strftime, such as '%Y-%m-%d %H:%M', and of PostgreSQL's those that are numbers and \
             'Mon', 'Dy', 'FMMonth', 'FMDay', 'AM'; {pattern:?} has others"
        ),
    }
}

fn strftime(pattern: &str) -> Option<String> {
    if pattern.contains("SSSS") {
        return None; // seconds past midnight
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
        let is_plain = !known.starts_with("FM") && known.bytes().all(|byte| !byte.is_ascii_lowercase());
        is_plain && rest.starts_with(&known.to_lowercase())
    });
    matching.next().map(|(known, same)| (known.len(), *same))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, same) in [
            ("YYYY-MM", "%Y-%m"),
            ("yyyy-mm-dd hh24:mi:ss", "%Y-%m-%d %H:%M:%S"),
            ("DD Mon YYYY HH12:MI AM", "%d %b %Y %I:%M %p"),
            ("FMMonth FMDD, YYYY", "%B %-d, %Y"),
            ("YYYY-MM-DD\"T\"HH24:MI:SS.MS", "%Y-%m-%dT%H:%M:%S.%3f"),
            ("YYYY-MM-DDTHH24:MI", "%Y-%m-%dT%H:%M"),
            ("IYYY-\"W\"IW", "%G-W%V"),
            ("%Y-%m", "%Y-%m"),
        ] {
            assert_eq!(engines(pattern).unwrap(), same, "{pattern}");
        }
        // Padded, spelled out or in words of PostgreSQL alone.
        for unknown in ["Month", "MONTH", "Q", "J", "RN", "th", "SSSS", "OF", "\"open"] {
            let error = engines(unknown).unwrap_err().to_string();
            assert!(error.contains("%Y-%m-%d") && error.contains("has others"), "{error}");
        }
    }
}
