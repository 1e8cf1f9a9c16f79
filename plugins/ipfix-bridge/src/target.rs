//! Collectors as operators write them, and the addresses that come of it.

use core::fmt;
use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use vnet::{command::Shown, ipfix::export::DEFAULT_PORT};

/// A collector over UDP: a name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    host: String,
    port: u16,
}

/// Why a text names no collector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "target `{}': expected host[:port], or [address]:port for IPv6, port 1 to 65535",
    Shown(text)
)]
pub struct TargetError {
    text: String,
}

impl Target {
    /// Reads `host`, `host:port`, `address`, `[address]` or `[address]:port`. Without a port it is 4739.
    ///
    /// # Errors
    /// When there is no host, or no port behind a colon.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let error = || TargetError { text: text.to_owned() };
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or_else(error)?;
                address.parse::<std::net::Ipv6Addr>().map_err(|_| error())?;
                let port = match port {
                    "" => None,
                    port => Some(port.strip_prefix(':').ok_or_else(error)?),
                };
                (address, port)
            }
            // An IPv6 address has colons of its own.
            None if text.parse::<IpAddr>().is_ok() => (text, None),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let is_port = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let port = match port {
            None => DEFAULT_PORT,
            Some(text) if is_port(text) => text.parse().map_err(|_| error())?,
            Some(_) => return Err(error()),
        };
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
        if port == 0 || host.is_empty() || !host.bytes().all(is_name) {
            return Err(error());
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// Its address, where it is one: nobody has to be asked.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.host.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, self.port))
    }

    /// Asks for the address; may take its time.
    pub(crate) fn resolve(&self, resolver: &Resolver) -> io::Result<SocketAddr> {
        match self.address() {
            Some(address) => Ok(address),
            None => resolver(&self.host, self.port),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// How a name and a port become an address.
pub(crate) type Resolver = Arc<dyn Fn(&str, u16) -> io::Result<SocketAddr> + Send + Sync>;

/// As the host does it.
pub(crate) fn of_host() -> Resolver {
    Arc::new(|host, port| {
        let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        (host, port).to_socket_addrs()?.next().ok_or_else(none)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_host_and_a_port() {
        for (text, expected) in [
            ("10.0.0.9", "10.0.0.9:4739"),
            ("10.0.0.9:9995", "10.0.0.9:9995"),
            ("collector.example", "collector.example:4739"),
            ("xyzzy:2055", "xyzzy:2055"),
            ("2001:db8::9", "[2001:db8::9]:4739"),
            ("[2001:db8::9]", "[2001:db8::9]:4739"),
            ("[2001:db8::9]:9995", "[2001:db8::9]:9995"),
        ] {
            assert_eq!(Target::parse(text).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_names_no_collector_is_refused() {
        for text in [
            "",
            ":4739",
            "host:",
            "host:0",
            "host:65536",
            "host:+1",
            "a:b:c",
            "[::1",
            "[x]:1",
            "[::1]9",
            "[::1]:",
            "a b",
            "a/b",
            "udp:host:1",
        ] {
            let error = Target::parse(text).unwrap_err();
            assert!(error.to_string().starts_with(&format!("target `{text}'")), "{text}");
        }
    }
}
