//! uRPF: are packets from where their sources are (RFC 3704)? And its commands.
//!
//! *Strict*: a packet must come in by an interface by which its source is reached. *Loose*: its source must be reached at all. By what
//! routes says of a source that is an address of ours, or dropped, or punted, nobody is reached.

mod api;
mod node;

use vnet::{
    command::{Align, Column, Error, Table, choice, keyword, positional, value},
    fib::{Family, FibIndex, TableId},
    graph::{FeatureError, FeatureSpec},
    interface::SwIfIndex,
    plugin::{Command, CommandCx, Registrar},
    runtime::Main,
};

/// How strict a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Loose,
    Strict,
}

/// Each node with its arc, and how packets pass it. Commands and `show` go by this order.
const NODES: [(Family, Mode, &str, &str); 4] = [
    (Family::Ip4, Mode::Loose, "ip4-unicast", "ip4-rx-urpf-loose"),
    (Family::Ip4, Mode::Strict, "ip4-unicast", "ip4-rx-urpf-strict"),
    (Family::Ip6, Mode::Loose, "ip6-unicast", "ip6-rx-urpf-loose"),
    (Family::Ip6, Mode::Strict, "ip6-unicast", "ip6-rx-urpf-strict"),
];

vnet::args! {
    struct Set {
        family: Family = choice([("ip4", Family::Ip4), ("ip6", Family::Ip6)]).or(Family::Ip4),
        // The word is VPP's; packets that are sent are not looked at.
        _rx: bool = choice([("rx", true)]).or(true),
        mode: Option<Mode> = choice([
            ("off", None),
            ("loose", Some(Mode::Loose)),
            ("strict", Some(Mode::Strict)),
        ]).or(Some(Mode::Strict)),
        interface: SwIfIndex = positional(value::interface()),
        table: Option<u32> = keyword("table", value::id("table-id")).optional()
            .help("where sources are looked up, if not in the interface's table"),
    }
}

/// Registers nodes and commands.
pub(crate) fn register(r: &mut Registrar) {
    api::register(r.api());
    for (family, mode, arc, name) in NODES {
        r.node(node::spec(name, family, mode, r.forwarding()));
        r.feature(FeatureSpec::new(arc, name).before(last(family)));
    }
    let set = |cx: CommandCx, args: Set| cx.with(|main| args.set(main));
    r.command(Command::sync("set urpf", "Check whether packets come from where their sources are.", set).details(
        "strict, which is meant without a word: a packet must come in by an interface by which its source is reached. loose: its source must \
         be reached at all.",
    ));
    let show = |cx: CommandCx, (): ()| cx.with(|main| show(main));
    r.command(Command::sync("show urpf", "Show on which interfaces sources are checked.", show));
}

const fn last(family: Family) -> &'static str {
    match family {
        Family::Ip4 => "ip4-lookup",
        Family::Ip6 => "ip6-lookup",
    }
}

/// What is asked for.
struct Wanted {
    family: Family,
    /// None for nothing.
    mode: Option<Mode>,
    interface: SwIfIndex,
    /// Where sources are looked up, if not in the interface's table.
    table: Option<FibIndex>,
}

impl Set {
    fn set(&self, main: &mut Main) -> Result<(), Error> {
        let Self { family, mode, interface, table, .. } = *self;
        let table = table.map(|id| main.forwarding().table(family, TableId(id))).transpose()?;
        Ok(set(main, &Wanted { family, mode, interface, table })?)
    }
}

fn set(main: &mut Main, wanted: &Wanted) -> Result<(), FeatureError> {
    let Wanted { family, mode: wanted, interface, table } = *wanted;
    // 0 is the interface's own table.
    let config = table.map_or(0, |fib| fib.0 + 1);
    let of_family = NODES.into_iter().filter(|(of, ..)| *of == family);
    for (_, _, arc, name) in of_family.clone() {
        if main.features().is_enabled(arc, name, interface) {
            main.disable_feature(arc, name, interface)?;
        }
    }
    for (_, mode, arc, name) in of_family {
        if Some(mode) == wanted {
            main.enable_feature(arc, name, interface, config)?;
        }
    }
    Ok(())
}

fn show(main: &Main) -> Table {
    let mut table = Table::new([
        Column::new("Interface", 32, Align::Left),
        Column::new("Family", 8, Align::Left),
        Column::new("Mode", 8, Align::Left),
    ]);
    for interface in main.interfaces().interfaces() {
        for (family, mode, arc, name) in NODES {
            if main.features().is_enabled(arc, name, interface.index) {
                let mode = if mode == Mode::Strict { "strict" } else { "loose" };
                let family = if family == Family::Ip4 { "ip4" } else { "ip6" };
                table.row([interface.name.clone().into(), family.into(), mode.into()]);
            }
        }
    }
    table
}
