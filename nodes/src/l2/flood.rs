//! `l2-flood`: a copy for each interface of a bridge domain.

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict},
    interface::SwIfIndex,
    l2::{Domain, L2, Layer2, Member},
    wire::ethernet::Header,
};

use super::{
    arcs::{Arcs, Direction},
    input::{has_output, receive_by_bvi},
    trace::FloodTrace,
};

vnet::next_nodes! {
    /// Where copies go.
    pub(super) enum Next {
        Drop => "error-drop",
        Output => "interface-output",
        L2Output => "l2-output",
        Bvi => "ethernet-input",
    }
}

vnet::node_errors! {
    /// What `l2-flood` counts.
    pub(super) enum Error named by text {
        Copies => ("copies", "L2 flood copies", Info),
        Failed => ("repl-fail", "L2 replication failures", Error),
        NoMembers => ("no-members", "L2 replication complete", Error),
    }
}

/// The node.
pub(super) struct Flood {
    l2: L2,
    output: Arcs,
}

impl Flood {
    pub(super) fn spec(l2: L2) -> NodeSpec {
        NodeSpec::internal("l2-flood", move |at| Self {
            l2: l2.clone(),
            output: Arcs::of(at, Direction::Output),
        })
    }
}

/// What is known of all ports.
#[derive(Clone, Copy)]
struct Known<'a> {
    layer2: &'a Layer2,
    output: &'a Arcs,
}

type Cx<'a, 'd> = &'a mut NodeCx<'d, Next, Error>;

/// Sends copies of a frame to all who are to have it but the last, who gets the frame.
fn flood(cx: Cx<'_, '_>, known: Known<'_>, buffer: &mut Buffer) -> Slot<Next> {
    let layer2 = known.layer2;
    let from = layer2.port(buffer.rx);
    let Some(domain) = from.domain().and_then(|index| layer2.domain(index)) else {
        cx.error(buffer, Error::NoMembers);
        return Next::Drop.into();
    };
    let to_station = buffer.view::<Header>().is_some_and(|h| !h.destination.is_multicast());
    let rx = buffer.rx;
    let gets = |member: &&Member| {
        let to = layer2.port(member.interface);
        // A BVI has the one address that is known.
        let is_for = !to_station || domain.bvi != Some(member.interface);
        member.interface != rx && is_for && !to.is_behind_horizon(from.shg)
    };
    let mut targets = domain.members.iter().filter(gets).map(|member| member.interface);
    let Some(mut target) = targets.next() else {
        cx.error(buffer, Error::NoMembers);
        return Next::Drop.into();
    };
    let (mut copies, mut failed) = (0, 0);
    for next in targets {
        match copy(cx, known, domain, buffer, target) {
            true => copies += 1,
            false => failed += 1,
        }
        target = next;
    }
    cx.count(Error::Copies, copies);
    cx.count(Error::Failed, failed);
    if domain.bvi == Some(target) {
        receive_by_bvi(cx, buffer, target);
        return Next::Bvi.into();
    }
    buffer.tx = target;
    way(cx, known, domain, target)
}

fn way(
    cx: &PacketCx<'_, Next, Error>,
    known: Known<'_>,
    domain: &Domain,
    target: SwIfIndex,
) -> Slot<Next> {
    match has_output(cx, known.output, known.layer2, target) {
        _ if domain.bvi == Some(target) => Next::Bvi,
        true => Next::L2Output,
        false => Next::Output,
    }
    .into()
}

/// Sends a copy; whether there was a buffer for it.
fn copy(
    cx: Cx<'_, '_>,
    known: Known<'_>,
    domain: &Domain,
    buffer: &Buffer,
    target: SwIfIndex,
) -> bool {
    let is_bvi = domain.bvi == Some(target);
    let way = way(cx, known, domain, target);
    let sent = cx.send_copy(buffer, way, |copy| {
        (copy.rx, copy.tx) = if is_bvi { (target, SwIfIndex::NONE) } else { (buffer.rx, target) };
    });
    if sent && is_bvi {
        let bytes = buffer.length_in_chain() as u64;
        cx.state_ref().interfaces.rx.add(target.0, 1, bytes);
    }
    sent
}

impl Node for Flood {
    type Error = Error;
    type Next = Next;
    type Trace = FloodTrace;

    fn process(&mut self, cx: Cx<'_, '_>, frame: &mut Frame) -> Verdict<Next> {
        let known = Known { layer2: self.l2.read(cx.token()), output: &self.output };
        let mut buffers = cx.buffers(frame);
        for i in 0..buffers.len() {
            let Some(buffer) = buffers.get(i) else { break };
            let next = flood(cx, known, buffer);
            cx.set_next(i, next);
        }
        Verdict::PerPacket
    }

    fn trace(&self, buffer: &Buffer) -> FloodTrace {
        FloodTrace::of(buffer)
    }
}
