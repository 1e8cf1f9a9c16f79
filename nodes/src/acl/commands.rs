//! `set interface input acl`, `set interface output acl`, `show inacl`, `show outacl`.

use vnet::{
    classify::TableIndex,
    command::{Field, Output, Record, flag, keyword, value},
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
};

use super::place::{Direction, Kind, Place};
use crate::classify::attach::{AttachError, Attachments, listed};

/// `word <index>`.
fn table(word: &'static str) -> Field<Option<TableIndex>> {
    keyword(word, value::id("index").map(TableIndex)).optional()
}

vnet::args! {
    struct SetInput {
        interface: SwIfIndex = keyword("intfc", value::interface()),
        ip4_table: Option<TableIndex> = table("ip4-table"),
        ip6_table: Option<TableIndex> = table("ip6-table"),
        l2_table: Option<TableIndex> = table("l2-table").help("for frames that are bridged"),
        ip4_punt_table: Option<TableIndex> = table("ip4-punt-table")
            .help("for what is punted, at local0"),
        ip6_punt_table: Option<TableIndex> = table("ip6-punt-table"),
        del: bool = flag("del"),
    }
}

vnet::args! {
    struct SetOutput {
        interface: SwIfIndex = keyword("intfc", value::interface()),
        ip4_table: Option<TableIndex> = table("ip4-table"),
        ip6_table: Option<TableIndex> = table("ip6-table"),
        l2_table: Option<TableIndex> = table("l2-table").help("for frames that are bridged"),
        del: bool = flag("del"),
    }
}

/// What either says.
struct Set {
    interface: SwIfIndex,
    /// In the order of [`Kind::ALL`].
    tables: [Option<TableIndex>; 5],
    del: bool,
}

impl From<SetInput> for Set {
    fn from(args: SetInput) -> Self {
        let SetInput { interface, ip4_table, ip6_table, l2_table, del, .. } = args;
        let punted = [args.ip4_punt_table, args.ip6_punt_table];
        Self { interface, tables: [ip4_table, ip6_table, l2_table, punted[0], punted[1]], del }
    }
}

impl From<SetOutput> for Set {
    fn from(args: SetOutput) -> Self {
        let SetOutput { interface, ip4_table, ip6_table, l2_table, del } = args;
        Self { interface, tables: [ip4_table, ip6_table, l2_table, None, None], del }
    }
}

fn kinds<const N: usize>(kinds: [Kind; N]) -> Field<Kind> {
    keyword("type", value::words(&kinds.map(|kind| (kind.word(), kind))))
}

vnet::args! {
    struct ShowInput {
        kind: Kind = kinds(Kind::ALL),
        interface: Option<SwIfIndex> = keyword("sw_if_index", value::id("n").map(SwIfIndex)).optional(),
    }
}

vnet::args! {
    struct ShowOutput {
        kind: Kind = kinds(Kind::BOTH_WAYS),
        interface: Option<SwIfIndex> = keyword("sw_if_index", value::id("n").map(SwIfIndex)).optional(),
    }
}

/// All of them.
pub(super) fn commands(attachments: &Attachments<Place>) -> [Command; 4] {
    use Direction::{Input, Output};
    let of = || attachments.clone();
    let (input, output, of_input, of_output) = (of(), of(), of(), of());
    let set_input = move |cx: CommandCx, args: SetInput| set(&cx, &input, Input, &args.into());
    let set_output = move |cx: CommandCx, args: SetOutput| set(&cx, &output, Output, &args.into());
    let show_input = move |cx: CommandCx, ShowInput { kind, interface }: ShowInput| {
        show(&cx, &of_input, Place { direction: Input, kind }, interface)
    };
    let show_output = move |cx: CommandCx, ShowOutput { kind, interface }: ShowOutput| {
        show(&cx, &of_output, Place { direction: Output, kind }, interface)
    };
    let details = "A packet goes where the session says that it belongs to, `acl-hit-next deny' or `permit'; one of no session where \
                   `acl-miss-next' of the last table says.";
    [
        Command::sync(
            "set interface input acl",
            "Filter what an interface receives by classifier tables.",
            set_input,
        )
        .details(details),
        Command::sync(
            "set interface output acl",
            "Filter what an interface sends by classifier tables.",
            set_output,
        )
        .details(details),
        Command::sync(
            "show inacl",
            "List the interfaces with tables for what they receive.",
            show_input,
        ),
        Command::sync(
            "show outacl",
            "List the interfaces with tables for what they send.",
            show_output,
        ),
    ]
}

fn set(
    cx: &CommandCx,
    of: &Attachments<Place>,
    direction: Direction,
    args: &Set,
) -> Result<(), AttachError> {
    let (kind, table) = named(args.tables)?;
    if Kind::PUNTED.contains(&kind) && args.interface != SwIfIndex::LOCAL0 {
        return Err(AttachError::Unclear(
            "What is punted is filtered at local0, whichever interface it came in by.",
        ));
    }
    let wanted = [(Place { direction, kind }, table)];
    cx.with(|main| match args.del {
        true => of.detach(main, args.interface, &wanted),
        false => of.attach(main, args.interface, &wanted),
    })
}

fn show(cx: &CommandCx, of: &Attachments<Place>, place: Place, only: Option<SwIfIndex>) -> Output {
    let mut all = of.at(place);
    all.retain(|(known, _)| only.is_none_or(|wanted| wanted == *known));
    match all.is_empty() {
        true => {
            let none = format!("No {} ACL tables configured", place.direction.word());
            Output::from(Record::new().line(none).nested("tables", 0, Output::List(Vec::new())))
        }
        false => Record::new().nested("tables", 0, listed(cx, &all)).into(),
    }
}

/// The one table that is named, and what it is asked about.
fn named(tables: [Option<TableIndex>; 5]) -> Result<(Kind, TableIndex), AttachError> {
    let mut named = Kind::ALL.into_iter().zip(tables).filter_map(|(kind, t)| Some((kind, t?)));
    match (named.next(), named.next()) {
        (None, _) => Err(AttachError::Unclear("Table index should be specified.")),
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(AttachError::Unclear("Only one table index per API is allowed.")),
    }
}
