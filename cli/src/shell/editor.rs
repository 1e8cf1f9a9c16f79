//! What the line editor asks of the session.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustyline::{
    Cmd, ConditionalEventHandler, Context, Event, EventContext, Helper, RepeatCount,
    completion::{Completer, Pair},
    error::ReadlineError,
    highlight::Highlighter,
    hint::Hinter,
    validate::{ValidationContext, ValidationResult, Validator},
};
use vnet::command::is_unfinished;

use crate::control::client::Client;

/// Most words of a completion that are listed without asking.
pub(super) const LISTED: usize = 200;

/// Completes words by the engine's commands, and lets a line go on while a brace is open.
pub(super) struct Assistant {
    pub(super) client: Rc<RefCell<Client>>,
    pub(super) question: Question,
    pub(super) color: bool,
    /// The engine was not to be reached.
    pub(super) broken: Cell<bool>,
}

/// Whether `?` was typed, rather than the line ended.
#[derive(Clone, Default)]
pub(super) struct Question(Arc<AtomicBool>);

impl Question {
    /// Whether it was, since this was asked last.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }

    fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl ConditionalEventHandler for Question {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext<'_>) -> Option<Cmd> {
        let before = ctx.line().get(..ctx.pos())?;
        let quoted = before.bytes().filter(|&byte| byte == b'"').count() % 2 == 1;
        let at_end = ctx.pos() == ctx.line().len();
        if quoted || !at_end {
            return None;
        }
        self.0.store(true, Ordering::Relaxed);
        Some(Cmd::AcceptLine)
    }
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> Result<(usize, Vec<Pair>), ReadlineError> {
        let before = line.get(..at).unwrap_or(line);
        let Ok(completions) = self.client.borrow_mut().complete(before) else {
            self.broken.set(true);
            return Ok((at, Vec::new()));
        };
        let pair = |word: String| Pair { replacement: format!("{word} "), display: word };
        let pairs: Vec<_> = completions.candidates.into_iter().map(|c| pair(c.text)).collect();
        Ok((completions.start.min(at), pairs))
    }
}

impl Validator for Assistant {
    fn validate(&self, ctx: &mut ValidationContext<'_>) -> Result<ValidationResult, ReadlineError> {
        let goes_on = !self.question.is_asked() && is_unfinished(ctx.input());
        Ok(if goes_on { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Highlighter for Assistant {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        if self.color {
            Cow::Owned(format!("\x1b[1;36m{prompt}\x1b[0m"))
        } else {
            Cow::Borrowed(prompt)
        }
    }
}

impl Hinter for Assistant {
    type Hint = String;
}

impl Helper for Assistant {}
