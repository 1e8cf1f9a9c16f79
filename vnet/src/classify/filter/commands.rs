//! `classify filter`, `show classify filter`.

use super::FilterUse;
use crate::{
    classify::{
        ClassifyError, Mask, NextSlot, Pattern, TableIndex, TableSpec,
        commands::memory,
        fields::{mask, matching},
    },
    command::{Align, ApiError, Cell, Column, Error, Table, flag, keyword, positional, value},
    plugin::{Command, CommandCx},
};

/// Memory of a table unless said otherwise: 128 KiB, as with VPP.
const MEMORY: usize = 128 << 10;

crate::args! {
    struct Filter {
        of: FilterUse = positional(
            value::interface()
                .map(FilterUse::Interface)
                .or_word("pcap", FilterUse::Pcap)
                .or_word("trace", FilterUse::Trace),
        ),
        mask: Option<Pattern> = mask().optional(),
        matching: Option<Pattern> = matching().optional(),
        buckets: u32 = keyword("buckets", value::number(1..=1 << 24)).or(8)
            .help("for VPP's scripts; memory-size alone says how many rules a table has room for"),
        memory: usize = keyword("memory-size", memory()).or(MEMORY)
            .help("1K to 1G, 128K: of a table that is made"),
        del: bool = flag("del").help("the whole filter"),
    }
}

crate::args! {
    struct ShowFilter {
        verbose: bool = flag("verbose").help("all tables"),
    }
}

pub(crate) fn commands() -> Vec<Command> {
    vec![
        Command::sync("classify filter", "Choose the packets that captures and traces take.", filter).details(
            "Each line adds a rule: packets that match any rule are taken. `pcap' is asked by `pcap trace ... filter', `trace' by \
             `trace add ... filter', and that of an interface by each `pcap trace' for packets of that interface. Masks are laid \
             on frames as they are, with VLAN tags.",
        ),
        Command::sync("show classify filter", "List the filters of captures and traces.", |cx: CommandCx, of: ShowFilter| {
            show(&cx, of.verbose)
        })
        .details("With `verbose', all tables of a filter: packets are looked up in one after the other."),
    ]
}

fn filter(cx: CommandCx, args: Filter) -> Result<(), Error> {
    cx.with(|main| {
        let classifier = main.classifier().clone();
        if args.del {
            if classifier.filter_tables(main, args.of).is_empty() {
                return Err(Error::failed(ApiError::NoSuchEntry, "there is no such filter"));
            }
            return Ok(classifier.delete_filter(main, args.of)?);
        }
        let (Some(mask), Some(pattern)) = (args.mask, args.matching) else {
            return Err(Error::Missing { what: "mask and match, or del".to_owned() });
        };
        let spec = TableSpec {
            mask: Mask::new(&mask.bytes, None, None).map_err(ClassifyError::from)?,
            buckets: args.buckets.next_power_of_two(),
            memory: args.memory,
            current_data: None,
            next_table: None,
            miss_next: NextSlot::NONE,
        };
        Ok(classifier.add_filter_rule(main, args.of, spec, &pattern)?)
    })
}

fn show(cx: &CommandCx, verbose: bool) -> Table {
    let columns = [
        Column::new("Filter Used By", 30, Align::Left).key("used_by"),
        Column::new(" Table(s)", 0, Align::Left).key("tables"),
    ];
    let filters = cx.with(|main| {
        let classifier = main.classifier().clone();
        let of = [FilterUse::Trace, FilterUse::Pcap].into_iter();
        let interfaces = classifier.filters_of(main).into_iter();
        let all = of.chain(interfaces.filter(|of| matches!(of, FilterUse::Interface(_))));
        let with_tables = all.map(|of| (of, classifier.filter_tables(main, of)));
        with_tables.collect::<Vec<_>>()
    });
    let rows = filters.into_iter().map(|(of, tables)| {
        let used_by = match of {
            FilterUse::Trace => "packet tracer:".to_owned(),
            FilterUse::Pcap => "pcap rx/tx/drop:".to_owned(),
            FilterUse::Interface(interface) => format!("{}:", cx.interface_name(interface)),
        };
        let numbers: Vec<_> = tables.iter().map(|(TableIndex(index), _)| *index).collect();
        let mut words: Vec<_> = numbers.iter().map(ToString::to_string).collect();
        words.push("none".to_owned());
        let text = match verbose {
            true => format!(" table(s) {}", words.join(" ")),
            false => format!(" first table {}", words[0]),
        };
        [used_by.into(), Cell::shown(text, numbers)]
    });
    Table::new(columns).rows(rows)
}
