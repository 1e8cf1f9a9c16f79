//! What access lists cost, packet generator to packet generator: clocks a packet of IPv4 forwarding, summed over all nodes.
//!
//! usage: `acl [SECONDS [RULES MASKS]]`, as in `acl 2 1000 4`
//!
//! Rules compare different bits, in as many ways as there are masks, and the rules of all masks are mixed. Rules about *hosts* have another
//! source address each, and packets match them in turn; or packets come from a thousand of these hosts, whose rules are all over the list,
//! so that lists of different lengths have the same work. Rules about *networks* are of random ones of all lengths, which overlap, and
//! packets come from random addresses in them: the last rule permits those that no other one does. Other programs share the machine: the
//! figures are those of many short windows.

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
/// And the last one of random ones.
const LAST: u32 = SOURCE + (1 << 22) - 1;

/// What rules are about.
#[derive(Clone, Copy, PartialEq)]
enum About {
    Hosts,
    /// A thousand of which send.
    SomeHosts,
    Networks,
}

impl About {
    const ALL: [Self; 3] = [Self::Hosts, Self::SomeHosts, Self::Networks];

    const fn name(self) -> &'static str {
        match self {
            Self::Hosts => "hosts",
            Self::SomeHosts => "hosts, a thousand of which send",
            Self::Networks => "networks",
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let seconds = args.next().map_or(Ok(1), |n| n.parse::<u64>())?;
    let rules = args.next().map(|n| n.parse::<u32>()).transpose()?;
    let masks = args.next().map_or(Ok(4), |n| n.parse::<u32>())?;
    println!("ip4 forwarding of 64-byte packets, clocks a packet: median and 10th percentile");
    println!("no list, 1000 sources");
    clocks_by_node(&engine(About::Hosts, 1_000)?, seconds, |_| true);
    if let Some(rules) = rules {
        for about in About::ALL {
            measure(about, rules, masks, "permit", seconds, true)?;
        }
        return Ok(());
    }
    measure(About::Hosts, 1_000, 4, "permit", seconds, true)?;
    measure(About::Hosts, 1_000, 4, "permit+reflect", seconds, true)?;
    measure(About::Hosts, 100_000, 4, "permit+reflect", seconds, true)?;
    for about in About::ALL {
        for masks in [1, 4, 16, 64] {
            for rules in [100, 1_000, 10_000, 100_000] {
                measure(about, rules, masks, "permit", seconds, false)?;
            }
        }
    }
    Ok(())
}

/// A router whose pg0 receives packets of so many sources in turn, or of random ones.
fn engine(about: About, sources: u32) -> Result<Engine, Box<dyn Error>> {
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
    let to = match about {
        About::Hosts => format!("- {}", Ipv4Addr::from(SOURCE + sources - 1)),
        About::SomeHosts => format!("- {}", Ipv4Addr::from(SOURCE + sources.min(1_000) - 1)),
        About::Networks => format!("+ {}", Ipv4Addr::from(LAST)),
    };
    let spec = StreamSpec::parse(&format!(
        "name s limit 0 size 60-60 interface pg0 node ethernet-input data {{ \
         IP4: 02:00:00:00:00:01 -> 02:fe:00:00:00:00 \
         UDP: {} {to} -> 20.0.0.1 UDP: 1024 -> 5001 incrementing 18 }}",
        Ipv4Addr::from(SOURCE),
    ))?;
    let generator: pg::Generator = engine.provided().ok_or("no packet generator")?;
    engine.with(|main| generator.new_stream(main, spec))?;
    engine.command("packet-generator enable-stream s")?;
    Ok(engine)
}

/// Rule `n` of a list that compares bits in `masks` ways.
fn rule(about: About, n: u32, rules: u32, masks: u32, verdict: &str) -> String {
    let mask = n % masks;
    let ports = ["", " sport 1024", " dport 5001", " sport 1024 dport 5001"][mask as usize % 4];
    match about {
        About::Hosts | About::SomeHosts => {
            // A prime: neighbours' rules lie far from each other.
            let far = (u64::from(n) * 7_919 % u64::from(rules)) as u32;
            let host = if about == About::Hosts { n } else { far };
            let (source, length) = (Ipv4Addr::from(SOURCE + host), 8 + mask / 4);
            format!("{verdict} src {source}/32 dst 20.0.0.0/{length} proto 17{ports}")
        }
        About::Networks => {
            let length = 24 - mask / 4;
            // Knuth's multiplicative hash: no two of a list are the same.
            let random = SOURCE | n.wrapping_mul(2_654_435_761) >> 10;
            let network = Ipv4Addr::from(random & u32::MAX << (32 - length));
            format!("{verdict} src {network}/{length} dst 20.0.0.0/8 proto 17{ports}")
        }
    }
}

fn measure(
    about: About,
    rules: u32,
    masks: u32,
    verdict: &str,
    seconds: u64,
    each: bool,
) -> Result<(), Box<dyn Error>> {
    let engine = engine(about, rules)?;
    let lists: Acl = engine.provided().ok_or("no access lists")?;
    let mut text: Vec<String> = (0..rules).map(|n| rule(about, n, rules, masks, verdict)).collect();
    if about == About::Networks {
        text.push(verdict.to_owned());
    }
    let Request { rules: parsed, .. } = Request::parse(&text.join(", "))?;
    let start = Instant::now();
    let interface = engine.with(|main| main.interfaces().find("pg0"))?;
    engine.with(|main| {
        let index = lists.put_list(main, None, "bench", parsed)?;
        lists.apply(main, interface, Direction::Input, index)
    })?;
    let built = start.elapsed();
    let what = about.name();
    println!("{verdict}: {rules} rules about {what}; {masks} masks; compiled in {built:.1?}");
    // Sessions of all sources, before anything is measured.
    (0..rules.div_ceil(256) + 16).for_each(|_| {
        engine.poll();
    });
    clocks_by_node(&engine, seconds, |node| each || node.starts_with("acl-plugin"));
    Ok(())
}
