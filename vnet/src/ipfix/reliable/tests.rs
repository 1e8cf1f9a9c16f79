//! Everything that was accepted is delivered, in order and in sessions that a collector can decode, whatever happens.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::*;
use crate::{
    ipfix::{
        decode::{Decoder, Event, SessionKind},
        elements::Registry,
        message::MessageBuilder,
        template::{FieldSpecifier, Template, TemplateId},
    },
    process::Bell,
    runtime::Clock,
};

/// A record is its number.
fn template(ordinal: u16) -> Template {
    let fields = [FieldSpecifier::iana("flowId", 8)];
    Template::new(TemplateId::from_ordinal(ordinal), 0, fields).unwrap()
}

/// A message with the records of these numbers.
fn message(domain: u32, template: &Template, numbers: std::ops::Range<u64>) -> Item {
    let mut room = [0; 4096];
    let mut builder = MessageBuilder::new(&mut room);
    for number in numbers.clone() {
        builder.record(template.id(), 8).unwrap().copy_from_slice(&number.to_be_bytes());
    }
    let draft = builder.finish();
    let records = (numbers.end - numbers.start) as u16;
    let octets = room[..draft.len()].into();
    Item::Message { domain, records, advance: u32::from(records), keeps_time: false, octets }
}

/// What a collector has of a session: all records of the whole messages in `octets`, which must be sound.
fn decoded(octets: &[u8]) -> Vec<(u32, u64)> {
    let mut decoder = Decoder::new(SessionKind::Stream, Arc::new(Registry::default()));
    let (mut rest, mut numbers) = (octets, Vec::new());
    while let [_, _, high, low, ..] = *rest {
        let len = usize::from(u16::from_be_bytes([high, low]));
        let Some((message, behind)) = rest.split_at_checked(len) else { break };
        rest = behind;
        let sink = &mut |header: &crate::ipfix::message::Header, event: Event<'_>| match event {
            Event::Record(record) => {
                let field = record.fields().next().unwrap();
                let octets: [u8; 8] = field.octets.try_into().unwrap();
                numbers.push((header.domain.get(), u64::from_be_bytes(octets)));
            }
            Event::UnknownTemplate(..) | Event::Sequence(_) => panic!("{event:?}"),
            Event::Template(_) | Event::Withdrawn(_) => (),
        };
        decoder.decode(message, sink).unwrap();
    }
    numbers
}

#[derive(Clone, Debug)]
enum Step {
    /// So many records in a message of this domain.
    Push(u32, u64),
    /// Another template for a domain; the old one is withdrawn.
    Rewrite(u32),
    /// So many items are written.
    Write(usize),
    /// The collector acknowledges this share of what is written.
    Acknowledge(f64),
    /// The session ends; the collector has this share of what it had not acknowledged.
    Lose(f64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..3_u32, 1..5_u64).prop_map(|(domain, records)| Step::Push(domain, records)),
        1 => (1..3_u32).prop_map(Step::Rewrite),
        6 => (1..6_usize).prop_map(Step::Write),
        3 => (0.0..=1.0).prop_map(Step::Acknowledge),
        1 => (0.0..=1.0).prop_map(Step::Lose),
    ]
}

/// A collector and all that leads to it, without threads and sockets.
struct World {
    queue: Queue,
    session: Session,
    /// Octets of the session, and how many of them are acknowledged.
    stream: Vec<u8>,
    acknowledged: usize,
    templates: [Template; 2],
    next_template: u16,
    next_record: u64,
    /// By session.
    got: Vec<Vec<(u32, u64)>>,
    delivered: u64,
}

impl World {
    fn new(limits: &Limits) -> Self {
        let mut world = Self {
            queue: Queue::new(limits).unwrap().0,
            session: Session::default(),
            stream: Vec::new(),
            acknowledged: 0,
            templates: [template(0), template(1)],
            next_template: 2,
            next_record: 0,
            got: Vec::new(),
            delivered: 0,
        };
        for domain in 1..3 {
            world.announce(domain);
        }
        world
    }

    fn announce(&mut self, domain: u32) {
        let template = self.templates[domain as usize - 1].clone();
        self.queue.push(Item::Template { domain, template }).unwrap();
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Push(domain, records) => {
                let numbers = self.next_record..self.next_record + records;
                let item = message(domain, &self.templates[domain as usize - 1], numbers);
                if self.queue.push(item).is_ok() {
                    self.next_record += records;
                }
            }
            Step::Rewrite(domain) => {
                let new = template(self.next_template);
                self.next_template += 1;
                let place = &mut self.templates[domain as usize - 1];
                let template = std::mem::replace(place, new);
                self.queue.push(Item::Withdrawal { domain, template }).unwrap();
                self.announce(domain);
            }
            Step::Write(count) => {
                for _ in 0..count {
                    let Some(mut item) = self.queue.pop().unwrap() else { return };
                    self.stream.extend(self.session.write(&mut item, 1));
                    self.session.written(item, self.stream.len() as u64);
                }
            }
            Step::Acknowledge(share) => {
                let open = self.stream.len() - self.acknowledged;
                self.acknowledged += (open as f64 * share) as usize;
                self.delivered += self.session.acknowledged(self.acknowledged as u64).records;
            }
            Step::Lose(share) => {
                let open = self.stream.len() - self.acknowledged;
                let has = self.acknowledged + (open as f64 * share) as usize;
                self.got.push(decoded(&self.stream[..has]));
                self.queue.put_back(self.session.end());
                self.stream = self.session.begin(1);
                self.acknowledged = 0;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn whatever_happens_to_sessions_a_collector_gets_everything_in_order(
        steps in prop::collection::vec(step(), 1..200),
        memory in 0_usize..2000,
        spool in prop::option::of(100_u64..4000),
        case in any::<u64>(),
    ) {
        let name = format!("peloton-spool-{}-{case:x}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let limits = Limits { memory, spool: spool.map(|size| (path.clone(), size)) };
        let mut world = World::new(&limits);
        for step in &steps {
            world.take(step);
        }
        while !world.queue.is_empty() {
            world.take(&Step::Write(1));
        }
        world.take(&Step::Acknowledge(1.0));
        let end = decoded(&world.stream);
        world.got.push(end);
        let mut all: Vec<u64> = Vec::new();
        for session in &world.got {
            // One after the other within a session and domain, and nothing of what comes first is left out.
            for domain in 1..3 {
                let of: Vec<u64> =
                    session.iter().filter(|(d, _)| *d == domain).map(|(_, n)| *n).collect();
                prop_assert!(of.is_sorted());
            }
            all.extend(session.iter().map(|(_, n)| *n));
        }
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all, (0..world.next_record).collect::<Vec<_>>());
        prop_assert_eq!(world.delivered, world.next_record);
        prop_assert!(world.queue.is_empty() && world.session.is_settled());
        drop(world);
        prop_assert!(!path.exists());
    }

    #[test]
    fn a_spool_is_a_queue_of_bounded_size(
        lens in prop::collection::vec((0_usize..200, any::<bool>()), 1..300),
        size in 20_u64..900,
        case in any::<u64>(),
    ) {
        let name = format!("peloton-ring-{}-{case:x}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let (mut spool, _) = Spool::create(&path, size).unwrap();
        let mut model: VecDeque<Item> = VecDeque::new();
        for (n, (len, pops)) in lens.into_iter().enumerate() {
            let octets = vec![n as u8; len].into_boxed_slice();
            let item = Item::Message { domain: n as u32, records: 3, advance: 4, keeps_time: true, octets };
            let fits = spool.octets() + 15 + len as u64 <= size;
            prop_assert_eq!(spool.push(&item).unwrap(), fits);
            if fits {
                model.push_back(item);
            }
            if pops {
                prop_assert_eq!(spool.pop().unwrap(), model.pop_front());
            }
            prop_assert_eq!(spool.len(), model.len() as u64);
            prop_assert!(std::fs::metadata(&path).unwrap().len() <= 24 + size);
        }
    }
}

#[test]
fn a_spool_whose_engine_was_killed_is_counted_and_one_in_use_or_another_file_is_left_alone() {
    let path = std::env::temp_dir().join(format!("peloton-left-{}", std::process::id()));
    let left_behind = path.with_extension("left");
    let message = |records| Item::Message {
        domain: 1,
        records,
        advance: 0,
        keeps_time: false,
        octets: [7; 50].into(),
    };
    let (mut spool, left) = Spool::create(&path, 1000).unwrap();
    assert_eq!((left.messages, left.records), (0, 0));
    for records in [3, 4, 5] {
        assert!(spool.push(&message(records)).unwrap());
    }
    spool.pop().unwrap();
    let error = Spool::create(&path, 1000).unwrap_err();
    assert!(error.to_string().contains("another engine has it"), "{error}");
    // Killed: the file stays, the lock does not.
    std::fs::copy(&path, &left_behind).unwrap();
    drop(spool);
    assert!(!path.exists());
    let (again, left) = Spool::create(&left_behind, 1000).unwrap();
    assert_eq!((left.messages, left.records, again.len()), (2, 9, 0));
    drop(again);
    std::fs::write(&path, "precious").unwrap();
    let error = Spool::create(&path, 1000).unwrap_err();
    assert!(error.to_string().contains("there is a file that is no spool"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    std::fs::remove_file(&path).unwrap();
}

/// A collector that takes one session.
struct Collector(TcpListener);

impl Collector {
    fn new() -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        (Self(listener), port)
    }

    fn again(port: u16) -> Self {
        Self(TcpListener::bind(("127.0.0.1", port)).unwrap())
    }

    fn accept(&self) -> TcpStream {
        let (stream, _) = self.0.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }
}

fn sender(port: u16, limits: &Limits) -> Sender {
    let target = Target::Tcp { host: "127.0.0.1".to_owned(), port };
    Sender::new(target, limits, Clock::real(), Bell::new()).unwrap()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_collector_that_was_away_gets_everything_in_a_new_session() {
    let (collector, port) = Collector::new();
    let sender = sender(port, &Limits::DEFAULT);
    let known = template(0);
    sender.push(Item::Template { domain: 7, template: known.clone() }).unwrap();
    sender.push(message(7, &known, 0..10)).unwrap();
    let mut stream = collector.accept();
    assert!(sender.wait(Duration::from_secs(10)));
    assert_eq!(sender.status().delivered.records, 10);
    let mut first = vec![0; 4096];
    let len = stream.read(&mut first).unwrap();
    drop((stream, collector));
    until("the end is noticed", || sender.status().phase == Phase::Down);
    for n in 1..50 {
        sender.push(message(7, &known, n * 10..n * 10 + 10)).unwrap();
    }
    let status = sender.status();
    assert_eq!((status.queued, status.queued_records), (49, 490));
    assert!(status.last_error.is_some());
    let collector = Collector::again(port);
    let mut stream = collector.accept();
    assert!(sender.wait(Duration::from_secs(20)));
    assert_eq!(sender.join().delivered.records, 500);
    let mut second = Vec::new();
    stream.read_to_end(&mut second).unwrap();
    let numbers = |octets: &[u8]| decoded(octets).iter().map(|(_, n)| *n).collect::<Vec<_>>();
    assert_eq!(numbers(&first[..len]), (0..10).collect::<Vec<_>>());
    assert_eq!(numbers(&second), (10..500).collect::<Vec<_>>());
    assert_eq!(second[8..12], [0; 4], "a session begins with sequence number 0");
    assert_eq!(second[16..18], [0, 2], "and with templates");
}

#[test]
fn a_collector_that_reads_nothing_fills_the_queue_and_no_more() {
    let (collector, port) = Collector::new();
    let limits = Limits { memory: 100_000, spool: None };
    let sender = sender(port, &limits);
    let known = template(0);
    sender.push(Item::Template { domain: 1, template: known.clone() }).unwrap();
    let _stream = collector.accept();
    until("the session is up", || sender.status().phase == Phase::Up);
    // The host's own buffers take a few megabytes before the queue fills for good.
    let (mut accepted, mut refused) = (0, 0);
    until("the queue is full for a while", || {
        while sender.push(message(1, &known, accepted..accepted + 100)).is_ok() {
            (accepted, refused) = (accepted + 100, 0);
        }
        refused += 1;
        refused == 50
    });
    let status = sender.status();
    assert!(status.queued_octets <= limits.memory && status.phase == Phase::Up, "{status:?}");
    assert!(!sender.wait(Duration::ZERO));
}

#[test]
fn a_collector_that_talks_back_is_passed_over() {
    let (collector, port) = Collector::new();
    let sender = sender(port, &Limits::DEFAULT);
    let mut stream = collector.accept();
    stream.write_all(&[b'x'; 100_000]).unwrap();
    let known = template(0);
    sender.push(Item::Template { domain: 1, template: known.clone() }).unwrap();
    sender.push(message(1, &known, 0..3)).unwrap();
    assert!(sender.wait(Duration::from_secs(10)));
    let status = sender.join();
    assert_eq!((status.delivered.records, status.sessions), (3, 1));
}

#[test]
fn what_is_left_at_the_end_is_counted() {
    let (collector, port) = Collector::new();
    drop(collector);
    let sender = sender(port, &Limits::DEFAULT);
    let known = template(0);
    sender.push(Item::Template { domain: 1, template: known.clone() }).unwrap();
    sender.push(message(1, &known, 0..30)).unwrap();
    until("nobody listens", || sender.status().phase == Phase::Down);
    let begin = Instant::now();
    let status = sender.join();
    assert!(begin.elapsed() < Duration::from_secs(2));
    assert_eq!((status.lost.messages, status.lost.records), (1, 30));
}

#[test]
fn a_complete_file_is_set_aside_and_each_can_be_read_alone() {
    let folder = std::env::temp_dir().join(format!("peloton-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("flows.ipfix");
    std::fs::write(&path, b"somebody's").unwrap();
    let rotation = Rotation { size: Some(2000), age: None };
    let target = Target::File { path: path.clone(), rotation };
    let sender = Sender::new(target, &Limits::DEFAULT, Clock::real(), Bell::new()).unwrap();
    let known = template(0);
    sender.push(Item::Template { domain: 1, template: known.clone() }).unwrap();
    for n in 0..100 {
        sender.push(message(1, &known, n * 10..n * 10 + 10)).unwrap();
    }
    assert!(sender.wait(Duration::from_secs(10)));
    sender.join();
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    // The one that was there, four of 2,000 octets and more, and the last.
    assert!(files.len() >= 5, "{files:?}");
    let mut numbers = Vec::new();
    for file in &files {
        let octets = std::fs::read(file).unwrap();
        if octets != b"somebody's" {
            assert!(octets.len() < 2200);
            numbers.extend(decoded(&octets).iter().map(|(_, n)| *n));
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
    std::fs::remove_dir_all(&folder).unwrap();
}
