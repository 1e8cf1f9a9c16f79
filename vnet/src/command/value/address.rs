//! IP and Ethernet addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Value;
use super::lexeme::{self, whole};

/// An address with a prefix length, host bits as written: an interface's address, or a prefix if they are all 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpWithLength {
    /// The address.
    pub address: IpAddr,
    /// The prefix length: at most 32 or 128.
    pub length: u8,
}

impl IpWithLength {
    /// The same with all host bits 0.
    #[must_use]
    pub fn masked(self) -> Self {
        let address = match self.address {
            IpAddr::V4(a) => {
                let host_bits = 32 - u32::from(self.length).min(32);
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(a) & mask))
            }
            IpAddr::V6(a) => {
                let host_bits = 128 - u32::from(self.length).min(128);
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(a) & mask))
            }
        };
        Self { address, ..self }
    }
}

impl fmt::Display for IpWithLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// An IPv4 address.
pub fn ip4() -> Value<Ipv4Addr> {
    Value::simple("ip4-address", "an IPv4 address", |text| whole(lexeme::ip4, text))
}

/// An IPv6 address.
pub fn ip6() -> Value<Ipv6Addr> {
    Value::simple("ip6-address", "an IPv6 address", |text| whole(lexeme::ip6, text))
}

/// An IPv4 or IPv6 address.
pub fn ip() -> Value<IpAddr> {
    Value::simple("ip-address", "an IP address", parse_ip)
}

/// An address with its prefix length, host bits kept: `10.0.0.1/24`.
pub fn ip_with_length() -> Value<IpWithLength> {
    Value::simple("address/length", "an IP address with prefix length", parse_with_length)
}

/// A prefix: host bits that are written are cleared, and a bare address is a host prefix.
pub fn prefix() -> Value<IpWithLength> {
    Value::simple("prefix", "an IP prefix", |text| {
        let whole = || {
            let address = parse_ip(text)?;
            Some(IpWithLength { address, length: if address.is_ipv4() { 32 } else { 128 } })
        };
        parse_with_length(text).or_else(whole).map(IpWithLength::masked)
    })
}

/// An Ethernet address as its six octets in transmission order.
pub fn mac() -> Value<[u8; 6]> {
    Value::simple("mac-address", "an Ethernet address", |text| whole(lexeme::mac, text))
}

fn parse_ip(text: &str) -> Option<IpAddr> {
    let v6 = || whole(lexeme::ip6, text).map(IpAddr::V6);
    whole(lexeme::ip4, text).map(IpAddr::V4).or_else(v6)
}

fn parse_with_length(text: &str) -> Option<IpWithLength> {
    let (address, length) = text.split_once('/')?;
    let address = parse_ip(address)?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    // `str::parse` would take a plus sign.
    let digits = length.bytes().all(|b| b.is_ascii_digit());
    let length = length.parse().ok().filter(|length| digits && *length <= longest)?;
    Some(IpWithLength { address, length })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::command::resolve::NoNames;

    #[test]
    fn a_prefix_clears_host_bits_and_an_address_keeps_them() {
        let prefix = |text: &str| prefix().parse_text(text, &NoNames).map(|p| p.to_string());
        assert_eq!(prefix("10.1.2.3/8").unwrap(), "10.0.0.0/8");
        assert_eq!(prefix("10.1.2.3").unwrap(), "10.1.2.3/32");
        assert_eq!(prefix("1.2.3.4/0").unwrap(), "0.0.0.0/0");
        assert_eq!(prefix("2001:db8::1/64").unwrap(), "2001:db8::/64");
        assert_eq!(prefix("::/0").unwrap(), "::/0");
        let kept = ip_with_length().parse_text("10.1.2.3/8", &NoNames).unwrap();
        assert_eq!(kept.to_string(), "10.1.2.3/8");
        for wrong in ["10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "/8", "1.2.3.4/+8"] {
            assert!(prefix(wrong).is_err(), "{wrong}");
        }
        assert!(ip_with_length().parse_text("10.1.2.3", &NoNames).is_err());
    }

    proptest! {
        #[test]
        fn addresses_with_length_survive_printing(v4: u32, l4 in 0u8..=32, v6: u128, l6 in 0u8..=128) {
            let v4 = IpWithLength { address: Ipv4Addr::from(v4).into(), length: l4 };
            let v6 = IpWithLength { address: Ipv6Addr::from(v6).into(), length: l6 };
            for value in [v4, v6] {
                prop_assert_eq!(ip_with_length().parse_text(&value.to_string(), &NoNames), Ok(value));
                let masked = value.masked();
                prop_assert_eq!(prefix().parse_text(&masked.to_string(), &NoNames), Ok(masked));
                prop_assert_eq!(masked.masked(), masked);
            }
        }
    }
}
