//! Where messages go, as it is given.

use core::{fmt, str::FromStr};
use std::net::Ipv6Addr;

/// A transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
}

/// Where messages go: a transport, a name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How.
    pub way: Way,
    /// The name or the address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Not of the form `[udp:|tcp:|tls:]HOST:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST:PORT")]
pub struct NotATarget;

impl Way {
    const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Tls];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Udp => "udp:",
            Self::Tcp => "tcp:",
            Self::Tls => "tls:",
        }
    }
}

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let prefixed = |way: Way| Some((way, text.strip_prefix(way.prefix())?));
        // A host can have the name of a transport; what is behind it is no port and more then.
        let (way, text) = Way::ALL
            .into_iter()
            .find_map(prefixed)
            .filter(|(_, rest)| rest.contains(':'))
            .unwrap_or((Way::Udp, text));
        let (host, port) = text.rsplit_once(':').ok_or(NotATarget)?;
        let port = port.parse().ok().filter(|&port| port != 0).ok_or(NotATarget)?;
        let host = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
            Some(inner) => inner.filter(|host| host.parse::<Ipv6Addr>().is_ok()),
            // An address of IPv6 without brackets would swallow the port.
            None => Some(host).filter(|host| !host.is_empty() && !host.contains(':')),
        };
        Ok(Self { way, host: host.ok_or(NotATarget)?.to_owned(), port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { way, host, port } = self;
        if *way != Way::Udp {
            f.write_str(way.prefix())?;
        }
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_a_host_and_a_port() {
        for text in
            ["127.0.0.1:9995", "[::1]:4739", "collector.example:1", "tcp:[::1]:4739", "tls:a:1"]
        {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert_eq!("udp:a:1".parse::<Target>().unwrap().to_string(), "a:1");
        let named = "tcp:1".parse::<Target>().unwrap();
        assert_eq!((named.way, &*named.host, named.port), (Way::Udp, "tcp", 1));
        for text in [
            "", ":1", "a", "a:", "a:0", "a:65536", "::1:4739", "[::1]", "[a]:1", "[::1:1",
            "tcp:a:0", "tls::1", "sctp:a:1",
        ] {
            assert_eq!(text.parse::<Target>(), Err(NotATarget), "{text}");
        }
    }
}
