//! Interfaces that put segments together: how that is switched, and what sends segments that nothing follows.

use std::sync::Arc;

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{InputMode, NoNext, Node, NodeSpec, Verdict},
    gro::{Coalescer, TIMEOUT},
    interface::{Event, SwIfIndex},
    plugin::Registrar,
    process::Bell,
    runtime::{Main, Shared},
    trace::NoTrace,
};

use super::{
    Generator, PgError,
    port::{Port, TxState},
    transmit::{self, Cx, TxError},
};

/// The node that sends what has waited long enough, when the process calls it.
const NODE: &str = "pg-coalesce";

/// What the nodes and the main thread share.
#[derive(Clone)]
pub(super) struct Coalescing {
    /// Interfaces that coalesce, written under the barrier.
    interfaces: Shared<Vec<Arc<TxState>>>,
    /// Rung when segments begin to wait.
    pub(super) timer: Bell,
}

impl Coalescing {
    /// Registers the node and its process.
    pub(super) fn register(r: &mut Registrar) -> Self {
        let all = Self { interfaces: r.shared(Vec::new()), timer: Bell::new() };
        let of_node = all.clone();
        let spec =
            NodeSpec::input(NODE, move |_| Flush { of: of_node.clone(), joined: Vec::new() });
        r.node(spec.mode(InputMode::Interrupt));
        let timer = all.timer.clone();
        r.process("pg-coalesce-process", |cx| async move {
            loop {
                timer.wait().await;
                cx.sleep(TIMEOUT).await;
                cx.with(|main| {
                    if let Some(node) = main.graph().find(NODE) {
                        main.interrupt(node).set();
                    }
                });
            }
        });
        all
    }
}

/// The node.
struct Flush {
    of: Coalescing,
    /// For packets in several buffers.
    joined: Vec<u8>,
}

impl Node for Flush {
    type Error = TxError;
    type Next = NoNext;
    type Trace = NoTrace;

    fn process(&mut self, cx: &mut Cx<'_>, _: &mut Frame) -> Verdict<NoNext> {
        let Self { of, joined } = self;
        for state in of.interfaces.read(cx.token()) {
            let mut held = state.coalescer();
            let Some(coalescer) = held.as_mut() else { continue };
            let before = coalescer.counts();
            cx.send_due(coalescer, |cx, out| transmit::send(cx, state, out, joined));
            transmit::count(cx, before, coalescer.counts());
            if coalescer.waiting() > 0 {
                of.timer.ring();
            }
        }
        Verdict::Free
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}

impl Generator {
    /// Switches on or off that segments which leave by an interface are put together. What waits is sent.
    ///
    /// # Errors
    /// When it is none of ours, or no large packets may leave by it.
    pub fn set_coalescing(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        on: bool,
    ) -> Result<(), PgError> {
        let name = main.interface_name(interface);
        let found = self.of_index(interface, |port| {
            (port.name.clone(), port.tx.clone(), port.mode, port.offload.is_gso())
        });
        let Some((of_port, tx, mode, is_gso)) = found else {
            return Err(PgError::NotAnInterface(name));
        };
        if !is_gso {
            return Err(PgError::NoGso(name));
        }
        if tx.coalesces() != on {
            empty(main, &of_port, &tx);
            tx.set_coalescer(on.then(|| Coalescer::new(mode.link()).into()));
            self.publish_coalescing(main);
        }
        Ok(())
    }

    /// Tells the node which interfaces coalesce.
    fn publish_coalescing(&self, main: &mut Main) {
        let state = self.state.borrow();
        let all = state.ports.iter().filter(|port| port.tx.coalesces());
        let all: Vec<_> = all.map(|port| port.tx.clone()).collect();
        *self.coalescing.interfaces.write(main.held_mut()) = all;
    }

    /// Sends what waits at an interface that goes down.
    pub(super) fn follow(&self, main: &mut Main, event: &Event) {
        let Event::Admin { sw_if_index, up: false } = *event else { return };
        let found = self.of_index(sw_if_index, |port| (port.name.clone(), port.tx.clone()));
        if let Some((name, tx)) = found.filter(|(_, tx)| tx.coalesces()) {
            let emptied = empty(main, &name, &tx);
            tx.set_coalescer(emptied);
        }
    }

    /// Sends what waits at all interfaces, of which none coalesces any more.
    pub(super) fn end_coalescing(&self, main: &mut Main) {
        let state = self.state.borrow();
        for port in state.ports.iter().filter(|port| port.tx.coalesces()) {
            empty(main, &port.name, &port.tx);
        }
    }

    /// What `f` says of an interface of ours.
    pub(super) fn of_index<T>(
        &self,
        interface: SwIfIndex,
        f: impl FnOnce(&Port) -> T,
    ) -> Option<T> {
        let state = self.state.borrow();
        let is_it = |port: &&Port| port.is_there() && port.sw_if_index == interface;
        state.ports.iter().find(is_it).map(f)
    }
}

/// Takes the coalescer of an interface away, and sends what waits in it.
fn empty(main: &mut Main, name: &str, tx: &TxState) -> Option<Box<Coalescer>> {
    // Nobody sends meanwhile, so that the order stays.
    main.held_mut();
    let mut coalescer = tx.set_coalescer(None)?;
    if let Some(node) = main.graph().find(&format!("{name}-tx")) {
        main.send_coalesced(&mut coalescer, node);
    }
    Some(coalescer)
}
