//! Packets of a frame at an observation point where interfaces have settings of their own, are sampled,
//! or have records with fields of what is not in packets.

use std::marker::PhantomData;

use vnet::{
    buffer::{Buffer, BufferFlags},
    flow::{
        Direction, FlowRecord, Observed, Start,
        sample::{Packets, Selection},
    },
    frame::{Buffers, FRAME_SIZE},
    graph::Onward,
    interface::{InterfaceViews, SwIfIndex},
    runtime::PacketTime,
};

use crate::{
    context::Origin,
    large,
    node::observed,
    point::{Aside, MAX_SETTINGS, Place, ThreadMeter},
    site::Site,
};

/// Which packets of a frame each meter is shown.
#[derive(Default)]
pub(crate) struct Shares([Selection; MAX_SETTINGS]);

impl Shares {
    /// What the meter at a place is shown.
    pub(crate) fn of(&self, place: Place) -> &Selection {
        &self.0[place.index()]
    }
}

/// Sends all packets on, and says which meter is shown which of them. The exporter's own are shown without a sampler: the meter
/// counts them as what they are.
#[inline(never)]
pub(crate) fn share<S: Site>(
    mut buffers: Buffers<'_>,
    views: &InterfaceViews,
    now: PacketTime,
    aside: &mut Aside,
) -> (Onward, Shares) {
    let mut onward = Onward::new(buffers.get(0));
    let mut site = S::new(views);
    let len = buffers.len();
    let mut keys = [Key::default(); FRAME_SIZE];
    for (key, buffer) in keys.iter_mut().zip(buffers.iter_mut()) {
        onward.step(buffer);
        site.note(views, buffer);
        *key = Key::of::<S>(buffer);
    }
    let mut shares = Shares::default();
    let mut packets = Frame::<S> { buffers, now, site: PhantomData };
    let (mut at, mut rest) = (0, &keys[..len]);
    while let Some(&key) = rest.first() {
        let same = rest.iter().take_while(|&&other| other == key).count();
        let run = at..at + same;
        let selection = &mut shares.0[aside.place(key.interface).index()];
        match aside.sites.sampler(S::DIRECTION, key.interface) {
            Some(sampler) if !key.is_own => sampler.select(run, &mut packets, selection),
            _ => selection.add_run(run),
        }
        (at, rest) = (at + same, &rest[same..]);
    }
    (onward, shares)
}

/// Shows a meter its share.
pub(crate) fn show<S: Site>(
    mut buffers: Buffers<'_>,
    share: &Selection,
    origin: Origin<'_>,
    to: &mut ThreadMeter,
) {
    let ThreadMeter { meter, outbox, with_link, at_interface, contexts, .. } = to;
    let now = origin.now;
    let is_large = origin.views.has_offloads() && large::any(buffers.behind(0));
    let shown = buffers.prefetched::<8>().enumerate().filter(|(at, _)| share.has(*at));
    let shown = shown.map(|(_, buffer)| buffer);
    let mut sink = |record: &FlowRecord| outbox.push(record);
    if is_large {
        // Selected as one, measured as those for which it stands.
        let (at_interface, with_link) = (*at_interface, *with_link);
        match contexts {
            Some(contexts) => {
                large::show(contexts.pairs::<S>(shown, origin, with_link), meter, &mut sink);
            }
            None => {
                let pair = |buffer| {
                    let packet = observed::<S>(buffer, with_link, now);
                    (buffer, if at_interface { of_interface::<S>(packet) } else { packet })
                };
                large::show(shown.map(|buffer| pair(buffer)), meter, &mut sink);
            }
        }
        return;
    }
    // Known when the loop is compiled, this decides most of what is asked of a packet.
    match (contexts, *at_interface, *with_link) {
        (Some(contexts), _, with_link) => {
            meter.frame(contexts.observe::<S>(shown, origin, with_link), &mut sink);
        }
        (None, false, false) => {
            meter.frame(shown.map(|buffer| observed::<S>(buffer, false, now)), &mut sink);
        }
        (None, false, true) => {
            meter.frame(shown.map(|buffer| observed::<S>(buffer, true, now)), &mut sink);
        }
        (None, true, with_link) => {
            let packet = |buffer| of_interface::<S>(observed::<S>(buffer, with_link, now));
            meter.frame(shown.map(|buffer| packet(buffer)), &mut sink);
        }
    }
}

/// A packet as one of the interface at which it is observed, for records of both directions.
fn of_interface<S: Site>(packet: Observed<'_>) -> Observed<'_> {
    let rx = match S::DIRECTION {
        Direction::Ingress => packet.rx,
        Direction::Egress => packet.tx,
    };
    Observed { rx, tx: SwIfIndex::NONE, ..packet }
}

/// What packets have in common that go to one meter by one sampler.
#[derive(Clone, Copy, Default, PartialEq)]
struct Key {
    interface: SwIfIndex,
    /// It is the exporter's own.
    is_own: bool,
}

impl Key {
    #[inline(always)]
    fn of<S: Site>(buffer: &Buffer) -> Self {
        let interface = match S::DIRECTION {
            Direction::Ingress => buffer.rx,
            Direction::Egress => buffer.tx,
        };
        Self { interface, is_own: buffer.flags().contains(BufferFlags::FLOW_REPORT) }
    }
}

/// For methods that look at packets. Those look at IP, or at the frame where there is none; the link header of an IP packet is
/// nothing to them.
struct Frame<'f, S> {
    buffers: Buffers<'f>,
    now: PacketTime,
    site: PhantomData<S>,
}

impl<S: Site> Packets for Frame<'_, S> {
    fn packet(&mut self, at: usize) -> Observed<'_> {
        let now = self.now;
        match self.buffers.get(at) {
            Some(buffer) => observed::<S>(buffer, false, now),
            None => Observed::new(&[], Start::Network(0), SwIfIndex::NONE),
        }
    }
}
