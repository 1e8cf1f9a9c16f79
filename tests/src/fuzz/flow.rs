//! The flow meter.

use core::time::Duration;

use vnet::{
    flow::{
        Config, Direction, Families, FlowRecord, Meter, Observed, RecordSet, Scope, Start, Switch,
    },
    interface::SwIfIndex,
    runtime::PacketTime,
    wire::link::LinkType,
};

use super::input::Input;

/// A day in the year 2023, in nanoseconds; times may step back from it.
pub(super) const START: u64 = 1_700_000_000_000_000_000;

/// No packet is lost or counted twice, records are sound, and neither the division into frames nor the moments of
/// sweeping change them.
///
/// The first five bytes are what is recorded, of which families and how, the two timeouts and the size of the table; packets
/// follow, each with flags, a time step, a length and its bytes.
pub fn flow(data: &[u8]) {
    let mut input = Input::new(data);
    let config = config(&mut input);
    let mut packets = Vec::new();
    let mut time = START;
    while !input.is_empty() {
        packets.push(packet(&mut input, &mut time));
    }
    let whole = measure(&config, &packets, 256, 0);
    for (frame, sweep) in [(1, 1), (7, 8)] {
        let other = measure(&config, &packets, frame, sweep);
        assert_eq!(other, whole, "in frames of {frame}, {config:?}");
    }
}

fn config(input: &mut Input<'_>) -> Config {
    let record = RecordSet::from_bits_truncate(input.byte());
    let flags = input.byte();
    let families = Families::from_bits_truncate(flags);
    let mut seconds = || Duration::from_secs(input.byte().into());
    let (active, passive) = (seconds(), seconds());
    let max_flows = usize::from(input.byte());
    let config = Config { active, passive, max_flows, ..Config::new(families, record) };
    let has = |bit: u8| flags & bit != 0;
    let switch = Switch {
        most_flows: max_flows,
        tunnels: has(16),
        connections: false,
        trims: has(32),
        bfd: has(64),
    };
    // An idle flow of a switch counts until somebody looks at it.
    let of_switch = Config {
        switch: Some(switch),
        passive: Duration::ZERO,
        max_flows: usize::from(u8::MAX),
        ..config.clone()
    };
    if has(8) { of_switch } else { config }
}

pub(super) fn packet<'a>(input: &mut Input<'a>, time: &mut u64) -> Observed<'a> {
    let flags = input.byte();
    let step = u64::from(input.short());
    let unit = [1_000, 1_000_000, 1_000_000_000, 100_000_000_000_000][usize::from(flags & 3)];
    *time = match flags & 4 {
        0 => time.saturating_add(step * unit),
        _ => time.saturating_sub(step * unit),
    };
    let link = LinkType::ALL[usize::from(flags >> 3 & 3)];
    let start = if flags & 32 == 0 { Start::Link(link) } else { Start::Network(14) };
    let length = usize::from(input.byte());
    let observed = Observed::new(input.piece(length), start, SwIfIndex(1));
    Observed {
        time: PacketTime(*time),
        wire_length: observed.wire_length + u32::from(flags >> 6) * 1000,
        direction: if flags & 64 == 0 { Direction::Ingress } else { Direction::Egress },
        tx: SwIfIndex(u32::from(flags >> 7)),
        is_own_export: flags == u8::MAX,
        ..observed
    }
}

/// The records, in an order of their own.
fn measure(config: &Config, packets: &[Observed<'_>], frame: usize, sweep: usize) -> Vec<String> {
    let mut meter = Meter::new(config).expect("the table is small");
    let mut records: Vec<FlowRecord> = Vec::new();
    for frame in packets.chunks(frame) {
        meter.frame(frame.iter().copied(), &mut |record| records.push(*record));
        if sweep > 0 {
            meter.sweep(sweep, &mut |record| records.push(*record));
        }
        // After every single packet it would take most of the time.
        if frame.len() > 1 {
            check_sums(&meter, &records);
        }
    }
    meter.flush(Scope::All, &mut |record| records.push(*record));
    check_sums(&meter, &records);
    assert_eq!(meter.live_flows(), 0, "a flush leaves nothing");
    assert_eq!(meter.counters().seen, packets.len() as u64);
    if meter.counters().unmeasured_total() == 0 {
        let octets: u64 = records.iter().map(|record| record.layer2_octets).sum();
        assert_eq!(octets, packets.iter().map(|p| u64::from(p.wire_length)).sum::<u64>());
    }
    let mut lines: Vec<String> = records.iter().map(|record| format!("{record:?}")).collect();
    lines.sort_unstable();
    lines
}

fn check_sums(meter: &Meter, records: &[FlowRecord]) {
    let counters = meter.counters();
    assert_eq!(counters.seen, counters.measured + counters.unmeasured_total());
    let recorded: u64 = records.iter().map(|record| record.packets).sum();
    assert_eq!(recorded, counters.recorded);
    assert_eq!(records.len() as u64, counters.records_total());
    let (mut live, mut flows) = (0, 0);
    meter.for_each_flow(&mut |record| {
        live += record.packets;
        flows += 1;
    });
    assert_eq!(recorded + live, counters.measured);
    assert_eq!(flows, meter.live_flows());
    for record in records {
        assert!(record.packets > 0 && record.start <= record.end, "{record:?}");
    }
}
