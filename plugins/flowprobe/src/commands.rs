//! `flowprobe params`, `flowprobe feature add-del` and `show flowprobe ...`.

use vnet::{
    command::{Field, choice, flag, group, keyword, positional, value},
    flow::RecordSet,
    interface::SwIfIndex,
    ipfix::profile::Profile,
    plugin::{Command, CommandCx, Registrar},
};

use crate::{Directions, FlowProbe, Layers, ParamsRequest, ProbeError, Variant, show};

vnet::args! {
    pub(crate) struct Record {
        l2: bool = flag("l2").help("MAC addresses, Ethernet type, VLAN"),
        l3: bool = flag("l3").help("IP addresses, protocol"),
        l4: bool = flag("l4").help("ports, TCP flags, ICMP type and code"),
        biflow: bool = flag("biflow")
            .help("both directions of a flow in one record, the initiator's first (RFC 5103); with l3"),
    }
}

const PROFILES: [(&str, Profile); 2] =
    [(Profile::Rfc.word(), Profile::Rfc), (Profile::Vpp.word(), Profile::Vpp)];

vnet::args! {
    struct Params {
        record: Option<Layers> = group::<Record>("record").map(Layers::from).optional(),
        template: Option<String> = keyword("template", value::word("name")).optional()
            .help("of `ipfix template add', in place of record"),
        active: Option<u32> = keyword("active", value::id("seconds")).optional()
            .help("between records of a live flow, 15; 0: a record a packet"),
        passive: Option<u32> = keyword("passive", value::id("seconds")).optional()
            .help("without packets until a flow ends, 120; 0: it does not"),
        profile: Option<Profile> = keyword("profile", value::words(&PROFILES)).optional()
            .help("records as RFC 7011 has them, or as VPP sends them; rfc unless started otherwise"),
        fragments: bool = flag("fragments")
            .help("count later fragments in the flow of the first one of their datagram"),
    }
}

pub(crate) fn variant() -> Field<Variant> {
    choice(Variant::WORDS)
}

pub(crate) fn directions() -> Field<Directions> {
    choice([("rx", Directions::Rx), ("tx", Directions::Tx), ("both", Directions::Both)])
}

vnet::args! {
    struct Feature {
        interface: SwIfIndex = positional(value::interface()),
        variant: Variant = variant().or(Variant::Ip4),
        directions: Option<Directions> = directions().optional(),
        disable: bool = flag("disable").help("in whichever direction it is enabled"),
    }
}

vnet::args! {
    struct Exporter {
        name: String = positional(value::word("name")),
    }
}

vnet::args! {
    struct ShowTable {
        max: u32 = keyword("max", value::id("flows")).or(1000),
    }
}

impl From<Record> for Layers {
    fn from(record: Record) -> Self {
        let mut set = RecordSet::empty();
        set.set(RecordSet::L2, record.l2);
        set.set(RecordSet::L3, record.l3);
        set.set(RecordSet::L4, record.l4);
        Self { set, biflow: record.biflow }
    }
}

pub(crate) fn register(r: &mut Registrar, probe: &FlowProbe) {
    let of = probe.clone();
    let params = move |_: CommandCx, args: Params| {
        let Params { record, template, active, passive, profile, fragments } = args;
        let none = Layers { set: RecordSet::empty(), biflow: false };
        let Layers { set, biflow } = record.unwrap_or(none);
        let request = ParamsRequest { record: set, biflow, active, passive, profile, fragments };
        match template {
            Some(_) if record.is_some() => Err(ProbeError::RecordAndTemplate),
            Some(name) => of.set_template(request, &name),
            None => of.set_params(request),
        }
    };
    r.command(
        Command::sync("flowprobe params", "Say what is recorded of flows, and when.", params)
            .details("Only while no interface is measured. What is left out has its default."),
    );
    let of = probe.clone();
    r.command(
        Command::sync(
            "flowprobe exporter",
            "Say by which exporter records are sent.",
            move |_: CommandCx, args: Exporter| of.set_exporter(&args.name),
        )
        .details("Only while no interface is measured. Without this command it is exporter 0."),
    );
    let of = probe.clone();
    let feature = move |cx: CommandCx, args: Feature| {
        cx.with(|main| {
            let Feature { interface, variant, directions, disable } = args;
            if disable {
                return of.disable(main, interface, variant);
            }
            let directions = match (variant, directions) {
                (Variant::Drop, Some(_)) => return Err(ProbeError::NoDirection),
                (Variant::Drop, None) => Directions::Rx,
                (_, directions) => directions.unwrap_or(Directions::Tx),
            };
            of.enable(main, interface, variant, directions)
        })
    };
    let help = "Measure the flows of an interface, or do so no more.";
    r.command(Command::sync("flowprobe feature add-del", help, feature).details(
        "ip4 and ip6 measure routed packets, l2 measures frames, drop measures what is dropped of the packets that it received; all \
         four can be enabled at once. Without further words: ip4 tx.",
    ));
    show(r, probe);
}

fn show(r: &mut Registrar, probe: &FlowProbe) {
    let of = probe.clone();
    r.command(Command::sync(
        "show flowprobe feature",
        "List the interfaces whose flows are measured.",
        move |cx: CommandCx, (): ()| cx.with(|main| show::features(&of, main)),
    ));
    let of = probe.clone();
    r.command(Command::sync(
        "show flowprobe params",
        "Show what is recorded of flows, and when.",
        move |cx: CommandCx, (): ()| cx.with(|main| show::params(&of, main)),
    ));
    let of = probe.clone();
    r.command(Command::sync(
        "show flowprobe table",
        "List the flows that are held.",
        move |cx: CommandCx, args: ShowTable| {
            cx.with(|main| show::table(&of, main, args.max as usize))
        },
    ));
    let of = probe.clone();
    r.command(Command::sync(
        "show flowprobe statistics",
        "Show how full the flow tables are and what became of packets and records.",
        move |cx: CommandCx, (): ()| cx.with(|main| show::statistics(&of, main)),
    ));
}
