//! What can change while packets are measured: `flowprobe interface set` and `flowprobe timers`.
//!
//! VPP's `flowprobe params` and `flowprobe feature add-del` change nothing under an interface that is measured, and do so here,
//! too. What changes here first ends the flows that it concerns, so that no record is of two settings.

use vnet::{
    command::{
        choice, keyword, positional,
        value::{self, Value},
    },
    flow::{Direction, Scope},
    interface::SwIfIndex,
    plugin::{Command, CommandCx, Registrar},
    runtime::Main,
};

use crate::{Directions, FlowProbe, ParamsRequest, ProbeError, Variant};

impl FlowProbe {
    /// Measures an interface that is measured already in these directions instead.
    ///
    /// # Errors
    /// [`ProbeError::NotEnabled`], [`ProbeError::SubInterface`], and [`ProbeError::Feature`].
    pub fn set_directions(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        variant: Variant,
        directions: Directions,
    ) -> Result<(), ProbeError> {
        let before = self.directions(interface, variant).ok_or(ProbeError::NotEnabled(variant))?;
        let known = main.interfaces().interface(interface).ok_or(ProbeError::NoSuchInterface)?;
        if variant == Variant::L2 && directions != Directions::Tx && known.sub().is_some() {
            return Err(ProbeError::SubInterface);
        }
        let has = |of: Directions, direction: &Direction| of.each().contains(direction);
        for &direction in directions.each().iter().filter(|direction| !has(before, direction)) {
            switch(main, interface, variant, direction, true)?;
        }
        for &direction in before.each().iter().filter(|direction| !has(directions, direction)) {
            switch(main, interface, variant, direction, false)?;
        }
        self.flush_variant(main, variant, Scope::Interface(interface));
        self.set_enabled(interface, variant, directions);
        self.refresh_sampling(main);
        Ok(())
    }

    /// Ends flows after these times from now on; `None` leaves one as it is.
    ///
    /// # Errors
    /// [`ProbeError::Timers`].
    pub fn set_timers(
        &self,
        main: &mut Main,
        active: Option<u32>,
        passive: Option<u32>,
    ) -> Result<(), ProbeError> {
        let now = self.params();
        let request = ParamsRequest {
            record: now.record,
            active: active.or(Some(now.active)),
            passive: passive.or(Some(now.passive)),
            profile: Some(now.profile),
        };
        let params = request.check(now.profile)?;
        self.flush(main);
        for variant in Variant::ALL {
            main.for_each_local(self.point(variant), |place| {
                if let Some(point) = place {
                    point.meter.set_timers(params.active(), params.passive());
                }
            });
        }
        self.keep_timers(params.active, params.passive);
        Ok(())
    }
}

fn switch(
    main: &mut Main,
    interface: SwIfIndex,
    variant: Variant,
    direction: Direction,
    on: bool,
) -> Result<(), ProbeError> {
    for arc in variant.arcs(direction) {
        main.switch_feature(arc, variant.node(direction), interface, on)?;
    }
    Ok(())
}

vnet::args! {
    struct Interface {
        interface: SwIfIndex = positional(value::interface()),
        variant: Variant = choice([("ip4", Variant::Ip4), ("ip6", Variant::Ip6), ("l2", Variant::L2)])
            .or(Variant::Ip4),
        directions: Directions = choice([
            ("rx", Directions::Rx),
            ("tx", Directions::Tx),
            ("both", Directions::Both),
        ]),
    }
}

vnet::args! {
    struct Timers {
        active: Option<u32> = keyword("active", value::id("seconds")).optional()
            .help("between records of a live flow; 0: a record a packet"),
        passive: Option<u32> = keyword("passive", value::id("seconds")).optional()
            .help("without packets until a flow ends; 0: it does not"),
    }
}

vnet::args! {
    struct Cache {
        octets: u64 = keyword("size", size())
            .help("of the tables of a variant on a thread, such as 256M; at least 64 flows are held"),
    }
}

/// Octets, with K, M or G for powers of 1024.
fn size() -> Value<u64> {
    Value::simple(
        "size",
        "a size of memory in octets (such as 256M; K, M and G are powers of 1024)",
        |word| {
            let unit = ["K", "M", "G"].iter().position(|unit| word.ends_with(unit));
            let digits = if unit.is_some() { &word[..word.len() - 1] } else { word };
            let shift = unit.map_or(0, |unit| 10 * (unit as u32 + 1));
            digits
                .parse::<u64>()
                .ok()
                .filter(|n| *n > 0 && *n <= u64::MAX >> shift)
                .map(|n| n << shift)
        },
    )
}

pub(crate) fn register(r: &mut Registrar, probe: &FlowProbe) {
    let of = probe.clone();
    let interface = move |cx: CommandCx, args: Interface| {
        cx.with(|main| of.set_directions(main, args.interface, args.variant, args.directions))
    };
    let help = "Measure an interface in other directions.";
    r.command(
        Command::sync("flowprobe interface set", help, interface)
            .details("While it is measured: its flows end first. Without a variant: ip4."),
    );
    let of = probe.clone();
    let cache = move |_: CommandCx, args: Cache| of.set_cache(args.octets);
    let help = "Say how much memory flow tables take.";
    r.command(Command::sync("flowprobe cache", help, cache).details(
        "Only while no interface is measured; `show flowprobe statistics' tells how many flows that is.",
    ));
    let of = probe.clone();
    let timers = move |cx: CommandCx, args: Timers| {
        cx.with(|main| of.set_timers(main, args.active, args.passive))
    };
    let help = "End flows after other times.";
    r.command(Command::sync("flowprobe timers", help, timers).details(
        "Also while interfaces are measured: all flows end first. What is left out stays as it is.",
    ));
}
