//! What nodes read: the lists of each interface, the sessions, and what holds for all of them.

use std::sync::Arc;

use vnet::{
    counter::{Count, Counter},
    interface::SwIfIndex,
    runtime::{Dispatching, Shared},
};

use crate::{
    compile::Lists,
    direction::Direction,
    session::{Sessions, Timeouts},
};

/// The lists of an interface in one direction.
#[derive(Clone)]
pub(crate) struct Context {
    /// VPP's lookup context index.
    pub(crate) index: u32,
    /// Another number whenever the lists change: sessions of other lists are looked at anew.
    pub(crate) epoch: u32,
    pub(crate) lists: Arc<Lists>,
}

/// Those of both directions.
#[derive(Clone, Default)]
pub(crate) struct Port {
    contexts: [Option<Context>; 2],
}

/// What holds for all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) timeouts: Timeouts,
    /// Fragments other than the first match rules that say more than they have.
    pub(crate) l4_match_nonfirst_fragment: bool,
    /// The most sessions.
    pub(crate) max_sessions: u32,
}

/// All that nodes read. It changes under the barrier, by pointers: what is large is made before.
pub(crate) struct Tables {
    ports: Vec<Port>,
    /// There as soon as any list begins sessions.
    pub(crate) sessions: Option<Box<Sessions>>,
    pub(crate) settings: Settings,
}

impl Port {
    /// The lists of a direction.
    #[inline(always)]
    pub(crate) fn context(&self, direction: Direction) -> Option<&Context> {
        self.contexts[direction as usize].as_ref()
    }

    /// Whether packets of the interface can belong to sessions.
    #[inline(always)]
    pub(crate) fn reflects(&self) -> bool {
        self.contexts.iter().flatten().any(|context| context.lists.reflects)
    }
}

impl Tables {
    pub(crate) const fn new(settings: Settings) -> Self {
        Self { ports: Vec::new(), sessions: None, settings }
    }

    /// Those of an interface.
    #[inline(always)]
    pub(crate) fn port(&self, SwIfIndex(interface): SwIfIndex) -> Option<&Port> {
        self.ports.get(interface as usize)
    }

    /// The lists of an interface in one direction.
    #[inline(always)]
    pub(crate) fn context(&self, interface: SwIfIndex, direction: Direction) -> Option<&Context> {
        self.port(interface)?.context(direction)
    }

    /// Changes the lists of an interface.
    pub(crate) fn set(
        &mut self,
        SwIfIndex(interface): SwIfIndex,
        direction: Direction,
        context: Option<Context>,
    ) {
        let at = interface as usize;
        if self.ports.len() <= at {
            self.ports.resize(at + 1, Port::default());
        }
        self.ports[at].contexts[direction as usize] = context;
    }
}

/// What each node has: the tables, and the counter of rules.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) tables: Shared<Tables>,
    pub(crate) rules: Counter<Count>,
}

impl Reader {
    #[inline(always)]
    pub(crate) fn read<'a>(&'a self, token: Dispatching<'a>) -> &'a Tables {
        self.tables.read(token)
    }
}
