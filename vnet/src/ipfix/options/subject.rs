//! Something that options records tell of.

use core::time::Duration;

use crate::{
    ipfix::{
        engine::ExporterId,
        export::{Exporter, StreamKey, TemplateFields},
        record::DataRecord,
    },
    runtime::Main,
};

/// What options records tell of. Lives on the main thread.
pub trait Subject {
    /// What it is called.
    fn about(&self) -> About;

    /// Its options templates; does not change.
    fn templates(&self) -> Vec<TemplateFields>;

    /// Adds the records that are true now. Nothing of [`Ipfix`](crate::ipfix::engine::Ipfix) may be called from here.
    fn tell(&mut self, view: &mut View<'_>, records: &mut Records);

    /// How often all records are repeated, unless the command says otherwise.
    fn refresh(&self) -> Refresh {
        Refresh::Every(Duration::from_secs(600))
    }

    /// Whether records of a template that are new or have changed are told at once. Counts that change all the
    /// time are not worth that.
    fn tells_changes(&self, _template: usize) -> bool {
        true
    }

    /// What fills in a record when it goes into its message, for counts that are to be those of that moment.
    fn stamp(&self) -> Option<Stamp> {
        None
    }
}

/// Names of a subject.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The word of `ipfix options`.
    pub word: &'static str,
    /// The name of its report.
    pub report: &'static str,
    /// Help of the command, a sentence.
    pub help: &'static str,
}

/// How often records are repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// After so long.
    Every(Duration),
    /// As often as the exporter's templates.
    WithTemplates,
}

/// Fills in a record of a subject.
pub type Stamp = fn(&Sent, &mut [u8]);

/// What a stream has sent before the message into which a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Messages.
    pub messages: u64,
    /// Octets of those messages.
    pub octets: u64,
    /// Flow records in them: data records but those of options.
    pub flow_records: u64,
}

/// What a subject may look at.
pub struct View<'a> {
    /// The engine.
    pub main: &'a mut Main,
    /// Who sends the records.
    pub exporter: &'a Exporter,
    /// Which exporter that is.
    pub id: ExporterId,
    /// The stream on which they are sent.
    pub stream: StreamKey,
}

/// One options record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    /// Which of the subject's templates it is of.
    pub(super) template: usize,
    pub(super) octets: Box<[u8]>,
}

/// Where a subject puts its records.
#[derive(Debug, Default)]
pub struct Records(pub(super) Vec<Record>);

impl Records {
    /// A record of the subject's `template`-th template, in network byte order.
    pub fn add(&mut self, template: usize, octets: Vec<u8>) {
        self.0.push(Record { template, octets: octets.into() });
    }

    /// A record that is a struct.
    pub fn push<R: DataRecord>(&mut self, template: usize, record: &R) {
        let mut octets = vec![0; R::len()];
        record.write(&mut octets);
        self.add(template, octets);
    }
}

/// Longest text that is sent; a record must fit into a message.
const MAX_TEXT: usize = 254;

/// Appends a field of variable length (RFC 7011 section 7), cut to 254 octets of whole characters.
pub(in crate::ipfix) fn put_text(octets: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    octets.push(end as u8);
    octets.extend_from_slice(&text.as_bytes()[..end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let mut octets = Vec::new();
        put_text(&mut octets, &"\u{e9}".repeat(200));
        assert_eq!((octets.len(), octets[0]), (255, 254));
        let mut octets = Vec::new();
        put_text(&mut octets, &format!("x{}", "\u{e9}".repeat(200)));
        assert_eq!((octets.len(), octets[0]), (254, 253));
        assert!(core::str::from_utf8(&octets[1..]).is_ok());
    }
}
