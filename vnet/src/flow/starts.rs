//! Records with the start of their flow, and frames whose IP does not count.

use core::time::Duration;

use super::{Config, Families, FlowRecord, Meter, Observed, RecordSet, Scope, Start, StartTime};
use crate::{interface::SwIfIndex, runtime::PacketTime, wire::link::LinkType};

/// UDP from 10.0.0.1 to 10.0.0.2, with this between the MAC addresses and IP.
fn frame(tags: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend(tags);
    frame.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([0, 1, 0, 2, 0, 8, 0, 0]);
    frame
}

const PLAIN: [u8; 2] = [8, 0];

/// The records of a frame at each of these times, in milliseconds.
fn records(config: &Config, frame: &[u8], times: &[u64]) -> Vec<FlowRecord> {
    let (mut meter, mut records) = (Meter::new(config).unwrap(), Vec::new());
    for &time in times {
        let start = Start::Link(LinkType::Ethernet);
        let observed = Observed {
            time: PacketTime(time * 1_000_000),
            ..Observed::new(frame, start, SwIfIndex(1))
        };
        meter.frame([observed], &mut |record: &_| records.push(*record));
    }
    meter.flush(Scope::All, &mut |record: &_| records.push(*record));
    records
}

fn config(start_time: StartTime, active: u64) -> Config {
    Config {
        active: Duration::from_secs(active),
        max_flows: 1024,
        start_time,
        ..Config::new(Families::all(), RecordSet::L3 | RecordSet::L4)
    }
}

#[test]
fn all_records_of_a_flow_have_its_start_and_nothing_else_differs() {
    let times = [1000, 5000, 17_000, 18_000, 40_000, 41_000, 300_000];
    let of_record = records(&config(StartTime::Record, 15), &frame(&PLAIN), &times);
    let of_flow = records(&config(StartTime::Flow, 15), &frame(&PLAIN), &times);
    let starts = |records: &[FlowRecord]| -> Vec<u64> {
        records.iter().map(|record| record.start.0 / 1_000_000).collect()
    };
    assert_eq!(starts(&of_record), [1000, 17_000, 40_000, 300_000]);
    // The last one is of another flow: the first one was idle for too long.
    assert_eq!(starts(&of_flow), [1000, 1000, 1000, 300_000]);
    for (one, other) in of_record.iter().zip(&of_flow) {
        assert_eq!(FlowRecord { start: other.start, ..*one }, *other);
    }
}

#[test]
fn a_flow_whose_later_packets_are_dated_before_it_begins_with_them() {
    let times = [20_000, 36_000, 10_000];
    for record in records(&config(StartTime::Flow, 15), &frame(&PLAIN), &times) {
        assert!(record.start <= record.end, "{record:?}");
    }
}

#[test]
fn a_packet_that_is_a_record_alone_is_of_no_flow() {
    let starts = |start_time| -> Vec<u64> {
        let records = records(&config(start_time, 0), &frame(&PLAIN), &[7000, 8000]);
        records.iter().map(|record| record.start.0 / 1_000_000).collect()
    };
    assert_eq!(starts(StartTime::Record), [7000, 8000]);
    assert_eq!(starts(StartTime::Flow), [0, 0]);
}

#[test]
fn ip_behind_tags_counts_as_such_unless_it_is_to_be_plain() {
    let tagged = [0x81, 0, 0, 5, 8, 0];
    let labelled = [0x88, 0x47, 0, 1, 1, 64];
    for (tags, plain_ip, is_ip) in [
        (&PLAIN[..], false, true),
        (&PLAIN, true, true),
        (&tagged, false, true),
        (&tagged, true, false),
        (&labelled, true, false),
    ] {
        let config = Config { plain_ip, ..config(StartTime::Record, 15) };
        let records = records(&config, &frame(tags), &[1000, 1001]);
        assert_eq!((records.len(), records[0].packets), (1, 2));
        assert_eq!(records[0].octets > 0, is_ip, "{tags:?} {plain_ip}");
        // A point that measures nothing but IP is not asked.
        let only_ip = Config { families: Families::IP4, ..config };
        assert_eq!(self::records(&only_ip, &frame(tags), &[1]).len(), 1);
    }
}
