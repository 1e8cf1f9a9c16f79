//! `create vxlan tunnel` and those of the other kinds, and what shows them.

use core::net::IpAddr;

use vnet::{
    command::{Error, Field, Output, choice, flag, keyword, one_of, positional, value},
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
    tunnel::{Flags, Kind, NewTunnel, Payload, Ports, Style},
    wire::{geneve, vxlan},
};

use super::{create, delete, tunnels};

/// Interfaces are numbered so high.
pub(super) const MAX_INSTANCE: u32 = 16_383;
/// The largest VNI.
pub(super) const MAX_VNI: u32 = 0x00ff_ffff;

fn address(word: &'static str) -> Field<IpAddr> {
    keyword(word, value::ip())
}

fn vni() -> Field<u32> {
    keyword("vni", value::number(1..=MAX_VNI).hint("nn"))
}

fn instance() -> Field<Option<u32>> {
    keyword("instance", value::number(0..=MAX_INSTANCE).hint("id")).optional()
}

fn table(word: &'static str) -> Field<u32> {
    keyword(word, value::id("table-id")).or(0)
}

fn flags() -> Field<Flags> {
    let flags = keyword("flags", value::words(&Flags::WORDS)).many();
    flags
        .map(|flags: Vec<Flags>| flags.into_iter().fold(Flags::empty(), Flags::union))
        .help("what goes over from the inner to the outer header; once for each")
}

vnet::args! {
    struct CreateVxlan {
        src: IpAddr = address("src"),
        dst: IpAddr = address("dst"),
        vni: u32 = vni(),
        instance: Option<u32> = instance(),
        table: u32 = table("encap-vrf-id"),
        // There is no other.
        _decap_next: () = keyword("decap-next", value::words(&[("l2", ())])).or(()),
        src_port: u16 = keyword("src_port", value::port()).or(vxlan::PORT)
            .help("where datagrams are received"),
        dst_port: u16 = keyword("dst_port", value::port()).or(vxlan::PORT)
            .help("where the far end receives them"),
        l3: bool = flag("l3").help("IP packets without Ethernet headers"),
        flags: Flags = flags(),
        del: bool = flag("del"),
    }
}

vnet::args! {
    struct CreateGeneve {
        local: IpAddr = address("local"),
        remote: IpAddr = address("remote"),
        vni: u32 = vni(),
        table: u32 = table("encap-vrf-id"),
        // There is no other.
        _decap_next: () = keyword("decap-next", value::words(&[("l2", ())])).or(()),
        flags: Flags = flags(),
        del: bool = flag("del"),
    }
}

vnet::args! {
    struct CreateGre {
        src: IpAddr = address("src"),
        dst: IpAddr = address("dst"),
        instance: Option<u32> = instance(),
        table: u32 = table("outer-fib-id").alias("outer-table-id"),
        payload: Payload = choice([("teb", Payload::Ethernet)]).or(Payload::Ip)
            .help("Ethernet frames instead of IP packets"),
        key: Option<u32> = keyword("key", value::number(0..=u32::MAX).hint("value")).optional()
            .help("RFC 2890: packets have this key, and no others are taken"),
        flags: Flags = flags(),
        del: bool = flag("del"),
    }
}

vnet::args! {
    struct CreateIpip {
        src: IpAddr = address("src"),
        dst: IpAddr = address("dst"),
        instance: Option<u32> = instance(),
        table: u32 = table("outer-table-id"),
        flags: Flags = flags(),
    }
}

vnet::args! {
    struct DeleteIpip {
        interface: SwIfIndex = one_of([
            positional(value::interface()),
            keyword("sw_if_index", value::id("index").map(SwIfIndex)),
        ]),
    }
}

vnet::args! {
    struct Show {
        index: Option<u32> = positional(value::id("index")).optional(),
    }
}

impl From<CreateVxlan> for NewTunnel {
    fn from(args: CreateVxlan) -> Self {
        Self {
            kind: Kind::Vxlan,
            payload: if args.l3 { Payload::Ip } else { Payload::Ethernet },
            instance: args.instance,
            local: args.src,
            remote: args.dst,
            table_id: args.table,
            key: Some(args.vni),
            ports: Some(Ports { local: args.src_port, remote: args.dst_port }),
            flags: args.flags,
        }
    }
}

impl From<CreateGeneve> for NewTunnel {
    fn from(args: CreateGeneve) -> Self {
        Self {
            kind: Kind::Geneve,
            payload: Payload::Ethernet,
            instance: None,
            local: args.local,
            remote: args.remote,
            table_id: args.table,
            key: Some(args.vni),
            ports: Some(Ports { local: geneve::PORT, remote: geneve::PORT }),
            flags: args.flags,
        }
    }
}

impl From<CreateGre> for NewTunnel {
    fn from(args: CreateGre) -> Self {
        Self {
            kind: Kind::Gre,
            payload: args.payload,
            instance: args.instance,
            local: args.src,
            remote: args.dst,
            table_id: args.table,
            key: args.key,
            ports: None,
            flags: args.flags,
        }
    }
}

impl From<CreateIpip> for NewTunnel {
    fn from(args: CreateIpip) -> Self {
        Self {
            kind: Kind::Ipip,
            payload: Payload::Ip,
            instance: args.instance,
            local: args.src,
            remote: args.dst,
            table_id: args.table,
            key: None,
            ports: None,
            flags: args.flags,
        }
    }
}

/// Makes a tunnel, whose interface's name is the answer, or deletes the one that is like it.
fn change(cx: &CommandCx, new: NewTunnel, del: bool) -> Result<Output, Error> {
    if !del {
        let made = cx.with(|main| create(main, &new))?;
        return Ok(Output::from(format!("{}\n", cx.interface_name(made))));
    }
    cx.with(|main| {
        let known = tunnels(main)?.find(main, &new)?;
        Ok(delete(main, new.kind, known)?.into())
    })
}

fn show(style: Style) -> Command {
    let path = match style.kind {
        Kind::Vxlan => "show vxlan tunnel",
        Kind::Geneve => "show geneve tunnel",
        Kind::Gre => "show gre tunnel",
        Kind::Ipip => "show ipip tunnel",
    };
    Command::sync(
        path,
        "Show tunnels, or the one of an index.",
        move |cx: CommandCx, args: Show| {
            cx.with(|main| -> Result<Output, Error> {
                Ok(tunnels(main)?.show(main, style, args.index))
            })
        },
    )
}

/// All of them.
pub(super) fn commands() -> Vec<Command> {
    let mut all = vec![
        Command::sync(
            "create vxlan tunnel",
            "Make a VXLAN tunnel and its interface, or delete one.",
            |cx: CommandCx, args: CreateVxlan| {
                let del = args.del;
                change(&cx, args.into(), del)
            },
        )
        .details("The interface is vxlan_tunnel<instance>, and up. `del' needs what told the tunnel from others: ends, VNI, table, src_port."),
        Command::sync(
            "create geneve tunnel",
            "Make a GENEVE tunnel and its interface, or delete one.",
            |cx: CommandCx, args: CreateGeneve| {
                let del = args.del;
                change(&cx, args.into(), del)
            },
        )
        .details("The interface is geneve_tunnel<n>, and up. `del' needs what told the tunnel from others: ends, VNI, table."),
        Command::sync(
            "create gre tunnel",
            "Make a GRE tunnel and its interface, or delete one.",
            |cx: CommandCx, args: CreateGre| {
                let del = args.del;
                change(&cx, args.into(), del)
            },
        )
        .details("The interface is gre<instance>, and down. `del' needs what told the tunnel from others: ends, table, teb, key."),
        Command::sync(
            "create ipip tunnel",
            "Make an IP-in-IP tunnel and its interface.",
            |cx: CommandCx, args: CreateIpip| change(&cx, args.into(), false),
        )
        .details("The interface is ipip<instance>, and down. It carries IPv4 and IPv6, whichever version the ends have."),
        Command::sync(
            "delete ipip tunnel",
            "Delete an IP-in-IP tunnel with its interface.",
            |cx: CommandCx, args: DeleteIpip| {
                cx.with(|main| delete(main, Kind::Ipip, args.interface))
            },
        ),
    ];
    let styles = [
        Style { kind: Kind::Vxlan, none: "No vxlan tunnels configured..." },
        Style { kind: Kind::Geneve, none: "No geneve tunnels configured..." },
        Style { kind: Kind::Gre, none: "No GRE tunnels configured..." },
        Style { kind: Kind::Ipip, none: "No IPIP tunnels configured..." },
    ];
    all.extend(styles.map(show));
    all
}
