//! MACIP lists: which MAC addresses may use which IP addresses as their own.
//!
//! An interface can have one such list, for what it receives. It is asked about the sources of IPv4 and IPv6 packets and the senders of
//! ARP packets, on routed interfaces and on bridges. What fits no rule is denied.
//!
//! | file | idea |
//! |---|---|
//! | `grammar` | rules as they are typed |
//! | `compile` | rules as tables, and packets as their keys |
//! | `node` | the six nodes |
//! | `commands` | the commands |

mod commands;
mod compile;
mod grammar;
mod node;

use std::{cell::RefCell, collections::BTreeMap, fmt, rc::Rc, sync::Arc};

use vnet::{
    command::value::IpWithLength,
    graph::FeatureSpec,
    interface::{Event, SwIfIndex},
    plugin::Registrar,
    runtime::{Main, Shared},
};

use crate::{error::AclError, rule::Verdict};
use compile::Program;
use node::Site;

/// A rule of a MACIP list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacipRule {
    /// [`Verdict::Permit`] or [`Verdict::Deny`].
    pub verdict: Verdict,
    /// Addresses of its senders.
    pub source: IpWithLength,
    /// Their MAC addresses, as far as the mask says.
    pub mac: [u8; 6],
    /// Which bits of these are compared.
    pub mac_mask: [u8; 6],
}

impl fmt::Display for MacipRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.source.address.is_ipv6() { "ipv6" } else { "ipv4" };
        let (mac, mask) = (Mac(self.mac), Mac(self.mac_mask));
        write!(f, "{family} action {} ip {} mac {mac} mask {mask}", self.verdict as u8, self.source)
    }
}

struct Mac([u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = self.0.map(|octet| format!("{octet:02x}"));
        f.write_str(&octets.join(":"))
    }
}

struct List {
    tag: String,
    rules: Vec<MacipRule>,
    program: Arc<Program>,
}

#[derive(Default)]
struct State {
    lists: Vec<Option<List>>,
    applied: BTreeMap<SwIfIndex, u32>,
}

/// What nodes read: the list of each interface.
#[derive(Default)]
pub(crate) struct Tables(Vec<Option<Arc<Program>>>);

impl Tables {
    #[inline]
    fn of(&self, SwIfIndex(interface): SwIfIndex) -> Option<&Program> {
        self.0.get(interface as usize)?.as_deref()
    }
}

/// The MACIP lists of an engine. Clones are the same ones; they belong to the main thread.
#[derive(Clone)]
pub struct Macip {
    tables: Shared<Tables>,
    state: Rc<RefCell<State>>,
}

/// Registers nodes and commands.
pub(crate) fn register(r: &mut Registrar) {
    let macip = Macip { tables: r.shared(Tables::default()), state: Rc::default() };
    for site in Site::ALL {
        r.node(node::spec(site, &macip.tables));
        let feature = FeatureSpec::new(site.arc(), site.node());
        r.feature(match site.behind() {
            Ok(end) => feature.before(end),
            Err(next) => feature.before_optional(next),
        });
    }
    let follower = macip.clone();
    r.on_interface_event(move |main, event| {
        if let Event::Deleted { sw_if_index, .. } = event
            && follower.state.borrow_mut().applied.remove(sw_if_index).is_some()
        {
            follower.set(main, *sw_if_index, None);
        }
    });
    commands::register(r, &macip);
    crate::api::register_macip(r, &macip);
    r.provide(macip);
}

impl Macip {
    /// Adds a list, or replaces one, also on interfaces that have it; says its number.
    ///
    /// # Errors
    /// When there is no list of that number.
    pub fn put_list(
        &self,
        main: &mut Main,
        index: Option<u32>,
        tag: &str,
        rules: Vec<MacipRule>,
    ) -> Result<u32, AclError> {
        let program = Arc::new(Program::new(&rules));
        let list = List { tag: tag.to_owned(), rules, program: program.clone() };
        let at = {
            let mut state = self.state.borrow_mut();
            let at = match index {
                Some(acl) => state.list(acl).map(|_| acl as usize)?,
                None => {
                    let free = state.lists.iter().position(Option::is_none);
                    free.unwrap_or(state.lists.len())
                }
            };
            let room = state.lists.len().max(at + 1);
            state.lists.resize_with(room, || None);
            state.lists[at] = Some(list);
            at as u32
        };
        for interface in self.users(at) {
            self.set(main, interface, Some(program.clone()));
        }
        Ok(at)
    }

    /// Takes a list away.
    ///
    /// # Errors
    /// When there is none, or an interface has it.
    pub fn delete_list(&self, main: &Main, acl: u32) -> Result<(), AclError> {
        let mut state = self.state.borrow_mut();
        state.list(acl)?;
        if let Some((&interface, _)) = state.applied.iter().find(|(_, known)| **known == acl) {
            let interface = main.interface_name(interface);
            return Err(AclError::MacipInUse { acl, interface });
        }
        state.lists[acl as usize] = None;
        Ok(())
    }

    /// Gives a list to an interface.
    ///
    /// # Errors
    /// When there is none, or the interface has one.
    pub fn apply(&self, main: &mut Main, interface: SwIfIndex, acl: u32) -> Result<(), AclError> {
        let program = self.state.borrow().list(acl)?.program.clone();
        if let Some(&known) = self.state.borrow().applied.get(&interface) {
            return Err(AclError::MacipApplied(known));
        }
        self.set(main, interface, Some(program));
        for site in Site::ALL {
            main.enable_feature(site.arc(), site.node(), interface, 0)?;
        }
        self.state.borrow_mut().applied.insert(interface, acl);
        Ok(())
    }

    /// Takes a list from an interface.
    ///
    /// # Errors
    /// When the interface does not have it.
    pub fn unapply(&self, main: &mut Main, interface: SwIfIndex, acl: u32) -> Result<(), AclError> {
        self.state.borrow().list(acl)?;
        if self.state.borrow().applied.get(&interface) != Some(&acl) {
            return Err(AclError::MacipNotApplied(acl));
        }
        for site in Site::ALL {
            main.disable_feature(site.arc(), site.node(), interface)?;
        }
        self.state.borrow_mut().applied.remove(&interface);
        self.set(main, interface, None);
        Ok(())
    }

    /// The interfaces that have a list.
    #[must_use]
    pub fn users(&self, acl: u32) -> Vec<SwIfIndex> {
        let state = self.state.borrow();
        let users = state.applied.iter().filter(|(_, known)| **known == acl);
        users.map(|(interface, _)| *interface).collect()
    }

    /// The list that an interface has.
    #[must_use]
    pub fn list_of(&self, interface: SwIfIndex) -> Option<u32> {
        self.state.borrow().applied.get(&interface).copied()
    }

    /// Whether there is such a list.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn check(&self, acl: u32) -> Result<(), AclError> {
        self.state.borrow().list(acl).map(drop)
    }

    /// What `of` makes of number, tag and rules of each list.
    pub(crate) fn lists<T>(&self, of: impl Fn(u32, &str, &[MacipRule]) -> T) -> Vec<T> {
        let state = self.state.borrow();
        let all = (0..).zip(&state.lists).filter_map(|(n, list)| Some((n, list.as_ref()?)));
        all.map(|(n, list)| of(n, &list.tag, &list.rules)).collect()
    }

    /// Interfaces up to the last one that ever had a list.
    pub(crate) fn slots(&self, main: &Main) -> usize {
        self.tables.view(main.held()).0.len()
    }

    fn set(&self, main: &mut Main, SwIfIndex(interface): SwIfIndex, program: Option<Arc<Program>>) {
        let Tables(all) = self.tables.write(main.held_mut());
        let at = interface as usize;
        all.resize(all.len().max(at + 1), None);
        all[at] = program;
    }
}

impl State {
    fn list(&self, acl: u32) -> Result<&List, AclError> {
        let list = self.lists.get(acl as usize).and_then(Option::as_ref);
        list.ok_or(AclError::NoSuchMacip(acl))
    }
}
