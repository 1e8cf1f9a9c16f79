//! A session: one user's history and terminal settings, and the running of what they type.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::error::{Error, Failure};
use super::file::open_regular;
use super::lex::{MAX_INPUT, decode};
use super::resolve::Resolver;
use super::script::statements;
use super::tree::{LocalFuture, Tree};
use crate::process::Bell;

/// Lines that `history` remembers.
pub const HISTORY: usize = 50;

/// Bytes of the lines that `history` remembers.
const HISTORY_BYTES: usize = 1 << 20;

/// Scripts that may run each other, one inside the other.
pub const MAX_EXEC_DEPTH: usize = 8;

/// Lines that run before packets move and others get their turn. Enough that a long script is not slowed by it.
const LINES_A_TURN: u32 = 64;

/// What handlers of the built-in commands need from the context they are given.
pub trait Context: Resolver + Clone + 'static {
    /// All commands.
    fn tree(&self) -> Rc<Tree<Self>>;

    /// Whose command it is.
    fn session(&self) -> Session;

    /// Completes after `duration` of engine time.
    fn sleep(&self, duration: Duration) -> LocalFuture<()>;

    /// Completes when packets have moved and everybody else who was ready has run.
    fn turn(&self) -> LocalFuture<()>;
}

/// Settings of a user's terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Stop after each screenful.
    pub pager: bool,
    /// Whether colours and cursor movements may be used.
    pub ansi: bool,
    /// Whether lines are remembered.
    pub history: bool,
}

impl Terminal {
    /// No terminal at all, but a program: nothing is paged, coloured or remembered.
    pub const PLAIN: Self = Self { pager: false, ansi: false, history: false };
}

/// The answer to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Whether all of it succeeded.
    pub ok: bool,
    /// What to print: output, and at its end the error, if any.
    pub text: String,
    /// Bytes of the text that are output; the rest is the error.
    pub output_length: usize,
}

impl Reply {
    /// What was printed, and the error behind it, which is empty when there is none.
    pub fn parts(&self) -> (&str, &str) {
        self.text.split_at_checked(self.output_length).unwrap_or((&self.text, ""))
    }
}

/// One user's state; clones are the same session.
#[derive(Clone, Debug)]
pub struct Session(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    history: VecDeque<String>,
    terminal: Terminal,
    quit: bool,
    exec_depth: usize,
    printed: String,
    shown: Bell,
    /// Lines since others had their turn.
    lines: u32,
}

impl Session {
    /// A new session.
    pub fn new(terminal: Terminal) -> Self {
        let state = State {
            history: VecDeque::new(),
            terminal,
            quit: false,
            exec_depth: 0,
            printed: String::new(),
            shown: Bell::new(),
            lines: 0,
        };
        Self(Rc::new(RefCell::new(state)))
    }

    /// The last lines, the oldest first.
    pub fn history(&self) -> Vec<String> {
        self.0.borrow().history.iter().cloned().collect()
    }

    /// The settings of the terminal.
    pub fn terminal(&self) -> Terminal {
        self.0.borrow().terminal
    }

    /// Changes the settings of the terminal.
    pub fn change_terminal(&self, change: impl FnOnce(&mut Terminal)) {
        change(&mut self.0.borrow_mut().terminal);
    }

    /// Ends the session after the running command.
    pub fn quit(&self) {
        self.0.borrow_mut().quit = true;
    }

    /// Whether the user has left.
    pub fn has_quit(&self) -> bool {
        self.0.borrow().quit
    }

    /// Prints before the running command ends, which adds its own output behind it.
    pub fn print(&self, text: &str) {
        self.0.borrow_mut().printed.push_str(text);
    }

    /// As [`Self::print`], for what the user wants to see while the command runs.
    pub fn show(&self, text: &str) {
        self.print(text);
        self.0.borrow().shown.ring();
    }

    /// Waits until the running command [shows](Self::show) something; what it has printed until then, nobody else gets.
    pub async fn shown(&self) -> String {
        let bell = self.0.borrow().shown.clone();
        bell.wait().await;
        self.take_printed()
    }

    fn remember(&self, line: &str) {
        let mut state = self.0.borrow_mut();
        if !state.terminal.history || state.history.back().is_some_and(|last| last == line) {
            return;
        }
        state.history.push_back(line.to_owned());
        let too_much = |history: &VecDeque<String>| {
            history.len() > HISTORY
                || history.iter().map(String::len).sum::<usize>() > HISTORY_BYTES
        };
        while too_much(&state.history) {
            state.history.pop_front();
        }
    }

    /// Whether it is time that others have their turn; to be asked before each line.
    fn has_had_its_turn(&self) -> bool {
        let mut state = self.0.borrow_mut();
        state.lines = (state.lines + 1) % LINES_A_TURN;
        state.lines == 0
    }

    fn take_printed(&self) -> String {
        std::mem::take(&mut self.0.borrow_mut().printed)
    }

    /// Counts a script in; the count goes down when the guard is dropped, also if the script is abandoned.
    fn enter_script(&self) -> Result<ScriptGuard, Error> {
        let mut state = self.0.borrow_mut();
        if state.exec_depth == MAX_EXEC_DEPTH {
            let text = format!("scripts run each other more than {MAX_EXEC_DEPTH} deep");
            return Err(Error::unspecified(text));
        }
        state.exec_depth += 1;
        Ok(ScriptGuard(self.clone()))
    }
}

struct ScriptGuard(Session);

impl Drop for ScriptGuard {
    fn drop(&mut self) {
        self.0.0.borrow_mut().exec_depth -= 1;
    }
}

/// Runs what a user typed, of any bytes; several lines run one after the other up to the first that fails.
pub async fn execute<C: Context>(cx: C, input: &[u8]) -> Reply {
    let session = cx.session();
    let result = match decode(input) {
        Ok(text) => execute_text(&cx, text).await.map_err(|failure| failure.to_string()),
        Err(fault) => Err(fault.error.to_string()),
    };
    let mut text = session.take_printed();
    let output_length = text.len();
    if let Err(message) = &result {
        text.push_str(message);
        text.push('\n');
    }
    Reply { ok: result.is_ok(), text, output_length }
}

async fn execute_text<C: Context>(cx: &C, text: &str) -> Result<(), Failure> {
    for statement in statements(text) {
        let statement = statement.map_err(|(_, error)| unplaced(error))?;
        cx.session().remember(statement.text);
        run_line(cx, statement.text).await?;
        if cx.session().has_quit() {
            break;
        }
    }
    Ok(())
}

/// Runs the commands of a file, up to the first that fails: an [`Error::Script`], which reads `FILE:LINE: message`.
/// Output goes to the session ([`Session::print`]).
pub async fn run_file<C: Context>(cx: &C, path: &Path) -> Result<(), Error> {
    let name = path.display().to_string();
    let unreadable = |e: std::io::Error| Error::unspecified(format!("cannot read {name}: {e}"));
    let mut bytes = Vec::new();
    // One byte more than allowed, so that what is too long is seen to be.
    let file = open_regular(path).map_err(unreadable)?.take(MAX_INPUT as u64 + 1);
    { file }.read_to_end(&mut bytes).map_err(unreadable)?;
    let text = decode(&bytes).map_err(|fault| {
        let line = 1 + bytes[..fault.at.min(bytes.len())].iter().filter(|b| **b == b'\n').count();
        Error::Script { file: name.clone(), line, message: fault.error.to_string() }
    })?;
    run_script(cx, &name, text).await
}

/// Runs the commands of a text; `name` stands for the file in errors.
pub async fn run_script<C: Context>(cx: &C, name: &str, text: &str) -> Result<(), Error> {
    let _guard = cx.session().enter_script()?;
    for statement in statements(text) {
        let at = |line, message| Error::Script { file: name.to_owned(), line, message };
        let statement = statement.map_err(|(line, error)| at(line, error.to_string()))?;
        let result = run_line(cx, statement.text).await;
        result.map_err(|failure| match failure.error {
            inner @ Error::Script { .. } => inner,
            _ => at(statement.line, failure.to_string()),
        })?;
        if cx.session().has_quit() {
            break;
        }
    }
    Ok(())
}

async fn run_line<C: Context>(cx: &C, line: &str) -> Result<(), Failure> {
    if cx.session().has_had_its_turn() {
        cx.turn().await;
    }
    let Some(invocation) = cx.tree().parse(cx, line)? else { return Ok(()) };
    let format = invocation.format();
    let output = invocation.run(cx.clone()).await?;
    cx.session().print(&output.render(format));
    Ok(())
}

fn unplaced(error: Error) -> Failure {
    Failure { path: String::new(), syntax: None, error, at: None }
}
