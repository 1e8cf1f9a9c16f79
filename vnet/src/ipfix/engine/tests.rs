//! What the engine's exporter promises, in an engine whose `ip4-lookup` is the collector.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Mutex},
    time::Duration,
};

use super::*;
use crate::{
    buffer::{Buffer, BufferFlags},
    error::NoError,
    flow::{Families, FlowRecord, RecordSet},
    frame::Frame,
    graph::{NoNext, Node, NodeCx, NodeSpec, Verdict},
    interface::SwIfIndex,
    ipfix::{
        export::{Counters, ExporterRequest, Output, Report, ReportKey, StreamKey, TemplateFields},
        profile::Profile,
        reliable::Limits,
        template::FieldSpecifier,
        tests::sample,
    },
    plugin::{Engine, Plugin},
    runtime::{Clock, EngineTime, PacketTime},
    trace::NoTrace,
};

const STREAM: StreamKey = StreamKey { domain: 1, source_port: 4739 };

/// A packet as the lookup node gets it.
#[derive(Clone, Debug)]
struct Sent {
    at: EngineTime,
    flags: BufferFlags,
    rx: SwIfIndex,
    table: SwIfIndex,
    bytes: Vec<u8>,
}

impl Sent {
    fn sequence(&self) -> u32 {
        u32::from_be_bytes(self.bytes[36..40].try_into().unwrap())
    }

    fn is_template(&self) -> bool {
        self.bytes[44..46] == [0, 2]
    }
}

type Log = Arc<Mutex<Vec<Sent>>>;

struct Lookup(Log);

impl Node for Lookup {
    type Error = NoError;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, NoError>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        let at = cx.now();
        self.0.lock().unwrap().extend(cx.buffers(frame).iter_mut().map(|b| Sent {
            at,
            flags: b.flags(),
            rx: b.rx,
            table: b.tx,
            bytes: b.current().to_vec(),
        }));
        Verdict::Free
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

struct Bench {
    engine: Engine,
    ipfix: Ipfix,
    log: Log,
}

impl Bench {
    fn new(buffers: u32, with_lookup: bool) -> Self {
        let log = Log::default();
        let place: Rc<RefCell<Option<Ipfix>>> = Rc::default();
        let (theirs, found) = (log.clone(), place.clone());
        let plugin = Plugin::new("test", "1", "", move |r| {
            if with_lookup {
                r.node(NodeSpec::internal("ip4-lookup", move |_| Lookup(theirs.clone())));
            }
            *found.borrow_mut() = Some(r.ipfix());
            Ok(())
        });
        let clock = Clock::virtual_at(PacketTime(1_700_000_000_000_000_000));
        let engine =
            Engine::builder().clock(clock).buffers(buffers).plugin(plugin).build().unwrap();
        let ipfix = place.take().unwrap();
        Self { engine, ipfix, log }
    }

    fn configure(&self, request: ExporterRequest) -> String {
        let line = self.engine.with(|main| self.ipfix.configure(main, request)).unwrap();
        self.engine.run_until_idle();
        line
    }

    fn queues(&self) -> FlowQueues {
        let templates = Profile::Rfc.templates(RecordSet::L3 | RecordSet::L4, Families::IP4);
        let queues = self.ipfix.flow_queues(templates);
        let key = ReportKey { name: "test", opaque: 0 };
        self.ipfix.add_report(key, STREAM, Box::new(queues.clone())).unwrap();
        self.engine.run_until_idle();
        queues
    }

    fn flush(&self) -> Option<Result<(), Incomplete>> {
        let ipfix = self.ipfix.clone();
        self.engine.run_until(async move { ipfix.flush().await })
    }

    fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

fn request() -> ExporterRequest {
    ExporterRequest {
        collector: "192.0.2.9".parse().unwrap(),
        source: "192.0.2.1".parse().unwrap(),
        ..ExporterRequest::NOTHING
    }
}

fn record() -> FlowRecord {
    let [_, tcp, ..] = sample::one_of_each_shape();
    tcp
}

fn append(queues: &FlowQueues, records: usize) {
    (0..records).for_each(|_| queues.append(&record()));
}

#[test]
fn messages_are_packets_of_the_exporters_own() {
    let bench = Bench::new(64, true);
    bench.queues();
    bench.configure(request());
    let sent = bench.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].flags, BufferFlags::FLOW_REPORT | BufferFlags::LOCALLY_ORIGINATED);
    assert_eq!((sent[0].rx, sent[0].table), (SwIfIndex::LOCAL0, SwIfIndex::NONE));
    assert_eq!(sent[0].bytes[12..20], [192, 0, 2, 1, 192, 0, 2, 9]);
    assert_eq!(usize::from(sent[0].bytes[3]), sent[0].bytes.len());
}

#[test]
fn the_first_template_does_not_wait_for_the_clock() {
    let bench = Bench::new(64, true);
    bench.configure(request());
    assert!(bench.sent().is_empty());
    bench.queues();
    let sent = bench.sent();
    assert!(sent.len() == 1 && sent[0].is_template() && sent[0].at == EngineTime(0));
}

#[test]
fn an_interval_of_zero_is_refused_and_a_jump_of_the_clock_is_one_template() {
    let bench = Bench::new(64, true);
    let zero = ExporterRequest { template_interval: 0, ..request() };
    assert!(bench.engine.with(|main| bench.ipfix.configure(main, zero)).is_err());
    bench.configure(ExporterRequest { template_interval: 1, ..request() });
    bench.queues();
    bench.engine.advance(Duration::from_secs(10));
    assert_eq!(bench.sent().len(), 11);
}

/// Says when it was asked.
struct Asked(Rc<RefCell<Vec<u64>>>, Rc<dyn Fn() -> EngineTime>);

impl Report for Asked {
    fn template(&mut self, _: usize) -> TemplateFields {
        TemplateFields::data(&[FieldSpecifier::iana("octetDeltaCount", 8)])
    }

    fn data(&mut self, _: &mut Output<'_>) {
        self.0.borrow_mut().push((self.1)().0 / 1_000_000_000);
    }
}

#[test]
fn data_callbacks_run_every_five_seconds_whatever_the_template_interval() {
    let bench = Bench::new(64, true);
    let (asked, cx) = (Rc::default(), bench.engine.cx());
    let report = Asked(Rc::clone(&asked), Rc::new(move || cx.now()));
    let key = ReportKey { name: "asked", opaque: 0 };
    bench.ipfix.add_report(key, STREAM, Box::new(report)).unwrap();
    bench.configure(ExporterRequest { template_interval: 3600, ..request() });
    bench.engine.advance(Duration::from_secs(16));
    assert_eq!(*asked.borrow(), [0, 5, 10, 15]);
}

#[test]
fn without_buffers_messages_are_counted_and_the_sequence_stays_right() {
    let bench = Bench::new(64, true);
    let queues = bench.queues();
    bench.configure(request());
    bench.sent();
    append(&queues, 20);
    bench.engine.with(|main| {
        // All buffers are on their way to be dropped while the exporter runs.
        let node = main.graph().find("error-drop").unwrap();
        let mut frame = main.frame_to(node);
        while frame.push(|_| ()).is_some() {}
        drop(frame);
        assert!(matches!(bench.ipfix.run(main), state::Pass::Failed(_)));
    });
    bench.engine.run_until_idle();
    bench.engine.advance(Duration::from_secs(1));
    let counters = bench.ipfix.counters();
    let told = bench.flush().unwrap().unwrap_err().shortfalls.remove(0);
    assert_eq!((told.failed, told.waiting), (counters.send_errors, 0));
    assert_eq!(bench.flush(), Some(Ok(())));
    assert_eq!(counters.records + counters.records_not_sent, 20);
    assert!(counters.records_not_sent > 0 && counters.records > 0, "{counters:?}");
    let mut expected = 0;
    for sent in bench.sent().iter().filter(|sent| !sent.is_template()) {
        assert_eq!(sent.sequence(), expected);
        expected += ((sent.bytes.len() - 48) / 57) as u32;
    }
    assert_eq!(u64::from(expected), counters.records);
}

#[test]
fn records_of_messages_that_were_not_sent_are_told_with_their_packets_and_octets() {
    let bench = Bench::new(64, true);
    let queues = bench.queues();
    bench.configure(request());
    bench.engine.command("ipfix options exporting-reliability").unwrap();
    bench.engine.run_until_idle();
    let told = || {
        let record =
            bench.sent().last().unwrap().bytes.split_last_chunk::<44>().unwrap().1.to_vec();
        let word = |at: usize| u64::from_be_bytes(record[at..at + 8].try_into().unwrap());
        assert_eq!(record[..4], [0, 0, 0, 1]);
        [word(4), word(12), word(20), word(28), word(36)]
    };
    assert_eq!(told(), [0; 5]);
    bench.engine.advance(Duration::from_secs(2));
    append(&queues, 20);
    bench.engine.with(|main| {
        let node = main.graph().find("error-drop").unwrap();
        let mut frame = main.frame_to(node);
        while frame.push(|_| ()).is_some() {}
        drop(frame);
        bench.ipfix.run(main)
    });
    bench.engine.advance(Duration::from_secs(5));
    let flows = bench.ipfix.counters().records_not_sent;
    assert!(flows > 0);
    let [told_flows, packets, octets, first, last] = told();
    assert_eq!(told_flows, flows);
    assert_eq!((packets, octets), (flows * record().packets, flows * record().octets));
    assert_eq!((first, last), (1_700_000_002_000, 1_700_000_002_000));
}

#[test]
fn a_backlog_is_sent_by_few_buffers_at_a_time_and_nothing_of_it_is_lost() {
    let bench = Bench::new(300, true);
    let queues = bench.queues();
    bench.configure(request());
    append(&queues, 20_000);
    assert_eq!(bench.flush(), Some(Ok(())));
    let counters = bench.ipfix.counters();
    assert_eq!((counters.records, counters.records_not_sent), (20_000, 0));
    assert_eq!((queues.counters().handed_over, queues.waiting()), (20_000, 0));
}

#[test]
fn an_outbox_that_fills_rings_for_the_exporter_and_one_that_is_full_counts() {
    let bench = Bench::new(16384, true);
    let queues = bench.queues();
    let outbox = queues.outbox();
    outbox.push(&record());
    assert_eq!(queues.counters().without_collector, 1);
    bench.configure(request());
    for _ in 0..2047 {
        outbox.push(&record());
    }
    bench.engine.run_until_idle();
    assert_eq!(queues.waiting(), 2047);
    outbox.push(&record());
    bench.engine.run_until_idle();
    assert_eq!(queues.waiting(), 0);
    assert!(outbox.has_room());
    for _ in 0..5000 {
        outbox.push(&record());
    }
    assert!(!outbox.has_room());
    let dropped = queues.counters();
    assert_eq!((dropped.dropped, dropped.packets_dropped), (904, 904 * record().packets));
    assert_eq!(dropped.octets_dropped, 904 * record().octets);
    assert_eq!(bench.flush(), Some(Ok(())));
    assert_eq!(bench.ipfix.counters().records, 2048 + 4096);
}

#[test]
fn a_report_that_retires_says_everything_first() {
    let bench = Bench::new(300, true);
    let templates = Profile::Rfc.templates(RecordSet::L3, Families::IP4);
    let queues = bench.ipfix.flow_queues(templates);
    let key = ReportKey { name: "test", opaque: 0 };
    let id = bench.ipfix.add_report(key, STREAM, Box::new(queues.clone())).unwrap();
    bench.configure(request());
    append(&queues, 5000);
    bench.ipfix.retire_report(id);
    bench.engine.run_until_idle();
    assert_eq!(bench.ipfix.counters().records, 5000);
    assert_eq!(bench.ipfix.with_exporter(|e| e.reports().count()), 0);
}

#[test]
fn a_graph_that_cannot_route_is_counted_and_does_not_spin() {
    let bench = Bench::new(64, false);
    bench.queues();
    bench.configure(request());
    let counters = bench.ipfix.counters();
    assert_eq!((counters.send_errors, counters.templates_not_sent), (1, 2));
    bench.engine.advance(Duration::from_secs(10));
    assert_eq!(bench.ipfix.counters().send_errors, 11);
    let left = bench.flush().unwrap().unwrap_err().shortfalls.remove(0);
    assert_eq!((left.failed, left.waiting), (11, 1));
    assert!(
        left.to_string().contains("(no node `ip4-lookup' to send IPFIX messages by)"),
        "{left}"
    );
}

#[test]
fn a_stream_that_comes_back_goes_on_counting() {
    let bench = Bench::new(300, true);
    bench.configure(request());
    for expected in [0, 3, 6] {
        let templates = Profile::Rfc.templates(RecordSet::L3, Families::IP4);
        let queues = bench.ipfix.flow_queues(templates);
        let key = ReportKey { name: "test", opaque: u64::from(expected) };
        let id = bench.ipfix.add_report(key, STREAM, Box::new(queues.clone())).unwrap();
        append(&queues, 3);
        bench.ipfix.retire_report(id);
        bench.engine.run_until_idle();
        let sent = bench.sent();
        assert!(sent.iter().all(|sent| sent.sequence() == expected), "{expected}: {sent:?}");
    }
}

#[test]
fn statistics_begin_anew_when_cleared_and_sequence_numbers_go_on() {
    let bench = Bench::new(300, true);
    let queues = bench.queues();
    bench.configure(request());
    let send = |records: usize| {
        append(&queues, records);
        assert_eq!(bench.flush(), Some(Ok(())));
        bench.ipfix.statistics().sent
    };
    let first = send(10);
    assert_eq!((first.records, first.templates), (10, 2));
    bench.ipfix.clear_statistics();
    assert_eq!(bench.ipfix.statistics().sent, Counters::default());
    let second = send(5);
    assert_eq!((second.records, second.templates), (5, 0));
    assert_eq!(bench.sent().last().unwrap().sequence(), 10);
    assert_eq!(bench.ipfix.counters().records, 15);
}

/// Another exporter, whose collector is behind the graph too.
fn far(bench: &Bench, interval: u32) -> Ipfix {
    let far = bench.ipfix.add_exporter("far").unwrap();
    bench.engine.with(|main| {
        let line = ExporterRequest { template_interval: interval, ..request() };
        far.change(main, |settings| {
            *settings = Settings { collectors: Vec::new(), ..Settings::of_line(line) };
            settings.stream = StreamKey { domain: 9, source_port: 9999 };
        })
        .unwrap();
        let collector = CollectorRequest::Udp("192.0.2.77:4739".parse().unwrap());
        far.add_collector(main, collector, &Limits::DEFAULT).unwrap();
    });
    far
}

#[test]
fn each_exporter_keeps_its_own_deadlines_streams_and_sequence_numbers() {
    let bench = Bench::new(64, true);
    bench.configure(ExporterRequest { template_interval: 10, ..request() });
    bench.queues();
    let far = far(&bench, 25);
    let templates = Profile::Rfc.templates(RecordSet::L3, Families::IP4);
    let queues = far.flow_queues(templates);
    let key = ReportKey { name: "test", opaque: 0 };
    let id = far.add_report(key, far.stream(), Box::new(queues.clone())).unwrap();
    bench.engine.advance(Duration::from_secs(60));
    let is_far = |sent: &Sent| sent.bytes[19] == 77;
    let at = |sent: &[Sent], of_far: bool| -> Vec<u64> {
        let of = sent.iter().filter(|sent| is_far(sent) == of_far && sent.is_template());
        of.map(|sent| sent.at.0 / 1_000_000_000).collect()
    };
    let sent = bench.sent();
    assert_eq!(at(&sent, false), [0, 10, 20, 30, 40, 50, 60]);
    assert_eq!(at(&sent, true), [0, 25, 50]);
    append(&queues, 3);
    assert_eq!(bench.flush(), Some(Ok(())));
    let sent = bench.sent();
    assert!(sent.iter().all(is_far) && sent[0].sequence() == 0);
    assert_eq!(sent[0].bytes[40..44], [0, 0, 0, 9]);
    // One that is used stays; then it goes, and nothing of it is left.
    let refused = bench.engine.with(|main| far.clone().delete_exporter(main)).unwrap_err();
    assert_eq!(refused.to_string(), "exporter far is in use by test");
    far.retire_report(id);
    bench.engine.with(|main| far.clone().delete_exporter(main)).unwrap();
    assert!(bench.ipfix.named("far").is_none() && !far.is_enabled());
    assert_eq!(bench.ipfix.counters().records, 3);
    assert!(far.add_report(key, far.stream(), Box::new(queues)).is_err());
}

#[test]
fn what_waited_longest_is_told() {
    let bench = Bench::new(300, true);
    let outbox = bench.queues().outbox();
    bench.configure(request());
    outbox.push(&record());
    bench.engine.advance(Duration::from_secs(3));
    outbox.push(&record());
    assert_eq!(bench.flush(), Some(Ok(())));
    let latency = bench.ipfix.statistics().latency;
    assert_eq!((latency.last, latency.max), (Duration::from_secs(3), Duration::from_secs(3)));
    outbox.push(&record());
    assert_eq!(bench.flush(), Some(Ok(())));
    let latency = bench.ipfix.statistics().latency;
    assert_eq!((latency.last, latency.max), (Duration::ZERO, Duration::from_secs(3)));
}
