//! `set flow classify`, `show classify flow`.

use vnet::{
    classify::TableIndex,
    command::{Align, Column, Table, flag, keyword, value},
    fib::Family,
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
};

use super::attach::Attachments;

vnet::args! {
    struct Set {
        interface: SwIfIndex = keyword("interface", value::interface()),
        ip4_table: Option<TableIndex> = keyword("ip4-table", value::id("table").map(TableIndex)).optional(),
        ip6_table: Option<TableIndex> = keyword("ip6-table", value::id("table").map(TableIndex)).optional(),
        del: bool = flag("del"),
    }
}

vnet::args! {
    struct Show {
        family: Family = keyword("type", value::words(&[("ip4", Family::Ip4), ("ip6", Family::Ip6)])),
    }
}

/// All of them.
pub(super) fn commands(attachments: &Attachments) -> [Command; 2] {
    let of = attachments.clone();
    let set = move |cx: CommandCx, args: Set| {
        let tables = [args.ip4_table, args.ip6_table];
        cx.with(|main| match args.del {
            true => of.detach(main, args.interface, tables),
            false => of.attach(main, args.interface, tables),
        })
    };
    let of = attachments.clone();
    let show = move |cx: CommandCx, args: Show| {
        let columns = [
            Column::new("Intfc idx", 10, Align::Right),
            Column::new("Classify table", 20, Align::Right),
            Column::new("Interface name", 0, Align::Left).gap(4),
        ];
        let rows = of.of(args.family).into_iter().map(|(interface, TableIndex(table))| {
            [interface.0.into(), table.into(), cx.interface_name(interface).into()]
        });
        Table::new(columns).rows(rows)
    };
    [
        Command::sync("set flow classify", "Count what an interface receives by classifier tables.", set)
            .details("Packets that belong to no session of a table make one. Show them with `show classify tables verbose'."),
        Command::sync("show classify flow", "List the interfaces whose packets are counted by tables.", show),
    ]
}
