//! What an engine with workers promises.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use vnet::{
    buffer::Buffer,
    error::NoError,
    frame::Frame,
    graph::{InputMode, NoNext, Node, NodeCx, NodeIndex, NodeSpec, Verdict},
    plugin::{Engine, Plugin, Registrar},
    runtime::{Clock, Local, PacketTime, Shared},
    trace::NoTrace,
};

vnet::next_nodes! {
    enum SourceNext { Sink => "sink" }
}

/// Brings frames of 256 packets, up to `left` packets on each thread.
struct Source {
    left: usize,
}

impl Node for Source {
    type Error = NoError;
    type Next = SourceNext;
    type Trace = NoTrace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, SourceNext, NoError>,
        frame: &mut Frame,
    ) -> Verdict<SourceNext> {
        self.left -= cx.allocate(frame, self.left.min(256));
        for buffer in cx.buffers(frame).iter_mut() {
            buffer.append(&[0; 60]);
        }
        Verdict::All(SourceNext::Sink.into())
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

/// Counts packets for its thread, and looks for changes that happen while it runs.
struct Sink {
    seen: Local<u64>,
    pair: Shared<(u64, u64)>,
    torn: Arc<AtomicU64>,
}

impl Node for Sink {
    type Error = NoError;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, NoError>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        let (a, b) = *self.pair.read(cx.token());
        if let Some(mut seen) = cx.take_local(self.seen) {
            *seen += frame.len() as u64;
            cx.put_local(self.seen, seen);
        }
        let again = *self.pair.read(cx.token());
        if a != b || again != (a, b) {
            self.torn.fetch_add(1, Ordering::Relaxed);
        }
        Verdict::Free
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

/// An engine whose source brings `packets` on each thread where it is asked to.
struct Bench {
    engine: Engine,
    source: NodeIndex,
    pair: Shared<(u64, u64)>,
    seen: Local<u64>,
    torn: Arc<AtomicU64>,
}

impl Bench {
    fn new(clock: Clock, workers: usize, packets: usize) -> Self {
        let torn = Arc::new(AtomicU64::new(0));
        let counter = torn.clone();
        let (tell, told) = std::sync::mpsc::channel();
        let plugin = Plugin::new("bench", "1", "", move |r: &mut Registrar| {
            let seen = r.local(|_| 0);
            let pair = r.shared((0, 0));
            tell.send((seen, pair.clone())).unwrap();
            let source = NodeSpec::input("source", move |_| Source { left: packets });
            r.node(source.mode(InputMode::Disabled));
            r.node(NodeSpec::internal("sink", move |_| Sink {
                seen,
                pair: pair.clone(),
                torn: counter.clone(),
            }));
            Ok(())
        });
        let engine =
            Engine::builder().clock(clock).workers(workers).plugin(plugin).build().unwrap();
        let (seen, pair) = told.recv().unwrap();
        let source = engine.with(|m| m.graph().find("source").unwrap());
        Self { engine, source, pair, seen, torn }
    }

    /// Packets that reached the sink, by thread.
    fn seen(&self) -> Vec<u64> {
        let mut all = Vec::new();
        self.engine.with(|m| m.for_each_local(self.seen, |seen| all.push(*seen)));
        all
    }

    /// Runs the engine until the sinks have seen `packets`.
    fn until_seen(&self, packets: u64) {
        while self.seen().iter().sum::<u64>() < packets {
            self.wait();
        }
    }

    /// Runs the engine for a moment.
    fn wait(&self) {
        let cx = self.engine.cx();
        let waited =
            self.engine.run_until(async move { cx.sleep(Duration::from_micros(200)).await });
        assert!(waited.is_some());
    }

    /// Nothing is held once workers stand still, and nothing was read that was being written.
    fn check(&self) {
        assert_eq!(self.torn.load(Ordering::Relaxed), 0);
        #[cfg(debug_assertions)]
        assert_eq!(self.engine.with(|m| (m.by_thread(|_| ()), m.pool().owned()).1), 0);
    }
}

fn virtual_clock() -> Clock {
    Clock::virtual_at(PacketTime(0))
}

#[test]
fn under_a_virtual_clock_workers_take_turns_and_each_does_its_own() {
    let bench = Bench::new(virtual_clock(), 2, 1000);
    bench.engine.with(|m| {
        m.set_input_mode_on(1, bench.source, InputMode::Polling);
        m.set_input_mode_on(2, bench.source, InputMode::Polling);
    });
    // Their sources poll for ever, so that there is no end to wait for.
    (0..10).for_each(|_| _ = bench.engine.poll());
    assert_eq!(bench.seen(), [0, 1000, 1000]);
    let stats = bench.engine.with(|m| m.by_thread(|w| w.stats(bench.source).vectors));
    assert_eq!(stats, [0, 1000, 1000]);
    assert_eq!(bench.engine.with(|m| m.stats(bench.source).vectors), 2000);
    bench.check();
}

#[test]
fn workers_run_beside_the_main_thread() {
    let bench = Bench::new(Clock::real(), 2, 100_000);
    bench.engine.with(|m| m.set_input_mode(bench.source, InputMode::Polling));
    bench.until_seen(300_000);
    assert_eq!(bench.seen(), [100_000; 3]);
    bench.check();
}

#[test]
fn what_is_written_under_the_barrier_is_never_seen_half_done() {
    let bench = Bench::new(Clock::real(), 2, 20_000_000);
    bench.engine.with(|m| {
        m.set_input_mode_on(1, bench.source, InputMode::Polling);
        m.set_input_mode_on(2, bench.source, InputMode::Polling);
    });
    bench.until_seen(1);
    for n in 1..=1000 {
        bench.engine.with(|m| {
            let pair = bench.pair.write(m.held_mut());
            pair.0 = n;
            std::hint::black_box(&pair);
            pair.1 = n;
        });
        if n % 100 == 0 {
            bench.wait();
        }
    }
    let seen = bench.seen();
    assert!(seen[1] > 0 && seen[2] > 0, "{seen:?}");
    bench.check();
}

#[test]
fn an_interrupt_wakes_a_worker_that_sleeps() {
    let bench = Bench::new(Clock::real(), 1, 10);
    bench.engine.with(|m| m.set_input_mode(bench.source, InputMode::Interrupt));
    for round in 1..=5 {
        // Longer than it takes to fall asleep; what is looked for below does not depend on it.
        bench.wait();
        let before = bench.engine.with(|m| m.by_thread(|w| w.stats(bench.source).calls));
        bench.engine.with(|m| m.interrupt_on(1, bench.source).unwrap()).set();
        while bench.engine.with(|m| m.by_thread(|w| w.stats(bench.source).calls))[1] < round {
            bench.wait();
        }
        let after = bench.engine.with(|m| m.by_thread(|w| w.stats(bench.source).calls));
        assert_eq!(after, [0, before[1] + 1]);
    }
    assert_eq!(bench.seen(), [0, 10]);
    bench.check();
}

#[test]
fn interfaces_features_and_traces_change_under_load() {
    let bench = Bench::new(Clock::real(), 2, 50_000_000);
    bench.engine.with(|m| {
        m.set_input_mode_on(1, bench.source, InputMode::Polling);
        m.set_input_mode_on(2, bench.source, InputMode::Polling);
    });
    bench.until_seen(1);
    for round in 0..20 {
        for line in [
            "trace add source 10",
            "show trace",
            "clear trace",
            "show runtime",
            "show errors",
            "show buffers",
            "ip route add 192.0.2.0/24 via drop",
            "ip route del 192.0.2.0/24",
        ] {
            bench.engine.command(line).unwrap_or_else(|e| panic!("{round}: {line}: {e}"));
        }
    }
    let shown = bench.engine.command("show runtime").unwrap();
    for part in ["Thread 0 vpp_main", "\n---------------\nThread 1 vpp_wk_0", "Thread 2 vpp_wk_1"] {
        assert!(shown.contains(part), "{shown}");
    }
    let barriers = bench.engine.command("show barrier json").unwrap();
    let barriers: serde_json::Value = serde_json::from_str(&barriers).unwrap();
    assert!(barriers["count"].as_u64().unwrap() > 20, "{barriers}");
    assert_eq!(barriers["workers"], 2);
    let errors = bench.engine.stop();
    assert!(errors.is_empty(), "{errors:?}");
    bench.check();
}

#[test]
#[should_panic(expected = "a token of another engine")]
fn engines_whose_tokens_are_exchanged_lend_them_no_more() {
    let (one, other) = (Bench::new(virtual_clock(), 1, 0), Bench::new(virtual_clock(), 1, 0));
    one.engine.with(|one| {
        other.engine.with(|other| core::mem::swap(one.held_mut(), other.held_mut()));
        *other.pair.write(one.held_mut()) = (1, 1);
    });
}

#[test]
fn threads_are_shown_with_the_kernels_numbers() {
    let bench = Bench::new(Clock::real(), 2, 0);
    let shown = bench.engine.command("show threads json").unwrap();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    for (i, name) in ["vpp_main", "vpp_wk_0", "vpp_wk_1"].into_iter().enumerate() {
        let thread = &shown[i];
        assert_eq!(thread["name"], name, "{shown}");
        let id = thread["lwp"].as_u64().unwrap();
        assert!(std::path::Path::new(&format!("/proc/self/task/{id}")).exists(), "{thread}");
    }
}

#[test]
fn a_worker_on_a_core_that_there_is_not_is_an_error() {
    let built = Engine::builder().workers_on(vec![Some(1023)]).build();
    let error = built.err().map(|error| error.to_string());
    let expected =
        "vpp_wk_0 on core 1023: there is no such core, or this process may not run there";
    assert_eq!(error.as_deref(), Some(expected));
    assert!(Engine::builder().workers(129).build().is_err());
}
