//! `flowprobe sampling` and `show flowprobe sampling`.

use vnet::{
    command::{Align, Cell, Column, Table, flag, group, keyword, one_of, positional, value},
    flow::{Direction, sample::Method},
    interface::SwIfIndex,
    plugin::{Command, CommandCx, Registrar},
    runtime::Main,
};

use super::{Site, options::Sampling};
use crate::FlowProbe;

vnet::args! {
    struct Count {
        interval: u32 = positional(value::positive("interval")),
        space: u32 = positional(value::id("space")),
    }
}

vnet::args! {
    struct Time {
        interval: u32 = positional(value::positive("microseconds")),
        space: u32 = positional(value::id("microseconds")),
    }
}

vnet::args! {
    struct Random {
        size: u32 = positional(value::positive("n")),
        population: u32 = positional(value::positive("of")),
    }
}

vnet::args! {
    struct Hash {
        first: u32 = positional(value::id("first")),
        last: u32 = positional(value::id("last")),
    }
}

vnet::args! {
    struct Sample {
        interface: SwIfIndex = positional(value::interface()),
        method: Option<Method> = one_of([
            group::<Count>("count").map(|Count { interval, space }| Some(Method::Count { interval, space }))
                .help("this many packets, and not the next so many"),
            group::<Time>("time").map(|Time { interval, space }| Some(Method::Time { interval, space }))
                .help("packets within so long, and not within the next so long"),
            group::<Random>("random")
                .map(|Random { size, population }| Some(Method::Random { size, population }))
                .help("so many at random of each so many packets"),
            keyword("probability", value::float()).map(|p| Some(Method::Probability(p)))
                .help("each packet with this probability, above 0 and up to 1"),
            group::<Hash>("hash").map(|Hash { first, last }| Some(Method::Hash { first, last }))
                .help("packets whose hash, of 32 bits, is in this range"),
            flag("off").map(|_| None).help("all packets"),
        ]),
        seed: Option<u64> = keyword("seed", value::id("seed")).optional()
            .help("for the same choice again; of hashes, the initial value"),
    }
}

pub(crate) fn register(r: &mut Registrar, probe: &FlowProbe) {
    let of = probe.clone();
    let sample = move |cx: CommandCx, args: Sample| {
        let Sample { interface, method, seed } = args;
        cx.with(|main| of.set_sampling(main, interface, method, seed))
    };
    let help = "Measure some packets of an interface instead of all.";
    r.command(Command::sync("flowprobe sampling", help, sample).details(
        "Wherever it is measured, now or later; also while it is measured: its flows end first. Records have the packets and \
         octets that were selected, and `ipfix options sampling' tells collectors of how many.",
    ));
    let of = probe.clone();
    let show = move |cx: CommandCx, (): ()| cx.with(|main| table(&of, main));
    let help = "Show how interfaces are sampled, and what was selected.";
    r.command(Command::sync("show flowprobe sampling", help, show));
    let (ipfix, options) = (r.ipfix(), r.ipfix().options());
    options.add(r, &ipfix, Sampling::new(probe));
}

fn table(probe: &FlowProbe, main: &mut Main) -> Table {
    let mut table = Table::new([
        Column::new("Interface", 18, Align::Left),
        Column::new("Variant", 9, Align::Left),
        Column::new("Dir", 5, Align::Left).key("direction"),
        Column::new("Method", 26, Align::Left),
        Column::new("Seed", 21, Align::Right),
        Column::new("Selector", 10, Align::Right),
        Column::new("Observed", 14, Align::Right),
        Column::new("Selected", 14, Align::Right),
        Column::new("Not-selected", 14, Align::Right),
    ]);
    let sites = probe.sampled_sites(main);
    for (interface, method, seed) in probe.sampling() {
        let name = main.interface_name(interface);
        let of_interface: Vec<&Site> =
            sites.iter().filter(|site| site.interface == interface).collect();
        let common = || [Cell::from(name.as_str()), method.to_string().into(), seed.into()];
        if of_interface.is_empty() {
            let [name, method, seed] = common();
            let none = || Cell::Empty;
            table.row([name, none(), none(), method, seed, none(), none(), none(), none()]);
        }
        for site in of_interface {
            let [name, method, seed] = common();
            let direction = match site.direction {
                Direction::Ingress => "rx",
                Direction::Egress => "tx",
            };
            table.row([
                name,
                site.variant.word().into(),
                direction.into(),
                method,
                seed,
                site.selector.into(),
                site.sampled.observed.into(),
                site.sampled.selected.into(),
                site.sampled.skipped().into(),
            ]);
        }
    }
    table
}
