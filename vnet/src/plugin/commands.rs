//! The commands that every engine has, and those about plugins.

use super::Command;
use crate::{
    buffer, classify,
    command::{Align, Column, Record, Table},
    error, fib, graph, interface, log, neighbor, runtime, trace,
};

/// All commands of the framework, each from the module of its object.
pub(super) fn framework_commands() -> Vec<Command> {
    let mut all = vec![
        Command::sync("show plugins", "List the plugins, in load order.", |cx, (): ()| {
            cx.with(|main| plugins(main.plugins()))
        }),
        Command::sync("show version", "Print the version of the engine.", |_, (): ()| version()),
    ];
    all.extend(buffer::commands());
    all.extend(classify::commands());
    all.extend(error::commands());
    all.extend(fib::commands());
    all.extend(graph::commands());
    all.extend(interface::commands());
    all.extend(log::commands());
    all.extend(neighbor::commands());
    all.extend(runtime::commands());
    all.extend(trace::commands());
    all
}

fn plugins(plugins: &[super::PluginInfo]) -> Record {
    let mut table = Table::new([
        Column::new("Plugin", 42, Align::Left),
        Column::new("Version", 33, Align::Left),
        Column::new("Description", 0, Align::Left),
    ]);
    for (number, plugin) in (1..).zip(plugins) {
        let name = format!("{number:3}. {}", plugin.name);
        let name = crate::command::Cell::shown(name, plugin.name);
        table.row([name, plugin.version.into(), plugin.description.into()]);
    }
    Record::new().line(" Plugins, shown in load order").line("").nested("plugins", 1, table)
}

fn version() -> Record {
    let version = env!("CARGO_PKG_VERSION");
    Record::new().line(format!("peloton v{version}")).field("version", version)
}
