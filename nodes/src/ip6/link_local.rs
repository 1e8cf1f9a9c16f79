//! `ip6-link-local`: packets of this machine to link-local addresses. `show ip6-ll`.
//!
//! Such an address means something on its link only, which is that of the interface by which the packet is to leave: the one that a
//! message is answered on, or that the operator says. So it is looked up among those of that interface ([`vnet::fib::scoped`]).

use std::net::Ipv6Addr;

use vnet::{
    buffer::{Buffer, BufferFlags},
    command::{Align, Cell, Column, Table, positional, value},
    fib::{Dpo, DpoKind, ForwardingReader, is_link_local},
    graph::{Map, NodeSpec, PacketCx, Slot},
    interface::SwIfIndex,
    plugin::{Command, CommandCx, Registrar},
    runtime::Main,
    wire::ip6::Header,
};

use crate::trace::{Ip6Trace, Snap};

vnet::next_nodes! {
    /// Where packets go from `ip6-link-local`.
    pub(crate) enum Next {
        Drop => "ip6-drop",
        Rewrite => "ip6-rewrite",
        Discover => "ip6-discover-neighbor",
        Glean => "ip6-glean",
    }
}

vnet::node_errors! {
    /// Why packets end here.
    pub(crate) enum Error {
        NoLink => ("no-link", "link-local address on an interface without IPv6", Error, Unroutable),
        Own => ("own-address", "from this machine to its own link-local address", Error),
    }
}

/// Whether a packet is to be looked up by the link that it leaves by.
pub(super) fn is_for_link(buffer: &Buffer) -> bool {
    let to_link = |ip: &Header| is_link_local(Ipv6Addr::from(ip.destination).into());
    buffer.flags().contains(BufferFlags::LOCALLY_ORIGINATED)
        && buffer.view::<Header>().is_some_and(to_link)
}

vnet::args! {
    struct Show {
        interface: Option<SwIfIndex> = positional(value::interface()).optional(),
    }
}

pub(super) fn register(r: &mut Registrar) {
    let reader = r.forwarding();
    r.node(NodeSpec::map("ip6-link-local", move |_| LinkLocal(reader.clone())));
    let show = |cx: CommandCx, args: Show| cx.with(|main| show(main, args.interface));
    r.command(Command::sync("show ip6-ll", "Show link-local addresses by interface.", show));
}

struct LinkLocal(ForwardingReader);

impl Map for LinkLocal {
    type Error = Error;
    type Next = Next;
    type Trace = Ip6Trace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let to = buffer.view::<Header>().map(|ip| Ipv6Addr::from(ip.destination));
        let dpo = to.map_or(Dpo::DROP, |to| self.0.link_local(buffer.rx, to));
        buffer.adjacency = dpo.index();
        match dpo.kind() {
            DpoKind::Adjacency => Next::Rewrite,
            DpoKind::Incomplete => Next::Discover,
            DpoKind::Glean => Next::Glean,
            DpoKind::Local => {
                cx.error(buffer, Error::Own);
                Next::Drop
            }
            _ => {
                cx.error(buffer, Error::NoLink);
                Next::Drop
            }
        }
        .into()
    }

    fn trace(&self, buffer: &Buffer) -> Ip6Trace {
        Ip6Trace(Snap::current(buffer))
    }
}

fn show(main: &Main, interface: Option<SwIfIndex>) -> Table {
    let mut table = Table::new([
        Column::new("Interface", 32, Align::Left),
        Column::new("Prefix", 43, Align::Left),
        Column::new("Forwarding", 10, Align::Left),
    ]);
    let all = main.interfaces().interfaces().map(|i| i.index);
    for index in all.filter(|&index| interface.is_none_or(|only| only == index)) {
        for (prefix, dpo) in main.forwarding().link_local(index) {
            let word = match dpo.kind() {
                DpoKind::Local => "local",
                DpoKind::Glean => "glean",
                DpoKind::Adjacency => "neighbor",
                DpoKind::Incomplete => "incomplete",
                _ => "drop",
            };
            let prefix: Cell = prefix.to_string().into();
            table.row([main.interface_name(index).into(), prefix, word.into()]);
        }
    }
    table
}
