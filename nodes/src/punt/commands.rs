//! `set punt`, `show punt db`.

use vnet::{
    command::{
        Align, Column, Error, Field, Table, choice, flag, keyword, one_of, positional, value,
    },
    fib::Family,
    plugin::{Command, CommandCx},
    wire::ip4::protocol,
};

use super::order::{Orders, Taker, What};

/// Which packets of a family are meant.
#[derive(Clone, Copy)]
pub(super) enum Of {
    Ports(u8),
    Protocol(u8),
}

impl Of {
    /// With a port, or without.
    pub(super) fn what(self, port: Option<u16>) -> Result<What, Error> {
        match (self, port) {
            (Self::Ports(protocol), port) => Ok(What::of_ports(protocol, port)?),
            (Self::Protocol(number), None) => Ok(What::Protocol(number)),
            (Self::Protocol(_), Some(_)) => Err(Error::Conflict { word: "protocol".to_owned() }),
        }
    }
}

/// `[ipv4|ipv6|ip6]`.
pub(super) fn family() -> Field<Family> {
    choice([("ipv4", Family::Ip4), ("ipv6", Family::Ip6), ("ip6", Family::Ip6)]).or(Family::Ip4)
}

/// `[udp|tcp | protocol <n>]`.
pub(super) fn of() -> Field<Of> {
    one_of([
        choice([("udp", Of::Ports(protocol::UDP)), ("tcp", Of::Ports(protocol::TCP))]),
        keyword("protocol", value::number(0..=255)).map(Of::Protocol),
    ])
    .or(Of::Ports(protocol::UDP))
}

/// `[all | <port>]`.
pub(super) fn port() -> Field<Option<u16>> {
    one_of([choice([("all", None)]), positional(value::port()).map(Some)]).or(None)
}

vnet::args! {
    struct Set {
        family: Family = family(),
        of: Of = of(),
        del: bool = flag("del"),
        port: Option<u16> = port(),
    }
}

/// Both.
pub(super) fn commands(orders: &Orders) -> [Command; 2] {
    let of = orders.clone();
    let set = move |cx: CommandCx, args: Set| -> Result<(), Error> {
        let what = args.of.what(args.port)?;
        let done = cx.with(|main| match args.del {
            true => of.remove(main, args.family, what, false),
            false => of.add(main, args.family, what, Taker::Arc),
        });
        Ok(done?)
    };
    let of = orders.clone();
    let show = move |_: CommandCx, (): ()| show(&of);
    [
        Command::sync("set punt", "Punt packets for this machine that nobody here receives.", set).details(
            "A UDP port at which nobody listens, or without one or with `all' every such port; all of TCP; or an IP protocol. Without a \
             word of these IPv4 and UDP are meant. Where punted packets go, `ip punt redirect' says.",
        ),
        Command::sync("show punt db", "Show which packets for this machine are punted.", show),
    ]
}

fn show(orders: &Orders) -> Table {
    let mut table = Table::new([
        Column::new("Family", 8, Align::Left),
        Column::new("Protocol", 10, Align::Left),
        Column::new("Port", 8, Align::Left),
    ]);
    for (family, what) in orders.punted() {
        let [protocol, port] = what.words();
        table.row([family.to_string().into(), protocol.into(), port.into()]);
    }
    table
}
