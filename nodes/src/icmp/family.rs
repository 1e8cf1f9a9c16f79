//! What of ICMP depends on the version of IP.

use std::net::IpAddr;

use vnet::{
    buffer::Buffer,
    fib::Family,
    graph::{NextSet, Slot},
};

use super::report::Report;

vnet::node_errors! {
    /// What `ip4-icmp-error` and `ip6-icmp-error` count: messages by kind, and packets of which they told nobody, by the reason.
    pub(crate) enum Error {
        UnreachableSent => ("dest-unreach-sent", "destination unreachable response sent", Info),
        TooBigSent => ("packet-too-big-sent", "packet too big response sent", Info),
        ExpiredSent => ("ttl-expire-sent", "hop limit exceeded response sent", Info),
        ParameterSent => ("param-problem-sent", "parameter problem response sent", Info),
        Malformed => ("malformed", "no message about a packet without its headers", Info),
        AboutErrors => ("about-error", "no message about an icmp error", Info),
        NotFirst => ("not-first", "no message about a later fragment", Info),
        NotUnicast => ("not-unicast", "no message about what is not from one to one", Info),
        Own => ("own", "no message about a packet of this machine", Info),
        NoSource => ("no-source", "no message without an address of our own", Info),
        RateLimited => ("rate-limited", "no message beyond the rate limit", Info),
        NoBuffer => ("no-buffer", "no buffer for a message", Warn),
    }
}

/// Whom a message goes to, and about what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offender {
    /// Who sent the packet.
    pub(super) sender: IpAddr,
    /// To whom.
    pub(super) destination: IpAddr,
    /// Octets of the packet with its IP header.
    pub(super) length: usize,
    /// Where senders share what the rate limit allows.
    pub(super) hash: u32,
}

/// A version of IP.
pub(super) trait Version: Send + Sized + 'static {
    /// Where packets go from the error node.
    type Next: NextSet;

    const FAMILY: Family;
    const ERROR_NODE: &'static str;
    /// Octets in front of what is quoted.
    const HEADERS: usize;
    /// The most that is quoted.
    const MOST_QUOTED: usize;

    /// Where the packet itself goes on.
    fn drop() -> Slot<Self::Next>;

    /// Where the message starts.
    fn lookup() -> Slot<Self::Next>;

    /// Whether anybody may be told of the packet, whose IP header the current bytes begin with.
    ///
    /// # Errors
    /// Why not.
    fn offender(buffer: &Buffer, report: Report) -> Result<Offender, Error>;

    /// Under what a message is counted.
    fn counter(report: Report) -> Error;

    /// Writes the headers of a message in front of what it quotes, `message` being all of it.
    fn write(
        message: &mut [u8],
        report: Report,
        source: IpAddr,
        to: IpAddr,
        identification: u16,
    ) -> Option<()>;
}

/// A place among those of the rate limit for a sender's address, of which those bits count that tell senders apart.
pub(super) const fn hash(bits: u64) -> u32 {
    (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u32
}
