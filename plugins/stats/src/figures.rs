//! Figures of the whole engine, which somebody has to look up: rates, loops, buffers, memory.

use vnet::{
    buffer::{POOL_NAME, PoolUsage},
    counter::{CounterError, Scalar, Segment, SimpleWriter, ThreadIndex},
    graph::{NodeIndex, NodeKind},
    process::ProcessStats,
    runtime::{EngineTime, Main, Worker},
};

/// Elements of a heap's vector in VPP; those after the first three are about its allocator, and 0 here.
const HEAP_FIGURES: usize = 7;
/// Elements that have links of their own.
const HEAP_LINKS: [(&str, u32); 3] = [("total", TOTAL), ("used", USED), ("free", FREE)];
const TOTAL: u32 = 0;
const USED: u32 = 1;
const FREE: u32 = 2;

/// The entries, and what was there when they were last updated.
pub(crate) struct Figures {
    vector_rate: Scalar,
    vector_rate_per_worker: SimpleWriter,
    loops_per_worker: SimpleWriter,
    last_update: Scalar,
    input_rate: Scalar,
    cached: Scalar,
    used: Scalar,
    available: Scalar,
    segment: SimpleWriter,
    buffers: SimpleWriter,
    before: Before,
}

/// Counts at the last update, from which rates are made.
struct Before {
    at: EngineTime,
    received: u64,
    threads: Vec<Thread>,
}

/// What a thread has done.
#[derive(Clone, Copy, Default)]
struct Thread {
    loops: u64,
    calls: u64,
    vectors: u64,
}

impl Figures {
    /// Registers the entries.
    pub(crate) fn new(main: &mut Main) -> Result<Self, CounterError> {
        let threads = main.threads();
        let at = main.clock().now();
        let segment = main.segment_mut();
        segment.gauge("/sys/num_worker_threads")?.set(threads as u64 - 1);
        let pool = |what: &str| format!("/buffer-pools/{POOL_NAME}/{what}");
        Ok(Self {
            vector_rate: segment.gauge("/sys/vector_rate")?,
            vector_rate_per_worker: figures(segment, "/sys/vector_rate_per_worker", threads)?,
            loops_per_worker: figures(segment, "/sys/loops_per_worker", threads)?,
            last_update: segment.scalar("/sys/last_update")?,
            input_rate: segment.gauge("/sys/input_rate")?,
            cached: segment.gauge(&pool("cached"))?,
            used: segment.gauge(&pool("used"))?,
            available: segment.gauge(&pool("available"))?,
            segment: heap(segment, "stat segment")?,
            buffers: heap(segment, "buffers")?,
            before: Before { at, received: 0, threads: vec![Thread::default(); threads] },
        })
    }

    /// Looks all of them up.
    pub(crate) fn update(&mut self, main: &mut Main, processes: &[ProcessStats]) {
        main.publish_processes(processes);
        let now = main.clock().now();
        let seconds = now.since(self.before.at).as_secs_f64();
        let rate = |new: u64| if seconds > 0.0 { (new as f64 / seconds) as u64 } else { 0 };
        self.update_threads(main, rate);
        let received = received(main);
        self.input_rate.set(rate(since(received, self.before.received)));
        (self.before.received, self.before.at) = (received, now);
        self.update_buffers(main);
        let (bytes, touched) = main.segment_mut().usage();
        set_heap(&self.segment, bytes, touched);
        self.last_update.set(now.since(EngineTime(0)).as_secs());
        let heartbeat = &main.system_counters().heartbeat;
        heartbeat.set(heartbeat.value().wrapping_add(1));
    }

    fn update_threads(&mut self, main: &mut Main, rate: impl Fn(u64) -> u64) {
        let internal: Vec<NodeIndex> = main
            .graph()
            .nodes()
            .filter(|(_, node)| node.kind == NodeKind::Internal)
            .map(|(index, _)| index)
            .collect();
        let threads = main.by_thread(|worker| Thread::of(worker, &internal));
        let mut sum = 0.0;
        for (number, (before, now)) in (0..).zip(self.before.threads.iter_mut().zip(threads)) {
            let (calls, vectors) =
                (since(now.calls, before.calls), since(now.vectors, before.vectors));
            let vector_rate = if calls == 0 { 0.0 } else { vectors as f64 / calls as f64 };
            self.vector_rate_per_worker.set(number, vector_rate as u64);
            self.loops_per_worker.set(number, rate(since(now.loops, before.loops)));
            sum += vector_rate;
            *before = now;
        }
        let workers = main.threads().saturating_sub(1).max(1);
        self.vector_rate.set((sum / workers as f64) as u64);
    }

    fn update_buffers(&self, main: &mut Main) {
        let usage: PoolUsage = main.buffer_usage();
        self.cached.set(usage.cached as u64);
        self.used.set(usage.used() as u64);
        self.available.set(usage.available as u64);
        let (_, bytes) = main.pool().arena().memory();
        let share = bytes as u64 / usage.total as u64;
        set_heap(&self.buffers, bytes as u64, usage.used() as u64 * share);
    }
}

impl Thread {
    fn of(worker: &Worker, internal: &[NodeIndex]) -> Self {
        let stats = || internal.iter().map(|&node| worker.stats(node));
        Self {
            loops: worker.loops(),
            calls: stats().map(|stats| stats.calls).sum(),
            vectors: stats().map(|stats| stats.vectors).sum(),
        }
    }
}

/// What was counted since; the count may have been cleared meanwhile.
fn since(now: u64, before: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}

/// Packets that hardware interfaces have received; what their sub-interfaces did is among it.
fn received(main: &Main) -> u64 {
    let rx = &main.interface_counters().rx;
    let table = main.interfaces();
    rx.nonzero()
        .filter(|(index, _)| {
            let index = vnet::interface::SwIfIndex(*index);
            table.hardware_of(index).is_ok_and(|hardware| hardware.sw_if_index == index)
        })
        .map(|(_, count)| count.packets)
        .sum()
}

fn figures(segment: &mut Segment, name: &str, len: usize) -> Result<SimpleWriter, CounterError> {
    segment.figures(name, len)?.writer(ThreadIndex::MAIN)
}

fn heap(segment: &mut Segment, name: &str) -> Result<SimpleWriter, CounterError> {
    let path = format!("/mem/{name}");
    let figures = figures(segment, &path, HEAP_FIGURES)?;
    for (link, index) in HEAP_LINKS {
        segment.link(&format!("{path}/{link}"), &path, index)?;
    }
    Ok(figures)
}

fn set_heap(heap: &SimpleWriter, total: u64, used: u64) {
    heap.set(TOTAL, total);
    heap.set(USED, used);
    heap.set(FREE, total.saturating_sub(used));
}
