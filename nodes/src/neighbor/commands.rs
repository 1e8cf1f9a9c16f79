//! `set ip neighbor-config`, `show ip neighbor-config`.

use vnet::{
    command::{Cell, Output, Record, choice, keyword, value},
    fib::Family,
    neighbor::NeighborConfig,
    plugin::{Command, CommandCx},
    process::Bell,
    runtime::Main,
};

vnet::args! {
    struct Configure {
        family: Family = choice([("ip4", Family::Ip4), ("ip6", Family::Ip6)]),
        limit: Option<u32> = keyword("limit", value::number(0..=MAX_LIMIT)).optional()
            .help("how many are learnt at most"),
        age: Option<u32> = keyword("age", value::id("seconds")).optional()
            .help("after which one that was not heard of is asked whether it is there; 0 is never"),
        recycle: Option<bool> = choice([("recycle", true), ("norecycle", false)]).optional()
            .help("whether a new one takes the place of the oldest when the limit is reached"),
    }
}

/// As many as there are adjacencies, less some for routes.
pub(super) const MAX_LIMIT: u32 = 120_000;

/// The commands; `ages` has the processes that wait for neighbours to grow old look again.
pub(crate) fn commands(ages: &[Bell; 2]) -> Vec<Command> {
    let ages = ages.clone();
    vec![
        Command::sync(
            "set ip neighbor-config",
            "Set how many neighbours are learnt, and when they are forgotten.",
            move |cx: CommandCx, args: Configure| {
                cx.with(|main| configure(main, &args));
                ages.iter().for_each(Bell::ring);
            },
        ),
        Command::sync(
            "show ip neighbor-config",
            "Show how many neighbours are learnt, and when they are forgotten.",
            |cx: CommandCx, (): ()| cx.with(|main| show_config(main)),
        ),
    ]
}

fn configure(main: &mut Main, args: &Configure) {
    let old = main.forwarding().neighbor_config(args.family);
    let new = NeighborConfig {
        limit: args.limit.unwrap_or(old.limit),
        age: args.age.unwrap_or(old.age),
        recycle: args.recycle.unwrap_or(old.recycle),
    };
    main.forwarding_mut().set_neighbor_config(args.family, new);
}

fn show_config(main: &Main) -> Output {
    let of = |(family, name): (Family, &str)| {
        let NeighborConfig { limit, age, recycle } = main.forwarding().neighbor_config(family);
        Record::new()
            .line(format!("{name}:"))
            .line(format!("  limit:{limit}, age:{age}, recycle:{}", u8::from(recycle)))
            .field("family", name.to_owned())
            .field("limit", u64::from(limit))
            .field("age", u64::from(age))
            .field("recycle", Cell::shown("", recycle))
            .into()
    };
    Output::List([(Family::Ip4, "ip4"), (Family::Ip6, "ip6")].map(of).to_vec())
}
