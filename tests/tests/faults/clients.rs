//! Clients of the control socket that hang, lie or flood: packets pass as if nobody were there, and memory is bounded.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use peloton::control::{Answer, Frames, Request, telnet::greeting};
use peloton_tests::{net::Net, program::wait_for};

use crate::books::Books;

/// Sessions that may be open at once.
const SESSIONS: usize = 64;
/// The longest request.
const LONGEST: usize = 4 << 20;

/// A connection, whatever the engine says first.
fn connect(net: &Net) -> UnixStream {
    let stream = UnixStream::connect(net.path("cli.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// A client behind the greeting of the engine.
fn client(net: &Net) -> UnixStream {
    let mut stream = connect(net);
    let mut greeting = greeting();
    stream.read_exact(&mut greeting).unwrap();
    stream
}

fn command(line: &str) -> Vec<u8> {
    Request::Execute(line.as_bytes().to_vec()).to_bytes()
}

/// Sends `bytes` until the other end takes no more for half a second; how many it took.
fn stuff(stream: &mut UnixStream, bytes: &[u8]) -> usize {
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(n) => sent += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            Err(error) => panic!("{error}"),
        }
    }
    sent
}

/// All that the engine says until it hangs up.
fn rest(mut stream: &UnixStream) -> String {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&said)),
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Memory of the engine, in bytes.
fn memory(net: &mut Net) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", net.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

fn router(test: &str) -> Option<Net> {
    let mut net = Net::new(test, &[])?;
    net.start("", "");
    Some(net)
}

/// Every ping of a flood is answered, and on average soon.
fn forwards(net: &Net) {
    let books = Books::open(net);
    let report = net.text("a", "ping -q -f -c 1000 -w 100 10.2.0.2");
    assert!(report.contains(" 1000 received"), "{report}");
    let times = report.split("mdev = ").nth(1).and_then(|rest| rest.split('/').nth(1));
    let average: f64 = times.unwrap_or_else(|| panic!("{report}")).parse().unwrap();
    assert!(average < 100.0, "{report}");
    books.close(net, &["a", "b"]);
}

#[test]
fn clients_that_ask_and_never_read_hold_up_nobody_and_no_memory() {
    let Some(mut net) = router("clients that never read") else { return };
    net.ctl("show runtime");
    let before = memory(&mut net);
    let asking = command("show runtime verbose").repeat(20_000);
    let mut clients: Vec<_> = (0..20).map(|_| client(&net)).collect();
    thread::scope(|scope| {
        for stream in &mut clients {
            let asking = &asking;
            scope.spawn(move || assert!(stuff(stream, asking) < asking.len()));
        }
    });
    forwards(&net);
    let grown = memory(&mut net).saturating_sub(before);
    assert!(grown < 32 << 20, "{grown}");
    drop(clients);
    net.ctl("show version");
}

#[test]
fn requests_that_wait_for_a_command_are_bounded_in_octets() {
    let Some(mut net) = router("clients that pile up requests") else { return };
    let before = memory(&mut net);
    let long = command(&"x".repeat(LONGEST - 1));
    let mut clients: Vec<_> = (0..8).map(|_| client(&net)).collect();
    for stream in &mut clients {
        stream.write_all(&command("wait 1000")).unwrap();
    }
    thread::scope(|scope| {
        for stream in &mut clients {
            let long = &long;
            scope.spawn(move || while stuff(stream, long) == long.len() {});
        }
    });
    let grown = memory(&mut net).saturating_sub(before);
    assert!(grown < 8 * 5 * LONGEST, "{grown}");
    forwards(&net);
    for stream in &clients {
        let said = rest(stream);
        assert!(said.contains("more than 4 MiB of requests at once"), "{said}");
    }
}

#[test]
fn lines_without_end_are_refused_where_they_are_too_long() {
    let Some(mut net) = router("clients with endless lines") else { return };
    let before = memory(&mut net);
    // Lengths that are lies.
    for length in [LONGEST as u32 + 2, 0x00ff_ffff] {
        let mut stream = client(&net);
        stream.write_all(&length.to_be_bytes()).unwrap();
        stuff(&mut stream, &[b'x'; 100_000]);
        let said = rest(&stream);
        assert!(said.contains("allowed are 4194305"), "{said}");
    }
    // Lines that never come to their end.
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = client(&net);
            let whole = command(&"x".repeat(LONGEST - 1));
            let (all_but_one, _) = whole.split_at(whole.len() - 1);
            assert_eq!(stuff(&mut stream, all_but_one), all_but_one.len());
            stream
        })
        .collect();
    forwards(&net);
    let grown = memory(&mut net).saturating_sub(before);
    assert!(grown < 8 * 3 * LONGEST, "{grown}");
    drop(clients);
    net.ctl("show version");
}

#[test]
fn of_a_thousand_connections_those_beyond_the_bound_are_told_and_the_others_work() {
    let Some(net) = router("a thousand connections") else { return };
    let clients: Vec<_> = (0..1000).map(|_| connect(&net)).collect();
    let why = format!("there are {SESSIONS} sessions already");
    let refused = clients[SESSIONS..].iter().filter(|stream| rest(stream).contains(&why)).count();
    assert_eq!(refused, 1000 - SESSIONS);
    assert!(net.refused("show version").contains(&why));
    forwards_without_asking(&net);
    // Who is in can work, and half of a connection is none.
    let mut first = &clients[0];
    first.write_all(&command("show version")).unwrap();
    let mut said = [0; 4096];
    let length = first.read(&mut said).unwrap();
    assert!(length > 0);
    for stream in &clients {
        let _: std::io::Result<()> = stream.shutdown(std::net::Shutdown::Write);
    }
    wait_for("room", || net.try_ctl("show version").is_some());
    drop(clients);
    forwards(&net);
}

/// As [`forwards`], while nobody else gets into the engine.
fn forwards_without_asking(net: &Net) {
    assert_eq!(net.ping("-f 10.2.0.2", 2000), 2000);
}

/// Asks as much as one may at once, again and again, until `done`; how much was answered.
fn flood(mut stream: &UnixStream, done: &AtomicBool) -> usize {
    const AT_ONCE: usize = 60;
    let lines = command("show interface").repeat(AT_ONCE);
    let (mut frames, mut said, mut answered) = (Frames::new(LONGEST), vec![0; 1 << 16], 0);
    while !done.load(Ordering::Relaxed) {
        stream.write_all(&lines).unwrap();
        let expected = answered + AT_ONCE;
        while answered < expected {
            let length = stream.read(&mut said).unwrap();
            assert!(length > 0, "hung up after {answered} answers");
            frames.push(&said[..length]);
            while let Some((kind, payload)) = frames.take().unwrap() {
                let is_last = matches!(Answer::parse(kind, payload), Ok(Answer::Done(_)));
                answered += usize::from(is_last);
            }
        }
    }
    answered
}

/// Ends floods, also when something else has failed.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn commands_without_end_take_turns_with_packets() {
    let Some(net) = router("clients that flood") else { return };
    let done = AtomicBool::new(false);
    let clients: Vec<_> = (0..4).map(|_| client(&net)).collect();
    let answered: Vec<usize> = thread::scope(|scope| {
        let stop = Stop(&done);
        let floods: Vec<_> =
            clients.iter().map(|stream| scope.spawn(|| flood(stream, &done))).collect();
        forwards(&net);
        drop(stop);
        floods.into_iter().map(|flood| flood.join().unwrap()).collect()
    });
    assert!(answered.iter().all(|n| *n > 100), "{answered:?}");
}

#[test]
fn who_asks_for_too_much_at_once_is_hung_up() {
    let Some(net) = router("clients that ask for too much") else { return };
    let mut stream = client(&net);
    stuff(&mut stream, &command("wait 1000").repeat(1000));
    let said = rest(&stream);
    assert!(said.contains("more than 64 requests at once"), "{said}");
    forwards(&net);
}
