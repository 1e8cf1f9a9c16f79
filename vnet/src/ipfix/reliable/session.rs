//! A transport session: what the collector knows, what it has, and what it must get again. No input, no output, no clock.

use std::collections::{BTreeMap, VecDeque};

use zerocopy::FromBytes;

use super::Item;
use crate::ipfix::{
    message::{
        HEADER_LEN, Header, MessageBuilder, OPTIONS_TEMPLATE_SET, PackError, TEMPLATE_SET, stamp,
    },
    template::{Template, TemplateId},
};

/// Sessions with one collector, one after the other.
#[derive(Debug, Default)]
pub struct Session {
    /// What the collector must know for what it has not acknowledged yet: a new session begins with these.
    known: BTreeMap<(u32, TemplateId), Template>,
    /// Of the next message, by domain.
    sequences: BTreeMap<u32, u32>,
    /// Items written and not acknowledged, each with the octets of the session up to its end.
    in_flight: VecDeque<(u64, Item)>,
}

/// What the collector has acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Messages.
    pub messages: u64,
    /// Data records in them.
    pub records: u64,
    /// Octets of them.
    pub octets: u64,
}

impl core::ops::AddAssign for Delivered {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.records += other.records;
        self.octets += other.octets;
    }
}

impl Session {
    /// A session begins: these octets come first, messages with the templates that are needed.
    #[must_use]
    pub fn begin(&mut self, export_time: u32) -> Vec<u8> {
        self.sequences.clear();
        let mut octets = Vec::new();
        let domains: std::collections::BTreeSet<u32> =
            self.known.keys().map(|&(domain, _)| domain).collect();
        for domain in domains {
            let of_domain = self.known.range((domain, TemplateId::FIRST)..);
            let templates = of_domain.take_while(|((d, _), _)| *d == domain).map(|(_, t)| t);
            octets.extend(template_messages(templates, domain, export_time));
        }
        octets
    }

    /// The octets by which the collector gets `item`; empty where it needs none.
    #[must_use]
    pub fn write(&mut self, item: &mut Item, export_time: u32) -> Vec<u8> {
        match item {
            Item::Message { domain, advance, octets, keeps_time, .. } => {
                let sequence = self.sequences.entry(*domain).or_default();
                let own = export_time_of(octets).filter(|_| *keeps_time);
                stamp(octets, own.unwrap_or(export_time), *sequence, *domain);
                *sequence = sequence.wrapping_add(*advance);
                octets.to_vec()
            }
            Item::Template { domain, template } => {
                let place = (*domain, template.id());
                if self.known.insert(place, template.clone()).as_ref() == Some(template) {
                    return Vec::new();
                }
                let sequence = self.sequence(*domain);
                let mut octets = template_messages([&*template], *domain, export_time);
                restamp(&mut octets, export_time, sequence, *domain);
                octets
            }
            Item::Withdrawal { domain, template } => {
                withdrawal(template, export_time, self.sequence(*domain), *domain)
            }
        }
    }

    /// Notes that `item` was written, and ends `end` octets behind the beginning of the session.
    pub fn written(&mut self, item: Item, end: u64) {
        self.in_flight.push_back((end, item));
    }

    /// The collector has the first `octets` octets of the session.
    pub fn acknowledged(&mut self, octets: u64) -> Delivered {
        let mut delivered = Delivered::default();
        while self.in_flight.front().is_some_and(|(end, _)| *end <= octets)
            && let Some((_, item)) = self.in_flight.pop_front()
        {
            delivered += Delivered {
                messages: item.messages(),
                records: item.records(),
                octets: item.len() as u64,
            };
            // Until now a lost session would have needed it again.
            if let Item::Withdrawal { domain, template } = item {
                self.known.remove(&(domain, template.id()));
            }
        }
        delivered
    }

    /// The session is over: what the collector may not have got.
    pub fn end(&mut self) -> impl DoubleEndedIterator<Item = Item> {
        self.in_flight.drain(..).map(|(_, item)| item)
    }

    /// Messages that are written and not acknowledged.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.in_flight.iter().map(|(_, item)| item.messages()).sum()
    }

    /// Whether everything that was written is acknowledged.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.in_flight.is_empty()
    }

    fn sequence(&self, domain: u32) -> u32 {
        self.sequences.get(&domain).copied().unwrap_or(0)
    }
}

/// Messages with these templates, for the beginning of a session.
fn template_messages<'t>(
    templates: impl IntoIterator<Item = &'t Template>,
    domain: u32,
    export_time: u32,
) -> Vec<u8> {
    let mut messages = Vec::new();
    let mut room = vec![0; crate::ipfix::message::MAX_MESSAGE_LEN];
    let mut builder = MessageBuilder::new(&mut room);
    for template in templates {
        if builder.template(template) == Err(PackError::Full) {
            let draft = builder.finish();
            stamp(&mut room[..draft.len()], export_time, 0, domain);
            messages.extend_from_slice(&room[..draft.len()]);
            builder = MessageBuilder::new(&mut room);
            // It fits an empty message: a template is no longer than a set may be.
            let added = builder.template(template);
            debug_assert_eq!(added, Ok(()));
        }
    }
    let draft = builder.finish();
    if !draft.is_empty() {
        stamp(&mut room[..draft.len()], export_time, 0, domain);
        messages.extend_from_slice(&room[..draft.len()]);
    }
    messages
}

/// The export time of a message.
fn export_time_of(message: &[u8]) -> Option<u32> {
    let (header, _) = Header::ref_from_prefix(message).ok()?;
    Some(header.export_time.get())
}

/// Another sequence number for a message of one template.
fn restamp(message: &mut [u8], export_time: u32, sequence: u32, domain: u32) {
    if message.len() >= HEADER_LEN {
        stamp(message, export_time, sequence, domain);
    }
}

/// RFC 7011 section 8.1: a template record without fields, in a set of the template's kind.
fn withdrawal(template: &Template, export_time: u32, sequence: u32, domain: u32) -> Vec<u8> {
    let set = if template.is_options() { OPTIONS_TEMPLATE_SET } else { TEMPLATE_SET };
    let mut message = vec![0; HEADER_LEN];
    message.extend(set.to_be_bytes());
    message.extend(8_u16.to_be_bytes());
    message.extend(template.id().get().to_be_bytes());
    message.extend(0_u16.to_be_bytes());
    stamp(&mut message, export_time, sequence, domain);
    message
}
