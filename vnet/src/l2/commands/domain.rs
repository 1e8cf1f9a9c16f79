//! `create bridge-domain`, `set bridge-domain`.

use core::net::IpAddr;

use super::{
    super::{BdId, Domain, L2, L2Error, NewDomain, Switching},
    bd_id, command,
};
use crate::{
    command::{Error, Field, flag, keyword, positional, value},
    plugin::Command,
    runtime::Main,
};

/// The words of what a domain does, and what they mean.
const SWITCHES: [(&str, Switching, &str); 5] = [
    ("learn", Switching::LEARN, "Learn the stations of a bridge domain, or do not."),
    (
        "forward",
        Switching::FORWARD,
        "Forward frames to known stations of a bridge domain, or do not.",
    ),
    ("flood", Switching::FLOOD, "Flood frames to groups in a bridge domain, or do not."),
    (
        "uu-flood",
        Switching::UU_FLOOD,
        "Flood frames to unknown stations in a bridge domain, or do not.",
    ),
    (
        "arp-ufwd",
        Switching::ARP_UFWD,
        "Send questions for unknown addresses where frames to unknown stations go, or flood them.",
    ),
];

crate::args! {
    struct Create {
        id: BdId = positional(bd_id()),
        learn: Option<bool> = zero_or_one("learn"),
        forward: Option<bool> = zero_or_one("forward"),
        uu_flood: Option<bool> = zero_or_one("uu-flood"),
        flood: Option<bool> = zero_or_one("flood"),
        arp_term: Option<bool> = zero_or_one("arp-term"),
        arp_ufwd: Option<bool> = zero_or_one("arp-ufwd"),
        mac_age: u8 = keyword("mac-age", value::number(0..=255).hint("minutes")).or(0),
        tag: Option<String> = keyword("bd-tag", tag()).optional(),
        del: bool = flag("del"),
    }
}

fn zero_or_one(word: &'static str) -> Field<Option<bool>> {
    keyword(word, value::number(0..=1_u8).hint("0|1").map(|n| n == 1)).optional()
}

/// VPP's API has 63 octets for it.
fn tag() -> value::Value<String> {
    value::word("tag").try_map(|tag, text| match tag.len() {
        ..=63 => Ok(tag),
        _ => {
            Err(Error::BadValue { word: text.to_owned(), expected: "at most 63 octets".to_owned() })
        }
    })
}

crate::args! {
    struct Switch {
        id: BdId = positional(bd_id()),
        disable: bool = flag("disable"),
    }
}

crate::args! {
    struct MacAge {
        id: BdId = positional(bd_id()),
        minutes: u8 = positional(value::number(0..=255).hint("minutes")),
    }
}

crate::args! {
    struct LearnLimit {
        id: BdId = positional(bd_id()),
        limit: u32 = positional(value::id("limit")),
    }
}

crate::args! {
    struct DefaultLearnLimit {
        limit: u32 = positional(value::id("limit")),
    }
}

crate::args! {
    struct ArpEntry {
        id: BdId = positional(bd_id()),
        address: IpAddr = positional(value::ip()),
        mac: Option<[u8; 6]> = positional(value::mac()).optional(),
        del: bool = flag("del"),
    }
}

pub(super) fn commands(l2: &L2) -> Vec<Command> {
    let switches = SWITCHES.map(|(word, what, help)| {
        let path = format!("set bridge-domain {word}");
        command(l2, &path, help, move |l2, main, args: Switch| switch(l2, main, &args, what))
    });
    let mut all = vec![
        command(l2, "create bridge-domain", "Make a bridge domain, or delete one.", create)
            .details(
                "It learns, forwards and floods unless told otherwise, and stations do not age.",
            ),
        command(
            l2,
            "set bridge-domain arp term",
            "Answer ARP and neighbour discovery in a bridge domain itself, or do not.",
            |l2, main, args: Switch| switch(l2, main, &args, Switching::ARP_TERM),
        ),
        command(
            l2,
            "set bridge-domain arp entry",
            "Set the MAC address that a bridge domain tells who asks for an IP address, or take it back.",
            arp_entry,
        ),
        command(
            l2,
            "set bridge-domain mac-age",
            "Set after how many minutes a station is forgotten of which nothing was heard; 0 for never.",
            |l2, main, args: MacAge| {
                change(l2, main, args.id, |domain| domain.mac_age = args.minutes)
            },
        ),
        command(
            l2,
            "set bridge-domain learn-limit",
            "Set how many stations a bridge domain learns at most.",
            |l2, main, args: LearnLimit| {
                change(l2, main, args.id, |domain| domain.learn_limit = args.limit)
            },
        ),
        command(
            l2,
            "set bridge-domain default-learn-limit",
            "Set how many stations bridge domains learn at most that are made from now on.",
            |l2, main, args: DefaultLearnLimit| l2.set_default_learn_limit(main, args.limit),
        ),
    ];
    all.extend(switches);
    all
}

fn create(l2: &L2, main: &mut Main, args: Create) -> Result<(), Error> {
    if args.del {
        return Ok(l2.delete_domain(main, args.id)?);
    }
    let given = [
        (Switching::LEARN, args.learn),
        (Switching::FORWARD, args.forward),
        (Switching::UU_FLOOD, args.uu_flood),
        (Switching::FLOOD, args.flood),
        (Switching::ARP_TERM, args.arp_term),
        (Switching::ARP_UFWD, args.arp_ufwd),
    ];
    let switching = given.into_iter().filter_map(|(what, on)| Some((what, on?))).collect();
    let tag = args.tag.unwrap_or_default();
    l2.create_domain(main, args.id, &NewDomain { switching, mac_age: args.mac_age, tag })?;
    Ok(())
}

fn change(
    l2: &L2,
    main: &mut Main,
    id: BdId,
    change: impl FnOnce(&mut Domain),
) -> Result<(), L2Error> {
    l2.change_domain(main, id, change)
}

fn switch(l2: &L2, main: &mut Main, args: &Switch, what: Switching) -> Result<(), L2Error> {
    change(l2, main, args.id, |domain| domain.switching.set(what, !args.disable))
}

fn arp_entry(l2: &L2, main: &mut Main, args: ArpEntry) -> Result<(), Error> {
    let mac = match (args.mac, args.del) {
        (None, false) => return Err(Error::Missing { what: "<mac-address>".to_owned() }),
        (mac, false) => mac,
        (_, true) => None,
    };
    Ok(l2.set_arp_entry(main, args.id, args.address, mac)?)
}
