//! What an exporter promises, read off the messages that it gives to its transport.

use core::time::Duration;
use std::{cell::RefCell, rc::Rc};

use super::*;
use crate::{
    ipfix::{
        profile::{Families, FlowTemplates, Profile, RecordSet},
        template::{FieldSpecifier, TemplateId},
        tests::sample,
    },
    runtime::EngineTime,
};

const STREAM: StreamKey = StreamKey { domain: 1, source_port: 4739 };
const KEY: ReportKey = ReportKey { name: "test", opaque: 0 };

/// A transport that remembers, and refuses when told to.
#[derive(Default)]
struct Recorder {
    sent: Vec<(Session, Vec<u8>)>,
    refuse: bool,
}

impl Transport for Recorder {
    fn send(&mut self, session: &Session, message: &[u8]) -> Result<(), SendError> {
        if self.refuse {
            return Err(SendError::NoBuffer);
        }
        self.sent.push((*session, message.to_vec()));
        Ok(())
    }
}

impl Recorder {
    /// Kind of each message since the last call (T templates, D data) and its sequence number.
    fn story(&mut self) -> String {
        let words: Vec<String> = self.sent.drain(..).map(|(_, m)| kind_and_sequence(&m)).collect();
        words.join(" ")
    }
}

fn kind_and_sequence(message: &[u8]) -> String {
    let kind = if message[17] == 2 && message[16] == 0 { 'T' } else { 'D' };
    format!("{kind}{}", u32::from_be_bytes(message[8..12].try_into().unwrap()))
}

/// A report with one 8-octet template that has `pending` records, and remembers its callbacks.
struct Pending {
    calls: Rc<RefCell<Vec<&'static str>>>,
    pending: u64,
    fields: Vec<FieldSpecifier>,
}

impl Report for Pending {
    fn template(&mut self, _: usize) -> TemplateFields {
        self.calls.borrow_mut().push("template");
        TemplateFields::data(&self.fields)
    }

    fn data(&mut self, output: &mut Output<'_>) {
        self.calls.borrow_mut().push("data");
        for n in 0..core::mem::take(&mut self.pending) {
            output.record(0, 8, |out| out.copy_from_slice(&n.to_be_bytes())).unwrap();
        }
    }
}

struct Bench {
    exporter: Exporter,
    out: Recorder,
    calls: Rc<RefCell<Vec<&'static str>>>,
}

impl Bench {
    fn new() -> Self {
        Self { exporter: Exporter::new(), out: Recorder::default(), calls: Rc::default() }
    }

    fn configured() -> Self {
        let mut bench = Self::new();
        bench.configure(request());
        bench
    }

    fn configure(&mut self, request: ExporterRequest) {
        let config = request.check(|id| Some(id + 1)).unwrap();
        self.exporter.configure(config.into(), 0, &mut self.out);
    }

    fn report(&self, pending: u64) -> Box<Pending> {
        let fields = vec![FieldSpecifier::iana("octetDeltaCount", 8)];
        Box::new(Pending { calls: Rc::clone(&self.calls), pending, fields })
    }

    fn add(&mut self, opaque: u64, stream: StreamKey, pending: u64) -> ReportId {
        let report = self.report(pending);
        self.exporter.add_report(ReportKey { opaque, ..KEY }, stream, report).unwrap()
    }

    fn run(&mut self, seconds: u64) -> String {
        self.exporter.run(at(seconds), 1_000 + seconds as u32, &mut self.out);
        self.out.story()
    }

    fn calls(&self) -> Vec<&'static str> {
        self.calls.take()
    }
}

fn at(seconds: u64) -> EngineTime {
    EngineTime(seconds * 1_000_000_000)
}

fn request() -> ExporterRequest {
    ExporterRequest {
        collector: "192.0.2.9".parse().unwrap(),
        source: "192.0.2.1".parse().unwrap(),
        ..ExporterRequest::NOTHING
    }
}

#[test]
fn the_first_template_is_due_at_once_and_precedes_data() {
    let mut bench = Bench::configured();
    assert_eq!(bench.exporter.next_due(), None);
    bench.add(0, STREAM, 3);
    assert!(bench.exporter.next_due().unwrap() <= at(0));
    assert_eq!(bench.run(100), "T0 D0");
    assert_eq!(bench.calls(), ["template", "data"]);
}

#[test]
fn templates_are_sent_again_after_the_interval_and_data_callbacks_run_every_five_seconds() {
    let mut bench = Bench::configured();
    bench.add(0, STREAM, 0);
    assert_eq!(bench.run(100), "T0");
    assert_eq!(bench.exporter.next_due(), Some(at(105)));
    assert_eq!(bench.run(105), "");
    assert_eq!(bench.run(119), "");
    assert_eq!(bench.exporter.next_due(), Some(at(120)));
    assert_eq!(bench.run(120), "T0");
    assert_eq!(bench.calls(), ["template", "data", "data", "data", "data"]);
}

#[test]
fn a_jump_of_the_clock_sends_each_template_once() {
    let mut bench = Bench::configured();
    bench.add(0, STREAM, 0);
    bench.run(0);
    assert_eq!(bench.run(1_000_000), "T0");
    assert_eq!(bench.run(1_000_000), "");
}

#[test]
fn sequence_counts_data_records_of_the_stream_whoever_reports_them() {
    let mut bench = Bench::configured();
    bench.add(0, STREAM, 100);
    bench.add(1, STREAM, 7);
    // 484 octets: 58 records of 8 behind 20 octets of headers.
    assert_eq!(bench.run(0), "T0 D0 D58");
    let counters = bench.exporter.counters();
    assert_eq!((counters.records, counters.templates, counters.messages), (107, 2, 3));
    bench.add(2, STREAM, 1);
    assert_eq!(bench.run(1), "T107 D107");
}

#[test]
fn no_packet_exceeds_the_path_mtu() {
    for mtu in 68..=1450 {
        let mut bench = Bench::new();
        bench.configure(ExporterRequest { path_mtu: mtu, ..request() });
        bench.add(0, STREAM, 300);
        bench.exporter.run(at(0), 0, &mut bench.out);
        assert_eq!(bench.exporter.counters().records, 300);
        let headers = |(session, message): &(Session, Vec<u8>)| session.headers(message).len();
        let longest = bench.out.sent.iter().map(|m| headers(m) + m.1.len()).max().unwrap();
        assert!(longest <= mtu as usize);
        // Exact packing: one more record would not have fitted.
        assert!(longest + 8 > mtu as usize || bench.out.sent.len() == 2, "{mtu}: {longest}");
    }
}

#[test]
fn what_fits_no_message_is_a_defect_that_is_told_and_holds_the_data_back() {
    let mut bench = Bench::new();
    bench.configure(ExporterRequest { path_mtu: 68, ..request() });
    let templates = Profile::Rfc.templates(RecordSet::all(), Families::IP4);
    bench.exporter.add_report(KEY, STREAM, Box::new(FlowReport::new(templates))).unwrap();
    assert_eq!(bench.run(0), "");
    let state = bench.exporter.reports().next().unwrap();
    assert_eq!(state.template_sent, None);
    let text = state.defect.unwrap().to_string();
    assert!(text.contains("does not fit into a message of 40: raise the path MTU"), "{text}");
    assert_eq!(bench.exporter.next_due(), Some(at(5)));
    assert_eq!(bench.exporter.counters().templates_not_sent, 1);
    bench.configure(ExporterRequest { path_mtu: 512, ..request() });
    assert_eq!(bench.run(1), "T0");
    assert_eq!(bench.exporter.reports().next().unwrap().defect, None);
}

#[test]
fn a_callback_that_answers_no_template_is_told() {
    let mut bench = Bench::configured();
    let mut report = bench.report(1);
    report.fields.clear();
    bench.exporter.add_report(KEY, STREAM, report).unwrap();
    assert_eq!(bench.run(0), "");
    assert!(matches!(
        bench.exporter.reports().next().unwrap().defect,
        Some(TemplateDefect::Template(_))
    ));
    assert_eq!(bench.calls(), ["template"]);
}

#[test]
fn domain_and_port_belong_to_one_stream() {
    let mut bench = Bench::configured();
    bench.add(0, STREAM, 0);
    let same_domain = StreamKey { source_port: 5000, ..STREAM };
    let same_port = StreamKey { domain: 2, ..STREAM };
    for asked in [same_domain, same_port] {
        let report = bench.report(0);
        let refused = bench.exporter.add_report(ReportKey { opaque: 1, ..KEY }, asked, report);
        let conflict = StreamConflict { asked, present: STREAM };
        assert_eq!(refused, Err(AddReportError::Conflict(conflict)));
    }
    bench.add(1, StreamKey { domain: 2, source_port: 5000 }, 0);
    assert_eq!(bench.exporter.streams().count(), 2);
}

#[test]
fn a_report_is_added_once() {
    let mut bench = Bench::configured();
    let id = bench.add(0, STREAM, 0);
    let report = bench.report(0);
    let again = bench.exporter.add_report(KEY, STREAM, report);
    assert_eq!(again, Err(AddReportError::Exists(id)));
}

#[test]
fn template_ids_begin_at_256_and_go_on_after_deletion() {
    let mut bench = Bench::configured();
    let ids = |bench: &Bench| -> Vec<u16> {
        bench
            .exporter
            .reports()
            .flat_map(|r| r.template_ids.to_vec())
            .map(TemplateId::get)
            .collect()
    };
    let first = bench.add(0, STREAM, 0);
    bench.add(1, STREAM, 0);
    assert_eq!(ids(&bench), [256, 257]);
    bench.exporter.remove_report(first, 0, &mut bench.out).unwrap();
    bench.add(2, STREAM, 0);
    assert_eq!(ids(&bench), [257, 258]);
    let all: Vec<ReportId> = bench.exporter.reports().map(|r| r.id).collect();
    for id in all {
        bench.exporter.remove_report(id, 0, &mut bench.out).unwrap();
    }
    assert_eq!(bench.exporter.streams().count(), 0);
    bench.add(3, STREAM, 0);
    assert_eq!(ids(&bench), [259]);
    assert!(bench.exporter.remove_report(first, 0, &mut bench.out).is_err());
}

#[test]
fn removal_sends_what_was_pending() {
    let mut bench = Bench::configured();
    let id = bench.add(0, STREAM, 0);
    bench.run(0);
    bench
        .exporter
        .with_output(id, 0, &mut bench.out, |out| out.record(0, 8, |o| o.fill(1)).unwrap())
        .unwrap();
    bench.exporter.remove_report(id, 0, &mut bench.out).unwrap();
    assert_eq!(bench.out.story(), "D0");
    assert_eq!(bench.exporter.counters().records, 1);
}

#[test]
fn a_record_that_its_template_does_not_describe_is_refused_and_counted() {
    let mut bench = Bench::configured();
    let id = bench.add(0, STREAM, 0);
    bench.run(0);
    let add = |out: &mut Output<'_>| (out.record(0, 7, |_| ()), out.record(1, 8, |_| ()));
    let refused = bench.exporter.with_output(id, 0, &mut bench.out, add).unwrap();
    let wrong = OutputError::Length { len: 7, expected: 8 };
    assert_eq!(refused, (Err(wrong), Err(OutputError::NoTemplate)));
    assert_eq!(wrong.to_string(), "a record of 7 octets, where those of the template have 8");
    assert_eq!(bench.exporter.counters().records_not_sent, 1);
    assert_eq!(bench.run(1), "");
}

#[test]
fn a_new_session_begins_anew_and_other_changes_do_not() {
    let mut bench = Bench::configured();
    let id = bench.add(0, STREAM, 5);
    assert_eq!(bench.run(0), "T0 D0");
    bench.calls();
    for same in [
        ExporterRequest { path_mtu: 1400, ..request() },
        ExporterRequest { template_interval: 30, ..request() },
        ExporterRequest { udp_checksum: true, ..request() },
        ExporterRequest { fib_id: Some(3), ..request() },
    ] {
        bench.configure(same);
        assert_eq!(bench.run(1), "");
    }
    for other in [
        ExporterRequest { collector: "192.0.2.10".parse().unwrap(), ..request() },
        ExporterRequest { source: "192.0.2.2".parse().unwrap(), ..request() },
        ExporterRequest { port: 9995, ..request() },
        ExporterRequest { via: Via::Kernel, ..request() },
    ] {
        let out = &mut bench.out;
        bench.exporter.with_output(id, 0, out, |o| o.record(0, 8, |o| o.fill(1))).unwrap().unwrap();
        bench.configure(other);
        // The open message belongs to the old session, and goes to its collector.
        let (session, message) = bench.out.sent.pop().unwrap();
        assert_ne!(&session.exporter, bench.exporter.config().unwrap());
        assert!(kind_and_sequence(&message).starts_with('D'));
        assert_eq!(bench.run(2), "T0");
    }
    assert_eq!(bench.calls().iter().filter(|c| **c == "template").count(), 4);
}

#[test]
fn a_disabled_exporter_is_silent_and_says_so() {
    let mut bench = Bench::new();
    let id = bench.add(0, STREAM, 9);
    assert_eq!(bench.run(0), "");
    assert_eq!(bench.exporter.next_due(), None);
    let refused = bench.exporter.with_output(id, 0, &mut bench.out, |_| ());
    assert_eq!(refused, Err(OutputUnavailable::Disabled));
    bench.configure(request());
    let refused = bench.exporter.with_output(id, 0, &mut bench.out, |_| ());
    assert_eq!(refused, Err(OutputUnavailable::TemplateNotSent));
    assert_eq!(bench.run(0), "T0 D0");
    bench.configure(ExporterRequest::NOTHING);
    assert_eq!((bench.run(1), bench.calls()), (String::new(), vec!["template", "data"]));
}

#[test]
fn a_refused_template_is_tried_again_after_a_second() {
    let mut bench = Bench::configured();
    bench.add(0, STREAM, 2);
    bench.out.refuse = true;
    assert_eq!(bench.run(0), "");
    assert_eq!(bench.calls(), ["template"]);
    assert_eq!(bench.exporter.next_due(), Some(EngineTime(0).after(Duration::from_secs(1))));
    bench.out.refuse = false;
    assert_eq!(bench.run(1), "T0 D0");
    let counters = bench.exporter.counters();
    assert_eq!((counters.send_errors, counters.templates_not_sent), (1, 1));
}

#[test]
fn renaming_a_stream_begins_its_session_anew() {
    let mut bench = Bench::configured();
    bench.add(0, STREAM, 3);
    let other = StreamKey { domain: 7, source_port: 7000 };
    bench.add(1, other, 2);
    assert_eq!(bench.run(0), "T0 T0 D0 D0");
    let new = StreamKey { domain: 1, source_port: 5000 };
    let out = &mut bench.out;
    let conflict = StreamKey { domain: 7, source_port: 5000 };
    assert!(bench.exporter.rename_stream(STREAM, conflict, 0, out).is_err());
    assert_eq!(bench.exporter.rename_stream(STREAM, new, 0, out), Ok(true));
    assert_eq!(bench.exporter.rename_stream(STREAM, new, 0, out), Ok(false));
    assert_eq!(bench.run(1), "T0");
    assert_eq!(bench.exporter.streams().map(|(key, _)| key).collect::<Vec<_>>(), [new, other]);
}

#[test]
fn a_rewritten_template_has_another_identifier() {
    let mut bench = Bench::configured();
    let id = bench.add(0, STREAM, 3);
    bench.run(0);
    bench.exporter.rewrite(id, 0, &mut bench.out).unwrap();
    assert_eq!(bench.run(1), "T3");
    assert_eq!(bench.exporter.reports().next().unwrap().template_ids[0].get(), 257);
}

#[test]
fn flow_records_go_to_the_template_of_their_kind() {
    let mut bench = Bench::configured();
    let templates: FlowTemplates = Profile::Rfc.templates(RecordSet::all(), Families::all());
    let report = Box::new(FlowReport::new(templates.clone()));
    let id = bench.exporter.add_report(KEY, STREAM, report).unwrap();
    bench.run(0);
    for record in sample::one_of_each_shape() {
        let out = &mut bench.out;
        let added = bench.exporter.with_output(id, 0, out, |out| out.flow(&templates, &record));
        added.unwrap().unwrap();
    }
    bench.exporter.run(at(1), 0, &mut bench.out);
    let (_, message) = &bench.out.sent[0];
    // One set a kind: 58, 73, 69, 97 and 93 octets of record.
    assert_eq!(message.len(), 16 + 5 * 4 + 58 + 73 + 69 + 97 + 93);
    let only_ip4 = Profile::Rfc.templates(RecordSet::all(), Families::IP4);
    let [non_ip, ..] = sample::one_of_each_shape();
    let refused = bench.exporter.with_output(id, 0, &mut bench.out, |o| o.flow(&only_ip4, &non_ip));
    assert_eq!(refused, Ok(Err(OutputError::NoTemplate)));
}
