//! The control socket and `peloton ctl`.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    thread,
    time::{Duration, Instant},
};

use crate::common::{Daemon, FORWARD, Folder, PATIENCE, kill, peloton, run, told};

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32 + 1).to_be_bytes()[..], &[kind], payload].concat()
}

/// The next frame's kind and payload, `None` when the engine hung up.
fn answer(stream: &mut UnixStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
    let mut payload = vec![0; length as usize - 1];
    stream.read_exact(&mut payload).ok()?;
    Some((head[4], payload))
}

fn session(daemon: &Daemon) -> UnixStream {
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut greeting = [0; 42];
    stream.read_exact(&mut greeting).unwrap();
    assert!(greeting.starts_with(b"\xff\xfa\xc8w\xff\xf0\xff\xfc\x22"), "{greeting:?}");
    stream.write_all(&frame(6, b"")).unwrap();
    assert_eq!(answer(&mut stream), Some((0x81, b"\x01peloton# ".to_vec())));
    stream
}

/// Runs a command over the bare protocol; its output, its complaint, and whether it succeeded.
fn execute(stream: &mut UnixStream, line: &[u8]) -> (String, String, bool) {
    stream.write_all(&frame(1, line)).unwrap();
    let mut text = [Vec::new(), Vec::new()];
    loop {
        match answer(stream).expect("an answer") {
            (0x82, piece) => text[0].extend(piece),
            (0x83, piece) => text[1].extend(piece),
            (0x84, done) => {
                let [out, err] = text.map(|bytes| String::from_utf8(bytes).unwrap());
                return (out, err, done[0] & 1 == 1);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_socket_is_its_owners_alone_and_goes_with_the_engine() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    let mode = fs::metadata(&daemon.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(daemon.ctl("echo hello"), ("hello\n".into(), String::new(), Some(0)));
    let (out, err, status) = daemon.ctl("set interface nonsense");
    assert_eq!((out.as_str(), status), ("", Some(1)));
    assert!(err.contains("unknown input"), "{err}");
    let socket = daemon.socket.clone();
    assert_eq!(daemon.end("TERM"), (String::new(), String::new(), Some(0)));
    assert!(!socket.exists());
    let (_, err, status) = told(&run(&["ctl", "-s", socket.to_str().unwrap(), "echo"], b""));
    assert!(err.starts_with(&format!("peloton: {}: No such file", socket.display())), "{err}");
    assert_eq!(status, Some(1));
}

#[test]
fn a_stale_socket_gives_way_but_not_a_live_one_nor_a_file() {
    let folder = Folder::new();
    let path = folder.path("cli.sock");
    drop(UnixListener::bind(&path).unwrap());
    let daemon = Daemon::start(&path, "");
    let unix = format!("unix {{ nodaemon cli-listen {} }}", path.display());
    let (_, err, status) = told(&run(&[&unix], b""));
    let expected =
        format!("peloton: control socket {}: another engine listens there\n", path.display());
    assert_eq!((err, status), (expected, Some(1)));
    assert_eq!(daemon.ctl("echo alive").0, "alive\n");
    let file = folder.file("file", "precious");
    let (_, err, status) = told(&run(&[&format!("unix {{ nodaemon cli-listen {file} }}")], b""));
    assert!(err.ends_with("there is a file that is no socket\n"), "{err}");
    assert_eq!((status, fs::read_to_string(&file).unwrap()), (Some(1), "precious".to_owned()));
}

#[test]
fn clients_have_sessions_of_their_own() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    let (mut first, mut second) = (session(&daemon), session(&daemon));
    assert!(execute(&mut first, b"set terminal pager on").2);
    assert!(execute(&mut first, b"show terminal").0.contains("pager     on"));
    assert!(execute(&mut second, b"show terminal").0.contains("pager     off"));
    // One that waits keeps nobody waiting.
    first.write_all(&frame(1, b"wait 1000")).unwrap();
    assert_eq!(execute(&mut second, b"echo meanwhile").0, "meanwhile\n");
    first.write_all(&frame(5, b"")).unwrap();
    assert_eq!(answer(&mut first), Some((0x83, b"interrupted\n".to_vec())));
    assert_eq!(answer(&mut first).unwrap().0, 0x84);
    assert_eq!(execute(&mut first, b"echo again").0, "again\n");
    assert!(execute(&mut first, b"quit").2);
    assert_eq!(answer(&mut first), None, "the engine hangs up after quit");
}

#[test]
fn completion_and_help_come_over_the_socket() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    let mut stream = session(&daemon);
    stream.write_all(&frame(2, b"show ver")).unwrap();
    let (kind, json) = answer(&mut stream).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(
        (kind, &json["start"], &json["candidates"][0][0]),
        (0x85, &5.into(), &"version".into())
    );
    stream.write_all(&frame(3, b"show ver")).unwrap();
    let (kind, text) = answer(&mut stream).unwrap();
    assert_eq!(kind, 0x82);
    assert!(String::from_utf8_lossy(&text).contains("version"), "{text:?}");
}

#[test]
fn garbage_ends_its_own_session_and_no_other() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    let mut good = session(&daemon);
    let cases: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\n\r\n", "a frame of 1195725856 bytes, allowed are 4194305"),
        (&[0, 0, 0, 0], "a frame without a kind"),
        (&[0, 0, 0, 1, 99], "a message of unknown kind 99"),
        (&[0, 0, 0, 1, 4], "a malformed message of kind 4"),
        (&[0, 0, 0, 2, 2, 0xff], "a malformed message of kind 2"),
    ];
    for (bytes, why) in cases {
        let mut bad = session(&daemon);
        bad.write_all(bytes).unwrap();
        assert_eq!(answer(&mut bad), Some((0x86, why.as_bytes().to_vec())));
        assert_eq!(answer(&mut bad), None, "the engine hangs up");
        assert!(execute(&mut good, b"echo fine").2);
    }
    // Frames in pieces, one after the other in one write, and a client that leaves in the middle of one.
    let mut slow = session(&daemon);
    for byte in frame(1, b"echo slowly") {
        slow.write_all(&[byte]).unwrap();
    }
    assert_eq!(answer(&mut slow), Some((0x82, b"slowly\n".to_vec())));
    assert_eq!(answer(&mut slow).unwrap().0, 0x84);
    slow.write_all(&[frame(1, b"echo 1"), frame(1, b"echo 2")].concat()).unwrap();
    assert_eq!(answer(&mut slow), Some((0x82, b"1\n".to_vec())));
    assert_eq!(answer(&mut slow).unwrap().0, 0x84);
    assert_eq!(answer(&mut slow), Some((0x82, b"2\n".to_vec())));
    slow.write_all(&frame(1, b"echo never")[..7]).unwrap();
    drop(slow);
    let mut gone = session(&daemon);
    gone.write_all(&frame(1, b"wait 1000")).unwrap();
    drop(gone);
    assert!(execute(&mut good, b"echo fine").2);
}

#[test]
fn a_line_of_a_megabyte_is_answered_and_one_that_is_too_long_is_refused() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    let mut stream = session(&daemon);
    let line = [b"echo ".to_vec(), vec![b'x'; 1 << 20]].concat();
    let (out, err, ok) = execute(&mut stream, &line);
    assert!(ok && out.len() == (1 << 20) + 1, "{err}");
    let nonsense = vec![b'y'; 1 << 20];
    let (_, err, ok) = execute(&mut stream, &nonsense);
    assert!(!ok && err.starts_with("unknown input `yyy") && err.len() < 200, "{err}");
    stream.write_all(&(5_u32 << 20).to_be_bytes()).unwrap();
    assert_eq!(answer(&mut stream).unwrap().0, 0x86);
}

#[test]
fn a_client_that_does_not_read_keeps_nobody_waiting() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    let mut deaf = session(&daemon);
    let line = [b"echo ".to_vec(), vec![b'x'; 2 << 20]].concat();
    deaf.write_all(&frame(1, &line)).unwrap();
    let mut good = session(&daemon);
    for _ in 0..3 {
        assert_eq!(execute(&mut good, b"echo fine").0, "fine\n");
    }
    // It gets all of it when it reads at last.
    let mut length = 0;
    while let Some((0x82, piece)) = answer(&mut deaf) {
        length += piece.len();
    }
    assert_eq!(length, (2 << 20) + 1);
}

#[test]
fn sessions_are_limited_and_come_free_again() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    let sessions: Vec<_> = (0..64).map(|_| session(&daemon)).collect();
    let mut refused = UnixStream::connect(&daemon.socket).unwrap();
    let mut said = Vec::new();
    refused.read_to_end(&mut said).unwrap();
    let why = b"there are 64 sessions already";
    assert!(said.starts_with(&[b"\xff\xfa\xc8r\xff\xf0", &why[..]].concat()), "{said:?}");
    let (_, err, status) = daemon.ctl("echo refused");
    assert!(err.contains("there are 64 sessions already"), "{err}");
    assert_eq!(status, Some(1));
    drop(sessions);
    let start = Instant::now();
    while daemon.ctl("echo free").2 != Some(0) {
        assert!(start.elapsed() < PATIENCE);
    }
}

#[test]
fn the_socket_is_served_while_packets_flow_at_full_speed() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    let mut stream = session(&daemon);
    let (_, err, ok) = execute(&mut stream, FORWARD.replace("LIMIT", "0").as_bytes());
    assert!(ok, "{err}");
    assert!(execute(&mut stream, b"packet-generator enable-stream s").2);
    for _ in 0..20 {
        let start = Instant::now();
        assert_eq!(execute(&mut stream, b"echo fine").0, "fine\n");
        assert!(start.elapsed() < Duration::from_secs(1));
    }
    let (out, _, _) = execute(&mut stream, b"show packet-generator");
    assert!(out.contains(" Yes "), "packets flow: {out}");
}

#[test]
fn ctl_takes_lines_from_a_pipe_and_a_signal_ends_a_command_that_waits() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    let socket = daemon.socket.to_str().unwrap();
    let (out, err, status) = told(&run(&["ctl", "-s", socket], b"echo a\nnonsense\necho b\n"));
    assert_eq!((out.as_str(), status), ("a\nb\n", Some(1)));
    assert!(err.starts_with("unknown input `nonsense'"), "{err}");
    let mut child = peloton(&["ctl", "-s", socket, "wait", "1000"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(300));
    kill(child.id(), "INT");
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(130), "interrupted\n"));
    assert_eq!(daemon.end("INT").2, Some(0));
}

#[test]
fn an_engine_that_goes_away_is_noticed() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder.path("cli.sock"), "");
    let mut stream = session(&daemon);
    stream.write_all(&frame(1, b"wait 1000")).unwrap();
    let (_, _, status) = daemon.end("TERM");
    assert_eq!(status, Some(0));
    let read: io::Result<usize> = stream.read(&mut [0; 16]);
    assert!(matches!(read, Ok(0)) || read.is_err());
}
