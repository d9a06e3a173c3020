//! Statements that no door may be harmed by: `statements.sql`, which says how to read it.

use std::ops::RangeInclusive;

const FILE: &str = include_str!("statements.sql");

/// What becomes of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expected {
    /// It would change something.
    Refused,
    /// The same, but where a connection has a state of its own it may be answered.
    Session,
    /// It is about something that there is not.
    Unknown,
    /// Its form alone has it refused.
    Malformed,
    /// It ends at a limit, as it would run for hours.
    Endless,
    /// It ends at a limit or is refused, as it would take gigabytes.
    Greedy,
    /// An answer, an error or a limit, in time.
    Odd,
}

impl Expected {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "refused" => Self::Refused,
            "session" => Self::Session,
            "unknown" => Self::Unknown,
            "malformed" => Self::Malformed,
            "endless" => Self::Endless,
            "greedy" => Self::Greedy,
            "odd" => Self::Odd,
            _ => return None,
        })
    }

    /// Whether it uses up time, threads and memory as long as it may.
    pub fn is_costly(self) -> bool {
        matches!(self, Self::Endless | Self::Greedy)
    }
}

#[derive(Debug, Clone)]
pub struct HostileStatement {
    pub expected: Expected,
    pub why: &'static str,
    pub sql: String,
}

/// All of the file.
pub fn statements() -> Vec<HostileStatement> {
    let blocks = FILE.split("\n\n").skip(1).map(str::trim_end).filter(|block| !block.is_empty());
    blocks.map(statement).collect()
}

/// Those of one kind.
pub fn statements_that_are(expected: Expected) -> Vec<String> {
    statements().into_iter().filter(|one| one.expected == expected).map(|one| one.sql).collect()
}

fn statement(block: &'static str) -> HostileStatement {
    let parsed = || {
        let (head, sql) = block.split_once('\n')?;
        let (expected, why) = head.strip_prefix("-- ")?.split_once(": ")?;
        Some(HostileStatement { expected: Expected::named(expected)?, why, sql: expanded(sql)? })
    };
    parsed().unwrap_or_else(|| panic!("statements.sql: this block cannot be read:\n{block}"))
}

fn expanded(text: &str) -> Option<String> {
    let Some((before, rest)) = text.split_once("{{") else { return Some(text.to_owned()) };
    let (marked, after) = rest.split_once("}}")?;
    // A mark that ends in braces of its own.
    let extra = after.len() - after.trim_start_matches('}').len();
    let (marked, after) = (format!("{marked}{}", &after[..extra]), &after[extra..]);
    Some(format!("{before}{}{}", meant(&marked)?, expanded(after)?))
}

fn meant(mark: &str) -> Option<String> {
    if let Some(code) = mark.strip_prefix("u+") {
        return u32::from_str_radix(code, 16).ok().and_then(char::from_u32).map(String::from);
    }
    let (count, text) = mark.split_once(' ')?;
    if let Some((first, last)) = count.split_once("..") {
        let numbers: RangeInclusive<u32> = first.parse().ok()?..=last.parse().ok()?;
        let one = |n: u32| text.replace("<n>", &n.to_string()).replace("<m>", &(n - 1).to_string());
        return Some(numbers.map(one).collect());
    }
    Some(text.strip_prefix("x ")?.repeat(count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read() {
        let statements = statements();
        assert!(statements.len() >= 150, "{}", statements.len());
        assert!(statements.iter().all(|one| !one.why.is_empty() && !one.sql.contains("{{")));
        let nested = statements.iter().filter(|one| one.sql.starts_with("SELECT ((((")).count();
        assert_eq!(nested, 1);
    }

    #[test]
    fn marks_are_expanded() {
        let text = |text: &str| expanded(text).unwrap();
        assert_eq!(text("a{{3 x , b}}c"), "a, b, b, bc");
        assert_eq!(text("{{1..3 a<n><m> }}{{u+0041}}"), "a10 a21 a32 A");
        assert_eq!(expanded("{{x}}"), None);
    }
}
