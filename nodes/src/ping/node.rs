//! `ip4-icmp-echo-reply`, `ip6-icmp-echo-reply`, and `ip4-icmp-error-reply`, `ip6-icmp-error-reply`: what comes back to probes.

use std::net::{Ipv4Addr, Ipv6Addr};

use vnet::{
    buffer::Buffer,
    fib::Family,
    frame::Frame,
    graph::{Node, NodeCx, NodeSpec, Verdict},
    plugin::Registrar,
    wire::{
        icmp::{kind4, kind6},
        ip4::{self, protocol},
        ip6::{self, upper_layer},
    },
};
use zerocopy::FromBytes;

use super::mailbox::{Answer, Mailboxes, Open};
use crate::{
    icmp::Icmp4Types,
    icmp6::Icmp6Types,
    trace::{Ip4Trace, Snap},
};

vnet::next_nodes! {
    /// Where answers go when they have been read, or nobody waits for them.
    pub(crate) enum Next {
        Drop => "error-drop",
    }
}

vnet::node_errors! {
    /// What becomes of answers.
    pub(crate) enum Error {
        Received => ("received", "answers received", Info),
        NobodyWaits => ("nobody-waits", "no command waits for the answer", Info, ForUs),
        Malformed => ("malformed", "answer without its headers", Error),
        NoRoom => ("no-room", "more answers than the command reads", Warn),
    }
}

const NAMES: [(Family, [&str; 2]); 2] = [
    (Family::Ip4, ["ip4-icmp-echo-reply", "ip4-icmp-error-reply"]),
    (Family::Ip6, ["ip6-icmp-echo-reply", "ip6-icmp-error-reply"]),
];

/// Types of errors that come back to probes.
const ERRORS4: [u8; 3] = [kind4::UNREACHABLE, kind4::TIME_EXCEEDED, kind4::PARAMETER_PROBLEM];
const ERRORS6: [u8; 4] =
    [kind6::UNREACHABLE, kind6::PACKET_TOO_BIG, kind6::TIME_EXCEEDED, kind6::PARAMETER_PROBLEM];

pub(super) fn register(r: &mut Registrar, mailboxes: &Mailboxes) {
    for (family, names) in NAMES {
        for (name, quotes) in names.into_iter().zip([false, true]) {
            let open = mailboxes.open();
            r.node(NodeSpec::internal(name, move |_| Taker { family, quotes, open: open.clone() }));
        }
    }
    r.on_start(|main| {
        let [echo4, error4, echo6, error6] = {
            let [(_, [a, b]), (_, [c, d])] = NAMES;
            let graph = main.graph();
            [graph.require(a)?, graph.require(b)?, graph.require(c)?, graph.require(d)?]
        };
        if let Some(types) = main.provided::<Icmp4Types>().cloned() {
            types.register(main, kind4::ECHO_REPLY, echo4)?;
            for kind in ERRORS4 {
                types.register(main, kind, error4)?;
            }
        }
        if let Some(types) = main.provided::<Icmp6Types>().cloned() {
            types.register(main, kind6::ECHO_REPLY, echo6)?;
            for kind in ERRORS6 {
                types.register(main, kind, error6)?;
            }
        }
        Ok(())
    });
}

struct Taker {
    family: Family,
    /// Whether the probe is quoted in what comes back.
    quotes: bool,
    open: Open,
}

impl Taker {
    /// The answer, and the identifier of its probe.
    fn read(&self, cx: &NodeCx<'_, Next, Error>, buffer: &Buffer) -> Option<(u16, Answer)> {
        let at = usize::try_from(buffer.l4_offset - buffer.current_data()).ok()?;
        let message = buffer.current().get(at..)?;
        let header: &[u8; 8] = message.first_chunk()?;
        let &[kind, code, ..] = header;
        let (from, ttl, mtu, octets) = match self.family {
            Family::Ip4 => {
                let ip = buffer.view::<ip4::Header>()?;
                let octets = usize::from(ip.total_length.get()).saturating_sub(at);
                (Ipv4Addr::from(ip.source).into(), ip.ttl, [header[6], header[7]], octets)
            }
            Family::Ip6 => {
                let ip = buffer.view::<ip6::Header>()?;
                let end = usize::from(ip.payload_length.get()) + size_of::<ip6::Header>();
                let octets = end.saturating_sub(at);
                (Ipv6Addr::from(ip.source).into(), ip.hop_limit, [header[6], header[7]], octets)
            }
        };
        let echo = if self.quotes { quoted(self.family, &message[8..])? } else { header };
        let word = |at: usize| u16::from_be_bytes([echo[at], echo[at + 1]]);
        let answer = Answer {
            from,
            kind,
            code,
            mtu: u16::from_be_bytes(mtu),
            sequence: word(6),
            ttl,
            octets,
            at: cx.now(),
        };
        Some((word(4), answer))
    }
}

/// The echo request that an error quotes.
fn quoted(family: Family, quote: &[u8]) -> Option<&[u8; 8]> {
    let (at, kind) = match family {
        Family::Ip4 => {
            let (ip, _) = ip4::Header::ref_from_prefix(quote).ok()?;
            (ip.protocol == protocol::ICMP).then_some((ip.header_length(), kind4::ECHO_REQUEST))?
        }
        Family::Ip6 => {
            let (ip, payload) = ip6::Header::ref_from_prefix(quote).ok()?;
            let upper = upper_layer(ip.next_header, payload);
            let at = upper.offset.filter(|_| upper.protocol == protocol::ICMP6)?;
            (size_of::<ip6::Header>() + at, kind6::ECHO_REQUEST)
        }
    };
    quote.get(at..)?.first_chunk().filter(|echo: &&[u8; 8]| echo[0] == kind)
}

impl Node for Taker {
    type Error = Error;
    type Next = Next;
    type Trace = Ip4Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        cx.each_in_order(frame, |cx, buffer| {
            let why = match self.read(cx, buffer) {
                None => Error::Malformed,
                Some((identifier, answer)) => match self.open.find(cx.token(), identifier) {
                    None => Error::NobodyWaits,
                    Some(mailbox) if mailbox.put(answer) => {
                        cx.count(Error::Received, 1);
                        return None;
                    }
                    Some(_) => Error::NoRoom,
                },
            };
            cx.error(buffer, why);
            Some(Next::Drop.into())
        })
    }

    fn trace(&self, buffer: &Buffer) -> Ip4Trace {
        Ip4Trace(Snap::current(buffer))
    }
}
