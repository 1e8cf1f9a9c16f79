//! The hash by which packets of one flow take the same one of several paths.

bitflags::bitflags! {
    /// What of a packet the hash of its flow is made of; the numbers are VPP's.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct HashFields: u32 {
        /// The source address.
        const SOURCE = 1;
        /// The destination address.
        const DESTINATION = 1 << 1;
        /// The source port.
        const SOURCE_PORT = 1 << 2;
        /// The destination port.
        const DESTINATION_PORT = 1 << 3;
        /// The protocol above IP.
        const PROTOCOL = 1 << 4;
        /// Source and destination change places.
        const REVERSE = 1 << 5;
        /// The lower ones of addresses and of ports go first: both directions of a flow have one hash.
        const SYMMETRIC = 1 << 6;
        /// The flow label of IPv6.
        const FLOW_LABEL = 1 << 7;
        /// The tunnel of GTP version 1.
        const GTP_TUNNEL = 1 << 8;
    }
}

/// Fields, the bits that choose them, and their words in commands.
pub const FIELDS: [(HashFields, &str); 9] = [
    (HashFields::SOURCE, "src"),
    (HashFields::DESTINATION, "dst"),
    (HashFields::SOURCE_PORT, "sport"),
    (HashFields::DESTINATION_PORT, "dport"),
    (HashFields::PROTOCOL, "proto"),
    (HashFields::REVERSE, "reverse"),
    (HashFields::SYMMETRIC, "symmetric"),
    (HashFields::FLOW_LABEL, "flowlabel"),
    (HashFields::GTP_TUNNEL, "gtpv1teid"),
];

impl HashFields {
    /// What is hashed unless told otherwise.
    pub const DEFAULT: Self = Self::SOURCE
        .union(Self::DESTINATION)
        .union(Self::SOURCE_PORT)
        .union(Self::DESTINATION_PORT)
        .union(Self::PROTOCOL)
        .union(Self::FLOW_LABEL);
}

/// The UDP port of GTP version 1.
const GTP: u16 = 2152;

/// What tells the flow of a packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flow<'p> {
    /// The source address; one of IPv4 is in the lower half.
    pub source: u128,
    /// The destination address.
    pub destination: u128,
    /// The protocol above IP.
    pub protocol: u8,
    /// The flow label of IPv6, 0 of IPv4.
    pub label: u32,
    /// What is behind the IP header; nothing in a fragment.
    pub behind: &'p [u8],
}

impl Flow<'_> {
    /// The first four bytes behind the IP header: both ports, as far as the protocol has any.
    #[inline]
    fn ports(&self) -> u32 {
        self.behind.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    /// The hash of the default fields.
    #[inline]
    #[must_use]
    pub fn hash(&self) -> u32 {
        let Self { source, destination, protocol, label, .. } = *self;
        mix(source, destination, protocol, self.ports(), label)
    }

    /// The hash of other fields, and of a number by which routers in a row decide differently.
    #[must_use]
    pub fn hash_of(&self, fields: HashFields, router: u32) -> u32 {
        let ports = self.ports();
        let [source_port, destination_port] = [(ports >> 16) as u16, ports as u16];
        let is_gtp = self.protocol == super::ip4::protocol::UDP && destination_port == GTP;
        let tunnel = self.behind.get(12..16).filter(|_| is_gtp).unwrap_or_default();
        let tunnel = tunnel.iter().fold(0, |id, octet| id << 8 | u32::from(*octet));
        let has = |field| fields.contains(field);
        let mut addresses = [
            if has(HashFields::SOURCE) { self.source } else { 0 },
            if has(HashFields::DESTINATION) { self.destination } else { 0 },
        ];
        let mut ports = [
            if has(HashFields::SOURCE_PORT) { source_port } else { 0 },
            if has(HashFields::DESTINATION_PORT) { destination_port } else { 0 },
        ];
        if has(HashFields::REVERSE) {
            addresses.reverse();
            ports.reverse();
        }
        if has(HashFields::SYMMETRIC) {
            addresses.sort_unstable();
            ports.sort_unstable();
        }
        let protocol = if has(HashFields::PROTOCOL) { self.protocol } else { 0 };
        let label = if has(HashFields::FLOW_LABEL) { self.label } else { 0 };
        let ports = u32::from(ports[0]) << 16 | u32::from(ports[1]);
        let hash = mix(addresses[0], addresses[1], protocol, ports, label);
        match (if has(HashFields::GTP_TUNNEL) { tunnel } else { 0 }, router) {
            (0, 0) => hash,
            (tunnel, router) => mix(hash.into(), tunnel.into(), 0, router, 0),
        }
    }
}

/// A hash of addresses, protocol and ports; the same for all packets of a flow, whatever their length. `ports` are the first four
/// bytes behind the IP header, 0 where the protocol has none or the packet is a fragment.
#[inline]
#[must_use]
pub fn of(source: u128, destination: u128, protocol: u8, ports: u32) -> u32 {
    mix(source, destination, protocol, ports, 0)
}

/// The same, and of a flow label.
#[inline]
fn mix(source: u128, destination: u128, protocol: u8, ports: u32, label: u32) -> u32 {
    // Multiply and fold: every bit of the input reaches every bit of the upper half.
    const A: u64 = 0x9e37_79b9_7f4a_7c15;
    const B: u64 = 0xd6e8_feb8_6659_fd93;
    let fold = |x: u64, k: u64| {
        let wide = u128::from(x) * u128::from(k);
        (wide >> 64) as u64 ^ wide as u64
    };
    let source = fold(source as u64 ^ A, B) ^ fold((source >> 64) as u64 ^ B, A);
    let destination = fold(destination as u64 ^ B, A) ^ fold((destination >> 64) as u64 ^ A, B);
    let rest = u64::from(label) << 40 | u64::from(ports) << 8 | u64::from(protocol);
    let mixed = fold(source.rotate_left(17) ^ destination ^ rest, A);
    (mixed >> 32) as u32 ^ mixed as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_spread_evenly_over_paths() {
        let mut buckets = [0u32; 16];
        for port in 0..16_000u32 {
            let hash = of(0x0a00_0001, 0x0a00_0002, 17, port << 16 | 53);
            buckets[hash as usize % 16] += 1;
        }
        // Three sigma of a fair distribution over 16 paths is about 92.
        assert!(buckets.iter().all(|b| (900..1100).contains(b)), "{buckets:?}");
    }

    #[test]
    fn each_field_matters() {
        let base = of(1, 2, 6, 80);
        for other in [of(2, 1, 6, 80), of(1, 2, 17, 80), of(1, 2, 6, 81), of(1 << 64, 2, 6, 80)] {
            assert_ne!(base, other);
        }
    }

    const BEHIND: [u8; 16] = [0, 80, 0, 53, 0, 0, 0, 0, 0x30, 255, 0, 0, 0, 0, 0, 7];

    fn flow(behind: &[u8]) -> Flow<'_> {
        Flow { source: 9, destination: 4, protocol: 17, label: 3, behind }
    }

    #[test]
    fn the_default_fields_chosen_one_by_one_have_the_same_hash() {
        assert_eq!(flow(&BEHIND).hash_of(HashFields::DEFAULT, 0), flow(&BEHIND).hash());
        assert_eq!(Flow { label: 0, ..flow(&BEHIND) }.hash(), of(9, 4, 17, 80 << 16 | 53));
    }

    #[test]
    fn a_field_counts_where_it_is_chosen_and_nowhere_else() {
        let base = flow(&BEHIND);
        let mut other_port = BEHIND;
        other_port[1] = 81;
        for (field, other) in [
            (HashFields::SOURCE, Flow { source: 8, ..base }),
            (HashFields::DESTINATION, Flow { destination: 8, ..base }),
            (HashFields::SOURCE_PORT, Flow { behind: &other_port, ..base }),
            (HashFields::PROTOCOL, Flow { protocol: 6, ..base }),
            (HashFields::FLOW_LABEL, Flow { label: 8, ..base }),
        ] {
            assert_ne!(base.hash_of(field, 0), other.hash_of(field, 0), "{field:?}");
            let rest = HashFields::all() - field - HashFields::GTP_TUNNEL;
            assert_eq!(base.hash_of(rest, 0), other.hash_of(rest, 0), "{field:?}");
        }
        assert_ne!(base.hash_of(HashFields::DEFAULT, 1), base.hash_of(HashFields::DEFAULT, 2));
    }

    #[test]
    fn both_directions_of_a_flow_have_one_symmetric_hash_and_a_reverse_one_each() {
        let back = [0, 53, 0, 80];
        let (there, back) = (flow(&BEHIND), Flow { source: 4, destination: 9, ..flow(&back) });
        let symmetric = HashFields::DEFAULT | HashFields::SYMMETRIC;
        assert_eq!(there.hash_of(symmetric, 0), back.hash_of(symmetric, 0));
        let reverse = HashFields::DEFAULT | HashFields::REVERSE;
        assert_eq!(there.hash_of(reverse, 0), back.hash());
        assert_ne!(there.hash(), back.hash());
    }

    #[test]
    fn tunnels_of_gtp_are_told_apart_by_their_number() {
        let mut gtp = BEHIND;
        gtp[2..4].copy_from_slice(&GTP.to_be_bytes());
        let mut other = gtp;
        other[15] = 8;
        let tunnel = HashFields::DEFAULT | HashFields::GTP_TUNNEL;
        assert_ne!(flow(&gtp).hash_of(tunnel, 0), flow(&other).hash_of(tunnel, 0));
        assert_eq!(flow(&gtp).hash(), flow(&other).hash());
        // Too short for one.
        assert_eq!(flow(&gtp[..15]).hash_of(tunnel, 0), flow(&gtp).hash());
    }
}
