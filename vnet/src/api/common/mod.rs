//! Types that the messages of several files are made of, and what they are here.

pub mod ethernet_types;
pub mod fib_types;
pub mod interface_types;
pub mod ip_types;
pub mod mfib_types;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ip_types::{address, address_family, address_union, prefix};

use crate::{command::ApiError, fib::IpPrefix};

impl From<IpAddr> for address {
    fn from(ip: IpAddr) -> Self {
        let af = match ip {
            IpAddr::V4(_) => address_family::ADDRESS_IP4,
            IpAddr::V6(_) => address_family::ADDRESS_IP6,
        };
        Self { af, un: ip.into() }
    }
}

impl From<IpAddr> for address_union {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => {
                let mut octets = [0; 16];
                octets[..4].copy_from_slice(&ip.octets());
                Self(octets)
            }
            IpAddr::V6(ip) => Self(ip.octets()),
        }
    }
}

impl address_union {
    /// The address of that family.
    ///
    /// # Errors
    /// When the family is none of IP.
    pub fn ip(&self, family: address_family) -> Result<IpAddr, ApiError> {
        let Self([a, b, c, d, ..]) = self.clone();
        match family {
            address_family::ADDRESS_IP4 => Ok(Ipv4Addr::new(a, b, c, d).into()),
            address_family::ADDRESS_IP6 => Ok(Ipv6Addr::from(self.0).into()),
            _ => Err(ApiError::InvalidAddressFamily),
        }
    }
}

impl TryFrom<&address> for IpAddr {
    type Error = ApiError;

    fn try_from(address: &address) -> Result<Self, ApiError> {
        address.un.ip(address.af)
    }
}

/// A host's address and the length of its network's prefix.
impl TryFrom<&prefix> for (IpAddr, u8) {
    type Error = ApiError;

    fn try_from(prefix: &prefix) -> Result<Self, ApiError> {
        let ip = IpAddr::try_from(&prefix.address)?;
        // That there is a prefix of that length.
        IpPrefix::new(ip, prefix.len).map_err(|_| ApiError::InvalidValue)?;
        Ok((ip, prefix.len))
    }
}

impl TryFrom<&prefix> for IpPrefix {
    type Error = ApiError;

    fn try_from(prefix: &prefix) -> Result<Self, ApiError> {
        Self::new((&prefix.address).try_into()?, prefix.len).map_err(|_| ApiError::InvalidValue)
    }
}

impl From<IpPrefix> for prefix {
    fn from(prefix: IpPrefix) -> Self {
        (prefix.address(), prefix.len()).into()
    }
}

impl From<(IpAddr, u8)> for prefix {
    fn from((ip, len): (IpAddr, u8)) -> Self {
        Self { address: ip.into(), len }
    }
}
