//! `show handoff`, `clear handoff counters` and `set handoff queue`.

use super::{Main, handoff::Way, thread_name};
use crate::{
    command::{Align, ApiError, Column, Error, Table, choice, keyword, one_of, value},
    plugin::{Command, CommandCx},
};

/// Which ways.
#[derive(Clone, Copy)]
enum Chosen {
    All,
    One(u16),
}

fn index() -> crate::command::Field<u16> {
    keyword("index", value::number(0..=u16::MAX))
}

crate::args! {
    struct Show {
        index: Option<u16> = index().optional(),
    }
}

crate::args! {
    struct Clear {
        chosen: Option<Chosen> = one_of([
            choice([("all", Chosen::All)]),
            index().map(Chosen::One),
        ]).optional(),
    }
}

crate::args! {
    struct Resize {
        index: u16 = index(),
        size: u32 = keyword("size", value::number(32..=1 << 20)),
    }
}

pub(super) fn commands() -> [Command; 3] {
    [
        Command::sync(
            "show handoff",
            "Show the queues by which threads hand packets over.",
            |cx: CommandCx, args: Show| cx.with(|main| show(main, args.index)),
        ),
        Command::sync(
            "clear handoff counters",
            "Count handed-over packets from zero.",
            |cx: CommandCx, args: Clear| cx.with(|main| clear(main, args.chosen)),
        ),
        Command::sync(
            "set handoff queue",
            "Change how many packets the queues of a way hold, a power of two.",
            |cx: CommandCx, args: Resize| cx.with(|main| resize(main, &args)),
        ),
    ]
}

fn unknown(index: u16) -> Error {
    let text = format_args!("there is no handoff queue {index}: `show handoff' lists them");
    Error::failed(ApiError::InvalidValue, text)
}

fn show(main: &mut Main, chosen: Option<u16>) -> Result<Table, Error> {
    let right = |title| Column::new(title, 12, Align::Right).titled(Align::Right);
    match chosen {
        None => {
            let mut table = Table::new([
                Column::new("Index", 7, Align::Left),
                Column::new("Node", 30, Align::Left),
                right("Size"),
                right("Vectors"),
                right("Drops"),
            ]);
            for (index, way) in main.ways.view(main.held()).0.iter().enumerate() {
                let (packets, drops) =
                    way.uses().fold((0, 0), |(p, d), queue| (p + queue.packets, d + queue.drops));
                let size = way.uses().next().unwrap_or_default().size;
                let name = way.name.as_str();
                table.row([index.into(), name.into(), size.into(), packets.into(), drops.into()]);
            }
            Ok(table)
        }
        Some(index) => {
            let ways = main.ways.view(main.held());
            let way = ways.0.get(usize::from(index)).ok_or_else(|| unknown(index))?;
            let mut table = Table::new([
                Column::new("Thread", 20, Align::Left),
                right("Size"),
                right("Waiting"),
                right("Vectors"),
                right("Drops"),
            ]);
            for (thread, queue) in way.uses().enumerate() {
                table.row([
                    thread_name(thread).into(),
                    queue.size.into(),
                    queue.waiting.into(),
                    queue.packets.into(),
                    queue.drops.into(),
                ]);
            }
            Ok(table)
        }
    }
}

fn clear(main: &mut Main, chosen: Option<Chosen>) -> Result<(), Error> {
    let ways = main.ways.clone();
    // Workers count while they run.
    let ways = ways.write(main.held_mut());
    match chosen {
        Some(Chosen::One(index)) => {
            ways.0.get(usize::from(index)).ok_or_else(|| unknown(index))?.clear_counts();
        }
        Some(Chosen::All) | None => ways.0.iter().for_each(Way::clear_counts),
    }
    Ok(())
}

fn resize(main: &mut Main, args: &Resize) -> Result<(), Error> {
    let invalid = |text| Error::failed(ApiError::InvalidValue, text);
    if !args.size.is_power_of_two() {
        return Err(invalid("the size of a handoff queue is a power of two, 32 to 1048576"));
    }
    let ways = main.ways.clone();
    let ways = ways.write(main.held_mut());
    let way = ways.0.get_mut(usize::from(args.index)).ok_or_else(|| unknown(args.index))?;
    match way.resize(args.size as usize) {
        true => Ok(()),
        false => Err(invalid("more packets wait than a queue of that size holds")),
    }
}
