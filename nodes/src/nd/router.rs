//! `icmp6-router-solicitation`, `icmp6-router-advertisement`: hosts that look for a router, and other routers.

use vnet::{
    buffer::Buffer,
    graph::{Map, NodeSpec, PacketCx, Slot},
    interface::SwIfIndex,
    wire::nd::{RouterAdvertisement, RouterSolicitation},
};

use super::{
    Error, Next,
    heard::Listeners,
    message::{Received, read},
};
use crate::{
    neighbor::{
        Ears,
        links::Link,
        news::{News, Whom},
    },
    trace::{Ip6Trace, Snap},
};

/// Registration of the nodes.
pub(super) fn specs(ears: &Ears, listeners: &Listeners) -> [NodeSpec; 2] {
    let asked = ears.clone();
    let told = Told { ears: ears.clone(), listeners: listeners.clone() };
    [
        NodeSpec::map(super::ROUTER_SOLICITATION, move |_| Asked(asked.clone())),
        NodeSpec::map(super::ROUTER_ADVERTISEMENT, move |_| told.clone()),
    ]
}

struct Asked(Ears);

/// Whether the MAC address that a message gives can be that of its sender.
fn is_host<T>(link: &Link, message: &Received<T>) -> Result<(), Error> {
    match message.links.source {
        Some(mac) if mac.is_multicast() || mac == link.mac => Err(Error::NoHost),
        _ => Ok(()),
    }
}

/// RFC 4861, section 6.1.1: what is not checked before.
fn judge(
    is_on_link: bool,
    link: &Link,
    message: &Received<RouterSolicitation>,
) -> Result<(), Error> {
    if message.source.is_unspecified() {
        return match message.links.source {
            Some(_) => Err(Error::UnspecifiedWithAddress),
            None => Ok(()),
        };
    }
    if message.source.is_multicast() || !is_on_link {
        return Err(Error::RouterSourceNotOnLink);
    }
    if link.has6(message.source) {
        return Err(Error::SourceIsOurs);
    }
    is_host(link, message)
}

impl Asked {
    fn hear(
        &mut self,
        cx: &mut PacketCx<'_, Next, Error>,
        rx: SwIfIndex,
        buffer: &Buffer,
    ) -> Error {
        let links = self.0.links.clone();
        let Some(link) = links.read(cx.token()).get(rx) else {
            return Error::UnsupportedInterface;
        };
        let message = match read::<RouterSolicitation>(buffer) {
            Ok(message) => message,
            Err(error) => return error,
        };
        let is_on_link = link.is_on_link6(&self.0.reader, rx, message.source);
        if let Err(error) = judge(is_on_link, link, &message) {
            return error;
        }
        let reporter = &mut self.0.reporter;
        if let Some(mac) = message.links.source {
            let who = (rx, message.source.into());
            reporter.heard(cx, who, mac, Whom::Anybody, Error::LearningFull);
        }
        let mac = message.links.source.unwrap_or(message.from);
        let asks = News::RouterWanted { interface: rx, host: message.source, mac };
        reporter.say(cx, asks, Error::LearningFull);
        Error::RouterSolicitations
    }
}

impl Map for Asked {
    type Error = Error;
    type Next = Next;
    type Trace = Ip6Trace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let error = self.hear(cx, buffer.rx, buffer);
        cx.error(buffer, error);
        Next::Drop.into()
    }

    fn trace(&self, buffer: &Buffer) -> Ip6Trace {
        Ip6Trace(Snap::from_offset(buffer, buffer.l3_offset))
    }
}

#[derive(Clone)]
struct Told {
    ears: Ears,
    listeners: Listeners,
}

impl Told {
    /// RFC 4861, section 6.1.2. A router does not follow others, but now knows where they are.
    fn hear(
        &mut self,
        cx: &mut PacketCx<'_, Next, Error>,
        rx: SwIfIndex,
        buffer: &Buffer,
    ) -> Error {
        let links = self.ears.links.clone();
        let Some(link) = links.read(cx.token()).get(rx) else {
            return Error::UnsupportedInterface;
        };
        let message = match read::<RouterAdvertisement>(buffer) {
            Ok(message) => message,
            Err(error) => return error,
        };
        if !message.source.is_unicast_link_local() {
            return Error::RouterNotLinkLocal;
        }
        if link.has6(message.source) {
            return Error::SourceIsOurs;
        }
        if let Err(error) = is_host(link, &message) {
            return error;
        }
        if let Some(mac) = message.links.source {
            let who = (rx, message.source.into());
            self.ears.reporter.heard(cx, who, mac, Whom::Anybody, Error::LearningFull);
        }
        match self.listeners.tell(rx, (message.source, message.fixed), buffer) {
            true => Error::RouterAdvertisements,
            false => Error::LearningFull,
        }
    }
}

impl Map for Told {
    type Error = Error;
    type Next = Next;
    type Trace = Ip6Trace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let error = self.hear(cx, buffer.rx, buffer);
        cx.error(buffer, error);
        Next::Drop.into()
    }

    fn trace(&self, buffer: &Buffer) -> Ip6Trace {
        Ip6Trace(Snap::from_offset(buffer, buffer.l3_offset))
    }
}
