//! The packet generator's grammar, and the packets that come of it.

use std::sync::{Arc, Mutex, PoisonError};

use nodes::pg::{self, Data, Generator, Layer, MAX_SIZE, PacketSpec, Rate, StreamSpec, Value};
use vnet::{
    buffer::Buffer,
    error::NoError,
    frame::Frame,
    graph::{NoNext, Node, NodeCx, NodeSpec, Verdict},
    plugin::{Engine, Plugin},
    runtime::{Clock, PacketTime},
    trace::NoTrace,
    wire::checksum,
};

/// Packets that are made of each stream.
const PACKETS: u64 = 9;

/// Any text is a stream or an error; a stream's packets have the sizes that it asks for, sound lengths and checksums where
/// it gives none, and are the same when they are made again, in calls of another size.
///
/// Texts that name a capture file are left alone: it would be opened.
pub fn generator(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    if text.contains("pcap") {
        return;
    }
    let mut spec = match StreamSpec::parse(text) {
        Ok(spec) => spec,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    // What a definition may be changed by is a part of the same grammar.
    let _either_way = spec.clone().configure(text);
    let Data::Packet(packet) = spec.data.clone() else { unreachable!("no capture was named") };
    let sizes = spec.size.map_or(1..=MAX_SIZE, |size| size.min..=size.max);
    spec.limit = match spec.limit {
        0 => PACKETS,
        limit => limit.min(PACKETS),
    };
    (spec.node, spec.rate) = (Some(COLLECT.to_owned()), Rate::UNLIMITED);
    (spec.interface, spec.tx_interface, spec.source) = (None, None, 0);
    let packets = LAB.with(|lab| lab.make(&spec));
    assert_eq!(packets.len() as u64, spec.limit);
    for bytes in &packets {
        assert!(sizes.contains(&bytes.len()), "{} bytes, not {sizes:?}", bytes.len());
        check_ip4(&packet, bytes);
    }
    for max_frame in [1, 2] {
        assert_eq!(LAB.with(|lab| lab.make(&StreamSpec { max_frame, ..spec.clone() })), packets);
    }
}

/// Length and checksum of the first IPv4 header, where the description leaves them to the generator.
fn check_ip4(packet: &PacketSpec, bytes: &[u8]) {
    let mut offset = 0;
    for layer in &packet.layers {
        if let Layer::Ip4(ip) = layer {
            let header = &bytes[offset..offset + 20];
            if ip.checksum.is_none() && ip.header_length == Value::Fixed(5) {
                assert_eq!(checksum::of(header), 0, "{header:02x?}");
            }
            if ip.length.is_none() {
                let length = u16::from_be_bytes([header[2], header[3]]);
                assert_eq!(usize::from(length), bytes.len() - offset);
            }
            return;
        }
        offset += layer.size();
    }
}

thread_local! {
    static LAB: Lab = Lab::new();
}

/// The node that packets are sent to.
const COLLECT: &str = "collect";

/// An engine whose generator sends to a node that keeps what it gets.
struct Lab {
    engine: Engine,
    generator: Generator,
    collected: Packets,
}

type Packets = Arc<Mutex<Vec<Vec<u8>>>>;

impl Lab {
    fn new() -> Self {
        let collected = Packets::default();
        let theirs = collected.clone();
        let plugin = Plugin::new("fuzz", "1", "Keeps packets", move |r| {
            r.node(NodeSpec::internal(COLLECT, move |_| Collect(theirs.clone())));
            Ok(())
        });
        let builder = Engine::builder().clock(Clock::virtual_at(PacketTime(0))).buffers(512);
        let builder = builder.plugin(nodes::plugin()).plugin(pg::plugin()).plugin(plugin);
        let engine = builder.build().expect("the plugins fit together");
        let generator = engine.provided().expect("its plugin was registered");
        Self { engine, generator, collected }
    }

    /// The packets of a stream.
    fn make(&self, spec: &StreamSpec) -> Vec<Vec<u8>> {
        let name = self.engine.with(|main| {
            let name = self.generator.new_stream(main, spec.clone());
            let name = name.unwrap_or_else(|error| panic!("{error}: {spec:?}"));
            self.generator.enable(main, Some(&name)).expect("the stream is there");
            name
        });
        self.engine.run_until_idle();
        self.engine.with(|main| {
            self.generator.delete(main, &name).expect("the stream is there");
            #[cfg(debug_assertions)]
            assert_eq!(main.pool().owned(), 0, "buffers are left");
        });
        core::mem::take(&mut *self.collected.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Collect(Packets);

impl Node for Collect {
    type Error = NoError;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, NoError>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        let mut collected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for buffer in cx.buffers(frame).iter_mut() {
            let mut bytes = Vec::with_capacity(buffer.length_in_chain());
            cx.for_each_segment(buffer, |segment| bytes.extend_from_slice(segment));
            assert_eq!(bytes.len(), buffer.length_in_chain());
            collected.push(bytes);
        }
        Verdict::Free
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
