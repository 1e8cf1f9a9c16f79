//! Sessions: what `permit+reflect` lets pass, in both directions, for as long as its packets come.
//!
//! | file | idea |
//! |---|---|
//! | `key` | which session a packet belongs to |
//! | `state` | when a session is over |
//! | `table` | all sessions, which every thread reads and writes without locks |
//! | `word` | how places of the table change hands |
//! | `cleaner` | `acl-plugin-fa-cleaner-process`: gives up what is over |

pub(crate) mod cleaner;
pub(crate) mod key;
pub(crate) mod state;
pub(crate) mod table;
#[cfg(test)]
mod tests;
mod word;

/// What `word` is made of; its model has other ones.
mod sync {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering, fence};
}

pub(crate) use key::SessionKey;
pub(crate) use state::{Heard, Seen, Timeouts};
pub(crate) use table::{Found, Insert, Session, Sessions};
