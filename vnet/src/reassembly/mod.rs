//! Fragments for those who need more than one of them: what features know of the datagram of a fragment.
//!
//! *Shallow virtual reassembly* puts no datagram together. Its nodes (`ip4-sv-reassembly-feature` and the like) remember what the first
//! fragment of each datagram begins with, and note it on all of them: [`Layer4`]. Fragments that come before the first wait for it.
//!
//! # For features that look at ports
//! Have the nodes in front of yours on the interface ([`enable`]; give it back by [`disable`], once for each time), register your own
//! node `.after_optional(node)` with the name that [`node`] says, and read [`Layer4::of`], which is right for whole packets and for
//! fragments alike. Between packets of different interfaces and tables nothing is mixed up: the table is part of what names a datagram.

mod layer4;

pub use layer4::Layer4;

use crate::{fib::Family, graph::FeatureError, interface::SwIfIndex, runtime::Main};

/// On which way of packets through an interface a feature looks at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Packets that were received: `ip4-unicast`, `ip6-unicast`.
    Input,
    /// Packets that are to be sent: `ip4-output`, `ip6-output`.
    Output,
}

/// The arc of a family for a direction.
#[must_use]
pub const fn arc(family: Family, direction: Direction) -> &'static str {
    match (family, direction) {
        (Family::Ip4, Direction::Input) => "ip4-unicast",
        (Family::Ip4, Direction::Output) => "ip4-output",
        (Family::Ip6, Direction::Input) => "ip6-unicast",
        (Family::Ip6, Direction::Output) => "ip6-output",
    }
}

/// The node on that arc by which [`Layer4`] is noted.
#[must_use]
pub const fn node(family: Family, direction: Direction) -> &'static str {
    match (family, direction) {
        (Family::Ip4, Direction::Input) => "ip4-sv-reassembly-feature",
        (Family::Ip4, Direction::Output) => "ip4-sv-reassembly-output-feature",
        (Family::Ip6, Direction::Input) => "ip6-sv-reassembly-feature",
        (Family::Ip6, Direction::Output) => "ip6-sv-reassembly-output-feature",
    }
}

/// Has [`Layer4`] noted on the fragments of an interface, as often as it is asked for.
///
/// # Errors
/// When the built-in nodes are not in the engine.
pub fn enable(
    main: &mut Main,
    family: Family,
    direction: Direction,
    interface: SwIfIndex,
) -> Result<(), FeatureError> {
    main.enable_feature(arc(family, direction), node(family, direction), interface, 0)
}

/// Takes one [`enable`] back.
///
/// # Errors
/// When nobody has asked for it any more.
pub fn disable(
    main: &mut Main,
    family: Family,
    direction: Direction,
    interface: SwIfIndex,
) -> Result<(), FeatureError> {
    main.disable_feature(arc(family, direction), node(family, direction), interface)
}
