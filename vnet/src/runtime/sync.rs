//! What the lock-free parts are made of, in one place, so that they can be checked with loom's instead (`tests/models`).

pub(super) use std::sync::{
    Condvar, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering, fence},
};
