//! Texts to statements and words.

use crate::error::PgError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// A bare word, in lower case as PostgreSQL folds it.
    Word(String),
    /// An identifier in double quotes, without them.
    Quoted(String),
    /// A text literal, unescaped.
    Text(String),
    Number,
    Symbol(char),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    /// Bytes of the text, from and up to.
    pub start: usize,
    pub end: usize,
}

impl Token {
    pub fn is(&self, word: &str) -> bool {
        matches!(&self.kind, TokenKind::Word(found) if found == word)
    }

    pub fn is_symbol(&self, symbol: char) -> bool {
        self.kind == TokenKind::Symbol(symbol)
    }
}

/// One statement of a text.
#[derive(Debug, Clone)]
pub struct Statement<'a> {
    pub text: &'a str,
    /// Characters of the whole text before it.
    pub chars_before: usize,
    /// Places are those of the whole text.
    pub(super) tokens: Vec<Token>,
    whole: &'a str,
}

impl<'a> Statement<'a> {
    /// The text from a token on to the end.
    pub(super) fn from(&self, token: usize) -> &'a str {
        match self.tokens.get(token) {
            Some(first) => &self.whole[first.start..self.tokens[self.tokens.len() - 1].end],
            None => "",
        }
    }

    /// The text of a range of tokens.
    pub(super) fn between(&self, from: usize, to: usize) -> &'a str {
        if from >= to {
            return "";
        }
        &self.whole[self.tokens[from].start..self.tokens[to - 1].end]
    }
}

/// Whether a text has a name in it, as a word of its own.
pub fn names_word(text: &str, name: &str) -> bool {
    let is_name =
        |token: &Token| matches!(&token.kind, TokenKind::Word(word) | TokenKind::Quoted(word) if word == name);
    tokens(text).is_ok_and(|tokens| tokens.iter().any(is_name))
}

/// The statements of a text, without the empty ones.
pub fn statements(text: &str) -> Result<Vec<Statement<'_>>, PgError> {
    let tokens = tokens(text)?;
    let parts = tokens.split(|token| token.is_symbol(';')).filter(|tokens| !tokens.is_empty());
    let statement = |tokens: &[Token]| {
        let (start, end) = (tokens[0].start, tokens[tokens.len() - 1].end);
        Statement {
            text: &text[start..end],
            chars_before: text[..start].chars().count(),
            tokens: tokens.to_vec(),
            whole: text,
        }
    };
    Ok(parts.map(statement).collect())
}

fn tokens(text: &str) -> Result<Vec<Token>, PgError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

fn begins_word(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_' || !letter.is_ascii() && !letter.is_whitespace()
}

fn continues_word(letter: char) -> bool {
    begins_word(letter) || letter.is_alphanumeric() || letter == '$'
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn unterminated(&self, what: &str, start: usize) -> PgError {
        let position = self.text[..start].chars().count() + 1;
        PgError::syntax(format!("unterminated {what}")).at(position)
    }

    fn next(&mut self) -> Result<Option<Token>, PgError> {
        self.skip_blanks()?;
        let start = self.at;
        let Some(letter) = self.rest().chars().next() else { return Ok(None) };
        let kind = match letter {
            '\'' => TokenKind::Text(self.quoted('\'', false, "quoted string")?),
            '"' => TokenKind::Quoted(self.quoted('"', false, "quoted identifier")?),
            'e' | 'E' if self.rest()[1..].starts_with('\'') => {
                self.at += 1;
                TokenKind::Text(self.quoted('\'', true, "quoted string")?)
            }
            '$' if self.dollar_tag().is_some() => self.dollar_quoted()?,
            letter if begins_word(letter) => {
                let word: &str = self.rest();
                let end = word.find(|letter| !continues_word(letter)).unwrap_or(word.len());
                let word = word[..end].to_lowercase();
                self.at += end;
                TokenKind::Word(word)
            }
            letter if letter.is_ascii_digit() => {
                let number = self.rest();
                let end = number
                    .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.' && letter != '_')
                    .unwrap_or(number.len());
                self.at += end;
                TokenKind::Number
            }
            symbol => {
                self.at += symbol.len_utf8();
                TokenKind::Symbol(symbol)
            }
        };
        Ok(Some(Token { kind, start, end: self.at }))
    }

    fn skip_blanks(&mut self) -> Result<(), PgError> {
        loop {
            let rest = self.rest();
            if rest.starts_with("--") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.skip_comment()?;
            } else if let Some(blank) = rest.chars().next().filter(|letter| letter.is_whitespace()) {
                self.at += blank.len_utf8();
            } else {
                return Ok(());
            }
        }
    }

    /// Comments nest.
    fn skip_comment(&mut self) -> Result<(), PgError> {
        let start = self.at;
        let mut depth = 0;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else {
                let letter = rest.chars().next().ok_or_else(|| self.unterminated("/* comment", start))?;
                self.at += letter.len_utf8();
            }
        }
    }

    fn quoted(&mut self, quote: char, escapes: bool, what: &str) -> Result<String, PgError> {
        let start = self.at;
        let mut text = String::new();
        let mut letters = self.text[start + 1..].char_indices();
        while let Some((place, letter)) = letters.next() {
            if letter == quote {
                if self.text[start + 1 + place + 1..].starts_with(quote) {
                    text.push(quote);
                    letters.next();
                } else {
                    self.at = start + 1 + place + 1;
                    return Ok(text);
                }
            } else if escapes && letter == '\\' {
                match letters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, escaped)) => text.push(escaped),
                    None => break,
                }
            } else {
                text.push(letter);
            }
        }
        Err(self.unterminated(what, start))
    }

    /// `$$` or `$tag$`; `$1` is a parameter.
    fn dollar_tag(&self) -> Option<&str> {
        let inner = &self.rest()[1..];
        let end = inner.find('$')?;
        let tag = &inner[..end];
        let is_tag = tag.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
            && !tag.starts_with(|letter: char| letter.is_ascii_digit());
        is_tag.then(|| &self.rest()[..end + 2])
    }

    fn dollar_quoted(&mut self) -> Result<TokenKind, PgError> {
        let start = self.at;
        let tag = self.dollar_tag().unwrap_or("$$").to_owned();
        let inner = start + tag.len();
        match self.text[inner..].find(&tag) {
            Some(length) => {
                self.at = inner + length + tag.len();
                Ok(TokenKind::Text(self.text[inner..inner + length].to_owned()))
            }
            None => Err(self.unterminated("dollar-quoted string", start)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str) -> Vec<&str> {
        statements(text).unwrap().into_iter().map(|statement| statement.text).collect()
    }

    #[test]
    fn semicolons_within_are_no_ends() {
        assert_eq!(split(" ;; "), Vec::<&str>::new());
        assert_eq!(split("BEGIN; SELECT ';' -- ;\n , 1;COMMIT"), ["BEGIN", "SELECT ';' -- ;\n , 1", "COMMIT"]);
        assert_eq!(split("SELECT /* ; /* ; */ */ 1; x"), ["SELECT /* ; /* ; */ */ 1", "x"]);
        assert_eq!(split("SELECT $a$;$b$;$a$, $1; y"), ["SELECT $a$;$b$;$a$, $1", "y"]);
        assert_eq!(split(r#"SELECT "a;""b", E'it\'s;', 'it''s;'"#).len(), 1);
    }

    #[test]
    fn places_count_characters() {
        let statements = statements("SELECT 'บ่อ'; SELEC").unwrap();
        assert_eq!(statements[1].chars_before, 14);
    }

    #[test]
    fn what_does_not_end_is_told() {
        for text in ["SELECT 'a", "SELECT \"a", "/* a", "SELECT $$a", "SELECT E'a\\"] {
            assert_eq!(statements(text).unwrap_err().code, "42601", "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,80}", odd in "[-'\"$eE/*;\\\\a \n]{0,40}") {
            let _ = statements(&text);
            let _ = statements(&odd);
        }
    }
}
