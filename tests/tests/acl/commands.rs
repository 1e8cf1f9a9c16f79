//! What commands refuse, and their forms for programs.

use crate::{Router, packet::Packet};

#[test]
fn what_is_wrong_is_said() {
    let router = Router::new(
        2,
        "set acl-plugin acl permit
         set acl-plugin acl deny
         set acl-plugin interface pg0 output acl 1",
    );
    for (line, error) in [
        (
            "set acl-plugin acl permit src 10.0.0.0/99",
            "set acl-plugin acl: rule 0: `10.0.0.0/99' is not an IP prefix\n",
        ),
        (
            "set acl-plugin acl permit, sport 5",
            "set acl-plugin acl: rule 1: sport and dport need proto\n",
        ),
        ("set acl-plugin acl index 7 permit", "set acl-plugin acl: no ACL with index 7\n"),
        (
            "set acl-plugin acl permit action sample { x }",
            "set acl-plugin acl: rule 0: no action `sample': no plugin of this engine has one\n",
        ),
        (
            "set acl-plugin acl",
            "set acl-plugin acl: missing <rules> (syntax: set acl-plugin acl <rules>)\n",
        ),
        ("delete acl-plugin acl index 7", "delete acl-plugin acl: no ACL with index 7\n"),
        (
            "delete acl-plugin acl index 1",
            "delete acl-plugin acl: ACL 1 is applied outbound on pg0: take it from there first\n",
        ),
        (
            "set acl-plugin interface pg0 output acl 1",
            "set acl-plugin interface: ACL 1 is applied outbound there already\n",
        ),
        (
            "set acl-plugin interface pg0 input acl 1 del",
            "set acl-plugin interface: ACL 1 is not applied inbound there\n",
        ),
        (
            "set acl-plugin interface pg0 input acl 9",
            "set acl-plugin interface: no ACL with index 9\n",
        ),
        (
            "set acl-plugin interface pg9 input acl 0",
            "set acl-plugin interface: unknown interface `pg9'\n",
        ),
        (
            "set acl-plugin session timeout udp idle 0",
            "set acl-plugin session timeout udp idle: `0' is out of range, allowed is 1 to 2678400\n",
        ),
        (
            "set acl-plugin session table max-entries 999999999",
            "set acl-plugin session table max-entries: `999999999' is out of range, allowed is 1 to 16777216\n",
        ),
        ("show acl-plugin acl index 9", "show acl-plugin acl: no ACL with index 9\n"),
    ] {
        assert_eq!(router.lab.refused(line), error, "{line}");
    }
    // Nothing of all that was applied.
    assert!(router.passes(0, &Packet::udp(0, 1, (1, 2))));
    assert_eq!(router.json("show acl-plugin acl").as_array().map(Vec::len), Some(2));
}

#[test]
fn a_line_without_room_for_its_rules_is_refused() {
    let router = Router::new(1, "");
    let rules = vec!["permit"; 200_000].join(",");
    router.lab.run(&format!("set acl-plugin acl {rules}"));
    let error = router.lab.refused(&format!("set acl-plugin acl {rules}"));
    assert_eq!(
        error,
        "set acl-plugin acl: no room for 200000 rules more: all lists together have at most 262144\n"
    );
    router.lab.script("delete acl-plugin acl index 0");
    router.lab.run(&format!("set acl-plugin acl {rules}"));
}

#[test]
fn programs_read_what_people_do() {
    let router = Router::new(
        2,
        "set acl-plugin acl permit+reflect proto 17 dport 53-54 tag names
         set acl-plugin acl deny src 2001:db8::/32 dst ::/0 proto tcp tcpflags 2 mask 18
         set acl-plugin interface pg0 input acl 0
         set acl-plugin interface pg0 input acl 1",
    );
    router.send(0, &[Packet::udp(0, 1, (1000, 53))]);
    let shown = router.json("show acl-plugin acl");
    assert_eq!(shown[0]["tag"], "names");
    assert_eq!(shown[0]["inbound"][0], 1);
    let rule = &shown[0]["rules"][0];
    assert_eq!(
        (&rule["verdict"], &rule["dport"], &rule["packets"]),
        (&"permit+reflect".into(), &"53-54".into(), &1.into())
    );
    let rule = &shown[1]["rules"][0];
    assert_eq!((&rule["src"], &rule["tcpflags_mask"]), (&"2001:db8::/32".into(), &18.into()));
    let shown = router.json("show acl-plugin interface acl detail");
    assert_eq!((&shown[0]["name"], &shown[0]["input_acls"][1]), (&"pg0".into(), &1.into()));
    assert_eq!(shown[0]["input_rules"][1]["index"], 1);
    let shown = router.json("show acl-plugin sessions verbose");
    let session = &shown["sessions"][0];
    assert_eq!(
        (&session["src"], &session["dport"], &session["began"]),
        (&"10.0.0.1".into(), &53.into(), &"input".into())
    );
    let shown = router.json("show acl-plugin tables");
    assert_eq!(shown["contexts"][0]["ip6"]["masks"][0]["keys"], 1);
    let shown = router.json("show acl-plugin lookup context");
    assert_eq!((&shown[0]["is_input"], &shown[0]["acls"][0]), (&true.into(), &0.into()));
    assert_eq!(
        router.json("show acl-plugin interface sw_if_index 9").as_array().map(Vec::len),
        Some(0)
    );
}

#[test]
fn help_and_completion_know_the_commands() {
    let router = Router::new(1, "");
    let help = router.lab.run("help set acl-plugin acl");
    assert!(help.contains("<permit|deny|permit+reflect> src <PREFIX> dst <PREFIX>"), "{help}");
    assert!(router.lab.run("help set acl-plugin interface").contains("input|output"));
}
