//! `ip-neighbor-waiting`: lets packets go on whose next hop is known by now, asks again for the others, and gives up in time.
//!
//! It runs on a thread when the process calls it: when something was learnt, and as long as the thread asks for anybody.

use std::net::IpAddr;

use vnet::{
    adjacency::{AdjacencyIndex, AdjacencyKind},
    buffer::Buffer,
    counter::ErrorIndex,
    fib::{DpoKind, Family, ForwardingReader, is_link_local},
    frame::Frame,
    graph::{InputMode, Node, NodeCx, NodeSpec, Verdict},
    neighbor::NeighborKey,
    trace::NoTrace,
};

use super::{
    resolve::{Error, Next, Parts, request, rewrite, tell},
    resolver::{Due, PACKETS_EACH, Resolver},
};

pub(crate) const NODE: &str = "ip-neighbor-waiting";

struct Waiting {
    parts: Parts,
}

/// Registration of the node.
pub(crate) fn spec(parts: &Parts) -> NodeSpec {
    let parts = parts.clone();
    NodeSpec::input(NODE, move |_| Waiting { parts: parts.clone() }).mode(InputMode::Interrupt)
}

/// The adjacency of a neighbour that is known: the one that its packets came by, or that of the route that a neighbour has.
pub(super) fn resolved(
    reader: &ForwardingReader,
    key: NeighborKey,
    own: Option<AdjacencyIndex>,
) -> Option<AdjacencyIndex> {
    let index = own.or_else(|| {
        let fib = reader.fib_of(key.interface, Family::of(key.address));
        let dpo = match key.address {
            IpAddr::V6(address) if is_link_local(key.address) => {
                reader.link_local(key.interface, address)
            }
            IpAddr::V6(to) => reader.load_balance(reader.ip6_table(fib)?.lookup_one(to.to_bits())),
            IpAddr::V4(to) => reader.load_balance(reader.ip4_table(fib)?.lookup_one(to.to_bits())),
        };
        (dpo.kind() == DpoKind::Adjacency).then(|| dpo.adjacency_index())
    })?;
    // Its number may be another's by now.
    let body = reader.adjacency(index);
    let is_its = body.next_hop() == key.address && body.sw_if_index() == key.interface;
    (is_its && body.kind() == AdjacencyKind::Complete).then_some(index)
}

impl Waiting {
    /// Looks at one neighbour; its packets come to the end of `frame` if they are to wait no more.
    fn look(
        &self,
        cx: &mut NodeCx<'_, Next, Error>,
        resolver: &mut Resolver,
        frame: &mut Frame,
        key: NeighborKey,
    ) {
        let Some(pending) = resolver.get(key) else { return };
        let before = frame.len();
        if let Some(adjacency) = resolved(&self.parts.reader, key, pending.adjacency) {
            cx.end_wait(frame, &mut resolver.waiting, pending.queue);
            for buffer in cx.buffers(frame).behind(before).iter_mut() {
                buffer.adjacency = adjacency.0;
                buffer.error = ErrorIndex::NONE;
            }
            resolver.forget(key);
            return;
        }
        if !self.parts.links.read(cx.token()).get(key.interface).is_some_and(|link| link.up) {
            cx.end_wait(frame, &mut resolver.waiting, pending.queue);
            resolver.forget(key);
            return;
        }
        match resolver.look(key, cx.now()) {
            Due::Nothing => {}
            Due::Request => request(cx, &self.parts, key),
            Due::GiveUp => {
                cx.end_wait(frame, &mut resolver.waiting, pending.queue);
            }
            Due::Forget => resolver.forget(key),
        }
    }
}

fn family_of(buffer: &Buffer) -> Family {
    match buffer.current().first().map(|octet| octet >> 4) {
        Some(6) => Family::Ip6,
        _ => Family::Ip4,
    }
}

impl Node for Waiting {
    type Error = Error;
    type Next = Next;
    type Trace = NoTrace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        let Some(mut resolver) = cx.take_local(self.parts.resolver) else {
            return Verdict::PerPacket;
        };
        let keys = resolver.take_all();
        for &key in &keys {
            // The rest is looked at when the process calls again, which it does when the frame has left.
            if frame.room() < PACKETS_EACH {
                self.parts.news.ring();
                break;
            }
            self.look(cx, &mut resolver, frame, key);
        }
        resolver.put_back(keys);
        cx.put_local(self.parts.resolver, resolver);
        cx.each(frame, |_, buffer| {
            let family = family_of(buffer);
            match buffer.error {
                ErrorIndex::NONE => rewrite(family).into(),
                _ => tell(family, buffer).into(),
            }
        })
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
