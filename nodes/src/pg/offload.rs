//! What the packets of an interface leave to others: checksums, and their cutting.

use vnet::{
    buffer::{Buffer, BufferFlags, Gso},
    frame::Buffers,
    gro::Segment,
    wire::{ip4, ip6, link::LinkType, partial, walk},
};
use zerocopy::FromBytes;

/// What an interface leaves to others, and takes from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offload {
    /// Nothing.
    #[default]
    None,
    /// The checksums of TCP and UDP that its packets come with are still to be made. Packets that leave by it are complete.
    Checksum,
    /// So are they, and packets of TCP that are longer than a buffer stand for several. Such packets leave by it whole.
    Gso {
        /// Octets of payload of each packet that a large one stands for; 0 for none that stands for others.
        size: u16,
        /// Whether segments that leave by it are put together, at first.
        coalesce: bool,
    },
}

impl Offload {
    /// Whether packets leave by the interface whole.
    pub(super) fn is_gso(self) -> bool {
        matches!(self, Self::Gso { .. })
    }

    /// Leaves to others what can be left of new packets; how many they are on a wire, and their octets.
    pub(super) fn leave(self, new: &mut Buffers<'_>) -> (u64, u64) {
        let mut sums = (0, 0);
        for buffer in new.iter_mut() {
            self.leave_one(buffer);
            let on_wire = buffer.on_wire();
            sums.0 += u64::from(on_wire.packets);
            sums.1 += on_wire.octets;
        }
        sums
    }

    fn leave_one(self, buffer: &mut Buffer) -> Option<()> {
        let link = LinkType::from_number(buffer.link_type)?;
        if !is_whole(buffer.current(), buffer.length_in_chain(), link) {
            return None;
        }
        let place = partial::place(buffer.current(), link)?;
        let end = place.start + usize::from(place.offset) + 2;
        if buffer.len() < end {
            return None;
        }
        let segment = Segment::of(buffer.current(), buffer.length_in_chain(), link);
        place.leave(buffer.current_mut());
        buffer.leave_checksum(place);
        let Self::Gso { size: size @ 1.., .. } = self else { return Some(()) };
        let is_long = buffer.flags().contains(BufferFlags::NEXT_PRESENT);
        let segment = segment.filter(|segment| is_long && segment.payload > 0)?;
        buffer.offload.gso_size = size;
        buffer.offload.header_length = (segment.headers - segment.transport) as u16;
        buffer.offload.gso = if segment.is_ip6() { Gso::Tcp6 } else { Gso::Tcp4 };
        Some(())
    }
}

/// Whether a packet is one that IP says ends where it does, and no fragment: what has a checksum of its own.
fn is_whole(head: &[u8], length: usize, link: LinkType) -> bool {
    let octets = || {
        let network = walk::link(head, link).ok()?.payload;
        let packet = head.get(network..)?;
        let octets = if packet.first()? >> 4 == 4 {
            let (ip, _) = ip4::Header::ref_from_prefix(packet).ok()?;
            (!ip.is_fragment()).then_some(usize::from(ip.total_length.get()))?
        } else {
            let (ip, behind) = ip6::Header::ref_from_prefix(packet).ok()?;
            let is_fragment = ip6::fragment_header(ip.next_header, behind).is_some();
            let octets = size_of::<ip6::Header>() + usize::from(ip.payload_length.get());
            (!is_fragment).then_some(octets)?
        };
        Some(network + octets)
    };
    octets() == Some(length)
}
