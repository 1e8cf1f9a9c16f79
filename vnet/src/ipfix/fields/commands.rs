//! `ipfix template add`, `ipfix template del`, `show ipfix element`, and what `show ipfix template` tells of named ones.

use super::{Field, FieldList, Kinds, NamedTemplates};
use crate::{
    command::{Align, Cell, Column, Output, Record, Table, keyword, positional, value},
    ipfix::{elements::ElementId, template::FieldSpecifier},
    plugin::{Command, CommandCx, Registrar},
};

crate::args! {
    struct Add {
        name: String = positional(value::word("name")),
        fields: String = keyword("fields", value::word("element[/octets],...")),
    }
}

crate::args! {
    struct Del {
        name: String = positional(value::word("name")),
    }
}

pub(in crate::ipfix) fn register(r: &mut Registrar, templates: &NamedTemplates) {
    let of = templates.clone();
    let add = move |_: CommandCx, args: Add| of.add(&args.name, &args.fields);
    r.command(Command::sync("ipfix template add", "Make a template of fields.", add).details(
        "For `flowprobe params ... template NAME'. Fields are IANA names or PEN/ID, as `show ipfix element' lists \
         them; /OCTETS makes an integer shorter. Fields that are keys tell flows apart, and nothing else does. Each \
         record has the fields that make sense of its flow.",
    ));
    let of = templates.clone();
    let del = move |_: CommandCx, args: Del| of.remove(&args.name);
    r.command(
        Command::sync("ipfix template del", "Remove a template that was made of fields.", del)
            .details("Not while it is in use."),
    );
    r.command(
        Command::sync("show ipfix element", "List the fields that flow records can have.", elements)
            .details(
                "How a value comes about: key tells flows apart; sum, or, min, max, first, last put the packets of a \
                 record together; total goes on over all records of a flow; derived is made of other values.",
            ),
    );
}

fn elements(_: CommandCx, (): ()) -> Table {
    let mut table = Table::new([
        Column::new("Element", 30, Align::Left),
        Column::new("Id", 10, Align::Right),
        Column::new("Value", 8, Align::Left).gap(2),
        Column::new("Of", 0, Align::Left),
    ]);
    for field in Field::all() {
        let id = field.id().map_or(Cell::Empty, number);
        table.row([field.name.into(), id, field.role.word().into(), kinds(field.kinds).into()]);
    }
    table
}

/// Those of a field.
fn octets(specifier: FieldSpecifier) -> Cell {
    if specifier.is_variable() { "variable".into() } else { u64::from(specifier.length).into() }
}

/// IANA's alone, others with their enterprise.
fn number(id: ElementId) -> Cell {
    match id.enterprise {
        0 => u64::from(id.id).into(),
        _ => id.to_string().into(),
    }
}

fn kinds(kinds: Kinds) -> &'static str {
    const WORDS: [(Kinds, &str); 7] = [
        (Kinds::all(), "all"),
        (Kinds::IP, "IP"),
        (Kinds::PORTS, "IP but ICMP"),
        (Kinds::V4, "IPv4"),
        (Kinds::V6, "IPv6"),
        (Kinds::ICMP4, "ICMP"),
        (Kinds::ICMP6, "ICMPv6"),
    ];
    WORDS.iter().find(|(of, _)| *of == kinds).map_or("some", |(_, word)| word)
}

/// The named templates, as `show ipfix template` has them.
pub(in crate::ipfix) fn described(templates: &NamedTemplates) -> Vec<Output> {
    let mut all = Vec::new();
    templates.for_each(|name, list, users| all.push(one(name, list, users).into()));
    all
}

fn one(name: &str, list: &FieldList, users: &[&'static str]) -> Record {
    let mut fields = Table::new([
        Column::new("Element", 34, Align::Left),
        Column::new("Id", 12, Align::Right),
        Column::new("Octets", 8, Align::Right),
        Column::new("Value", 8, Align::Left).gap(2),
        Column::new("Of", 0, Align::Left),
    ]);
    for (field, specifier) in list.fields() {
        fields.row([
            field.name.into(),
            number(specifier.element),
            octets(specifier),
            field.role.word().into(),
            kinds(field.kinds).into(),
        ]);
    }
    let used = match users {
        [] => "not in use".to_owned(),
        users => format!("used by {}", users.join(", ")),
    };
    let saturated = list.saturated();
    Record::new()
        .line(format!("template {name}, {used}: {saturated} values did not fit"))
        .field("name", name)
        .field("users", users.join(" "))
        .field("values_saturated", saturated)
        .nested("fields", 2, fields)
}
