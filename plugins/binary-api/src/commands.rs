//! `show api clients`, `show api message-table`, `show api statistics`, `api trace`.

use vnet::{
    command::{Align, Cell, Column, Record, Table},
    plugin::{Command, CommandCx, Registrar},
};

use crate::session::{Counts, Place, Sessions};

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
        "Show whether messages are recorded.",
        trace_status,
    ));
    for (word, on) in [("on", true), ("off", false)] {
        let place = place.clone();
        let help = if on {
            "Begin to record messages of the binary API."
        } else {
            "Record no more messages."
        };
        registrar.command(Command::sync(
            &format!("api trace {word}"),
            help,
            move |_: CommandCx, (): ()| {
                place.get().inspect(|sessions| sessions.trace.switch(on));
            },
        ));
    }
    let place = place.clone();
    registrar.command(Command::sync(
        "api trace free",
        "Forget the recorded messages.",
        move |_: CommandCx, (): ()| {
            place.get().inspect(|sessions| sessions.trace.clear());
        },
    ));
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
        Column::new("Name", 52, Align::Left),
        Column::new("Served", 0, Align::Left),
    ]);
    for (number, entry) in sessions.table().messages() {
        let served: Cell = if entry.is_served() { "yes".into() } else { Cell::Empty };
        table.row([u32::from(number).into(), entry.definition.name_crc().into(), served]);
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
    let on = sessions.trace.is_on();
    let (kept, lost) = (sessions.trace.recorded().len(), sessions.trace.lost());
    let text = if on { "enabled" } else { "disabled" };
    Record::new()
        .line(format!("RX Trace {text}"))
        .line(format!("TX Trace {text}"))
        .line(format!("{kept} messages, {lost} older ones gave way"))
        .field("enabled", Cell::shown("", on))
        .field("messages", kept)
        .field("overwritten", lost)
}
