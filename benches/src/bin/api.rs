//! The binary API while packets move: requests a second of one client over the socket, and how long packets wait for them.
//!
//! usage: `api [ROUTES [PINGS]]`
//!
//! A router forwards packets of the packet generator, 256 a round of dispatch, to addresses of a million /24 prefixes. A client
//! sends PINGS requests `control_ping` (a million) without waiting for the replies; then ROUTES requests `ip_route_add_del` (a
//! million) that add as many of these prefixes, and as many that remove them again; at last it adds them to a table of its own
//! and deletes the table with one request.
//!
//! Rounds are given in microseconds, as the clock has them, and as the processor has worked for them: programs that share the
//! machine lengthen the first.

use std::{
    env,
    error::Error,
    fs::File,
    io::{BufReader, BufWriter, Read, Write},
    net::{IpAddr, Ipv4Addr},
    os::unix::{fs::FileExt, net::UnixStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nodes::pg::{Generator, StreamSpec, UdpFlows};
use peloton::args;
use vnet::{
    api::{
        Call, FRAME_HEADER, Message, Reader, Wire, Writer, ip_types::prefix, memclnt::control_ping,
        message_table_entry, sockclnt_create, to_bytes,
    },
    fib::{
        Family, Path as RoutePath,
        api::{ip_route, ip_route_add_del, ip_table, ip_table_add_del, to_api},
    },
    plugin::Engine,
    wire::ethernet::MacAddress,
};

const MOST: u32 = 1_000_000;
/// The table that is deleted with all its routes.
const OWN: u32 = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let number = |at, name| match env::args_os().nth(at) {
        Some(number) => args::number(name, &number, 1..=MOST),
        None => Ok(MOST),
    };
    let (routes, pings) = (number(1, "ROUTES")?, number(2, "PINGS")?);
    let folder = Folder::new()?;
    let socket = folder.0.join("api.sock");
    let engine = router(&socket)?;
    println!(
        "{:<22}{:>9}{:>11}{:>9}{:>9}{:>9}{:>10}{:>10}",
        "requests", "seconds", "a second", "median", "99 %", "99.9 %", "highest", "worked"
    );
    let path = engine.with(|main| {
        let interface = main.interfaces().find("pg1")?;
        let path = RoutePath::via(Ipv4Addr::new(192, 168, 1, 2).into(), interface);
        Ok::<_, Box<dyn Error>>(to_api(main.forwarding(), Family::Ip4, &path))
    })?;
    let idle = Duration::from_secs(2);
    measure(&engine, "none", || {
        thread::sleep(idle);
        Ok((0, idle))
    })?;
    let to = &socket;
    measure(&engine, "control_ping", move || call(to, pings, |_| control_ping {}))?;
    let route = |table_id, is_add, number: u32| {
        let first = UdpFlows::DESTINATION4.to_bits();
        let address: IpAddr = Ipv4Addr::from_bits(first + (number << 8)).into();
        let prefix = prefix { address: address.into(), len: 24 };
        let paths = if is_add { vec![path.clone()] } else { Vec::new() };
        let route = ip_route { table_id, stats_index: 0, prefix, paths };
        ip_route_add_del { is_add, is_multipath: false, route }
    };
    for (name, is_add) in [("ip_route_add_del, add", true), ("ip_route_add_del, del", false)] {
        measure(&engine, name, || call(to, routes, |number| route(0, is_add, number)))?;
        routes_there(&engine, 0)?;
    }
    engine.command(&format!("ip table add {OWN}"))?;
    measure(&engine, "to a table, add", || call(to, routes, |number| route(OWN, true, number)))?;
    routes_there(&engine, OWN)?;
    measure(&engine, "ip_table_add_del, del", || {
        let table = ip_table { table_id: OWN, is_ip6: false, name: "".into() };
        call(to, 1, |_| ip_table_add_del { is_add: false, table: table.clone() })
    })?;
    Ok(())
}

fn routes_there(engine: &Engine, table: u32) -> Result<(), Box<dyn Error>> {
    let there = engine.command(&format!("show ip fib summary table {table}"))?;
    let there = there.lines().find_map(|line| line.trim().strip_prefix("24 "));
    println!("  routes of 24 bits now: {}", there.map_or("0", str::trim));
    Ok(())
}

/// A folder that goes with the program.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = env::temp_dir().join(format!("peloton-bench-api-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing else is in it, and it is the system's to clean up.
        let _: std::io::Result<()> = std::fs::remove_dir_all(&self.0);
    }
}

/// An engine that forwards packets to a million prefixes by a default route, and listens.
fn router(socket: &Path) -> Result<Engine, Box<dyn Error>> {
    let api = binary_api::plugin();
    let word = api.stanzas().iter().find_map(|stanza| stanza.word("socket-name"));
    word.is_some_and(|word| word.set(&socket.display().to_string()))
        .then_some(())
        .ok_or("no socket")?;
    let builder = Engine::builder().plugin(nodes::plugin()).plugin(nodes::pg::plugin());
    let engine = builder.plugin(api).build()?;
    for line in [
        "create packet-generator interface pg0",
        "create packet-generator interface pg1",
        "set interface state pg0 up",
        "set interface state pg1 up",
        "set interface ip address pg0 192.168.0.1/24",
        "set interface ip address pg1 192.168.1.1/24",
        "set ip neighbor pg1 192.168.1.2 02:00:00:00:00:09",
        "ip route add 0.0.0.0/0 via 192.168.1.2 pg1",
    ] {
        engine.command(line)?;
    }
    let generator: Generator = engine.provided().ok_or("no packet generator")?;
    engine.with(|main| -> Result<(), Box<dyn Error>> {
        let input = main.interfaces().find("pg0")?;
        let mac = main.interfaces().hardware_of(input)?.mac.ok_or("pg0 has no address")?;
        let flows = UdpFlows {
            flows: 1000,
            destinations: MOST,
            size: 60,
            source_mac: MacAddress([2, 0, 0, 0, 0, 1]),
            destination_mac: MacAddress(mac),
        };
        generator.new_stream(main, StreamSpec::udp4_flows("ethernet-input", flows))?;
        generator.enable(main, None).map(drop)?;
        Ok(())
    })?;
    Ok(engine)
}

/// Runs the engine until `client`, a thread of its own, has ended; prints the requests a second and the rounds.
fn measure(
    engine: &Engine,
    name: &str,
    client: impl FnOnce() -> Called + Send,
) -> Result<(), Box<dyn Error>> {
    let processor = Processor::of_this_thread()?;
    let mut rounds = Vec::with_capacity(1 << 20);
    let (requests, time) = thread::scope(|scope| {
        let client = scope.spawn(client);
        let (mut before, mut worked) = (Instant::now(), processor.worked());
        while !client.is_finished() {
            engine.poll();
            let (now, works) = (Instant::now(), processor.worked());
            rounds.push((now - before, works.saturating_sub(worked)));
            (before, worked) = (now, works);
        }
        client.join().unwrap_or_else(|_| Err("the client failed".into()))
    })
    .map_err(|error| error.to_string())?;
    let seconds = time.as_secs_f64();
    let sorted = |of: fn(&(Duration, Duration)) -> Duration| {
        let mut all: Vec<f64> = rounds.iter().map(|round| of(round).as_secs_f64() * 1e6).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let (times, works) = (sorted(|round| round.0), sorted(|round| round.1));
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{name:<22}{seconds:>9.2}{:>11.0}{:>9.1}{:>9.1}{:>9.1}{:>10.1}{:>10.1}",
        f64::from(requests) / seconds,
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        works.last().copied().unwrap_or_default(),
    );
    Ok(())
}

/// What the kernel says of the time that a thread has worked.
struct Processor(File);

impl Processor {
    fn of_this_thread() -> std::io::Result<Self> {
        File::open("/proc/thread-self/schedstat").map(Self)
    }

    fn worked(&self) -> Duration {
        let mut text = [0; 64];
        let length = self.0.read_at(&mut text, 0).unwrap_or(0);
        let text = core::str::from_utf8(&text[..length]).unwrap_or_default();
        let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
        Duration::from_nanos(nanoseconds.unwrap_or_default())
    }
}

/// How many requests were answered, in which time.
type Called = Result<(u32, Duration), Box<dyn Error + Send + Sync>>;

/// Connects as a client, sends `count` requests without waiting, and reads as many replies, none of which may be an error.
fn call<M: Call>(socket: &Path, count: u32, make: impl Fn(u32) -> M + Sync) -> Called {
    let mut stream = UnixStream::connect(socket)?;
    let (client, request, reply) = greet::<M>(&mut stream)?;
    let start = Instant::now();
    thread::scope(|scope| {
        let writer = scope.spawn(|| -> std::io::Result<()> {
            let mut to = BufWriter::with_capacity(64 << 10, &stream);
            for number in 0..count {
                let mut octets = to_bytes(&request);
                octets.extend(to_bytes(&[client, number]));
                octets.extend(to_bytes(&make(number)));
                to.write_all(&frame(&octets))?;
            }
            to.flush()
        });
        let mut from = BufReader::with_capacity(64 << 10, &stream);
        for number in 0..count {
            let message = message(&mut from)?;
            let mut reader = Reader::new(&message);
            let kind = u16::read(&mut reader)?;
            let [context, retval] = <[u32; 2]>::read(&mut reader)?;
            if (kind, context, retval) != (reply, number, 0) {
                let text =
                    format!("request {number}: message {kind}, context {context}, {retval:#x}");
                return Err(text.into());
            }
        }
        writer.join().map_err(|_| "the writer failed")??;
        Ok((count, start.elapsed()))
    })
}

/// Says hello: the client's number, those of the request and its reply.
fn greet<M: Call>(
    stream: &mut UnixStream,
) -> Result<(u32, u16, u16), Box<dyn Error + Send + Sync>> {
    /// The number that clients know before all others.
    const SOCKCLNT_CREATE: u16 = 15;
    let hello = sockclnt_create { context: 0, name: "bench".into() };
    let mut octets = SOCKCLNT_CREATE.to_be_bytes().to_vec();
    octets.extend(to_bytes(&hello));
    stream.write_all(&frame(&octets))?;
    let message = message(&mut *stream)?;
    let mut reader = Reader::new(&message);
    reader.octets(2)?;
    let [_, _, _, index] = <[u32; 4]>::read(&mut reader)?;
    let table: Vec<message_table_entry> = reader.counted::<u16, _>()?;
    let number = |name: String| {
        let found = table.iter().find(|entry| entry.name.as_str() == name);
        found.map(|entry| entry.index).ok_or(name)
    };
    let request = number(M::DEFINITION.name_crc())?;
    Ok((index, request, number(M::Reply::DEFINITION.name_crc())?))
}

fn frame(message: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.octets(&[0; 8]);
    (message.len() as u32).write(&mut writer);
    writer.octets(&[0; 4]);
    writer.octets(message);
    writer.into_bytes()
}

fn message(mut from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut header = [0; FRAME_HEADER];
    from.read_exact(&mut header)?;
    let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = header;
    let mut message = vec![0; u32::from_be_bytes([a, b, c, d]) as usize];
    from.read_exact(&mut message)?;
    Ok(message)
}
