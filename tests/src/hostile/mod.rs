//! Command lines that nobody should type: made of what the commands say of their own syntax.
//!
//! | file | idea |
//! |---|---|
//! | `syntax` | a syntax line taken apart |
//! | `values` | what is put where a value is expected: sound, extreme, and of another kind |
//! | `lines` | lines of a syntax, whole and damaged |
//! | `scene` | an engine with all plugins in which they are run, and what must hold behind each |

mod lines;
mod scene;
mod syntax;
mod values;

pub use lines::{Lines, damaged};
pub use scene::{Scene, all_commands};
pub use values::Places;

use crate::random::Random;

/// Makes the decisions: at random, or by what a fuzzer gives.
pub trait Choose {
    /// A number below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize;

    /// One of `things`, of which there are some.
    fn one<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len())]
    }

    /// `true` once in `n` times.
    fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

impl Choose for Random {
    fn below(&mut self, end: usize) -> usize {
        Self::below(self, end)
    }
}
