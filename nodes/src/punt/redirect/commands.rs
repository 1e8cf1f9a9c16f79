//! `ip punt redirect`, `show ip punt redirect` and those of IPv6.

use vnet::{
    command::{Error, Output, choice, group, one_of, positional, value},
    fib::{Family, Path, PathArgs},
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
    runtime::Main,
};

vnet::args! {
    struct Rx {
        interface: SwIfIndex = one_of([
            choice([("all", SwIfIndex::LOCAL0)]),
            positional(value::interface()),
        ]),
    }
}

vnet::args! {
    struct Set {
        del: bool = choice([("add", false), ("del", true)]).or(false),
        rx: Rx = group::<Rx>("rx"),
        paths: Vec<PathArgs> = group::<PathArgs>("via").many(),
    }
}

/// Those of a family.
pub(super) fn commands(family: Family) -> [Command; 2] {
    let ip = match family {
        Family::Ip4 => "ip",
        Family::Ip6 => "ip6",
    };
    let set = move |cx: CommandCx, args: Set| cx.with(|main| set(main, family, &args));
    let show = move |cx: CommandCx, (): ()| cx.with(|main| show(main, family));
    [
        Command::sync(
            &format!("{ip} punt redirect"),
            "Send on what is punted, by paths of its own.",
            set,
        )
        .details(
            "The paths are those of packets that came in by the interface of `rx', instead of those that it had; with `all', of packets \
             from interfaces that have none of their own. Each `via' is a next hop with or without its interface, or an interface. `del' takes \
             them all away: what is punted is then counted and given back.",
        ),
        Command::sync(
            &format!("show {ip} punt redirect"),
            "Show by which paths punted packets are sent on.",
            show,
        ),
    ]
}

fn set(main: &mut Main, family: Family, args: &Set) -> Result<(), Error> {
    let Set { del, rx: Rx { interface }, paths } = args;
    if *del {
        return Ok(super::delete(main, family, *interface)?);
    }
    let paths: Vec<Path> =
        paths.iter().map(|path| path.path(main, family)).collect::<Result<_, _>>()?;
    if paths.is_empty() {
        return Err(Error::Missing { what: "via <next-hop>".to_owned() });
    }
    Ok(super::set(main, family, *interface, &paths)?)
}

fn show(main: &Main, family: Family) -> Output {
    let forwarding = main.forwarding();
    let all = forwarding.punt_redirects(family);
    let shown = all.filter_map(|one| forwarding.describe_punt_redirect(family, one.rx, main));
    Output::List(shown.map(Output::from).collect())
}
