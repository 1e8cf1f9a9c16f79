//! `ip4-icmp-echo-request`, `ip6-icmp-echo-request`: what asks for an echo becomes one, and goes back.

use std::net::{IpAddr, Ipv6Addr};

use vnet::{
    buffer::{Buffer, BufferFlags},
    frame::Frame,
    graph::{Node, NodeCx, NodeSpec, Verdict},
    interface::{InterfaceView, InterfaceViews},
    plugin::Registrar,
    runtime::Shared,
    wire::{
        checksum, icmp,
        icmp::{kind4, kind6},
        ip4, ip6,
    },
};
use zerocopy::FromBytes;

use super::input::Icmp4Types;
use crate::{
    icmp6::Icmp6Types,
    trace::{Ip4Trace, Ip6Trace, Snap},
};

vnet::next_nodes! {
    /// Where packets go from `ip4-icmp-echo-request`.
    pub(crate) enum Next4 {
        Lookup => "ip4-lookup",
        Drop => "error-drop",
    }
}

vnet::next_nodes! {
    /// Where packets go from `ip6-icmp-echo-request`.
    pub(crate) enum Next6 {
        Lookup => "ip6-lookup",
        Drop => "error-drop",
    }
}

vnet::node_errors! {
    /// What becomes of requests.
    pub(crate) enum Error {
        RepliesSent => ("echo-replies-sent", "echo replies sent", Info),
        NoSource => ("no-source", "no address of our own to answer from", Error),
        Malformed => ("malformed", "echo request without its headers", Error),
        NotOurs => ("not-ours", "link-local address that the interface does not have", Error, ForUs),
    }
}

/// TTL and hop limit of a reply, as in VPP.
const TTL: u8 = 64;

const NODE4: &str = "ip4-icmp-echo-request";
const NODE6: &str = "ip6-icmp-echo-request";

pub(super) fn register(r: &mut Registrar) {
    let views = r.interface_views();
    r.node(NodeSpec::internal(NODE4, |_| Echo4));
    r.node(NodeSpec::internal(NODE6, move |_| Echo6(views.clone())));
    r.on_start(|main| {
        let (four, six) = (main.graph().require(NODE4)?, main.graph().require(NODE6)?);
        if let Some(types) = main.provided::<Icmp4Types>().cloned() {
            types.register(main, kind4::ECHO_REQUEST, four)?;
        }
        if let Some(types) = main.provided::<Icmp6Types>().cloned() {
            types.register(main, kind6::ECHO_REQUEST, six)?;
        }
        Ok(())
    });
}

/// Makes the packet one of this machine.
fn originate(buffer: &mut Buffer) {
    buffer.set_flags(BufferFlags::LOCALLY_ORIGINATED);
    buffer.l3_offset = buffer.current_data();
}

/// Turns the request at the beginning of `message` into the reply.
fn turn(message: &mut [u8], reply: u8) -> Option<&mut icmp::Header> {
    let (icmp, _) = icmp::Header::mut_from_prefix(message).ok()?;
    let (old, new) = (u16::from(icmp.kind) << 8, u16::from(reply) << 8);
    icmp.checksum = checksum::update16(icmp.checksum.get(), old, new).into();
    icmp.kind = reply;
    Some(icmp)
}

struct Echo4;

fn reply4(buffer: &mut Buffer) -> Option<()> {
    let header = buffer.view::<ip4::Header>()?.header_length();
    turn(buffer.current_mut().get_mut(header..)?, kind4::ECHO_REPLY)?;
    let ip = buffer.view_mut::<ip4::Header>()?;
    core::mem::swap(&mut ip.source, &mut ip.destination);
    let [old, new] = [ip.ttl, TTL].map(|ttl| u16::from_be_bytes([ttl, ip.protocol]));
    ip.ttl = TTL;
    ip.checksum = checksum::update16(ip.checksum.get(), old, new).into();
    originate(buffer);
    Some(())
}

impl Node for Echo4 {
    type Error = Error;
    type Next = Next4;
    type Trace = Ip4Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next4, Error>, frame: &mut Frame) -> Verdict<Next4> {
        cx.each(frame, |cx, buffer| match reply4(buffer) {
            Some(()) => {
                cx.count(Error::RepliesSent, 1);
                Next4::Lookup.into()
            }
            None => {
                cx.error(buffer, Error::Malformed);
                Next4::Drop.into()
            }
        })
    }

    fn trace(&self, buffer: &Buffer) -> Ip4Trace {
        Ip4Trace(Snap::current(buffer))
    }
}

struct Echo6(Shared<InterfaceViews>);

/// Turns the request into the reply, of which `own` is the source when the request was for a group of machines (RFC 4443, section
/// 4.2). Extension headers of the request say nothing about the reply, and go.
fn reply6(
    buffer: &mut Buffer,
    own: impl FnOnce(&ip6::Header) -> Option<Ipv6Addr>,
) -> Result<(), Error> {
    let ip = *buffer.view::<ip6::Header>().ok_or(Error::Malformed)?;
    let skip =
        usize::try_from(buffer.l4_offset - buffer.current_data()).map_err(|_| Error::Malformed)?;
    let extensions = skip.checked_sub(size_of::<ip6::Header>()).ok_or(Error::Malformed)?;
    let source = match ip.destination[0] {
        0xff => own(&ip).ok_or(Error::NoSource)?.octets(),
        _ => ip.destination,
    };
    let length =
        u16::try_from(extensions).ok().and_then(|n| ip.payload_length.get().checked_sub(n));
    let payload_length = length.ok_or(Error::Malformed)?;
    let message = buffer.current_mut().get_mut(skip..).ok_or(Error::Malformed)?;
    let icmp = turn(message, kind6::ECHO_REPLY).ok_or(Error::Malformed)?;
    for (old, new) in ip.destination.chunks_exact(2).zip(source.chunks_exact(2)) {
        let [old, new] = [old, new].map(|word| u16::from_be_bytes([word[0], word[1]]));
        icmp.checksum = checksum::update16(icmp.checksum.get(), old, new).into();
    }
    if !buffer.advance(extensions) {
        return Err(Error::Malformed);
    }
    let header = buffer.view_mut::<ip6::Header>().ok_or(Error::Malformed)?;
    *header = ip6::Header {
        payload_length: payload_length.into(),
        next_header: ip4::protocol::ICMP6,
        hop_limit: TTL,
        source,
        destination: ip.source,
        ..ip
    };
    originate(buffer);
    Ok(())
}

/// Answers a request. The reply goes by its route; over the link by which the request came, if its sender is known there alone.
fn answer6(buffer: &mut Buffer, view: Option<&InterfaceView>) -> Result<Next6, Error> {
    let ip = buffer.view::<ip6::Header>().ok_or(Error::Malformed)?;
    let to = Ipv6Addr::from(ip.destination);
    if to.is_unicast_link_local() && view.and_then(|view| view.link_local) != Some(to) {
        return Err(Error::NotOurs);
    }
    let own = |ip: &ip6::Header| match view?.source_for(Ipv6Addr::from(ip.source).into())? {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    };
    reply6(buffer, own).map(|()| Next6::Lookup)
}

impl Node for Echo6 {
    type Error = Error;
    type Next = Next6;
    type Trace = Ip6Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next6, Error>, frame: &mut Frame) -> Verdict<Next6> {
        let views = self.0.read(cx.token());
        cx.each(frame, |cx, buffer| match answer6(buffer, views.get(buffer.rx)) {
            Ok(next) => {
                cx.count(Error::RepliesSent, 1);
                next.into()
            }
            Err(error) => {
                cx.error(buffer, error);
                Next6::Drop.into()
            }
        })
    }

    fn trace(&self, buffer: &Buffer) -> Ip6Trace {
        Ip6Trace(Snap::current(buffer))
    }
}
