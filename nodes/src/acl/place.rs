//! Where tables can be: what packets are of, and which way they go.

use core::fmt;

use crate::classify::attach;

/// What a table is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// IPv4 packets.
    Ip4,
    /// IPv6 packets.
    Ip6,
    /// Frames that are bridged.
    L2,
    /// IPv4 packets that are punted.
    Ip4Punt,
    /// IPv6 packets that are punted.
    Ip6Punt,
}

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Direction {
    /// They have been received.
    Input,
    /// They are to be sent.
    Output,
}

/// Both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) direction: Direction,
    pub(super) kind: Kind,
}

impl Kind {
    /// In the order in which commands name them.
    pub(super) const ALL: [Self; 5] =
        [Self::Ip4, Self::Ip6, Self::L2, Self::Ip4Punt, Self::Ip6Punt];
    /// Those of packets that are sent as well.
    pub(super) const BOTH_WAYS: [Self; 3] = [Self::Ip4, Self::Ip6, Self::L2];
    /// Those of what is punted, whichever interface it came in by.
    pub(super) const PUNTED: [Self; 2] = [Self::Ip4Punt, Self::Ip6Punt];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ip4 => "ip4",
            Self::Ip6 => "ip6",
            Self::L2 => "l2",
            Self::Ip4Punt => "ip4-punt",
            Self::Ip6Punt => "ip6-punt",
        }
    }
}

impl Direction {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

impl Place {
    /// Where these end.
    pub(super) const fn end(self) -> &'static str {
        match (self.direction, self.kind) {
            (Direction::Input, Kind::Ip4) => "ip4-lookup",
            (Direction::Input, Kind::Ip6) => "ip6-lookup",
            (Direction::Input, Kind::L2) => "l2-input-feat-arc-end",
            (_, Kind::Ip4Punt | Kind::Ip6Punt) => "error-punt",
            (Direction::Output, Kind::Ip4 | Kind::Ip6) => "interface-output",
            (Direction::Output, Kind::L2) => "l2-output-feat-arc-end",
        }
    }

    /// The feature that comes right behind, where there is one.
    pub(super) const fn later(self) -> Option<&'static str> {
        match self.kind {
            Kind::Ip4Punt => Some("ip4-punt-redirect"),
            Kind::Ip6Punt => Some("ip6-punt-redirect"),
            Kind::Ip4 | Kind::Ip6 | Kind::L2 => None,
        }
    }

    /// The node of the plugin with access lists of its own that comes before, where there is one.
    pub(super) const fn list_of_plugin(self) -> Option<&'static str> {
        match (self.direction, self.kind) {
            (Direction::Input, Kind::Ip4) => Some("acl-plugin-in-ip4-fa"),
            (Direction::Input, Kind::Ip6) => Some("acl-plugin-in-ip6-fa"),
            (Direction::Output, Kind::Ip4) => Some("acl-plugin-out-ip4-fa"),
            (Direction::Output, Kind::Ip6) => Some("acl-plugin-out-ip6-fa"),
            (_, Kind::L2 | Kind::Ip4Punt | Kind::Ip6Punt) => None,
        }
    }
}

impl attach::Place for Place {
    const ALL: &'static [Self] = {
        use Direction::{Input, Output};
        &[
            Self { direction: Input, kind: Kind::Ip4 },
            Self { direction: Input, kind: Kind::Ip6 },
            Self { direction: Input, kind: Kind::L2 },
            Self { direction: Input, kind: Kind::Ip4Punt },
            Self { direction: Input, kind: Kind::Ip6Punt },
            Self { direction: Output, kind: Kind::Ip4 },
            Self { direction: Output, kind: Kind::Ip6 },
            Self { direction: Output, kind: Kind::L2 },
        ]
    };
    const PURPOSE: &'static str = "access list";

    fn node(self) -> &'static str {
        match (self.direction, self.kind) {
            (Direction::Input, Kind::Ip4) => "ip4-inacl",
            (Direction::Input, Kind::Ip6) => "ip6-inacl",
            (Direction::Input, Kind::L2) => "l2-input-acl",
            (_, Kind::Ip4Punt) => "ip4-punt-acl",
            (_, Kind::Ip6Punt) => "ip6-punt-acl",
            (Direction::Output, Kind::Ip4) => "ip4-outacl",
            (Direction::Output, Kind::Ip6) => "ip6-outacl",
            (Direction::Output, Kind::L2) => "l2-output-acl",
        }
    }

    // One, but for frames, which go by what they carry.
    fn arcs(self) -> &'static [&'static str] {
        match (self.direction, self.kind) {
            (Direction::Input, Kind::Ip4) => &["ip4-unicast"],
            (Direction::Input, Kind::Ip6) => &["ip6-unicast"],
            (Direction::Input, Kind::L2) => &["l2-input-ip4", "l2-input-ip6", "l2-input-nonip"],
            (_, Kind::Ip4Punt) => &["ip4-punt"],
            (_, Kind::Ip6Punt) => &["ip6-punt"],
            (Direction::Output, Kind::Ip4) => &["ip4-output"],
            (Direction::Output, Kind::Ip6) => &["ip6-output"],
            (Direction::Output, Kind::L2) => &["l2-output-ip4", "l2-output-ip6", "l2-output-nonip"],
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.direction.word())
    }
}
