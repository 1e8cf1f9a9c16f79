//! `show bridge-domain`, `show mode`.

use super::{
    super::{BdId, BdIndex, Domain, L2, Mode, Port, Role, Switching},
    bd_id, command,
};
use crate::{
    command::{Align, Cell, Column, Error, Output, Record, Table, choice, positional, value},
    interface::SwIfIndex,
    plugin::Command,
    runtime::Main,
    wire::ethernet::MacAddress,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Detail,
    Interfaces,
    Arp,
    Tag,
}

crate::args! {
    struct ShowDomain {
        id: Option<BdId> = positional(bd_id()).optional(),
        what: Option<What> = choice([
            ("detail", What::Detail),
            ("int", What::Interfaces),
            ("arp", What::Arp),
            ("bd-tag", What::Tag),
        ]).optional(),
    }
}

crate::args! {
    struct ShowMode {
        interfaces: Vec<SwIfIndex> = positional(value::interface()).many(),
    }
}

crate::args! {
    struct ShowRewrite {
        interface: SwIfIndex = positional(value::interface()),
    }
}

pub(super) fn commands(l2: &L2) -> Vec<Command> {
    vec![
        command(l2, "show bridge-domain", "Show bridge domains.", show_domain).details(
            "`int': with their interfaces; `arp': with the MAC addresses that they tell; `detail': with both. Without a \
             number, what follows is shown of all.",
        ),
        command(
            l2,
            "show interface vtr",
            "Show how the VLAN tags of an interface's frames are rewritten.",
            show_rewrite,
        ),
        command(l2, "show mode", "Show whether interfaces route, bridge or are cross-connected.", show_mode),
    ]
}

fn center(title: &str, width: usize) -> Column {
    Column::new(title, width, Align::Center)
}

fn show_domain(l2: &L2, main: &mut Main, args: ShowDomain) -> Result<Output, Error> {
    let main = &*main;
    let wanted = args.id.map(|id| l2.index(main, id)).transpose()?;
    let domains: Vec<_> = l2
        .view(main)
        .domains()
        .filter(|(index, _)| wanted.is_none_or(|wanted| wanted == *index))
        .collect();
    if domains.is_empty() {
        return Ok(Output::from("no bridge-domains in use\n"));
    }
    let with = |what| args.what == Some(what) || args.what == Some(What::Detail);
    let shown = domains.into_iter().enumerate().map(|(n, (index, domain))| {
        let table = summary(main, index, domain, args.what == Some(What::Tag));
        let table = if n > 0 && args.what.is_none() { table.without_header() } else { table };
        let mut record = Record::new().nested("domain", 0, table);
        if with(What::Interfaces) && domain.interfaces().next().is_some() {
            record = record.line("").nested("interfaces", 0, interfaces(l2, main, domain));
        }
        if with(What::Arp) && domain.switching.contains(Switching::ARP_TERM) {
            record = record.line("").line("  IP4/IP6 to MAC table for ARP Termination").nested(
                "arp",
                0,
                arp(domain),
            );
        }
        record.into()
    });
    Ok(Output::List(shown.collect()))
}

fn summary(main: &Main, index: BdIndex, domain: &Domain, with_tag: bool) -> Table {
    let titles = [
        ("Index", 7),
        ("BSN", 4),
        ("Age(min)", 9),
        ("Learning", 9),
        ("U-Forwrd", 9),
        ("UU-Flood", 11),
        ("Flooding", 9),
        ("ARP-Term", 9),
        ("arp-ufwd", 9),
        ("Learn-co", 8),
        ("Learn-li", 8),
        ("BVI-Intf", 11),
    ];
    let mut columns = vec![center("BD-ID", 8)];
    columns.extend(titles.map(|(title, width)| center(title, width).gap(1)));
    if with_tag {
        columns.push(center("BD-Tag", 0).gap(1));
    }
    let on = |what| {
        let on = domain.switching.contains(what);
        Cell::shown(if on { "on" } else { "off" }, on)
    };
    let age = match domain.mac_age {
        0 => Cell::shown("off", 0),
        age => u32::from(age).into(),
    };
    let unknown = match domain.uu_fwd {
        Some(interface) => main.interface_name(interface),
        None if domain.switching.contains(Switching::UU_FLOOD) => "flood".to_owned(),
        None => "drop".to_owned(),
    };
    let bvi = match domain.bvi {
        Some(interface) => Cell::from(main.interface_name(interface)),
        None => Cell::shown("N/A", serde_json::Value::Null),
    };
    let mut row = vec![
        domain.id.0.into(),
        u32::from(index.0).into(),
        u32::from(domain.sequence).into(),
        age,
        on(Switching::LEARN),
        on(Switching::FORWARD),
        unknown.into(),
        on(Switching::FLOOD),
        on(Switching::ARP_TERM),
        on(Switching::ARP_UFWD),
        domain.learned().into(),
        domain.learn_limit.into(),
        bvi,
    ];
    if with_tag {
        row.push(domain.tag.clone().into());
    }
    Table::new(columns).rows([row])
}

fn interfaces(l2: &L2, main: &Main, domain: &Domain) -> Table {
    let columns = [
        center("Interface", 30),
        center("If-idx", 7),
        center("ISN", 5),
        center("SHG", 5),
        center("BVI", 5),
        center("TxFlood", 9),
        center("VLAN-Tag-Rewrite", 30),
    ];
    let star = |on: bool| Cell::shown(if on { "*" } else { "-" }, on);
    let rows = domain.interfaces().map(|interface| {
        let port = l2.view(main).port(interface);
        [
            main.interface_name(interface).into(),
            interface.0.into(),
            u32::from(port.sequence).into(),
            u32::from(port.shg).into(),
            star(port.role == Role::Bvi),
            star(port.role != Role::UuFwd),
            rewrite_of(port).into(),
        ]
    });
    Table::new(columns).rows(rows)
}

fn rewrite_of(port: &Port) -> String {
    port.tag_rewrite.map_or("none".to_owned(), |rewrite| rewrite.to_string())
}

fn show_rewrite(l2: &L2, main: &mut Main, args: ShowRewrite) -> Record {
    let (name, rewrite) =
        (main.interface_name(args.interface), rewrite_of(l2.view(main).port(args.interface)));
    Record::new()
        .line(format!("{name}:  VTR {rewrite}"))
        .field("interface", name)
        .field("tag_rewrite", rewrite)
}

fn arp(domain: &Domain) -> Table {
    let columns = [center("IP-Address", 40), center("MAC-Address", 20)];
    let rows = domain
        .arp
        .iter()
        .map(|(address, mac)| [address.to_string().into(), MacAddress(*mac).to_string().into()]);
    Table::new(columns).without_header().rows(rows)
}

fn show_mode(l2: &L2, main: &mut Main, args: ShowMode) -> Output {
    let main = &*main;
    let all = || main.interfaces().interfaces().map(|interface| interface.index).collect();
    let chosen = if args.interfaces.is_empty() { all() } else { args.interfaces };
    let lines = chosen.into_iter().map(|interface| mode(l2, main, interface).into());
    Output::List(lines.collect())
}

fn mode(l2: &L2, main: &Main, interface: SwIfIndex) -> Record {
    let port = l2.view(main).port(interface);
    let name = main.interface_name(interface);
    let bare = |line: String, mode: &str| {
        Record::new().line(line).field("interface", name.as_str()).field("mode", mode)
    };
    match port.mode {
        Mode::Routed => bare(format!("l3 {name}"), "l3"),
        Mode::Bridged(index) => {
            let id = l2.view(main).domain(index).map_or(0, |domain| domain.id.0);
            let bvi = if port.role == Role::Bvi { " bvi" } else { "" };
            bare(format!("l2 bridge {name} bd_id {id}{bvi} shg {}", port.shg), "l2 bridge")
                .field("bd_id", id)
                .field("bvi", Cell::shown("", port.role == Role::Bvi))
                .field("shg", u32::from(port.shg))
        }
        Mode::Connected(peer) => {
            let peer = main.interface_name(peer);
            bare(format!("l2 xconnect {name} {peer}"), "l2 xconnect").field("peer", peer)
        }
    }
}
