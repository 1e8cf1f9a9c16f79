//! `show api clients`, `show api message-table`, `show api statistics`, `api trace`.

use std::path::PathBuf;

use vnet::{
    command::{self, Align, Cell, Column, Record, Table, choice, flag, keyword, one_of, value},
    plugin::{Command, CommandCx, Registrar},
};

use crate::{
    session::{Counts, Place, Sessions},
    trace::{MESSAGES, MOST_MESSAGES},
};

/// Registers them.
pub(crate) fn register(registrar: &mut Registrar, place: &Place) {
    let show = |path: &str, help: &str, show: fn(&Sessions) -> Record| {
        let place = place.clone();
        Command::sync(path, help, move |_: CommandCx, (): ()| {
            place.get().map(|sessions| show(sessions)).unwrap_or_default()
        })
    };
    registrar.command(show("show api clients", "List the clients of the binary API.", clients));
    registrar.command(show(
        "show api message-table",
        "List the messages of the binary API.",
        messages,
    ));
    registrar.command(show(
        "show api statistics",
        "Show what came of clients and of their messages.",
        statistics,
    ));
    registrar.command(show(
        "show api trace-status",
        "Show whether messages of the binary API are recorded.",
        trace_status,
    ));
    let place = place.clone();
    let help = "Record messages of the binary API.";
    registrar.command(
        Command::sync("api trace", help, move |_: CommandCx, args: TraceArgs| match place.get() {
            Some(sessions) => trace(sessions, &args),
            None => Ok(String::new()),
        })
        .details(
            "`on' begins to keep the messages of clients, the newest 262144 or as many as `nitems' says and at most 64 MiB; `off' ends \
             that, `free' forgets them, `save' writes them to a file in the form of VPP's. With `tx' it is about the messages to \
             clients.",
        ),
    );
}

#[derive(Clone, Debug)]
enum Word {
    On,
    Off,
    Free,
    Save(PathBuf),
}

vnet::args! {
    struct TraceArgs {
        tx: bool = flag("tx").help("messages to clients"),
        word: Word = one_of([
            choice([("on", Word::On), ("enable", Word::On), ("off", Word::Off), ("disable", Word::Off), ("free", Word::Free)]),
            keyword("save", value::tmp_file()).map(Word::Save),
        ]),
        nitems: u32 = keyword("nitems", value::number(1..=MOST_MESSAGES)).or(MESSAGES).help("messages to keep, 262144"),
    }
}

fn trace(sessions: &Sessions, args: &TraceArgs) -> Result<String, command::Error> {
    let trace = if args.tx { &sessions.sent } else { &sessions.received };
    match &args.word {
        Word::On => trace.begin(args.nitems as usize),
        Word::Off => trace.end(),
        Word::Free => trace.clear(),
        Word::Save(path) => {
            let saved = trace.save(path, sessions.table());
            let failed = |error| {
                command::Error::unspecified(format!("cannot write {}: {error}", path.display()))
            };
            saved.map_err(failed)?;
            return Ok(format!("API trace saved to {}\n", path.display()));
        }
    }
    Ok(String::new())
}

fn clients(sessions: &Sessions) -> Record {
    let mut table = Table::new([
        Column::new("Name", 20, Align::Right),
        Column::new("Index", 8, Align::Right),
        Column::new("Waiting", 14, Align::Right),
    ]);
    for guest in sessions.clients() {
        table.row([guest.name.into(), guest.client.index().into(), guest.client.behind().into()]);
    }
    Record::new().line("Socket clients").nested("clients", 0, table)
}

fn messages(sessions: &Sessions) -> Record {
    let mut table = Table::new([
        Column::new("ID", 5, Align::Right),
        Column::new(" Name", 53, Align::Left),
        Column::new("Served", 0, Align::Left),
    ]);
    for (number, entry) in sessions.table().messages() {
        let served: Cell = if entry.is_served() { "yes".into() } else { Cell::Empty };
        let name = entry.definition.name_crc();
        let name = Cell::shown(format!(" {name}"), name);
        table.row([u32::from(number).into(), name, served]);
    }
    Record::new().nested("messages", 0, table)
}

fn statistics(sessions: &Sessions) -> Record {
    let Counts { joined, turned_away, deaf, garbage, received, unknown, malformed, early } =
        &sessions.counts;
    let all = [
        ("clients", joined),
        ("clients turned away", turned_away),
        ("clients hung up: do not read", deaf),
        ("clients hung up: no messages", garbage),
        ("messages", received),
        ("messages of unknown number", unknown),
        ("malformed messages", malformed),
        ("messages before sockclnt_create", early),
    ];
    all.iter().fold(Record::new(), |record, (name, counter)| {
        let json = name.replace([' ', ':'], "_");
        record.line(format!("{name:<32} {}", counter.get())).field(&json, counter.get())
    })
}

fn trace_status(sessions: &Sessions) -> Record {
    let both = [("RX", "rx", &sessions.received), ("TX", "tx", &sessions.sent)];
    both.into_iter().fold(Record::new(), |record, (name, json, trace)| {
        let text = if trace.is_on() { "enabled" } else { "disabled" };
        let (kept, lost) = (trace.len(), trace.lost());
        record
            .line(format!("{name} Trace {text}"))
            .line(format!("  {kept} messages, {lost} older ones gave way"))
            .field(&format!("{json}_enabled"), Cell::shown("", trace.is_on()))
            .field(&format!("{json}_messages"), kept)
            .field(&format!("{json}_overwritten"), lost)
    })
}
