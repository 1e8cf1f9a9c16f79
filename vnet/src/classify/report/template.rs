//! The report of a table: its template, which follows from the mask, and its records.

use crate::{
    classify::{LINK_BYTES, TableReader, TableSpec, VECTOR_BYTES, reader::Read},
    fib::Family,
    ipfix::{
        export::{Output, Report, TemplateFields},
        template::FieldSpecifier,
    },
};

/// Records that one data callback adds; what is left follows when they have left.
const RECORDS_A_PASS: usize = 2048;

/// What packets carry, which says what the ports are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Any,
    Tcp,
    Udp,
}

/// Bytes of a key that are a field of the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KeyField {
    element: FieldSpecifier,
    /// Where it begins in the key.
    at: usize,
}

/// The report of a table.
pub(super) struct TableReport {
    fields: Vec<KeyField>,
    reader: TableReader,
    /// Sessions that are still to be told.
    left: Vec<Read>,
    is_due: bool,
}

impl TableReport {
    pub(super) fn new(
        spec: &TableSpec,
        reader: TableReader,
        family: Family,
        transport: Transport,
    ) -> Self {
        let fields = fields(spec, family, transport);
        Self { fields, reader, left: Vec::new(), is_due: true }
    }
}

const PACKETS: FieldSpecifier = FieldSpecifier::iana("packetTotalCount", 8);

impl Report for TableReport {
    fn template(&mut self, _: usize) -> TemplateFields {
        let keys = self.fields.iter().map(|field| field.element);
        TemplateFields { scopes: 0, fields: keys.chain([PACKETS]).collect() }
    }

    fn begin(&mut self) {
        self.is_due = true;
    }

    fn data(&mut self, output: &mut Output<'_>) {
        if self.left.is_empty() && core::mem::take(&mut self.is_due) {
            self.left = self.reader.read();
            // Taken from the end, so that they come in the order of `show classify tables`.
            self.left.reverse();
        }
        let octets = record_len(&self.fields);
        let kept = self.left.len().saturating_sub(RECORDS_A_PASS);
        for session in self.left.drain(kept..).rev() {
            // What cannot be sent is counted by the stream.
            let _ = output.record(0, octets, |out| write(&self.fields, &session, out));
        }
    }

    fn has_more(&self) -> bool {
        !self.left.is_empty()
    }
}

fn record_len(fields: &[KeyField]) -> usize {
    fields.iter().map(|field| usize::from(field.element.length)).sum::<usize>() + size_of::<u64>()
}

fn write(fields: &[KeyField], session: &Read, mut out: &mut [u8]) {
    let key = session.key.as_bytes();
    for KeyField { element, at } in fields {
        let (field, rest) = out.split_at_mut(element.length.into());
        field.copy_from_slice(&key[*at..][..field.len()]);
        out = rest;
    }
    out.copy_from_slice(&session.hits.to_be_bytes());
}

/// The fields that the mask compares to their last bit. Headers are taken to be Ethernet without tags, IPv4 without options
/// or IPv6 without extension headers.
fn fields(spec: &TableSpec, family: Family, transport: Transport) -> Vec<KeyField> {
    let (source_port, destination_port) = match transport {
        Transport::Any => ("sourceTransportPort", "destinationTransportPort"),
        Transport::Tcp => ("tcpSourcePort", "tcpDestinationPort"),
        Transport::Udp => ("udpSourcePort", "udpDestinationPort"),
    };
    let in_header: [(&str, isize, u16); 5] = match family {
        Family::Ip4 => [
            ("sourceIPv4Address", 12, 4),
            ("destinationIPv4Address", 16, 4),
            ("protocolIdentifier", 9, 1),
            (source_port, 20, 2),
            (destination_port, 22, 2),
        ],
        Family::Ip6 => [
            ("sourceIPv6Address", 8, 16),
            ("destinationIPv6Address", 24, 16),
            ("protocolIdentifier", 6, 1),
            (source_port, 40, 2),
            (destination_port, 42, 2),
        ],
    };
    let header = match spec.current_data {
        Some(offset) => -isize::from(offset),
        None => LINK_BYTES as isize,
    };
    let compared = in_header.into_iter().filter_map(|(name, at, length)| {
        let at = usize::try_from(header + at).ok()?;
        let is_full = spec.mask.is_full(at, length.into());
        let at = at.checked_sub(spec.mask.skip() * VECTOR_BYTES)?;
        is_full.then(|| KeyField { element: FieldSpecifier::iana(name, length), at })
    });
    compared.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{Mask, NextSlot};

    fn spec(mask: &[u8], current_data: Option<i16>) -> TableSpec {
        TableSpec {
            mask: Mask::new(mask, None, None).unwrap(),
            buckets: 2,
            memory: 1024,
            current_data,
            next_table: None,
            miss_next: NextSlot::NONE,
        }
    }

    /// Elements and lengths of the fields, and where they lie in the packet.
    fn shown(spec: &TableSpec, family: Family, transport: Transport) -> Vec<(u16, u16, usize)> {
        let skipped = spec.mask.skip() * VECTOR_BYTES;
        let fields = fields(spec, family, transport).into_iter();
        fields.map(|f| (f.element.element.id, f.element.length, f.at + skipped)).collect()
    }

    /// A mask of 94 bytes with these ranges set.
    fn mask(ranges: &[(usize, usize)]) -> Vec<u8> {
        let mut mask = vec![0; 94];
        ranges.iter().for_each(|&(at, len)| mask[at..at + len].fill(0xff));
        mask
    }

    #[test]
    fn what_a_mask_compares_whole_is_a_field() {
        let everything = spec(&mask(&[(14, 66)]), None);
        let ip4 = [(8, 4, 26), (12, 4, 30), (4, 1, 23)];
        let ip6 = [(27, 16, 22), (28, 16, 38), (4, 1, 20)];
        for (transport, ports) in
            [(Transport::Any, (7, 11)), (Transport::Tcp, (182, 183)), (Transport::Udp, (180, 181))]
        {
            let expected = [&ip4[..], &[(ports.0, 2, 34), (ports.1, 2, 36)]].concat();
            assert_eq!(shown(&everything, Family::Ip4, transport), expected);
            let expected = [&ip6[..], &[(ports.0, 2, 54), (ports.1, 2, 56)]].concat();
            assert_eq!(shown(&everything, Family::Ip6, transport), expected);
        }
    }

    #[test]
    fn what_it_compares_in_part_is_none() {
        let part = spec(&mask(&[(26, 3), (30, 4), (36, 1)]), None);
        assert_eq!(shown(&part, Family::Ip4, Transport::Any), [(12, 4, 30)]);
        let mut bits = mask(&[(26, 8)]);
        bits[33] = 0xfe;
        assert_eq!(shown(&spec(&bits, None), Family::Ip4, Transport::Udp), [(8, 4, 26)]);
        assert_eq!(shown(&spec(&mask(&[(0, 6)]), None), Family::Ip4, Transport::Udp), []);
    }

    #[test]
    fn a_table_of_current_data_has_its_fields_where_it_begins() {
        let from_ip = spec(&mask(&[(9, 1), (12, 8)]), Some(0));
        let expected = [(8, 4, 12), (12, 4, 16), (4, 1, 9)];
        assert_eq!(shown(&from_ip, Family::Ip4, Transport::Any), expected);
        let from_addresses = spec(&mask(&[(0, 8)]), Some(12));
        assert_eq!(shown(&from_addresses, Family::Ip4, Transport::Any), [(8, 4, 0), (12, 4, 4)]);
    }
}
