//! Packets that are not as most are: later fragments, ICMP errors, and such as end too soon.

use vnet::{
    buffer::{Buffer, BufferFlags},
    frame::{Buffers, FRAME_SIZE},
    reassembly,
};

use super::{Cx, Error, NO_HEADER, SESSION, Scene, Work};
use crate::{
    compile::Compiled,
    key::{Kind, VALID, layer4},
};

impl<F: Compiled<N>, const N: usize> Work<F, N> {
    /// Looks at those of the pending packets that are not as most are, some of which are then done.
    #[cold]
    #[inline(never)]
    pub(super) fn look_at_special(
        &mut self,
        cx: Cx<'_, '_>,
        buffers: &mut Buffers<'_>,
        scene: Scene<'_>,
    ) {
        let Self { place, pending, keys, kinds, found, .. } = self;
        pending.retain(|packet| {
            let Some(buffer) = buffers.get(packet) else { return true };
            let packet = packet % FRAME_SIZE;
            let answer = match kinds[packet] {
                Kind::Whole => None,
                Kind::NoHeader => Some(NO_HEADER),
                Kind::Cut => {
                    cx.count(Error::Cut, 1);
                    None
                }
                Kind::Fragment => match noted(buffer) {
                    Some(word) => {
                        (keys[packet][N - 1], kinds[packet]) = (word, Kind::Whole);
                        None
                    }
                    None => scene.fragment::<F, N>(&keys[packet]),
                },
                Kind::IcmpError => {
                    let inner = F::inner(super::packet(*place, buffer));
                    scene.is_related::<F, N>(cx, inner).then_some(SESSION)
                }
            };
            if let Some(answer) = answer {
                found[packet] = answer;
            }
            answer.is_none()
        });
    }
}

impl Scene<'_> {
    /// What was found of a fragment other than the first, where that is not looked up as others are.
    fn fragment<F: Compiled<N>, const N: usize>(&self, key: &[u64; N]) -> Option<u32> {
        let context = self.context?;
        let matches = self.tables.settings.l4_match_nonfirst_fragment;
        matches.then(|| F::program(&context.lists).fragments().look_up_one(key))
    }
}

/// The word of layer 4 of the datagram of a later fragment, where somebody has noted that.
fn noted(buffer: &Buffer) -> Option<u64> {
    if !buffer.flags().contains(BufferFlags::LAYER4_NOTED) {
        return None;
    }
    let datagram = reassembly::Layer4::of(buffer).filter(|datagram| !datagram.is_truncated)?;
    let reassembly::Layer4 { source, destination, protocol, tcp_flags, .. } = datagram;
    Some(layer4(source, destination, protocol, tcp_flags) | VALID)
}
