//! The commands of the dispatch loop, its threads and its clock.

use std::fs;

use super::{Main, handoff_commands, show_barrier, show_runtime, show_threads};
use crate::{
    command::{Align, Cell, Column, Output, Record, Table},
    plugin::Command,
};

pub(crate) fn commands() -> Vec<Command> {
    let mut all = vec![
        show_threads::command(),
        Command::sync("show clock", "Show the times of the engine.", |cx, (): ()| {
            cx.with(|main| clock(main))
        }),
        Command::sync("show memory", "Show the memory of the process.", |_, (): ()| memory()),
    ];
    all.extend(show_runtime::commands());
    all.extend(show_barrier::commands());
    all.extend(handoff_commands::commands());
    all
}

fn clock(main: &Main) -> Record {
    let clock = main.clock();
    let now = clock.now().as_secs_f64();
    let hertz = clock.cycles_per_second();
    let speed = hertz.map_or_else(|| "unknown".to_owned(), |hz| format!("{:.6} GHz", hz / 1e9));
    let wall = clock.wall().0;
    let kind = if clock.is_virtual() { "virtual" } else { "real" };
    Record::new()
        .line(format!("Time now {now:.6}, {kind} clock"))
        .line(format!("Wall clock {}.{:09}", wall / 1_000_000_000, wall % 1_000_000_000))
        .line(format!("Cycle counter {speed}"))
        .field("seconds", Cell::Fixed(now, 6))
        .field("kind", kind)
        .field("wall_nanoseconds", wall)
        .field("cycles_per_second", hertz.map_or(Cell::Empty, |hz| Cell::Fixed(hz, 0)))
}

/// What the kernel says of this process.
fn memory() -> Output {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut table =
        Table::new([Column::new("Memory", 24, Align::Left), Column::new("KiB", 12, Align::Right)]);
    let named = [
        ("VmRSS", "resident"),
        ("VmHWM", "resident at most"),
        ("RssAnon", "of that anonymous"),
        ("RssShmem", "of that shared"),
        ("VmSize", "address space"),
    ];
    for (key, name) in named {
        let value = status.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':'));
        let kib = value.and_then(|v| v.split_whitespace().next()?.parse::<u64>().ok());
        table.row([name.into(), kib.map_or(Cell::Empty, Into::into)]);
    }
    table.into()
}
