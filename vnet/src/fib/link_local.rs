//! Link-local addresses, which mean something on their link only: a route for each that is known, in one table for all interfaces.
//!
//! The addresses are `fe80::/64` (RFC 4291, section 2.5.6), so that the 54 bits behind the first ten are zero. In the table the number of
//! the interface stands there: [`scoped`]. `ip6-link-local` looks up what is sent to such addresses, in the scope of the interface by
//! which a packet came, or is to leave.

use core::net::{IpAddr, Ipv6Addr};

use super::{Dpo, FibError, FibIndex, Forwarding, ForwardingReader, IpPrefix, Path, Source};
use crate::interface::SwIfIndex;

/// Bits of the number of an interface in a scoped address, behind the first sixteen.
const SCOPE: u32 = 80;
/// Where the prefix of an interface's link ends: behind its number.
const LINK: u8 = 64;

/// An address as it stands in the table of link-local ones; any other address is itself.
#[must_use]
pub fn scoped(address: IpAddr, interface: SwIfIndex) -> IpAddr {
    match address {
        IpAddr::V6(local) if is_link_local(address) => {
            Ipv6Addr::from_bits(local.to_bits() | u128::from(interface.0) << SCOPE).into()
        }
        _ => address,
    }
}

/// What [`scoped`] was given, of an address in the table of link-local ones.
fn unscoped(address: Ipv6Addr) -> (SwIfIndex, Ipv6Addr) {
    let bits = address.to_bits();
    let scope = (bits >> SCOPE) as u32;
    (SwIfIndex(scope), Ipv6Addr::from_bits(bits & !(u128::from(u32::MAX) << SCOPE)))
}

/// Whether an address is in `fe80::/64`.
#[must_use]
pub fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.to_bits() >> 64 == 0xfe80 << 48)
}

impl Forwarding {
    pub(super) fn add_link_local_table(&mut self) -> Result<(), FibError> {
        self.ip6.add_hidden(&self.shared.ip6, FibIndex::LINK_LOCAL)
    }

    /// Gives an interface its link-local address, or another one, or takes it: the address is local, and others are on the link.
    pub fn set_link_local(
        &mut self,
        interface: SwIfIndex,
        address: Option<Ipv6Addr>,
    ) -> Result<(), FibError> {
        self.interface(interface)?;
        let fib = FibIndex::LINK_LOCAL;
        let old: Vec<IpPrefix> = self.link_local_routes(interface).collect();
        for prefix in old {
            // Routes of neighbours are others'.
            let _: Result<(), FibError> = self.delete_route(fib, prefix, Source::Interface);
        }
        let Some(address) = address else { return Ok(()) };
        let own = scoped(address.into(), interface);
        let link = IpPrefix::new(own, LINK)?;
        self.set_route(fib, link, Source::Interface, &[Path::attached(interface)])?;
        self.set_route(fib, IpPrefix::host(own), Source::Interface, &[Path::local(interface)])?;
        Ok(())
    }

    /// The prefixes in the table of link-local addresses that are of an interface.
    fn link_local_routes(&self, interface: SwIfIndex) -> impl Iterator<Item = IpPrefix> {
        let routes = self.ip6.rib(FibIndex::LINK_LOCAL).map(|rib| rib.iter());
        let routes = routes.into_iter().flatten();
        let prefixes = routes.map(|(prefix, _)| IpPrefix::from(prefix));
        prefixes.filter(move |prefix: &IpPrefix| match prefix.address() {
            IpAddr::V6(address) => unscoped(address).0 == interface,
            IpAddr::V4(_) => false,
        })
    }

    /// The link-local addresses that are known on an interface, its link among them, and what becomes of packets to each.
    pub fn link_local(&self, interface: SwIfIndex) -> Vec<(IpPrefix, Dpo)> {
        let reader = self.reader();
        let of = |prefix: IpPrefix| {
            let IpAddr::V6(address) = prefix.address() else { return None };
            let (_, plain) = unscoped(address);
            let dpo = reader.link_local(interface, plain);
            Some((IpPrefix::new(plain.into(), prefix.len()).ok()?, dpo))
        };
        self.link_local_routes(interface).filter_map(of).collect()
    }
}

impl ForwardingReader {
    /// What becomes of packets to a link-local address on the link of an interface.
    #[must_use]
    pub fn link_local(&self, interface: SwIfIndex, address: Ipv6Addr) -> Dpo {
        let IpAddr::V6(scoped) = scoped(address.into(), interface) else { return Dpo::DROP };
        let table = self.ip6_table(FibIndex::LINK_LOCAL);
        table.map_or(Dpo::DROP, |table| self.load_balance(table.lookup_one(scoped.to_bits())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_put_in_and_taken_out_and_other_addresses_are_left_alone() {
        let address: Ipv6Addr = "fe80::1234:5678:9abc:def0".parse().unwrap();
        let IpAddr::V6(scoped) = scoped(address.into(), SwIfIndex(0x12_3456)) else { panic!() };
        assert_eq!(scoped.to_string(), "fe80:12:3456:0:1234:5678:9abc:def0");
        assert_eq!(unscoped(scoped), (SwIfIndex(0x12_3456), address));
        for other in ["fe80:1::1", "fec0::1", "2001:db8::1", "192.0.2.1"] {
            let other: IpAddr = other.parse().unwrap();
            assert_eq!(super::scoped(other, SwIfIndex(7)), other);
        }
    }
}
