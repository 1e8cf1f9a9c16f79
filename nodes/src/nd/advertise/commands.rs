//! `ip6 nd`: what an interface advertises as a router.

use std::net::{IpAddr, Ipv6Addr};

use vnet::{
    command::{ApiError, Error, flag, group, keyword, positional, value},
    interface::SwIfIndex,
    plugin::{Command, CommandCx},
    runtime::Main,
};

use super::{
    Advertiser,
    config::{INFINITE, INITIAL, INITIAL_INTERVAL, MAX_PREFIXES, Prefix, Router, default_min},
};

/// RFC 4861, section 6.2.1.
pub(super) const MAX_LIFETIME: u32 = 9000;
pub(super) const MAX_MAX_INTERVAL: u32 = 1800;

vnet::args! {
    pub(super) struct Initial {
        pub(super) count: u32 = positional(value::number(1..=INITIAL)),
        pub(super) interval: u32 = positional(value::number(1..=INITIAL_INTERVAL)),
    }
}

vnet::args! {
    pub(super) struct Interval {
        pub(super) max: u32 = positional(value::number(4..=MAX_MAX_INTERVAL)),
        pub(super) min: Option<u32> = positional(value::number(3..=default_min(MAX_MAX_INTERVAL))).optional(),
    }
}

vnet::args! {
    pub(super) struct PrefixArgs {
        pub(super) prefix: value::IpWithLength = positional(value::prefix()),
        pub(super) valid: Option<u32> = positional(value::id("valid-seconds")).optional(),
        pub(super) preferred: Option<u32> = positional(value::id("preferred-seconds")).optional(),
        pub(super) infinite: bool = flag("infinite").help("it is valid and preferred for ever"),
        pub(super) _default: bool = flag("default").help("valid for 30 days, preferred for 7"),
        pub(super) no_advertise: bool = flag("no-advertise").help("it is kept and not advertised"),
        pub(super) off_link: bool = flag("off-link").help("hosts with it are not all on the link"),
        pub(super) no_autoconfig: bool = flag("no-autoconfig").help("hosts do not make themselves addresses of it"),
        pub(super) no_onlink: bool = flag("no-onlink").help("as off-link"),
    }
}

vnet::args! {
    pub(super) struct Nd {
        pub(super) interface: SwIfIndex = positional(value::interface()),
        pub(super) no: bool = flag("no").help("back to what it is without this command"),
        pub(super) managed: bool = flag("ra-managed-config-flag").help("addresses are to be had by DHCPv6"),
        pub(super) other: bool = flag("ra-other-config-flag").help("other settings are to be had by DHCPv6"),
        pub(super) suppress: bool = flag("ra-suppress").help("nothing is sent"),
        pub(super) suppress_link: bool = flag("ra-suppress-link-layer").help("without the MAC address"),
        pub(super) unicast: bool = flag("ra-send-unicast").help("who asks is answered alone"),
        pub(super) lifetime: Option<u32> = keyword("ra-lifetime", value::number(0..=MAX_LIFETIME)).optional()
            .help("seconds for which this is a default router"),
        pub(super) initial: Option<Initial> = group("ra-initial").optional()
            .help("how many follow each other at the beginning, and in which time"),
        pub(super) interval: Option<Interval> = group("ra-interval").optional()
            .help("longest and shortest time between two"),
        pub(super) cease: bool = flag("ra-cease").help("hosts are told that this is no router, and then nothing"),
        pub(super) prefix: Option<PrefixArgs> = group("prefix").optional(),
    }
}

/// The commands.
pub(super) fn commands(advertiser: &Advertiser) -> Vec<Command> {
    let advertiser = advertiser.clone();
    vec![
        Command::sync(
            "ip6 nd",
            "Set what an interface advertises as an IPv6 router.",
            move |cx: CommandCx, args: Nd| cx.with(|main| advertiser.set(main, &args)),
        )
        .details("Nothing is advertised before the first of these commands."),
    ]
}

fn invalid(text: String) -> Error {
    Error::failed(ApiError::InvalidValue, text)
}

impl Advertiser {
    pub(super) fn set(&self, main: &mut Main, args: &Nd) -> Result<(), Error> {
        let interface = args.interface;
        let name = main.interface_name(interface);
        let link_local = main.interfaces().interface(interface).and_then(|i| i.link_local);
        if link_local.is_none() {
            let text = format!("IPv6 is not enabled on {name}: `enable ip6 interface {name}'");
            return Err(Error::failed(ApiError::Ip6NotEnabled, text));
        }
        let mut new = self.router(interface);
        match &args.prefix {
            Some(prefix) => set_prefix(&mut new, prefix, args.no)?,
            None => set_router(&mut new, args)?,
        }
        new.restart(main.clock().now());
        self.0.routers.borrow_mut().insert(interface, new);
        self.0.era.begin();
        self.0.bell.ring();
        Ok(())
    }
}

fn set_router(router: &mut Router, args: &Nd) -> Result<(), Error> {
    router.sends = true;
    let on = !args.no;
    if let Some(Interval { max, min }) = &args.interval {
        (router.max_interval, router.min_interval) =
            (*max, min.unwrap_or(default_min(*max).max(3)));
        if args.no {
            router.reset_intervals();
        }
    }
    if let Some(lifetime) = args.lifetime {
        router.lifetime = lifetime;
        if args.no {
            router.reset_lifetime();
        }
    }
    if router.min_interval > default_min(router.max_interval) {
        return Err(invalid(format!(
            "ra-interval: the shortest, {}, is more than three quarters of the longest, {}",
            router.min_interval, router.max_interval
        )));
    }
    if router.lifetime != 0 && router.lifetime <= router.max_interval {
        return Err(invalid(format!(
            "ra-lifetime {} must be 0 or more than the longest ra-interval, {}",
            router.lifetime, router.max_interval
        )));
    }
    if let Some(Initial { count, interval }) = &args.initial {
        (router.initial, router.initial_interval) = match args.no {
            true => (INITIAL, INITIAL_INTERVAL),
            false => (*count, *interval),
        };
    }
    let set = |given: bool, value: &mut bool, to: bool| {
        if given {
            *value = to;
        }
    };
    set(args.managed, &mut router.managed, on);
    set(args.other, &mut router.other, on);
    set(args.suppress_link, &mut router.link_option, !on);
    set(args.unicast, &mut router.unicast, on);
    set(args.cease, &mut router.ceasing, on);
    set(args.suppress, &mut router.sends, !on);
    Ok(())
}

fn set_prefix(router: &mut Router, args: &PrefixArgs, no: bool) -> Result<(), Error> {
    let IpAddr::V6(address) = args.prefix.address else {
        return Err(invalid(format!("prefix {} is not IPv6", args.prefix.address)));
    };
    let key: (Ipv6Addr, u8) = (address, args.prefix.length);
    if no {
        let gone = router.prefixes.remove(&key);
        return gone.map(|_| ()).ok_or_else(|| invalid(format!("no prefix {address}/{}", key.1)));
    }
    if router.prefixes.len() >= MAX_PREFIXES && !router.prefixes.contains_key(&key) {
        return Err(invalid(format!("an interface advertises {MAX_PREFIXES} prefixes at most")));
    }
    let mut prefix = Prefix::DEFAULT;
    match (args.valid, args.preferred, args.infinite) {
        (None, None, false) => {}
        (None, None, true) => (prefix.valid, prefix.preferred) = (INFINITE, INFINITE),
        (Some(valid), Some(preferred), false) if preferred <= valid => {
            (prefix.valid, prefix.preferred) = (valid, preferred);
        }
        (Some(valid), Some(preferred), false) => {
            let text = format!("preferred for {preferred} seconds, longer than valid, {valid}");
            return Err(invalid(text));
        }
        _ => {
            let text = "prefix: two lifetimes, `infinite', or neither".to_owned();
            return Err(invalid(text));
        }
    }
    prefix.advertise = !args.no_advertise;
    prefix.on_link = !(args.off_link || args.no_onlink);
    prefix.autoconfig = !args.no_autoconfig;
    router.prefixes.insert(key, prefix);
    Ok(())
}
