//! What commands on neighbours, ICMP and addresses say that cannot be done, and their JSON forms.

use crate::scene::Scene;

#[test]
fn each_refusal_names_what_is_wrong_and_nothing_is_done() {
    let scene = Scene::router();
    scene.lab.run("create packet-generator interface pg9 mode ip4");
    let state = || {
        [
            "show ip neighbors",
            "show ip neighbor-config",
            "show ip6 dad",
            "show urpf",
            "show arp proxy",
            "show interface addr",
        ]
        .map(|line| scene.lab.run(line))
    };
    let before = state();
    for (line, error) in [
        ("set ip neighbor pg0 192.168.0.9", "missing <mac-address>"),
        ("set ip neighbor pg0 192.168.0.9 02:00", "`02:00' is not an Ethernet address"),
        ("set ip neighbor pg0 192.168.0 02:00:00:00:00:01", "`192.168.0' is not an IP address"),
        ("set ip neighbor pg7 192.168.0.9 02:00:00:00:00:01", "unknown interface `pg7'"),
        ("set ip neighbor del pg0 192.168.0.9", "192.168.0.9"),
        ("set ip neighbor-config ip5", "unknown input `ip5'"),
        ("set ip neighbor-config ip4 limit -1", "`-1'"),
        ("set ip neighbor-config ip6 age many", "`many'"),
        ("set ip neighbor-announce pg0", "missing enable|disable"),
        ("set ip neighbor-announce pg7 enable", "unknown interface `pg7'"),
        ("set arp proxy start 10.0.0.1", "missing end"),
        ("set arp proxy table-ID 9 start 10.0.0.1 end 10.0.0.2", "no ip4 table 9"),
        ("set arp proxy del start 10.0.0.1 end 10.0.0.2", "no such range"),
        ("set interface proxy-arp pg7", "unknown interface `pg7'"),
        ("set interface unnumbered pg0 use pg0", "pg0"),
        ("set interface unnumbered pg9 use pg7", "unknown interface `pg7'"),
        ("enable ip6 interface pg9", "pg9 has no MAC address"),
        ("enable ip6 interface", "missing <interface>"),
        ("show ip6 interface pg7", "unknown interface `pg7'"),
        ("set ip6 dad", "missing enable|disable"),
        ("set ip6 dad enable transmits 11", "`11' is out of range, allowed is 1 to 10"),
        ("set ip icmp-error-limit", "missing rate, burst, sender-rate or sender-burst"),
        ("set ip6 icmp-error-limit rate 1000001", "`1000001' is out of range"),
        ("set ip6 icmp-error-limit colour 1", "unknown input `colour'"),
        ("set urpf ip4 rx strict pg7", "unknown interface `pg7'"),
        ("set urpf ip4 tx strict pg0", "unknown interface `tx'"),
        ("set urpf ip4 rx loose pg0 table 9", "no ip4 table 9"),
    ] {
        let refused = scene.lab.refused(line);
        assert!(refused.contains(error), "{line}: {refused}");
    }
    assert_eq!(state(), before);
}

#[test]
fn what_is_shown_has_a_json_form() {
    let scene = Scene::router();
    scene.lab.script(
        "set arp proxy start 10.0.0.1 end 10.0.0.9
         set interface proxy-arp pg0
         set urpf ip6 rx loose pg1
         set ip6 nd proxy pg1 2001:db8::77",
    );
    for (line, part) in [
        ("show ip neighbors", "\"192.168.1.2\""),
        ("show ip6 neighbors pg1", "\"2001:db8:1::2\""),
        ("show ip neighbor-config", "50000"),
        ("show ip neighbor-announce", "pg0"),
        ("show arp proxy", "10.0.0.1-10.0.0.9"),
        ("show ip6 interface pg0", "fe80::fe:ff:fe00:0"),
        ("show ip6 dad", "\"enabled\":false"),
        ("show ip6 nd proxy", "2001:db8::77"),
        ("show ip icmp-error-limit", "sender"),
        ("show ip6 icmp-error-limit", "sender"),
        ("show urpf", "loose"),
    ] {
        let shown = scene.lab.run(&format!("{line} json"));
        let value: serde_json::Value = serde_json::from_str(&shown).expect(line);
        let again = value.to_string().to_lowercase();
        assert!(again.contains(part), "{line}: {shown}");
    }
}
