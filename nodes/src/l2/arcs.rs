//! Feature arcs of bridged frames: by what a frame carries, before anything is done to it and before it leaves.

use vnet::{
    buffer::Buffer,
    error::ErrorSet,
    graph::{ArcIndex, ArcSpec, ArcStart, Gate, Instance, NextSet, PacketCx, Slot},
    interface::{SwIfIndex, Tags},
    plugin::Registrar,
    wire::ethernet::EtherType,
};

/// What frames carry: IPv4, IPv6, something else.
const KINDS: [&str; 3] = ["ip4", "ip6", "nonip"];

/// Which way frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Input,
    Output,
}

impl Direction {
    const fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }

    /// The node where the arcs end, and what was begun is done.
    pub(super) const fn end(self) -> &'static str {
        match self {
            Self::Input => "l2-input-feat-arc-end",
            Self::Output => "l2-output-feat-arc-end",
        }
    }

    fn arc(self, kind: &str) -> String {
        format!("l2-{}-{kind}", self.word())
    }
}

/// Registers the arcs of a direction.
pub(super) fn register(r: &mut Registrar, direction: Direction) {
    let start = format!("l2-{}", direction.word());
    for kind in KINDS {
        r.arc(ArcSpec::new(&direction.arc(kind), &[&start], direction.end()));
    }
}

/// The arcs of a direction.
#[derive(Clone, Copy)]
pub(super) struct Arcs([ArcIndex; KINDS.len()]);

/// Where frames of an interface go first, by what they carry.
#[derive(Clone, Copy)]
pub(super) struct Starts([ArcStart; KINDS.len()]);

impl Arcs {
    pub(super) fn of(at: &Instance<'_>, direction: Direction) -> Self {
        Self(KINDS.map(|kind| at.arc(&direction.arc(kind))))
    }

    /// Arcs on which nothing is ever enabled.
    pub(super) const NONE: Self = Self([ArcIndex::ABSENT; KINDS.len()]);

    /// Where the frames of `interface` go; `None` where nothing is enabled for any of them.
    #[inline]
    pub(super) fn starts<N: NextSet, E: ErrorSet>(
        &self,
        cx: &PacketCx<'_, N, E>,
        interface: SwIfIndex,
    ) -> Option<Starts> {
        let [ip4, ip6, other] = self.0;
        let [ip4, ip6, other] = [
            cx.arc_start(ip4, interface),
            cx.arc_start(ip6, interface),
            cx.arc_start(other, interface),
        ];
        let starts = [ip4, ip6, other];
        starts.iter().any(|start| *start != ArcStart::NO_FEATURE).then_some(Starts(starts))
    }
}

impl Starts {
    /// The gate by which frames may pass all features, whatever they carry.
    pub(super) fn gate<N: NextSet, E: ErrorSet>(&self, cx: &PacketCx<'_, N, E>) -> Option<Gate> {
        let [ip4, ip6, other] = self.0.map(|start| cx.gate(start));
        ip4.filter(|_| ip4 == ip6 && ip4 == other)
    }

    /// Sends a frame to its first feature, or by `end` where there is none for such.
    pub(super) fn enter<N: NextSet, E: ErrorSet>(
        &self,
        cx: &PacketCx<'_, N, E>,
        buffer: &mut Buffer,
        end: Slot<N>,
    ) -> Slot<N> {
        let [ip4, ip6, other] = self.0;
        let start = match Tags::read(buffer.current()) {
            Some((_, EtherType::IP4, _)) => ip4,
            Some((_, EtherType::IP6, _)) => ip6,
            _ => other,
        };
        cx.enter(start, buffer, end)
    }
}
