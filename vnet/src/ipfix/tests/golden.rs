//! The examples of RFC 7011 appendix A, octet by octet, both ways.

use std::sync::Arc;

use crate::ipfix::{
    decode::{Decoder, Event, SessionKind, Value},
    elements::ElementId,
    json,
    message::{self, MessageBuilder},
    template::{FieldSpecifier, Template, TemplateId, VARIABLE_LENGTH},
};

/// The RFC writes "Private Enterprise Number" without giving one; this is the one for examples (RFC 5612).
const PEN: u32 = 32473;

/// A.2.1: a template of IANA elements.
const TEMPLATE: &[u8] =
    &[0, 2, 0, 28, 1, 0, 0, 5, 0, 8, 0, 4, 0, 12, 0, 4, 0, 15, 0, 4, 0, 2, 0, 4, 0, 1, 0, 4];
/// A.2.2: one with an enterprise's element.
const ENTERPRISE_TEMPLATE: &[u8] = &[
    0, 2, 0, 32, 1, 1, 0, 5, 0, 8, 0, 4, 0, 12, 0, 4, 0x80, 15, 0, 4, 0, 0, 0x7e, 0xd9, 0, 2, 0, 4,
    0, 1, 0, 4,
];
/// A.3: three records of template 256.
const DATA: &[u8] = &[
    1, 0, 0, 64, //
    192, 0, 2, 12, 192, 0, 2, 254, 192, 0, 2, 1, 0, 0, 0x13, 0x91, 0, 0x51, 0x8c, 0x81, //
    192, 0, 2, 27, 192, 0, 2, 23, 192, 0, 2, 2, 0, 0, 2, 0xec, 0, 5, 0xef, 0x46, //
    192, 0, 2, 56, 192, 0, 2, 65, 192, 0, 2, 3, 0, 0, 0, 5, 0, 0, 0x19, 0x86,
];
/// A.4.1: an options template, without the padding that the RFC adds.
const OPTIONS: &[u8] = &[0, 3, 0, 22, 1, 2, 0, 3, 0, 1, 0, 141, 0, 4, 0, 41, 0, 2, 0, 42, 0, 2];
/// A.4.4: two records of it.
const OPTIONS_DATA: &[u8] =
    &[1, 2, 0, 20, 0, 0, 0, 1, 1, 0x59, 0x27, 0xd9, 0, 0, 0, 2, 2, 0xb2, 0x4f, 0xb2];

fn id(n: u16) -> TemplateId {
    TemplateId::new(n).unwrap()
}

fn iana(names: &[(&str, u16)]) -> Vec<FieldSpecifier> {
    names.iter().map(|(name, length)| FieldSpecifier::iana(name, *length)).collect()
}

/// A message of these sets.
fn with_header(sets: &[&[u8]]) -> Vec<u8> {
    let mut message = [&[0; 16], sets.concat().as_slice()].concat();
    message::stamp(&mut message, 1_600_000_000, 0, 1);
    message
}

/// Everything the messages tell, records as JSON.
fn told(messages: &[Vec<u8>]) -> Vec<String> {
    let mut decoder = Decoder::new(SessionKind::Stream, Arc::default());
    let mut told = Vec::new();
    for message in messages {
        let sink = &mut |_: &_, event: Event<'_>| {
            told.push(match event {
                Event::Record(record) => {
                    let mut line = Vec::new();
                    json::write_record(&mut line, &record);
                    String::from_utf8(line).unwrap()
                }
                Event::Template(known) => format!("template {}", known.template().id()),
                other => format!("{other:?}"),
            });
        };
        decoder.decode(message, sink).unwrap();
    }
    told
}

#[test]
fn templates_are_written_as_the_rfc_shows_them() {
    let mut fields = iana(&[
        ("sourceIPv4Address", 4),
        ("destinationIPv4Address", 4),
        ("ipNextHopIPv4Address", 4),
        ("packetDeltaCount", 4),
        ("octetDeltaCount", 4),
    ]);
    let plain = Template::new(id(256), 0, fields.clone()).unwrap();
    fields[2].element = ElementId { enterprise: PEN, id: 15 };
    let enterprise = Template::new(id(257), 0, fields).unwrap();
    let options = iana(&[
        ("lineCardId", 4),
        ("exportedMessageTotalCount", 2),
        ("exportedFlowRecordTotalCount", 2),
    ]);
    let options = Template::new(id(258), 1, options).unwrap();
    for (template, golden) in
        [(plain, TEMPLATE), (enterprise, ENTERPRISE_TEMPLATE), (options, OPTIONS)]
    {
        let mut room = [0xff; 100];
        let mut builder = MessageBuilder::new(&mut room);
        builder.template(&template).unwrap();
        let draft = builder.finish();
        assert_eq!(&room[16..draft.len()], golden);
    }
}

#[test]
fn the_examples_are_read_as_the_rfc_explains_them() {
    let padded = [&[0, 3, 0, 24], &OPTIONS[4..], &[0, 0]].concat();
    let message = with_header(&[TEMPLATE, DATA, &padded, OPTIONS_DATA]);
    assert_eq!(
        told(&[message]),
        [
            "template 256",
            r#"{"sourceIPv4Address":"192.0.2.12","destinationIPv4Address":"192.0.2.254","ipNextHopIPv4Address":"192.0.2.1","packetDeltaCount":5009,"octetDeltaCount":5344385}"#,
            r#"{"sourceIPv4Address":"192.0.2.27","destinationIPv4Address":"192.0.2.23","ipNextHopIPv4Address":"192.0.2.2","packetDeltaCount":748,"octetDeltaCount":388934}"#,
            r#"{"sourceIPv4Address":"192.0.2.56","destinationIPv4Address":"192.0.2.65","ipNextHopIPv4Address":"192.0.2.3","packetDeltaCount":5,"octetDeltaCount":6534}"#,
            "template 258",
            r#"{"lineCardId":1,"exportedMessageTotalCount":345,"exportedFlowRecordTotalCount":10201}"#,
            r#"{"lineCardId":2,"exportedMessageTotalCount":690,"exportedFlowRecordTotalCount":20402}"#,
        ]
    );
}

#[test]
fn enterprise_elements_are_named_by_number() {
    let data = [&[1, 1, 0, 24], &DATA[4..24]].concat();
    assert_eq!(
        told(&[with_header(&[ENTERPRISE_TEMPLATE, &data])])[1],
        r#"{"sourceIPv4Address":"192.0.2.12","destinationIPv4Address":"192.0.2.254","32473/15":"c0000201","packetDeltaCount":5009,"octetDeltaCount":5344385}"#
    );
}

/// A.5: five octets behind one length octet, a thousand behind three.
#[test]
fn variable_lengths_have_one_or_three_octets() {
    let template = [0, 2, 0, 12, 1, 0, 0, 1, 0, 94, 0xff, 0xff];
    let long = "y".repeat(1000);
    let data =
        [&[1, 0, 3, 245][..], &[5], b"xxxxx", &[255, 3, 232], long.as_bytes(), &[255, 0, 2], b"zz"]
            .concat();
    let data = [&[1, 0], &(data.len() as u16).to_be_bytes()[..], &data[4..]].concat();
    let mut decoder = Decoder::new(SessionKind::Stream, Arc::default());
    let mut texts = Vec::new();
    let sink = &mut |_: &_, event: Event<'_>| {
        if let Event::Record(record) = event {
            let field = record.fields().next().unwrap();
            assert_eq!(field.info.specifier.length, VARIABLE_LENGTH);
            let Value::String(text) = field.value() else { panic!() };
            texts.push(text.to_owned());
        }
    };
    decoder.decode(&with_header(&[&template, &data]), sink).unwrap();
    assert_eq!(texts, ["xxxxx", &long, "zz"]);
}

/// Sections 8.1 and A.4.
#[test]
fn templates_can_be_withdrawn_in_a_stream() {
    let withdrawal = [0, 2, 0, 8, 1, 0, 0, 0];
    let all_options = [0, 3, 0, 8, 0, 3, 0, 0];
    let first = with_header(&[TEMPLATE, OPTIONS, &withdrawal, DATA]);
    let second = with_header(&[OPTIONS_DATA, &all_options, OPTIONS_DATA]);
    assert_eq!(
        told(&[first, second])[2..],
        [
            "Withdrawn(Some(TemplateId(256)))",
            "UnknownTemplate(TemplateId(256), 60)",
            r#"{"lineCardId":1,"exportedMessageTotalCount":345,"exportedFlowRecordTotalCount":10201}"#,
            r#"{"lineCardId":2,"exportedMessageTotalCount":690,"exportedFlowRecordTotalCount":20402}"#,
            "Withdrawn(None)",
            "UnknownTemplate(TemplateId(258), 16)",
        ]
    );
}
