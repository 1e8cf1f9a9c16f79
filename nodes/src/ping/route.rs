//! `traceroute`.

use std::{collections::BTreeMap, fmt::Write, net::IpAddr, time::Duration};

use vnet::{
    command::{Context, Error, keyword, positional, value},
    interface::SwIfIndex,
    plugin::{Command, CommandCx, Registrar},
    runtime::EngineTime,
    wire::icmp::{kind4, kind6},
};

use super::{
    mailbox::{Answer, Mailboxes},
    probe::{MOST, Probe, Way},
};

vnet::args! {
    struct Traceroute {
        destination: IpAddr = positional(value::ip()),
        source: Option<SwIfIndex> = keyword("source", value::interface()).optional()
            .help("from whose address"),
        size: u16 = keyword("size", value::number(0..=MOST)).or(32).help("octets of data, 32"),
        queries: u16 = keyword("queries", value::number(1..=10)).or(3).help("requests a hop, 3"),
        max_hops: u8 = keyword("max-hops", value::number(1..=255)).or(30),
        timeout: Duration = keyword("timeout", value::seconds()).or(Duration::from_secs(1))
            .help("for the answers of a hop, 1"),
        table: u32 = keyword("table-id", value::id("table-id")).or(0),
    }
}

pub(super) fn register(r: &mut Registrar, mailboxes: &Mailboxes) {
    let of = mailboxes.clone();
    let traceroute = move |cx: CommandCx, args: Traceroute| {
        let mailboxes = of.clone();
        async move { run(cx, args, mailboxes).await }
    };
    let about = "Show the routers on the way to an address.";
    r.command(Command::new("traceroute", about, traceroute).details(
        "Sends echo requests that live for one hop, for two, and so on. Behind a time: !N, !H, !X, !F-<mtu>: network or host \
         unreachable, prohibited, too big; * where nobody answered.",
    ));
}

async fn run(cx: CommandCx, args: Traceroute, mailboxes: Mailboxes) -> Result<(), Error> {
    let way = cx.with(|main| Way::find(main, args.destination, args.table, args.source))?;
    let (identifier, mailbox) = cx.with(|main| mailboxes.add(main));
    let (to, hops, size) = (args.destination, args.max_hops, args.size);
    let session = cx.session();
    session.show(&format!("traceroute to {to}, {hops} hops max, {size} octets of data\n"));
    let mut sequence = 0_u16;
    for ttl in 1..=args.max_hops {
        let mut hop = Hop { sent: BTreeMap::new(), answers: BTreeMap::new() };
        for _ in 0..args.queries {
            sequence = sequence.wrapping_add(1);
            let probe = Probe { identifier, sequence, ttl, size };
            cx.with(|main| {
                hop.sent.insert(sequence, main.clock().now());
                way.send(main, probe)
            })?;
        }
        let until = cx.now().after(args.timeout);
        while hop.answers.len() < hop.sent.len() {
            match cx.until(until, mailbox.next()).await {
                // An answer to a hop before is too late.
                Ok(answer) if hop.sent.contains_key(&answer.sequence) => {
                    hop.answers.entry(answer.sequence).or_insert(answer);
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        session.show(&format!("{ttl:>2}  {}\n", hop.text()));
        if hop.is_last() {
            break;
        }
    }
    Ok(())
}

/// What was asked of a hop, and what it answered.
struct Hop {
    sent: BTreeMap<u16, EngineTime>,
    answers: BTreeMap<u16, Answer>,
}

impl Hop {
    /// Whether nobody is behind it.
    fn is_last(&self) -> bool {
        self.answers.values().any(|answer| !is_expired(answer))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut last = None;
        for (sequence, sent) in &self.sent {
            if !text.is_empty() {
                text.push_str("  ");
            }
            let Some(answer) = self.answers.get(sequence) else {
                text.push('*');
                continue;
            };
            // Writing to a string does not fail.
            if last.replace(answer.from) != Some(answer.from) {
                let _ = write!(text, "{}  ", answer.from);
            }
            let time = answer.at.since(*sent).as_secs_f64() * 1e3;
            let _ = write!(text, "{time:.3} ms{}", mark(answer));
        }
        text
    }
}

fn is_expired(answer: &Answer) -> bool {
    match answer.from {
        IpAddr::V4(_) => answer.kind == kind4::TIME_EXCEEDED,
        IpAddr::V6(_) => answer.kind == kind6::TIME_EXCEEDED,
    }
}

/// What stands behind the time of an answer that is neither an echo nor from a router on the way.
fn mark(answer: &Answer) -> String {
    match (answer.from, answer.kind, answer.code) {
        _ if is_expired(answer) => String::new(),
        (IpAddr::V4(_), kind4::ECHO_REPLY, _) | (IpAddr::V6(_), kind6::ECHO_REPLY, _) => {
            String::new()
        }
        (IpAddr::V4(_), kind4::UNREACHABLE, 0) | (IpAddr::V6(_), kind6::UNREACHABLE, 0) => {
            " !N".to_owned()
        }
        (IpAddr::V4(_), kind4::UNREACHABLE, 1) | (IpAddr::V6(_), kind6::UNREACHABLE, 3) => {
            " !H".to_owned()
        }
        (IpAddr::V4(_), kind4::UNREACHABLE, 4) | (IpAddr::V6(_), kind6::PACKET_TOO_BIG, _) => {
            format!(" !F-{}", answer.mtu)
        }
        (IpAddr::V4(_), kind4::UNREACHABLE, 9 | 10 | 13)
        | (IpAddr::V6(_), kind6::UNREACHABLE, 1) => " !X".to_owned(),
        (_, kind, code) => format!(" !<{kind}-{code}>"),
    }
}
