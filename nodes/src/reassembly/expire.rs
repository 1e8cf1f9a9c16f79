//! Datagrams whose time is over are given up: by whoever sees a fragment, and where none comes by a process that calls the threads.

use core::marker::PhantomData;
use std::{sync::atomic::Ordering, time::Duration};

use vnet::{
    buffer::Buffer,
    frame::Frame,
    graph::{InputMode, Node, NodeCx, NodeSpec, Verdict},
    plugin::Registrar,
    process::Cx,
    runtime::{Interrupt, Main},
    trace::NoTrace,
};

use super::{
    errors::Error,
    family::{Version, Way},
    names::{Names, names},
    store::{self, State, Store},
};

/// Registers the process, and the node that it calls on each thread.
pub(super) fn register<V: Version, T: State>(r: &mut Registrar, store: &Store<T>) {
    let Names { walk, expire, .. } = names(T::KIND, V::FAMILY);
    let of_node = store.clone();
    let spec = NodeSpec::input(expire, move |_| Expire::<V, T> {
        store: of_node.clone(),
        of: PhantomData,
    });
    r.node(spec.mode(InputMode::Interrupt));
    let of_process = store.clone();
    r.process(walk, move |cx| walk_tables(cx, of_process, expire));
}

/// Calls the node on all threads.
pub(super) fn call(main: &Main, node: &str) {
    let node = main.graph().find(node);
    let interrupts = node.map(|node| main.interrupts(node)).unwrap_or_default();
    interrupts.iter().for_each(Interrupt::set);
}

async fn walk_tables<T: State>(cx: Cx, store: Store<T>, node: &'static str) {
    loop {
        if store.busy.load(Ordering::Acquire) == 0 {
            store.bell.wait().await;
        }
        let interval = cx.with(|main| {
            store.in_force.held(main.held(), T::KIND, store.family).expire_walk_interval
        });
        // Rung when the settings change.
        let _: Result<(), _> =
            cx.timeout(Duration::from_millis(interval.into()), store.bell.wait()).await;
        cx.with(|main| call(main, node));
    }
}

struct Expire<V, T: State> {
    store: Store<T>,
    of: PhantomData<fn() -> V>,
}

impl<V: Version, T: State> Node for Expire<V, T> {
    type Error = Error;
    type Next = V::Next;
    type Trace = NoTrace;

    fn process(&mut self, cx: &mut NodeCx<'_, V::Next, Error>, _: &mut Frame) -> Verdict<V::Next> {
        if let Some(mut kept) = self.store.take::<V>(cx) {
            let before = kept.table.datagrams.len();
            store::expire::<V, T>(cx, &mut kept.table);
            self.store.put::<V>(cx, kept, before);
        }
        Verdict::All(V::way(Way::Drop))
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
