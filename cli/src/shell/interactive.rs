//! A prompt on a terminal.

use std::{
    cell::{Cell, RefCell},
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    rc::Rc,
};

use rustyline::{
    CompletionType, Config, Editor, EventHandler, KeyEvent, Modifiers,
    error::{ReadlineError, Signal},
    history::FileHistory,
};
use vnet::command::Terminal;

use super::{
    End, Look, ShellError,
    editor::{Assistant, LISTED, Question},
    history_file, pager,
};
use crate::{
    control::client::{Client, ClientError, Printed},
    signal,
    stdout::{self, StdoutError},
};

pub(super) fn run(mut client: Client, look: &Look) -> Result<End, ShellError> {
    let color = look.color && std::env::var_os("NO_COLOR").is_none();
    let terminal = Terminal { pager: look.pager, ansi: color, history: true };
    client.set_terminal(terminal)?;
    let prompt = client.prompt().to_owned();
    let client = Rc::new(RefCell::new(client));
    let mut shell = Shell::new(client, terminal, look)?;
    if let Some(banner) = &look.banner {
        stdout::print(banner)?;
    }
    let mut initial = String::new();
    loop {
        let line = shell.editor.readline_with_initial(&prompt, (&initial, ""));
        initial.clear();
        match line {
            Ok(line) if shell.question.take() => {
                let help = shell.client.borrow_mut().help(&line)?;
                shell.show(&help)?;
                initial = line;
            }
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                if shell.execute(&line)? {
                    return Ok(End::Left { failed: false });
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(End::Left { failed: false }),
            Err(ReadlineError::Signal(Signal::Interrupt)) => return Ok(End::Interrupted),
            Err(ReadlineError::Signal(_)) => {}
            Err(error) => return Err(error.into()),
        }
        if shell.editor.helper().is_some_and(|assistant| assistant.broken.get()) {
            return Err(ClientError::Closed.into());
        }
    }
}

struct Shell<'l> {
    client: Rc<RefCell<Client>>,
    editor: Editor<Assistant, FileHistory>,
    question: Question,
    terminal: Terminal,
    look: &'l Look,
}

impl<'l> Shell<'l> {
    fn new(
        client: Rc<RefCell<Client>>,
        terminal: Terminal,
        look: &'l Look,
    ) -> Result<Self, ShellError> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .completion_prompt_limit(LISTED)
            .completion_show_all_if_ambiguous(true)
            .max_history_size(look.history_limit)?
            .history_ignore_dups(true)?
            .history_ignore_space(true)
            .tab_stop(8)
            .build();
        let mut editor = Editor::with_config(config)?;
        let question = Question::default();
        editor.set_helper(Some(Assistant {
            client: client.clone(),
            question: question.clone(),
            color: terminal.ansi,
            broken: Cell::new(false),
        }));
        let key = KeyEvent::new('?', Modifiers::NONE);
        editor.bind_sequence(key, EventHandler::Conditional(Box::new(question.clone())));
        if let Some(file) = history_file() {
            // The first time there is none.
            let _: Result<(), ReadlineError> = editor.load_history(&file);
        }
        Ok(Self { client, editor, question, terminal, look })
    }

    /// Runs a line; whether it was the last.
    fn execute(&mut self, line: &str) -> Result<bool, ShellError> {
        if self.terminal.history {
            self.remember(line);
        }
        let mut text = Vec::new();
        let done = self.client.borrow_mut().execute(line.as_bytes(), &mut |printed| {
            let (Printed::Output(piece) | Printed::Complaint(piece)) = printed;
            text.extend_from_slice(piece);
            Ok(())
        });
        if self.look.takes_signals {
            let _: Option<signal::Signal> = signal::take();
        }
        let done = match done {
            Ok(done) => done,
            Err(error @ ClientError::TooLong { .. }) => {
                self.show(&format!("{error}\n"))?;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        self.terminal = done.terminal;
        if let Some(assistant) = self.editor.helper_mut() {
            assistant.color = done.terminal.ansi;
        }
        self.show(&String::from_utf8_lossy(&text))?;
        Ok(done.quit)
    }

    fn show(&self, text: &str) -> Result<(), StdoutError> {
        match self.terminal.pager {
            true => Ok(pager::show(text, self.look.pager_limit)?),
            false => stdout::print(text),
        }
    }

    /// Adds a line to the history, also of later runs. That it cannot be written is no reason to stop.
    fn remember(&mut self, line: &str) {
        let Ok(true) = self.editor.add_history_entry(line) else { return };
        let Some(file) = history_file() else { return };
        if prepare(&file).is_ok() {
            let _: Result<(), ReadlineError> = self.editor.append_history(&file);
        }
    }
}

/// Makes the file where there is none, for its owner only.
fn prepare(file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    fs::OpenOptions::new().append(true).create(true).mode(0o600).open(file).map(drop)
}
