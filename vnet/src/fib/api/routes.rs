//! Routes: added, removed, looked up, told.

use super::{
    family, from_api, ip_route, ip_route_add_del, ip_route_add_del_reply, ip_route_add_del_v2,
    ip_route_add_del_v2_reply, ip_route_details, ip_route_dump, ip_route_lookup,
    ip_route_lookup_reply, ip_route_lookup_v2, ip_route_lookup_v2_reply, ip_route_v2,
    ip_route_v2_details, ip_route_v2_dump, ip_table, replace::Replacing, to_api,
};
use crate::{
    api::{Api, Part, Retval, fib_types::fib_path, ip_types::prefix},
    command::ApiError,
    fib::{
        Family, FibError, FibIndex, IpPrefix, LoadBalanceIndex, Path, PathTarget, Source, TableId,
    },
    runtime::Main,
};

/// Routes that are looked at before packets move.
pub(super) const PART: usize = 256;

pub(super) fn register(api: &mut Api, replacing: &Replacing) {
    let (of_first, of_second) = (replacing.clone(), replacing.clone());
    api.call(move |cx, request: ip_route_add_del| {
        let ip_route_add_del { is_add, is_multipath, route } = request;
        let ip_route { table_id, prefix, paths, .. } = &route;
        let edit = Edit { is_add, is_multipath, table: TableId(*table_id), prefix, paths };
        let index = cx.with(|main| edit.apply(main, Source::Api, &of_first))?;
        Ok::<_, Retval>(ip_route_add_del_reply { stats_index: index.0 })
    });
    api.call(move |cx, request: ip_route_add_del_v2| {
        let ip_route_add_del_v2 { is_add, is_multipath, route } = request;
        let ip_route_v2 { table_id, prefix, paths: (src, paths), .. } = &route;
        let source = source_to_give(*src)?;
        let edit = Edit { is_add, is_multipath, table: TableId(*table_id), prefix, paths };
        let index = cx.with(|main| edit.apply(main, source, &of_second))?;
        Ok::<_, Retval>(ip_route_add_del_v2_reply { stats_index: index.0 })
    });
    api.call(|cx, request: ip_route_lookup| {
        let ip_route_lookup { table_id, exact, prefix } = &request;
        let route = cx.with(|main| lookup(main, TableId(*table_id), *exact != 0, prefix))?;
        Ok::<_, Retval>(ip_route_lookup_reply { route: route.into() })
    });
    api.call(|cx, request: ip_route_lookup_v2| {
        let ip_route_lookup_v2 { table_id, exact, prefix } = &request;
        let route = cx.with(|main| lookup(main, TableId(*table_id), *exact != 0, prefix))?;
        Ok::<_, Retval>(ip_route_lookup_v2_reply { route })
    });
    api.walk(|cx, request: &ip_route_dump, after| {
        cx.with(|main| {
            part(main, &request.table, 0, after, |route| ip_route_details { route: route.into() })
        })
    });
    api.walk(|cx, request: &ip_route_v2_dump, after| {
        cx.with(|main| {
            let ip_route_v2_dump { src, table } = request;
            part(main, table, *src, after, |route| ip_route_v2_details { route })
        })
    });
}

/// A request to add or to remove.
struct Edit<'a> {
    is_add: bool,
    /// Whether the paths are added to those that are there, or taken from them.
    is_multipath: bool,
    table: TableId,
    prefix: &'a prefix,
    paths: &'a [fib_path],
}

impl Edit<'_> {
    /// Does it, and gives the position of the route's counters. To remove what is not there is no error, as it is none in VPP.
    fn apply(
        &self,
        main: &mut Main,
        source: Source,
        replacing: &Replacing,
    ) -> Result<LoadBalanceIndex, Retval> {
        let prefix = prefix_of(self.prefix)?;
        let family = prefix.family();
        let fib = main.forwarding().table(family, self.table)?;
        if self.paths.is_empty() && (self.is_add || self.is_multipath) {
            return Err(ApiError::NoPathsInRoute.into());
        }
        let paths = self.paths.iter().map(|path| from_api(main, family, path));
        let paths: Vec<Path> = paths.collect::<Result<_, _>>()?;
        let forwarding = main.forwarding_mut();
        if self.is_add {
            let index = match self.is_multipath {
                true => forwarding.add_paths(fib, prefix, source, &paths),
                false => forwarding.set_route(fib, prefix, source, &paths),
            }?;
            replacing.keep((family, fib), prefix);
            return Ok(index);
        }
        let removed = match self.is_multipath {
            true => {
                let targets: Vec<PathTarget> = paths.iter().map(|path| path.target).collect();
                forwarding.remove_paths(fib, prefix, source, &targets)
            }
            false => forwarding.delete_route(fib, prefix, source),
        };
        match removed {
            Ok(()) | Err(FibError::NoSuchRoute(_) | FibError::NoSuchPath(_)) => {
                Ok(LoadBalanceIndex(u32::MAX))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn prefix_of(prefix: &prefix) -> Result<IpPrefix, Retval> {
    let address = (&prefix.address).try_into()?;
    IpPrefix::new(address, prefix.len).map_err(|_| ApiError::InvalidPrefixLength.into())
}

/// VPP's number of a source.
const fn number(source: Source) -> u8 {
    match source {
        Source::Special => 1,
        Source::Interface => 4,
        Source::Api => 8,
        Source::Cli => 9,
        Source::NdProxy => 13,
        Source::Adjacency => 15,
        Source::DefaultRoute => 20,
    }
}

/// The source in whose name a client edits: its own, 0 or 8, or that of commands.
fn source_to_give(src: u8) -> Result<Source, ApiError> {
    match src {
        0 => Ok(Source::Api),
        _ if src == number(Source::Api) => Ok(Source::Api),
        _ if src == number(Source::Cli) => Ok(Source::Cli),
        _ => Err(ApiError::InvalidValue),
    }
}

fn lookup(main: &Main, id: TableId, exact: bool, prefix: &prefix) -> Result<ip_route_v2, Retval> {
    let prefix = prefix_of(prefix)?;
    let forwarding = main.forwarding();
    let fib = forwarding.table(prefix.family(), id)?;
    let index = match exact {
        true => forwarding.find(fib, prefix)?,
        false => Some(forwarding.covering(fib, prefix)?),
    };
    let route = index.and_then(|index| told(main, id, index));
    route.ok_or_else(|| ApiError::NoSuchEntry.into())
}

/// A route as clients are told of it.
fn told(main: &Main, id: TableId, index: LoadBalanceIndex) -> Option<ip_route_v2> {
    let forwarding = main.forwarding();
    let (prefix, source, paths) = forwarding.forwarding_paths(index)?;
    let paths = paths.iter().map(|path| to_api(forwarding, prefix.family(), path)).collect();
    Some(ip_route_v2 {
        table_id: id.0,
        stats_index: index.0,
        prefix: prefix.into(),
        paths: (number(source), paths),
    })
}

impl From<ip_route_v2> for ip_route {
    fn from(route: ip_route_v2) -> Self {
        let ip_route_v2 { table_id, stats_index, prefix, paths: (_, paths) } = route;
        Self { table_id, stats_index, prefix, paths }
    }
}

/// The routes behind a prefix, of one source where `src` is not 0. What comes and goes meanwhile is told, or not; what stays is told
/// once. A table that is not there has no routes.
fn part<D>(
    main: &Main,
    table: &ip_table,
    src: u8,
    after: Option<IpPrefix>,
    details: impl Fn(ip_route_v2) -> D,
) -> Part<D, IpPrefix> {
    let (family, id) = (family(table.is_ip6), TableId(table.table_id));
    let found = main.forwarding().table(family, id);
    let looked_at = found.and_then(|fib| next_routes(main, family, fib, after));
    let looked_at = looked_at.unwrap_or_default();
    let next = looked_at.get(PART - 1).map(|(prefix, _)| *prefix);
    let routes = looked_at.into_iter().filter_map(|(_, index)| told(main, id, index));
    let details = routes.filter(|route| src == 0 || route.paths.0 == src).map(details).collect();
    Part { details, next }
}

/// The next routes of a table, as many as are looked at before packets move.
pub(super) fn next_routes(
    main: &Main,
    family: Family,
    fib: FibIndex,
    after: Option<IpPrefix>,
) -> Result<Vec<(IpPrefix, LoadBalanceIndex)>, FibError> {
    Ok(main.forwarding().routes_after(family, fib, after)?.take(PART).collect())
}
