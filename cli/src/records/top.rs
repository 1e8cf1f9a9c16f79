//! The top flows: records of one flow added up, the largest kept, and shown as a table.

use core::{cmp::Reverse, fmt::Write, net::IpAddr};
use std::collections::{BinaryHeap, HashMap};

use vnet::{
    flow::{Addresses, Config, Direction, EndReason, FlowRecord, RecordSet},
    interface::SwIfIndex,
    ipfix::time::{Precision, Timestamp},
};

/// Living flows that are held without a look at whether they have ended.
const ROOM: usize = 1 << 16;

/// Keeps the flows with most octets.
///
/// A flow that lives on after a record waits for its next one; only those are held beside the top flows themselves, and not
/// much longer than the meter holds them.
pub struct TopFlows {
    size: usize,
    living: HashMap<Key, Flow>,
    /// A flow whose last packet is so many nanoseconds old makes no record any more.
    horizon: u64,
    /// The latest packet time.
    latest: u64,
    /// As many flows are held before those that have ended are looked for.
    room: usize,
    top: BinaryHeap<Reverse<Ranked>>,
}

/// What tells flows apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    addresses: Addresses,
    protocol: u8,
    ports: (u16, u16),
    vlan: Option<u16>,
    ethertype: u16,
    macs: ([u8; 6], [u8; 6]),
    /// By which its packets came, or left.
    interface: SwIfIndex,
}

/// The sum of a flow's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flow {
    octets: u64,
    packets: u64,
    start: u64,
    end: u64,
    tcp_flags: u16,
}

/// Ordered by octets, then packets, and so that ties are always broken the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    size: (u64, u64),
    age: Reverse<u64>,
    key: Reverse<Key>,
    flow: Flow,
}

impl TopFlows {
    /// Keeps `size` flows of a meter with these timers.
    #[must_use]
    pub fn new(size: usize, meter: &Config) -> Self {
        // The next packet comes within the passive timeout and its record after the active one, or somewhat later when the
        // meter is not asked for it. A passive timeout of zero is endless.
        let wait = (meter.active + meter.passive) * 2;
        let horizon = match u64::try_from(wait.as_nanos()) {
            Ok(wait) if !meter.passive.is_zero() => wait,
            _ => u64::MAX,
        };
        Self {
            size,
            living: HashMap::new(),
            horizon,
            latest: 0,
            room: ROOM,
            top: BinaryHeap::new(),
        }
    }

    /// Adds a record.
    pub fn record(&mut self, record: &FlowRecord) {
        if self.size == 0 {
            return;
        }
        let key = Key::of(record);
        if record.end_reason == EndReason::ActiveTimeout {
            self.latest = self.latest.max(record.end.0);
            if self.living.len() >= self.room {
                self.forget();
            }
            self.living.entry(key).and_modify(|flow| flow.add(record)).or_insert(Flow::of(record));
            return;
        }
        let mut flow = Flow::of(record);
        if let Some(earlier) = (!self.living.is_empty()).then(|| self.living.remove(&key)).flatten()
        {
            flow = earlier;
            flow.add(record);
        }
        self.rank(key, flow);
    }

    /// The table, of a run that recorded `set` and whose times have this precision. Empty when there was no flow.
    #[must_use]
    pub fn table(mut self, set: RecordSet, precision: Precision) -> String {
        for (key, flow) in core::mem::take(&mut self.living) {
            self.rank(key, flow);
        }
        let flows: Vec<Ranked> =
            self.top.into_sorted_vec().into_iter().map(|Reverse(ranked)| ranked).collect();
        let shows = Shows {
            vlan: flows.iter().any(|ranked| ranked.key.0.vlan.is_some()),
            macs: set.contains(RecordSet::L2),
            interfaces: flows.windows(2).any(|f| f[0].key.0.interface != f[1].key.0.interface),
            set,
            precision,
        };
        let rows: Vec<Vec<String>> = flows.iter().map(|ranked| shows.row(ranked)).collect();
        if rows.is_empty() { String::new() } else { aligned(&shows.head(), &rows) }
    }

    /// Ranks the flows that make no record any more.
    fn forget(&mut self) {
        let Some(ended) = self.latest.checked_sub(self.horizon) else {
            self.room *= 2;
            return;
        };
        let mut living = core::mem::take(&mut self.living);
        for (key, flow) in living.extract_if(|_, flow| flow.end < ended) {
            self.rank(key, flow);
        }
        self.living = living;
        self.room = (self.living.len() * 2).max(ROOM);
    }

    fn rank(&mut self, key: Key, flow: Flow) {
        let size = (flow.octets, flow.packets);
        let ranked = Ranked { size, age: Reverse(flow.start), key: Reverse(key), flow };
        if self.top.len() < self.size {
            self.top.push(Reverse(ranked));
        } else if let Some(mut least) = self.top.peek_mut()
            && least.0 < ranked
        {
            *least = Reverse(ranked);
        }
    }
}

impl Key {
    fn of(record: &FlowRecord) -> Self {
        Self {
            addresses: record.addresses,
            protocol: record.protocol,
            ports: (record.source_port, record.destination_port),
            vlan: record.vlan,
            ethertype: record.ethertype,
            macs: (record.source_mac, record.destination_mac),
            interface: match record.direction {
                Direction::Ingress => record.ingress,
                Direction::Egress => record.egress,
            },
        }
    }

    /// Whether the ports are ports.
    fn has_ports(&self) -> bool {
        self.addresses != Addresses::None && !self.is_icmp()
    }

    fn is_icmp(&self) -> bool {
        match self.addresses {
            Addresses::None => false,
            Addresses::V4(..) => self.protocol == 1,
            Addresses::V6(..) => self.protocol == 58,
        }
    }
}

impl Flow {
    fn of(record: &FlowRecord) -> Self {
        Self {
            octets: octets(record),
            packets: record.all_packets(),
            start: record.start.0,
            end: record.end.0,
            tcp_flags: record.tcp_flags,
        }
    }

    fn add(&mut self, record: &FlowRecord) {
        self.octets += octets(record);
        self.packets += record.all_packets();
        self.start = self.start.min(record.start.0);
        self.end = self.end.max(record.end.0);
        self.tcp_flags |= record.tcp_flags;
    }
}

/// Octets of IP, or of the frames where there is no IP.
fn octets(record: &FlowRecord) -> u64 {
    if record.addresses == Addresses::None { record.layer2_octets } else { record.all_octets() }
}

/// Which columns there are.
struct Shows {
    vlan: bool,
    macs: bool,
    interfaces: bool,
    set: RecordSet,
    precision: Precision,
}

impl Shows {
    fn head(&self) -> Vec<(&'static str, Side)> {
        let mut head = vec![("Source", Side::Left), ("Destination", Side::Left)];
        if self.macs {
            head.extend([("Source MAC", Side::Left), ("Destination MAC", Side::Left)]);
        }
        if self.vlan {
            head.push(("VLAN", Side::Right));
        }
        head.extend([
            ("Protocol", Side::Left),
            ("Packets", Side::Right),
            ("Octets", Side::Right),
            ("Start", Side::Left),
            ("Seconds", Side::Right),
        ]);
        if self.interfaces {
            head.push(("Interface", Side::Right));
        }
        head
    }

    fn row(&self, ranked: &Ranked) -> Vec<String> {
        let (key, flow) = (&ranked.key.0, &ranked.flow);
        let (source, destination) = self.endpoints(key);
        let mut row = vec![source, destination];
        if self.macs {
            row.extend([mac(key.macs.0), mac(key.macs.1)]);
        }
        if self.vlan {
            row.push(key.vlan.map_or_else(String::new, |vlan| vlan.to_string()));
        }
        let start = Timestamp::from_unix_nanos(flow.start, self.precision);
        row.extend([
            self.protocol(key, flow),
            flow.packets.to_string(),
            flow.octets.to_string(),
            start.to_string(),
            format!("{:.3}", (flow.end - flow.start) as f64 / 1e9),
        ]);
        if self.interfaces {
            row.push(key.interface.0.to_string());
        }
        row
    }

    fn endpoints(&self, key: &Key) -> (String, String) {
        let (source, destination): (Option<IpAddr>, Option<IpAddr>) = match key.addresses {
            Addresses::None => return (mac(key.macs.0), mac(key.macs.1)),
            _ if !self.set.contains(RecordSet::L3) => (None, None),
            Addresses::V4(source, destination) => (Some(source.into()), Some(destination.into())),
            Addresses::V6(source, destination) => (Some(source.into()), Some(destination.into())),
        };
        let ports = self.set.contains(RecordSet::L4) && key.has_ports();
        let port = |port| ports.then_some(port);
        (endpoint(source, port(key.ports.0)), endpoint(destination, port(key.ports.1)))
    }

    fn protocol(&self, key: &Key, flow: &Flow) -> String {
        if key.addresses == Addresses::None {
            return ethertype(key.ethertype);
        }
        if !self.set.intersects(RecordSet::L3 | RecordSet::L4) {
            return "ip".to_owned();
        }
        let name = protocol(key.protocol);
        if !self.set.contains(RecordSet::L4) {
            name
        } else if key.is_icmp() {
            format!("{name} {}/{}", key.ports.1 >> 8, key.ports.1 & 0xff)
        } else if key.protocol == 6 {
            format!("{name} {}", flags(flow.tcp_flags))
        } else {
            name
        }
    }
}

fn endpoint(address: Option<IpAddr>, port: Option<u16>) -> String {
    match (address, port) {
        (Some(IpAddr::V6(v6)), Some(port)) => format!("[{v6}]:{port}"),
        (Some(address), Some(port)) => format!("{address}:{port}"),
        (Some(address), None) => address.to_string(),
        (None, Some(port)) => format!("*:{port}"),
        (None, None) => "*".to_owned(),
    }
}

fn mac([a, b, c, d, e, f]: [u8; 6]) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

fn protocol(number: u8) -> String {
    let name = match number {
        1 => "icmp",
        2 => "igmp",
        4 => "ipip",
        6 => "tcp",
        17 => "udp",
        41 => "ipv6",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "icmp6",
        88 => "eigrp",
        89 => "ospf",
        103 => "pim",
        112 => "vrrp",
        132 => "sctp",
        _ => return number.to_string(),
    };
    name.to_owned()
}

fn ethertype(number: u16) -> String {
    match number {
        0x0806 => "arp".to_owned(),
        0x88cc => "lldp".to_owned(),
        0..0x0600 => "802.3".to_owned(),
        _ => format!("{number:#06x}"),
    }
}

/// As nfdump writes them; a point where a flag was not seen.
fn flags(bits: u16) -> String {
    let letters = ["C", "E", "U", "A", "P", "R", "S", "F"].into_iter();
    letters
        .enumerate()
        .map(|(i, letter)| if bits >> (7 - i) & 1 == 1 { letter } else { "." })
        .collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
}

fn aligned(head: &[(&str, Side)], rows: &[Vec<String>]) -> String {
    let width = |i: usize| rows.iter().map(|row| row[i].len()).max().unwrap_or(0);
    let widths: Vec<usize> =
        head.iter().enumerate().map(|(i, (name, _))| name.len().max(width(i))).collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for ((cell, (_, side)), width) in cells.zip(head).zip(&widths) {
            // Writing to a string does not fail.
            let _: core::fmt::Result = match side {
                Side::Left => write!(line, "{cell:<width$}  "),
                Side::Right => write!(line, "{cell:>width$}  "),
            };
        }
        text += line.trim_end();
        text.push('\n');
    };
    line(&mut head.iter().map(|(name, _)| *name));
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use vnet::{flow::Families, runtime::PacketTime};

    use super::*;

    fn record(host: u8, octets: u64, end_reason: EndReason) -> FlowRecord {
        FlowRecord {
            ingress: SwIfIndex(1),
            egress: SwIfIndex::NONE,
            direction: Direction::Ingress,
            source_mac: [0; 6],
            destination_mac: [0; 6],
            ethertype: 0,
            vlan: None,
            addresses: Addresses::V4([10, 0, 0, host], [10, 0, 0, 1]),
            protocol: 6,
            source_port: 1000,
            destination_port: 80,
            tcp_flags: 0x12,
            packets: 2,
            octets,
            layer2_octets: octets + 28,
            start: PacketTime(1_600_000_000_000_000_000),
            end: PacketTime(1_600_000_001_500_000_000),
            end_reason,
            details: None,
        }
    }

    const SET: RecordSet = RecordSet::L3.union(RecordSet::L4);

    fn of(size: usize) -> TopFlows {
        TopFlows::new(size, &Config::new(Families::IP4, SET))
    }

    #[test]
    fn flows_that_have_ended_are_not_held() {
        let mut top = of(3);
        for n in 0..4 * ROOM as u64 {
            let time = PacketTime(n * 10_000_000);
            let mut record = record(n as u8, n % 1000, EndReason::ActiveTimeout);
            (record.source_port, record.start, record.end) = ((n >> 8) as u16, time, time);
            top.record(&record);
        }
        assert!(top.living.len() <= ROOM);
        assert_eq!(top.table(SET, Precision::Seconds).lines().count(), 4);
    }

    #[test]
    fn records_of_a_flow_are_added_up_and_the_largest_flows_kept() {
        let mut top = of(2);
        top.record(&record(2, 300, EndReason::EndOfFlow));
        top.record(&record(3, 200, EndReason::ActiveTimeout));
        top.record(&record(4, 299, EndReason::ForcedEnd));
        top.record(&record(3, 200, EndReason::IdleTimeout));
        assert_eq!(
            top.table(SET, Precision::Microseconds),
            "Source         Destination  Protocol      Packets  Octets  Start                        Seconds\n\
             10.0.0.3:1000  10.0.0.1:80  tcp ...A..S.        4     400  2020-09-13T12:26:40.000000Z    1.500\n\
             10.0.0.2:1000  10.0.0.1:80  tcp ...A..S.        2     300  2020-09-13T12:26:40.000000Z    1.500\n"
        );
    }

    #[test]
    fn a_flow_at_two_interfaces_is_shown_at_each() {
        let mut top = of(9);
        let first = record(3, 200, EndReason::ForcedEnd);
        top.record(&first);
        top.record(&FlowRecord {
            ingress: SwIfIndex::NONE,
            egress: SwIfIndex(7),
            direction: Direction::Egress,
            ..first
        });
        let table = top.table(SET, Precision::Seconds);
        let ends: Vec<_> = table.lines().map(|line| line.split_whitespace().last()).collect();
        assert_eq!(ends, [Some("Interface"), Some("1"), Some("7")], "{table}");
    }

    #[test]
    fn flow_that_ended_silently_after_its_last_record_is_counted() {
        let mut top = of(9);
        top.record(&record(3, 200, EndReason::ActiveTimeout));
        assert_eq!(top.table(SET, Precision::Seconds).lines().count(), 2);
        assert_eq!(of(0).table(SET, Precision::Seconds), "");
    }

    #[test]
    fn long_addresses_and_other_protocols_fit() {
        let long = [0xff; 16];
        let v6 = FlowRecord {
            addresses: Addresses::V6(long, long),
            protocol: 58,
            destination_port: 0x8700,
            vlan: Some(42),
            ..record(1, 9, EndReason::ForcedEnd)
        };
        let arp = FlowRecord {
            addresses: Addresses::None,
            ethertype: 0x0806,
            ..record(1, 8, EndReason::ForcedEnd)
        };
        let mut top = of(9);
        top.record(&v6);
        top.record(&arp);
        let table = top.table(SET, Precision::Seconds);
        let lines: Vec<&str> = table.lines().collect();
        let address = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        assert!(lines[1].starts_with("00:00:00:00:00:00 "), "{table}");
        assert!(lines[1].contains(" arp "));
        assert!(
            lines[2].starts_with(&format!("{address}  {address}    42  icmp6 135/0")),
            "{table}"
        );
    }
}
