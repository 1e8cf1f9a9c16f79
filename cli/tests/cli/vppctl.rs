//! VPP's own client at our socket, byte for byte, and our client at a VPP.

use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    thread,
    time::Duration,
};

use crate::common::{Daemon, Folder, PATIENCE, run, told};

/// What VPP says first.
const NEGOTIATION: &[u8] =
    b"\xff\xfc\x22\xff\xfe\x22\xff\xfb\x03\xff\xfd\x03\xff\xfb\x01\xff\xfe\x01\
    \xff\xfd\x18\xff\xfa\x18\x01\xff\xf0\xff\xfd\x1f\xff\xfa\x1f\x01\xff\xf0";
const ASKS_TYPE: &[u8] = b"\xff\xfa\x18\x01\xff\xf0";

/// `vppctl`'s end of a connection, as far as the engine can tell.
struct Vppctl {
    stream: UnixStream,
    /// What came that is no Telnet command.
    text: Vec<u8>,
    acknowledged: usize,
}

impl Vppctl {
    /// Connects and tells the type of the terminal once it is asked for it.
    fn connect(daemon: &Daemon, terminal: &str) -> Self {
        let mut stream = UnixStream::connect(&daemon.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut greeting = Vec::new();
        while !greeting.windows(ASKS_TYPE.len()).any(|window| window == ASKS_TYPE) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            greeting.extend(byte);
        }
        stream
            .write_all(&[b"\xff\xfa\x18\x00", terminal.as_bytes(), b"\xff\xf0"].concat())
            .unwrap();
        Self { stream, text: Vec::new(), acknowledged: 1 }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Reads as the program does: a hundred bytes at a time, commands left out, zeros counted. `false` at the end.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 100];
        let length = self.stream.read(&mut bytes).unwrap();
        let mut i = 0;
        while i < length {
            match &bytes[i..length] {
                [0xff, 0xfa, ..] => {
                    i += 3;
                    while i < length && bytes[i] != 0xff {
                        i += 1;
                    }
                    i += 2;
                }
                [0xff, ..] => i += 3,
                [0, ..] => {
                    self.acknowledged += 1;
                    i += 1;
                }
                [byte, ..] => {
                    self.text.push(*byte);
                    i += 1;
                }
                [] => {}
            }
        }
        length > 0
    }

    /// The text up to and with `end`.
    fn until(&mut self, end: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.text).into_owned();
            if let Some(at) = text.find(end) {
                self.text.drain(..at + end.len());
                return text[..at + end.len()].to_owned();
            }
            assert!(self.read(), "the engine hung up behind {text:?}");
        }
    }
}

/// `vppctl -s SOCKET words...`
fn vppctl(daemon: &Daemon, command: &str) -> String {
    let mut client = Vppctl::connect(daemon, "vppctl");
    // With the zero at its end.
    client.send(&[command.as_bytes(), b" \n\0"].concat());
    let mut quits = false;
    while client.read() {
        if client.acknowledged > 1 && !quits {
            client.send(b"quit\n");
            quits = true;
        }
    }
    assert!(quits, "no zero behind the output");
    String::from_utf8(client.text).unwrap()
}

#[test]
fn vppctl_runs_a_command_and_leaves() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    assert_eq!(vppctl(&daemon, "echo hello"), "hello\r\n");
    assert!(vppctl(&daemon, "show version").starts_with("peloton v"));
    assert_eq!(vppctl(&daemon, "set terminal pager off"), "", "no output, and it does not hang");
    let error = vppctl(&daemon, "show nothing");
    assert!(
        error.starts_with("show: unknown input `nothing'") && error.ends_with("\r\n"),
        "{error}"
    );
    // Long output comes whole, and a command may have lines of its own.
    let long = vppctl(&daemon, "?");
    assert!(long.lines().count() > 24 && !long.contains("-- more --"), "{long}");
    assert_eq!(vppctl(&daemon, "comment {\n\n}\necho behind"), "behind\r\n");
}

#[test]
fn a_pipe_into_vppctl_runs_line_by_line_however_it_is_cut() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    let mut client = Vppctl::connect(&daemon, "vppctl");
    client.send(b"echo on");
    thread::sleep(Duration::from_millis(20));
    client.send(b"e\necho two\necho three");
    assert_eq!(client.until("three\r\n"), "one\r\ntwo\r\nthree\r\n");
    while client.acknowledged < 4 {
        assert!(client.read());
    }
    client.send(b"wait 0.05\necho later\n");
    assert_eq!(client.until("later\r\n"), "later\r\n");
    client.send(b"quit\n");
    while client.read() {}
    assert_eq!(client.text, b"");
}

#[test]
fn a_user_at_a_terminal_has_vpps_prompt_editing_help_and_a_pager() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    let mut client = Vppctl::connect(&daemon, "xterm-256color");
    assert!(client.until("vpp# ").contains("Type ? for help"));
    client.send(b"echo heLlo\x1b[D\x1b[D\x7fl\r");
    let answer = client.until("vpp# ");
    assert!(answer.ends_with("hello\r\nvpp# "), "{answer:?}");
    // The line before, and one key more.
    client.send(b"\x1b[A!\n");
    assert!(client.until("vpp# ").ends_with("\r\nhello!\r\nvpp# "));
    client.send(b"show versi\t");
    assert_eq!(client.until("version "), "show version ");
    client.send(b"\r\0");
    assert!(client.until("vpp# ").contains("peloton v"));
    client.send(b"show term?");
    let help = client.until("vpp# show term");
    assert!(help.starts_with("show term?\r\n") && help.contains("terminal"), "{help}");
    client.send(b"\x15");
    // A window of ten lines of a hundred characters, and more output than that.
    client.send(b"\xff\xfa\x1f\x00\x64\x00\x0a\xff\xf0show features\r");
    let page = client.until("-- more -- (1-");
    assert_eq!(page[page.find("show features\r\n").unwrap() + 15..].lines().count(), 10, "{page}");
    client.send(b" ");
    assert_eq!(client.until("-- more -- (1-").matches('\n').count(), 9);
    client.send(b"q");
    client.until("vpp# ");
    client.send(b"wait 1000\r");
    thread::sleep(Duration::from_millis(50));
    client.send(b"\x03");
    assert!(client.until("vpp# ").ends_with("interrupted\r\nvpp# "));
    client.send(b"set terminal pager off\rshow cli\r");
    client.until("vpp# ");
    assert!(!client.until("vpp# ").contains("-- more --"));
    client.send(b"quit\r");
    while client.read() {}
}

#[test]
fn who_negotiates_nothing_gets_a_prompt_after_a_second_and_frames_still_work() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "unix { cli-prompt router# nobanner }");
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = Vec::new();
    while !said.ends_with(b"router# ") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        said.extend(byte);
    }
    assert!(said.ends_with(&[NEGOTIATION, b"\rrouter# "].concat()), "{said:?}");
    // A slow client of frames: an empty one to begin with, then a command.
    stream.write_all(b"\0\0\0\x01\x06\0\0\0\x08\x01echo hi").unwrap();
    let mut frames = [0; 14 + 8];
    stream.read_exact(&mut frames).unwrap();
    assert_eq!(&frames, b"\0\0\0\x0a\x81\x01router# \0\0\0\x04\x82hi\n");
    // One that says what it wants at once.
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    stream.write_all(b"echo bare\nquit\n").unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    assert!(String::from_utf8_lossy(&said).contains("\r\nbare\r\n"), "{said:?}");
}

/// A VPP that answers each line with its text in upper case, for one client; what it was told.
fn vpp(listener: UnixListener) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Cut where nobody would cut it.
        for piece in NEGOTIATION.chunks(5) {
            stream.write_all(piece).unwrap();
            thread::sleep(Duration::from_millis(2));
        }
        let (mut told, mut answered, mut bytes) = (Vec::new(), 0, [0; 4096]);
        while let Ok(length @ 1..) = stream.read(&mut bytes) {
            told.extend_from_slice(&bytes[..length]);
            if answered == 0 {
                // It speaks when it knows the terminal, and not before.
                let Some(end) = told.windows(2).position(|end| end == b"\xff\xf0") else {
                    continue;
                };
                answered = end + 2;
            }
            while let Some(end) = told[answered..].iter().position(|&byte| byte == b'\n') {
                let line = told[answered..answered + end].to_ascii_uppercase();
                answered += end + 1;
                if line.ends_with(b"QUIT") {
                    return told;
                }
                stream.write_all(&[b"\xff\xf1", &line[..], b"\r\n\0"].concat()).unwrap();
            }
        }
        told
    })
}

#[test]
fn ctl_speaks_to_a_vpp_as_vppctl_does() {
    let folder = Folder::new();
    let path = folder.path("vpp.sock");
    let socket = path.to_str().unwrap();
    let server = vpp(UnixListener::bind(&path).unwrap());
    let (out, err, status) = told(&run(&["ctl", "-s", socket, "show", "int"], b""));
    let told_vpp = server.join().unwrap();
    assert_eq!(told_vpp, b"\xff\xfa\x18\x00vppctl\xff\xf0show int\n");
    assert_eq!((out.as_str(), err.as_str(), status), ("SHOW INT\n", "", Some(0)));
    std::fs::remove_file(&path).unwrap();
    let server = vpp(UnixListener::bind(&path).unwrap());
    let (out, _, status) = told(&run(&["ctl", "-s", socket], b"one\ntwo\nquit\nthree\n"));
    assert_eq!((out.as_str(), status), ("ONE\nTWO\n", Some(0)));
    assert!(server.join().unwrap().ends_with(b"\xf0one\ntwo\n"));
}

#[test]
fn ctl_says_what_it_found_where_it_found_neither() {
    let folder = Folder::new();
    let path = folder.path("web.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || listener.accept().unwrap().0.write_all(b"HTTP/1.1 400\r\n"));
    let (_, err, status) = told(&run(&["ctl", "-s", path.to_str().unwrap(), "echo"], b""));
    server.join().unwrap().unwrap();
    assert!(err.contains("neither an engine nor a VPP listens there"), "{err}");
    assert_eq!(status, Some(1));
}
