//! What `show bihash` tells of the table of stations.

use std::collections::BTreeSet;

use vnet::{
    hash_tables::{HashTable, HashTables},
    l2::L2,
    plugin::Registrar,
    runtime::Main,
};

/// VPP's name of the table.
const NAME: &str = "l2fib_mac_table";

pub(super) fn register(r: &mut Registrar, l2: &L2) {
    let l2 = l2.clone();
    HashTables::tell(r, move |main| vec![stations(&l2, main)]);
}

/// A bucket has room for four stations.
fn stations(l2: &L2, main: &Main) -> HashTable {
    let layer2 = l2.view(main);
    let homes: Vec<_> = layer2.entries().map(|(key, _)| layer2.macs().home(key)).collect();
    HashTable {
        name: NAME.to_owned(),
        elements: homes.len(),
        bytes: layer2.macs().bytes(),
        buckets: Some(homes.into_iter().collect::<BTreeSet<_>>().len()),
    }
}

#[cfg(test)]
mod tests {
    use vnet::plugin::Engine;

    #[test]
    fn the_table_of_stations_tells_how_many_it_holds() {
        let engine = Engine::builder().plugin(crate::plugin()).build().unwrap();
        let run = |line: &str| engine.command(line).unwrap();
        let empty = run("show bihash");
        assert!(
            empty.starts_with("\nHash table 'l2fib_mac_table'\n    0 active elements 0 active"),
            "{empty}"
        );
        run("create bridge-domain 5");
        run("create loopback interface");
        run("set interface l2 bridge loop0 5");
        for station in 1..=3 {
            run(&format!("l2fib add 02:00:00:00:00:0{station} 5 loop0"));
        }
        let full = run("show bihash");
        assert!(full.contains("\n    3 active elements "), "{full}");
        let json: serde_json::Value = serde_json::from_str(&run("show bihash json")).unwrap();
        assert_eq!(json[0]["elements"], 3);
    }
}
