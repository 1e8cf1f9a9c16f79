//! What the threads of an engine do about the receive queues of devices.

use std::{
    os::{fd::AsRawFd, unix::net::UnixDatagram},
    sync::Arc,
    time::Duration,
};

use vnet::{
    buffer::Buffer,
    error::NoError,
    frame::Frame,
    graph::{InputMode, NoNext, Node, NodeCx, NodeSpec, Verdict},
    interface::{Device, LinkState, NewHardware, NewRxQueue, NoWire, RxPlacement, SwIfIndex},
    plugin::{Engine, Plugin, Registrar},
    runtime::{Local, Shared},
    trace::NoTrace,
};

/// A device whose queues are sockets.
struct Sockets;

impl Device for Sockets {
    fn set_admin(&mut self, _: bool) -> LinkState {
        NoWire::LINK
    }
}

/// Takes datagrams out of the queues of its thread, and counts them.
struct Input {
    placement: Shared<RxPlacement>,
    version: u64,
    sockets: Arc<[UnixDatagram]>,
    mine: Vec<u16>,
    taken: Local<u64>,
}

impl Node for Input {
    type Error = NoError;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(&mut self, cx: &mut NodeCx<'_, NoNext, NoError>, _: &mut Frame) -> Verdict<NoNext> {
        if let Some(mine) = cx.new_rx_queues(&self.placement, &mut self.version) {
            self.mine = mine.iter().map(|id| id.queue).collect();
        }
        let mut n = 0;
        for queue in &self.mine {
            let socket = &self.sockets[*queue as usize];
            while n < 256 && socket.recv(&mut [0; 16]).is_ok() {
                n += 1;
            }
        }
        if let Some(mut taken) = cx.take_local(self.taken) {
            *taken += n;
            cx.put_local(self.taken, taken);
        }
        Verdict::Consumed
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

struct Bench {
    engine: Engine,
    far: Vec<UnixDatagram>,
    taken: Local<u64>,
    port: SwIfIndex,
}

impl Bench {
    fn new(workers: usize) -> Self {
        let (mut far, mut near) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let (a, b) = UnixDatagram::pair().unwrap();
            b.set_nonblocking(true).unwrap();
            far.push(a);
            near.push(b);
        }
        let sockets: Arc<[UnixDatagram]> = near.into();
        let theirs = sockets.clone();
        let (tell, told) = std::sync::mpsc::channel();
        let plugin = Plugin::new("sockets", "1", "", move |r: &mut Registrar| {
            let placement = r.rx_placement();
            let taken = r.local(|_| 0);
            tell.send(taken).unwrap();
            let input = NodeSpec::input("socket-input", move |_| Input {
                placement: placement.clone(),
                version: 0,
                sockets: theirs.clone(),
                mine: Vec::new(),
                taken,
            });
            r.node(input.mode(InputMode::Disabled));
            Ok(())
        });
        let engine = Engine::builder().workers(workers).plugin(plugin).build().unwrap();
        let port = engine.with(|m| {
            let new = NewHardware {
                name: "port0".to_owned(),
                device_class: "port",
                device_instance: 0,
                mac: None,
                max_frame_size: 9000,
                mtu: 1500,
                tx_next: 0,
            };
            let port = m.add_device(new, Box::new(Sockets)).unwrap();
            let node = m.graph().find("socket-input").unwrap();
            let queue = |fd| NewRxQueue { node, fd: Some(fd), mode: InputMode::Interrupt };
            m.add_rx_queues(port, sockets.iter().map(|s| queue(s.as_raw_fd()))).unwrap();
            port
        });
        Self { engine, far, taken: told.recv().unwrap(), port }
    }

    fn command(&self, line: &str) -> String {
        self.engine.command(line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Packets taken, by thread.
    fn taken(&self) -> Vec<u64> {
        let mut all = Vec::new();
        self.engine.with(|m| m.for_each_local(self.taken, |taken| all.push(*taken)));
        all
    }

    /// Runs the engine for some milliseconds.
    fn wait(&self, ms: u64) {
        let cx = self.engine.cx();
        self.engine.run_until(async move { cx.sleep(Duration::from_millis(ms)).await }).unwrap();
    }

    /// Sends a packet to a queue, and waits until threads have taken as many as expected.
    fn send(&self, queue: usize, expected: &[u64]) {
        self.far[queue].send(b"packet").unwrap();
        while self.taken().iter().sum::<u64>() < expected.iter().sum() {
            self.wait(1);
        }
        assert_eq!(self.taken(), expected);
    }
}

#[test]
fn a_packet_wakes_the_main_thread_where_there_are_no_workers() {
    let bench = Bench::new(0);
    bench.command("set interface state port0 up");
    bench.send(0, &[1]);
    bench.send(1, &[2]);
    // It slept meanwhile: no input polls.
    let input = bench.engine.with(|m| m.graph().find("socket-input").unwrap());
    let calls = || bench.engine.with(|m| m.stats(input).calls);
    bench.wait(5);
    let before = calls();
    bench.wait(50);
    assert_eq!(calls(), before);
}

#[test]
fn a_packet_wakes_the_worker_that_its_queue_is_given_to() {
    let bench = Bench::new(2);
    bench.command("set interface state port0 up");
    bench.send(0, &[0, 1, 0]);
    bench.send(1, &[0, 1, 1]);
    let expected = "Thread 1 (vpp_wk_0):\n  node socket-input:\n    port0 queue 0 (interrupt)\n\
                    Thread 2 (vpp_wk_1):\n  node socket-input:\n    port0 queue 1 (interrupt)\n";
    assert_eq!(bench.command("show interface rx-placement"), expected);
    bench.command("set interface rx-placement port0 queue 1 worker 0");
    bench.send(1, &[0, 2, 1]);
    bench.command("set interface rx-placement port0 main");
    bench.send(0, &[1, 2, 1]);
    bench.send(1, &[1, 3, 1]);
    for (line, error) in [
        ("set interface rx-placement port0 worker 2", "there is no vpp_wk_2"),
        ("set interface rx-placement port0 queue 2 main", "there is no receive queue 2"),
        ("set interface rx-mode port0 queue 7 polling", "there is no receive queue 7"),
        ("set interface rx-mode local0 polling", "there is no receive queue 0"),
    ] {
        let refused = bench.engine.command(line).unwrap_err().to_string();
        assert!(refused.contains(error), "{line}: {refused}");
    }
}

#[test]
fn queues_are_polled_or_left_alone_as_ordered() {
    let bench = Bench::new(1);
    bench.far[0].send(b"packet").unwrap();
    bench.wait(20);
    assert_eq!(bench.taken(), [0, 0], "the interface is down");
    bench.command("set interface state port0 up");
    bench.send(1, &[0, 2]);
    let input = bench.engine.with(|m| m.graph().find("socket-input").unwrap());
    let state = |thread: usize| {
        bench.engine.with(|m| {
            m.by_thread(|w| w.node_state(input, vnet::graph::NodeKind::Input).word())[thread]
        })
    };
    assert_eq!((state(0), state(1)), ("disabled", "interrupt wait"));
    bench.command("set interface rx-mode port0 queue 0 polling");
    assert_eq!((state(0), state(1)), ("disabled", "polling"));
    bench.send(0, &[0, 3]);
    bench.command("set interface rx-mode port0 adaptive");
    bench.send(0, &[0, 4]);
    bench.command("set interface state port0 down");
    assert_eq!(state(1), "disabled");
    bench.far[0].send(b"packet").unwrap();
    bench.wait(20);
    assert_eq!(bench.taken(), [0, 4]);
    bench.engine.with(|m| m.change_interfaces(|t| t.delete_hardware(bench.port))).unwrap();
    assert_eq!(bench.command("show interface rx-placement"), "");
    bench.wait(20);
    assert_eq!(bench.taken(), [0, 4]);
}

#[test]
fn a_disabled_queue_wakes_nobody_and_its_neighbours_go_on() {
    let bench = Bench::new(1);
    bench.command("set interface state port0 up");
    bench.send(0, &[0, 1]);
    let disabled = bench.engine.with(|m| {
        let hw_if_index = m.interfaces().hardware_of(bench.port).unwrap().index;
        m.set_rx_mode(hw_if_index, None, InputMode::Disabled)
    });
    disabled.unwrap();
    let input = bench.engine.with(|m| m.graph().find("socket-input").unwrap());
    let calls = || bench.engine.with(|m| m.stats(input).calls);
    bench.wait(5);
    let before = calls();
    bench.far[0].send(b"packet").unwrap();
    bench.wait(30);
    assert_eq!((calls(), bench.taken()), (before, vec![0, 1]));
    bench.command("set interface rx-mode port0 queue 0 interrupt");
    bench.send(0, &[0, 3]);
}
