//! `show runtime`, `clear runtime`, `show threads`, `show clock` and `show memory`.

use std::fs;

use super::{Main, NodeState, NodeStats};
use crate::{
    command::{Align, ApiError, Cell, Column, Error, Output, Record, Table, flag},
    graph::{NodeFlags, NodeKind},
    plugin::{Command, CommandCx},
};

crate::args! {
    struct Show {
        time: bool = flag("time").help("seconds instead of clocks"),
        verbose: bool = flag("verbose").help("nodes that have not run, too"),
        max: bool = flag("max").help("the longest run of each node"),
        summary: bool = flag("summary").help("without the nodes"),
    }
}

pub(crate) fn commands() -> Vec<Command> {
    vec![
        Command::sync("show runtime", "Show how often each node ran and what it cost.", show),
        Command::sync("clear runtime", "Count runs from zero.", |cx: CommandCx, (): ()| {
            cx.with(Main::clear_stats);
            cx.executor().clear_stats();
        }),
        Command::sync("show threads", "List the threads.", |_, (): ()| threads()),
        Command::sync("show clock", "Show the times of the engine.", |cx, (): ()| {
            cx.with(|main| clock(main))
        }),
        Command::sync("show memory", "Show the memory of the process.", |_, (): ()| memory()),
    ]
}

/// A node or process, and what is known of it.
struct Row {
    name: String,
    state: NodeState,
    stats: NodeStats,
}

fn show(cx: CommandCx, args: Show) -> Result<Record, Error> {
    let mut rows: Vec<Row> = cx
        .executor()
        .processes()
        .into_iter()
        .map(|p| Row { name: p.name, state: p.state, stats: p.stats })
        .collect();
    let head = cx.with(|main| {
        rows.extend(main.graph().nodes().filter(|(_, n)| n.kind != NodeKind::Process).map(
            |(index, node)| Row {
                name: node.name.clone(),
                state: main.worker().node_state(index, node.kind),
                stats: main.worker().stats(index),
            },
        ));
        head(main)
    });
    rows.retain(|r| args.verbose || r.stats.calls > 0 || r.stats.suspends > 0);
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    if args.summary {
        return Ok(head);
    }
    let hertz = cx.with(|main| main.clock().cycles_per_second());
    let table = match (args.max, args.time, hertz) {
        (true, ..) => by_max(&rows),
        (false, false, _) => by_packet(&rows, "Packet-Clocks", 1.0),
        (false, true, Some(hertz)) => by_packet(&rows, "Packet-Time", hertz),
        (false, true, None) => {
            return Err(Error::failed(
                ApiError::Unsupported,
                "the speed of the cycle counter is not known: only clocks can be shown",
            ));
        }
    };
    Ok(head.nested("nodes", 0, table))
}

/// The two lines above the table.
fn head(main: &Main) -> Record {
    let seconds = main.seconds_since_clear();
    let rate = |flag: NodeFlags| {
        let nodes = main.graph().nodes().filter(|(_, n)| n.flags.contains(flag));
        nodes.map(|(i, _)| main.worker().stats(i).vectors).sum::<u64>() as f64 / seconds.max(1e-9)
    };
    let inputs = main.graph().nodes().filter(|(_, n)| n.kind == NodeKind::Input);
    let inputs = inputs.map(|(i, _)| main.worker().stats(i).vectors).sum::<u64>();
    let internal = main
        .graph()
        .nodes()
        .filter(|(_, n)| n.kind == NodeKind::Internal)
        .map(|(i, _)| main.worker().stats(i))
        .fold((0, 0), |(calls, vectors), s| (calls + s.calls, vectors + s.vectors));
    let per_call = if internal.0 == 0 { 0.0 } else { internal.1 as f64 / internal.0 as f64 };
    let loops = main.loops_since_clear() as f64 / seconds.max(1e-9);
    let (input, output) = (inputs as f64 / seconds.max(1e-9), rate(NodeFlags::OUTPUT));
    let (drop, punt) = (rate(NodeFlags::DROP), rate(NodeFlags::PUNT));
    Record::new()
        .line(format!(
            "Time {seconds:.1}, 10 sec internal node vector rate {per_call:.2} loops/sec {loops:.2}"
        ))
        .line(format!(
            "  vector rates in {input:.4e}, out {output:.4e}, drop {drop:.4e}, punt {punt:.4e}"
        ))
        .field("seconds", Cell::Fixed(seconds, 1))
        .field("internal_vector_rate", Cell::Fixed(per_call, 2))
        .field("loops_per_second", Cell::Fixed(loops, 2))
        .field("packets_in_per_second", Cell::Exponent(input, 4))
        .field("packets_out_per_second", Cell::Exponent(output, 4))
        .field("packets_dropped_per_second", Cell::Exponent(drop, 4))
        .field("packets_punted_per_second", Cell::Exponent(punt, 4))
}

/// Clocks of a packet, in the unit of which `a_unit` clocks make one.
fn by_packet(rows: &[Row], cost: &str, a_unit: f64) -> Table {
    let right = |title| Column::new(title, 16, Align::Right).titled(Align::Center);
    let mut table = Table::new([
        Column::new("Name", 30, Align::Left).titled(Align::Center),
        Column::new("State", 12, Align::Center).cut(),
        right("Calls"),
        right("Vectors"),
        right("Suspends"),
        right(cost),
        right("Vectors/Call"),
    ]);
    for Row { name, state, stats } in rows {
        table.row([
            name.as_str().into(),
            state.word().into(),
            stats.calls.into(),
            stats.vectors.into(),
            stats.suspends.into(),
            Cell::Exponent(stats.clocks_each() / a_unit, 2),
            Cell::Fixed(stats.vectors_per_call(), 2),
        ]);
    }
    table
}

fn by_max(rows: &[Row]) -> Table {
    let right = |title, width| Column::new(title, width, Align::Right).titled(Align::Center);
    let mut table = Table::new([
        Column::new("Name", 30, Align::Left).titled(Align::Center),
        right("Max Node Clocks", 17),
        right("Vectors at Max", 16),
        right("Max Clocks", 16),
        right("Avg Clocks", 16),
        right("Avg Vectors/Call", 16),
    ]);
    for Row { name, stats, .. } in rows {
        let at_max = stats.max_clocks as f64 / stats.vectors_at_max.max(1) as f64;
        table.row([
            name.as_str().into(),
            stats.max_clocks.into(),
            stats.vectors_at_max.into(),
            Cell::Exponent(at_max, 2),
            Cell::Exponent(stats.clocks_each(), 2),
            Cell::Fixed(stats.vectors_per_call(), 2),
        ]);
    }
    table
}

/// The one thread of the engine, and where the kernel lets it run.
fn threads() -> Table {
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
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in the second field can hold anything; behind its bracket comes field 3, proc(5).
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().collect())
        .unwrap_or_default();
    let field = |number: usize| fields.get(number - 3).and_then(|f| f.parse::<u32>().ok());
    let policy = field(41).and_then(|n| POLICIES.get(n as usize).copied()).unwrap_or("n/a");
    let cpu = field(39);
    let topology = |name: &str| {
        let path = format!("/sys/devices/system/cpu/cpu{}/topology/{name}", cpu?);
        fs::read_to_string(path).ok()?.trim().parse::<u32>().ok()
    };
    table.row([
        0u32.into(),
        "vpp_main".into(),
        Cell::Empty,
        std::process::id().into(),
        format!("{policy} ({})", field(40).unwrap_or(0)).into(),
        cpu.into(),
        topology("core_id").into(),
        topology("physical_package_id").into(),
        Cell::Empty,
    ]);
    table
}

/// Scheduling policies by their numbers, sched(7).
const POLICIES: [&str; 7] = ["other", "fifo", "rr", "batch", "iso", "idle", "deadline"];

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
