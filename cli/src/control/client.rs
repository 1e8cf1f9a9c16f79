//! The client's end of a session. It blocks.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use vnet::command::{Completions, Terminal};

use super::{
    Answer, FrameError, Frames, MessageError, Request,
    message::{Done, MAX_ANSWER, MAX_REQUEST, VERSION},
    telnet::{MARK, Said, Telnet},
    vpp::{self, Vpp},
};
use crate::{signal, stdout::StdoutError};

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// Why a session does not go on.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody is there.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What a command prints has nowhere to go.
    #[error(transparent)]
    Stdout(#[from] StdoutError),
    /// A file at which nobody listens.
    #[error("no engine listens there (connection refused)")]
    NoEngine,
    /// It is no engine that answers.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// It is no engine that answers.
    #[error("{0}")]
    Message(#[from] MessageError),
    /// An engine that speaks otherwise.
    #[error(
        "the engine speaks version {0} of the control protocol, this program version {VERSION}"
    )]
    Version(u8),
    /// An engine that ended the session.
    #[error("{0}")]
    Refused(String),
    /// It is neither an engine nor a VPP that answers.
    #[error("neither an engine nor a VPP listens there")]
    Stranger,
    /// The engine is gone.
    #[error("the engine has ended the connection")]
    Closed,
    /// An answer to something else.
    #[error("the engine gave an answer to another question")]
    Unexpected,
    /// It is not even sent.
    #[error("a line of {length} bytes, {limit} are allowed")]
    TooLong {
        /// Its length.
        length: usize,
        /// The longest allowed.
        limit: usize,
    },
}

/// Something that a command prints.
#[derive(Clone, Copy, Debug)]
pub enum Printed<'a> {
    /// Output.
    Output(&'a [u8]),
    /// Why it failed.
    Complaint(&'a [u8]),
}

/// A session at an engine, or at a VPP.
pub struct Client {
    stream: UnixStream,
    frames: Frames,
    prompt: String,
    busy: Arc<AtomicBool>,
    /// It is one.
    vpp: Option<Vpp>,
}

/// Ends the command that a client of this process waits for, from another thread.
pub struct Interrupter {
    stream: UnixStream,
    busy: Arc<AtomicBool>,
}

impl Interrupter {
    /// `false` when no command runs.
    #[must_use]
    pub fn interrupt(&self) -> bool {
        // The client writes nothing while it waits, so that these bytes stand alone.
        self.busy.load(Ordering::Acquire)
            && (&self.stream).write_all(&Request::Interrupt.to_bytes()).is_ok()
    }
}

impl Client {
    /// Begins a session at the engine that listens at `path`.
    ///
    /// # Errors
    /// When there is none.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let connected = UnixStream::connect(path).map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => ClientError::NoEngine,
            _ => error.into(),
        });
        Self::over(connected?).greet()
    }

    /// The client's end of a connection, on which nothing was said yet.
    #[must_use]
    pub fn over(stream: UnixStream) -> Self {
        let frames = Frames::new(MAX_ANSWER);
        Self { stream, frames, prompt: String::new(), busy: Arc::default(), vpp: None }
    }

    /// Begins the session.
    ///
    /// # Errors
    /// When the other end greets neither as an engine nor as a VPP does.
    pub fn greet(mut self) -> Result<Self, ClientError> {
        let mut greeting = Vec::new();
        while greeting.len() < MARK.len() {
            self.listen(&mut greeting)?;
        }
        if greeting.starts_with(&MARK) {
            self.begin(greeting)?;
        } else if greeting.starts_with(&MARK[..1]) {
            self.vpp = Some(Vpp::meet(&self.stream, &greeting)?);
            vpp::PROMPT.clone_into(&mut self.prompt);
            return Ok(self);
        } else {
            return Err(ClientError::Stranger);
        }
        match self.answer()? {
            Answer::Hello { version: VERSION, prompt } => self.prompt = prompt,
            Answer::Hello { version, .. } => return Err(ClientError::Version(version)),
            _ => return Err(ClientError::Unexpected),
        }
        Ok(self)
    }

    /// Asks an engine to speak in frames, and skips what it says before.
    fn begin(&mut self, mut said: Vec<u8>) -> Result<(), ClientError> {
        // One that takes nobody in has gone already, and what it said is still there.
        let begun = self.send(&Request::Begin);
        loop {
            if let Some(start) = said.iter().position(|&byte| byte == 0) {
                self.frames.push(&said[start..]);
                return Ok(());
            }
            match self.listen(&mut said) {
                Ok(()) => {}
                Err(ClientError::Closed) => return Err(why(&said)),
                Err(error) => return begun.and(Err(error)),
            }
        }
    }

    /// Adds what comes next.
    fn listen(&mut self, said: &mut Vec<u8>) -> Result<(), ClientError> {
        let mut chunk = [0; 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(ClientError::Closed),
            Ok(length) => {
                said.extend_from_slice(&chunk[..length]);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                Err(ClientError::Closed)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What the engine wants the user to see before a line.
    #[must_use]
    pub fn prompt(&self) -> &str {
        &self.prompt
    }

    /// What ends commands of this session.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn interrupter(&self) -> io::Result<Interrupter> {
        Ok(Interrupter { stream: self.stream.try_clone()?, busy: self.busy.clone() })
    }

    /// Runs `line` and hands what it prints to `print`, a piece at a time.
    ///
    /// # Errors
    /// When the connection breaks, or `print` fails.
    pub fn execute(
        &mut self,
        line: &[u8],
        print: &mut dyn FnMut(Printed<'_>) -> Result<(), StdoutError>,
    ) -> Result<Done, ClientError> {
        if line.len() >= MAX_REQUEST {
            return Err(ClientError::TooLong { length: line.len(), limit: MAX_REQUEST - 1 });
        }
        if let Some(vpp) = &mut self.vpp {
            let terminal = Terminal { pager: true, ansi: true, history: true };
            let quit = matches!(line.trim_ascii(), b"quit" | b"q" | b"exit");
            let ok = quit || vpp.execute(&self.stream, line, print)?;
            return Ok(Done { ok, quit, terminal });
        }
        self.send(&Request::Execute(line.to_vec()))?;
        self.busy.store(true, Ordering::Release);
        let done = self.until_done(print);
        self.busy.store(false, Ordering::Release);
        done
    }

    /// What can stand at the end of `line`.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn complete(&mut self, line: &str) -> Result<Completions, ClientError> {
        if self.vpp.is_some() {
            // It completes what is typed key by key, and nothing else.
            return Ok(Completions { start: line.len(), candidates: vec![], hints: vec![] });
        }
        self.send(&Request::Complete(line.to_owned()))?;
        match self.answer()? {
            Answer::Completions(completions) => Ok(completions),
            _ => Err(ClientError::Unexpected),
        }
    }

    /// What `?` at the end of `line` prints.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn help(&mut self, line: &str) -> Result<String, ClientError> {
        let mut text = Vec::new();
        let print = &mut |printed: Printed<'_>| {
            let (Printed::Output(piece) | Printed::Complaint(piece)) = printed;
            text.extend_from_slice(piece);
            Ok(())
        };
        if let Some(vpp) = &mut self.vpp {
            vpp.execute(&self.stream, format!("{line} ?").as_bytes(), print)?;
        } else {
            self.send(&Request::Help(line.to_owned()))?;
            self.until_done(print)?;
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Says what the user's terminal can do.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn set_terminal(&mut self, terminal: Terminal) -> Result<(), ClientError> {
        if self.vpp.is_some() {
            return Ok(());
        }
        self.send(&Request::Terminal(terminal))
    }

    fn until_done(
        &mut self,
        print: &mut dyn FnMut(Printed<'_>) -> Result<(), StdoutError>,
    ) -> Result<Done, ClientError> {
        loop {
            match self.answer()? {
                Answer::Output(piece) => print(Printed::Output(&piece))?,
                Answer::Complaint(piece) => print(Printed::Complaint(&piece))?,
                Answer::Done(done) => return Ok(done),
                _ => return Err(ClientError::Unexpected),
            }
        }
    }

    fn send(&mut self, request: &Request) -> Result<(), ClientError> {
        self.stream.write_all(&request.to_bytes()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => ClientError::Closed,
            _ => error.into(),
        })
    }

    /// The next answer. A signal that this program watches for interrupts the command that is waited for.
    fn answer(&mut self) -> Result<Answer, ClientError> {
        let mut chunk = vec![0; CHUNK];
        loop {
            if let Some((kind, payload)) = self.frames.take()? {
                return match Answer::parse(kind, payload)? {
                    Answer::Refused(why) => Err(ClientError::Refused(why)),
                    answer => Ok(answer),
                };
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ClientError::Closed),
                Ok(length) => self.frames.push(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    if self.busy.load(Ordering::Acquire) && signal::caught().is_some() {
                        self.send(&Request::Interrupt)?;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Err(ClientError::Closed);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Why an engine has ended a session before it began.
fn why(said: &[u8]) -> ClientError {
    let mut telnet = Telnet::default();
    let (mut text, mut refused) = (Vec::new(), false);
    for said in said.iter().filter_map(|&byte| telnet.take(byte)) {
        match said {
            Said::Byte(byte) => text.push(byte),
            said => refused |= said == Said::Refused,
        }
    }
    if !refused {
        return ClientError::Closed;
    }
    ClientError::Refused(String::from_utf8_lossy(text.trim_ascii()).into_owned())
}
