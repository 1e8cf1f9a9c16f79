//! What commands say that cannot be done.

use crate::scene::Scene;

#[test]
fn each_refusal_names_what_is_wrong_and_nothing_is_done() {
    let scene = Scene::new(
        2,
        "create bridge-domain 7 learn 0 forward 1 uu-flood 0 flood 1 arp-term 1 mac-age 9 bd-tag lab
         set interface l2 bridge pg0 7
         bvi create instance 3
         create packet-generator interface pg9 mode ip4",
    );
    let before = [scene.lab.run("show bridge-domain 7 detail"), scene.lab.run("show mode")];
    for (line, error) in [
        ("create bridge-domain 7", "there is a bridge domain 7 already"),
        ("create bridge-domain 0", "`0' is out of range, allowed is 1 to 16777215"),
        ("create bridge-domain 16777216", "out of range"),
        ("create bridge-domain 8 learn 2", "`2' is out of range, allowed is 0 to 1"),
        ("create bridge-domain 8 mac-age 256", "`256' is out of range, allowed is 0 to 255"),
        ("create bridge-domain 8 colour 1", "unknown input `colour'"),
        ("create bridge-domain 8 del", "no bridge domain 8"),
        ("create bridge-domain 7 del", "bridge domain 7 has 1 interfaces"),
        ("set bridge-domain learn 8", "no bridge domain 8"),
        ("set bridge-domain mac-age 7", "missing <minutes>"),
        ("set bridge-domain forward 8 disable", "no bridge domain 8"),
        ("set bridge-domain flood 7 off", "unknown input `off'"),
        ("set bridge-domain uu-flood", "missing <bridge-domain-id>"),
        ("set bridge-domain arp-ufwd 8", "no bridge domain 8"),
        ("set bridge-domain learn-limit 7 x", "`x' is not a number"),
        ("set bridge-domain default-learn-limit", "missing <limit>"),
        ("set bridge-domain arp entry 7 10.0.0.1", "missing <mac-address>"),
        (
            "set bridge-domain arp entry 7 10.0.0.1 del",
            "bridge domain 7 has no MAC address for 10.0.0.1",
        ),
        ("set bridge-domain arp entry 7 10.0.0 02:00:00:00:00:01", "`10.0.0' is not an IP address"),
        ("set interface l2 bridge pg0 7 bvi", "pg0 cannot be a BVI"),
        ("set interface l2 bridge bvi3 7", "bvi3 can only be the BVI of a bridge domain"),
        ("set interface l2 bridge pg9 7", "pg9 is not an Ethernet interface"),
        ("set interface l2 bridge local0 7", "local0"),
        ("set interface l2 bridge pg1 7 256", "`256' is out of range"),
        ("set interface l2 xconnect pg0 pg0", "pg0 cannot be connected to itself"),
        ("set interface l2 xconnect pg0 pg9", "pg9 is not an Ethernet interface"),
        ("set interface l2 xconnect pg0 bvi3", "bvi3 can only be the BVI"),
        ("set interface l2 tag-rewrite pg9 push dot1q 5", "pg9 is not an Ethernet interface"),
        ("set interface l2 tag-rewrite pg0 pop 1", "cannot pop 1 tags"),
        ("set interface l2 tag-rewrite pg0 pop 3", "`3' is out of range, allowed is 1 to 2"),
        ("set interface l2 tag-rewrite pg0 push dot1q", "missing <tag>"),
        ("set interface l2 tag-rewrite pg0 push dot1q 4096", "`4096' is out of range"),
        ("set interface l2 tag-rewrite pg0 translate 1-2 dot1q 5", "missing <tag>"),
        ("set interface l2 tag-rewrite pg0 translate 1-1 dot1q 5 6", "`6' does not go with"),
        ("set interface l2 tag-rewrite pg0 translate 3-1 dot1q 5", "unknown input `3-1'"),
        ("set interface l2 efp-filter pg0", "pg0 is not a sub-interface"),
        ("set interface l2 learn pg1 disable", "pg1 is in layer 3 mode"),
        ("set interface l2 forward pg1", "pg1 is in layer 3 mode"),
        ("set interface l2 flood pg1 disable", "pg1 is in layer 3 mode"),
        ("set interface l2 uu-flood pg0 off", "unknown input `off'"),
        ("l2fib add 01:00:00:00:00:01 7 pg0", "01:00:00:00:00:01 is no station's address"),
        ("l2fib add 02:00:00:00:00:01 7 pg1", "pg1 is not in bridge domain 7"),
        ("l2fib add 02:00:00:00:00:01 8 pg0", "no bridge domain 8"),
        ("l2fib add 02:00:00:00:00:01 7", "missing <interface>|filter"),
        ("l2fib add 02:00:00:00:00:01 7 pg0 filter", "does not go with"),
        ("l2fib del 02:00:00:00:00:01 7", "bridge domain 7 has no entry for 02:00:00:00:00:01"),
        ("l2fib flush-mac bridge-domain 8", "no bridge domain 8"),
        ("l2fib flush-mac interface nobody", "unknown interface `nobody'"),
        ("show bridge-domain 8", "no bridge domain 8"),
        ("show l2fib bd_id 8", "no bridge domain 8"),
        ("bvi delete pg0", "interface `pg0' was not made by `bvi create'"),
        ("bvi create instance 3", "there is an interface bvi3 already"),
    ] {
        let refused = scene.lab.refused(line);
        assert!(refused.contains(error), "{line}: {refused}");
    }
    assert_eq!([scene.lab.run("show bridge-domain 7 detail"), scene.lab.run("show mode")], before);
    assert!(
        before[0].contains("lab") || scene.lab.run("show bridge-domain 7 bd-tag").contains("lab")
    );
}

#[test]
fn a_limit_for_domains_to_come_leaves_those_that_are_there_alone() {
    let scene =
        Scene::new(1, "set interface l2 bridge pg0 1\nset bridge-domain default-learn-limit 77");
    scene.lab.script("create bridge-domain 2 arp-ufwd 1\nset bridge-domain arp-ufwd 1");
    let rows = scene.lab.run("show bridge-domain");
    let limits: Vec<_> =
        rows.lines().skip(1).filter_map(|row| row.split_whitespace().nth(11)).collect();
    assert_eq!(limits, ["16777216", "77"], "{rows}");
    let ufwd: Vec<_> =
        rows.lines().skip(1).filter_map(|row| row.split_whitespace().nth(9)).collect();
    assert_eq!(ufwd, ["on", "on"], "{rows}");
}
