//! `api trace`, and what is said of clients, over the socket of a running program's engine.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use binary_api::Server;
use vnet::{
    api::{memclnt::*, to_bytes},
    plugin::Engine,
};

/// A client at the other end of a connection.
struct Wire<'a> {
    engine: &'a Engine,
    stream: UnixStream,
}

impl<'a> Wire<'a> {
    fn new(engine: &'a Engine) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        [&ours, &theirs].iter().for_each(|stream| stream.set_nonblocking(true).unwrap());
        let server: Server = engine.provided().unwrap();
        assert!(server.serve(&engine.cx(), theirs));
        Self { engine, stream: ours }
    }

    /// Sends octets as they are, and returns what comes back; none when it was hung up.
    fn send(&mut self, octets: &[u8]) -> Option<Vec<u8>> {
        self.stream.write_all(octets).unwrap();
        let mut heard = Vec::new();
        // Descriptors are looked at every 128 rounds.
        for _ in 0..400 {
            self.engine.poll();
            let mut chunk = [0; 65536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(length) => heard.extend_from_slice(&chunk[..length]),
                Err(_) => {}
            }
        }
        Some(heard)
    }

    fn message(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let mut octets = vec![0; 8];
        octets.extend((message.len() as u32).to_be_bytes());
        octets.extend([0; 4]);
        octets.extend(message);
        self.send(&octets)
    }

    fn hello(&mut self) {
        let message =
            [&[0, 15][..], &to_bytes(&sockclnt_create { context: 7, name: "me".into() })].concat();
        let reply = self.message(&message).unwrap();
        // Its own number, client_index, and the context of the request.
        assert_eq!((&reply[16..18], &reply[22..26]), (&[0, 16][..], &[0, 0, 0, 7][..]));
    }
}

fn ping(engine: &Engine, context: u32) -> Vec<u8> {
    let number = engine.with(|main| main.api().number("control_ping")).unwrap();
    [&number.to_be_bytes()[..], &[0; 4], &context.to_be_bytes()].concat()
}

fn statistics(engine: &Engine, name: &str) -> u64 {
    let text = engine.command("show api statistics json").unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json[name].as_u64().unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[test]
fn messages_that_were_recorded_are_saved_in_vpps_form() {
    let engine = super::engine();
    let mut wire = Wire::new(&engine);
    wire.hello();
    engine.command("api trace on").unwrap();
    engine.command("api trace tx on nitems 1").unwrap();
    let message = ping(&engine, 0x0102_0304);
    wire.message(&message).unwrap();
    wire.message(&message).unwrap();
    let name = format!("peloton-trace-{}", std::process::id());
    let path = std::path::Path::new("/tmp").join(&name);
    let said = engine.command(&format!("api trace save {name}")).unwrap();
    assert_eq!(said, format!("API trace saved to {}\n", path.display()));
    let file = fs::read(&path).unwrap();
    let u32_at = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!((u32_at(0), file[8]), (2, 0));
    let table = &file[9..9 + u32_at(4)];
    let messages = engine.with(|main| main.api().messages().count());
    assert_eq!(u32::from_be_bytes(table[..4].try_into().unwrap()) as usize, messages);
    // Number 1 and a name of 23 octets, as VPP serializes them.
    assert_eq!(&table[4..29], b"\x03\x2fmemclnt_create_9c5e1c2f");
    let recorded = &file[9 + u32_at(4)..];
    let one = [&[0, 0, 0, 10][..], &message].concat();
    assert_eq!(recorded, [&one[..], &one].concat());
    let status = engine.command("show api trace-status").unwrap();
    assert!(status.contains("TX Trace enabled\n  1 messages, 1 older ones gave way"), "{status}");
    // A link that somebody left in a shared folder leads nowhere.
    fs::remove_file(&path).unwrap();
    let precious = path.with_extension("precious");
    fs::write(&precious, "precious").unwrap();
    std::os::unix::fs::symlink(&precious, &path).unwrap();
    let _ = engine.command(&format!("api trace save {name}"));
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    [path, precious].iter().for_each(|path| fs::remove_file(path).unwrap());
}

#[test]
fn what_is_no_message_ends_the_connection_and_nothing_else() {
    let engine = super::engine();
    let mut other = Wire::new(&engine);
    other.hello();
    for garbage in [&[0xff; 64][..], b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        assert_eq!(Wire::new(&engine).send(garbage), None);
    }
    // A message before hello.
    assert_eq!(Wire::new(&engine).message(&ping(&engine, 1)), None);
    assert_eq!(statistics(&engine, "clients_hung_up__no_messages"), 3);
    assert_eq!(statistics(&engine, "messages_before_sockclnt_create"), 1);
    // A number that no message has, and a message that is cut, are told in the log, and the client goes on.
    assert_eq!(other.message(&[0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1]).unwrap(), b"");
    assert_eq!(other.message(&ping(&engine, 1)[..6]).unwrap(), b"");
    assert_eq!(statistics(&engine, "messages_of_unknown_number"), 1);
    assert_eq!(statistics(&engine, "malformed_messages"), 1);
    assert!(!other.message(&ping(&engine, 2)).unwrap().is_empty());
    let log = engine.command("show logging").unwrap();
    assert!(
        log.contains("`me' sends a malformed control_ping: field `client_index and context'"),
        "{log}"
    );
}

#[test]
fn a_client_that_goes_in_the_middle_of_a_message_is_forgotten() {
    let engine = super::engine();
    let mut wire = Wire::new(&engine);
    wire.hello();
    assert!(engine.command("show api clients").unwrap().contains("me"));
    assert_eq!(wire.send(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap(), b"");
    drop(wire);
    Wire::new(&engine).hello();
    assert_eq!(engine.command("show api clients").unwrap().matches(" me ").count(), 1);
}

#[test]
fn goodbye_is_answered_before_the_connection_ends() {
    let engine = super::engine();
    let mut wire = Wire::new(&engine);
    wire.hello();
    let message =
        [&[0, 17][..], &to_bytes(&sockclnt_delete { client_index: 1, context: 9, index: 1 })]
            .concat();
    let mut octets = vec![0; 8];
    octets.extend((message.len() as u32).to_be_bytes());
    octets.extend([0; 4]);
    octets.extend(&message);
    wire.stream.write_all(&octets).unwrap();
    for _ in 0..400 {
        engine.poll();
    }
    wire.stream.set_nonblocking(false).unwrap();
    let mut heard = Vec::new();
    wire.stream.read_to_end(&mut heard).unwrap();
    assert_eq!(&heard[16..], [0, 18, 0, 0, 0, 9, 0, 0, 0, 0]);
}
