//! `set flow classify`, `show classify flow`.

use vnet::{
    classify::TableIndex,
    command::{flag, keyword, value},
    fib::Family,
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
};

use super::attach::{AttachError, Attachments, listed};

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
pub(super) fn commands(attachments: &Attachments<Family>) -> [Command; 2] {
    let of = attachments.clone();
    let set = move |cx: CommandCx, args: Set| -> Result<(), AttachError> {
        let named = [(Family::Ip4, args.ip4_table), (Family::Ip6, args.ip6_table)];
        let named = named.into_iter().filter_map(|(family, table)| Some((family, table?)));
        let named: Vec<_> = named.collect();
        if named.is_empty() {
            let why = "nothing to do: neither ip4-table nor ip6-table was given";
            return Err(AttachError::Unclear(why));
        }
        cx.with(|main| match args.del {
            true => of.detach(main, args.interface, &named),
            false => of.attach(main, args.interface, &named),
        })
    };
    let of = attachments.clone();
    let show = move |cx: CommandCx, args: Show| listed(&cx, &of.at(args.family));
    [
        Command::sync("set flow classify", "Count what an interface receives by classifier tables.", set)
            .details("Packets that belong to no session of a table make one. Show them with `show classify tables verbose'."),
        Command::sync("show classify flow", "List the interfaces whose packets are counted by tables.", show),
    ]
}
