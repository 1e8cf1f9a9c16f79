//! What was received, and what was wrong with it.

use core::fmt;
use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use vnet::ipfix::{
    decode::{Collector, DecodeError, Decoder, Event, SequenceEvent},
    message::Header,
};

use crate::complain;

/// Exporters that are counted apart; those that come later share one line.
const MAX_EXPORTERS: usize = 1024;

/// Counts of all exporters.
#[derive(Debug, Default)]
pub(super) struct Tally {
    exporters: BTreeMap<SocketAddr, Exporter>,
}

/// Counts of one exporter.
#[derive(Debug)]
pub(super) struct Exporter {
    address: SocketAddr,
    messages: u64,
    octets: u64,
    records: u64,
    malformed: u64,
    unknown: u64,
    /// Data records that had not arrived when a later one did.
    lost: u64,
    late: u64,
    duplicates: u64,
    restarts: u64,
}

impl Tally {
    /// Records of all exporters.
    pub(super) fn records(&self) -> u64 {
        self.exporters.values().map(|exporter| exporter.records).sum()
    }

    /// The counts of one exporter.
    pub(super) fn exporter(&mut self, mut address: SocketAddr) -> &mut Exporter {
        if self.exporters.len() >= MAX_EXPORTERS && !self.exporters.contains_key(&address) {
            address = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        }
        self.exporters.entry(address).or_insert_with(|| Exporter {
            address,
            messages: 0,
            octets: 0,
            records: 0,
            malformed: 0,
            unknown: 0,
            lost: 0,
            late: 0,
            duplicates: 0,
            restarts: 0,
        })
    }
}

impl Exporter {
    /// What a message told. The first complaint of a kind is printed; the others are only counted.
    pub(super) fn event(&mut self, header: &Header, event: &Event<'_>) {
        let (address, domain) = (self.address, header.domain.get());
        match event {
            Event::Template(_) | Event::Withdrawn(_) => {}
            Event::Record(_) => self.records += 1,
            Event::UnknownTemplate(id, octets) => {
                self.unknown += 1;
                if self.unknown == 1 {
                    complain(&format_args!(
                        "{address}: domain {domain}: data of template {id}, which has not been received: {octets} octets not decoded"
                    ));
                }
            }
            Event::Sequence(SequenceEvent::Lost(records)) => {
                if self.lost == 0 {
                    let sequence = header.sequence.get();
                    complain(&format_args!(
                        "{address}: domain {domain}: sequence number {sequence}: {records} records before it did not arrive"
                    ));
                }
                self.lost += u64::from(*records);
            }
            Event::Sequence(SequenceEvent::Late) => self.late += 1,
            Event::Sequence(SequenceEvent::Duplicate) => self.duplicates += 1,
            Event::Sequence(SequenceEvent::Restart) => self.restarts += 1,
        }
    }

    /// How decoding a message of `len` octets ended.
    pub(super) fn decoded(&mut self, len: usize, result: Result<Header, DecodeError>) {
        self.messages += 1;
        self.octets += len as u64;
        if let Err(error) = result {
            self.malformed += 1;
            if self.malformed == 1 {
                complain(&format_args!("{}: malformed message: {error}", self.address));
            }
        }
    }
}

/// What was received, with the sums that the sessions of `collector` have kept: records that came late are not lost.
pub(super) struct Report<'a> {
    pub(super) tally: &'a Tally,
    pub(super) collector: &'a Collector,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tally.exporters.is_empty() {
            return writeln!(f, "nothing received");
        }
        let sessions: HashMap<SocketAddr, &Decoder> = self.collector.sessions().collect();
        for (address, exporter) in &self.tally.exporters {
            let lost = match sessions.get(address) {
                Some(session) => session.sequences().map(|(_, counters)| counters.lost).sum(),
                None => exporter.lost,
            };
            exporter.line(f, lost)?;
        }
        Ok(())
    }
}

impl Exporter {
    fn line(&self, f: &mut fmt::Formatter<'_>, lost: u64) -> fmt::Result {
        write!(
            f,
            "{}: {} messages, {} octets, {} records",
            self.address, self.messages, self.octets, self.records
        )?;
        for (count, what) in [
            (self.malformed, "malformed messages"),
            (self.unknown, "data sets without template"),
            (lost, "records lost"),
            (self.late, "messages late"),
            (self.duplicates, "messages twice"),
            (self.restarts, "restarts"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        writeln!(f)
    }
}
