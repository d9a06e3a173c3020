//! Statements one after the other, at a terminal.
//!
//! # Rules
//! 1. Rows are shown as they come; the shell holds those of one batch.
//! 2. Ctrl-C ends the statement that runs, here and at the server, and nothing else.
//! 3. What goes wrong is told, and the next statement is asked for.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::ipc::reader::StreamDecoder;
use tokio::runtime::Runtime;

use super::command::{self, Command};
use super::door::{Answer, Door};
use super::editor::{Editor, History, Typed};
use super::grid::{Expanded, Grid, Look, rows};
use super::input::{Item, split};
use super::words::Words;
use crate::arguments::{SqlArguments, SqlFormat};
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::terminal;

const PROMPT: &str = "gwbank=> ";

/// A server that is busy keeps nobody from typing: names are completed from the next start on.
const WORDS_TIME: Duration = Duration::from_secs(3);

/// Rows written before a Ctrl-C is looked for.
const ROWS_AT_ONCE: usize = 200;

/// Files that name files; deeper is a circle.
const INCLUDE_DEPTH_MAX: usize = 16;

pub fn run(client: &Client, asked: &SqlArguments) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let door = Door::new(client)?;
    let words = runtime.block_on(words(&door));
    let mut shell = Shell {
        runtime,
        door,
        format: asked.format,
        null: String::new(),
        expanded: Expanded::Auto,
        timing: true,
        out: Output::Terminal,
    };
    shell.output(asked.out.clone())?;
    let mut editor = Editor::new(history());
    println!("gwbank {} at {}; \\? helps, \\q ends", env!("CARGO_PKG_VERSION"), client.base());
    loop {
        match editor.read(PROMPT, &words).context("the terminal")? {
            Typed::End => return Ok(()),
            Typed::Interrupted => {}
            Typed::Text(text) => {
                let text = text.trim();
                if text.is_empty() {
                    continue;
                }
                if let Err(error) = editor.history.add(text) {
                    eprintln!("the history cannot be kept: {error}");
                }
                if shell.run(text, 0) == After::Quit {
                    return Ok(());
                }
            }
        }
    }
}

/// Names for completion; none where they cannot be had soon.
async fn words(door: &Door) -> Words {
    let asking = async { tokio::join!(door.rows(Words::COLUMNS_SQL), door.rows(Words::FUNCTIONS_SQL)) };
    match tokio::time::timeout(WORDS_TIME, asking).await {
        Ok((columns, functions)) => Words::new(&columns.unwrap_or_default(), &functions.unwrap_or_default()),
        Err(_) => Words::default(),
    }
}

/// In the user's directory for state (XDG), else of this session alone.
fn history() -> History {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    let Some(dir) = state.map(|state| state.join("gwbank")) else { return History::default() };
    let opened = private_dir(&dir).and_then(|()| History::open(dir.join("sql_history")));
    opened.unwrap_or_else(|error| {
        eprintln!("no history: {}: {error}", dir.display());
        History::default()
    })
}

fn private_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Continue,
    /// Something failed or was stopped.
    Failed,
    Quit,
}

enum Output {
    Terminal,
    File { path: PathBuf, file: File },
}

struct Shell {
    runtime: Runtime,
    door: Door,
    format: SqlFormat,
    null: String,
    expanded: Expanded,
    timing: bool,
    out: Output,
}

impl Shell {
    /// All of a text; stops at what fails.
    fn run(&mut self, text: &str, depth: usize) -> After {
        let split = split(text);
        for item in split.items {
            let after = match item {
                Item::Command(text) => self.command(text, depth),
                Item::Statement(statement) => self.statement(statement, self.expanded, true),
            };
            if after != After::Continue {
                return after;
            }
        }
        // At the end of a file a semicolon may be missing.
        if split.rest.is_empty() { After::Continue } else { self.statement(split.rest, self.expanded, true) }
    }

    fn command(&mut self, text: &str, depth: usize) -> After {
        let command = match command::parse(text) {
            Ok(command) => command,
            Err(said) => return failed(&said),
        };
        match command {
            Command::Quit => return After::Quit,
            Command::Help => print!("{}", command::HELP),
            Command::Tables => return self.catalog(command::TABLES_SQL, None),
            Command::Describe(table) => return self.describe(&table),
            Command::Functions(name) => {
                let (sql, expanded) = command::functions_sql(name.as_deref());
                return self.catalog(&sql, expanded);
            }
            Command::Expanded(wanted) => {
                self.expanded = wanted.unwrap_or(match self.expanded {
                    Expanded::On => Expanded::Auto,
                    Expanded::Off | Expanded::Auto => Expanded::On,
                });
                let told = match self.expanded {
                    Expanded::On => "always",
                    Expanded::Off => "never",
                    Expanded::Auto => "where a table is too wide",
                };
                println!("records in place of rows: {told}");
            }
            Command::Timing(wanted) => {
                self.timing = wanted.unwrap_or(!self.timing);
                println!("timing is {}", if self.timing { "on" } else { "off" });
            }
            Command::Format(format) => {
                self.format = format;
                if format.is_binary() && matches!(self.out, Output::Terminal) {
                    println!("that format is not for a terminal; \\o FILE says where it goes");
                }
            }
            Command::Null(text) => self.null = terminal::one_line(&text).into_owned(),
            Command::Output(path) => {
                if let Err(failure) = self.output(path) {
                    return failed(&failure.text());
                }
            }
            Command::Include(path) => return self.include(&path, depth),
        }
        After::Continue
    }

    fn output(&mut self, path: Option<PathBuf>) -> Outcome {
        self.out = match path {
            None => Output::Terminal,
            Some(path) => {
                let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path);
                let file = file.with_context(|| path.display().to_string())?;
                Output::File { path, file }
            }
        };
        Ok(())
    }

    fn include(&mut self, path: &Path, depth: usize) -> After {
        if depth == INCLUDE_DEPTH_MAX {
            return failed(&format!("{}: files include each other", path.display()));
        }
        match std::fs::read_to_string(path) {
            Ok(text) => self.run(&text, depth + 1),
            Err(error) => failed(&format!("{}: {error}", path.display())),
        }
    }

    fn describe(&mut self, table: &str) -> After {
        let known = self.runtime.block_on(self.door.rows(&command::known_table_sql(table)));
        match known {
            Ok(known) if known.is_empty() => failed(&format!("there is no table {table:?}; \\dt lists them")),
            Ok(_) => self.catalog(&command::columns_sql(table), None),
            Err(failure) => failed(&failure.text()),
        }
    }

    /// A question of the shell's own: always shown as a table.
    fn catalog(&mut self, sql: &str, expanded: Option<Expanded>) -> After {
        let format = std::mem::replace(&mut self.format, SqlFormat::Table);
        let after = self.statement(sql, expanded.unwrap_or(self.expanded), false);
        self.format = format;
        after
    }

    fn statement(&mut self, statement: &str, expanded: Expanded, timed: bool) -> After {
        if self.format.is_binary() && matches!(self.out, Output::Terminal) {
            return failed(
                "that format is not for a terminal; \\o FILE says where it goes, or choose another by \\format",
            );
        }
        let began = Instant::now();
        let Self { runtime, door, format, null, out, .. } = self;
        let running = async {
            tokio::select! {
                biased;
                interrupted = tokio::signal::ctrl_c() => Ok(interrupted.map(|()| None)?),
                shown = show(door, statement, *format, null, expanded, out) => shown.map(Some),
            }
        };
        // Dropping what runs closes its connection, and the server stops the query.
        let shown: Outcome<Option<Option<u64>>> = runtime.block_on(running);
        match shown {
            Ok(None) => {
                eprintln!("\nstopped");
                After::Failed
            }
            Ok(Some(rows)) => {
                let count = rows.map(|rows| format!("{rows} {}", if rows == 1 { "row" } else { "rows" }));
                let took = (self.timing && timed).then(|| told(began.elapsed()));
                let parts: Vec<String> = count.into_iter().chain(took).collect();
                if !parts.is_empty() {
                    println!("({})", parts.join(", "));
                }
                After::Continue
            }
            Err(failure) => failed(&failure.text()),
        }
    }
}

fn failed(said: &str) -> After {
    eprintln!("{}", terminal::lines(said));
    After::Failed
}

fn told(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

/// Asks and writes what comes; gives the rows where they were seen.
async fn show(
    door: &Door,
    statement: &str,
    format: SqlFormat,
    null: &str,
    expanded: Expanded,
    out: &mut Output,
) -> Outcome<Option<u64>> {
    let answer = door.ask(statement, format.accept()).await?;
    let id = answer.id();
    let written = match out {
        Output::Terminal => {
            let mut stdout = io::stdout();
            let width =
                termion::terminal_size().ok().map(|(columns, _)| usize::from(columns)).filter(|width| *width > 3);
            let look = Look { null: null.to_owned(), expanded, width };
            written(answer, format, look, &mut stdout).await
        }
        Output::File { path, file } => {
            if format.is_binary() {
                // Each answer of these formats is a file of its own.
                *file = File::create(&*path).with_context(|| path.display().to_string())?;
            }
            let look = Look { null: null.to_owned(), expanded, width: None };
            written(answer, format, look, file).await
        }
    };
    match written {
        Err(failure) if super::has_broken_off(&failure) => Err(door.why(id.as_deref(), failure).await),
        written => written,
    }
}

async fn written(
    mut answer: Answer,
    format: SqlFormat,
    look: Look,
    out: &mut (dyn Write + Send),
) -> Outcome<Option<u64>> {
    if format == SqlFormat::Table {
        return table(answer, look, out).await.map(Some);
    }
    while let Some(piece) = answer.next().await? {
        out.write_all(&piece)?;
        out.flush()?;
    }
    if format == SqlFormat::Json {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(None)
}

async fn table(mut answer: Answer, look: Look, out: &mut (dyn Write + Send)) -> Outcome<u64> {
    let mut decoder = StreamDecoder::new();
    let mut look = Some(look);
    let mut grid: Option<Grid> = None;
    while let Some(piece) = answer.next().await? {
        let mut bytes = Buffer::from(piece);
        while !bytes.is_empty() {
            let batch = decoder.decode(&mut bytes).context("the server's answer is not the Arrow stream expected")?;
            let Some(batch) = batch.filter(|batch| batch.num_rows() > 0) else { continue };
            write_batch(&batch, &mut grid, &mut look, out).await?;
        }
    }
    if grid.is_none()
        && let (Some(schema), Some(look)) = (decoder.schema(), look)
    {
        let empty = Grid::new(look, &schema, &[]);
        empty.head(out)?;
        grid = Some(empty);
    }
    out.flush()?;
    Ok(grid.map_or(0, |grid| grid.rows))
}

async fn write_batch(
    batch: &RecordBatch,
    grid: &mut Option<Grid>,
    look: &mut Option<Look>,
    out: &mut (dyn Write + Send),
) -> Outcome {
    let cells = rows(batch)?;
    if let Some(look) = look.take() {
        let new = Grid::new(look, &batch.schema(), &cells);
        new.head(out)?;
        *grid = Some(new);
    }
    let Some(grid) = grid else { return Err(Failure::failed("rows without a look")) };
    for some in cells.chunks(ROWS_AT_ONCE) {
        let mut text = Vec::new();
        for row in some {
            grid.row(row, &mut text)?;
        }
        out.write_all(&text)?;
        out.flush()?;
        // The turn of Ctrl-C.
        tokio::task::yield_now().await;
    }
    Ok(())
}
