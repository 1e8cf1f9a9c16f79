//! Whether details are kept is a type: what is not asked for is compiled to nothing.

use core::fmt::Debug;

use zerocopy::FromZeros;

use super::{DetailMeters, Seen, sequence::Track};
use crate::{
    flow::{Observed, order::Links},
    wire::{
        ip4, ip6,
        walk::{Link, Transport},
    },
};

/// What is kept of a flow beside its meters. Zeros are of no packet.
pub(in crate::flow) trait Extra: FromZeros + Copy + Debug + Send + 'static {
    /// What is looked for in a packet.
    type Sample: Copy + Send + 'static;
    /// Of no packet.
    const NONE: Self::Sample;

    fn of4(
        packet: &Observed<'_>,
        link: &Link,
        ip: &ip4::Header,
        transport: &Transport,
    ) -> Self::Sample;

    fn of6(
        packet: &Observed<'_>,
        link: &Link,
        ip: &ip6::Header,
        transport: &Transport,
    ) -> Self::Sample;

    fn of_frame(packet: &Observed<'_>, link: &Link) -> Self::Sample;

    /// Notes whether the key of the packet was turned, and whether it was seen on sending.
    fn set_side(sample: &mut Self::Sample, is_turned: bool, is_sent: bool);

    /// Adds a packet.
    fn add(&mut self, sample: &Self::Sample);

    /// A record was made; the flow lives on.
    fn start_over(&mut self);

    /// For the record.
    fn told(&self) -> Option<DetailMeters>;

    /// Whether flows are kept in the order in which they began.
    const IS_ORDERED: bool = false;

    /// The place of the flow in it.
    #[inline(always)]
    fn links(&mut self) -> Option<&mut Links> {
        None
    }

    /// Its number there.
    #[inline(always)]
    fn number(&self) -> u64 {
        0
    }

    /// The number of a packet.
    #[inline(always)]
    fn number_of(_: &Self::Sample) -> u64 {
        0
    }
}

impl Extra for () {
    type Sample = ();
    const NONE: () = ();

    #[inline(always)]
    fn of4(_: &Observed<'_>, _: &Link, _: &ip4::Header, _: &Transport) {}

    #[inline(always)]
    fn of6(_: &Observed<'_>, _: &Link, _: &ip6::Header, _: &Transport) {}

    #[inline(always)]
    fn of_frame(_: &Observed<'_>, _: &Link) {}

    #[inline(always)]
    fn set_side((): &mut (), _: bool, _: bool) {}

    #[inline(always)]
    fn add(&mut self, (): &()) {}

    #[inline(always)]
    fn start_over(&mut self) {}

    #[inline(always)]
    fn told(&self) -> Option<DetailMeters> {
        None
    }
}

impl Extra for DetailMeters {
    type Sample = Seen;
    const NONE: Seen = Seen::NONE;

    fn of4(packet: &Observed<'_>, link: &Link, ip: &ip4::Header, transport: &Transport) -> Seen {
        Seen::of4(packet, link, ip, transport)
    }

    fn of6(packet: &Observed<'_>, link: &Link, ip: &ip6::Header, transport: &Transport) -> Seen {
        Seen::of6(packet, link, ip, transport)
    }

    fn of_frame(packet: &Observed<'_>, link: &Link) -> Seen {
        Seen::of_frame(packet, link)
    }

    fn set_side(seen: &mut Seen, is_turned: bool, is_sent: bool) {
        seen.side = 1 + u8::from(is_turned);
        seen.is_sent = is_sent;
    }

    fn add(&mut self, seen: &Seen) {
        self.add(seen);
    }

    fn start_over(&mut self) {
        self.packets = 0;
    }

    fn told(&self) -> Option<DetailMeters> {
        Some(*self)
    }
}

/// Details, and what TCP's sequence numbers tell: the only ones that are looked at in relation to earlier packets.
#[derive(Clone, Copy, Debug, FromZeros)]
pub(in crate::flow) struct Sequenced {
    details: DetailMeters,
    /// As [`DetailMeters`] has its sides.
    tracks: [Track; 2],
}

impl Extra for Sequenced {
    type Sample = Seen;
    const NONE: Seen = Seen::NONE;

    fn of4(packet: &Observed<'_>, link: &Link, ip: &ip4::Header, transport: &Transport) -> Seen {
        Seen::of4(packet, link, ip, transport)
    }

    fn of6(packet: &Observed<'_>, link: &Link, ip: &ip6::Header, transport: &Transport) -> Seen {
        Seen::of6(packet, link, ip, transport)
    }

    fn of_frame(packet: &Observed<'_>, link: &Link) -> Seen {
        Seen::of_frame(packet, link)
    }

    fn set_side(seen: &mut Seen, is_turned: bool, is_sent: bool) {
        DetailMeters::set_side(seen, is_turned, is_sent);
    }

    fn add(&mut self, seen: &Seen) {
        Extra::add(&mut self.details, seen);
        let side = usize::from(seen.side == 2);
        if let Some(anomaly) = self.tracks[side].add(seen) {
            self.details.anomalies[side].count(anomaly);
        }
    }

    fn start_over(&mut self) {
        self.details.start_over();
    }

    fn told(&self) -> Option<DetailMeters> {
        self.details.told()
    }
}
