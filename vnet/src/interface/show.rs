//! What `show interface` and its relatives print, in VPP's columns.

use super::{HwInterface, InterfaceCounters, InterfaceTable, LinkState, SwIfIndex, SwInterface};
use crate::fib::Family;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// How much `show hardware-interfaces` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Name, index and link.
    Brief,
    /// What the device has to say; the usual form.
    Verbose,
    /// All that the device has to say.
    Detail,
}

/// `show interface`: state, MTUs and the counters that are not 0. `chosen` in its order, or all by name when it is
/// empty; indices that nobody has are left out.
#[must_use]
pub fn show_interfaces(
    table: &InterfaceTable,
    counters: &InterfaceCounters,
    chosen: &[SwIfIndex],
) -> (String, Value) {
    let mut text = [
        centre("Name", 32),
        centre("Idx", 5),
        centre("State", 10),
        centre("MTU (L3/IP4/IP6/MPLS)", 21),
        centre("Counter", 16),
        centre("Count", 16),
    ]
    .concat();
    text.push('\n');
    let mut rows = Vec::new();
    for interface in selected(table, chosen) {
        let lines = counters.of(interface.index);
        let mut row = interface_columns(interface);
        let indent = " ".repeat(row.len());
        for (n, (name, value)) in lines.iter().enumerate() {
            if n > 0 {
                row += "\n";
                row += &indent;
            }
            row += &left(name, 16);
            // Writing to a string cannot fail.
            let _: std::fmt::Result = write!(row, "{value:>16}");
        }
        text += &row;
        text.push('\n');
        rows.push(interface_json(interface, &lines));
    }
    (text, Value::Array(rows))
}

/// `show interface addr`: the addresses, with their table when it is not the default one.
#[must_use]
pub fn show_addresses(
    table: &InterfaceTable,
    chosen: &[SwIfIndex],
    layer2: &dyn Fn(SwIfIndex) -> Option<String>,
) -> (String, Value) {
    let (mut text, mut rows) = (String::new(), Vec::new());
    for interface in selected(table, chosen) {
        let state = if interface.admin_up { "up" } else { "dn" };
        text += &format!("{} ({state}):", interface.name);
        let donor = interface.unnumbered.and_then(|donor| table.interface(donor));
        if let Some(donor) = donor {
            text += &format!(" \n  unnumbered, use {}", donor.name);
        }
        text.push('\n');
        let layer2 = layer2(interface.index);
        text.extend(layer2.iter().map(|line| format!("  L2 {line}\n")));
        let owner = donor.unwrap_or(interface);
        let mut addresses = Vec::new();
        for (family, word) in [(Family::Ip4, "ip4"), (Family::Ip6, "ip6")] {
            let binding = interface.table(family);
            for address in owner.addresses.iter().filter(|a| a.family() == family) {
                text += &format!("  L3 {address}");
                if binding.table_id != 0 {
                    let (table_id, fib_index) = (binding.table_id, binding.fib_index);
                    text += &format!(" {word} table-id {table_id} fib-idx {fib_index}");
                }
                text.push('\n');
                let address = address.to_string();
                addresses.push(json!({ "address": address, "table_id": binding.table_id }));
            }
        }
        rows.push(json!({
            "name": interface.name,
            "sw_if_index": interface.index.0,
            "admin_up": interface.admin_up,
            "l2": layer2,
            "unnumbered": donor.map(|donor| &donor.name),
            "addresses": addresses,
        }));
    }
    (text, Value::Array(rows))
}

/// `show interface tag`: the operator's notes.
#[must_use]
pub fn show_tags(table: &InterfaceTable, chosen: &[SwIfIndex]) -> (String, Value) {
    let (mut text, mut rows) = (String::new(), Vec::new());
    for SwInterface { name, tag, .. } in selected(table, chosen) {
        let shown = if tag.is_empty() { "(none)" } else { tag };
        text += &format!("{name}: {shown}\n");
        rows.push(json!({ "name": name, "tag": tag }));
    }
    (text, Value::Array(rows))
}

/// `show hardware-interfaces`. Lines of devices are unindented: `queues` at any verbosity, `details` when more than
/// `Brief` is asked for.
#[must_use]
pub fn show_hardware(
    table: &InterfaceTable,
    chosen: &[SwIfIndex],
    verbosity: Verbosity,
    queues: &dyn Fn(&HwInterface) -> Vec<String>,
    details: &dyn Fn(&HwInterface, Verbosity) -> Vec<String>,
) -> (String, Value) {
    let mut text = [centre("Name", 32), centre("Idx", 6), centre("Link", 8)].concat();
    text += "Hardware\n";
    let mut rows = Vec::new();
    for hardware in selected_hardware(table, chosen) {
        let HwInterface { name, index, link, device_name, .. } = hardware;
        let up = if link.up { "up" } else { "down" };
        text += &[left(name, 32), centre(&index.to_string(), 6), centre(up, 8)].concat();
        text += &format!("{device_name}\n  Link speed: {}\n", speed(*link));
        let mut lines = queues(hardware);
        if verbosity > Verbosity::Brief {
            lines.push(match hardware.mac {
                Some(mac) => format!("Ethernet address {}", mac_text(mac)),
                None => hardware.device_class.to_owned(),
            });
            lines.extend(details(hardware, verbosity));
        }
        text.extend(lines.iter().map(|line| format!("  {line}\n")));
        rows.push(json!({
            "name": name,
            "hw_if_index": index.0,
            "sw_if_index": hardware.sw_if_index.0,
            "device": device_name,
            "device_class": hardware.device_class,
            "link_up": link.up,
            "link_speed_kbps": link.speed,
            "mac": hardware.mac.map(mac_text),
            "max_frame_size": hardware.max_frame_size,
            "details": lines,
        }));
    }
    (text, Value::Array(rows))
}

fn interface_columns(interface: &SwInterface) -> String {
    let mtu = &interface.mtu;
    [
        left(&interface.name, 32),
        centre(&interface.index.to_string(), 5),
        centre(&state(interface), 10),
        centre(&format!("{}/{}/{}/{}", mtu.l3, mtu.ip4, mtu.ip6, mtu.mpls), 21),
    ]
    .concat()
}

fn interface_json(interface: &SwInterface, lines: &[(String, u64)]) -> Value {
    let mtu = &interface.mtu;
    let counters: Map<_, _> = lines.iter().map(|(name, n)| (name.clone(), json!(n))).collect();
    json!({
        "name": interface.name,
        "sw_if_index": interface.index.0,
        "admin_up": interface.admin_up,
        "punt": interface.punt,
        "mtu": { "l3": mtu.l3, "ip4": mtu.ip4, "ip6": mtu.ip6, "mpls": mtu.mpls },
        "counters": counters,
    })
}

fn state(interface: &SwInterface) -> String {
    let punt = if interface.punt { "/punt" } else { "" };
    format!("{}{punt}", if interface.admin_up { "up" } else { "down" })
}

fn speed(link: LinkState) -> String {
    match link.speed {
        None | Some(0) => "unknown".to_owned(),
        Some(kbps) if kbps < 1_000 => format!("{kbps} Kbps"),
        Some(kbps) if kbps < 1_000_000 => format!("{} Mbps", kbps / 1_000),
        Some(kbps) if kbps % 1_000_000 == 0 => format!("{} Gbps", kbps / 1_000_000),
        Some(kbps) => format!("{}.{} Gbps", kbps / 1_000_000, kbps % 1_000_000 / 100_000),
    }
}

fn mac_text([a, b, c, d, e, f]: [u8; 6]) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// The chosen interfaces, or all of them: by the name of their hardware, sub-interfaces behind it by their id.
fn selected<'a>(table: &'a InterfaceTable, chosen: &[SwIfIndex]) -> Vec<&'a SwInterface> {
    if !chosen.is_empty() {
        return chosen.iter().filter_map(|index| table.interface(*index)).collect();
    }
    let mut all: Vec<_> = table.interfaces().collect();
    all.sort_by_cached_key(|interface| {
        let hardware = table.hardware_interface(interface.hw_if_index);
        let name = hardware.map(|hardware| hardware.name.clone());
        (name, interface.sub().map(|sub| sub.id))
    });
    all
}

fn selected_hardware<'a>(table: &'a InterfaceTable, chosen: &[SwIfIndex]) -> Vec<&'a HwInterface> {
    if !chosen.is_empty() {
        return chosen.iter().filter_map(|index| table.hardware_of(*index).ok()).collect();
    }
    let mut all: Vec<_> = table.hardware_interfaces().collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// A column whose text begins at its left side. As in VPP, what does not fit is cut.
fn left(text: &str, width: usize) -> String {
    format!("{:<width$.width$}", text)
}

/// A column with its text in the middle, an odd space to the left of it. As in VPP, what does not fit is cut.
fn centre(text: &str, width: usize) -> String {
    let before = width.saturating_sub(text.len()).div_ceil(2);
    format!("{:before$}{:<rest$.rest$}", "", text, rest = width - before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        counter::{Segment, ThreadIndex},
        interface::{
            Duplex, InterfaceAddress, MtuKind, NewHardware, TableBinding, TagMatch, VlanId,
        },
    };

    fn port(name: &str) -> NewHardware {
        NewHardware {
            name: name.to_owned(),
            device_class: "pg",
            device_instance: 0,
            mac: Some([2, 0xfe, 0, 0, 0, 1]),
            max_frame_size: 9216,
            mtu: 9000,
            tx_next: 1,
        }
    }

    fn address(text: &str) -> InterfaceAddress {
        let (address, length) = text.split_once('/').unwrap();
        InterfaceAddress::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
    }

    /// `local0`, `pg0` with `pg0.7`, and `loop0`.
    fn sample() -> (InterfaceTable, SwIfIndex, SwIfIndex) {
        let mut table = InterfaceTable::new();
        let (_, pg) = table.create_hardware(port("pg0")).unwrap();
        let vlan = TagMatch::exact_dot1q(VlanId::new(7).unwrap());
        table.create_hardware(port("loop0")).unwrap();
        let sub = table.create_sub(pg, 7, vlan).unwrap();
        table.set_admin(pg, true).unwrap();
        (table, pg, sub)
    }

    #[test]
    fn show_interface_prints_vpp_columns() {
        let mut segment = Segment::with_size(2, 64 << 20).unwrap();
        let counters = InterfaceCounters::new(&mut segment).unwrap();
        let (mut table, pg, sub) = sample();
        table.set_punt(sub, true).unwrap();
        table.set_mtu(pg, MtuKind::Ip4, 1500).unwrap();
        for event in table.take_events() {
            counters.follow(&mut segment, &event).unwrap();
        }
        let writers = [0, 1].map(|t| counters.writers(ThreadIndex(t)).unwrap());
        writers[1].rx.add(pg.0, 2, 128);
        writers[0].rx.add(pg.0, 1, 64);
        writers[0].rx_multicast.add(pg.0, 1, 64);
        writers[1].drops.add(pg.0, 3);
        writers[1].ip4.add(sub.0, u64::MAX);
        let (text, json) = show_interfaces(&table, &counters, &[]);
        let pad = " ".repeat(68);
        let golden = [
            "              Name               Idx    State  MTU (L3/IP4/IP6/MPLS)     \
             Counter          Count     ",
            "local0                            0     down          0/0/0/0       ",
            "loop0                             2     down         9000/0/0/0     ",
            "pg0                               1      up        9000/1500/0/0    \
             rx packets                     3",
            &format!("{pad}rx bytes                     192"),
            &format!("{pad}rx-multicast pac               1"),
            &format!("{pad}rx-multicast byt              64"),
            &format!("{pad}drops                          3"),
            "pg0.7                             3   down/punt       0/0/0/0       \
             ip4             18446744073709551615",
            "",
        ];
        assert_eq!(text, golden.join("\n"));
        assert_eq!(json[2]["counters"]["rx-multicast bytes"], 64);
        let (one, _) = show_interfaces(&table, &counters, &[sub, SwIfIndex(99)]);
        assert_eq!(one.lines().count(), 2);
        counters.zero();
        assert_eq!((counters.of(pg), counters.of(sub)), (vec![], vec![]));
    }

    #[test]
    fn show_interface_addr_names_tables_and_lenders() {
        let (mut table, pg, sub) = sample();
        let other = table.find("loop0").unwrap();
        table.set_table(sub, Family::Ip4, TableBinding { table_id: 10, fib_index: 2 }).unwrap();
        table.add_address(pg, address("2001:db8::1/64")).unwrap();
        table.add_address(pg, address("192.0.2.1/24")).unwrap();
        table.add_address(sub, address("192.0.2.1/24")).unwrap();
        table.set_unnumbered(other, Some(pg)).unwrap();
        let (text, json) = show_addresses(&table, &[], &|_| None);
        let golden = "local0 (dn):\n\
            loop0 (dn): \n  unnumbered, use pg0\n  L3 192.0.2.1/24\n  L3 2001:db8::1/64\n\
            pg0 (up):\n  L3 192.0.2.1/24\n  L3 2001:db8::1/64\n\
            pg0.7 (dn):\n  L3 192.0.2.1/24 ip4 table-id 10 fib-idx 2\n";
        assert_eq!(text, golden);
        assert_eq!(json[3]["addresses"][0]["table_id"], 10);
        assert_eq!(table.addresses(other).unwrap().len(), 2);
        table.set_tag(pg, "uplink").unwrap();
        assert_eq!(show_tags(&table, &[pg, sub]).0, "pg0: uplink\npg0.7: (none)\n");
    }

    #[test]
    fn show_hardware_interfaces_prints_vpp_columns() {
        let (mut table, pg, _) = sample();
        let hw = table.hardware_of(pg).unwrap().index;
        let link = LinkState { up: true, speed: Some(2_500_000), duplex: Duplex::Full };
        table.set_link(hw, link).unwrap();
        table.rename(pg, "wan").unwrap();
        let queues = |hardware: &HwInterface| match hardware.index.0 {
            1 => vec!["RX Queues:".to_owned(), "  queue thread         mode".to_owned()],
            _ => Vec::new(),
        };
        let details = |hardware: &HwInterface, _: Verbosity| match hardware.index.0 {
            1 => vec!["carrier up".to_owned()],
            _ => Vec::new(),
        };
        let (text, json) = show_hardware(&table, &[], Verbosity::Verbose, &queues, &details);
        let golden = "              Name                Idx   Link  Hardware\n\
            local0                             0    down  local0\n  Link speed: unknown\n  local\n\
            loop0                              2    down  loop0\n  Link speed: unknown\n  \
            Ethernet address 02:fe:00:00:00:01\n\
            wan                                1     up   pg0\n  Link speed: 2.5 Gbps\n  \
            RX Queues:\n    queue thread         mode\n  Ethernet address 02:fe:00:00:00:01\n  \
            carrier up\n";
        assert_eq!(text, golden);
        assert_eq!(json[2]["link_speed_kbps"], 2_500_000);
        let (brief, _) = show_hardware(&table, &[pg], Verbosity::Brief, &|_| Vec::new(), &details);
        assert!(brief.ends_with("pg0\n  Link speed: 2.5 Gbps\n"));
    }

    #[test]
    fn speeds_read_as_vpp_writes_them() {
        let text = |kbps| speed(LinkState { speed: kbps, ..LinkState::DOWN });
        let speeds = [None, Some(0), Some(999), Some(100_000), Some(10_000_000), Some(2_550_000)];
        let expected = ["unknown", "unknown", "999 Kbps", "100 Mbps", "10 Gbps", "2.5 Gbps"];
        assert_eq!(speeds.map(text), expected);
    }
}
