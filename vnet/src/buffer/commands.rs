//! `show buffers`.

use crate::{
    command::{Align, Column, Table},
    plugin::Command,
    runtime::Main,
};

pub(crate) fn commands() -> Vec<Command> {
    vec![
        Command::sync("show buffers", "Show how many buffers are where.", |cx, (): ()| {
            cx.with(show)
        })
        .details("Used = Total - Avail - Cached. Pages says in what memory the buffers lie, Exhausted how often a thread asked for more of them than were free."),
    ]
}

fn show(main: &mut Main) -> Table {
    let usage = main.buffer_usage();
    let mut table = Table::new([
        Column::new("Pool Name", 20, Align::Left),
        Column::new("Index", 6, Align::Center),
        Column::new("NUMA", 6, Align::Center),
        Column::new("Size", 6, Align::Center),
        Column::new("Data Size", 11, Align::Center),
        Column::new("Total", 6, Align::Center),
        Column::new("Avail", 8, Align::Center),
        Column::new("Cached", 8, Align::Center),
        Column::new("Exhausted", 11, Align::Center),
        Column::new("Pages", 24, Align::Left),
        Column::new("Used", 8, Align::Center),
    ]);
    table.row([
        super::POOL_NAME.into(),
        0u32.into(),
        0u32.into(),
        (size_of::<super::Buffer>() as u64).into(),
        (super::DATA_SIZE as u64).into(),
        (usage.total as u64).into(),
        (usage.available as u64).into(),
        (usage.cached as u64).into(),
        usage.exhausted.into(),
        usage.pages.to_string().into(),
        (usage.used() as u64).into(),
    ]);
    table
}
