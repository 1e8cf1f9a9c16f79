//! `set interface input acl`, `set interface output acl`, `show inacl`, `show outacl`.

use vnet::{
    classify::TableIndex,
    command::{Output, Record, flag, keyword, value},
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
};

use super::place::{Direction, Kind, Place};
use crate::classify::attach::{AttachError, Attachments, listed};

vnet::args! {
    struct Set {
        interface: SwIfIndex = keyword("intfc", value::interface()),
        ip4_table: Option<TableIndex> = keyword("ip4-table", value::id("index").map(TableIndex)).optional(),
        ip6_table: Option<TableIndex> = keyword("ip6-table", value::id("index").map(TableIndex)).optional(),
        l2_table: Option<TableIndex> = keyword("l2-table", value::id("index").map(TableIndex)).optional()
            .help("for frames that are bridged"),
        del: bool = flag("del"),
    }
}

vnet::args! {
    struct Show {
        kind: Kind = keyword("type", value::words(&Kind::ALL.map(|kind| (kind.word(), kind)))),
        interface: Option<SwIfIndex> = keyword("sw_if_index", value::id("n").map(SwIfIndex)).optional(),
    }
}

/// All of them.
pub(super) fn commands(attachments: &Attachments<Place>) -> [Command; 4] {
    use Direction::{Input, Output};
    [
        set(
            attachments,
            Input,
            "set interface input acl",
            "Filter what an interface receives by classifier tables.",
        ),
        set(
            attachments,
            Output,
            "set interface output acl",
            "Filter what an interface sends by classifier tables.",
        ),
        show(
            attachments,
            Input,
            "show inacl",
            "List the interfaces with tables for what they receive.",
        ),
        show(
            attachments,
            Output,
            "show outacl",
            "List the interfaces with tables for what they send.",
        ),
    ]
}

fn set(attachments: &Attachments<Place>, direction: Direction, path: &str, help: &str) -> Command {
    let of = attachments.clone();
    let set = move |cx: CommandCx, args: Set| -> Result<(), AttachError> {
        let (kind, table) = named([args.ip4_table, args.ip6_table, args.l2_table])?;
        let wanted = [(Place { direction, kind }, table)];
        cx.with(|main| match args.del {
            true => of.detach(main, args.interface, &wanted),
            false => of.attach(main, args.interface, &wanted),
        })
    };
    Command::sync(path, help, set).details(
        "A packet goes where the session says that it belongs to, `acl-hit-next deny' or `permit'; one of no session where `acl-miss-next' \
         of the last table says.",
    )
}

fn show(attachments: &Attachments<Place>, direction: Direction, path: &str, help: &str) -> Command {
    let of = attachments.clone();
    Command::sync(path, help, move |cx: CommandCx, Show { kind, interface }: Show| {
        let mut all = of.at(Place { direction, kind });
        all.retain(|(known, _)| interface.is_none_or(|wanted| wanted == *known));
        match all.is_empty() {
            true => {
                let none = format!("No {} ACL tables configured", direction.word());
                Output::from(Record::new().line(none).nested("tables", 0, Output::List(Vec::new())))
            }
            false => Record::new().nested("tables", 0, listed(&cx, &all)).into(),
        }
    })
}

/// The one table that is named, and what it is asked about.
fn named(tables: [Option<TableIndex>; 3]) -> Result<(Kind, TableIndex), AttachError> {
    let mut named = Kind::ALL.into_iter().zip(tables).filter_map(|(kind, t)| Some((kind, t?)));
    match (named.next(), named.next()) {
        (None, _) => Err(AttachError::Unclear("Table index should be specified.")),
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(AttachError::Unclear("Only one table index per API is allowed.")),
    }
}
