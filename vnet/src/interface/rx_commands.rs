//! `show interface rx-placement`, `set interface rx-placement`, `set interface rx-mode` and `set interface default-rx-mode`.

use core::fmt::Write;

use super::{RxQueue, RxQueueId, SwIfIndex};
use crate::{
    command::{Cell, Field, Record, choice, keyword, one_of, positional, value},
    graph::InputMode,
    plugin::{Command, CommandCx},
    runtime::{Main, thread_name},
};

/// Who is to look after a queue.
#[derive(Clone, Copy)]
enum Keeper {
    Main,
    Worker(u32),
}

crate::args! {
    struct SetPlacement {
        interface: SwIfIndex = positional(value::interface()),
        queue: Option<u16> = keyword("queue", value::number(0..=u16::MAX)).optional(),
        keeper: Keeper = one_of([
            choice([("main", Keeper::Main)]),
            keyword("worker", value::number(0..=127)).map(Keeper::Worker),
        ]),
    }
}

crate::args! {
    struct SetMode {
        interface: SwIfIndex = positional(value::interface()),
        queue: Option<u16> = keyword("queue", value::number(0..=u16::MAX)).optional(),
        mode: InputMode = mode(),
    }
}

crate::args! {
    struct SetFirstMode {
        mode: InputMode = mode(),
    }
}

fn mode() -> Field<InputMode> {
    choice([
        ("polling", InputMode::Polling),
        ("interrupt", InputMode::Interrupt),
        ("adaptive", InputMode::Adaptive),
    ])
}

pub(super) fn commands() -> [Command; 4] {
    [
        Command::sync(
            "set interface default-rx-mode",
            "Have the threads of receive queues of new interfaces poll, or wait for interrupts.",
            |cx: CommandCx, args: SetFirstMode| {
                cx.with(|main| main.set_first_rx_mode(args.mode));
            },
        ),
        Command::sync(
            "show interface rx-placement",
            "Show which threads look after the receive queues of interfaces.",
            |cx: CommandCx, (): ()| cx.with(|main| show(main)),
        ),
        Command::sync(
            "set interface rx-placement",
            "Have a thread look after a receive queue, the first one of the interface unless said.",
            |cx: CommandCx, args: SetPlacement| {
                cx.with(|main| {
                    let hw_if_index = main.interfaces().hardware_of(args.interface)?.index;
                    let id = RxQueueId { hw_if_index, queue: args.queue.unwrap_or(0) };
                    let thread = match args.keeper {
                        Keeper::Main => 0,
                        Keeper::Worker(n) => n as usize + 1,
                    };
                    main.set_rx_thread(id, thread)
                })
            },
        ),
        Command::sync(
            "set interface rx-mode",
            "Have the threads of receive queues poll, or wait for interrupts.",
            |cx: CommandCx, args: SetMode| {
                cx.with(|main| {
                    let hw_if_index = main.interfaces().hardware_of(args.interface)?.index;
                    main.set_rx_mode(hw_if_index, args.queue, args.mode)
                })
            },
        ),
    ]
}

/// Threads, their input nodes and the queues of these.
fn show(main: &Main) -> Record {
    let mut text = String::new();
    let mut all: Vec<&RxQueue> = main.rx_queues().iter().collect();
    all.sort_by_key(|queue| (queue.thread, queue.node, queue.id));
    let (mut thread, mut node) = (None, None);
    for queue in &all {
        if thread != Some(queue.thread) {
            (thread, node) = (Some(queue.thread), None);
            let name = thread_name(queue.thread);
            // Writing to a string does not fail.
            let _: core::fmt::Result = writeln!(text, "Thread {} ({name}):", queue.thread);
        }
        if node != Some(queue.node) {
            node = Some(queue.node);
            let name = &main.graph().node(queue.node).name;
            let _: core::fmt::Result = writeln!(text, "  node {name}:");
        }
        let (name, mode) = (interface_of(main, queue), queue.mode.word());
        let number = queue.id.queue;
        let _: core::fmt::Result = writeln!(text, "    {name} queue {number} ({mode})");
    }
    let json = all.iter().map(|queue| {
        serde_json::json!({
            "interface": interface_of(main, queue),
            "queue": queue.id.queue,
            "thread": queue.thread,
            "node": main.graph().node(queue.node).name,
            "mode": queue.mode.word(),
        })
    });
    let lines = text.lines().fold(Record::new(), Record::line);
    lines.field("queues", Cell::shown("", json.collect::<Vec<_>>()))
}

fn interface_of(main: &Main, queue: &RxQueue) -> String {
    let known = main.interfaces().hardware_interface(queue.id.hw_if_index);
    known.map_or_else(String::new, |hardware| hardware.name.clone())
}
