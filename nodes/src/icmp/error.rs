//! `ip4-icmp-error`, `ip6-icmp-error`: senders are told what became of their packets.

use core::marker::PhantomData;
use std::net::IpAddr;

use vnet::{
    buffer::{Buffer, BufferFlags},
    fib::Family,
    frame::Frame,
    graph::{Node, NodeCx, NodeSpec, Verdict},
    interface::{InterfaceView, InterfaceViews},
    plugin::Registrar,
    runtime::Shared,
    trace::NoTrace,
};

use super::{
    family::{Error, Offender, Version},
    ip4::Ip4,
    ip6::Ip6,
    limit::{Limit, Limits, Tokens},
    report::Report,
};

pub(super) fn register(r: &mut Registrar, limits: &Limits) {
    r.node(spec::<Ip4>(r.interface_views(), limits.clone()));
    r.node(spec::<Ip6>(r.interface_views(), limits.clone()));
}

fn spec<V: Version>(views: Shared<InterfaceViews>, limits: Limits) -> NodeSpec {
    NodeSpec::internal(V::ERROR_NODE, move |_| Teller::<V> {
        views: views.clone(),
        limits: limits.clone(),
        tokens: [Tokens::new(), Tokens::new()],
        sent: 0,
        of: PhantomData,
    })
}

/// The node.
struct Teller<V> {
    views: Shared<InterfaceViews>,
    limits: Limits,
    /// For messages about sizes, on which path MTU discovery depends, and for all others.
    tokens: [Tokens; 2],
    /// Messages so far; their identification (RFC 6864).
    sent: u16,
    of: PhantomData<fn() -> V>,
}

type Cx<'a, 'd, V> = &'a mut NodeCx<'d, <V as Version>::Next, Error>;

impl<V: Version> Teller<V> {
    /// Tells the sender of `buffer`; what is counted for it.
    fn tell(
        &mut self,
        cx: Cx<'_, '_, V>,
        buffer: &mut Buffer,
        limit: Limit,
    ) -> Result<Error, Error> {
        let report = Report::of(buffer);
        if buffer.flags().contains(BufferFlags::LOCALLY_ORIGINATED) {
            return Err(Error::Own);
        }
        if !buffer.rewind_to(buffer.l3_offset) {
            return Err(Error::Malformed);
        }
        let offender = V::offender(buffer, report)?;
        let token = cx.token();
        let view = self.views.read(token).get(buffer.rx).ok_or(Error::NoSource)?;
        let about_groups = V::FAMILY == Family::Ip6 && report.is_about_groups();
        if !about_groups && was_sent_to_many(buffer, view) {
            return Err(Error::NotUnicast);
        }
        let source = source(view, report, &offender).ok_or(Error::NoSource)?;
        let tokens = &mut self.tokens[usize::from(!report.is_about_size())];
        if !tokens.take(limit, cx.now(), offender.hash) {
            return Err(Error::RateLimited);
        }
        self.sent = self.sent.wrapping_add(1);
        let identification = self.sent;
        let sent = cx.emit(V::lookup(), |cx, message| {
            build::<V>(cx, message, buffer, report, source, &offender, identification).is_some()
        });
        if sent { Ok(V::counter(report)) } else { Err(Error::NoBuffer) }
    }
}

/// Whether the frame around the packet was for more than one.
fn was_sent_to_many(buffer: &Buffer, view: &InterfaceView) -> bool {
    let in_front = i32::from(buffer.l3_offset) - i32::from(buffer.l2_offset);
    view.ethernet
        && in_front >= 14
        && buffer.from_offset(buffer.l2_offset).first().is_some_and(|octet| octet & 1 == 1)
}

/// The address that speaks: that which the packet was for, if it came to its end here, or one of the interface that it came in by
/// (RFC 1812, section 4.3.2.4; RFC 4443, section 2.2).
fn source(view: &InterfaceView, report: Report, offender: &Offender) -> Option<IpAddr> {
    if report.is_of_end() {
        return Some(offender.destination);
    }
    view.source_for(offender.sender)
}

/// Builds the message in an empty buffer.
fn build<V: Version>(
    cx: &NodeCx<'_, V::Next, Error>,
    message: &mut Buffer,
    about: &Buffer,
    report: Report,
    source: IpAddr,
    offender: &Offender,
    identification: u16,
) -> Option<()> {
    message.extend(V::HEADERS)?;
    let mut left = offender.length.min(V::MOST_QUOTED);
    cx.for_each_segment(about, |bytes| {
        let part = &bytes[..bytes.len().min(left)];
        left -= message.append(part);
    });
    V::write(message.current_mut(), report, source, offender.sender, identification)?;
    message.rx = about.rx;
    message.set_flags(BufferFlags::LOCALLY_ORIGINATED);
    message.l3_offset = message.current_data();
    message.l4_offset = message.current_data() + (V::HEADERS - 8) as i16;
    message.time = cx.packet_time();
    message.wire_length = message.len() as u32;
    Some(())
}

impl<V: Version> Node for Teller<V> {
    type Error = Error;
    type Next = V::Next;
    type Trace = NoTrace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, V::Next, Error>,
        frame: &mut Frame,
    ) -> Verdict<V::Next> {
        let limit = self.limits.read(cx.token())[V::FAMILY as usize];
        if limit.rate == 0 {
            return Verdict::All(V::drop());
        }
        cx.each_in_order(frame, |cx, buffer| {
            if buffer.flags().contains(BufferFlags::TRACED) {
                cx.leave_trace(buffer, &NoTrace);
            }
            let counter = self.tell(cx, buffer, limit).unwrap_or_else(|why| why);
            cx.count(counter, 1);
            Some(V::drop())
        })
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
