//! The IPFIX decoder and its JSON.

use std::sync::Arc;

use serde_json::{Map, Value};
use vnet::ipfix::{
    decode::{Decoder, Event, MAX_SESSION_FIELDS, Record, SessionKind},
    json,
};

use super::input::Input;

/// Octets of JSON that one octet of a record can ask for: two fields, each with its name and a time or a few brackets.
const JSON_PER_OCTET: usize = 256;

/// Counters tell what happened, records lie within their message, and each makes one line of sound JSON, of bounded length, with
/// every name once. The same messages say the same again.
///
/// The first byte says how the session came (bit 0: as a stream) and where messages end (bit 1: at a length of two bytes
/// before each, otherwise where their own header says).
pub fn ipfix(data: &[u8]) {
    let mut input = Input::new(data);
    let mode = input.byte();
    let kind = if mode & 1 == 0 { SessionKind::Datagrams } else { SessionKind::Stream };
    let mut messages = Vec::new();
    while !input.is_empty() {
        let length = match input.rest() {
            _ if mode & 2 != 0 => input.short(),
            [_, _, high, low, ..] => u16::from_be_bytes([*high, *low]).max(16),
            rest => rest.len() as u16,
        };
        messages.push(input.piece(length.into()));
    }
    assert_eq!(session(kind, &messages), session(kind, &messages));
}

/// What the sink of a session has seen.
#[derive(Debug, Default, PartialEq)]
struct Told {
    json: Vec<u8>,
    records: u64,
    unknown_sets: u64,
    templates: u64,
    malformed: u64,
    errors: Vec<String>,
}

fn session(kind: SessionKind, messages: &[&[u8]]) -> Told {
    let mut decoder = Decoder::new(kind, Arc::default());
    let mut told = Told::default();
    for message in messages {
        let mut sequences = 0;
        let result = decoder.decode(message, &mut |header, event| {
            assert!(usize::from(header.length.get()) <= message.len());
            assert_eq!(sequences, 0, "the sequence number is told last");
            match event {
                Event::Record(record) => told.record(&record),
                Event::UnknownTemplate(_, octets) => {
                    assert!(octets <= message.len());
                    told.unknown_sets += 1;
                }
                Event::Template(template) => {
                    assert!(template.fields().len() <= MAX_SESSION_FIELDS);
                    assert!(template.min_record_len() > 0);
                    told.templates += 1;
                }
                Event::Withdrawn(_) => assert_eq!(kind, SessionKind::Stream),
                Event::Sequence(_) => sequences += 1,
            }
        });
        if let Err(error) = result {
            assert!(error.offset <= message.len(), "{error} of {}", message.len());
            told.malformed += 1;
            told.errors.push(error.to_string());
        }
    }
    let counters = decoder.counters();
    assert_eq!(counters.records, told.records);
    assert_eq!(counters.unknown_sets, told.unknown_sets);
    assert_eq!(counters.malformed, told.malformed);
    assert!(counters.templates >= told.templates);
    assert!(counters.messages <= messages.len() as u64);
    told
}

impl Told {
    fn record(&mut self, record: &Record<'_>) {
        self.records += 1;
        let fields = record.template().fields();
        let octets: usize = record.fields().map(|field| field.octets.len()).sum();
        assert!(octets <= record.octets().len());
        assert_eq!(record.fields().count(), fields.len(), "a field is missing");

        let start = self.json.len();
        json::write_record(&mut self.json, record);
        let line = &self.json[start..];
        assert!(!line.contains(&b'\n'));
        assert!(line.len() <= JSON_PER_OCTET * record.octets().len(), "{} octets", line.len());
        let object: Map<String, Value> = serde_json::from_slice(line).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(line));
        });
        let mut names: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(object.len(), names.len(), "{}", String::from_utf8_lossy(line));
    }
}
