//! The binary API: messages of any octets, from a client that has said hello.

use std::{
    cell::RefCell,
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
};

use binary_api::Server;
use peloton::plugins::{Assembled, Choice};
use vnet::{
    api::{FRAME_HEADER, Header, Service, memclnt::sockclnt_create, to_bytes},
    plugin::Engine,
    runtime::{Clock, PacketTime},
};

/// Inputs after which the engine is a new one, so that what they make does not pile up.
const RUNS: usize = 64;
/// Messages of one input.
const MOST: usize = 64;
/// Modules and messages that reach the host: files, its interfaces, any command.
const OF_THE_HOST: [&str; 9] = [
    "af_packet",
    "af_xdp",
    "tap_",
    "cli_inband",
    "pcap",
    "pg_capture",
    "punt_socket",
    "exec",
    "trace_",
];

/// Each request is answered by its own reply, in order, whatever is in it; and a client that sends something else is heard or hung
/// up, and the engine goes on.
///
/// An odd first octet: the rest is what comes by the connection. An even one: messages, each of an octet that chooses it, one that
/// says how many octets follow, and these.
pub fn api(data: &[u8]) {
    let Some((&kind, rest)) = data.split_first() else { return };
    LAB.with_borrow_mut(|(lab, runs)| {
        *runs += 1;
        if *runs % RUNS == 0 {
            *lab = Lab::new();
        }
        if kind % 2 == 1 { lab.raw(rest) } else { lab.messages(rest) }
    });
}

thread_local! {
    static LAB: RefCell<(Lab, usize)> = RefCell::new((Lab::new(), 0));
}

struct Lab {
    engine: Engine,
    server: Server,
    requests: Vec<(u16, &'static Service)>,
}

impl Lab {
    fn new() -> Self {
        let clock = Clock::virtual_at(PacketTime(0));
        let builder = Engine::builder().clock(clock).buffers(256);
        let engine =
            Assembled::build(builder, &Choice::all()).expect("the plugins fit together").engine;
        let server: Server = engine.provided().expect("its plugin was registered");
        let table = engine.with(|main| main.api().clone());
        let reaches_host = |name: &str| OF_THE_HOST.iter().any(|word| name.contains(word));
        let requests = table.messages().filter_map(|(number, entry)| {
            let service =
                entry.service.filter(|service| service.request.header == Header::Request)?;
            (!reaches_host(service.request.name)).then_some((number, service))
        });
        let requests = requests.collect();
        Self { engine, server, requests }
    }

    fn connect(&self) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().expect("descriptors are left");
        [&ours, &theirs]
            .iter()
            .for_each(|stream| stream.set_nonblocking(true).expect("it is a socket"));
        assert!(self.server.serve(&self.engine.cx(), theirs), "there is a place");
        ours
    }

    /// Sends `octets`, and returns what comes back until nothing does.
    fn say(&self, mut stream: &UnixStream, mut octets: &[u8]) -> Vec<u8> {
        let (mut heard, mut quiet) = (Vec::new(), 0);
        while quiet < 300 {
            quiet += 1;
            match stream.write(octets) {
                Ok(length) if length > 0 => (octets, quiet) = (&octets[length..], 0),
                _ => {}
            }
            self.engine.poll();
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => {
                    heard.extend_from_slice(&chunk[..length]);
                    quiet = 0;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
        heard
    }

    fn raw(&self, octets: &[u8]) {
        let stream = self.connect();
        self.say(&stream, octets);
        drop(stream);
        self.say(&self.connect(), &hello());
    }

    fn messages(&self, mut data: &[u8]) {
        let stream = self.connect();
        self.say(&stream, &hello());
        let (mut sent, mut expected) = (Vec::new(), Vec::new());
        while let [choice, length, rest @ ..] = data
            && expected.len() < MOST
        {
            let (number, service) = self.requests[usize::from(*choice) * 7 % self.requests.len()];
            let (fields, rest) = rest.split_at(usize::from(*length).min(rest.len()));
            let context = expected.len() as u32 + 1;
            let mut message = number.to_be_bytes().to_vec();
            message.extend([0; 4]);
            message.extend(context.to_be_bytes());
            message.extend(fields);
            sent.extend(framed(&message));
            expected.push(service);
            data = rest;
        }
        let heard = self.say(&stream, &sent);
        self.check(&expected, &heard);
    }

    /// Replies have their requests' contexts, and are in their order.
    fn check(&self, expected: &[&Service], mut heard: &[u8]) {
        let table = self.engine.with(|main| main.api().clone());
        let with_reply = |service: &&Service| {
            service.reply.as_ref().is_some_and(|reply| reply.header == Header::Reply)
        };
        let wanted = (1_u32..).zip(expected).filter(|(_, service)| with_reply(service));
        let wanted: Vec<_> = wanted
            .filter_map(|(context, service)| Some((context, service.reply.as_ref()?.name)))
            .collect();
        let mut replies = Vec::new();
        while heard.len() > FRAME_HEADER {
            let length = u32::from_be_bytes([heard[8], heard[9], heard[10], heard[11]]) as usize;
            let message = &heard[FRAME_HEADER..FRAME_HEADER + length];
            let number = u16::from_be_bytes([message[0], message[1]]);
            let definition = table.entry(number).expect("a message of the table").definition;
            if definition.header == Header::Reply {
                replies.push((
                    u32::from_be_bytes([message[2], message[3], message[4], message[5]]),
                    definition.name,
                ));
            }
            heard = &heard[FRAME_HEADER + length..];
        }
        assert_eq!(replies, wanted);
    }
}

fn hello() -> Vec<u8> {
    let mut message = 15_u16.to_be_bytes().to_vec();
    message.extend(to_bytes(&sockclnt_create { context: 0, name: "fuzz".into() }));
    framed(&message)
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut octets = vec![0; 8];
    octets.extend((message.len() as u32).to_be_bytes());
    octets.extend([0; 4]);
    octets.extend(message);
    octets
}
