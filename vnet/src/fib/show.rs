//! Tables and routes in the words of `show ip fib`.

use core::fmt::Write;

use super::{
    Dpo, DpoKind, Family, FibError, FibIndex, Forwarding, IpPrefix, LoadBalanceIndex, RouteInfo,
};
use crate::adjacency::MAX_REWRITE;
use crate::interface::SwIfIndex;

/// What an operator wants to see beside the forwarding state, and others know.
pub trait ShowContext {
    /// The name of an interface.
    fn interface_name(&self, interface: SwIfIndex) -> String;
    /// Packets and bytes that took a route, of all workers.
    fn route_counters(&self, route: LoadBalanceIndex) -> (u64, u64);
}

impl Forwarding {
    /// The line above a table's routes.
    pub fn describe_table(&self, family: Family, fib: FibIndex) -> Result<String, FibError> {
        let id = self.table_id(family, fib)?;
        let bound = self.interfaces.keys().filter(|&&i| self.fib_of(i, family) == fib).count();
        let interfaces = if bound > 0 { format!("interface:{bound}, ") } else { String::new() };
        Ok(format!(
            "{}-VRF:{id}, fib_index:{fib}, flow hash:[src dst sport dport proto flowlabel ] epoch:0 flags:none \
             locks:[{interfaces}default-route:1, ]",
            long_name(family),
        ))
    }

    /// A route's prefix, load-balance and buckets, one a line, without a line end behind the last.
    #[must_use]
    pub fn describe_route(&self, route: &RouteInfo, cx: &dyn ShowContext) -> String {
        let RouteInfo { prefix, index, buckets, .. } = route;
        let family = prefix.family();
        let (packets, bytes) = cx.route_counters(*index);
        // There are no lists for the reverse-path check: -1 is VPP's word for none.
        let mut text = format!(
            "{prefix}\n  unicast-{family}-chain\n  [@0]: dpo-load-balance: [proto:{family} index:{index} \
             buckets:{} uRPF:-1 to:[{packets}:{bytes}]]",
            buckets.len(),
        );
        for (number, &dpo) in buckets.iter().enumerate() {
            // Writing to a string does not fail.
            let _ = write!(text, "\n    [{number}] {}", self.describe_dpo(dpo, *prefix, cx));
        }
        text
    }

    /// What becomes of packets to `prefix`. The number in front is that of VPP's next node.
    #[must_use]
    pub fn describe_dpo(&self, dpo: Dpo, prefix: IpPrefix, cx: &dyn ShowContext) -> String {
        let family = prefix.family();
        let long = long_name(family);
        let body = self.shared.adjacencies.body(dpo.adjacency_index());
        let interface = || cx.interface_name(body.sw_if_index());
        let sending = || {
            let mut headroom = [0; MAX_REWRITE];
            let len = body.copy_rewrite(&mut headroom);
            let rewrite = &headroom[MAX_REWRITE - len..];
            let (mtu, next) = (body.max_l3_bytes(), body.next());
            let mut text = format!("{}: mtu:{mtu} next:{next} flags:[]", interface());
            for (i, byte) in rewrite.iter().enumerate() {
                let space = if i == 0 { " " } else { "" };
                let _ = write!(text, "{space}{byte:02x}");
            }
            text
        };
        match dpo.kind() {
            DpoKind::Drop => format!("[@0]: dpo-drop {family}"),
            DpoKind::Punt => format!("[@1]: dpo-punt {family}"),
            DpoKind::Local if dpo.interface() == SwIfIndex::NONE => "[@2]: dpo-receive".to_owned(),
            DpoKind::Local => {
                let name = cx.interface_name(dpo.interface());
                format!("[@2]: dpo-receive: {} on {name}", prefix.address())
            }
            DpoKind::Incomplete => {
                format!("[@3]: arp-{long}: via {} {}", body.next_hop(), interface())
            }
            DpoKind::Glean => format!("[@4]: {long}-glean: [src:{prefix}] {}", sending()),
            DpoKind::Adjacency => format!("[@5]: {long} via {} {}", body.next_hop(), sending()),
            DpoKind::Lookup => match self.table_id(family, FibIndex(dpo.index())) {
                Ok(id) => format!("[@10]: dst-address,unicast lookup in {long}-VRF:{id}"),
                Err(_) => format!("[@0]: dpo-drop {family}"),
            },
            DpoKind::Multi => format!("[@0]: dpo-load-balance: buckets:{}", dpo.buckets()),
        }
    }
}

const fn long_name(family: Family) -> &'static str {
    match family {
        Family::Ip4 => "ipv4",
        Family::Ip6 => "ipv6",
    }
}
