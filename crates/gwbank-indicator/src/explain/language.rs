//! In which language an explanation is told, and how much of it.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Thai,
}

impl Language {
    pub const ALL: [Language; 2] = [Language::English, Language::Thai];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Long lists are summed up: what decides stands there in full, of the rest the first and the last.
    Summary,
    /// Every single value.
    Full,
}

/// The text of the language asked for; both take the names that are in scope.
macro_rules! say {
    ($language:expr, $en:literal, $th:literal) => {
        match $language {
            $crate::explain::Language::English => format!($en),
            $crate::explain::Language::Thai => format!($th),
        }
    };
}
pub(crate) use say;

/// At most so many lines, with how many are left away where there are more: the first ones and a quarter of the last.
pub fn shortened(mut lines: Vec<String>, most: usize, language: Language, detail: Detail) -> Vec<String> {
    if detail == Detail::Full || lines.len() <= most {
        return lines;
    }
    let last = most / 4;
    let more = lines.len() - most;
    let told =
        say!(language, "... {more} more, all of them with --full ...", "... อีก {more} รายการ ดูทั้งหมดด้วย --full ...");
    lines.splice(most - last..most - last + more, [told]);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_and_last_lines_stay() {
        let lines = |n: usize| (0..n).map(|line| line.to_string()).collect::<Vec<_>>();
        assert_eq!(shortened(lines(8), 8, Language::English, Detail::Summary), lines(8));
        assert_eq!(shortened(lines(9), 4, Language::Thai, Detail::Full), lines(9));
        let told = "... 5 more, all of them with --full ...";
        assert_eq!(shortened(lines(9), 4, Language::English, Detail::Summary), ["0", "1", "2", told, "8"]);
    }
}
