//! Packets of a frame at an observation point where some interfaces are sampled.

use std::marker::PhantomData;

use vnet::{
    buffer::{Buffer, BufferFlags},
    flow::{
        Direction, FlowRecord, Meter, Observed, Start,
        sample::{Packets, Selection},
    },
    frame::{Buffers, FRAME_SIZE},
    graph::Onward,
    interface::{InterfaceViews, SwIfIndex},
    runtime::PacketTime,
};

use super::Sites;
use crate::{node::observed, site::Site};

/// Sends all packets on, and shows to the meter those that are selected. The exporter's own are shown to it without a sampler:
/// it counts them as what they are.
#[inline(never)]
pub(crate) fn show<S: Site, const WITH_LINK: bool>(
    mut buffers: Buffers<'_>,
    views: &InterfaceViews,
    now: PacketTime,
    sites: &mut Sites,
    meter: &mut Meter,
    sink: &mut impl FnMut(&FlowRecord),
) -> Onward {
    let mut onward = Onward::new(buffers.get(0));
    let mut site = S::new(views);
    let len = buffers.len();
    let mut keys = [OWN; FRAME_SIZE];
    for (key, buffer) in keys.iter_mut().zip(buffers.iter_mut()) {
        onward.step(buffer);
        site.note(views, buffer);
        *key = key_of::<S>(buffer);
    }
    let mut selection = Selection::default();
    {
        let mut packets =
            Frame::<S, WITH_LINK> { buffers: buffers.behind(0), now, site: PhantomData };
        let (mut at, mut rest) = (0, &keys[..len]);
        while let Some(&key) = rest.first() {
            let same = rest.iter().take_while(|&&other| other == key).count();
            let run = at..at + same;
            match sites.sampler(S::DIRECTION, SwIfIndex(key)) {
                Some(sampler) if key != OWN => sampler.select(run, &mut packets, &mut selection),
                _ => selection.add_run(run),
            }
            (at, rest) = (at + same, &rest[same..]);
        }
    }
    if !selection.is_empty() {
        let shown = buffers.prefetched::<8>().enumerate().filter(|(at, _)| selection.has(*at));
        let shown = shown.map(|(_, buffer)| observed::<S>(buffer, WITH_LINK, now));
        meter.frame(shown, sink);
    }
    onward
}

/// In place of an interface: the packet is the exporter's own.
const OWN: u32 = SwIfIndex::NONE.0;

#[inline(always)]
fn key_of<S: Site>(buffer: &Buffer) -> u32 {
    if buffer.flags().contains(BufferFlags::FLOW_REPORT) {
        return OWN;
    }
    match S::DIRECTION {
        Direction::Ingress => buffer.rx.0,
        Direction::Egress => buffer.tx.0,
    }
}

/// For methods that look at packets.
struct Frame<'f, S, const WITH_LINK: bool> {
    buffers: Buffers<'f>,
    now: PacketTime,
    site: PhantomData<S>,
}

impl<S: Site, const WITH_LINK: bool> Packets for Frame<'_, S, WITH_LINK> {
    fn packet(&mut self, at: usize) -> Observed<'_> {
        let now = self.now;
        match self.buffers.get(at) {
            Some(buffer) => observed::<S>(buffer, WITH_LINK, now),
            None => Observed::new(&[], Start::Network(0), SwIfIndex::NONE),
        }
    }
}
