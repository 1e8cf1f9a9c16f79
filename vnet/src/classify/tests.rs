//! What tables promise: their commands, and lookups held against a naive twin.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{table::ShardTable, *};
use crate::{
    buffer::Buffer,
    plugin::Engine,
    runtime::{Clock, EngineTime, PacketTime},
};

fn engine() -> Engine {
    let clock = Clock::virtual_at(PacketTime(0));
    Engine::builder().clock(clock).buffers(64).build().unwrap()
}

fn run(engine: &Engine, line: &str) -> String {
    engine.command(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn refused(engine: &Engine, line: &str) -> String {
    engine.command(line).expect_err(line).to_string()
}

#[test]
fn words_are_the_bytes_of_their_headers() {
    let zeros = |n: usize| "00".repeat(n);
    let ones = |n: usize| "ff".repeat(n);
    for (words, skip, bytes) in [
        ("l2 dst", 0, ones(6)),
        ("l2 src", 0, zeros(6) + &ones(6)),
        ("l2 proto", 0, zeros(12) + "ffff"),
        ("l2 tag1 proto", 0, zeros(14) + "0fff"),
        ("l2 cos1 tag1 cos2 tag2 dot1ad", 0, zeros(12) + "ffffefff0000efff"),
        ("l2 ignore-tag1 l3 ip4 version", 1, zeros(2) + "f0"),
        ("l3 ip4 hdr_length", 0, zeros(14) + "0f"),
        ("l3 ip4 tos length", 0, zeros(15) + "ffffff"),
        ("l3 ip4 fragment_id ttl proto checksum", 1, zeros(2) + "ffff0000ffffffff"),
        ("l3 ip4 src", 1, zeros(10) + &ones(4)),
        ("l3 ip4 dst", 1, zeros(14) + &ones(4)),
        ("l3 ip4 proto src dst l4 src_port dst_port", 1, zeros(7) + "ff0000" + &ones(12)),
        ("l3 ip4 proto l4 tcp dst_port", 1, zeros(7) + "ff" + &zeros(12) + "ffff"),
        ("l3 ip6 version traffic-class flow-label", 0, zeros(14) + "ffffffff"),
        ("l3 ip6 payload_length proto hop_limit", 1, zeros(2) + "ffffffff"),
        ("l3 ip6 src", 1, zeros(6) + &ones(16)),
        ("l3 ip6 dst l4 udp src_port", 2, zeros(6) + &ones(18)),
        ("hex 000000000000000000000000000000000a", 1, "0a".to_owned()),
    ] {
        let engine = engine();
        assert_eq!(run(&engine, &format!("classify table mask {words}")), "table index 0\n");
        let shown = run(&engine, "show classify tables");
        let padded =
            |bytes: String| format!("{bytes:0<width$}", width = bytes.len().div_ceil(32) * 32);
        let bytes = match words {
            // The type behind the tag lies in the second vector.
            "l2 tag1 proto" => bytes + "ffff",
            _ => bytes,
        };
        let mask = padded(bytes);
        assert!(shown.contains(&format!("\n  mask {mask}\n")), "{words}: {shown}");
        let place = format!("skip {skip} match {}", mask.len() / 32);
        assert!(shown.contains(&place), "{words}: {shown}");
    }
}

#[test]
fn tables_are_shown_in_the_columns_of_vpp() {
    let engine = engine();
    assert_eq!(run(&engine, "show classify tables"), "No classifier tables configured\n");
    assert_eq!(run(&engine, "show classify tables json"), "{\"tables\":[]}\n");
    run(&engine, "classify table mask l3 ip4 dst buckets 5 memory-size 1M");
    run(&engine, "classify table acl-miss-next deny mask l3 ip4 src proto next-table 0");
    run(
        &engine,
        "classify session acl-hit-next permit table-index 1 match l3 ip4 src 10.0.0.1 proto tcp",
    );
    run(
        &engine,
        "classify session hit-next 7 opaque-index 9 advance -4 table-index 1 action set-ip4-fib-id 0 \
         match l3 ip4 src 10.0.0.2 proto 17",
    );
    let expected = "
  TableIdx  Sessions   NextTbl  NextNode
         0         0        -1        -1
  Memory: 1048576 bytes, room for 16384 sessions
  nbuckets 8, skip 1 match 2 flag 0 offset 0
  mask 0000000000000000000000000000ffffffff0000000000000000000000000000
  linear-search buckets 0
         1         2         0         0
  Memory: 2097152 bytes, room for 49152 sessions
  nbuckets 2, skip 1 match 1 flag 0 offset 0
  mask 00000000000000ff0000ffffffff0000
  linear-search buckets 0
";
    assert_eq!(run(&engine, "show classify tables"), expected[1..]);
    let expected = "
  TableIdx  Sessions   NextTbl  NextNode
         1         2         0         0
  Memory: 2097152 bytes, room for 49152 sessions
  nbuckets 2, skip 1 match 1 flag 0 offset 0
  mask 00000000000000ff0000ffffffff0000
  linear-search buckets 0
    [0]: next_index -1 advance 0 opaque -1 action 0 metadata 0
        k: 000000000000000600000a0000010000
        hits 0, last_heard 0.00
    [1]: next_index 7 advance -4 opaque 9 action 1 metadata 0
        k: 000000000000001100000a0000020000
        hits 0, last_heard 0.00
";
    assert_eq!(run(&engine, "show classify tables verbose index 1"), expected[1..]);
    let json = run(&engine, "show classify tables index 1 verbose json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let table = &json["tables"][0];
    assert_eq!((&table["sessions"], &table["next_table"]), (&2.into(), &0.into()));
    assert_eq!(table["entries"][1]["opaque"], 9);
}

#[test]
fn a_line_that_is_refused_changes_nothing() {
    let engine = engine();
    run(&engine, "classify table mask l3 ip4 dst memory-size 1K");
    run(&engine, "classify table mask l3 ip4 src next-table 0");
    let before = run(&engine, "show classify tables verbose");
    for (line, why) in [
        ("classify table buckets 2", "Mask required"),
        ("classify table mask l3 ip4", "the mask has no bit set"),
        (
            "classify table mask l4 src_port",
            "`l4' needs `l3 ip4' or `l3 ip6', which says where the ports are",
        ),
        ("classify table mask l3 ip4 src ip6 src", "`l3' needs either `ip4' or `ip6'"),
        ("classify table mask hex ff l2 src", "`hex' stands alone"),
        (
            "classify table mask l3 ip6 src match 1",
            "the mask needs 2 vectors of 16 bytes behind 1, 1 are allowed",
        ),
        (
            "classify table mask l2 dst l3 ip6 dst l4 dst_port skip 1",
            "skip 1 leaves out bits of the mask, which begins in vector 0",
        ),
        ("classify table mask l2 dst next-table 7", "no classifier table 7"),
        (
            "classify table mask l2 dst current-data-offset 4",
            "current-data-offset needs current-data-flag 1",
        ),
        ("classify table table 0 next-table 1", "next-table 1 leads back to table 0"),
        ("classify table table 0 next-table 0", "next-table 0 leads back to table 0"),
        ("classify table table 9 miss-next 1", "no classifier table 9"),
        (
            "classify table table 0 mask l2 dst",
            "only next-table and miss-next of a table can change",
        ),
        ("classify table del", "table index required for delete"),
        ("classify table del table 9", "no classifier table 9"),
        ("classify table del table 0", "classifier table 0 is in use: table 1 leads to it"),
        ("classify session table-index 9 match l2 dst 0:0:0:0:0:1", "no classifier table 9"),
        (
            "classify session table-index 0 match l3 ip4 dst 10.0.0.1 src 10.0.0.2",
            "byte 26 of the match is set where the mask of the table is not",
        ),
        (
            "classify session table-index 0 match l3 ip4 dst 10.0.0.1 del",
            "classifier table 0 has no such session",
        ),
        (
            "classify session table-index 0 match l3 ip4 dst 10.0.0.1 action set-ip4-fib-id 77",
            "no ip4 table 77: add it first",
        ),
        (
            "classify session table-index 0 match l3 ip4 dst 10.0.0.1 action set-sr-policy-index 1",
            "set-sr-policy-index: there is no segment routing in this engine",
        ),
        ("show classify tables index 5", "no classifier table 5"),
    ] {
        let said = refused(&engine, line);
        let (command, text) = said.split_once(": ").unwrap();
        assert!(line.starts_with(command), "{said}");
        assert!(text.starts_with(why), "{line}: {said}");
    }
    for line in [
        "classify table mask l2 wrong",
        "classify table mask hex 0g",
        "classify table mask hex 000",
        "classify table mask l2 dst memory-size 1023",
        "classify table mask l2 dst memory-size 2G",
        "classify table mask l2 dst match 6",
        "classify table mask l2 dst skip 128",
        "classify session table-index 0",
        "classify session match l2 dst 0:0:0:0:0:1",
        "classify session table-index 0 match l3 ip4 dst 300.0.0.1",
    ] {
        refused(&engine, line);
    }
    assert_eq!(run(&engine, "show classify tables verbose"), before);
}

#[test]
fn a_table_says_when_it_is_full_and_has_room_again_when_a_session_goes() {
    let engine = engine();
    run(&engine, "classify table mask l3 ip4 dst match 2 memory-size 1K");
    let session = |n: u32, del: &str| {
        format!("classify session table-index 0 match l3 ip4 dst 10.0.0.{n} {del}")
    };
    (0..12).for_each(|n| {
        run(&engine, &session(n, ""));
    });
    let mut n = 12;
    while engine.command(&session(n, "")).is_ok() {
        n += 1;
    }
    let said = refused(&engine, &session(n, ""));
    assert!(said.ends_with(&format!("table 0 is full: {n} sessions, memory-size says how many")));
    run(&engine, &session(3, "del"));
    run(&engine, &session(n, ""));
    assert!(run(&engine, "show classify tables").contains(&format!("\n         0{n:>10}")));
}

#[test]
fn a_chain_goes_with_its_last_table_first_or_not_at_all() {
    let engine = engine();
    run(&engine, "classify table mask l2 dst");
    run(&engine, "classify table mask l2 src next-table 0");
    run(&engine, "classify table mask l2 proto next-table 0");
    let said = refused(&engine, "classify table del del-chain table 1");
    assert!(said.ends_with("classifier table 0 is in use: table 2 leads to it"), "{said}");
    run(&engine, "classify table table 2 next-table -1");
    run(&engine, "classify table del-chain table 1");
    run(&engine, "classify table del table 2");
    assert_eq!(run(&engine, "show classify tables"), "No classifier tables configured\n");
    assert_eq!(run(&engine, "classify table mask l2 dst"), "table index 0\n");
}

/// Tables and shards without an engine.
struct Bench {
    tables: Tables,
    shards: Vec<Shard>,
}

impl Bench {
    fn new(specs: &[TableSpec], threads: usize) -> Self {
        let tables: Vec<_> = specs.iter().map(|spec| Table::new(*spec).unwrap()).collect();
        let shards = (0..threads).map(|_| {
            let mut shard = Shard::default();
            for (index, table) in (0..).map(TableIndex).zip(&tables) {
                shard.set(index, Some(ShardTable::new(table).unwrap()));
            }
            shard
        });
        let shards = shards.collect();
        Self { tables: Tables(tables.into_iter().map(Some).collect()), shards }
    }

    fn look_up(&mut self, thread: usize, on_miss: OnMiss, packets: &[Box<Buffer>]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        let (shard, now) = (&mut self.shards[thread], EngineTime(1));
        let lookup = Lookup::new(&self.tables, shard, now, on_miss, |o| outcomes.push(o));
        lookup.run(packets.iter().map(|packet| (TableIndex(0), Window::ip(packet))));
        outcomes
    }

    fn configure(&mut self, table: u32, bytes: &[u8], action: Action) {
        let Some(table) = self.tables.get_mut(TableIndex(table)) else { return };
        let key = table.spec.mask.key_of(bytes);
        let hash = table.hash(&key);
        if table.configured.find(&key, hash).is_none() {
            let SessionIndex(at) = table.configured.insert(&key, hash, 1, EngineTime(0)).unwrap();
            table.actions[at as usize] = action;
        }
    }

    fn hits(&self, table: u32) -> HashMap<Vec<u8>, u64> {
        let (index, table) = (TableIndex(table), self.tables.get(TableIndex(table)).unwrap());
        let mut reader = TableReader::new(table);
        self.shards.iter().for_each(|shard| reader.add(shard.get(index)));
        let vectors = table.spec.mask.vectors();
        let mut hits = HashMap::new();
        for read in reader.read() {
            assert_eq!(hits.insert(read.key.bytes(vectors), read.hits), None, "a key stands once");
        }
        hits
    }
}

fn spec(mask: &[u8], memory: usize) -> TableSpec {
    TableSpec {
        mask: Mask::new(mask, None, None).unwrap(),
        buckets: 2,
        memory,
        current_data: None,
        next_table: None,
        miss_next: NextSlot::NONE,
    }
}

fn packet(bytes: &[u8]) -> Box<Buffer> {
    let mut buffer = Box::new(Buffer::empty());
    assert_eq!(buffer.append(bytes), bytes.len());
    buffer.l2_offset = buffer.current_data();
    assert!(buffer.advance(14));
    buffer
}

fn action(opaque: u32) -> Action {
    Action { opaque, ..Action::NONE }
}

proptest! {
    /// Masks of all lengths, sessions from commands and from packets, several threads, a table that fills.
    #[test]
    fn lookups_are_those_of_a_hash_map(
        mask in prop::collection::vec(prop_oneof![Just(0_u8), Just(0xff), Just(0x0f)], 14..100),
        configured in prop::collection::vec(0_u8..40, 0..8),
        packets in prop::collection::vec((0_u8..40, 20_usize..110, 0_usize..3), 1..400),
        learns: bool, memory in 1_usize << 10..1 << 13,
    ) {
        let Ok(known) = Mask::new(&mask, None, None) else { return Ok(()) };
        let mut bench = Bench::new(&[spec(&mask, memory)], 3);
        let bytes = |seed: u8, len: usize| -> Vec<u8> {
            (0..len).map(|at| seed.wrapping_mul(37) ^ at as u8).collect()
        };
        // As long as nothing is cut off, packets of a seed are one session.
        let key = |bytes: &[u8]| known.key_of(bytes).bytes(known.vectors());
        let mut twin: HashMap<Vec<u8>, (bool, [u64; 3])> = HashMap::new();
        for seed in configured {
            let bytes = bytes(seed, 120);
            bench.configure(0, &bytes, action(u32::from(seed)));
            twin.insert(key(&bytes), (true, [0; 3]));
        }
        let limit = bench.shards[0].get(TableIndex(0)).unwrap().learned.limit();
        let on_miss = if learns { OnMiss::Create } else { OnMiss::Pass };
        for batch in packets.chunks(50) {
            for thread in 0..3 {
                let own: Vec<_> = batch.iter().filter(|(.., t)| *t == thread).collect();
                let built: Vec<_> = own.iter().map(|(s, len, _)| packet(&bytes(*s, *len))).collect();
                let outcomes = bench.look_up(thread, on_miss, &built);
                prop_assert_eq!(outcomes.len(), own.len());
                for ((seed, len, _), outcome) in own.into_iter().zip(outcomes) {
                    let key = key(&bytes(*seed, *len));
                    let used = twin.values().filter(|(c, hits)| !c && hits[thread] > 0).count();
                    let expected = match twin.get(&key) {
                        Some((is_configured, hits)) if *is_configured || hits[thread] > 0 => {
                            prop_assert!(matches!(outcome, Outcome::Hit(_)), "{:?}", outcome);
                            outcome
                        }
                        _ if !learns => Outcome::Miss(NextSlot::NONE),
                        _ if used == limit => Outcome::TableFull(NextSlot::NONE),
                        _ => Outcome::Created,
                    };
                    prop_assert_eq!(outcome, expected);
                    if matches!(outcome, Outcome::Hit(_) | Outcome::Created) {
                        twin.entry(key).or_default().1[thread] += 1;
                    }
                }
            }
        }
        let expected = twin.into_iter().map(|(key, (_, hits))| (key, hits.iter().sum::<u64>()));
        prop_assert_eq!(bench.hits(0), expected.collect::<HashMap<_, _>>());
    }
}

#[test]
fn what_one_table_does_not_know_the_next_is_asked() {
    let mut first = spec(&[0xff], 1 << 10);
    first.next_table = Some(TableIndex(1));
    first.miss_next = NextSlot(3);
    let mut second = spec(&[0, 0xff], 1 << 10);
    second.miss_next = NextSlot(5);
    let mut bench = Bench::new(&[first, second], 1);
    bench.configure(0, &[1], action(10));
    bench.configure(1, &[0, 2], action(20));
    let packets: Vec<_> = [[1, 2], [9, 2], [9, 9]]
        .map(|[a, b]| {
            packet(&{
                let mut bytes = [0; 40];
                bytes[..2].copy_from_slice(&[a, b]);
                bytes
            })
        })
        .into();
    let outcomes = bench.look_up(0, OnMiss::Pass, &packets);
    let expected =
        [Outcome::Hit(action(10)), Outcome::ChainHit(action(20)), Outcome::Miss(NextSlot(5))];
    assert_eq!(outcomes, expected);
    let outcomes = bench.look_up(0, OnMiss::Create, &packets);
    assert_eq!(outcomes[1..], [Outcome::ChainHit(action(20)), Outcome::Created]);
    assert_eq!(bench.look_up(0, OnMiss::Create, &packets)[2], Outcome::Hit(Action::NONE));
}
