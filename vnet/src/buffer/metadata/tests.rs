//! Where the current bytes may lie, and what moves them.

use super::*;

fn buffer() -> Box<Buffer> {
    Box::new(Buffer::empty())
}

#[test]
fn pushes_use_the_headroom_and_no_more() {
    let mut b = buffer();
    assert_eq!(b.append(&[7; 60]), 60);
    assert!(b.push(HEADROOM));
    assert_eq!(b.current_data(), -(HEADROOM as i16));
    assert_eq!(b.len(), 60 + HEADROOM);
    assert!(!b.push(1));
    assert!(b.advance(HEADROOM));
    assert_eq!(b.current(), &[7; 60]);
}

#[test]
fn a_header_is_prepended_whole_or_not_at_all() {
    let mut b = buffer();
    b.append(&[7; 4]);
    let block: [u8; 16] = core::array::from_fn(|i| i as u8);
    assert!(b.prepend::<14>(block));
    assert_eq!(b.len(), 18);
    assert_eq!(b.current()[..14], block[2..]);
    assert_eq!(b.current()[14..], [7; 4]);
    assert!(b.push(99));
    assert!(!b.prepend::<14>(block));
    assert_eq!(b.len(), 117);
    assert!(b.advance(1));
    assert!(b.prepend::<16>(block));
    assert_eq!(b.current()[..16], block);
}

#[test]
fn appends_stop_at_the_end_of_the_data() {
    let mut b = buffer();
    assert_eq!(b.append(&[1; 5000]), DATA_SIZE);
    assert_eq!(b.append(&[1]), 0);
    assert!(b.extend(1).is_none());
    assert!(b.extend(usize::MAX).is_none());
    assert!(!b.advance(DATA_SIZE + 1));
    assert!(b.advance(DATA_SIZE));
    assert!(b.is_empty());
}

#[test]
fn a_view_needs_all_bytes_of_the_header() {
    let mut b = buffer();
    b.append(&[0, 1, 2, 3]);
    assert_eq!(b.view::<[u8; 4]>(), Some(&[0, 1, 2, 3]));
    assert!(b.view::<[u8; 5]>().is_none());
    if let Some(v) = b.view_mut::<[u8; 2]>() {
        v[1] = 9;
    }
    assert_eq!(b.current(), &[0, 9, 2, 3]);
}

#[test]
fn rewinding_restores_what_was_advanced_over() {
    let mut b = buffer();
    b.append(&[1, 2, 3, 4]);
    assert!(b.advance(3));
    assert_eq!(b.from_offset(1), &[2, 3, 4]);
    assert!(b.rewind_to(0));
    assert_eq!(b.current(), &[1, 2, 3, 4]);
    assert!(!b.rewind_to(5));
    assert!(!b.rewind_to(-129));
    assert_eq!(b.from_offset(-4000), &[] as &[u8]);
}

#[test]
fn the_chain_flag_is_not_the_authors_to_set() {
    let mut b = buffer();
    b.set_flags(BufferFlags::all());
    assert!(!b.flags().intersects(BufferFlags::NEXT_PRESENT));
}
