//! Sampling of an interface's packets: `flowprobe sampling`.
//!
//! A setting belongs to an interface and holds for each variant and direction in which it is measured: each of these sites has
//! a selection process of its own ([`vnet::flow::sample::Sampler`]), on each thread, with a selector number that no other one
//! ever has. A setting can change while packets are measured; flows end first, so that no record has packets of two settings.
//!
//! | file | idea |
//! |---|---|
//! | `sites` | what a thread has: samplers by direction and interface |
//! | `settings` | [`SamplingError`], and the operations |
//! | `commands` | the commands |
//! | `options` | what collectors are told |

mod commands;
mod options;
mod settings;
mod sites;

pub use settings::{SamplingError, Site};

pub(crate) use commands::register;
pub(crate) use settings::Settings;
pub(crate) use sites::Sites;
