//! Flow records, exported and decoded again.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::sample;
use crate::{
    flow::FlowRecord,
    interface::SwIfIndex,
    ipfix::{
        decode::{Decoder, Event, SessionKind},
        export::{
            Exporter, ExporterRequest, FlowReport, ReportKey, SendError, Session, StreamKey,
            Transport,
        },
        json,
        profile::{Families, FlowTemplates, Profile, RecordSet},
        time::Precision,
    },
    runtime::EngineTime,
};

/// A wire that keeps the messages.
#[derive(Default)]
pub(in crate::ipfix) struct Wire(pub(in crate::ipfix) Vec<(Session, Vec<u8>)>);

impl Transport for Wire {
    fn send(&mut self, session: &Session, message: &[u8]) -> Result<(), SendError> {
        self.0.push((*session, message.to_vec()));
        Ok(())
    }
}

/// What an exporter sends for these records: templates, then data, in packets of at most `path_mtu` octets.
pub(in crate::ipfix) fn export(
    records: &[FlowRecord],
    set: RecordSet,
    request: ExporterRequest,
) -> Wire {
    export_as(&Profile::Rfc.templates(set, Families::all()), records, request)
}

/// The same, written by these templates.
pub(in crate::ipfix) fn export_as(
    templates: &FlowTemplates,
    records: &[FlowRecord],
    request: ExporterRequest,
) -> Wire {
    let mut wire = Wire::default();
    let mut exporter = Exporter::new();
    exporter.configure(request.check(|_| None).unwrap().into(), 0, &mut wire);
    let report = Box::new(FlowReport::new(templates.clone()));
    let key = ReportKey { name: "roundtrip", opaque: 0 };
    let stream = StreamKey { domain: 1, source_port: 4739 };
    let id = exporter.add_report(key, stream, report).unwrap();
    exporter.run(EngineTime(0), 1_700_000_000, &mut wire);
    exporter
        .with_output(id, 1_700_000_001, &mut wire, |output| {
            for record in records {
                output.flow(templates, record).unwrap();
            }
            output.flush();
        })
        .unwrap();
    assert_eq!(exporter.counters().records, records.len() as u64);
    wire
}

pub(in crate::ipfix) fn request(path_mtu: u32) -> ExporterRequest {
    ExporterRequest {
        collector: "192.0.2.9".parse().unwrap(),
        source: "192.0.2.1".parse().unwrap(),
        path_mtu,
        ..ExporterRequest::NOTHING
    }
}

fn object(line: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(line).unwrap()
}

/// What the direct JSON of a record must be after the wire, which has milliseconds and says 0 for what is not known.
fn expected(record: &FlowRecord, set: RecordSet) -> Map<String, Value> {
    let known = |interface| if interface == SwIfIndex::NONE { SwIfIndex(0) } else { interface };
    let on_wire = FlowRecord {
        ingress: known(record.ingress),
        egress: known(record.egress),
        vlan: Some(record.vlan.unwrap_or(0)),
        ..*record
    };
    let mut line = Vec::new();
    json::write_flow(&mut line, &on_wire, set, Precision::Milliseconds);
    object(&line)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Both JSON forms of a record, the direct one and that of the decoded record, agree in every key and value.
    #[test]
    fn every_record_survives_the_wire(
        records in prop::collection::vec(sample::records(), 1..60),
        set in 0_u8..8,
        mtu in 250_u32..=1450,
    ) {
        let set = RecordSet::from_bits_truncate(set);
        let wire = export(&records, set, request(mtu));
        let mut decoder = Decoder::new(SessionKind::Datagrams, Arc::default());
        let mut decoded = Vec::new();
        for (session, message) in &wire.0 {
            prop_assert!(message.len() <= session.exporter.message_limit());
            let mut complaints = Vec::new();
            let sink = &mut |_: &_, event: Event<'_>| match event {
                Event::Record(record) => {
                    let mut line = Vec::new();
                    json::write_record(&mut line, &record);
                    decoded.push(object(&line));
                }
                Event::Template(_) => {}
                other => complaints.push(format!("{other:?}")),
            };
            decoder.decode(message, sink).unwrap();
            prop_assert!(complaints.is_empty(), "{:?}", complaints);
        }
        let expected: Vec<_> = records.iter().map(|r| expected(r, set)).collect();
        prop_assert_eq!(decoded, expected);
    }
}
