//! What is to be said of a packet to its sender.

use vnet::{
    buffer::Buffer,
    fib::{Family, Refusal},
    wire::icmp::{kind4, kind6},
};

/// Code of a packet that is too long and must not be cut (RFC 792).
const FRAGMENTATION_NEEDED: u8 = 4;

/// Type, code and the four octets behind the checksum of an ICMP error. It travels on the packet that it is about, in `opaque`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(super) kind: u8,
    pub(super) code: u8,
    pub(super) data: u32,
}

impl Report {
    const fn new(kind: u8, code: u8, data: u32) -> Self {
        Self { kind, code, data }
    }

    /// TTL exceeded in transit (RFC 792).
    pub(crate) const EXPIRED4: Self = Self::new(kind4::TIME_EXCEEDED, 0, 0);
    /// Hop limit exceeded in transit (RFC 4443, section 3.3).
    pub(crate) const EXPIRED6: Self = Self::new(kind6::TIME_EXCEEDED, 0, 0);
    /// Port unreachable.
    pub(crate) const PORT4: Self = Self::new(kind4::UNREACHABLE, 3, 0);
    /// Port unreachable.
    pub(crate) const PORT6: Self = Self::new(kind6::UNREACHABLE, 4, 0);

    /// Host unreachable: nobody has its address.
    pub(crate) const HOST4: Self = Self::new(kind4::UNREACHABLE, 1, 0);
    /// Address unreachable: nobody has it.
    pub(crate) const HOST6: Self = Self::new(kind6::UNREACHABLE, 3, 0);

    /// Fragmentation needed, and what would pass (RFC 1191, section 4).
    pub(crate) const fn too_big4(max: u32) -> Self {
        Self::new(kind4::UNREACHABLE, FRAGMENTATION_NEEDED, max)
    }

    /// Packet too big, and what would pass (RFC 4443, section 3.2).
    pub(crate) const fn too_big6(max: u32) -> Self {
        Self::new(kind6::PACKET_TOO_BIG, 0, max)
    }

    /// Fragment reassembly time exceeded (RFC 792; RFC 4443, section 3.3).
    pub(crate) const fn reassembly_expired(family: Family) -> Self {
        match family {
            Family::Ip4 => Self::new(kind4::TIME_EXCEEDED, 1, 0),
            Family::Ip6 => Self::new(kind6::TIME_EXCEEDED, 1, 0),
        }
    }

    /// Protocol unreachable: nobody here takes it (RFC 1122, section 3.2.2.1).
    pub(crate) const PROTOCOL4: Self = Self::new(kind4::UNREACHABLE, 2, 0);
    /// Source route failed.
    pub(crate) const SOURCE_ROUTE4: Self = Self::new(kind4::UNREACHABLE, 5, 0);

    /// An octet of the header is in error, `at` octets behind its beginning (RFC 792).
    pub(crate) const fn erroneous4(at: u8) -> Self {
        Self::new(kind4::PARAMETER_PROBLEM, 0, (at as u32) << 24)
    }

    /// Beyond the scope of the source address (RFC 4443, section 3.1).
    pub(crate) const BEYOND_SCOPE6: Self = Self::new(kind6::UNREACHABLE, 2, 0);

    /// Unrecognized next header, which the octet `at` names (RFC 4443, section 3.4).
    pub(crate) const fn next_header6(at: u32) -> Self {
        Self::new(kind6::PARAMETER_PROBLEM, 1, at)
    }

    /// Unrecognized option, at `at`.
    pub(crate) const fn option6(at: u32) -> Self {
        Self::new(kind6::PARAMETER_PROBLEM, 2, at)
    }

    /// Whether senders are told of packets to groups, too: of what is too big, and of options that ask for it (RFC 4443, section 2.4
    /// (e.3)). Who notes it has looked whether the option does.
    pub(super) fn is_about_groups(self) -> bool {
        self.kind == kind6::PACKET_TOO_BIG
            || (self.kind, self.code) == (kind6::PARAMETER_PROBLEM, 2)
    }

    /// Whether it says how long packets may be.
    pub(super) fn is_about_size(self) -> bool {
        self.kind == kind6::PACKET_TOO_BIG
            || (self.kind, self.code) == (kind4::UNREACHABLE, FRAGMENTATION_NEEDED)
    }

    /// Whether the packet came to its end, which speaks then.
    pub(super) fn is_of_end(self) -> bool {
        [Self::PORT4, Self::PORT6, Self::PROTOCOL4].contains(&self)
    }

    /// A field of the packet is in error, `at` octets behind its beginning (RFC 4443, section 3.4).
    pub(crate) const fn erroneous6(at: u32) -> Self {
        Self::new(kind6::PARAMETER_PROBLEM, 0, at)
    }

    /// The first fragment has not all headers up to the upper layer (RFC 7112, section 5).
    pub(crate) const INCOMPLETE6: Self = Self::new(kind6::PARAMETER_PROBLEM, 3, 0);

    /// There is no way to the destination (RFC 1812, section 5.2.7.1).
    pub(crate) const fn refused4(why: Refusal) -> Self {
        let code = match why {
            Refusal::NoRoute => 0,
            Refusal::Unreachable => 1,
            Refusal::Prohibited => 13,
        };
        Self::new(kind4::UNREACHABLE, code, 0)
    }

    /// There is no way to the destination (RFC 4443, section 3.1).
    pub(crate) const fn refused6(why: Refusal) -> Self {
        let code = match why {
            Refusal::NoRoute | Refusal::Unreachable => 0,
            Refusal::Prohibited => 1,
        };
        Self::new(kind6::UNREACHABLE, code, 0)
    }

    /// Notes it on the packet, which is then to go to the error node of its family.
    pub(crate) fn note(self, buffer: &mut Buffer) {
        buffer.opaque = [u32::from(self.kind) << 8 | u32::from(self.code), self.data];
    }

    /// Takes it back.
    pub(crate) fn forget(buffer: &mut Buffer) {
        buffer.opaque = [0; 2];
    }

    /// Whether anything was noted since it was taken back.
    pub(crate) fn is_noted(buffer: &Buffer) -> bool {
        buffer.opaque[0] != 0
    }

    /// What was noted.
    pub(super) fn of(buffer: &Buffer) -> Self {
        let [what, data] = buffer.opaque;
        Self::new((what >> 8) as u8, what as u8, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfcs() {
        let codes = [Refusal::NoRoute, Refusal::Unreachable, Refusal::Prohibited]
            .map(|why| (Report::refused4(why).code, Report::refused6(why).code));
        assert_eq!(codes, [(0, 0), (1, 0), (13, 1)]);
    }
}
