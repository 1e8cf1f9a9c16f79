//! The commands: what they print and what they refuse.

use serde_json::Value as Json;

use super::{Bed, read, scratch};

const STREAM: &str = "packet-generator new {\n  name x\n  limit 300 rate 1e4 size 64+128\n  node pg0\n  \
                      data { IP4: 1.2.3 -> 4.5.6\n UDP: 10.0.0.1 -> 10.0.0.2\n UDP: 1 -> 2 incrementing 8 }\n}";

#[test]
fn streams_are_listed_in_vpps_columns() {
    let bed = Bed::new();
    assert_eq!(bed.run("show packet-generator"), "no streams currently defined\n");
    bed.run("create packet-generator interface pg0");
    bed.run(STREAM);
    let head = "Name               Enabled        Count     Parameters\n";
    let line = "x                    No             0       \
                limit 300, rate 1.00e4 pps, size 64+128, buffer-size 2048, worker 0, \n";
    assert_eq!(bed.run("show packet-generator"), format!("{head}{line}"));
    let pad = " ".repeat(44);
    let groups = [(14, 0), (20, 14), (8, 34), (8, 42)]
        .map(|(size, at)| format!("{pad}hdr-size {size}, offset {at}, \n"));
    assert_eq!(
        bed.run("show packet-generator verbose"),
        format!("{head}{line}{}", groups.concat())
    );
    let json: Json = serde_json::from_str(&bed.run("show packet-generator json")).unwrap();
    assert_eq!(json[0]["name"], "x");
    assert_eq!(json[0]["enabled"], false);
    assert_eq!(json[0]["parameters"]["size"]["max"], 128);
}

#[test]
fn what_does_not_exist_or_exists_already_is_refused_by_name() {
    let bed = Bed::new();
    let cases = [
        ("packet-generator enable-stream y", "expected stream name `y'"),
        ("packet-generator disable-stream y", "expected stream name `y'"),
        ("packet-generator delete y", "expected stream name `y'"),
        ("packet-generator configure y limit 5", "expected stream name `y'"),
        (
            "packet-generator capture pg9 pcap /tmp/of-pg9",
            "Please specify packet-generator interface",
        ),
        ("packet-generator capture local0 disable", "Please specify packet-generator interface"),
        ("packet-generator new { data { hex 0x00 } }", "output interface or node not given"),
        ("packet-generator new { node nowhere data { hex 0x00 } }", "unknown input `node nowhere'"),
        // A node that takes no packets of others.
        (
            "packet-generator new { node pg-input data { hex 0x00 } }",
            "unknown input `node pg-input'",
        ),
        (
            "packet-generator new { interface tap0 node error-drop data { hex 0x00 } }",
            "unknown input `interface tap0'",
        ),
        ("packet-generator new name x", "no packet data given"),
        ("packet-generator new pcap /nowhere/x.pcap source pg0 name x", "/nowhere/x.pcap"),
        ("create packet-generator interface eth0", "`eth0' is not a name like pg0"),
        ("create packet-generator interface pg01", "`pg01' is not a name like pg0"),
    ];
    for (command, expected) in cases {
        let refused = bed.refused(command);
        assert!(refused.contains(expected), "{command}: {refused}");
    }
    // Nothing of what was refused is left behind.
    assert_eq!(bed.run("show packet-generator"), "no streams currently defined\n");
    assert!(bed.engine.with(|m| m.interfaces().find("pg0").is_err()));
    bed.run("create packet-generator interface pg0 hw-addr 02:00:00:00:00:09 mode ethernet");
    // One that there is stays as it is.
    assert_eq!(bed.run("create packet-generator interface pg0"), "");
    assert!(bed.run("show hardware-interfaces pg0").contains("02:00:00:00:00:09"));
}

#[test]
fn a_rate_that_cannot_be_is_refused_with_the_word_and_what_can_and_changes_nothing() {
    let bed = Bed::new();
    bed.run("create packet-generator interface pg0");
    bed.run(STREAM);
    let before = bed.run("show packet-generator");
    let range = "expected packets a second, from 0 (as fast as possible) to 1e12";
    for rate in ["nan", "NaN", "inf", "infinity", "1e400", "1e13", "0x10", "fast", "1,000"] {
        let refused = bed.refused(&format!("packet-generator configure x limit 7 rate {rate}"));
        assert!(refused.contains(&format!("rate `{rate}': {range}")), "{refused}");
    }
    for rate in ["-1", "-inf", "-1e400", "-0.001"] {
        let refused = bed.refused(&format!("packet-generator configure x limit 7 rate {rate}"));
        assert!(refused.contains(&format!("negative rate `{rate}': {range}")), "{refused}");
    }
    for word in ["limit nan", "limit -1", "limit 1e19", "buffer-size inf", "buffer-size -5"] {
        let refused = bed.refused(&format!("packet-generator configure x rate 5 {word}"));
        let (name, value) = word.split_once(' ').unwrap();
        assert!(refused.contains(&format!("{name} `{value}': expected ")), "{refused}");
    }
    assert_eq!(bed.run("show packet-generator"), before);
    for (rate, shown) in [("0", 0.0), ("-0", 0.0), ("1e12", 1e12), ("1e-9", 1e-6), (".5", 0.5)] {
        bed.run(&format!("packet-generator configure x rate {rate}"));
        let json: Json = serde_json::from_str(&bed.run("show packet-generator json")).unwrap();
        assert_eq!(json[0]["parameters"]["rate"], shown, "{rate}");
    }
}

#[test]
fn a_stream_of_the_same_name_takes_the_place_of_the_old_one() {
    let bed = Bed::new();
    bed.run("create packet-generator interface pg0");
    bed.run(STREAM);
    bed.run("packet-generator enable-stream");
    bed.run(&STREAM.replace("limit 300", "limit 5"));
    let rows = bed.generator.streams();
    assert_eq!((rows.len(), rows[0].limit, rows[0].enabled), (1, 5, false));
    bed.run("packet-generator enable-stream x");
    assert_eq!(bed.run("packet-generator enable-stream x"), "enabled already\n");
    bed.run("packet-generator disable-stream");
    assert_eq!(bed.run("packet-generator disable-stream x"), "disabled already\n");
    assert_eq!(bed.run("packet-generator disable-stream"), "");
    bed.run("packet-generator delete x");
    assert!(bed.generator.streams().is_empty());
}

#[test]
fn a_stream_without_an_interface_brings_pg0_with_it_and_sets_it_up() {
    let bed = Bed::new();
    bed.run("packet-generator new { limit 1 node error-drop data { incrementing 20 } }");
    let is_up = || {
        bed.engine.with(|m| {
            let pg0 = m.interfaces().find("pg0").unwrap();
            m.interfaces().interface(pg0).unwrap().admin_up
        })
    };
    assert!(!is_up());
    bed.run("packet-generator enable-stream stream0");
    assert!(is_up());
}

#[test]
fn a_capture_ends_at_its_count_or_when_told_and_never_overwrites() {
    let bed = Bed::new();
    bed.run("create packet-generator interface pg0");
    bed.run(&STREAM.replace("rate 1e4", "rate 0"));
    let file = scratch("count");
    let capture = format!("packet-generator capture pg0 pcap {}", file.display());
    bed.run(&format!("{capture} count 7"));
    bed.run("packet-generator enable-stream x");
    bed.engine.run_until_idle();
    // It is complete before anybody ends it.
    assert_eq!(read(&file).len(), 7);
    assert_eq!(bed.run("packet-generator capture pg0 disable"), "7 packets captured\n");
    assert_eq!(bed.run("packet-generator capture pg0 disable"), "", "nothing is captured any more");
    let refused = bed.refused(&capture);
    assert!(refused.contains("already exists."), "{refused}");
    assert_eq!(read(&file).len(), 7);
    let refused = bed.refused("packet-generator capture pg0 pcap /nowhere/at/all.pcap");
    assert!(
        refused.contains("can not open pcap file '/nowhere/at/all.pcap' for writing"),
        "{refused}"
    );
    // A new capture ends the one before, and flushing shows what there is so far.
    let [first, second] = ["first", "second"].map(scratch);
    bed.run(&format!("packet-generator capture pg0 pcap {}", first.display()));
    bed.run("packet-generator enable-stream x");
    bed.engine.run_until_idle();
    bed.generator.flush_capture("pg0").unwrap();
    assert_eq!(read(&first).len(), 300);
    bed.run(&format!("packet-generator capture pg0 pcap {}", second.display()));
    assert_eq!(bed.run("packet-generator capture pg0 disable"), "0 packets captured\n");
    assert!(!second.exists(), "no packet, no file");
    for file in [file, first] {
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_full_disk_ends_a_capture_with_an_error_and_the_packets_go_on() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let bed = Bed::new();
    bed.run("create packet-generator interface pg0");
    bed.run(&STREAM.replace("limit 300 rate 1e4 size 64+128", "limit 2000 size 1500-1500"));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    bed.generator.capture_to("pg0", full, None).unwrap();
    bed.run("packet-generator enable-stream x");
    bed.engine.run_until_idle();
    assert_eq!(bed.generator.sent("pg0").unwrap().packets, 2000);
    let refused = bed.refused("packet-generator capture pg0 disable");
    assert!(refused.contains("No space left on device"), "{refused}");
    let errors = bed.run("show errors");
    assert!(errors.contains("pg0-tx") && errors.contains("cannot be written"), "{errors}");
}
