//! What was in messages that were not sent: flow records, and the packets and octets that they told of.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::exporting::NotSent;
use crate::ipfix::{
    elements::ElementId,
    engine::ExporterId,
    export::Exporter,
    template::{Template, TemplateId},
};

/// Octets of a message header and of a set header.
const MESSAGE_HEADER: usize = 16;
const SET_HEADER: usize = 4;

const PACKETS: ElementId = ElementId::iana(2);
const OCTETS: ElementId = ElementId::iana(1);
/// Of records of drops, which may have these instead.
const DROPPED_PACKETS: ElementId = ElementId::iana(133);
const DROPPED_OCTETS: ElementId = ElementId::iana(132);

/// Messages that exporters did not send, until somebody reads them, and what was in those before. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Lost(Rc<RefCell<BTreeMap<ExporterId, State>>>);

#[derive(Default)]
struct State {
    messages: Vec<Box<[u8]>>,
    total: NotSent,
}

impl Lost {
    /// Keeps a message until the pass is over: its templates are the exporter's, which is busy.
    pub(super) fn keep(&self, id: ExporterId, message: &[u8]) {
        self.0.borrow_mut().entry(id).or_default().messages.push(message.into());
    }

    /// Counts what is in the messages that were kept.
    pub(super) fn settle(&self, id: ExporterId, exporter: &Exporter) {
        let mut all = self.0.borrow_mut();
        let Some(State { messages, total }) = all.get_mut(&id) else { return };
        for message in messages.drain(..) {
            *total += content(&message, |domain, set| template(exporter, domain, set));
        }
    }

    pub(super) fn total(&self, id: ExporterId) -> NotSent {
        self.0.borrow().get(&id).map_or(NotSent::default(), |state| state.total)
    }

    /// The exporter is gone.
    pub(super) fn forget(&self, id: ExporterId) {
        self.0.borrow_mut().remove(&id);
    }
}

/// The template of a set of flow records.
fn template(exporter: &Exporter, domain: u32, set: TemplateId) -> Option<&Template> {
    let mut of_domain = exporter.reports().filter(|report| report.stream.domain == domain);
    of_domain.find_map(|report| report.templates.iter().find(|t| t.id() == set))
}

/// What a message tells of flows, read as far as it can be.
fn content<'t>(
    message: &[u8],
    template: impl Fn(u32, TemplateId) -> Option<&'t Template>,
) -> NotSent {
    let mut sum = NotSent::default();
    let domain = number(message.get(12..MESSAGE_HEADER)) as u32;
    let mut sets = message.get(MESSAGE_HEADER..).unwrap_or_default();
    while let Some((header, _)) = sets.split_first_chunk::<SET_HEADER>() {
        let [a, b, c, d] = *header;
        let len = usize::from(u16::from_be_bytes([c, d])).clamp(SET_HEADER, sets.len());
        let (set, rest) = sets.split_at(len);
        sets = rest;
        let id = TemplateId::new(u16::from_be_bytes([a, b]));
        if let Some(template) = id.and_then(|id| template(domain, id))
            && !template.is_options()
        {
            add_records(&set[SET_HEADER..], template, &mut sum);
        }
    }
    sum
}

fn add_records(mut records: &[u8], template: &Template, sum: &mut NotSent) {
    // What is shorter than any record is padding.
    while records.len() >= template.min_record_len() {
        let mut one = NotSent { flows: 1, ..NotSent::default() };
        for field in template.fields() {
            let Some((value, rest)) = split(records, field.length) else { return };
            match field.element {
                PACKETS | DROPPED_PACKETS => one.packets = number(Some(value)),
                OCTETS | DROPPED_OCTETS => one.octets = number(Some(value)),
                _ => (),
            }
            records = rest;
        }
        *sum += one;
    }
}

/// A field, and what is behind it.
fn split(records: &[u8], length: u16) -> Option<(&[u8], &[u8])> {
    if length != u16::MAX {
        return records.split_at_checked(length.into());
    }
    let (&short, rest) = records.split_first()?;
    if short < u8::MAX {
        return rest.split_at_checked(short.into());
    }
    let (long, rest) = rest.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*long).into())
}

/// A number of up to 8 octets.
fn number(octets: Option<&[u8]>) -> u64 {
    octets.unwrap_or_default().iter().fold(0, |number, &octet| number << 8 | u64::from(octet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfix::{
        message::MessageBuilder,
        template::{FieldSpecifier, VARIABLE_LENGTH},
    };

    #[test]
    fn flows_packets_and_octets_of_a_lost_message_are_counted_and_nothing_else_is() {
        let fields = [
            FieldSpecifier::iana("interfaceName", VARIABLE_LENGTH),
            FieldSpecifier::iana("packetDeltaCount", 8),
            FieldSpecifier::iana("octetDeltaCount", 4),
        ];
        let flows = Template::new(TemplateId::FIRST, 0, fields).unwrap();
        let options = Template::new(TemplateId::from_ordinal(1), 1, fields).unwrap();
        let mut room = [0; 400];
        let mut builder = MessageBuilder::new(&mut room);
        builder.template(&flows).unwrap();
        for template in [&flows, &options, &flows] {
            let record = builder.record(template.id(), 16).unwrap();
            record.copy_from_slice(&[3, b'p', b'g', b'0', 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 5, 220]);
        }
        let len = builder.finish().len();
        let of = |message| {
            content(message, |_, id| [&flows, &options].into_iter().find(|t| t.id() == id))
        };
        assert_eq!(of(&room[..len]), NotSent { flows: 2, packets: 4, octets: 3000 });
        assert_eq!(of(&room[..len - 1]), NotSent { flows: 1, packets: 2, octets: 1500 });
        assert_eq!(of(&[]), NotSent::default());
    }
}
