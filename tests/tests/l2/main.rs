//! Bridging: frames in, frames out, judged by tshark, scapy and the kernel's own stack.

mod arcs;
mod bridge;
mod bvi;
mod commands;
mod faults;
mod hosts;
mod limits;
#[path = "../forwarding/packets.rs"]
#[allow(dead_code, reason = "some are for those who route")]
mod packets;
#[path = "../forwarding/scene.rs"]
#[allow(dead_code, reason = "some are for those who route")]
mod scene;
mod span;
mod threads;
mod vlan;

use scene::Scene;

/// A station's address.
const fn station(n: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, n]
}

/// A frame from one station to another, of an ethertype for experiments (IEEE 802).
fn frame(source: [u8; 6], destination: [u8; 6]) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend([0x88, 0xb5]);
    frame.extend([7; 46]);
    frame
}

/// Ports pg0, pg1, ... in one bridge domain, then `script`.
fn bridge(ports: u32, script: &str) -> Scene {
    let scene = Scene::new(ports, "");
    for n in 0..ports {
        scene.lab.run(&format!("set interface l2 bridge pg{n} 1"));
    }
    scene.lab.script(script);
    scene
}

/// By how many frames each port has sent more after `f`.
fn sent<const N: usize>(scene: &Scene, f: impl FnOnce()) -> [u64; N] {
    let count = || core::array::from_fn(|n| scene.counter(&format!("pg{n}"), "tx packets"));
    let before: [u64; N] = count();
    f();
    let after = count();
    core::array::from_fn(|n| after[n] - before[n])
}

/// Frames in and copies are frames out and frames dropped, each for a reason, and no buffer is left over.
fn adds_up(scene: &Scene) {
    let copies = scene.lab.error("l2-flood", "copies");
    scene.lab.engine.with(|main| {
        let counters = main.interface_counters();
        let mains: Vec<_> =
            main.interfaces().hardware_interfaces().map(|hw| hw.sw_if_index.0).collect();
        let sum = |of: &dyn Fn(u32) -> u64| mains.iter().map(|i| of(*i)).sum::<u64>();
        let received = sum(&|i| counters.rx.sum(i).packets);
        let ended =
            sum(&|i| counters.tx.sum(i).packets + counters.drops.sum(i) + counters.punt.sum(i));
        assert_eq!(received + copies, ended);
        assert_eq!(main.pool().owned(), 0, "buffers that nobody gave back");
        let unexplained = main.errors().rows().filter(|row| row.node == "error-drop");
        assert_eq!(unexplained.map(|row| row.count).sum::<u64>(), 0, "dropped without a reason");
    });
}
