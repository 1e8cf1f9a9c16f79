//! `create host-interface` and `delete host-interface`.

use vnet::{
    command::{flag, keyword, value},
    plugin::{Command, CommandCx},
};

use crate::{HostInterfaces, NewHostInterface};

/// The most queues of an interface in one direction.
pub(crate) const MOST_QUEUES: u16 = 64;

vnet::args! {
    struct Create {
        v2: bool = flag("v2").help("receive rings of the second version, also where they are polled"),
        name: String = keyword("name", value::word("ifname")),
        mac: Option<[u8; 6]> = keyword("hw-addr", value::mac()).optional(),
        rx_queues: u16 = keyword("num-rx-queues", value::number(1..=MOST_QUEUES)).or(1),
        tx_queues: u16 = keyword("num-tx-queues", value::number(1..=MOST_QUEUES)).or(1),
        ip: bool = keyword("mode", value::words(&[("ip", true), ("ethernet", false)])).or(false),
        qdisc_bypass_disable: bool = flag("qdisc-bypass-disable"),
        offload_disable: bool = flag("cksum-gso-disable"),
    }
}

vnet::args! {
    struct Delete {
        name: String = keyword("name", value::word("ifname")),
    }
}

pub(crate) fn commands(interfaces: &HostInterfaces) -> [Command; 2] {
    let (creates, deletes) = (interfaces.clone(), interfaces.clone());
    let create = move |cx: CommandCx, args: Create| {
        let new = NewHostInterface {
            name: args.name,
            mac: args.mac,
            rx_queues: args.rx_queues,
            tx_queues: args.tx_queues,
            ip: args.ip,
            bypass_qdisc: !args.qdisc_bypass_disable,
            offloads: !args.offload_disable,
            v2: args.v2,
            listening: None,
        };
        let made = cx.with(|main| creates.create(main, &new));
        made.map(|made| format!("{}\n", cx.interface_name(made)))
    };
    let delete =
        move |cx: CommandCx, args: Delete| cx.with(|main| deletes.delete(main, &args.name));
    [
        Command::sync("create host-interface", "Use an interface of the host.", create)
            .details("It is called host-<ifname>, and is down. Packets come and go through packet sockets (packet(7))."),
        Command::sync("delete host-interface", "Use an interface of the host no more.", delete),
    ]
}
