//! A packet as tables see it.

use super::mask::{Key, MAX_BYTES, Mask, VECTOR_BYTES};
use crate::{buffer::Buffer, wire::ethernet};

/// Bytes of an Ethernet header without tags, in front of the IP header of every frame of an IP node.
pub const LINK_BYTES: usize = size_of::<ethernet::Header>();
/// Its two addresses.
const ADDRESSES: usize = 12;

/// The bytes of a packet that masks are laid on.
///
/// An IP packet begins with an Ethernet header of 14 bytes. VLAN tags are left out, so that a table means the same on a
/// sub-interface as on an interface; where the packet came without an Ethernet header, 14 zeros stand there. A frame is shown
/// as it is.
#[derive(Clone, Copy)]
pub struct Window<'b> {
    buffer: &'b Buffer,
    /// Where the Ethernet header begins.
    link: i16,
    /// Where what follows it begins; for frames, behind 14 bytes whatever they are.
    network: i16,
    /// The position from which tables of current data count.
    current: i16,
}

impl<'b> Window<'b> {
    /// Of a packet whose current position is its IP header.
    #[inline(always)]
    #[must_use]
    pub fn ip(buffer: &'b Buffer) -> Self {
        let current = buffer.current_data();
        Self { buffer, link: buffer.l2_offset, network: current, current }
    }

    /// Of a packet that leaves: its current position is the link header that was put in front of its IP header, from which tables
    /// of current data count.
    #[inline(always)]
    #[must_use]
    pub fn ip_output(buffer: &'b Buffer) -> Self {
        let network = buffer.l3_offset.max(buffer.current_data());
        Self { buffer, link: buffer.current_data(), network, current: network }
    }

    /// Of a frame that is bridged, with its tags.
    #[inline(always)]
    #[must_use]
    pub fn frame(buffer: &'b Buffer) -> Self {
        let link = buffer.current_data();
        Self { buffer, link, network: link.saturating_add(LINK_BYTES as i16), current: link }
    }

    /// Writes the key under `mask`, of the bytes `from` the current position on where that is given.
    #[inline(always)]
    pub(super) fn key(self, mask: &Mask, from: Option<i16>, key: &mut Key) {
        let length = self.network.wrapping_sub(self.link);
        if from.is_none() && length == LINK_BYTES as i16 {
            mask.lay_on(self.buffer.from_offset(self.link), key);
        } else {
            self.pieced(mask, from, key);
        }
    }

    /// Where the bytes do not lie behind each other, or begin elsewhere.
    #[cold]
    fn pieced(self, mask: &Mask, from: Option<i16>, key: &mut Key) {
        let mut bytes = [0; MAX_BYTES];
        let skip = (mask.skip() * VECTOR_BYTES) as isize;
        let (at, shown) = match from {
            // What is in front of the packet is zeros.
            Some(offset) => {
                let first = i32::from(self.current) + i32::from(offset);
                let shown = first.max(self.link.min(self.current).into());
                ((shown - first) as isize, i16::try_from(shown).unwrap_or(i16::MAX))
            }
            None => {
                put(&mut bytes, &self.untagged(), -skip);
                (LINK_BYTES as isize, self.network)
            }
        };
        put(&mut bytes, self.buffer.from_offset(shown), at - skip);
        mask.lay_on_window(&bytes, key);
    }

    /// The Ethernet header of a tagged packet without its tags; zeros for a packet that has none.
    fn untagged(self) -> [u8; LINK_BYTES] {
        let length = isize::from(self.network) - isize::from(self.link);
        link_of(self.buffer.from_offset(self.link), length)
    }
}

fn link_of(frame: &[u8], length: isize) -> [u8; LINK_BYTES] {
    let mut header = [0; LINK_BYTES];
    let Some(length) = usize::try_from(length).ok().filter(|&length| length > LINK_BYTES) else {
        return header;
    };
    if let (Some(addresses), Some(ethertype)) =
        (frame.get(..ADDRESSES), frame.get(length - 2..length))
    {
        header[..ADDRESSES].copy_from_slice(addresses);
        header[ADDRESSES..].copy_from_slice(ethertype);
    }
    header
}

/// Puts `from` at the place `at` of `to`, as far as it fits there.
fn put(to: &mut [u8], from: &[u8], at: isize) {
    let from = from.get(at.min(0).unsigned_abs()..).unwrap_or_default();
    let Some(to) = to.get_mut(at.max(0).unsigned_abs()..) else { return };
    let n = from.len().min(to.len());
    to[..n].copy_from_slice(&from[..n]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet whose link header has been passed.
    fn packet(link: usize, bytes: &[u8]) -> Box<Buffer> {
        let mut buffer = Box::new(Buffer::empty());
        assert_eq!(buffer.append(bytes), bytes.len());
        buffer.l2_offset = buffer.current_data();
        assert!(buffer.advance(link));
        buffer
    }

    fn key_of(buffer: &Buffer, mask: &Mask, from: Option<i16>) -> Key {
        let mut key = Key::ZERO;
        Window::ip(buffer).key(mask, from, &mut key);
        key
    }

    /// Everything that a window shows of its first 80 bytes.
    fn shown(buffer: &Buffer, from: Option<i16>) -> Vec<u8> {
        let mask = Mask::new(&[0xff; 80], None, None).unwrap();
        key_of(buffer, &mask, from).bytes(5)
    }

    fn zero_padded(bytes: &[u8]) -> Vec<u8> {
        let mut padded = bytes.to_vec();
        padded.resize(80, 0);
        padded
    }

    #[test]
    fn an_untagged_packet_is_shown_as_it_came_and_ends_with_zeros() {
        let bytes: Vec<u8> = (1..=60).collect();
        assert_eq!(shown(&packet(14, &bytes), None), zero_padded(&bytes));
    }

    #[test]
    fn tags_are_left_out() {
        let untagged: Vec<u8> = (1..=60).collect();
        for tags in [&[0x81, 0, 0, 9][..], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 9]] {
            let mut tagged = untagged.clone();
            tagged.splice(12..12, tags.iter().copied());
            assert_eq!(shown(&packet(14 + tags.len(), &tagged), None), zero_padded(&untagged));
        }
    }

    #[test]
    fn a_packet_without_link_header_has_zeros_in_its_place() {
        let bytes: Vec<u8> = (1..=40).collect();
        let mut expected = vec![0; 14];
        expected.extend(&bytes);
        assert_eq!(shown(&packet(0, &bytes), None), zero_padded(&expected));
    }

    #[test]
    fn a_packet_that_leaves_is_shown_with_its_new_header() {
        let bytes: Vec<u8> = (1..=60).collect();
        for link in [14, 18, 0] {
            let mut leaving = packet(link, &bytes);
            leaving.l3_offset = leaving.current_data();
            let expected = shown(&leaving, None);
            let from_network = shown(&leaving, Some(2));
            assert!(leaving.push(link));
            leaving.l2_offset = Buffer::NOWHERE;
            let seen = |from| {
                let mask = Mask::new(&[0xff; 80], None, None).unwrap();
                let mut key = Key::ZERO;
                Window::ip_output(&leaving).key(&mask, from, &mut key);
                key.bytes(5)
            };
            assert_eq!((seen(None), seen(Some(2))), (expected, from_network), "{link}");
        }
    }

    #[test]
    fn a_frame_is_shown_as_it_is() {
        let mut frame = packet(0, &[2; 12]);
        frame.append(&[0x81, 0, 0, 9, 8, 0, 0x45]);
        let mask = Mask::new(&[0xff; 80], None, None).unwrap();
        let mut key = Key::ZERO;
        Window::frame(&frame).key(&mask, None, &mut key);
        assert_eq!(key.bytes(2)[..19], *frame.current());
        Window::frame(&frame).key(&mask, Some(12), &mut key);
        assert_eq!(key.bytes(1)[..7], frame.current()[12..]);
    }

    #[test]
    fn a_table_of_current_data_counts_from_the_current_position() {
        let bytes: Vec<u8> = (1..=60).collect();
        let buffer = packet(14, &bytes);
        assert_eq!(shown(&buffer, Some(0)), zero_padded(&bytes[14..]));
        assert_eq!(shown(&buffer, Some(6)), zero_padded(&bytes[20..]));
        assert_eq!(shown(&buffer, Some(-2))[..4], [13, 14, 15, 16]);
        assert_eq!(shown(&buffer, Some(-14)), zero_padded(&bytes));
        assert_eq!(shown(&buffer, Some(-16)), zero_padded(&[&[0, 0], &bytes[..]].concat()));
        assert_eq!(shown(&buffer, Some(i16::MAX)), [0; 80]);
        assert_eq!(shown(&buffer, Some(i16::MIN)), [0; 80]);
    }

    #[test]
    fn skipped_vectors_are_skipped_in_every_kind_of_packet() {
        let bytes: Vec<u8> = (1..=60).collect();
        let mut mask = [0; 48];
        mask[16..].fill(0xff);
        let mask = Mask::new(&mask, None, None).unwrap();
        let key = |buffer: &Buffer| key_of(buffer, &mask, None).bytes(2);
        assert_eq!(key(&packet(14, &bytes)), bytes[16..48]);
        assert_eq!(key(&packet(0, &bytes[14..])), bytes[16..48]);
    }
}
