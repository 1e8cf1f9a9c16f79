//! Real captures through the graph: what the exporter sends of them, judged by tshark.

use std::{fs, path::Path};

use peloton_tests::{
    program::{Scratch, has},
    replay::{assert_equals_tshark, captures},
};

use crate::scene::{Exported, Scene};

/// Has the packets of a capture come in by an interface that is measured, and gives back what its collector has got.
fn exported(capture: &Path) -> Exported {
    let scene = Scene::new("captures", "");
    scene.params("record l2 l3 l4");
    scene.feature("pg0 l2 rx");
    scene.lab.run(&format!(
        "packet-generator new {{ name r interface pg0 node ethernet-input pcap {} }}",
        capture.display()
    ));
    scene.lab.run("packet-generator enable-stream r");
    scene.lab.engine.run_until_idle();
    scene.feature("pg0 l2 disable");
    scene.lab.run("ipfix flush");
    assert_eq!(scene.not_sent(), 0);
    scene.exported()
}

#[test]
fn what_the_exporter_sends_of_each_capture_equals_what_tshark_counts() {
    const TEST: &str = "what_the_exporter_sends_of_each_capture_equals_what_tshark_counts";
    if !has(TEST, &["tshark", "python3"]) {
        return;
    }
    let scratch = Scratch::new(TEST);
    for capture in captures() {
        let exported = exported(&capture);
        let records = scratch.path("records.jsonl");
        let lines: Vec<String> = exported.records.iter().map(ToString::to_string).collect();
        fs::write(&records, lines.join("\n")).unwrap();
        assert_equals_tshark(&capture, &records);
    }
}
