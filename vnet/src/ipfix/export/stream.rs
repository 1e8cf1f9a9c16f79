//! A stream: one transport session and one observation domain, the owner of a sequence number.

use super::{
    config::DEFAULT_PORT,
    open::{DataSet, Open, Owner},
    time::ExportTime,
    transport::{Outgoing, SendError},
};
use crate::ipfix::{
    message::{self, Draft, PackError},
    profile::Framing,
    template::Template,
};

/// What tells the streams of an exporter apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKey {
    /// Observation domain.
    pub domain: u32,
    /// UDP source port; a kernel socket has one of the host's choice instead.
    pub source_port: u16,
}

impl StreamKey {
    /// Observation domain 1, from port 4739: the stream of VPP's reports, which any report may share.
    pub const DEFAULT: Self = Self { domain: 1, source_port: DEFAULT_PORT };
}

/// What a stream, or an exporter, has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages sent.
    pub messages: u64,
    /// Octets of those messages.
    pub octets: u64,
    /// Data records in them.
    pub records: u64,
    /// Options data records among them.
    pub options: u64,
    /// Template records in them, options templates included.
    pub templates: u64,
    /// Messages that the transport refused.
    pub send_errors: u64,
    /// Data records that were not sent (notSentFlowTotalCount, element 166): in refused messages, too long, or of
    /// another length than their template says.
    pub records_not_sent: u64,
    /// Template records that were not sent, likewise.
    pub templates_not_sent: u64,
}

impl core::ops::AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.octets += other.octets;
        self.records += other.records;
        self.options += other.options;
        self.templates += other.templates;
        self.send_errors += other.send_errors;
        self.records_not_sent += other.records_not_sent;
        self.templates_not_sent += other.templates_not_sent;
    }
}

/// What was counted since `earlier`.
impl core::ops::Sub for Counters {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            messages: self.messages - earlier.messages,
            octets: self.octets - earlier.octets,
            records: self.records - earlier.records,
            options: self.options - earlier.options,
            templates: self.templates - earlier.templates,
            send_errors: self.send_errors - earlier.send_errors,
            records_not_sent: self.records_not_sent - earlier.records_not_sent,
            templates_not_sent: self.templates_not_sent - earlier.templates_not_sent,
        }
    }
}

/// Sends a finished message of a stream.
pub type SendMessage<'a> = &'a mut dyn FnMut(Outgoing<'_>) -> Result<(), SendError>;

/// Where the messages of a stream go while records are added to it.
pub struct Outlet<'a> {
    /// For the headers: the wall clock as it is now.
    pub export_time: ExportTime,
    /// Sends a finished message.
    pub send: SendMessage<'a>,
    /// The first error of `send` since somebody took it from here.
    pub failure: Option<SendError>,
}

/// Packs records into messages and sends each when the next record would not fit.
#[derive(Debug)]
pub struct Stream {
    key: StreamKey,
    sequence: u32,
    limit: usize,
    open: Vec<Open>,
    counters: Counters,
}

impl Stream {
    /// A stream whose messages have at most `limit` octets.
    #[must_use]
    pub fn new(key: StreamKey, limit: usize) -> Self {
        Self { key, sequence: 0, limit, open: Vec::new(), counters: Counters::default() }
    }

    /// Observation domain and source port.
    #[must_use]
    pub fn key(&self) -> StreamKey {
        self.key
    }

    /// The sequence number of the next message: data records sent, modulo 2^32, as far as reports count by records.
    #[must_use]
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// What it has done.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Adds a template record to the open message, or sends it in one of its own where `framing` wants that.
    pub fn template(
        &mut self,
        template: &Template,
        framing: Framing,
        outlet: &mut Outlet<'_>,
    ) -> Result<(), PackError> {
        if framing.one_set {
            self.flush(outlet);
        }
        let at = self.place(Owner::of_template(template, framing));
        if self.open[at].is_full_of_templates() {
            self.send(at, outlet);
        }
        self.open[at].time = outlet.export_time;
        let mut added = self.try_template(at, template);
        if added == Err(PackError::Full) {
            self.send(at, outlet);
            added = self.try_template(at, template);
        }
        if added.is_err() {
            self.counters.templates_not_sent += 1;
        }
        if framing.one_set {
            self.flush(outlet);
        }
        added
    }

    /// Adds a data record of `len` octets, at least 1, which `write` fills.
    #[inline]
    pub fn record(
        &mut self,
        set: impl Into<DataSet>,
        len: usize,
        outlet: &mut Outlet<'_>,
        write: impl FnOnce(&mut [u8]),
    ) -> Result<(), PackError> {
        let set = set.into();
        let at = self.place(Owner::of(&set));
        if self.open[at].is_past(outlet.export_time) {
            self.send(at, outlet);
        }
        self.open[at].time = outlet.export_time;
        loop {
            let mut builder = self.open[at].builder();
            match builder.record_of_set(set.id(), len) {
                Ok(octets) => {
                    write(octets);
                    self.open[at].draft = builder.draft();
                    if set.options {
                        self.open[at].draft.note_option();
                    }
                    if self.open[at].is_full(&set, self.limit) {
                        self.send(at, outlet);
                    }
                    return Ok(());
                }
                // At most once: an empty message is never full.
                Err(PackError::Full) => self.send(at, outlet),
                Err(too_long) => {
                    self.refuse();
                    return Err(too_long);
                }
            }
        }
    }

    /// Counts a data record that cannot be sent.
    pub(super) fn refuse(&mut self) {
        self.counters.records_not_sent += 1;
    }

    /// Sends the open messages, if there is anything in them.
    pub fn flush(&mut self, outlet: &mut Outlet<'_>) {
        for at in 0..self.open.len() {
            self.send(at, outlet);
        }
        // Their templates may be gone when there are records again.
        self.open.retain(|open| !open.framing().one_set);
    }

    /// Stamps and sends a message of this stream that was built elsewhere, by a node for instance. `message` is exactly the
    /// octets of `draft`, finished.
    pub fn message(
        &mut self,
        message: &mut [u8],
        draft: Draft,
        framing: Framing,
        outlet: &mut Outlet<'_>,
    ) {
        self.message_of(outlet.export_time, message, draft, framing, outlet);
    }

    /// The same of a message with records of that time.
    fn message_of(
        &mut self,
        time: ExportTime,
        message: &mut [u8],
        draft: Draft,
        framing: Framing,
        outlet: &mut Outlet<'_>,
    ) {
        let time = if framing.is_relative { time } else { outlet.export_time };
        let sequence = self.sequence.wrapping_add(framing.first);
        message::stamp(message, time.seconds(framing), sequence, self.key.domain);
        let advance = framing.advance(draft.records());
        match (outlet.send)(Outgoing {
            stream: self.key,
            message,
            draft,
            advance,
            keeps_time: framing.is_relative,
        }) {
            Ok(()) => self.sent(draft, advance),
            Err(error) => {
                self.lost(draft);
                outlet.failure.get_or_insert(error);
            }
        }
    }

    fn lost(&mut self, draft: Draft) {
        self.counters.send_errors += 1;
        self.counters.records_not_sent += u64::from(draft.records());
        self.counters.templates_not_sent += u64::from(draft.templates());
    }

    /// A new transport session begins: the collector knows no templates and expects sequence number 0. The open
    /// message must have been sent.
    pub(super) fn reset(&mut self) {
        self.sequence = 0;
    }

    /// Another limit, or another name; the open message must have been sent.
    pub(super) fn reconfigure(&mut self, key: StreamKey, limit: usize) {
        let is_empty = self.open.iter().all(|open| open.draft.is_empty());
        debug_assert!(is_empty, "an open message belongs to the old configuration");
        self.key = key;
        self.limit = limit;
        self.open.clear();
    }

    /// The open message of `owner`.
    #[inline]
    fn place(&mut self, owner: Owner) -> usize {
        self.open.iter().position(|open| open.is_of(owner)).unwrap_or_else(|| {
            self.open.push(Open::new(owner, self.limit));
            self.open.len() - 1
        })
    }

    fn send(&mut self, at: usize, outlet: &mut Outlet<'_>) {
        let open = &mut self.open[at];
        let (draft, framing, time) = (open.builder().finish(), open.framing(), open.time);
        open.draft = Draft::EMPTY;
        if draft.is_empty() {
            return;
        }
        // Only for as long as it is sent: the message does not belong to the stream's other parts.
        let mut room = core::mem::take(&mut open.room);
        self.message_of(time, &mut room[..draft.len()], draft, framing, outlet);
        self.open[at].room = room;
    }

    fn sent(&mut self, draft: Draft, advance: u32) {
        self.sequence = self.sequence.wrapping_add(advance);
        self.counters.messages += 1;
        self.counters.octets += draft.len() as u64;
        self.counters.records += u64::from(draft.records());
        self.counters.options += u64::from(draft.options());
        self.counters.templates += u64::from(draft.templates());
    }

    fn try_template(&mut self, at: usize, template: &Template) -> Result<(), PackError> {
        let mut builder = self.open[at].builder();
        builder.template(template)?;
        self.open[at].draft = builder.draft();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfix::{
        message::MessageBuilder,
        template::{FieldSpecifier, TemplateId},
    };

    const KEY: StreamKey = StreamKey { domain: 9, source_port: 4739 };

    /// Runs `f` with a stream of messages of at most 40 octets and returns those it sent.
    fn sent(mut stream: Stream, f: impl FnOnce(&mut Stream, &mut Outlet<'_>)) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let mut send = |outgoing: Outgoing<'_>| {
            assert_eq!(outgoing.stream, KEY);
            messages.push(outgoing.message.to_vec());
            Ok(())
        };
        let mut outlet = Outlet { export_time: 77.into(), send: &mut send, failure: None };
        f(&mut stream, &mut outlet);
        stream.flush(&mut outlet);
        messages
    }

    fn sequence(message: &[u8]) -> u32 {
        u32::from_be_bytes(message[8..12].try_into().unwrap())
    }

    #[test]
    fn sequence_counts_the_data_records_sent_before() {
        let template =
            Template::new(TemplateId::FIRST, 0, [FieldSpecifier::iana("octetDeltaCount", 8)]);
        let messages = sent(Stream::new(KEY, 40), |stream, outlet| {
            stream.template(&template.unwrap(), Framing::RFC, outlet).unwrap();
            stream.flush(outlet);
            for n in 0..5 {
                stream.record(TemplateId::FIRST, 8, outlet, |octets| octets.fill(n)).unwrap();
            }
        });
        let sequences: Vec<u32> = messages.iter().map(|m| sequence(m)).collect();
        assert_eq!(sequences, [0, 0, 2, 4]);
        assert!(messages.iter().all(|m| m.len() <= 40 && m[4..8] == [0, 0, 0, 77]));
    }

    #[test]
    fn sequence_wraps() {
        let mut stream = Stream::new(KEY, 40);
        stream.sequence = u32::MAX;
        let messages = sent(stream, |stream, outlet| {
            for _ in 0..4 {
                stream.record(TemplateId::FIRST, 8, outlet, |_| ()).unwrap();
            }
        });
        assert_eq!(messages.iter().map(|m| sequence(m)).collect::<Vec<_>>(), [u32::MAX, 1]);
    }

    #[test]
    fn what_is_not_sent_is_counted_and_leaves_the_sequence_alone() {
        let mut stream = Stream::new(KEY, 40);
        let mut send = |_: Outgoing<'_>| Err(SendError::NoBuffer);
        let mut outlet = Outlet { export_time: 0.into(), send: &mut send, failure: None };
        for _ in 0..3 {
            stream.record(TemplateId::FIRST, 8, &mut outlet, |_| ()).unwrap();
        }
        assert!(matches!(outlet.failure, Some(SendError::NoBuffer)));
        stream.flush(&mut outlet);
        let too_long = stream.record(TemplateId::FIRST, 21, &mut outlet, |_| ());
        assert_eq!(too_long, Err(PackError::TooLong { len: 21, limit: 40 }));
        let expected = Counters { send_errors: 2, records_not_sent: 4, ..Counters::default() };
        assert_eq!((stream.counters(), stream.sequence()), (expected, 0));
    }

    #[test]
    fn messages_built_elsewhere_share_the_sequence() {
        let mut elsewhere = [0; 40];
        let mut builder = MessageBuilder::new(&mut elsewhere);
        builder.record(TemplateId::FIRST, 8).unwrap();
        builder.record(TemplateId::FIRST, 8).unwrap();
        let draft = builder.finish();
        let messages = sent(Stream::new(KEY, 40), |stream, outlet| {
            stream.record(TemplateId::FIRST, 8, outlet, |_| ()).unwrap();
            stream.flush(outlet);
            stream.message(&mut elsewhere[..draft.len()], draft, Framing::RFC, outlet);
            stream.record(TemplateId::FIRST, 8, outlet, |_| ()).unwrap();
        });
        assert_eq!(sequence(&elsewhere), 1);
        assert_eq!(elsewhere[..8], [0, 10, 0, 36, 0, 0, 0, 77]);
        assert_eq!(messages.iter().map(|m| sequence(m)).collect::<Vec<_>>(), [0, 1, 3]);
    }
}
