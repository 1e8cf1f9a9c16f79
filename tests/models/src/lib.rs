//! Models of the lock-free parts of `vnet::runtime` and of the access lists' sessions, whose files are those of the engine: only what
//! they are made of is loom's.
//!
//! Each test runs its threads in every order in which the memory model lets them; a deadlock is a failure, too.
#![cfg(test)]
#![allow(dead_code, reason = "a model uses what it needs")]

#[path = "../../../vnet/src/runtime/passes.rs"]
mod passes;
#[path = "../../../vnet/src/runtime/rouse.rs"]
mod rouse;
#[path = "../../../vnet/src/runtime/slot.rs"]
mod slot;
#[path = "../../../plugins/acl/src/session/word.rs"]
mod word;

mod sync {
    pub(super) use loom::sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
    };
    pub(super) use std::sync::PoisonError;
}

use loom::{
    cell::UnsafeCell,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use passes::Passes;
use rouse::Rouse;
use slot::Slot;
use word::Word;

/// Runs `model` in all orders with at most so many preemptions, which is where loom's authors say that bugs are.
fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

#[test]
fn who_has_the_box_has_it_alone() {
    check(3, || {
        let slot = Arc::new(Slot::new());
        // What only the owner of the box may touch; loom fails when two do at the same time.
        let shared = Arc::new(UnsafeCell::new(0));
        let (theirs, their_cell) = (slot.clone(), shared.clone());
        let worker = thread::spawn(move || {
            while let Some(mut hold) = theirs.take() {
                let rounds: Option<&mut usize> = hold.get();
                *rounds.unwrap() += 1;
                // SAFETY: loom ends the model where somebody writes meanwhile.
                their_cell.with(|value| assert!(unsafe { *value } <= 2));
                while !theirs.is_wanted() {
                    thread::yield_now();
                }
            }
        });
        let mut rounds = Box::new(0);
        for _ in 0..2 {
            slot.put(rounds);
            slot.want();
            rounds = slot.claim();
            // SAFETY: loom ends the model where somebody looks meanwhile.
            shared.with_mut(|value| unsafe { *value += 1 });
        }
        slot.end();
        worker.join().unwrap();
        assert!(*rounds <= 2);
    });
}

#[test]
fn no_wake_up_is_missed() {
    check(3, || {
        let rouse = Arc::new(Rouse::new());
        let work = Arc::new(AtomicBool::new(false));
        let bell = Arc::new((Mutex::new(false), Condvar::new()));
        let (their_rouse, their_work, their_bell) = (rouse.clone(), work.clone(), bell.clone());
        let other = thread::spawn(move || {
            their_work.store(true, Ordering::Relaxed);
            if their_rouse.rouse() {
                *their_bell.0.lock().unwrap() = true;
                their_bell.1.notify_one();
            }
        });
        // A wake-up that does not come is a deadlock.
        while !work.load(Ordering::Relaxed) {
            if rouse.begin_sleep(|| work.load(Ordering::Relaxed)) {
                let mut rung = bell.0.lock().unwrap();
                while !*rung {
                    rung = bell.1.wait(rung).unwrap();
                }
            }
            rouse.end_sleep();
        }
        other.join().unwrap();
    });
}

#[test]
fn nothing_is_used_again_while_a_worker_may_look_at_it() {
    check(3, || {
        let passes = Arc::new(Passes::new());
        // Names one of two entries, of which the one that is not named is used again once nobody looks at it.
        let word = Arc::new(AtomicUsize::new(0));
        let entries = Arc::new([UnsafeCell::new(1), UnsafeCell::new(1)]);
        let (their_passes, their_word, their_entries) =
            (passes.clone(), word.clone(), entries.clone());
        let worker = thread::spawn(move || {
            for _ in 0..2 {
                let entry = their_word.load(Ordering::Acquire);
                // SAFETY: loom ends the model where somebody writes meanwhile.
                their_entries[entry].with(|value| assert_eq!(unsafe { *value }, 1));
                their_passes.pass();
            }
        });
        word.store(1, Ordering::Release);
        let before = passes.after_edits();
        if passes.has_passed(before) {
            // SAFETY: loom ends the model where somebody looks meanwhile.
            entries[0].with_mut(|value| unsafe { *value = 2 });
        }
        worker.join().unwrap();
    });
}

/// A place of the table of sessions, of which two words are enough.
struct Place {
    word: AtomicU64,
    halves: [AtomicU64; 2],
}

impl Place {
    /// Puts a session of two equal halves in, if the place is free.
    fn put(&self, half: u64) {
        if let Some(claim) = Word(&self.word).claim() {
            self.halves.iter().for_each(|place| place.store(half, Ordering::Relaxed));
            Word(&self.word).publish(claim, word::tag(8));
        }
    }

    /// What a reader finds, and ends if asked to.
    fn read(&self, ends: bool) -> Option<[u64; 2]> {
        let was = Word(&self.word).live_as(word::tag(8))?;
        let read = [0, 1].map(|n: usize| self.halves[n].load(Ordering::Relaxed));
        Word(&self.word).is_still(was).then(|| {
            if ends {
                Word(&self.word).end(was);
            }
            read
        })
    }
}

#[test]
fn a_reader_never_has_halves_of_two_sessions() {
    check(3, || {
        let halves = [AtomicU64::new(1), AtomicU64::new(1)];
        let place = Arc::new(Place { word: AtomicU64::new(u64::from(word::tag(8))), halves });
        let (ended, read) = (place.clone(), place.clone());
        let writer = thread::spawn(move || {
            assert_eq!(ended.read(true), Some([1, 1]));
            ended.put(2);
        });
        let reader = thread::spawn(move || {
            if let Some([a, b]) = read.read(false) {
                assert!(a == b && a > 0, "{a} {b}");
            }
        });
        writer.join().unwrap();
        reader.join().unwrap();
        assert_eq!(place.read(false), Some([2, 2]));
    });
}

#[test]
fn of_two_who_claim_a_place_one_has_it() {
    check(3, || {
        let halves = [AtomicU64::new(0), AtomicU64::new(0)];
        let place = Arc::new(Place { word: AtomicU64::new(0), halves });
        let claimants = [1, 2].map(|half| {
            let place = place.clone();
            thread::spawn(move || place.put(half))
        });
        claimants.into_iter().for_each(|claimant| claimant.join().unwrap());
        assert!(matches!(place.read(true), Some([1, 1] | [2, 2])));
        assert_eq!(place.read(true), None);
    });
}
