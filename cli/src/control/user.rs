//! A session over Telnet, as VPP's CLI socket has it: for `vppctl`, and for a bare terminal.

use std::{io, mem, time::Duration};

use vnet::{
    command::{self, Completions, Context, Format, Lines, Reply, Terminal},
    plugin::CommandCx,
    process::{Winner, race},
};

use super::{
    edit::{Action, Editor},
    message::MAX_REQUEST,
    telnet::{Said, Telnet},
    wire::Wire,
};
use crate::shell::pager::{Pages, Step, step};

/// For how long a client is waited for that does not tell the type of its terminal.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// For how long the rest of a line is waited for; without it the line is run as it is.
const REST: Duration = Duration::from_millis(100);
/// The type of a terminal that is none: its client sends lines, and wants no prompt.
const PROGRAM: &str = "vppctl";
/// Types of terminals whose cursor can be moved.
const ANSI: [&str; 7] = [
    "ansi",
    "screen",
    "screen-256color",
    "tmux-256color",
    "xterm",
    "xterm-256color",
    "xterm-color",
];
const CHUNK: usize = 4096;
const CTRL_C: u8 = 3;

/// How sessions over Telnet look.
#[derive(Clone, Debug)]
pub struct UserLook {
    /// The prompt.
    pub prompt: String,
    /// What greets the user.
    pub banner: Option<String>,
    /// Colours may be used.
    pub color: bool,
    /// Long output is shown a screenful at a time.
    pub pager: bool,
    /// Longest output in lines that is paged; 0 is any.
    pub pager_limit: usize,
}

/// Greets a client that waits for a prompt.
pub(super) async fn welcome(wire: &mut Wire, cx: &CommandCx, look: &UserLook) -> io::Result<()> {
    User::new(wire, cx, look).welcome().await
}

/// Serves the client of `wire`, which was welcomed or was not, until it goes. `first` is what it has said so far.
pub(super) async fn serve(
    wire: &mut Wire,
    cx: &CommandCx,
    look: &UserLook,
    (welcomed, first): (bool, &[u8]),
) -> io::Result<()> {
    let mut user = User { welcomed, ..User::new(wire, cx, look) };
    user.hear(first).await?;
    user.run().await
}

struct User<'s> {
    wire: &'s mut Wire,
    cx: &'s CommandCx,
    look: &'s UserLook,
    telnet: Telnet,
    /// Text that was heard and not looked at yet.
    heard: Vec<u8>,
    editor: Editor,
    /// What a program has said of a command so far.
    lines: Vec<u8>,
    /// Columns and rows of the terminal.
    size: (usize, usize),
    is_program: bool,
    ansi: bool,
    welcomed: bool,
    /// It says nothing more.
    gone: bool,
    /// Which line of the history is shown, from the last on.
    recalled: Option<usize>,
}

impl<'s> User<'s> {
    fn new(wire: &'s mut Wire, cx: &'s CommandCx, look: &'s UserLook) -> Self {
        Self {
            wire,
            cx,
            look,
            telnet: Telnet::default(),
            heard: Vec::new(),
            editor: Editor::default(),
            lines: Vec::new(),
            size: (80, 24),
            is_program: false,
            ansi: false,
            welcomed: false,
            gone: false,
            recalled: None,
        }
    }

    async fn run(&mut self) -> io::Result<()> {
        while !self.cx.session().has_quit() {
            if self.is_program {
                self.run_lines().await?;
            } else {
                self.run_keys().await?;
            }
            // What came while a command ran is there already.
            if !self.heard.is_empty() {
                continue;
            }
            if self.gone || self.cx.session().has_quit() {
                break;
            }
            self.listen().await?;
        }
        Ok(())
    }

    /// Waits for more, as long as it is worth it.
    async fn listen(&mut self) -> io::Result<()> {
        let patience = match (self.welcomed, self.lines.is_empty()) {
            (false, _) => PATIENCE,
            (true, false) if self.is_program => REST,
            _ => Duration::MAX,
        };
        let mut chunk = [0; CHUNK];
        self.wire.waits();
        let cx = self.cx;
        let read = match patience {
            Duration::MAX => self.wire.read(&mut chunk).await?,
            patience => match race(self.wire.read(&mut chunk), cx.sleep(patience)).await {
                Winner::First(read) => read?,
                Winner::Second(()) if self.welcomed => {
                    return self.run_line().await;
                }
                Winner::Second(()) => return self.welcome().await,
            },
        };
        self.wire.works();
        self.hear(&chunk[..read]).await
    }

    /// Takes what the client said apart: text is kept, the rest is noted and answered.
    async fn hear(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.gone |= bytes.is_empty();
        for &byte in bytes {
            match self.telnet.take(byte) {
                Some(Said::Byte(byte)) => self.heard.push(byte),
                Some(Said::Terminal(name)) => self.meet(&name).await?,
                Some(Said::Window { columns, rows }) => {
                    let or = |size: u16, usual| if size == 0 { usual } else { usize::from(size) };
                    self.size = (or(columns, 80), or(rows, 24));
                }
                Some(Said::AreYouThere) => self.wire.send(b"peloton\r\n").await?,
                Some(Said::WhichTerminal | Said::Refused) | None => {}
            }
        }
        Ok(())
    }

    async fn meet(&mut self, name: &str) -> io::Result<()> {
        self.is_program = name.eq_ignore_ascii_case(PROGRAM);
        self.ansi = ANSI.iter().any(|known| known.eq_ignore_ascii_case(name));
        if self.welcomed { Ok(()) } else { self.welcome().await }
    }

    async fn welcome(&mut self) -> io::Result<()> {
        self.welcomed = true;
        let pager = self.look.pager && !self.is_program;
        let ansi = self.look.color && self.ansi;
        let settings = Terminal { pager, ansi, history: !self.is_program };
        self.cx.session().change_terminal(|terminal| *terminal = settings);
        if self.is_program {
            return Ok(());
        }
        let banner = self.look.banner.clone().unwrap_or_default();
        self.show(&format!("\r{banner}{}", self.look.prompt)).await
    }

    /// Runs what a program has said, as far as it is whole lines.
    async fn run_lines(&mut self) -> io::Result<()> {
        for byte in mem::take(&mut self.heard) {
            match byte {
                0 | b'\r' => {}
                byte if self.lines.len() < MAX_REQUEST => self.lines.push(byte),
                _ => {}
            }
            if byte == b'\n' && !is_unfinished(&self.lines) {
                self.run_line().await?;
            }
            if self.cx.session().has_quit() {
                return Ok(());
            }
        }
        if self.gone && !self.lines.is_empty() {
            self.run_line().await?;
        }
        Ok(())
    }

    /// Runs the command of a program. Behind its output stands a zero, by which the program knows where it ends.
    async fn run_line(&mut self) -> io::Result<()> {
        let line = mem::take(&mut self.lines);
        let Some(reply) = self.execute(&line).await? else { return Ok(()) };
        self.show(&reply.text).await?;
        if self.cx.session().has_quit() { Ok(()) } else { self.wire.send(&[0]).await }
    }

    async fn run_keys(&mut self) -> io::Result<()> {
        let mut keys = mem::take(&mut self.heard).into_iter();
        while let Some(key) = keys.next() {
            let mut echo = Vec::new();
            let action = self.editor.key(key, &mut echo);
            if !matches!(action, Action::Recall(_)) {
                self.recalled = None;
            }
            self.wire.send(&echo).await?;
            match action {
                Action::None => {}
                Action::Run(line) => {
                    // Keys that were pressed behind it are for the pager, or for the next line.
                    self.heard = keys.collect();
                    self.run_typed(&line).await?;
                    if self.gone || self.cx.session().has_quit() {
                        return Ok(());
                    }
                    keys = mem::take(&mut self.heard).into_iter();
                }
                Action::Complete => self.complete().await?,
                Action::Help => self.help().await?,
                Action::Clear => {
                    self.wire.send(b"\x1b[2J\x1b[1;1H").await?;
                    self.prompt().await?;
                }
                Action::Recall(older) => self.recall(older).await?,
            }
        }
        Ok(())
    }

    async fn run_typed(&mut self, line: &str) -> io::Result<()> {
        if !line.trim().is_empty() {
            let Some(reply) = self.execute(line.as_bytes()).await? else { return Ok(()) };
            self.page(&reply.text).await?;
        }
        if self.cx.session().has_quit() { Ok(()) } else { self.prompt().await }
    }

    /// Runs a line; what it shows meanwhile is sent on. `None` when the client has gone meanwhile, which ends the command.
    async fn execute(&mut self, line: &[u8]) -> io::Result<Option<Reply>> {
        // Who never stops to ask takes turns with packets and with others who ask.
        self.cx.next_round().await;
        let session = self.cx.session();
        let mut running = Box::pin(command::execute(self.cx.clone(), line));
        let mut chunk = [0; CHUNK];
        loop {
            let meanwhile = race(session.shown(), self.wire.read(&mut chunk));
            match race(&mut running, meanwhile).await {
                Winner::First(reply) => return Ok(Some(reply)),
                Winner::Second(Winner::First(shown)) => self.show(&shown).await?,
                Winner::Second(Winner::Second(read)) => {
                    let heard = self.heard.len();
                    self.hear(&chunk[..read?]).await?;
                    if self.gone {
                        return Ok(None);
                    }
                    if self.heard[heard..].contains(&CTRL_C) && !self.is_program {
                        drop(running);
                        self.heard.clear();
                        // What it had printed comes with a line that does nothing.
                        let mut reply = command::execute(self.cx.clone(), b"").await;
                        reply.text.push_str("interrupted\n");
                        return Ok(Some(reply));
                    }
                }
            }
        }
    }

    /// Sends text, whose lines a terminal ends with two characters.
    async fn show(&mut self, text: &str) -> io::Result<()> {
        self.wire.send(text.replace('\n', "\r\n").as_bytes()).await
    }

    async fn prompt(&mut self) -> io::Result<()> {
        let mut echo = self.look.prompt.clone().into_bytes();
        self.editor.show(&mut echo);
        self.wire.send(&echo).await
    }

    async fn page(&mut self, text: &str) -> io::Result<()> {
        let lines: Vec<_> = text.lines().collect();
        let (columns, rows) = self.size;
        let limit = self.look.pager_limit;
        let paged = self.cx.session().terminal().pager && (limit == 0 || lines.len() <= limit);
        let screen = rows.saturating_sub(1).max(1);
        let mut pages = Pages::new(&lines, columns);
        if !paged || pages.rows_from(0) <= screen {
            return self.show(text).await;
        }
        let first = pages.take(screen);
        self.show(&first).await?;
        while pages.next() < lines.len() {
            let prompt = format!("-- more -- (1-{}/{})", pages.next(), lines.len());
            self.wire.send(prompt.as_bytes()).await?;
            let step = step(&self.pager_key().await?, screen);
            let blank = format!("\r{:1$}\r", "", prompt.len());
            self.wire.send(blank.as_bytes()).await?;
            match step {
                Step::Rows(rows) => {
                    let page = pages.take(rows);
                    self.show(&page).await?;
                }
                Step::Nothing => {}
                Step::Leave => break,
            }
        }
        Ok(())
    }

    /// The next key; what an escape sequence has sent comes together. None, which leaves the pager, when the client has gone.
    async fn pager_key(&mut self) -> io::Result<Vec<u8>> {
        while self.heard.is_empty() && !self.gone {
            let mut chunk = [0; CHUNK];
            self.wire.waits();
            let read = self.wire.read(&mut chunk).await?;
            self.wire.works();
            self.hear(&chunk[..read]).await?;
        }
        let keys = match self.heard.first() {
            Some(0x1b) => {
                let end =
                    self.heard.iter().skip(2).position(|b| b.is_ascii_alphabetic() || *b == b'~');
                end.map_or(self.heard.len(), |end| end + 3)
            }
            _ => self.heard.len().min(1),
        };
        Ok(self.heard.drain(..keys).collect())
    }

    async fn complete(&mut self) -> io::Result<()> {
        let before = self.editor.before();
        let Completions { start, candidates, .. } =
            self.cx.tree().complete(self.cx, &before, before.len());
        let words: Vec<_> = candidates.into_iter().map(|candidate| candidate.text).collect();
        let typed = before.get(start..).unwrap_or_default();
        let from = before.get(..start).unwrap_or(&before).chars().count();
        let mut echo = Vec::new();
        match words.as_slice() {
            [] => {}
            [word] => self.editor.replace(from, &format!("{word} "), &mut echo),
            words => {
                let common = common(words);
                if common.len() > typed.len() && common.starts_with(typed) {
                    self.editor.replace(from, common, &mut echo);
                } else {
                    self.wire.send(b"\r\n").await?;
                    self.page(&format!("{}\n", words.join("  "))).await?;
                    return self.prompt().await;
                }
            }
        }
        self.wire.send(&echo).await
    }

    async fn help(&mut self) -> io::Result<()> {
        self.wire.send(b"?\r\n").await?;
        let help = self.cx.tree().help_at(self.cx, &self.editor.text()).render(Format::Text);
        self.page(&help).await?;
        self.prompt().await
    }

    async fn recall(&mut self, older: bool) -> io::Result<()> {
        let history = self.cx.session().history();
        let number = match (older, self.recalled) {
            (true, None) => Some(0),
            (true, Some(number)) => Some((number + 1).min(history.len().saturating_sub(1))),
            (false, number) => number.and_then(|number| number.checked_sub(1)),
        };
        self.recalled = number.filter(|_| !history.is_empty());
        let line = self.recalled.and_then(|back| history.iter().rev().nth(back));
        let mut echo = Vec::new();
        self.editor.recall(line.map_or("", String::as_str), &mut echo);
        self.wire.send(&echo).await
    }
}

/// Whether a command goes on in the next line.
fn is_unfinished(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    let mut lines = Lines::default();
    text.split_inclusive('\n').fold(false, |_, line| lines.go_on_behind(line))
}

/// What all words begin with.
fn common(words: &[String]) -> &str {
    let Some((first, rest)) = words.split_first() else { return "" };
    let shared =
        |word: &String| first.chars().zip(word.chars()).take_while(|(a, b)| a == b).count();
    let length = rest.iter().map(shared).min().unwrap_or(0);
    first.char_indices().nth(length).map_or(first, |(end, _)| &first[..end])
}
