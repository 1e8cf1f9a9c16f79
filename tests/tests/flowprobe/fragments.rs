//! Later fragments in the flow of the first one.

use crate::scene::Scene;

/// A frame to the router with a fragment of a UDP packet: offset in units of 8 octets, and whether more follow.
fn fragment(id: u8, offset: u16, more: bool) -> Vec<u8> {
    let mut frame = vec![2, 0xfe, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0x08, 0x00];
    let mut header = [0x45, 0, 0, 44, 0, id, 0, 0, 64, 17, 0, 0, 192, 168, 0, 2, 10, 0, 0, 1];
    header[6..8].copy_from_slice(&(u16::from(more) << 13 | offset).to_be_bytes());
    let words =
        header.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum = words.sum::<u32>();
    let sum = !((sum >> 16) + (sum & 0xffff)) as u16;
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(header);
    // The header of UDP, or what looks like one with other ports.
    frame.extend(if offset == 0 { [0x13, 0x88, 0, 53, 0, 80, 0, 0] } else { [0xee; 8] });
    frame.extend([0; 16]);
    frame
}

#[test]
fn later_fragments_are_counted_in_the_flow_of_the_first_one() {
    let scene = Scene::new("fragments", "");
    scene.params("record l3 l4 fragments");
    let params = scene.lab.run("show flowprobe params");
    assert_eq!(params, " l3 l4 active: 15 passive: 120 fragments\n");
    scene.feature("pg0 ip4 rx");
    scene.feature("pg1 ip4 tx");
    // The last one has no first fragment.
    scene.replay(&[
        fragment(1, 0, true),
        fragment(1, 3, true),
        fragment(1, 6, false),
        fragment(2, 3, false),
    ]);
    let statistics = scene.lab.run("show flowprobe statistics");
    let line = "fragments: 2 first, 4 attributed, 2 without their first; evictions: 0";
    assert!(statistics.contains(line), "{statistics}");
    scene.feature("pg0 ip4 disable");
    scene.feature("pg1 ip4 disable");
    let exported = scene.exported();
    let mut told: Vec<_> = exported
        .records
        .iter()
        .map(|record| {
            let number = |name: &str| record[name].as_u64().unwrap();
            (
                number("flowDirection"),
                number("sourceTransportPort"),
                number("packetDeltaCount"),
                number("octetDeltaCount"),
            )
        })
        .collect();
    told.sort_unstable();
    assert_eq!(told, [(0, 0, 1, 44), (0, 5000, 3, 132), (1, 0, 1, 44), (1, 5000, 3, 132)]);
}

#[test]
fn fragments_of_the_profile_vpp_are_as_vpp_has_them() {
    let scene = Scene::new("fragments-vpp", "");
    let refused = scene.lab.refused("flowprobe params record l4 profile vpp fragments");
    assert!(refused.contains("leave out `fragments'"), "{refused}");
    assert_eq!(scene.lab.run("show flowprobe params"), " active: 15 passive: 120\n");
}
