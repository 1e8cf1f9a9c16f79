//! What is recorded of frames at layer 2, in VPP's words.

use core::fmt;

use vnet::{
    buffer::Buffer,
    frame::Buffers,
    l2::{Entry, EntryFlags, Layer2, MacKey, Switching},
    trace::{TraceCx, TraceRecord},
    wire::ethernet::{Header, MacAddress},
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Both addresses of a frame.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Addresses {
    destination: [u8; 6],
    source: [u8; 6],
}

impl Addresses {
    fn of(buffer: &Buffer) -> Self {
        let header = buffer.view::<Header>();
        let [destination, source] = header.map_or([[0; 6]; 2], |h| [h.destination.0, h.source.0]);
        Self { destination, source }
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dst {} src {}", MacAddress(self.destination), MacAddress(self.source))
    }
}

/// Notes on traced frames what `l2-input` is about to find: the domain, the features, the entry of the destination.
#[cold]
pub(super) fn note(layer2: &Layer2, buffers: &mut Buffers<'_>) {
    for buffer in buffers.iter_mut() {
        let port = layer2.port(buffer.rx);
        let domain = port.domain();
        let switching = domain.and_then(|index| layer2.domain(index)).map(|d| d.switching);
        let features = switching.map_or(Switching::empty(), |all| all & port.switching);
        let entry = domain.zip(buffer.view::<Header>()).and_then(|(index, header)| {
            let [destination, _] = header.words();
            layer2.macs().find(MacKey::new(index, destination))
        });
        let entry = entry.map_or(0, |known| known.entry.get());
        let rewrites = u32::from(!port.input.is_none()) << 8;
        let bits = u32::from(features.bits()) | rewrites;
        let index = domain.map_or(0, |index| index.0.into());
        [buffer.opaque2[0], buffer.opaque2[1], buffer.opaque2[2], buffer.opaque2[3]] =
            [bits, index, entry as u32, (entry >> 32) as u32];
        buffer.opaque2[4] = buffer.rx.0;
    }
}

/// Of `l2-input`: what VPP's l2-input, l2-learn and l2-fwd tell.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct InputTrace {
    interface: u32,
    features: u32,
    domain: u32,
    entry: [u32; 2],
    addresses: Addresses,
}

impl InputTrace {
    pub(super) fn of(buffer: &Buffer) -> Self {
        let [features, domain, low, high, interface, ..] = buffer.opaque2;
        Self { interface, features, domain, entry: [low, high], addresses: Addresses::of(buffer) }
    }
}

impl TraceRecord for InputTrace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Self { interface, domain, addresses, .. } = self;
        let features = Switching::from_bits_truncate(self.features as u8);
        let named = [
            (self.features & 1 << 8 != 0, "l2-input-vtr"),
            (features.contains(Switching::LEARN), "l2-learn"),
            (features.contains(Switching::FORWARD), "l2-fwd"),
            (features.intersects(Switching::UU_FLOOD | Switching::FLOOD), "l2-flood"),
            (features.contains(Switching::ARP_TERM), "arp-term-l2bd"),
            (*domain == 0, "l2-xconnect"),
        ];
        let names: String = named.iter().filter(|n| n.0).map(|n| format!("{} ", n.1)).collect();
        write!(f, "l2-input: sw_if_index {interface} {addresses} [{names}]")?;
        if *domain == 0 {
            return Ok(());
        }
        if features.contains(Switching::LEARN) {
            write!(f, "\nl2-learn: sw_if_index {interface} {addresses} bd_index {domain}")?;
        }
        let [low, high] = self.entry;
        let word = u64::from(low) | u64::from(high) << 32;
        let (port, flags) = Entry::parts(word);
        write!(f, "\nl2-fwd:   sw_if_index {interface} {addresses} bd_index {domain} ")?;
        if !flags.contains(EntryFlags::PRESENT) {
            return write!(f, "result [0xffffffffffffffff, -1] none");
        }
        write!(f, "result [0x{word:x}, {port}]")?;
        let words = [
            (EntryFlags::STATIC, "static"),
            (EntryFlags::AGE_NOT, "age-not"),
            (EntryFlags::BVI, "bvi"),
            (EntryFlags::FILTER, "filter"),
            (EntryFlags::LEARNED, "learned"),
        ];
        let set = words.iter().filter(|(flag, _)| flags.contains(*flag));
        set.into_iter().try_for_each(|(_, word)| write!(f, " {word}"))
    }
}

/// Of `l2-flood`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct FloodTrace {
    interface: u32,
    domain: u32,
    addresses: Addresses,
}

impl FloodTrace {
    pub(super) fn of(buffer: &Buffer) -> Self {
        let [_, domain, _, _, interface, ..] = buffer.opaque2;
        Self { interface, domain, addresses: Addresses::of(buffer) }
    }
}

impl TraceRecord for FloodTrace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Self { interface, domain, addresses } = self;
        write!(f, "l2-flood: sw_if_index {interface} {addresses} bd_index {domain}")
    }
}

/// Of `arp-term-l2bd`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct ArpTermTrace {
    interface: u32,
    domain: u32,
    addresses: Addresses,
}

impl ArpTermTrace {
    pub(super) fn of(buffer: &Buffer) -> Self {
        let [_, domain, _, _, interface, ..] = buffer.opaque2;
        Self { interface, domain, addresses: Addresses::of(buffer) }
    }
}

impl TraceRecord for ArpTermTrace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Self { interface, domain, addresses } = self;
        write!(f, "arp-term-l2bd: sw_if_index {interface} {addresses} bd_index {domain}")
    }
}

/// Octets behind the addresses that are shown.
const SHOWN: usize = 12;

/// Of `l2-output`.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct OutputTrace {
    interface: u32,
    addresses: Addresses,
    data: [u8; SHOWN],
}

impl OutputTrace {
    pub(super) fn of(buffer: &Buffer) -> Self {
        let mut data = [0; SHOWN];
        let behind = buffer.current().get(12..).unwrap_or_default();
        data.iter_mut().zip(behind).for_each(|(place, byte)| *place = *byte);
        Self { interface: buffer.tx.0, addresses: Addresses::of(buffer), data }
    }
}

impl TraceRecord for OutputTrace {
    fn format(&self, f: &mut fmt::Formatter<'_>, _: &TraceCx<'_>) -> fmt::Result {
        let Self { interface, addresses, data } = self;
        write!(f, "l2-output: sw_if_index {interface} {addresses} data")?;
        data.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
    }
}
