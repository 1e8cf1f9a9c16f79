//! What is captured: which packets, and the memory that they are kept in.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use vnet::{
    classify::{Classifier, FilterUse},
    counter::ErrorIndex,
    interface::SwIfIndex,
    trace::{Seen, Start, Tap},
    wire::{ethernet::EtherType, link::LinkType},
};

use crate::capture::{Precision, Stored, WriteError, Writer, WriterOptions};

/// Bytes of a capture file around the packets: its header, and one for each packet.
const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// What is asked of a capture.
#[derive(Clone, Copy)]
pub(super) struct Settings {
    pub(super) max_packets: u32,
    pub(super) bytes_each: u32,
    /// Only packets of this interface.
    pub(super) interface: Option<SwIfIndex>,
    /// Only packets that the filter of captures takes.
    pub(super) filter: bool,
}

/// Keeps packets. Workers share it; while it is on, each packet takes its lock.
pub(super) struct Recorder {
    settings: Settings,
    classifier: Classifier,
    /// Only drops for this reason.
    error: Option<ErrorIndex>,
    /// The reasons for drops in words, as far as there were any when the capture began.
    reasons: BTreeMap<u16, String>,
    memory: Memory,
    packets: AtomicU64,
    state: Mutex<State>,
}

struct State {
    writer: Option<Writer>,
    /// The packet at hand, its segments in a row.
    joined: Vec<u8>,
    trouble: Option<WriteError>,
}

impl Recorder {
    pub(super) fn new(
        settings: Settings,
        classifier: Classifier,
        memory: Memory,
        error: Option<ErrorIndex>,
        reasons: impl Iterator<Item = (ErrorIndex, String)>,
    ) -> Self {
        let options = WriterOptions {
            link: LinkType::Ethernet,
            precision: Precision::Micros,
            snaplen: settings.bytes_each,
            max_packets: Some(settings.max_packets.into()),
        };
        let writer = Writer::to_stream("memory", memory.clone(), options);
        let joined = Vec::with_capacity(settings.bytes_each as usize);
        Self {
            settings,
            classifier,
            error,
            reasons: reasons.map(|(index, text)| (index.0, text)).collect(),
            memory,
            packets: AtomicU64::new(0),
            state: Mutex::new(State { writer: Some(writer), joined, trouble: None }),
        }
    }

    /// For packets that are received or sent.
    pub(super) fn tap(this: &Arc<Self>) -> Arc<dyn Tap> {
        this.clone()
    }

    /// For packets that are dropped, which have a reason.
    pub(super) fn drop_tap(this: &Arc<Self>) -> Arc<dyn Tap> {
        Arc::new(Drops(this.clone()))
    }

    pub(super) fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    pub(super) fn max_packets(&self) -> u32 {
        self.settings.max_packets
    }

    /// What ended the capture early.
    pub(super) fn trouble(&self) -> Option<String> {
        self.lock().trouble.as_ref().map(ToString::to_string)
    }

    /// Ends the capture; how many packets it has, and the memory with the whole file.
    pub(super) fn finish(&self) -> Result<(u64, Memory), WriteError> {
        let State { writer, trouble, .. } = &mut *self.lock();
        if let Some(trouble) = trouble.take() {
            return Err(trouble);
        }
        let packets = writer.take().map_or(Ok(0), Writer::finish)?;
        Ok((packets, self.memory.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wants(&self, packet: &Seen<'_>) -> bool {
        let all = self.packets() < u64::from(self.settings.max_packets);
        let interface = self.settings.interface;
        // An interface's frames are those of its sub-interfaces, too.
        all && interface.is_none_or(|wanted| [packet.interface, packet.main].contains(&wanted))
            && self.filters_take(packet)
    }

    /// Whether the filters of its interfaces take a packet, and that of captures where it was asked for.
    fn filters_take(&self, packet: &Seen<'_>) -> bool {
        let takes = |of| packet.is_taken(&self.classifier, of);
        let takes_of = |interface| takes(FilterUse::Interface(interface)) != Some(false);
        takes_of(packet.interface)
            && (packet.main == packet.interface || takes_of(packet.main))
            && (!self.settings.filter || takes(FilterUse::Pcap) == Some(true))
    }

    /// Keeps a packet, and behind it `note`, as VPP does.
    fn keep(&self, packet: &Seen<'_>, note: &str) {
        let State { writer, joined, trouble } = &mut *self.lock();
        let Some(open) = writer.as_mut() else { return };
        joined.clear();
        let mut wire = 0;
        let mut add = |bytes: &[u8]| {
            wire += bytes.len();
            let room = self.settings.bytes_each as usize - joined.len();
            joined.extend_from_slice(&bytes[..bytes.len().min(room)]);
        };
        if let (Start::Ip(_), Some(first)) = (packet.start, packet.first_byte()) {
            add(&link_header(first));
        }
        packet.for_each_segment(&mut add);
        add(note.as_bytes());
        match open.write(packet.time, wire as u32, [joined.as_slice()]) {
            Ok(Stored::Yes) => {
                self.packets.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Stored::Full) => {}
            Err(error) => {
                *writer = None;
                *trouble = Some(error);
            }
        }
    }
}

/// An Ethernet header for a packet that has none, so that all of a file begin alike: no addresses, and the type that the
/// packet's first byte tells.
fn link_header(first: u8) -> [u8; 14] {
    let ethertype = if first >> 4 == 6 { EtherType::IP6 } else { EtherType::IP4 };
    let mut header = [0; 14];
    header[12..].copy_from_slice(&ethertype.0.to_be_bytes());
    header
}

impl Tap for Recorder {
    fn see(&self, packet: &Seen<'_>) {
        if self.wants(packet) {
            self.keep(packet, "");
        }
    }
}

/// The recorder, as drops see it.
struct Drops(Arc<Recorder>);

impl Tap for Drops {
    fn see(&self, packet: &Seen<'_>) {
        let recorder = &self.0;
        let reason = packet.buffer.error;
        if recorder.wants(packet) && recorder.error.is_none_or(|wanted| wanted == reason) {
            recorder.keep(packet, recorder.reasons.get(&reason.0).map_or("", String::as_str));
        }
    }
}

/// Memory that a capture is written to. Clones are the same memory.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for so many packets of so many bytes; whether there is.
    pub(super) fn reserve(&self, packets: u32, bytes_each: u32) -> bool {
        let packet = RECORD_HEADER as u64 + u64::from(bytes_each);
        let all = u64::from(packets)
            .checked_mul(packet)
            .and_then(|all| all.checked_add(FILE_HEADER as u64));
        let all = all.and_then(|all| usize::try_from(all).ok());
        all.is_some_and(|all| self.lock().try_reserve_exact(all).is_ok())
    }

    /// Lends the bytes out.
    pub(super) fn read<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        f(&self.lock())
    }

    /// The memory without its bytes.
    pub(super) fn emptied(self) -> Self {
        self.lock().clear();
        self
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut memory = self.lock();
        memory.try_reserve(bytes.len())?;
        memory.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
