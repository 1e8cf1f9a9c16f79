//! The tables of one family: routes in order for the control plane, lookup tables for the workers, and the next hops
//! that recursive routes look up in them.

use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;

use smallvec::SmallVec;

use super::lpm::{Lpm, LpmWriter, MANY_ROUTES};
use super::path_list::PathListId;
use super::prefix::Prefix;
use super::rib::{Located, Rib, RibNode};
use super::slots::Slots;
use super::{FibError, FibIndex, LoadBalanceIndex, TableId};

/// How many tables a family can have.
pub const MAX_TABLES: usize = 1024;

/// The lookup tables of a family, as workers find them. A table is made once and stays at its address; one that is
/// deleted is emptied, and used again after a quiescent period.
pub(super) struct SharedTables<K: Lpm> {
    slots: Box<[OnceLock<K::Table>]>,
}

impl<K: Lpm> SharedTables<K> {
    pub(super) fn get(&self, fib: FibIndex) -> Option<&K::Table> {
        self.slots.get(fib.0 as usize)?.get()
    }
}

/// The writer's side of a family's tables.
pub(super) struct Tables<K: Lpm> {
    tables: Vec<Option<Table<K>>>,
    by_id: BTreeMap<TableId, FibIndex>,
    writer: K::Writer,
    slots: Slots,
    vias: BTreeMap<(FibIndex, K), Via>,
}

struct Table<K> {
    id: TableId,
    /// What the operator calls it beside its number; empty for nothing.
    name: Box<str>,
    rib: Rib<K>,
}

/// A next hop that path lists are resolved through.
#[derive(Debug)]
pub(super) struct Via {
    /// The route that it has in its table.
    pub(super) route: LoadBalanceIndex,
    /// Who is resolved through it, each as often as it has such a path.
    pub(super) lists: SmallVec<[PathListId; 2]>,
}

impl<K: Lpm> Tables<K> {
    pub(super) fn new() -> io::Result<(Self, SharedTables<K>)> {
        let tables = Self {
            tables: Vec::new(),
            by_id: BTreeMap::new(),
            writer: K::Writer::new()?,
            slots: Slots::new(0, MAX_TABLES as u32),
            vias: BTreeMap::new(),
        };
        // One more than operators can have: that of link-local addresses.
        let slots = (0..=MAX_TABLES).map(|_| OnceLock::new()).collect();
        Ok((tables, SharedTables { slots }))
    }

    /// Makes a table without routes.
    pub(super) fn add(
        &mut self,
        shared: &SharedTables<K>,
        id: TableId,
    ) -> Result<FibIndex, FibError> {
        if self.by_id.contains_key(&id) {
            return Err(FibError::TableExists(K::FAMILY, id));
        }
        // Made before the slot is taken: a failure takes nothing.
        let fresh = self.writer.table()?;
        let slot = self.slots.alloc().ok_or(FibError::TablesFull(K::FAMILY))?;
        self.put(shared, FibIndex(slot), id, fresh);
        self.by_id.insert(id, FibIndex(slot));
        Ok(FibIndex(slot))
    }

    /// Makes a table at a place of its own that no operator hears of.
    pub(super) fn add_hidden(
        &mut self,
        shared: &SharedTables<K>,
        fib: FibIndex,
    ) -> Result<(), FibError> {
        let fresh = self.writer.table()?;
        self.put(shared, fib, TableId(u32::MAX), fresh);
        Ok(())
    }

    fn put(&mut self, shared: &SharedTables<K>, fib: FibIndex, id: TableId, fresh: K::Table) {
        let position = fib.0 as usize;
        // A place that was used before has its table already.
        let _: Result<(), K::Table> = shared.slots[position].set(fresh);
        if self.tables.len() <= position {
            self.tables.resize_with(position + 1, || None);
        }
        self.tables[position] = Some(Table { id, name: Box::default(), rib: Rib::new() });
    }

    /// Takes a table's name: nobody finds it from here on.
    pub(super) fn forget(&mut self, fib: FibIndex) {
        if let Some(id) = self.id(fib) {
            self.by_id.remove(&id);
        }
    }

    /// Gives up a table that has no name and no route any more.
    pub(super) fn delete(&mut self, fib: FibIndex) {
        if let Some(table) = self.tables.get_mut(fib.0 as usize).and_then(Option::take) {
            debug_assert_eq!(table.rib.len(), 0);
            self.slots.retire(fib.0);
        }
    }

    pub(super) fn writer(&self) -> &K::Writer {
        &self.writer
    }

    pub(super) fn find(&self, id: TableId) -> Option<FibIndex> {
        self.by_id.get(&id).copied()
    }

    /// All tables, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TableId, FibIndex)> {
        self.by_id.iter().map(|(&id, &fib)| (id, fib))
    }

    pub(super) fn id(&self, fib: FibIndex) -> Option<TableId> {
        Some(self.tables.get(fib.0 as usize)?.as_ref()?.id)
    }

    pub(super) fn name(&self, fib: FibIndex) -> Option<&str> {
        let name = &*self.tables.get(fib.0 as usize)?.as_ref()?.name;
        Some(name).filter(|name| !name.is_empty())
    }

    pub(super) fn set_name(&mut self, fib: FibIndex, name: &str) -> Result<(), FibError> {
        let table = self.tables.get_mut(fib.0 as usize).and_then(Option::as_mut);
        table.ok_or(FibError::NoSuchFib(K::FAMILY, fib))?.name = name.into();
        Ok(())
    }

    pub(super) fn rib(&self, fib: FibIndex) -> Result<&Rib<K>, FibError> {
        let table = self.tables.get(fib.0 as usize).and_then(Option::as_ref);
        Ok(&table.ok_or(FibError::NoSuchFib(K::FAMILY, fib))?.rib)
    }

    pub(super) fn locate(&self, fib: FibIndex, prefix: Prefix<K>) -> Result<Located, FibError> {
        Ok(self.rib(fib)?.locate(prefix))
    }

    /// Adds a route that is not there, under a number of its own.
    pub(super) fn insert(
        &mut self,
        shared: &SharedTables<K>,
        fib: FibIndex,
        prefix: Prefix<K>,
        route: LoadBalanceIndex,
    ) -> Result<RibNode, FibError> {
        let missing = || FibError::NoSuchFib(K::FAMILY, fib);
        let table = self.tables.get_mut(fib.0 as usize).and_then(Option::as_mut);
        let rib = &mut table.ok_or_else(missing)?.rib;
        let lookup = shared.get(fib).ok_or_else(missing)?;
        let Located { cover, .. } = rib.locate(prefix);
        self.writer
            .replace(lookup, prefix, cover, route)
            .map_err(|_| FibError::LookupFull(prefix.into()))?;
        let node = rib.insert(prefix, route);
        if let Some(step) = rib.len().checked_sub(MANY_ROUTES) {
            self.writer.settle_in(lookup, step);
        }
        Ok(node)
    }

    /// Removes a route that is there.
    pub(super) fn remove(
        &mut self,
        shared: &SharedTables<K>,
        fib: FibIndex,
        prefix: Prefix<K>,
        route: LoadBalanceIndex,
    ) {
        let table = self.tables.get_mut(fib.0 as usize).and_then(Option::as_mut);
        let (Some(table), Some(lookup)) = (table, shared.get(fib)) else { return };
        let Located { cover, .. } = table.rib.locate(prefix);
        let replaced = self.writer.replace(lookup, prefix, route, cover);
        debug_assert_eq!(replaced, Ok(()), "taking a route out needs no memory");
        table.rib.remove(prefix);
    }

    pub(super) fn via(&self, fib: FibIndex, next_hop: K) -> Option<&Via> {
        self.vias.get(&(fib, next_hop))
    }

    /// Notes that `list` is resolved through a next hop, and gives the next hop's route.
    pub(super) fn watch(
        &mut self,
        fib: FibIndex,
        next_hop: K,
        list: PathListId,
    ) -> LoadBalanceIndex {
        let route = self.longest_match(fib, next_hop);
        let via = self
            .vias
            .entry((fib, next_hop))
            .or_insert_with(|| Via { route, lists: SmallVec::new() });
        via.lists.push(list);
        route
    }

    /// Undoes one [`Tables::watch`].
    pub(super) fn unwatch(&mut self, fib: FibIndex, next_hop: K, list: PathListId) {
        let Some(via) = self.vias.get_mut(&(fib, next_hop)) else { return };
        if let Some(position) = via.lists.iter().position(|&other| other == list) {
            via.lists.swap_remove(position);
        }
        if via.lists.is_empty() {
            self.vias.remove(&(fib, next_hop));
        }
    }

    /// Whether a path is resolved through the table.
    pub(super) fn is_watched(&self, fib: FibIndex) -> bool {
        self.vias.range((fib, K::ZERO)..).next().is_some_and(|((of, _), _)| *of == fib)
    }

    /// Looks the next hops inside `prefix` up again, after the route of `prefix` came, went or changed. Gives those
    /// whose answer may differ: their routes, and who is resolved through them.
    pub(super) fn revisit(
        &mut self,
        fib: FibIndex,
        prefix: Prefix<K>,
        changed: LoadBalanceIndex,
    ) -> Vec<(LoadBalanceIndex, SmallVec<[PathListId; 2]>)> {
        let inside: Vec<K> = self
            .vias
            .range((fib, prefix.key)..=(fib, prefix.last()))
            .map(|(&(_, next_hop), _)| next_hop)
            .collect();
        let mut moved = Vec::new();
        for next_hop in inside {
            let route = self.longest_match(fib, next_hop);
            let Some(via) = self.vias.get_mut(&(fib, next_hop)) else { continue };
            if via.route != route || route == changed {
                via.route = route;
                moved.push((route, via.lists.clone()));
            }
        }
        moved
    }

    /// Who is resolved through `route`, which is that of `prefix`.
    pub(super) fn followers(
        &self,
        fib: FibIndex,
        prefix: Prefix<K>,
        route: LoadBalanceIndex,
    ) -> impl Iterator<Item = PathListId> {
        self.vias
            .range((fib, prefix.key)..=(fib, prefix.last()))
            .filter(move |(_, via)| via.route == route)
            .flat_map(|(_, via)| via.lists.iter().copied())
    }

    pub(super) fn seal(&mut self) {
        self.writer.seal();
        self.slots.seal();
    }

    pub(super) fn reclaim(&mut self) {
        self.writer.reclaim();
        self.slots.reclaim();
    }

    fn longest_match(&self, fib: FibIndex, key: K) -> LoadBalanceIndex {
        self.rib(fib).map_or(LoadBalanceIndex::NONE, |rib| rib.longest_match(key))
    }
}
