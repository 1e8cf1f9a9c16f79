//! Access lists: classifier tables on interfaces, and the lists of the plugin.

mod actions;
mod bridged;
mod commands;
mod faults;
mod flood;
mod lists;
mod macip;
mod masks;
mod model;
mod naive;
mod packet;
mod sessions;
mod tables;

use peloton_tests::Lab;
use serde_json::Value as Json;
use vnet::interface::SwIfIndex;

use packet::Packet;

/// A router with hosts 10.0.N.0/24 and 2001:db8:N::/48 behind its interfaces pg0, pg1, ...
pub(crate) struct Router {
    pub(crate) lab: Lab,
    ports: Vec<SwIfIndex>,
}

impl Router {
    pub(crate) fn new(ports: u32, script: &str) -> Self {
        Self::of(Lab::new(vec![acl::plugin()]), ports, script)
    }

    pub(crate) fn of(lab: Lab, ports: u32, script: &str) -> Self {
        for n in 0..ports {
            lab.script(&format!(
                "create packet-generator interface pg{n}
                 set interface state pg{n} up
                 set interface ip address pg{n} 192.168.{n}.1/24
                 set interface ip address pg{n} 2001:db8:ff{n:02}::1/64
                 set ip neighbor pg{n} 192.168.{n}.2 02:00:00:00:01:{n:02x} static
                 set ip neighbor pg{n} 2001:db8:ff{n:02}::2 02:00:00:00:01:{n:02x} static
                 ip route add 10.0.{n}.0/24 via 192.168.{n}.2 pg{n}
                 ip route add 2001:db8:{n}::/48 via 2001:db8:ff{n:02}::2 pg{n}"
            ));
        }
        lab.script(script);
        let find = |n| lab.engine.with(|main| main.interfaces().find(&format!("pg{n}")).unwrap());
        let ports = (0..ports).map(find).collect();
        Self { lab, ports }
    }

    /// Packets that each interface has sent.
    pub(crate) fn sent(&self) -> Vec<u64> {
        let of = |port: &SwIfIndex| {
            self.lab.engine.with(|main| main.interface_counters().tx.sum(port.0).packets)
        };
        self.ports.iter().map(of).collect()
    }

    /// Has an interface receive frames, of a size that there may be at a time, without looking at what becomes of them.
    pub(crate) fn receive(&self, port: usize, frames: &[Vec<u8>]) {
        self.lab.engine.with(|main| {
            let node = main.graph().find("ethernet-input").unwrap();
            let rx = self.ports[port];
            let mut to = main.frame_to(node);
            for bytes in frames {
                let pushed = to.push(|buffer| {
                    buffer.rx = rx;
                    assert_eq!(buffer.append(bytes), bytes.len());
                });
                assert!(pushed.is_some(), "the pool has buffers");
            }
        });
        self.lab.engine.run_until_idle();
    }

    /// Sends packets from the host behind `port` to where they go; how many got there.
    pub(crate) fn send(&self, port: usize, packets: &[Packet]) -> u64 {
        let before: u64 = self.sent().iter().sum();
        let frames: Vec<_> = packets.iter().map(|packet| packet.frame(port as u8)).collect();
        self.receive(port, &frames);
        self.lab.engine.with(|main| assert_eq!(main.pool().owned(), 0));
        self.sent().iter().sum::<u64>() - before
    }

    /// Whether a packet gets through.
    pub(crate) fn passes(&self, port: usize, packet: &Packet) -> bool {
        self.send(port, core::slice::from_ref(packet)) == 1
    }

    /// What a command prints as JSON.
    pub(crate) fn json(&self, command: &str) -> Json {
        serde_json::from_str(&self.lab.run(&format!("{command} json"))).unwrap()
    }

    /// Packets and bytes of each rule of a list.
    pub(crate) fn counts(&self, acl: u32) -> Vec<(u64, u64)> {
        let shown = self.json(&format!("show acl-plugin acl index {acl}"));
        let rules = shown[0]["rules"].as_array().unwrap();
        let of = |rule: &Json, key: &str| rule[key].as_u64().unwrap();
        rules.iter().map(|rule| (of(rule, "packets"), of(rule, "bytes"))).collect()
    }

    /// How many sessions there are.
    pub(crate) fn live(&self) -> u64 {
        self.json("show acl-plugin sessions")["active"].as_u64().unwrap()
    }
}
