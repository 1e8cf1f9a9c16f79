//! The decoder of one transport session.

use std::{collections::HashMap, sync::Arc};

use zerocopy::FromBytes;

use super::{
    error::{DecodeError, Problem},
    record::{Context, Record},
    sequence::{SequenceCounters, SequenceEvent, SequenceTracker},
    store::{KnownTemplate, TemplateStore},
};
use crate::ipfix::{
    elements::{ElementId, Registry},
    message::{HEADER_LEN, Header, OPTIONS_TEMPLATE_SET, SET_HEADER_LEN, TEMPLATE_SET, VERSION},
    template::{ENTERPRISE_BIT, FieldSpecifier, Template, TemplateId},
};

/// Observation domains that one session may have.
pub const MAX_DOMAINS: usize = 256;

/// How messages arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// UDP: templates are never withdrawn.
    Datagrams,
    /// TCP, SCTP or an IPFIX File: templates may be withdrawn.
    Stream,
}

/// What a message tells, in the order of the message; about the sequence number last.
#[derive(Debug)]
pub enum Event<'a> {
    /// A template that is new, or means something else than before.
    Template(&'a KnownTemplate),
    /// A template was withdrawn; `None`: all of its kind.
    Withdrawn(Option<TemplateId>),
    /// A data record or options data record.
    Record(Record<'a>),
    /// A data set whose template is not known (yet): so many octets were skipped.
    UnknownTemplate(TemplateId, usize),
    /// The sequence number is not the expected one.
    Sequence(SequenceEvent),
}

/// What a session has told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeCounters {
    /// Messages with a sound header.
    pub messages: u64,
    /// Messages with anything wrong.
    pub malformed: u64,
    /// Data records.
    pub records: u64,
    /// Template records, repetitions included.
    pub templates: u64,
    /// Data sets without a known template.
    pub unknown_sets: u64,
}

/// Decodes the messages of one transport session.
#[derive(Debug)]
pub struct Decoder {
    kind: SessionKind,
    registry: Arc<Registry>,
    domains: HashMap<u32, Domain>,
    /// Fields of all templates.
    fields: usize,
    counters: DecodeCounters,
}

#[derive(Debug, Default)]
struct Domain {
    templates: TemplateStore,
    sequence: SequenceTracker,
}

impl Decoder {
    /// A new session.
    #[must_use]
    pub fn new(kind: SessionKind, registry: Arc<Registry>) -> Self {
        Self {
            kind,
            registry,
            domains: HashMap::new(),
            fields: 0,
            counters: DecodeCounters::default(),
        }
    }

    /// What the session has told.
    #[must_use]
    pub fn counters(&self) -> DecodeCounters {
        self.counters
    }

    /// What the sequence numbers of each observation domain have told.
    pub fn sequences(&self) -> impl Iterator<Item = (u32, SequenceCounters)> {
        self.domains.iter().map(|(domain, state)| (*domain, state.sequence.counters()))
    }

    /// Decodes a message and gives what it tells to `sink`, with the message's header.
    ///
    /// A message with an error has told everything up to it, and everything in later sets; the first error is
    /// returned.
    pub fn decode(
        &mut self,
        message: &[u8],
        sink: &mut dyn FnMut(&Header, Event<'_>),
    ) -> Result<Header, DecodeError> {
        let decoded = self.decode_message(message, sink);
        self.counters.malformed += u64::from(decoded.is_err());
        decoded
    }

    fn decode_message(
        &mut self,
        message: &[u8],
        sink: &mut dyn FnMut(&Header, Event<'_>),
    ) -> Result<Header, DecodeError> {
        let header = check_header(message)?;
        let (message, trailing) = message.split_at(usize::from(header.length.get()));
        let id = header.domain.get();
        if self.domains.len() >= MAX_DOMAINS && !self.domains.contains_key(&id) {
            let problem = Problem::TooManyDomains { domain: id, limit: MAX_DOMAINS };
            return Err(DecodeError { offset: 12, problem });
        }
        self.counters.messages += 1;
        let domain = self.domains.entry(id).or_default();
        let mut pass = Pass {
            kind: self.kind,
            registry: &self.registry,
            templates: &mut domain.templates,
            fields: &mut self.fields,
            counters: &mut self.counters,
            sink: &mut |event| sink(&header, event),
            records: Some(0),
            error: None,
        };
        pass.sets(message);
        if !trailing.is_empty() {
            pass.note(message.len(), Problem::Trailing(trailing.len()));
        }
        let (records, error) = (pass.records, pass.error);
        let (sequence, time) = (header.sequence.get(), header.export_time.get());
        if let Some(event) = domain.sequence.message(sequence, records, time) {
            sink(&header, Event::Sequence(event));
        }
        error.map_or(Ok(header), Err)
    }
}

fn check_header(message: &[u8]) -> Result<Header, DecodeError> {
    let error = |offset, problem| Err(DecodeError { offset, problem });
    let Ok((header, _)) = Header::read_from_prefix(message) else {
        return error(0, Problem::ShortMessage(message.len()));
    };
    let (version, claimed) = (header.version.get(), header.length.get());
    if version != VERSION {
        return error(0, Problem::Version(version));
    }
    if !(HEADER_LEN..=message.len()).contains(&usize::from(claimed)) {
        return error(2, Problem::MessageLength { claimed, received: message.len() });
    }
    Ok(header)
}

/// One message on its way through a decoder.
struct Pass<'a> {
    kind: SessionKind,
    registry: &'a Registry,
    templates: &'a mut TemplateStore,
    fields: &'a mut usize,
    counters: &'a mut DecodeCounters,
    sink: &'a mut dyn FnMut(Event<'_>),
    /// Data records of the message, if they can be counted.
    records: Option<u32>,
    /// The first error.
    error: Option<DecodeError>,
}

impl Pass<'_> {
    fn note(&mut self, offset: usize, problem: Problem) {
        self.error.get_or_insert(DecodeError { offset, problem });
    }

    /// Something at `offset` is wrong, and data records may be hidden behind it.
    fn give_up(&mut self, offset: usize, problem: Problem) {
        self.note(offset, problem);
        self.records = None;
    }

    fn sets(&mut self, message: &[u8]) {
        let mut offset = HEADER_LEN;
        while offset < message.len() {
            let rest = &message[offset..];
            let [a, b, c, d, ..] = *rest else {
                return self.give_up(offset, Problem::SetHeader(rest.len()));
            };
            let (id, claimed) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let len = usize::from(claimed);
            if !(SET_HEADER_LEN..=rest.len()).contains(&len) {
                let left = rest.len();
                return self.give_up(offset + 2, Problem::SetLength { claimed, left });
            }
            // Offsets count from the start of the message.
            let set = &message[..offset + len];
            let start = offset + SET_HEADER_LEN;
            match (id, TemplateId::new(id)) {
                (TEMPLATE_SET | OPTIONS_TEMPLATE_SET, _) => self.template_set(id, set, start),
                (_, Some(template)) => self.data_set(template, set, start),
                (_, None) => self.give_up(offset, Problem::SetId(id)),
            }
            offset += len;
        }
    }

    fn data_set(&mut self, id: TemplateId, set: &[u8], mut offset: usize) {
        let Some(template) = self.templates.get(id) else {
            self.counters.unknown_sets += 1;
            self.records = None;
            (self.sink)(Event::UnknownTemplate(id, set.len() - offset));
            return;
        };
        let context = Context { templates: self.templates, registry: self.registry };
        // What is shorter than any record is padding (RFC 7011 section 3.3.1).
        while set.len() - offset >= template.min_record_len() {
            let rest = &set[offset..];
            match template.measure(rest) {
                Ok(len) => {
                    self.counters.records += 1;
                    self.records = self.records.map(|records| records + 1);
                    (self.sink)(Event::Record(Record { context, template, octets: &rest[..len] }));
                    offset += len;
                }
                Err((field, problem)) => {
                    // `give_up`, with `template` still borrowed.
                    self.error.get_or_insert(DecodeError { offset: offset + field, problem });
                    self.records = None;
                    return;
                }
            }
        }
    }

    /// Template records, options template records and withdrawals of either.
    fn template_set(&mut self, set_id: u16, set: &[u8], mut offset: usize) {
        while let [a, b, c, d, ..] = set[offset..] {
            let (id, count) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            if id == 0 && set[offset..].iter().all(|&octet| octet == 0) {
                return;
            }
            if count == 0 {
                self.withdrawal(set_id, id, offset);
                offset += 4;
                continue;
            }
            let Some(template) = TemplateId::new(id) else {
                return self.give_up(offset, Problem::TemplateId(id));
            };
            let (scopes, start) = match (set_id, &set[offset + 4..]) {
                (OPTIONS_TEMPLATE_SET, [a, b, ..]) => (u16::from_be_bytes([*a, *b]), offset + 6),
                (OPTIONS_TEMPLATE_SET, _) => (0, set.len()),
                _ => (0, offset + 4),
            };
            let Some((fields, end)) = specifiers(set, start, count) else {
                return self.give_up(offset, Problem::TemplateTruncated { id, fields: count });
            };
            if set_id == OPTIONS_TEMPLATE_SET && scopes == 0 {
                self.note(offset + 4, Problem::NoScope(id));
            } else if let Err(problem) = self.add(template, scopes, fields) {
                self.note(offset, problem);
            }
            offset = end;
        }
    }

    fn add(
        &mut self,
        id: TemplateId,
        scopes: u16,
        fields: Vec<FieldSpecifier>,
    ) -> Result<(), Problem> {
        let template = Template::new(id, scopes, fields)
            .map_err(|error| Problem::Template { id: id.get(), error })?;
        self.counters.templates += 1;
        if let Some(known) = self.templates.insert(template, self.registry, self.fields)? {
            (self.sink)(Event::Template(known));
        }
        Ok(())
    }

    /// RFC 7011 section 8.1; a set identifier in place of the template's withdraws all of that kind.
    fn withdrawal(&mut self, set_id: u16, id: u16, offset: usize) {
        if self.kind == SessionKind::Datagrams {
            self.note(offset, Problem::Withdrawal(id));
        } else if id == set_id {
            self.templates.remove_all(id == OPTIONS_TEMPLATE_SET, self.fields);
            (self.sink)(Event::Withdrawn(None));
        } else if let Some(id) = TemplateId::new(id) {
            if self.templates.remove(id, self.fields) {
                (self.sink)(Event::Withdrawn(Some(id)));
            }
        } else {
            self.note(offset, Problem::TemplateId(id));
        }
    }
}

/// Reads `count` field specifiers and says where they end; `None` when that is behind the set.
fn specifiers(set: &[u8], start: usize, count: u16) -> Option<(Vec<FieldSpecifier>, usize)> {
    // Not allocated before it is known that the set can hold them.
    if set.len() - start < usize::from(count) * 4 {
        return None;
    }
    let mut fields = Vec::with_capacity(usize::from(count));
    let mut offset = start;
    for _ in 0..count {
        let [a, b, c, d] = *set.get(offset..)?.first_chunk()?;
        let (id, length) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        offset += 4;
        let mut enterprise = 0;
        if id & ENTERPRISE_BIT != 0 {
            enterprise = u32::from_be_bytes(*set.get(offset..)?.first_chunk()?);
            offset += 4;
        }
        let element = ElementId { enterprise, id: id & !ENTERPRISE_BIT };
        fields.push(FieldSpecifier { element, length });
    }
    Some((fields, offset))
}
