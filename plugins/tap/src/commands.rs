//! `create tap`, `delete tap`.

use std::net::{Ipv4Addr, Ipv6Addr};

use vnet::{
    command::{Error, choice, flag, keyword, positional, value, value::IpWithLength},
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
};

use crate::{
    error::TapError,
    host::{HostRequest, Kind, Offload},
    interfaces::{NewTap, Taps},
    show, sys,
};

/// The largest number in a name.
pub(crate) const MAX_ID: u32 = 0xffff;
/// Queues that the kernel lets an interface have.
pub(crate) const MAX_QUEUES: u16 = 256;
/// MTUs that the kernel lets a host's interface have.
pub(crate) const MTUS: core::ops::RangeInclusive<u32> = 68..=65521;

vnet::args! {
    struct Create {
        id: Option<u32> = keyword("id", value::number(0..=MAX_ID)).optional(),
        hw_addr: Option<[u8; 6]> = keyword("hw-addr", value::mac()).optional(),
        if_name: Option<String> = keyword("if-name", value::word("name")).optional(),
        rx_queues: u16 = keyword("num-rx-queues", value::number(1..=MAX_QUEUES)).or(1),
        tx_queues: u16 = keyword("num-tx-queues", value::number(1..=MAX_QUEUES)).or(1),
        rx_ring: Option<u32> = keyword("rx-ring-size", value::number(1..=32768)).optional(),
        tx_ring: Option<u32> = keyword("tx-ring-size", value::number(1..=32768)).optional(),
        host_ns: Option<String> = keyword("host-ns", value::word("netns")).optional(),
        host_bridge: Option<String> = keyword("host-bridge", host_name()).optional(),
        host_ip4: Option<IpWithLength> = keyword("host-ip4-addr", address(true)).optional(),
        host_ip6: Option<IpWithLength> = keyword("host-ip6-addr", address(false)).optional(),
        host_ip4_gw: Option<Ipv4Addr> = keyword("host-ip4-gw", value::ip4()).optional(),
        host_ip6_gw: Option<Ipv6Addr> = keyword("host-ip6-gw", value::ip6()).optional(),
        host_mac: Option<[u8; 6]> = keyword("host-mac-addr", value::mac()).optional(),
        host_name: Option<String> = keyword("host-if-name", host_name()).optional(),
        host_mtu: Option<u32> = keyword("host-mtu-size", value::number(MTUS)).optional(),
        offload: Offload = choice([
            ("no-gso", Offload::None),
            ("gso", Offload::Gso),
            ("csum-offload", Offload::Checksum),
        ]).or(Offload::None),
        persist: bool = flag("persist"),
        attach: bool = flag("attach"),
        tun: bool = flag("tun"),
        packed: bool = flag("packed"),
        in_order: bool = flag("in-order"),
    }
}

vnet::args! {
    struct Delete {
        interface: SwIfIndex = positional(value::interface()),
    }
}

vnet::args! {
    struct Show {
        interface: Option<SwIfIndex> = positional(value::interface()).optional(),
    }
}

pub(crate) fn commands(taps: &Taps) -> [Command; 3] {
    let (made, deleted, shown) = (taps.clone(), taps.clone(), taps.clone());
    [
        Command::new(
            "create tap",
            "Make a TAP or TUN interface, and the host's interface that is its other end.",
            move |cx: CommandCx, args: Create| create(cx, made.clone(), args),
        )
        .details(
            "Prints its name. The host's interface is set up, in the namespace `host-ns': a name in /var/run/netns, `pid:<n>' \
             or a path. Without `host-if-name' the kernel names it. There are as many queues as the larger of `num-rx-queues' \
             and `num-tx-queues', each of which goes both ways. `attach' uses an interface that the host has already, `persist' \
             leaves the host's when this one is deleted. With `csum-offload' the host leaves checksums to be made here, with `gso' \
             large packets to be cut as well, and takes both. What is of vhost alone (ring sizes, `packed', `in-order') has no \
             effect.",
        ),
        Command::sync(
            "delete tap",
            "Delete a TAP or TUN interface.",
            move |cx: CommandCx, args: Delete| {
                cx.with(|main| deleted.delete(main, args.interface))
            },
        ),
        Command::sync(
            "show tap",
            "Show TAP and TUN interfaces, all or one.",
            move |cx: CommandCx, args: Show| {
                cx.with(|main| show::show(main, &shown, args.interface))
            },
        ),
    ]
}

/// The name of an interface of the host.
fn host_name() -> value::Value<String> {
    value::word("name").try_map(|name, text| match is_host_name(&name) {
        true => Ok(name),
        false => Err(bad(
            text,
            "the name of a host's interface: 1 to 15 visible characters, no `/', `:' or `%'",
        )),
    })
}

/// Whether the kernel lets an interface have this name.
pub(crate) fn is_host_name(name: &str) -> bool {
    let fits = (1..sys::NAME).contains(&name.len()) && name != "." && name != "..";
    let strange = |c: char| !c.is_ascii_graphic() || matches!(c, '/' | ':' | '%');
    fits && !name.contains(strange)
}

/// An address with prefix length of one family.
fn address(ip4: bool) -> value::Value<IpWithLength> {
    value::ip_with_length().try_map(move |address, text| {
        let expected = ["an IPv6 address with prefix length", "an IPv4 address with prefix length"];
        match address.address.is_ipv4() == ip4 {
            true => Ok(address),
            false => Err(bad(text, expected[usize::from(ip4)])),
        }
    })
}

fn bad(word: &str, expected: &str) -> Error {
    Error::BadValue { word: word.to_owned(), expected: expected.to_owned() }
}

impl Create {
    /// Words of VPP's that mean nothing here.
    fn without_effect(&self) -> String {
        let words = [
            (self.rx_ring.is_some(), "rx-ring-size"),
            (self.tx_ring.is_some(), "tx-ring-size"),
            (self.packed, "packed"),
            (self.in_order, "in-order"),
        ];
        let given: Vec<_> = words.iter().filter(|(given, _)| *given).map(|(_, w)| *w).collect();
        match given.as_slice() {
            [] => String::new(),
            given => format!("no effect without vhost: {}\n", given.join(", ")),
        }
    }

    fn request(self) -> (NewTap, HostRequest) {
        let new =
            NewTap { id: self.id, name: self.if_name, mac: self.hw_addr, persist: self.persist };
        let host = HostRequest {
            kind: if self.tun { Kind::Tun } else { Kind::Tap },
            name: self.host_name,
            namespace: self.host_ns,
            queues: self.rx_queues.max(self.tx_queues),
            attach: self.attach,
            mac: self.host_mac,
            mtu: self.host_mtu,
            bridge: self.host_bridge,
            ip4: self.host_ip4,
            ip6: self.host_ip6,
            gateway4: self.host_ip4_gw,
            gateway6: self.host_ip6_gw,
            offload: self.offload,
        };
        (new, host)
    }
}

async fn create(cx: CommandCx, taps: Taps, args: Create) -> Result<String, TapError> {
    let note = args.without_effect();
    let (new, request) = args.request();
    let interface = taps.make(&cx, new, request).await?;
    Ok(format!("{}\n{note}", cx.interface_name(interface)))
}
