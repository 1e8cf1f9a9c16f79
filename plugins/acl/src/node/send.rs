//! Where packets go, by what was found of them, and what is counted of them.

use vnet::{
    action::Choice,
    buffer::Buffer,
    counter::{Count, Counter},
    flow::prefetch_in,
    frame::{Buffers, FRAME_SIZE},
    graph::{NodeCx, Slot},
};

use super::{Cx, Error, NO_HEADER, Next, SESSION, Scene, Work};
use crate::{compile::Compiled, rule::Verdict};

/// Rules up to this are in the cache.
const FEW: usize = 512;

/// What is counted of a frame.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) permitted: u64,
    pub(super) sessions: u64,
}

/// Packets in a row that one rule has matched.
#[derive(Default)]
struct Run {
    counter: u32,
    count: Count,
}

impl Run {
    /// Counts a packet of a rule.
    #[inline(always)]
    fn add(
        &mut self,
        cx: &NodeCx<'_, Next, Error>,
        rules: &Counter<Count>,
        counter: u32,
        bytes: u64,
    ) {
        if counter != self.counter {
            self.end(cx, rules);
            self.counter = counter;
        }
        self.count.packets += 1;
        self.count.bytes += bytes;
    }

    #[inline(always)]
    fn end(&mut self, cx: &NodeCx<'_, Next, Error>, rules: &Counter<Count>) {
        if self.count.packets > 0 {
            cx.add(rules, self.counter, core::mem::take(&mut self.count));
        }
    }
}

impl<F: Compiled<N>, const N: usize> Work<F, N> {
    /// Sends packets where that leads what was found of them.
    #[inline(always)]
    pub(super) fn send(
        &mut self,
        cx: Cx<'_, '_>,
        buffers: &mut Buffers<'_>,
        packets: core::ops::Range<usize>,
        scene: Scene<'_>,
        counts: &mut Counts,
    ) {
        let matched = scene.context.map_or(&[][..], |context| &context.lists.matched);
        if matched.len() > FEW {
            for packet in packets.clone() {
                prefetch_in(matched, self.found[packet % FRAME_SIZE] as usize);
            }
            for packet in packets.clone() {
                if let Some(rule) = matched.get(self.found[packet % FRAME_SIZE] as usize) {
                    cx.prefetch_count(scene.rules, rule.counter);
                }
            }
        }
        let mut run = Run::default();
        for packet in packets {
            let Some(buffer) = buffers.get(packet) else { break };
            let found = self.found[packet % FRAME_SIZE];
            let Some(rule) = matched.get(found as usize) else {
                let next = self.send_without_rule(cx, buffer, found, scene, counts);
                cx.set_next(packet, next);
                continue;
            };
            run.add(cx, scene.rules, rule.counter, buffer.length_in_chain() as u64);
            if rule.action.is_some() {
                self.choices.push(Choice { at: packet as u16, action: rule.action });
            }
            let next = match rule.verdict {
                Verdict::Permit => {
                    counts.permitted += 1;
                    cx.next_feature(buffer)
                }
                Verdict::Deny => refuse(cx, buffer, Error::Deny),
                Verdict::Reflect => self.reflect(cx, buffer, packet, rule, scene, counts),
            };
            cx.set_next(packet, next);
        }
        run.end(cx, scene.rules);
    }

    /// Of a packet that no rule has matched.
    #[inline(always)]
    fn send_without_rule(
        &self,
        cx: Cx<'_, '_>,
        buffer: &mut Buffer,
        found: u32,
        scene: Scene<'_>,
        counts: &mut Counts,
    ) -> Slot<Next> {
        match found {
            SESSION => {
                counts.sessions += 1;
                cx.next_feature(buffer)
            }
            NO_HEADER => refuse(cx, buffer, Error::NoHeader),
            _ if scene.context.is_none() => {
                counts.permitted += 1;
                cx.next_feature(buffer)
            }
            // What matches no list is denied.
            _ => refuse(cx, buffer, Error::Deny),
        }
    }
}

#[cold]
pub(super) fn refuse(cx: Cx<'_, '_>, buffer: &mut Buffer, error: Error) -> Slot<Next> {
    cx.error(buffer, error);
    Next::Drop.into()
}
