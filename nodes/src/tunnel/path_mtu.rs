//! How long packets may be that pass all the way to a tunnel's far end: learnt from what routers on the way say of outer packets.
//!
//! A router that has no room for an outer packet tells this machine, and not who sent the packet inside (RFC 2003, section 5; RFC 4459).
//! What it says is kept for the tunnel's far end, and limits the room of all tunnels to it: the next packets inside that are too long are
//! cut or told of before they enter the tunnel. After ten minutes it is forgotten, for ways become wider, too (RFC 1191, section 6.3;
//! RFC 8201, section 5.3).

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    rc::Rc,
    time::Duration,
};

use vnet::{
    buffer::Buffer,
    fib::{Family, FibIndex, ForwardingReader},
    plugin::Registrar,
    process::{Cx, Mailbox},
    runtime::{Dispatching, EngineTime, Main},
    tunnel::{Kind, Tunnels, Way},
    wire::{gre, icmp, ip4, ip6, tunnel, udp},
};
use zerocopy::FromBytes;

/// How long it is known.
const AGE: Duration = Duration::from_secs(600);
/// No way for IPv4 is taken for narrower than this, as Linux does not: whoever says so wants to have packets cut to pieces.
const LEAST4: u16 = 552;
/// No way for IPv6 is narrower than this (RFC 8200, section 5), and who says so is not believed (RFC 8201, section 4).
const LEAST6: u16 = 1280;
/// What ways of IPv4 may carry whose routers do not say what they do (RFC 1191, section 7).
const PLATEAUS: [u16; 8] = [32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, LEAST4];
/// Letters that wait. Who sends more says the same again.
const LETTERS: usize = 256;

/// A far end, in the table in which it is looked up.
type FarEnd = (FibIndex, IpAddr);

/// What a router has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    of: FarEnd,
    mtu: u16,
}

/// For the nodes that take ICMP messages. Clones are the same.
#[derive(Clone)]
pub(crate) struct PathMtu {
    tunnels: Tunnels,
    reader: ForwardingReader,
    letters: Mailbox<Said>,
}

impl PathMtu {
    /// Registers the process that keeps what is heard.
    pub(crate) fn register(r: &mut Registrar, tunnels: &Tunnels) -> Self {
        let letters = Mailbox::new(LETTERS);
        let keeper = Keeper { letters: letters.clone(), known: Rc::default() };
        let known = tunnels.clone();
        r.process("tunnel-path-mtu-process", |cx| keeper.run(cx, known));
        Self { tunnels: tunnels.clone(), reader: r.forwarding(), letters }
    }

    /// Whether a message in `buffer`, which begins `at` octets behind its current position, says how long packets of a tunnel may be: it is
    /// kept then.
    #[inline]
    pub(crate) fn hears(
        &self,
        token: Dispatching<'_>,
        family: Family,
        buffer: &Buffer,
        at: usize,
    ) -> bool {
        let message = buffer.current().get(at..).unwrap_or_default();
        let is_about_length = match (family, message) {
            (Family::Ip4, [kind, code, ..]) => (*kind, *code) == (icmp::kind4::UNREACHABLE, 4),
            (Family::Ip6, [kind, ..]) => *kind == icmp::kind6::PACKET_TOO_BIG,
            _ => false,
        };
        is_about_length && self.keeps(token, family, buffer, message)
    }

    #[cold]
    fn keeps(
        &self,
        token: Dispatching<'_>,
        family: Family,
        buffer: &Buffer,
        message: &[u8],
    ) -> bool {
        let read = match family {
            Family::Ip4 => read4(message),
            Family::Ip6 => read6(message),
        };
        let Some((way, mtu)) = read else { return false };
        let table = self.reader.fib_of(buffer.rx, family);
        let is_ours = self.tunnels.read(token).has_way(table, way);
        // A letter that finds no room is of a message that comes again with the next packet.
        is_ours && self.letters.put(Said { of: (table, way.remote), mtu })
    }
}

/// What an IPv4 message is about: fragmentation needed (RFC 1191, section 4).
fn read4(message: &[u8]) -> Option<(Way, u16)> {
    let (&[.., high, low], quote) = message.split_first_chunk::<8>()?;
    let (ip, _) = ip4::Header::ref_from_prefix(quote).ok()?;
    // Nobody refuses a packet that may be cut.
    if ip.flags_fragment.get() & ip4::Header::DONT_FRAGMENT == 0 {
        return None;
    }
    let behind = quote.get(ip.header_length()..)?;
    let ends = [ip.source, ip.destination].map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
    let length = ip.total_length.get();
    let mtu = match u16::from_be_bytes([high, low]) {
        0 => PLATEAUS.into_iter().find(|plateau| *plateau < length)?,
        mtu => mtu.max(LEAST4),
    };
    // It would have passed.
    (mtu < length).then_some(())?;
    Some((way(ends, ip.protocol, behind)?, mtu))
}

/// What an IPv6 message is about: packet too big (RFC 4443, section 3.2).
fn read6(message: &[u8]) -> Option<(Way, u16)> {
    let (&[_, _, _, _, a, b, c, d], quote) = message.split_first_chunk::<8>()?;
    let (ip, behind) = ip6::Header::ref_from_prefix(quote).ok()?;
    let mtu = u32::from_be_bytes([a, b, c, d]);
    let length = size_of::<ip6::Header>() as u32 + u32::from(ip.payload_length.get());
    let mtu = u16::try_from(mtu).ok().filter(|mtu| *mtu >= LEAST6 && u32::from(*mtu) < length)?;
    let ends = [ip.source, ip.destination].map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
    Some((way(ends, ip.next_header, behind)?, mtu))
}

/// The way of a tunnel's packet, of which what is behind the IP header is known as far as it is quoted.
fn way([local, remote]: [IpAddr; 2], protocol: u8, behind: &[u8]) -> Option<Way> {
    let (kind, port) = match protocol {
        ip4::protocol::UDP => {
            let (udp, _) = udp::Header::ref_from_prefix(behind).ok()?;
            (None, Some(udp.destination_port.get()))
        }
        gre::PROTOCOL => (Some(Kind::Gre), None),
        tunnel::IP4_IN_IP | tunnel::IP6_IN_IP => (Some(Kind::Ipip), None),
        _ => return None,
    };
    Some(Way { kind, local, remote, port })
}

/// What the main thread keeps.
#[derive(Clone)]
struct Keeper {
    letters: Mailbox<Said>,
    /// When each far end's is forgotten.
    known: Rc<RefCell<BTreeMap<FarEnd, EngineTime>>>,
}

impl Keeper {
    async fn run(self, cx: Cx, tunnels: Tunnels) {
        loop {
            let next = self.known.borrow().values().min().copied();
            match next {
                None => self.letters.wait().await,
                Some(at) if at <= cx.now() => cx.with(|main| self.forget(main, &tunnels)),
                Some(at) => {
                    let left = at.since(cx.now());
                    let _: Result<(), _> = cx.timeout(left, self.letters.wait()).await;
                }
            }
            cx.with(|main| {
                let letters = core::iter::from_fn(|| self.letters.take()).take(LETTERS);
                letters.for_each(|said| self.hear(main, &tunnels, said));
            });
        }
    }

    /// What is said makes a way narrower, and never wider: whoever claims that may be anybody.
    fn hear(&self, main: &mut Main, tunnels: &Tunnels, Said { of, mtu }: Said) {
        let before = main.forwarding().path_mtu(of.0, of.1);
        if before.is_some_and(|before| before < mtu) {
            return;
        }
        let forgotten = main.clock().now().after(AGE);
        self.known.borrow_mut().insert(of, forgotten);
        if before != Some(mtu) {
            tunnels.set_path_mtu(main, of, Some(mtu));
        }
    }

    fn forget(&self, main: &mut Main, tunnels: &Tunnels) {
        let now = main.clock().now();
        let mut old = Vec::new();
        self.known.borrow_mut().retain(|of, at| {
            if *at <= now {
                old.push(*of);
            }
            *at > now
        });
        old.into_iter().for_each(|of| tunnels.set_path_mtu(main, of, None));
    }
}
