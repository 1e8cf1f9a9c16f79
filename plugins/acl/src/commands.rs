//! The commands, in VPP's words.

use vnet::{
    command::{Error, choice, flag, keyword, positional, rest, value},
    interface::SwIfIndex,
    plugin::{Command, CommandCx, Registrar},
};

use crate::{
    direction::Direction, error::AclError, grammar::Request, lists::Acl,
    session::state::TimeoutKind, show,
};

/// The most seconds of a timeout: a month.
const MAX_TIMEOUT: u32 = 31 * 86_400;
/// The most sessions that can be asked for: some 2 GiB.
const MAX_ENTRIES: u32 = 1 << 24;
/// What a list is called unless said otherwise, as in VPP.
const TAG: &str = "cli";

vnet::args! {
    struct SetAcl {
        rules: String = rest("rules"),
    }
}

vnet::args! {
    struct DeleteAcl {
        index: u32 = keyword("index", value::id("idx")),
    }
}

vnet::args! {
    struct SetInterface {
        interface: SwIfIndex = positional(value::interface()),
        direction: Direction = choice([("input", Direction::Input), ("output", Direction::Output)]).or(Direction::Input),
        acl: u32 = keyword("acl", value::id("index")),
        del: bool = choice([("add", false), ("del", true)]).or(false),
    }
}

vnet::args! {
    struct Seconds {
        seconds: u32 = positional(value::number(1..=MAX_TIMEOUT)),
    }
}

vnet::args! {
    struct Entries {
        entries: u32 = positional(value::number(1..=MAX_ENTRIES)),
    }
}

vnet::args! {
    struct Switch {
        on: bool = choice([("0", false), ("1", true)]),
    }
}

vnet::args! {
    struct ShowAcl {
        index: Option<u32> = keyword("index", value::id("n")).optional(),
        counters: bool = flag("counters").help("with the packets and bytes of each rule"),
    }
}

vnet::args! {
    struct ShowInterface {
        interface: Option<SwIfIndex> = keyword("sw_if_index", value::id("n").map(SwIfIndex)).optional(),
        acl: bool = flag("acl").help("with the rules"),
        detail: bool = flag("detail").help("with lookup contexts"),
    }
}

vnet::args! {
    struct ShowSessions {
        verbose: bool = flag("verbose").help("each of them"),
    }
}

vnet::args! {
    struct ShowContext {
        index: Option<u32> = keyword("index", value::id("n")).optional(),
    }
}

/// Registers all of them.
pub(crate) fn register(r: &mut Registrar, acl: &Acl) {
    register_changes(r, acl);
    register_sessions(r, acl);
    register_shows(r, acl);
}

fn register_changes(r: &mut Registrar, acl: &Acl) {
    let of = acl.clone();
    let set = move |cx: CommandCx, SetAcl { rules }: SetAcl| -> Result<String, Error> {
        let Request { index, tag, rules } = Request::parse(&rules)?;
        let tag = tag.as_deref().unwrap_or(TAG);
        let index = cx.with(|main| of.put_list(main, index, tag, rules))?;
        Ok(format!("ACL index:{index}"))
    };
    r.command(Command::sync("set acl-plugin acl", "Add an access list, or replace one.", set).details(
        "Rules: [index <idx>] <permit|deny|permit+reflect> src <PREFIX> dst <PREFIX> [proto X] [sport X[-Y]] [dport X[-Y]] \
         [tcpflags <int> mask <int>] [action <name> [{ <arguments> }]] [tag FOO], with a comma between two rules. The first one that \
         a packet matches decides. Ports are types and codes of ICMP messages. permit+reflect also lets pass what comes back.",
    ));

    let of = acl.clone();
    let delete = move |cx: CommandCx, DeleteAcl { index }: DeleteAcl| -> Result<String, AclError> {
        cx.with(|main| of.delete_list(main, index))?;
        Ok(format!("Deleted ACL index:{index}"))
    };
    r.command(Command::sync(
        "delete acl-plugin acl",
        "Delete an access list that no interface has.",
        delete,
    ));

    let of = acl.clone();
    let set = move |cx: CommandCx, args: SetInterface| {
        let SetInterface { interface, direction, acl, del } = args;
        cx.with(|main| match del {
            true => of.unapply(main, interface, direction, acl),
            false => of.apply(main, interface, direction, acl),
        })
    };
    let set = Command::sync(
        "set acl-plugin interface",
        "Give an interface an access list, or take it away.",
        set,
    );
    r.command(set.details(
        "Lists are asked in the order in which they were given. As soon as an interface has any, what matches none of them is denied. Frames \
         that are bridged are looked at, too.",
    ));

    let of = acl.clone();
    let set = move |cx: CommandCx, Switch { on }: Switch| {
        cx.with(|main| of.set_l4_match_nonfirst_fragment(main, on));
    };
    r.command(
        Command::sync("set acl-plugin l4-match-nonfirst-fragment", "Say which rules later fragments match.", set)
            .details("1, the default: those for their addresses and protocol, whatever ports they say. 0: those without protocol."),
    );
}

fn register_sessions(r: &mut Registrar, acl: &Acl) {
    for (kind, help) in [
        (TimeoutKind::UdpIdle, "Set how long sessions other than of TCP last without a packet."),
        (TimeoutKind::TcpIdle, "Set how long TCP sessions last without a packet."),
        (
            TimeoutKind::TcpTransient,
            "Set how long TCP sessions last that are not open yet, or no longer.",
        ),
    ] {
        let of = acl.clone();
        let set = move |cx: CommandCx, Seconds { seconds }: Seconds| {
            cx.with(|main| of.set_timeout(main, kind, seconds));
        };
        let path = format!("set acl-plugin session timeout {}", kind.word());
        r.command(Command::sync(&path, help, set));
    }
    let of = acl.clone();
    let set = move |cx: CommandCx, Entries { entries }: Entries| {
        cx.with(|main| of.set_max_sessions(main, entries))
    };
    let path = "set acl-plugin session table max-entries";
    r.command(Command::sync(path, "Set how many sessions there may be.", set));

    let of = acl.clone();
    let clear = move |cx: CommandCx, (): ()| cx.with(|main| of.clear_sessions(main, None));
    r.command(Command::sync("clear acl-plugin sessions", "End all sessions.", clear));
}

fn register_shows(r: &mut Registrar, acl: &Acl) {
    let of = acl.clone();
    let run = move |cx: CommandCx, ShowAcl { index, counters }: ShowAcl| {
        cx.with(|main| show::lists(main, &of, index, counters))
    };
    r.command(Command::sync("show acl-plugin acl", "Show access lists.", run));
    let of = acl.clone();
    let run = move |cx: CommandCx, args: ShowInterface| {
        let ShowInterface { interface, acl, detail } = args;
        cx.with(|main| show::interfaces(main, &of, interface, acl, detail))
    };
    r.command(Command::sync(
        "show acl-plugin interface",
        "Show which interfaces have which access lists.",
        run,
    ));
    let of = acl.clone();
    let run = move |cx: CommandCx, ShowSessions { verbose }: ShowSessions| {
        cx.with(|main| show::sessions(main, &of, verbose))
    };
    r.command(Command::sync("show acl-plugin sessions", "Show sessions.", run));
    let of = acl.clone();
    let run = move |cx: CommandCx, (): ()| cx.with(|main| show::tables(main, &of));
    r.command(Command::sync(
        "show acl-plugin tables",
        "Show what lists are compiled to: masks and keys.",
        run,
    ));
    let of = acl.clone();
    let run = move |cx: CommandCx, ShowContext { index }: ShowContext| {
        cx.with(|main| show::contexts(main, &of, index))
    };
    r.command(Command::sync(
        "show acl-plugin lookup context",
        "Show lookup contexts: lists of an interface and direction.",
        run,
    ));
}
