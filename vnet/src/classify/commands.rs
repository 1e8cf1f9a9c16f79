//! `classify table`, `classify session`, `show classify tables`.

use super::{
    Action, ClassifyError, Effect, Mask, NextSlot, Pattern, TableIndex, TableSpec,
    fields::{mask, matching},
    show,
};
use crate::{
    action::ActionId,
    command::{
        ApiError, Error, Field, Output, flag, group, keyword, one_of, positional,
        value::{self, Block, Value},
    },
    fib::{Family, TableId},
    plugin::{Command, CommandCx},
    runtime::Main,
};

/// Memory of a table unless said otherwise: 2 MiB.
const MEMORY: usize = 2 << 20;
/// The most that a table can be given.
pub(super) const MAX_MEMORY: usize = 1 << 30;
/// The least.
pub(super) const MIN_MEMORY: usize = 1 << 10;

crate::args! {
    struct TableArgs {
        mask: Option<Pattern> = mask().optional(),
        buckets: u32 = keyword("buckets", value::number(1..=1 << 24)).or(2)
            .help("for VPP's scripts; memory-size alone says how many sessions there can be"),
        memory: usize = keyword("memory-size", memory()).or(MEMORY)
            .help("1K to 1G, 2M: for configured sessions, and for those of each thread"),
        skip: Option<usize> = keyword("skip", vectors(0, 127)).optional()
            .help("vectors of 16 bytes left out in front; those without a bit of the mask"),
        matched: Option<usize> = keyword("match", vectors(1, 5)).optional()
            .help("vectors compared; those with a bit of the mask"),
        current_data_flag: Option<u32> = keyword("current-data-flag", value::number(0..=1)).optional()
            .help("1: masks begin at the packet's current position"),
        current_data_offset: Option<i16> = keyword("current-data-offset", offset()).optional()
            .help("bytes behind it"),
        next_table: Option<Option<TableIndex>> = keyword("next-table", next_table()).optional()
            .help("where packets that match nothing are looked up; -1: nowhere"),
        miss_next: Option<NextSlot> = next_slot(["miss-next", "acl-miss-next"]).optional()
            .help("where packets go that match nothing"),
        table: Option<TableIndex> = keyword("table", index()).optional()
            .help("change this one, or delete it"),
        del: bool = flag("del"),
        del_chain: bool = flag("del-chain").help("with the tables behind it"),
    }
}

crate::args! {
    struct SessionArgs {
        next: NextSlot = next_slot(["hit-next", "acl-hit-next"]).or(NextSlot::NONE)
            .help("where its packets go"),
        table: TableIndex = keyword("table-index", index()),
        matching: Pattern = matching(),
        opaque: u32 = keyword("opaque-index", value::id("n")).or(u32::MAX),
        advance: i16 = keyword("advance", offset()).or(0)
            .help("bytes by which the current position moves"),
        action: Option<ActionArgs> = group("action").optional(),
        del: bool = flag("del"),
    }
}

crate::args! {
    struct ShowArgs {
        index: Option<TableIndex> = keyword("index", index()).optional(),
        verbose: bool = flag("verbose").help("with all sessions"),
    }
}

/// What `action` asks for: VPP's ones by the number that the operator gives, and those of plugins by their names.
#[derive(Clone, Debug)]
enum Wanted {
    Ip4Fib(u32),
    Ip6Fib(u32),
    SrPolicy,
    Named(String),
}

crate::args! {
    struct ActionArgs {
        wanted: Wanted = one_of([
            keyword("set-ip4-fib-id", value::id("table").map(Wanted::Ip4Fib)),
            keyword("set-ip6-fib-id", value::id("table").map(Wanted::Ip6Fib)),
            keyword("set-sr-policy-index", value::id::<u32>("n").map(|_| Wanted::SrPolicy)),
            positional(value::word("name").map(Wanted::Named)).help("a plugin's action"),
        ]),
        arguments: Option<Block> = positional(value::block()).optional()
            .help("of that"),
    }
}

/// All of them.
pub(crate) fn commands() -> Vec<Command> {
    vec![
        Command::sync("classify table", "Add, change or delete a classifier table.", table).details(
            "A table compares some bits of packets with its sessions. A new one is printed by its number. Masks are laid on an \
             Ethernet header without tags and what follows.",
        ),
        Command::sync("classify session", "Add or delete a session of a classifier table.", session)
            .details("A match says the values of the fields that the mask of the table names."),
        Command::sync("show classify tables", "Show classifier tables.", |cx: CommandCx, args: ShowArgs| {
            cx.with(|main| show::tables(main, args.index, args.verbose))
        }),
    ]
}

fn table(cx: CommandCx, args: TableArgs) -> Result<Output, Error> {
    cx.with(|main| {
        let classifier = main.classifier().clone();
        let is_deleted = args.del || args.del_chain;
        match (args.table, is_deleted) {
            (None, true) => Err(refused("table index required for delete")),
            (Some(index), true) => {
                classifier.delete_table(main, index, args.del_chain)?;
                Ok(Output::None)
            }
            (Some(index), false) => {
                let is_fixed = args.mask.is_some() || args.skip.is_some() || args.matched.is_some();
                if is_fixed
                    || args.current_data_flag.is_some()
                    || args.current_data_offset.is_some()
                {
                    return Err(refused("only next-table and miss-next of a table can change"));
                }
                if args.next_table.is_none() && args.miss_next.is_none() {
                    return Err(Error::NothingToDo);
                }
                classifier.change_table(main, index, args.next_table, args.miss_next)?;
                Ok(Output::None)
            }
            (None, false) => {
                let TableIndex(index) = classifier.add_table(main, spec(args)?)?;
                Ok(Output::Text(format!("table index {index}")))
            }
        }
    })
}

fn spec(args: TableArgs) -> Result<TableSpec, Error> {
    let pattern = args.mask.ok_or_else(|| refused("Mask required"))?;
    let mask = match (pattern.is_words, args.skip) {
        // Digits are those behind what is skipped.
        (false, Some(skip)) => {
            let in_front = vec![0; skip * super::VECTOR_BYTES];
            Mask::new(&[in_front, pattern.bytes].concat(), Some(skip), args.matched)
        }
        (_, skip) => Mask::new(&pattern.bytes, skip, args.matched),
    };
    let current_data = match (args.current_data_flag, args.current_data_offset) {
        (Some(1), offset) => Some(offset.unwrap_or(0)),
        (_, None | Some(0)) => None,
        (_, Some(_)) => return Err(refused("current-data-offset needs current-data-flag 1")),
    };
    Ok(TableSpec {
        mask: mask.map_err(ClassifyError::from)?,
        buckets: args.buckets.next_power_of_two(),
        memory: args.memory,
        current_data,
        next_table: args.next_table.flatten(),
        miss_next: args.miss_next.unwrap_or(NextSlot::NONE),
    })
}

fn session(cx: CommandCx, args: SessionArgs) -> Result<(), Error> {
    cx.with(|main| {
        let classifier = main.classifier().clone();
        if args.del {
            return Ok(classifier.delete_session(main, args.table, &args.matching)?);
        }
        let (effect, named) = effect(main, args.action)?;
        let SessionArgs { next, opaque, advance, .. } = args;
        let action = Action { next, opaque, advance, effect, named };
        let added = classifier.add_session(main, args.table, &args.matching, action);
        if added.is_err() && named.is_some() {
            let actions = main.actions().clone();
            actions.release(main, named);
        }
        Ok(added?)
    })
}

fn effect(main: &mut Main, action: Option<ActionArgs>) -> Result<(Effect, ActionId), Error> {
    let Some(ActionArgs { wanted, arguments }) = action else {
        return Ok((Effect::None, ActionId::NONE));
    };
    if let Wanted::Named(name) = wanted {
        let arguments = arguments.map(|block| block.text).unwrap_or_default();
        let actions = main.actions().clone();
        return Ok((Effect::None, actions.configure(main, &name, arguments.trim())?));
    }
    if arguments.is_some() {
        return Err(refused("arguments in braces are for a plugin's action"));
    }
    let fib = |family, id| main.forwarding().table(family, TableId(id));
    let effect = match wanted {
        Wanted::Ip4Fib(id) => Effect::SetIp4Fib(fib(Family::Ip4, id)?),
        Wanted::Ip6Fib(id) => Effect::SetIp6Fib(fib(Family::Ip6, id)?),
        Wanted::SrPolicy | Wanted::Named(_) => {
            let why = "set-sr-policy-index: there is no segment routing in this engine";
            return Err(Error::failed(ApiError::Unimplemented, why));
        }
    };
    Ok((effect, ActionId::NONE))
}

fn refused(why: &str) -> Error {
    Error::failed(ApiError::InvalidValue, why)
}

fn index() -> Value<TableIndex> {
    value::id("table").map(TableIndex)
}

fn vectors(low: u8, high: u8) -> Value<usize> {
    value::number(low..=high).map(usize::from)
}

/// A table, or -1 for none.
fn next_table() -> Value<Option<TableIndex>> {
    index().map(Some).or_word("-1", None)
}

/// Where packets go, by any of two keywords: a slot of the node that looks them up, or what access lists call it.
fn next_slot([first, second]: [&'static str; 2]) -> Field<NextSlot> {
    let slot = || {
        value::id("slot")
            .map(NextSlot)
            .or_word("permit", NextSlot::NONE)
            .or_word("deny", NextSlot::DENY)
            .or_word("drop", NextSlot::DENY)
    };
    one_of([keyword(first, slot()), keyword(second, slot())])
}

/// A number of bytes that may be negative.
fn offset() -> Value<i16> {
    Value::simple("bytes", "a number from -32768 to 32767", |text| text.parse().ok())
}

/// Of a table.
pub(super) fn memory() -> Value<usize> {
    value::size(MIN_MEMORY as u64..=MAX_MEMORY as u64).map(|bytes| bytes as usize)
}
