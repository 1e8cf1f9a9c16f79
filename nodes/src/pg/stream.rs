//! A stream that sends: what the main thread hands to the node, and how far the node has come.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use vnet::{
    buffer::{BufferFlags, DATA_SIZE, Notes, Template},
    error::NoError,
    frame::{Buffers, Frame},
    graph::{NextIndex, NoNext, NodeCx},
    interface::SwIfIndex,
    runtime::{EngineTime, PacketTime},
    wire::link::LinkType,
};

use super::{
    Offload, Rate,
    program::{BATCH, Cursor, Program, Scratch},
    replay::Replay,
    schedule::Schedule,
};

/// A stream that is enabled, as the main thread describes it.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) label: Label,
    /// Counts enablings: another one starts from the beginning.
    pub(super) epoch: u64,
    /// The thread that sends it.
    pub(super) thread: usize,
    pub(super) source: Source,
    pub(super) limit: u64,
    pub(super) rate: Rate,
    pub(super) started: EngineTime,
    pub(super) max_frame: usize,
    pub(super) rx: SwIfIndex,
    pub(super) tx: SwIfIndex,
    pub(super) next: NextIndex,
    pub(super) flags: BufferFlags,
    /// What its packets leave to others.
    pub(super) offload: Offload,
    pub(super) link: LinkType,
    pub(super) progress: Arc<Progress>,
}

impl Running {
    /// What is noted on the stream's packets that are made at `time`.
    fn notes(&self, time: PacketTime) -> Notes {
        Notes {
            rx: self.rx,
            tx: self.tx,
            flags: self.flags,
            link_type: self.link.number(),
            time,
            opaque: self.label.id.0,
        }
    }
}

/// What a trace says of a stream.
#[derive(Clone)]
pub(super) struct Label {
    pub(super) id: StreamId,
    pub(super) name: String,
    pub(super) next_node: String,
}

/// Names a stream among those that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamId(pub(super) u32);

/// Where the packets come from.
#[derive(Clone)]
pub(super) enum Source {
    Program(Arc<Program>),
    Replay(Arc<Replay>),
}

/// What a stream has done, written by the thread that runs it.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) made: AtomicU64,
    pub(super) done: AtomicBool,
}

/// A stream on the thread that runs it.
pub(super) struct Sender {
    pub(super) of: Running,
    schedule: Schedule,
    made: u64,
    template: Template,
    cursor: Cursor,
    scratch: Scratch,
}

/// What one call made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) packets: usize,
    pub(super) bytes: u64,
}

type Context<'d> = NodeCx<'d, NoNext, NoError>;

impl Sender {
    pub(super) fn new(of: Running) -> Self {
        let notes = of.notes(PacketTime(0));
        let (template, cursor, scratch) = match &of.source {
            Source::Program(program) => {
                (program.template(&notes), program.start(), program.scratch())
            }
            Source::Replay(_) => {
                (Template::new(&[], &notes), Cursor::default(), Scratch::default())
            }
        };
        let schedule = Schedule::new(of.rate, of.started);
        // Only a stream that is configured while it runs has made packets already.
        let made = of.progress.made.load(Ordering::Relaxed);
        Self { of, schedule, made, template, cursor, scratch }
    }

    /// Packets that this call is to make.
    #[inline]
    pub(super) fn due(&mut self, now: EngineTime) -> usize {
        let left = match self.of.limit {
            0 => u64::MAX,
            limit => limit.saturating_sub(self.made),
        };
        let due = self.schedule.due(now).min(left).min(self.of.max_frame as u64);
        due as usize
    }

    /// Whether all packets are made.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.of.limit != 0 && self.made >= self.of.limit
    }

    /// Appends `n` packets to `frame`, or as many as the pool has buffers for; those that it has none for stay due.
    #[inline]
    pub(super) fn make(&mut self, cx: &mut Context<'_>, frame: &mut Frame, n: usize) -> Made {
        self.template.note(&self.of.notes(cx.packet_time()));
        let made = match &self.of.source {
            Source::Replay(replay) => {
                replay_packets(replay, self.made, &mut self.template, cx, frame, n)
            }
            Source::Program(program) => {
                let mut maker = Maker {
                    program,
                    template: &mut self.template,
                    cursor: &mut self.cursor,
                    scratch: &mut self.scratch,
                };
                if program.size().max <= DATA_SIZE {
                    maker.packets(cx, frame, n)
                } else {
                    maker.chained_packets(cx, frame, n)
                }
            }
        };
        self.made += made.packets as u64;
        self.schedule.made(made.packets as u64);
        self.of.progress.made.store(self.made, Ordering::Relaxed);
        made
    }
}

/// What makes the packets of a program.
struct Maker<'a> {
    program: &'a Program,
    template: &'a mut Template,
    cursor: &'a mut Cursor,
    scratch: &'a mut Scratch,
}

impl Maker<'_> {
    /// Packets of one buffer: few at a time, so that they stay in the first level of the cache from the time their buffers are
    /// taken until they are complete.
    fn packets(&mut self, cx: &mut Context<'_>, frame: &mut Frame, n: usize) -> Made {
        let mut made = Made::default();
        while made.packets < n {
            let first = frame.len();
            let wanted = BATCH.min(n - made.packets);
            let taken = cx.allocate_copies(frame, wanted, self.template);
            self.finish(&mut cx.buffers(frame).behind(first));
            self.program.advance(self.cursor, taken);
            made.packets += taken;
            made.bytes += self.program.bytes(self.scratch, taken);
            if taken < wanted {
                break;
            }
        }
        made
    }

    /// Larger packets, one at a time: heads taken for many could leave no buffer for the tail of any.
    fn chained_packets(&mut self, cx: &mut Context<'_>, frame: &mut Frame, n: usize) -> Made {
        let mut made = Made::default();
        while made.packets < n {
            let at = frame.len();
            if cx.allocate_copies(frame, 1, self.template) == 0 {
                break;
            }
            self.finish(&mut cx.buffers(frame).behind(at));
            let size = self.program.size_of(self.scratch, 0);
            if !append_tail(cx, frame, at, self.program.tail(size)) {
                break;
            }
            self.program.advance(self.cursor, 1);
            made.packets += 1;
            made.bytes += size as u64;
        }
        made
    }

    /// Makes the stream's next packets of copies of the template.
    #[inline]
    fn finish(&mut self, buffers: &mut Buffers<'_>) {
        self.program.evaluate(self.cursor, buffers.len(), self.scratch);
        self.program.write(self.scratch, buffers);
    }
}

fn replay_packets(
    replay: &Replay,
    already: u64,
    template: &mut Template,
    cx: &mut Context<'_>,
    frame: &mut Frame,
    n: usize,
) -> Made {
    let now = cx.packet_time();
    let mut made = Made::default();
    while made.packets < n {
        let number = (already + made.packets as u64) % replay.len() as u64;
        let Some(packet) = replay.packet(number as usize) else { break };
        let at = frame.len();
        if cx.allocate_copies(frame, 1, template) == 0 {
            break;
        }
        if let Some(buffer) = cx.buffers(frame).get(at) {
            packet.write(buffer, now);
        }
        if !append_tail(cx, frame, at, packet.tail) {
            break;
        }
        made.packets += 1;
        made.bytes += packet.len() as u64;
    }
    made
}

/// Hangs `tail` behind the last packet of `frame`, number `at`; without buffers for it the packet goes back. Whether there were.
fn append_tail(cx: &mut Context<'_>, frame: &mut Frame, at: usize, tail: &[u8]) -> bool {
    if tail.is_empty() {
        return true;
    }
    let mut buffers = cx.buffers(frame);
    let done = buffers.get(at).is_some_and(|buffer| cx.append_chain(buffer, tail));
    if !done {
        cx.free(frame, at);
    }
    done
}
