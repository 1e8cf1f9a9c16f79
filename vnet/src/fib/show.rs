//! Tables and routes in the words of `show ip fib`.

use core::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Value as Json, json};

use super::path_list::{PathList, PathListId};
use super::{
    Dpo, DpoKind, Family, FibError, FibIndex, Forwarding, IpPrefix, LoadBalanceIndex, Path,
    PathTarget, Refusal,
};
use crate::adjacency::{AdjacencyIndex, AdjacencyKey, MAX_REWRITE};
use crate::command::{Cell, Record};
use crate::counter::Count;
use crate::interface::SwIfIndex;

/// What an operator wants to see beside the forwarding state, and others know.
pub trait ShowContext {
    /// The name of an interface.
    fn interface_name(&self, interface: SwIfIndex) -> String;
    /// Packets and bytes that took a route, of all workers.
    fn route_count(&self, route: LoadBalanceIndex) -> Count;
}

impl Forwarding {
    /// The line above a table's routes.
    pub fn describe_table(&self, family: Family, fib: FibIndex) -> Result<String, FibError> {
        let name = self.table_name(family, fib)?;
        let bound = self.interfaces.keys().filter(|&&i| self.fib_of(i, family) == fib).count();
        let interfaces = if bound > 0 { format!("interface:{bound}, ") } else { String::new() };
        let owner = if fib == FibIndex::DEFAULT { "default-route" } else { "CLI" };
        let hash = self.describe_flow_hash(family, fib);
        Ok(format!(
            "{name}, fib_index:{fib}, flow hash:[{hash}] epoch:0 flags:none \
             locks:[{interfaces}{owner}:1, ]"
        ))
    }

    /// A route, its counters, what becomes of its packets, and with `detail` who added it by which paths. `None` when
    /// no route has the number.
    #[must_use]
    pub fn describe_route(
        &self,
        index: LoadBalanceIndex,
        detail: bool,
        cx: &dyn ShowContext,
    ) -> Option<Record> {
        let route = self.routes.get(index)?;
        let info = self.route(index)?;
        let (prefix, buckets) = (info.prefix, info.buckets.len());
        let family = prefix.family();
        let Count { packets, bytes } = cx.route_count(index);
        let mut record = Record::new()
            .field("prefix", prefix.to_string())
            .field("index", index.0)
            .field("packets", packets)
            .field("bytes", bytes);
        let mut head = prefix.to_string();
        if detail {
            let (fib, locks) = (route.fib(), info.sources.len());
            record = record.line(format!("{head} fib:{fib} index:{index} locks:{locks}"));
            for (rank, (source, list)) in route.sources().enumerate() {
                let flags = if rank == 0 { "added,contributing,active," } else { "added," };
                record = record.line(format!("  {} refs:1 src-flags:{flags}", source.name()));
                record = self.list_lines(list, prefix, cx).into_iter().fold(record, Record::line);
            }
            head = " forwarding:".to_owned();
            record = record.line("").line(format!("{head}   unicast-{family}-chain"));
        } else {
            record = record.line(head).line(format!("  unicast-{family}-chain"));
        }
        // There are no lists for the reverse-path check: -1 is VPP's word for none.
        record = record.line(format!(
            "  [@0]: dpo-load-balance: [proto:{family} index:{index} buckets:{buckets} uRPF:-1 to:[{packets}:{bytes}]]"
        ));
        let described: Vec<String> =
            info.buckets.iter().map(|&dpo| self.describe_dpo(dpo, prefix, cx)).collect();
        for (number, text) in described.iter().enumerate() {
            record = record.line(format!("    [{number}] {text}"));
        }
        let sources: Vec<String> =
            info.sources.iter().map(|(source, _)| source.name().to_owned()).collect();
        let paths: Vec<Json> = route
            .sources()
            .filter_map(|(source, list)| Some((source, list, self.lists.get(list)?)))
            .flat_map(|(source, id, list)| {
                let json = |path: &Path| self.path_json(source.name(), id, path, cx);
                list.set.paths.iter().map(json).collect::<Vec<_>>()
            })
            .collect();
        Some(
            record
                .field("buckets", Cell::shown("", described))
                .field("sources", Cell::shown("", sources))
                .field("paths", Cell::shown("", paths)),
        )
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
                // Writing to a string does not fail.
                let _ = write!(text, "{space}{byte:02x}");
            }
            text
        };
        match dpo.kind() {
            DpoKind::Drop => match dpo.refusal() {
                Some(Refusal::Unreachable) => format!("[@4]: {long}-unreach"),
                Some(Refusal::Prohibited) => format!("[@4]: {long}-prohibit"),
                _ => format!("[@0]: dpo-drop {family}"),
            },
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
            DpoKind::Midchain => {
                let midchain = format!("[@6]: {long} via {} {}", body.next_hop(), sending());
                let below = self.stacking(body.sw_if_index()).map(|below| {
                    let host = IpPrefix::host(below.stack.destination);
                    let dpo = self.describe_dpo(below.dpo, host, cx);
                    let dpo =
                        if below.looped { "[@0]: dpo-drop: stack-loop".to_owned() } else { dpo };
                    format!("\n        stacked-on entry:{}:\n          {dpo}", below.word.0)
                });
                midchain + &below.unwrap_or_default()
            }
            DpoKind::Lookup => match self.table_id(family, FibIndex(dpo.index())) {
                Ok(id) => format!("[@10]: dst-address,unicast lookup in {long}-VRF:{id}"),
                Err(_) => format!("[@0]: dpo-drop {family}"),
            },
            DpoKind::Multi => format!("[@0]: dpo-load-balance: buckets:{}", dpo.buckets()),
        }
    }

    /// An adjacency as [`Self::describe_dpo`] has it, without the number in front. `None` when nobody has the index.
    #[must_use]
    pub fn describe_adjacency(
        &self,
        index: AdjacencyIndex,
        cx: &dyn ShowContext,
    ) -> Option<String> {
        let key = self.adjacencies.key(index)?;
        let any = match key.family {
            Family::Ip4 => IpPrefix::around(Ipv4Addr::UNSPECIFIED.into(), 0),
            Family::Ip6 => IpPrefix::around(Ipv6Addr::UNSPECIFIED.into(), 0),
        };
        let text = self.describe_dpo(self.adjacencies.dpo(index), any, cx);
        // Without what it is stacked on.
        let line = text.lines().next()?;
        line.split_once(": ").map(|(_, adjacency)| adjacency.to_owned())
    }

    /// The lines of a path list and its paths.
    pub(super) fn list_lines(
        &self,
        id: PathListId,
        prefix: IpPrefix,
        cx: &dyn ShowContext,
    ) -> Vec<String> {
        let Some(list) = self.lists.get(id) else { return Vec::new() };
        let family = prefix.family();
        let mut lines = vec![format!("    path-list:[{id}] locks:{} flags:shared,", list.users())];
        for (number, path) in list.set.paths.iter().enumerate() {
            let Path { weight, preference, target } = *path;
            let flags = match self.state(id, list, path) {
                PathState::Resolved => "  oper-flags:resolved,",
                PathState::Looped => "  oper-flags:recursive-loop,",
                PathState::Unresolved => "",
            };
            lines.push(format!(
                "      path:[{number}] pl-index:{id} {family} weight={weight} pref={preference} {}:{flags}",
                type_name(target)
            ));
            lines.extend(self.target_lines(target, prefix, cx));
        }
        lines
    }

    /// Where a path leads: the lines under its first one.
    fn target_lines(
        &self,
        target: PathTarget,
        prefix: IpPrefix,
        cx: &dyn ShowContext,
    ) -> Vec<String> {
        let family = prefix.family();
        let dpo = |dpo| vec![format!("        {}", self.describe_dpo(dpo, prefix, cx))];
        match target {
            PathTarget::AttachedNextHop { next_hop, interface } => {
                let first = format!("        {next_hop} {}", cx.interface_name(interface));
                let key = AdjacencyKey { interface, family, next_hop: Some(next_hop) };
                let second = match self.adjacencies.find(key) {
                    Some(index) => {
                        let dpo = self.adjacencies.dpo(index);
                        format!("      {}", self.describe_dpo(dpo, prefix, cx))
                    }
                    None => "        unresolved".to_owned(),
                };
                vec![first, second]
            }
            PathTarget::Attached { interface } => {
                vec![format!("         {}", cx.interface_name(interface))]
            }
            PathTarget::Recursive { next_hop, table } => {
                let via = self.via(next_hop, table).map_or(0, |via| via.0);
                let route = format!("via-fib:{via} via-dpo:[dpo-load-balance:{via}]");
                vec![format!("        via {next_hop} in fib:{table} {route}")]
            }
            PathTarget::Lookup { table } => vec![format!("         fib-index:{table}")],
            PathTarget::Drop => dpo(Dpo::DROP),
            PathTarget::Refuse(why) => dpo(Dpo::refused(why)),
            PathTarget::Punt => dpo(Dpo::PUNT),
            PathTarget::Local { interface } => dpo(Dpo::local(interface)),
        }
    }

    pub(super) fn path_json(
        &self,
        source: &str,
        id: PathListId,
        path: &Path,
        cx: &dyn ShowContext,
    ) -> Json {
        let target = path.target;
        let (interface, table) = match target {
            PathTarget::Recursive { table, .. } | PathTarget::Lookup { table } => {
                (None, Some(table))
            }
            other => (other.interface(), None),
        };
        let list = self.lists.get(id);
        let state = list.map(|list| self.state(id, list, path));
        json!({
            "source": source,
            "type": type_name(target),
            "next_hop": target.next_hop().map(|hop| hop.to_string()),
            "interface": interface.map(|interface| cx.interface_name(interface)),
            "fib_index": table.map(|table| table.0),
            "weight": path.weight,
            "preference": path.preference,
            "resolved": state == Some(PathState::Resolved),
        })
    }

    /// Whether a path leads anywhere.
    fn state(&self, id: PathListId, list: &PathList, path: &Path) -> PathState {
        let resolved = match path.target {
            PathTarget::Drop | PathTarget::Refuse(_) => false,
            PathTarget::Punt | PathTarget::Local { .. } | PathTarget::Lookup { .. } => true,
            PathTarget::AttachedNextHop { interface, .. } | PathTarget::Attached { interface } => {
                self.link(interface).is_some_and(|link| link.up)
            }
            PathTarget::Recursive { next_hop, table } => {
                let via = self.via(next_hop, table).and_then(|via| self.routes.get(via));
                let Some(via) = via.map(|route| route.list) else { return PathState::Unresolved };
                let through = self.lists.get(via);
                if list.looped && (via == id || through.is_some_and(|through| through.looped)) {
                    return PathState::Looped;
                }
                through.is_some_and(|through| !through.members.is_empty())
            }
        };
        if resolved { PathState::Resolved } else { PathState::Unresolved }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PathState {
    Resolved,
    Unresolved,
    /// It leads back to the routes that have it.
    Looped,
}

const fn type_name(target: PathTarget) -> &'static str {
    match target {
        PathTarget::AttachedNextHop { .. } => "attached-nexthop",
        PathTarget::Attached { .. } => "attached",
        PathTarget::Recursive { .. } => "recursive",
        PathTarget::Drop | PathTarget::Refuse(_) => "special",
        PathTarget::Punt => "exclusive",
        PathTarget::Local { .. } => "receive",
        PathTarget::Lookup { .. } => "deag",
    }
}

const fn long_name(family: Family) -> &'static str {
    match family {
        Family::Ip4 => "ipv4",
        Family::Ip6 => "ipv6",
    }
}
