//! `arp-proxy`: answers for addresses of others (RFC 1027), and its commands.

use std::{net::Ipv4Addr, ops::RangeInclusive};

use vnet::{
    buffer::Buffer,
    command::{ApiError, Error as CommandError, Record, choice, flag, keyword, positional, value},
    fib::{Family, FibIndex, TableId},
    graph::{FeatureError, FeatureSpec, Map, NodeSpec, PacketCx, Slot},
    interface::SwIfIndex,
    plugin::{Command, CommandCx, Registrar},
    runtime::{Main, Shared},
    wire::arp::operation,
};

use super::{Error, Next, Trace, answer, read};
use crate::neighbor::{Ears, counts::Counts, links::Links};

const NODE: &str = "arp-proxy";

/// Addresses of a table for which is answered.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Range {
    fib: FibIndex,
    addresses: RangeInclusive<Ipv4Addr>,
}

/// All of them.
pub(super) type Ranges = Shared<Vec<Range>>;

vnet::args! {
    pub(super) struct SetProxy {
        pub(super) delete: bool = flag("del"),
        pub(super) table: Option<u32> = keyword("table-ID", value::id("table-ID")).optional(),
        pub(super) start: Ipv4Addr = keyword("start", value::ip4()),
        pub(super) end: Ipv4Addr = keyword("end", value::ip4()),
    }
}

vnet::args! {
    struct SetInterface {
        interface: SwIfIndex = positional(value::interface()),
        enable: bool = choice([("enable", true), ("disable", false)]).or(true),
    }
}

pub(super) fn register(r: &mut Registrar, ears: &Ears) {
    let ranges = r.shared(Vec::new());
    let (links, of_node) = (ears.links.clone(), ranges.clone());
    let (reader, counts) = (ears.reader.clone(), ears.counts.clone());
    r.node(NodeSpec::map(NODE, move |_| Proxy {
        links: links.clone(),
        ranges: of_node.clone(),
        reader: reader.clone(),
        counts: counts.clone(),
    }));
    r.feature(FeatureSpec::new("arp", NODE));
    super::api::register(r, &ranges);
    let of_set = ranges.clone();
    r.command(Command::sync(
        "set arp proxy",
        "Answer ARP requests for addresses of others, on interfaces where that is enabled.",
        move |cx: CommandCx, args: SetProxy| cx.with(|main| set(main, &of_set, &args)),
    ));
    r.command(Command::sync(
        "set interface proxy-arp",
        "Answer on an interface for addresses of others.",
        |cx: CommandCx, args: SetInterface| {
            cx.with(|main| set_interface(main, args.interface, args.enable))
        },
    ));
    r.command(Command::sync(
        "show arp proxy",
        "Show for which addresses of others is answered, and on which interfaces.",
        move |cx: CommandCx, (): ()| cx.with(|main| show(main, &ranges)),
    ));
}

/// Switches answers on an interface.
pub(super) fn set_interface(
    main: &mut Main,
    interface: SwIfIndex,
    on: bool,
) -> Result<(), FeatureError> {
    main.switch_feature("arp", NODE, interface, on)
}

/// The interfaces on which is answered.
pub(super) fn enabled(main: &Main) -> Vec<SwIfIndex> {
    let all = main.interfaces().interfaces().map(|interface| interface.index);
    all.filter(|interface| main.features().is_enabled("arp", NODE, *interface)).collect()
}

/// The ranges with the numbers of their tables.
pub(super) fn told(main: &Main, ranges: &Ranges) -> Vec<(u32, RangeInclusive<Ipv4Addr>)> {
    let table = |fib| main.forwarding().table_id(Family::Ip4, fib).map_or(0, |id| id.0);
    let ranges = ranges.view(main.held()).iter();
    ranges.map(|Range { fib, addresses }| (table(*fib), addresses.clone())).collect()
}

pub(super) fn set(main: &mut Main, ranges: &Ranges, args: &SetProxy) -> Result<(), CommandError> {
    let failed = |number, text: String| CommandError::failed(number, text);
    if args.start > args.end {
        return Err(failed(
            ApiError::InvalidValue,
            format!("`end' {} is before `start' {}", args.end, args.start),
        ));
    }
    let table = TableId(args.table.unwrap_or(0));
    let fib = main.forwarding().table(Family::Ip4, table)?;
    let range = Range { fib, addresses: args.start..=args.end };
    let ranges = ranges.write(main.held_mut());
    let at = ranges.iter().position(|known| *known == range);
    match (at, args.delete) {
        (None, false) => ranges.push(range),
        (Some(at), true) => {
            ranges.remove(at);
        }
        (Some(_), false) => {
            let text = "that range is there already".to_owned();
            return Err(failed(ApiError::EntryAlreadyExists, text));
        }
        (None, true) => {
            return Err(failed(ApiError::NoSuchEntry, "no such range".to_owned()));
        }
    }
    Ok(())
}

fn show(main: &Main, ranges: &Ranges) -> Record {
    let mut record = Record::new().line("Proxy arps enabled for:");
    let mut shown = Vec::new();
    for (table, addresses) in told(main, ranges) {
        let (start, end) = (addresses.start(), addresses.end());
        record = record.line(format!("Fib_index {table}   {start} - {end} "));
        shown.push(format!("{start}-{end}"));
    }
    let names: Vec<String> =
        enabled(main).into_iter().map(|interface| main.interface_name(interface)).collect();
    record = record.line("").line("Proxy arps enabled on interfaces:");
    record = names.iter().fold(record, |record, name| record.line(format!("  {name}")));
    record
        .field("ranges", vnet::command::Cell::shown("", shown))
        .field("interfaces", vnet::command::Cell::shown("", names))
}

struct Proxy {
    links: Shared<Links>,
    ranges: Ranges,
    reader: vnet::fib::ForwardingReader,
    counts: Counts,
}

impl Proxy {
    /// Whether `target` is one for which is answered.
    fn answers(&self, cx: &PacketCx<'_, Next, Error>, rx: SwIfIndex, target: Ipv4Addr) -> bool {
        let fib = self.reader.fib_of(rx, Family::Ip4);
        let ranges = self.ranges.read(cx.token());
        ranges.iter().any(|range| range.fib == fib && range.addresses.contains(&target))
    }
}

impl Map for Proxy {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let links = self.links.clone();
        let rx = buffer.rx;
        let (Some((packet, from)), Some(link)) = (read(buffer), links.read(cx.token()).get(rx))
        else {
            return cx.next_feature(buffer);
        };
        let is_question = packet.operation.get() == operation::REQUEST && !packet.is_gratuitous();
        let is_host = packet.sender_mac == from && !from.is_multicast() && from != link.mac;
        if is_question
            && is_host
            && self.answers(cx, rx, packet.target_ip.into())
            && answer(cx, buffer, (rx, link), &self.counts, &packet)
        {
            cx.count(Error::ProxyRepliesSent, 1);
            return Next::Output.into();
        }
        cx.error_if_none(buffer, Error::TargetNotLocal);
        cx.next_feature(buffer)
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace::of(buffer)
    }
}
