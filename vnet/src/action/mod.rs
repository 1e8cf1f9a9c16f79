//! Actions by name: what one plugin does to packets that another one's rules choose, so that neither knows the other.
//!
//! A rule of an access list, or a session of a classifier table, says what becomes of its packets in words of its own: permit, deny,
//! a next node. Beside that it may name an *action*, as in
//! `set acl-plugin acl permit src 10.0.0.0/8 dst 0.0.0.0/0 action sample { collector-set 1 probability 100 }`. Whoever sends the
//! packet on first shows it to the action, which looks at it, or copies it, and never chooses its way: what becomes of a packet can
//! be read in one place.
//!
//! # The plugin that has an action
//! registers an [`Action`] under a name with [`Registrar::action`](crate::plugin::Registrar::action), and how a thread's own
//! [`Perform`] is made. The first is the main thread's: it reads what stands in braces and gives it a number, its *configuration*.
//! [`parse`] reads arguments by a grammar, as commands do. The second is given the packets of a frame that rules have chosen for this
//! action, each with the configuration of its rule. What both share is theirs: a [`Shared`](crate::runtime::Shared) value for
//! what configurations mean, a [`Local`] for what a thread keeps. A performer is called once a frame at most, and does not
//! allocate, lock, format or panic.
//!
//! # The plugin that has rules
//! reads the name and the block of arguments, asks [`Actions::configure`] for an [`ActionId`], which is a plain number that it keeps
//! in the rule, and gives it back with [`Actions::release`] when the rule goes. Its node notes a [`Choice`] for each packet of a frame
//! whose rule has an action, and calls [`NodeCx::perform`](crate::graph::NodeCx::perform) before the packets leave. Packets without an action cost nothing.
//!
//! ```
//! use std::{cell::Cell, rc::Rc};
//! use vnet::{action::{self, Action, Actions, Packets, Perform, PerformCx}, command::NoNames, prelude::*};
//!
//! /// Counts bytes by color.
//! struct Paint;
//!
//! vnet::args! { struct Arguments { color: u32 = keyword("color", value::number(0..=7)) } }
//!
//! impl Action for Paint {
//!     fn configure(&self, _: &mut Main, arguments: &str) -> Result<u32, CommandError> {
//!         Ok(action::parse::<Arguments>(arguments, &NoNames)?.color)
//!     }
//!     fn release(&self, _: &mut Main, _: u32) {}
//!     fn describe(&self, _: &Main, color: u32) -> String {
//!         format!("color {color}")
//!     }
//! }
//!
//! struct Painter(Counter<Count>);
//!
//! impl Perform for Painter {
//!     fn perform(&mut self, cx: &mut PerformCx<'_>, packets: &mut Packets<'_>) {
//!         packets.each(|buffer, color| {
//!             cx.add(&self.0, color, Count { packets: 1, bytes: buffer.length_in_chain() as u64 });
//!         });
//!     }
//! }
//!
//! let plugin = Plugin::new("paint", "1.0", "An example", |r| {
//!     let painted = r.counter("/paint", 8)?;
//!     r.action("paint", Paint, move |_| Painter(painted.clone()))?;
//!     Ok(())
//! });
//! let engine = Engine::builder().plugin(plugin).build()?;
//! engine.with(|main| {
//!     let actions: Actions = main.actions().clone();
//!     let red = actions.configure(main, "paint", "color 1")?;
//!     assert_eq!(actions.describe(main, red), "paint { color 1 }");
//!     actions.release(main, red);
//!     let unknown = actions.configure(main, "carve", "").unwrap_err();
//!     assert_eq!(unknown.to_string(), "no action `carve', there are paint");
//!     Ok::<_, CommandError>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod perform;

use std::{cell::RefCell, rc::Rc};

pub use perform::{Choice, Packets, Perform, PerformCx};
pub(crate) use perform::{MakePerform, Performers};

use crate::{
    command::{ApiError, Args, Error, OperationError, Resolver, Shown, match_arguments},
    runtime::{Local, Main},
};

/// The most actions that an engine can have.
const MAX_ACTIONS: usize = 64;
/// Bits of an [`ActionId`] that are the action's own.
const CONFIG_BITS: u32 = 24;

/// What the main thread asks of an action.
pub trait Action: 'static {
    /// Reads `arguments`, what stood in the braces behind the action's name or nothing, and gives them a number below
    /// [`ActionId::MAX_CONFIG`]. Called once for each rule, also where several say the same.
    ///
    /// # Errors
    /// What is wrong with them; the rule is refused then.
    fn configure(&self, main: &mut Main, arguments: &str) -> Result<u32, Error>;

    /// A rule that had `config` has gone; no packet comes with it any more.
    fn release(&self, main: &mut Main, config: u32);

    /// The arguments as they would be written; empty where there are none.
    fn describe(&self, main: &Main, config: u32) -> String;
}

/// An action and what it was configured for, as rules keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ActionId(u32);

impl ActionId {
    /// No action.
    pub const NONE: Self = Self(u32::MAX);
    /// Configurations are below this.
    pub const MAX_CONFIG: u32 = (1 << CONFIG_BITS) - 1;

    fn new(kind: usize, config: u32) -> Option<Self> {
        (config < Self::MAX_CONFIG).then_some(Self((kind as u32) << CONFIG_BITS | config))
    }

    /// Whether there is one.
    #[inline]
    #[must_use]
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }

    /// As a number, for what keeps it in an atomic word.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// What [`Self::bits`] gave.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    #[inline]
    fn kind(self) -> usize {
        (self.0 >> CONFIG_BITS) as usize
    }

    /// The number that the action gave what it was configured for.
    #[inline]
    #[must_use]
    pub fn config(self) -> u32 {
        self.0 & Self::MAX_CONFIG
    }
}

/// Why an action is not registered or configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// Nobody has an action of this name.
    #[error("no action `{}', there are {known}", Shown(name))]
    Unknown {
        /// The name.
        name: String,
        /// The names of those that there are.
        known: String,
    },
    /// Nobody has any action.
    #[error("no action `{}': no plugin of this engine has one", Shown(.0))]
    NoActions(String),
    /// The action gave a number that is too large.
    #[error("action `{0}' has no room for another configuration")]
    Full(String),
    /// Another plugin has the name.
    #[error("action `{0}' is registered twice")]
    Taken(String),
    /// There are as many as there can be.
    #[error("more than {MAX_ACTIONS} actions")]
    TooMany,
}

impl OperationError for ActionError {
    fn api_error(&self) -> ApiError {
        match self {
            Self::Unknown { .. } | Self::NoActions(_) => ApiError::NoSuchEntry,
            Self::Taken(_) => ApiError::ValueExist,
            Self::Full(_) | Self::TooMany => ApiError::Unspecified,
        }
    }
}

/// The actions of an engine. Clones are the same ones; they belong to the main thread.
#[derive(Clone)]
pub struct Actions {
    known: Rc<RefCell<Vec<Known>>>,
    make: Rc<RefCell<Vec<MakePerform>>>,
    performers: Local<Performers>,
}

struct Known {
    name: String,
    action: Rc<dyn Action>,
}

impl Actions {
    /// None yet. Each thread makes its performers by `make` when all plugins have registered.
    pub(crate) fn new(make: Rc<RefCell<Vec<MakePerform>>>, performers: Local<Performers>) -> Self {
        Self { known: Rc::default(), make, performers }
    }

    pub(crate) fn add(
        &self,
        name: &str,
        action: impl Action,
        make: MakePerform,
    ) -> Result<(), ActionError> {
        let mut known = self.known.borrow_mut();
        if known.iter().any(|other| other.name == name) {
            return Err(ActionError::Taken(name.to_owned()));
        }
        if known.len() == MAX_ACTIONS {
            return Err(ActionError::TooMany);
        }
        known.push(Known { name: name.to_owned(), action: Rc::new(action) });
        self.make.borrow_mut().push(make);
        Ok(())
    }

    /// Their names, in the order in which they were registered.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.known.borrow().iter().map(|known| known.name.clone()).collect()
    }

    /// Has a rule's action configured by `arguments`.
    ///
    /// # Errors
    /// When nobody has an action of this name, or it refuses the arguments.
    pub fn configure(
        &self,
        main: &mut Main,
        name: &str,
        arguments: &str,
    ) -> Result<ActionId, Error> {
        let kind = self.known.borrow().iter().position(|known| known.name == name);
        let Some((kind, action)) = kind.and_then(|kind| Some((kind, self.action(kind)?))) else {
            let (name, known) = (name.to_owned(), self.names().join(", "));
            return Err(match known.is_empty() {
                true => ActionError::NoActions(name).into(),
                false => ActionError::Unknown { name, known }.into(),
            });
        };
        let config = action.configure(main, arguments)?;
        ActionId::new(kind, config).ok_or_else(|| {
            action.release(main, config);
            ActionError::Full(name.to_owned()).into()
        })
    }

    /// A rule that had `id` has gone.
    pub fn release(&self, main: &mut Main, id: ActionId) {
        if let Some(action) = self.action(id.kind()) {
            action.release(main, id.config());
        }
    }

    /// An action as it would be written in a rule: its name, and its arguments in braces where it has any.
    #[must_use]
    pub fn describe(&self, main: &Main, id: ActionId) -> String {
        let Some(action) = self.action(id.kind()) else { return String::new() };
        let name = self.names().swap_remove(id.kind());
        match action.describe(main, id.config()) {
            arguments if arguments.is_empty() => name,
            arguments => format!("{name} {{ {arguments} }}"),
        }
    }

    /// For nodes: what each thread has for all actions.
    #[must_use]
    pub fn performers(&self) -> Performing {
        Performing(self.performers)
    }

    fn action(&self, kind: usize) -> Option<Rc<dyn Action>> {
        Some(self.known.borrow().get(kind)?.action.clone())
    }
}

/// What a node has actions performed by.
#[derive(Clone, Copy)]
pub struct Performing(Local<Performers>);

/// Reads the arguments of an action by a grammar, as those of a command are read.
///
/// # Errors
/// As a command has them.
pub fn parse<A: Args>(arguments: &str, resolver: &dyn Resolver) -> Result<A, Error> {
    match_arguments(arguments, resolver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        buffer::Buffer, counter::Counter, graph::NodeSpec, plugin::Engine, plugin::Plugin, prelude,
        trace::NoTrace,
    };
    use prelude::{Frame, NoError, NoNext, Node, NodeCx, Verdict};

    /// Adds up the lengths of the packets of each configuration.
    struct Sum(Counter<u64>);

    impl Perform for Sum {
        fn perform(&mut self, cx: &mut PerformCx<'_>, packets: &mut Packets<'_>) {
            packets.each(|buffer, config| cx.add(&self.0, config, buffer.len() as u64));
        }
    }

    /// Takes any number as its arguments.
    struct Number;

    impl Action for Number {
        fn configure(&self, _: &mut Main, arguments: &str) -> Result<u32, Error> {
            arguments.parse().map_err(Error::unspecified)
        }

        fn release(&self, _: &mut Main, _: u32) {}

        fn describe(&self, _: &Main, config: u32) -> String {
            config.to_string()
        }
    }

    /// Chooses packets by their position, as `ids` say in turn.
    struct Choose {
        ids: [ActionId; 3],
        by: Performing,
    }

    impl Node for Choose {
        type Error = NoError;
        type Next = NoNext;
        type Trace = NoTrace;

        fn process(
            &mut self,
            cx: &mut NodeCx<'_, NoNext, NoError>,
            frame: &mut Frame,
        ) -> Verdict<NoNext> {
            let ids = (0..frame.len() as u16).zip(self.ids.into_iter().cycle());
            let choices: Vec<_> = ids.map(|(at, action)| Choice { at, action }).collect();
            cx.perform(self.by, frame, &choices);
            Verdict::Free
        }

        fn trace(&self, _: &Buffer) -> NoTrace {
            NoTrace
        }
    }

    #[test]
    fn each_action_sees_the_packets_that_were_chosen_for_it() {
        let engine = Engine::builder().plugin(Plugin::new("sums", "1", "", |r| {
            for name in ["one", "two"] {
                let sums = r.counter(&format!("/sums/{name}"), 8)?;
                r.provide(sums.clone());
                r.action(name, Number, move |_| Sum(sums.clone()))?;
            }
            assert_eq!(
                r.action("one", Number, |_| -> Sum { unreachable!() }),
                Err(ActionError::Taken("one".to_owned()))
            );
            Ok(())
        }));
        let engine = engine.build().unwrap();
        engine.with(|main| {
            let actions = main.actions().clone();
            let id = |main: &mut Main, name, text| actions.configure(main, name, text).unwrap();
            let ids = [id(main, "one", "3"), id(main, "two", "3"), id(main, "two", "5")];
            let by = actions.performers();
            let node = main.add_node(NodeSpec::internal("choose", move |_| Choose { ids, by }));
            let mut frame = main.frame_to(node.unwrap());
            for length in 1..=6 {
                frame.push(|buffer| buffer.append(&[0; 8][..length]));
            }
        });
        engine.run_until_idle();
        let two: Counter<u64> = engine.provided().unwrap();
        assert_eq!([two.sum(3), two.sum(5)], [2 + 5, 3 + 6]);
    }

    #[test]
    fn a_configuration_without_room_is_given_back() {
        let plugin = Plugin::new("numbers", "1", "", |r| {
            let sums = r.counter("/sums", 1)?;
            Ok(r.action("number", Number, move |_| Sum(sums.clone()))?)
        });
        let engine = Engine::builder().plugin(plugin).build().unwrap();
        engine.with(|main| {
            let actions = main.actions().clone();
            let refused = |main: &mut Main, name, text: &str| {
                actions.configure(main, name, text).unwrap_err().to_string()
            };
            let full = "action `number' has no room for another configuration";
            assert_eq!(refused(main, "number", &ActionId::MAX_CONFIG.to_string()), full);
            assert_eq!(refused(main, "numbers", ""), "no action `numbers', there are number");
            let last = actions.configure(main, "number", "16777214").unwrap();
            assert!(last.is_some());
            assert_eq!(actions.describe(main, last), "number { 16777214 }");
        });
        let none = Engine::builder().build().unwrap();
        let refused = none.with(|main| main.actions().clone().configure(main, "any", ""));
        let text = "no action `any': no plugin of this engine has one";
        assert_eq!(refused.unwrap_err().to_string(), text);
    }
}
