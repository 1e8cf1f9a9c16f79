//! `show threads`: the threads of the engine, and where the kernel lets them run.

use std::fs;

use super::{Main, thread_name};
use crate::{
    command::{Align, Cell, Column, Table},
    plugin::{Command, CommandCx},
};

pub(super) fn command() -> Command {
    Command::sync("show threads", "List the threads.", |cx: CommandCx, (): ()| {
        cx.with(|main| threads(main))
    })
}

/// What proc(5) says of a thread of this process.
pub(super) struct Place {
    pub(super) id: u32,
    /// The fields behind the name, from field 3 on.
    fields: Vec<String>,
}

impl Place {
    /// Of the thread that the kernel knows as `id`; 0 is none.
    fn new(id: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/self/task/{id}/stat")).unwrap_or_default();
        // The name in the second field can hold anything; behind its bracket comes field 3.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace());
        Self { id, fields: fields.into_iter().flatten().map(str::to_owned).collect() }
    }

    fn field(&self, number: usize) -> Option<u32> {
        self.fields.get(number - 3).and_then(|f| f.parse().ok())
    }

    /// The core that it ran on last.
    pub(super) fn core(&self) -> Option<u32> {
        self.field(39)
    }

    pub(super) fn topology(&self, name: &str) -> Option<u32> {
        let path = format!("/sys/devices/system/cpu/cpu{}/topology/{name}", self.core()?);
        fs::read_to_string(path).ok()?.trim().parse().ok()
    }

    fn policy(&self) -> String {
        let policy = self.field(41).and_then(|n| POLICIES.get(n as usize).copied());
        format!("{} ({})", policy.unwrap_or("n/a"), self.field(40).unwrap_or(0))
    }
}

impl Main {
    /// Where the threads are, the main thread first.
    pub(super) fn places(&self) -> Vec<Place> {
        let ids = core::iter::once(std::process::id()).chain(self.workers.ids());
        ids.map(Place::new).collect()
    }
}

fn threads(main: &Main) -> Table {
    let mut table = Table::new([
        Column::new("ID", 7, Align::Left),
        Column::new("Name", 20, Align::Left),
        Column::new("Type", 12, Align::Left),
        Column::new("LWP", 8, Align::Left),
        Column::new("Sched Policy (Priority)", 25, Align::Left),
        Column::new("lcore", 7, Align::Left),
        Column::new("Core", 7, Align::Left),
        Column::new("Socket", 7, Align::Left),
        Column::new("State", 10, Align::Left),
    ]);
    for (number, place) in main.places().iter().enumerate() {
        let kind = if number == 0 { Cell::Empty } else { "workers".into() };
        table.row([
            number.into(),
            thread_name(number).into(),
            kind,
            place.id.into(),
            place.policy().into(),
            place.core().into(),
            place.topology("core_id").into(),
            place.topology("physical_package_id").into(),
            Cell::Empty,
        ]);
    }
    table
}

/// Scheduling policies by their numbers, sched(7).
const POLICIES: [&str; 7] = ["other", "fifo", "rr", "batch", "iso", "idle", "deadline"];
