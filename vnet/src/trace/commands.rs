//! `trace add`, `trace filter`, `show trace` and `clear trace`.

use super::{TraceFilter, TraceWanted};
use crate::{
    classify::FilterUse,
    command::{ApiError, Error, NameKind, choice, flag, keyword, one_of, positional, value},
    graph::{NodeFlags, NodeIndex},
    plugin::{Command, CommandCx},
};

/// Packets that `show trace` shows unless told otherwise.
const SHOWN: u32 = 50;

crate::args! {
    struct Add {
        node: NodeIndex = positional(node()),
        count: u32 = positional(value::number(0..=100_000).hint("n")),
        filter: bool = flag("filter").help("only packets that `classify filter trace' takes"),
        verbose: bool = flag("verbose").help("with what the buffer looks like at each node"),
    }
}

crate::args! {
    struct Show {
        max: u32 = keyword("max", value::number(1..=100_000)).or(SHOWN),
    }
}

crate::args! {
    struct Filter {
        filter: TraceFilter = one_of([
            choice([("none", TraceFilter::None)]),
            keyword("include", node()).map(TraceFilter::Include),
            keyword("exclude", node()).map(TraceFilter::Exclude),
        ]),
        count: u32 = positional(value::positive("n"))
            .or(u32::MAX)
            .help("of those no more than the first n"),
    }
}

fn node() -> value::Value<NodeIndex> {
    value::named(NameKind::NODE, |index| NodeIndex(index as u16))
}

pub(crate) fn commands() -> Vec<Command> {
    vec![
        Command::sync("trace add", "Trace the next packets of an input node.", add)
            .details("The number adds to what is still to be traced; 0 forgets all traces."),
        Command::sync("show trace", "Show the traced packets.", |cx: CommandCx, args: Show| {
            cx.with(|main| main.show_trace(args.max as usize))
        }),
        Command::sync("clear trace", "Forget all traces.", |cx, (): ()| {
            cx.with(|main| main.clear_trace());
        }),
        Command::sync("trace filter", "Choose which traces are shown.", |cx, args: Filter| {
            cx.with(|main| main.set_trace_filter(args.filter, args.count as usize));
        }),
    ]
}

fn add(cx: CommandCx, args: Add) -> Result<(), Error> {
    cx.with(|main| {
        let node = main.graph().node(args.node);
        if !node.flags.contains(NodeFlags::TRACE_SUPPORTED) {
            let text =
                format!("node `{}' brings no packets in: it cannot start a trace", node.name);
            return Err(Error::failed(ApiError::InvalidValue, text));
        }
        let Add { node, count: packets, filter, verbose } = args;
        if packets == 0 {
            main.clear_trace();
            return Ok(());
        }
        if filter && main.classifier().filter_tables(main, FilterUse::Trace).is_empty() {
            let text = "there is no filter of traces: `classify filter trace ...' makes one";
            return Err(Error::failed(ApiError::NoSuchEntry, text));
        }
        main.trace_add(TraceWanted { node, packets, filter, verbose });
        Ok(())
    })
}
