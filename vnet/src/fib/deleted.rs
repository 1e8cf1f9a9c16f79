//! Deleted tables, which lose their routes in parts: a table of a million routes would keep packets waiting.

use std::collections::VecDeque;

use super::{
    Family, FibError, FibIndex, Forwarding, Path, PathTarget, TableId, TableUse,
    lpm::Lpm,
    prefix::{Prefix, TypedPrefix},
    rib::Rib,
    tables::Tables,
};
use crate::{process::Cx, wire::flow_hash::HashFields};

/// Routes that a deleted table loses between two rounds of packets.
const PART: usize = 256;

/// Tables that have no name any more, and routes still; those that were deleted first go first.
pub(super) type Deleted = VecDeque<(Family, FibIndex)>;

impl Forwarding {
    /// Deletes a table with its routes: `ip table del`. Fails while an interface or a path refers to it.
    ///
    /// It has no name from here on. Its routes go in [parts](Forwarding::sweep); until they are gone, what they refer to is
    /// in use.
    pub fn delete_table(&mut self, family: Family, id: TableId) -> Result<(), FibError> {
        let fib = self.table(family, id)?;
        if let Some(user) = self.table_user(family, fib) {
            return Err(FibError::TableInUse(family, id, user));
        }
        self.give_up_table(family, fib);
        Ok(())
    }

    /// What would be left without its table.
    fn table_user(&self, family: Family, fib: FibIndex) -> Option<TableUse> {
        if fib == FibIndex::DEFAULT {
            return Some(TableUse::Default);
        }
        let bound =
            self.interfaces.keys().find(|&&interface| self.fib_of(interface, family) == fib);
        if let Some(&interface) = bound {
            return Some(TableUse::Interface(interface));
        }
        let watched = match family {
            Family::Ip4 => self.ip4.is_watched(fib),
            Family::Ip6 => self.ip6.is_watched(fib),
        };
        let named = |path: &Path| path.target == PathTarget::Lookup { table: fib };
        let mut lists = self.lists.iter();
        let looked_up =
            lists.any(|(_, list)| list.set.family == family && list.set.paths.iter().any(named));
        (watched || looked_up).then_some(TableUse::Path)
    }

    /// Takes a table's name; what is in it is left to be swept.
    pub(super) fn give_up_table(&mut self, family: Family, fib: FibIndex) {
        match family {
            Family::Ip4 => self.ip4.forget(fib),
            Family::Ip6 => self.ip6.forget(fib),
        }
        self.deleted.push_back((family, fib));
    }

    /// Takes the next routes from tables that are deleted. The owner calls it between two rounds, as long as there
    /// [are](Forwarding::has_deleted) such tables.
    pub fn sweep(&mut self) {
        let Some(&(family, fib)) = self.deleted.front() else { return };
        let part = match family {
            Family::Ip4 => next_part(&self.ip4, fib, TypedPrefix::Ip4),
            Family::Ip6 => next_part(&self.ip6, fib, TypedPrefix::Ip6),
        };
        let mut is_stuck = !part.is_empty();
        for &prefix in &part {
            is_stuck &= !self.remove_route(fib, prefix);
        }
        // What cannot be removed must not be tried for ever.
        debug_assert!(!is_stuck, "routes of a deleted table have no other owner");
        if part.len() < PART || is_stuck {
            self.deleted.pop_front();
            self.shared.flow_hashes.set(family, fib, HashFields::DEFAULT);
            match family {
                Family::Ip4 => self.ip4.delete(fib),
                Family::Ip6 => self.ip6.delete(fib),
            }
        }
    }

    /// Whether deleted tables have routes still.
    #[must_use]
    pub fn has_deleted(&self) -> bool {
        !self.deleted.is_empty()
    }
}

fn next_part<K: Lpm>(
    tables: &Tables<K>,
    fib: FibIndex,
    typed: fn(Prefix<K>) -> TypedPrefix,
) -> Vec<TypedPrefix> {
    let routes = tables.rib(fib).into_iter().flat_map(Rib::iter);
    routes.take(PART).map(|(prefix, _)| typed(prefix)).collect()
}

/// Returns when what deleted tables referred to is free again.
pub(super) async fn swept(cx: &Cx) {
    while cx.with(|main| main.forwarding().has_deleted()) {
        cx.next_round().await;
    }
}
