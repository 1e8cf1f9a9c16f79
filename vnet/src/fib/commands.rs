//! `ip route`, `ip table` and `show ip fib`.

use std::net::IpAddr;

use super::{
    Family, FibError, FibIndex, Forwarding, IpPrefix, LoadBalanceIndex, Path, PathTarget,
    RedirectError, Refusal, ShowContext, TableId, TableUse,
    deleted::swept,
    memory,
    order::{Order, Prefixes},
};
use crate::{
    command::{
        Align, ApiError, Column, Error, NameKind, OperationError, Output, Record, Table, choice,
        flag, group, keyword, one_of, positional, value,
    },
    counter::Count,
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
    runtime::Main,
    wire::flow_hash::{FIELDS, HashFields},
};

impl OperationError for FibError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::NoSuchTable(..) | Self::NoSuchFib(..) => ApiError::NoSuchFib,
            Self::NoSuchRoute(..) | Self::NoSuchPath(..) | Self::NoSuchNeighbor(..) => {
                ApiError::NoSuchEntry
            }
            Self::TableExists(..) => ApiError::ValueExist,
            Self::TableInUse(..) => ApiError::RsrcInUse,
            Self::NoSuchInterface(..) | Self::InterfaceIndex(..) => ApiError::InvalidSwIfIndex,
            Self::ReceiveOnly(..) => ApiError::Unsupported,
            Self::NoPaths(..) => ApiError::NoPathsInRoute,
            Self::TooManyPaths(..) => ApiError::LimitExceeded,
            Self::FamilyMismatch(..) => ApiError::FibPathUnsupportedNhProto,
            Self::TablesFull(..)
            | Self::RoutesFull
            | Self::LookupFull(..)
            | Self::AdjacenciesFull => ApiError::TableTooBig,
            Self::Prefix(..) => ApiError::InvalidPrefixLength,
            Self::DuplicateAddress(..) => ApiError::DuplicateIfAddress,
            Self::AddressInUse(..) => ApiError::AddressInUse,
            Self::NoSuchAddress(..) => ApiError::AddressNotFoundForInterface,
            Self::Redirect(_, why) => match why {
                RedirectError::NoPaths => ApiError::NoPathsInRoute,
                RedirectError::TooManyPaths => ApiError::LimitExceeded,
                RedirectError::FamilyMismatch => ApiError::FibPathUnsupportedNhProto,
                RedirectError::Target => ApiError::Unsupported,
                RedirectError::NotThere(_) => ApiError::NoSuchEntry,
            },
            Self::Map(..) | Self::HasAddresses(..) => ApiError::Unspecified,
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
    Unreachable,
    Prohibited,
    Punt,
    Local,
}

crate::args! {
    /// What stands behind `via`: a path.
    pub struct PathArgs {
        special: Option<Special> = choice([
            ("drop", Special::Drop),
            ("unreach", Special::Unreachable),
            ("prohibit", Special::Prohibited),
            ("punt", Special::Punt),
            ("local", Special::Local),
        ]).optional(),
        hop: Option<Hop> = positional(hop()).optional(),
        interface: Option<SwIfIndex> = positional(value::interface()).optional(),
        weight: u8 = keyword("weight", value::number(1..=255)).or(1),
        preference: u8 = keyword("preference", value::number(0..=255))
            .or(0)
            .help("lower ones forward, as long as one of them leads anywhere"),
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
        prefixes: Vec<value::IpWithLength> = positional(value::prefix()).at_least_once(),
        table: u32 = keyword("table", value::id("table-id")).or(0),
        paths: Vec<PathArgs> = group::<PathArgs>("via").many(),
    }
}

crate::args! {
    struct OneTable {
        id: u32 = positional(value::id("table-id")),
    }
}

/// How a line names a table.
#[derive(Clone, Copy)]
enum Named {
    Id(u32),
    Index(u32),
}

crate::args! {
    struct Show {
        table: Option<Named> = one_of([
            keyword("table", value::id("table-id")).map(Named::Id),
            keyword("index", value::id("fib-index")).map(Named::Index),
        ]).optional(),
        summary: bool = choice([("summary", true), ("brief", true)])
            .or(false)
            .help("only how many routes there are of each length"),
        memory: bool = choice([("memory", true), ("mtrie", true)])
            .or(false)
            .help("what the tables take, in bytes that are in use"),
        detail: bool = flag("detail").help("who added each route, by which paths"),
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

crate::args! {
    struct FlowHash {
        table: Option<u32> = keyword("table", value::id("table-id")).optional(),
        src: bool = flag("src").help("the source address"),
        dst: bool = flag("dst").help("the destination address"),
        sport: bool = flag("sport").help("the source port"),
        dport: bool = flag("dport").help("the destination port"),
        proto: bool = flag("proto").help("the protocol above IP"),
        reverse: bool = flag("reverse"),
        symmetric: bool = flag("symmetric"),
        flowlabel: bool = flag("flowlabel").help("the flow label of IPv6"),
        gtpv1teid: bool = flag("gtpv1teid").help("the tunnel of GTP"),
    }
}

fn set_flow_hash(main: &mut Main, family: Family, args: &FlowHash) -> Result<(), Error> {
    let FlowHash {
        src, dst, sport, dport, proto, reverse, symmetric, flowlabel, gtpv1teid, ..
    } = *args;
    let chosen = [src, dst, sport, dport, proto, reverse, symmetric, flowlabel, gtpv1teid];
    let chosen = FIELDS.iter().zip(chosen).filter(|(_, is_chosen)| *is_chosen);
    let fields = chosen.fold(HashFields::empty(), |all, ((field, _), _)| all | *field);
    if args.table.is_none() && fields.is_empty() {
        return Err(Error::failed(ApiError::InvalidValue, "say what counts, or which table"));
    }
    let table = TableId(args.table.unwrap_or(0));
    Ok(main.forwarding_mut().set_flow_hash(family, table, fields)?)
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
            let del = Command::new(
                &format!("{ip} table del"),
                "Delete a forwarding table with its routes.",
                move |cx: CommandCx, args: OneTable| async move {
                    cx.with(|main| delete_table(main, family, TableId(args.id)))?;
                    swept(&cx).await;
                    Ok::<_, Error>(())
                },
            );
            let show = Command::sync(
                &format!("show {ip} fib"),
                "Show routes, and the packets that each has taken.",
                move |cx: CommandCx, args: Show| cx.with(|main| show(main, family, &args)),
            )
            .details("With an address or a prefix, the route that its packets take, in detail.");
            let hash = Command::sync(
                &format!("set {ip} flow-hash"),
                "Choose by what of a packet one of several paths is taken.",
                move |cx: CommandCx, args: FlowHash| {
                    cx.with(|main| set_flow_hash(main, family, &args))
                },
            )
            .details(
                "What is not named does not count. `reverse' has source and destination change places, and with `symmetric' both \
                 directions of a flow take the same path.",
            );
            [add, del, show, hash]
        });
    let mut all: Vec<Command> = tables.collect();
    all.push(
        Command::sync("ip route add", "Add a route, or paths to it.", |cx: CommandCx, args: Route| {
            cx.with(|main| add(main, args))
        })
        .details(
            "Each `via` is a path: a next hop with or without its interface, an interface, drop, unreach, prohibit, punt \
             or local, behind which an interface may stand on whose link it is asked for. What is sent to unreach or prohibit is dropped, and its senders are told by ICMP. Paths are added to those that the route has, and flows are shared among them by weight; punt replaces them. \
             `count` adds that many routes, each for the prefix behind the one before, and says how fast. \
             Where one of them is refused, none is done.",
        ),
    );
    all.push(
        Command::sync(
            "ip route del",
            "Delete a route, or some of its paths.",
            |cx: CommandCx, args: Route| cx.with(|main| delete(main, args)),
        )
        .details("Where a route or a path of the line is not there, none is deleted."),
    );
    all
}

/// Who uses the table is told by name.
fn delete_table(main: &mut Main, family: Family, id: TableId) -> Result<(), Error> {
    main.forwarding_mut().delete_table(family, id).map_err(|error| match error {
        FibError::TableInUse(_, _, TableUse::Interface(user)) => {
            let name = main.interface_name(user);
            let text = format!("{family} table {id} is in use by interface {name}");
            Error::failed(error.api_error(), text)
        }
        other => other.into(),
    })
}

impl ShowContext for Main {
    fn interface_name(&self, interface: SwIfIndex) -> String {
        self.interface_name(interface)
    }

    fn route_count(&self, route: LoadBalanceIndex) -> Count {
        self.route_counters().sum(route.0)
    }
}

fn order(main: &Main, args: &Route) -> Result<Order, Error> {
    let first = args.prefixes.first().map(|prefix| Family::of(prefix.address));
    let Some(family) = first else { return Err(Error::NothingToDo) };
    if args.prefixes.iter().any(|prefix| Family::of(prefix.address) != family) {
        return Err(Error::failed(
            ApiError::InvalidValue,
            "the prefixes of one line must all be ip4 or all ip6",
        ));
    }
    let fib = main.forwarding().table(family, TableId(args.table))?;
    let prefixes = args.prefixes.iter().map(|&first| Prefixes::new(first, args.count));
    let prefixes = prefixes.collect::<Result<_, _>>()?;
    let paths = args.paths.iter().map(|via| via.path(main, family)).collect::<Result<_, _>>()?;
    Ok(Order { fib, prefixes, paths })
}

impl PathArgs {
    /// The path of a route of `family`.
    ///
    /// # Errors
    /// When the words do not go together, or there is no such table or interface.
    pub fn path(&self, main: &Main, family: Family) -> Result<Path, Error> {
        let forwarding = main.forwarding();
        let table = |id: Option<u32>| forwarding.table(family, TableId(id.unwrap_or(0)));
        let target = match (self.special, self.hop, self.interface, self.lookup) {
            (Some(Special::Drop), None, None, None) => PathTarget::Drop,
            (Some(Special::Unreachable), None, None, None) => {
                PathTarget::Refuse(Refusal::Unreachable)
            }
            (Some(Special::Prohibited), None, None, None) => {
                PathTarget::Refuse(Refusal::Prohibited)
            }
            (Some(Special::Punt), None, None, None) => PathTarget::Punt,
            (Some(Special::Local), None, None, None) => {
                PathTarget::Local { interface: SwIfIndex::NONE }
            }
            (Some(Special::Local), Some(Hop::Interface(interface)), None, None) => {
                PathTarget::Local { interface }
            }
            (None, Some(Hop::Address(next_hop)), Some(interface), None) => {
                PathTarget::AttachedNextHop { next_hop, interface }
            }
            (None, Some(Hop::Address(next_hop)), None, None) => {
                PathTarget::Recursive { next_hop, table: table(self.next_hop_table)? }
            }
            (None, Some(Hop::Interface(interface)), None, None) => {
                PathTarget::Attached { interface }
            }
            (None, None, None, Some(id)) => PathTarget::Lookup { table: table(Some(id))? },
            (None, None, None, None) => {
                return Err(Error::MissingValue {
                    keyword: "via".to_owned(),
                    expected:
                        "<next-hop> [<interface>]|<interface>|drop|unreach|prohibit|punt|local"
                            .to_owned(),
                });
            }
            _ => return Err(Error::Conflict { word: "via".to_owned() }),
        };
        if let Some(interface) = target.interface() {
            main.interfaces().output_tags(interface)?;
        }
        Ok(Path::to(target).weighted(self.weight).preferred(self.preference))
    }
}

fn add(main: &mut Main, args: Route) -> Result<Output, Error> {
    if args.paths.is_empty() {
        return Err(Error::Missing { what: "via <next-hop>".to_owned() });
    }
    let order = order(main, &args)?;
    let is_punt = |path: &Path| path.target == PathTarget::Punt;
    match order.paths.as_slice() {
        [only] if is_punt(only) => order.replace(main.forwarding_mut()),
        several if several.iter().any(is_punt) => Err(Error::failed(
            ApiError::InvalidValue,
            "Load-balancing over multiple special adjacencies is unsupported",
        )),
        _ => order.add(main.forwarding_mut()),
    }
}

fn delete(main: &mut Main, args: Route) -> Result<Output, Error> {
    order(main, &args)?.delete(main.forwarding_mut())
}

fn show(main: &Main, family: Family, args: &Show) -> Result<Output, Error> {
    let forwarding = main.forwarding();
    if args.memory {
        return Ok(memory::table(family, &forwarding.memory(family)?).into());
    }
    let tables = match args.table {
        Some(Named::Id(id)) => vec![forwarding.table(family, TableId(id))?],
        Some(Named::Index(index)) => vec![FibIndex(index)],
        None => forwarding.tables(family).into_iter().map(|(_, fib)| fib).collect(),
    };
    let mut shown = Vec::new();
    for fib in tables {
        let record = Record::new()
            .line(forwarding.describe_table(family, fib)?)
            .field("table", forwarding.table_id(family, fib)?.0)
            .field("fib_index", fib.0);
        shown.push(if args.summary {
            record.nested("lengths", 0, summary(forwarding, family, fib)?).into()
        } else {
            record.nested("routes", 0, routes(main, family, fib, args)?).into()
        });
    }
    Ok(Output::List(shown))
}

fn summary(forwarding: &Forwarding, family: Family, fib: FibIndex) -> Result<Table, Error> {
    let column = |title, width| Column::new(title, width, Align::Right).titled(Align::Center);
    let mut table = Table::new([column("Prefix length", 20), column("Count", 16)]);
    for (length, count) in forwarding.routes_per_length(family, fib)?.iter().enumerate() {
        if *count > 0 {
            table.row([(length as u64).into(), (*count).into()]);
        }
    }
    Ok(table)
}

fn routes(main: &Main, family: Family, fib: FibIndex, args: &Show) -> Result<Output, Error> {
    let forwarding = main.forwarding();
    let chosen: Vec<LoadBalanceIndex> = match args.address {
        None => forwarding.routes(family, fib)?.map(|(_, index)| index).collect(),
        Some(given) => {
            let bad = |error| Error::failed(ApiError::InvalidValue, error);
            let prefix = IpPrefix::new(given.address, given.length).map_err(bad)?;
            if prefix.family() != family {
                let expected = format!("an {family} address or prefix");
                return Err(Error::BadValue { word: given.address.to_string(), expected });
            }
            vec![forwarding.covering(fib, prefix)?]
        }
    };
    let detail = args.detail || args.address.is_some();
    let record = |index| Some(forwarding.describe_route(index, detail, main)?.into());
    Ok(Output::List(chosen.into_iter().filter_map(record).collect()))
}
