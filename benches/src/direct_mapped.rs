//! The flow table of VPP's flowprobe, small and faithful, to stand beside ours: direct-mapped, so that of two flows with one slot
//! each packet throws the other one out and exports it.
//!
//! As there: a key of 64 bytes, CRC32C over them, its top 18 bits choose one of 2^18 slots, which hold indices into a pool of
//! 120-byte entries. Packets are taken one by one. What it lacks is the timer wheel and the walker, which only cost.
#![allow(unsafe_code, reason = "CRC32C is an instruction")]

use core::hint::black_box;

const BITS: u32 = 18;
const EMPTY: u32 = u32::MAX;
/// Bytes of messages that wait to be sent, and of a record of `l3 l4`.
const MESSAGE: usize = 512;
const RECORD: usize = 56;

/// A key's words: interfaces, MAC addresses with the Ethernet type, addresses, ports with what else there is.
type Key = [u64; 8];

#[derive(Clone, Copy)]
struct Entry {
    key: Key,
    packets: u64,
    octets: u64,
    start: u64,
    end: u64,
    last_updated: f64,
    last_exported: f64,
    flags: u16,
    _timer: u32,
}

const _: () = assert!(size_of::<Entry>() == 120);

/// The table, and the message that is being filled.
pub struct DirectMapped {
    slots: Vec<u32>,
    pool: Vec<Entry>,
    active: f64,
    message: Vec<u8>,
    /// Packets that found another flow in their slot.
    pub collisions: u64,
    /// Records made.
    pub records: u64,
}

impl DirectMapped {
    /// An empty one; `active` is the active timer, in seconds.
    #[must_use]
    pub fn new(active: f64) -> Self {
        Self {
            slots: vec![EMPTY; 1 << BITS],
            pool: Vec::with_capacity(1 << BITS),
            active,
            message: Vec::with_capacity(MESSAGE),
            collisions: 0,
            records: 0,
        }
    }

    /// Flows that have an entry.
    #[must_use]
    pub fn held(&self) -> usize {
        self.pool.len()
    }

    /// Counts an Ethernet frame of IPv4 with ports, as `record l3 l4` has it, that came by interface `rx` at `time`, in
    /// nanoseconds.
    ///
    /// # Panics
    /// When it is shorter than its headers.
    pub fn packet(&mut self, frame: &[u8], rx: u32, time: u64) {
        let now = time as f64 * 1e-9;
        let key = key(frame, rx);
        let slot = &mut self.slots[(crc32c(&key) >> (32 - BITS)) as usize];
        if *slot == EMPTY {
            *slot = self.pool.len() as u32;
            let (packets, octets, end, flags) = (0, 0, 0, 0);
            self.pool.push(Entry {
                key,
                packets,
                octets,
                start: time,
                end,
                last_updated: now,
                last_exported: now,
                flags,
                _timer: 0,
            });
        }
        let index = *slot as usize;
        if self.pool[index].key != key {
            self.collisions += 1;
            if self.pool[index].packets > 0 {
                self.export(index, now);
            }
            let entry = &mut self.pool[index];
            (entry.key, entry.start) = (key, time);
        }
        let entry = &mut self.pool[index];
        entry.packets += 1;
        entry.octets += u64::from(u16::from_be_bytes([frame[16], frame[17]]));
        (entry.end, entry.last_updated) = (time, now);
        if frame[23] == 6 {
            entry.flags |= u16::from(frame[47]);
        }
        if now > entry.last_exported + self.active {
            self.export(index, now);
        }
    }

    /// Writes the record of an entry, and forgets what it counted.
    fn export(&mut self, index: usize, now: f64) {
        let entry = &mut self.pool[index];
        if self.message.len() + RECORD > MESSAGE {
            black_box(&self.message);
            self.message.clear();
        }
        let mut record = [0; RECORD];
        let words =
            [entry.key[0], entry.packets, entry.start, entry.end, entry.key[3], entry.octets];
        for (to, word) in record.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *to = word.to_be_bytes();
        }
        record[48..54].copy_from_slice(&entry.key[7].to_be_bytes()[..6]);
        record[54..].copy_from_slice(&entry.flags.to_be_bytes());
        self.message.extend_from_slice(&record);
        (entry.packets, entry.octets, entry.flags, entry.last_exported) = (0, 0, 0, now);
        self.records += 1;
    }
}

fn key(frame: &[u8], rx: u32) -> Key {
    let word = |at: usize| {
        let four = |at: usize| {
            u32::from_be_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]])
        };
        u64::from(four(at))
    };
    let addresses = [word(26), word(30)];
    let transport = word(34) << 16 | u64::from(frame[23]);
    [u64::from(rx) << 32 | 0xffff_ffff, 0, 0, addresses[0], 0, addresses[1], 0, transport]
}

#[cfg(all(target_arch = "x86_64", target_feature = "sse4.2"))]
fn crc32c(key: &Key) -> u32 {
    key.iter().fold(0, |crc, &word| {
        // SAFETY: the instruction is part of SSE4.2, which the cfg above says the target has.
        unsafe { core::arch::x86_64::_mm_crc32_u64(crc, word) }
    }) as u32
}

#[cfg(not(all(target_arch = "x86_64", target_feature = "sse4.2")))]
fn crc32c(key: &Key) -> u32 {
    let mixed = key.iter().fold(0, |mixed, word| mixed ^ word);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}
