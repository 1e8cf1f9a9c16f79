//! `ipfix options ...` and `show ipfix options`.

use core::time::Duration;

use super::{
    exporting::Exporting,
    flow_keys::FlowKeys,
    interfaces::Interfaces,
    metering::Metering,
    set::{Options, OptionsError},
    statistics::Statistics,
    subject::{Refresh, Subject},
    types::Types,
};
use crate::{
    command::{Align, Cell, Column, Table, flag, keyword, value},
    ipfix::engine::Ipfix,
    plugin::{Command, CommandCx, Registrar},
    runtime::EngineTime,
};

crate::args! {
    struct Tell {
        exporter: Option<String> = keyword("exporter", value::word("name")).optional()
            .help("who tells it; exporter 0 unless said otherwise"),
        interval: Option<Duration> = keyword("interval", value::seconds_in(1..=86_400)).optional()
            .help("between repetitions of all records"),
        disable: bool = flag("disable").help("tell it no more"),
    }
}

impl Options {
    /// Adds the subjects that every exporter has, and `show ipfix options`.
    pub(crate) fn register(&self, r: &mut Registrar, ipfix: &Ipfix) {
        self.add(r, ipfix, Statistics::default());
        self.add(r, ipfix, Metering::new(self.ignored()));
        self.add(r, ipfix, Exporting::new(self.not_sent(), self.lost()));
        self.add(r, ipfix, FlowKeys);
        self.add(r, ipfix, Interfaces);
        self.add(r, ipfix, Types::new(self.types()));
        let (of, exporters) = (self.clone(), ipfix.clone());
        let show =
            move |cx: CommandCx, (): ()| cx.with(|main| table(&of, &exporters, main.clock().now()));
        let help = "Show which options records are sent.";
        r.command(Command::sync("show ipfix options", help, show));
        let of = self.clone();
        // The last word is that of totals.
        r.on_drain(move |_| of.repeat(|_| true));
    }

    /// Adds a subject, and the command `ipfix options <word>` that enables it.
    pub fn add(&self, r: &mut Registrar, ipfix: &Ipfix, subject: impl Subject + 'static) {
        let about = subject.about();
        let every = match subject.refresh() {
            Refresh::Every(interval) => format!("every {} s", interval.as_secs()),
            Refresh::WithTemplates => "as often as templates".to_owned(),
        };
        self.place(Box::new(subject));
        let (of, ipfix) = (self.clone(), ipfix.clone());
        let tell = move |_: CommandCx, args: Tell| {
            let exporter = match args.exporter {
                Some(name) => ipfix.named(&name).ok_or(OptionsError::NoSuchExporter(name))?,
                None => ipfix.clone(),
            };
            if args.disable {
                of.disable(&exporter, about.word)
            } else {
                of.enable(&exporter, about.word, args.interval)
            }
        };
        let path = format!("ipfix options {}", about.word);
        r.command(Command::sync(&path, about.help, tell).details(&format!(
            "At the beginning of a session, and {every} unless an interval is given.",
        )));
    }
}

fn table(options: &Options, exporters: &Ipfix, now: EngineTime) -> Table {
    let mut table = Table::new([
        Column::new("Options", 24, Align::Left),
        Column::new("State", 10, Align::Left),
        Column::new("Interval", 16, Align::Left).key("interval_seconds"),
        Column::new("Records", 10, Align::Right),
        Column::new("Told", 14, Align::Left).gap(2).key("told_seconds_ago"),
        Column::new("Exporter", 0, Align::Left),
    ]);
    for state in options.states() {
        let interval = match state.refresh {
            None => Cell::shown("", None::<u64>),
            Some(Refresh::WithTemplates) => Cell::shown("with templates", None::<u64>),
            Some(Refresh::Every(every)) => {
                Cell::shown(format!("{} s", every.as_secs()), every.as_secs())
            }
        };
        let told = state.told.map(|told| now.since(told).as_secs_f64());
        table.row([
            state.word.into(),
            if state.refresh.is_some() { "enabled" } else { "disabled" }.into(),
            interval,
            state.records.into(),
            told.map_or(Cell::shown("never", None::<f64>), |seconds| {
                Cell::shown(format!("{seconds:.1} s ago"), seconds)
            }),
            exporters.with_id(state.exporter).name().into(),
        ]);
    }
    table
}
