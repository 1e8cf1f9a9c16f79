//! `show barrier` and `clear barrier`: how long workers wait for the main thread, and it for them.

use std::time::Duration;

use super::{Main, barrier::Times};
use crate::{
    command::{Align, Cell, Column, Record, Table},
    plugin::{Command, CommandCx},
};

pub(super) fn commands() -> [Command; 2] {
    [
        Command::sync(
            "show barrier",
            "Show how long workers stood still for the main thread.",
            |cx: CommandCx, (): ()| cx.with(|main| show(main)),
        ),
        Command::sync("clear barrier", "Count barriers from zero.", |cx: CommandCx, (): ()| {
            cx.with(|main| main.workers.stats_mut().clear());
        }),
    ]
}

fn show(main: &Main) -> Record {
    let stats = main.workers.stats();
    let right = |title| Column::new(title, 12, Align::Right).titled(Align::Right);
    let mut table = Table::new([
        Column::new("Microseconds", 14, Align::Left),
        right("Mean"),
        right("p50"),
        right("p99"),
        right("Max"),
    ]);
    for (name, times) in [("wait", &stats.wait), ("hold", &stats.hold)] {
        table.row(row(name, times, stats.count));
    }
    let (count, workers) = (stats.count, main.threads() - 1);
    Record::new()
        .line(format!("{count} barriers, {workers} workers"))
        .field("count", count)
        .field("workers", workers)
        .nested("times", 0, table)
}

fn row(name: &str, times: &Times, count: u64) -> [Cell; 5] {
    let micros = |time: Duration| Cell::Fixed(time.as_secs_f64() * 1e6, 1);
    [
        name.into(),
        micros(times.mean(count)),
        micros(times.percentile(50)),
        micros(times.percentile(99)),
        micros(times.max),
    ]
}
