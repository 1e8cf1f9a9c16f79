//! The commands that every engine has, and those about plugins.

use super::{Command, Registrar};
use crate::{
    api, buffer, classify,
    command::{Align, Cell, Column, Record, Shown, Table, flag},
    error, fib, graph, hash_tables, interface, log, neighbor, runtime, trace,
};

crate::args! {
    struct Version {
        verbose: bool = flag("verbose").help("of what build and process, too"),
        cmdline: bool = flag("cmdline").help("how the program was called, too"),
    }
}

/// All messages of the framework, each from the module of its object.
pub(super) fn register_api(registrar: &mut Registrar) {
    api::register(registrar);
    classify::register_api(registrar);
    fib::register_api(registrar);
    graph::api::register_api(registrar);
    graph::feature::api::register_api(registrar);
    hash_tables::register(registrar);
    interface::api::register_api(registrar);
    runtime::register_api(registrar);
    trace::register_api(registrar);
}

/// All commands of the framework, each from the module of its object.
pub(super) fn framework_commands() -> Vec<Command> {
    let mut all = vec![
        Command::sync("show plugins", "List the plugins, in load order.", |cx, (): ()| {
            cx.with(|main| plugins(main.plugins()))
        }),
        Command::sync("show version", "Print the version of the engine.", |_, args: Version| {
            version(&args)
        }),
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
        let name = Cell::shown(name, plugin.name);
        table.row([name, plugin.version.into(), plugin.description.into()]);
    }
    Record::new().line(" Plugins, shown in load order").line("").nested("plugins", 1, table)
}

fn version(args: &Version) -> Record {
    let version = env!("CARGO_PKG_VERSION");
    let mut record = Record::new().field("version", version);
    if !args.verbose && !args.cmdline {
        return record.line(format!("peloton v{version}"));
    }
    if args.verbose {
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        record = record
            .line(format!("{:<26}v{version}", "Version:"))
            .line(format!("{:<26}{target}", "Target:"))
            .line(format!("{:<26}{build}", "Build:"))
            .line(format!("{:<26}{}", "Current PID:", std::process::id()))
            .field("target", target)
            .field("build", build)
            .field("pid", std::process::id());
    }
    if args.cmdline {
        let words: Vec<String> =
            std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
        record = record.line("Command line arguments:");
        record = words.iter().fold(record, |r, word| r.line(format!("  {}", Shown(word))));
        record = record.field("command_line", Cell::shown("", words));
    }
    record
}
