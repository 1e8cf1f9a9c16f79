//! `punt socket register`, `punt socket deregister`, `show punt socket registrations`.

use std::path::PathBuf;

use vnet::{
    command::{Align, Column, Error, Table, choice, keyword, value},
    fib::Family,
    plugin::{Command, CommandCx},
};

use crate::punt::{
    commands::{Of, family, of, port},
    order::{Orders, Taker, What},
};

vnet::args! {
    struct Register {
        family: Family = family(),
        of: Of = of(),
        port: Option<u16> = port(),
        socket: PathBuf = keyword("socket", value::word("path").map(PathBuf::from)),
    }
}

vnet::args! {
    struct Deregister {
        family: Family = family(),
        of: Of = of(),
        port: Option<u16> = port(),
    }
}

/// Which registrations are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ports,
    Protocols,
    Exceptions,
}

vnet::args! {
    struct Show {
        kind: Kind = choice([
            ("l4", Kind::Ports),
            ("ip", Kind::Protocols),
            ("exception", Kind::Exceptions),
        ]).or(Kind::Ports),
    }
}

/// All of them.
pub(super) fn commands(orders: &Orders) -> [Command; 3] {
    let (add, remove, all) = (orders.clone(), orders.clone(), orders.clone());
    let register = move |cx: CommandCx, args: Register| -> Result<(), Error> {
        let what = args.of.what(args.port)?;
        let taker = Taker::Client(args.socket);
        Ok(cx.with(|main| add.add(main, args.family, what, taker))?)
    };
    let deregister = move |cx: CommandCx, args: Deregister| -> Result<(), Error> {
        let what = args.of.what(args.port)?;
        Ok(cx.with(|main| remove.remove(main, args.family, what, true))?)
    };
    let show = move |_: CommandCx, args: Show| show(&all, args.kind);
    [
        Command::sync(
            "punt socket register",
            "Send packets for this machine that nobody here receives to the socket of a client.",
            register,
        )
        .details(
            "The socket is one of datagrams that the client has bound. `punt { socket PATH }' of the startup file says from where it gets them, \
             and where it sends packets of its own.",
        ),
        Command::sync(
            "punt socket deregister",
            "Send packets to the socket of a client no more.",
            deregister,
        ),
        Command::sync(
            "show punt socket registrations",
            "Show which packets go to which sockets of clients.",
            show,
        ),
    ]
}

fn show(orders: &Orders, kind: Kind) -> Table {
    let mut table = Table::new([
        Column::new("Family", 8, Align::Left),
        Column::new("Protocol", 10, Align::Left),
        Column::new("Port", 8, Align::Left),
        Column::new("Socket", 0, Align::Left),
    ]);
    for (family, what, path) in orders.clients() {
        let of = if matches!(what, What::Protocol(_)) { Kind::Protocols } else { Kind::Ports };
        if of == kind {
            let [protocol, port] = what.words();
            let path = path.display().to_string();
            table.row([family.to_string().into(), protocol.into(), port.into(), path.into()]);
        }
    }
    table
}
