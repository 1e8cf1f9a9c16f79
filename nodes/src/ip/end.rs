//! Where packets end that are not forwarded, each kind in a node of its own, as traces and `show errors` name them.

use vnet::{
    buffer::Buffer,
    graph::{ArcIndex, Map, NodeSpec, PacketCx, Slot},
    interface::SwIfIndex,
    trace::NoTrace,
};

vnet::next_nodes! {
    /// Where packets go from here.
    pub(crate) enum Next {
        Drop => "error-drop",
        Punt => "error-punt",
    }
}

vnet::node_errors! {
    /// Why packets are not forwarded.
    pub(crate) enum Error {
        Route => ("route", "dropped by its route, or none", Error, Unroutable),
        Punt => ("punt", "punted by its route", Info),
        NotEnabled => ("not-enabled", "received on an interface without addresses of this family", Error),
    }
}

/// Ends all packets for one reason, after the features of an arc.
struct End {
    arc: ArcIndex,
    /// The interface whose features these are, where they are the same for all packets and not those of where one came in.
    of: Option<SwIfIndex>,
    error: Error,
    next: Next,
}

impl Map for End {
    type Error = Error;
    type Next = Next;
    type Trace = NoTrace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        // A lookup that found fault with the routes has said so.
        cx.error_if_none(buffer, self.error);
        cx.start_arc(self.arc, self.of.unwrap_or(buffer.rx), buffer, self.next)
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

fn drop_spec(name: &str, arc: String, error: Error) -> NodeSpec {
    NodeSpec::map(name, move |at| End { arc: at.arc(&arc), of: None, error, next: Next::Drop })
}

fn punt_spec(name: String) -> NodeSpec {
    let of = Some(SwIfIndex::LOCAL0);
    NodeSpec::map(&name.clone(), move |at| End {
        arc: at.arc(&name),
        of,
        error: Error::Punt,
        next: Next::Punt,
    })
}

/// The ends of a family (`ip4` or `ip6`).
pub(crate) fn end_specs(family: &str) -> Vec<NodeSpec> {
    let of = |name: &str| format!("{family}-{name}");
    vec![drop_spec(&of("drop"), of("drop"), Error::Route), punt_spec(of("punt"))]
}

/// The feature that stands on an interface as long as it has no address of the family.
pub(crate) fn not_enabled_spec(family: &str) -> NodeSpec {
    drop_spec(&format!("{family}-not-enabled"), format!("{family}-drop"), Error::NotEnabled)
}
