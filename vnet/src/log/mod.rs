//! What the operator reads: a ring of messages with classes and levels, as `show logging` prints it.
//!
//! Every message belongs to a class, and maybe a subclass, that control-plane code registers once. A class keeps
//! messages up to one level in the ring, and passes those up to another level on to the configured output (standard
//! error, a log file). A class that talks too much is throttled, and says how much it did not say. The fast path does
//! not log: it counts and traces.
//!
//! ```
//! use std::time::{Duration, SystemTime};
//! use vnet::{log::{Level, Log, Stamp}, runtime::EngineTime};
//!
//! let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_231_200_123);
//! let log = Log::new(move || Stamp { engine: EngineTime(0), wall });
//! let load = log.class("plugin", "load");
//! log.write(load, Level::Notice, format_args!("loaded {}", "flowprobe"));
//! let (text, _json) = log.show();
//! assert_eq!(text, "2026/11/21 03:20:00:123 notice     plugin/load    loaded flowprobe\n");
//! ```

mod class;
mod commands;
mod date;
mod level;
mod ring;

pub use class::{ClassSettings, LogClass};
pub(crate) use commands::commands;
pub use level::{Level, UnknownLevel};
pub use ring::{Entry, Log, Stamp, UnknownClass};
