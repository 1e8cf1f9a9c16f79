//! `set interface reassembly`, `set ip4 reassembly`, `set ip6 reassembly`, and what shows them.

use std::{cell::RefCell, collections::BTreeSet, rc::Rc};

use vnet::{
    command::{Error, choice, flag, keyword, positional, value},
    fib::Family,
    interface::{Event, SwIfIndex},
    plugin::{Command, CommandCx, Registrar},
    reassembly::{self, Direction},
    runtime::Main,
};

use super::{
    api, expire,
    family::{Ip4, Ip6, Place, Version},
    names::names,
    settings::{InForce, Kind, Limits, Settings},
    show::{self, Shown},
    store::Store,
};

/// Which versions of IP are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Switched(pub(super) [bool; 2]);

vnet::args! {
    pub(super) struct SetInterface {
        pub(super) interface: SwIfIndex = positional(value::interface()),
        pub(super) on: Switched = choice([
            ("on", Switched([true, true])),
            ("off", Switched([false, false])),
            ("ip4", Switched([true, false])),
            ("ip6", Switched([false, true])),
        ]),
        pub(super) kind: Kind = choice([("shallow-virtual", Kind::ShallowVirtual)]).or(Kind::Full)
            .help("tell fragments their ports instead of putting them together"),
    }
}

vnet::args! {
    pub(super) struct SetLimits {
        pub(super) kind: Kind = choice([("full", Kind::Full), ("shallow-virtual", Kind::ShallowVirtual)])
            .or(Kind::Full),
        pub(super) timeout: Option<u32> = keyword("timeout", value::number(Limits::TIMEOUT)).optional()
            .help("milliseconds after which a datagram is given up"),
        pub(super) max_reassemblies: Option<u32> =
            keyword("max-reassemblies", value::number(Limits::REASSEMBLIES)).optional()
            .help("datagrams at a time, of each thread"),
        pub(super) max_length: Option<u32> =
            keyword("max-reassembly-length", value::number(Limits::LENGTH)).optional()
            .help("fragments of a datagram that wait"),
        pub(super) expire_walk_interval: Option<u32> =
            keyword("expire-walk-interval", value::number(Limits::INTERVAL)).optional()
            .help("milliseconds between two looks for datagrams whose time is over"),
    }
}

vnet::args! {
    struct Show {
        details: bool = flag("details"),
    }
}

/// What the command has switched on: others enable the same nodes for themselves.
pub(super) type Switches = Rc<RefCell<BTreeSet<(SwIfIndex, &'static str)>>>;

pub(super) fn register(r: &mut Registrar, in_force: &InForce) {
    let switches = Switches::default();
    let followed = switches.clone();
    r.on_interface_event(move |_, event| {
        if let Event::Deleted { sw_if_index, .. } = event {
            followed.borrow_mut().retain(|(interface, _)| interface != sw_if_index);
        }
    });
    api::register(r.api(), in_force, &switches);
    let set = move |cx: CommandCx, args: SetInterface| {
        cx.with(|main| set_interface(main, &switches, &args))
    };
    let about = "Reassemble fragmented packets that an interface receives.";
    r.command(Command::sync("set interface reassembly", about, set).details(
        "on is both versions of IP. A version that is not named is switched off. Fragments for this machine are put together without it.",
    ));
    for (word, family) in [("ip4", Family::Ip4), ("ip6", Family::Ip6)] {
        let in_force = in_force.clone();
        let set = move |cx: CommandCx, args: SetLimits| {
            cx.with(|main| set_limits(main, &in_force, family, &args))
        };
        let about = "Limit what reassembly keeps.";
        r.command(Command::sync(&format!("set {word} reassembly"), about, set).details(
            "full, which is meant without a word, puts datagrams together; shallow-virtual tells fragments their ports. What threads have is \
             given up by a change.",
        ));
    }
}

/// Registers the command that shows a kind of reassembly.
pub(super) fn register_show<T: Shown>(r: &mut Registrar, store: &Store<T>) {
    let (store, path) = (store.clone(), names(T::KIND, store.family).show);
    let show =
        move |cx: CommandCx, args: Show| cx.with(|main| show::status(main, &store, args.details));
    r.command(Command::sync(path, "Show what is being reassembled.", show));
}

pub(super) fn set_interface(
    main: &mut Main,
    switches: &Switches,
    args: &SetInterface,
) -> Result<(), Error> {
    let SetInterface { interface, on: Switched(on), kind } = *args;
    for (family, on) in [Family::Ip4, Family::Ip6].into_iter().zip(on) {
        let arc = reassembly::arc(family, Direction::Input);
        let node = match kind {
            Kind::ShallowVirtual => reassembly::node(family, Direction::Input),
            Kind::Full => feature(family),
        };
        let switch = (interface, node);
        let is_on = switches.borrow().contains(&switch);
        match (is_on, on) {
            (false, true) => {
                main.enable_feature(arc, node, interface, 0)?;
                switches.borrow_mut().insert(switch);
            }
            (true, false) => {
                switches.borrow_mut().remove(&switch);
                main.disable_feature(arc, node, interface)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The node that puts datagrams together on the way of packets through an interface.
fn feature(family: Family) -> &'static str {
    match family {
        Family::Ip4 => Ip4::nodes(Place::FullFeature).0,
        Family::Ip6 => Ip6::nodes(Place::FullFeature).0,
    }
}

pub(super) fn set_limits(
    main: &mut Main,
    in_force: &InForce,
    family: Family,
    args: &SetLimits,
) -> Result<(), Error> {
    let old = in_force.held(main.held(), args.kind, family);
    let new = Settings {
        timeout: args.timeout.unwrap_or(old.timeout),
        max_reassemblies: args.max_reassemblies.unwrap_or(old.max_reassemblies),
        max_length: args.max_length.unwrap_or(old.max_length),
        expire_walk_interval: args.expire_walk_interval.unwrap_or(old.expire_walk_interval),
    };
    let given = [args.timeout, args.max_reassemblies, args.max_length, args.expire_walk_interval];
    if given.iter().all(Option::is_none) {
        let what = "timeout, max-reassemblies, max-reassembly-length or expire-walk-interval";
        return Err(Error::Missing { what: what.to_owned() });
    }
    in_force.set(main, args.kind, family, new)?;
    expire::call(main, names(args.kind, family).expire);
    Ok(())
}
