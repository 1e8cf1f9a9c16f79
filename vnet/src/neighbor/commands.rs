//! `set ip neighbor` and `show ip neighbors`.

use std::net::IpAddr;

use super::NeighborFlags;
use crate::{
    command::{Align, Cell, Column, Error, Table, flag, positional, value},
    fib::Family,
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
    runtime::Main,
    wire::ethernet::MacAddress,
};

crate::args! {
    struct Set {
        delete: bool = flag("del"),
        interface: SwIfIndex = positional(value::interface()),
        address: IpAddr = positional(value::ip()),
        mac: Option<[u8; 6]> = positional(value::mac()).optional(),
        // Neighbours that are configured are static; the word is VPP's.
        _is_static: bool = flag("static"),
        no_fib_entry: bool = flag("no-fib-entry").help("without a route of its own"),
    }
}

crate::args! {
    struct Show {
        interface: Option<SwIfIndex> = positional(value::interface()).optional(),
    }
}

pub(crate) fn commands() -> Vec<Command> {
    let set_on = |path| {
        Command::sync(
            path,
            "Set the MAC address of a neighbour, or forget it.",
            |cx: CommandCx, args: Set| cx.with(|main| set(main, args)),
        )
    };
    let show_of = |path, family| {
        Command::sync(path, "Show neighbours.", move |cx: CommandCx, args: Show| {
            cx.with(|main| show(main, family, args.interface))
        })
    };
    vec![
        set_on("set ip neighbor"),
        set_on("set ip6 neighbor"),
        show_of("show ip neighbors", Family::Ip4),
        show_of("show ip6 neighbors", Family::Ip6),
    ]
}

fn set(main: &mut Main, args: Set) -> Result<(), Error> {
    let now = main.clock().now();
    if args.delete {
        main.forwarding_mut().delete_neighbor(args.interface, args.address)?;
        return Ok(());
    }
    let mac = args.mac.ok_or_else(|| Error::Missing { what: "<mac-address>".to_owned() })?;
    main.interfaces().output_tags(args.interface)?;
    let mut flags = NeighborFlags::STATIC;
    flags.set(NeighborFlags::NO_FIB_ENTRY, args.no_fib_entry);
    main.forwarding_mut().set_neighbor(args.interface, args.address, mac, flags, now)?;
    Ok(())
}

fn show(main: &Main, family: Family, only: Option<SwIfIndex>) -> Table {
    let mut table = Table::new([
        Column::new("Age", 12, Align::Right),
        Column::new("IP", 40, Align::Center).key("address"),
        Column::new("Flags", 8, Align::Center),
        Column::new("Ethernet", 20, Align::Center).key("mac"),
        Column::new("Interface", 0, Align::Left),
    ]);
    let now = main.clock().now();
    let all = main.forwarding().neighbors(family);
    for (key, neighbor) in all.filter(|(key, _)| only.is_none_or(|o| o == key.interface)) {
        table.row([
            Cell::Fixed(now.since(neighbor.updated).as_secs_f64(), 4),
            key.address.to_string().into(),
            neighbor.flags.to_string().into(),
            MacAddress(neighbor.mac).to_string().into(),
            main.interface_name(key.interface).into(),
        ]);
    }
    table
}
