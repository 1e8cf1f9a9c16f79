//! No exported packet is longer than the path MTU, and none is shorter for no reason.

use crate::scene::{IP4, IP6, Scene};

/// Lengths of the IP packets with data, for 200 flows.
fn lengths(mtu: usize, variant: &str, record: &str) -> Vec<usize> {
    let scene =
        Scene::new(&format!("mtu-{mtu}-{variant}-{}", record.len()), &format!("path-mtu {mtu}"));
    scene.params(&format!("record {record}"));
    scene.feature(&format!("pg0 {variant} rx"));
    scene.send(
        200,
        &match variant {
            "ip4" => format!("{IP4} UDP: 192.168.0.2 -> 10.0.0.1-10.0.0.200 UDP: 1 -> 2"),
            _ => format!("{IP6} UDP: 2001:db8::2 -> 2001:db8:10::1-2001:db8:10::c8 UDP: 1 -> 2"),
        },
    );
    scene.feature(&format!("pg0 {variant} disable"));
    let exported = scene.exported();
    assert_eq!(exported.packet_sum(), 200);
    assert!(exported.packets.iter().all(|&len| len <= mtu), "{mtu}: {:?}", exported.packets);
    let with_data = exported.messages.iter().zip(&exported.packets).filter(|(m, _)| m.1 > 0);
    with_data.map(|(_, &len)| len).collect()
}

#[test]
fn packets_are_as_long_as_the_path_mtu_allows_and_no_longer() {
    // Octets of a record: the documented sizes of the templates.
    for (variant, record, octets) in
        [("ip4", "l2 l3 l4", 73), ("ip6", "l2 l3 l4", 97), ("ip4", "l3", 51), ("ip6", "l3", 75)]
    {
        for mtu in [260, 512, 1024, 1450] {
            let each = (mtu - 48) / octets;
            let mut expected = vec![48 + each * octets; 200 / each];
            if 200 % each > 0 {
                expected.push(48 + 200 % each * octets);
            }
            assert_eq!(lengths(mtu, variant, record), expected, "{mtu} {variant} {record}");
        }
    }
}
