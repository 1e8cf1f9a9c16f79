//! Benchmarks of the fast path.
