//! `show runtime` and `clear runtime`.

use super::{Main, NodeState, NodeStats, Worker, thread_name};
use crate::{
    command::{Align, ApiError, Cell, Column, Error, Output, Record, Table, flag},
    graph::{Graph, NodeFlags, NodeInfo, NodeKind},
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

pub(super) fn commands() -> [Command; 2] {
    [
        Command::sync("show runtime", "Show how often each node ran and what it cost.", show),
        Command::sync("clear runtime", "Count runs from zero.", |cx: CommandCx, (): ()| {
            cx.with(Main::clear_stats);
            cx.executor().clear_stats();
        }),
    ]
}

/// A node or process, and what is known of it.
struct Row {
    name: String,
    state: NodeState,
    stats: NodeStats,
}

/// What is known of a thread.
struct Thread {
    number: usize,
    core: Option<u32>,
    /// Loops since counts were cleared.
    loops: u64,
    rows: Vec<Row>,
    rates: Rates,
}

/// Packets that came in, left, were dropped and punted, and runs and packets of internal nodes.
#[derive(Default)]
struct Rates {
    input: u64,
    output: u64,
    drop: u64,
    punt: u64,
    internal: (u64, u64),
}

impl Rates {
    fn add(&mut self, node: &NodeInfo, stats: &NodeStats) {
        match node.kind {
            NodeKind::Input => self.input += stats.vectors,
            NodeKind::Internal => {
                self.internal.0 += stats.calls;
                self.internal.1 += stats.vectors;
            }
            _ => {}
        }
        let flagged = [
            (NodeFlags::OUTPUT, &mut self.output),
            (NodeFlags::DROP, &mut self.drop),
            (NodeFlags::PUNT, &mut self.punt),
        ];
        for (_, count) in flagged.into_iter().filter(|(flag, _)| node.flags.contains(*flag)) {
            *count += stats.vectors;
        }
    }
}

impl Thread {
    fn new(worker: &Worker, graph: &Graph, core: Option<u32>) -> Self {
        let mut thread = Self {
            number: worker.thread(),
            core,
            loops: worker.loops(),
            rows: Vec::new(),
            rates: Rates::default(),
        };
        for (index, node) in graph.nodes().filter(|(_, node)| node.kind != NodeKind::Process) {
            let (state, stats) = (worker.node_state(index, node.kind), worker.stats(index));
            thread.rates.add(node, &stats);
            thread.rows.push(Row { name: node.name.clone(), state, stats });
        }
        thread
    }

    /// The two lines above the table.
    fn head(&self, record: Record, seconds: f64) -> Record {
        let rate = |count: u64| count as f64 / seconds.max(1e-9);
        let Rates { input, output, drop, punt, internal: (calls, vectors) } = self.rates;
        let per_call = if calls == 0 { 0.0 } else { vectors as f64 / calls as f64 };
        let loops = rate(self.loops);
        let (input, output, drop, punt) = (rate(input), rate(output), rate(drop), rate(punt));
        record
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

    /// The line that tells it from others, behind the one that ends them.
    fn title(&self) -> Record {
        let (number, name) = (self.number, thread_name(self.number));
        let record = if number > 0 { Record::new().line("---------------") } else { Record::new() };
        let on = self.core.map_or_else(String::new, |core| format!(" (lcore {core})"));
        record
            .line(format!("Thread {number} {name}{on}"))
            .field("thread", number)
            .field("name", name)
    }
}

fn show(cx: CommandCx, args: Show) -> Result<Output, Error> {
    let (mut threads, seconds, hertz) = cx.with(|main| {
        let cores: Vec<_> = main.places().into_iter().map(|place| place.core()).collect();
        let mut threads = Vec::new();
        main.for_each_worker(|graph, worker| {
            let core = cores.get(worker.thread()).copied().flatten();
            threads.push(Thread::new(worker, graph, core));
        });
        (threads, main.seconds_since_clear(), main.clock().cycles_per_second())
    });
    // Processes are the main thread's.
    let processes = cx.executor().processes().into_iter();
    threads[0].rows.extend(processes.map(|p| Row { name: p.name, state: p.state, stats: p.stats }));
    let several = threads.len() > 1;
    let shown = threads.into_iter().map(|mut thread| {
        let record = if several { thread.title() } else { Record::new() };
        let record = thread.head(record, seconds);
        thread.rows.retain(|r| args.verbose || r.stats.calls > 0 || r.stats.suspends > 0);
        thread.rows.sort_by(|a, b| a.name.cmp(&b.name));
        let table = match (args.summary, args.max, args.time, hertz) {
            (true, ..) => return Ok(record),
            (false, true, ..) => by_max(&thread.rows),
            (false, false, false, _) => by_packet(&thread.rows, "Packet-Clocks", 1.0),
            (false, false, true, Some(hertz)) => by_packet(&thread.rows, "Packet-Time", hertz),
            (false, false, true, None) => {
                return Err(Error::failed(
                    ApiError::Unsupported,
                    "the speed of the cycle counter is not known: only clocks can be shown",
                ));
            }
        };
        Ok(record.nested("nodes", 0, table))
    });
    let mut shown = shown.map(|record| record.map(Output::from)).collect::<Result<Vec<_>, _>>()?;
    Ok(if several { Output::List(shown) } else { shown.remove(0) })
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
