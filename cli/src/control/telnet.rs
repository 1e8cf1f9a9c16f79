//! Telnet, as far as VPP's CLI socket speaks it: what an engine says first, and commands among text.
//!
//! VPP greets with a handful of Telnet commands, and its client `vppctl` waits for them: it answers with the type of its
//! terminal, which is `vppctl` where nobody types, and only then sends its command. An engine greets in the same way. In front
//! stand a few bytes more, a Telnet option that no registry knows, by which `peloton ctl` tells an engine from a VPP;
//! every other client skips them.

/// Begins a command.
const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
/// Begins the parameters of an option, which IAC and [`SE`] end.
const SB: u8 = 250;
const AYT: u8 = 246;
const SE: u8 = 240;

const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;
const TERMINAL_TYPE: u8 = 24;
const WINDOW_SIZE: u8 = 31;
const LINE_MODE: u8 = 34;
/// Our own, of those that IANA has not assigned.
const PELOTON: u8 = 200;

/// "This is" in [`TERMINAL_TYPE`], "tell me" is 1.
const IS: u8 = 0;
const SEND: u8 = 1;

/// What begins an engine's greeting.
pub(super) const MARK: [u8; 3] = [IAC, SB, PELOTON];
/// Behind [`MARK`]: there is a place.
const WELCOME: u8 = b'w';
/// Behind [`MARK`]: there is none, and the text behind the option says why.
const REFUSED: u8 = b'r';

/// Bytes that are kept of an option's parameters.
const LONGEST_OPTION: usize = 64;

/// What an engine says first. No byte of it is 0.
#[must_use]
pub fn greeting() -> Vec<u8> {
    [
        &mark(WELCOME)[..],
        &[IAC, WONT, LINE_MODE, IAC, DONT, LINE_MODE],
        &[IAC, WILL, SUPPRESS_GO_AHEAD, IAC, DO, SUPPRESS_GO_AHEAD],
        &[IAC, WILL, ECHO, IAC, DONT, ECHO],
        &[IAC, DO, TERMINAL_TYPE, IAC, SB, TERMINAL_TYPE, SEND, IAC, SE],
        &[IAC, DO, WINDOW_SIZE, IAC, SB, WINDOW_SIZE, SEND, IAC, SE],
    ]
    .concat()
}

/// What an engine says, and nothing else, when it takes nobody in.
#[must_use]
pub(super) fn refusal(why: &str) -> Vec<u8> {
    [&mark(REFUSED)[..], why.as_bytes(), b"\r\n"].concat()
}

fn mark(kind: u8) -> [u8; 6] {
    let [iac, sb, option] = MARK;
    [iac, sb, option, kind, IAC, SE]
}

/// What a client says whose user sees lines, and no prompt.
#[must_use]
pub(super) fn terminal_type(name: &str) -> Vec<u8> {
    [&[IAC, SB, TERMINAL_TYPE, IS], name.as_bytes(), &[IAC, SE]].concat()
}

/// Something that the other end said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A byte of text.
    Byte(u8),
    /// The type of the terminal.
    Terminal(String),
    /// The size of the terminal.
    Window {
        /// Characters of a line.
        columns: u16,
        /// Lines.
        rows: u16,
    },
    /// Which type is the terminal?
    WhichTerminal,
    /// Is anybody there?
    AreYouThere,
    /// An engine takes nobody in.
    Refused,
}

/// Takes commands out of text, however it is cut.
#[derive(Debug, Default)]
pub struct Telnet {
    state: State,
    /// The option and its parameters so far.
    option: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// Behind IAC.
    Command,
    /// Before the option that is negotiated.
    Negotiation,
    /// In the parameters of an option.
    Option,
    /// Behind IAC in them.
    OptionCommand,
}

impl Telnet {
    /// Takes the next byte. What is negotiated needs no answer here: who asks for what is known.
    pub fn take(&mut self, byte: u8) -> Option<Said> {
        let (next, said) = match (self.state, byte) {
            (State::Text, IAC) => (State::Command, None),
            (State::Text, byte) => (State::Text, Some(Said::Byte(byte))),
            (State::Command, DONT | DO | WONT | WILL) => (State::Negotiation, None),
            (State::Command, SB) => {
                self.option.clear();
                (State::Option, None)
            }
            (State::Command, AYT) => (State::Text, Some(Said::AreYouThere)),
            (State::Command | State::Negotiation, _) => (State::Text, None),
            (State::Option, IAC) => (State::OptionCommand, None),
            (State::OptionCommand, SE) => (State::Text, option(&self.option)),
            // IAC twice is one byte of 255.
            (State::Option | State::OptionCommand, byte) => {
                if self.option.len() < LONGEST_OPTION {
                    self.option.push(byte);
                }
                (State::Option, None)
            }
        };
        self.state = next;
        said
    }
}

fn option(bytes: &[u8]) -> Option<Said> {
    match bytes {
        [TERMINAL_TYPE, IS, name @ ..] => {
            Some(Said::Terminal(String::from_utf8_lossy(name).into_owned()))
        }
        [TERMINAL_TYPE, SEND] => Some(Said::WhichTerminal),
        &[WINDOW_SIZE, a, b, c, d] => Some(Said::Window {
            columns: u16::from_be_bytes([a, b]),
            rows: u16::from_be_bytes([c, d]),
        }),
        [PELOTON, REFUSED] => Some(Said::Refused),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &[u8]) -> (Vec<u8>, Vec<Said>) {
        let mut telnet = Telnet::default();
        let (mut text, mut others) = (Vec::new(), Vec::new());
        for said in bytes.iter().filter_map(|&byte| telnet.take(byte)) {
            match said {
                Said::Byte(byte) => text.push(byte),
                other => others.push(other),
            }
        }
        (text, others)
    }

    #[test]
    fn commands_are_taken_out_of_text() {
        let vppctl = b"a\xff\xfb\x18b\xff\xfa\x18\x00vppctl\xff\xf0c\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0\xff\xf6d\xff\xff";
        let window = Said::Window { columns: 80, rows: 24 };
        let expected = [Said::Terminal("vppctl".into()), window, Said::AreYouThere];
        assert_eq!(said(vppctl), (b"abcd".to_vec(), expected.to_vec()));
        // A column count of 255 is escaped.
        let wide = b"\xff\xfa\x1f\x00\xff\xff\x00\x18\xff\xf0";
        assert_eq!(said(wide).1, [Said::Window { columns: 255, rows: 24 }]);
        let endless = [&b"\xff\xfa\x18\x00"[..], &[b'x'; 1000], b"\xff\xf0y"].concat();
        let (text, others) = said(&endless);
        assert_eq!((text, others), (b"y".to_vec(), vec![Said::Terminal("x".repeat(62))]));
    }

    #[test]
    fn the_greeting_is_vpps_behind_a_mark() {
        // VPP's, as vppctl is told it: no line mode, no go-ahead, echo, and two questions.
        let vpp = b"\xff\xfc\x22\xff\xfe\x22\xff\xfb\x03\xff\xfd\x03\xff\xfb\x01\xff\xfe\x01\
                    \xff\xfd\x18\xff\xfa\x18\x01\xff\xf0\xff\xfd\x1f\xff\xfa\x1f\x01\xff\xf0";
        let greeting = greeting();
        assert!(greeting.starts_with(&MARK) && greeting.ends_with(vpp));
        assert!(!greeting.contains(&0) && greeting.len() < 100, "vppctl reads 100 bytes at a time");
        assert_eq!(said(&greeting), (Vec::new(), vec![Said::WhichTerminal]));
        assert_eq!(said(&refusal("full")), (b"full\r\n".to_vec(), vec![Said::Refused]));
    }
}
