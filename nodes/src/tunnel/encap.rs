//! `vxlan4-encap` and the like, `adj-midchain-tx`: the outer header in front of what leaves by a tunnel.

use vnet::{
    adjacency::AdjacencyIndex,
    buffer::{Buffer, BufferFlags},
    fib::{Dpo, DpoKind, Family, ForwardingReader},
    frame::Frame,
    graph::{Node, NodeCx, NodeFlags, NodeSpec, PacketCx, Slot, Verdict},
    interface::{InterfaceViews, SwIfIndex},
    runtime::Shared,
    tunnel::{Inner, Kind, Payload, Sender, Table, Tunnels, Version},
    wire::ip4,
};

use super::{
    outer::{self, Finish},
    trace::EncapTrace,
};

vnet::next_nodes! {
    /// Where outer packets go.
    pub(super) enum Next {
        Drop => "error-drop",
        Rewrite4 => "ip4-rewrite",
        Rewrite6 => "ip6-rewrite",
        Midchain4 => "ip4-midchain",
        Midchain6 => "ip6-midchain",
        Arp => "ip4-arp",
        Discover => "ip6-discover-neighbor",
        Glean4 => "ip4-glean",
        Glean6 => "ip6-glean",
        Lookup4 => "ip4-lookup",
        Lookup6 => "ip6-lookup",
        Punt4 => "ip4-punt",
        Punt6 => "ip6-punt",
        Fragment6 => "ip6-frag",
    }
}

vnet::node_errors! {
    /// What is counted, and why packets do not leave by a tunnel.
    pub(super) enum Error named by text {
        Encapsulated => ("encapsulated", "good packets encapsulated", Info),
        NoSuchTunnel => ("no-such-tunnel", "no such tunnel packets", Error),
        NoRoute => ("no-route", "no route to the far end of the tunnel", Error, Unroutable),
        Loop => ("stack-loop", "the tunnel leads back to itself", Error, Unroutable),
        Local => ("local-far-end", "the far end of the tunnel is this machine", Error, Unroutable),
        TooDeep => ("too-many-encapsulations", "packet went through tunnels of this machine too often", Error),
        NoHeadroom => ("no-headroom", "no room for the outer header", Error),
        TooLong => ("too-long", "outer packet would be longer than 65535 octets", Error),
        PathMtu => ("path-mtu", "longer than the path mtu, and not to be fragmented", Error, FragmentationAndDf),
        Offload => ("offload", "packet to which something is still to be done", Error),
        NotIp => ("not-ip", "neither ip4 nor ip6 in a tunnel of ip packets", Error),
    }
}

/// A node; tunnels of several kinds may share it.
struct Encap {
    tunnels: Tunnels,
    reader: ForwardingReader,
    views: Shared<InterfaceViews>,
    /// Of the last outer packet that may be fragmented (RFC 6864).
    identification: u16,
}

/// All of them.
pub(super) fn specs(
    tunnels: &Tunnels,
    reader: &ForwardingReader,
    views: &Shared<InterfaceViews>,
) -> Vec<NodeSpec> {
    let first = "vxlan4-encap";
    let names = [first, "vxlan6-encap", "geneve4-encap", "geneve6-encap", "adj-midchain-tx"];
    let spec = |name: &str| {
        let (tunnels, reader, views) = (tunnels.clone(), reader.clone(), views.clone());
        let spec = NodeSpec::internal(name, move |at| Encap {
            tunnels: tunnels.clone(),
            reader: reader.clone(),
            views: views.clone(),
            // Threads begin apart from each other.
            identification: (at.thread as u16).wrapping_mul(0x9e37),
        });
        let spec = spec.flags(NodeFlags::OUTPUT);
        if name == first { spec } else { spec.sibling_of(first) }
    };
    names.iter().map(|name| spec(name)).collect()
}

/// Where outer packets go, and what they need to know there.
#[derive(Clone, Copy)]
struct Exit {
    next: Next,
    adjacency: u32,
    /// The table in which they are looked up, where they are.
    table: SwIfIndex,
}

impl Exit {
    fn of(family: Family, dpo: Dpo) -> Result<Self, Error> {
        let (four, six) = match dpo.kind() {
            DpoKind::Adjacency => (Next::Rewrite4, Next::Rewrite6),
            DpoKind::Midchain => (Next::Midchain4, Next::Midchain6),
            DpoKind::Incomplete => (Next::Arp, Next::Discover),
            DpoKind::Glean => (Next::Glean4, Next::Glean6),
            DpoKind::Lookup => (Next::Lookup4, Next::Lookup6),
            DpoKind::Punt => (Next::Punt4, Next::Punt6),
            DpoKind::Local => return Err(Error::Local),
            DpoKind::Drop if dpo == Dpo::STACK_LOOP => return Err(Error::Loop),
            DpoKind::Drop | DpoKind::Multi => return Err(Error::NoRoute),
        };
        let next = if family == Family::Ip4 { four } else { six };
        let table =
            if dpo.kind() == DpoKind::Lookup { SwIfIndex(dpo.index()) } else { SwIfIndex::NONE };
        Ok(Self { next, adjacency: dpo.index(), table })
    }

    /// Where an outer packet goes that is too long for the way to the far end, though the interface below may have room for it. That is a
    /// frame's: packets are no longer than their tunnel's room.
    #[cold]
    fn narrow(self, sender: &Sender, buffer: &mut Buffer) -> Result<Next, Error> {
        if sender.family == Family::Ip6 && self.next == Next::Rewrite6 {
            crate::ip6::frag::note(buffer, sender.path_mtu.into());
            return Ok(Next::Fragment6);
        }
        let ip = buffer.view::<ip4::Header>().filter(|_| sender.family == Family::Ip4);
        let is_kept_whole =
            ip.is_some_and(|ip| ip.flags_fragment.get() & ip4::Header::DONT_FRAGMENT != 0);
        // Routers on the way cut what they may.
        if is_kept_whole { Err(Error::PathMtu) } else { Ok(self.next) }
    }
}

/// What is found once for all packets in a row that leave by the same tunnel.
struct Run<'a> {
    sender: Option<&'a Sender>,
    /// Where all go; none where the flow decides.
    exit: Option<Result<Exit, Error>>,
    dpo: Dpo,
    sent: u64,
}

impl<'a> Run<'a> {
    fn new(table: &'a Table, reader: &ForwardingReader, interface: SwIfIndex) -> Self {
        let sender = table.sender(interface);
        let dpo = sender.map_or(Dpo::DROP, |sender| reader.load_balance(sender.word));
        let family = sender.map_or(Family::Ip4, |sender| sender.family);
        let exit = (dpo.kind() != DpoKind::Multi).then(|| Exit::of(family, dpo));
        if let Some(Ok(exit)) = exit
            && dpo.kind() == DpoKind::Adjacency
        {
            reader.adjacencies().prefetch(AdjacencyIndex(exit.adjacency));
        }
        Self { sender, exit, dpo, sent: 0 }
    }

    /// Where the packets of a flow go.
    #[inline(always)]
    fn exit(&self, reader: &ForwardingReader, family: Family, hash: u32) -> Result<Exit, Error> {
        match self.exit {
            Some(exit) => exit,
            None => Exit::of(family, reader.bucket(self.dpo, hash)),
        }
    }
}

/// Puts a packet into another one; where that goes.
#[inline(always)]
fn send(
    cx: &PacketCx<'_, Next, Error>,
    run: &Run<'_>,
    reader: &ForwardingReader,
    identification: &mut u16,
    buffer: &mut Buffer,
) -> Result<Slot<Next>, Error> {
    let sender = run.sender.ok_or(Error::NoSuchTunnel)?;
    let inner = Inner::of(sender.payload, buffer.current());
    let exit = run.exit(reader, sender.family, inner.flow_hash)?;
    if sender.payload == Payload::Ip && inner.version == Version::Other {
        return Err(Error::NotIp);
    }
    if buffer.offload().is_some() {
        return Err(Error::Offload);
    }
    let flags = buffer.flags().encapsulated().ok_or(Error::TooDeep)?;
    let header = sender.outer.bytes();
    let length = buffer.length_in_chain() + header.len();
    let length = u16::try_from(length).map_err(|_| Error::TooLong)?;
    if !buffer.push(header.len()) {
        return Err(Error::NoHeadroom);
    }
    if let Some(room) = buffer.current_mut().get_mut(..header.len()) {
        room.copy_from_slice(header);
    }
    *identification = identification.wrapping_add(1);
    outer::finish(cx, buffer, &Finish { sender, inner, length, identification: *identification });
    const OF_INNER: BufferFlags = BufferFlags::ENCAPSULATIONS
        .union(BufferFlags::L4_CHECKSUM_COMPUTED)
        .union(BufferFlags::L4_CHECKSUM_CORRECT)
        .union(BufferFlags::LAYER4_NOTED)
        .union(BufferFlags::VLAN_1_DEEP)
        .union(BufferFlags::VLAN_2_DEEP);
    buffer.clear_flags(OF_INNER);
    // Its TTL is ours to set, and whoever is told of what becomes of it is nobody else.
    buffer.set_flags(flags & BufferFlags::ENCAPSULATIONS | BufferFlags::LOCALLY_ORIGINATED);
    buffer.l3_offset = buffer.current_data();
    buffer.flow_hash = inner.flow_hash;
    buffer.adjacency = exit.adjacency;
    buffer.opaque[1] = buffer.tx.0;
    buffer.tx = exit.table;
    if length > sender.path_mtu {
        return exit.narrow(sender, buffer).map(Slot::from);
    }
    Ok(exit.next.into())
}

#[cold]
fn refuse(cx: &PacketCx<'_, Next, Error>, buffer: &mut Buffer, error: Error) -> Slot<Next> {
    buffer.opaque[1] = buffer.tx.0;
    cx.state_ref().interfaces.tx_error.add(buffer.tx.0, 1);
    cx.error(buffer, error);
    Next::Drop.into()
}

impl Node for Encap {
    type Error = Error;
    type Next = Next;
    type Trace = EncapTrace;

    fn process(&mut self, cx: &mut NodeCx<'_, Next, Error>, frame: &mut Frame) -> Verdict<Next> {
        let Self { tunnels, reader, views, identification } = self;
        let (table, views) = (tunnels.read(cx.token()), views.read(cx.token()));
        cx.each_run(
            frame,
            |_, buffer| buffer.tx,
            // What a sub-interface sends are frames of its tunnel's.
            |_, tx| Run::new(table, reader, views.above(tx).unwrap_or(tx)),
            |cx, run, buffer| match send(cx, run, reader, identification, buffer) {
                Ok(next) => {
                    run.sent += 1;
                    next
                }
                Err(error) => refuse(cx, buffer, error),
            },
            |cx, _, run, _| {
                if run.sent > 0 {
                    cx.count(Error::Encapsulated, run.sent);
                }
            },
        )
    }

    fn trace(&self, buffer: &Buffer) -> EncapTrace {
        EncapTrace::of(SwIfIndex(buffer.opaque[1]), buffer.current())
    }
}

/// What a kind is called in traces.
pub(super) const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Vxlan => "VXLAN",
        Kind::Geneve => "GENEVE",
        Kind::Gre => "GRE",
        Kind::Ipip => "IPIP",
    }
}
