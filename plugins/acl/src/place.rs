//! Where lists are asked: the eight nodes and their arcs.

use crate::direction::Direction;

/// A node: what it is about, and where its packets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) direction: Direction,
    pub(crate) is_ip6: bool,
    /// Packets are frames that are bridged; they begin with their Ethernet header.
    pub(crate) is_l2: bool,
}

impl Place {
    pub(crate) const ALL: [Self; 8] = {
        let mut all = [Self { direction: Direction::Input, is_ip6: false, is_l2: false }; 8];
        let mut at = 0;
        while at < all.len() {
            all[at] = Self {
                direction: Direction::ALL[at / 4],
                is_ip6: at / 2 % 2 == 1,
                is_l2: at % 2 == 1,
            };
            at += 1;
        }
        all
    };

    /// Its name.
    pub(crate) const fn node(self) -> &'static str {
        match (self.direction, self.is_ip6, self.is_l2) {
            (Direction::Input, false, false) => "acl-plugin-in-ip4-fa",
            (Direction::Input, false, true) => "acl-plugin-in-ip4-l2",
            (Direction::Input, true, false) => "acl-plugin-in-ip6-fa",
            (Direction::Input, true, true) => "acl-plugin-in-ip6-l2",
            (Direction::Output, false, false) => "acl-plugin-out-ip4-fa",
            (Direction::Output, false, true) => "acl-plugin-out-ip4-l2",
            (Direction::Output, true, false) => "acl-plugin-out-ip6-fa",
            (Direction::Output, true, true) => "acl-plugin-out-ip6-l2",
        }
    }

    /// The arc that it is on.
    pub(crate) const fn arc(self) -> &'static str {
        match (self.direction, self.is_ip6, self.is_l2) {
            (Direction::Input, false, false) => "ip4-unicast",
            (Direction::Input, false, true) => "l2-input-ip4",
            (Direction::Input, true, false) => "ip6-unicast",
            (Direction::Input, true, true) => "l2-input-ip6",
            (Direction::Output, false, false) => "ip4-output",
            (Direction::Output, false, true) => "l2-output-ip4",
            (Direction::Output, true, false) => "ip6-output",
            (Direction::Output, true, true) => "l2-output-ip6",
        }
    }

    /// What tells the ports of fragments, in front of it.
    pub(crate) const fn reassembly(self) -> Option<&'static str> {
        use vnet::{fib::Family, reassembly};
        let family = if self.is_ip6 { Family::Ip6 } else { Family::Ip4 };
        let direction = match self.direction {
            Direction::Input => reassembly::Direction::Input,
            Direction::Output => reassembly::Direction::Output,
        };
        if self.is_l2 { None } else { Some(reassembly::node(family, direction)) }
    }

    /// What comes behind it in any case.
    pub(crate) const fn end(self) -> &'static str {
        match (self.direction, self.is_ip6, self.is_l2) {
            (Direction::Input, false, false) => "ip4-lookup",
            (Direction::Input, true, false) => "ip6-lookup",
            (Direction::Output, _, false) => "interface-output",
            (Direction::Input, _, true) => "l2-input-feat-arc-end",
            (Direction::Output, _, true) => "l2-output-feat-arc-end",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_is_a_node_for_each_place() {
        let names: BTreeSet<_> = Place::ALL.iter().map(|place| place.node()).collect();
        let arcs: BTreeSet<_> = Place::ALL.iter().map(|place| place.arc()).collect();
        assert_eq!((names.len(), arcs.len()), (8, 8));
    }
}
