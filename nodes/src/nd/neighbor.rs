//! `icmp6-neighbor-solicitation`, `icmp6-neighbor-advertisement`: answers for the interface's addresses, and learns.

use std::net::Ipv6Addr;

use vnet::{
    buffer::Buffer,
    fib::{DpoKind, Family, FibIndex, ForwardingReader},
    graph::{Map, NodeSpec, PacketCx, Slot},
    interface::SwIfIndex,
    runtime::Shared,
    wire::nd::{Neighbor, solicited_node},
};

use super::{
    Error, Next,
    message::{Received, To, advertisement, proxy_advertisement, read},
    proxy::Proxied,
};
use crate::{
    neighbor::{
        Ears,
        counts::{Said, said_by_nd},
        frame::{FrameBytes, refill},
        links::Link,
        news::{News, Whom},
    },
    trace::{Ip6Trace, Snap},
};

/// Registration of the nodes.
pub(super) fn specs(ears: &Ears, proxied: &Shared<Proxied>) -> [NodeSpec; 2] {
    let (asked, told, proxied) = (ears.clone(), ears.clone(), proxied.clone());
    [
        NodeSpec::map(super::SOLICITATION, move |_| Solicitation {
            ears: asked.clone(),
            proxied: proxied.clone(),
        }),
        NodeSpec::map(super::ADVERTISEMENT, move |_| Advertisement(told.clone())),
    ]
}

struct Solicitation {
    ears: Ears,
    proxied: Shared<Proxied>,
}

/// What a solicitation asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// One of our addresses.
    Ours,
    /// An address of which we do not know yet whether it is ours.
    Tentative,
    /// An address of somebody else.
    Another,
}

/// RFC 4861, section 7.1.1: what is not checked before. Who asks for what?
fn judge_solicitation(
    ears: &Ears,
    (rx, link): (SwIfIndex, &Link),
    message: &Received<Neighbor>,
) -> Result<Asks, Error> {
    let target = Ipv6Addr::from(message.fixed.target);
    if target.is_multicast() {
        return Err(Error::TargetIsMulticast);
    }
    if message.source.is_unspecified() {
        if message.destination.octets() != solicited_node(target.octets()) {
            return Err(Error::UnspecifiedToOthers);
        }
        if message.links.source.is_some() {
            return Err(Error::UnspecifiedWithAddress);
        }
    } else if message.source.is_multicast() || !link.is_on_link6(&ears.reader, rx, message.source) {
        return Err(Error::SourceNotOnLink);
    } else if link.has6(message.source) {
        return Err(Error::SourceIsOurs);
    }
    if message.links.source.is_some_and(|mac| mac.is_multicast() || mac == link.mac) {
        return Err(Error::NoHost);
    }
    if link.is_tentative(target) {
        return Ok(Asks::Tentative);
    }
    let is_ours = link.has6(target) || ears.reader.is_local_at(rx, target.into());
    Ok(if is_ours { Asks::Ours } else { Asks::Another })
}

/// Whether an address is one of this machine's, on whichever interface.
fn is_local(reader: &ForwardingReader, fib: FibIndex, address: Ipv6Addr) -> bool {
    reader.ip6_table(fib).is_some_and(|table| {
        reader.load_balance(table.lookup_one(address.to_bits())).kind() == DpoKind::Local
    })
}

impl Solicitation {
    /// What is said to a question, once it is a right one; who has asked is learnt.
    fn answer(
        &mut self,
        cx: &mut PacketCx<'_, Next, Error>,
        rx: SwIfIndex,
        (link, asks): (&Link, Asks),
        message: &Received<Neighbor>,
    ) -> Result<FrameBytes, Error> {
        let target = message.fixed.target.into();
        let fib = self.ears.reader.fib_of(rx, Family::Ip6);
        let proxied = self.proxied.read(cx.token());
        let is_proxied = proxied.answers(fib, rx, target)
            || (proxied.is_behind(fib, rx, message.source)
                && is_local(&self.ears.reader, fib, target));
        let reporter = &mut self.ears.reporter;
        if asks == Asks::Tentative {
            // Somebody else looks whether it is free, or has it; our own question may come back (RFC 4862 section 5.4.3).
            if message.source.is_unspecified() && message.from != link.mac {
                let news = News::Duplicate { interface: rx, target };
                reporter.say(cx, news, Error::LearningFull);
            }
            return Err(Error::Tentative);
        }
        if asks == Asks::Another && !is_proxied {
            return Err(Error::UnknownTarget);
        }
        if let Some(mac) = message.links.source {
            let who = (rx, message.source.into());
            reporter.heard(cx, who, mac, Whom::Anybody, Error::LearningFull);
        }
        let to = match message.source.is_unspecified() {
            true => To::All,
            false => To::One(message.source, message.links.source.unwrap_or(message.from)),
        };
        match asks {
            Asks::Ours => Ok(advertisement(link, target, to)),
            _ => proxy_advertisement(link, target, to).ok_or(Error::UnknownTarget),
        }
    }
}

impl Map for Solicitation {
    type Error = Error;
    type Next = Next;
    type Trace = Ip6Trace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let (shared, rx) = (self.ears.links.clone(), buffer.rx);
        let links = shared.read(cx.token());
        let judged = read::<Neighbor>(buffer).and_then(|message| {
            let link = links.get(rx).ok_or(Error::UnsupportedInterface)?;
            let asks = judge_solicitation(&self.ears, (rx, link), &message)?;
            self.ears.counts.received(cx, rx, Family::Ip6, Said::Request);
            Ok((message, link, asks))
        });
        let error =
            match judged.map(|(message, link, asks)| self.answer(cx, rx, (link, asks), &message)) {
                Ok(Ok(answer)) if refill(buffer, rx, &answer) => {
                    self.ears.counts.sent(cx, rx, &answer);
                    cx.count(Error::AdvertisementsSent, 1);
                    return Next::Output.into();
                }
                Ok(Ok(_)) => Error::TooLong,
                Ok(Err(error)) | Err(error) => error,
            };
        cx.error(buffer, error);
        Next::Drop.into()
    }

    fn trace(&self, buffer: &Buffer) -> Ip6Trace {
        Ip6Trace(Snap::from_offset(buffer, buffer.l3_offset))
    }
}

struct Advertisement(Ears);

/// RFC 4861, section 7.1.2: what is not checked before.
fn judge_advertisement(
    ears: &Ears,
    (rx, link): (SwIfIndex, &Link),
    message: &Received<Neighbor>,
) -> Result<(), Error> {
    let target = Ipv6Addr::from(message.fixed.target);
    let is_solicited = message.fixed.flags.get() & Neighbor::SOLICITED != 0;
    if target.is_multicast() {
        return Err(Error::TargetIsMulticast);
    }
    if message.destination.is_multicast() && is_solicited {
        return Err(Error::SolicitedByAll);
    }
    if message.source.is_multicast() || !link.is_on_link6(&ears.reader, rx, target) {
        return Err(Error::SourceNotOnLink);
    }
    if message.links.target.is_some_and(|mac| mac.is_multicast() || mac == link.mac) {
        return Err(Error::NoHost);
    }
    Ok(())
}

impl Map for Advertisement {
    type Error = Error;
    type Next = Next;
    type Trace = Ip6Trace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let (shared, rx) = (self.0.links.clone(), buffer.rx);
        let links = shared.read(cx.token());
        let judged = read::<Neighbor>(buffer).and_then(|message| {
            let link = links.get(rx).ok_or(Error::UnsupportedInterface)?;
            judge_advertisement(&self.0, (rx, link), &message)?;
            if let Some(said) = said_by_nd(&message.fixed) {
                self.0.counts.received(cx, rx, Family::Ip6, said);
            }
            Ok((message, link))
        });
        let error = match judged {
            Ok((message, link)) => {
                let target = Ipv6Addr::from(message.fixed.target);
                if link.is_tentative(target) {
                    self.0.reporter.say(
                        cx,
                        News::Duplicate { interface: rx, target },
                        Error::LearningFull,
                    );
                    Error::Tentative
                } else if link.has6(target) {
                    Error::SourceIsOurs
                } else if let Some(mac) = message.links.target {
                    let overrides = message.fixed.flags.get() & Neighbor::OVERRIDE != 0;
                    let who = (rx, target.into());
                    self.0.reporter.heard(
                        cx,
                        who,
                        mac,
                        Whom::Asked { overrides },
                        Error::LearningFull,
                    );
                    Error::AdvertisementsReceived
                } else {
                    Error::NoAddress
                }
            }
            Err(error) => error,
        };
        cx.error(buffer, error);
        Next::Drop.into()
    }

    fn trace(&self, buffer: &Buffer) -> Ip6Trace {
        Ip6Trace(Snap::from_offset(buffer, buffer.l3_offset))
    }
}
