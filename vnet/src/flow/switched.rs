//! Frames of a switch on their way into tables.
//!
//! A switch looks at one tag and no further for what a frame carries: a second tag, MPLS and PPPoE are types of their own. Of a packet
//! whose IP header cannot be read nothing is known but that it is announced.

use zerocopy::{FromBytes, FromZeros};

use super::{
    FlowRecord, Observed, Start, Switch, Unmeasured,
    details::{Framed, Sizes},
    key::{Kind4, Kind6, KindOther},
    lanes::batch,
    rules::Sample,
    tables::Tables,
};
use crate::wire::{
    ethernet::{self, EtherType, VlanTag},
    ip4::{self, protocol},
    ip6,
    link::LinkType,
    walk::{self, Ip, Link, Transport, Version},
};

/// What frames have for a type that have a length instead and no type behind it.
const NO_TYPE: EtherType = EtherType(0x05ff);
/// The port of BFD control packets (RFC 5881 section 4); that of echo packets is the next one.
const BFD: u16 = 3784;

/// The link layer as a switch sees it.
struct Seen {
    link: Link,
    priority: u8,
    /// Octets of the Ethernet header with its tag.
    header: u32,
}

impl<F, G, O> Tables<F, G, O>
where
    F: Kind4 + super::key::Kind<Extra = Sizes>,
    G: Kind6 + super::key::Kind<Extra = Sizes>,
    O: KindOther + super::key::Kind<Extra = Sizes>,
{
    /// Measures frames, in order.
    #[inline(never)]
    pub(super) fn frame_switched<'a, S: FnMut(&FlowRecord)>(
        &mut self,
        switch: Switch,
        packets: impl IntoIterator<Item = Observed<'a>>,
        sink: &mut S,
    ) {
        let (mut n, mut is_tight) = (0_u64, self.is_tight());
        for packet in packets {
            let number = self.counters.seen + n;
            if !self.stage_usual(switch, &packet, number) {
                self.stage_switched(switch, &packet, number);
            }
            n += 1;
            if is_tight {
                // One by one, so that the oldest flow leaves before a packet counts in it that came later.
                self.step(sink);
                self.step(sink);
                self.make_room(sink);
            } else if n.is_multiple_of(batch::<F>() as u64) {
                self.step(sink);
            }
            if n.is_multiple_of(batch::<F>() as u64) {
                is_tight = self.is_tight();
            }
        }
        self.counters.seen += n;
        self.step(sink);
        self.step(sink);
        self.make_room(sink);
    }

    /// Whether the packets of three batches, each of a new flow, could be too many.
    fn is_tight(&self) -> bool {
        self.live_flows() + 3 * batch::<F>() > self.rules.most_flows && !self.rules.is_stateless()
    }

    /// Stages what is plain TCP or UDP with at most one tag; says `false` to all other frames.
    #[inline(always)]
    fn stage_usual(&mut self, switch: Switch, packet: &Observed<'_>, number: u64) -> bool {
        if packet.is_own_export || packet.start != Start::Link(LinkType::Ethernet) {
            return false;
        }
        let Some(link) = walk::common_link(packet.bytes) else { return false };
        let Some(bytes) = packet.bytes.get(link.payload..) else { return false };
        let priority = match link.vlan {
            Some(_) => packet.bytes.get(size_of::<ethernet::Header>()).map_or(0, |tag| tag >> 5),
            None => 0,
        };
        let watermark = self.watermark.max(packet.time.0);
        let (wire, point) = (packet.wire(), packet.point());
        let mut sample = Sample {
            time: packet.time.0,
            watermark,
            octets: wire.saturating_sub(link.payload as u32),
            layer2_octets: wire,
            tcp_flags: 0,
        };
        let rules = &self.rules;
        if link.ethertype == EtherType::IP4 {
            let (Some(cache), Some((ip, transport))) = (&mut self.v4, walk::common4(bytes)) else {
                return false;
            };
            if !switch.bfd && is_bfd(&transport) {
                return false;
            }
            switch.note(&mut sample, &transport);
            let framed = Framed { octets: sample.octets, priority, number };
            cache.stage_whole(
                F::key(point, &link, ip, &transport, &framed),
                framed,
                &sample,
                rules,
            );
        } else {
            let (Some(cache), Some((ip, transport))) = (&mut self.v6, walk::common6(bytes)) else {
                return false;
            };
            if !switch.bfd && is_bfd(&transport) {
                return false;
            }
            switch.note(&mut sample, &transport);
            let framed = Framed { octets: sample.octets, priority, number };
            cache.stage_whole(
                G::key(point, &link, ip, &transport, &framed),
                framed,
                &sample,
                rules,
            );
        }
        self.watermark = watermark;
        true
    }

    /// Stages any frame, or counts why not.
    #[inline(never)]
    fn stage_switched(&mut self, switch: Switch, packet: &Observed<'_>, number: u64) {
        let Some(seen) = see(packet) else {
            return self.counters.count_unmeasured(Unmeasured::TruncatedLink, 0);
        };
        let wire = packet.wire();
        let behind = wire.saturating_sub(seen.header);
        if packet.is_own_export {
            return self.counters.count_unmeasured(Unmeasured::OwnExport, behind);
        }
        let watermark = self.watermark.max(packet.time.0);
        let bytes = packet.bytes.get(seen.link.payload..).unwrap_or_default();
        let mut sample = Sample {
            time: packet.time.0,
            watermark,
            octets: behind,
            layer2_octets: wire,
            tcp_flags: 0,
        };
        let (point, link) = (packet.point(), &seen.link);
        let Self { v4, v6, other, rules, counters, .. } = self;
        match (link.ethertype, v4, v6, other) {
            (EtherType::IP4, Some(cache), _, _) => {
                let (ip, mut transport) = ip4_of(bytes, behind);
                if !switch.bfd && is_bfd(&transport) {
                    return counters.count_unmeasured(Unmeasured::Bfd, behind);
                }
                switch.note(&mut sample, &transport);
                let framed = Framed { octets: sample.octets, priority: seen.priority, number };
                keep_ports(&mut transport, protocol::ICMP);
                let key = F::key(point, link, &ip, &transport, &framed);
                cache.stage_whole(key, framed, &sample, rules);
            }
            (EtherType::IP6, _, Some(cache), _) => {
                let (ip, mut transport) = ip6_of(bytes, behind);
                if !switch.bfd && is_bfd(&transport) {
                    return counters.count_unmeasured(Unmeasured::Bfd, behind);
                }
                switch.note(&mut sample, &transport);
                let framed = Framed { octets: sample.octets, priority: seen.priority, number };
                keep_ports(&mut transport, protocol::ICMP6);
                let key = G::key(point, link, &ip, &transport, &framed);
                cache.stage_whole(key, framed, &sample, rules);
            }
            (_, _, _, Some(cache)) => {
                sample.octets = 0;
                let framed = Framed { octets: 0, priority: seen.priority, number };
                cache.stage_whole(O::key(point, link, &framed), framed, &sample, rules);
            }
            _ => return counters.count_unmeasured(Unmeasured::OtherFamily, behind),
        }
        self.watermark = watermark;
    }
}

impl Switch {
    /// Fills in what the packet says of itself.
    #[inline(always)]
    fn note(&self, sample: &mut Sample, transport: &Transport) {
        if self.trims {
            sample.octets = sample.octets.min(transport.octets);
        }
        sample.tcp_flags = transport.tcp_flags;
    }
}

/// Reads the link header; `None` when the frame ends within it.
fn see(packet: &Observed<'_>) -> Option<Seen> {
    if packet.start == Start::Network(0) {
        // There is none.
        let link = packet.common_link()?;
        return Some(Seen { link, priority: 0, header: 0 });
    }
    see_any(packet.bytes)
}

fn see_any(bytes: &[u8]) -> Option<Seen> {
    let (ethernet, rest) = ethernet::Header::ref_from_prefix(bytes).ok()?;
    let [destination, source] = ethernet.words();
    let mut ethertype = EtherType(ethernet.ethertype.get());
    let mut payload = size_of::<ethernet::Header>();
    let (mut vlan, mut priority) = (None, 0);
    if matches!(ethertype, EtherType::VLAN | EtherType::QINQ)
        && let Ok((tag, _)) = VlanTag::ref_from_prefix(rest)
    {
        (vlan, priority) = (Some(tag.id()), tag.priority());
        ethertype = EtherType(tag.ethertype.get());
        payload += size_of::<VlanTag>();
    }
    let header = payload as u32;
    if ethertype.is_length() {
        (ethertype, payload) = match bytes.get(payload..) {
            Some(&[0xaa, 0xaa, 0x03, 0, 0, 0, high, low, ..])
                if !EtherType(u16::from_be_bytes([high, low])).is_length() =>
            {
                (EtherType(u16::from_be_bytes([high, low])), payload + 8)
            }
            _ => (NO_TYPE, payload),
        };
    }
    let link = Link { source, destination, vlan, ethertype, payload };
    Some(Seen { link, priority, header })
}

/// The IPv4 header and what is behind it; zeros where they cannot be read.
fn ip4_of(bytes: &[u8], behind: u32) -> (ip4::Header, Transport) {
    if let Some((ip, transport)) = walk::common4(bytes) {
        return (*ip, transport);
    }
    match walk::ip(Version::V4, bytes, behind) {
        Ok(Ip::V4(ip, transport)) => (*ip, transport),
        _ => (ip4::Header::new_zeroed(), unknown(behind)),
    }
}

/// The same of IPv6.
fn ip6_of(bytes: &[u8], behind: u32) -> (ip6::Header, Transport) {
    if let Some((ip, transport)) = walk::common6(bytes) {
        return (*ip, transport);
    }
    match walk::ip(Version::V6, bytes, behind) {
        Ok(Ip::V6(ip, transport)) => {
            let payload = bytes.get(size_of::<ip6::Header>()..).unwrap_or_default();
            let fragment = ip6::fragment_header(ip.next_header, payload);
            // A later fragment is of no protocol but that, as Open vSwitch has it.
            match fragment.is_some_and(|fragment| fragment.offset() > 0) {
                true => (*ip, Transport { protocol: protocol::FRAGMENT, ..transport }),
                false => (*ip, transport),
            }
        }
        _ => (ip6::Header::new_zeroed(), unknown(behind)),
    }
}

const fn unknown(octets: u32) -> Transport {
    Transport { octets, ports: 0, tcp_flags: 0, protocol: 0 }
}

fn is_bfd(transport: &Transport) -> bool {
    transport.protocol == protocol::UDP && transport.destination_port() & !1 == BFD
}

/// Only these protocols have ports, or type and code, that tell flows apart.
#[inline(always)]
fn keep_ports(transport: &mut Transport, icmp: u8) {
    let has_ports = matches!(transport.protocol, protocol::TCP | protocol::UDP | protocol::SCTP)
        || transport.protocol == icmp;
    if !has_ports {
        transport.ports = 0;
    }
}

#[cfg(test)]
mod tests;
