//! The commands of the dispatch loop, its threads and its clock.

use std::{fs, time::Duration};

use super::{Main, handoff_commands, show_barrier, show_runtime, show_threads};
use crate::{
    command::{Align, Cell, Column, Context as _, Error, Output, Record, Table, positional, value},
    plugin::{Command, CommandCx},
};

/// What can be skipped at a time: a year.
const MOST: Duration = Duration::from_secs(365 * 24 * 3_600);

crate::args! {
    struct Adjust {
        seconds: Duration = positional(value::seconds()).help("how much later it is to be"),
    }
}

pub(crate) fn commands() -> Vec<Command> {
    let mut all = vec![
        show_threads::command(),
        Command::sync("show clock", "Show the times of the engine.", |cx, (): ()| {
            cx.with(|main| clock(main))
        }),
        Command::new("set clock adjust", "Let time pass that has not.", adjust).details(
            "Engine time gets ahead in steps of a millisecond, or of a ten-thousandth of what is to pass, between which packets \
             move and timers end: flows end and neighbours grow old as if the time had been waited for. The wall clock, and the dates \
             of records, stay as they are. For tests, as with VPP.",
        ),
        Command::sync("show memory", "Show the memory of the process.", |_, (): ()| memory()),
    ];
    all.extend(show_runtime::commands());
    all.extend(show_barrier::commands());
    all.extend(handoff_commands::commands());
    all
}

async fn adjust(cx: CommandCx, Adjust { seconds }: Adjust) -> Result<(), Error> {
    if seconds > MOST {
        let expected = format!("at most {} seconds", MOST.as_secs());
        return Err(Error::BadValue { word: seconds.as_secs_f64().to_string(), expected });
    }
    let step = (seconds / 10_000).max(Duration::from_millis(1));
    let mut left = seconds;
    while !left.is_zero() {
        let step = step.min(left);
        cx.with(|main| main.clock().skip(step));
        left -= step;
        cx.turn().await;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;
    use crate::{
        plugin::{Engine, Plugin},
        runtime::{Clock, PacketTime},
    };

    #[test]
    fn time_that_is_skipped_ends_all_timers_in_their_order() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let of_process = seen.clone();
        let plugin = Plugin::new("timers", "0", "two of them", move |r| {
            for (name, seconds) in [("fast", 10), ("slow", 25)] {
                let seen = of_process.clone();
                r.process(name, move |cx| async move {
                    loop {
                        cx.sleep(Duration::from_secs(seconds)).await;
                        seen.borrow_mut().push((name, cx.now().as_secs_f64().round() as u32));
                    }
                });
            }
            Ok(())
        });
        let clock = Clock::virtual_at(PacketTime(0));
        let engine = Engine::builder().clock(clock).plugin(plugin).build().unwrap();
        engine.command("set clock adjust 30.5").unwrap();
        let expected = [("fast", 10), ("fast", 20), ("slow", 25), ("fast", 30)];
        assert_eq!(*seen.borrow(), expected);
        assert!(engine.command("show clock").unwrap().starts_with("Time now 30.5"));
        let refused = engine.command("set clock adjust 31536001").unwrap_err().to_string();
        assert!(refused.contains("at most 31536000 seconds"), "{refused}");
        assert!(engine.command("set clock adjust -1").is_err());
    }
}
