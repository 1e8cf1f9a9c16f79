//! A session: one client's requests, answered one after the other by a task of the engine.

use std::{
    cell::Cell,
    collections::VecDeque,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    rc::Rc,
};

use vnet::{
    command::{self, Context, Format, Reply, Terminal},
    plugin::CommandCx,
    process::Interest,
};

use super::{
    Answer, FrameError, Frames, MessageError, Request,
    message::{Done, MAX_REQUEST, VERSION},
};
use crate::race::{Winner, race};

/// Sessions that may be open at once.
pub const MAX_SESSIONS: usize = 64;
/// Requests that a client may send before the first is answered; together they are no longer than [`MAX_REQUEST`].
const MAX_WAITING: usize = 64;
/// Bytes that are read at once.
const CHUNK: usize = 16 << 10;

/// What the sessions of an engine have in common.
#[derive(Clone)]
pub struct Sessions {
    cx: CommandCx,
    prompt: Rc<str>,
    open: Rc<Cell<usize>>,
}

/// Why a session ended before its time.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Message(#[from] MessageError),
    #[error("more than {MAX_WAITING} requests at once")]
    TooManyRequests,
    #[error("more than {} MiB of requests at once", MAX_REQUEST >> 20)]
    TooMuchAtOnce,
}

impl Sessions {
    /// Sessions of the engine that `cx` leads to.
    #[must_use]
    pub fn new(cx: CommandCx, prompt: &str) -> Self {
        Self { cx, prompt: prompt.into(), open: Rc::default() }
    }

    /// The way to the engine.
    #[must_use]
    pub fn cx(&self) -> &CommandCx {
        &self.cx
    }

    /// Serves a client until it goes. Its end of `stream` may be in another process; this end must not block.
    pub async fn serve(self, stream: UnixStream) {
        let settings = Terminal { pager: false, ansi: false, history: true };
        let cx = self.cx.new_session(settings);
        let frames = Frames::new(MAX_REQUEST);
        let mut link = Link { stream, cx: cx.clone(), frames, waiting: VecDeque::new() };
        self.open.set(self.open.get() + 1);
        let served = if self.open.get() > MAX_SESSIONS {
            let why = format!("there are {MAX_SESSIONS} sessions already");
            link.send(&Answer::Refused(why)).await
        } else {
            serve(&mut link, &cx, &self.prompt).await
        };
        self.open.set(self.open.get() - 1);
        match served {
            // Who is gone needs no answer.
            Ok(()) | Err(SessionError::Io(_)) => {}
            Err(error) => {
                let _: Result<(), SessionError> =
                    link.send(&Answer::Refused(error.to_string())).await;
            }
        }
    }
}

async fn serve(link: &mut Link, cx: &CommandCx, prompt: &str) -> Result<(), SessionError> {
    link.send(&Answer::Hello { version: VERSION, prompt: prompt.to_owned() }).await?;
    while let Some(request) = link.request().await? {
        // Who never stops to ask takes turns with packets and with others who ask.
        cx.next_round().await;
        match request {
            Request::Execute(line) => {
                execute(link, cx, &line).await?;
                if cx.session().has_quit() {
                    break;
                }
            }
            Request::Complete(line) => {
                let completions = cx.tree().complete(cx, &line, line.len());
                link.send(&Answer::Completions(completions)).await?;
            }
            Request::Help(line) => {
                let text = cx.tree().help_at(cx, &line).render(Format::Text);
                let output_length = text.len();
                link.reply(&Reply { ok: true, text, output_length }).await?;
            }
            Request::Terminal(terminal) => cx.session().change_terminal(|old| *old = terminal),
            // Nothing runs.
            Request::Interrupt => {}
        }
    }
    Ok(())
}

async fn execute(link: &mut Link, cx: &CommandCx, line: &[u8]) -> Result<(), SessionError> {
    let session = cx.session();
    let mut running = Box::pin(command::execute(cx.clone(), line));
    let reply = loop {
        let meanwhile = race(session.shown(), link.interrupted());
        match race(&mut running, meanwhile).await {
            Winner::First(reply) => break reply,
            Winner::Second(Winner::First(shown)) => link.output(&shown).await?,
            Winner::Second(Winner::Second(interrupted)) => {
                interrupted?;
                drop(running);
                break interrupted_reply(cx).await;
            }
        }
    };
    link.reply(&reply).await
}

/// What the command printed before it was interrupted comes with the next one, which does nothing.
async fn interrupted_reply(cx: &CommandCx) -> Reply {
    let mut reply = command::execute(cx.clone(), b"").await;
    reply.ok = false;
    reply.text.push_str("interrupted\n");
    reply
}

/// A client's connection.
struct Link {
    stream: UnixStream,
    cx: CommandCx,
    frames: Frames,
    /// Requests that came while a command ran.
    waiting: VecDeque<Request>,
}

impl Link {
    /// The next request; `None` when the client is gone.
    async fn request(&mut self) -> Result<Option<Request>, SessionError> {
        match self.waiting.pop_front() {
            Some(request) => Ok(Some(request)),
            None => self.receive().await,
        }
    }

    /// Waits until the running command is to end. Other requests that come wait for it.
    async fn interrupted(&mut self) -> Result<(), SessionError> {
        loop {
            match self.receive().await? {
                Some(Request::Interrupt) => return Ok(()),
                Some(_) if self.waiting.len() == MAX_WAITING => {
                    return Err(SessionError::TooManyRequests);
                }
                Some(request) => {
                    self.waiting.push_back(request);
                    if self.waiting.iter().map(Request::octets).sum::<usize>() > MAX_REQUEST {
                        return Err(SessionError::TooMuchAtOnce);
                    }
                }
                None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            }
        }
    }

    /// Nothing is lost when this is given up: what has come is kept.
    async fn receive(&mut self) -> Result<Option<Request>, SessionError> {
        let mut chunk = [0; CHUNK];
        loop {
            if let Some((kind, payload)) = self.frames.take()? {
                return Ok(Some(Request::parse(kind, payload)?));
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(length) => self.frames.push(&chunk[..length]),
                Err(error) => self.wait(error, Interest::Readable).await?,
            }
        }
    }

    async fn output(&mut self, text: &str) -> Result<(), SessionError> {
        for piece in Answer::pieces(text, Answer::Output) {
            self.send(&piece).await?;
        }
        Ok(())
    }

    async fn reply(&mut self, reply: &Reply) -> Result<(), SessionError> {
        let (output, error) = reply.parts();
        self.output(output).await?;
        for piece in Answer::pieces(error, Answer::Complaint) {
            self.send(&piece).await?;
        }
        let session = self.cx.session();
        let (quit, terminal) = (session.has_quit(), session.terminal());
        self.send(&Answer::Done(Done { ok: reply.ok, quit, terminal })).await
    }

    /// Waits for a client that reads slowly, or not at all; nobody else waits for it.
    async fn send(&mut self, answer: &Answer) -> Result<(), SessionError> {
        let bytes = answer.to_bytes();
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(length) => sent += length,
                Err(error) => self.wait(error, Interest::Writable).await?,
            }
        }
        Ok(())
    }

    async fn wait(&self, error: io::Error, interest: Interest) -> io::Result<()> {
        match error.kind() {
            io::ErrorKind::WouldBlock => {
                self.cx.ready(&self.stream, interest).await;
                Ok(())
            }
            io::ErrorKind::Interrupted => Ok(()),
            _ => Err(error),
        }
    }
}
