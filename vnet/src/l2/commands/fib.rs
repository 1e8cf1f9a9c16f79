//! `l2fib add|del|flush-mac`, `clear l2fib`, `show l2fib`.

use super::{
    super::{BdId, BdIndex, Entry, EntryFlags, Flush, L2, MacKey, Minute},
    bd_id, command,
};
use crate::{
    command::{
        Align, Cell, Column, Error, Output, Record, Table, choice, flag, keyword, positional, value,
    },
    interface::SwIfIndex,
    plugin::Command,
    runtime::Main,
    wire::ethernet::MacAddress,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Filter,
    Static,
}

crate::args! {
    struct Add {
        mac: [u8; 6] = positional(value::mac()),
        id: BdId = positional(bd_id()),
        how: Option<How> = choice([("filter", How::Filter), ("static", How::Static)]).optional(),
        interface: Option<SwIfIndex> = positional(value::interface()).optional(),
    }
}

crate::args! {
    struct Delete {
        mac: [u8; 6] = positional(value::mac()),
        id: BdId = positional(bd_id()),
    }
}

crate::args! {
    struct OfInterface {
        interface: SwIfIndex = positional(value::interface()),
    }
}

crate::args! {
    struct OfDomain {
        id: BdId = positional(bd_id()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    Learned,
    Added,
}

crate::args! {
    struct Show {
        which: Option<Which> = choice([
            ("all", Which::All),
            ("verbose", Which::All),
            ("learn", Which::Learned),
            ("add", Which::Added),
        ]).optional(),
        id: Option<BdId> = keyword("bd_id", bd_id()).optional(),
        index: Option<BdIndex> = keyword("bd_index", value::id("index").map(BdIndex)).optional(),
        // Ages are always shown; the word is VPP's.
        _age: bool = flag("age"),
        raw: bool = flag("raw").help("the words of the entries, too"),
    }
}

pub(super) fn commands(l2: &L2) -> Vec<Command> {
    let flush = |path: &str| {
        command(l2, path, "Forget all stations but static ones.", |l2, main, (): ()| {
            l2.flush(main, Flush::All)
        })
    };
    vec![
        command(l2, "l2fib add", "Put a station's MAC address into a bridge domain.", add).details(
            "`static': packets do not move it elsewhere, and it does not age. `filter', without an interface: frames \
             from and to it are dropped.",
        ),
        command(
            l2,
            "l2fib del",
            "Take a station's MAC address from a bridge domain.",
            |l2, main, args: Delete| l2.delete_entry(main, args.mac, args.id),
        ),
        flush("l2fib flush-mac all"),
        flush("clear l2fib"),
        command(
            l2,
            "l2fib flush-mac interface",
            "Forget all stations of an interface but static ones.",
            |l2, main, args: OfInterface| l2.flush(main, Flush::Interface(args.interface)),
        ),
        command(
            l2,
            "l2fib flush-mac bridge-domain",
            "Forget all stations of a bridge domain but static ones.",
            |l2, main, args: OfDomain| l2.flush(main, Flush::Domain(args.id)),
        ),
        command(l2, "show l2fib", "Show the stations that bridge domains know.", show).details(
            "Without a word how many there are; `all', or those of one bridge domain, or those that were learned or \
             added.",
        ),
    ]
}

fn add(l2: &L2, main: &mut Main, args: Add) -> Result<(), Error> {
    let flags = match (args.how, args.interface) {
        (Some(How::Filter), None) => EntryFlags::FILTER | EntryFlags::STATIC | EntryFlags::AGE_NOT,
        (Some(How::Filter), Some(_)) => {
            return Err(Error::Conflict { word: "<interface>".to_owned() });
        }
        (_, None) => return Err(Error::Missing { what: "<interface>|filter".to_owned() }),
        (Some(How::Static), Some(_)) => EntryFlags::STATIC | EntryFlags::AGE_NOT,
        (None, Some(_)) => EntryFlags::empty(),
    };
    Ok(l2.add_entry(main, args.mac, args.id, args.interface, flags)?)
}

fn show(l2: &L2, main: &mut Main, args: Show) -> Result<Output, Error> {
    let layer2 = l2.view(main);
    let wanted = match (args.id, args.index) {
        (Some(id), _) => Some(l2.index(main, id)?),
        (None, index) => index,
    };
    let mut entries: Vec<(MacKey, Entry)> = layer2.entries().collect();
    // In the order in which people read addresses.
    entries.sort_unstable_by_key(|(key, _)| (key.domain(), key.mac()));
    let learned = |entry: &Entry| entry.flags().contains(EntryFlags::LEARNED);
    let total = entries.len();
    let learnt = entries.iter().filter(|(_, entry)| learned(entry)).count();
    entries.retain(|(key, entry)| {
        wanted.is_none_or(|index| key.domain() == index)
            && match args.which {
                Some(Which::Learned) => learned(entry),
                Some(Which::Added) => !learned(entry),
                Some(Which::All) | None => true,
            }
    });
    let shows = args.which.is_some() || wanted.is_some() || args.raw;
    let mut record = Record::new();
    if total == 0 {
        record = record.line("no l2fib entries");
    } else if shows {
        record = record.nested("entries", 0, table(l2, main, &entries, args.raw));
    }
    let limit = layer2.total_learn_limit;
    let memory = layer2.macs.bytes() as u64;
    record = record
        .line(format!(
            "L2FIB total/learned entries: {total}/{learnt}  Memory: {memory} bytes  Learn limit: {limit} "
        ))
        .field("total", total as u64)
        .field("learned", learnt as u64)
        .field("memory", memory)
        .field("learn_limit", limit);
    Ok(record.into())
}

fn table(l2: &L2, main: &Main, entries: &[(MacKey, Entry)], raw: bool) -> Table {
    let center = |title, width| Column::new(title, width, Align::Center);
    let mut columns = vec![
        center("Mac-Address", 19),
        center("BD-Idx", 7),
        center("If-Idx", 7),
        center("BSN-ISN", 8),
        center("Age(min)", 9),
        center("static", 7),
        center("filter", 7),
        center("bvi", 5),
        center("Interface-Name", 30),
    ];
    if raw {
        columns.push(Column::new("Raw", 18, Align::Left));
    }
    let mut table = Table::new(columns);
    for (key, entry) in entries {
        let mut row = row(l2, main, *key, *entry);
        if raw {
            row.push(format!("0x{:016x}", entry.get()).into());
        }
        table.row(row);
    }
    table
}

fn row(l2: &L2, main: &Main, key: MacKey, entry: Entry) -> Vec<Cell> {
    let (layer2, flags) = (l2.view(main), entry.flags());
    let filters = flags.contains(EntryFlags::FILTER);
    let domain = layer2.domain(key.domain());
    let port = layer2.port(entry.port());
    let star = |flag| {
        let on = flags.contains(flag);
        Cell::shown(if on { "*" } else { "-" }, on)
    };
    let age = match domain.map_or(0, |domain| domain.mac_age) {
        _ if flags.contains(EntryFlags::AGE_NOT) => Cell::shown("no", serde_json::Value::Null),
        0 => Cell::shown("-", serde_json::Value::Null),
        _ => u32::from(Minute::of(main.clock().now()).since(entry.minute())).into(),
    };
    let sequences = [domain.map_or(0, |domain| domain.sequence), port.sequence];
    let [bsn, isn] = sequences;
    let (number, name) = match filters {
        true => (Cell::shown("-1", -1), "-".to_owned()),
        false => (entry.port().0.into(), main.interface_name(entry.port())),
    };
    vec![
        MacAddress(key.mac()).to_string().into(),
        u32::from(key.domain().0).into(),
        number,
        Cell::shown(format!("{bsn:3}/{isn:<3}"), sequences.map(u32::from).to_vec()),
        age,
        star(EntryFlags::STATIC),
        star(EntryFlags::FILTER),
        star(EntryFlags::BVI),
        name.into(),
    ]
}
