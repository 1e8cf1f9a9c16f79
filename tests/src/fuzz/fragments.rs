//! What packets say of themselves as fragments, and what stands behind their headers.

use vnet::{
    reassembly::Layer4,
    wire::{
        fragment::{Fragment, MOST, UNIT},
        ip4, ip6,
    },
    zerocopy::FromBytes,
};

/// Places of fragments are within what headers can say, and their headers within the bytes; a packet and each beginning of it that
/// has its headers say the same.
pub fn fragments(data: &[u8]) {
    if let Ok(Some(fragment)) = Fragment::of4(data) {
        place(&fragment);
        let (header, _) = ip4::Header::ref_from_prefix(data).expect("it was read");
        assert!(header.is_fragment() && fragment.header == header.header_length());
        assert_eq!(fragment.header + fragment.length, usize::from(header.total_length.get()));
        assert_eq!(Fragment::of4(&data[..size_of::<ip4::Header>()]), Ok(Some(fragment)));
    }
    if let Ok(Some(fragment)) = Fragment::of6(data) {
        place(&fragment);
        assert!(fragment.header <= data.len());
        assert_eq!(data[fragment.names_fragment], ip4::protocol::FRAGMENT);
        let total = size_of::<ip6::Header>() + usize::from(u16::from_be_bytes([data[4], data[5]]));
        assert_eq!(fragment.header + fragment.length, total);
        assert_eq!(Fragment::of6(&data[..fragment.header]), Ok(Some(fragment)));
        assert_ne!(Fragment::of6(&data[..fragment.header - 1]), Ok(Some(fragment)));
    }
    if let Some(layer4) = Layer4::read(data) {
        assert!(!layer4.is_later, "a packet knows of itself alone");
        assert_eq!(Layer4::read(data), Some(layer4));
    }
}

fn place(fragment: &Fragment) {
    let Fragment { start, length, more, .. } = *fragment;
    assert!(start.is_multiple_of(UNIT) && start <= MOST && length <= MOST);
    assert!(start > 0 || more, "a whole packet is none");
    assert_eq!(fragment.is_first(), start == 0);
}
