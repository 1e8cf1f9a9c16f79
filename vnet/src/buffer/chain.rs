//! Packets of more than one buffer, and packets that share their tail.
//!
//! # Safety argument
//! A head belongs to whoever owns its index; the segments behind it belong to all heads that lead to them, and each of those
//! counts on the first shared one. Segments are written only before they are linked, while this module alone owns them; from
//! then on they are read-only, except for the atomic count.
#![allow(unsafe_code, reason = "follows the links between buffers")]

use super::{
    Buffer, BufferFlags, BufferIndex, DATA_SIZE, Magazine,
    pool::{buffer_mut, segment},
};

impl Magazine {
    /// Hangs `tail` behind `head`, which has no chain yet, spread over as many buffers as it needs. When the pool has not
    /// enough of them, `head` is left as it was; whether it had.
    pub(crate) fn append_chain(&mut self, head: &mut Buffer, tail: &[u8]) -> bool {
        let fits = tail.len().min(head.room());
        self.extend_chain(head, fits, tail.len() - fits, |at, room| {
            room.copy_from_slice(&tail[at..at + room.len()]);
        })
    }

    /// Makes a packet longer of which `head`, which has no chain yet, is the first buffer: by `own` octets in `head` itself, and
    /// `tail` behind it, spread over as many buffers as they need. `fill` gets the octets to fill, and how many there were before.
    /// When the pool has not enough buffers, `head` is left as it was; whether it had.
    pub(crate) fn extend_chain(
        &mut self,
        head: &mut Buffer,
        own: usize,
        tail: usize,
        mut fill: impl FnMut(usize, &mut [u8]),
    ) -> bool {
        let before = head.len();
        let Some(room) = head.extend(own) else { return false };
        fill(0, room);
        let mut done = own;
        let (mut first, mut last) = (BufferIndex::NONE, BufferIndex::NONE);
        while done < own + tail {
            let mut taken = [BufferIndex::NONE];
            if self.take(&mut taken) == 0 {
                if first != BufferIndex::NONE {
                    self.give(&[first]);
                }
                head.truncate(before);
                return false;
            }
            let [new] = taken;
            // SAFETY: just taken, linked to nothing yet.
            let buffer = unsafe { buffer_mut(self.base(), new) };
            if let Some(room) = buffer.extend((own + tail - done).min(DATA_SIZE)) {
                fill(done, room);
                done += room.len();
            }
            if first == BufferIndex::NONE {
                first = new;
            } else {
                // SAFETY: taken by this call and not yet behind any head.
                unsafe { buffer_mut(self.base(), last) }.link(new);
            }
            last = new;
        }
        if first != BufferIndex::NONE {
            head.link(first);
            head.set_tail_length(tail as u32);
        }
        true
    }

    /// Gives back what is behind the first `n` octets of a packet, which are all in `head`.
    pub(crate) fn cut(&mut self, head: &mut Buffer, n: usize) {
        head.truncate(n);
        if head.flags().contains(BufferFlags::NEXT_PRESENT) {
            let tail = head.next();
            head.unlink();
            self.give(&[tail]);
        }
    }

    /// Calls `f` with each run of bytes of the packet, from the current position of its head on.
    pub(crate) fn for_each_segment(&self, head: &Buffer, mut f: impl FnMut(&[u8])) {
        f(head.current());
        let mut at = head;
        while at.flags().contains(BufferFlags::NEXT_PRESENT) {
            // SAFETY: whoever lends the head owns the packet, so its segments stay.
            at = unsafe { segment(self.base(), at.next()) };
            f(at.current());
        }
    }

    /// A second packet with the bytes and the metadata of `head`: the head is copied, the chain behind it is shared. `None`
    /// when the pool is empty. The caller owns the result.
    pub(crate) fn replicate(&mut self, head: &Buffer) -> Option<BufferIndex> {
        let mut taken = [BufferIndex::NONE];
        if self.take(&mut taken) == 0 {
            return None;
        }
        let [copy] = taken;
        // SAFETY: just taken, known to nobody else.
        let new = unsafe { buffer_mut(self.base(), copy) };
        new.copy_from(head);
        if head.flags().contains(BufferFlags::NEXT_PRESENT) {
            // SAFETY: the segment is in the chain of a packet that the caller owns.
            unsafe { segment(self.base(), head.next()) }.share();
            new.link(head.next());
            new.set_tail_length(head.tail_length());
        }
        Some(copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{buffer::BufferPool, frame::Frame};

    fn bytes(magazine: &Magazine, head: &Buffer) -> Vec<u8> {
        let mut all = Vec::new();
        magazine.for_each_segment(head, |s| all.extend_from_slice(s));
        all
    }

    #[test]
    fn large_packets_are_chains_that_go_back_whole() {
        let pool = BufferPool::new(100).unwrap();
        let mut magazine = Magazine::new(pool.clone());
        let packet: Vec<u8> = (0..65535u32).map(|i| (i % 251) as u8).collect();
        let mut frame = Frame::new();
        frame.fill_from(&mut magazine, 1);
        let base = magazine.base();
        let mut buffers = frame.buffers(base);
        let head = buffers.get(0).unwrap();
        assert!(magazine.append_chain(head, &packet));
        assert_eq!(head.length_in_chain(), packet.len());
        assert_eq!(bytes(&magazine, head), packet);
        frame.free_from(&mut magazine, 0);
        magazine.publish();
        assert_eq!(pool.usage().used(), 0);
    }

    #[test]
    fn a_packet_too_large_for_the_pool_is_refused_and_costs_nothing() {
        let pool = BufferPool::new(10).unwrap();
        let mut magazine = Magazine::new(pool.clone());
        let mut frame = Frame::new();
        frame.fill_from(&mut magazine, 1);
        let base = magazine.base();
        let mut buffers = frame.buffers(base);
        let head = buffers.get(0).unwrap();
        head.append(&[1, 2, 3]);
        assert!(!magazine.append_chain(head, &[9; 65535]));
        assert_eq!(bytes(&magazine, head), [1, 2, 3]);
        magazine.publish();
        assert_eq!(pool.usage().used(), 1);
        frame.free_from(&mut magazine, 0);
    }

    #[test]
    fn what_is_cut_off_goes_back_unless_others_have_it() {
        let pool = BufferPool::new(20).unwrap();
        let mut magazine = Magazine::new(pool.clone());
        let mut frame = Frame::new();
        frame.fill_from(&mut magazine, 1);
        let base = magazine.base();
        let mut buffers = frame.buffers(base);
        let head = buffers.get(0).unwrap();
        assert!(magazine.append_chain(head, &[5; 5000]));
        let copy = magazine.replicate(head).unwrap();
        magazine.cut(head, 40);
        assert_eq!(bytes(&magazine, head), [5; 40]);
        assert!(magazine.append_chain(head, &[6; 3000]), "it may become longer again");
        assert_eq!(head.length_in_chain(), 3040);
        let mut rest = Frame::new();
        rest.append(&[copy], false);
        assert_eq!(bytes(&magazine, rest.buffers(base).get(0).unwrap()), [5; 5000]);
        frame.free_from(&mut magazine, 0);
        rest.free_from(&mut magazine, 0);
        magazine.publish();
        assert_eq!(pool.usage().used(), 0);
    }

    #[test]
    fn replicas_share_the_tail_until_the_last_of_them_goes() {
        let pool = BufferPool::new(20).unwrap();
        let mut magazine = Magazine::new(pool.clone());
        let mut frame = Frame::new();
        frame.fill_from(&mut magazine, 1);
        let base = magazine.base();
        let packet = vec![5; 5000];
        let mut buffers = frame.buffers(base);
        let head = buffers.get(0).unwrap();
        assert!(magazine.append_chain(head, &packet));
        let copies = [magazine.replicate(head).unwrap(), magazine.replicate(head).unwrap()];
        head.current_mut()[0] = 6;
        magazine.publish();
        // Three heads, two shared segments.
        assert_eq!(pool.usage().used(), 5);
        frame.free_from(&mut magazine, 0);
        let mut rest = Frame::new();
        rest.append(&copies, false);
        let mut buffers = rest.buffers(base);
        for i in 0..2 {
            assert_eq!(bytes(&magazine, buffers.get(i).unwrap()), packet);
        }
        rest.free_from(&mut magazine, 1);
        magazine.publish();
        assert_eq!(pool.usage().used(), 3);
        rest.free_from(&mut magazine, 0);
        magazine.publish();
        assert_eq!(pool.usage().used(), 0);
    }
}
