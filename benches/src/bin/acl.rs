//! What access lists cost, packet generator to packet generator: clocks a packet of IPv4 forwarding, summed over all nodes.
//!
//! usage: `acl [SECONDS [RULES MASKS]]`, as in `acl 2 1000 4`
//!
//! Each rule is about another source address; rules compare different bits, in as many ways as there are masks, and the rules of all
//! masks are mixed. Packets match all rules in turn, so that every mask is asked about every packet, but for the first few. Other
//! programs share the machine: the figures are those of many short windows.

use std::{env, error::Error, net::Ipv4Addr, time::Instant};

use acl::{Acl, Direction, Request};
use nodes::pg::{self, StreamSpec};
use peloton_benches::clocks_by_node;
use vnet::{
    plugin::Engine,
    runtime::{Clock, PacketTime},
};

/// The first source address.
const SOURCE: u32 = 10 << 24;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let seconds = args.next().map_or(Ok(1), |n| n.parse::<u64>())?;
    let rules = args.next().map(|n| n.parse::<u32>()).transpose()?;
    let masks = args.next().map_or(Ok(4), |n| n.parse::<u32>())?;
    println!("ip4 forwarding of 64-byte packets, clocks a packet: median and 10th percentile");
    println!("no list, 1000 sources");
    clocks_by_node(&engine(1_000)?, seconds, |_| true);
    if let Some(rules) = rules {
        return measure(rules, masks, "permit", seconds, true);
    }
    measure(1_000, 4, "permit", seconds, true)?;
    measure(1_000, 4, "permit+reflect", seconds, true)?;
    measure(100_000, 4, "permit+reflect", seconds, true)?;
    for masks in [1, 4, 16, 64] {
        for rules in [100, 1_000, 10_000, 100_000] {
            measure(rules, masks, "permit", seconds, false)?;
        }
    }
    Ok(())
}

/// A router whose pg0 receives packets of so many sources in turn.
fn engine(sources: u32) -> Result<Engine, Box<dyn Error>> {
    let clock = Clock::virtual_at(PacketTime(0));
    let builder = Engine::builder().clock(clock).plugin(nodes::plugin()).plugin(pg::plugin());
    let engine = builder.plugin(acl::plugin()).build()?;
    for n in 0..2 {
        engine.command(&format!("create packet-generator interface pg{n}"))?;
        engine.command(&format!("set interface state pg{n} up"))?;
        engine.command(&format!("set interface ip address pg{n} 192.168.{n}.1/24"))?;
    }
    engine.command("set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09 static")?;
    engine.command("ip route add 20.0.0.0/8 via 192.168.1.2 pg1")?;
    let last = Ipv4Addr::from(SOURCE + sources - 1);
    let spec = StreamSpec::parse(&format!(
        "name s limit 0 size 60-60 interface pg0 node ethernet-input data {{ \
         IP4: 02:00:00:00:00:01 -> 02:fe:00:00:00:00 \
         UDP: {} - {last} -> 20.0.0.1 UDP: 1024 -> 5001 incrementing 18 }}",
        Ipv4Addr::from(SOURCE),
    ))?;
    let generator: pg::Generator = engine.provided().ok_or("no packet generator")?;
    engine.with(|main| generator.new_stream(main, spec))?;
    engine.command("packet-generator enable-stream s")?;
    Ok(engine)
}

/// Rule `n` of a list that compares bits in `masks` ways.
fn rule(n: u32, masks: u32, verdict: &str) -> String {
    let mask = n % masks;
    let ports = ["", " sport 1024", " dport 5001", " sport 1024 dport 5001"][mask as usize % 4];
    let (source, length) = (Ipv4Addr::from(SOURCE + n), 8 + mask / 4);
    format!("{verdict} src {source}/32 dst 20.0.0.0/{length} proto 17{ports}")
}

fn measure(
    rules: u32,
    masks: u32,
    verdict: &str,
    seconds: u64,
    each: bool,
) -> Result<(), Box<dyn Error>> {
    let engine = engine(rules)?;
    let lists: Acl = engine.provided().ok_or("no access lists")?;
    let text: Vec<String> = (0..rules).map(|n| rule(n, masks, verdict)).collect();
    let Request { rules: parsed, .. } = Request::parse(&text.join(", "))?;
    let start = Instant::now();
    let interface = engine.with(|main| main.interfaces().find("pg0"))?;
    engine.with(|main| {
        let index = lists.put_list(main, None, "bench", parsed)?;
        lists.apply(main, interface, Direction::Input, index)
    })?;
    let built = start.elapsed();
    println!("{verdict}: {rules} rules, {masks} masks; compiled in {built:.1?}");
    // Sessions of all sources, before anything is measured.
    (0..rules.div_ceil(256) + 16).for_each(|_| {
        engine.poll();
    });
    clocks_by_node(&engine, seconds, |node| each || node.starts_with("acl-plugin"));
    Ok(())
}
