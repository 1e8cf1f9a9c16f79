//! What is counted of a flow, in five words beside its key.
//!
//! | word | high bits | low bits |
//! |---|---|---|
//! | `start` | 64: time of the record's first packet | |
//! | packets | 32: packets | 32: lateness, see [`Lateness`] |
//! | octets | 48: IP octets | 4: state, 12: TCP flags |
//! | layer 2 | 48: octets of frames | |
//! | end | 64: latest time of the record's packets | |
//!
//! All times are exact nanoseconds. Counters have their top bit as a guard: a record is made before the next packet
//! counts once one of them is set, which is before anything can overflow, since one packet adds less than 2^32.
//!
//! The last four words are one vector, which the usual packet tests, adds to and stores whole: what it adds, its [`Delta`], has
//! the same layout.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    rules::{Flow, Rules, Sample},
    vector::{self, Words},
};
use crate::wire::tcp;

/// The packed form; [`Flow`] is the other one.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct Meters {
    start: u64,
    words: Words,
}

/// What a packet adds to its flow: the packed form of a [`Sample`] without its watermark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delta(Words);

impl Delta {
    /// Of no packet.
    pub(super) const NONE: Self = Self([0; 4]);

    #[inline(always)]
    pub(super) fn new(sample: &Sample, rules: &Rules) -> Self {
        let flags = u64::from(sample.tcp_flags & rules.recorded_flags);
        Self([
            ONE_PACKET,
            u64::from(sample.octets) << OCTETS_SHIFT | flags,
            u64::from(sample.layer2_octets) << OCTETS_SHIFT,
            sample.time,
        ])
    }

    pub(super) const fn sample(&self, watermark: u64) -> Sample {
        let [_, octets, layer2, time] = self.0;
        Sample {
            time,
            watermark,
            octets: (octets >> OCTETS_SHIFT) as u32,
            layer2_octets: (layer2 >> OCTETS_SHIFT) as u32,
            tcp_flags: (octets & FLAGS_MASK) as u16,
        }
    }
}

impl Meters {
    /// Counts a packet in the usual case, and otherwise says `false` and changes nothing: the packet is in order, as was the
    /// one before it, no timer is due, the flow is not ending and does not end by this packet, no counter is full.
    #[inline(always)]
    pub(super) fn count_usual(&mut self, delta: &Delta, watermark: u64, rules: &Rules) -> bool {
        let [_, octets, _, time] = delta.0;
        let [.., end] = self.words;
        // In order, so the packet is at or after the flow's end, and these cannot wrap.
        let (age, gap) = (time.wrapping_sub(self.start), time.wrapping_sub(end));
        if (time ^ watermark) | (octets & ENDING_FLAGS) != 0
            || vector::intersects(&self.words, &UNUSUAL)
            || age >= rules.active
            || gap > rules.passive
        {
            return false;
        }
        vector::add(&mut self.words, &delta.0, &JOINED);
        true
    }

    pub(super) fn flow(&self) -> Flow {
        let [packets, octets, layer2, end] = self.words;
        Flow {
            start: self.start,
            end,
            lateness: Lateness((packets & LATENESS_MASK) as u32).nanoseconds(),
            packets: packets >> PACKETS_SHIFT,
            octets: octets >> OCTETS_SHIFT,
            layer2_octets: layer2 >> OCTETS_SHIFT,
            tcp_flags: (octets & FLAGS_MASK) as u16,
            ending: octets & ENDING != 0,
            reported: octets & REPORTED != 0,
            full: (packets | octets | layer2) & GUARD != 0,
        }
    }

    /// Stores all of `flow` but its `full`, which follows from the counters.
    pub(super) fn set(&mut self, flow: &Flow) {
        let state = if flow.ending { ENDING } else { 0 } | if flow.reported { REPORTED } else { 0 };
        let lateness = Lateness::at_least(flow.lateness);
        *self = Self {
            start: flow.start,
            words: [
                flow.packets << PACKETS_SHIFT | u64::from(lateness.0),
                flow.octets << OCTETS_SHIFT | state | u64::from(flow.tcp_flags),
                flow.layer2_octets << OCTETS_SHIFT,
                flow.end,
            ],
        };
    }
}

/// How far a flow is behind the watermark, rounded up: 26 bits of nanoseconds, shifted by the low 6 bits. Exact up to
/// 67 milliseconds, within 3 * 10^-8 beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lateness(u32);

impl Lateness {
    const SHIFT_BITS: u32 = 6;
    const BITS: u32 = u32::BITS - Self::SHIFT_BITS;

    pub(super) fn at_least(nanoseconds: u64) -> Self {
        let mut shift = (u64::BITS - nanoseconds.leading_zeros()).saturating_sub(Self::BITS);
        let mut value = nanoseconds >> shift;
        if value << shift != nanoseconds {
            value += 1;
            if value >> Self::BITS != 0 {
                value >>= 1;
                shift += 1;
            }
        }
        Self((value as u32) << Self::SHIFT_BITS | shift)
    }

    pub(super) fn nanoseconds(self) -> u64 {
        let shift = self.0 & ((1 << Self::SHIFT_BITS) - 1);
        let value = u128::from(self.0 >> Self::SHIFT_BITS) << shift;
        u64::try_from(value).unwrap_or(u64::MAX)
    }
}

const GUARD: u64 = 1 << 63;
const PACKETS_SHIFT: u32 = 32;
const ONE_PACKET: u64 = 1 << PACKETS_SHIFT;
const LATENESS_MASK: u64 = ONE_PACKET - 1;
const OCTETS_SHIFT: u32 = 16;
const FLAGS_MASK: u64 = 0x0fff;
const ENDING: u64 = 0x1000;
const REPORTED: u64 = 0x2000;
/// Those of a packet that closes a connection; where flows are no connections packets are counted without flags.
const ENDING_FLAGS: u64 = (tcp::flags::FIN | tcp::flags::RST) as u64;

/// What a flow in its usual state has none of.
const UNUSUAL: Words = [GUARD | LATENESS_MASK, GUARD | ENDING | REPORTED, GUARD, 0];
/// What is joined rather than added; the last word, the end, is replaced.
const JOINED: Words = [0, FLAGS_MASK, 0, 0];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY: Meters = Meters { start: 0, words: [0; 4] };

    proptest! {
        #[test]
        fn lateness_rounds_up_and_hardly(nanoseconds: u64) {
            let back = Lateness::at_least(nanoseconds).nanoseconds();
            prop_assert!(back >= nanoseconds);
            prop_assert!(back - nanoseconds <= nanoseconds >> 25);
        }

        #[test]
        fn lateness_is_exact_below_67_milliseconds(nanoseconds in 0_u64..1 << 26) {
            prop_assert_eq!(Lateness::at_least(nanoseconds).nanoseconds(), nanoseconds);
        }

        #[test]
        fn stored_lateness_is_stored_again_unchanged(bits: u64, shift in 0_u32..64) {
            let once = Lateness::at_least(bits >> shift);
            prop_assert_eq!(Lateness::at_least(once.nanoseconds()).nanoseconds(), once.nanoseconds());
        }

        #[test]
        fn flow_survives_packing(
            start in 0..u64::MAX / 2,
            duration in 0..u64::MAX / 2,
            lateness in 0_u64..1 << 26,
            packets in 0_u64..1 << 31,
            octets in 0_u64..1 << 47,
            layer2_octets in 0_u64..1 << 47,
            tcp_flags in 0_u16..0x1000,
            (ending, reported) in any::<(bool, bool)>(),
        ) {
            let flow = Flow {
                start, end: start + duration, lateness, packets, octets, layer2_octets, tcp_flags, ending, reported,
                full: false,
            };
            let mut meters = EMPTY;
            meters.set(&flow);
            prop_assert_eq!(meters.flow(), flow);
        }
    }

    #[test]
    fn guards_are_seen_before_a_counter_overflows() {
        for (packets, octets, layer2_octets) in [
            (1 << 31, 0, 0),
            (0, 1 << 47, 0),
            (0, 0, 1 << 47),
            ((1 << 31) - 1, (1 << 47) - 1, (1 << 47) - 1),
        ] {
            let mut meters = EMPTY;
            meters.set(&Flow { packets, octets, layer2_octets, ..EMPTY.flow() });
            let full = packets >> 31 | octets >> 47 | layer2_octets >> 47 != 0;
            assert_eq!(meters.flow().full, full);
        }
    }
}
