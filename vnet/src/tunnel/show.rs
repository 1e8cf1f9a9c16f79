//! `show vxlan tunnel` and those of the other kinds.

use super::{Kind, Payload, Tunnel, Tunnels};
use crate::{
    command::{Cell, Output, Record},
    runtime::Main,
};

/// How a kind's tunnels are shown.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Which.
    pub kind: Kind,
    /// What is said when there are none.
    pub none: &'static str,
}

impl Tunnels {
    /// The tunnels of a kind, or the one of an index.
    #[must_use]
    pub fn show(&self, main: &Main, style: Style, index: Option<u32>) -> Output {
        let chosen = |tunnel: &&Tunnel| index.is_none_or(|index| tunnel.index == index);
        let shown = self.view(main).of_kind(style.kind).filter(chosen);
        let shown: Vec<Output> = shown.map(|tunnel| record(main, tunnel).into()).collect();
        match (shown.is_empty(), index) {
            (true, Some(index)) => Output::from(format!("unknown index:{index}\n")),
            (true, None) => Output::from(format!("{}\n", style.none)),
            (false, _) => Output::List(shown),
        }
    }
}

fn record(main: &Main, tunnel: &Tunnel) -> Record {
    let Tunnel { index, instance, interface, local, remote, table, key, flags, .. } = tunnel;
    let stacking = main.forwarding().stacking(*interface);
    let looped = stacking.is_some_and(|stacking| stacking.looped);
    let dpo = stacking.map_or(0, |stacking| stacking.dpo.index());
    let vni = key.unwrap_or(0);
    let table_id = main.forwarding().table_id(tunnel.family(), *table).map_or(0, |id| id.0);
    let line = match tunnel.kind {
        Kind::Vxlan => {
            let ports = tunnel.ports.map_or([0; 2], |ports| [ports.local, ports.remote]);
            let decap = if tunnel.payload == Payload::Ip { "decap-next-ip " } else { "" };
            format!(
                "[{index}] instance {instance} src {local} dst {remote} src_port {} dst_port {} vni {vni} fib-idx {table} \
                 sw-if-idx {interface} encap-dpo-idx {dpo} {decap}",
                ports[0], ports[1]
            )
        }
        Kind::Geneve => format!(
            "[{index}] lcl {local} rmt {remote} vni {vni} fib-idx {table} sw-if-idx {interface} encap-dpo-idx {dpo} \
             decap-next-l2 "
        ),
        Kind::Gre => {
            let payload = if tunnel.payload == Payload::Ip { "L3" } else { "TEB" };
            let key = key.map_or(String::new(), |key| format!("key {key} "));
            format!(
                "[{index}] instance {instance} src {local} dst {remote} fib-idx {table} sw-if-idx {interface} payload {payload} \
                 {key}point-to-point "
            )
        }
        Kind::Ipip => format!(
            "[{index}] instance {instance} src {local} dst {remote} table-ID {table_id} sw-if-idx {interface} flags [{flags}] \
             dscp CS0"
        ),
    };
    let mark = match (looped, line.ends_with(' ')) {
        (false, _) => "",
        (true, true) => "stack-loop ",
        (true, false) => " stack-loop",
    };
    let words: Vec<&str> = super::Flags::WORDS
        .iter()
        .filter(|(_, flag)| flags.contains(*flag))
        .map(|(word, _)| *word)
        .collect();
    Record::new()
        .line(format!("{line}{mark}"))
        .field("index", *index)
        .field("instance", *instance)
        .field("interface", main.interface_name(*interface))
        .field("sw_if_index", interface.0)
        .field("local", local.to_string())
        .field("remote", remote.to_string())
        .field("payload", if tunnel.payload == Payload::Ip { "ip" } else { "ethernet" })
        .field("key", *key)
        .field("local_port", tunnel.ports.map(|ports| u32::from(ports.local)))
        .field("remote_port", tunnel.ports.map(|ports| u32::from(ports.remote)))
        .field("table_id", table_id)
        .field("flags", words.join(" "))
        .field("looped", Cell::shown("", looped))
        .field(
            "max_packet",
            stacking.map(|stacking| u32::from(stacking.room)).filter(|room| *room < 65535),
        )
        .field("path_mtu", main.forwarding().path_mtu(*table, *remote).map(u32::from))
}
