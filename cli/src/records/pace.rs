//! How fast messages are sent.
//!
//! UDP has no way to tell a sender that it is too fast. But when the collector is a process of this host, the kernel knows how
//! full its socket is and tells everyone in `/proc/net/udp`; so messages go out as fast as the collector takes them, and wait
//! while it is behind. To any other collector they go at a fixed rate.

use core::time::Duration;
use std::{
    fs,
    io::{self, Read},
    net::{IpAddr, SocketAddr, UdpSocket},
    thread,
    time::Instant,
};

/// Messages a second to a collector of which nothing is known: with some 25 records in each, more than 50,000 records.
const DEFAULT_RATE: u32 = 2500;
/// Messages that may be sent at once after a pause. As many wait in an empty socket buffer of usual size without filling half
/// of it.
const BURST: u32 = 32;
/// How full the collector's socket may become: less than half of the usual 208 KiB.
const QUEUE: u64 = 96 << 10;
/// Between two looks at a socket that is full.
const NAP: Duration = Duration::from_micros(500);
/// A collector that empties nothing for so long has stopped.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says when the next message may go.
pub(super) struct Pace {
    /// A process of this host, seen through its socket.
    seen: Option<Seen>,
    /// For a collector of which nothing is seen, or which has stopped taking messages.
    fixed: Option<Fixed>,
}

impl Pace {
    /// Messages a second.
    pub(super) fn fixed(rate: u32) -> Self {
        Self { seen: None, fixed: Some(Fixed::new(rate)) }
    }

    /// To whom `socket` is connected, at `peer`.
    pub(super) fn to(socket: &UdpSocket, peer: SocketAddr) -> Self {
        // Who sends to an address of its own host has that address.
        let is_here = socket.local_addr().is_ok_and(|own| own.ip() == peer.ip());
        let mut queue = Queue::new(peer);
        match queue.look().filter(|_| is_here) {
            Some(Look { drops, .. }) => {
                let seen = Seen { queue, credit: BURST, drops_before: drops };
                Self { seen: Some(seen), fixed: None }
            }
            None => Self::fixed(DEFAULT_RATE),
        }
    }

    /// Waits until a message of `len` octets may go.
    pub(super) fn wait(&mut self, len: usize) {
        if let Some(fixed) = &mut self.fixed {
            fixed.wait();
        } else if let Some(seen) = &mut self.seen
            && !seen.wait(len)
        {
            self.fixed = Some(Fixed::new(DEFAULT_RATE));
        }
    }

    /// Datagrams that the collector's socket has dropped since the beginning, where that is known.
    pub(super) fn dropped(&mut self) -> Option<u64> {
        let seen = self.seen.as_mut()?;
        Some(seen.queue.look()?.drops.saturating_sub(seen.drops_before))
    }
}

struct Seen {
    queue: Queue,
    /// Messages that may go before the next look.
    credit: u32,
    drops_before: u64,
}

impl Seen {
    /// `false` when the socket has gone, or nobody empties it.
    fn wait(&mut self, len: usize) -> bool {
        if self.credit == 0 {
            let octets = memory(len);
            let mut since = Instant::now();
            let mut least = u64::MAX;
            loop {
                let Some(Look { queued, .. }) = self.queue.look() else { return false };
                let room = QUEUE.saturating_sub(queued) / octets;
                if room > 0 || queued == 0 {
                    self.credit = u32::try_from(room).map_or(BURST, |room| room.clamp(1, BURST));
                    break;
                }
                if queued < least {
                    least = queued;
                    since = Instant::now();
                } else if since.elapsed() > PATIENCE {
                    return false;
                }
                thread::sleep(NAP);
            }
        }
        self.credit -= 1;
        true
    }
}

/// About what a datagram takes of the memory that a socket may have: Linux counts whole allocations.
const fn memory(len: usize) -> u64 {
    (len as u64 + 448).next_power_of_two() + 256
}

/// A token bucket.
struct Fixed {
    interval: Duration,
    burst: Duration,
    /// When the next message would go if all had been sent evenly.
    next: Instant,
}

impl Fixed {
    fn new(rate: u32) -> Self {
        let interval = Duration::from_secs(1) / rate.max(1);
        // A burst is no more than a tenth of a second's worth, so that a low rate is kept at once.
        let burst = interval * (rate / 10).clamp(1, BURST);
        Self { interval, burst, next: Instant::now() }
    }

    fn wait(&mut self) {
        let now = Instant::now();
        let ahead = self.next.saturating_duration_since(now);
        if ahead >= self.burst {
            thread::sleep(ahead - self.burst + self.interval);
        }
        self.next = self.next.max(now) + self.interval;
    }
}

/// The receive queue of the socket at an address of this host.
struct Queue {
    address: SocketAddr,
    /// Where the kernel tells of it, kept from look to look.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    /// Octets of memory that wait.
    queued: u64,
    /// Datagrams for which there was no room.
    drops: u64,
}

impl Queue {
    fn new(address: SocketAddr) -> Self {
        Self { address, text: String::new() }
    }

    /// What the fullest socket at the address looks like. A socket of IPv6 may serve IPv4 as well.
    fn look(&mut self) -> Option<Look> {
        let mut found: Option<Look> = None;
        for path in ["/proc/net/udp", "/proc/net/udp6"] {
            if self.read(path).is_err() {
                continue;
            }
            for look in self.text.lines().filter_map(|line| parse(line, self.address)) {
                let old = found.unwrap_or(look);
                found = Some(Look {
                    queued: look.queued.max(old.queued),
                    drops: look.drops.max(old.drops),
                });
            }
        }
        found
    }

    fn read(&mut self, path: &str) -> io::Result<usize> {
        self.text.clear();
        fs::File::open(path)?.read_to_string(&mut self.text)
    }
}

/// A line of the kernel's list, if its socket receives what is sent to `address`.
fn parse(line: &str, address: SocketAddr) -> Option<Look> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, port) = words.next()?.split_once(':')?;
    if u16::from_str_radix(port, 16).ok()? != address.port() || !receives(local, address.ip()) {
        return None;
    }
    // Behind the remote address and the state.
    let (_, queued) = words.nth(2)?.split_once(':')?;
    let drops = words.last()?;
    Some(Look { queued: u64::from_str_radix(queued, 16).ok()?, drops: drops.parse().ok()? })
}

/// Whether a socket that is bound to `local`, words of 32 bits in this machine's byte order, receives for `address`.
fn receives(local: &str, address: IpAddr) -> bool {
    let mut octets = [0; 16];
    let words = local.as_bytes().chunks(8).zip(octets.chunks_exact_mut(4));
    for (digits, word) in words {
        let digits = core::str::from_utf8(digits).unwrap_or_default();
        let Ok(value) = u32::from_str_radix(digits, 16) else { return false };
        word.copy_from_slice(&value.to_ne_bytes());
    }
    if octets == [0; 16] {
        return true;
    }
    match address {
        IpAddr::V4(v4) if local.len() == 8 => octets[..4] == v4.octets(),
        IpAddr::V4(v4) => octets == v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => octets == v6.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_socket_is_seen_and_an_empty_one_too() {
        for host in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let Ok(receiver) = UdpSocket::bind(host) else { continue };
            let mut peer = receiver.local_addr().unwrap();
            if peer.ip().is_unspecified() {
                peer.set_ip([127, 0, 0, 1].into());
            }
            let mut queue = Queue::new(peer);
            assert_eq!(queue.look(), Some(Look { queued: 0, drops: 0 }), "{host}");
            let sender = UdpSocket::bind(("::1".parse::<IpAddr>().unwrap(), 0));
            let sender = if peer.is_ipv6() { sender } else { UdpSocket::bind("127.0.0.1:0") };
            let sender = sender.unwrap();
            for _ in 0..1000 {
                sender.send_to(&[0; 1392], peer).unwrap();
            }
            let look = queue.look().unwrap();
            assert!(look.queued > QUEUE && look.drops > 0, "{look:?}");
            let mut room = [0; 1500];
            receiver.set_nonblocking(true).unwrap();
            while receiver.recv(&mut room).is_ok() {}
            assert!(queue.look().unwrap().queued < 8192);
            drop(receiver);
            assert_eq!(queue.look(), None);
        }
    }

    #[test]
    fn nothing_is_lost_by_a_collector_that_is_slow() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let peer = receiver.local_addr().unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let reader = thread::spawn(move || {
            let mut room = [0; 1500];
            let mut received = 0;
            while received < 2000 && receiver.recv(&mut room).is_ok() {
                received += 1;
                if received % 100 == 0 {
                    thread::sleep(Duration::from_millis(3));
                }
            }
            received
        });
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(peer).unwrap();
        let mut pace = Pace::to(&sender, peer);
        assert!(pace.seen.is_some());
        for _ in 0..2000 {
            pace.wait(1392);
            sender.send(&[7; 1392]).unwrap();
        }
        assert_eq!(reader.join().unwrap(), 2000);
    }

    #[test]
    fn fixed_rate_is_kept() {
        let mut pace = Fixed::new(1000);
        let start = Instant::now();
        for _ in 0..132 {
            pace.wait();
        }
        // A burst, and then a millisecond each.
        assert!(start.elapsed() >= Duration::from_millis(95), "{:?}", start.elapsed());
    }
}
