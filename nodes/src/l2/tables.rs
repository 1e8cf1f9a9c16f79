//! `show bihash`: what is in the hash table of stations, in VPP's words. VPP lists all tables of one kind there; the other hash
//! tables here have commands of their own, such as `show flowprobe statistics` and `show acl-plugin tables`.

use std::collections::BTreeSet;

use vnet::{
    command::{Cell, Record},
    l2::L2,
    plugin::{Command, CommandCx},
    runtime::Main,
};

/// VPP's name of the table.
const NAME: &str = "l2fib_mac_table";

pub(super) fn command(l2: &L2) -> Command {
    let l2 = l2.clone();
    let show = move |cx: CommandCx, (): ()| cx.with(|main| show(&l2, main));
    Command::sync("show bihash", "Show how full the hash table of stations is.", show).details(
        "Active buckets are those with a station at least, of four that each has room for.",
    )
}

fn show(l2: &L2, main: &Main) -> Record {
    let layer2 = l2.view(main);
    let homes: Vec<_> = layer2.entries().map(|(key, _)| layer2.macs().home(key)).collect();
    let (elements, bytes) = (homes.len(), layer2.macs().bytes());
    let buckets = homes.into_iter().collect::<BTreeSet<_>>().len();
    Record::new()
        .line("")
        .line(format!("Hash table '{NAME}'"))
        .line(format!("    {elements} active elements {buckets} active buckets"))
        .line(format!("           used {bytes} b ({} Mbytes)", bytes >> 20))
        .field("name", NAME)
        .field("elements", Cell::shown("", elements as u64))
        .field("buckets", Cell::shown("", buckets as u64))
        .field("bytes", Cell::shown("", bytes as u64))
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
        assert_eq!(json["elements"], 3);
    }
}
