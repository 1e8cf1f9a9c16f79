//! What `show acl-plugin` prints.

use vnet::{
    action::ActionId,
    command::{Cell, Output, Record},
    counter::Count,
    hash_tables::{HashTable, HashTables},
    interface::SwIfIndex,
    plugin::Registrar,
    runtime::Main,
};

use crate::{
    direction::Direction,
    error::AclError,
    lists::{Acl, List, State},
    rule::Rule,
    session::{Heard, Session, Sessions, state::TimeoutKind},
    space::{MaskInfo, Space},
};

/// Sessions that are shown at most.
const SHOWN: usize = 1_000;

/// One list or all, with counters where they are asked for.
pub(crate) fn lists(
    main: &Main,
    acl: &Acl,
    index: Option<u32>,
    counters: bool,
) -> Result<Output, AclError> {
    let state = acl.state();
    if let Some(index) = index {
        state.list(index)?;
    }
    let wanted = state.lists().filter(|(number, _)| index.is_none_or(|index| index == *number));
    let all = wanted.map(|(number, list)| {
        let mut record = one_list(main, acl, number, list, counters);
        for direction in Direction::ALL {
            let users = state.users(number, direction);
            if !users.is_empty() {
                let line =
                    format!("  applied {} on sw_if_index: {}", direction.bound(), joined(&users));
                record = record.line(line);
            }
            record = record.field(direction.bound(), numbers(&users));
        }
        let contexts = state.contexts(number);
        if !contexts.is_empty() {
            record = record.line(format!("  used in lookup context index: {}", joined(&contexts)));
        }
        record.into()
    });
    Ok(Output::List(all.collect()))
}

fn one_list(main: &Main, acl: &Acl, number: u32, list: &List, counters: bool) -> Record {
    let List { tag, rules, .. } = list;
    let all = (0..).zip(rules.iter()).map(|(n, rule)| {
        let Count { packets, bytes } = acl.count(list, n);
        let mut record = Record::new().line(format!("  {n:>9}: {rule}"));
        if counters {
            record = record.line(format!("             packets {packets} bytes {bytes}"));
        }
        fields(main, record, rule).field("packets", packets).field("bytes", bytes).into()
    });
    Record::new()
        .line(format!("acl-index {number} count {} tag {{{tag}}}", rules.len()))
        .field("index", number)
        .field("tag", tag.clone())
        .nested("rules", 0, Output::List(all.collect()))
}

fn fields(main: &Main, record: Record, rule: &Rule) -> Record {
    let action = match rule.action_id {
        ActionId::NONE => Cell::Empty,
        id => main.actions().describe(main, id).into(),
    };
    record
        .field("verdict", rule.verdict.word())
        .field("src", rule.source.to_string())
        .field("dst", rule.destination.to_string())
        .field("proto", u32::from(rule.protocol))
        .field("sport", rule.source_ports.to_string())
        .field("dport", rule.destination_ports.to_string())
        .field("tcpflags", u32::from(rule.tcp_flags.value))
        .field("tcpflags_mask", u32::from(rule.tcp_flags.mask))
        .field("action", action)
}

/// Interfaces and their lists.
pub(crate) fn interfaces(
    main: &Main,
    acl: &Acl,
    only: Option<SwIfIndex>,
    rules: bool,
    detail: bool,
) -> Output {
    let state = acl.state();
    let mut known: Vec<_> = state.applied.keys().map(|(interface, _)| *interface).collect();
    known.dedup();
    known.retain(|interface| only.is_none_or(|only| only == *interface));
    let all = known.into_iter().map(|interface| {
        let number = interface.0;
        let mut record = Record::new()
            .line(format!("sw_if_index {number}:"))
            .field("sw_if_index", number)
            .field("name", main.interface_name(interface));
        let applied: Vec<_> = Direction::ALL
            .into_iter()
            .filter_map(|way| Some((way.word(), state.applied.get(&(interface, way))?)))
            .collect();
        for (word, applied) in &applied {
            record = record
                .line(format!("   {word} policy epoch: {:x}", applied.epoch))
                .field(&format!("{word}_policy_epoch"), applied.epoch);
        }
        for (word, applied) in &applied {
            record = record
                .line(format!("  {word} acl(s): {}", joined(&applied.acls)))
                .field(&format!("{word}_acls"), numbers(&applied.acls));
            let lists = applied.acls.iter().filter_map(|n| Some((*n, state.list(*n).ok()?)));
            if rules {
                let lists = lists.map(|(n, list)| one_list(main, acl, n, list, false).into());
                record = record.nested(&format!("{word}_rules"), 0, Output::List(lists.collect()));
            }
        }
        for (word, applied) in applied.iter().filter(|_| detail) {
            record = record
                .line(format!("{word:>8} lookup context index: {}", applied.context))
                .field(&format!("{word}_lookup_context"), applied.context);
        }
        record.into()
    });
    Output::List(all.collect())
}

/// Has `show bihash` tell of the table of sessions, once there is one.
pub(crate) fn tell_of_sessions(r: &mut Registrar, acl: &Acl) {
    let acl = acl.clone();
    HashTables::tell(r, move |main| {
        let table = |sessions: &Sessions| HashTable {
            name: "ACL plugin FA session bihash".to_owned(),
            elements: sessions.live() as usize,
            buckets: Some(sessions.taken()),
            bytes: sessions.bytes(),
        };
        acl.view(main).sessions.as_deref().map(table).into_iter().collect()
    });
}

/// How many sessions there are, and were; each of them where they are asked for.
pub(crate) fn sessions(main: &Main, acl: &Acl, verbose: bool) -> Record {
    let tables = acl.view(main);
    let sessions = tables.sessions.as_deref();
    let (added, ended) = sessions.map_or((0, 0), |sessions| sessions.totals());
    let (live, bytes) = sessions.map_or((0, 0), |sessions| (sessions.live(), sessions.bytes()));
    let limit = tables.settings.max_sessions;
    let record = Record::new()
        .line(format!(
            "Sessions total: add {added} - del {ended} = {}",
            added.saturating_sub(ended)
        ))
        .line(format!(
            "Sessions active: add {added} - deact {ended} = {}",
            added.saturating_sub(ended)
        ))
        .line("Sessions being purged: deact 0 - del 0 = 0")
        .line(format!("Session table: {live} of at most {limit} entries, {bytes} bytes reserved"))
        .field("added", added)
        .field("deleted", ended)
        .field("active", live)
        .field("max_entries", limit)
        .field("bytes", bytes);
    let timeouts = tables.settings.timeouts;
    let kinds = [TimeoutKind::UdpIdle, TimeoutKind::TcpIdle, TimeoutKind::TcpTransient];
    let record = kinds.into_iter().fold(record, |record, kind| {
        let (word, seconds) = (kind.word(), timeouts.of(kind));
        let key = format!("{}_timeout", word.replace(' ', "_"));
        record.line(format!("  {word} timeout: {seconds} seconds")).field(&key, seconds)
    });
    if !verbose {
        return record;
    }
    let now = Heard::at(main.clock().now());
    let mut all: Vec<Session> = sessions.map(|s| s.iter().collect()).unwrap_or_default();
    all.retain(|session| !session.is_over(&timeouts, now));
    all.sort_unstable_by_key(|session| (session.key.interface(), session.key.0));
    let more = all.len().saturating_sub(SHOWN);
    let shown = all.iter().take(SHOWN).map(|session| one_session(session, now).into());
    let record = record.nested("sessions", 0, Output::List(shown.collect()));
    if more > 0 { record.line(format!("  ... and {more} more")) } else { record }
}

fn one_session(session: &Session, now: Heard) -> Record {
    let layer4 = session.key.layer4();
    let (protocol, sport, dport) = (layer4.protocol(), layer4.source(), layer4.destination());
    let (source, destination) = session.key.addresses();
    let (interface, began) = (session.key.interface().0, session.began.word());
    let idle = session.heard.ago(now).as_secs_f64();
    let kind = TimeoutKind::of(protocol, session.seen).word();
    Record::new()
        .line(format!(
            "  sw_if_index {interface} {began} proto {protocol} {source} port {sport} <-> {destination} port {dport} {kind} {idle:.1}"
        ))
        .field("sw_if_index", interface)
        .field("began", began)
        .field("proto", u32::from(protocol))
        .field("src", source.to_string())
        .field("sport", u32::from(sport))
        .field("dst", destination.to_string())
        .field("dport", u32::from(dport))
        .field("timeout", kind)
        .field("idle", Cell::Fixed(idle, 1))
}

/// What lists are compiled to.
pub(crate) fn tables(main: &Main, acl: &Acl) -> Record {
    let state = acl.state();
    let tables = acl.view(main);
    let all = state.applied.iter().filter_map(|(&(interface, direction), applied)| {
        let lists = &tables.context(interface, direction)?.lists;
        let families = [family("ip4", &lists.ip4.whole), family("ip6", &lists.ip6.whole)];
        let mut record = Record::new()
            .line(format!("lc_index {}:", applied.context))
            .line(format!("  applied acls: {}", joined(&applied.acls)))
            .field("lc_index", applied.context)
            .field("acls", numbers(&applied.acls));
        for (name, family) in ["ip4", "ip6"].into_iter().zip(families) {
            record = record.nested(name, 0, family);
        }
        Some(record.into())
    });
    Record::new()
        .line("Stats counters enabled for interface ACLs: 1")
        .line("Use hash-based lookup for ACLs: 1")
        .line("Applied lookup entries for lookup contexts")
        .nested("contexts", 0, Output::List(all.collect()))
}

fn family<const N: usize>(name: &str, space: &Space<N>) -> Record {
    let (chained, fields, bytes) = (space.chained(), space.fields(), space.bytes());
    let mut lines = Vec::new();
    let all = space.infos().enumerate().map(|(n, MaskInfo { words, first, keys, places })| {
        let hex: String = words.iter().map(|word| format!(" {word:016x}")).collect();
        lines.push(format!(
            "    {n:>4}:{hex} first rule index {first} num_entries {keys} places {places}"
        ));
        Record::new()
            .field("mask", hex.trim())
            .field("first", first)
            .field("keys", keys)
            .field("places", places)
            .into()
    });
    let all = Output::List(all.collect());
    let count = lines.len();
    let record = Record::new()
        .line(format!(
            "  {name}: {count} masks, {fields} fields, {chained} rules in chains, {bytes} bytes"
        ))
        .field("fields", fields)
        .field("chained", chained)
        .field("bytes", bytes);
    let record = lines.into_iter().fold(record, Record::line);
    record.nested("masks", 0, all)
}

/// Lookup contexts, as VPP shows them.
pub(crate) fn contexts(main: &Main, acl: &Acl, index: Option<u32>) -> Output {
    let state = acl.state();
    let mut all: Vec<_> = state.applied.iter().collect();
    all.retain(|(_, applied)| index.is_none_or(|index| index == applied.context));
    all.sort_unstable_by_key(|(_, applied)| applied.context);
    let all = all.into_iter().map(|((interface, direction), applied)| {
        let (context, number) = (applied.context, interface.0);
        let (is_input, acls) = (u32::from(*direction == Direction::Input), joined(&applied.acls));
        Record::new()
            .line(format!(
                "index {context}:interface ACL sw_if_index: {number} is_input: {is_input}, acl_indices: {acls}"
            ))
            .field("index", context)
            .field("sw_if_index", number)
            .field("interface", main.interface_name(*interface))
            .field("is_input", Cell::shown("", is_input == 1))
            .field("acls", numbers(&applied.acls))
            .into()
    });
    Output::List(all.collect())
}

impl State {
    /// Interfaces that have a list.
    fn users(&self, acl: u32, direction: Direction) -> Vec<u32> {
        let users = self
            .applied
            .iter()
            .filter(|((_, way), applied)| *way == direction && applied.acls.contains(&acl));
        users.map(|((interface, _), _)| interface.0).collect()
    }

    /// Lookup contexts that have a list.
    fn contexts(&self, acl: u32) -> Vec<u32> {
        let users = self.applied.values().filter(|applied| applied.acls.contains(&acl));
        users.map(|applied| applied.context).collect()
    }
}

/// As VPP prints vectors.
pub(crate) fn joined(numbers: &[u32]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// For programs alone.
pub(crate) fn numbers(numbers: &[u32]) -> Cell {
    Cell::shown("", numbers)
}
