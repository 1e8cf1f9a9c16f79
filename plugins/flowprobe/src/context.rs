//! What the engine knows of packets that is not in them, for templates that have fields of that.

use vnet::{
    adjacency::AdjacencyIndex,
    buffer::Buffer,
    error::ForwardingStatus,
    fib::ForwardingReader,
    flow::{Context, Direction, Known, Observed},
    frame::FRAME_SIZE,
    interface::{InterfaceViews, SwIfIndex, TableIds},
    runtime::{PacketTime, WorkerState},
};

use crate::{node::observed, sampling::Sites, site::Site};

/// Room for the contexts of a frame.
pub(crate) struct Contexts(Box<[Context; FRAME_SIZE]>);

/// Where they come from.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) views: &'a InterfaceViews,
    pub(crate) reader: &'a ForwardingReader,
    pub(crate) state: &'a WorkerState,
    pub(crate) sites: &'a Sites,
    pub(crate) now: PacketTime,
}

impl Contexts {
    pub(crate) fn new() -> Self {
        Self(Box::new([Context::NONE; FRAME_SIZE]))
    }

    /// Packets of a frame as the meter takes them, each with its context.
    pub(crate) fn observe<'b, S: Site>(
        &'b mut self,
        buffers: impl Iterator<Item = &'b mut Buffer>,
        origin: Origin<'b>,
        with_link: bool,
    ) -> impl Iterator<Item = Observed<'b>> {
        self.pairs::<S>(buffers, origin, with_link).map(|(_, packet)| packet)
    }

    /// The same, each behind its buffer.
    pub(crate) fn pairs<'b, S: Site>(
        &'b mut self,
        buffers: impl Iterator<Item = &'b mut Buffer>,
        origin: Origin<'b>,
        with_link: bool,
    ) -> impl Iterator<Item = (&'b Buffer, Observed<'b>)> {
        buffers.zip(self.0.iter_mut()).map(move |(buffer, context)| {
            let buffer = &*buffer;
            *context = origin.context::<S>(buffer);
            (buffer, Observed { context, ..observed::<S>(buffer, with_link, origin.now) })
        })
    }
}

impl Origin<'_> {
    fn context<S: Site>(&self, buffer: &Buffer) -> Context {
        let known = |part| S::KNOWN.contains(part);
        let tables = |part, interface| match self.views.get(interface) {
            Some(view) if known(part) => view.table_ids,
            _ => TableIds::default(),
        };
        Context {
            status: if known(Known::DROPS) {
                self.state.forwarding_status(buffer.error)
            } else if known(Known::STATUS) {
                ForwardingStatus::Forwarded as u8
            } else {
                ForwardingStatus::Unknown as u8
            },
            selector: self.selector::<S>(buffer),
            ingress: tables(Known::INGRESS_VRF, buffer.rx),
            egress: tables(Known::EGRESS_VRF, buffer.tx),
            next_hop: if known(Known::NEXT_HOP) { self.next_hop(buffer) } else { [0; 16] },
            ..Context::NONE
        }
    }

    fn selector<S: Site>(&self, buffer: &Buffer) -> u64 {
        let interface: SwIfIndex = match S::DIRECTION {
            Direction::Ingress => buffer.rx,
            Direction::Egress => buffer.tx,
        };
        let selector = self.sites.get(S::DIRECTION, interface);
        selector.map_or(0, |selector| selector.id)
    }

    fn next_hop(&self, buffer: &Buffer) -> [u8; 16] {
        self.reader.adjacency(AdjacencyIndex(buffer.adjacency)).next_hop_octets()
    }
}
