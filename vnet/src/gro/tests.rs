//! Segments put together, against what was put in.

use core::time::Duration;

use super::{Coalescer, SEGMENTS, SHORT, STREAMS, TIMEOUT, coalescer::AT_ONCE};
use crate::{
    buffer::{Buffer, BufferPool, Magazine},
    frame::Frame,
    random::Random,
    runtime::EngineTime,
    wire::{checksum, checksum::Sum, gso::Segments, link::LinkType},
};

const ACK: u8 = 0x10;
const PSH: u8 = 0x08;

/// A segment to be made.
#[derive(Clone)]
struct Make {
    is_ip6: bool,
    port: u16,
    sequence: u32,
    acknowledgment: u32,
    flags: u8,
    options: Vec<u8>,
    payload: Vec<u8>,
    id: u16,
    dont_fragment: bool,
    ttl: u8,
}

impl Make {
    fn new(sequence: u32, payload: usize) -> Self {
        Self {
            is_ip6: false,
            port: 1000,
            sequence,
            acknowledgment: 7,
            flags: ACK,
            options: Vec::new(),
            payload: (0..payload).map(|i| (i as u32).wrapping_add(sequence) as u8).collect(),
            id: 1,
            dont_fragment: true,
            ttl: 64,
        }
    }

    fn packet(&self) -> Vec<u8> {
        let mut tcp = Vec::new();
        tcp.extend(self.port.to_be_bytes());
        tcp.extend([0, 80]);
        tcp.extend(self.sequence.to_be_bytes());
        tcp.extend(self.acknowledgment.to_be_bytes());
        tcp.extend([(5 + self.options.len() as u8 / 4) << 4, self.flags, 0x10, 0, 0, 0, 0, 0]);
        tcp.extend(&self.options);
        tcp.extend(&self.payload);
        let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        let pseudo = if self.is_ip6 {
            let (from, to) = ([0xfd; 16], [0xfc; 16]);
            packet.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            packet.extend((tcp.len() as u16).to_be_bytes());
            packet.extend([6, self.ttl]);
            packet.extend(from.iter().chain(&to));
            Sum::EMPTY.pseudo6(from, to, 6, tcp.len() as u32)
        } else {
            let (from, to) = ([10, 0, 0, 1], [10, 0, 0, 2]);
            let mut ip = vec![0x45, 0];
            ip.extend((20 + tcp.len() as u16).to_be_bytes());
            ip.extend(self.id.to_be_bytes());
            ip.extend([if self.dont_fragment { 0x40 } else { 0 }, 0, self.ttl, 6, 0, 0]);
            ip.extend(from.iter().chain(&to));
            let sum = checksum::of(&ip);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
            packet.extend([8, 0]);
            packet.extend(ip);
            Sum::EMPTY.pseudo4(from, to, 6, tcp.len() as u16)
        };
        let sum = pseudo.bytes(&tcp).checksum();
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        packet.extend(tcp);
        packet
    }
}

/// A coalescer with a pool and a clock of its own.
struct Bed {
    magazine: Magazine,
    coalescer: Coalescer,
    now: EngineTime,
    out: Frame,
}

/// A packet that came out: its octets, and those of the packets that it stands for.
#[derive(Clone, Debug, PartialEq)]
struct Out {
    whole: Vec<u8>,
    parts: Vec<Vec<u8>>,
}

impl Bed {
    fn new(buffers: u32) -> Self {
        let magazine = Magazine::new(BufferPool::new(buffers).unwrap());
        let coalescer = Coalescer::new(LinkType::Ethernet);
        Self { magazine, coalescer, now: EngineTime(0), out: Frame::new() }
    }

    /// What comes out when this goes in. `None` when the pool has no buffer for it.
    fn put(&mut self, packet: &[u8]) -> Option<Vec<Out>> {
        let mut frame = Frame::new();
        frame.fill_from(&mut self.magazine, 1);
        let base = self.magazine.base();
        let mut buffers = frame.buffers(base);
        let buffer = buffers.get(0)?;
        if !self.magazine.append_chain(buffer, packet) {
            frame.free_from(&mut self.magazine, 0);
            return None;
        }
        let index = frame.indices()[0];
        frame.clear();
        assert!(self.out.room() >= AT_ONCE);
        self.coalescer.take(&mut self.magazine, index, self.now, &mut self.out);
        Some(self.collect())
    }

    fn packets(&mut self, packets: &[Make]) -> Vec<Out> {
        packets.iter().flat_map(|make| self.put(&make.packet()).unwrap()).collect()
    }

    fn due(&mut self) -> Vec<Out> {
        let mut all = Vec::new();
        while self.coalescer.flush_due(&mut self.magazine, self.now, &mut self.out) {
            all.extend(self.collect());
        }
        all
    }

    fn all(&mut self) -> Vec<Out> {
        let mut all = Vec::new();
        while self.coalescer.flush_any(&mut self.magazine, &mut self.out) {
            all.extend(self.collect());
        }
        all
    }

    /// What is in `out`, which goes back to the pool.
    fn collect(&mut self) -> Vec<Out> {
        let base = self.magazine.base();
        let mut buffers = self.out.buffers(base);
        let seen = buffers.iter_mut().map(|buffer| see(&self.magazine, buffer)).collect();
        self.out.free_from(&mut self.magazine, 0);
        seen
    }

    fn is_balanced(&mut self) -> bool {
        self.magazine.publish();
        self.magazine.pool().usage().used() == self.coalescer.waiting()
    }
}

/// The packet, and those that it stands for: cut by what cuts large packets elsewhere, with complete checksums.
fn see(magazine: &Magazine, buffer: &Buffer) -> Out {
    let mut whole = Vec::new();
    magazine.for_each_segment(buffer, |run| whole.extend_from_slice(run));
    let Some(segments) = Segments::of(buffer, 14) else {
        assert!(buffer.offload().is_none());
        return Out { parts: vec![whole.clone()], whole };
    };
    let part = |i: usize| {
        let mut part = vec![0; segments.headers()];
        segments.write(i, &mut part);
        part.extend_from_slice(&whole[segments.payload(i)]);
        part
    };
    let start = usize::try_from(buffer.offload().unwrap().checksum_start).unwrap();
    let mut parts: Vec<_> = (0..segments.count()).map(part).collect();
    for packet in parts.iter_mut().chain([&mut whole]) {
        let sum = checksum::of(&packet[start..]);
        packet[start + 16..start + 18].copy_from_slice(&sum.to_be_bytes());
    }
    Out { whole, parts }
}

fn run(first: u32, n: u32, payload: usize) -> Vec<Make> {
    (0..n).map(|i| Make::new(first + i * payload as u32, payload)).collect()
}

#[test]
fn segments_that_follow_each_other_become_one_packet_that_can_be_cut_into_them_again() {
    let timestamps = vec![1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    for (is_ip6, options, dont_fragment) in
        [(false, vec![], true), (true, timestamps.clone(), true), (false, timestamps, false)]
    {
        let mut bed = Bed::new(2048);
        let mut packets = run(u32::MAX - 3000, 4, 1000);
        packets.push(Make { flags: ACK | PSH, ..Make::new(1000 - 1, 400) });
        for (i, make) in packets.iter_mut().enumerate() {
            make.sequence = (u32::MAX - 3000).wrapping_add(1000 * i as u32);
            (make.is_ip6, make.options) = (is_ip6, options.clone());
            // Cutting counts up.
            (make.id, make.dont_fragment) = (5 + i as u16, dont_fragment);
        }
        let out = bed.packets(&packets);
        assert_eq!(out.len(), 1, "the last one ends it");
        let expected: Vec<_> = packets.iter().map(Make::packet).collect();
        assert_eq!(out[0].parts, expected);
        // The large packet is sound itself.
        let whole = &out[0].whole;
        let sum = if is_ip6 {
            assert_eq!(u16::from_be_bytes([whole[18], whole[19]]) as usize, whole.len() - 54);
            let sum = Sum::EMPTY.pseudo6([0xfd; 16], [0xfc; 16], 6, whole.len() as u32 - 54);
            sum.bytes(&whole[54..])
        } else {
            assert_eq!(u16::from_be_bytes([whole[16], whole[17]]) as usize, whole.len() - 14);
            assert_eq!(checksum::of(&whole[14..34]), 0);
            let sum = Sum::EMPTY.pseudo4([10, 0, 0, 1], [10, 0, 0, 2], 6, whole.len() as u16 - 34);
            sum.bytes(&whole[34..])
        };
        assert!(sum.is_intact());
        assert!(bed.is_balanced());
        let counts = bed.coalescer.counts();
        assert_eq!((counts.taken, counts.joined, counts.large, counts.sent), (5, 5, 1, 1));
    }
}

#[test]
fn the_packet_has_the_last_acknowledgment_and_no_earlier_one_is_hidden() {
    let mut bed = Bed::new(2048);
    let mut packets = run(0, 3, 1000);
    (packets[1].acknowledgment, packets[2].acknowledgment) = (9, 20);
    bed.packets(&packets);
    let out = bed.all();
    assert_eq!(out[0].whole[42..46], 20_u32.to_be_bytes());
    // One that goes back is no continuation.
    packets[2].acknowledgment = 8;
    let out = bed.packets(&packets);
    assert_eq!(out.iter().map(|out| out.parts.len()).collect::<Vec<_>>(), [2, 1]);
}

/// How many packets each that comes out stands for, when a run of two is followed by this.
fn behind_two(third: Make) -> Vec<usize> {
    let mut bed = Bed::new(2048);
    let mut out = bed.packets(&run(0, 2, 1000));
    assert!(out.is_empty(), "they wait");
    out.extend(bed.packets(&[third]));
    out.extend(bed.all());
    assert!(bed.is_balanced());
    out.iter().map(|out| out.parts.len()).collect()
}

#[test]
fn what_does_not_continue_a_stream_goes_behind_what_waits_of_it() {
    let third = Make::new(2000, 1000);
    assert_eq!(behind_two(third.clone()), [3]);
    assert_eq!(behind_two(Make { flags: ACK | PSH, ..third.clone() }), [3]);
    assert_eq!(behind_two(Make { payload: vec![0; 999], ..third.clone() }), [3], "a smaller one");
    assert_eq!(behind_two(Make { payload: vec![0; 1], ..third.clone() }), [3], "a short one");
    let apart = [
        Make { sequence: 1000, ..third.clone() },
        Make { sequence: 3000, ..third.clone() },
        Make { payload: vec![], ..third.clone() },
        Make { payload: vec![0; 1001], ..third.clone() },
        Make { flags: ACK | 1, ..third.clone() },
        Make { flags: ACK | 2, ..third.clone() },
        Make { flags: ACK | 4, ..third.clone() },
        Make { flags: ACK | 0x20, ..third.clone() },
        Make { flags: ACK | 0x40, ..third.clone() },
        Make { flags: ACK | 0x80, ..third.clone() },
        Make { flags: 0, ..third.clone() },
        Make { ttl: 63, ..third.clone() },
        Make { dont_fragment: false, ..third.clone() },
        // Timestamps, which the others have not; SACK; a length beyond the options.
        Make { options: vec![1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], ..third.clone() },
        Make { options: vec![1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2], ..third.clone() },
        Make { options: vec![1, 1, 1, 8], ..third.clone() },
    ];
    for third in apart {
        assert_eq!(behind_two(third.clone()), [2, 1], "{:?}", third.packet());
    }
    // Of another stream, they wait side by side.
    assert_eq!(behind_two(Make { port: 1001, ..third.clone() }), [2, 1]);
    assert_eq!(behind_two(Make { is_ip6: true, ..third }), [2, 1]);
}

#[test]
fn a_segment_with_a_wrong_checksum_or_a_part_missing_is_sent_as_it_is() {
    let packet = Make::new(2000, 1000).packet();
    for change in [10, 24, 60, packet.len() - 1] {
        let mut wrong = packet.clone();
        wrong[change] ^= 1;
        let mut bed = Bed::new(2048);
        bed.packets(&run(0, 2, 1000));
        let out: Vec<_> = bed.put(&wrong).unwrap().into_iter().chain(bed.all()).collect();
        assert_eq!(out.len(), 2, "octet {change}");
        assert!(out.iter().any(|out| out.whole == wrong), "octet {change}");
    }
    let mut bed = Bed::new(2048);
    assert_eq!(bed.put(&packet[..900]).unwrap()[0].whole, packet[..900]);
    let mut tagged = packet.clone();
    tagged.splice(12..12, [0x81, 0, 0, 5]);
    assert_eq!(bed.put(&tagged).unwrap().len(), 0, "behind a tag it is one as well");
}

#[test]
fn what_fills_up_a_short_frame_is_no_payload() {
    let mut bed = Bed::new(2048);
    let mut last = Make::new(1000, 1).packet();
    last.extend([0xaa; 5]);
    bed.packets(&run(0, 1, 1000));
    let out = bed.put(&last).unwrap();
    assert_eq!(out[0].whole.len(), 54 + 1001);
}

#[test]
fn a_packet_is_never_longer_than_ip_can_say_and_never_of_more_segments_than_there_is_room_for() {
    let mut bed = Bed::new(8192);
    let out = bed.packets(&run(0, 124, 1460));
    // As VPP's: 44 segments of 1,460 octets.
    assert_eq!(out.iter().map(|out| out.parts.len()).collect::<Vec<_>>(), [44, 44]);
    assert_eq!(bed.all()[0].parts.len(), 36);
    let out = bed.packets(&run(0, 100, 300));
    assert_eq!(out.iter().map(|out| out.parts.len()).collect::<Vec<_>>(), [SEGMENTS]);
    assert_eq!(bed.all()[0].parts.len(), 36);
    // Segments of several buffers.
    let out = bed.packets(&run(0, 8, 8940));
    assert_eq!(out.iter().map(|out| out.parts.len()).collect::<Vec<_>>(), [7]);
    assert_eq!(bed.all().len(), 1);
    assert!(bed.is_balanced());
}

#[test]
fn nothing_waits_longer_than_it_may_and_nobody_waits_where_there_is_no_place() {
    let mut bed = Bed::new(2048);
    bed.packets(&run(0, 1, 1000));
    bed.now = bed.now.after(TIMEOUT - Duration::from_nanos(1));
    bed.packets(&run(1000, 1, 1000));
    assert!(bed.due().is_empty());
    bed.now = bed.now.after(Duration::from_nanos(1));
    // By the time of the first one.
    assert_eq!(bed.due()[0].parts.len(), 2);
    let streams: Vec<_> =
        (0..=STREAMS as u16).map(|port| Make { port, ..Make::new(0, 1000) }).collect();
    assert_eq!(bed.packets(&streams).len(), 1, "the one beyond them goes on");
    assert_eq!(bed.coalescer.streams(), STREAMS);
    assert_eq!(bed.all().len(), STREAMS);
    // Neither a short one nor one that is pushed begins a packet.
    assert_eq!(bed.packets(&[Make::new(0, SHORT - 54)]).len(), 1);
    assert_eq!(bed.packets(&[Make { flags: ACK | PSH, ..Make::new(0, 1000) }]).len(), 1);
}

#[test]
fn without_buffers_segments_go_out_one_by_one_and_none_is_lost() {
    let mut bed = Bed::new(64);
    // A sixteenth of the pool may wait.
    let out = bed.packets(&run(0, 6, 1000));
    assert_eq!(out.iter().map(|out| out.parts.len()).collect::<Vec<_>>(), [4, 1]);
    assert_eq!(bed.coalescer.waiting(), 1);
    bed.all();
    bed.packets(&run(0, 3, 1000));
    let mut rest = Frame::new();
    while rest.fill_from(&mut bed.magazine, 1) > 0 {}
    let out = bed.all();
    assert_eq!(out.iter().map(|out| out.parts.len()).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(bed.coalescer.counts().apart, 3);
    rest.free_from(&mut bed.magazine, 0);
    assert!(bed.is_balanced());
}

#[test]
fn what_waits_goes_back_to_the_pool_with_the_coalescer() {
    let mut bed = Bed::new(2048);
    bed.packets(&run(0, 5, 1000));
    let pool = bed.magazine.pool().clone();
    bed.coalescer = Coalescer::new(LinkType::Ethernet);
    bed.magazine.publish();
    assert_eq!(pool.usage().used(), 0);
}

/// A packet without what a large one has from its last segment: acknowledgment and window, and with them the checksum.
fn without_last(mut packet: Vec<u8>, is_ip6: bool) -> Vec<u8> {
    let at = if is_ip6 { 54 } else { 34 };
    packet[at + 8..at + 12].fill(0);
    packet[at + 14..at + 18].fill(0);
    // Nobody may cut these, so that their numbers are of no meaning.
    if !is_ip6 {
        packet[18..20].fill(0);
        packet[24..26].fill(0);
    }
    packet
}

#[test]
fn every_stream_comes_out_as_it_went_in() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let mut below = |n: u32| random.below(n);
        let mut bed = Bed::new(if seed % 4 == 0 { 96 } else { 4096 });
        let streams = 1 + below(20) as usize;
        let is_ip6 = |stream: usize| stream % 2 == 1;
        let mut next = vec![0_u32; streams];
        let (mut went_in, mut came_out) = (vec![Vec::new(); streams], vec![Vec::new(); streams]);
        let mut note = |out: Vec<Out>| {
            for packet in out.into_iter().flat_map(|out| out.parts) {
                let at = if packet[12] == 8 { 34 } else { 54 };
                let stream = usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
                came_out[stream].push(without_last(packet, is_ip6(stream)));
            }
        };
        let mut held = None;
        for _ in 0..1500 {
            // Runs of one stream, and now and then a change.
            let stream = below(streams as u32) as usize;
            for _ in 0..below(8) {
                let size = if below(10) == 0 { below(1500) as usize } else { 1000 };
                let flags = if below(15) == 0 { below(256) as u8 } else { ACK };
                let make = Make {
                    is_ip6: is_ip6(stream),
                    port: stream as u16,
                    acknowledgment: next[stream] / 3000,
                    flags,
                    ..Make::new(next[stream], size)
                };
                next[stream] = next[stream].wrapping_add(size as u32);
                let packet = match below(20) {
                    // Lost, late, and twice.
                    0 => continue,
                    1 => match held.replace((stream, make.packet())) {
                        Some(late) => late,
                        None => continue,
                    },
                    2 => {
                        next[stream] = next[stream].wrapping_sub(size as u32);
                        (stream, make.packet())
                    }
                    _ => (stream, make.packet()),
                };
                let (of, packet) = packet;
                if let Some(out) = bed.put(&packet) {
                    went_in[of].push(without_last(packet, is_ip6(of)));
                    note(out);
                }
            }
            bed.now = bed.now.after(Duration::from_micros(below(4).into()));
            note(bed.due());
        }
        note(bed.all());
        assert_eq!(came_out, went_in, "seed {seed}");
        assert_eq!(bed.coalescer.waiting(), 0);
        assert!(bed.is_balanced());
        let counts = bed.coalescer.counts();
        assert!(counts.large > 0 || seed % 4 == 0, "seed {seed}: {counts:?}");
        assert!(counts.taken - counts.joined == counts.sent - counts.large, "{counts:?}");
    }
}

#[test]
fn a_packet_whose_checksum_is_still_to_be_made_is_sound() {
    let mut bed = Bed::new(256);
    let mut frame = Frame::new();
    frame.fill_from(&mut bed.magazine, 2);
    let base = bed.magazine.base();
    for (i, buffer) in frame.buffers(base).iter_mut().enumerate() {
        buffer.append(&Make::new(1000 * i as u32, 1000).packet());
        buffer.current_mut()[50..52].fill(0);
        let place = crate::wire::partial::place(buffer.current(), LinkType::Ethernet).unwrap();
        place.leave(buffer.current_mut());
        buffer.leave_checksum(place);
    }
    let indices = frame.indices().to_vec();
    frame.clear();
    for index in indices {
        bed.coalescer.take(&mut bed.magazine, index, bed.now, &mut bed.out);
    }
    let out = bed.all();
    assert_eq!(out.len(), 1);
    let expected: Vec<_> = (0..2).map(|i| Make::new(1000 * i, 1000).packet()).collect();
    assert_eq!(
        out[0].parts.iter().map(|p| without_last(p.clone(), false)).collect::<Vec<_>>(),
        expected.iter().map(|p| without_last(p.clone(), false)).collect::<Vec<_>>()
    );
}
