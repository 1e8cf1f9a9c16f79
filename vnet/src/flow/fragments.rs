//! Which flow the later fragments of a datagram belong to: that of the first one, which alone has ports.
//!
//! A bounded table keeps what the first fragments of datagrams said: eight places for each hash, of which the oldest makes room
//! for another one. What is attributed depends on packets and their times alone, never on frames.

use zerocopy::FromZeros;

use super::{
    MeterError,
    hash::crc32c,
    key::{Datagram, Point, datagram4, datagram6},
};
use crate::{
    runtime::PacketTime,
    wire::{
        ip4, ip6,
        walk::{Link, Transport},
    },
};

/// Fragments that a meter has seen. Zeros where it attributes none.
///
/// At any moment the later fragments are `attributed + without_first`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentCounters {
    /// First fragments, whose ports were noted.
    pub first: u64,
    /// Later ones that were counted in the flow of the first.
    pub attributed: u64,
    /// Later ones that were counted in a flow without ports: the first one had not come, was forgotten, or came too long ago.
    pub without_first: u64,
    /// First fragments that were forgotten for another one within [`FRAGMENT_TIMEOUT`].
    pub evictions: u64,
}

impl core::ops::AddAssign for FragmentCounters {
    fn add_assign(&mut self, other: Self) {
        self.first += other.first;
        self.attributed += other.attributed;
        self.without_first += other.without_first;
        self.evictions += other.evictions;
    }
}

/// For how long later fragments are looked for, by packet time: what RFC 791 section 3.2 has for its timer of reassembly. RFC
/// 1122 and RFC 8200 let hosts wait for a minute, but in a minute a fast sender has used its identifications again (RFC 4963), and
/// a meter that is wrong is worse than one that knows no ports.
pub const FRAGMENT_TIMEOUT: core::time::Duration = core::time::Duration::from_secs(15);

const TIMEOUT_NANOS: u64 = FRAGMENT_TIMEOUT.as_nanos() as u64;

/// Places of a bucket.
const WAYS: usize = 8;

/// Buckets: 16,384 datagrams whose fragments are on their way.
const BUCKETS: usize = 2048;

/// Datagrams of which the first fragment was seen.
pub(super) struct Fragments(Box<[Bucket]>);

type Bucket = [Entry; WAYS];

#[derive(Clone, Copy, Debug, FromZeros)]
struct Entry {
    /// Zeros where there is none.
    datagram: Datagram,
    /// When the first fragment was seen.
    time: u64,
    ports: u32,
    /// That of the first fragment: IPv6 has further extension headers there alone.
    protocol: u8,
}

impl Fragments {
    /// Reserves the table; memory is taken of it as fragments come.
    pub(super) fn new() -> Result<Self, MeterError> {
        let buckets = <[Bucket]>::new_box_zeroed_with_elems(BUCKETS);
        buckets.map(Self).map_err(|_| MeterError::Fragments)
    }

    /// Looks at an IPv4 packet, and gives a later fragment the ports of the first one.
    pub(super) fn see4(
        &mut self,
        (point, link, time): (Point<'_>, &Link, PacketTime),
        ip: &ip4::Header,
        transport: &mut Transport,
        counters: &mut FragmentCounters,
    ) {
        if ip.is_fragment() {
            let datagram = datagram4(point, link, ip);
            self.see(datagram, time, ip.fragment_offset() == 0, transport, counters);
        }
    }

    /// Likewise IPv6; `payload` is what was captured behind the fixed header.
    pub(super) fn see6(
        &mut self,
        (point, link, time): (Point<'_>, &Link, PacketTime),
        ip: &ip6::Header,
        payload: &[u8],
        transport: &mut Transport,
        counters: &mut FragmentCounters,
    ) {
        // An atomic fragment (RFC 6946) is a whole packet.
        if let Some(header) = ip6::fragment_header(ip.next_header, payload)
            && header.is_fragment()
        {
            let datagram = datagram6(point, link, ip, header);
            self.see(datagram, time, header.offset() == 0, transport, counters);
        }
    }

    fn see(
        &mut self,
        datagram: Datagram,
        PacketTime(time): PacketTime,
        is_first: bool,
        transport: &mut Transport,
        counters: &mut FragmentCounters,
    ) {
        if is_first {
            counters.first += 1;
            let Transport { ports, protocol, .. } = *transport;
            self.note(Entry { datagram, time, ports, protocol }, counters);
        } else if let Some(first) = self.find(&datagram, time) {
            counters.attributed += 1;
            (transport.ports, transport.protocol) = (first.ports, first.protocol);
        } else {
            counters.without_first += 1;
        }
    }

    fn find(&mut self, datagram: &Datagram, time: u64) -> Option<Entry> {
        let found = self.bucket(datagram).iter().find(|entry| entry.datagram == *datagram);
        found.filter(|entry| entry.is_fresh(time)).copied()
    }

    /// The last first fragment counts: a sender that uses an identification again means the new datagram.
    fn note(&mut self, entry: Entry, counters: &mut FragmentCounters) {
        let time = entry.time;
        let bucket = self.bucket(&entry.datagram);
        let same = bucket.iter().position(|known| known.datagram == entry.datagram);
        let at = same.or_else(|| bucket.iter().position(|known| !known.is_fresh(time)));
        let at = at.unwrap_or_else(|| {
            counters.evictions += 1;
            let oldest = bucket.iter().enumerate().min_by_key(|(_, known)| known.time);
            oldest.map_or(0, |(at, _)| at)
        });
        bucket[at] = entry;
    }

    fn bucket(&mut self, datagram: &Datagram) -> &mut Bucket {
        &mut self.0[crc32c(datagram) as usize % BUCKETS]
    }
}

impl Entry {
    fn is_fresh(&self, time: u64) -> bool {
        self.datagram[0] != 0 && time.abs_diff(self.time) <= TIMEOUT_NANOS
    }
}

#[cfg(test)]
mod tests;
