//! `flowprobe-passive`: a passive observation point on the `device-input` arc.
//!
//! It sees packets as they came, before anything validates them, from their link header on, whatever that is: a bad checksum
//! or a foreign MAC address changes nothing. Each thread has a point of its own, with a meter and the records that are due.
//! The node makes records while it looks at a frame; the main thread takes them between two rounds, so an input that is not
//! polled meanwhile is held back and nothing is lost.

use std::{cell::OnceCell, rc::Rc};

use vnet::{
    buffer::Buffer,
    flow::{Config, Counters, FlowRecord, Meter, MeterError, Observed, Scope, Start},
    frame::Frame,
    graph::{FeatureSpec, NoNext, Node, NodeCx, NodeSpec, Onward, Verdict},
    plugin::{Plugin, Registrar},
    runtime::{Local, Main},
    trace::NoTrace,
    wire::link::LinkType,
};

/// Name of the node and of the feature.
pub const FEATURE: &str = "flowprobe-passive";
/// The arc that the feature is on.
pub const ARC: &str = "device-input";

/// Groups of flows that are looked at after each frame for what is due.
const SWEEP: usize = 4;
/// Records for which there is room from the start. A frame makes more only when its packets evict many flows each; then the
/// room grows, once.
const ROOM: usize = 4096;

vnet::node_errors! {
    /// What `flowprobe-passive` counts.
    pub(crate) enum Error {
        NoMeter => ("no-meter", "no memory for a flow cache, packets not measured", Error),
    }
}

/// What a thread measures, and the records that nobody has taken yet.
struct Point {
    meter: Result<Meter, MeterError>,
    records: Vec<FlowRecord>,
}

impl Point {
    fn new(config: &Config) -> Self {
        Self { meter: Meter::new(config), records: Vec::with_capacity(ROOM) }
    }
}

/// The points of all threads, as the main thread sees them.
#[derive(Clone, Default)]
pub struct PassivePoints(Rc<OnceCell<Local<Point>>>);

/// The plugin with the node, which measures as `config` says on every interface where the feature [`FEATURE`] of the arc
/// [`ARC`] is enabled, and the way to its records.
#[must_use]
pub fn plugin(config: Config) -> (Plugin, PassivePoints) {
    let points = PassivePoints::default();
    let key = points.0.clone();
    let register = move |r: &mut Registrar| {
        let local = *key.get_or_init(|| r.local(move |_| Point::new(&config)));
        r.node(NodeSpec::internal(FEATURE, move |_| Passive(local)));
        r.feature(FeatureSpec::new(ARC, FEATURE).before("sink"));
        Ok(())
    };
    let about = "Flow records of all that comes in";
    (Plugin::new(FEATURE, env!("CARGO_PKG_VERSION"), about, register).load_after("nodes"), points)
}

impl PassivePoints {
    /// Hands the records that are due to `sink`, in the order in which they were made.
    pub fn take(&self, main: &mut Main, sink: &mut impl FnMut(&FlowRecord)) {
        self.each(main, |point| point.records.drain(..).for_each(|record| sink(&record)));
    }

    /// As [`Self::take`], and then the records of all flows that are still held: metering is over.
    pub fn flush(&self, main: &mut Main, sink: &mut impl FnMut(&FlowRecord)) {
        self.each(main, |point| {
            point.records.drain(..).for_each(|record| sink(&record));
            if let Ok(meter) = &mut point.meter {
                meter.flush(Scope::All, sink);
            }
        });
    }

    /// What the main thread's meter counted so far.
    ///
    /// # Errors
    /// When there is no meter, because there was no memory for it.
    pub fn counters<'m>(&self, main: &'m Main) -> Result<Counters, &'m MeterError> {
        let point = self.0.get().and_then(|key| main.local(*key));
        let counters = |point: &'m Point| point.meter.as_ref().map(|meter| *meter.counters());
        point.map_or(Ok(Counters::default()), counters)
    }

    fn each(&self, main: &mut Main, f: impl FnMut(&mut Point)) {
        if let Some(key) = self.0.get() {
            main.for_each_local(*key, f);
        }
    }
}

/// The node.
struct Passive(Local<Point>);

impl Node for Passive {
    type Error = Error;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, Error>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        let mut buffers = cx.buffers(frame);
        let mut onward = Onward::new(buffers.get(0));
        let packets = buffers.iter_mut().map(|buffer| {
            onward.step(buffer);
            observed(buffer)
        });
        match cx.take_local(self.0) {
            Some(mut point) => {
                let Point { meter, records } = &mut *point;
                if let Ok(meter) = meter {
                    let mut sink = |record: &FlowRecord| records.push(*record);
                    meter.frame(packets, &mut sink);
                    meter.sweep(SWEEP, &mut sink);
                } else {
                    cx.count(Error::NoMeter, packets.count() as u64);
                }
                cx.put_local(self.0, point);
            }
            None => packets.for_each(drop),
        }
        cx.go_on(frame, onward)
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

/// The first segment of a chain is enough: all headers lie in it.
#[inline(always)]
fn observed(buffer: &Buffer) -> Observed<'_> {
    let link = LinkType::from_number(buffer.link_type).unwrap_or(LinkType::Ethernet);
    Observed {
        time: buffer.time,
        wire_length: buffer.wire_length,
        ..Observed::new(buffer.current(), Start::Link(link), buffer.rx)
    }
}
