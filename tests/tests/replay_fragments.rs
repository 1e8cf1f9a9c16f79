//! `peloton replay --fragments`: later fragments are counted in the flow of the first one.

use std::{fs, path::Path, process::Command};

use peloton_tests::{
    program::{Scratch, has, peloton, run, workspace},
    replay::{captures, replay},
};
use vnet::flow::{Config, Families, RecordSet};

/// Holds records against what tshark reassembles; how many later fragments have ports there.
fn attributed_by_tshark(capture: &Path, records: &Path) -> u64 {
    let mut python = Command::new("python3");
    python.arg(workspace().join("tests/oracle/fragments.py")).args([capture, records]);
    let compared = run(&mut python);
    let text = String::from_utf8(compared.stdout).unwrap();
    assert!(compared.status.success(), "{}: {text}", capture.display());
    text.trim().parse().unwrap()
}

#[test]
fn sums_of_datagrams_are_those_that_tshark_reassembles() {
    const TEST: &str = "sums_of_datagrams_are_those_that_tshark_reassembles";
    if !has(TEST, &["tshark", "python3"]) {
        return;
    }
    let scratch = Scratch::new(TEST);
    let mut attributed = 0;
    for path in captures() {
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.contains("fragments") {
            continue;
        }
        let output = run(peloton().args(["replay", "--json", "--fragments"]).arg(&path));
        assert!(output.status.success(), "{}", path.display());
        let records = scratch.path("records.jsonl");
        fs::write(&records, output.stdout).unwrap();
        attributed += attributed_by_tshark(&path, &records);
    }
    assert!(attributed > 0);
}

#[test]
fn what_became_of_fragments_is_told() {
    let capture = workspace().join("tests/captures/fragments.pcap");
    let told = |options: &[&str]| {
        let output = run(peloton().arg("replay").args(options).arg(&capture));
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find(|line| line.starts_with("fragments")).map(str::to_owned)
    };
    assert_eq!(told(&["--top", "0"]), None);
    let line = told(&["--top", "0", "--fragments"]).unwrap();
    assert_eq!(line, "fragments     9 first, 11 attributed, 5 without their first, 0 evictions");
}

#[test]
fn frames_of_any_size_attribute_the_same() {
    let capture = fs::read(workspace().join("tests/captures/fragments.pcap")).unwrap();
    let families = Families::IP4 | Families::IP6;
    let config = Config {
        fragments: true,
        max_flows: 100,
        ..Config::new(families, RecordSet::L3 | RecordSet::L4)
    };
    let [one, seven, many] = [1, 7, 256].map(|frame| replay(&capture, &config, frame));
    assert_eq!(one.0.sorted(), many.0.sorted());
    assert_eq!(seven.0.sorted(), many.0.sorted());
    assert!(many.1.is_balanced() && many.1.flows.fragments.attributed > 0);
}
