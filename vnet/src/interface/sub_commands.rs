//! `create sub-interfaces` and `delete sub-interface`.

use super::{InterfaceError, SwIfIndex, TagMatch, TagType, VlanId, VlanMatch, commands::change};
use crate::{
    command::{ApiError, Error, Field, Output, choice, flag, keyword, one_of, positional, value},
    plugin::{Command, CommandCx},
    runtime::Main,
};
use core::ops::RangeInclusive;

/// The words behind a sub-interface's id.
#[derive(Clone, Copy)]
enum Kind {
    Default,
    Untagged,
    Tagged(TagType, VlanMatch),
}

crate::args! {
    struct Create {
        interface: SwIfIndex = positional(value::interface()),
        ids: RangeInclusive<u32> = positional(ids()),
        kind: Option<Kind> = kind().optional(),
        inner: Option<VlanMatch> = keyword("inner-dot1q", vlan()).optional(),
        exact: bool = flag("exact-match").help("only frames with no further tag"),
    }
}

crate::args! {
    struct Delete {
        interface: SwIfIndex = positional(value::interface()),
    }
}

fn ids() -> value::Value<RangeInclusive<u32>> {
    value::Value::new("subId[-subId]", |text, _| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
            _ => Err(Error::failed(
                ApiError::InvalidValue,
                format_args!("expected ID or ID MIN-MAX, got `{text}'"),
            )),
        }
    })
}

fn vlan() -> value::Value<VlanMatch> {
    let id = value::number(1..=u32::from(VlanId::MAX.number())).hint("vlanId");
    id.try_map(|number, _| Ok(VlanMatch::Id(VlanId::new(number)?))).or_word("any", VlanMatch::Any)
}

fn kind() -> Field<Kind> {
    one_of([
        choice([("default", Kind::Default), ("untagged", Kind::Untagged)]),
        keyword("dot1q", vlan()).map(|outer| Kind::Tagged(TagType::Dot1q, outer)),
        keyword("dot1ad", vlan()).map(|outer| Kind::Tagged(TagType::Dot1ad, outer)),
    ])
}

pub(super) fn commands() -> Vec<Command> {
    vec![
        Command::sync(
            "create sub-interfaces",
            "Make a sub-interface for frames with certain VLAN tags, or one for each VLAN of a range.",
            |cx: CommandCx, args: Create| cx.with(|main| create(main, args)),
        )
        .details(
            "It is called <interface>.<subId>, and is down. An id alone is that of the VLAN, of frames with no other \
             tag. Only what takes frames of one VLAN, with exact-match, can have addresses and next hops: its tags are \
             put on what it sends. Ids of a range that are there already are left alone.",
        ),
        change("delete sub-interface", "Delete a sub-interface.", |table, args: Delete| {
            table.delete_sub(args.interface)
        }),
    ]
}

fn create(main: &mut Main, args: Create) -> Result<Output, Error> {
    let Create { interface, ids, kind, inner, exact } = args;
    let is_range = ids.start() < ids.end();
    if is_range && kind.is_some() {
        return Err(Error::failed(
            ApiError::InvalidValue,
            "a range of IDs is one of VLANs with one tag each: nothing can follow it",
        ));
    }
    let mut wanted = Vec::new();
    for id in ids.clone() {
        let tags = tags(id, kind, inner, exact)?;
        match main.interfaces().check_sub(interface, id, tags) {
            Ok(()) => wanted.push((id, tags)),
            Err(InterfaceError::SubInterfaceExists { .. }) if is_range => {}
            Err(error) => return Err(error.into()),
        }
    }
    if wanted.is_empty() {
        return Err(Error::NothingToDo);
    }
    let made = main.change_interfaces(|table| {
        wanted
            .into_iter()
            .map(|(id, tags)| table.create_sub(interface, id, tags))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let names: Vec<_> = made.into_iter().map(|sub| main.interface_name(sub)).collect();
    Ok(Output::from(names.join("\n")))
}

fn tags(
    id: u32,
    kind: Option<Kind>,
    inner: Option<VlanMatch>,
    exact: bool,
) -> Result<TagMatch, Error> {
    match kind {
        Some(Kind::Tagged(outer_type, outer)) => {
            Ok(TagMatch::Tagged { outer_type, outer, inner, exact })
        }
        _ if inner.is_some() || exact => {
            Err(Error::Missing { what: "dot1q|dot1ad <vlanId>|any".to_owned() })
        }
        Some(Kind::Default) => Ok(TagMatch::Default),
        Some(Kind::Untagged) => Ok(TagMatch::Untagged),
        None => Ok(TagMatch::exact_dot1q(VlanId::new(id)?)),
    }
}
