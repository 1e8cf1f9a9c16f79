//! What is said over the control socket.

use serde_json::{Value, json};
use vnet::command::{Candidate, Completions, Terminal};

use super::frame::frame;

/// What both ends must agree on.
pub const VERSION: u8 = 1;
/// The longest request: a command of 4 MiB.
pub const MAX_REQUEST: usize = (4 << 20) + 1;
/// The longest answer; output comes in pieces.
pub const MAX_ANSWER: usize = MAX_REQUEST;
/// Bytes of output in one piece.
const PIECE: usize = 64 << 10;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Say hello: the first thing, by which the engine knows that it is no terminal that it talks to.
    Begin,
    /// Run this, which may be any bytes.
    Execute(Vec<u8>),
    /// What can stand at the end of this line.
    Complete(String),
    /// What `?` at the end of this line prints.
    Help(String),
    /// The settings of the session from now on.
    Terminal(Terminal),
    /// End the command that runs.
    Interrupt,
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The first thing behind the [greeting](super::telnet::greeting): who speaks.
    Hello {
        /// Of the protocol.
        version: u8,
        /// What the user is to see before a line.
        prompt: String,
    },
    /// Some of what a command prints.
    Output(Vec<u8>),
    /// Some of why it failed; behind its output.
    Complaint(Vec<u8>),
    /// The command is done.
    Done(Done),
    /// To [`Request::Complete`].
    Completions(Completions),
    /// The server ends the session, and why.
    Refused(String),
}

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// It succeeded.
    pub ok: bool,
    /// It was one that ends the session.
    pub quit: bool,
    /// The settings of the session, which it may have changed.
    pub terminal: Terminal,
}

/// A frame that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Of a kind that there is not.
    #[error("a message of unknown kind {0}")]
    UnknownKind(u8),
    /// Not what its kind should be.
    #[error("a malformed message of kind {0}")]
    Malformed(u8),
}

const EXECUTE: u8 = 1;
const COMPLETE: u8 = 2;
const HELP: u8 = 3;
const TERMINAL: u8 = 4;
const INTERRUPT: u8 = 5;
const BEGIN: u8 = 6;
const HELLO: u8 = 0x81;
const OUTPUT: u8 = 0x82;
const COMPLAINT: u8 = 0x83;
const DONE: u8 = 0x84;
const COMPLETIONS: u8 = 0x85;
const REFUSED: u8 = 0x86;

impl Request {
    /// Octets that the client wrote in it.
    pub(super) fn octets(&self) -> usize {
        match self {
            Self::Execute(line) => line.len(),
            Self::Complete(line) | Self::Help(line) => line.len(),
            Self::Begin | Self::Terminal(_) | Self::Interrupt => 0,
        }
    }

    /// Its frame.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Begin => frame(BEGIN, &[]),
            Self::Execute(line) => frame(EXECUTE, line),
            Self::Complete(line) => frame(COMPLETE, line.as_bytes()),
            Self::Help(line) => frame(HELP, line.as_bytes()),
            Self::Terminal(terminal) => frame(TERMINAL, &[bits(*terminal)]),
            Self::Interrupt => frame(INTERRUPT, &[]),
        }
    }

    /// Out of a frame.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(kind: u8, payload: Vec<u8>) -> Result<Self, MessageError> {
        let malformed = MessageError::Malformed(kind);
        let text = |bytes| String::from_utf8(bytes).map_err(|_| malformed);
        match (kind, payload.as_slice()) {
            (EXECUTE, _) => Ok(Self::Execute(payload)),
            (COMPLETE, _) => text(payload).map(Self::Complete),
            (HELP, _) => text(payload).map(Self::Help),
            (TERMINAL, [byte]) => Ok(Self::Terminal(terminal(*byte))),
            (INTERRUPT, []) => Ok(Self::Interrupt),
            (BEGIN, []) => Ok(Self::Begin),
            (TERMINAL | INTERRUPT | BEGIN, _) => Err(malformed),
            _ => Err(MessageError::UnknownKind(kind)),
        }
    }
}

impl Answer {
    /// Its frame.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Hello { version, prompt } => {
                frame(HELLO, &[&[*version], prompt.as_bytes()].concat())
            }
            Self::Output(bytes) => frame(OUTPUT, bytes),
            Self::Complaint(bytes) => frame(COMPLAINT, bytes),
            Self::Done(done) => {
                let outcome = u8::from(done.ok) | u8::from(done.quit) << 1;
                frame(DONE, &[outcome, bits(done.terminal)])
            }
            Self::Completions(completions) => {
                frame(COMPLETIONS, completions_json(completions).to_string().as_bytes())
            }
            Self::Refused(why) => frame(REFUSED, why.as_bytes()),
        }
    }

    /// Out of a frame.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(kind: u8, payload: Vec<u8>) -> Result<Self, MessageError> {
        let malformed = MessageError::Malformed(kind);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match (kind, payload.as_slice()) {
            (HELLO, [version, prompt @ ..]) => {
                Ok(Self::Hello { version: *version, prompt: text(prompt) })
            }
            (OUTPUT, _) => Ok(Self::Output(payload)),
            (COMPLAINT, _) => Ok(Self::Complaint(payload)),
            (DONE, [outcome, settings]) => {
                let (ok, quit) = (outcome & 1 != 0, outcome & 2 != 0);
                Ok(Self::Done(Done { ok, quit, terminal: terminal(*settings) }))
            }
            (COMPLETIONS, json) => {
                let json = serde_json::from_slice(json).map_err(|_| malformed)?;
                completions(&json).map(Self::Completions).ok_or(malformed)
            }
            (REFUSED, why) => Ok(Self::Refused(text(why))),
            (HELLO | DONE, _) => Err(malformed),
            _ => Err(MessageError::UnknownKind(kind)),
        }
    }

    /// `text` in pieces, each made a message by `wrap`.
    pub fn pieces(text: &str, wrap: fn(Vec<u8>) -> Self) -> impl Iterator<Item = Self> + '_ {
        text.as_bytes().chunks(PIECE).map(move |piece| wrap(piece.to_vec()))
    }
}

fn bits(terminal: Terminal) -> u8 {
    let Terminal { pager, ansi, history } = terminal;
    u8::from(pager) | u8::from(ansi) << 1 | u8::from(history) << 2
}

fn terminal(bits: u8) -> Terminal {
    Terminal { pager: bits & 1 != 0, ansi: bits & 2 != 0, history: bits & 4 != 0 }
}

fn completions_json(completions: &Completions) -> Value {
    let candidates: Vec<_> =
        completions.candidates.iter().map(|c| json!([c.text, c.help])).collect();
    json!({ "start": completions.start, "candidates": candidates, "hints": completions.hints })
}

fn completions(json: &Value) -> Option<Completions> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let candidate =
        |value: &Value| Some(Candidate { text: text(value.get(0)?)?, help: text(value.get(1)?)? });
    Some(Completions {
        start: usize::try_from(json.get("start")?.as_u64()?).ok()?,
        candidates: json
            .get("candidates")?
            .as_array()?
            .iter()
            .map(candidate)
            .collect::<Option<_>>()?,
        hints: json.get("hints")?.as_array()?.iter().map(text).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Frames;

    const TERMINAL: Terminal = Terminal { pager: true, ansi: false, history: true };

    fn unframed(bytes: &[u8]) -> (u8, Vec<u8>) {
        let mut frames = Frames::new(MAX_ANSWER);
        frames.push(bytes);
        frames.take().unwrap().unwrap()
    }

    #[test]
    fn messages_arrive_as_they_were_sent() {
        let candidate = Candidate { text: "\"pg\n0\"".into(), help: String::new() };
        let completions =
            Completions { start: 3, candidates: vec![candidate], hints: vec!["<n>".into()] };
        let done = Done { ok: false, quit: true, terminal: TERMINAL };
        for answer in [
            Answer::Hello { version: 1, prompt: "peloton# ".into() },
            Answer::Output(vec![0xff, 0]),
            Answer::Complaint(vec![]),
            Answer::Done(done),
            Answer::Completions(completions),
            Answer::Refused("why".into()),
        ] {
            let (kind, payload) = unframed(&answer.to_bytes());
            assert_eq!(Answer::parse(kind, payload), Ok(answer));
        }
        for request in [
            Request::Begin,
            Request::Execute(vec![0xff, b'\n']),
            Request::Complete("sh".into()),
            Request::Help("show ".into()),
            Request::Terminal(TERMINAL),
            Request::Interrupt,
        ] {
            let (kind, payload) = unframed(&request.to_bytes());
            assert_eq!(Request::parse(kind, payload), Ok(request));
        }
    }

    #[test]
    fn any_payload_of_any_kind_is_a_message_or_an_error() {
        for kind in 0..=255 {
            for payload in [&b""[..], b"\xff", b"{}", b"{\"start\":-1}", b"abc"] {
                let request = Request::parse(kind, payload.to_vec());
                let answer = Answer::parse(kind, payload.to_vec());
                assert!(request.is_err() || answer.is_err(), "kinds are told apart: {kind}");
            }
        }
    }
}
