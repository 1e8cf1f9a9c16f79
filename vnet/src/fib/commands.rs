//! `ip route`, `ip table` and `show ip fib`.

use std::net::IpAddr;

use super::{
    Dpo, DpoKind, Family, FibError, FibIndex, Forwarding, IpPrefix, LoadBalanceIndex, Path,
    PathTarget, Source, TableId,
};
use crate::{
    command::{
        Align, ApiError, Cell, Column, Error, NameKind, OperationError, Output, Record, Table,
        choice, flag, group, keyword, positional, value,
    },
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
    runtime::Main,
};

impl OperationError for FibError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NoSuchTable(..) | Self::NoSuchFib(..) => ApiError::NoSuchFib,
            Self::NoSuchRoute(..) | Self::NoSuchPath(..) => ApiError::NoSuchEntry,
            _ => ApiError::Unspecified,
        }
    }
}

/// What stands behind `via`: an address, or an interface.
#[derive(Clone, Copy)]
enum Hop {
    Address(IpAddr),
    Interface(SwIfIndex),
}

#[derive(Clone, Copy)]
enum Special {
    Drop,
    Punt,
    Local,
}

crate::args! {
    struct Via {
        special: Option<Special> = choice([
            ("drop", Special::Drop),
            ("punt", Special::Punt),
            ("local", Special::Local),
        ]).optional(),
        hop: Option<Hop> = positional(hop()).optional(),
        interface: Option<SwIfIndex> = positional(value::interface()).optional(),
        weight: u8 = keyword("weight", value::number(1..=255)).or(1),
        next_hop_table: Option<u32> = keyword("next-hop-table", value::id("table-id")).optional(),
        lookup: Option<u32> = keyword("lookup-in-table", value::id("table-id"))
            .alias("ip4-lookup-in-table")
            .alias("ip6-lookup-in-table")
            .optional(),
    }
}

crate::args! {
    struct Route {
        count: u32 = keyword("count", value::number(1..=8_000_000)).or(1),
        prefix: value::IpWithLength = positional(value::prefix()),
        table: u32 = keyword("table", value::id("table-id")).or(0),
        paths: Vec<Via> = group::<Via>("via").many(),
    }
}

crate::args! {
    struct OneTable {
        id: u32 = positional(value::id("table-id")),
    }
}

crate::args! {
    struct Show {
        table: Option<u32> = keyword("table", value::id("table-id")).optional(),
        summary: bool = flag("summary").help("only how many routes there are of each length"),
        address: Option<value::IpWithLength> = positional(address_or_prefix()).optional(),
    }
}

fn hop() -> value::Value<Hop> {
    value::Value::new("next-hop", |text, names| {
        if let Ok(address) = text.parse() {
            return Ok(Hop::Address(address));
        }
        let interface = names.resolve(NameKind::INTERFACE, text).map(SwIfIndex);
        interface.map(Hop::Interface).ok_or_else(|| Error::NoSuch {
            kind: "next hop or interface".to_owned(),
            name: text.to_owned(),
        })
    })
}

/// A prefix, or an address, which stands for its own.
fn address_or_prefix() -> value::Value<value::IpWithLength> {
    value::Value::new("prefix", |text, names| match text.parse::<IpAddr>() {
        Ok(address) => {
            let length = if address.is_ipv4() { 32 } else { 128 };
            Ok(value::IpWithLength { address, length })
        }
        Err(_) => value::ip_with_length().parse_text(text, names),
    })
}

pub(crate) fn commands() -> Vec<Command> {
    let tables =
        [(Family::Ip4, "ip"), (Family::Ip6, "ip6")].into_iter().flat_map(|(family, ip)| {
            let add = Command::sync(
                &format!("{ip} table add"),
                "Make a forwarding table.",
                move |cx: CommandCx, args: OneTable| {
                    cx.with(|main| {
                        main.forwarding_mut().add_table(family, TableId(args.id)).map(|_| ())
                    })
                },
            );
            let del = Command::sync(
                &format!("{ip} table del"),
                "Delete a forwarding table with its routes.",
                move |cx: CommandCx, args: OneTable| {
                    cx.with(|main| main.forwarding_mut().delete_table(family, TableId(args.id)))
                },
            );
            let show = Command::sync(
                &format!("show {ip} fib"),
                "Show routes, and the packets that each has taken.",
                move |cx: CommandCx, args: Show| cx.with(|main| show(main, family, &args)),
            )
            .details("With an address, the route that its packets take.");
            [add, del, show]
        });
    let mut all: Vec<Command> = tables.collect();
    all.push(
        Command::sync("ip route add", "Add a route, or replace its paths.", |cx: CommandCx, args: Route| {
            cx.with(|main| add(main, args))
        })
        .details("Each `via` is a path: a next hop with or without its interface, an interface, drop, punt or local. Flows are shared among paths by weight. `count` adds that many routes, each for the prefix behind the one before."),
    );
    all.push(Command::sync(
        "ip route del",
        "Delete a route, or some of its paths.",
        |cx: CommandCx, args: Route| cx.with(|main| delete(main, args)),
    ));
    all
}

fn family_of(prefix: value::IpWithLength) -> Family {
    Family::of(prefix.address)
}

/// The paths of a line, in the terms of the table.
fn paths(forwarding: &Forwarding, family: Family, given: &[Via]) -> Result<Vec<Path>, Error> {
    given.iter().map(|via| path(forwarding, family, via)).collect()
}

fn path(forwarding: &Forwarding, family: Family, via: &Via) -> Result<Path, Error> {
    let table = |id: Option<u32>| forwarding.table(family, TableId(id.unwrap_or(0)));
    let target = match (via.special, via.hop, via.interface, via.lookup) {
        (Some(Special::Drop), None, None, None) => PathTarget::Drop,
        (Some(Special::Punt), None, None, None) => PathTarget::Punt,
        (Some(Special::Local), None, None, None) => {
            PathTarget::Local { interface: SwIfIndex::NONE }
        }
        (None, Some(Hop::Address(next_hop)), Some(interface), None) => {
            PathTarget::AttachedNextHop { next_hop, interface }
        }
        (None, Some(Hop::Address(next_hop)), None, None) => {
            PathTarget::Recursive { next_hop, table: table(via.next_hop_table)? }
        }
        (None, Some(Hop::Interface(interface)), None, None) => PathTarget::Attached { interface },
        (None, None, None, Some(id)) => PathTarget::Lookup { table: table(Some(id))? },
        (None, None, None, None) => {
            return Err(Error::MissingValue {
                keyword: "via".to_owned(),
                expected: "<next-hop> [<interface>]|<interface>|drop|punt|local".to_owned(),
            });
        }
        _ => return Err(Error::Conflict { word: "via".to_owned() }),
    };
    Ok(Path { target, weight: via.weight })
}

/// The prefixes of a line: as many as `count` says, one behind the other.
fn prefixes(args: &Route) -> Result<impl Iterator<Item = IpPrefix> + Clone + use<>, Error> {
    let bad = |error| Error::failed(ApiError::InvalidValue, error);
    let value::IpWithLength { address, length } = args.prefix.masked();
    let (first, bits) = match address {
        IpAddr::V4(a) => (u128::from(a.to_bits()), 32),
        IpAddr::V6(a) => (a.to_bits(), 128),
    };
    let step = 1_u128.checked_shl(bits - u32::from(length)).unwrap_or(0);
    let last = first.checked_add(step.saturating_mul(u128::from(args.count - 1)));
    let most = if bits == 32 { u128::from(u32::MAX) } else { u128::MAX };
    if last.is_none_or(|last| last > most) || (step == 0 && args.count > 1) {
        return Err(Error::OutOfRange {
            word: args.count.to_string(),
            allowed: "as many prefixes as there are behind the first".to_owned(),
        });
    }
    let _: IpPrefix = IpPrefix::new(address, length).map_err(bad)?;
    let at = move |i: u32| {
        let bits_of = first + step * u128::from(i);
        let address: IpAddr = match address {
            IpAddr::V4(_) => std::net::Ipv4Addr::from_bits(bits_of as u32).into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::from_bits(bits_of).into(),
        };
        // The length is that of a prefix which was just made.
        IpPrefix::new(address, length).ok()
    };
    Ok((0..args.count).filter_map(at))
}

fn add(main: &mut Main, args: Route) -> Result<(), Error> {
    let family = family_of(args.prefix);
    let fib = main.forwarding().table(family, TableId(args.table))?;
    if args.paths.is_empty() {
        return Err(Error::Missing { what: "via <next-hop>".to_owned() });
    }
    let paths = paths(main.forwarding(), family, &args.paths)?;
    Ok(main.forwarding_mut().set_routes(fib, prefixes(&args)?, Source::Cli, &paths)?)
}

fn delete(main: &mut Main, args: Route) -> Result<(), Error> {
    let family = family_of(args.prefix);
    let fib = main.forwarding().table(family, TableId(args.table))?;
    let paths = paths(main.forwarding(), family, &args.paths)?;
    let (prefixes, forwarding) = (prefixes(&args)?, main.forwarding_mut());
    if paths.is_empty() {
        return Ok(forwarding.delete_routes(fib, prefixes, Source::Cli)?);
    }
    let targets: Vec<_> = paths.iter().map(|path| path.target).collect();
    Ok(forwarding.remove_paths(fib, prefixes, Source::Cli, &targets)?)
}

fn show(main: &Main, family: Family, args: &Show) -> Result<Output, Error> {
    let forwarding = main.forwarding();
    let tables = match args.table {
        Some(id) => vec![(TableId(id), forwarding.table(family, TableId(id))?)],
        None => forwarding.tables(family),
    };
    let word = match family {
        Family::Ip4 => "ipv4",
        Family::Ip6 => "ipv6",
    };
    let mut shown = Vec::new();
    for (id, fib) in tables {
        let title = format!("{word}-VRF:{id}, fib_index:{fib}");
        let record = Record::new().line(title).field("table", u64::from(id.0));
        shown.push(if args.summary {
            record.nested("lengths", 0, summary(forwarding, family, fib)?).into()
        } else {
            record.nested("routes", 0, routes(main, family, fib, args)?).into()
        });
    }
    Ok(Output::List(shown))
}

fn summary(forwarding: &Forwarding, family: Family, fib: FibIndex) -> Result<Table, Error> {
    let mut table = Table::new([
        Column::new("Prefix length", 20, Align::Right),
        Column::new("Count", 16, Align::Right),
    ]);
    for (length, count) in forwarding.routes_per_length(family, fib)?.iter().enumerate() {
        if *count > 0 {
            table.row([(length as u64).into(), (*count).into()]);
        }
    }
    Ok(table)
}

fn routes(main: &Main, family: Family, fib: FibIndex, args: &Show) -> Result<Output, Error> {
    let forwarding = main.forwarding();
    let chosen: Vec<(IpPrefix, LoadBalanceIndex)> = match args.address {
        None => forwarding.routes(family, fib)?.collect(),
        Some(given) if Family::of(given.address) != family => Vec::new(),
        Some(given) => {
            let bad = |error| Error::failed(ApiError::InvalidValue, error);
            let prefix = IpPrefix::new(given.address, given.length).map_err(bad)?;
            let index = match forwarding.find(fib, prefix)? {
                Some(index) => index,
                None => forwarding.longest_match(fib, given.address)?,
            };
            let info = forwarding.route(index);
            info.map(|info| (info.prefix, index)).into_iter().collect()
        }
    };
    let record = |(prefix, index)| route(main, family, prefix, index).into();
    Ok(Output::List(chosen.into_iter().map(record).collect()))
}

/// One route, as VPP prints it.
fn route(main: &Main, family: Family, prefix: IpPrefix, index: LoadBalanceIndex) -> Record {
    let count = main.route_counters().sum(index.0);
    let record = Record::new()
        .line(prefix.to_string())
        .field("prefix", prefix.to_string())
        .field("packets", count.packets)
        .field("bytes", count.bytes);
    let Some(info) = main.forwarding().route(index) else { return record };
    let chain = match family {
        Family::Ip4 => "ip4",
        Family::Ip6 => "ip6",
    };
    let to = format!("to:[{}:{}]", count.packets, count.bytes);
    let buckets = info.buckets.len();
    let mut record = record.line(format!("  unicast-{chain}-chain")).line(format!(
        "  [@0]: dpo-load-balance: [proto:{chain} index:{} buckets:{buckets} {to}]",
        index.0
    ));
    let described: Vec<String> = info.buckets.iter().map(|dpo| describe(main, *dpo)).collect();
    for (i, text) in described.iter().enumerate() {
        record = record.line(format!("    [{i}] {text}"));
    }
    if info.looped {
        record = record.line("    (a path of this route leads back to it)");
    }
    let sources: Vec<_> = info.sources.iter().map(|(source, _)| source.name().to_owned()).collect();
    record.field("buckets", Cell::shown("", described)).field("sources", Cell::shown("", sources))
}

/// A forwarding decision in words.
fn describe(main: &Main, dpo: Dpo) -> String {
    let adjacency = || main.forwarding().reader().adjacency(dpo.adjacency_index()).describe();
    let name = |index| main.interface_name(index);
    match dpo.kind() {
        DpoKind::Drop => "[@0]: dpo-drop".to_owned(),
        DpoKind::Punt => "[@0]: dpo-punt".to_owned(),
        DpoKind::Local => format!("[@2]: dpo-receive: {}", name(SwIfIndex(dpo.index()))),
        DpoKind::Lookup => format!("[@1]: dst-address lookup in table index {}", dpo.index()),
        DpoKind::Multi => "[@1]: dpo-load-balance".to_owned(),
        DpoKind::Incomplete => {
            let of = adjacency();
            format!("[@3]: arp: via {} {}", of.next_hop, name(of.interface))
        }
        DpoKind::Glean => format!("[@4]: glean: {}", name(adjacency().interface)),
        DpoKind::Adjacency => {
            let of = adjacency();
            let rewrite: String = of.rewrite.iter().map(|byte| format!("{byte:02x}")).collect();
            let interface = name(of.interface);
            let (hop, mtu) = (of.next_hop, of.max_l3_bytes);
            format!("[@5]: via {hop} {interface}: mtu:{mtu} {rewrite}")
        }
    }
}
