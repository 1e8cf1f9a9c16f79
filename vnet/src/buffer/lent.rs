//! Buffers that a device has: it fills them with packets, or sends what is in them.
//!
//! # Safety argument
//! A [`Lent`] owns the index of its buffer as a frame owns its own, and gives no access to what is in it: that is the device's.
//! Devices name buffers by addresses. A [`Ledger`] takes a [`Lent`] for an address, and gives it for that address once. What the
//! device leaves in a buffer is bytes; the metadata are written anew before anybody sees them.
#![allow(unsafe_code, reason = "buffers of packets change hands with devices")]

use super::{
    Arena, Buffer, BufferFlags, BufferIndex, BufferPool, HEADROOM, Magazine, metadata::Line, pool,
};

/// Octets from the beginning of a buffer to its data, the headroom included.
pub const DATA_OFFSET: usize = size_of::<Buffer>() - super::DATA_SIZE;

/// A buffer on its way to a device or back. Whoever drops it loses the buffer.
#[must_use = "the buffer is lost"]
#[derive(Debug)]
pub struct Lent(BufferIndex);

/// A buffer of a packet that is on its way to a device.
#[derive(Debug)]
pub struct Part {
    /// The buffer.
    pub lent: Lent,
    /// Octets from the beginning of the buffer to what is to be sent.
    pub start: usize,
    /// How many are to be sent.
    pub length: usize,
    /// The packet goes on in the next part.
    pub more: bool,
}

/// Which buffers a device has, as it names them: by their addresses, octets from the start of the
/// [memory](Arena::memory). A bit for each buffer of the pool.
pub struct Ledger {
    lent: Vec<u64>,
    count: usize,
}

impl Ledger {
    /// Of a device that has no buffers of `pool` yet.
    #[must_use]
    pub fn new(pool: &BufferPool) -> Self {
        Self { lent: vec![0; pool.arena().slots().div_ceil(64)], count: 0 }
    }

    /// How many buffers the device has.
    #[inline]
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Notes that the device has a buffer, whose address it is to be told.
    #[inline]
    #[must_use]
    pub fn enter(&mut self, lent: Lent) -> u64 {
        let slot = Arena::slot(lent.0);
        if let Some(word) = self.lent.get_mut(slot / 64) {
            *word |= 1 << (slot % 64);
            self.count += 1;
        }
        Arena::offset(lent.0)
    }

    /// The device gives back the buffer at an address; `None` when it has none there.
    #[inline]
    pub fn strike(&mut self, address: u64) -> Option<Lent> {
        let index = Arena::at_offset(address)?;
        let slot = Arena::slot(index);
        let word = self.lent.get_mut(slot / 64)?;
        let bit = 1 << (slot % 64);
        if *word & bit == 0 {
            return None;
        }
        *word &= !bit;
        self.count -= 1;
        Some(Lent(index))
    }

    /// All buffers that the device has not given back, when it is no more.
    pub fn strike_all(&mut self) -> Vec<Lent> {
        self.count = 0;
        let mut all = Vec::new();
        for (i, word) in self.lent.iter_mut().enumerate() {
            let mut bits = core::mem::take(word);
            while bits != 0 {
                all.push(Lent(Arena::index(64 * i + bits.trailing_zeros() as usize)));
                bits &= bits - 1;
            }
        }
        all
    }
}

impl Magazine {
    /// Moves up to `n` free buffers to a device, one after the other to `give`; returns how many there were.
    pub(crate) fn lend(&mut self, n: usize, mut give: impl FnMut(Lent)) -> usize {
        let mut done = 0;
        while done < n {
            let mut taken = [BufferIndex::NONE; 64];
            let wanted = taken.len().min(n - done);
            let got = self.remove(&mut taken[..wanted]);
            for &index in &taken[..got] {
                #[cfg(debug_assertions)]
                self.pool().lend_free(index);
                give(Lent(index));
            }
            done += got;
            if got < wanted {
                break;
            }
        }
        done
    }

    /// Gives a buffer back to the pool, whatever a device has made of it.
    #[inline]
    pub(crate) fn take_back(&mut self, lent: Lent) {
        #[cfg(debug_assertions)]
        self.pool().return_lent(lent.0);
        self.put(&[lent.0]);
    }

    /// What a device has put into a buffer, as a packet or a part of one: `length` octets, `start` octets from the beginning of the
    /// buffer. The caller owns the result. The buffer is returned when they do not lie in its headroom and data.
    #[inline]
    pub(crate) fn receive(
        &mut self,
        lent: Lent,
        start: usize,
        length: usize,
    ) -> Result<BufferIndex, Lent> {
        let front = DATA_OFFSET - HEADROOM;
        if start < front || start + length > size_of::<Buffer>() {
            return Err(lent);
        }
        #[cfg(debug_assertions)]
        self.pool().return_lent(lent.0);
        // SAFETY: a lent buffer is nobody else's, and this takes over its index.
        let buffer = unsafe { pool::buffer_mut(self.base(), lent.0) };
        // SAFETY: an empty buffer is in no chain.
        unsafe { buffer.set_head(Line::new(Buffer::EMPTY_HEAD)) };
        buffer.set_current(start as isize - DATA_OFFSET as isize, length);
        Ok(lent.0)
    }

    /// Puts `next`, which the caller owns and which has no chain, to the end of the packet that begins with `head`.
    pub(crate) fn add_segment(&mut self, head: &mut Buffer, next: BufferIndex) {
        // SAFETY: the caller owns `next` and gives it up.
        let added = unsafe { pool::segment(self.base(), next) }.len() as u32;
        let before = match head.flags().contains(BufferFlags::NEXT_PRESENT) {
            true => head.tail_length(),
            false => 0,
        };
        match self.last_segment(head) {
            None => head.link(next),
            // SAFETY: the packet was received by the caller, which has shared its segments with nobody.
            Some(last) => unsafe { pool::buffer_mut(self.base(), last) }.link(next),
        }
        head.set_tail_length(before + added);
    }

    fn last_segment(&self, head: &Buffer) -> Option<BufferIndex> {
        let mut last = None;
        let mut at = head;
        while at.flags().contains(BufferFlags::NEXT_PRESENT) {
            last = Some(at.next());
            // SAFETY: whoever lends the head owns the packet, so its segments stay.
            at = unsafe { pool::segment(self.base(), at.next()) };
        }
        last
    }

    /// Makes the buffers behind `head` those of this packet alone: what other packets have as well is copied. Whether the pool had
    /// the buffers for that; when not, nothing changes.
    pub(crate) fn own_tail(&mut self, head: &mut Buffer) -> bool {
        let (mut at, mut shared) = (&*head, false);
        while at.flags().contains(BufferFlags::NEXT_PRESENT) {
            // SAFETY: whoever lends the head owns the packet, so its segments stay.
            at = unsafe { pool::segment(self.base(), at.next()) };
            shared |= at.is_shared();
        }
        if !shared {
            return true;
        }
        let (base, first, length) = (self.base(), head.next(), head.tail_length());
        head.unlink();
        // SAFETY: the segments are not given back before the copy is made.
        let (mut from, mut taken) = (unsafe { pool::segment(base, first) }, 0);
        let copied = self.extend_chain(head, 0, length as usize, |_, mut room| {
            while !room.is_empty() {
                let rest = from.current().get(taken..).unwrap_or_default();
                let n = rest.len().min(room.len());
                let (now, later) = std::mem::take(&mut room).split_at_mut(n);
                now.copy_from_slice(&rest[..n]);
                (room, taken) = (later, taken + n);
                if taken == from.len() {
                    if !from.flags().contains(BufferFlags::NEXT_PRESENT) {
                        return;
                    }
                    // SAFETY: as above.
                    (from, taken) = (unsafe { pool::segment(base, from.next()) }, 0);
                }
            }
        });
        if copied {
            self.give(&[first]);
        } else {
            head.link(first);
            head.set_tail_length(length);
        }
        copied
    }

    /// How many buffers a packet has.
    pub(crate) fn segments(&self, head: &Buffer) -> usize {
        let mut n = 0;
        self.for_each_segment(head, |_| n += 1);
        n
    }

    /// Moves a packet, whose buffers are its own (see [`Self::own_tail`]), to a device, one after the other to `give`.
    pub(crate) fn lend_packet(&mut self, head: BufferIndex, mut give: impl FnMut(Part)) {
        let mut index = head;
        loop {
            // SAFETY: the caller gives up the packet, and no other packet has any of its buffers.
            let buffer = unsafe { pool::buffer_mut(self.base(), index) };
            let next = buffer.flags().contains(BufferFlags::NEXT_PRESENT).then(|| buffer.next());
            buffer.unlink();
            let start = (DATA_OFFSET as isize + isize::from(buffer.current_data())) as usize;
            let length = buffer.len();
            #[cfg(debug_assertions)]
            self.pool().lend_owned(index);
            give(Part { lent: Lent(index), start, length, more: next.is_some() });
            match next {
                Some(next) => index = next,
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;

    fn bytes(magazine: &Magazine, head: &Buffer) -> Vec<u8> {
        let mut all = Vec::new();
        magazine.for_each_segment(head, |s| all.extend_from_slice(s));
        all
    }

    #[test]
    fn buffers_go_to_a_device_and_come_back_as_packets_or_as_they_were() {
        let pool = BufferPool::new(100).unwrap();
        let mut magazine = Magazine::new(pool.clone());
        let (mut ring, mut ledger) = (Vec::new(), Ledger::new(&pool));
        assert_eq!(magazine.lend(120, |one| ring.push(ledger.enter(one))), 100);
        assert_eq!(ledger.count(), 100);
        assert_eq!(pool.usage().exhausted, 1);
        let mut frame = Frame::new();
        let head = magazine
            .receive(ledger.strike(ring.pop().unwrap()).unwrap(), DATA_OFFSET - 2, 60)
            .unwrap();
        frame.append(&[head], false);
        // The data of a buffer end where the buffer does, and its metadata are nobody's packet.
        for (start, length) in [(DATA_OFFSET, 2049), (127, 10), (usize::MAX / 2, 1)] {
            let refused = magazine
                .receive(ledger.strike(ring.pop().unwrap()).unwrap(), start, length)
                .unwrap_err();
            magazine.take_back(refused);
        }
        let tail =
            magazine.receive(ledger.strike(ring.pop().unwrap()).unwrap(), DATA_OFFSET, 40).unwrap();
        let last =
            magazine.receive(ledger.strike(ring.pop().unwrap()).unwrap(), DATA_OFFSET, 30).unwrap();
        let base = magazine.base();
        let mut buffers = frame.buffers(base);
        let head = buffers.get(0).unwrap();
        assert_eq!((head.current_data(), head.len(), head.length_in_chain()), (-2, 60, 60));
        magazine.add_segment(head, tail);
        magazine.add_segment(head, last);
        assert_eq!((head.length_in_chain(), magazine.segments(head)), (130, 3));
        frame.free_from(&mut magazine, 0);
        // The device is gone, and with it what it had.
        assert_eq!(ledger.count(), 94);
        ledger.strike_all().into_iter().for_each(|one| magazine.take_back(one));
        magazine.publish();
        assert_eq!((pool.usage().used(), ledger.count()), (0, 0));
    }

    #[test]
    fn a_ledger_gives_a_buffer_for_its_address_once() {
        let pool = BufferPool::new(8).unwrap();
        let mut magazine = Magazine::new(pool.clone());
        let (mut ring, mut ledger) = (Vec::new(), Ledger::new(&pool));
        magazine.lend(1, |one| ring.push(ledger.enter(one)));
        let [address] = ring[..] else { panic!("{ring:?}") };
        for wrong in [address + 64, address + 37 * 64, 1 << 47, u64::MAX] {
            assert!(ledger.strike(wrong).is_none(), "{wrong}");
        }
        magazine.take_back(ledger.strike(address).unwrap());
        assert!(ledger.strike(address).is_none());
    }

    #[test]
    fn a_packet_goes_to_a_device_buffer_by_buffer_and_leaves_alone_what_it_shares() {
        let pool = BufferPool::new(8).unwrap();
        let mut magazine = Magazine::new(pool.clone());
        let packet: Vec<u8> = (0..4500u32).map(|i| (i % 251) as u8).collect();
        let mut frame = Frame::new();
        frame.fill_from(&mut magazine, 1);
        let base = magazine.base();
        let mut buffers = frame.buffers(base);
        let head = buffers.get(0).unwrap();
        assert!(magazine.append_chain(head, &packet));
        let copies = [magazine.replicate(head).unwrap(), magazine.replicate(head).unwrap()];
        // Five buffers are taken, and there are three more: enough to copy the two shared ones once.
        assert!(magazine.own_tail(head));
        assert_eq!(bytes(&magazine, head), packet);
        let mut others = Frame::new();
        others.append(&copies, false);
        let mut rest = others.buffers(base);
        assert!(!magazine.own_tail(rest.get(0).unwrap()), "there are no buffers for a copy");
        assert_eq!(bytes(&magazine, rest.get(0).unwrap()), packet);
        let mut parts = Vec::new();
        magazine.lend_packet(frame.indices()[0], |part| parts.push(part));
        frame.clear();
        let seen: Vec<_> = parts.iter().map(|p| (p.start, p.length, p.more)).collect();
        assert_eq!(seen, [(256, 2048, true), (256, 2048, true), (256, 404, false)]);
        parts.into_iter().for_each(|part| magazine.take_back(part.lent));
        others.free_from(&mut magazine, 0);
        magazine.publish();
        assert_eq!(pool.usage().used(), 0);
    }
}
