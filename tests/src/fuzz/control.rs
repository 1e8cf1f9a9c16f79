//! The control socket: what a client may be sent, what an engine may be sent, and an engine that is sent it.

use std::{
    io::{ErrorKind, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
};

use peloton::control::{
    Answer, Frames, Request,
    message::{Done, MAX_ANSWER, MAX_REQUEST},
    server::Sessions,
    telnet::greeting,
};
use vnet::{command::Terminal, plugin::Engine, process::Interest};

use super::input::Input;

const PROMPT: &str = "fuzz# ";
/// Longer inputs might not find room in a socket at once.
const MOST: usize = 64 << 10;

/// The first byte chooses: the bytes as an engine gets them, or as a client does. However they are cut, they are the same
/// frames up to the same error; a frame is a message, which is written as it was read, or an error; and an engine answers
/// each request in order, refuses what is none, and lets the connection go.
pub fn control(data: &[u8]) {
    let mut input = Input::new(data);
    let (choice, step) = (input.byte(), usize::from(input.byte()) + 1);
    let bytes = input.rest();
    if choice & 1 == 0 {
        let (frames, _) = divided(bytes, MAX_ANSWER, step);
        for (kind, payload) in frames {
            if let Ok(answer) = Answer::parse(kind, payload) {
                let (kind, payload) = only(&answer.to_bytes(), MAX_ANSWER);
                assert_eq!(Answer::parse(kind, payload).as_ref(), Ok(&answer));
            }
        }
        return;
    }
    let (frames, mut is_sound) = divided(bytes, MAX_REQUEST, step);
    let mut requests = Vec::new();
    for (kind, payload) in frames {
        let Ok(request) = Request::parse(kind, payload) else {
            is_sound = false;
            break;
        };
        let (kind, payload) = only(&request.to_bytes(), MAX_REQUEST);
        assert_eq!(Request::parse(kind, payload).as_ref(), Ok(&request));
        requests.push(request);
    }
    let is_user = bytes.first().is_some_and(|&byte| byte != 0);
    if bytes.len() <= MOST
        && (is_user && types_harmless(bytes) || !is_user && requests.iter().all(is_harmless))
    {
        LAB.with(|lab| converse(lab, bytes, &requests, is_sound));
    }
}

/// The frames in `bytes`, and whether all of it is sound so far; the same for any division.
fn divided(bytes: &[u8], limit: usize, step: usize) -> (Vec<(u8, Vec<u8>)>, bool) {
    let whole = unframed(bytes, limit, bytes.len().max(1));
    assert_eq!(whole, unframed(bytes, limit, step), "frames depend on how their bytes are cut");
    whole
}

fn unframed(bytes: &[u8], limit: usize, step: usize) -> (Vec<(u8, Vec<u8>)>, bool) {
    let (mut frames, mut found) = (Frames::new(limit), Vec::new());
    for piece in bytes.chunks(step) {
        frames.push(piece);
        loop {
            match frames.take() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(_) => return (found, false),
            }
        }
    }
    (found, true)
}

fn only(bytes: &[u8], limit: usize) -> (u8, Vec<u8>) {
    let (mut frames, is_sound) = unframed(bytes, limit, bytes.len());
    assert!(is_sound && frames.len() == 1);
    frames.remove(0)
}

/// What neither leaves something behind in the engine nor waits.
fn is_harmless(request: &Request) -> bool {
    match request {
        Request::Execute(line) => {
            let words: Vec<_> = line.trim_ascii().split(u8::is_ascii_whitespace).take(2).collect();
            matches!(
                words.as_slice(),
                [b"show", b"version" | b"clock" | b"errors"] | [b"echo", ..] | [b"quit"]
            )
        }
        _ => true,
    }
}

/// Whether none of the lines that a user may have typed, whatever keys edit them, leaves something behind or waits: letters
/// of no other commands, and those of the ends of sessions.
fn types_harmless(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| !byte.is_ascii_alphabetic() || b"showversinqut".contains(byte))
}

/// Sends everything, then nothing more, and holds the answers against the requests.
fn converse(lab: &Engine, bytes: &[u8], requests: &[Request], is_sound: bool) {
    let (server, mut client) = UnixStream::pair().expect("there are descriptors left");
    for end in [&server, &client] {
        end.set_nonblocking(true).expect("a socket can be non-blocking");
    }
    client.write_all(bytes).expect("the socket has room for it");
    client.shutdown(Shutdown::Write).expect("the socket is open");
    let (cx, sessions) = (lab.cx(), Sessions::new(lab.session(Terminal::PLAIN), PROMPT));
    cx.executor().spawn(sessions.serve(server));
    let received = lab.run_until(async move {
        let (mut received, mut chunk) = (Vec::new(), vec![0; 1 << 16]);
        loop {
            match client.read(&mut chunk) {
                Ok(0) => return received,
                Ok(length) => received.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    cx.ready(&client, Interest::Readable).await;
                }
                // What was sent behind the end of the session was not read.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return received,
                Err(error) => panic!("{error}"),
            }
        }
    });
    let received = received.expect("the clock runs");
    let rest = received.strip_prefix(&greeting()[..]).expect("a greeting comes first");
    match bytes.first() {
        // A client that speaks no frames is a user's, whose bytes are keys or lines.
        Some(1..) => return,
        None => return assert_eq!(rest, b""),
        Some(0) => {}
    }
    let (frames, is_whole) = unframed(rest, MAX_ANSWER, 1 << 16);
    assert!(is_whole);
    let parse = |(kind, payload)| Answer::parse(kind, payload).expect("an engine sends messages");
    check_answers(&mut frames.into_iter().map(parse), requests, is_sound);
}

/// A greeting, the answers to each request in order, the reason why the session ended early, and nothing else.
fn check_answers(answers: &mut dyn Iterator<Item = Answer>, requests: &[Request], is_sound: bool) {
    let hello = answers.next();
    assert!(matches!(&hello, Some(Answer::Hello { prompt, .. }) if prompt == PROMPT), "{hello:?}");
    for request in requests {
        let quits = match request {
            Request::Execute(_) => done(answers).quit,
            Request::Help(_) => !done(answers).ok,
            Request::Complete(_) => {
                let completions = answers.next();
                assert!(matches!(completions, Some(Answer::Completions(_))), "{completions:?}");
                false
            }
            Request::Begin | Request::Terminal(_) | Request::Interrupt => false,
        };
        if quits {
            return assert_eq!(answers.next(), None);
        }
    }
    if !is_sound {
        let refused = answers.next();
        assert!(matches!(refused, Some(Answer::Refused(_))), "{refused:?}");
    }
    assert_eq!(answers.next(), None);
}

/// What a command or a question prints, up to its end: output, then complaints.
fn done(answers: &mut dyn Iterator<Item = Answer>) -> Done {
    let mut has_complained = false;
    for answer in answers {
        match answer {
            Answer::Output(_) => assert!(!has_complained, "output behind a complaint"),
            Answer::Complaint(_) => has_complained = true,
            Answer::Done(done) => {
                assert!(!(done.ok && has_complained), "a complaint about success");
                return done;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("a request without an end of its answer")
}

thread_local! {
    static LAB: Engine = Engine::builder()
        .buffers(64)
        .plugin(nodes::plugin())
        .build()
        .expect("the plugins fit together");
}
