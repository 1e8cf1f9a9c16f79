//! `ping`.

use std::{fmt::Write, net::IpAddr, time::Duration};

use vnet::{
    command::{Context, Error, Session, keyword, positional, value},
    interface::SwIfIndex,
    plugin::{Command, CommandCx, Registrar},
    runtime::EngineTime,
    wire::icmp::{kind4, kind6},
};

use super::{
    mailbox::{Answer, Mailboxes},
    probe::{MOST, Probe, Way},
};

/// Octets of data, as in VPP.
pub(super) const SIZE: u16 = 60;
/// As in VPP: an answer tells by its own how far it came.
pub(super) const TTL: u8 = 255;
/// Requests at once.
const MOST_AT_ONCE: u8 = 64;
/// For how long an answer to the last request is waited for, at least.
const PATIENCE: Duration = Duration::from_secs(1);

vnet::args! {
    struct Ping {
        destination: IpAddr = positional(value::ip()),
        source: Option<SwIfIndex> = keyword("source", value::interface()).optional()
            .help("from whose address"),
        size: u16 = keyword("size", value::number(0..=MOST)).or(SIZE).help("octets of data, 60"),
        repeat: u16 = keyword("repeat", value::number(1..=65535)).or(5).help("requests, 5"),
        burst: u8 = keyword("burst", value::number(1..=MOST_AT_ONCE)).or(1)
            .help("how often each is sent, 1"),
        interval: Duration = keyword("interval", value::seconds()).or(Duration::from_secs(1))
            .help("between two requests, 1"),
        table: u32 = keyword("table-id", value::id("table-id")).or(0),
    }
}

pub(super) fn register(r: &mut Registrar, mailboxes: &Mailboxes) {
    let of = mailboxes.clone();
    let ping = move |cx: CommandCx, args: Ping| {
        let mailboxes = of.clone();
        async move { run(cx, args, mailboxes).await }
    };
    let about = "Send echo requests, and show what comes back.";
    r.command(Command::new("ping", about, ping).details(
        "Ends after the last answer, or a second (or an interval) after the last request. What comes is printed as it comes; Ctrl-C \
         ends it early.",
    ));
}

async fn run(cx: CommandCx, args: Ping, mailboxes: Mailboxes) -> Result<(), Error> {
    let way = cx.with(|main| Way::find(main, args.destination, args.table, args.source))?;
    let (identifier, mailbox) = cx.with(|main| mailboxes.add(main));
    let mut sent = Sent { session: cx.session(), at: Vec::new(), all: 0, received: 0 };
    let start = cx.now();
    for sequence in 1..=args.repeat {
        let probe = Probe { identifier, sequence, ttl: TTL, size: args.size };
        cx.with(|main| {
            sent.at.push(main.clock().now());
            (0..args.burst).try_for_each(|_| way.send(main, probe).map(|()| sent.all += 1))
        })?;
        let is_last = sequence == args.repeat;
        let wait = if is_last { args.interval.max(PATIENCE) } else { args.interval };
        let until = start.after(args.interval * u32::from(sequence - 1)).after(wait);
        while !(is_last && sent.is_complete()) {
            match cx.until(until, mailbox.next()).await {
                Ok(answer) => sent.answered(&answer),
                Err(_) => break,
            }
        }
    }
    Ok(())
}

/// What was sent and what came back. Prints the sums when it goes, also when the command is interrupted.
struct Sent {
    session: Session,
    /// When the request of each number from 1 on was sent.
    at: Vec<EngineTime>,
    /// How many requests, and how many answers.
    all: usize,
    received: usize,
}

impl Sent {
    fn is_complete(&self) -> bool {
        self.received >= self.all
    }

    fn answered(&mut self, answer: &Answer) {
        let Answer { from, sequence, ttl, octets, .. } = answer;
        let sent = usize::from(*sequence).checked_sub(1).and_then(|n| self.at.get(n));
        let Some(sent) = sent else { return };
        let line = match complaint(answer) {
            Some(text) => format!("From {from}: icmp_seq={sequence} {text}\n"),
            None => {
                self.received += 1;
                let time = answer.at.since(*sent).as_secs_f64() * 1e3;
                format!(
                    "{octets} bytes from {from}: icmp_seq={sequence} ttl={ttl} time={time:.4} ms\n"
                )
            }
        };
        self.session.show(&line);
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        let (sent, received) = (self.all, self.received);
        let lost = if sent == 0 {
            0.0
        } else {
            100.0 * sent.saturating_sub(received) as f64 / sent as f64
        };
        let mut text = String::from("\n");
        // Writing to a string does not fail.
        let _ =
            writeln!(text, "Statistics: {sent} sent, {received} received, {lost:.0}% packet loss");
        self.session.print(&text);
    }
}

/// What an error says; `None` of an echo.
pub(super) fn complaint(answer: &Answer) -> Option<String> {
    let text = match (answer.from, answer.kind, answer.code) {
        (IpAddr::V4(_), kind4::ECHO_REPLY, _) | (IpAddr::V6(_), kind6::ECHO_REPLY, _) => {
            return None;
        }
        (IpAddr::V4(_), kind4::UNREACHABLE, 0) => "network unreachable",
        (IpAddr::V4(_), kind4::UNREACHABLE, 1) => "host unreachable",
        (IpAddr::V4(_), kind4::UNREACHABLE, 4) | (IpAddr::V6(_), kind6::PACKET_TOO_BIG, _) => {
            return Some(format!("packet too big (mtu {})", answer.mtu));
        }
        (IpAddr::V4(_), kind4::UNREACHABLE, 9 | 10 | 13)
        | (IpAddr::V6(_), kind6::UNREACHABLE, 1) => "administratively prohibited",
        (IpAddr::V6(_), kind6::UNREACHABLE, 0) => "no route",
        (IpAddr::V6(_), kind6::UNREACHABLE, 3) => "address unreachable",
        (IpAddr::V4(_), kind4::TIME_EXCEEDED, _) | (IpAddr::V6(_), kind6::TIME_EXCEEDED, _) => {
            "time to live exceeded"
        }
        (_, kind, code) => return Some(format!("icmp type {kind} code {code}")),
    };
    Some(text.to_owned())
}
