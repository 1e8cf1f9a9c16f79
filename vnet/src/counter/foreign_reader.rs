//! The segment as another process sees it: `foreign_reader.py` knows the published layout and nothing of this code.

use super::{NameVector, Segment, ThreadIndex};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, ErrorKind, Read},
    os::fd::{AsFd, AsRawFd},
    process::{Child, Command, Stdio},
};

/// Starts the reader; `None`, said aloud, on a machine without python3.
fn reader(segment: &Segment, arguments: &[&str]) -> Option<Child> {
    let file = format!("/proc/{}/fd/{}", std::process::id(), segment.as_fd().as_raw_fd());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/counter/foreign_reader.py");
    let spawned = Command::new("python3")
        .arg(script)
        .arg(file)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn();
    match spawned {
        Ok(child) => Some(child),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("not run: python3 is not installed");
            None
        }
        Err(error) => panic!("python3: {error}"),
    }
}

fn dump(segment: &Segment) -> Option<Value> {
    let output = reader(segment, &["dump"])?.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn sample() -> (Segment, NameVector) {
    let mut segment = Segment::new(2).unwrap();
    let drops = segment.simple("/if/drops", 1 << 16).unwrap();
    let rx = segment.combined("/if/rx", 1 << 16).unwrap();
    drops.validate(3).unwrap();
    rx.validate(2).unwrap();
    let (main, worker) = (ThreadIndex::MAIN, ThreadIndex(1));
    drops.writer(main).unwrap().add(2, 5);
    drops.writer(worker).unwrap().add(0, u64::MAX);
    let writer = rx.writer(worker).unwrap();
    writer.add(1, 2, 128);
    writer.add(1, 1, 1500);
    segment.scalar("/sys/heartbeat").unwrap().set(12);
    segment.gauge("/sys/vector_rate").unwrap().set(7);
    segment.link("/interfaces/pg0/rx", "/if/rx", 1).unwrap();
    let names = segment.names("/if/names", 1 << 16).unwrap();
    segment.set_name(&names, 1, "pg0").unwrap();
    (segment, names)
}

#[test]
fn another_process_reads_every_kind_of_entry() {
    let (mut segment, names) = sample();
    let Some(seen) = dump(&segment) else { return };
    let expected = json!({
        "/if/drops": {"type": 2, "value": [[0, 0, 5], [u64::MAX, 0, 0]]},
        "/if/rx": {"type": 3, "value": [[[0, 0], [0, 0]], [[0, 0], [3, 1628]]]},
        "/sys/heartbeat": {"type": 1, "value": 12},
        "/sys/vector_rate": {"type": 9, "value": 7},
        "/interfaces/pg0/rx": {"type": 6, "value": [1, 1]},
        "/if/names": {"type": 4, "value": [null, "pg0"]},
    });
    assert_eq!(seen["entries"], expected);

    segment.rename("/interfaces/pg0/rx", "/interfaces/wan/rx").unwrap();
    let longest = "n".repeat(127);
    segment.set_name(&names, 1, "w").unwrap();
    segment.set_name(&names, 0, &longest).unwrap();
    let drops = segment.simple("/more", 10).unwrap();
    drops.validate(10).unwrap();
    segment.remove("/sys/heartbeat").unwrap();
    let Some(seen) = dump(&segment) else { return };
    let entries = &seen["entries"];
    assert_eq!(entries["/interfaces/wan/rx"]["value"], json!([1, 1]));
    assert_eq!(entries["/if/names"]["value"], json!([longest, "w"]));
    assert_eq!(entries["/more"]["value"], json!([vec![0; 10], vec![0; 10]]));
    assert_eq!(entries.get("/sys/heartbeat"), None);
    assert_eq!(seen["length"], 7);
}

#[test]
fn removing_a_counter_removes_the_links_to_it_and_its_memory_is_used_again_when_nobody_writes() {
    let (mut segment, _) = sample();
    let old = segment.simple("/a", 100).unwrap();
    segment.link("/link/a", "/a", 1).unwrap();
    let writer = old.writer(ThreadIndex::MAIN).unwrap();
    segment.remove("/a").unwrap();
    assert!(!segment.contains("/a") && !segment.contains("/link/a"));
    let other = segment.simple("/b", 100).unwrap();
    other.validate(2).unwrap();
    writer.add(1, 99);
    assert_eq!((old.sum(1), other.sum(1)), (99, 0));
    let at = old.at();
    drop((old, writer));
    let third = segment.simple("/c", 100).unwrap();
    third.validate(2).unwrap();
    assert_eq!(third.at(), at, "the memory of /a serves /c");
    let Some(seen) = dump(&segment) else { return };
    assert_eq!(seen["entries"]["/c"]["value"], json!([[0, 0], [0, 0]]));
    assert_eq!(seen["entries"].get("/link/a"), None);
    assert_eq!(seen["length"], 8, "the slots of removed entries are used again");
}

#[test]
fn another_process_never_sees_half_a_change() {
    let mut segment = Segment::with_size(1, 16 << 20).unwrap();
    let Some(mut child) = reader(&segment, &["watch", "4000"]) else { return };
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let mut number = 0;
    while child.try_wait().unwrap().is_none() {
        let path = |n: u64| (format!("/same/{n}"), format!("/link/{n}"));
        let (name, link) = path(number);
        segment.together(|segment| {
            let counter = segment.simple(&name, 4).unwrap();
            counter.validate(1).unwrap();
            counter.writer(ThreadIndex::MAIN).unwrap().add(0, number);
            segment.link(&link, &name, 0).unwrap();
        });
        if let Some(old) = number.checked_sub(3) {
            segment.remove(&path(old).0).unwrap();
        }
        number += 1;
        if number.is_multiple_of(4) {
            std::thread::sleep(std::time::Duration::from_micros(300));
        }
    }
    let mut epochs = String::new();
    output.read_to_string(&mut epochs).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(epochs.trim().parse::<u64>().unwrap() > 1, "the reader saw changes: {epochs}");
}
