//! `arp-proxy`: answers for addresses of others (RFC 1027), and its commands.

use std::{net::Ipv4Addr, ops::RangeInclusive};

use vnet::{
    buffer::Buffer,
    command::{ApiError, Error as CommandError, Record, choice, flag, keyword, positional, value},
    fib::{Family, FibIndex, TableId},
    graph::{FeatureSpec, Map, NodeSpec, PacketCx, Slot},
    interface::SwIfIndex,
    plugin::{Command, CommandCx, Registrar},
    runtime::{Main, Shared},
    wire::arp::operation,
};

use super::{Error, Next, Trace, answer, read};
use crate::neighbor::{Ears, links::Links};

const NODE: &str = "arp-proxy";

/// Addresses of a table for which is answered.
#[derive(Clone, PartialEq, Eq)]
struct Range {
    fib: FibIndex,
    addresses: RangeInclusive<Ipv4Addr>,
}

vnet::args! {
    struct SetProxy {
        delete: bool = flag("del"),
        table: Option<u32> = keyword("table-ID", value::id("table-ID")).optional(),
        start: Ipv4Addr = keyword("start", value::ip4()),
        end: Ipv4Addr = keyword("end", value::ip4()),
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
    let reader = ears.reader.clone();
    r.node(NodeSpec::map(NODE, move |_| Proxy {
        links: links.clone(),
        ranges: of_node.clone(),
        reader: reader.clone(),
    }));
    r.feature(FeatureSpec::new("arp", NODE));
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
            cx.with(|main| main.switch_feature("arp", NODE, args.interface, args.enable))
        },
    ));
    r.command(Command::sync(
        "show arp proxy",
        "Show for which addresses of others is answered, and on which interfaces.",
        move |cx: CommandCx, (): ()| cx.with(|main| show(main, &ranges)),
    ));
}

fn set(main: &mut Main, ranges: &Shared<Vec<Range>>, args: &SetProxy) -> Result<(), CommandError> {
    let failed = |text: String| CommandError::failed(ApiError::InvalidValue, text);
    if args.start > args.end {
        return Err(failed(format!("`end' {} is before `start' {}", args.end, args.start)));
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
        (Some(_), false) => return Err(failed("that range is there already".to_owned())),
        (None, true) => return Err(failed("no such range".to_owned())),
    }
    Ok(())
}

fn show(main: &Main, ranges: &Shared<Vec<Range>>) -> Record {
    let ranges = ranges.view(main.held());
    let mut record = Record::new().line("Proxy arps enabled for:");
    let mut shown = Vec::new();
    for Range { fib, addresses } in ranges {
        let table = main.forwarding().table_id(Family::Ip4, *fib).map_or(0, |id| id.0);
        let (start, end) = (addresses.start(), addresses.end());
        record = record.line(format!("Fib_index {table}   {start} - {end} "));
        shown.push(format!("{start}-{end}"));
    }
    let on = |i: &&vnet::interface::SwInterface| main.features().is_enabled("arp", NODE, i.index);
    let names: Vec<String> =
        main.interfaces().interfaces().filter(on).map(|i| i.name.clone()).collect();
    record = record.line("").line("Proxy arps enabled on interfaces:");
    record = names.iter().fold(record, |record, name| record.line(format!("  {name}")));
    record
        .field("ranges", vnet::command::Cell::shown("", shown))
        .field("interfaces", vnet::command::Cell::shown("", names))
}

struct Proxy {
    links: Shared<Links>,
    ranges: Shared<Vec<Range>>,
    reader: vnet::fib::ForwardingReader,
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
            && answer(buffer, rx, link, &packet)
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
