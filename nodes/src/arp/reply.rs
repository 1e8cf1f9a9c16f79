//! `arp-reply`: answers for the interface's addresses, and learns from those that ask for them or answer.

use std::net::Ipv4Addr;

use vnet::{
    buffer::Buffer,
    fib::{DpoKind, Family, ForwardingReader},
    graph::{FeatureSpec, Map, NodeSpec, PacketCx, Slot},
    interface::SwIfIndex,
    plugin::Registrar,
    wire::{
        arp::{Packet, operation},
        ethernet::MacAddress,
    },
};

use super::{Error, Next, Trace, answer, read};
use crate::neighbor::{Ears, counts::said_by_arp, links::Link, news::Whom};

/// MAC addresses of virtual routers begin so (RFC 9568): what they say is sent from the MAC address of the one that speaks for them.
const VIRTUAL_ROUTER: [u8; 5] = [0, 0, 0x5e, 0, 1];

pub(super) fn register(r: &mut Registrar, ears: &Ears) {
    let ears = ears.clone();
    r.node(NodeSpec::map("arp-reply", move |_| Reply(ears.clone())));
    r.feature(FeatureSpec::new("arp", "arp-reply").before("arp-proxy"));
}

struct Reply(Ears);

/// What becomes of a packet.
enum Fate {
    /// It is a request for one of our addresses; whether its sender can be learnt.
    Answer {
        learns: bool,
    },
    /// It is a reply to one of our requests.
    Learn,
    /// Its sender says that it has its address.
    Announcement,
    /// It is nothing for this node: for others on the arc, or to be dropped.
    Next(Error),
    Drop(Error),
}

/// Whether an address is one of this machine's, on whichever interface.
fn is_local(reader: &ForwardingReader, interface: SwIfIndex, address: Ipv4Addr) -> bool {
    let fib = reader.fib_of(interface, Family::Ip4);
    reader.ip4_table(fib).is_some_and(|table| {
        reader.load_balance(table.lookup_one(address.to_bits())).kind() == DpoKind::Local
    })
}

impl Reply {
    fn judge(&self, interface: SwIfIndex, link: &Link, packet: &Packet, from: MacAddress) -> Fate {
        let [sender, target] = [packet.sender_ip, packet.target_ip].map(Ipv4Addr::from);
        let mac = packet.sender_mac;
        if mac.is_multicast() || mac == MacAddress::default() || mac == link.mac {
            return Fate::Drop(Error::NoHost);
        }
        let is_reply = packet.operation.get() == operation::REPLY;
        let for_another = is_reply && mac.0[..5] == VIRTUAL_ROUTER;
        if mac != from && !for_another {
            return Fate::Drop(Error::MacMismatch);
        }
        let is_ours = link.has4(target) || self.0.reader.is_local_at(interface, target.into());
        // Who looks whether an address is free has none yet (RFC 5227, section 2.1.1).
        if sender.is_unspecified() {
            return match is_reply {
                false if is_ours => Fate::Answer { learns: false },
                _ => Fate::Next(Error::TargetNotLocal),
            };
        }
        if is_local(&self.0.reader, interface, sender) {
            return Fate::Next(Error::SourceIsOurs);
        }
        if !link.is_on_link4(&self.0.reader, interface, sender) {
            return Fate::Drop(Error::SourceNotLocal);
        }
        match (packet.is_gratuitous(), is_reply) {
            (true, _) => Fate::Announcement,
            (false, true) if is_ours => Fate::Learn,
            (false, false) if is_ours => Fate::Answer { learns: true },
            _ => Fate::Next(Error::TargetNotLocal),
        }
    }

    fn learn(
        &mut self,
        cx: &mut PacketCx<'_, Next, Error>,
        rx: SwIfIndex,
        packet: &Packet,
        whom: Whom,
    ) {
        let who = (rx, Ipv4Addr::from(packet.sender_ip).into());
        self.0.reporter.heard(cx, who, packet.sender_mac, whom, Error::LearningFull);
    }
}

impl Map for Reply {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        let links = self.0.links.clone();
        let rx = buffer.rx;
        let (Some((packet, from)), Some(link)) = (read(buffer), links.read(cx.token()).get(rx))
        else {
            cx.error(buffer, Error::Truncated);
            return Next::Drop.into();
        };
        let fate = self.judge(rx, link, &packet, from);
        if let (Some(said), false) = (said_by_arp(&packet), matches!(fate, Fate::Drop(_))) {
            self.0.counts.received(cx, rx, Family::Ip4, said);
        }
        let error = match fate {
            Fate::Answer { learns } => {
                if learns {
                    self.learn(cx, rx, &packet, Whom::Anybody);
                }
                if answer(cx, buffer, (rx, link), &self.0.counts, &packet) {
                    cx.count(Error::RepliesSent, 1);
                    return Next::Output.into();
                }
                Error::Truncated
            }
            Fate::Learn => {
                self.learn(cx, rx, &packet, Whom::Anybody);
                Error::Learned
            }
            Fate::Announcement => {
                self.learn(cx, rx, &packet, Whom::Known);
                Error::Gratuitous
            }
            Fate::Next(error) => {
                cx.error(buffer, error);
                return cx.next_feature(buffer);
            }
            Fate::Drop(error) => error,
        };
        cx.error(buffer, error);
        Next::Drop.into()
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace::of(buffer)
    }
}
