//! Lists, and the interfaces that have them: the operations.

use std::{
    cell::{Ref, RefCell},
    collections::BTreeMap,
    rc::Rc,
    sync::Arc,
};

use vnet::{
    action::ActionId,
    counter::Count,
    fib::Family,
    interface::{Event, SwIfIndex},
    plugin::Registrar,
    reassembly,
    runtime::Main,
};

use crate::{
    compile::{Lists, Source},
    direction::Direction,
    error::AclError,
    place::Place,
    rule::Rule,
    session::{Sessions, Timeouts, state::TimeoutKind},
    tables::{Context, Reader, Settings, Tables},
};

/// The most rules of all lists together: each has an element of the counter `/acl/matches`.
pub const MAX_RULES: usize = 1 << 18;
/// The most sessions, unless said otherwise: as many as in VPP.
pub const MAX_SESSIONS: u32 = 500_000;

/// A list.
pub(crate) struct List {
    pub(crate) tag: String,
    pub(crate) rules: Rc<[Rule]>,
    /// The element of the counter of its first rule.
    pub(crate) counters: u32,
}

/// What an interface has in one direction.
pub(crate) struct Applied {
    /// In the order in which they are asked.
    pub(crate) acls: Vec<u32>,
    /// VPP's lookup context index.
    pub(crate) context: u32,
    pub(crate) epoch: u32,
    /// Whether shallow reassembly stands in front, of IPv4 and of IPv6.
    reassembled: [bool; 2],
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) lists: Vec<Option<List>>,
    pub(crate) applied: BTreeMap<(SwIfIndex, Direction), Applied>,
    epochs: u32,
}

/// The access lists of an engine. Clones are the same ones; they belong to the main thread.
///
/// A list can be on any number of interfaces, and an interface can have any number of lists in each direction, which are asked one
/// after the other. What matches none of them is denied.
#[derive(Clone)]
pub struct Acl {
    pub(crate) reader: Reader,
    state: Rc<RefCell<State>>,
}

impl Acl {
    pub(crate) fn new(r: &mut Registrar) -> Result<Self, vnet::counter::CounterError> {
        let settings = Settings {
            timeouts: Timeouts::DEFAULT,
            l4_match_nonfirst_fragment: true,
            max_sessions: MAX_SESSIONS,
        };
        let rules = r.counter::<Count>("/acl/matches", MAX_RULES)?;
        let reader = Reader { tables: r.shared(Tables::new(settings)), rules };
        let acl = Self { reader, state: Rc::default() };
        let follower = acl.clone();
        r.on_interface_event(move |main, event| {
            if let Event::Deleted { sw_if_index, .. } = event {
                follower.forget(main, *sw_if_index);
            }
        });
        Ok(acl)
    }

    /// Adds a list, or replaces one; says its number.
    ///
    /// # Errors
    /// When there is no list of that number, no room for the counters of its rules, or an action is refused.
    pub fn put_list(
        &self,
        main: &mut Main,
        index: Option<u32>,
        tag: &str,
        mut rules: Vec<Rule>,
    ) -> Result<u32, AclError> {
        let (acl, counters) = {
            let state = self.state.borrow();
            let acl = match index {
                Some(acl) => state.list(acl).map(|_| acl)?,
                None => state.free_index(),
            };
            (acl, state.free_counters(rules.len())?)
        };
        configure(main, &mut rules)?;
        (0..rules.len() as u32).for_each(|n| self.reader.rules.zero(counters + n));
        let list = List { tag: tag.to_owned(), rules: rules.into(), counters };
        let before = self.state.borrow_mut().put(acl, Some(list));
        let made = self.recompile(main, |applied| applied.acls.contains(&acl));
        if let Err(error) = made {
            // As it was, for what nodes have is as it was.
            let refused = self.state.borrow_mut().put(acl, before);
            release(main, refused);
            return Err(error);
        }
        release(main, before);
        Ok(acl)
    }

    /// Takes a list away.
    ///
    /// # Errors
    /// When there is none, or an interface has it.
    pub fn delete_list(&self, main: &mut Main, acl: u32) -> Result<(), AclError> {
        {
            let state = self.state.borrow();
            state.list(acl)?;
            let user = state.applied.iter().find(|(_, applied)| applied.acls.contains(&acl));
            if let Some((&(interface, direction), _)) = user {
                let interface = main.interface_name(interface);
                return Err(AclError::InUse { acl, direction, interface });
            }
        }
        let before = self.state.borrow_mut().put(acl, None);
        release(main, before);
        Ok(())
    }

    /// Gives a list to an interface, behind those that it has.
    ///
    /// # Errors
    /// When there is no such list, the interface has it already, or there is no memory for sessions.
    pub fn apply(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        direction: Direction,
        acl: u32,
    ) -> Result<(), AclError> {
        let mut acls = {
            let state = self.state.borrow();
            state.list(acl)?;
            state.acls(interface, direction).to_vec()
        };
        if acls.contains(&acl) {
            return Err(AclError::Applied { acl, direction });
        }
        acls.push(acl);
        self.set_lists(main, interface, direction, acls)
    }

    /// Takes a list from an interface.
    ///
    /// # Errors
    /// When the interface does not have it.
    pub fn unapply(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        direction: Direction,
        acl: u32,
    ) -> Result<(), AclError> {
        let mut acls = {
            let state = self.state.borrow();
            state.list(acl)?;
            state.acls(interface, direction).to_vec()
        };
        let at = acls.iter().position(|known| *known == acl);
        acls.remove(at.ok_or(AclError::NotApplied { acl, direction })?);
        self.set_lists(main, interface, direction, acls)
    }

    /// Gives an interface these lists and no others.
    ///
    /// # Errors
    /// When one of them does not exist, or there is no memory for sessions.
    pub fn set_lists(
        &self,
        main: &mut Main,
        interface: SwIfIndex,
        direction: Direction,
        acls: Vec<u32>,
    ) -> Result<(), AclError> {
        let key = (interface, direction);
        acls.iter().try_for_each(|&acl| self.state.borrow().list(acl).map(|_| ()))?;
        if acls.is_empty() {
            let before = self.state.borrow_mut().applied.remove(&key);
            if let Some(before) = before {
                for place in Place::ALL.into_iter().filter(|place| place.direction == direction) {
                    main.disable_feature(place.arc(), place.node(), interface)?;
                }
                reassemble(main, key, before.reassembled, [false; 2])?;
                self.publish(main, vec![(key, None)]);
            }
            return Ok(());
        }
        let (is_new, context) = {
            let state = self.state.borrow();
            let known = state.applied.get(&key).map(|applied| applied.context);
            (known.is_none(), known.unwrap_or_else(|| state.free_context()))
        };
        let before = {
            let mut state = self.state.borrow_mut();
            let known = state.applied.get(&key);
            let (epoch, reassembled) =
                known.map_or((0, [false; 2]), |applied| (applied.epoch, applied.reassembled));
            state.applied.insert(key, Applied { acls, context, epoch, reassembled })
        };
        if let Err(error) = self.recompile_one(main, key) {
            let mut state = self.state.borrow_mut();
            match before {
                Some(before) => state.applied.insert(key, before),
                None => state.applied.remove(&key),
            };
            return Err(error);
        }
        if is_new {
            for place in Place::ALL.into_iter().filter(|place| place.direction == direction) {
                main.enable_feature(place.arc(), place.node(), interface, 0)?;
            }
        }
        Ok(())
    }

    /// How long sessions last of which nothing is heard.
    pub fn set_timeout(&self, main: &mut Main, kind: TimeoutKind, seconds: u32) {
        self.reader.tables.write(main.held_mut()).settings.timeouts.set(kind, seconds);
    }

    /// Whether fragments other than the first match rules that say more than they have.
    pub fn set_l4_match_nonfirst_fragment(&self, main: &mut Main, on: bool) {
        self.reader.tables.write(main.held_mut()).settings.l4_match_nonfirst_fragment = on;
    }

    /// How many sessions there may be. Those that there are stay, as far as there is room.
    ///
    /// # Errors
    /// When there is no memory for as many.
    pub fn set_max_sessions(&self, main: &mut Main, limit: u32) -> Result<(), AclError> {
        let known = self.view(main).sessions.as_ref().map(|sessions| sessions.limit());
        let new = match known.filter(|known| *known != limit) {
            Some(_) => Some(Box::new(Sessions::new(limit).ok_or(AclError::NoMemory(limit))?)),
            None => None,
        };
        let tables = self.reader.tables.write(main.held_mut());
        tables.settings.max_sessions = limit;
        if let Some(new) = new {
            if let Some(before) = &tables.sessions {
                new.take_over(before);
            }
            tables.sessions = Some(new);
        }
        Ok(())
    }

    /// Ends all sessions, or those of an interface. Packets flow meanwhile.
    pub fn clear_sessions(&self, main: &Main, interface: Option<SwIfIndex>) {
        if let Some(sessions) = &self.view(main).sessions {
            sessions.sweep(0..usize::MAX, |session| {
                interface.is_none_or(|interface| interface == session.key.interface())
            });
        }
    }

    /// What nodes read, for the main thread.
    pub(crate) fn view<'a>(&'a self, main: &'a Main) -> &'a Tables {
        self.reader.tables.view(main.held())
    }

    pub(crate) fn state(&self) -> Ref<'_, State> {
        self.state.borrow()
    }

    /// Packets and bytes that a rule of a list has matched.
    pub(crate) fn count(&self, list: &List, rule: u32) -> Count {
        self.reader.rules.sum(list.counters + rule)
    }

    /// An interface has gone, and its features with it.
    fn forget(&self, main: &mut Main, interface: SwIfIndex) {
        for direction in Direction::ALL {
            let key = (interface, direction);
            if self.state.borrow_mut().applied.remove(&key).is_some() {
                self.publish(main, vec![(key, None)]);
            }
        }
        self.clear_sessions(main, Some(interface));
    }

    /// Compiles the lists anew of all interfaces that `concerned` names.
    fn recompile(
        &self,
        main: &mut Main,
        concerned: impl Fn(&Applied) -> bool,
    ) -> Result<(), AclError> {
        let keys: Vec<_> = {
            let state = self.state.borrow();
            let all = state.applied.iter().filter(|(_, applied)| concerned(applied));
            all.map(|(&key, applied)| (key, applied.acls.clone())).collect()
        };
        // Interfaces with the same lists share what is made of them.
        let mut made: Vec<(Vec<u32>, Arc<Lists>)> = Vec::new();
        let mut contexts = Vec::new();
        for (key, acls) in keys {
            let lists = match made.iter().find(|(known, _)| *known == acls) {
                Some((_, lists)) => lists.clone(),
                None => {
                    let lists = self.compile(&acls);
                    made.push((acls, lists.clone()));
                    lists
                }
            };
            contexts.push((key, lists));
        }
        self.adopt(main, contexts)
    }

    /// Those of one interface, of which only these have changed.
    fn recompile_one(&self, main: &mut Main, key: (SwIfIndex, Direction)) -> Result<(), AclError> {
        let (acls, twin) = {
            let state = self.state.borrow();
            let acls = state.acls(key.0, key.1).to_vec();
            let mut others = state.applied.iter().filter(|(other, _)| **other != key);
            (acls.clone(), others.find(|(_, other)| other.acls == acls).map(|(twin, _)| *twin))
        };
        let twin = twin.and_then(|(interface, direction)| {
            Some(self.view(main).context(interface, direction)?.lists.clone())
        });
        let lists = twin.unwrap_or_else(|| self.compile(&acls));
        self.adopt(main, vec![(key, lists)])
    }

    fn compile(&self, acls: &[u32]) -> Arc<Lists> {
        let state = self.state.borrow();
        let sources = acls.iter().filter_map(|&acl| {
            let List { rules, counters, .. } = state.list(acl).ok()?;
            Some(Source { acl, counters: *counters, rules: rules.clone() })
        });
        Arc::new(Lists::new(&sources.collect::<Vec<_>>()))
    }

    /// Has nodes read new lists.
    fn adopt(
        &self,
        main: &mut Main,
        made: Vec<((SwIfIndex, Direction), Arc<Lists>)>,
    ) -> Result<(), AclError> {
        let reflects = made.iter().any(|(_, lists)| lists.reflects);
        let tables = self.view(main);
        if reflects && tables.sessions.is_none() {
            let limit = tables.settings.max_sessions;
            let sessions = Box::new(Sessions::new(limit).ok_or(AclError::NoMemory(limit))?);
            self.reader.tables.write(main.held_mut()).sessions = Some(sessions);
        }
        for (key, lists) in &made {
            let before = self.state.borrow().applied.get(key).map(|applied| applied.reassembled);
            reassemble(main, *key, before.unwrap_or_default(), lists.has_ports)?;
        }
        let contexts = made.into_iter().filter_map(|(key, lists)| {
            let mut state = self.state.borrow_mut();
            state.epochs = state.epochs.wrapping_add(1);
            let epoch = state.epochs;
            let applied = state.applied.get_mut(&key)?;
            applied.epoch = epoch;
            applied.reassembled = lists.has_ports;
            Some((key, Some(Context { index: applied.context, epoch, lists })))
        });
        let contexts = contexts.collect();
        self.publish(main, contexts);
        Ok(())
    }

    /// All that is changed under the barrier are pointers; but sessions end that lists no longer let begin.
    fn publish(&self, main: &mut Main, contexts: Vec<((SwIfIndex, Direction), Option<Context>)>) {
        let tables = self.reader.tables.write(main.held_mut());
        let reflects = |context: &Context| context.lists.reflects;
        for ((interface, direction), context) in contexts {
            let before = tables.context(interface, direction).is_some_and(reflects);
            let after = context.as_ref().is_some_and(reflects);
            tables.set(interface, direction, context);
            if let Some(sessions) = tables.sessions.as_ref().filter(|_| before && !after) {
                sessions.sweep(0..usize::MAX, |session| {
                    session.key.interface() == interface && session.began == direction
                });
            }
        }
    }
}

impl State {
    pub(crate) fn list(&self, acl: u32) -> Result<&List, AclError> {
        let list = self.lists.get(acl as usize).and_then(Option::as_ref);
        list.ok_or(AclError::NoSuchAcl(acl))
    }

    /// The lists of an interface, in their order.
    pub(crate) fn acls(&self, interface: SwIfIndex, direction: Direction) -> &[u32] {
        let applied = self.applied.get(&(interface, direction));
        applied.map_or(&[], |applied| applied.acls.as_slice())
    }

    /// All lists with their numbers.
    pub(crate) fn lists(&self) -> impl Iterator<Item = (u32, &List)> {
        (0..).zip(&self.lists).filter_map(|(acl, list)| Some((acl, list.as_ref()?)))
    }

    fn put(&mut self, acl: u32, list: Option<List>) -> Option<List> {
        let at = acl as usize;
        if self.lists.len() <= at {
            self.lists.resize_with(at + 1, || None);
        }
        core::mem::replace(&mut self.lists[at], list)
    }

    fn free_index(&self) -> u32 {
        let free = self.lists.iter().position(Option::is_none);
        free.unwrap_or(self.lists.len()) as u32
    }

    fn free_context(&self) -> u32 {
        let taken = |index| self.applied.values().any(|applied| applied.context == index);
        (0..).find(|&index| !taken(index)).unwrap_or(0)
    }

    /// The first of so many elements of the counter in a row that no list has.
    fn free_counters(&self, rules: usize) -> Result<u32, AclError> {
        let ranges = self.lists().map(|(_, list)| (list.counters as usize, list.rules.len()));
        let mut taken: Vec<_> = ranges.collect();
        taken.sort_unstable();
        taken.push((MAX_RULES, 0));
        let mut from = 0;
        for (start, length) in taken {
            if start.saturating_sub(from) >= rules {
                return Ok(from as u32);
            }
            from = from.max(start + length);
        }
        Err(AclError::TooManyRules { rules, limit: MAX_RULES })
    }
}

/// Has the fragments of an interface know their ports, where lists compare any and the engine has the nodes for it.
fn reassemble(
    main: &mut Main,
    (interface, direction): (SwIfIndex, Direction),
    before: [bool; 2],
    wanted: [bool; 2],
) -> Result<(), AclError> {
    let way = match direction {
        Direction::Input => reassembly::Direction::Input,
        Direction::Output => reassembly::Direction::Output,
    };
    for (family, (before, wanted)) in
        [Family::Ip4, Family::Ip6].into_iter().zip(before.into_iter().zip(wanted))
    {
        if main.graph().find(reassembly::node(family, way)).is_none() {
            continue;
        }
        match (before, wanted) {
            (false, true) => reassembly::enable(main, family, way, interface)?,
            (true, false) => reassembly::disable(main, family, way, interface)?,
            _ => {}
        }
    }
    Ok(())
}

/// Has the actions of rules configured; all or none.
fn configure(main: &mut Main, rules: &mut [Rule]) -> Result<(), AclError> {
    let actions = main.actions().clone();
    for at in 0..rules.len() {
        let Some(named) = rules[at].action.clone() else { continue };
        match actions.configure(main, &named.name, &named.arguments) {
            Ok(id) => rules[at].action_id = id,
            Err(why) => {
                release_all(main, &rules[..at]);
                return Err(AclError::Action { rule: at, why: why.to_string() });
            }
        }
    }
    Ok(())
}

/// A list has gone.
fn release(main: &mut Main, list: Option<List>) {
    if let Some(list) = list {
        release_all(main, &list.rules);
    }
}

fn release_all(main: &mut Main, rules: &[Rule]) {
    let actions = main.actions().clone();
    let ids = rules.iter().map(|rule| rule.action_id).filter(|id| *id != ActionId::NONE);
    ids.for_each(|id| actions.release(main, id));
}
