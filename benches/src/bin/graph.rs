//! What the graph itself costs: clocks a packet of nodes that do nearly nothing.

use vnet::{
    buffer::Buffer,
    error::NoError,
    frame::Frame,
    graph::{Map, NoNext, Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict},
    plugin::{Engine, Plugin},
    runtime::{Clock, PacketTime},
    trace::NoTrace,
};

vnet::next_nodes! { enum ToFirst { Same => "same" } }
vnet::next_nodes! { enum ToMixed { Mixed => "mixed" } }
vnet::next_nodes! { enum ToEnds { A => "end-a", B => "end-b", C => "end-c", D => "end-d" } }

struct Source {
    number: u32,
}

impl Node for Source {
    type Error = NoError;
    type Next = ToFirst;
    type Trace = NoTrace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, ToFirst, NoError>,
        frame: &mut Frame,
    ) -> Verdict<ToFirst> {
        cx.allocate(frame, 256);
        for buffer in cx.buffers(frame).iter_mut() {
            self.number = self.number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            buffer.flow_hash = self.number >> 8;
            if let Some(data) = buffer.extend(60) {
                data[..60].fill(0);
            }
        }
        Verdict::All(ToFirst::Same.into())
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

struct Same;

impl Map for Same {
    type Error = NoError;
    type Next = ToMixed;
    type Trace = NoTrace;

    fn map(
        &mut self,
        _: &mut PacketCx<'_, ToMixed, NoError>,
        buffer: &mut Buffer,
    ) -> Slot<ToMixed> {
        buffer.opaque[0] = 1;
        ToMixed::Mixed.into()
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

struct Mixed;

impl Map for Mixed {
    type Error = NoError;
    type Next = ToEnds;
    type Trace = NoTrace;

    fn map(&mut self, _: &mut PacketCx<'_, ToEnds, NoError>, buffer: &mut Buffer) -> Slot<ToEnds> {
        match buffer.flow_hash % 4 {
            0 => ToEnds::A.into(),
            1 => ToEnds::B.into(),
            2 => ToEnds::C.into(),
            _ => ToEnds::D.into(),
        }
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

struct End;

impl Node for End {
    type Error = NoError;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(&mut self, _: &mut NodeCx<'_, NoNext, NoError>, _: &mut Frame) -> Verdict<NoNext> {
        Verdict::Free
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

fn main() {
    let plugin = Plugin::new("bench", "1", "", |r| {
        r.node(NodeSpec::input("source", |_| Source { number: 1 }));
        r.node(NodeSpec::map("same", |_| Same));
        r.node(NodeSpec::map("mixed", |_| Mixed));
        for end in ["end-a", "end-b", "end-c", "end-d"] {
            r.node(NodeSpec::internal(end, |_| End));
        }
        Ok(())
    });
    let clock = Clock::virtual_at(PacketTime(0));
    let engine = match Engine::builder().clock(clock).plugin(plugin).build() {
        Ok(engine) => engine,
        Err(e) => return eprintln!("{e}"),
    };
    for _ in 0..20_000 {
        engine.poll();
    }
    engine.with(|m| m.clear_stats());
    for _ in 0..100_000 {
        engine.poll();
    }
    engine.with(|m| {
        for (index, node) in m.graph().nodes() {
            let stats = m.worker().stats(index);
            if stats.vectors > 0 {
                println!(
                    "{:<12} {:>8.2} clocks/packet {:>8.2} vectors/call",
                    node.name,
                    stats.clocks_each(),
                    stats.vectors_per_call()
                );
            }
        }
    });
}
