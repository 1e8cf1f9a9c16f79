//! IPFIX over TCP (RFC 7011 section 10.4).

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::{
    link::{Link, PATIENCE},
    unsent::unacknowledged,
};
use crate::{
    ipfix::sessions::{self, OwnSession},
    wire::ip4::protocol,
};

/// A collector that acknowledges nothing for this long is gone.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection.
pub(super) struct TcpLink {
    stream: TcpStream,
    written: u64,
}

impl TcpLink {
    pub(super) fn open(host: &str, port: u16) -> io::Result<Self> {
        let stream = connect(host, port)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, written: 0 })
    }
}

impl Link for TcpLink {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let taken = write_some(&mut self.stream, octets)?;
        self.written += taken as u64;
        Ok(taken)
    }

    fn service(&mut self) -> io::Result<()> {
        hear(&mut self.stream)
    }

    fn acknowledged(&mut self) -> io::Result<u64> {
        Ok(self.written - unacknowledged(&self.stream)?)
    }
}

/// A connection to the first address of `host` that answers. Blocks.
pub(super) fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, format!("{host} has no address"));
    for address in (host, port).to_socket_addrs()? {
        match connect_to(address) {
            Ok(socket) => {
                socket.set_tcp_nodelay(true)?;
                socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
                socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(USER_TIMEOUT))?;
                return Ok(socket.into());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Connects from a port that is known before the first packet leaves.
fn connect_to(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    socket.bind(&SocketAddr::new(any, 0).into())?;
    note(&socket, address)?;
    socket.connect_timeout(&address.into(), PATIENCE)?;
    note(&socket, address)?;
    Ok(socket)
}

fn note(socket: &Socket, remote: SocketAddr) -> io::Result<()> {
    if let Some(local) = socket.local_addr()?.as_socket() {
        sessions::note(OwnSession { protocol: protocol::TCP, local, remote });
    }
    Ok(())
}

/// As many octets as the host takes now.
pub(super) fn write_some(stream: &mut TcpStream, octets: &[u8]) -> io::Result<usize> {
    match stream.write(octets) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(0)
        }
        result => result,
    }
}

/// A collector has nothing to say (RFC 7011 section 10.4.2): what it says all the same is passed over. An end is the end.
fn hear(stream: &mut TcpStream) -> io::Result<()> {
    let mut room = [0; 4096];
    // A few times, so that somebody who never stops does not hold us up.
    for _ in 0..16 {
        match stream.read(&mut room) {
            Ok(0) => return Err(closed()),
            Ok(_) => (),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(super) fn closed() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the collector closed the session")
}
