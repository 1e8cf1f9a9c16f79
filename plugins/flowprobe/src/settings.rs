//! What can change while packets are measured: `flowprobe interface set` and `flowprobe timers`.
//!
//! VPP's `flowprobe params` and `flowprobe feature add-del` change nothing under an interface that is measured, and do so here,
//! too. What changes here first ends the flows that it concerns, so that no record is of two settings.

use vnet::{
    command::{
        Field, choice, group, keyword, one_of, positional,
        value::{self, Value},
    },
    flow::{Direction, Scope},
    interface::SwIfIndex,
    plugin::{Command, CommandCx, Registrar},
    runtime::Main,
};

use crate::{
    Directions, FlowProbe, OwnRecord, OwnRequest, ProbeError, Variant,
    commands::{Record, directions, variant},
    probe::{Measured, check_directions},
};

impl FlowProbe {
    /// Measures an interface that is measured already in these directions instead.
    ///
    /// # Errors
    /// [`ProbeError::NotEnabled`], [`ProbeError::SubInterface`], [`ProbeError::NoDirection`], [`ProbeError::Field`], and
    /// [`ProbeError::Feature`].
    pub fn set_directions(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        variant: Variant,
        directions: Directions,
    ) -> Result<(), ProbeError> {
        let before = self.can_set_directions(main, interface, variant, directions)?;
        self.look().configured.setting(interface, variant).check_fields(variant, directions)?;
        let has = |of: Directions, direction: &Direction| of.each().contains(direction);
        for &direction in
            directions.each().iter().filter(|direction| !has(before.directions, direction))
        {
            switch(main, interface, variant, direction, true)?;
        }
        for &direction in
            before.directions.each().iter().filter(|direction| !has(directions, direction))
        {
            switch(main, interface, variant, direction, false)?;
        }
        self.flush_variant(main, variant, Scope::Interface(interface));
        self.set_measured(interface, variant, Measured { directions, ..before });
        self.refresh_sampling(main);
        Ok(())
    }

    fn can_set_directions(
        &self,
        main: &Main,
        interface: SwIfIndex,
        variant: Variant,
        directions: Directions,
    ) -> Result<Measured, ProbeError> {
        if variant == Variant::Drop {
            return Err(ProbeError::NoDirection);
        }
        let before = self.measured(interface, variant).ok_or(ProbeError::NotEnabled(variant))?;
        check_directions(main, interface, variant, directions)?;
        Ok(before)
    }

    /// One line: all of it, or nothing.
    fn set_interface(&self, main: &mut Main, args: Interface) -> Result<(), ProbeError> {
        let Interface { interface, variant, directions, record, active, passive } = args;
        let request = OwnRequest { record: record.unwrap_or_default(), active, passive };
        let is_own = request != OwnRequest::default();
        if directions.is_none() && !is_own {
            return Err(ProbeError::NoChange);
        }
        let one = variant.unwrap_or(Variant::Ip4);
        if let Some(directions) = directions {
            self.can_set_directions(main, interface, one, directions)?;
        }
        if is_own {
            let is_all = variant.is_none() && directions.is_none();
            let variants = if is_all { &Variant::ALL[..] } else { &[one] };
            let configured = self.with_own(main, interface, variants, request)?;
            let turned = directions.map(|directions| (interface, one, directions));
            self.follow(main, configured, turned)?;
        }
        directions.map_or(Ok(()), |to| self.set_directions(main, interface, one, to))
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
        variant: Option<Variant> = variant().optional(),
        directions: Option<Directions> = directions().optional(),
        record: Option<OwnRecord> = record().optional(),
        active: Option<u32> = keyword("active", value::id("seconds")).optional()
            .help("between records of a live flow; 0: a record a packet"),
        passive: Option<u32> = keyword("passive", value::id("seconds")).optional()
            .help("without packets until a flow ends; 0: it does not"),
    }
}

/// What is recorded of an interface.
fn record() -> Field<OwnRecord> {
    one_of([
        group::<Record>("record")
            .map(|layers| OwnRecord::Layers(layers.into()))
            .help("what is recorded of this interface"),
        keyword("template", value::word("name"))
            .map(OwnRecord::Template)
            .help("of `ipfix template add', in place of record"),
        choice([("default", OwnRecord::Default)])
            .help("what is recorded of all interfaces, after their times"),
    ])
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
            .help("of the tables of a variant on a thread, such as 256M, for each setting; at least 64 flows are held"),
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
    let interface =
        move |cx: CommandCx, args: Interface| cx.with(|main| of.set_interface(main, args));
    let help = "Measure an interface in other directions, or with a setting of its own.";
    r.command(Command::sync("flowprobe interface set", help, interface).details(
        "Directions change while it is measured. What is recorded and the times can be set before, too; they hold for the \
         interface in place of those of `flowprobe params'. Its flows end first. Without a variant: of directions ip4, of \
         all else each variant. Interfaces with the same setting share flow tables and templates; a variant can have 16 \
         settings at a time.",
    ));
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
        "Also while interfaces are measured: their flows end first. What is left out stays as it is. Interfaces with times of \
         their own keep those.",
    ));
}
