//! What the documents show works as they show it.

use std::fs;

use peloton_tests::{
    program::{Scratch, has, peloton, run, workspace},
    tshark,
};

/// Where the example puts what its collector gets.
const CAPTURE: &str = "/tmp/peloton-ipfix.pcap";

#[test]
fn the_router_of_the_readme_forwards_and_exports() {
    const TEST: &str = "the_router_of_the_readme_forwards_and_exports";
    let scratch = Scratch::new(TEST);
    let (script, capture) = (scratch.path("router.exec"), scratch.path("ipfix.pcap"));
    let example = fs::read_to_string(workspace().join("docs/examples/router.exec")).unwrap();
    assert!(example.contains(CAPTURE));
    fs::write(&script, example.replace(CAPTURE, capture.to_str().unwrap())).unwrap();
    let output = run(peloton().arg("exec").arg(&script));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{text} {output:?}");
    for line in
        ["rx packets                100000", "tx packets                100000", "FLOWPROBE[IP4]"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    if !has(TEST, &["tshark"]) {
        return;
    }
    let rows = tshark(&capture, &[], &["cflow.packets", "_ws.expert.message"]).unwrap();
    let packets = rows.iter().flat_map(|row| row[0].split(',')).filter(|field| !field.is_empty());
    assert_eq!(packets.map(|field| field.parse::<u64>().unwrap()).sum::<u64>(), 100_000);
    assert!(rows.iter().all(|row| row[1].is_empty()), "{rows:?}");
}
