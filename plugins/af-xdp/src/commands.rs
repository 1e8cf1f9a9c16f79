//! `create interface af_xdp` and `delete interface af_xdp`.

use vnet::{
    command::{Error, choice, keyword, positional, value},
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
};

use crate::{Copying, Mode, NewXdpInterface, XdpInterfaces};

/// The most queues of an interface.
pub(crate) const MOST_QUEUES: u32 = 256;
/// Entries of a ring.
pub(crate) const FEWEST_ENTRIES: u32 = 64;
pub(crate) const MOST_ENTRIES: u32 = 32768;
pub(crate) const ENTRIES: u32 = 1024;

vnet::args! {
    struct Create {
        host_if: String = keyword("host-if", value::word("ifname")),
        name: Option<String> = keyword("name", value::word("name")).optional(),
        queues: Option<u32> = keyword("num-rx-queues", queues()).or(Some(1)),
        rx_entries: u32 = keyword("rx-queue-size", entries()).or(ENTRIES),
        tx_entries: u32 = keyword("tx-queue-size", entries()).or(ENTRIES),
        copying: Copying = choice([
            ("zero-copy", Copying::Never),
            ("no-zero-copy", Copying::Always),
        ]).or(Copying::Auto),
        mode: Mode = keyword("mode", value::words(&[
            ("native", Mode::Native),
            ("generic", Mode::Generic),
            ("auto", Mode::Auto),
        ])).or(Mode::Auto),
    }
}

vnet::args! {
    struct Delete {
        interface: SwIfIndex = positional(value::interface()),
    }
}

/// A number of queues, or all of them.
fn queues() -> value::Value<Option<u32>> {
    value::number(1..=MOST_QUEUES).map(Some).or_word("all", None)
}

/// A number of entries, which is a power of two.
fn entries() -> value::Value<u32> {
    value::number(FEWEST_ENTRIES..=MOST_ENTRIES).try_map(|entries, text| {
        let word = text.to_owned();
        let expected = "a power of two".to_owned();
        if entries.is_power_of_two() {
            Ok(entries)
        } else {
            Err(Error::BadValue { word, expected })
        }
    })
}

pub(crate) fn commands(interfaces: &XdpInterfaces) -> [Command; 2] {
    let (creates, deletes) = (interfaces.clone(), interfaces.clone());
    let create = move |cx: CommandCx, args: Create| {
        let new = NewXdpInterface {
            host_if: args.host_if,
            name: args.name,
            queues: args.queues,
            rx_entries: args.rx_entries,
            tx_entries: args.tx_entries,
            copying: args.copying,
            mode: args.mode,
        };
        let made = cx.with(|main| creates.create(main, &new));
        made.map(|made| format!("{}\n", cx.interface_name(made)))
    };
    let delete =
        move |cx: CommandCx, args: Delete| cx.with(|main| deletes.delete(main, args.interface));
    [
        Command::sync(
            "create interface af_xdp",
            "Use an interface of the host by AF_XDP sockets.",
            create,
        )
        .details(
            "It is called <host-if>/<n> unless it is given a name, and is down. While it is up, packets of the device's receive \
             queues, as many as `num-rx-queues' says or all, come here and not to the host. Sizes of queues are powers of two. \
             Without `zero-copy' or `no-zero-copy' the device reads and writes buffers itself if its driver can.",
        ),
        Command::sync(
            "delete interface af_xdp",
            "Use an interface of the host no more by AF_XDP sockets.",
            delete,
        ),
    ]
}
