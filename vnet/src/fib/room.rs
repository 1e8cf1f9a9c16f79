//! Room for millions of elements without a copy of millions of them, for which packets would wait.

use std::collections::TryReserveError;

/// Elements from which on a vector is one of many: it is copied once, while that takes a fraction of a millisecond.
const MANY: usize = 1 << 16;

/// Makes room for another element of a vector that comes to hold `most` of them. One of many takes the addresses of all that there
/// may be; the kernel gives memory as elements come.
pub(super) fn make_room<T>(vector: &mut Vec<T>, most: usize) {
    let len = vector.len();
    if len == vector.capacity() && len >= MANY {
        // Where addresses are scarce it grows as vectors do.
        let _: Result<(), TryReserveError> = vector.try_reserve_exact(most.saturating_sub(len));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_of_many_is_moved_no_more() {
        const MOST: usize = 1 << 20;
        let (mut vector, mut moves) = (Vec::new(), Vec::new());
        for n in 0..MOST {
            let before = vector.as_ptr();
            make_room(&mut vector, MOST);
            vector.push(n);
            if vector.as_ptr() != before {
                moves.push(n);
            }
        }
        assert!(moves.iter().all(|at| *at <= MANY), "{moves:?}");
        assert!(vector.iter().copied().eq(0..MOST));
        assert_eq!(vector.capacity(), MOST);
    }
}
