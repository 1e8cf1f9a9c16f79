//! What can change while packets are measured.

use crate::scene::{IP4, Scene, UDP};

#[test]
fn directions_change_while_an_interface_is_measured_and_nothing_is_lost() {
    let scene = Scene::new("settings-directions", "");
    scene.params("record l3");
    scene.feature("pg0 l2 rx");
    scene.send(10, &format!("{IP4} {UDP}"));
    scene.lab.run("flowprobe interface set pg0 l2 tx");
    scene.send(20, &format!("{IP4} {UDP}"));
    scene.lab.run("flowprobe interface set pg0 l2 both");
    scene.send(40, &format!("{IP4} {UDP}"));
    assert_eq!(scene.lab.run("show flowprobe feature"), " pg0 l2 rx tx\n");
    scene.feature("pg0 l2 disable");
    assert_eq!(scene.exported().all("packetDeltaCount"), [10, 40]);
    let refused = scene.lab.refused("flowprobe interface set pg0 l2 rx");
    assert!(refused.contains("not enabled"), "{refused}");
}

#[test]
fn timers_change_while_packets_are_measured_and_no_record_is_of_two_settings() {
    let scene = Scene::new("settings-timers", "");
    scene.params("record l3 active 15 passive 120");
    scene.feature("pg0 ip4 rx");
    scene.send(10, &format!("{IP4} {UDP}"));
    scene.lab.run("flowprobe timers active 2 passive 3");
    assert_eq!(scene.lab.run("show flowprobe params"), " l3 active: 2 passive: 3\n");
    assert_eq!(scene.flows_held(), 0);
    scene.send(20, &format!("{IP4} {UDP}"));
    // Two seconds make the record, and after three the flow is over.
    scene.lab.advance(4);
    assert_eq!(scene.flows_held(), 0);
    scene.lab.run("flowprobe timers active 0");
    scene.send(3, &format!("{IP4} {UDP}"));
    scene.lab.run("ipfix flush");
    let refused = scene.lab.refused("flowprobe timers active 300");
    assert!(refused.contains("passive must be greater than active"), "{refused}");
    let exported = scene.exported();
    assert_eq!(exported.all("packetDeltaCount"), [10, 20, 1, 1, 1]);
    // Forced end, active timeout; then a record a packet.
    assert_eq!(exported.all("flowEndReason")[..2], [4, 2]);
}

#[test]
fn flow_tables_are_as_large_as_the_memory_that_they_are_given() {
    let scene = Scene::new("settings-cache", "");
    scene.params("record l3 l4");
    for (size, flows) in [("1M", 4096), ("256M", 1 << 20), ("1K", 64)] {
        scene.lab.run(&format!("flowprobe cache size {size}"));
        scene.feature("pg0 ip4 rx");
        let shown = scene.lab.run("show flowprobe statistics");
        assert!(shown.contains(&format!("flows of {flows},")), "{size}: {shown}");
        assert!(
            scene.lab.refused("flowprobe cache size 2M").contains("while flowprobe is enabled")
        );
        scene.feature("pg0 ip4 disable");
    }
    for size in ["0", "-1", "1T", "M", "99999999999G"] {
        let refused = scene.lab.refused(&format!("flowprobe cache size {size}"));
        assert!(refused.contains("is not a size of memory"), "{refused}");
    }
}
