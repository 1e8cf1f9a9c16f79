//! What flow records of captures promise: nothing is lost, nothing counted twice, and the same result every time.

use std::{fs, io::Cursor, time::Duration};

use nodes::capture::Reader;
use peloton::replay::run::Replay;
use peloton_tests::{
    program::{Scratch, has, peloton, run, workspace},
    replay::{Kept, assert_equals_tshark, captures, replay},
};
use vnet::flow::{Config, Families, RecordSet};

const IP: Families = Families::IP4.union(Families::IP6);
const TRANSPORT: RecordSet = RecordSet::L3.union(RecordSet::L4);

fn configs() -> [Config; 5] {
    let short = |seconds: f64| Duration::from_secs_f64(seconds);
    [
        Config { max_flows: 4096, ..Config::new(IP, TRANSPORT | RecordSet::VLAN) },
        Config { max_flows: 4096, ..Config::new(Families::all(), RecordSet::all()) },
        Config {
            active: short(0.2),
            passive: short(0.05),
            max_flows: 4096,
            ..Config::new(Families::all(), TRANSPORT)
        },
        Config { active: Duration::ZERO, max_flows: 64, ..Config::new(IP, TRANSPORT) },
        // So few that flows are evicted all the time.
        Config { max_flows: 8, ..Config::new(Families::all(), RecordSet::all()) },
    ]
}

#[test]
fn every_packet_of_every_capture_is_in_a_record_or_listed_as_not_measured() {
    for path in captures() {
        let capture = fs::read(&path).unwrap();
        for config in configs() {
            let (kept, totals) = replay(&capture, &config, 256);
            let at = format!("{} {config:?} {totals:?}", path.display());
            assert!(totals.is_balanced(), "{at}");
            assert_eq!(kept.packets(), totals.flows.recorded, "{at}");
            assert_eq!(kept.records.len() as u64, totals.flows.records_total(), "{at}");
            for (record, _) in &kept.records {
                assert!(record.start <= record.end && record.packets > 0, "{at} {record:?}");
            }
        }
    }
}

#[test]
fn records_do_not_depend_on_the_size_of_frames() {
    for path in captures() {
        let capture = fs::read(&path).unwrap();
        for config in configs() {
            let whole = replay(&capture, &config, 256).0.sorted();
            for frame_size in [1, 7, 256] {
                let sorted = replay(&capture, &config, frame_size).0.sorted();
                assert!(sorted == whole, "{} {frame_size} {config:?}", path.display());
            }
        }
    }
}

#[test]
fn several_captures_are_one_run() {
    let path = workspace().join("tests/captures/demo.pcap");
    let capture = fs::read(path).unwrap();
    let config = Config { max_flows: 4096, ..Config::new(IP, TRANSPORT) };
    let alone = replay(&capture, &config, 256).1;
    let mut twice = Replay::new(config, 256, None).unwrap();
    let mut kept = Kept::default();
    for _ in 0..2 {
        let reader = Reader::from_stream("capture", Cursor::new(capture.clone())).unwrap();
        twice.read(reader, &mut kept).unwrap();
    }
    twice.finish(&mut kept);
    let totals = twice.totals();
    assert!(totals.is_balanced());
    assert_eq!(totals.read.packets, 2 * alone.read.packets);
    assert_eq!(kept.packets(), 2 * alone.flows.recorded);
}

#[test]
fn sums_of_every_flow_equal_those_of_tshark() {
    const TEST: &str = "sums_of_every_flow_equal_those_of_tshark";
    if !has(TEST, &["tshark", "python3"]) {
        return;
    }
    let scratch = Scratch::new(TEST);
    for path in captures() {
        for options in [&["--json"][..], &["--json", "--non-ip", "--record", "l2,l3,l4"]] {
            let output = run(peloton().arg("replay").args(options).arg(&path));
            assert!(output.status.success(), "{}", path.display());
            assert_eq!(output.stderr, b"", "{}", path.display());
            let records = scratch.path("records.jsonl");
            fs::write(&records, output.stdout).unwrap();
            assert_equals_tshark(&path, &records);
        }
    }
}
