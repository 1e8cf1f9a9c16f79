//! Adding, changing and removing routes, and looking at them.

use core::net::IpAddr;

use super::path::PathSet;
use super::path_list::PathListId;
use super::prefix::{Prefix, TypedPrefix};
use super::rib::Located;
use super::routes::Route;
use super::{
    Dpo, DpoKind, Family, FibError, FibIndex, Forwarding, IpPrefix, LoadBalanceIndex, MAX_PATHS,
    Path, PathTarget, Source,
};
use crate::adjacency::LinkKind;

/// A route as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteInfo {
    /// Its prefix.
    pub prefix: IpPrefix,
    /// Its number.
    pub index: LoadBalanceIndex,
    /// Who added it, with which paths; the first of them forwards.
    pub sources: Vec<(Source, Vec<Path>)>,
    /// Whether one of its paths leads back to the route itself and therefore forwards nothing.
    pub looped: bool,
    /// What it forwards to, by bucket.
    pub buckets: Vec<Dpo>,
}

impl Forwarding {
    /// Sets the paths of a route, in place of those that the source gave before.
    pub fn set_route(
        &mut self,
        fib: FibIndex,
        prefix: IpPrefix,
        source: Source,
        paths: &[Path],
    ) -> Result<LoadBalanceIndex, FibError> {
        let set = self.checked(prefix, paths)?;
        let list = self.acquire_list(set)?;
        let set = self.set_source(fib, prefix.typed(), source, list);
        if set.is_err() {
            self.release_list(list);
        }
        set
    }

    /// Adds paths to those that the source gave: `ip route add`. A path with the same target is replaced, so that its
    /// weight or preference changes. A route that is not there is made.
    pub fn add_paths(
        &mut self,
        fib: FibIndex,
        prefix: IpPrefix,
        source: Source,
        more: &[Path],
    ) -> Result<LoadBalanceIndex, FibError> {
        let mut paths = self.paths_of(fib, prefix, source)?.unwrap_or_default();
        paths.extend_from_slice(more);
        self.set_route(fib, prefix, source, &paths)
    }

    /// Removes paths, whatever their weight, from those that the source gave; with the last one the source's route
    /// goes: `ip route del ... via`.
    pub fn remove_paths(
        &mut self,
        fib: FibIndex,
        prefix: IpPrefix,
        source: Source,
        targets: &[PathTarget],
    ) -> Result<(), FibError> {
        self.check_paths(fib, prefix, source, targets)?;
        let mut left = self.paths_of(fib, prefix, source)?.unwrap_or_default();
        left.retain(|path| !targets.contains(&path.target));
        if left.is_empty() {
            return self.delete_route(fib, prefix, source);
        }
        self.set_route(fib, prefix, source, &left).map(|_| ())
    }

    /// Whether the source gave the route, with each of these paths once.
    pub(super) fn check_paths(
        &self,
        fib: FibIndex,
        prefix: IpPrefix,
        source: Source,
        targets: &[PathTarget],
    ) -> Result<(), FibError> {
        let paths = self.given(fib, prefix, source)?.ok_or(FibError::NoSuchRoute(prefix))?;
        let is_there = |target| paths.iter().any(|path| path.target == target);
        let is_new = |(at, target)| !targets[..at].contains(target);
        // Longer lists are not looked at: one of their paths cannot be there.
        match targets.len() <= paths.len()
            && targets.iter().enumerate().all(is_new)
            && targets.iter().copied().all(is_there)
        {
            true => Ok(()),
            false => Err(FibError::NoSuchPath(prefix)),
        }
    }

    /// Removes the paths that the source gave; without any source the route is gone: `ip route del`.
    pub fn delete_route(
        &mut self,
        fib: FibIndex,
        prefix: IpPrefix,
        source: Source,
    ) -> Result<(), FibError> {
        let index = self.find(fib, prefix)?.ok_or(FibError::NoSuchRoute(prefix))?;
        self.clear_source(fib, prefix.typed(), index, source).ok_or(FibError::NoSuchRoute(prefix))
    }

    /// The route of exactly this prefix.
    pub fn find(
        &self,
        fib: FibIndex,
        prefix: IpPrefix,
    ) -> Result<Option<LoadBalanceIndex>, FibError> {
        let exact = self.locate(fib, prefix)?.exact;
        Ok(Some(exact).filter(|&exact| exact != LoadBalanceIndex::NONE))
    }

    fn locate(&self, fib: FibIndex, prefix: IpPrefix) -> Result<Located, FibError> {
        match prefix.typed() {
            TypedPrefix::Ip4(prefix) => self.ip4.locate(fib, prefix),
            TypedPrefix::Ip6(prefix) => self.ip6.locate(fib, prefix),
        }
    }

    /// The route that an address has.
    pub fn longest_match(
        &self,
        fib: FibIndex,
        address: IpAddr,
    ) -> Result<LoadBalanceIndex, FibError> {
        Ok(match address {
            IpAddr::V4(address) => self.ip4.rib(fib)?.longest_match(address.to_bits()),
            IpAddr::V6(address) => self.ip6.rib(fib)?.longest_match(address.to_bits()),
        })
    }

    /// All routes of a table, by address, then by length.
    pub fn routes(
        &self,
        family: Family,
        fib: FibIndex,
    ) -> Result<Box<dyn Iterator<Item = (IpPrefix, LoadBalanceIndex)> + '_>, FibError> {
        Ok(match family {
            Family::Ip4 => Box::new(named(self.ip4.rib(fib)?.iter())),
            Family::Ip6 => Box::new(named(self.ip6.rib(fib)?.iter())),
        })
    }

    /// The routes of a table behind a prefix, or all of them, in the same order.
    pub fn routes_after(
        &self,
        family: Family,
        fib: FibIndex,
        after: Option<IpPrefix>,
    ) -> Result<Box<dyn Iterator<Item = (IpPrefix, LoadBalanceIndex)> + '_>, FibError> {
        Ok(match after.map(IpPrefix::typed) {
            None => self.routes(family, fib)?,
            Some(TypedPrefix::Ip4(after)) => Box::new(named(self.ip4.rib(fib)?.iter_after(after))),
            Some(TypedPrefix::Ip6(after)) => Box::new(named(self.ip6.rib(fib)?.iter_after(after))),
        })
    }

    /// How many routes a table has of each length, from 0 on.
    pub fn routes_per_length(&self, family: Family, fib: FibIndex) -> Result<&[u32], FibError> {
        Ok(match family {
            Family::Ip4 => self.ip4.rib(fib)?.counts(),
            Family::Ip6 => self.ip6.rib(fib)?.counts(),
        })
    }

    /// The route that the addresses of a prefix have as far as they have one in common: that of the prefix, or of the
    /// longest shorter one around it.
    pub fn covering(&self, fib: FibIndex, prefix: IpPrefix) -> Result<LoadBalanceIndex, FibError> {
        let Located { exact, cover } = self.locate(fib, prefix)?;
        Ok(if exact == LoadBalanceIndex::NONE { cover } else { exact })
    }

    /// All about a route; `None` when no route has the number.
    #[must_use]
    pub fn route(&self, index: LoadBalanceIndex) -> Option<RouteInfo> {
        let route = self.routes.get(index)?;
        let list = self.lists.get(route.list)?;
        let paths = |id| self.lists.get(id).map(|list| list.set.paths.to_vec());
        let sources = route
            .sources()
            .map(|(source, list)| (source, paths(list).unwrap_or_default()))
            .collect();
        Some(RouteInfo {
            prefix: self.prefix_of(route)?,
            index,
            sources,
            looped: list.looped,
            buckets: self.buckets_of(self.shared.load_balances.load(index)),
        })
    }

    /// What a word stands for, bucket by bucket.
    pub(super) fn buckets_of(&self, dpo: Dpo) -> Vec<Dpo> {
        let bucket = |hash| match dpo.kind() {
            DpoKind::Multi => self.shared.load_balances.bucket(dpo, hash),
            _ => dpo,
        };
        (0..dpo.buckets()).map(bucket).collect()
    }

    /// The prefix of a route, whose paths it forwards by, and these.
    #[must_use]
    pub fn forwarding_paths(&self, index: LoadBalanceIndex) -> Option<(IpPrefix, Source, &[Path])> {
        let route = self.routes.get(index)?;
        Some((self.prefix_of(route)?, route.source, &self.lists.get(route.list)?.set.paths))
    }

    /// The prefix of a route in its table.
    fn prefix_of(&self, route: &Route) -> Option<IpPrefix> {
        Some(match route.family {
            Family::Ip4 => self.ip4.rib(route.fib()).ok()?.prefix(route.node).into(),
            Family::Ip6 => self.ip6.rib(route.fib()).ok()?.prefix(route.node).into(),
        })
    }

    /// Removes a route with all its sources; whether it is gone.
    pub(super) fn remove_route(&mut self, fib: FibIndex, prefix: TypedPrefix) -> bool {
        let name = match prefix {
            TypedPrefix::Ip4(prefix) => prefix.into(),
            TypedPrefix::Ip6(prefix) => prefix.into(),
        };
        while let Ok(Some(index)) = self.find(fib, name) {
            let Some(source) = self.routes.get(index).map(|route| route.source) else {
                return false;
            };
            if self.clear_source(fib, prefix, index, source).is_none() {
                return false;
            }
        }
        true
    }

    /// Removes an interface from the paths of all routes, and routes that have no other path.
    pub(super) fn forget_interface(&mut self, interface: crate::interface::SwIfIndex) {
        let concerns = |path: &Path| path.target.interface() == Some(interface);
        let lists: std::collections::BTreeSet<PathListId> = self
            .lists
            .iter()
            .filter(|(_, list)| list.set.paths.iter().any(concerns))
            .map(|(id, _)| id)
            .collect();
        let mut todo = Vec::new();
        for (index, route) in self.routes.iter() {
            let concerned = route.sources().filter(|(_, list)| lists.contains(list));
            todo.extend(concerned.map(|(source, list)| (index, source, list)));
        }
        for (index, source, list) in todo {
            let Some(route) = self.routes.get(index) else { continue };
            let (fib, Some(prefix)) = (route.fib(), self.prefix_of(route)) else { continue };
            let paths = self.lists.get(list).map(|list| list.set.paths.to_vec());
            let mut paths = paths.unwrap_or_default();
            paths.retain(|path| !concerns(path));
            if paths.is_empty() || self.set_route(fib, prefix, source, &paths).is_err() {
                let _: Option<()> = self.clear_source(fib, prefix.typed(), index, source);
            }
        }
    }

    /// The paths as a set, if the route can have them.
    fn checked(&self, prefix: IpPrefix, paths: &[Path]) -> Result<PathSet, FibError> {
        let family = prefix.family();
        let set = PathSet::new(family, paths);
        if set.paths.is_empty() {
            return Err(FibError::NoPaths(prefix));
        }
        if set.paths.len() > MAX_PATHS {
            return Err(FibError::TooManyPaths(prefix));
        }
        for path in &set.paths {
            if path.target.next_hop().is_some_and(|address| Family::of(address) != family) {
                return Err(FibError::FamilyMismatch(prefix));
            }
            self.check_path(family, path)?;
        }
        Ok(set)
    }

    /// Whether there is what a path leads by.
    pub(super) fn check_path(&self, family: Family, path: &Path) -> Result<(), FibError> {
        if let Some(interface) = path.target.interface() {
            let link = self.link(interface).ok_or(FibError::NoSuchInterface(interface))?;
            let sends = !matches!(path.target, PathTarget::Local { .. });
            if sends && link.kind == LinkKind::ReceiveOnly {
                return Err(FibError::ReceiveOnly(interface));
            }
        }
        if let PathTarget::Recursive { table, .. } | PathTarget::Lookup { table } = path.target {
            self.table_id(family, table)?;
        }
        Ok(())
    }

    /// The paths that a source gave a route.
    pub(super) fn paths_of(
        &self,
        fib: FibIndex,
        prefix: IpPrefix,
        source: Source,
    ) -> Result<Option<Vec<Path>>, FibError> {
        Ok(self.given(fib, prefix, source)?.map(<[Path]>::to_vec))
    }

    fn given(
        &self,
        fib: FibIndex,
        prefix: IpPrefix,
        source: Source,
    ) -> Result<Option<&[Path]>, FibError> {
        let index = self.find(fib, prefix)?;
        Ok(index.and_then(|index| {
            let list = self.routes.get(index)?.list_of(source)?;
            Some(&*self.lists.get(list)?.set.paths)
        }))
    }

    /// Gives a source's route a list, whose user count the caller has raised.
    fn set_source(
        &mut self,
        fib: FibIndex,
        prefix: TypedPrefix,
        source: Source,
        list: PathListId,
    ) -> Result<LoadBalanceIndex, FibError> {
        let exact = match prefix {
            TypedPrefix::Ip4(prefix) => self.ip4.locate(fib, prefix)?.exact,
            TypedPrefix::Ip6(prefix) => self.ip6.locate(fib, prefix)?.exact,
        };
        let Some(route) = self.routes.get_mut(exact) else {
            return self.add_route(fib, prefix, source, list);
        };
        let (best, old) = (route.source, route.list);
        if source > best {
            if let Some(old) = route.set_other(source, list) {
                self.release_list(old);
            }
            return Ok(exact);
        }
        if source < best {
            route.set_other(best, old);
        }
        if old == list && source == best {
            self.release_list(old);
            return Ok(exact);
        }
        self.forward_by(exact, source, list);
        if source == best {
            self.release_list(old);
        }
        self.revisit(fib, prefix, exact);
        Ok(exact)
    }

    /// Takes a source from a route, and the route away when it was the last one. `None` when it has no such source.
    fn clear_source(
        &mut self,
        fib: FibIndex,
        prefix: TypedPrefix,
        index: LoadBalanceIndex,
        source: Source,
    ) -> Option<()> {
        let route = self.routes.get_mut(index)?;
        if route.source != source {
            let list = route.remove_other(source)?;
            self.release_list(list);
            return Some(());
        }
        let list = route.list;
        if let Some((next, next_list)) = route.runner_up() {
            route.remove_other(next);
            self.forward_by(index, next, next_list);
            self.release_list(list);
            self.revisit(fib, prefix, index);
        } else {
            match prefix {
                TypedPrefix::Ip4(prefix) => self.ip4.remove(&self.shared.ip4, fib, prefix, index),
                TypedPrefix::Ip6(prefix) => self.ip6.remove(&self.shared.ip6, fib, prefix, index),
            }
            self.routes.remove(index, &mut self.lists);
            self.release_list(list);
            self.revisit(fib, prefix, LoadBalanceIndex::NONE);
        }
        Some(())
    }

    fn add_route(
        &mut self,
        fib: FibIndex,
        prefix: TypedPrefix,
        source: Source,
        list: PathListId,
    ) -> Result<LoadBalanceIndex, FibError> {
        let index = self.routes.reserve().ok_or(FibError::RoutesFull)?;
        self.start_counting(index);
        // The word is right before a lookup can find the route.
        let dpo = self.lists.get(list).map_or(Dpo::DROP, |list| list.dpo);
        self.shared.load_balances.store(index, dpo);
        let (family, node) = match prefix {
            TypedPrefix::Ip4(prefix) => {
                (Family::Ip4, self.ip4.insert(&self.shared.ip4, fib, prefix, index))
            }
            TypedPrefix::Ip6(prefix) => {
                (Family::Ip6, self.ip6.insert(&self.shared.ip6, fib, prefix, index))
            }
        };
        let node = match node {
            Ok(node) => node,
            Err(error) => {
                self.routes.retire(index);
                return Err(error);
            }
        };
        let route = Route::new(family, fib, node, source, list);
        self.routes.insert(index, route, &mut self.lists);
        self.revisit(fib, prefix, index);
        Ok(index)
    }

    /// Makes a route's counters visible, and 0 where the number had an owner before. Nobody counts there: no lookup
    /// finds the number yet, and none has since its last quiescent period.
    fn start_counting(&self, index: LoadBalanceIndex) {
        let Some(counters) = &self.counters else { return };
        if index.position() < counters.len() {
            counters.zero(index.0);
        }
        let visible = counters.validate(index.position() + 1);
        debug_assert!(visible.is_ok(), "there are as many counters as route numbers");
    }

    /// Lets a route forward by another source's list.
    fn forward_by(&mut self, index: LoadBalanceIndex, source: Source, list: PathListId) {
        self.routes.relink(index, source, list, &mut self.lists);
        if let Some(list) = self.lists.get(list) {
            self.shared.load_balances.store(index, list.dpo);
        }
    }

    fn revisit(&mut self, fib: FibIndex, prefix: TypedPrefix, changed: LoadBalanceIndex) {
        match prefix {
            TypedPrefix::Ip4(prefix) => self.revisit_ip4(fib, prefix, changed),
            TypedPrefix::Ip6(prefix) => self.revisit_ip6(fib, prefix, changed),
        }
    }
}

fn named<'a, K>(
    routes: impl Iterator<Item = (Prefix<K>, LoadBalanceIndex)> + 'a,
) -> impl Iterator<Item = (IpPrefix, LoadBalanceIndex)> + 'a
where
    IpPrefix: From<Prefix<K>>,
    K: 'a,
{
    routes.map(|(prefix, index)| (prefix.into(), index))
}
