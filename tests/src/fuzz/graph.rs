//! The whole graph: the packets of a capture through the built-in nodes.

use std::{error, io::Cursor, sync::Arc, time::Duration};

use nodes::{
    capture::{self, Captures, Reader},
    interface::loopback,
    pg::{self, Generator, Mode, NewInterface, Offload},
    ping,
};
use vnet::{
    buffer::Buffer,
    fib::{Family, FibIndex, IpPrefix, Path, Source},
    graph::{FeatureSpec, InputMode, Map, NodeSpec, PacketCx, Slot},
    interface::{InterfaceAddress, SwIfIndex, TagMatch, TagType, VlanId, VlanMatch},
    neighbor::NeighborFlags,
    plugin::{Engine, Plugin},
    runtime::{Clock, EngineTime, Main, PacketTime},
    trace::{NoTrace, TraceWanted},
    wire::link::LinkType,
};

/// Few, so that the pool is exhausted now and then.
const BUFFERS: u32 = 64;

/// Packets of each run whose way is recorded and printed.
const TRACED: u32 = 3;

/// Every packet of a capture leaves by an interface, is dropped or is punted, all of it counted, and no buffer is left
/// behind.
///
/// The packets come in on `pg0`; there are routes to `pg1`, to a loopback interface, to this machine, to nowhere.
pub fn graph(data: &[u8]) {
    let Ok(reader) = Reader::from_stream("FILE", Cursor::new(data.to_vec())) else { return };
    LAB.with(|lab| lab.run(reader));
}

thread_local! {
    static LAB: Lab = Lab::new();
}

struct Lab {
    engine: Engine,
    generator: Generator,
    captures: Arc<Captures>,
    rx: SwIfIndex,
}

/// Counts that only grow.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    received: u64,
    /// ICMP errors, which are packets of the engine's own, and fragments beyond one for each packet that was cut.
    made: u64,
    /// Fragments that were put together, beyond one for each datagram.
    merged: u64,
    /// Questions and answers to neighbours that this machine sends of itself.
    originated: u64,
    sent: u64,
    dropped: u64,
    dropped_by_node: u64,
    punted: u64,
}

impl Lab {
    fn new() -> Self {
        let captures = Captures::new();
        let builder = Engine::builder().clock(Clock::virtual_at(PacketTime(0))).buffers(BUFFERS);
        let builder = builder
            .plugin(nodes::plugin())
            .plugin(pg::plugin())
            .plugin(capture::plugin(captures.clone()))
            .plugin(ping::plugin())
            .plugin(entry());
        let engine = builder.build().expect("the plugins fit together");
        let generator = engine.provided().expect("its plugin was registered");
        let rx = engine.with(|main| configure(main, &generator)).expect("the set-up is sound");
        // Each kind of reassembly for one version; what is for this machine is put together in both.
        for line in
            ["set interface reassembly pg0 ip4", "set interface reassembly pg0 ip6 shallow-virtual"]
        {
            engine.command(line).expect("the interface is there");
        }
        Self { engine, generator, captures, rx }
    }

    fn run(&self, reader: Reader) {
        let before = self.counts();
        self.engine.with(|main| {
            let input = main.graph().find("pcap-input").expect("the plugin registers it");
            main.clear_trace();
            main.trace_add(TraceWanted {
                node: input,
                packets: TRACED,
                filter: false,
                verbose: false,
            });
        });
        self.captures.push(reader, self.rx);
        self.engine.run_until_idle();
        assert!(self.captures.is_done(), "the capture does not end");
        // What waits for a MAC address waits in vain.
        self.engine.advance(Duration::from_secs(10));
        assert!(self.captures.take_errors().len() <= 1);
        let after = self.counts();
        let grown = |of: fn(&Counts) -> u64| of(&after) - of(&before);
        let left = grown(|c| c.sent) + grown(|c| c.dropped) + grown(|c| c.punted);
        let ended = left + grown(|c| c.merged);
        let came = grown(|c| c.received) + grown(|c| c.made) + grown(|c| c.originated);
        assert_eq!(came, ended, "{before:?} {after:?}");
        assert_eq!(grown(|c| c.dropped), grown(|c| c.dropped_by_node), "{before:?} {after:?}");
        self.engine.with(|main| {
            #[cfg(debug_assertions)]
            assert_eq!(main.pool().owned(), 0, "buffers are left");
            let unexplained = main.errors().rows().filter(|row| row.node == "error-drop");
            assert_eq!(
                unexplained.map(|row| row.count).sum::<u64>(),
                0,
                "dropped without a reason"
            );
            let text = main.show_trace(TRACED as usize);
            let packets = grown(|c| c.received).min(TRACED.into());
            assert_eq!(text.contains(&format!("Packet {packets}\n")), packets > 0, "{text}");
        });
    }

    fn counts(&self) -> Counts {
        let sent = |name| self.generator.sent(name).expect("the interface is there").packets;
        self.engine.with(|main| {
            let counters = main.interface_counters();
            // What a sub-interface drops counts on the interface above it, too.
            let interfaces: Vec<_> =
                main.interfaces().hardware_interfaces().map(|hw| hw.sw_if_index.0).collect();
            let error_drop = main.graph().find("error-drop").expect("every engine has it");
            let told = main.errors().rows().filter(|row| {
                row.node.ends_with("icmp-error") && row.reason.name.ends_with("-sent")
            });
            let of = |reason| {
                let rows = main.errors().rows().filter(|row| row.reason.name == reason);
                rows.map(|row| row.count).sum::<u64>()
            };
            let fragments = of("fragment-sent") - of("fragmented");
            let own = main.errors().rows();
            let own = own.filter(|row| ["request-sent", "originated"].contains(&&*row.reason.name));
            Counts {
                made: told.map(|row| row.count).sum::<u64>() + fragments,
                merged: of("reass-fragments-reassembled") - of("reass-success"),
                originated: own.map(|row| row.count).sum(),
                received: self.captures.progress().packets,
                sent: sent("pg0") + sent("pg1"),
                dropped: interfaces.iter().map(|&i| counters.drops.sum(i)).sum(),
                dropped_by_node: main.worker().stats(error_drop).vectors,
                punted: interfaces.iter().map(|&i| counters.punt.sum(i)).sum(),
            }
        })
    }
}

/// Interfaces, addresses, neighbours and routes; the interface on which captures come in.
fn configure(main: &mut Main, generator: &Generator) -> Result<SwIfIndex, Box<dyn error::Error>> {
    let new =
        |number| NewInterface { number, mac: None, mode: Mode::Ethernet, offload: Offload::None };
    let pg0 = generator.create_interface(main, new(0))?;
    let pg1 = generator.create_interface(main, new(1))?;
    let loop0 = loopback::create(main, None, None)?;
    let sub = main.change_interfaces(|table| -> Result<SwIfIndex, Box<dyn error::Error>> {
        let tagged = table.create_sub(pg0, 1, TagMatch::exact_dot1q(VlanId::new(100)?))?;
        let outer = VlanMatch::Any;
        let (outer_type, inner) = (TagType::Dot1ad, Some(VlanMatch::Any));
        let tags = TagMatch::Tagged { outer_type, outer, inner, exact: true };
        let stacked = table.create_sub(pg0, 2, tags)?;
        let addresses = [
            (pg0, "192.0.2.1", 24, "2001:db8::1"),
            (pg1, "198.51.100.1", 24, "2001:db8:1::1"),
            (loop0, "203.0.113.1", 24, "2001:db8:2::1"),
            (tagged, "192.168.1.1", 24, "2001:db8:3::1"),
        ];
        for (interface, ip4, length, ip6) in addresses {
            table.set_admin(interface, true)?;
            table.add_address(interface, InterfaceAddress::new(ip4.parse()?, length)?)?;
            table.add_address(interface, InterfaceAddress::new(ip6.parse()?, 64)?)?;
        }
        table.set_admin(stacked, true)?;
        Ok(tagged)
    })?;
    debug_assert_ne!(sub, pg0);
    let peers = [
        (pg1, "198.51.100.2", "2001:db8:1::2", [2, 0, 0, 0, 0, 9]),
        // What is sent to the loopback interface's own address comes back in and is routed again.
        (loop0, "203.0.113.2", "2001:db8:2::2", [0xde, 0xad, 0, 0, 0, 0]),
    ];
    let forwarding = main.forwarding_mut();
    for (interface, ip4, ip6, mac) in peers {
        for hop in [ip4.parse()?, ip6.parse()?] {
            let (flags, now) = (NeighborFlags::STATIC, EngineTime(0));
            forwarding.set_neighbor(interface, hop, mac, flags, now)?;
        }
    }
    let [(_, out4, out6, _), (_, back4, back6, _)] = peers;
    let via = |hop: &str, interface| -> Result<Path, Box<dyn error::Error>> {
        Ok(Path::via(hop.parse()?, interface))
    };
    let routes: [(IpPrefix, Vec<Path>); 9] = [
        (IpPrefix::default_route(Family::Ip4), vec![via(out4, pg1)?]),
        (IpPrefix::default_route(Family::Ip6), vec![via(out6, pg1)?]),
        ("10.0.0.0/8".parse()?, vec![via(back4, loop0)?]),
        ("fc00::/7".parse()?, vec![via(back6, loop0)?]),
        ("172.16.0.0/12".parse()?, vec![via(out4, pg1)?, via(back4, loop0)?, Path::DROP]),
        ("10.1.0.0/16".parse()?, vec![Path::DROP]),
        ("10.2.0.0/16".parse()?, vec![Path::PUNT]),
        ("2001:db8:ffff::/48".parse()?, vec![Path::PUNT]),
        ("10.3.0.0/16".parse()?, vec![Path::recursive("10.9.9.9".parse()?, FibIndex::DEFAULT)]),
    ];
    for (prefix, paths) in routes {
        forwarding.set_route(FibIndex::DEFAULT, prefix, Source::Cli, &paths)?;
    }
    main.enable_feature("device-input", ENTRY, pg0, 0)?;
    let input = main.graph().find("pcap-input").ok_or("no pcap-input")?;
    main.set_input_mode(input, InputMode::Polling);
    Ok(pg0)
}

const ENTRY: &str = "fuzz-entry";

/// Captures end in a sink unless a feature is on; this one lets Ethernet frames pass to `ethernet-input` and sends what
/// begins with an IP header to the node for that.
fn entry() -> Plugin {
    let plugin = Plugin::new("fuzz", "1", "Routes captures", |r| {
        r.node(NodeSpec::map(ENTRY, |_| Entry));
        r.feature(FeatureSpec::new("device-input", ENTRY).before("sink"));
        Ok(())
    });
    plugin.load_after("nodes")
}

vnet::next_nodes! {
    enum Next { Ip4 => "ip4-input", Ip6 => "ip6-input", Drop => "error-drop" }
}

vnet::node_errors! {
    enum Error { OtherLink => ("other-link", "neither Ethernet nor IP", Error) }
}

struct Entry;

impl Map for Entry {
    type Error = Error;
    type Next = Next;
    type Trace = NoTrace;

    fn map(&mut self, cx: &mut PacketCx<'_, Next, Error>, buffer: &mut Buffer) -> Slot<Next> {
        match LinkType::from_number(buffer.link_type) {
            Some(LinkType::Ethernet) => cx.next_feature(buffer),
            // One half as what they are not, if need be: the nodes look for themselves.
            Some(LinkType::Raw) if buffer.current().first().is_some_and(|b| b >> 4 >= 6) => {
                Next::Ip6.into()
            }
            Some(LinkType::Raw) => Next::Ip4.into(),
            _ => {
                cx.error(buffer, Error::OtherLink);
                Next::Drop.into()
            }
        }
    }

    fn trace(&self, _: &Buffer) -> NoTrace {
        NoTrace
    }
}
