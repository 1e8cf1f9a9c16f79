//! `set interface l2 ...`, `set interface l3`.

use super::{
    super::{BdId, L2, L2Error, Role, Switching, TagRewrite},
    bd_id, command,
};
use crate::{
    command::{Error, Field, choice, flag, group, keyword, one_of, positional, value},
    interface::{SwIfIndex, TagType},
    plugin::Command,
    runtime::Main,
};

crate::args! {
    struct Bridge {
        interface: SwIfIndex = positional(value::interface()),
        id: BdId = positional(bd_id()),
        role: Option<Role> = choice([("bvi", Role::Bvi), ("uu-fwd", Role::UuFwd)]).optional(),
        shg: Option<u8> = positional(value::number(0..=255).hint("shg")).optional(),
    }
}

crate::args! {
    struct Connect {
        interface: SwIfIndex = positional(value::interface()),
        peer: SwIfIndex = positional(value::interface().hint("peer-interface")),
    }
}

crate::args! {
    struct One {
        interface: SwIfIndex = positional(value::interface()),
    }
}

crate::args! {
    struct Switch {
        interface: SwIfIndex = positional(value::interface()),
        disable: bool = flag("disable"),
    }
}

/// One tag to put on, or two.
#[derive(Clone)]
struct Tags {
    outer: TagType,
    ids: [Option<u16>; 2],
}

crate::args! {
    struct Ids {
        first: u16 = positional(vlan()),
        second: Option<u16> = positional(vlan()).optional(),
    }
}

crate::args! {
    struct Push {
        tags: Tags = tags(),
    }
}

crate::args! {
    /// How many tags are to be replaced by how many.
    struct Translate {
        form: (u8, u8) = choice([("1-1", (1, 1)), ("1-2", (1, 2)), ("2-1", (2, 1)), ("2-2", (2, 2))]),
        tags: Tags = tags(),
    }
}

crate::args! {
    struct Rewrite {
        interface: SwIfIndex = positional(value::interface()),
        rewrite: Option<TagRewrite> = one_of([
            choice([("disable", None)]),
            keyword("pop", value::number(1..=2_u8).hint("1|2")).map(|pop| {
                Some(TagRewrite { pop, push_type: TagType::Dot1q, push: [None; 2] })
            }),
            group("push").map(|Push { tags }| Some(rewrite(0, &tags))),
            group("translate").try_map(translate),
        ]),
    }
}

fn vlan() -> value::Value<u16> {
    value::number(0..=4095).hint("tag")
}

fn tags() -> Field<Tags> {
    let of = |outer| move |Ids { first, second }| Tags { outer, ids: [Some(first), second] };
    one_of([group("dot1q").map(of(TagType::Dot1q)), group("dot1ad").map(of(TagType::Dot1ad))])
}

fn rewrite(pop: u8, tags: &Tags) -> TagRewrite {
    TagRewrite { pop, push_type: tags.outer, push: tags.ids }
}

fn translate(given: Translate) -> Result<Option<TagRewrite>, Error> {
    let Translate { form: (pop, push), tags } = given;
    match (push, tags.ids[1]) {
        (2, None) => Err(Error::Missing { what: "<tag>".to_owned() }),
        (1, Some(second)) => Err(Error::Conflict { word: second.to_string() }),
        _ => Ok(Some(rewrite(pop, &tags))),
    }
}

/// What can be left off for one interface of a domain.
const SWITCHES: [(&str, Switching, &str); 4] = [
    ("learn", Switching::LEARN, "Learn the stations behind an interface, or do not."),
    ("forward", Switching::FORWARD, "Forward frames of an interface to known stations, or do not."),
    ("flood", Switching::FLOOD, "Flood frames of an interface to groups, or do not."),
    (
        "uu-flood",
        Switching::UU_FLOOD,
        "Flood frames of an interface to unknown stations, or do not.",
    ),
];

pub(super) fn commands(l2: &L2) -> Vec<Command> {
    let switches = SWITCHES.map(|(word, what, help)| {
        let path = format!("set interface l2 {word}");
        command(l2, &path, help, move |l2, main, args: Switch| -> Result<(), L2Error> {
            l2.change_port(main, args.interface, |port| port.switching.set(what, !args.disable))
        })
    });
    let mut all = vec![
        command(l2, "set interface l2 bridge", "Put an interface into a bridge domain.", bridge)
            .details(
                "The domain is made if need be. `bvi': the interface routes for the domain. `uu-fwd': frames to unknown \
                 stations go there instead of everywhere. <shg> is a split-horizon group: between interfaces of one group \
                 other than 0 nothing goes.",
            ),
        command(
            l2,
            "set interface l2 xconnect",
            "Send all that an interface receives out of another one.",
            |l2, main, args: Connect| l2.connect(main, args.interface, args.peer),
        ),
        command(
            l2,
            "set interface l2 tag-rewrite",
            "Rewrite the VLAN tags of frames that come in by an interface, and the reverse of those that leave.",
            |l2, main, args: Rewrite| l2.set_tag_rewrite(main, args.interface, args.rewrite),
        )
        .details("Tags that are popped off are pushed again on frames that leave: those that the sub-interface takes."),
        command(
            l2,
            "set interface l2 efp-filter",
            "Let only such frames leave by a sub-interface that it would take, or all.",
            |l2, main, args: Switch| l2.set_efp_filter(main, args.interface, !args.disable),
        ),
        command(
            l2,
            "set interface l3",
            "Route what an interface receives; it leaves its bridge domain or cross-connect.",
            |l2, main, args: One| l2.route(main, args.interface),
        ),
    ];
    all.extend(switches);
    all
}

fn bridge(l2: &L2, main: &mut Main, args: Bridge) -> Result<(), L2Error> {
    let (role, shg) = (args.role.unwrap_or_default(), args.shg.unwrap_or(0));
    l2.bridge(main, args.interface, args.id, role, shg)
}
