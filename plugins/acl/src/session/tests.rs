//! The table against a map, and against threads.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use proptest::prelude::*;
use vnet::action::ActionId;

use super::{Heard, Insert, Seen, Session, SessionKey, Sessions, Timeouts};
use crate::{direction::Direction, key::layer4};

const TIMEOUTS: Timeouts = Timeouts { udp_idle: 60, tcp_idle: 60, tcp_transient: 60 };

/// Of UDP; its number is its source.
fn key(n: u64) -> SessionKey {
    SessionKey([0, n, 0, 9, layer4(1, 2, 17, 0), 5])
}

fn session(n: u64, heard: u32) -> Session {
    Session {
        key: key(n),
        began: if n.is_multiple_of(2) { Direction::Input } else { Direction::Output },
        first_flags: n as u8,
        heard: Heard(heard),
        seen: Seen(0),
        epoch: n as u32,
        action: ActionId::NONE,
    }
}

fn put(table: &Sessions, n: u64, now: u32) -> Insert {
    table.insert(table.homes(&key(n)), &session(n, now), &TIMEOUTS, Heard(now))
}

fn has(table: &Sessions, n: u64) -> bool {
    let found = table.find(table.homes(&key(n)), &key(n));
    found.is_some_and(|found| {
        let read = found.session();
        assert_eq!((read.key, read.epoch, read.first_flags), (key(n), n as u32, n as u8));
        assert_eq!(read.began, session(n, 0).began);
        true
    })
}

#[derive(Clone, Debug)]
enum Step {
    Put(u64),
    End(u64),
    Hear(u64),
    Wait(u32),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let number = || 0..40_u64;
    prop_oneof![
        8 => number().prop_map(Step::Put),
        2 => number().prop_map(Step::End),
        3 => number().prop_map(Step::Hear),
        1 => (1..500_u32).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
    ]
}

proptest! {
    #[test]
    fn the_table_holds_what_a_map_holds(steps in prop::collection::vec(step(), 1..300)) {
        let table = Sessions::new(64).unwrap();
        let mut map = BTreeMap::new();
        let mut now = 1_u32;
        for step in steps {
            match step {
                Step::Put(n) if map.contains_key(&n) => {}
                Step::Put(n) => {
                    prop_assert_eq!(put(&table, n, now), Insert::Done);
                    map.insert(n, now);
                }
                Step::End(n) => {
                    let found = table.find(table.homes(&key(n)), &key(n));
                    let ended = found.is_some_and(|found| table.end(&found));
                    prop_assert_eq!(ended, map.remove(&n).is_some());
                }
                Step::Hear(n) => {
                    if let Some(found) = table.find(table.homes(&key(n)), &key(n)) {
                        found.hear(Heard(now), Seen(0));
                        map.insert(n, now);
                    }
                }
                Step::Wait(tenths) => now += tenths,
                Step::Sweep => {
                    table.sweep(0..usize::MAX, |session| session.is_over(&TIMEOUTS, Heard(now)));
                    map.retain(|_, heard| now - *heard <= 600);
                }
            }
            for n in 0..40 {
                prop_assert_eq!(has(&table, n), map.contains_key(&n), "{}", n);
            }
            prop_assert_eq!((table.live() as usize, table.iter().count()), (map.len(), map.len()));
        }
    }
}

#[test]
fn there_are_no_more_than_were_asked_for_and_these_find_room() {
    for limit in [1, 10, 1_000, 50_000] {
        let table = Sessions::new(limit).unwrap();
        let done = (0..u64::from(limit)).filter(|n| put(&table, *n, 1) == Insert::Done).count();
        assert!(done * 1_000 >= limit as usize * 999, "{done} of {limit}");
        (u64::from(limit)..2 * u64::from(limit)).for_each(|n| {
            let _: Insert = put(&table, n, 1);
        });
        assert!(table.live() <= limit && table.iter().count() == table.live() as usize);
        let (added, ended) = table.totals();
        assert_eq!((added, ended), (table.live().into(), 0));
    }
}

#[test]
fn what_is_over_makes_room_at_once() {
    let table = Sessions::new(8).unwrap();
    (0..8).for_each(|n| assert_eq!(put(&table, n, 1), Insert::Done));
    assert_eq!(put(&table, 8, 601), Insert::Full);
    // One of the sixteen ways that are looked at holds one that is over.
    assert_eq!(put(&table, 8, 602), Insert::Done);
    assert_eq!((table.live(), table.totals()), (8, (9, 1)));
}

#[test]
fn a_larger_table_takes_over_what_there_is() {
    let table = Sessions::new(100).unwrap();
    (0..100).for_each(|n| {
        let _: Insert = put(&table, n, 1);
    });
    for limit in [1_000, 10] {
        let other = Sessions::new(limit).unwrap();
        other.take_over(&table);
        assert_eq!(other.live(), limit.min(100));
        assert_eq!(other.totals().0 - other.totals().1, u64::from(other.live()));
        assert!(limit < 100 || (0..100).all(|n| has(&other, n)));
    }
}

#[test]
fn threads_that_add_find_and_end_never_see_another_session() {
    let table = Sessions::new(256).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    (0..64).for_each(|n| {
                        let _: bool = has(&table, n);
                    });
                }
            });
        }
        let writers: Vec<_> = (0..2_u64)
            .map(|thread| {
                let table = &table;
                scope.spawn(move || {
                    for round in 0..4_000 {
                        // Each of its own, so that it knows what there is.
                        let n = thread * 32 + round % 32;
                        match table.find(table.homes(&key(n)), &key(n)) {
                            Some(found) => assert!(table.end(&found)),
                            None => assert_eq!(put(table, n, 1), Insert::Done),
                        }
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    let (added, ended) = table.totals();
    assert_eq!((added - ended, table.iter().count()), (table.live().into(), table.live() as usize));
}
