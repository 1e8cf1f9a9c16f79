//! `show ip4-full-reassembly`, `show ip4-sv-reassembly` and those of IPv6, in VPP's words.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet::{
    command::{Output, Record},
    fib::Family,
    runtime::Main,
};

use super::{
    datagrams::{Entry, Key},
    settings::{Kind, Settings},
    store::{State, Store},
};

/// What of a datagram is shown beside what names it.
pub(super) trait Shown: State {
    /// Adds to the line, or the lines, of a datagram of which so many fragments wait.
    fn show(entry: &Entry<Self>, waiting: usize, record: Record, head: String) -> Record;
}

/// The state of a kind of reassembly on all threads.
pub(super) fn status<T: Shown>(main: &mut Main, store: &Store<T>, details: bool) -> Record {
    let family = store.family;
    let settings = store.in_force.held(main.held(), T::KIND, family);
    let (mut thread, mut count, mut shown) = (0, 0, Vec::new());
    main.for_each_local(store.local, |kept| {
        count += kept.table.datagrams.len();
        for (place, entry) in kept.table.datagrams.iter().filter(|_| details) {
            let id = thread * THREAD + entry.id;
            let head = format!("ID: {id}, key: {}", key(&entry.key, family));
            let record = of(entry, family, Record::new().field("id", id));
            let waiting = kept.table.waiting.len(place);
            shown.push(Output::from(T::show(entry, waiting, record, head)));
        }
        thread += 1;
    });
    let line = "---------------------";
    let word = word(family);
    let mut record = Record::new().line(line).line(format!("{word} reassembly status")).line(line);
    if details {
        record = record.nested("reassemblies", 0, shown);
    }
    limits(record.line(line), T::KIND, word, count, settings)
}

/// Numbers of datagrams begin at multiples of this on each thread.
const THREAD: u64 = 1_000_000_000;

const fn word(family: Family) -> &'static str {
    match family {
        Family::Ip4 => "IP4",
        Family::Ip6 => "IP6",
    }
}

fn limits(record: Record, kind: Kind, word: &str, count: usize, settings: Settings) -> Record {
    let Settings { timeout, max_reassemblies, max_length, expire_walk_interval } = settings;
    let (current, name) = match kind {
        Kind::Full => (format!("full {word}"), format!("full {word}")),
        Kind::ShallowVirtual => (word.to_owned(), format!("shallow virtual {word}")),
    };
    record
        .line(format!("Current {current} reassemblies count: {count}"))
        .field("reassemblies-count", count)
        .line(format!(
            "Maximum configured concurrent {name} reassemblies per worker-thread: {max_reassemblies}"
        ))
        .field("max-reassemblies", max_reassemblies)
        .line(format!(
            "Maximum configured amount of fragments per {name} reassembly: {max_length}"
        ))
        .field("max-reassembly-length", max_length)
        .line(format!("Maximum configured {name} reassembly timeout: {timeout}ms"))
        .field("timeout", timeout)
        .line(format!(
            "Maximum configured {name} reassembly expire walk interval: {expire_walk_interval}ms"
        ))
        .field("expire-walk-interval", expire_walk_interval)
}

fn address(number: u128, family: Family) -> IpAddr {
    match family {
        Family::Ip4 => Ipv4Addr::from_bits(number as u32).into(),
        Family::Ip6 => Ipv6Addr::from_bits(number).into(),
    }
}

fn key(key: &Key, family: Family) -> String {
    let [source, destination] = [key.source, key.destination].map(|a| address(a, family));
    let Key { identification, fib, protocol, .. } = key;
    match family {
        Family::Ip4 => format!(
            "fib_index: {fib}, src: {source}, dst: {destination}, frag_id: {identification}, proto: {protocol}"
        ),
        Family::Ip6 => {
            format!(
                "fib_index: {fib}, src: {source}, dst: {destination}, frag_id: {identification}"
            )
        }
    }
}

fn of<T>(entry: &Entry<T>, family: Family, record: Record) -> Record {
    let record = record
        .field("fib-index", entry.key.fib)
        .field("source", address(entry.key.source, family).to_string())
        .field("destination", address(entry.key.destination, family).to_string())
        .field("identification", entry.key.identification);
    match family {
        Family::Ip4 => record.field("protocol", u32::from(entry.key.protocol)),
        Family::Ip6 => record,
    }
}
