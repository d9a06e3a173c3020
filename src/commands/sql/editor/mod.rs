//! Editing a statement at a terminal: several lines, a history, completion.
//!
//! - [`mod@line`]: the text and its cursor. [`screen`]: where they stand on the screen. [`history`]: what was typed before.
//!
//! # Rules
//! 1. The terminal is raw only while a statement is typed; whatever happens, it is given back as it was.
//! 2. The last column of the screen is never written, as terminals differ in what they do then.
//! 3. Widths are what a terminal shows: Thai vowels and tone marks are moved over with the letter that carries them.

mod history;
mod line;
mod screen;

use std::io::{self, Write};

use termion::event::Key;
use termion::input::{Keys, TermRead};
use termion::raw::IntoRawMode;

pub use history::History;
use line::Line;
use screen::{Screen, Size};

use crate::terminal;

/// What the editor asks of the language that is typed.
pub trait Language {
    /// Whether Enter ends the text.
    fn is_whole(&self, text: &str) -> bool;
    /// What the word before the cursor may become: where it begins (in bytes), and the choices.
    fn completions(&self, before_cursor: &str) -> (usize, Vec<String>);
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    Text(String),
    /// Ctrl-C: what stood there is given up.
    Interrupted,
    /// Ctrl-D where nothing stood.
    End,
}

pub struct Editor {
    pub history: History,
    killed: String,
    /// It reads ahead: a new one would miss what was typed while a statement ran.
    keys: Keys<io::Stdin>,
}

/// Of a terminal that does not tell.
const SIZE_DEFAULT: Size = Size { columns: 80, rows: 24 };

fn size() -> Size {
    match termion::terminal_size() {
        Ok((columns, rows)) if columns > 3 && rows > 1 => Size { columns: columns.into(), rows: rows.into() },
        _ => SIZE_DEFAULT,
    }
}

impl Editor {
    pub fn new(history: History) -> Self {
        Self { history, killed: String::new(), keys: io::stdin().keys() }
    }

    /// Reads a text from the terminal.
    pub fn read(&mut self, prompt: &str, language: &dyn Language) -> io::Result<Typed> {
        let mut out = io::stdout().into_raw_mode()?;
        let session = Session::new(prompt, language, &mut self.history, &mut self.killed);
        session.edit(&mut self.keys, &mut out, &size)
    }
}

/// A search backwards through the history.
#[derive(Debug, Default)]
struct Search {
    wanted: String,
    found: Option<usize>,
}

struct Session<'a> {
    line: Line,
    screen: Screen,
    /// The entry of the history that is shown, from its end.
    browsed: Option<usize>,
    /// What was typed before the history was gone through.
    draft: String,
    search: Option<Search>,
    history: &'a mut History,
    killed: &'a mut String,
    language: &'a dyn Language,
}

impl<'a> Session<'a> {
    fn new(prompt: &str, language: &'a dyn Language, history: &'a mut History, killed: &'a mut String) -> Self {
        let (line, screen) = (Line::default(), Screen::new(prompt));
        Self { line, screen, browsed: None, draft: String::new(), search: None, history, killed, language }
    }

    fn edit(
        mut self,
        keys: &mut dyn Iterator<Item = io::Result<Key>>,
        out: &mut dyn Write,
        size: &dyn Fn() -> Size,
    ) -> io::Result<Typed> {
        self.draw(out, size())?;
        for key in keys {
            let ended = self.key(key?, out, size())?;
            if let Some(typed) = ended {
                // What comes next begins below the text.
                self.search = None;
                self.line.go_to_end();
                self.draw(out, size())?;
                let mark = if typed == Typed::Interrupted { "^C" } else { "" };
                write!(out, "{mark}\r\n")?;
                out.flush()?;
                return Ok(typed);
            }
            self.draw(out, size())?;
        }
        Ok(Typed::End)
    }

    fn draw(&mut self, out: &mut dyn Write, size: Size) -> io::Result<()> {
        let searching = self.search.as_ref().map(|search| format!("(search)`{}': ", search.wanted));
        self.screen.draw(&self.line, searching.as_deref(), size, out)
    }

    fn key(&mut self, key: Key, out: &mut dyn Write, size: Size) -> io::Result<Option<Typed>> {
        if self.search.is_some() && self.search_key(key) {
            return Ok(None);
        }
        let line = &mut self.line;
        match key {
            Key::Char('\n' | '\r') if self.language.is_whole(line.text()) => {
                return Ok(Some(Typed::Text(line.text().to_owned())));
            }
            Key::Char('\r' | '\n') | Key::Alt('\n' | '\r') => line.insert("\n"),
            Key::Char('\t') => self.complete(out, size)?,
            Key::Char(c) if !c.is_control() => line.insert(c.encode_utf8(&mut [0; 4])),
            Key::Ctrl('c') => return Ok(Some(Typed::Interrupted)),
            Key::Ctrl('d') if line.text().is_empty() => return Ok(Some(Typed::End)),
            Key::Ctrl('d') | Key::Delete => line.delete(),
            Key::Backspace | Key::Ctrl('h') => line.backspace(),
            Key::Left | Key::Ctrl('b') => line.left(),
            Key::Right | Key::Ctrl('f') => line.right(),
            Key::Home | Key::Ctrl('a') => line.go_to_line_start(),
            Key::End | Key::Ctrl('e') => line.go_to_line_end(),
            Key::Alt('b') => line.word_left(),
            Key::Alt('f') => line.word_right(),
            Key::Ctrl('k') => *self.killed = line.kill_to_line_end(),
            Key::Ctrl('u') => *self.killed = line.kill_to_line_start(),
            Key::Ctrl('w') => *self.killed = line.kill_word(),
            Key::Ctrl('y') => line.insert(self.killed),
            Key::Ctrl('l') => self.screen.clear(out)?,
            Key::Up if line.up() => {}
            Key::Down if line.down() => {}
            Key::Up | Key::Ctrl('p') => self.browse(true),
            Key::Down | Key::Ctrl('n') => self.browse(false),
            Key::Ctrl('r') => self.search = Some(Search::default()),
            _ => {}
        }
        Ok(None)
    }

    fn browse(&mut self, back: bool) {
        let wanted = match (self.browsed, back) {
            (None, true) => Some(0),
            (Some(place), true) => Some(place + 1),
            (Some(0), false) => None,
            (Some(place), false) => Some(place - 1),
            (None, false) => return,
        };
        let text = match wanted {
            Some(place) => match self.history.back(place) {
                Some(entry) => entry.to_owned(),
                None => return,
            },
            None => std::mem::take(&mut self.draft),
        };
        if self.browsed.is_none() {
            self.draft = self.line.text().to_owned();
        }
        self.browsed = wanted;
        self.line.set(text);
    }

    /// False where the key ends the search and does what it does elsewhere.
    fn search_key(&mut self, key: Key) -> bool {
        let Some(search) = &mut self.search else { return false };
        let from = match key {
            Key::Ctrl('r') => search.found.map_or(0, |found| found + 1),
            Key::Char(c) if !c.is_control() => {
                search.wanted.push(c);
                search.found.unwrap_or(0)
            }
            Key::Backspace => {
                search.wanted.pop();
                0
            }
            Key::Ctrl('g' | 'c') | Key::Esc => {
                self.search = None;
                return true;
            }
            _ => {
                self.search = None;
                return false;
            }
        };
        if let Some((found, entry)) = self.history.search(&search.wanted, from) {
            search.found = Some(found);
            self.line.set(entry.to_owned());
        }
        true
    }

    fn complete(&mut self, out: &mut dyn Write, size: Size) -> io::Result<()> {
        let before = self.line.before_cursor();
        let (start, choices) = self.language.completions(before);
        let word = before[start..].to_owned();
        match choices.as_slice() {
            [] => {}
            [one] => self.line.replace_word(start, &format!("{one} ")),
            several => {
                let common = common_beginning(several);
                if common.len() > word.len() {
                    self.line.replace_word(start, &common);
                } else {
                    self.list(several, out, size)?;
                }
            }
        }
        Ok(())
    }

    /// Choices below the text, which is drawn anew below them.
    fn list(&mut self, choices: &[String], out: &mut dyn Write, size: Size) -> io::Result<()> {
        const LISTED_MAX: usize = 200;
        self.screen.leave(out)?;
        let width = choices.iter().map(|choice| terminal::width(choice)).max().unwrap_or(0) + 2;
        let per_line = (size.columns / width).max(1);
        for choices in choices[..choices.len().min(LISTED_MAX)].chunks(per_line) {
            for choice in choices {
                write!(out, "{choice}{}", " ".repeat(width - terminal::width(choice)))?;
            }
            write!(out, "\r\n")?;
        }
        if choices.len() > LISTED_MAX {
            write!(out, "… and {} more\r\n", choices.len() - LISTED_MAX)?;
        }
        Ok(())
    }
}

fn common_beginning(texts: &[String]) -> String {
    let mut common = texts.first().cloned().unwrap_or_default();
    for text in texts {
        while !text.starts_with(&common) {
            common.pop();
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Semicolons;

    impl Language for Semicolons {
        fn is_whole(&self, text: &str) -> bool {
            text.ends_with(';')
        }
        fn completions(&self, before: &str) -> (usize, Vec<String>) {
            let start = before.rfind(' ').map_or(0, |space| space + 1);
            let known = ["readings", "readings_daily", "wells"];
            let word = &before[start..];
            (start, known.iter().filter(|name| name.starts_with(word)).map(|name| (*name).to_owned()).collect())
        }
    }

    const SIZE: Size = Size { columns: 40, rows: 10 };

    fn typed_with(history: &mut History, keys: Vec<Key>, size: Size) -> (Typed, String) {
        let (mut out, mut killed) = (Vec::new(), String::new());
        let session = Session::new("=> ", &Semicolons, history, &mut killed);
        let typed = session.edit(&mut keys.into_iter().map(Ok), &mut out, &|| size).unwrap();
        (typed, String::from_utf8(out).unwrap())
    }

    fn letters(text: &str) -> Vec<Key> {
        text.chars().map(Key::Char).collect()
    }

    fn typed(keys: Vec<Key>) -> Typed {
        let mut history = History::in_memory();
        for entry in ["SELECT 1;", "SELECT 2;"] {
            history.add(entry).unwrap();
        }
        typed_with(&mut history, keys, SIZE).0
    }

    fn text(text: &str) -> Typed {
        Typed::Text(text.to_owned())
    }

    #[test]
    fn a_statement_goes_on_until_it_is_whole() {
        assert_eq!(typed(letters("SELECT\n1;\n")), text("SELECT\n1;"));
        let mut keys = letters("SELECT\n9;");
        keys.extend([Key::Up, Key::End, Key::Backspace, Key::Char('T'), Key::Down, Key::End, Key::Char('\n')]);
        assert_eq!(typed(keys), text("SELECT\n9;"));
    }

    #[test]
    fn the_history_is_gone_through_and_searched() {
        assert_eq!(typed(vec![Key::Up, Key::Char('\n')]), text("SELECT 2;"));
        assert_eq!(typed(vec![Key::Up, Key::Up, Key::Up, Key::Char('\n')]), text("SELECT 1;"));
        let mut keys = letters("x;");
        keys.extend([Key::Up, Key::Down, Key::Char('\n')]);
        assert_eq!(typed(keys), text("x;"), "what was typed comes back");
        let mut keys = vec![Key::Ctrl('r')];
        keys.extend(letters("T 1\n"));
        assert_eq!(typed(keys), text("SELECT 1;"));
    }

    #[test]
    fn ctrl_c_gives_up_the_text_and_ctrl_d_ends_where_there_is_none() {
        let mut keys = letters("SELECT");
        keys.extend([Key::Ctrl('d'), Key::Ctrl('c')]);
        assert_eq!(typed(keys), Typed::Interrupted);
        assert_eq!(typed(vec![Key::Ctrl('d')]), Typed::End);
        assert_eq!(typed(letters("no end")), Typed::End);
    }

    #[test]
    fn words_are_completed() {
        let mut keys = letters("FROM w");
        keys.extend([Key::Char('\t'), Key::Char(';'), Key::Char('\n')]);
        assert_eq!(typed(keys), text("FROM wells ;"));
        let mut keys = letters("FROM r");
        keys.extend([Key::Char('\t'), Key::Char('\t'), Key::Char(';'), Key::Char('\n')]);
        let (found, shown) = typed_with(&mut History::in_memory(), keys, SIZE);
        assert_eq!(found, text("FROM readings;"));
        assert!(shown.contains("readings        readings_daily"), "{shown:?}");
    }

    #[test]
    fn what_is_cut_can_be_put_back() {
        let mut keys = letters("a b c;");
        keys.extend([Key::Ctrl('w'), Key::Ctrl('a'), Key::Ctrl('y'), Key::Char('\n'), Key::Ctrl('c')]);
        assert_eq!(typed(keys), Typed::Interrupted);
        let mut keys = letters("one;");
        keys.extend([Key::Ctrl('u'), Key::Ctrl('y'), Key::Char('\n')]);
        assert_eq!(typed(keys), text("one;"));
    }

    fn any_key() -> impl Strategy<Value = Key> {
        prop_oneof![
            8 => prop::sample::select("ab ;\n\tบ่น้ำ日👩".chars().collect::<Vec<_>>()).prop_map(Key::Char),
            2 => prop::sample::select("abcdefghklnpruwy".chars().collect::<Vec<_>>()).prop_map(Key::Ctrl),
            1 => prop::sample::select("bfx\n".chars().collect::<Vec<_>>()).prop_map(Key::Alt),
            4 => prop::sample::select(vec![
                Key::Left, Key::Right, Key::Up, Key::Down, Key::Home, Key::End, Key::Delete, Key::Backspace, Key::Esc,
                Key::PageUp, Key::F(1), Key::Null,
            ]),
        ]
    }

    proptest! {
        /// Whatever is pressed on whatever screen, the editor goes on, and what it gives is a whole text.
        #[test]
        fn no_key_breaks_it(keys in prop::collection::vec(any_key(), 0..120), columns in 4usize..50, rows in 2usize..6) {
            let mut history = History::in_memory();
            history.add("SELECT 'บ่อน้ำ'\nFROM wells;").unwrap();
            if let Typed::Text(text) = typed_with(&mut history, keys, Size { columns, rows }).0 {
                prop_assert!(text.ends_with(';'));
            }
        }
    }
}
