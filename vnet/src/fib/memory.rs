//! What the tables of a family take: `show ip fib memory`.

use super::lpm::{Lpm, LpmWriter};
use super::tables::{SharedTables, Tables};
use super::{Family, FibError, FibIndex, Forwarding, TableId};
use crate::command::{Align, Column, Table};

/// Memory of a table in bytes, as far as it is in use; the kernel may not have given all of its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableMemory {
    /// The table.
    pub id: TableId,
    /// Its routes.
    pub routes: usize,
    /// The lookup table's own levels, which workers read.
    pub lookup: usize,
    /// The routes in order, which the writer keeps.
    pub tree: usize,
}

/// Memory of all tables of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyMemory {
    /// Each table.
    pub tables: Vec<TableMemory>,
    /// Lower levels, which all lookup tables take from one store, in bytes.
    pub shared: usize,
}

impl Forwarding {
    /// Memory of the tables of a family.
    pub fn memory(&self, family: Family) -> Result<FamilyMemory, FibError> {
        match family {
            Family::Ip4 => of_family(&self.ip4, &self.shared.ip4),
            Family::Ip6 => of_family(&self.ip6, &self.shared.ip6),
        }
    }
}

fn of_family<K: Lpm>(
    tables: &Tables<K>,
    shared: &SharedTables<K>,
) -> Result<FamilyMemory, FibError> {
    let of_table = |(id, fib): (TableId, FibIndex)| -> Result<TableMemory, FibError> {
        let rib = tables.rib(fib)?;
        let lookup = shared.get(fib).map_or(0, K::Writer::own_bytes);
        Ok(TableMemory { id, routes: rib.len(), lookup, tree: rib.bytes() })
    };
    let shared = tables.writer().shared_bytes();
    Ok(FamilyMemory { tables: tables.iter().map(of_table).collect::<Result<_, _>>()?, shared })
}

/// A line for each table, one for what they share, and the total.
pub(super) fn table(family: Family, memory: &FamilyMemory) -> Table {
    let right = |title, width| Column::new(title, width, Align::Right).titled(Align::Center);
    let mut table = Table::new([
        Column::new("Table", 20, Align::Left).titled(Align::Center),
        right("Routes", 12),
        right("Lookup bytes", 16),
        right("Tree bytes", 16),
    ]);
    let mut row = |name: &str, routes: usize, lookup: usize, tree: usize| {
        table.row([
            name.into(),
            (routes as u64).into(),
            (lookup as u64).into(),
            (tree as u64).into(),
        ]);
    };
    let long = match family {
        Family::Ip4 => "ipv4-VRF",
        Family::Ip6 => "ipv6-VRF",
    };
    for each in &memory.tables {
        row(&format!("{long}:{}", each.id), each.routes, each.lookup, each.tree);
    }
    row("shared levels", 0, memory.shared, 0);
    let sum = |of: fn(&TableMemory) -> usize| memory.tables.iter().map(of).sum::<usize>();
    row("total", sum(|t| t.routes), sum(|t| t.lookup) + memory.shared, sum(|t| t.tree));
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fib::{IpPrefix, Path, PathTarget, Source};

    #[test]
    fn memory_grows_by_a_level_when_a_route_needs_it_and_is_given_back() {
        let mut forwarding = Forwarding::new().unwrap();
        let fib = FibIndex::DEFAULT;
        let memory = |forwarding: &Forwarding, family| forwarding.memory(family).unwrap();
        let empty = [Family::Ip4, Family::Ip6].map(|family| memory(&forwarding, family));
        // The first eight bits; the /8s of 0.0.0.0/32 and 255.255.255.255/32, and a group for each.
        let slash8 = 4 << 16;
        assert_eq!((empty[0].tables[0].lookup, empty[0].shared), (1024 + 2 * slash8, 2 * 1024));
        let add = |forwarding: &mut Forwarding, prefix: &str| {
            let prefix: IpPrefix = prefix.parse().unwrap();
            forwarding.set_route(fib, prefix, Source::Cli, &[Path::to(PathTarget::Drop)]).unwrap();
            memory(forwarding, prefix.family())
        };
        let short = add(&mut forwarding, "10.0.0.0/8");
        assert_eq!(short.tables[0].lookup, empty[0].tables[0].lookup);
        let long = add(&mut forwarding, "10.1.1.0/24");
        assert_eq!(long.tables[0].lookup, short.tables[0].lookup + slash8);
        let host = add(&mut forwarding, "10.1.1.1/32");
        assert_eq!((host.tables[0].lookup, host.shared), (long.tables[0].lookup, 3 * 1024));
        assert_eq!(host.tables[0].routes, empty[0].tables[0].routes + 3);
        let deep = add(&mut forwarding, "2001:db8::1/128");
        assert!(deep.shared > empty[1].shared);
        let gone = "10.1.1.1/32".parse().unwrap();
        forwarding.delete_route(fib, gone, Source::Cli).unwrap();
        forwarding.seal();
        forwarding.reclaim();
        assert_eq!(memory(&forwarding, Family::Ip4).shared, 2 * 1024);
    }
}
