//! The six nodes.

use vnet::{
    buffer::Buffer,
    frame::{FRAME_SIZE, Frame},
    graph::{Node, NodeCx, NodeSpec, Verdict as Way},
    interface::Tags,
    runtime::Shared,
    wire::ethernet::EtherType,
};

use super::{
    Tables,
    compile::{self, WORDS},
};
use crate::space::{NONE, Pending};

vnet::next_nodes! {
    /// Where packets go that are denied.
    pub(crate) enum Next {
        Drop => "error-drop",
    }
}

vnet::node_errors! {
    /// What nodes count.
    pub(crate) enum Error named by text {
        Deny => ("macip-drop", "MACIP ACL deny packets", Error, AclDeny),
        Permit => ("macip-permit", "MACIP ACL permit packets", Info),
        Cut => ("macip-cut", "packets that end before their addresses", Error, AclDrop),
    }
}

vnet::trace_record! { pub(crate) struct Trace { rx: u32 } => "macip: sw_if_index {rx}" }

/// What a node is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ip4,
    Ip6,
    Arp,
}

/// Where a node is: routed packets begin with their own header, bridged ones with that of their frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Site {
    kind: Kind,
    is_l2: bool,
}

impl Site {
    pub(super) const ALL: [Self; 6] = {
        use Kind::{Arp, Ip4, Ip6};
        [
            Self { kind: Ip4, is_l2: false },
            Self { kind: Ip6, is_l2: false },
            Self { kind: Arp, is_l2: false },
            Self { kind: Ip4, is_l2: true },
            Self { kind: Ip6, is_l2: true },
            Self { kind: Arp, is_l2: true },
        ]
    };

    pub(super) const fn node(self) -> &'static str {
        match (self.kind, self.is_l2) {
            (Kind::Ip4, false) => "acl-plugin-macip-ip4",
            (Kind::Ip6, false) => "acl-plugin-macip-ip6",
            (Kind::Arp, false) => "acl-plugin-macip-arp",
            (Kind::Ip4, true) => "acl-plugin-macip-ip4-l2",
            (Kind::Ip6, true) => "acl-plugin-macip-ip6-l2",
            (Kind::Arp, true) => "acl-plugin-macip-arp-l2",
        }
    }

    pub(super) const fn arc(self) -> &'static str {
        match (self.kind, self.is_l2) {
            (Kind::Ip4, false) => "ip4-unicast",
            (Kind::Ip6, false) => "ip6-unicast",
            (Kind::Arp, false) => "arp",
            (Kind::Ip4, true) => "l2-input-ip4",
            (Kind::Ip6, true) => "l2-input-ip6",
            (Kind::Arp, true) => "l2-input-nonip",
        }
    }

    /// What it stands in front of: the end of the arc, or the first feature that does something.
    pub(super) const fn behind(self) -> Result<&'static str, &'static str> {
        match (self.kind, self.is_l2) {
            (Kind::Ip4, false) => Err("acl-plugin-in-ip4-fa"),
            (Kind::Ip6, false) => Err("acl-plugin-in-ip6-fa"),
            (Kind::Arp, false) => Err("arp-reply"),
            (_, true) => Ok("l2-input-feat-arc-end"),
        }
    }

    /// The key of a packet; `Ok(None)` where it is about nobody's address.
    fn key(self, buffer: &Buffer) -> Result<Option<[u64; WORDS]>, Error> {
        let (link, packet) = match self.is_l2 {
            false => (buffer.from_offset(buffer.l2_offset), buffer.current()),
            true => {
                let frame = buffer.current();
                let Some((_, ethertype, length)) = Tags::read(frame) else { return Ok(None) };
                if self.kind == Kind::Arp && ethertype != EtherType::ARP {
                    return Ok(None);
                }
                (frame, frame.get(length..).unwrap_or_default())
            }
        };
        let key = match self.kind {
            Kind::Ip4 => compile::ip4(link, packet),
            Kind::Ip6 => compile::ip6(link, packet),
            Kind::Arp => compile::arp(packet),
        };
        key.map(Some).ok_or(Error::Cut)
    }
}

pub(super) fn spec(site: Site, tables: &Shared<Tables>) -> NodeSpec {
    let tables = tables.clone();
    NodeSpec::internal(site.node(), move |_| Check {
        site,
        tables: tables.clone(),
        keys: Box::new([[0; WORDS]; FRAME_SIZE]),
        fates: Box::new([NONE; FRAME_SIZE]),
        pending: Pending::new(),
    })
}

struct Check {
    site: Site,
    tables: Shared<Tables>,
    keys: Box<[[u64; WORDS]; FRAME_SIZE]>,
    /// The position of the first rule of each packet, or what else is known of it.
    fates: Box<[u32; FRAME_SIZE]>,
    pending: Pending<WORDS>,
}

/// In place of a position: the packet is no matter of lists; it cannot be read.
const PASS: u32 = NONE - 1;
const CUT: u32 = NONE - 2;

impl Node for Check {
    type Error = Error;
    type Next = Next;
    type Trace = Trace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Way<Next> {
        let Self { site, tables, keys, fates, pending } = self;
        let tables = tables.read(cx.token());
        let mut buffers = cx.buffers(frame);
        let (mut start, mut permitted) = (0, 0);
        while let Some(first) = buffers.get(start) {
            let rx = first.rx;
            let program = tables.of(rx);
            pending.clear();
            let mut end = start;
            while let Some(buffer) = buffers.get(end)
                && buffer.rx == rx
            {
                let at = end % FRAME_SIZE;
                match site.key(buffer) {
                    Ok(Some(key)) => {
                        keys[at] = key;
                        pending.push(end);
                    }
                    Ok(None) => fates[at] = PASS,
                    Err(_) => fates[at] = CUT,
                }
                end += 1;
            }
            if let Some(program) = program {
                program.space.look_up(keys, pending, fates);
            }
            for i in start..end {
                let Some(buffer) = buffers.get(i) else { break };
                let fate = fates[i % FRAME_SIZE];
                let refused = match fate {
                    CUT => Some(Error::Cut),
                    PASS => None,
                    _ => program.filter(|of| !of.permits(fate)).map(|_| Error::Deny),
                };
                permitted += u64::from(refused.is_none());
                let next = match refused {
                    Some(error) => {
                        cx.error(buffer, error);
                        Next::Drop.into()
                    }
                    None => cx.next_feature(buffer),
                };
                cx.set_next(i, next);
            }
            start = end;
        }
        if permitted > 0 {
            cx.count(Error::Permit, permitted);
        }
        Way::PerPacket
    }

    fn trace(&self, buffer: &Buffer) -> Trace {
        Trace { rx: buffer.rx.0 }
    }
}
