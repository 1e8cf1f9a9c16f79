//! Lists, and the interfaces that have them: the operations.

mod actions;
mod publish;
mod state;

use std::{
    cell::{Ref, RefCell},
    rc::Rc,
};

use vnet::{
    counter::Count,
    interface::{Event, SwIfIndex},
    log::Level,
    plugin::Registrar,
    runtime::Main,
};

use crate::{
    direction::Direction,
    error::AclError,
    place::Place,
    rule::Rule,
    session::{Sessions, Timeouts, state::TimeoutKind},
    tables::{Reader, Settings, Tables},
};
use actions::{configure, release};
use publish::reassemble;

pub(crate) use state::{Applied, List, State};

/// The most rules of all lists together: each has an element of a counter, which readers find as `/acl/<list>/matches`.
pub const MAX_RULES: usize = 1 << 18;
/// Elements of it: before those of each list there is one that is nobody's.
const ELEMENTS: usize = MAX_RULES + (1 << 16);
/// The most sessions, unless said otherwise: as many as in VPP.
pub const MAX_SESSIONS: u32 = 500_000;

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
        let rules = r.unseen_counter::<Count>("/acl/matches", ELEMENTS)?;
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
        self.show_counters(main, acl);
        Ok(acl)
    }

    /// Has readers of the stats segment find what the rules of a list count, which may be there no more.
    fn show_counters(&self, main: &mut Main, acl: u32) {
        let name = format!("/acl/{acl}/matches");
        let state = self.state.borrow();
        let shown = main.segment_mut().together(|segment| {
            if segment.contains(&name) {
                segment.remove(&name)?;
            }
            let Ok(List { counters, rules, .. }) = state.list(acl) else { return Ok(()) };
            segment.window(&name, &self.reader.rules, *counters, rules.len())
        });
        if let Err(error) = shown {
            main.log().write(main.log().class("acl", "counters"), Level::Err, error);
        }
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
        self.show_counters(main, acl);
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
}
