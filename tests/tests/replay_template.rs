//! `peloton replay --template`: fields that an analyst chooses.

use std::fs;

use peloton_tests::{
    program::{Scratch, has, peloton, run, workspace},
    replay::{assert_equals_tshark, captures},
};

/// What tells flows apart in the tables of most tools.
const TUPLE: &str = "sourceIPv4Address,destinationIPv4Address,sourceIPv6Address,destinationIPv6Address,\
     protocolIdentifier,sourceTransportPort,destinationTransportPort,icmpTypeCodeIPv4,icmpTypeCodeIPv6,\
     packetDeltaCount,octetDeltaCount";

fn replay(options: &[&str]) -> (bool, String, String) {
    let capture = workspace().join("tests/captures/demo.pcap");
    let output = run(peloton().arg("replay").args(options).arg(capture));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn sums_of_chosen_fields_equal_those_of_tshark() {
    const TEST: &str = "sums_of_chosen_fields_equal_those_of_tshark";
    if !has(TEST, &["tshark", "python3"]) {
        return;
    }
    let scratch = Scratch::new(TEST);
    for path in captures() {
        let output = run(peloton().args(["replay", "--json", "--template", TUPLE]).arg(&path));
        assert!(output.status.success(), "{}", path.display());
        let records = scratch.path("records.jsonl");
        fs::write(&records, output.stdout).unwrap();
        assert_equals_tshark(&path, &records);
    }
}

#[test]
fn objects_have_the_chosen_fields_in_their_order() {
    let (success, text, _) =
        replay(&["--json", "--template", "packetDeltaCount,protocolIdentifier"]);
    assert!(success);
    let is_sound =
        |line: &str| line.starts_with("{\"packetDeltaCount\":") && line.matches(':').count() == 2;
    assert!(!text.is_empty() && text.lines().all(is_sound), "{text}");
}

#[test]
fn what_is_no_template_is_refused_by_its_reason() {
    for (options, reason) in [
        (&["--template", "sourceIPAddress"][..], "did you mean sourceIPv4Address"),
        (&["--template", "applicationName"], "no meter classifies applications"),
        (&["--template", "packetDeltaCount", "--record", "l3"], "--record"),
    ] {
        let (success, _, complaint) = replay(options);
        assert!(!success && complaint.contains(reason), "{complaint}");
    }
}
