//! What an engine promises to the authors of nodes and processes.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use vnet::{
    buffer::Buffer,
    command::Error,
    frame::Frame,
    graph::{
        ArcIndex, ArcSpec, FeatureSpec, InputMode, Map, NoNext, Node, NodeCx, NodeFlags, NodeKind,
        NodeSpec, PacketCx, Slot, Verdict,
    },
    interface::SwIfIndex,
    plugin::{Command, Engine, Plugin, Registrar},
    process::{Bell, events, race, reply},
    runtime::{Clock, EngineTime, PacketTime, Shared},
    trace::{NoTrace, TraceWanted},
};

vnet::next_nodes! {
    enum SourceNext { Classify => "classify" }
}

vnet::node_errors! {
    enum ClassifyError {
        Refused => ("refused", "refused by the test", Error),
        Seen => ("seen", "seen by the test", Info),
    }
}

vnet::next_nodes! {
    enum ClassifyNext { Drop => "error-drop", Even => "even", Odd => "odd" }
}

/// Brings `left` packets, numbered in `flow_hash`, at most `batch` a call.
struct Source {
    left: u32,
    batch: usize,
    number: u32,
}

impl Node for Source {
    type Error = vnet::error::NoError;
    type Next = SourceNext;
    type Trace = NoTrace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, SourceNext, Self::Error>,
        frame: &mut Frame,
    ) -> Verdict<SourceNext> {
        let n = cx.allocate(frame, self.batch.min(self.left as usize));
        self.left -= n as u32;
        for buffer in cx.buffers(frame).iter_mut() {
            buffer.append(&[0; 60]);
            buffer.flow_hash = self.number;
            buffer.rx = SwIfIndex(1);
            self.number += 1;
        }
        Verdict::All(SourceNext::Classify.into())
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

/// Drops multiples of 10, sends the others by parity; features of the arc come first.
struct Classify(ArcIndex);

impl Map for Classify {
    type Error = ClassifyError;
    type Next = ClassifyNext;
    type Trace = NoTrace;

    fn map(
        &mut self,
        cx: &mut PacketCx<'_, ClassifyNext, ClassifyError>,
        buffer: &mut Buffer,
    ) -> Slot<ClassifyNext> {
        cx.count(ClassifyError::Seen, 1);
        if buffer.flow_hash.is_multiple_of(10) {
            cx.error(buffer, ClassifyError::Refused);
            return ClassifyNext::Drop.into();
        }
        let next =
            if buffer.flow_hash.is_multiple_of(2) { ClassifyNext::Even } else { ClassifyNext::Odd };
        cx.start_arc(self.0, buffer.rx, buffer, next)
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

/// Notes the numbers of the packets that reach it and gives them back.
struct Sink(Shared<RefCellSend>);

/// What sinks have seen, by sink.
#[derive(Default)]
struct RefCellSend(std::sync::Mutex<Vec<u32>>);

impl Node for Sink {
    type Error = vnet::error::NoError;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(
        &mut self,
        cx: &mut NodeCx<'_, NoNext, Self::Error>,
        frame: &mut Frame,
    ) -> Verdict<NoNext> {
        let seen = self.0.read(cx.token());
        seen.0.lock().unwrap().extend(cx.buffers(frame).iter_mut().map(|b| b.flow_hash));
        Verdict::Free
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

/// A feature that lets packets pass.
struct Pass;

impl Map for Pass {
    type Error = vnet::error::NoError;
    type Next = NoNext;
    type Trace = NoTrace;

    fn map(
        &mut self,
        cx: &mut PacketCx<'_, NoNext, Self::Error>,
        buffer: &mut Buffer,
    ) -> Slot<NoNext> {
        buffer.opaque[0] += cx.feature_config(buffer);
        cx.next_feature(buffer)
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

type Seen = Rc<RefCell<Vec<Shared<RefCellSend>>>>;

fn register(r: &mut Registrar, packets: u32, batch: usize, seen: &Seen) {
    r.node(NodeSpec::input("source", move |_| Source { left: packets, batch, number: 0 }));
    r.node(NodeSpec::map("classify", |at| Classify(at.arc("arc"))));
    for name in ["even", "odd", "end"] {
        let log = r.shared(RefCellSend::default());
        seen.borrow_mut().push(log.clone());
        r.node(NodeSpec::internal(name, move |_| Sink(log.clone())).flags(NodeFlags::OUTPUT));
    }
    r.node(NodeSpec::map("pass", |_| Pass));
    r.arc(ArcSpec::new("arc", &["classify"], "end"));
    r.feature(FeatureSpec::new("arc", "pass"));
}

fn engine(packets: u32, batch: usize, buffers: u32) -> (Engine, Seen) {
    let seen: Seen = Rc::default();
    let theirs = seen.clone();
    let plugin = Plugin::new("test", "1", "", move |r| {
        register(r, packets, batch, &theirs);
        Ok(())
    });
    let clock = Clock::virtual_at(PacketTime(0));
    (Engine::builder().clock(clock).buffers(buffers).plugin(plugin).build().unwrap(), seen)
}

fn seen_by(engine: &Engine, seen: &Seen, sink: usize) -> Vec<u32> {
    engine.with(|m| seen.borrow()[sink].view(m.held()).0.lock().unwrap().clone())
}

fn error_count(engine: &Engine, name: &str) -> u64 {
    engine.with(|m| m.errors().rows().find(|row| row.reason.name == name).unwrap().count)
}

#[test]
fn every_packet_is_delivered_or_counted_whatever_the_batch() {
    for batch in [1, 7, 255, 256] {
        let (engine, seen) = engine(1000, batch, 16384);
        engine.run_until_idle();
        let (even, odd) = (seen_by(&engine, &seen, 0), seen_by(&engine, &seen, 1));
        let expect = |parity: u32| -> Vec<u32> {
            (0..1000).filter(|n| n % 10 != 0 && n % 2 == parity).collect()
        };
        // The order among packets of the same next is kept.
        assert_eq!((even, odd), (expect(0), expect(1)), "batch {batch}");
        assert_eq!(error_count(&engine, "refused"), 100);
        assert_eq!(error_count(&engine, "seen"), 1000);
        engine.with(|m| assert_eq!(m.pool().usage().used() - cached(m), 0));
    }
}

/// Buffers that the main thread's magazine holds but has not announced yet.
fn cached(m: &vnet::runtime::Main) -> usize {
    m.pool().usage().used() - m.pool().owned()
}

#[test]
fn an_exhausted_pool_holds_the_input_back_and_loses_nothing() {
    let (engine, seen) = engine(5000, 256, 100);
    engine.run_until_idle();
    let delivered = seen_by(&engine, &seen, 0).len() + seen_by(&engine, &seen, 1).len();
    assert_eq!(delivered as u64 + error_count(&engine, "refused"), 5000);
    engine.with(|m| {
        assert!(m.pool().usage().exhausted > 0);
        assert_eq!(m.pool().owned(), 0);
    });
}

#[test]
fn features_can_be_switched_while_packets_flow() {
    let (engine, seen) = engine(300, 100, 16384);
    engine.poll();
    engine.with(|m| m.enable_feature("arc", "pass", SwIfIndex(1), 5).unwrap());
    engine.poll();
    engine.with(|m| m.disable_feature("arc", "pass", SwIfIndex(1)).unwrap());
    engine.run_until_idle();
    // The second hundred went by the arc to its end, the others by the default.
    let end = seen_by(&engine, &seen, 2);
    assert_eq!(end.len(), 90);
    assert!(end.iter().all(|n| (100..200).contains(n)));
    assert_eq!(seen_by(&engine, &seen, 0).len() + seen_by(&engine, &seen, 1).len(), 180);
}

#[test]
fn a_trace_shows_each_node_and_the_reason_of_a_drop() {
    let (engine, _seen) = engine(10, 256, 16384);
    engine.with(|m| {
        let source = m.graph().find("source").unwrap();
        m.trace_add(TraceWanted { node: source, packets: 2, filter: false, verbose: false });
    });
    engine.run_until_idle();
    let text = engine.with(|m| m.show_trace(50));
    assert_eq!(
        text,
        "------------------- Start of thread 0 vpp_main -------------------\n\
         Packet 1\n\n\
         00:00:00:000000: source\n\
         00:00:00:000000: classify\n\
         00:00:00:000000: error-drop\n  classify: refused by the test\n\n\
         Packet 2\n\n\
         00:00:00:000000: source\n\
         00:00:00:000000: classify\n\
         00:00:00:000000: odd\n\n"
    );
}

#[test]
fn an_interrupt_input_runs_when_its_interrupt_is_set_and_only_then() {
    let (engine, seen) = engine(1000, 3, 16384);
    let source = engine.with(|m| m.graph().find("source").unwrap());
    engine.with(|m| m.set_input_mode(source, InputMode::Interrupt));
    engine.run_until_idle();
    assert_eq!(error_count(&engine, "seen"), 0);
    let interrupt = engine.with(|m| m.interrupt(source));
    std::thread::spawn(move || interrupt.set()).join().unwrap();
    engine.run_until_idle();
    assert_eq!(error_count(&engine, "seen"), 3);
    engine.with(|m| m.set_input_mode(source, InputMode::Disabled));
    engine.run_until_idle();
    assert_eq!(error_count(&engine, "seen"), 3);
    drop(seen);
}

#[test]
fn an_adaptive_input_polls_while_there_is_much_and_waits_while_there_is_little() {
    let (engine, _seen) = engine(35, 16, 16384);
    let source = engine.with(|m| m.graph().find("source").unwrap());
    engine.with(|m| m.set_input_mode(source, InputMode::Adaptive));
    let state = || engine.with(|m| m.worker().node_state(source, NodeKind::Input).word());
    assert_eq!(state(), "interrupt wait");
    engine.with(|m| m.interrupt(source)).set();
    engine.poll();
    assert_eq!(state(), "polling");
    engine.poll();
    engine.poll();
    assert_eq!(state(), "polling");
    engine.poll();
    assert_eq!(state(), "interrupt wait");
    assert_eq!(error_count(&engine, "seen"), 35);
}

#[test]
fn nodes_and_slots_can_be_added_at_run_time() {
    let (engine, seen) = engine(0, 1, 16384);
    let log = seen.borrow()[0].clone();
    engine.with(|m| {
        let new = m.add_node(NodeSpec::internal("late", move |_| Sink(log.clone()))).unwrap();
        let classify = m.graph().find("classify").unwrap();
        let slot = m.add_next(classify, new);
        assert_eq!(slot.0, 3);
        assert_eq!(m.add_next(classify, new), slot);
        assert_eq!(m.graph().previous(new), [classify]);
        let duplicate = m.add_node(NodeSpec::map("late", |_| Pass)).unwrap_err();
        assert_eq!(duplicate.to_string(), "node `late' is registered twice");
        let mut frame = m.frame_to(new);
        for i in 0..600 {
            assert_eq!(frame.push(|b| b.flow_hash = i), Some(()));
        }
    });
    engine.run_until_idle();
    assert_eq!(seen_by(&engine, &seen, 0), (0..600).collect::<Vec<_>>());
}

#[test]
fn processes_wait_for_events_and_times_under_the_engines_clock() {
    let log: Rc<RefCell<Vec<(u64, &str)>>> = Rc::default();
    let theirs = log.clone();
    let (signal, mut inbox) = events::<vnet::process::Reply<u64>>();
    let plugin = Plugin::new("test", "1", "", move |r| {
        r.process("ticker", move |cx| async move {
            loop {
                match cx.timeout(Duration::from_secs(5), inbox.next()).await {
                    Ok(Some(reply)) => reply.send(cx.now().0),
                    Ok(None) => return,
                    Err(_) => theirs.borrow_mut().push((cx.now().0 / 1_000_000_000, "tick")),
                }
            }
        });
        Ok(())
    });
    let clock = Clock::virtual_at(PacketTime(0));
    let engine = Engine::builder().clock(clock).plugin(plugin).build().unwrap();
    engine.advance(Duration::from_secs(12));
    assert_eq!(*log.borrow(), [(5, "tick"), (10, "tick")]);
    let (reply, answer) = reply();
    signal.send(reply);
    assert_eq!(engine.run_until(answer), Some(Some(12_000_000_000)));
    engine.advance(Duration::from_secs(6));
    assert_eq!(log.borrow().last(), Some(&(17, "tick")));
    // Nobody is left to send: the process ends.
    drop(signal);
    engine.run_until_idle();
    let processes = engine.cx().executor().processes();
    let ticker = processes.iter().find(|process| process.name == "ticker").unwrap();
    assert_eq!(ticker.state.word(), "done");
}

#[test]
fn who_waits_for_a_round_waits_for_it_whatever_else_wakes_the_process() {
    let engine = Engine::builder().clock(Clock::virtual_at(PacketTime(0))).build().unwrap();
    let (cx, rung, turns) = (engine.cx(), Bell::new(), Rc::<Cell<u64>>::default());
    let (rings, counted) = (rung.clone(), turns.clone());
    engine.cx().executor().spawn(async move {
        let works = async {
            loop {
                counted.set(counted.get() + 1);
                rings.ring();
                cx.next_round().await;
            }
        };
        let listens = async {
            loop {
                rung.wait().await;
            }
        };
        race::<(), ()>(works, listens).await;
    });
    for round in 1..20 {
        engine.poll();
        assert_eq!(turns.get(), round);
    }
}

#[test]
fn what_blocks_runs_beside_the_engine() {
    let engine = Engine::builder().build().unwrap();
    let cx = engine.cx();
    let value = engine.run_until(async move {
        let before = cx.now();
        let value = cx.blocking(|| 6 * 7).await.unwrap();
        cx.sleep(Duration::from_millis(2)).await;
        assert!(cx.now() >= before.after(Duration::from_millis(2)));
        value
    });
    assert_eq!(value, Some(42));
}

#[test]
fn a_future_that_waits_for_nothing_does_not_hang_a_virtual_engine() {
    let clock = Clock::virtual_at(PacketTime(0));
    let engine = Engine::builder().clock(clock).build().unwrap();
    let cx = engine.cx();
    assert_eq!(engine.run_until(async move { cx.sleep(Duration::from_secs(1)).await }), None);
    assert_eq!(engine.now(), EngineTime(0));
}

#[test]
fn what_a_plugin_provides_is_found_by_its_type() {
    let plugin = Plugin::new("test", "1", "", |r| {
        r.provide(Rc::new(7_u8));
        Ok(())
    });
    let engine = Engine::builder().plugin(plugin).build().unwrap();
    assert_eq!(engine.provided::<Rc<u8>>(), Some(Rc::new(7)));
    assert_eq!(engine.provided::<u8>(), None);
}

#[test]
fn a_program_runs_commands_and_reads_what_a_user_would() {
    let plugin = Plugin::new("test", "1", "", |r| {
        r.command(Command::sync("say", "Say something.", |_, (): ()| "something"));
        r.command(Command::sync("fail", "Fail.", |_, (): ()| {
            Err::<(), _>(Error::unspecified("no luck"))
        }));
        Ok(())
    });
    let engine = Engine::builder().plugin(plugin).build().unwrap();
    assert_eq!(engine.command("say").unwrap(), "something\n");
    assert_eq!(engine.command("fail").unwrap_err().to_string(), "fail: no luck");
    let unknown = engine.command("sing").unwrap_err().to_string();
    assert_eq!(unknown, "unknown input `sing'");
}

#[test]
fn plugins_that_contradict_each_other_are_refused_by_name() {
    let plain = |name| Plugin::new(name, "1", "", |_| Ok(()));
    let e = Engine::builder().plugin(plain("a")).plugin(plain("a")).build().err().unwrap();
    assert_eq!(e.to_string(), "plugin `a' is listed twice");
    let e = Engine::builder()
        .plugin(plain("a").load_after("b"))
        .plugin(plain("b").load_after("a"))
        .build()
        .err()
        .unwrap();
    assert_eq!(e.to_string(), "plugins `a', `b' are each to be loaded after another one of them");
    let order = Engine::builder().plugin(plain("a").load_after("b")).plugin(plain("b")).build();
    let names: Vec<_> = order.unwrap().with(|m| m.plugins().iter().map(|p| p.name).collect());
    assert_eq!(names, ["b", "a"]);
    let bad = Plugin::new("p", "1", "", |r| {
        r.node(NodeSpec::map("classify", |at| Classify(at.arc("arc"))));
        Ok(())
    });
    let e = Engine::builder().plugin(bad).build().err().unwrap();
    assert_eq!(e.to_string(), "node `classify' names `even' as next, which does not exist");
}
