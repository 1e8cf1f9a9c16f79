//! `l2-input`: where the frames of bridged and cross-connected interfaces go.

use vnet::{
    action::{Choice, Performing},
    buffer::Buffer,
    error::ErrorSet,
    frame::{Buffers, FRAME_SIZE, Frame},
    graph::{Countdown, Gate, Gates, NextSet, Node, NodeCx, NodeSpec, PacketCx, Slot, Verdict},
    interface::SwIfIndex,
    l2::{Entry, EntryFlags, L2, Lane, Layer2, Learned, MacKey, Minute, Mode, Port, Switching},
    runtime::Local,
    wire::ethernet::{Header, MacWord},
};

use super::{
    arcs::{Arcs, Direction, Starts},
    arp_term::is_question,
    trace::{self, InputTrace},
};

vnet::next_nodes! {
    /// Where frames go from `l2-input`.
    pub(super) enum Next {
        Drop => "error-drop",
        Output => "interface-output",
        L2Output => "l2-output",
        Flood => "l2-flood",
        Bvi => "ethernet-input",
        ArpTerm => "arp-term-l2bd",
        ArcEnd => "l2-input-feat-arc-end",
    }
}

vnet::node_errors! {
    /// What `l2-input` counts.
    pub(super) enum Error named by text {
        Truncated => ("truncated", "shorter than its ethernet header", Error),
        Drop => ("drop", "L2 input drops", Error),
        Vtr => ("vtr-drop", "L2 vtr drops: fewer tags than are to be popped", Error),
        Miss => ("learn-miss", "L2 learn misses", Info),
        Move => ("mac-move", "L2 mac moves", Info),
        Limit => ("learn-limit", "L2 not learned due to limit", Info),
        NotUnicast => ("source-not-unicast", "L2 source mac is no station's", Info),
        Violation => ("mac-move-violate", "L2 mac move violations", Error),
        SourceFilter => ("source-filter-drop", "L2 filter mac drops", Error, AclDeny),
        Filter => ("filter-drop", "Filter Mac Drop", Error, AclDeny),
        Reflect => ("reflect-drop", "Reflection Drop", Error),
        Horizon => ("shg-drop", "L2 split horizon drops", Error),
        Flood => ("flood-drop", "L2 group frames where they are not flooded", Error),
        UuFlood => ("uu-flood-drop", "L2 unknown unicast where it is not flooded", Error),
    }
}

/// Frames that lie between asking for the buckets of their addresses and looking at them.
const AHEAD: usize = 12;

/// The addresses of a frame, and where the table has them.
#[derive(Clone, Copy)]
struct Addresses {
    source: MacKey,
    destination: MacKey,
    homes: [u32; 2],
}

/// The node, and that where its arcs end.
pub(super) struct Input {
    l2: L2,
    arcs: Arcs,
    output: Arcs,
    gates: Local<Gates>,
    by: Performing,
    /// Frames that features want to see which they pass.
    wanted: Vec<Choice>,
    addresses: Box<[Addresses; FRAME_SIZE]>,
}

type Cx<'a, 'd> = &'a mut NodeCx<'d, Next, Error>;

/// Where frames to a station go.
#[derive(Clone, Copy)]
enum Way {
    /// Out of an interface.
    Out(SwIfIndex, Slot<Next>),
    /// The same past its features, by a gate.
    Past(SwIfIndex),
    /// To layer 3, as if received by the BVI.
    Bvi(SwIfIndex),
    /// As those to unknown stations.
    Unknown,
    Drop(Error),
}

/// What is known of a run of frames that one interface received.
struct Run<'a> {
    layer2: &'a Layer2,
    lane: Lane<'a>,
    output: &'a Arcs,
    learns: bool,
    forwards: bool,
    /// The gate of the features where frames leave.
    gate: Option<(Gate, &'a mut Countdown)>,
    /// Whether the last frame is wanted there.
    is_wanted: bool,
    /// The last entry that was found, less its minute, and what follows from it.
    last: (u64, Way),
}

const NAME: &str = "l2-input";

/// Both nodes.
pub(super) fn specs(l2: &L2, gates: Local<Gates>, by: Performing) -> [NodeSpec; 2] {
    let spec = |name, begins| {
        let l2 = l2.clone();
        let none = MacKey::new(vnet::l2::BdIndex(0), MacWord::ZERO);
        let none = Addresses { source: none, destination: none, homes: [0; 2] };
        NodeSpec::internal(name, move |at| Input {
            l2: l2.clone(),
            arcs: if begins { Arcs::of(at, Direction::Input) } else { Arcs::NONE },
            output: Arcs::of(at, Direction::Output),
            gates,
            by,
            wanted: Vec::with_capacity(2 * FRAME_SIZE),
            addresses: Box::new([none; FRAME_SIZE]),
        })
    };
    [spec(NAME, true), spec(Direction::Input.end(), false).sibling_of(NAME)]
}

/// Reads the addresses of all frames from the `start`-th on that the lane's interface received; where they end.
#[inline(always)]
fn gather(
    all: &mut [Addresses; FRAME_SIZE],
    buffers: &mut Buffers<'_>,
    start: usize,
    run: &Run<'_>,
) -> usize {
    let (macs, rewrite) = (run.layer2.macs(), run.lane.port.input);
    let rewrites = !rewrite.is_none();
    let mut end = start;
    while let Some(buffer) = buffers.get(end)
        && buffer.rx == run.lane.interface
    {
        let whole = !rewrites || rewrite.apply(buffer).is_ok();
        let [destination, source] = match buffer.view::<Header>() {
            Some(header) if whole => header.words(),
            // Nobody's addresses say that.
            _ => [MacWord::ZERO; 2],
        };
        let (source, destination) = (run.lane.key(source), run.lane.key(destination));
        let homes = [macs.home(source) as u32, macs.home(destination) as u32];
        all[end % FRAME_SIZE] = Addresses { source, destination, homes };
        end += 1;
    }
    end
}

/// Switches a run of frames; where it ends. `GATED` where the run has a gate.
#[inline(always)]
fn bridge<const GATED: bool>(
    cx: Cx<'_, '_>,
    all: &mut [Addresses; FRAME_SIZE],
    buffers: &mut Buffers<'_>,
    start: usize,
    mut run: Run<'_>,
    wanted: &mut Vec<Choice>,
) -> usize {
    let end = gather(all, buffers, start, &run);
    let macs = run.layer2.macs();
    let ask = |addresses: &Addresses| {
        addresses.homes.iter().for_each(|home| macs.prefetch(*home as usize));
    };
    let of_run = all.get(start..end).unwrap_or_default();
    of_run.iter().take(AHEAD).for_each(ask);
    for (i, addresses) in of_run.iter().enumerate() {
        if let Some(ahead) = of_run.get(i + AHEAD) {
            ask(ahead);
        }
        let Some(buffer) = buffers.get(start + i) else { break };
        let next = run.switch::<GATED>(cx, buffer, addresses);
        cx.set_next(start + i, next);
        if GATED && core::mem::take(&mut run.is_wanted) {
            run.want(wanted, start + i);
        }
    }
    end
}

/// Sends a run of frames out of `peer`; where it ends.
fn connect(
    cx: Cx<'_, '_>,
    buffers: &mut Buffers<'_>,
    start: usize,
    port: &Port,
    (peer, slot): (SwIfIndex, Slot<Next>),
) -> usize {
    let mut i = start;
    let Some(rx) = buffers.get(start).map(|first| first.rx) else { return i };
    let rewrites = !port.input.is_none();
    while let Some(buffer) = buffers.get(i)
        && buffer.rx == rx
    {
        buffer.tx = peer;
        let unfit = rewrites && port.input.apply(buffer).is_err();
        let next = if unfit { refuse(cx, buffer, Error::Vtr) } else { slot };
        cx.set_next(i, next);
        i += 1;
    }
    i
}

#[cold]
fn refuse(cx: Cx<'_, '_>, buffer: &mut Buffer, error: Error) -> Slot<Next> {
    cx.error(buffer, error);
    Next::Drop.into()
}

/// Whether anything is to be done to frames before they leave by an interface.
pub(super) fn has_output<N: NextSet, E: ErrorSet>(
    cx: &PacketCx<'_, N, E>,
    arcs: &Arcs,
    layer2: &Layer2,
    interface: SwIfIndex,
) -> bool {
    layer2.port(interface).has_output() || arcs.starts(cx, interface).is_some()
}

/// The node behind which a frame leaves by an interface.
fn out(
    cx: &PacketCx<'_, Next, Error>,
    arcs: &Arcs,
    layer2: &Layer2,
    interface: SwIfIndex,
) -> Slot<Next> {
    match has_output(cx, arcs, layer2, interface) {
        true => Next::L2Output.into(),
        false => Next::Output.into(),
    }
}

/// Sends a run of frames to the features that are enabled where they came; where it ends.
#[cold]
fn to_features(cx: Cx<'_, '_>, buffers: &mut Buffers<'_>, start: usize, starts: &Starts) -> usize {
    let mut i = start;
    let Some(rx) = buffers.get(start).map(|first| first.rx) else { return i };
    while let Some(buffer) = buffers.get(i)
        && buffer.rx == rx
    {
        let next = starts.enter(cx, buffer, Next::ArcEnd.into());
        cx.set_next(i, next);
        i += 1;
    }
    i
}

impl<'a> Run<'a> {
    fn new(layer2: &'a Layer2, lane: Lane<'a>, output: &'a Arcs) -> Self {
        let does = |what| lane.switching.contains(what);
        let (learns, forwards) = (does(Switching::LEARN), does(Switching::FORWARD));
        let (gate, last) = (None, (0, Way::Unknown));
        Self { layer2, lane, output, learns, forwards, gate, is_wanted: false, last }
    }

    /// Learns from a frame and says where it goes.
    #[inline(always)]
    fn switch<const GATED: bool>(
        &mut self,
        cx: Cx<'_, '_>,
        buffer: &mut Buffer,
        addresses: &Addresses,
    ) -> Slot<Next> {
        let Addresses { source, destination, homes } = *addresses;
        let [source_home, home] = [homes[0] as usize, homes[1] as usize];
        if self.learns {
            let learned = self.lane.learn(source_home, source);
            if learned != Learned::Known
                && let Some(error) = self.note(cx, buffer, learned)
            {
                return refuse(cx, buffer, error);
            }
        }
        if !destination.is_unicast() {
            return self.to_group(cx, buffer);
        }
        let way = match self.layer2.macs().find_at(home, destination) {
            Some(known) if self.forwards => {
                let lasting = known.entry.get() & Entry::LASTING;
                if lasting != self.last.0 {
                    self.last = (lasting, self.way(cx, known.entry, destination));
                }
                self.last.1
            }
            _ => Way::Unknown,
        };
        match way {
            Way::Out(interface, next) => {
                buffer.tx = interface;
                next
            }
            Way::Past(interface) if GATED => {
                buffer.tx = interface;
                self.is_wanted = self.gate.as_mut().is_some_and(|(_, countdown)| countdown.wants());
                Next::Output.into()
            }
            other => self.go(cx, buffer, other),
        }
    }

    /// Where frames to the station of an entry go.
    #[cold]
    fn way(&self, cx: &PacketCx<'_, Next, Error>, entry: Entry, destination: MacKey) -> Way {
        let flags = entry.flags();
        if flags.contains(EntryFlags::FILTER) {
            return Way::Drop(Error::Filter);
        }
        if !self.layer2.holds(destination.domain(), entry) {
            return Way::Unknown;
        }
        let interface = entry.port();
        let to = self.layer2.port(interface);
        match flags.contains(EntryFlags::BVI) {
            _ if interface == self.lane.interface => Way::Drop(Error::Reflect),
            _ if to.is_behind_horizon(self.lane.port.shg) => Way::Drop(Error::Horizon),
            true => Way::Bvi(interface),
            false if self.can_pass(cx, interface) => Way::Past(interface),
            false => Way::Out(interface, out(cx, self.output, self.layer2, interface)),
        }
    }

    /// Whether the gate of the run is that of all features where frames leave by an interface.
    fn can_pass(&self, cx: &PacketCx<'_, Next, Error>, interface: SwIfIndex) -> bool {
        let Some((gate, _)) = &self.gate else { return false };
        let starts = self.output.starts(cx, interface);
        starts.and_then(|starts| starts.gate(cx)) == Some(*gate)
            && !self.layer2.port(interface).has_output()
    }

    /// Notes that the frame at `at` is wanted where it leaves.
    #[cold]
    fn want(&self, wanted: &mut Vec<Choice>, at: usize) {
        if let Some((Gate(action), _)) = &self.gate {
            wanted.push(Choice { at: at as u16, action: *action });
        }
    }

    #[inline(never)]
    fn go(&self, cx: Cx<'_, '_>, buffer: &mut Buffer, way: Way) -> Slot<Next> {
        match way {
            Way::Out(interface, next) => {
                buffer.tx = interface;
                next
            }
            // Only runs with a gate have it, and know better.
            Way::Past(interface) => {
                buffer.tx = interface;
                out(cx, self.output, self.layer2, interface)
            }
            Way::Bvi(interface) => {
                receive_by_bvi(cx, buffer, interface);
                Next::Bvi.into()
            }
            Way::Drop(error) => refuse(cx, buffer, error),
            Way::Unknown => self.to_unknown(cx, buffer),
        }
    }

    /// A frame to a station of which nothing is known.
    fn to_unknown(&self, cx: Cx<'_, '_>, buffer: &mut Buffer) -> Slot<Next> {
        match self.lane.domain.uu_fwd {
            Some(interface) if interface == buffer.rx => refuse(cx, buffer, Error::Reflect),
            Some(interface) => {
                buffer.tx = interface;
                out(cx, self.output, self.layer2, interface)
            }
            None if self.lane.switching.contains(Switching::UU_FLOOD) => Next::Flood.into(),
            None => refuse(cx, buffer, Error::UuFlood),
        }
    }

    /// A frame to a group of stations, or what is no frame at all.
    #[cold]
    #[inline(never)]
    fn to_group(&self, cx: Cx<'_, '_>, buffer: &mut Buffer) -> Slot<Next> {
        let Some(header) = buffer.view::<Header>() else {
            return refuse(cx, buffer, Error::Truncated);
        };
        if !header.destination.is_multicast() {
            // No station has address zero, and it stands for tags that were not there.
            let unfit = !self.lane.port.input.is_none();
            return refuse(cx, buffer, if unfit { Error::Vtr } else { Error::Drop });
        }
        let does = |what| self.lane.switching.contains(what);
        match () {
            () if does(Switching::ARP_TERM) && is_question(buffer) => Next::ArpTerm.into(),
            () if does(Switching::FLOOD) => Next::Flood.into(),
            () => refuse(cx, buffer, Error::Flood),
        }
    }

    /// Counts what became of a source address; why the frame is dropped, if it is.
    #[cold]
    fn note(&self, cx: Cx<'_, '_>, buffer: &Buffer, learned: Learned) -> Option<Error> {
        let count = match learned {
            Learned::Known => return None,
            Learned::Filtered => return Some(Error::SourceFilter),
            Learned::Violation => return Some(Error::Violation),
            Learned::New => Error::Miss,
            Learned::Moved => Error::Move,
            Learned::Limit => Error::Limit,
            Learned::NotUnicast => match buffer.view::<Header>() {
                Some(header) if !self.lane.key(header.words()[1]).is_unicast() => Error::NotUnicast,
                // The frame is not as it should be, and will be dropped.
                _ => return None,
            },
        };
        cx.count(count, 1);
        None
    }
}

/// The gate of all features behind `starts`, if frames can pass them.
#[inline(never)]
fn open_gate(
    cx: Cx<'_, '_>,
    key: Local<Gates>,
    gates: &mut Option<Box<Gates>>,
    starts: &Starts,
) -> Option<Gate> {
    let gate = starts.gate(cx)?;
    if gates.is_none() {
        *gates = cx.take_local(key);
    }
    gates.as_mut()?.sampling_mut(gate).map(|_| gate)
}

/// Lets a run of frames pass by a gate, and notes those that are wanted.
#[inline(never)]
fn pass(
    gates: &mut Option<Box<Gates>>,
    gate: Gate,
    run: core::ops::Range<usize>,
    wanted: &mut Vec<Choice>,
) {
    if let Some(countdown) = gates.as_mut().and_then(|gates| gates.sampling_mut(gate)) {
        let Gate(action) = gate;
        countdown.each_wanted(run, |at| wanted.push(Choice { at: at as u16, action }));
    }
}

/// A frame that is for the BVI comes in by it.
pub(super) fn receive_by_bvi<N: NextSet, E: ErrorSet>(
    cx: &PacketCx<'_, N, E>,
    buffer: &mut Buffer,
    bvi: SwIfIndex,
) {
    (buffer.rx, buffer.tx) = (bvi, SwIfIndex::NONE);
    cx.state_ref().interfaces.rx.add(bvi.0, 1, buffer.length_in_chain() as u64);
}

impl Node for Input {
    type Error = Error;
    type Next = Next;
    type Trace = InputTrace;

    fn process(&mut self, cx: Cx<'_, '_>, frame: &mut Frame) -> Verdict<Next> {
        let Self { l2, arcs, output, gates: key, by, wanted, addresses } = self;
        let layer2 = l2.read(cx.token());
        if frame.is_traced() {
            trace::note(layer2, &mut cx.buffers(frame));
        }
        let minute = Minute::of(cx.now());
        let mut buffers = cx.buffers(frame);
        let mut i = 0;
        let mut gates = None;
        while let Some(first) = buffers.get(i) {
            let (from, rx) = (i, first.rx);
            let port = layer2.port(rx);
            let mut passed = None;
            if let Some(starts) = arcs.starts(cx, rx) {
                // What is shown is shown as it came.
                passed = open_gate(cx, *key, &mut gates, &starts).filter(|_| port.input.is_none());
                if passed.is_none() {
                    i = to_features(cx, &mut buffers, i, &starts);
                    continue;
                }
            }
            i = match (port.mode, layer2.lane(rx, minute)) {
                (_, Some(lane)) => {
                    let mut run = Run::new(layer2, lane, output);
                    if let Some(starts) = output.starts(cx, rx)
                        && let Some(gate) = open_gate(cx, *key, &mut gates, &starts)
                    {
                        let countdown = gates.as_mut().and_then(|gates| gates.sampling_mut(gate));
                        run.gate = countdown.map(|countdown| (gate, countdown));
                    }
                    match run.gate {
                        None => bridge::<false>(cx, addresses, &mut buffers, i, run, wanted),
                        Some(_) => bridge::<true>(cx, addresses, &mut buffers, i, run, wanted),
                    }
                }
                (Mode::Connected(peer), None) => {
                    let way = (peer, out(cx, output, layer2, peer));
                    connect(cx, &mut buffers, i, port, way)
                }
                (Mode::Routed | Mode::Bridged(_), None) => {
                    let next = refuse(cx, first, Error::Drop);
                    cx.set_next(i, next);
                    i + 1
                }
            };
            if let Some(gate) = passed {
                pass(&mut gates, gate, from..i, wanted);
            }
        }
        if let Some(gates) = gates {
            cx.put_local(*key, gates);
            cx.perform(*by, frame, wanted);
            wanted.clear();
        }
        Verdict::PerPacket
    }

    fn trace(&self, buffer: &Buffer) -> InputTrace {
        InputTrace::of(buffer)
    }
}
