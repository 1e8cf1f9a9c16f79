//! The decoder on messages of all kinds, sound and broken.

use std::sync::Arc;

use proptest::prelude::*;

use super::sample;
use crate::ipfix::{
    decode::{DecodeError, Decoder, Event, MAX_DOMAINS, Problem, SequenceEvent, SessionKind},
    elements::{DataType, ElementId, Registry},
    json, message,
    message::MessageBuilder,
    profile::{Families, Profile, RecordSet},
    template::{FieldSpecifier, Template, TemplateError, TemplateId},
};

/// A message: sets given as (id, content).
fn message(sets: &[(u16, &[u8])]) -> Vec<u8> {
    let mut octets = vec![0; 16];
    for (id, content) in sets {
        octets.extend(id.to_be_bytes());
        octets.extend((content.len() as u16 + 4).to_be_bytes());
        octets.extend(*content);
    }
    message::stamp(&mut octets, 1, 0, 1);
    octets
}

/// JSON of the records, and how decoding ended.
fn decode_with(decoder: &mut Decoder, message: &[u8]) -> (Vec<String>, Result<(), DecodeError>) {
    let mut records = Vec::new();
    let sink = &mut |_: &_, event: Event<'_>| {
        if let Event::Record(record) = event {
            let mut line = Vec::new();
            json::write_record(&mut line, &record);
            records.push(String::from_utf8(line).unwrap());
        }
    };
    let end = decoder.decode(message, sink).map(|_| ());
    (records, end)
}

fn udp() -> Decoder {
    Decoder::new(SessionKind::Datagrams, Arc::default())
}

fn decode(message: &[u8]) -> (Vec<String>, Result<(), DecodeError>) {
    decode_with(&mut udp(), message)
}

/// The only record of a message with one template.
fn record(fields: &[u8], count: u8, data: &[u8]) -> String {
    let template = [&[1, 0, 0, count], fields].concat();
    let (records, end) = decode(&message(&[(2, &template), (256, data)]));
    assert_eq!((records.len(), end), (1, Ok(())));
    records.into_iter().next().unwrap()
}

/// protocolIdentifier, twice.
const PROTOCOLS: &[u8] = &[1, 0, 0, 2, 0, 4, 0, 1, 0, 4, 0, 1];

#[test]
fn values_of_every_type_have_their_json_form() {
    let fields = [
        0, 4, 0, 1, 0, 1, 0, 5, 0, 56, 0, 6, 0, 27, 0, 16, 1, 20, 0, 1, 0, 82, 0, 8, 0, 150, 0, 4,
        0, 152, 0, 8, 0, 154, 0, 8, 0, 156, 0, 8, 1, 178, 0, 4, 1, 64, 0, 8, 1, 57, 0, 3,
    ];
    let data = [
        &[6, 1, 0, 0, 0, 0][..],
        &[0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff],
        &[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        &[1],
        b"e\"h\\0\0\0\0",
        &1_600_000_000_u32.to_be_bytes(),
        &1_600_000_000_007_u64.to_be_bytes(),
        &[0xe3, 0x08, 0x8e, 0x80, 0x80, 0, 0, 0],
        &[0xe3, 0x08, 0x8e, 0x80, 0x80, 0, 0, 0],
        &(-5_i32).to_be_bytes(),
        &0.5_f64.to_be_bytes(),
        &[0xca, 0xfe, 0],
    ]
    .concat();
    assert_eq!(
        record(&fields, 13, &data),
        concat!(
            r#"{"protocolIdentifier":6,"octetDeltaCount":4294967296,"#,
            r#""sourceMacAddress":"aa:bb:cc:dd:ee:ff","sourceIPv6Address":"2001:db8::1","#,
            r#""dataRecordsReliability":true,"interfaceName":"e\"h\\0","#,
            r#""flowStartSeconds":"2020-09-13T12:26:40Z","#,
            r#""flowStartMilliseconds":"2020-09-13T12:26:40.007Z","#,
            r#""flowStartMicroseconds":"2020-09-13T12:26:40.500000Z","#,
            r#""flowStartNanoseconds":"2020-09-13T12:26:40.500000000Z","#,
            r#""mibObjectValueInteger":-5,"absoluteError":0.5,"ipHeaderPacketSection":"cafe00"}"#
        )
    );
}

#[test]
fn a_name_that_occurs_twice_has_an_array() {
    let fields = [0, 4, 0, 1, 0, 70, 0, 3, 0, 4, 0, 1, 0, 4, 0, 1];
    let json = record(&fields, 4, &[1, 0xa, 0xb, 0xc, 2, 3]);
    assert_eq!(json, r#"{"protocolIdentifier":[1,2,3],"mplsTopLabelStackSection":"0a0b0c"}"#);
}

#[test]
fn registered_and_reverse_elements_have_names() {
    let mut registry = Registry::new();
    let id = ElementId { enterprise: 32473, id: 1 };
    registry.register(id, "riderName", DataType::String).unwrap();
    let mut decoder = Decoder::new(SessionKind::Datagrams, Arc::new(registry));
    let template =
        [1, 0, 0, 2, 0x80, 1, 0xff, 0xff, 0, 0, 0x7e, 0xd9, 0x80, 1, 0, 2, 0, 0, 0x72, 0x79];
    let octets = message(&[(2, &template), (256, &[3, b'a', b'b', b'c', 1, 2])]);
    let (records, _) = decode_with(&mut decoder, &octets);
    assert_eq!(records, [r#"{"riderName":"abc","reverseOctetDeltaCount":258}"#]);
}

/// RFC 6313: the three kinds of lists, nested, and lists that make no sense.
#[test]
fn structured_data_is_looked_into() {
    let basic = [0x1, 0x23, 0xff, 0xff];
    let list = [8, 3, 0, 4, 0, 1, 6, 17, 58];
    let json = record(&basic, 1, &list);
    assert_eq!(json, r#"{"basicList":{"semantic":"allOf","protocolIdentifier":[6,17,58]}}"#);
    let nested = [&[15, 4, 1, 0x23, 0xff, 0xff][..], &[9], &[8, 3, 0, 4, 0, 1, 6, 17, 58]].concat();
    assert!(record(&basic, 1, &nested).contains(r#""basicList":["0803"#));

    let templates =
        [PROTOCOLS, &[1, 1, 0, 1, 1, 0x24, 0xff, 0xff], &[1, 2, 0, 1, 1, 0x25, 0xff, 0xff]];
    let sub = [7, 255, 1, 0, 1, 2, 3, 4];
    let multi = [15, 4, 1, 0, 0, 6, 9, 9, 1, 1, 0, 8, 3, 4, 1, 0];
    let octets = message(&[(2, &templates.concat()), (257, &sub), (258, &multi)]);
    let (records, end) = decode(&octets);
    assert_eq!(end, Ok(()));
    let protocols = |a, b| format!("{{\"protocolIdentifier\":[{a},{b}]}}");
    assert_eq!(
        records,
        [
            format!(
                "{{\"subTemplateList\":{{\"semantic\":\"undefined\",\"records\":[{},{}]}}}}",
                protocols(1, 2),
                protocols(3, 4)
            ),
            format!(
                "{{\"subTemplateMultiList\":{{\"semantic\":\"ordered\",\"records\":[{},{}]}}}}",
                protocols(9, 9),
                "{\"subTemplateList\":{\"semantic\":\"ordered\",\"records\":[]}}"
            ),
        ]
    );
    let unknown = [7, 255, 9, 9, 1, 2, 3, 4];
    let (records, _) = decode(&message(&[(2, templates[1]), (257, &unknown)]));
    assert_eq!(records, [r#"{"subTemplateList":"ff090901020304"}"#]);
}

#[test]
fn lists_within_lists_end_at_a_depth() {
    let mut list = vec![3, 0, 4, 0, 1, 6];
    for _ in 0..200 {
        let len = list.len() as u16;
        list = [&[3, 1, 0x23, 0xff, 0xff, 255], &len.to_be_bytes()[..], &list].concat();
    }
    let data = [&[255], &(list.len() as u16).to_be_bytes()[..], &list].concat();
    let json = record(&[1, 0x23, 0xff, 0xff], 1, &data);
    assert_eq!(json.matches("semantic").count(), 8);
}

#[test]
fn problems_are_told_with_their_place_and_the_rest_is_kept() {
    let data = (256, &[1, 2, 3, 4][..]);
    for (sets, offset, problem, kept) in [
        (vec![(2, PROTOCOLS), (7, &[][..]), data], 32, Problem::SetId(7), 2),
        (
            vec![(2, &[0, 9, 0, 1, 0, 4, 0, 1][..]), (2, PROTOCOLS), data],
            20,
            Problem::TemplateId(9),
            2,
        ),
        (
            vec![(2, PROTOCOLS), (2, &[1, 1, 0, 2, 0, 4, 0, 1][..]), data],
            36,
            Problem::TemplateTruncated { id: 257, fields: 2 },
            2,
        ),
        (
            vec![(2, &[&[1, 1, 0, 1, 0, 4, 0, 0], PROTOCOLS].concat()[..]), data],
            20,
            Problem::Template { id: 257, error: TemplateError::Empty },
            2,
        ),
        (
            vec![(3, &[1, 1, 0, 1, 0, 0, 0, 4, 0, 1][..]), (2, PROTOCOLS), data],
            24,
            Problem::NoScope(257),
            2,
        ),
        (vec![(2, PROTOCOLS), (2, &[1, 0, 0, 0][..]), data], 36, Problem::Withdrawal(256), 2),
        (
            vec![(2, &[1, 0, 0, 1, 0, 82, 0xff, 0xff][..]), (256, &[1, b'x', 9, b'y'][..])],
            34,
            Problem::FieldLength { template: 256, element: ElementId::iana(82), len: 10, left: 2 },
            1,
        ),
    ] {
        let (records, end) = decode(&message(&sets));
        assert_eq!(end, Err(DecodeError { offset, problem }), "{problem}");
        assert_eq!(records.len(), kept, "{problem}");
    }
}

#[test]
fn broken_framing_is_told_with_its_place() {
    let sound = message(&[(2, PROTOCOLS), (256, &[1, 2, 3, 4])]);
    let patched = |at: usize, octet: u8| {
        let mut octets = sound.clone();
        octets[at] = octet;
        decode(&octets)
    };
    let left = sound.len() - 32;
    for (at, octet, offset, problem) in [
        (1, 9, 0, Problem::Version(9)),
        (3, 200, 2, Problem::MessageLength { claimed: 200, received: sound.len() }),
        (3, 15, 2, Problem::MessageLength { claimed: 15, received: sound.len() }),
        (35, 9, 34, Problem::SetLength { claimed: 9, left }),
        (35, 3, 34, Problem::SetLength { claimed: 3, left }),
        (3, 34, 32, Problem::SetHeader(2)),
    ] {
        assert_eq!(patched(at, octet).1, Err(DecodeError { offset, problem }), "{problem}");
    }
    let (records, end) = decode(&[&sound[..], &[1, 2, 3]].concat());
    assert_eq!(records.len(), 2);
    let problem = Problem::Trailing(3);
    assert_eq!(end, Err(DecodeError { offset: sound.len(), problem }));
    let text = decode(&sound[..7]).1.unwrap_err().to_string();
    assert_eq!(text, "octet 0: message of 7 octets, expected a header of 16");
}

#[test]
fn padding_is_skipped() {
    let padded_template = [PROTOCOLS, &[0, 0, 0, 0]].concat();
    let (records, end) =
        decode(&message(&[(2, &padded_template), (256, &[1, 2, 0]), (256, &[3, 4])]));
    assert_eq!((records.len(), end), (2, Ok(())));
}

#[test]
fn templates_belong_to_their_domain_and_may_change() {
    let mut decoder = udp();
    decode_with(&mut decoder, &message(&[(2, PROTOCOLS)])).1.unwrap();
    let mut other_domain = message(&[(256, &[1, 2])]);
    other_domain[15] = 2;
    assert_eq!(decode_with(&mut decoder, &other_domain), (vec![], Ok(())));
    assert_eq!(decoder.counters().unknown_sets, 1);
    let changed = message(&[(2, &[1, 0, 0, 1, 0, 7, 0, 2]), (256, &[1, 2])]);
    assert_eq!(decode_with(&mut decoder, &changed).0, [r#"{"sourceTransportPort":258}"#]);
}

#[test]
fn template_memory_is_bounded() {
    let mut decoder = udp();
    let mut refused = None;
    for id in 256..1000_u16 {
        let fields = [0, 4, 0, 1].repeat(1000);
        let template = [&id.to_be_bytes()[..], &1000_u16.to_be_bytes(), &fields].concat();
        if let Err(error) = decode_with(&mut decoder, &message(&[(2, &template)])).1 {
            refused.get_or_insert((id, error.problem));
        }
    }
    let problem = Problem::TooManyFields { id: 272, fields: 1000, left: 384 };
    assert_eq!(refused, Some((272, problem)));
    // What is there can still be replaced.
    decode_with(&mut decoder, &message(&[(2, PROTOCOLS)])).1.unwrap();

    let mut decoder = udp();
    for domain in 0..=MAX_DOMAINS as u32 {
        let mut octets = message(&[]);
        octets[12..].copy_from_slice(&domain.to_be_bytes());
        let (_, end) = decode_with(&mut decoder, &octets);
        assert_eq!(end.is_err(), domain == MAX_DOMAINS as u32);
    }
}

#[test]
fn sequence_numbers_are_checked_by_domain() {
    let mut decoder = udp();
    let mut events = Vec::new();
    let mut send = |sequence: u32, domain: u32| {
        let mut octets = message(&[(2, PROTOCOLS), (256, &[1, 2, 3, 4])]);
        message::stamp(&mut octets, 1, sequence, domain);
        let sink = &mut |header: &message::Header, event: Event<'_>| {
            if let Event::Sequence(event) = event {
                events.push((header.domain.get(), event));
            }
        };
        decoder.decode(&octets, sink).unwrap();
    };
    for (sequence, domain) in [(0, 1), (100, 2), (2, 1), (102, 2), (8, 1), (4, 1), (102, 2)] {
        send(sequence, domain);
    }
    assert_eq!(
        events,
        [(1, SequenceEvent::Lost(4)), (1, SequenceEvent::Late), (2, SequenceEvent::Duplicate)]
    );
    let lost: u64 = decoder.sequences().map(|(_, sums)| sums.lost).sum();
    assert_eq!(lost, 2);
}

/// A sound message with everything in it, to be broken.
fn rich_message() -> Vec<u8> {
    let templates = Profile::Rfc.templates(RecordSet::all(), Families::all());
    let mut room = vec![0; 3000];
    let mut builder = MessageBuilder::new(&mut room);
    let id = |n| TemplateId::from_ordinal(n);
    for (n, encoder) in (0..).zip(templates.encoders()) {
        builder.template(&Template::new(id(n), 0, encoder.fields()).unwrap()).unwrap();
    }
    let lists = ["basicList", "subTemplateList", "subTemplateMultiList", "interfaceName"];
    let lists = lists.map(|name| FieldSpecifier::iana(name, u16::MAX));
    builder.template(&Template::new(id(10), 1, lists).unwrap()).unwrap();
    for record in sample::one_of_each_shape() {
        let (slot, encoder) = templates.select(&record).unwrap();
        let len = encoder.record_len();
        encoder.encode(&record, builder.record(id(slot.index() as u16), len).unwrap());
    }
    let list = [
        &[8, 3, 0, 4, 0, 1, 6, 17, 58][..],
        &[4, 4, 1, 10, 0],
        &[6, 4, 1, 10, 0, 5, 0],
        &[255, 0, 3, b'e', b't', b'h'],
    ]
    .concat();
    builder.record(id(10), list.len()).unwrap().copy_from_slice(&list);
    let draft = builder.finish();
    room.truncate(draft.len());
    message::stamp(&mut room, 1, 0, 1);
    room
}

#[test]
fn truncation_at_any_octet_is_survived() {
    let sound = rich_message();
    assert_eq!(decode(&sound).0.len(), 6);
    for len in 0..sound.len() {
        assert!(decode(&sound[..len]).1.is_err());
        let mut relabelled = sound[..len].to_vec();
        if len >= 16 {
            message::stamp(&mut relabelled, 1, 0, 1);
        }
        let _ = decode(&relabelled);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut decoder = udp();
        let _ = decode_with(&mut decoder, &octets);
        let mut headed = [&[0; 16], &octets[..]].concat();
        message::stamp(&mut headed, 1, 0, 1);
        let _ = decode_with(&mut decoder, &rich_message());
        let _ = decode_with(&mut decoder, &headed);
    }

    #[test]
    fn flipped_octets_are_survived(
        flips in prop::collection::vec((16_usize..1000, any::<u8>()), 1..8),
        stream in any::<bool>(),
    ) {
        let mut octets = rich_message();
        let len = octets.len();
        for (at, octet) in flips {
            octets[at % len] = octet;
        }
        let kind = if stream { SessionKind::Stream } else { SessionKind::Datagrams };
        let mut decoder = Decoder::new(kind, Arc::default());
        let _ = decode_with(&mut decoder, &octets);
        let (lines, _) = decode_with(&mut decoder, &rich_message());
        for line in lines {
            serde_json::from_str::<serde_json::Value>(&line).unwrap();
        }
    }
}
