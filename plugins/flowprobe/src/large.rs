//! Large packets, which stand for several on the wire: the meter sees those.
//!
//! A frame in which there is none never comes here.

use std::ops::Range;

use vnet::{
    buffer::Buffer,
    flow::{FlowRecord, Meter, Observed, Start},
    frame::Buffers,
    wire::{gso::Segments, walk},
};

/// Whether there is any in a frame.
pub(crate) fn any(mut buffers: Buffers<'_>) -> bool {
    buffers.iter_mut().any(|buffer| buffer.gso_headers().is_some())
}

/// What the meter is to see in place of packets.
#[derive(Default)]
struct Seen<'b> {
    /// Packets that stand for themselves have the octets that they have; others theirs in `headers`.
    packets: Vec<(Observed<'b>, Option<Range<usize>>)>,
    headers: Vec<u8>,
}

/// Shows packets to the meter, large ones as those for which they stand.
#[cold]
pub(crate) fn show<'b>(
    packets: impl Iterator<Item = (&'b Buffer, Observed<'b>)>,
    meter: &mut Meter,
    sink: &mut impl FnMut(&FlowRecord),
) {
    let mut seen = Seen::default();
    for (buffer, observed) in packets {
        if seen.add_segments(buffer, &observed).is_none() {
            seen.packets.push((observed, None));
        }
    }
    let Seen { packets, headers } = &seen;
    let each = packets.iter().map(|(observed, own)| match own {
        None => *observed,
        Some(range) => Observed { bytes: &headers[range.clone()], ..*observed },
    });
    meter.frame(each, sink);
}

impl<'b> Seen<'b> {
    /// Adds the packets for which `buffer` stands; `None` when it stands for itself.
    fn add_segments(&mut self, buffer: &'b Buffer, observed: &Observed<'b>) -> Option<()> {
        buffer.gso_headers()?;
        let network = match observed.start {
            Start::Network(offset) => usize::from(offset),
            Start::Link(link) => walk::link(observed.bytes, link).ok()?.payload,
        };
        // What the observation point looks at may begin in front of the current position, or behind it.
        let (at, current) = (observed.bytes.as_ptr().addr(), buffer.current().as_ptr().addr());
        let (front, behind) = (current.saturating_sub(at), at.saturating_sub(current));
        let length = (observed.wire_length as usize + behind).checked_sub(front)?;
        let segments = Segments::of_length(buffer, (network + behind).checked_sub(front)?, length)?;
        let octets = segments.headers().checked_sub(behind)?;
        for i in 0..segments.count() {
            let start = self.headers.len();
            self.headers.extend_from_slice(&observed.bytes[..front]);
            let written = self.headers.len();
            self.headers.resize(written + segments.headers(), 0);
            segments.write(i, &mut self.headers[written..]);
            self.headers.drain(written..written + behind);
            let wire_length = (front + octets + segments.payload(i).len()) as u32;
            let seen = Observed { wire_length, ..*observed };
            self.packets.push((seen, Some(start..self.headers.len())));
        }
        Some(())
    }
}
