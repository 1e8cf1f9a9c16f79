//! Variants of observation points, directions, and the arcs and nodes that they mean.

use core::fmt;

use vnet::{
    flow::{Direction, Families, Known, RecordSet},
    graph::FeatureSpec,
};

use crate::site::{Dropped, IpInput, IpOutput, L2Input, L2Output, Site as _};

/// What an observation point measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Variant {
    /// Routed IPv4 packets.
    Ip4,
    /// Routed IPv6 packets.
    Ip6,
    /// Frames of all kinds.
    L2,
    /// What is dropped of the packets that an interface received.
    Drop,
}

/// Whether packets are measured on receipt, on sending, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Directions {
    /// On receipt.
    Rx,
    /// On sending.
    Tx,
    /// Both.
    Both,
}

impl Directions {
    /// The single directions.
    #[must_use]
    pub fn each(self) -> &'static [Direction] {
        match self {
            Self::Rx => &[Direction::Ingress],
            Self::Tx => &[Direction::Egress],
            Self::Both => &[Direction::Ingress, Direction::Egress],
        }
    }
}

/// As `show flowprobe feature` prints it.
impl fmt::Display for Directions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rx => "rx",
            Self::Tx => "tx",
            Self::Both => "rx tx",
        })
    }
}

impl Variant {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Ip4, Self::Ip6, Self::L2, Self::Drop];

    /// The words of the commands.
    pub(crate) const WORDS: [(&'static str, Self); Self::ALL.len()] =
        [("ip4", Self::Ip4), ("ip6", Self::Ip6), ("l2", Self::L2), ("drop", Self::Drop)];

    /// The word of the commands.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ip4 => "ip4",
            Self::Ip6 => "ip6",
            Self::L2 => "l2",
            Self::Drop => "drop",
        }
    }

    /// It and a direction, as the commands have them.
    pub(crate) fn at(self, direction: Direction) -> String {
        match (self, direction) {
            (Self::Drop, _) => self.word().to_owned(),
            (_, Direction::Ingress) => format!("{} rx", self.word()),
            (_, Direction::Egress) => format!("{} tx", self.word()),
        }
    }

    /// Those in which it can measure. Packets that are dropped are those that were received, whatever was to become of them.
    pub(crate) fn directions(self) -> Directions {
        match self {
            Self::Ip4 | Self::Ip6 | Self::L2 => Directions::Both,
            Self::Drop => Directions::Rx,
        }
    }

    /// Name of its report.
    pub(crate) fn report(self) -> &'static str {
        match self {
            Self::Ip4 => "flowprobe-ip4",
            Self::Ip6 => "flowprobe-ip6",
            Self::L2 => "flowprobe-l2",
            Self::Drop => "flowprobe-drop",
        }
    }

    /// What its meter measures. Frames are told apart by their addresses only when there is something to record of them.
    pub(crate) fn families(self, record: RecordSet) -> Families {
        match self {
            Self::L2 if !record.intersects(RecordSet::L3 | RecordSet::L4) => Families::OTHER,
            _ => self.all_families(),
        }
    }

    /// What it sees.
    pub(crate) fn all_families(self) -> Families {
        match self {
            Self::Ip4 => Families::IP4,
            Self::Ip6 => Families::IP6,
            Self::L2 | Self::Drop => Families::all(),
        }
    }

    /// What is known of packets beyond their octets.
    pub(crate) fn known(self, direction: Direction) -> Known {
        match (self, direction) {
            (Self::Ip4 | Self::Ip6, Direction::Ingress) => IpInput::KNOWN,
            (Self::Ip4 | Self::Ip6, Direction::Egress) => IpOutput::KNOWN,
            (Self::L2, Direction::Ingress) => L2Input::KNOWN,
            (Self::L2, Direction::Egress) => L2Output::KNOWN,
            (Self::Drop, _) => Dropped::KNOWN,
        }
    }

    /// Name of the node.
    pub(crate) fn node(self, direction: Direction) -> &'static str {
        match (self, direction) {
            (Self::Ip4, Direction::Ingress) => "flowprobe-input-ip4",
            (Self::Ip4, Direction::Egress) => "flowprobe-output-ip4",
            (Self::Ip6, Direction::Ingress) => "flowprobe-input-ip6",
            (Self::Ip6, Direction::Egress) => "flowprobe-output-ip6",
            (Self::L2, Direction::Ingress) => "flowprobe-input-l2",
            (Self::L2, Direction::Egress) => "flowprobe-output-l2",
            (Self::Drop, _) => "flowprobe-drop",
        }
    }

    /// The arcs on which the node is a feature.
    pub(crate) fn arcs(self, direction: Direction) -> &'static [&'static str] {
        match (self, direction) {
            (Self::Ip4, Direction::Ingress) => &["ip4-unicast", "ip4-multicast"],
            (Self::Ip4, Direction::Egress) => &["ip4-output"],
            (Self::Ip6, Direction::Ingress) => &["ip6-unicast", "ip6-multicast"],
            (Self::Ip6, Direction::Egress) => &["ip6-output"],
            (Self::L2, Direction::Ingress) => &["device-input"],
            (Self::L2, Direction::Egress) => &["interface-output"],
            (Self::Drop, _) => &["error-drop"],
        }
    }

    /// The feature on one of those arcs, before whatever must come after it. Not all of that is in every engine.
    pub(crate) fn feature(self, arc: &str, direction: Direction) -> FeatureSpec {
        let before: &[&str] = match arc {
            "ip4-unicast" => &["ip4-inacl", "ip4-lookup"],
            "ip4-multicast" => &["ip4-mfib-forward-lookup"],
            "ip6-unicast" => &["ip6-inacl", "ip6-lookup"],
            "ip6-multicast" => &["ip6-mfib-forward-lookup"],
            "device-input" => &["sink", "ethernet-input"],
            "interface-output" => &["interface-output-arc-end"],
            "error-drop" => &["drop"],
            _ => &["interface-output"],
        };
        let spec = FeatureSpec::new(arc, self.node(direction));
        before.iter().fold(spec, |spec, node| spec.before_optional(node))
    }
}
