//! What the writer knows of each route: where it is, who added it, and by which paths it forwards.

use super::path::Source;
use super::path_list::{PathListId, PathLists};
use super::prefix::Family;
use super::rib::RibNode;
use super::room::make_room;
use super::slots::Slots;
use super::{FibIndex, LoadBalanceIndex, MAX_ROUTES};

/// All routes, by number.
#[derive(Debug)]
pub(super) struct Routes {
    routes: Vec<Option<Route>>,
    slots: Slots,
}

/// A route. Kept small: there are millions.
#[derive(Debug)]
pub(super) struct Route {
    /// Sources that the first one outranks, with their paths, in their order.
    #[expect(clippy::box_collection, reason = "nearly no route has any: one word, not three")]
    others: Option<Box<Vec<(Source, PathListId)>>>,
    pub(super) node: RibNode,
    pub(super) list: PathListId,
    /// Neighbours in the chain of the list's routes.
    next: LoadBalanceIndex,
    previous: LoadBalanceIndex,
    fib: u16,
    pub(super) family: Family,
    pub(super) source: Source,
    /// Whether a next hop was ever looked up and found this route.
    pub(super) followed: bool,
}

impl Route {
    pub(super) fn new(
        family: Family,
        fib: FibIndex,
        node: RibNode,
        source: Source,
        list: PathListId,
    ) -> Self {
        Self {
            others: None,
            node,
            list,
            next: LoadBalanceIndex::NONE,
            previous: LoadBalanceIndex::NONE,
            // There are `MAX_TABLES` tables, and one more.
            fib: fib.0 as u16,
            family,
            source,
            followed: false,
        }
    }

    pub(super) fn fib(&self) -> FibIndex {
        FibIndex(self.fib.into())
    }

    /// All sources and their paths, the one that forwards first.
    pub(super) fn sources(&self) -> impl Iterator<Item = (Source, PathListId)> {
        let others = self.others.iter().flat_map(|others| others.iter().copied());
        core::iter::once((self.source, self.list)).chain(others)
    }

    /// The paths that a source gave.
    pub(super) fn list_of(&self, source: Source) -> Option<PathListId> {
        self.sources().find(|&(other, _)| other == source).map(|(_, list)| list)
    }

    /// Sets the paths of a source that does not forward; gives those it had.
    pub(super) fn set_other(&mut self, source: Source, list: PathListId) -> Option<PathListId> {
        let others = self.others.get_or_insert_default();
        match others.binary_search_by_key(&source, |&(other, _)| other) {
            Ok(position) => Some(core::mem::replace(&mut others[position].1, list)),
            Err(position) => {
                others.insert(position, (source, list));
                None
            }
        }
    }

    /// Removes a source that does not forward, and gives its paths.
    pub(super) fn remove_other(&mut self, source: Source) -> Option<PathListId> {
        let others = self.others.as_mut()?;
        let position = others.iter().position(|&(other, _)| other == source)?;
        let (_, list) = others.remove(position);
        if others.is_empty() {
            self.others = None;
        }
        Some(list)
    }

    /// The source that is next in rank to the one that forwards.
    pub(super) fn runner_up(&self) -> Option<(Source, PathListId)> {
        self.others.as_ref()?.first().copied()
    }
}

impl Routes {
    pub(super) fn new() -> Self {
        Self { routes: Vec::new(), slots: Slots::new(1, MAX_ROUTES as u32) }
    }

    /// All numbers that were ever given out are below this.
    pub(super) fn numbers(&self) -> usize {
        self.slots.end() as usize
    }

    /// A number for a route that is about to be added.
    pub(super) fn reserve(&mut self) -> Option<LoadBalanceIndex> {
        self.slots.alloc().map(LoadBalanceIndex)
    }

    /// Gives a number back that readers may know.
    pub(super) fn retire(&mut self, index: LoadBalanceIndex) {
        self.slots.retire(index.0);
    }

    /// Adds a route under its number.
    pub(super) fn insert(&mut self, index: LoadBalanceIndex, route: Route, lists: &mut PathLists) {
        if self.routes.len() <= index.position() {
            make_room(&mut self.routes, MAX_ROUTES);
            self.routes.resize_with(index.position() + 1, || None);
        }
        let list = route.list;
        self.routes[index.position()] = Some(route);
        self.link(index, list, lists);
    }

    /// Removes a route and retires its number.
    pub(super) fn remove(&mut self, index: LoadBalanceIndex, lists: &mut PathLists) {
        self.unlink(index, lists);
        if self.routes.get_mut(index.position()).and_then(Option::take).is_some() {
            self.retire(index);
        }
    }

    /// Lets a route forward by another source and list.
    pub(super) fn relink(
        &mut self,
        index: LoadBalanceIndex,
        source: Source,
        list: PathListId,
        lists: &mut PathLists,
    ) {
        self.unlink(index, lists);
        if let Some(route) = self.get_mut(index) {
            (route.source, route.list) = (source, list);
        }
        self.link(index, list, lists);
    }

    pub(super) fn get(&self, index: LoadBalanceIndex) -> Option<&Route> {
        self.routes.get(index.position())?.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: LoadBalanceIndex) -> Option<&mut Route> {
        self.routes.get_mut(index.position())?.as_mut()
    }

    /// All routes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LoadBalanceIndex, &Route)> {
        let numbers = (0..).map(LoadBalanceIndex);
        numbers.zip(&self.routes).filter_map(|(index, route)| Some((index, route.as_ref()?)))
    }

    /// The routes that forward by a list, given the first.
    pub(super) fn chain(&self, first: LoadBalanceIndex) -> impl Iterator<Item = LoadBalanceIndex> {
        core::iter::successors(Some(first), |&index| self.get(index).map(|route| route.next))
            .take_while(|&index| index != LoadBalanceIndex::NONE)
    }

    pub(super) fn seal(&mut self) {
        self.slots.seal();
    }

    pub(super) fn reclaim(&mut self) {
        self.slots.reclaim();
    }

    fn link(&mut self, index: LoadBalanceIndex, list: PathListId, lists: &mut PathLists) {
        let Some(list) = lists.get_mut(list) else { return };
        let next = core::mem::replace(&mut list.first, index);
        if let Some(route) = self.get_mut(next) {
            route.previous = index;
        }
        if let Some(route) = self.get_mut(index) {
            (route.next, route.previous) = (next, LoadBalanceIndex::NONE);
        }
    }

    fn unlink(&mut self, index: LoadBalanceIndex, lists: &mut PathLists) {
        let Some(&Route { next, previous, list, .. }) = self.get(index) else { return };
        if let Some(route) = self.get_mut(next) {
            route.previous = previous;
        }
        if let Some(route) = self.get_mut(previous) {
            route.next = next;
        } else if let Some(list) = lists.get_mut(list) {
            list.first = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use core::mem::size_of;

    use super::*;

    #[test]
    fn a_route_stays_small() {
        assert_eq!(size_of::<Option<Route>>(), 32);
    }
}
