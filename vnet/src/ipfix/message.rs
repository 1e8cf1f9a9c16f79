//! Messages: sets of records packed behind a header (RFC 7011 section 3), exactly up to a limit and never beyond.
//!
//! Building and stamping are apart. Anyone may build a message, in any buffer, a worker thread included; what counts
//! across messages (export time, sequence number) is stamped when the message is sent, by the one owner of the stream.

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    byteorder::big_endian::{U16, U32},
};

use super::template::{Template, TemplateId};

/// The version in the header of every message.
pub const VERSION: u16 = 10;
/// Octets of the message header.
pub const HEADER_LEN: usize = 16;
/// Octets of a set header.
pub const SET_HEADER_LEN: usize = 4;
/// Set identifier of template sets.
pub const TEMPLATE_SET: u16 = 2;
/// Set identifier of options template sets.
pub const OPTIONS_TEMPLATE_SET: u16 = 3;
/// The longest message that the header's length can tell.
pub const MAX_MESSAGE_LEN: usize = 65535;

/// The message header (RFC 7011 section 3.1), a view in place.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Header {
    /// 10.
    pub version: U16,
    /// Octets of the message, this header included.
    pub length: U16,
    /// Seconds since 1970 when the message left the exporter; wraps in 2106.
    pub export_time: U32,
    /// Data records sent before this message in this stream, modulo 2^32.
    pub sequence: U32,
    /// Observation domain.
    pub domain: U32,
}

/// How far a message has been built: what to keep while its buffer is elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draft {
    len: u16,
    /// Offset and identifier of the set that is still open; offset 0: none is.
    set: u16,
    set_id: u16,
    /// Shortest record of the open set.
    shortest: u16,
    records: u16,
    /// Options data records among them.
    options: u16,
    templates: u16,
}

impl Draft {
    /// A message without sets.
    pub const EMPTY: Self = Self {
        len: HEADER_LEN as u16,
        set: 0,
        set_id: 0,
        shortest: 0,
        records: 0,
        options: 0,
        templates: 0,
    };

    /// Octets so far, message header included.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == HEADER_LEN
    }

    /// Data records in it, options data records among them.
    #[must_use]
    pub fn records(&self) -> u16 {
        self.records
    }

    /// Options data records in it, as far as they were noted.
    #[must_use]
    pub fn options(&self) -> u16 {
        self.options
    }

    /// Notes that the last data record was one of options.
    pub fn note_option(&mut self) {
        self.options += 1;
    }

    /// Template and options template records in it.
    #[must_use]
    pub fn templates(&self) -> u16 {
        self.templates
    }
}

/// Why a record was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// It fits into an empty message: send this one first.
    #[error("the message is full")]
    Full,
    /// It fits into no message of this limit.
    #[error("a record of {len} octets does not fit into a message of {limit}: raise the path MTU")]
    TooLong {
        /// Octets of the record.
        len: usize,
        /// Octets of the longest message.
        limit: usize,
    },
}

/// Packs records into a buffer.
#[derive(Debug)]
pub struct MessageBuilder<'a> {
    room: &'a mut [u8],
    draft: Draft,
}

impl<'a> MessageBuilder<'a> {
    /// Begins a message that grows to at most the length of `room` (and 65,535 octets).
    #[must_use]
    pub fn new(room: &'a mut [u8]) -> Self {
        Self::resume(room, Draft::EMPTY)
    }

    /// Goes on with the message of which `room` holds the first [`Draft::len`] octets.
    #[must_use]
    pub fn resume(room: &'a mut [u8], draft: Draft) -> Self {
        let limit = room.len().min(MAX_MESSAGE_LEN);
        Self { room: &mut room[..limit], draft }
    }

    /// How far the message is.
    #[must_use]
    pub fn draft(&self) -> Draft {
        self.draft
    }

    /// Adds a template record or options template record.
    pub fn template(&mut self, template: &Template) -> Result<(), PackError> {
        let set = if template.is_options() { OPTIONS_TEMPLATE_SET } else { TEMPLATE_SET };
        let octets = self.reserve(set, template.wire_len())?;
        template.write(&mut self.room[octets]);
        self.draft.templates += 1;
        Ok(())
    }

    /// Adds a data record of `len` octets, at least 1, and hands out its octets, which hold anything until they are
    /// written. One set goes on as long as records of one template follow each other.
    #[inline]
    pub fn record(&mut self, template: TemplateId, len: usize) -> Result<&mut [u8], PackError> {
        self.record_of_set(template.get(), len)
    }

    /// As [`Self::record`], in a set with any identifier: 0 and 1 are those of no template, ever (RFC 7011 section 3.3.2).
    #[inline]
    pub(super) fn record_of_set(
        &mut self,
        set_id: u16,
        len: usize,
    ) -> Result<&mut [u8], PackError> {
        let octets = self.reserve(set_id, len)?;
        self.draft.records += 1;
        Ok(&mut self.room[octets])
    }

    /// Ends the open set, with zeros up to a multiple of four octets of the message if RFC 7011 section 3.3.1 lets it:
    /// padding must be shorter than any record of the set, and must fit. Nothing ever asks for padding but a report
    /// that wants its next set aligned.
    pub fn pad_set(&mut self) {
        let padding = self.draft.len().wrapping_neg() % 4;
        let end = self.draft.len() + padding;
        if self.draft.set != 0
            && padding < usize::from(self.draft.shortest)
            && end <= self.room.len()
        {
            self.room[self.draft.len()..end].fill(0);
            self.draft.len = end as u16;
        }
        self.close_set();
    }

    /// Ends the open set and returns how far the message is. The header is not written: see [`stamp`].
    #[must_use]
    pub fn finish(mut self) -> Draft {
        self.close_set();
        self.draft
    }

    /// Room for a record of `len` octets, in the open set if that is `set_id`, else in a new one.
    #[inline]
    fn reserve(&mut self, set_id: u16, len: usize) -> Result<core::ops::Range<usize>, PackError> {
        let opens = self.draft.set == 0 || self.draft.set_id != set_id;
        let start = self.draft.len() + if opens { SET_HEADER_LEN } else { 0 };
        let end = start + len;
        if end > self.room.len() {
            let alone = HEADER_LEN + SET_HEADER_LEN + len;
            let limit = self.room.len();
            return Err(if alone > limit {
                PackError::TooLong { len, limit }
            } else {
                PackError::Full
            });
        }
        if opens {
            self.close_set();
            self.draft.set = self.draft.len;
            self.draft.set_id = set_id;
            self.draft.shortest = len as u16;
        } else {
            self.draft.shortest = self.draft.shortest.min(len as u16);
        }
        self.draft.len = end as u16;
        Ok(start..end)
    }

    /// Writes the header of the open set, now that its length is known.
    fn close_set(&mut self) {
        if self.draft.set != 0 {
            let set = usize::from(self.draft.set);
            let len = self.draft.len - self.draft.set;
            self.room[set..set + 2].copy_from_slice(&self.draft.set_id.to_be_bytes());
            self.room[set + 2..set + 4].copy_from_slice(&len.to_be_bytes());
            self.draft.set = 0;
        }
    }
}

/// Writes the header of a finished message: `message` is exactly its octets. Only the owner of the stream, who knows
/// the sequence number, calls this, and only at the moment of sending.
///
/// # Panics
/// When `message` has fewer than 16 or more than 65,535 octets, which no [`MessageBuilder`] makes.
pub fn stamp(message: &mut [u8], export_time: u32, sequence: u32, domain: u32) {
    assert!(message.len() <= MAX_MESSAGE_LEN, "a builder keeps to the limit");
    let header = Header {
        version: U16::new(VERSION),
        length: U16::new(message.len() as u16),
        export_time: U32::new(export_time),
        sequence: U32::new(sequence),
        domain: U32::new(domain),
    };
    message[..HEADER_LEN].copy_from_slice(header.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ipfix::template::FieldSpecifier;

    fn id(n: u16) -> TemplateId {
        TemplateId::new(n).unwrap()
    }

    /// Set identifiers and lengths of a finished message.
    fn sets(message: &[u8]) -> Vec<(u16, usize)> {
        let mut sets = Vec::new();
        let mut rest = &message[HEADER_LEN..];
        while !rest.is_empty() {
            let len = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            sets.push((u16::from_be_bytes([rest[0], rest[1]]), len));
            rest = &rest[len..];
        }
        sets
    }

    #[test]
    fn records_of_one_template_share_a_set() {
        let mut room = [0; 200];
        let mut message = MessageBuilder::new(&mut room);
        for n in [256, 256, 257, 256] {
            message.record(id(n), 7).unwrap().fill(n as u8);
        }
        let draft = message.finish();
        assert_eq!(draft.records(), 4);
        assert_eq!(sets(&room[..draft.len()]), [(256, 18), (257, 11), (256, 11)]);
    }

    #[test]
    fn the_limit_is_reached_exactly_and_never_passed() {
        let mut room = [0; HEADER_LEN + SET_HEADER_LEN + 30];
        let mut message = MessageBuilder::new(&mut room);
        for _ in 0..3 {
            message.record(id(256), 10).unwrap();
        }
        assert_eq!(message.draft().len(), 50);
        assert_eq!(message.record(id(256), 1), Err(PackError::Full));
        assert_eq!(message.record(id(256), 31), Err(PackError::TooLong { len: 31, limit: 50 }));
        assert_eq!(message.finish().records(), 3);
    }

    #[test]
    fn a_new_set_needs_room_for_its_header() {
        let mut room = [0; HEADER_LEN + SET_HEADER_LEN + 10 + 13];
        let mut message = MessageBuilder::new(&mut room);
        message.record(id(256), 10).unwrap();
        assert_eq!(message.record(id(257), 10), Err(PackError::Full));
        message.record(id(257), 9).unwrap();
    }

    #[test]
    fn padding_is_zero_and_shorter_than_any_record() {
        let mut room = [0xff; 100];
        let mut message = MessageBuilder::new(&mut room);
        message.record(id(256), 5).unwrap();
        message.pad_set();
        message.record(id(257), 3).unwrap();
        message.record(id(257), 7).unwrap();
        message.pad_set();
        message.record(id(258), 1).unwrap();
        message.pad_set();
        let draft = message.finish();
        assert_eq!(sets(&room[..draft.len()]), [(256, 12), (257, 16), (258, 5)]);
        assert_eq!(room[25..28], [0; 3]);
        assert_eq!(room[42..44], [0; 2]);
    }

    #[test]
    fn padding_keeps_to_the_limit() {
        let mut room = [0; HEADER_LEN + SET_HEADER_LEN + 6];
        let mut message = MessageBuilder::new(&mut room);
        message.record(id(256), 6).unwrap();
        message.pad_set();
        assert_eq!(message.finish().len(), 26);
    }

    #[test]
    fn templates_and_options_templates_have_sets_of_their_own() {
        let field = FieldSpecifier::iana("exportedMessageTotalCount", 8);
        let mut room = [0; 100];
        let mut message = MessageBuilder::new(&mut room);
        message.template(&Template::new(id(256), 0, [field]).unwrap()).unwrap();
        message.template(&Template::new(id(257), 1, [field]).unwrap()).unwrap();
        let draft = message.finish();
        assert_eq!((draft.templates(), draft.records()), (2, 0));
        assert_eq!(sets(&room[..draft.len()]), [(2, 12), (3, 14)]);
    }

    #[test]
    fn a_message_can_be_laid_aside() {
        let mut whole = [0; 64];
        let mut message = MessageBuilder::new(&mut whole);
        message.record(id(256), 4).unwrap().fill(1);
        message.record(id(256), 4).unwrap().fill(2);
        let whole_draft = message.finish();

        let mut room = [0; 64];
        let mut message = MessageBuilder::new(&mut room);
        message.record(id(256), 4).unwrap().fill(1);
        let aside = message.draft();
        let mut message = MessageBuilder::resume(&mut room, aside);
        message.record(id(256), 4).unwrap().fill(2);
        assert_eq!(message.finish(), whole_draft);
        assert_eq!(room, whole);
    }

    proptest! {
        #[test]
        fn no_message_is_longer_than_its_room(
            limit in 0_usize..200,
            records in prop::collection::vec((256_u16..260, 1_usize..80, any::<bool>()), 0..40),
        ) {
            let mut room = vec![0; limit];
            let mut message = MessageBuilder::new(&mut room);
            let mut accepted = 0;
            for (template, len, pad) in records {
                match message.record(id(template), len) {
                    Ok(octets) => { prop_assert_eq!(octets.len(), len); accepted += 1; }
                    Err(PackError::Full) => prop_assert!(20 + len <= limit),
                    Err(PackError::TooLong { .. }) => prop_assert!(20 + len > limit),
                }
                if pad { message.pad_set(); }
            }
            let draft = message.finish();
            prop_assert_eq!(usize::from(draft.records()), accepted);
            if !draft.is_empty() {
                prop_assert!(draft.len() <= limit);
                let lens: usize = sets(&room[..draft.len()]).iter().map(|s| s.1).sum();
                prop_assert_eq!(lens + HEADER_LEN, draft.len());
            }
        }
    }
}
