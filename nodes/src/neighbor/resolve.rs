//! `ip4-arp`, `ip4-glean`, `ip6-discover-neighbor`, `ip6-glean`: packets whose next hop has no MAC address yet wait here, and it is
//! asked for.

use std::net::IpAddr;

use vnet::{
    adjacency::{AdjacencyIndex, AdjacencyKind},
    buffer::{Buffer, BufferFlags},
    counter::ErrorIndex,
    fib::{Family, ForwardingReader},
    frame::{FRAME_SIZE, Frame},
    graph::{ArcIndex, Node, NodeCx, NodeSpec, Slot, Verdict},
    neighbor::NeighborKey,
    process::Mailbox,
    runtime::{Local, Shared},
    trace::NoTrace,
    wire::{ip4, ip6},
};

use crate::icmp::Report;

use super::{
    counts::Counts,
    frame,
    links::Links,
    news::News,
    resolver::{Answer, Resolver},
    waiting::resolved,
};

vnet::next_nodes! {
    /// Where packets go from here, and questions.
    pub(crate) enum Next {
        Drop => "error-drop",
        Output => "interface-output",
        Rewrite4 => "ip4-rewrite",
        Rewrite6 => "ip6-rewrite",
        IcmpError4 => "ip4-icmp-error",
        IcmpError6 => "ip6-icmp-error",
    }
}

vnet::node_errors! {
    /// Why packets end here, and what was done about it.
    pub(crate) enum Error {
        Unresolved => ("unresolved", "next hop has no MAC address", Error, Adjacency),
        Glean => ("glean", "destination has no MAC address", Error, Adjacency),
        Crowded => ("queue-full", "too many packets wait for a MAC address", Error, Adjacency),
        Throttled => ("throttled", "address resolution throttled", Error, Adjacency),
        NoSource => ("no-source", "no source address for the request", Warn),
        RequestSent => ("request-sent", "requests sent", Info),
        NoBuffers => ("no-buffers", "out of buffers for a request", Warn),
    }
}

/// What all nodes of this kind have.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) reader: ForwardingReader,
    pub(crate) links: Shared<Links>,
    pub(crate) resolver: Local<Resolver>,
    pub(crate) news: Mailbox<News>,
    pub(crate) counts: Counts,
}

/// Registration of the four nodes.
pub(crate) fn specs(parts: &Parts) -> Vec<NodeSpec> {
    let of = |name: &str, family: Family, unknown: Error| {
        let (parts, arc) = (parts.clone(), drop_arc(family));
        NodeSpec::internal(name, move |at| Resolve {
            parts: parts.clone(),
            family,
            unknown,
            arc: at.arc(arc),
            fates: [Fate::Drop(Error::Unresolved); FRAME_SIZE],
            requests: Vec::with_capacity(FRAME_SIZE),
        })
    };
    vec![
        of("ip4-arp", Family::Ip4, Error::Unresolved),
        of("ip4-glean", Family::Ip4, Error::Glean),
        of("ip6-discover-neighbor", Family::Ip6, Error::Unresolved),
        of("ip6-glean", Family::Ip6, Error::Glean),
    ]
}

/// The arc on which packets of a family are dropped.
pub(super) const fn drop_arc(family: Family) -> &'static str {
    match family {
        Family::Ip4 => "ip4-drop",
        Family::Ip6 => "ip6-drop",
    }
}

struct Resolve {
    parts: Parts,
    family: Family,
    /// Why packets are dropped that waited in vain.
    unknown: Error,
    arc: ArcIndex,
    fates: [Fate; FRAME_SIZE],
    /// Whom to ask for; kept for its memory.
    requests: Vec<NeighborKey>,
}

/// What becomes of a packet.
#[derive(Clone, Copy)]
enum Fate {
    /// The next hop is known by now.
    Known,
    Wait(usize),
    Drop(Error),
}

impl Resolve {
    fn decide(
        &mut self,
        cx: &NodeCx<'_, Next, Error>,
        resolver: &mut Resolver,
        buffer: &mut Buffer,
    ) -> Fate {
        let index = AdjacencyIndex(buffer.adjacency);
        let adjacency = self.parts.reader.adjacency(index);
        let (address, own) = match adjacency.kind() {
            AdjacencyKind::Complete | AdjacencyKind::Midchain => return Fate::Known,
            AdjacencyKind::Incomplete => (adjacency.next_hop(), Some(index)),
            AdjacencyKind::Glean => match self.destination(buffer) {
                Some(destination) => (destination, None),
                None => return Fate::Drop(self.unknown),
            },
        };
        let key = NeighborKey { interface: adjacency.sw_if_index(), address };
        if Family::of(address) != self.family {
            return Fate::Drop(self.unknown);
        }
        // It came by a prefix in another table than that of the link, or the host was learnt meanwhile.
        if own.is_none()
            && let Some(known) = resolved(&self.parts.reader, key, None)
        {
            buffer.adjacency = known.0;
            return Fate::Known;
        }
        let link = self.parts.links.read(cx.token()).get(key.interface);
        let generation = link.map_or(0, |link| link.generation);
        match resolver.ask(key, own, generation, cx.now()) {
            Answer::Wait { queue, request } => {
                if request {
                    self.requests.push(key);
                }
                Fate::Wait(queue)
            }
            Answer::Failed => Fate::Drop(self.unknown),
            Answer::Full => Fate::Drop(Error::Throttled),
        }
    }

    fn destination(&self, buffer: &Buffer) -> Option<IpAddr> {
        Some(match self.family {
            Family::Ip4 => buffer.view::<ip4::Header>()?.destination.into(),
            Family::Ip6 => buffer.view::<ip6::Header>()?.destination.into(),
        })
    }

    fn drop(&self, cx: &NodeCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        cx.start_arc(self.arc, buffer.rx, buffer, Next::Drop)
    }
}

/// Sends the question who has an address; counts what came of it.
pub(super) fn request(cx: &mut NodeCx<'_, Next, Error>, parts: &Parts, key: NeighborKey) {
    // Advertisements are believed when they were asked for. A letter for which there is no room comes with the next request; the
    // process is woken all the same.
    match key.address {
        IpAddr::V4(_) => parts.news.ring(),
        IpAddr::V6(_) => {
            let _: bool = parts.news.put(News::Asked(key));
        }
    }
    let link = parts.links.read(cx.token()).get(key.interface);
    let Some(bytes) = link.and_then(|link| frame::request(link, key.address, None)) else {
        cx.count(Error::NoSource, 1);
        return;
    };
    let sent = cx.emit(Next::Output.into(), |_, buffer| frame::fill(buffer, key.interface, &bytes));
    if sent {
        parts.counts.sent(cx, key.interface, &bytes);
    }
    cx.count(if sent { Error::RequestSent } else { Error::NoBuffers }, 1);
}

impl Node for Resolve {
    type Error = Error;
    type Next = Next;
    type Trace = NoTrace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        let Some(mut resolver) = cx.take_local(self.parts.resolver) else {
            return Verdict::All(Next::Drop.into());
        };
        let mut buffers = cx.buffers(frame);
        for i in 0..buffers.len() {
            let Some(buffer) = buffers.get(i) else { break };
            let fate = self.decide(cx, &mut resolver, buffer);
            Report::forget(buffer);
            match fate {
                Fate::Known => {}
                // Should it wait in vain, it has its reason.
                Fate::Wait(_) => {
                    cx.error(buffer, self.unknown);
                    if buffer.flags().contains(BufferFlags::TRACED) {
                        cx.leave_trace(buffer, &NoTrace);
                    }
                }
                Fate::Drop(error) => {
                    cx.error(buffer, error);
                    if error == self.unknown {
                        tell(self.family, buffer);
                    }
                }
            }
            self.fates[i] = fate;
        }
        let fates = &self.fates;
        let queue = |i: usize| match fates[i] {
            Fate::Wait(queue) => Some(queue),
            Fate::Known | Fate::Drop(_) => None,
        };
        let crowded = |cx: &mut NodeCx<'_, Next, Error>, buffer: &mut Buffer| {
            cx.error(buffer, Error::Crowded);
        };
        cx.let_wait(frame, &mut resolver.waiting, queue, crowded);
        cx.put_local(self.parts.resolver, resolver);
        let mut requests = core::mem::take(&mut self.requests);
        requests.drain(..).for_each(|key| request(cx, &self.parts, key));
        self.requests = requests;
        let mut buffers = cx.buffers(frame);
        for i in 0..buffers.len() {
            let Some(buffer) = buffers.get(i) else { break };
            let kind = self.parts.reader.adjacency(AdjacencyIndex(buffer.adjacency)).kind();
            let is_known = buffer.error == ErrorIndex::NONE && kind == AdjacencyKind::Complete;
            let next = match is_known {
                true => rewrite(self.family).into(),
                false if Report::is_noted(buffer) => tell(self.family, buffer).into(),
                false => self.drop(cx, buffer),
            };
            cx.set_next(i, next);
        }
        Verdict::PerPacket
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

/// Where packets go whose next hop did not answer: their senders are told (RFC 1812, section 5.2.7.1; RFC 4443, section 3.1).
pub(super) fn tell(family: Family, buffer: &mut Buffer) -> Next {
    let (report, next) = match family {
        Family::Ip4 => (Report::HOST4, Next::IcmpError4),
        Family::Ip6 => (Report::HOST6, Next::IcmpError6),
    };
    report.note(buffer);
    next
}

/// Where packets go whose next hop is known.
pub(super) const fn rewrite(family: Family) -> Next {
    match family {
        Family::Ip4 => Next::Rewrite4,
        Family::Ip6 => Next::Rewrite6,
    }
}
