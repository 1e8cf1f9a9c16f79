//! The commands of interfaces.

use super::{
    InterfaceAddress, InterfaceError, InterfaceTable, MtuKind, SwIfIndex, TableBinding, Verbosity,
    show_addresses, show_hardware, show_interfaces, show_tags,
};
use crate::{
    command::{
        ApiError, Cell, Error, Field, Output, Record, choice, flag, keyword, one_of, positional,
        value,
    },
    fib::{Family, FibError, TableId},
    l2::L2,
    plugin::{Command, CommandCx},
    runtime::Main,
};

crate::args! {
    struct Chosen {
        interfaces: Vec<SwIfIndex> = positional(value::interface()).many(),
    }
}

crate::args! {
    struct Hardware {
        verbosity: Option<Verbosity> = choice([
            ("brief", Verbosity::Brief),
            ("verbose", Verbosity::Verbose),
            ("detail", Verbosity::Detail),
        ]).optional(),
        interfaces: Vec<SwIfIndex> = positional(value::interface()).many(),
    }
}

/// What is to become of an interface.
#[derive(Clone, Copy)]
pub(super) enum State {
    Up,
    Down,
    Punt,
    Enable,
}

crate::args! {
    struct SetState {
        interface: SwIfIndex = positional(value::interface()),
        state: State = choice([
            ("up", State::Up),
            ("down", State::Down),
            ("punt", State::Punt),
            ("enable", State::Enable),
        ]),
    }
}

crate::args! {
    struct SetMtu {
        kind: Option<MtuKind> = choice([
            ("packet", MtuKind::L3),
            ("ip4", MtuKind::Ip4),
            ("ip6", MtuKind::Ip6),
            ("mpls", MtuKind::Mpls),
        ]).optional(),
        bytes: u32 = positional(value::number(0..=65535).hint("bytes")),
        interface: SwIfIndex = positional(value::interface()),
    }
}

crate::args! {
    struct SetMac {
        interface: SwIfIndex = positional(value::interface()),
        mac: [u8; 6] = positional(value::mac()),
    }
}

crate::args! {
    struct SetPromiscuous {
        on: bool = choice([("on", true), ("off", false)]),
        interface: SwIfIndex = positional(value::interface()),
    }
}

crate::args! {
    struct SetText {
        interface: SwIfIndex = positional(value::interface()),
        text: String = positional(value::word("text")),
    }
}

/// Which addresses are meant.
#[derive(Clone)]
pub(super) enum Addresses {
    One(InterfaceAddress),
    All,
}

crate::args! {
    struct SetAddress {
        delete: bool = flag("del"),
        interface: SwIfIndex = positional(value::interface()),
        addresses: Addresses = addresses(),
    }
}

fn addresses() -> Field<Addresses> {
    one_of([
        choice([("all", Addresses::All)]),
        positional(value::ip_with_length().hint("address/length")).try_map(|given| {
            Ok(Addresses::One(InterfaceAddress::new(given.address, given.length)?))
        }),
    ])
}

crate::args! {
    struct SetTable {
        interface: SwIfIndex = positional(value::interface()),
        table: u32 = positional(value::id("table-id")),
    }
}

crate::args! {
    struct SetUnnumbered {
        delete: bool = flag("del"),
        interface: SwIfIndex = positional(value::interface()),
        donor: Option<SwIfIndex> = keyword("use", value::interface()).optional(),
    }
}

crate::args! {
    struct Features {
        interfaces: Vec<SwIfIndex> = positional(value::interface()).many(),
        verbose: bool = flag("verbose").help("the place of each on its arc, and where the arc ends"),
    }
}

pub(crate) fn commands() -> Vec<Command> {
    let mut all = shows();
    all.extend(settings());
    all.extend(super::rx_commands::commands());
    all.extend(super::sub_commands::commands());
    all.extend(addressing());
    all
}

fn shows() -> Vec<Command> {
    let shown = |(text, json): (String, serde_json::Value)| Output::from(record(&text, json));
    let addresses = move |path| {
        Command::sync(
            path,
            "Show the addresses of interfaces.",
            move |cx: CommandCx, args: Chosen| {
                shown(cx.with(|m| {
                    let layer2 = |interface| m.provided::<L2>()?.describe(m, interface);
                    show_addresses(m.interfaces(), &args.interfaces, &layer2)
                }))
            },
        )
    };
    vec![
        Command::sync(
            "show interface",
            "Show interfaces and their counters.",
            move |cx: CommandCx, args: Chosen| {
                shown(cx.with(|m| {
                    show_interfaces(m.interfaces(), m.interface_counters(), &args.interfaces)
                }))
            },
        ),
        addresses("show interface addr"),
        addresses("show interface address"),
        Command::sync(
            "show interface tag",
            "Show the tags of interfaces.",
            move |cx: CommandCx, args: Chosen| {
                shown(cx.with(|m| show_tags(m.interfaces(), &args.interfaces)))
            },
        ),
        Command::sync(
            "show interface features",
            "Show the features enabled on interfaces.",
            |cx: CommandCx, args: Features| cx.with(|m| all_features(m, &args)),
        ),
        Command::sync(
            "show hardware-interfaces",
            "Show hardware interfaces.",
            move |cx: CommandCx, args: Hardware| {
                let verbosity = args.verbosity.unwrap_or(Verbosity::Verbose);
                shown(cx.with(|m| {
                    let queues = |hardware: &_| m.rx_queues().lines(hardware);
                    let details = |hardware: &_, verbosity| m.devices.details(hardware, verbosity);
                    show_hardware(m.interfaces(), &args.interfaces, verbosity, &queues, &details)
                }))
            },
        ),
        Command::sync(
            "clear interfaces",
            "Count interfaces from zero.",
            |cx: CommandCx, (): ()| {
                cx.with(Main::clear_interface_counters);
            },
        ),
    ]
}

/// Lines for people, `json` for programs.
fn record(text: &str, json: serde_json::Value) -> Record {
    let lines = text.lines().fold(Record::new(), Record::line);
    lines.field("interfaces", Cell::shown("", json))
}

fn all_features(main: &Main, args: &Features) -> Output {
    let all = || main.interfaces().interfaces().map(|interface| interface.index).collect();
    let chosen = if args.interfaces.is_empty() { all() } else { args.interfaces.clone() };
    let records = chosen.into_iter().map(|i| features(main, i, args.verbose).into());
    Output::List(records.collect())
}

fn features(main: &Main, interface: SwIfIndex, verbose: bool) -> Record {
    let name = main.interface_name(interface);
    let mut record = Record::new().line(format!("Feature paths configured on {name}..."));
    let enabled = main.features().enabled(interface);
    for (arc, _, order, last) in main.features().arcs() {
        record = record.line("").line(format!("{arc}:"));
        let Some((_, features)) = enabled.iter().find(|(name, _)| *name == arc) else {
            record = record.line("  none configured");
            continue;
        };
        for feature in features {
            let place = order.iter().position(|each| each == feature).unwrap_or_default();
            record = record.line(match verbose {
                true => format!("  [{place:2}]: {feature}"),
                false => format!("  {feature}"),
            });
        }
        if verbose {
            record = record.line(format!("  [end]: {last}"));
        }
        let names: Vec<String> = features.iter().map(|&f| f.to_owned()).collect();
        record = record.field(arc, Cell::shown("", names));
    }
    record.field("interface", name)
}

/// A command that changes the table.
pub(super) fn change<A, F>(path: &str, help: &str, f: F) -> Command
where
    A: crate::command::Args,
    F: Fn(&mut InterfaceTable, A) -> Result<(), InterfaceError> + Clone + 'static,
{
    Command::sync(path, help, move |cx: CommandCx, args: A| {
        cx.with(|main| main.change_interfaces(|table| f(table, args)))
    })
}

fn settings() -> Vec<Command> {
    vec![
        Command::sync(
            "set interface state",
            "Set an interface up or down.",
            |cx: CommandCx, args: SetState| {
                cx.with(|main| set_state(main, args.interface, args.state))
            },
        )
        .details(
            "With `punt' it is down, and all that it receives is punted; `enable' ends that and nothing else. One of the \
             host that is down is set up with it, or this fails.",
        ),
        change(
            "set interface mtu",
            "Set an MTU of an interface, in bytes.",
            |table, args: SetMtu| match args.kind {
                Some(kind) => table.set_mtu(args.interface, kind, args.bytes),
                None => table.set_device_mtu(args.interface, args.bytes),
            },
        )
        .details(
            "Of packets of any protocol, or of one; 0 takes it back. Without a word for which, that of packets of any \
             protocol on the interface and on all its sub-interfaces.",
        ),
        change(
            "set interface mac address",
            "Set the MAC address of an interface.",
            |table, args: SetMac| table.set_mac(args.interface, args.mac),
        ),
        change(
            "set interface promiscuous",
            "Take frames for other MAC addresses, or do not.",
            |table, args: SetPromiscuous| table.set_promiscuous(args.interface, args.on),
        ),
        change(
            "set interface tag",
            "Set the operator's note on an interface.",
            |table, args: SetText| table.set_tag(args.interface, &args.text),
        ),
        change("set interface name", "Rename an interface.", |table, args: SetText| {
            table.rename(args.interface, &args.text)
        }),
    ]
}

pub(super) fn set_state(
    main: &mut Main,
    interface: SwIfIndex,
    state: State,
) -> Result<(), InterfaceError> {
    let (admin, punt) = match state {
        State::Up => (Some(true), false),
        State::Down => (Some(false), false),
        State::Punt => (Some(false), true),
        State::Enable => (None, false),
    };
    if let Some(up) = admin {
        main.set_interface_state(interface, up)?;
    }
    main.change_interfaces(|table| table.set_punt(interface, punt))
}

fn addressing() -> Vec<Command> {
    vec![
        change(
            "set interface ip address",
            "Add an address to an interface, or remove it.",
            |table, args: SetAddress| {
                set_address(table, args.interface, args.addresses, args.delete)
            },
        ),
        change(
            "set interface unnumbered",
            "Let an interface use another one's addresses.",
            |table, args: SetUnnumbered| {
                table.set_unnumbered(args.interface, args.donor.filter(|_| !args.delete))
            },
        ),
        Command::sync(
            "set interface ip table",
            "Look IPv4 packets of an interface up in a table.",
            |cx: CommandCx, args: SetTable| {
                cx.with(|main| set_table(main, args.interface, args.table, Family::Ip4))
            },
        ),
        Command::sync(
            "set interface ip6 table",
            "Look IPv6 packets of an interface up in a table.",
            |cx: CommandCx, args: SetTable| {
                cx.with(|main| set_table(main, args.interface, args.table, Family::Ip6))
            },
        ),
    ]
}

/// Adds or removes an address, or removes all of them.
pub(super) fn set_address(
    table: &mut InterfaceTable,
    interface: SwIfIndex,
    addresses: Addresses,
    delete: bool,
) -> Result<(), InterfaceError> {
    match addresses {
        Addresses::All => table.remove_all_addresses(interface),
        Addresses::One(address) if delete => table.remove_address(interface, address),
        Addresses::One(address) => table.add_address(interface, address),
    }
}

/// Binds an interface to a table, which there has to be.
pub(super) fn set_table(
    main: &mut Main,
    interface: SwIfIndex,
    table_id: u32,
    family: Family,
) -> Result<(), Error> {
    let unknown = |error: FibError| Error::failed(ApiError::NoSuchFib, error);
    let fib = main.forwarding().table(family, TableId(table_id)).map_err(unknown)?;
    let binding = TableBinding { table_id, fib_index: fib.0 };
    main.change_interfaces(|table| table.set_table(interface, family, binding))?;
    Ok(())
}
