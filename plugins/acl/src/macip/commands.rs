//! The commands, in VPP's words.

use vnet::{
    command::{Error, Output, Record, choice, keyword, positional, rest, value},
    interface::SwIfIndex,
    plugin::{Command, CommandCx, Registrar},
    runtime::Main,
};

use super::{List, Macip, grammar::Request};
use crate::{error::AclError, show};

/// What a list is called unless said otherwise, as in VPP.
const TAG: &str = "cli";

vnet::args! {
    struct SetAcl {
        rules: String = rest("rules"),
    }
}

vnet::args! {
    struct Index {
        index: u32 = keyword("index", value::id("idx")),
    }
}

vnet::args! {
    struct SetInterface {
        interface: SwIfIndex = positional(value::interface()),
        acl: u32 = keyword("acl", value::id("index")),
        del: bool = choice([("add", false), ("del", true)]).or(false),
    }
}

vnet::args! {
    struct Show {
        index: Option<u32> = keyword("index", value::id("n")).optional(),
    }
}

/// Registers all of them.
pub(super) fn register(r: &mut Registrar, macip: &Macip) {
    let of = macip.clone();
    let set = move |cx: CommandCx, SetAcl { rules }: SetAcl| -> Result<String, Error> {
        let Request { tag, rules } = Request::parse(&rules)?;
        let tag = tag.as_deref().unwrap_or(TAG);
        let index = cx.with(|main| of.put_list(main, None, tag, rules))?;
        Ok(format!("ACL index:{index}"))
    };
    r.command(
        Command::sync("set acl-plugin macip acl", "Add a list of MAC addresses and their IP addresses.", set).details(
            "Rules: <permit|deny|action N> ip <PREFIX> mac <MAC> mask <MAC> [tag FOO], with a comma between two rules. The first one that \
             the source of a packet, or the sender of an ARP packet, fits decides.",
        ),
    );
    let of = macip.clone();
    let delete = move |cx: CommandCx, Index { index }: Index| -> Result<String, AclError> {
        cx.with(|main| of.delete_list(main, index))?;
        Ok(format!("Deleted ACL index:{index}"))
    };
    r.command(Command::sync(
        "delete acl-plugin macip acl",
        "Delete a MACIP list that no interface has.",
        delete,
    ));
    let of = macip.clone();
    let set = move |cx: CommandCx, SetInterface { interface, acl, del }: SetInterface| {
        cx.with(|main| match del {
            true => of.unapply(main, interface, acl),
            false => of.apply(main, interface, acl),
        })
    };
    let help = "Give an interface a MACIP list, or take it away.";
    r.command(Command::sync("set acl-plugin macip interface", help, set));
    let of = macip.clone();
    let run = move |_: CommandCx, Show { index }: Show| lists(&of, index);
    r.command(Command::sync("show acl-plugin macip acl", "Show MACIP lists.", run));
    let of = macip.clone();
    let run = move |cx: CommandCx, (): ()| cx.with(|main| interfaces(main, &of));
    r.command(Command::sync(
        "show acl-plugin macip interface",
        "Show which interfaces have MACIP lists.",
        run,
    ));
}

fn lists(macip: &Macip, index: Option<u32>) -> Result<Output, AclError> {
    let state = macip.state.borrow();
    if let Some(index) = index {
        state.list(index)?;
    }
    let all = (0..).zip(&state.lists).filter_map(|(n, list)| Some((n, list.as_ref()?)));
    let all = all.filter(|(n, _)| index.is_none_or(|index| index == *n)).map(|(n, list)| {
        let List { tag, rules, .. } = list;
        let users = state.applied.iter().filter(|(_, acl)| **acl == n);
        let users: Vec<u32> = users.map(|(interface, _)| interface.0).collect();
        let count = rules.len();
        let record = Record::new()
            .line(format!("MACIP acl_index: {n}, count: {count} (true len {count}) tag {{{tag}}} is free pool slot: 0"))
            .field("index", n)
            .field("tag", tag.clone())
            .field("sw_if_indices", show::numbers(&users));
        let rules = rules.iter().enumerate().map(|(n, rule)| {
            let text = rule.to_string();
            Record::new().line(format!("    rule {n}: {text}")).field("rule", text).into()
        });
        let record = record.nested("rules", 0, Output::List(rules.collect()));
        match users.is_empty() {
            true => record.into(),
            false => {
                record.line(format!("  applied on sw_if_index(s): {}", show::joined(&users))).into()
            }
        }
    });
    Ok(Output::List(all.collect()))
}

fn interfaces(main: &Main, macip: &Macip) -> Output {
    let state = macip.state.borrow();
    let all = state.applied.iter().map(|(&interface, &acl)| {
        Record::new()
            .line(format!("  sw_if_index {}: {acl}", interface.0))
            .field("sw_if_index", interface.0)
            .field("name", main.interface_name(interface))
            .field("acl", acl)
            .into()
    });
    Output::List(all.collect())
}
